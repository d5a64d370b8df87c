//! The names of the tasks, and which of them are meant.

use examiner_api::{PluginError, Result, schemars};
use serde::{Deserialize, Serialize};

/// All tasks of the benchmark, in alphabetical order.
pub const TASKS: [&str; 27] = [
    "boolean_expressions",
    "causal_judgement",
    "date_understanding",
    "disambiguation_qa",
    "dyck_languages",
    "formal_fallacies",
    "geometric_shapes",
    "hyperbaton",
    "logical_deduction_five_objects",
    "logical_deduction_seven_objects",
    "logical_deduction_three_objects",
    "movie_recommendation",
    "multistep_arithmetic_two",
    "navigate",
    "object_counting",
    "penguins_in_a_table",
    "reasoning_about_colored_objects",
    "ruin_names",
    "salient_translation_error_detection",
    "snarks",
    "sports_understanding",
    "temporal_sequences",
    "tracking_shuffled_objects_five_objects",
    "tracking_shuffled_objects_seven_objects",
    "tracking_shuffled_objects_three_objects",
    "web_of_lies",
    "word_sorting",
];

/// Which tasks are meant: `all`, `found`, or a list of names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[schemars(crate = "examiner_api::schemars")]
#[serde(untagged, expecting = "expected `all`, `found` or a list of tasks")]
pub enum Tasks {
    /// By a word.
    Word(Word),
    /// These, in this order.
    Named(Vec<TaskName>),
}

/// Many tasks at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[schemars(crate = "examiner_api::schemars")]
#[serde(rename_all = "lowercase")]
pub enum Word {
    /// The 27 tasks of the benchmark; one that is missing is an error.
    All,
    /// Every task of which there is a file in the directory `path`, under any name: for tasks of one's own in the
    /// benchmark's form.
    Found,
}

/// The name of a task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[schemars(crate = "examiner_api::schemars", extend("enum" = TASKS))]
pub struct TaskName(pub String);

impl Default for Tasks {
    fn default() -> Self {
        Tasks::Word(Word::All)
    }
}

impl Tasks {
    /// The tasks that are meant; `found` are those in the directory.
    ///
    /// # Errors
    /// A name is not a task's, stands twice, or there is none.
    pub(crate) fn chosen(&self, found: impl FnOnce() -> Result<Vec<String>>) -> Result<Vec<String>> {
        let names = match self {
            Tasks::Word(Word::All) => return Ok(TASKS.map(str::to_owned).to_vec()),
            Tasks::Word(Word::Found) => return found(),
            Tasks::Named(names) => names,
        };
        let mut chosen = Vec::with_capacity(names.len());
        for TaskName(name) in names {
            let task = TASKS.into_iter().find(|task| task == name).ok_or_else(|| unknown(name))?;
            if chosen.iter().any(|known| known == task) {
                return Err(PluginError::bad_options(format!("`tasks` names `{task}` twice")));
            }
            chosen.push(task.to_owned());
        }
        if chosen.is_empty() {
            return Err(PluginError::bad_options("`tasks` names no task").with_help("name some, or write `tasks: all`"));
        }
        Ok(chosen)
    }
}

fn unknown(name: &str) -> PluginError {
    let nearest = TASKS.into_iter().min_by_key(|task| strsim::damerau_levenshtein(task, name)).unwrap_or_default();
    let error = PluginError::bad_options(format!("there is no task `{name}`, did you mean `{nearest}`?"));
    error.with_help(format!("tasks are {}", TASKS.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn chosen(written: Value) -> Result<Vec<String>> {
        let found = || Ok(vec!["of_my_own".to_owned()]);
        serde_json::from_value::<Tasks>(written).unwrap().chosen(found)
    }

    #[test]
    fn all_or_some() {
        assert_eq!(chosen(json!("all")).unwrap(), TASKS);
        assert_eq!(chosen(json!("found")).unwrap(), ["of_my_own"]);
        assert_eq!(chosen(json!(["snarks", "navigate"])).unwrap(), ["snarks", "navigate"]);
        assert!(TASKS.is_sorted());
    }

    #[test]
    fn an_unknown_task_is_reported_with_the_nearest() {
        let error = chosen(json!(["navigat"])).unwrap_err();
        assert_eq!(error.message, "there is no task `navigat`, did you mean `navigate`?");
        assert!(error.help.unwrap().contains("word_sorting"));
        assert!(chosen(json!(["snarks", "snarks"])).is_err());
        assert!(chosen(json!([])).is_err());
        assert!(serde_json::from_value::<Tasks>(json!("some")).is_err());
    }
}
