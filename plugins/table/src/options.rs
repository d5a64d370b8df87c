//! What a suite can say of a table.

use examiner_api::rows::{Filter, Format};
use examiner_api::schemars;
use examiner_bounds::TextLimits;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A file of rows, and how a question is made of each.
///
/// `prompt` and `shot_answer` are templates (minijinja, which is Jinja). Where a *value* is wanted (`choices`, `gold`, `id`,
/// `subset`, `cluster`, `where`), an expression stands, with or without `{{ }}` around it: `answer`, `{{ answer }}` and
/// `{{ question.choices | map(attribute='text') }}` keep lists lists and numbers numbers; text around the braces makes
/// it a template again: `svamp-{{ ID }}`. Templates know the row's fields by name, the whole row as `row`, and its index
/// in the file, from 0, as `index`; a field of the row with one of these names comes first. A name that the row does not
/// have is an error, and so is writing out a null. Besides the filters of Jinja there are `letter` (0 becomes `A`) and `position` (the index of a value
/// in a list).
#[derive(Debug, Clone, Serialize, Deserialize, schemars::JsonSchema)]
#[schemars(crate = "examiner_api::schemars")]
#[serde(deny_unknown_fields)]
pub struct Options {
    /// The file of rows: JSON lines, JSON, CSV, TSV or Parquet.
    #[schemars(extend("format" = "path"))]
    pub path: String,
    /// The file's format, where its extension does not say it.
    #[serde(default)]
    pub format: Option<Format>,
    /// Where the rows of a JSON document are, as in `/examples`.
    #[serde(default)]
    pub pointer: Option<String>,
    /// Which rows are questions; without it, all.
    #[serde(default, rename = "where")]
    pub filter: Option<Where>,
    /// New names for values deep in the row: `{ stem: question.stem, first: question.choices.0.text }`.
    #[serde(default)]
    pub fields: BTreeMap<String, String>,
    /// The question: a template.
    pub prompt: String,
    /// The answers to choose from: an expression that gives a list, or a list of templates. Without it, the answer is
    /// free.
    #[serde(default)]
    pub choices: Option<Choices>,
    /// The right answer: an index, letter or text of a choice; for a free answer, a text or a list of right texts.
    #[serde(default)]
    pub gold: Option<Gold>,
    /// How `gold` names a choice. `auto` takes the way that fits every row of a file. It is an error where none does, or
    /// where two do and mean different choices.
    #[serde(default)]
    pub gold_is: GoldIs,
    /// What tells rows apart; without it, their index in the file.
    #[serde(default)]
    pub id: Option<String>,
    /// What stands between a question and its answer.
    #[serde(default = "delimiter")]
    pub delimiter: String,
    /// The part of the dataset that a row belongs to, reported by itself.
    #[serde(default)]
    pub subset: Option<String>,
    /// Rows of one cluster are not independent; standard errors take it into account.
    #[serde(default)]
    pub cluster: Option<String>,
    /// The fields that travel with every request; without it, `index` and all strings, numbers and booleans of the row.
    #[serde(default)]
    pub metadata: Option<Vec<String>>,
    /// Where few-shot examples are taken from: `same` for the questions themselves, or another file.
    #[serde(default)]
    pub few_shot: Option<FewShot>,
    /// A few-shot example's answer, without the delimiter: a template. Without it, the right choice or text.
    #[serde(default)]
    pub shot_answer: Option<String>,
    /// What stands before the few-shot examples.
    #[serde(default)]
    pub preamble: String,
    /// What stands between few-shot examples, and before the question.
    #[serde(default = "shot_separator")]
    pub shot_separator: String,
    /// The scorer to use when the suite names none. Without it, `perplexity-choice` with choices, else
    /// `answer-extraction`.
    #[serde(default)]
    pub scorer: Option<String>,
    /// Generated answers end before the first of these; without it, before `shot_separator`.
    #[serde(default)]
    pub stop: Option<Vec<String>>,
    /// Most tokens of a generated answer; without it, 256.
    #[serde(default)]
    pub max_new_tokens: Option<u32>,
    /// Most MiB of a text that a template makes.
    #[serde(default = "template_max_mib", skip_serializing)]
    #[schemars(range(min = 1))]
    #[schemars(extend("x-no-effect" = true))]
    pub template_max_mib: u64,
    /// Most seconds that the templates of a row may take.
    #[serde(default = "template_max_s", skip_serializing)]
    #[schemars(range(min = 1))]
    #[schemars(extend("x-no-effect" = true))]
    pub template_max_s: u64,
}

