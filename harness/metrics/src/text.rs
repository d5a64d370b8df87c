//! Metrics of a text beside the right ones, by name.

use crate::anls;
use crate::bleu::{Bleu, Smoothing};
use crate::chrf::Chrf;
use crate::corpus::CorpusMetric;
use crate::error::{Result, invalid, unsupported};
use crate::exact_match::ExactMatch;
use crate::rouge::Rouge;
use crate::squad;
use crate::ter::Ter;
use crate::tokenize::Tokenization;
use serde_json::{Map, Value};

/// A metric of a text, by the name that lm-evaluation-harness or the reference implementation has for it.
pub enum TextMetric {
    /// Its value is the mean of those of the samples.
    Mean(Box<dyn SampleMetric>),
    /// Its value is computed from the counts of all samples.
    Corpus(Box<dyn CorpusMetric>),
}

/// A metric with a value for each sample.
pub trait SampleMetric: Send + Sync {
    /// The value of a prediction beside any of the references: the best one.
    ///
    /// # Errors
    /// There is no reference, or a pattern takes too long.
    fn value(&self, prediction: &str, references: &[String]) -> Result<f64>;
}

/// The names of all metrics of texts. `rouge1` stands for `rouge1` to `rouge9`.
pub const TEXT_METRICS: [&str; 12] = [
    "exact_match",
    "bleu",
    "chrf",
    "chrf++",
    "ter",
    "rouge1",
    "rouge2",
    "rougeL",
    "rougeLsum",
    "squad_f1",
    "squad_exact",
    "anls",
];

impl TextMetric {
    /// The metric of this name, with its options.
    ///
    /// # Errors
    /// There is no such metric, or it has no such option.
    pub fn new(name: &str, options: &Map<String, Value>) -> Result<TextMetric> {
        let options = Options { metric: name, options };
        Ok(match name {
            "exact_match" => {
                options.allow(&["ignore_case", "ignore_punctuation", "ignore_numbers", "regexes_to_ignore"])?;
                let mut metric = ExactMatch::new();
                metric.ignore_case = options.flag("ignore_case")?;
                metric.ignore_punctuation = options.flag("ignore_punctuation")?;
                metric.ignore_numbers = options.flag("ignore_numbers")?;
                if let Some(patterns) = options.texts("regexes_to_ignore")? {
                    metric = metric.ignoring(&patterns)?;
                }
                TextMetric::Mean(Box::new(metric))
            }
            "bleu" => {
                options.allow(&["lowercase", "tokenize", "smooth_method", "smooth_value", "effective_order"])?;
                TextMetric::Corpus(Box::new(Bleu {
                    tokenize: options.text("tokenize")?.map_or(Ok(Tokenization::V13a), Tokenization::named)?,
                    lowercase: options.flag("lowercase")?,
                    smoothing: Smoothing::named(
                        options.text("smooth_method")?.unwrap_or("exp"),
                        options.number("smooth_value")?,
                    )?,
                    effective_order: options.flag("effective_order")?,
                    ..Bleu::default()
                }))
            }
            "chrf" | "chrf++" => {
                options.allow(&["lowercase", "whitespace"])?;
                let metric = if name == "chrf" { Chrf::default() } else { Chrf::plus_plus() };
                let (lowercase, whitespace) = (options.flag("lowercase")?, options.flag("whitespace")?);
                TextMetric::Corpus(Box::new(Chrf { lowercase, whitespace, ..metric }))
            }
            "ter" => {
                options.allow(&["normalized", "no_punct", "case_sensitive"])?;
                TextMetric::Corpus(Box::new(Ter {
                    normalized: options.flag("normalized")?,
                    no_punct: options.flag("no_punct")?,
                    case_sensitive: options.flag("case_sensitive")?,
                }))
            }
            "squad_f1" | "squad_exact" => {
                options.allow(&[])?;
                TextMetric::Mean(Box::new(Squad(if name == "squad_f1" { squad::f1 } else { squad::exact })))
            }
            "anls" => {
                options.allow(&["threshold"])?;
                TextMetric::Mean(Box::new(Anls { threshold: options.number("threshold")?.unwrap_or(0.5) }))
            }
            _ if name.starts_with("rouge") => {
                options.allow(&["use_stemmer"])?;
                TextMetric::Mean(Box::new(OfRouge {
                    kind: Rouge::named(name)?,
                    stemming: options.flag("use_stemmer")?,
                }))
            }
            _ => return unsupported(format!("expected one of the metrics {TEXT_METRICS:?}, found `{name}`")),
        })
    }
}

