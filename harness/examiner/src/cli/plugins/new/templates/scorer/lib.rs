//! How many words an answer and the right one have in common: F1, the harmonic mean of precision and
//! recall. Put your own judgement in its place.

use examiner_api::serde::{Deserialize, Serialize};
use examiner_api::serde_json::json;
use examiner_api::{
    Aggregation, Answer, Answered, Ask, Gold, Host, MetricInfo, Open, Outcome, Plugin, PluginError,
    Question, Result, Sample, Scorer, ScorerInfo, Verdict, schemars, serde,
};

/// The name by which suites ask for the role.
const NAME: &str = "my-plugin";

/// Raise it whenever a change of the code can change a verdict.
const VERSION: u32 = 1;

/// The metric's name in `summary.csv`.
const METRIC: &str = "f1";

/// What a suite may say of the scorer. The comments are what `examiner plugins info` shows.
#[derive(Clone, Deserialize, Serialize, schemars::JsonSchema)]
#[serde(crate = "serde", deny_unknown_fields, default)] // A misspelt key is an error.
#[schemars(crate = "schemars")]
pub struct Options {
    /// Whether upper and lower case are the same.
    ignore_case: bool,
}

impl Default for Options {
    fn default() -> Self {
        Options { ignore_case: true }
    }
}

/// The scorer.
pub struct CommonWords {
    options: Options,
}

impl Open for CommonWords {
    type Options = Options;

    fn open(options: Options, _host: Host) -> Result<Self> {
        Ok(CommonWords { options })
    }
}

impl Scorer for CommonWords {
    // Stored verdicts are used again as long as the fingerprint is the same: all that decides a
    // verdict is in it. A value out of its bounds is an error of its sample.
    fn info(&self) -> Result<ScorerInfo> {
        let decisive = json!({ "scorer": "f1", "version": VERSION, "options": self.options });
        let metric = MetricInfo {
            name: METRIC.to_owned(),
            aggregation: Aggregation::Mean,
            higher_is_better: true,
            bounds: Some((0.0, 1.0)),
            ..MetricInfo::default()
        };
        Ok(ScorerInfo {
            metrics: vec![metric],
            fingerprint: decisive.to_string(),
            asks_score: false,
            asks_generate: true,
        })
    }

    // One list for each question. Context, turns and sampling are those of the suite.
    fn requests(&self, questions: &[Question]) -> Result<Vec<Vec<Ask>>> {
        let ask = |question: &Question| Ask::Generate {
            prompt: question.context.clone(),
            turns: question.turns.clone(),
            sampling: question.sampling.clone(),
        };
        Ok(questions
            .iter()
            .map(|question| vec![ask(question)])
            .collect())
    }

    // One verdict for each item. What cannot be judged is the error of its sample, never a 0.
    fn score(&self, items: &[Answered]) -> Result<Vec<Verdict>> {
        let verdict = |item: &Answered| {
            self.judge(item).unwrap_or_else(|error| Verdict {
                outcome: Outcome::Error(error),
                ..Verdict::default()
            })
        };
        Ok(items.iter().map(verdict).collect())
    }
}

impl CommonWords {
    fn judge(&self, item: &Answered) -> Result<Verdict> {
        let [Answer::Generate(answer)] = item.answers.as_slice() else {
            return Err(PluginError::bad_input(
                "expected one generated answer, found others",
            ));
        };
        let found = self.words(&answer.text);
        let value = right_answers(&item.question.sample)?
            .iter()
            .map(|right| f1(&found, &self.words(right)))
            .fold(0.0, f64::max);
        Ok(Verdict {
            // An answer without a word counts as wrong, and is counted.
            outcome: if found.is_empty() {
                Outcome::Unanswered
            } else {
                Outcome::Scored
            },
            metrics: [(METRIC.to_owned(), value)].into(),
            extracted: Some(found.join(" ")).filter(|text| !text.is_empty()),
            ..Verdict::default()
        })
    }

    fn words(&self, text: &str) -> Vec<String> {
        let text = if self.options.ignore_case {
            text.to_lowercase()
        } else {
            text.to_owned()
        };
        let words = text.split(|character: char| !character.is_alphanumeric());
        words
            .filter(|word| !word.is_empty())
            .map(str::to_owned)
            .collect()
    }
}

