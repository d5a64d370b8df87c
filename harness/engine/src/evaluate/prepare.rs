//! Opens what a pair needs, and says what its results depend on.

use super::open_scorer::OpenScorer;
use super::questions::Prompter;
use crate::declared;
use crate::graph::Pair;
use crate::host::Shared;
use examiner_api::{Ask, Dataset, ModelInfo, PluginError, Result, RoleKind, ScorerInfo, SubsetGroup};
use examiner_store::aggregate::{Aggregate, Examination};
use examiner_store::provenance::{Inputs, StageRecord, identity};
use examiner_store::summary::SummaryRow;
use examiner_suite::{DatasetSpec, OnTruncation, ScorerSpec};
use std::sync::Arc;

/// A dataset, opened, with all that is known of how it is examined.
pub struct Prepared {
    pub(crate) dataset: Box<dyn Dataset>,
    pub(crate) setup: Setup,
}

/// How one model is examined on one dataset: all but the dataset itself. It does not change while samples are read.
pub(crate) struct Setup {
    pub(crate) pair: Pair,
    pub(crate) scorers: Vec<OpenScorer>,
    pub(super) prompter: Prompter,
    pub(super) repeats: u32,
    pub(super) limit: Option<u64>,
    pub(super) on_truncation: OnTruncation,
    /// Whether the model is spoken to through a chat template.
    pub(super) speaks_chat: bool,
    /// Whether the model scores texts in windows.
    pub(super) scores_windows: bool,
    seed: u64,
    /// What the results depend on.
    inputs: Inputs,
    /// Hash of the inputs that every record depends on: model and scorers.
    base: blake3::Hash,
    /// Questions, where it is known before reading them.
    pub(crate) questions: Option<u64>,
    /// How many samples the dataset declares.
    pub(super) rows: Option<u64>,
    /// The dataset's version of the prompt.
    pub(crate) version: String,
    macro_average: bool,
    groups: Vec<SubsetGroup>,
}

/// Opens the dataset and its scorers, and checks that the model can do what they ask.
pub fn prepare(shared: &Arc<Shared>, pair: &Pair, model: &ModelInfo, limit: Option<u64>) -> Result<Prepared> {
    declared::fingerprint(RoleKind::Model, &pair.model, &model.fingerprint)?;
    let mut prepared = prepare_judging(shared, pair, model.reads_turns, limit)?;
    for scorer in &prepared.setup.scorers {
        check_abilities(&pair.model, model, &scorer.label, &scorer.info)?;
    }
    prepared.setup.speaks_chat = model.details.get("chat").is_some_and(serde_json::Value::is_object);
    prepared.setup.scores_windows = model.scores_windows;
    let spec = shared.roles.suite.models.get(&pair.model);
    let plugin = spec.map(|spec| spec.plugin.as_str()).unwrap_or_default();
    prepared.setup.add_inputs([
        ("model".to_owned(), model.fingerprint.clone()),
        ("model plugin".to_owned(), shared.roles.build(RoleKind::Model, plugin)?),
    ]);
    Ok(prepared)
}

/// Opens the dataset and its scorers for a model of which no more is known than whether it reads turns. What the results
/// depend on of the model is not among the inputs.
pub(crate) fn prepare_judging(
    shared: &Arc<Shared>,
    pair: &Pair,
    reads_turns: bool,
    limit: Option<u64>,
) -> Result<Prepared> {
    let spec = dataset_spec(shared, &pair.dataset)?.clone();
    prepare_dataset(shared, pair, &spec, reads_turns, limit)
}

/// What the suite says of a dataset.
pub(crate) fn dataset_spec<'a>(shared: &'a Shared, name: &str) -> Result<&'a DatasetSpec> {
    let missing = || PluginError::not_found(format!("the suite has no dataset named `{name}`"));
    shared.roles.suite.datasets.get(name).ok_or_else(missing)
}

