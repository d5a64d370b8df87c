//! Samples of a run as a person reads them: what was asked, what was answered, and how it was judged.

use crate::samples::{files, lines};
use examiner_api::{Answer, FinishReason, Gold, ModelInfo, Outcome, PluginError, Result};
use examiner_store::directory::samples_path;
use examiner_store::provenance::Provenance;
use examiner_store::record::{Record, ScorerVerdict};
use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// Which samples are shown.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    /// Those of this model; empty for all.
    pub model: Option<String>,
    /// Those of this dataset; empty for all.
    pub dataset: Option<String>,
    /// Those that are all of these.
    pub kinds: Vec<Kind>,
    /// Those with one of these ids; empty for all.
    pub ids: Vec<String>,
    /// Those judged otherwise than in the samples of another run's directory.
    pub flips: Option<PathBuf>,
    /// At most so many.
    pub limit: usize,
}

/// What can be said of a sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A metric of it is 0.
    Wrong,
    /// A scorer found no answer.
    Unanswered,
    /// There is no answer, or no verdict.
    Error,
    /// The model read only the end of it.
    Truncated,
}

/// A line of `samples/<model>/<dataset>.jsonl`, read.
#[derive(Debug)]
pub struct Shown {
    /// Whose answer it is.
    pub model: String,
    /// Where the question is from.
    pub dataset: String,
    /// The line as it stands in the file.
    pub line: String,
    record: Record,
    /// Tokens that the model's tokenizer puts before any plain text.
    before: String,
    /// How it was judged in the other run; nothing where there is none.
    other: Vec<ScorerVerdict>,
}

/// The samples that are selected, in the order of models, datasets and samples.
///
/// # Errors
/// `NotFound` if the run has no such samples, `BadInput` for a line that is none, `Io` for a file that cannot be read.
pub fn select(run: &Path, selection: &Selection) -> Result<Vec<Shown>> {
    let files = files(run)?;
    let is_wanted = |wanted: &Option<String>, name: &str| wanted.as_ref().is_none_or(|wanted| wanted == name);
    let chosen: Vec<_> = files
        .iter()
        .filter(|(model, dataset, _)| is_wanted(&selection.model, model) && is_wanted(&selection.dataset, dataset))
        .collect();
    if chosen.is_empty() {
        let there: Vec<String> = files.iter().map(|(model, dataset, _)| format!("`{model}` on `{dataset}`")).collect();
        return Err(PluginError::not_found(format!("`{}` has no such samples", run.display()))
            .with_help(format!("it has {}", if there.is_empty() { "none".to_owned() } else { there.join(", ") })));
    }
    let mut shown = Vec::new();
    let provenance = Provenance::read(run).unwrap_or_default();
    for (model, dataset, path) in chosen {
        let before = provenance.models.get(model).map(tokens_before).unwrap_or_default();
        let others = match &selection.flips {
            Some(other) => Some(verdicts(&samples_path(other, model, dataset))?),
            None => None,
        };
        for line in lines(path, &selection.ids)? {
            let (line, record) = line?;
            let mut other = Vec::new();
            if let Some(others) = &others {
                match others.get(&(record.id.clone(), record.repeat)) {
                    Some(found) if judged(found) != judged(&record.verdicts) => other = found.clone(),
                    _ => continue,
                }
            }
            let is_chosen = selection.kinds.iter().all(|kind| kind.fits(&record))
                && (selection.ids.is_empty() || selection.ids.contains(&record.id));
            if is_chosen {
                let (model, dataset, before) = (model.clone(), dataset.clone(), before.clone());
                shown.push(Shown { model, dataset, line, record, before, other });
            }
            if shown.len() == selection.limit {
                return Ok(shown);
            }
        }
    }
    Ok(shown)
}

/// What a model says that stands before every plain text that it reads.
fn tokens_before(info: &ModelInfo) -> String {
    let tokens = info.details.get("beginning").and_then(|beginning| beginning.get("tokens")?.as_array());
    tokens.into_iter().flatten().filter_map(serde_json::Value::as_str).collect()
}

/// All verdicts of a file, by sample and repetition.
fn verdicts(path: &Path) -> Result<HashMap<(String, u32), Vec<ScorerVerdict>>> {
    lines(path, &[])?.map(|line| line.map(|(_, record)| ((record.id, record.repeat), record.verdicts))).collect()
}

/// All that a judgement comes to.
fn judged(verdicts: &[ScorerVerdict]) -> Vec<(&str, &BTreeMap<String, f64>)> {
    verdicts.iter().map(|verdict| (verdict.scorer.as_str(), &verdict.verdict.metrics)).collect()
}

impl Kind {
    fn fits(self, record: &Record) -> bool {
        let verdicts = || record.verdicts.iter().map(|verdict| &verdict.verdict);
        match self {
            Kind::Wrong => {
                let is_judged = verdicts().all(|verdict| !matches!(verdict.outcome, Outcome::Error(_)));
                is_judged && verdicts().any(|verdict| verdict.metrics.values().any(|value| *value == 0.0))
            }
            Kind::Unanswered => verdicts().any(|verdict| verdict.outcome == Outcome::Unanswered),
            Kind::Error => !record.failed.is_empty() || record.error().is_some(),
            Kind::Truncated => record.answers.iter().any(|answer| answer.truncated_tokens() > 0),
        }
    }
}

