//! Scoring and generating with a model as wide as the small GPT-2, four layers of it, with our kernels, with weights of
//! fewer bits, and with candle's operations.

use examiner_api::testing::FakeHost;
use examiner_api::{Open, PluginError};
use examiner_plugin_candle::Candle;
use examiner_test_support::checkpoint::TinyGpt2;
use examiner_test_support::model::{generate, loglikelihood, prompt, score};
use serde_json::json;
use std::time::Instant;

/// Tokens a second: scoring 16 texts of 255 new tokens each, answering 16 prompts at the same time, and one alone.
fn speeds(model: &mut Candle) -> [f64; 3] {
    let text =
        |id: u64| (0..255).map(|at| char::from(b'a' + ((id + 7) * (at + 3) * at % 26) as u8)).collect::<String>();
    let start = Instant::now();
    let scored = score(model, (0..16).map(|id| loglikelihood(id, "", &text(id))).collect());
    let tokens = scored.values().map(|result| result.scored_tokens).sum::<u32>();
    let scoring = f64::from(tokens) / start.elapsed().as_secs_f64();
    let mut answer = |prompts: u64| {
        let start = Instant::now();
        let answers = generate(model, (0..prompts).map(|id| prompt(id, &text(id)[..8], 32)).collect());
        let tokens = answers.values().map(|answer| answer.tokens_out).sum::<u32>();
        f64::from(tokens) / start.elapsed().as_secs_f64()
    };
    [scoring, answer(16), answer(1)]
}

fn main() -> examiner_api::Result<()> {
    let shape = json!({ "n_embd": 768, "n_head": 12, "n_layer": 4, "n_positions": 512, "vocab_size": 50257 });
    let checkpoint = TinyGpt2::new(shape).write();
    let kinds = [("cpu", "f32"), ("cpu", "f16"), ("cpu", "bf16"), ("cpu", "int8"), ("cpu-candle", "f32")];
    let models = kinds.iter().map(|(device, dtype)| {
        let options = json!({ "checkpoint": checkpoint.path(), "device": device, "dtype": dtype });
        let options = serde_json::from_value(options).map_err(|error| PluginError::bad_options(error.to_string()))?;
        Candle::open(options, FakeHost::new().host())
    });
    let mut models: Vec<Candle> = models.collect::<examiner_api::Result<_>>()?;
    let mut best = [[0.0f64; 3]; 5];
    // One after the other in every round, so that what else the machine does meets all of them.
    for _ in 0..3 {
        for (model, best) in models.iter_mut().zip(&mut best) {
            best.iter_mut().zip(speeds(model)).for_each(|(best, speed)| *best = best.max(speed));
        }
    }
    for ((device, dtype), speeds) in kinds.iter().zip(&best) {
        let said = ["scored", "answered 16", "answered one"]
            .iter()
            .enumerate()
            .map(|(at, what)| format!("{what}: {:.0} tokens/s (ratio {:.2})", speeds[at], speeds[at] / best[0][at]));
        println!("{device}, {dtype}: {}", said.collect::<Vec<_>>().join(", "));
    }
    Ok(())
}
