//! Free answers: find, normalize, compare.

use super::asking;
use super::decimal::canonical_decimal;
use super::extraction::{Pipeline, preset};
use super::fingerprint::Fingerprint;
use super::match_rule::{Compare, MatchRule};
use super::normalization::Normalization;
use examiner_api::schemars::{self, JsonSchema, Schema, SchemaGenerator};
use examiner_api::{
    Aggregation, Answer, Answered, Ask, ErrorCode, Gold, Host, MetricInfo, Open, Outcome, PluginError, Question,
    Result, Sample, Scorer, ScorerInfo, Verdict,
};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Value, json};
use std::borrow::Cow;

const NAME: &str = "answer-extraction";
/// The version of the rules. It changes when the same text could be judged differently.
const RULES: u32 = 2;
const METRIC: &str = "accuracy";

/// How the answer is found in the text.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
#[serde(untagged)]
pub enum Extract {
    /// By the kind of the right answer: the preset `gsm8k` for a number, `choice` for one of several choices, `text` for any
    /// other text. Written `default`.
    #[default]
    ByGold,
    /// With this pipeline.
    Pipeline(Pipeline),
}

impl<'de> Deserialize<'de> for Extract {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Value::deserialize(deserializer)? {
            Value::String(name) if name == "default" => Ok(Extract::ByGold),
            written => Pipeline::from_value(written).map(Extract::Pipeline).map_err(serde::de::Error::custom),
        }
    }
}

impl JsonSchema for Extract {
    fn schema_name() -> Cow<'static, str> {
        "Extract".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let pipeline = generator.subschema_for::<Pipeline>();
        schemars::json_schema!({
            "description": "How the answer is found: `default`, the name of a preset, one step, or a list of both.",
            "anyOf": [{"const": "default"}, pipeline]
        })
    }
}

/// The options of `answer-extraction`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AnswerExtractionOptions {
    /// How the answer is found in the text.
    extract: Extract,
    /// Differences that do not count when answers are compared.
    normalize: Normalization,
    /// How answers are compared.
    compare: Compare,
    /// Numbers that differ by at most so much are equal.
    tolerance: f64,
    /// The separator of the members of a set, for `compare: set`.
    separator: String,
}

impl Default for AnswerExtractionOptions {
    fn default() -> Self {
        AnswerExtractionOptions {
            extract: Extract::ByGold,
            normalize: Normalization::default(),
            compare: Compare::Auto,
            tolerance: 0.0,
            separator: ",".to_owned(),
        }
    }
}

/// Asks for an answer, extracts the part that counts, and compares it with the right one.
pub struct AnswerExtraction {
    pipelines: Pipelines,
    match_rule: MatchRule,
    fingerprint: String,
}

enum Pipelines {
    One(Pipeline),
    ByGold { number: Pipeline, choice: Pipeline, text: Pipeline },
}

impl Open for AnswerExtraction {
    type Options = AnswerExtractionOptions;

    fn open(options: Self::Options, _host: Host) -> Result<Self> {
        let fingerprint = Fingerprint { scorer: NAME, rules: RULES, options: &options }.text()?;
        if !options.tolerance.is_finite() || options.tolerance < 0.0 {
            let message = format!("expected a `tolerance` of 0 or more, found {}", options.tolerance);
            return Err(PluginError::bad_options(message));
        }
        let named = |name| preset(name).ok_or_else(|| PluginError::not_found(format!("there is no preset `{name}`")));
        let pipelines = match options.extract {
            Extract::Pipeline(pipeline) => Pipelines::One(pipeline),
            Extract::ByGold => {
                Pipelines::ByGold { number: named("gsm8k")?, choice: named("choice")?, text: named("text")? }
            }
        };
        let match_rule = MatchRule {
            normalization: options.normalize,
            compare: options.compare,
            tolerance: options.tolerance,
            separator: options.separator,
        };
        Ok(AnswerExtraction { pipelines, match_rule, fingerprint })
    }
}

impl AnswerExtraction {
    fn pipeline(&self, gold: &Gold) -> &Pipeline {
        let is_number = |text: &String| canonical_decimal(&Normalization::default().apply(text)).is_some();
        match (&self.pipelines, gold) {
            (Pipelines::One(pipeline), _) => pipeline,
            (Pipelines::ByGold { choice, .. }, Gold::Choice(_)) => choice,
            (Pipelines::ByGold { number, .. }, Gold::Text(texts)) if texts.iter().all(is_number) => number,
            (Pipelines::ByGold { text, .. }, _) => text,
        }
    }

