//! Scoring and generating with a model as wide as the small GPT-2, four layers of it, with our kernels and with candle's
//! operations.

#[path = "../tests/candle/tiny.rs"]
#[allow(dead_code, clippy::unwrap_used, reason = "shared with the tests, which use more of it and may fail")]
mod tiny;

use examiner_plugin_candle::Candle;
use serde_json::json;
use std::time::Instant;
use tiny::{Tiny, ask, generate, open, prompt, score};

/// Seconds for scoring 16 texts of 255 new tokens each, and for 16 answers of 32 tokens.
fn seconds(model: &mut Candle) -> (f64, f64) {
    let text =
        |id: u64| (0..255).map(|at| char::from(b'a' + ((id + 7) * (at + 3) * at % 26) as u8)).collect::<String>();
    let start = Instant::now();
    let scored = score(model, (0..16).map(|id| ask(id, "", &text(id))).collect());
    assert_eq!(scored.values().map(|result| result.scored_tokens).sum::<u32>(), 16 * 255);
    let middle = Instant::now();
    let answers = generate(model, (0..16).map(|id| prompt(id, &text(id)[..8], 32)).collect());
    assert!(answers.values().all(|answer| answer.tokens_out > 0));
    ((middle - start).as_secs_f64(), middle.elapsed().as_secs_f64())
}

fn main() {
    let shape = json!({ "n_embd": 768, "n_head": 12, "n_layer": 4, "n_positions": 512, "vocab_size": 50257 });
    let checkpoint = Tiny::new(shape).write();
    let mut best = Vec::new();
    for device in ["cpu", "cpu-candle"] {
        let Ok(mut model) = open(checkpoint.path(), json!({ "device": device })) else { continue };
        let runs: Vec<(f64, f64)> = (0..3).map(|_| seconds(&mut model)).collect();
        let shortest = |pick: fn(&(f64, f64)) -> f64| runs.iter().map(pick).fold(f64::INFINITY, f64::min);
        best.push((shortest(|run| run.0), shortest(|run| run.1)));
        let (scoring, generating) = best[best.len() - 1];
        println!("{device}: scored {:.0} tokens/s, generated {:.0} tokens/s", 4080.0 / scoring, 512.0 / generating);
    }
    if let [ours, candle] = best[..] {
        println!("candle takes {:.2} times as long to score, {:.2} to generate", candle.0 / ours.0, candle.1 / ours.1);
    }
}
