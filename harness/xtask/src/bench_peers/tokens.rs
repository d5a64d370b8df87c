//! Works that are given in tokens: the time of the model alone, beside transformers, onnxruntime and PyTorch.

use super::{GPT2, Ground, Line, median};
use crate::bench_work::{Measured, Peer, Size, Work, threads};
use crate::{bench_train, onnxruntime, program};
use anyhow::Result;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// Long documents, of which the last tokens are scored.
const DOCUMENTS: Size =
    Size { documents: 16, document_tokens: 512, prompts: 2, prompt_tokens: 8, new: 2, rows: 4, prompt_rows: 2 };
/// Answers as long as those to grade-school mathematics.
const GENERATION: Size =
    Size { documents: 4, document_tokens: 32, prompts: 64, prompt_tokens: 120, new: 128, rows: 4, prompt_rows: 16 };

pub(super) fn documents(ground: &Ground) -> Result<Vec<Line>> {
    let size = if ground.quick { Size { documents: 4, ..DOCUMENTS } } else { DOCUMENTS };
    let measured = both(ground, "documents", size, Peer::Transformers)?;
    let what = format!("{} documents of {} tokens, 20 scored", size.documents, size.document_tokens);
    measured.line(what, Peer::Transformers, |measured| measured.scoring, 2.0).map(|line| vec![line])
}

pub(super) fn generation(ground: &Ground) -> Result<Vec<Line>> {
    let measured = both(ground, "generation", answers(ground), Peer::Transformers)?;
    measured.line(said(answers(ground)), Peer::Transformers, |measured| measured.generation, 4.0).map(|line| vec![line])
}

/// The same answers through ONNX Runtime on both sides.
pub(super) fn onnx(ground: &Ground) -> Result<Vec<Line>> {
    onnxruntime::provide()?;
    let measured = both(ground, "onnx", answers(ground), Peer::Onnxruntime)?;
    let what = format!("{}, ONNX", said(answers(ground)));
    measured.line(what, Peer::Onnxruntime, |measured| measured.generation, 1.5).map(|line| vec![line])
}

fn answers(ground: &Ground) -> Size {
    if ground.quick { Size { prompts: 16, new: 32, ..GENERATION } } else { GENERATION }
}

fn said(size: Size) -> String {
    format!("{} answers of {} tokens after {}", size.prompts, size.new, size.prompt_tokens)
}

pub(super) fn training(ground: &Ground) -> Result<Vec<Line>> {
    let work = ground.work.join("training");
    bench_train::write_rows(&work, GPT2.vocabulary)?;
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for round in 0..ground.rounds {
        ours.extend(bench_train::examiner(&ground.program, &work, &ground.words, round)?);
        theirs.extend(bench_train::pytorch(&ground.python, &ground.words)?);
    }
    let (ours, theirs) = (median(ours)?, median(theirs)?);
    Ok(vec![Line {
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

/// What both sides did, round by round.
struct Both {
    ours: Vec<Measured>,
    theirs: Vec<Measured>,
}

fn both(ground: &Ground, name: &str, size: Size, peer: Peer) -> Result<Both> {
    let directory = ground.work.join(name);
    let work = Work::new(GPT2.vocabulary, size);
    work.write(&directory)?;
    let (model, their_model, third) = sides(ground, &directory, peer)?;
    let mut both = Both { ours: Vec::new(), theirs: Vec::new() };
    for round in 0..ground.rounds {
        both.ours.push(work.examiner(
            &ground.program,
            &ground.device,
            &directory,
            &model,
            &format!("{name}-{round}"),
        )?);
        both.theirs.push(work.python(&ground.python, peer, &directory, &their_model, &third)?);
    }
    Ok(both)
}

/// Our model as a suite has it; the peer's file or directory, and its third argument.
fn sides(ground: &Ground, directory: &Path, peer: Peer) -> Result<(Value, PathBuf, String)> {
    if peer == Peer::Transformers {
        let model = json!({ "plugin": "candle", "device": ground.device.device, "checkpoint": ground.words });
        return Ok((model, ground.words.clone(), ground.device.device.clone()));
    }
    let export = |operators: &str, logits: &str| json!({ "exporter": "onnx", "from": ground.words, "operators": operators, "logits": logits });
    let exports = json!({ "standard": export("standard", "all"), "grouped": export("grouped", "wanted") });
    let exported = program::examine(&ground.program, directory, &json!({ "name": "export", "export": exports }))?;
    // Each side has the export that is fastest for it.
    let model = json!({ "plugin": "onnx", "device": "cpu", "checkpoint": exported.path("export/grouped") });
    Ok((model, exported.path("export/standard/model.onnx"), threads().to_string()))
}

impl Both {
    fn line(&self, what: String, peer: Peer, pick: fn(&Measured) -> f64, at_least: f64) -> Result<Line> {
        let of = |measured: &[Measured]| median(measured.iter().map(pick).collect());
        let (ours, theirs) = (of(&self.ours)?, of(&self.theirs)?);
        let sum = |measured: &[Measured]| measured.first().map_or(f64::NAN, |measured| measured.sum);
        let scores = (sum(&self.ours), sum(&self.theirs), sum(&self.theirs).abs() * 1e-5);
        Ok(Line {
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
