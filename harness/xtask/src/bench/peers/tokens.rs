//! Works whose requests are tokens: the time of the model alone, beside transformers, onnxruntime and PyTorch.

use super::result::{Pair, PeerResult, Scores};
use super::setup::{Model, Precision, Setup};
use crate::bench::train;
use crate::bench::work::{Peer, Size, Throughput, Work, median, threads};
use crate::program::{self, onnxruntime};
use anyhow::Result;
use serde_json::json;

/// Long documents, of which the last tokens are scored.
const DOCUMENTS: Size =
    Size { documents: 16, document_tokens: 512, prompts: 2, prompt_tokens: 8, new: 2, rows: 4, prompt_rows: 2 };
/// Answers as long as those to grade-school mathematics.
const GENERATION: Size =
    Size { documents: 4, document_tokens: 32, prompts: 64, prompt_tokens: 120, new: 128, rows: 4, prompt_rows: 16 };

pub(super) fn documents(setup: &Setup, model: &Model) -> Result<Vec<PeerResult>> {
    let size = if setup.quick { Size { documents: 4, ..DOCUMENTS } } else { DOCUMENTS };
    let what = format!("{} documents of {} tokens, 20 scored", size.documents, size.document_tokens);
    let wanted = |_: Precision| 2.0;
    beside_transformers(setup, model, size, &what, |throughput| throughput.scoring, wanted)
}

pub(super) fn generation(setup: &Setup, model: &Model) -> Result<Vec<PeerResult>> {
    let what = description(answers(setup));
    let wanted = |precision: Precision| precision.pick(4.0, 2.0);
    beside_transformers(setup, model, answers(setup), &what, |throughput| throughput.generation, wanted)
}

fn answers(setup: &Setup) -> Size {
    if setup.quick { Size { prompts: 16, new: 32, ..GENERATION } } else { GENERATION }
}

fn description(size: Size) -> String {
    format!("{} answers of {} tokens after {}", size.prompts, size.new, size.prompt_tokens)
}

/// Both programs at each precision, in turns.
fn beside_transformers(
    setup: &Setup,
    model: &Model,
    size: Size,
    what: &str,
    pick: fn(&Throughput) -> f64,
    wanted: fn(Precision) -> f64,
) -> Result<Vec<PeerResult>> {
    let what = format!("{}: {what}", model.name);
    let directory = setup.work.join(what.replace([' ', ':', ','], "-"));
    let work = Work::new(model.vocabulary, size);
    work.write(&directory)?;
    let mut measured: Vec<(Precision, Rounds)> =
        setup.precisions.iter().map(|precision| (*precision, Rounds::default())).collect();
    for round in 0..setup.rounds {
        for (precision, rounds) in &mut measured {
            let suite = setup.candle(&model.words, *precision);
            let name = format!("{}-{round}", precision.name());
            rounds.ours.push(work.examiner(&setup.program, &setup.device, &directory, &suite, &name)?);
            let arguments = [&*setup.device.device, precision.number_type()];
            let peer = work.python(&setup.python, Peer::Transformers, &directory, &model.words, &arguments)?;
            rounds.theirs.push(peer);
        }
    }
    let pair = |wanted_precision| -> Result<Option<Pair>> {
        let found = measured.iter().find(|(precision, _)| *precision == wanted_precision);
        // Rounded products give other sums in each program, by some parts in a thousand: transformers rounds what lies between
        // products, too.
        let tolerance = wanted_precision.pick(1e-5, 3e-3);
        found.map(|(precision, rounds)| rounds.pair(pick, wanted(*precision), tolerance)).transpose()
    };
    Ok(vec![PeerResult {
        what,
        peer: Peer::Transformers.name().to_owned(),
        unit: "tokens/s",
        highest: pair(Precision::Highest)?,
        medium: pair(Precision::Medium)?,
    }])
}

/// The same answers, through ONNX Runtime in both programs.
pub(super) fn onnx(setup: &Setup) -> Result<Vec<PeerResult>> {
    onnxruntime::provide()?;
    let directory = setup.work.join("onnx");
    let work = Work::new(setup.gpt2.vocabulary, answers(setup));
    work.write(&directory)?;
    let export = |operators: &str, logits: &str| json!({ "exporter": "onnx", "from": setup.gpt2.words, "operators": operators, "logits": logits });
    let exports = json!({ "standard": export("standard", "all"), "grouped": export("grouped", "wanted") });
    let exported = program::examine(&setup.program, &directory, &json!({ "name": "export", "export": exports }))?;
    // Each program gets the export that is fastest for it.
    let model = json!({ "plugin": "onnx", "device": "cpu", "checkpoint": exported.path("export/grouped") });
    let (peer, peer_model) = (Peer::Onnxruntime, exported.path("export/standard/model.onnx"));
    let mut rounds = Rounds::default();
    for round in 0..setup.rounds {
        let name = format!("onnx-{round}");
        rounds.ours.push(work.examiner(&setup.program, &setup.device, &directory, &model, &name)?);
        rounds.theirs.push(work.python(&setup.python, peer, &directory, &peer_model, &[&threads().to_string()])?);
    }
    Ok(vec![PeerResult {
        what: format!("{}: {}, ONNX", setup.gpt2.name, description(answers(setup))),
        peer: peer.name().to_owned(),
        unit: "tokens/s",
        highest: Some(rounds.pair(|throughput| throughput.generation, 1.5, 1e-5)?),
        medium: None,
    }])
}

pub(super) fn training(setup: &Setup) -> Result<Vec<PeerResult>> {
    let (work, model) = (setup.work.join("training"), &setup.gpt2);
    train::write_rows(&work, model.vocabulary)?;
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for round in 0..setup.rounds {
        ours.extend(train::examiner(&setup.program, &work, &model.checkpoint, round)?);
        theirs.extend(train::pytorch(&setup.python, &model.checkpoint)?);
    }
    Ok(vec![PeerResult {
        what: format!("{}: training, 4 x 256 tokens a step", model.name),
        peer: "PyTorch".to_owned(),
        unit: "tokens/s",
        highest: Some(Pair::of_speeds(median(ours)?, median(theirs)?, 1.0)),
        medium: None,
    }])
}

/// The throughput of both programs, round by round.
#[derive(Default)]
struct Rounds {
    ours: Vec<Throughput>,
    theirs: Vec<Throughput>,
}

impl Rounds {
    /// The medians; the sums of all log-likelihoods may differ by such a part of them.
    fn pair(&self, pick: fn(&Throughput) -> f64, at_least: f64, tolerance: f64) -> Result<Pair> {
        let of = |measured: &[Throughput]| median(measured.iter().map(pick).collect());
        let sum = |measured: &[Throughput]| measured.first().map_or(f64::NAN, |measured| measured.sum);
        let (ours, theirs) = (sum(&self.ours), sum(&self.theirs));
        let scores = Scores { ours, theirs, tolerance: theirs.abs() * tolerance };
        Ok(Pair::of_speeds(of(&self.ours)?, of(&self.theirs)?, at_least).with_scores(scores))
    }
}
