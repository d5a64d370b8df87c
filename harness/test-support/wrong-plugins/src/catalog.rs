//! Catalogs.

use crate::options::Nothing;
use examiner_api::{Catalog, CatalogEntry, Host, Open, Result, Sink};

/// Lists one name twice.
pub(crate) struct Twice;

impl Open for Twice {
    type Options = Nothing;

    fn open(_: Nothing, _: Host) -> Result<Self> {
        Ok(Twice)
    }
}

impl Catalog for Twice {
    fn entries(&self, _: &str, sink: &dyn Sink<CatalogEntry>) -> Result<()> {
        for _ in 0..2 {
            let _ = sink.send(CatalogEntry { name: "one".to_owned(), ..CatalogEntry::default() });
        }
        Ok(())
    }
}
