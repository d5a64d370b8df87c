//! Multiple choice by likelihood.

use super::asking;
use super::fingerprint::Fingerprint;
use examiner_api::{
    Aggregation, Answered, Ask, ErrorCode, Gold, Host, MetricInfo, Open, PluginError, Question, Result, Sample,
    ScoreResult, Scorer, ScorerInfo, Span, Turn, Verdict, schemars,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

const NAME: &str = "perplexity-choice";
/// The version of the rules. It changes when the same likelihoods could be judged differently.
const RULES: u32 = 1;

/// How the likelihoods of choices of different length are made comparable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum LikelihoodNormalization {
    /// Mean negative log-likelihood over all tokens after the first, context and choice alike; lowest wins.
    Context,
    /// The same sum divided by the number of all tokens, the first included, as OpenCompass does; lowest wins.
    ContextOpencompass,
    /// Mean log-likelihood over the choice's tokens.
    Option,
    /// Sum of log-likelihoods over the choice's tokens: `acc` of lm-evaluation-harness.
    Sum,
    /// The sum divided by the choice's characters, the delimiter not counted: its `acc_norm`.
    Chars,
    /// The sum divided by the choice's bytes in UTF-8, the delimiter not counted: its `acc_bytes`.
    Bytes,
    /// The sum less the sum without the question: its `acc_mutual_info`.
    MutualInformation,
}

use LikelihoodNormalization::{Bytes, Chars, Context, ContextOpencompass, MutualInformation, Sum};

impl LikelihoodNormalization {
    fn of_context(self) -> bool {
        matches!(self, Context | ContextOpencompass)
    }

    /// The metric's name where several are reported; those of lm-evaluation-harness where it has one.
    fn metric(self) -> &'static str {
        match self {
            Context => "acc_context",
            ContextOpencompass => "acc_opencompass",
            LikelihoodNormalization::Option => "acc_option",
            Sum => "acc",
            Chars => "acc_norm",
            Bytes => "acc_bytes",
            MutualInformation => "acc_mutual_info",
        }
    }

    /// The quantity that is computed for a choice, with its unit.
    fn quantity(self) -> &'static str {
        match self {
            Context | ContextOpencompass => "perplexity_nats",
            LikelihoodNormalization::Option => "loglikelihood_nats_per_token",
            Sum => "loglikelihood_nats",
            Chars => "loglikelihood_nats_per_char",
            Bytes => "loglikelihood_nats_per_byte",
            MutualInformation => "mutual_information_nats",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "expected a normalization such as `sum`, or a list of them")]
enum OneOrMany {
    One(LikelihoodNormalization),
    Many(Vec<LikelihoodNormalization>),
}

/// The options of `perplexity-choice`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct PerplexityChoiceOptions {
    /// One normalization, reported as `accuracy`; or several, reported as `acc` (sum), `acc_norm`
    /// (chars), `acc_bytes`, `acc_mutual_info`, `acc_option`, `acc_context` and `acc_opencompass`.
    normalize: OneOrMany,
    /// Other names for the metrics, by normalization.
    names: BTreeMap<LikelihoodNormalization, String>,
    /// The context that replaces the question for `mutual-information`.
    unconditional_context: String,
}

impl Default for PerplexityChoiceOptions {
    fn default() -> Self {
        PerplexityChoiceOptions {
            normalize: OneOrMany::One(Context),
            names: BTreeMap::new(),
            unconditional_context: String::new(),
        }
    }
}

/// Asks for the likelihood of every choice and takes the best one. Ties go to the first choice; a value that is not a
/// number makes the sample an error.
pub struct PerplexityChoice {
    /// Each normalization with its metric's name.
    metrics: Vec<(LikelihoodNormalization, String)>,
    unconditional_context: String,
    fingerprint: String,
}

impl Open for PerplexityChoice {
    type Options = PerplexityChoiceOptions;

