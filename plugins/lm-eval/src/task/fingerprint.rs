//! What the samples of a task depend on, as a text.

use super::compile::Task;
use super::documents::Locate;
use crate::functions::source;
use crate::{Setting, TaskConfig};
use examiner_api::{Result, rows};

/// The version of the rules. It changes when the same task and rows could make other samples.
const RULES: u32 = 1;

/// Settings that change no sample and no judgement.
const WITHOUT_EFFECT: [&str; 5] =
    ["task_alias", "metadata", "should_decontaminate", "doc_to_decontamination_query", "tag"];

/// What the samples of a task depend on: its settings, the functions that they name, and the rows.
pub(super) fn of(config: &TaskConfig, task: &Task, with_shots: bool, locate: &Locate) -> Result<String> {
    let mut text = format!("{RULES}\n{}", settings_text(config));
    for function in task.functions() {
        text.push_str(&source(function));
    }
    let mut splits = Vec::from_iter(task.examined_split().ok());
    if with_shots {
        splits.extend(task.shots_split());
    }
    for split in splits {
        text.push_str(&rows::fingerprint(&locate(&task.source, split)?)?);
        text.push('\n');
    }
    Ok(text)
}

/// A task's name and settings as a text that no others have, without those that have no effect.
pub(crate) fn settings_text(config: &TaskConfig) -> String {
    let mut text = format!("{}\n", config.name);
    let mut settings: Vec<_> =
        config.settings.iter().filter(|(name, _)| !WITHOUT_EFFECT.contains(&name.as_str())).collect();
    settings.sort_by(|(left, _), (right, _)| left.cmp(right));
    for (name, setting) in settings {
        text.push_str(name);
        text.push('=');
        write(setting, &mut text);
        text.push('\n');
    }
    text
}

/// A setting as a text that no other setting has. Where a function's file lies does not matter.
fn write(setting: &Setting, text: &mut String) {
    match setting {
        Setting::Function(function) => text.push_str(&format!("!{:?}", function.name)),
        Setting::List(items) => {
            text.push('[');
            for item in items {
                write(item, text);
                text.push(',');
            }
            text.push(']');
        }
        Setting::Map(entries) => {
            text.push('{');
            for (key, value) in entries {
                text.push_str(&format!("{key:?}:"));
                write(value, text);
                text.push(',');
            }
            text.push('}');
        }
        plain => text.push_str(&format!("{plain:?}")),
    }
}
