//! Copies a pair's records out of its journal, in the order of the dataset.

use super::error::EvaluateError;
use examiner_api::Result;
use examiner_store::atomic;
use examiner_store::journal::Reader;
use examiner_store::record::Record;
use examiner_store::sorted_rows::SortedRows;
use std::io::Write;
use std::path::Path;

/// So many errors are shown to people.
const EXAMPLES: usize = 3;

/// Where each record is in its journal, by the index of its question.
pub(super) struct Offsets(SortedRows);

impl Default for Offsets {
    fn default() -> Self {
        Offsets(SortedRows::new(2, 1))
    }
}

impl Offsets {
    /// Takes note of a record.
    ///
    /// # Errors
    /// A temporary file cannot be written.
    pub(super) fn add(&mut self, index: u64, offset: u64) -> Result<()> {
        self.0.push(&[index, offset])
    }

    /// How many there are.
    pub(super) fn len(&self) -> u64 {
        self.0.len()
    }
}

/// Writes the records at `offsets`. Returns the first few errors among them.
pub(super) fn write_samples(journal: &Path, path: &Path, offsets: &Offsets) -> Result<Vec<String>, EvaluateError> {
    let mut reader = Reader::open(journal)?;
    let mut examples = Vec::new();
    let failed = |source| EvaluateError::Write { path: path.to_owned(), source };
    atomic::update(path, |file| {
        examples.clear();
        let mut file = std::io::BufWriter::new(file);
        let mut sorted = offsets.0.sorted().map_err(std::io::Error::other)?;
        while let Some(row) = sorted.next_row().map_err(std::io::Error::other)? {
            let line = reader.read_at(row[1]).map_err(std::io::Error::other)?;
            if examples.len() < EXAMPLES && line.contains("\"error\"") {
                examples.extend(error_in(line));
            }
            writeln!(file, "{line}")?;
        }
        file.flush()
    })
    .map_err(failed)?;
    Ok(examples)
}

fn error_in(line: &str) -> Option<String> {
    let record: Record = serde_json::from_str(line).ok()?;
    record.error().map(|error| format!("sample `{}`: {error}", record.id))
}
