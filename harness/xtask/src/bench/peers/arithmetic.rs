//! How close scoring comes to the machine's fastest matrix product.

use super::machine::product;
use super::result::{Pair, PeerResult};
use super::setup::{Precision, Setup};
use crate::bench::work::{Size, Work, median};
use crate::checkpoints::shapes::GPT2_124M as GPT2;
use anyhow::Result;

/// Long documents: nearly all of their time is spent in matrix products.
const SIZE: Size =
    Size { documents: 16, document_tokens: 512, prompts: 2, prompt_tokens: 8, new: 2, rows: 4, prompt_rows: 2 };

/// Arithmetic that scoring needs, in a second, beside the machine's best matrix product, in turns.
pub(super) fn arithmetic(setup: &Setup) -> Result<Vec<PeerResult>> {
    let size = if setup.quick { Size { documents: 4, ..SIZE } } else { SIZE };
    let directory = setup.work.join("arithmetic");
    let work = Work::new(GPT2.vocabulary, size);
    work.write(&directory)?;
    let measure = |precision: Precision| -> Result<Option<Pair>> {
        if !setup.precisions.contains(&precision) {
            return Ok(None);
        }
        let model = setup.candle(&setup.gpt2.words, precision);
        let product = || product(&setup.python, precision.number_type()).map(|product| product.gflop_per_s);
        let (mut ours, mut products) = (Vec::new(), vec![product()?]);
        for round in 0..setup.rounds {
            let name = format!("arithmetic-{}-{round}", precision.name());
            let scoring = work.examiner(&setup.program, &setup.device, &directory, &model, &name)?.scoring;
            ours.push(scoring / size.document_tokens as f64 * document_gflop(size.document_tokens));
            products.push(product()?);
        }
        Ok(Some(Pair::of_speeds(median(ours)?, median(products)?, precision.pick(0.9, 0.6))))
    };
    Ok(vec![PeerResult {
        what: format!("{}: arithmetic of scoring", setup.gpt2.name),
        peer: "the best 2048^3 product".to_owned(),
        unit: "GFLOP/s",
        highest: measure(Precision::Highest)?,
        medium: measure(Precision::Medium)?,
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
