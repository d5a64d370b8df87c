//! A model behind an endpoint, against a server on this machine that misbehaves, that limits, and that refuses.

mod limit;
mod server;

use crate::program::{SuiteRun, run_suite};
use crate::verify::comparison::Comparison;
use crate::verify::setup::{Setup, write_rows};
use anyhow::{Result, ensure};
use limit::Limit;
use serde_json::{Value, json};
use server::{Response, Server, expected_answer};
use std::path::Path;

/// The key, which no file and no message may hold.
const KEY: &str = "sk-verify-0f3a9c47e5b81d62";
const VARIABLE: &str = "EXAMINER_VERIFY_API_KEY";

pub(super) fn compare(setup: &Setup) -> Result<Vec<Comparison>> {
    let mut secrets = Comparison::new("endpoint: files and messages without the key");
    let mut comparisons = misbehaviour(setup, &mut secrets)?;
    comparisons.push(refusal(setup, &mut secrets)?);
    comparisons.push(secrets);
    // How the limit is known: set in the suite, stated in headers, or learned from refusals.
    comparisons.extend(rate(setup, "set", Limit::new(400.0, 40.0, false, 1.0))?);
    comparisons.extend(rate(setup, "stated", Limit::new(400.0, 80.0, true, 1.0))?);
    comparisons.extend(rate(setup, "learned", Limit::new(400.0, 400.0, false, 1.0))?);
    Ok(comparisons)
}

/// Runs a suite with `count` questions to `server`.
fn ask(setup: &Setup, name: &str, server: &Server, count: usize, more: Value) -> Result<SuiteRun> {
    let rows = setup.work.join(format!("{name}.jsonl"));
    let row = |number: usize| {
        let question = format!("question {number}");
        json!({ "number": number, "answer": expected_answer(&question), "question": question })
    };
    write_rows(&rows, (0..count).map(row))?;
    let mut model = json!({
        "plugin": "openai", "model": "any", "base_url": server.url(), "api_key_env": VARIABLE, "backoff_s": 0.05,
        "request_log": setup.work.join(name).join("requests.jsonl")
    });
    if let (Value::Object(model), Value::Object(more)) = (&mut model, more) {
        model.extend(more);
    }
    let suite = json!({
        "name": name,
        "models": { "endpoint": model },
        "datasets": {
            "questions": {
                "plugin": "table", "path": rows, "prompt": "{{ question }}", "gold": ["{{ answer }}"],
                "max_new_tokens": 32, "scorer": { "name": "answer-extraction", "extract": "trim", "compare": "string" }
            }
        },
        "evaluate": [{ "models": "all", "datasets": "all" }]
    });
    run_suite(&setup.program, &setup.work, &suite, &[(VARIABLE, KEY)])
}

/// Every misbehaviour before the right answer, and some questions that never get one.
fn misbehaviour(setup: &Setup, secrets: &mut Comparison) -> Result<Vec<Comparison>> {
    const QUESTIONS: usize = 200;
    const HOPELESS: usize = 7;
    let failures = [
        Response::TooMany,
        Response::Status(500),
        Response::Truncated,
        Response::Trickle,
        Response::Malformed,
        Response::HtmlPage,
        Response::Reset,
    ];
    let codes = ["overloaded", "network", "network", "timeout", "network", "network", "network"];
    let number = |prompt: &str| prompt.rsplit(' ').next().and_then(|word| word.parse().ok()).unwrap_or(0_usize);
    let server = Server::start(None, move |prompt, times| match (number(prompt), times) {
        (number, _) if number < HOPELESS => failures[number],
        (HOPELESS, _) => Response::Status(400),
        (number, 0) => failures[number % failures.len()],
        (number, 1) if number % 3 == 0 => failures[(number / 3) % failures.len()],
        _ => Response::Answer,
    })?;
    let more = json!({ "attempt_timeout_s": 1.0, "max_attempts": 5 });
    let run = ask(setup, "endpoint-misbehaviour", &server, QUESTIONS, more)?;
    ensure!(run.status == Some(1), "expected status 1, as some questions have no answer, found {:?}", run.status);
    let samples = run.results.samples("endpoint", "questions")?;
    ensure!(samples.len() == QUESTIONS, "expected {QUESTIONS} samples, found {}", samples.len());
    let mut correct = Comparison::new("endpoint: answers in spite of misbehaviour");
    let mut typed = Comparison::new("endpoint: failures by their kind");
    for (number, sample) in samples.iter().enumerate() {
        let verdict = sample.verdict("answer-extraction")?;
        let code = verdict.outcome["error"]["code"].as_str();
        match number {
            HOPELESS => typed.row(code == Some("bad-input")),
            number if number < HOPELESS => typed.row(code == Some(codes[number])),
            _ => correct.row(verdict.metrics.get("accuracy") == Some(&1.0)),
        }
    }
    let mut once = Comparison::new("endpoint: answered once, not asked again");
    for (prompt, counts) in server.counts() {
        let expected = usize::from(number(&prompt) > HOPELESS);
        once.row(counts.answered == expected && counts.repeated == 0);
    }
    search_for_key(&run, secrets)?;
    Ok(vec![correct, typed, once])
}

