//! How much of the machine's arithmetic scoring gets out of it.

use super::{GPT2, Ground, Line, median};
use crate::bench_work::{Size, Work};
use anyhow::{Context, Result, ensure};
use serde_json::json;
use std::process::Command;

/// Documents whose every token is a matrix product's row, and hardly anything else.
const SIZE: Size =
    Size { documents: 16, document_tokens: 512, prompts: 2, prompt_tokens: 8, new: 2, rows: 4, prompt_rows: 2 };

/// The product of two square matrices of 2048 rows by PyTorch and NumPy, in GFLOP/s: of each the median, as of ours, and of
/// these the best.
const SCRIPT: &str = "
import statistics, time, numpy, torch
def usual(product):
    product()
    def once():
        began = time.perf_counter()
        product()
        return time.perf_counter() - began
    return 2 * 2048**3 / statistics.median(once() for _ in range(24)) / 1e9
a, b = (torch.randn(2048, 2048) for _ in range(2))
c, d = a.numpy(), b.numpy()
print(max(usual(lambda: a @ b), usual(lambda: a @ b.t()), usual(lambda: numpy.dot(c, d))))
";

/// Arithmetic that scoring needs, in a second, beside the machine's best matrix product, in turns.
pub(super) fn arithmetic(ground: &Ground) -> Result<Vec<Line>> {
    let size = if ground.quick { Size { documents: 4, ..SIZE } } else { SIZE };
    let directory = ground.work.join("arithmetic");
    let work = Work::new(GPT2.vocabulary, size);
    work.write(&directory)?;
    let model = json!({ "plugin": "candle", "device": "cpu", "checkpoint": ground.words });
    let (mut ours, mut products) = (Vec::new(), vec![product(ground)?]);
    for round in 0..ground.rounds {
        let name = format!("arithmetic-{round}");
        let scoring = work.examiner(&ground.program, &ground.device, &directory, &model, &name)?.scoring;
        ours.push(scoring / size.document_tokens as f64 * document_gflop(size.document_tokens));
        products.push(product(ground)?);
    }
    let (ours, best) = (median(ours)?, median(products)?);
    Ok(vec![Line {
        what: "arithmetic of scoring".to_owned(),
        peer: "the best 2048^3 product".to_owned(),
        unit: "GFLOP/s",
        ours,
        theirs: best,
        ratio: ours / best,
        at_least: 0.9,
        scores: None,
    }])
}

/// What a document needs and no more: of the last layer, keys and values of every token but the last, and all else where a
/// token is scored; logits there alone.
fn document_gflop(tokens: usize) -> f64 {
    let (width, layers, vocabulary) = (GPT2.width as f64, GPT2.layers as f64, GPT2.vocabulary as f64);
    let (read, scored) = ((tokens - 1) as f64, 20.0);
    // Multiply-adds of a token in a layer: four squares of attention, of which two are keys and values, and eight of the rest.
    let products = width * width * ((layers - 1.0) * 12.0 * read + 2.0 * read + 10.0 * scored);
    let attention = 2.0 * width * ((layers - 1.0) * read * (read + 1.0) / 2.0 + scored * read);
    let logits = scored * width * vocabulary;
    2.0 * (products + attention + logits) / 1e9
}

fn product(ground: &Ground) -> Result<f64> {
    let output = Command::new(&ground.python).args(["-c", SCRIPT]).output().context("cannot start Python")?;
    ensure!(
        output.status.success(),
        "Python ended with {}: {}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).trim().parse().context("the script gave no number")
}