    fn open(options: Self::Options, _host: Host) -> Result<Self> {
        let fingerprint = Fingerprint { scorer: NAME, rules: RULES, options: &options }.text()?;
        let metrics: Vec<(LikelihoodNormalization, String)> = match options.normalize {
            OneOrMany::One(one) => vec![(one, "accuracy".to_owned())],
            OneOrMany::Many(many) if many.len() == 1 => vec![(many[0], "accuracy".to_owned())],
            OneOrMany::Many(many) => many.into_iter().map(|one| (one, one.metric().to_owned())).collect(),
        };
        let metrics: Vec<_> =
            metrics.into_iter().map(|(one, name)| (one, options.names.get(&one).cloned().unwrap_or(name))).collect();
        if metrics.is_empty() {
            return Err(PluginError::bad_options("`normalize` of `perplexity-choice` is an empty list")
                .with_help("leave it out for `context`, or name at least one"));
        }
        for (index, (_, name)) in metrics.iter().enumerate() {
            if metrics[..index].iter().any(|(_, earlier)| earlier == name) {
                return Err(PluginError::bad_options(format!(
                    "two metrics of `perplexity-choice` are called `{name}`"
                ))
                .with_help("name each normalization once, and give each a name of its own under `names`"));
            }
        }
        Ok(PerplexityChoice { metrics, unconditional_context: options.unconditional_context, fingerprint })
    }
}

impl PerplexityChoice {
    /// Which kinds of ask there are, in the order of asking: the choice given the question, the whole text, the choice
    /// without the question.
    fn asks(&self) -> [bool; 3] {
        let any = |test: fn(LikelihoodNormalization) -> bool| self.metrics.iter().any(|(one, _)| test(*one));
        [any(|one| !one.of_context()), any(LikelihoodNormalization::of_context), any(|one| one == MutualInformation)]
    }

    fn verdict(&self, item: &Answered) -> Result<Verdict> {
        let sample = &item.question.sample;
        let right = right_choices(sample)?;
        let count = sample.choices.len();
        let results = asking::scores(item, unexpected)?;
        let kinds = self.asks();
        if results.len() != count * kinds.iter().filter(|asked| **asked).count() {
            return Err(unexpected(sample, &format!("{} answers for {count} choices", results.len())));
        }
        let mut rest = results.as_slice();
        let [given, whole, alone] = kinds.map(|asked| {
            let (these, others) = rest.split_at(if asked { count } else { 0 });
            rest = others;
            these
        });
        let mut verdict = Verdict::default();
        for (one, name) in &self.metrics {
            let values: Vec<f64> = (0..count)
                .map(|index| {
                    let choice = &sample.choices[index];
                    match one {
                        Context => -whole[index].sum / f64::from(whole[index].scored_tokens),
                        ContextOpencompass => -whole[index].sum / tokens_seen(whole[index]),
                        LikelihoodNormalization::Option => given[index].sum / f64::from(given[index].scored_tokens),
                        Sum => given[index].sum,
                        Chars => given[index].sum / choice.chars().count() as f64,
                        Bytes => given[index].sum / choice.len() as f64,
                        MutualInformation => given[index].sum - alone[index].sum,
                    }
                })
                .collect();
            let chosen = best(&values, one.of_context()).ok_or_else(|| not_a_number(sample, *one, &values))?;
            verdict.metrics.insert(name.clone(), f64::from(u8::from(right.contains(&chosen))));
            verdict.details.insert(key_of(*one), json!({"chosen": chosen, one.quantity(): values}));
            verdict.extracted.get_or_insert_with(|| sample.choices[chosen].clone());
        }
        Ok(verdict)
    }
}

impl Scorer for PerplexityChoice {
    fn info(&self) -> Result<ScorerInfo> {
        let metrics = self.metrics.iter().map(|(_, name)| MetricInfo {
            name: name.clone(),
            aggregation: Aggregation::Mean,
            higher_is_better: true,
            bounds: Some((0.0, 1.0)),
            ..MetricInfo::default()
        });
        Ok(ScorerInfo {
            metrics: metrics.collect(),
            fingerprint: self.fingerprint.clone(),
            asks_score: true,
            asks_generate: false,
        })
    }

