//! A record of what a worker is asked, to check that nothing is asked twice: where `EXAMINER_TRACE` names a file, every
//! request appends a line of dataset, id and repetition, separated by tabs.

use examiner_api::SampleRef;
use examiner_api::wire::{decode, method};
use serde::Deserialize;
use std::fs::File;
use std::io::Write;

/// The file, if one is named and can be opened.
pub(super) struct Trace(Option<File>);

/// What is recorded of a request of either kind.
#[derive(Deserialize)]
struct Traced {
    #[serde(default)]
    sample: SampleRef,
}

impl Trace {
    pub(super) fn from_env() -> Self {
        let open = |path| File::options().create(true).append(true).open(path);
        Trace(std::env::var_os("EXAMINER_TRACE").and_then(|path| {
            open(path).inspect_err(|error| eprintln!("cannot open the file that `EXAMINER_TRACE` names: {error}")).ok()
        }))
    }

    /// Records the requests of a call.
    pub(super) fn record(&mut self, name: &str, payload: &[u8]) {
        let Some(file) = &mut self.0 else { return };
        if !matches!(name, method::SCORE | method::GENERATE) {
            return;
        }
        let requests: Vec<Traced> = decode(payload).unwrap_or_default();
        let line = |Traced { sample }: &Traced| format!("{}\t{}\t{}\n", sample.dataset, sample.id, sample.repeat);
        let lines: String = requests.iter().map(line).collect();
        // In one write: another worker may append to the same file.
        let _ = file.write_all(lines.as_bytes());
    }
}
