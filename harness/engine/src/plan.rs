//! What a suite means: its stages, which of them an earlier run has done already and why not the others, how many
//! requests they take, and what their datasets can show.

use crate::host::Shared;
use crate::parallel;
use crate::run::evaluate::{self, Pair, Survey};
use crate::run::order::makers;
use crate::run::{pairs, selected};
use examiner_api::{ModelInfo, PluginError, Result};
use examiner_store::provenance::{Inputs, Provenance, StageRecord, Status, identity};
use std::path::Path;
use std::sync::Arc;

/// A stage, and what is to be done for it.
pub struct Stage {
    /// Its name: `evaluate/original/gsm8k`.
    pub name: String,
    /// Hash of what it depends on, where that is known before other stages have run.
    pub identity: Option<String>,
    /// What is to be done.
    pub state: State,
    /// Its questions and requests, where it has any.
    pub survey: Option<Survey>,
}

/// What is to be done for a stage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// Nothing: an earlier run did it.
    Reuse,
    /// Everything or the rest, and why.
    Run(String),
    /// It cannot run, and why.
    Fail(String),
}

/// Plans a suite. `directory` is the run that would go on, or the last one of the suite.
pub fn plan(shared: &Arc<Shared>, directory: Option<&Path>, limit: Option<u64>, only: &[String]) -> Vec<Stage> {
    let earlier = directory.and_then(Provenance::read).unwrap_or_default();
    let suite = &shared.roles.suite;
    let mut stages = Vec::new();
    for (kind, name) in makers(suite) {
        let stage = format!("{kind}/{name}");
        if selected(only, &stage) {
            stages.push(maker(shared, kind, &name, stage, &earlier, limit));
        }
    }
    let pairs: Vec<Pair> = pairs(suite).into_iter().filter(|pair| selected(only, &pair.stage())).collect();
    // One model is resident at a time, and only until it has said what it is.
    for of_model in pairs.chunk_by(|one, other| one.model == other.model) {
        let host = shared.host(&of_model[0].model_stage());
        let info = shared.roles.model_with_info(&of_model[0].model, host).map(|(_, info)| info);
        let examined = parallel::map(of_model, |pair| {
            let info = info.as_ref().map_err(Clone::clone);
            examination(shared, pair, info, directory, &earlier, limit, &stages)
        });
        stages.extend(examined);
    }
    stages
}

fn maker(
    shared: &Arc<Shared>,
    kind: examiner_suite::StageKind,
    name: &str,
    stage: String,
    earlier: &Provenance,
    limit: Option<u64>,
) -> Stage {
    let before = earlier.stages.get(&stage);
    let (identity, state) = match crate::run::maker_inputs(shared, kind, name, limit) {
        Ok(inputs) => (Some(identity(&inputs)), judge(before, &inputs, None)),
        // What it depends on is made by a stage before it.
        Err(error) => (None, State::Run(format!("after what it needs ({})", error.message))),
    };
    if state == State::Reuse
        && let Some(product) = before.and_then(|before| before.product.clone())
    {
        shared.roles.offer(kind, name, product);
    }
    Stage { name: stage, identity, state, survey: None }
}

fn examination(
    shared: &Arc<Shared>,
    pair: &Pair,
    info: Result<&ModelInfo>,
    directory: Option<&Path>,
    earlier: &Provenance,
    limit: Option<u64>,
    stages: &[Stage],
) -> Stage {
    let name = pair.stage();
    let journal = directory.map(|path| path.join("journal").join(&pair.model).join(format!("{}.jsonl", pair.dataset)));
    let surveyed = info.and_then(|info| {
        let prepared = evaluate::prepare(shared, pair, info, limit)?;
        let inputs = prepared.inputs.clone();
        let survey = evaluate::survey(prepared, journal.as_deref())
            .map_err(|error| PluginError::bad_input(error.to_string()))?;
        Ok((inputs, survey))
    });
    match surveyed {
        Ok((inputs, survey)) => {
            let state = judge(earlier.stages.get(&name), &inputs, Some(&survey));
            Stage { name, identity: Some(identity(&inputs)), state, survey: Some(survey) }
        }
        Err(error) => {
            let waits = stages.iter().any(|stage| matches!(stage.state, State::Run(_)) && stage.survey.is_none());
            let state = match waits && error.message.ends_with("has not been made") {
                true => State::Run(format!("after what it needs ({})", error.message)),
                false => State::Fail(error.to_string()),
            };
            Stage { name, identity: None, state, survey: None }
        }
    }
}

/// What is to be done, given how the stage stood before and what it depends on now.
fn judge(before: Option<&StageRecord>, inputs: &Inputs, survey: Option<&Survey>) -> State {
    let Some(before) = before else { return State::Run("new".to_owned()) };
    let changed: Vec<&str> = inputs
        .keys()
        .chain(before.inputs.keys().filter(|name| !inputs.contains_key(*name)))
        .filter(|name| inputs.get(*name) != before.inputs.get(*name))
        .map(String::as_str)
        .collect();
    let done = survey.map_or(before.status == Status::Complete, |survey| survey.reused == survey.questions);
    match (changed.is_empty(), done, survey) {
        (_, true, Some(_)) | (true, true, None) => State::Reuse,
        (false, _, Some(survey)) if survey.reused > 0 => {
            State::Run(format!("changed: {}; {} records still hold", changed.join(", "), survey.reused))
        }
        (false, _, _) => State::Run(format!("changed: {}", changed.join(", "))),
        (true, _, Some(survey)) => State::Run(format!("{} of {} done", survey.reused, survey.questions)),
        (true, _, None) => State::Run("was not finished".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inputs(model: &str) -> Inputs {
        Inputs::from([("dataset".to_owned(), "d".to_owned()), ("model".to_owned(), model.to_owned())])
    }

    fn before(status: Status) -> StageRecord {
        StageRecord { status, inputs: inputs("m"), ..StageRecord::default() }
    }

    #[test]
    fn says_what_has_changed() {
        let survey = |reused| Survey { questions: 10, requests: 10 - reused, reused };
        let state = |before: Option<&StageRecord>, model, reused| judge(before, &inputs(model), Some(&survey(reused)));
        assert_eq!(state(None, "m", 0), State::Run("new".into()));
        assert_eq!(state(Some(&before(Status::Complete)), "m", 10), State::Reuse);
        assert_eq!(state(Some(&before(Status::Interrupted)), "m", 4), State::Run("4 of 10 done".into()));
        assert_eq!(state(Some(&before(Status::Complete)), "n", 0), State::Run("changed: model".into()));
        assert_eq!(judge(Some(&before(Status::Complete)), &inputs("m"), None), State::Reuse);
    }
}