    fn requests(&self, questions: &[Question]) -> Result<Vec<Vec<Ask>>> {
        let [given, whole, alone] = self.asks();
        let of = |question: &Question| {
            let nothing = Arc::default();
            let ask = |(context, turns): (&str, &Arc<Vec<Turn>>), choice: &String, span| Ask::Score {
                context: context.to_owned(),
                turns: turns.clone(),
                continuation: format!("{}{choice}", question.sample.delimiter),
                span,
            };
            let kinds = [
                (given, (question.context.as_str(), &question.turns), Span::Continuation),
                // A whole text is not a conversation.
                (whole, (question.context.as_str(), &nothing), Span::All),
                (alone, (self.unconditional_context.as_str(), &nothing), Span::Continuation),
            ];
            let asked = kinds.into_iter().filter(|(asked, ..)| *asked);
            asked
                .flat_map(|(_, context, span)| {
                    question.sample.choices.iter().map(move |choice| ask(context, choice, span))
                })
                .collect()
        };
        Ok(questions.iter().map(of).collect())
    }

    fn score(&self, items: &[Answered]) -> Result<Vec<Verdict>> {
        Ok(asking::verdicts(items, |item| self.verdict(item)))
    }
}

/// The indices of the right choices.
pub(super) fn right_choices(sample: &Sample) -> Result<Vec<usize>> {
    let wrong = |found: String| {
        let message = format!("expected a right choice for sample `{}`, found {found}", sample.id);
        Err(PluginError::bad_input(message).with_help("check what the dataset takes as choices and as gold answer"))
    };
    if sample.choices.is_empty() {
        return wrong("a sample without choices".to_owned());
    }
    match &sample.gold {
        Gold::Choice(index) if *index < sample.choices.len() => Ok(vec![*index]),
        Gold::Choice(index) => wrong(format!("choice {index} of {}, counted from 0", sample.choices.len())),
        Gold::None => wrong("no gold answer".to_owned()),
        Gold::Text(texts) => {
            let is_gold = |choice: &str| texts.iter().any(|text| text.trim() == choice.trim());
            let right: Vec<usize> =
                (0..sample.choices.len()).filter(|index| is_gold(&sample.choices[*index])).collect();
            if right.is_empty() { wrong(format!("{texts:?}, which is none of the choices")) } else { Ok(right) }
        }
    }
}

/// The index of the best value, the first of equals; none if a value is not a finite number.
fn best(values: &[f64], lowest: bool) -> Option<usize> {
    if values.is_empty() || values.iter().any(|value| !value.is_finite()) {
        return None;
    }
    let better = |a: f64, b: f64| if lowest { a < b } else { a > b };
    Some((1..values.len()).fold(0, |best, index| if better(values[index], values[best]) { index } else { best }))
}

/// Number of tokens that the model saw, the first included.
fn tokens_seen(result: &ScoreResult) -> f64 {
    f64::from(result.total_tokens.saturating_sub(result.truncated_tokens))
}

fn key_of(one: LikelihoodNormalization) -> String {
    match json!(one) {
        Value::String(key) => key,
        other => other.to_string(),
    }
}

fn unexpected(sample: &Sample, found: &str) -> PluginError {
    let message = format!("expected log-likelihoods for sample `{}`, found {found}", sample.id);
    PluginError::new(ErrorCode::Protocol, message)
}

fn not_a_number(sample: &Sample, one: LikelihoodNormalization, values: &[f64]) -> PluginError {
    let message = format!(
        "expected finite numbers for the choices of sample `{}` under `normalize: {}`, found {values:?}",
        sample.id,
        key_of(one)
    );
    PluginError::new(ErrorCode::Numeric, message)
        .with_help("an overflow in half precision is the usual cause: try `dtype: f32`; an empty choice is another")
}

#[cfg(test)]
#[path = "perplexity_choice_tests.rs"]
mod tests;