impl Shown {
    /// The sample as a person reads it.
    pub fn text(&self) -> String {
        let Record { id, repeat, subset, context, rendered, choices, gold, answers, failed, verdicts, .. } =
            &self.record;
        let mut text = format!("`{id}` of `{}`, answered by `{}`", self.dataset, self.model);
        if *repeat > 0 {
            let _ = write!(text, ", repetition {}", repeat + 1);
        }
        if let Some(subset) = subset {
            let _ = write!(text, ", subset `{subset}`");
        }
        text.push_str("\n\n");
        match &rendered[..] {
            [] if self.before.is_empty() => section(&mut text, "asked", context),
            [] => section(&mut text, &format!("asked, behind `{}`", self.before), context),
            texts => {
                let written = texts.iter().filter(|text| !text.is_empty());
                written.for_each(|rendered| section(&mut text, "asked, as the chat template wrote it", rendered))
            }
        }
        if !choices.is_empty() {
            let list = choices.iter().enumerate().map(|(index, choice)| {
                let mark = if *gold == Gold::Choice(index) { "  <- right" } else { "" };
                format!("{}. {choice}{mark}", index + 1)
            });
            section(&mut text, "choices", &list.collect::<Vec<_>>().join("\n"));
        }
        match gold {
            Gold::Text(texts) => section(&mut text, "right", &texts.join("\n")),
            Gold::Choice(index) if choices.is_empty() => section(&mut text, "right", &format!("choice {}", index + 1)),
            _ => {}
        }
        for answer in answers {
            match answer {
                Answer::Generate(answer) => {
                    let ended = match answer.finish {
                        FinishReason::Length => ", cut off at the most tokens",
                        _ => "",
                    };
                    if let Some(reasoning) = &answer.reasoning {
                        let tokens = match answer.reasoning_tokens {
                            0 => String::new(),
                            tokens => format!(" ({tokens} tokens)"),
                        };
                        section(&mut text, &format!("thought{tokens}"), reasoning.trim());
                    }
                    if answer.lacks_answer() {
                        let why = if answer.is_cut_off() { "cut off" } else { "ended" };
                        let _ = writeln!(text, "unanswered ({} tokens, {why} before an answer)\n", answer.tokens_out);
                        continue;
                    }
                    let cut = cut(answer.truncated_tokens);
                    let title = format!("answered ({} tokens{ended}{cut})", answer.tokens_out);
                    section(&mut text, &title, &answer.text);
                }
                Answer::Score(score) => {
                    let greedy = if score.is_greedy { ", each token the most likely one" } else { "" };
                    let cut = cut(score.truncated_tokens);
                    let _ = writeln!(
                        text,
                        "log-likelihood {:.4} nats of {} tokens{greedy}{cut}",
                        score.sum, score.scored_tokens
                    );
                }
            }
        }
        for error in failed.values() {
            section(&mut text, "failed", &error.to_string());
        }
        if answers.iter().any(|answer| matches!(answer, Answer::Score(_))) {
            text.push('\n');
        }
        verdicts.iter().for_each(|verdict| judgement(&mut text, verdict, ""));
        self.other.iter().for_each(|verdict| judgement(&mut text, verdict, " in the other run"));
        text
    }
}

fn cut(tokens: u32) -> String {
    if tokens > 0 { format!(", {tokens} tokens before it were not read") } else { String::new() }
}

/// A title, and the text below it, set in.
fn section(text: &mut String, title: &str, content: &str) {
    let _ = writeln!(text, "{title}");
    for line in content.split('\n') {
        let _ = writeln!(text, "    {line}");
    }
    text.push('\n');
}

/// How a scorer came to its verdict.
fn judgement(text: &mut String, verdict: &ScorerVerdict, place: &str) {
    let ScorerVerdict { scorer, verdict } = verdict;
    let _ = write!(text, "{scorer}{place}: ");
    match &verdict.outcome {
        Outcome::Error(error) => {
            let _ = writeln!(text, "{error}");
            return;
        }
        Outcome::Unanswered => text.push_str("no answer found"),
        Outcome::Scored => {}
    }
    if let Some(extracted) = &verdict.extracted {
        let _ = write!(text, "`{extracted}`");
    }
    let normalized = |name: &str| verdict.details.get(name).and_then(serde_json::Value::as_str);
    if let (Some(found), Some(gold)) = (normalized("normalized"), normalized("gold_normalized")) {
        let _ = write!(text, ", compared as `{found}` with `{gold}`");
    }
    if let Some(how) = normalized("matched") {
        let _ = write!(text, ": {how}");
    }
    let steps = verdict.details.get("steps").and_then(serde_json::Value::as_array);
    let steps: Vec<String> = steps.into_iter().flatten().filter_map(step).collect();
    let metrics: Vec<String> = verdict.metrics.iter().map(|(name, value)| format!("{name} {value}")).collect();
    let _ = writeln!(text, "; {}", metrics.join(", "));
    if !steps.is_empty() {
        let _ = writeln!(text, "    {}", steps.join("\n    "));
    }
}

/// What a step of an extraction found, `["after", "42"]`, or that it found nothing.
fn step(step: &serde_json::Value) -> Option<String> {
    let name = step.get(0)?.as_str()?;
    Some(match step.get(1).and_then(serde_json::Value::as_str) {
        Some(found) => format!("`{name}` found `{}`", found.replace('\n', "\\n")),
        None => format!("`{name}` found nothing"),
    })
}
