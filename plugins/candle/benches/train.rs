//! Tokens a second of training: a model as a quickstart has it, and with `--large` the small GPT-2 of 124 million parameters,
//! on our passes. With `--compare` also with candle's operations.

use examiner_api::testing::FakeHost;
use examiner_api::{Flow, Open, TrainEvent, TrainJob, Trainer};
use examiner_plugin_candle::CandleTrainer;
use examiner_test_support::checkpoint::TinyGpt2;
use serde_json::{Value, json};
use std::sync::Mutex;

/// The median of tokens a second over the steps after the first.
fn speed(shape: &Value, rows: usize, tokens: usize, steps: u64, device: &str) -> Option<f64> {
    let vocabulary = shape["vocab_size"].as_u64()?;
    let start = TinyGpt2::new(shape.clone()).write();
    let work = tempfile::tempdir().ok()?;
    let row = |row: u64| {
        let ids: Vec<u64> = (0..=tokens as u64).map(|at| (at * 7919 + row * 104_729 + at * at) % vocabulary).collect();
        format!("{}\n", json!({ "completion_tokens": ids }))
    };
    let path = work.path().join("rows.jsonl");
    std::fs::write(&path, (0..rows as u64).map(row).collect::<String>()).ok()?;
    let options = json!({
        "max_steps": steps, "batch_rows": rows, "loss_on": "all", "lr": 1e-6, "device": device, "checkpoint_every": 1000
    });
    let mut trainer = CandleTrainer::open(serde_json::from_value(options).ok()?, FakeHost::new().host()).ok()?;
    let (from, out) = (Some(start.path().display().to_string()), work.path().join("out"));
    let job = TrainJob { from, rows: path, out, ..TrainJob::default() };
    let speeds = Mutex::new(Vec::new());
    let sink = |event: TrainEvent| {
        if let (Some(speed), Ok(mut speeds)) = (event.tokens_per_s.filter(|_| event.step > 1), speeds.lock()) {
            speeds.push(speed);
        }
        Flow::Continue
    };
    trainer.train(job, &sink).ok()?;
    let mut speeds = speeds.into_inner().ok()?;
    speeds.sort_by(f64::total_cmp);
    speeds.get(speeds.len() / 2).copied()
}

fn main() {
    let quickstart = json!({ "n_embd": 96, "n_head": 4, "n_layer": 3, "n_positions": 256, "vocab_size": 400 });
    let asked_for = |name: &str| std::env::args().any(|argument| argument == name);
    for (rows, tokens) in [(32, 128), (8, 128)] {
        for device in ["cpu", "cpu-candle"].into_iter().take(if asked_for("--compare") { 2 } else { 1 }) {
            let speed = speed(&quickstart, rows, tokens, 9, device).unwrap_or_default();
            println!("3 layers of width 96, {rows} x {tokens}, on {device}: {speed:.0} tokens/s");
        }
    }
    if asked_for("--large") {
        let gpt2 = json!({ "n_embd": 768, "n_head": 12, "n_layer": 12, "n_positions": 1024, "vocab_size": 50257 });
        let speed = speed(&gpt2, 4, 256, 4, "cpu").unwrap_or_default();
        println!("GPT-2 of 124 million parameters, 4 x 256, on cpu: {speed:.0} tokens/s");
    }
}
