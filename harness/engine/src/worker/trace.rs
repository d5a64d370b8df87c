//! Writes down what a worker is asked, for whoever wants to see that nothing is asked twice: where `EXAMINER_TRACE` names a
//! file, every request appends a line of dataset, id and repetition, with tabs between them.

use examiner_api::wire::{decode, method};
use examiner_api::{GenerateRequest, SampleRef, ScoreRequest};
use std::fs::File;
use std::io::Write;

/// The open file, if one is named.
pub(super) struct Trace(Option<File>);

impl Trace {
    pub(super) fn from_env() -> Self {
        let open = |path| File::options().create(true).append(true).open(path);
        Trace(std::env::var_os("EXAMINER_TRACE").and_then(|path| {
            open(path).inspect_err(|error| eprintln!("cannot open the file that `EXAMINER_TRACE` names: {error}")).ok()
        }))
    }

    /// Notes the requests of a call.
    pub(super) fn note(&mut self, name: &str, payload: &[u8]) {
        let Some(file) = &mut self.0 else { return };
        let samples: Vec<SampleRef> = match name {
            method::SCORE => {
                decode::<Vec<ScoreRequest>>(payload).map(|all| all.into_iter().map(|it| it.sample).collect())
            }
            method::GENERATE => {
                decode::<Vec<GenerateRequest>>(payload).map(|all| all.into_iter().map(|it| it.sample).collect())
            }
            _ => return,
        }
        .unwrap_or_default();
        let line = |sample: SampleRef| format!("{}\t{}\t{}\n", sample.dataset, sample.id, sample.repeat);
        let lines: String = samples.into_iter().map(line).collect();
        // In one piece: another worker may write to the same file.
        let _ = file.write_all(lines.as_bytes());
    }
}
