//! Opens what a pair needs, and says what its results depend on.

use super::Pair;
use super::questions::Prompter;
use crate::host::Shared;
use examiner_api::{Dataset, ErrorCode, ModelInfo, PluginError, Result, RoleKind, Scorer, ScorerInfo};
use examiner_store::provenance::Inputs;
use examiner_suite::{DatasetSpec, ScorerSpec};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A dataset with its scorers, opened for one model.
pub struct Prepared {
    pub(super) dataset: Box<dyn Dataset>,
    pub(super) scorers: Scorers,
    pub(super) prompter: Prompter,
    pub(super) spec: DatasetSpec,
    pub(super) limit: Option<u64>,
    /// What the results depend on.
    pub inputs: Inputs,
    /// Questions, where it is known before reading them.
    pub questions: Option<u64>,
    /// The dataset's version of the prompt.
    pub version: String,
    pub(super) macro_average: bool,
}

/// Opens the dataset and its scorers, and checks that the model can do what they ask.
pub fn prepare(shared: &Arc<Shared>, pair: &Pair, model: &ModelInfo, limit: Option<u64>) -> Result<Prepared> {
    let mut prepared = prepare_judging(shared, pair, model.reads_turns, limit)?;
    for scorer in &prepared.scorers.list {
        check_abilities(&pair.model, model, &scorer.label, &scorer.info)?;
    }
    let spec = shared.roles.suite.models.get(&pair.model);
    let plugin = spec.map(|spec| spec.plugin.as_str()).unwrap_or_default();
    prepared.inputs.insert("model".to_owned(), model.fingerprint.clone());
    prepared.inputs.insert("model plugin".to_owned(), shared.roles.build(RoleKind::Model, plugin)?);
    Ok(prepared)
}

/// Opens the dataset and its scorers for a model of which no more is known than whether it reads turns. What the results
/// depend on of the model is not among the inputs.
pub(super) fn prepare_judging(
    shared: &Arc<Shared>,
    pair: &Pair,
    reads_turns: bool,
    limit: Option<u64>,
) -> Result<Prepared> {
    let spec = dataset_spec(shared, &pair.dataset)?.clone();
    prepare_dataset(shared, pair, spec, reads_turns, limit)
}

/// What the suite says of a dataset.
pub(super) fn dataset_spec<'a>(shared: &'a Shared, name: &str) -> Result<&'a DatasetSpec> {
    let missing = || PluginError::not_found(format!("the suite has no dataset named `{name}`"));
    shared.roles.suite.datasets.get(name).ok_or_else(missing)
}

/// As [`prepare_judging`], whatever the suite says of the dataset.
pub(super) fn prepare_dataset(
    shared: &Arc<Shared>,
    pair: &Pair,
    spec: DatasetSpec,
    reads_turns: bool,
    limit: Option<u64>,
) -> Result<Prepared> {
    let stage = pair.stage();
    let roles = &shared.roles;
    let mut dataset = roles.open_dataset(&spec.plugin, &spec.options, shared.host(&stage))?;
    let info = dataset.info()?;
    let pool = if spec.shots.unwrap_or(0) > 0 { dataset.few_shot_pool()? } else { Vec::new() };
    let seed = roles.suite.seed;
    let prompter = Prompter::new(&spec, &info, pool, seed, reads_turns)?;

    let specs = match (pair.scorers.is_empty(), spec.scorers.is_empty(), &info.scorer) {
        (false, _, _) => pair.scorers.clone(),
        (true, false, _) => spec.scorers.clone(),
        (true, true, Some(name)) => {
            vec![ScorerSpec { name: name.clone(), label: name.clone(), options: info.scorer_options.clone() }]
        }
        (true, true, None) => {
            return Err(PluginError::bad_options(format!("dataset `{}` names no scorer", pair.dataset))
                .with_help("add `scorer: perplexity-choice` or `scorer: answer-extraction` to it in the suite"));
        }
    };
    let mut inputs = Inputs::new();
    let mut list = Vec::new();
    for spec in specs {
        let role = roles.scorer(&spec, shared.host(&stage))?;
        let info = role.info()?;
        let build = roles.build(RoleKind::Scorer, &spec.name)?;
        inputs.insert(format!("scorer {}", spec.label), format!("{build} {}", info.fingerprint));
        list.push(OpenScorer { label: spec.label, info, role: Mutex::new(role) });
    }
    inputs.insert("dataset".to_owned(), info.fingerprint.clone());
    inputs.insert("dataset plugin".to_owned(), roles.build(RoleKind::Dataset, &spec.plugin)?);
    inputs.insert("prompting".to_owned(), prompter.fingerprint());
    let limit = limit.or(spec.limit);
    inputs.insert("limit".to_owned(), format!("{limit:?}"));
    inputs.insert("repeats".to_owned(), spec.repeats.to_string());
    let questions = info
        .rows
        .map(|rows| limit.map_or(rows, |limit| rows.min(limit)) * u64::from(spec.repeats))
        .filter(|rows| *rows > 0);
    let scorers = Scorers { list };
    Ok(Prepared {
        dataset,
        scorers,
        prompter,
        spec,
        limit,
        inputs,
        questions,
        version: info.version,
        macro_average: info.macro_average,
    })
}

fn check_abilities(name: &str, model: &ModelInfo, scorer: &str, info: &ScorerInfo) -> Result<()> {
    let lacks = match (info.asks_score && !model.can_score, info.asks_generate && !model.can_generate) {
        (true, _) => "log-likelihoods, which model",
        (_, true) => "generated answers, which model",
        _ => return Ok(()),
    };
    Err(PluginError::unsupported(format!("scorer `{scorer}` asks for {lacks} `{name}` cannot give"))
        .with_help("use another scorer for this dataset, or leave the model out of it"))
}

/// The scorers of a pair.
pub(super) struct Scorers {
    pub(super) list: Vec<OpenScorer>,
}

pub(super) struct OpenScorer {
    pub(super) label: String,
    pub(super) info: ScorerInfo,
    role: Mutex<Box<dyn Scorer>>,
}

impl OpenScorer {
    pub(super) fn lock(&self) -> MutexGuard<'_, Box<dyn Scorer>> {
        self.role.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn broke(&self, found: String) -> PluginError {
        PluginError::new(ErrorCode::Protocol, format!("scorer `{}` returned {found}", self.label))
    }
}
