//! The dataset as the harness sees it.
//!
//! - `making`: samples and few-shot examples of small files, option by option.
//! - `damage`: options, templates and rows that cannot be used.
//! - `formats`: the same rows from every format.
//! - `reference`: published datasets and the prompts that other harnesses made of them; needs the reference data.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod damage;
mod formats;
mod making;
mod reference;

use examiner_api::testing::FakeHost;
use examiner_api::{Dataset, Flow, Open, Result, Sample};
use examiner_plugin_table::{Options, Table};
use serde_json::Value;
use std::ops::{Deref, DerefMut};
use std::path::Path;
use std::sync::Mutex;

fn open(folder: &Path, options: Value) -> Result<Table> {
    let options: Options = serde_json::from_value(options).unwrap();
    Table::open(options, FakeHost::in_dir(folder).host())
}

fn samples(dataset: &mut Table) -> Vec<Sample> {
    let samples = Mutex::new(Vec::new());
    let sink = |sample| {
        samples.lock().unwrap().push(sample);
        Flow::Continue
    };
    dataset.samples(&sink).unwrap();
    samples.into_inner().unwrap()
}

/// A table and the folder that its rows are read from at each call.
struct Kept {
    table: Table,
    _folder: tempfile::TempDir,
}

impl Deref for Kept {
    type Target = Table;

    fn deref(&self) -> &Table {
        &self.table
    }
}

impl DerefMut for Kept {
    fn deref_mut(&mut self) -> &mut Table {
        &mut self.table
    }
}

/// Opens a table over `rows`, written to `rows.jsonl`.
fn over(rows: &[Value], mut options: Value) -> Result<Kept> {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "rows.jsonl", rows);
    options["path"] = "rows.jsonl".into();
    Ok(Kept { table: open(folder.path(), options)?, _folder: folder })
}

fn write(folder: &Path, name: &str, rows: &[Value]) {
    let text: String = rows.iter().map(|row| format!("{row}\n")).collect();
    std::fs::write(folder.join(name), text).unwrap();
}
