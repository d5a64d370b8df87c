//! Works whose requests are tokens: the time of the model alone, beside transformers, onnxruntime and PyTorch.

use super::result::PeerResult;
use super::setup::Setup;
use crate::bench::train;
use crate::bench::work::{Peer, Size, Throughput, Work, median, threads};
use crate::checkpoints::shapes::GPT2_124M as GPT2;
use crate::program::{self, onnxruntime};
use anyhow::Result;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// Long documents, of which the last tokens are scored.
const DOCUMENTS: Size =
    Size { documents: 16, document_tokens: 512, prompts: 2, prompt_tokens: 8, new: 2, rows: 4, prompt_rows: 2 };
/// Answers as long as those to grade-school mathematics.
const GENERATION: Size =
    Size { documents: 4, document_tokens: 32, prompts: 64, prompt_tokens: 120, new: 128, rows: 4, prompt_rows: 16 };

pub(super) fn documents(setup: &Setup) -> Result<Vec<PeerResult>> {
    let size = if setup.quick { Size { documents: 4, ..DOCUMENTS } } else { DOCUMENTS };
    let measured = measure(setup, "documents", size, Peer::Transformers)?;
    let what = format!("{} documents of {} tokens, 20 scored", size.documents, size.document_tokens);
    measured.line(what, Peer::Transformers, |throughput| throughput.scoring, 2.0).map(|line| vec![line])
}

pub(super) fn generation(setup: &Setup) -> Result<Vec<PeerResult>> {
    let measured = measure(setup, "generation", answers(setup), Peer::Transformers)?;
    measured
        .line(description(answers(setup)), Peer::Transformers, |throughput| throughput.generation, 4.0)
        .map(|line| vec![line])
}

/// The same answers, through ONNX Runtime in both programs.
pub(super) fn onnx(setup: &Setup) -> Result<Vec<PeerResult>> {
    onnxruntime::provide()?;
    let measured = measure(setup, "onnx", answers(setup), Peer::Onnxruntime)?;
    let what = format!("{}, ONNX", description(answers(setup)));
    measured.line(what, Peer::Onnxruntime, |throughput| throughput.generation, 1.5).map(|line| vec![line])
}

fn answers(setup: &Setup) -> Size {
    if setup.quick { Size { prompts: 16, new: 32, ..GENERATION } } else { GENERATION }
}

fn description(size: Size) -> String {
    format!("{} answers of {} tokens after {}", size.prompts, size.new, size.prompt_tokens)
}

pub(super) fn training(setup: &Setup) -> Result<Vec<PeerResult>> {
    let work = setup.work.join("training");
    train::write_rows(&work, GPT2.vocabulary)?;
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for round in 0..setup.rounds {
        ours.extend(train::examiner(&setup.program, &work, &setup.words, round)?);
        theirs.extend(train::pytorch(&setup.python, &setup.words)?);
    }
    let (ours, theirs) = (median(ours)?, median(theirs)?);
    Ok(vec![PeerResult {
        what: "training, 4 x 256 tokens a step".to_owned(),
        peer: "PyTorch".to_owned(),
        unit: "tokens/s",
        ours,
        theirs,
        ratio: ours / theirs,
        at_least: 1.0,
        scores: None,
    }])
}

/// The throughput of both programs, round by round.
struct Rounds {
    ours: Vec<Throughput>,
    theirs: Vec<Throughput>,
}

fn measure(setup: &Setup, name: &str, size: Size, peer: Peer) -> Result<Rounds> {
    let directory = setup.work.join(name);
    let work = Work::new(GPT2.vocabulary, size);
    work.write(&directory)?;
    let (model, peer_model, third) = models(setup, &directory, peer)?;
    let mut rounds = Rounds { ours: Vec::new(), theirs: Vec::new() };
    for round in 0..setup.rounds {
        rounds.ours.push(work.examiner(
            &setup.program,
            &setup.device,
            &directory,
            &model,
            &format!("{name}-{round}"),
        )?);
        rounds.theirs.push(work.python(&setup.python, peer, &directory, &peer_model, &third)?);
    }
    Ok(rounds)
}

/// The model as the suite names it; the peer's file or directory, and its third argument.
fn models(setup: &Setup, directory: &Path, peer: Peer) -> Result<(Value, PathBuf, String)> {
    if peer == Peer::Transformers {
        let model = json!({ "plugin": "candle", "device": setup.device.device, "checkpoint": setup.words });
        return Ok((model, setup.words.clone(), setup.device.device.clone()));
    }
    let export = |operators: &str, logits: &str| json!({ "exporter": "onnx", "from": setup.words, "operators": operators, "logits": logits });
    let exports = json!({ "standard": export("standard", "all"), "grouped": export("grouped", "wanted") });
    let exported = program::examine(&setup.program, directory, &json!({ "name": "export", "export": exports }))?;
    // Each program gets the export that is fastest for it.
    let model = json!({ "plugin": "onnx", "device": "cpu", "checkpoint": exported.path("export/grouped") });
    Ok((model, exported.path("export/standard/model.onnx"), threads().to_string()))
}

impl Rounds {
    fn line(&self, what: String, peer: Peer, pick: fn(&Throughput) -> f64, at_least: f64) -> Result<PeerResult> {
        let of = |measured: &[Throughput]| median(measured.iter().map(pick).collect());
        let (ours, theirs) = (of(&self.ours)?, of(&self.theirs)?);
        let sum = |measured: &[Throughput]| measured.first().map_or(f64::NAN, |measured| measured.sum);
        let scores = (sum(&self.ours), sum(&self.theirs), sum(&self.theirs).abs() * 1e-5);
        Ok(PeerResult {
            what,
            peer: peer.name().to_owned(),
            unit: "tokens/s",
            ours,
            theirs,
            ratio: ours / theirs,
            at_least,
            scores: Some(scores),
        })
    }
}
