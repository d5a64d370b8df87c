//! The role that asks a model for training data, and the files that it leaves.

use crate::{ErrorCode, GenerateRequest, Metadata, PluginError, Result, Sink, TrainingRow};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Makes a file of training rows by asking models through the host.
pub trait Recipe: Send {
    /// What is known of the recipe before anybody is asked.
    fn info(&self) -> Result<RecipeInfo> {
        Ok(RecipeInfo::default())
    }

    /// Writes the file and says where it is. Run again after an interruption, asks nothing twice: [`crate::Host::ask_all`] and
    /// [`crate::Host::write_rows`] see to it.
    fn make(&mut self, job: RecipeJob, sink: &dyn Sink<RecipeEvent>) -> Result<RecipeReport>;
}

/// The description of a [`Recipe`].
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct RecipeInfo {
    /// A hash of the files and options that decide what is asked and what is kept. None where that is not known before the
    /// recipe is followed: a finished stage is then followed again to find out whether its rows are still current.
    pub fingerprint: Option<String>,
}

/// What a [`Recipe`] is to do.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct RecipeJob {
    /// The name of the model to ask, for [`crate::Host::model`].
    pub teacher: String,
    /// The directory that the file is published to.
    pub out: PathBuf,
    /// At most this many questions of each task: for a first look.
    #[serde(default)]
    pub limit: Option<u64>,
    /// Key of all random numbers.
    pub seed: u64,
}

/// A question of a recipe answered.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct RecipeEvent {
    /// Questions done.
    pub done: u64,
    /// Questions to do.
    pub total: u64,
    /// Rows kept.
    pub kept: u64,
}

/// The result of a [`RecipeJob`].
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct RecipeReport {
    /// The file of [`TrainingRow`]s.
    pub rows: PathBuf,
    /// Questions asked.
    pub asked: u64,
    /// Rows kept.
    pub kept: u64,
    /// The counts of each task, in order; empty where nothing was counted. The program writes them beside the rows and draws
    /// them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub yields: Vec<TaskYield>,
    /// Anything else worth reporting.
    pub details: Metadata,
}

/// What asking the questions of one task yielded.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct TaskYield {
    /// The task's name.
    pub task: String,
    /// Questions of the task.
    pub questions: u64,
    /// Answers asked for: one for each question and repetition.
    pub asked: u64,
    /// Answers in which one was found.
    pub answered: u64,
    /// Answers that are right.
    pub right: u64,
    /// Rows.
    pub kept: u64,
    /// Questions that were answered, but never right.
    pub unsolved: u64,
}

impl TaskYield {
    /// The sum of several, under the name `total`.
    pub fn total(yields: &[TaskYield]) -> TaskYield {
        let sum = |of: fn(&TaskYield) -> u64| yields.iter().map(of).sum();
        TaskYield {
            task: "total".to_owned(),
            questions: sum(|task| task.questions),
            asked: sum(|task| task.asked),
            answered: sum(|task| task.answered),
            right: sum(|task| task.right),
            kept: sum(|task| task.kept),
            unsolved: sum(|task| task.unsolved),
        }
    }

    /// A CSV file with a line for each task, and a last one for all.
    pub fn csv(yields: &[TaskYield]) -> String {
        let quoted = |text: &str| match text.contains([',', '"', '\n', '\r']) {
            true => format!("\"{}\"", text.replace('"', "\"\"")),
            false => text.to_owned(),
        };
        let line = |task: &TaskYield| {
            let TaskYield { task, questions, asked, answered, right, kept, unsolved } = task;
            format!("{},{questions},{asked},{answered},{right},{kept},{unsolved}\n", quoted(task))
        };
        let lines = yields.iter().chain([&TaskYield::total(yields)]).map(line).collect::<String>();
        format!("task,questions,asked,answered,right,kept,unsolved\n{lines}")
    }
}

/// The files that hold a recipe's rows. Their names begin alike and lie in one directory.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct RowsFile {
    /// The directory: the job's `out`.
    pub out: PathBuf,
    /// What all names begin with: `F_bbh_3shot_1aug`.
    pub stem: String,
    /// All that the rows depend on: files, options, teacher, scorer, seed, limit. Its hash is the identity of the rows.
    pub inputs: Value,
}

impl RowsFile {
    /// The rows.
    pub fn rows(&self) -> PathBuf {
        self.with("jsonl")
    }

    /// What the rows are made of.
    pub fn identity(&self) -> PathBuf {
        self.with("jsonl.identity.json")
    }