/// As [`prepare_judging`], whatever the suite says of the dataset.
pub(crate) fn prepare_dataset(
    shared: &Arc<Shared>,
    pair: &Pair,
    spec: &DatasetSpec,
    reads_turns: bool,
    limit: Option<u64>,
) -> Result<Prepared> {
    let stage = pair.stage();
    let roles = &shared.roles;
    let options = roles.located(&["datasets", &pair.dataset], &spec.options);
    let mut dataset = roles.open_dataset(&spec.plugin, &options, shared.host(&stage))?;
    let info = dataset.info()?;
    declared::fingerprint(RoleKind::Dataset, &pair.dataset, &info.fingerprint)?;
    declared::groups(&pair.dataset, &info.groups)?;
    let pool = if spec.shots.unwrap_or(0) > 0 { dataset.few_shot_pool()? } else { Vec::new() };
    let seed = roles.suite.seed;
    let prompter = Prompter::new(spec, &info, pool, seed, reads_turns)?;

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
    let limit = limit.or(spec.limit);
    let mut inputs = Inputs::from([
        ("dataset".to_owned(), info.fingerprint.clone()),
        ("dataset plugin".to_owned(), roles.build(RoleKind::Dataset, &spec.plugin)?),
        ("prompting".to_owned(), prompter.fingerprint()?),
        ("limit".to_owned(), limit.map_or_else(|| "none".to_owned(), |limit| limit.to_string())),
        ("repeats".to_owned(), spec.repeats.to_string()),
    ]);
    let mut scorers = Vec::new();
    for spec in specs {
        let role = roles.scorer(&spec, shared.host(&stage))?;
        let info = role.info()?;
        declared::scorer(&spec.label, &info)?;
        let build = roles.build(RoleKind::Scorer, &spec.name)?;
        inputs.insert(format!("scorer {}", spec.label), format!("{build} {}", info.fingerprint));
        let deaths_max = roles.suite.isolate.clone().unwrap_or_default().deaths;
        scorers.push(OpenScorer::new(spec.label, info, role, deaths_max));
    }
    let questions = info
        .rows
        .map(|rows| limit.map_or(rows, |limit| rows.min(limit)) * u64::from(spec.repeats))
        .filter(|rows| *rows > 0);
    let base = base_key(&inputs);
    let setup = Setup {
        pair: pair.clone(),
        scorers,
        prompter,
        repeats: spec.repeats.max(1),
        limit,
        on_truncation: roles.suite.on_truncation,
        speaks_chat: false,
        scores_windows: false,
        seed,
        inputs,
        base,
        questions,
        rows: info.rows,
        version: info.version,
        macro_average: info.macro_average,
        groups: info.groups,
    };
    Ok(Prepared { dataset, setup })
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

/// Hash of what all records of a pair share.
fn base_key(inputs: &Inputs) -> blake3::Hash {
    let mut base = blake3::Hasher::new();
    for (name, value) in inputs.iter().filter(|(name, _)| name.starts_with("model") || name.starts_with("scorer")) {
        base.update(format!("{name}\0{value}\0").as_bytes());
    }
    base.finalize()
}

impl Setup {
    /// What the results depend on.
    pub(crate) fn inputs(&self) -> &Inputs {
        &self.inputs
    }

    /// Adds what the results depend on besides.
    pub(crate) fn add_inputs(&mut self, inputs: impl IntoIterator<Item = (String, String)>) {
        self.inputs.extend(inputs);
        self.base = base_key(&self.inputs);
    }

    /// Makes the keys of records those of an examination with these inputs.
    pub(crate) fn with_keys_of(&mut self, inputs: &Inputs) {
        self.base = base_key(inputs);
    }

    /// Whether records of an examination with these inputs may have the keys of this one.
    pub(crate) fn shares_keys_with(&self, inputs: &Inputs) -> bool {
        self.base == base_key(inputs)
    }

    /// Refuses what the model would have to say that it can do, and does not: a plugin that knows nothing of it could not even read the
    /// request.
    pub(super) fn check_spans(&self, asks: &[Ask]) -> Result<()> {
        let windowed = asks.iter().find_map(|ask| match ask {
            Ask::Score { span, .. } if span.is_windowed() => Some(*span),
            _ => None,
        });
        match windowed {
            Some(span) if !self.scores_windows => Err(span.unsupported()),
            _ => Ok(()),
        }
    }

    pub(super) fn base(&self) -> &[u8] {
        self.base.as_bytes()
    }

    /// The first line of the pair's journal.
    pub(super) fn journal_header(&self) -> serde_json::Value {
        serde_json::json!({ "format": 1, "model": self.pair.model, "dataset": self.pair.dataset })
    }

    /// The record of the stage before anything is asked.
    pub(crate) fn record(&self) -> StageRecord {
        let inputs = self.inputs.clone();
        StageRecord { identity: identity(&inputs), inputs, version: self.version.clone(), ..StageRecord::default() }
    }

    /// An aggregate without records. `run` is the names of suite and run.
    pub(crate) fn aggregate(&self, shared: &Shared, run: (&str, &str)) -> Box<dyn Aggregate> {
        shared.reporter.aggregate(Examination {
            suite: run.0.to_owned(),
            run: run.1.to_owned(),
            model: self.pair.model.clone(),
            dataset: self.pair.dataset.clone(),
            scorers: self.scorers.iter().map(|scorer| (scorer.label.clone(), scorer.info.clone())).collect(),
            seed: self.seed,
            version: self.version.clone(),
            macro_average: self.macro_average,
            groups: self.groups.clone(),
        })
    }

    /// The rows of `summary.csv`.
    pub(crate) fn rows(&self, totals: &dyn Aggregate, seconds: f64) -> Result<Vec<SummaryRow>> {
        totals.rows(seconds, &|label, metric, statistics| {
            let scorer = self.scorers.iter().find(|scorer| scorer.label == label);
            let missing = || PluginError::not_found(format!("no scorer `{label}`"));
            scorer.ok_or_else(missing)?.corpus(metric, statistics)
        })
    }
}
