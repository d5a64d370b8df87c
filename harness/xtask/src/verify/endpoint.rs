//! A model behind an endpoint, against a server on this machine that misbehaves, that limits, and that refuses.

mod limit;
mod server;

use super::tally::Comparison;
use super::{Bench, write_rows};
use crate::program::{Ran, run_suite};
use anyhow::{Result, ensure};
use limit::Limit;
use serde_json::{Value, json};
use server::{Server, Step, right};
use std::path::Path;

/// What no file and no message may hold.
const KEY: &str = "sk-verify-0f3a9c47e5b81d62";
const VARIABLE: &str = "EXAMINER_VERIFY_API_KEY";

pub(super) fn compare(bench: &Bench) -> Result<Vec<Comparison>> {
    let mut secrets = Comparison::new("endpoint: files and messages without the key");
    let mut comparisons = misbehaviour(bench, &mut secrets)?;
    comparisons.push(refusal(bench, &mut secrets)?);
    comparisons.push(secrets);
    // How the limit is known: it is told in the suite, stated in headers, or learned from refusals.
    comparisons.extend(rate(bench, "told", Limit::new(400.0, 40.0, false, 1.0))?);
    comparisons.extend(rate(bench, "stated", Limit::new(400.0, 80.0, true, 1.0))?);
    comparisons.extend(rate(bench, "learned", Limit::new(400.0, 400.0, false, 1.0))?);
    Ok(comparisons)
}

/// Has a suite of `count` questions asked of `server`.
fn ask(bench: &Bench, name: &str, server: &Server, count: usize, more: Value) -> Result<Ran> {
    let rows = bench.work.join(format!("{name}.jsonl"));
    let row = |number: usize| {
        let question = format!("question {number}");
        json!({ "number": number, "answer": right(&question), "question": question })
    };
    write_rows(&rows, (0..count).map(row))?;
    let mut model = json!({
        "plugin": "openai", "model": "any", "base_url": server.url(), "api_key_env": VARIABLE, "backoff_s": 0.05,
        "request_log": bench.work.join(name).join("requests.jsonl")
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
    run_suite(&bench.program, &bench.work, &suite, &[(VARIABLE, KEY)])
}

/// Every misbehaviour before the right answer, and some questions that never get one.
fn misbehaviour(bench: &Bench, secrets: &mut Comparison) -> Result<Vec<Comparison>> {
    const QUESTIONS: usize = 200;
    const HOPELESS: usize = 7;
    let steps = [Step::TooMany, Step::Status(500), Step::Cut, Step::Drip, Step::Malformed, Step::Page, Step::Reset];
    let codes = ["overloaded", "network", "network", "timeout", "network", "network", "network"];
    let number = |prompt: &str| prompt.rsplit(' ').next().and_then(|word| word.parse().ok()).unwrap_or(0_usize);
    let server = Server::start(None, move |prompt, times| match (number(prompt), times) {
        (number, _) if number < HOPELESS => steps[number],
        (HOPELESS, _) => Step::Status(400),
        (number, 0) => steps[number % steps.len()],
        (number, 1) if number % 3 == 0 => steps[(number / 3) % steps.len()],
        _ => Step::Answer,
    })?;
    let more = json!({ "attempt_timeout_s": 1.0, "max_attempts": 5 });
    let ran = ask(bench, "endpoint-misbehaviour", &server, QUESTIONS, more)?;
    ensure!(ran.status == Some(1), "expected status 1, as some questions have no answer, found {:?}", ran.status);
    let samples = ran.results.samples("endpoint", "questions")?;
    ensure!(samples.len() == QUESTIONS, "expected {QUESTIONS} samples, found {}", samples.len());
    let mut right = Comparison::new("endpoint: answers in spite of misbehaviour");
    let mut typed = Comparison::new("endpoint: failures by their kind");
    for (number, sample) in samples.iter().enumerate() {
        let verdict = sample.verdict("answer-extraction")?;
        let code = verdict.outcome["error"]["code"].as_str();
        match number {
            HOPELESS => typed.row(code == Some("bad-input")),
            number if number < HOPELESS => typed.row(code == Some(codes[number])),
            _ => right.row(verdict.metrics.get("accuracy") == Some(&1.0)),
        }
    }
    let mut once = Comparison::new("endpoint: answered once, not asked again");
    for (prompt, tally) in server.tallies() {
        let expected = usize::from(number(&prompt) > HOPELESS);
        once.row(tally.answered == expected && tally.in_vain == 0);
    }
    grep(&ran, secrets)?;
    Ok(vec![right, typed, once])
}

/// A key that is refused ends the stage at once, and once.
fn refusal(bench: &Bench, secrets: &mut Comparison) -> Result<Comparison> {
    const AT_A_TIME: usize = 8;
    let server = Server::start(None, |_, _| Step::Status(401))?;
    let ran = ask(bench, "endpoint-refusal", &server, 300, json!({ "max_concurrency": AT_A_TIME }))?;
    let asked: usize = server.tallies().values().map(|tally| tally.asked).sum();
    let mut once = Comparison::new("endpoint: a refused key ends it, and once");
    once.row(ran.status == Some(1));
    once.row((1..=AT_A_TIME).contains(&asked));
    once.row(ran.stderr.lines().filter(|line| line.contains("answered 401")).count() == 1);
    once.row(ran.results.summary_text()?.lines().filter(|line| line.contains(",failed,")).count() == 1);
    grep(&ran, secrets)?;
    Ok(once)
}

/// The server repeats the key in every refusal. It must stand nowhere.
fn grep(ran: &Ran, secrets: &mut Comparison) -> Result<()> {
    secrets.row(!ran.stderr.contains(KEY));
    files(ran.results.directory(), &mut |path| {
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

/// 5,000 requests against a limit of requests per second, which must be reached to 95 % and kept. What the server had
/// saved before the first request does not count.
fn rate(bench: &Bench, way: &str, limit: Limit) -> Result<Vec<Comparison>> {
    const REQUESTS: usize = 5000;
    let (per_second, saved) = (limit.rate, limit.capacity);
    let more = if way == "told" { json!({ "requests_per_minute": per_second * 60.0 }) } else { json!({}) };
    let server = Server::start(Some(limit), |_, _| Step::Answer)?;
    let ran = ask(bench, &format!("endpoint-rate-{way}"), &server, REQUESTS, more)?;
    ensure!(ran.status == Some(0), "expected status 0, found {:?}:\n{}", ran.status, ran.stderr);
    let mut share = Comparison::new(format!("endpoint: share of a limit that is {way}"));
    share.numbers(&[(REQUESTS as f64 - saved) / (per_second * server.seconds())], &[1.0], 0.05);
    let mut all = Comparison::new(format!("endpoint: answers at a limit that is {way}"));
    for tally in server.tallies().values() {
        all.row(tally.answered == 1 && tally.in_vain == 0);
    }
    Ok(vec![share, all.requiring(REQUESTS)])
}
