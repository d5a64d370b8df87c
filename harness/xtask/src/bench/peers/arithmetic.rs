//! How close scoring comes to the machine's fastest matrix product.

use super::result::PeerResult;
use super::setup::Setup;
use crate::bench::work::{Size, Work, median};
use crate::checkpoints::shapes::GPT2_124M as GPT2;
use anyhow::{Context, Result, ensure};
use serde_json::json;
use std::process::Command;

/// Long documents: nearly all of their time is spent in matrix products.
const SIZE: Size =
    Size { documents: 16, document_tokens: 512, prompts: 2, prompt_tokens: 8, new: 2, rows: 4, prompt_rows: 2 };

/// The product of two square matrices of 2048 rows by PyTorch and NumPy, in GFLOP/s: the best of their medians.
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
pub(super) fn arithmetic(setup: &Setup) -> Result<Vec<PeerResult>> {
    let size = if setup.quick { Size { documents: 4, ..SIZE } } else { SIZE };
    let directory = setup.work.join("arithmetic");
    let work = Work::new(GPT2.vocabulary, size);
    work.write(&directory)?;
    let model = json!({ "plugin": "candle", "device": "cpu", "checkpoint": setup.words });
    let (mut ours, mut products) = (Vec::new(), vec![product(setup)?]);
    for round in 0..setup.rounds {
        let name = format!("arithmetic-{round}");
        let scoring = work.examiner(&setup.program, &setup.device, &directory, &model, &name)?.scoring;
        ours.push(scoring / size.document_tokens as f64 * document_gflop(size.document_tokens));
        products.push(product(setup)?);
    }
    let (ours, best) = (median(ours)?, median(products)?);
    Ok(vec![PeerResult {
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

/// The least arithmetic of a document: in the last layer, keys and values of every token but the last, and all else, with
/// the logits, only where a token is scored.
fn document_gflop(tokens: usize) -> f64 {
    let (width, layers, vocabulary) = (GPT2.width as f64, GPT2.layers as f64, GPT2.vocabulary as f64);
    let (read, scored) = ((tokens - 1) as f64, 20.0);
    // Multiply-adds of a token in a layer: four squares of attention, of which two are keys and values, and eight of the rest.
    let products = width * width * ((layers - 1.0) * 12.0 * read + 2.0 * read + 10.0 * scored);
    let attention = 2.0 * width * ((layers - 1.0) * read * (read + 1.0) / 2.0 + scored * read);
    let logits = scored * width * vocabulary;
    2.0 * (products + attention + logits) / 1e9
}

fn product(setup: &Setup) -> Result<f64> {
    let output = Command::new(&setup.python).args(["-c", SCRIPT]).output().context("cannot start Python")?;
    ensure!(
        output.status.success(),
        "Python ended with {}: {}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).trim().parse().context("the script gave no number")
}