/// The right answers of a sample, any of which will do.
fn right_answers(sample: &Sample) -> Result<Vec<String>> {
    let right = match &sample.gold {
        Gold::Text(texts) => texts.clone(),
        Gold::Choice(index) => sample.choices.get(*index).cloned().into_iter().collect(),
        Gold::None => Vec::new(),
    };
    match right.is_empty() {
        true => Err(
            PluginError::bad_input("expected a right answer to compare with, found none")
                .with_help("set the dataset's option that says which field holds it"),
        ),
        false => Ok(right),
    }
}

/// F1 of two lists of words, in which a word may occur several times.
fn f1(found: &[String], right: &[String]) -> f64 {
    let mut left = right.to_vec();
    let is_common = |word: &&String| match left.iter().position(|other| other == *word) {
        Some(place) => {
            left.swap_remove(place);
            true
        }
        None => false,
    };
    let common = found.iter().filter(is_common).count();
    match found.len() + right.len() {
        0 => 0.0,
        both => 2.0 * common as f64 / both as f64,
    }
}

/// The plugin: its name, its version and its roles.
pub fn plugin() -> Plugin {
    Plugin::new(NAME, env!("CARGO_PKG_VERSION"))
        .scorer::<CommonWords>(NAME, "F1 of the words of an answer and of the right one.")
}

// Makes the library one that the program can open.
examiner_api::export_plugin!(plugin);

#[cfg(test)]
mod tests {
    use super::*;
    use examiner_api::testing::FakeHost;
    use examiner_api::{ErrorCode, GenerateResult, OpenRole, RoleKind, serde_json::Value};

    /// The scorer as the program opens it: by its name, with the options of a suite.
    fn open(options: Value) -> Result<Box<dyn Scorer>> {
        let options = options.as_object().unwrap().clone();
        match plugin().open(RoleKind::Scorer, NAME, options, FakeHost::new().host())? {
            OpenRole::Scorer(scorer) => Ok(scorer),
            _ => panic!("the plugin opened another role"),
        }
    }

    fn verdict(options: Value, gold: Gold, answer: &str) -> Verdict {
        let sample = Sample {
            gold,
            ..Sample::default()
        };
        let answer = GenerateResult {
            text: answer.to_owned(),
            ..GenerateResult::default()
        };
        let item = Answered {
            question: Question {
                sample,
                ..Question::default()
            },
            answers: vec![Answer::Generate(answer)],
        };
        open(options).unwrap().score(&[item]).unwrap().remove(0)
    }

    #[test]
    fn words_in_common_are_counted_as_often_as_they_occur() {
        let value = |right: &str, answer: &str| {
            verdict(json!({}), Gold::text(right), answer).metrics[METRIC]
        };
        assert_eq!(value("the red house", "The red house."), 1.0);
        assert_eq!(value("a b", "a a"), 0.5);
        assert_eq!(value("red house", "a blue car"), 0.0);
        let strict = json!({ "ignore_case": false });
        assert_eq!(
            verdict(strict, Gold::text("Rome"), "rome").metrics[METRIC],
            0.0
        );
        let several = Gold::Text(vec!["one".to_owned(), "two".to_owned()]);
        assert_eq!(verdict(json!({}), several, "two").metrics[METRIC], 1.0);
    }

    #[test]
    fn no_answer_is_wrong_and_no_right_answer_is_an_error() {
        let empty = verdict(json!({}), Gold::text("Rome"), " ... ");
        assert_eq!(
            (empty.outcome, empty.metrics[METRIC]),
            (Outcome::Unanswered, 0.0)
        );
        let unknown = verdict(json!({}), Gold::None, "Rome");
        assert!(
            matches!(unknown.outcome, Outcome::Error(error) if error.code == ErrorCode::BadInput)
        );
    }

    #[test]
    fn each_question_is_asked_once_and_options_decide_the_fingerprint() {
        let scorer = open(json!({})).unwrap();
        let questions = vec![Question::default(); 3];
        assert_eq!(scorer.requests(&questions).unwrap().len(), questions.len());
        let fingerprint = |options| open(options).unwrap().info().unwrap().fingerprint;
        assert_ne!(
            fingerprint(json!({})),
            fingerprint(json!({ "ignore_case": false }))
        );
        assert_eq!(
            open(json!({ "case": 1 })).err().unwrap().code,
            ErrorCode::BadOptions
        );
    }
}