/// A key that is refused ends the stage at once, and once.
fn refusal(setup: &Setup, secrets: &mut Comparison) -> Result<Comparison> {
    const AT_A_TIME: usize = 8;
    let server = Server::start(None, |_, _| Response::Status(401))?;
    let run = ask(setup, "endpoint-refusal", &server, 300, json!({ "max_concurrency": AT_A_TIME }))?;
    let asked: usize = server.counts().values().map(|counts| counts.asked).sum();
    let mut once = Comparison::new("endpoint: a refused key ends it, and once");
    once.row(run.status == Some(1));
    once.row((1..=AT_A_TIME).contains(&asked));
    once.row(run.stderr.lines().filter(|line| line.contains("answered 401")).count() == 1);
    once.row(run.results.summary_rows()?.iter().filter(|row| row.status == "failed").count() == 1);
    search_for_key(&run, secrets)?;
    Ok(once)
}

/// The server repeats the key in every refusal. No file and no message may contain it.
fn search_for_key(run: &SuiteRun, secrets: &mut Comparison) -> Result<()> {
    secrets.row(!run.stderr.contains(KEY));
    files(run.results.directory(), &mut |path| {
        let content = std::fs::read(path)?;
        secrets.row(!content.windows(KEY.len()).any(|window| window == KEY.as_bytes()));
        Ok(())
    })
}

fn files(directory: &Path, visit: &mut dyn FnMut(&Path) -> Result<()>) -> Result<()> {
    for entry in std::fs::read_dir(directory)? {
        let path = entry?.path();
        if path.is_dir() { files(&path, visit)? } else { visit(&path)? }
    }
    Ok(())
}

/// 5,000 requests against a limit of requests per second, of which 95 % must be used, and which must not be exceeded. The
/// burst that the server allows at the start does not count.
fn rate(setup: &Setup, source: &str, limit: Limit) -> Result<Vec<Comparison>> {
    const REQUESTS: usize = 5000;
    let (per_second, saved) = (limit.rate, limit.capacity);
    let more = if source == "set" { json!({ "requests_per_minute": per_second * 60.0 }) } else { json!({}) };
    let server = Server::start(Some(limit), |_, _| Response::Answer)?;
    let run = ask(setup, &format!("endpoint-rate-{source}"), &server, REQUESTS, more)?;
    ensure!(run.status == Some(0), "expected status 0, found {:?}:\n{}", run.status, run.stderr);
    let mut share = Comparison::new(format!("endpoint: share of a limit that is {source}"));
    share.numbers(&[(REQUESTS as f64 - saved) / (per_second * server.seconds())], &[1.0], 0.05);
    let mut all = Comparison::new(format!("endpoint: answers at a limit that is {source}"));
    for counts in server.counts().values() {
        all.row(counts.answered == 1 && counts.repeated == 0);
    }
    Ok(vec![share, all.requiring(REQUESTS)])
}
