//! Copies a pair's records out of its journal, in the order of the dataset.

use super::error::EvaluateError;
use examiner_store::atomic;
use examiner_store::journal::Reader;
use examiner_store::record::Record;
use std::io::Write;
use std::path::Path;

/// So many errors are shown to people.
const EXAMPLES: usize = 3;

/// Writes the records at `offsets` (their indices, and where they are in the journal). Returns the first few errors among
/// them.
pub(super) fn write_samples(
    journal: &Path,
    path: &Path,
    offsets: &mut [(u64, u64)],
) -> Result<Vec<String>, EvaluateError> {
    offsets.sort_unstable();
    let mut reader = Reader::open(journal)?;
    let mut examples = Vec::new();
    let failed = |source| EvaluateError::Write { path: path.to_owned(), source };
    atomic::update(path, |file| {
        examples.clear();
        let mut file = std::io::BufWriter::new(file);
        for (_, offset) in &*offsets {
            let line = reader.read_at(*offset).map_err(std::io::Error::other)?;
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
