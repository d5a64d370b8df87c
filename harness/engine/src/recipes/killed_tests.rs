//! The process is killed, not only interrupted: nothing can be tidied up on the way out.

use super::answers::AnswerJournal;
use examiner_api::asking::ask_all;
use examiner_api::testing::FakeHost;
use examiner_api::{Flow, GenerateRequest, GenerateResult, Model, ModelInfo, Response, Result, SampleRef, Sink};
use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::time::Duration;

/// Where the child works; set, it asks and does nothing else.
const FOLDER: &str = "EXAMINER_ANSWERS_KILLED";
/// After how many answers, counted over all children, its model falls silent and waits to be killed.
const SILENT_AFTER: &str = "EXAMINER_ANSWERS_SILENT_AFTER";
const QUESTIONS: u64 = 72;

/// A model that writes down what it was asked, and which answers were taken.
struct Noting<'a> {
    folder: &'a Path,
    silent_after: usize,
}

impl Noting<'_> {
    fn note(&self, name: &str, request: &GenerateRequest) {
        let path = self.folder.join(name);
        let mut file = std::fs::OpenOptions::new().create(true).append(true).open(path).unwrap();
        file.write_all(format!("{}\n", request.sample.id).as_bytes()).unwrap();
    }
}

impl Model for Noting<'_> {
    fn info(&self) -> Result<ModelInfo> {
        Ok(ModelInfo { name: "noting".to_owned(), can_generate: true, ..ModelInfo::default() })
    }

    fn generate(&mut self, requests: Vec<GenerateRequest>, sink: &dyn Sink<Response<GenerateResult>>) -> Result<()> {
        for request in requests {
            self.note("asked", &request);
            // Bounded, should nobody come to kill it.
            for _ in 0..6000 {
                if noted(self.folder, "sent").len() < self.silent_after {
                    break;
                }
                std::thread::sleep(Duration::from_millis(10));
            }
            let answer = GenerateResult { text: format!("{} again", request.prompt), ..GenerateResult::default() };
            if sink.send(Response::ok(request.id, answer)) == Flow::Stop {
                break;
            }
            self.note("sent", &request);
        }
        Ok(())
    }
}

fn noted(folder: &Path, name: &str) -> Vec<String> {
    let text = std::fs::read_to_string(folder.join(name)).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

/// Asks all questions; the answers by id.
fn ask(folder: &Path, silent_after: usize) -> BTreeMap<u64, String> {
    let mut store = AnswerJournal::open(&folder.join("answers"), &FakeHost::new().host()).unwrap();
    let request = |id: u64| GenerateRequest {
        id,
        prompt: format!("question {id}"),
        sample: SampleRef { id: id.to_string(), ..SampleRef::default() },
        ..GenerateRequest::default()
    };
    let answers = Mutex::new(BTreeMap::new());
    let take = |response: Response<GenerateResult>| {
        answers.lock().unwrap().insert(response.id, response.result.unwrap().text);
        Flow::Continue
    };
    let mut model = Noting { folder, silent_after };
    let requests = (0..QUESTIONS).map(request).collect();
    let report = ask_all(&mut model, &mut store, requests, &|| false, &take).unwrap();
    assert_eq!((report.known + report.answered, report.failed), (QUESTIONS, 0));
    answers.into_inner().unwrap()
}

/// The process that is killed; by itself it tests nothing.
#[test]
#[ignore = "a part of another test"]
fn child() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let silent_after = std::env::var(SILENT_AFTER).unwrap().parse().unwrap();
    ask(Path::new(&folder), silent_after);
}

#[test]
fn killed_over_and_over_it_asks_nothing_twice_and_has_the_same_answers() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = ["--ignored", "--exact", "recipes::killed_tests::child", "--test-threads=1"];
    let stops = [1, 10, 25, 45];
    for stop in stops {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(arguments)
            .env(FOLDER, folder.path())
            .env(SILENT_AFTER, stop.to_string())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // Bounded: a child that never starts ends the wait. It is asked once more than it answers.
        for _ in 0..6000 {
            if noted(folder.path(), "sent").len() == stop || child.try_wait().unwrap().is_some() {
                break;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(noted(folder.path(), "sent").len(), stop);
    }
    let answers = ask(folder.path(), usize::MAX);
    let expected = (0..QUESTIONS).map(|id| (id, format!("question {id} again"))).collect();
    assert_eq!(answers, expected);
    let (asked, sent) = (noted(folder.path(), "asked"), noted(folder.path(), "sent"));
    let mut different = sent.clone();
    different.sort();
    different.dedup();
    assert_eq!((different.len(), sent.len()), (72, 72), "an answer that was taken is never asked for again");
    let in_flight = asked.len() - sent.len();
    assert!(in_flight <= stops.len(), "only what was in flight when it was killed is asked again: {in_flight}");
}