    /// The counts of each task.
    pub fn yields(&self) -> PathBuf {
        self.with("yield.csv")
    }

    /// The questions of which no answer was right.
    pub fn unsolved(&self) -> PathBuf {
        self.with("unsolved.jsonl")
    }

    /// Every answer of the teacher, for [`crate::AskAll::answers`].
    pub fn answers(&self) -> PathBuf {
        self.with("answers.jsonl")
    }

    fn with(&self, ending: &str) -> PathBuf {
        self.out.join(format!("{}.{ending}", self.stem))
    }
}

/// What [`crate::Host::write_rows`] writes.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct RowsContent {
    /// The rows, in order.
    pub rows: Vec<TrainingRow>,
    /// The questions of which no answer was right, a line each.
    pub unsolved: Vec<Metadata>,
    /// Questions without an answer, which another try would ask again: rows with such a hole are not taken for finished.
    pub errors: u64,
    /// What the recipe will return. The program fills in where the rows are.
    pub report: RecipeReport,
}

/// So many different reasons say enough.
const REASONS: usize = 100;

/// What [`crate::Host::ask_all`] is to do.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct AskAll {
    /// The model's name in the suite.
    pub model: String,
    /// The file in which answers are stored. Several runs may share it; an answer is found again by all that decides it.
    pub answers: PathBuf,
    /// The questions, each with an id of its own.
    pub requests: Vec<GenerateRequest>,
}

/// The result of [`crate::Host::ask_all`].
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct AskReport {
    /// Questions whose answer was stored already.
    pub known: u64,
    /// Questions that were answered now.
    pub answered: u64,
    /// Questions without an answer. Another try asks them again.
    pub failed: u64,
    /// Why there is no answer, and how often.
    pub reasons: BTreeMap<String, u64>,
    /// What kind of failure came first.
    pub first_failure: Option<ErrorCode>,
}

impl AskReport {
    /// Counts a question without an answer.
    pub(crate) fn add_failure(&mut self, error: &PluginError) {
        self.failed += 1;
        if self.reasons.len() < REASONS || self.reasons.contains_key(&error.message) {
            *self.reasons.entry(error.message.clone()).or_default() += 1;
        }
        self.first_failure.get_or_insert(error.code);
    }

    /// Adds the counts of another report.
    pub fn merge(&mut self, other: AskReport) {
        self.known += other.known;
        self.answered += other.answered;
        self.failed += other.failed;
        for (reason, count) in other.reasons {
            *self.reasons.entry(reason).or_default() += count;
        }
        self.first_failure = self.first_failure.or(other.first_failure);
    }

    /// The most frequent reasons, and how often each came.
    pub fn summary(&self) -> String {
        let mut reasons: Vec<(&String, &u64)> = self.reasons.iter().collect();
        reasons.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
        let most: Vec<String> = reasons.iter().take(3).map(|(reason, count)| format!("{count} x {reason}")).collect();
        let more = match reasons.len() {
            0..=3 => String::new(),
            all => format!("; and {} other reasons", all - 3),
        };
        most.join("; ") + &more
    }

    /// What to warn of where up to `allowed` questions may be left without an answer: data of which a part is missing is not
    /// published silently. None where all were answered.
    ///
    /// # Errors
    /// More are missing, with the code of the first failure.
    pub fn tolerate(&self, allowed: u64) -> Result<Option<String>> {
        if self.failed == 0 {
            return Ok(None);
        }
        let asked = self.known + self.answered + self.failed;
        let message = format!("{} of {asked} questions were not answered: {}", self.failed, self.summary());
        if self.failed <= allowed {
            return Ok(Some(format!("{message}; the data is published without them, as `allow_errors` says")));
        }
        let help = "run again to ask just these; `allow_errors` publishes the data without so many of them, or a share";
        Err(PluginError::new(self.first_failure.unwrap_or(ErrorCode::Other), message).with_help(help))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_of_the_counts_adds_up_the_others() {
        let task = |task: &str, kept| TaskYield { task: task.to_owned(), asked: 3, kept, ..TaskYield::default() };
        assert_eq!(
            TaskYield::csv(&[task("navigate", 2), task("a, b", 1)]),
            "task,questions,asked,answered,right,kept,unsolved\nnavigate,0,3,0,0,2,0\n\"a, b\",0,3,0,0,1,0\n\
             total,0,6,0,0,3,0\n"
        );
    }
}
