//! Prints for each task a hash of all that is asked for each of its documents, as `lm_eval_prompts.py` does for
//! lm-evaluation-harness itself: `requests TASKS_DIR MIRROR SHOTS LIMIT TASK...`, where SHOTS and LIMIT may be `-`.

#[path = "../tests/lm_eval/mirror.rs"]
mod mirror;

use examiner_api::testing::FakeHost;
use examiner_api::{Ask, Dataset, Flow, Open, PluginError, Question, Result, Sample, Scorer, Span};
use examiner_plugin_lm_eval::{LmEvalScorer, Options, TaskNames, Tasks};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::fmt::Write;
use std::path::PathBuf;
use std::sync::Mutex;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [tasks_dir, mirror, shots, limit, names @ ..] = arguments.as_slice() else {
        eprintln!("expected: TASKS_DIR MIRROR SHOTS LIMIT TASK...");
        std::process::exit(2);
    };
    for name in names {
        let options = Options {
            task: TaskNames::One(name.clone()),
            tasks_dir: Some(tasks_dir.clone()),
            num_fewshot: shots.parse().ok(),
            fewshot_seed: 1234,
            limit_per_task: limit.parse().ok(),
            hub_mirror: None,
        };
        if let Err(error) = print(&options, mirror) {
            println!("{}", json!({ "task": name, "error": error.to_string() }));
        }
    }
}

/// Prints what is asked of one name's tasks.
fn print(options: &Options, mirror: &str) -> Result<()> {
    let mut tasks = Tasks::of_tree(options, mirror::locate(PathBuf::from(mirror)), &|message| eprintln!("{message}"))?;
    let info = tasks.info()?;
    let scorer_options = serde_json::from_value(Value::Object(info.scorer_options.clone()))
        .map_err(|error| PluginError::bad_options("the scorer's options").with_cause(&error))?;
    let scorer = LmEvalScorer::open(scorer_options, FakeHost::new().host())?;
    let asked: Mutex<Vec<(String, Vec<String>, Vec<Vec<String>>)>> = Mutex::default();
    let failed: Mutex<Option<PluginError>> = Mutex::default();
    let take = |sample: Sample| {
        let task = sample.id.rsplit_once('/').map_or("", |(task, _)| task).to_owned();
        let context = sample.prompt.clone();
        let question = Question { sample, context, sampling: info.sampling.clone(), ..Question::default() };
        let asks = match scorer.requests(std::slice::from_ref(&question)) {
            Ok(mut asks) => asks.swap_remove(0),
            Err(error) => {
                failed.lock().unwrap_or_else(std::sync::PoisonError::into_inner).get_or_insert(error);
                return Flow::Stop;
            }
        };
        let parts: Vec<Vec<String>> = asks.iter().map(parts).collect();
        let mut asked = asked.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if asked.last().is_none_or(|(known, ..)| *known != task) {
            asked.push((task, Vec::new(), parts.clone()));
        }
        if let Some((_, hashes, _)) = asked.last_mut() {
            hashes.push(hash(&parts));
        }
        Flow::Continue
    };
    tasks.samples(&take)?;
    if let Some(error) = failed.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner) {
        return Err(error);
    }
    for (task, documents, first) in asked.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner) {
        println!("{}", json!({ "task": task, "documents": documents, "first": first }));
    }
    Ok(())
}

/// The texts of a request, in the order of `lm_eval_prompts.py`.
fn parts(ask: &Ask) -> Vec<String> {
    match ask {
        Ask::Score { continuation, span: Span::Rolling, .. } => {
            vec!["loglikelihood_rolling".to_owned(), continuation.clone()]
        }
        Ask::Score { context, continuation, .. } => {
            vec!["loglikelihood".to_owned(), context.clone(), continuation.clone()]
        }
        Ask::Generate { prompt, sampling, .. } => {
            let mut parts = vec!["generate_until".to_owned(), prompt.clone()];
            parts.extend(sampling.stop.iter().cloned());
            parts.push(sampling.max_new_tokens.to_string());
            parts.push(format!("{:?}", sampling.temperature));
            parts
        }
    }
}

fn hash(asks: &[Vec<String>]) -> String {
    let mut digest = Sha256::new();
    // Of a request that is asked several times lm-evaluation-harness has one.
    let repeats = asks.first().is_some_and(|first| first.first().is_some_and(|kind| kind == "generate_until"));
    for ask in asks.iter().take(if repeats { 1 } else { usize::MAX }) {
        for part in ask {
            digest.update(part.as_bytes());
            digest.update([0]);
        }
        digest.update([1]);
    }
    let mut text = String::new();
    for byte in digest.finalize().iter().take(8) {
        // Writing into a text cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}
