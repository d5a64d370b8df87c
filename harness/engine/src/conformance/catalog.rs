//! Clauses of catalogs.

use super::bench::Opened;
use super::clause::CATALOG_ENTRIES;
use super::report::{Findings, Held};
use examiner_api::{CatalogEntry, CatalogState, Flow, Result};
use parking_lot::Mutex;
use std::collections::HashSet;

/// Holds a catalog against its clauses.
pub(super) fn check(opened: Opened, findings: &mut Findings<'_>) -> Result<()> {
    let catalog = opened.catalog()?;
    let entries = Mutex::new(Vec::new());
    catalog.entries("*", &|entry: CatalogEntry| {
        entries.lock().push(entry);
        Flow::Continue
    })?;
    findings.add(&CATALOG_ENTRIES, held(&entries.into_inner()));
    Ok(())
}

fn held(entries: &[CatalogEntry]) -> Held {
    let mut names = HashSet::new();
    for CatalogEntry { name, state, detail, .. } in entries {
        if name.trim().is_empty() {
            return Held::No("expected a name of each entry, found an entry without".to_owned());
        }
        if !names.insert(name) {
            return Held::No(format!("expected each name once, found `{name}` twice"));
        }
        if *state != CatalogState::Runs && detail.trim().is_empty() {
            return Held::No(format!("expected a sentence on why `{name}` does not simply run, found none"));
        }
    }
    Held::Yes(format!("{} entries have names of their own, and say why they do not run", entries.len()))
}