    fn verdict(&self, item: &Answered) -> Result<Verdict> {
        let sample = &item.question.sample;
        let [Answer::Generate(answer)] = item.answers.as_slice() else {
            let message = format!("expected one generated answer for sample `{}`", sample.id);
            return Err(PluginError::new(ErrorCode::Protocol, message));
        };
        let golds = gold_texts(sample)?;
        let mut verdict = Verdict { outcome: Outcome::Unanswered, ..Verdict::default() };
        verdict.metrics.insert(METRIC.to_owned(), 0.0);
        let normalized: Vec<String> = golds.iter().map(|gold| self.match_rule.normalize(gold)).collect();
        verdict.details.insert("gold_normalized".to_owned(), one_or_list(normalized));
        let pipeline = self.pipeline(&sample.gold);
        let found = pipeline.find(&answer.text)?;
        let matched = found.as_ref().and_then(|found| self.matched(sample, &golds, found));
        if !matched.as_ref().is_some_and(|matched| matched.is_right) {
            // Whoever looks at the sample wants to know where the right answer was passed over.
            verdict.details.extend(steps(pipeline, &answer.text)?.map(|steps| (STEPS.to_owned(), steps)));
        }
        let (Some(found), Some(Match { is_right, how })) = (found, matched) else { return Ok(verdict) };
        verdict.outcome = Outcome::Scored;
        verdict.metrics.insert(METRIC.to_owned(), f64::from(u8::from(is_right)));
        verdict.details.insert("normalized".to_owned(), json!(self.match_rule.normalize(&found)));
        verdict.details.extend(how.map(|how| (MATCHED.to_owned(), json!(how))));
        verdict.extracted = Some(found);
        Ok(verdict)
    }

    /// An answer to a question with choices may be the text of a choice or its letter; anything else is none. The text is tried first,
    /// since choices may themselves be letters.
    fn matched(&self, sample: &Sample, golds: &[String], found: &str) -> Option<Match> {
        let Gold::Choice(right) = sample.gold else {
            let how = golds.iter().find_map(|gold| self.match_rule.matched(found, gold));
            return Some(Match { is_right: how.is_some(), how: how.map(str::to_owned) });
        };
        let same = |choice: &String| self.match_rule.equal(found, choice);
        let (what, is_right, place) = match sample.choices.iter().position(same) {
            Some(place) => ("text", same(&sample.choices[right]), place),
            None => {
                let place = letter_index(found).filter(|place| *place < sample.choices.len())?;
                ("letter", place == right, place)
            }
        };
        let of = if is_right { "the right choice".to_owned() } else { format!("choice {}", place + 1) };
        Some(Match { is_right, how: Some(format!("the {what} of {of}")) })
    }
}

/// The detail of a verdict that says what each step of the pipeline found, where the answer is not right: a list of
/// `[step, text]`, without a text where it found none.
const STEPS: &str = "steps";
/// Of a text so many characters are kept there.
const STEP_CHARS: usize = 120;

/// What the steps of a pipeline found; none of a single step, whose result stands in the verdict.
fn steps(pipeline: &Pipeline, text: &str) -> Result<Option<Value>> {
    if pipeline.0.len() < 2 {
        return Ok(None);
    }
    let shortened = |text: String| match text.char_indices().nth(STEP_CHARS) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text,
    };
    let steps = pipeline.steps(text)?.into_iter();
    Ok(Some(steps.map(|(name, found)| json!([name, found.map(shortened)])).collect()))
}

/// The detail of a verdict that says how the answer is that of the right one, or of which choice it is.
const MATCHED: &str = "matched";

/// An answer beside the right one.
struct Match {
    is_right: bool,
    how: Option<String>,
}

impl Scorer for AnswerExtraction {
    fn info(&self) -> Result<ScorerInfo> {
        let accuracy = MetricInfo {
            name: METRIC.to_owned(),
            aggregation: Aggregation::Mean,
            higher_is_better: true,
            bounds: Some((0.0, 1.0)),
            ..MetricInfo::default()
        };
        Ok(ScorerInfo {
            metrics: vec![accuracy],
            fingerprint: self.fingerprint.clone(),
            asks_score: false,
            asks_generate: true,
        })
    }

    fn requests(&self, questions: &[Question]) -> Result<Vec<Vec<Ask>>> {
        Ok(asking::free_answers(questions))
    }

    fn score(&self, items: &[Answered]) -> Result<Vec<Verdict>> {
        Ok(asking::verdicts(items, |item| self.verdict(item)))
    }
}

/// The texts of the right answer.
pub(super) fn gold_texts(sample: &Sample) -> Result<Vec<String>> {
    let found = match &sample.gold {
        Gold::Text(texts) if !texts.is_empty() => return Ok(texts.clone()),
        Gold::Choice(index) => match sample.choices.get(*index) {
            Some(choice) => return Ok(vec![choice.clone()]),
            None => format!("choice {index} of {}, counted from 0", sample.choices.len()),
        },
        Gold::Text(_) | Gold::None => "none".to_owned(),
    };
    let message = format!("expected a right answer for sample `{}`, found {found}", sample.id);
    Err(PluginError::bad_input(message).with_help("check what the dataset takes as gold answer"))
}

/// The index of the choice with this letter.
fn letter_index(found: &str) -> Option<usize> {
    let mut letters = found.trim().chars().filter(|c| !matches!(c, '(' | ')' | '.'));
    let letter = letters.next()?.to_ascii_uppercase();
    (letter.is_ascii_uppercase() && letters.next().is_none()).then(|| (letter as u8 - b'A') as usize)
}

fn one_or_list(mut texts: Vec<String>) -> Value {
    if texts.len() == 1 { json!(texts.remove(0)) } else { json!(texts) }
}

#[cfg(test)]
#[path = "answer_extraction_tests.rs"]
mod tests;