fn delimiter() -> String {
    " ".to_owned()
}

fn shot_separator() -> String {
    "\n\n".to_owned()
}

fn template_max_mib() -> u64 {
    TextLimits::default().max_mib
}

fn template_max_s() -> u64 {
    TextLimits::default().max_s
}

impl Options {
    /// What the templates of a row may take.
    pub(crate) fn text_limits(&self) -> TextLimits {
        TextLimits { max_mib: self.template_max_mib, max_s: self.template_max_s }
    }
}

/// Chooses rows.
#[derive(Debug, Clone, Serialize, Deserialize, schemars::JsonSchema)]
#[schemars(crate = "examiner_api::schemars")]
#[serde(untagged, expecting = "expected an expression, or a mapping of fields to allowed values")]
pub enum Where {
    /// Rows for which an expression is true: `answer != none and split == 'dev'`.
    Expression(String),
    /// Rows with these values: `{ split: [dev, test] }`.
    Fields(Filter),
}

/// The answers to choose from.
#[derive(Debug, Clone, Serialize, Deserialize, schemars::JsonSchema)]
#[schemars(crate = "examiner_api::schemars")]
#[serde(untagged, expecting = "expected an expression that gives a list, or a list of templates")]
pub enum Choices {
    /// An expression that gives a list.
    Expression(String),
    /// A template for each choice.
    Templates(Vec<String>),
}

/// The right answer.
#[derive(Debug, Clone, Serialize, Deserialize, schemars::JsonSchema)]
#[schemars(crate = "examiner_api::schemars")]
#[serde(untagged, expecting = "expected an expression, the number of a choice, or a list of templates")]
pub enum Gold {
    /// The same choice of every row, from 0.
    Index(u64),
    /// An expression.
    Expression(String),
    /// A template for each right text.
    Templates(Vec<String>),
}

/// How a gold answer names a choice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[schemars(crate = "examiner_api::schemars")]
#[serde(rename_all = "kebab-case")]
pub enum GoldIs {
    /// Whichever fits every row.
    #[default]
    Auto,
    /// By its index, from 0.
    Index,
    /// By its letter: `A`, `(A)`, `A.`
    Letter,
    /// By its text.
    Text,
}

/// Where few-shot examples are taken from.
#[derive(Debug, Clone, Serialize, Deserialize, schemars::JsonSchema)]
#[schemars(crate = "examiner_api::schemars")]
#[serde(untagged, expecting = "expected `same`, or a mapping with the `path` of another file")]
pub enum FewShot {
    /// The questions themselves.
    Same(Same),
    /// Another file, whose rows have the same fields.
    File(Pool),
}

/// The word `same`.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, schemars::JsonSchema)]
#[schemars(crate = "examiner_api::schemars")]
#[serde(rename_all = "kebab-case")]
pub enum Same {
    /// The questions themselves.
    Same,
}

/// Another file to take few-shot examples from.
#[derive(Debug, Clone, Serialize, Deserialize, schemars::JsonSchema)]
#[schemars(crate = "examiner_api::schemars")]
#[serde(deny_unknown_fields)]
pub struct Pool {
    /// The file of rows.
    #[schemars(extend("format" = "path"))]
    pub path: String,
    /// The file's format, where its extension does not say it.
    #[serde(default)]
    pub format: Option<Format>,
    /// Where the rows of a JSON document are.
    #[serde(default)]
    pub pointer: Option<String>,
    /// Which rows are examples; without it, all.
    #[serde(default, rename = "where")]
    pub filter: Option<Where>,
}
