//! A write can be torn at any byte. Wherever a journal ends, a run goes on from it, and its results are those of an
//! undisturbed one.

use crate::build;
use crate::resume::same_results;
use crate::run::{run, stderr, suite};
use examiner_api::{Flow, GenerateRequest, GenerateResult, Model, ModelInfo, Response, Result, Sink};
use examiner_engine::evaluate::{Events, examine, prepare};
use examiner_engine::graph::pairs;
use examiner_engine::host::Shared;
use examiner_engine::loader::{Plugins, SearchPath};
use examiner_engine::progress::Progress;
use examiner_engine::roles::Roles;
use examiner_engine::worker::registration;
use examiner_hub::Hub;
use examiner_report::Reports;
use examiner_store::directory::RunDirectory;
use examiner_store::summary::SummaryRow;
use std::path::Path;
use std::sync::Arc;

/// Adds up the two numbers of a prompt, and counts how often it is asked.
struct Adder(usize);

impl Model for Adder {
    fn info(&self) -> Result<ModelInfo> {
        Ok(ModelInfo { fingerprint: "adder".to_owned(), can_generate: true, ..ModelInfo::default() })
    }

    fn generate(&mut self, requests: Vec<GenerateRequest>, sink: &dyn Sink<Response<GenerateResult>>) -> Result<()> {
        for request in requests {
            self.0 += 1;
            let sum: u64 = request.prompt.split(|c: char| !c.is_ascii_digit()).flat_map(str::parse::<u64>).sum();
            let result = GenerateResult { text: format!("that makes {sum}"), ..GenerateResult::default() };
            if sink.send(Response::ok(request.id, result)) == Flow::Stop {
                break;
            }
        }
        Ok(())
    }
}

/// Memory, where there is such a place: every one of some thousand runs waits for its files to be on disk.
fn memory_directory() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { tempfile::tempdir_in(memory).unwrap() } else { tempfile::tempdir().unwrap() }
}

#[test]
fn a_journal_that_ends_at_any_byte_is_gone_on_with() {
    let text = suite("  a: { plugin: adder }\n", "  sums: { plugin: numbers, rows: 5 }\n");
    let loaded = examiner_suite::load_text(Path::new("suite.yaml"), text, &[], &|_| None).unwrap();
    let mut plugins = Plugins::built_in(vec![examiner_engine::scorers::plugin()]);
    plugins.search(&[SearchPath::File(build::fixture("fixture"))], &Default::default(), &*registration(None)).unwrap();
    let pair = pairs(&loaded.suite).remove(0);
    let roles = Roles::new(loaded.suite, plugins);
    let shared =
        Shared::new(roles, Progress::hidden(), Arc::default(), Hub::from_env().unwrap(), Arc::new(Reports), None);

    let parent = memory_directory();
    let directory = RunDirectory::open(&parent.path().join("run"), "t").unwrap();
    let journal = directory.journal("a", "sums").unwrap();
    let samples = directory.samples("a", "sums").unwrap();
    let go = || {
        let mut model = Adder(0);
        let prepared = prepare(&shared, &pair, &model.info().unwrap(), None).unwrap();
        let events = Events { begin: &mut || Ok(()), publish: &|_| {} };
        let examined = examine(&shared, &mut model, prepared, &directory, events).unwrap();
        assert!(examined.failure.is_none());
        let rows: Vec<SummaryRow> = examined.rows.into_iter().map(|row| SummaryRow { seconds: None, ..row }).collect();
        (model.0, (rows, std::fs::read(&samples).unwrap()))
    };
    let (asked, undisturbed) = go();
    assert_eq!(asked, 5);
    let bytes = std::fs::read(&journal).unwrap();
    for length in 0..=bytes.len() {
        std::fs::write(&journal, &bytes[..length]).unwrap();
        let complete = bytes[..length].iter().filter(|byte| **byte == b'\n').count();
        let (asked, results) = go();
        assert_eq!(asked, 5 - complete.saturating_sub(1), "cut at byte {length}");
        assert!(results == undisturbed, "cut at byte {length}: {results:?}");
    }
}

/// The same through the program, at the places where something begins or ends.
#[test]
fn the_program_goes_on_from_the_ends_and_the_midst_of_lines() {
    let suite = suite("  a: { plugin: adder }\n", "  sums: { plugin: numbers, rows: 3 }\n");
    let whole = tempfile::tempdir().unwrap();
    assert!(run(whole.path(), &suite, &["--out", "run"]).status.success());
    let name = "run/journal/a/sums.jsonl";
    let bytes = std::fs::read(whole.path().join(name)).unwrap();
    let ends = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(index, _)| index);
    let directory = tempfile::tempdir().unwrap();
    assert!(run(directory.path(), &suite, &["--out", "run"]).status.success());
    for length in ends.flat_map(|end| [end - 9, end, end + 1]).chain([0]) {
        std::fs::write(directory.path().join(name), &bytes[..length]).unwrap();
        let output = run(directory.path(), &suite, &["--out", "run"]);
        assert!(output.status.success(), "cut at byte {length}: {}", stderr(&output));
        same_results(&whole.path().join("run"), &directory.path().join("run"));
    }
}