impl TextMetric {
    /// Whether more is better.
    pub fn higher_is_better(&self) -> bool {
        match self {
            TextMetric::Mean(_) => true,
            TextMetric::Corpus(metric) => metric.higher_is_better(),
        }
    }
}

impl SampleMetric for ExactMatch {
    fn value(&self, prediction: &str, references: &[String]) -> Result<f64> {
        some(references)?;
        self.any(prediction, references)
    }
}

struct OfRouge {
    kind: Rouge,
    stemming: bool,
}

impl SampleMetric for OfRouge {
    fn value(&self, prediction: &str, references: &[String]) -> Result<f64> {
        some(references)?;
        Ok(self.kind.best(references, prediction, self.stemming).f_measure)
    }
}

struct Anls {
    threshold: f64,
}

impl SampleMetric for Anls {
    fn value(&self, prediction: &str, references: &[String]) -> Result<f64> {
        some(references)?;
        let values = references.iter().map(|gold| anls::similarity(gold, prediction, self.threshold));
        Ok(values.fold(0.0, f64::max))
    }
}

struct Squad(fn(&str, &str) -> f64);

impl SampleMetric for Squad {
    fn value(&self, prediction: &str, references: &[String]) -> Result<f64> {
        some(references)?;
        Ok(references.iter().map(|reference| (self.0)(reference, prediction)).fold(0.0, f64::max))
    }
}

fn some(references: &[String]) -> Result<()> {
    if references.is_empty() { invalid("expected a reference, found none") } else { Ok(()) }
}

/// The options of one metric.
struct Options<'o> {
    metric: &'o str,
    options: &'o Map<String, Value>,
}

impl<'o> Options<'o> {
    fn allow(&self, names: &[&str]) -> Result<()> {
        match self.options.keys().find(|name| !names.contains(&name.as_str())) {
            None => Ok(()),
            Some(name) if names.is_empty() => {
                unsupported(format!("the metric `{}` has no options, found `{name}`", self.metric))
            }
            Some(name) => unsupported(format!(
                "expected one of {names:?} as an option of the metric `{}`, found `{name}`",
                self.metric
            )),
        }
    }

    fn flag(&self, name: &str) -> Result<bool> {
        match self.options.get(name) {
            None => Ok(false),
            Some(Value::Bool(flag)) => Ok(*flag),
            Some(other) => self.wrong(name, "`true` or `false`", other),
        }
    }

    fn text(&self, name: &str) -> Result<Option<&'o str>> {
        match self.options.get(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(other) => self.wrong(name, "a text", other),
        }
    }

    fn number(&self, name: &str) -> Result<Option<f64>> {
        match self.options.get(name) {
            None => Ok(None),
            Some(value) => value.as_f64().map(Some).map_or_else(|| self.wrong(name, "a number", value), Ok),
        }
    }

    fn texts(&self, name: &str) -> Result<Option<Vec<String>>> {
        let Some(value) = self.options.get(name).filter(|value| !value.is_null()) else { return Ok(None) };
        let texts =
            value.as_array().and_then(|texts| texts.iter().map(|text| text.as_str().map(str::to_owned)).collect());
        match texts {
            Some(texts) => Ok(Some(texts)),
            None => self.wrong(name, "a list of texts", value),
        }
    }

    fn wrong<T>(&self, name: &str, expected: &str, found: &Value) -> Result<T> {
        unsupported(format!(
            "expected {expected} as the option `{name}` of the metric `{}`, found `{found}`",
            self.metric
        ))
    }
}
