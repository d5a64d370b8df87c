//! Decides one stage after the other.

use super::decide;
use super::other_runs::OtherRuns;
use super::tokens::tokens;
use super::{Action, Obstacle, Plan, Stage};
use crate::evaluate::{self, AskSample, Complete, EvaluateError, Prepared, Survey};
use crate::graph::{Pair, Producer, pairs, producers, selected};
use crate::host::Shared;
use crate::{parallel, stages};
use examiner_api::{ErrorCode, Model, ModelInfo, PluginError, Result};
use examiner_store::directory::journal_path;
use examiner_store::product::Damage;
use examiner_store::provenance::{Inputs, Provenance, StageRecord, Status, identity};
use std::collections::{BTreeSet, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Decides the stages of a suite, in the order in which they run.
pub struct Planner {
    shared: Arc<Shared>,
    /// The directory of the run that is continued, or compared with.
    directory: Option<PathBuf>,
    /// The names of suite and run.
    run: (String, String),
    earlier: Provenance,
    limit: Option<u64>,
    only: Vec<String>,
    /// Runs whose answers are used where this one has none.
    others: OtherRuns,
    producers: VecDeque<Producer>,
    pairs: VecDeque<Pair>,
    /// Stages that were decided and will have a product once they have run.
    ahead: BTreeSet<Producer>,
}

/// What is decided next.
pub enum Next {
    /// A stage with a product.
    Producer(ProducerStage),
    /// The stages of one model.
    Model(ModelStages),
}

/// A stage with a product, decided.
pub struct ProducerStage {
    /// Which one.
    pub producer: Producer,
    /// What is to be done.
    pub action: Action,
    /// What it depends on; empty where that is not known.
    pub inputs: Inputs,
    /// How it was in the earlier run.
    pub before: Option<StageRecord>,
}

/// A model, opened, and the datasets that it is examined on.
pub struct ModelStages {
    /// The model's name.
    pub name: String,
    /// The model, and what it says of itself.
    pub model: Result<(Box<dyn Model>, ModelInfo), Obstacle>,
    pairs: VecDeque<Pair>,
    /// Pairs that were decided side by side before the first is run.
    decided: VecDeque<Option<PairStage>>,
}

/// A model on a dataset, decided.
pub struct PairStage {
    /// Which ones.
    pub pair: Pair,
    /// What is to be done.
    pub action: Action,
    /// The record of the stage before anything is asked; without inputs where they are not known.
    pub record: StageRecord,
    /// What is to be asked, where it was counted.
    pub survey: Option<Survey>,
    /// Some of it, where it was counted alone.
    pub asks: Option<AskSample>,
    /// The other run whose answers are used, if there is one.
    pub from: Option<PathBuf>,
    /// What it takes to do it.
    pub execution: Execution,
}

/// What it takes to do what was decided for a pair.
pub enum Execution {
    /// The results are there.
    Complete(Box<Complete>),
    /// The model has to be asked.
    Ask(Box<Prepared>),
    /// It cannot be done.
    Nothing,
}

impl Planner {
    /// A planner of the stages that `only` selects. `directory` is the run that is continued, or compared with, and `run`
    /// the names of suite and run.
    pub fn new(
        shared: Arc<Shared>,
        directory: Option<&Path>,
        run: (String, String),
        limit: Option<u64>,
        only: &[String],
    ) -> Self {
        let suite = &shared.roles.suite;
        Planner {
            earlier: directory.and_then(Provenance::read).unwrap_or_default(),
            directory: directory.map(Path::to_owned),
            run,
            limit,
            only: only.to_vec(),
            others: OtherRuns::of(suite.reuse.as_deref(), directory),
            producers: producers(suite).into(),
            pairs: pairs(suite).into_iter().filter(|pair| selected(only, &pair.stage())).collect(),
            ahead: BTreeSet::new(),
            shared,
        }
    }

    /// Decides all stages without running any. Questions are counted.
    pub fn plan(mut self) -> Plan {
        let (mut stages, mut models) = (Vec::new(), Vec::new());
        while let Some(producer) = self.next_producer() {
            if producer.action != Action::Reuse && !producer.action.is_failure() {
                self.ahead.insert(producer.producer.clone());
            }
            stages.push(Stage {
                name: producer.producer.to_string(),
                model: None,
                identity: (!producer.inputs.is_empty()).then(|| identity(&producer.inputs)),
                action: producer.action,
                survey: None,
                tokens: None,
                from: None,
            });
        }
        self.shared.take_back();
        // One model is resident at a time, and only until it has said what it is.
        while let Some(mut model) = self.next_model() {
            let info = model.model.as_ref().map(|(_, info)| info);
            models.extend(info.ok().map(|info| (model.name.clone(), info.clone())));
            let pairs: Vec<Pair> = model.pairs.iter().cloned().collect();
            let decided = parallel::map(&pairs, |pair| {
                let decided = self.decide_pair(pair, info, true);
                let known = !decided.record.inputs.is_empty();
                let stage = Stage {
                    name: pair.stage(),
                    model: Some(pair.model.clone()),
                    identity: known.then(|| decided.record.identity.clone()),
                    action: decided.action,
                    survey: decided.survey,
                    tokens: None,
                    from: decided.from,
                };
                (stage, decided.asks)
            });
            for (mut stage, asks) in decided {
                if let (Ok((model, _)), Some(asks)) = (&mut model.model, asks) {
                    match tokens(&mut **model, &asks) {
                        Ok(tokens) => stage.tokens = Some(tokens),
                        // A run counts no tokens: it decides nothing.
                        Err(error) => {
                            let message = format!("{}: its tokens could not be counted: {error}", stage.name);
                            self.shared.progress.print(&message);
                        }
                    }
                }
                stages.push(stage);
            }
        }
        Plan { stages, models }
    }

    /// The next stages, decided by what is there now.
    pub fn decide_next(&mut self) -> Option<Next> {
        match self.next_producer() {
            Some(producer) => Some(Next::Producer(producer)),
            None => self.next_model().map(Next::Model),
        }
    }

    /// The next pair of a model, decided.
    pub fn next_pair(&self, model: &mut ModelStages) -> Option<PairStage> {
        let info = model.model.as_ref().map(|(_, info)| info);
        if model.decided.is_empty() {
            let pairs: Vec<Pair> = model.pairs.iter().cloned().collect();
            model.decided = parallel::map(&pairs, |pair| {
                // What was finished is counted side by side; the rest is opened one after the other.
                let before = self.earlier.stages.get(&pair.stage());
                before.filter(|before| before.status == Status::Complete && !self.shared.is_cancelled())?;
                let decided = self.decide_pair(pair, info, false);
                matches!(decided.execution, Execution::Complete(_)).then_some(decided)
            })
            .into();
        }
        let pair = model.pairs.pop_front()?;
        let decided = model.decided.pop_front().flatten();
        Some(decided.unwrap_or_else(|| self.decide_pair(&pair, info, false)))
    }

    fn next_producer(&mut self) -> Option<ProducerStage> {
        while let Some(producer) = self.producers.pop_front() {
            let mut before = self.earlier.stages.get(&producer.to_string()).cloned();
            let (product, checked) = self.check_product(before.as_mut());
            if !selected(&self.only, &producer.to_string()) {
                // A product that is there may be used by what is selected.
                if let (Some(product), Ok(())) = (product, checked) {
                    self.shared.roles.offer(producer.kind, &producer.name, product);
                }
                continue;
            }
            let (action, inputs) = self.decide_producer(&producer, before.as_ref(), checked);
            if let (Action::Reuse, Some(product)) = (&action, product) {
                self.shared.roles.offer(producer.kind, &producer.name, product);
            }
            return Some(ProducerStage { producer, action, inputs, before });
        }
        None
    }

    /// Where the product of an earlier run is, and whether it still is what it was.
    fn check_product(&self, before: Option<&mut StageRecord>) -> (Option<String>, Result<(), Damage>) {
        let (Some(before), Some(run)) = (before, &self.directory) else { return (None, Ok(())) };
        let path = before.product_path(run).map(|path| std::path::absolute(&path).unwrap_or(path));
        (path.map(|path| path.display().to_string()), before.check_product(run))
    }

    fn decide_producer(
        &self,
        producer: &Producer,
        before: Option<&StageRecord>,
        product: Result<(), Damage>,
    ) -> (Action, Inputs) {
        if let Some(stage) = self.waits_for(&producer.needs(&self.shared.roles.suite)) {
            return (Action::Blocked(Obstacle::Stage(stage)), Inputs::new());
        }
        match stages::inputs(&self.shared, producer, self.limit) {
            Ok(inputs) => (decide::producer(producer.kind, before, &inputs, product), inputs),
            Err(error) => (Action::Blocked(Obstacle::Error(error)), Inputs::new()),
        }
    }

    /// The first of these stages that has to run before.
    fn waits_for(&self, needed: &[Producer]) -> Option<String> {
        needed.iter().find(|needed| self.ahead.contains(*needed)).map(ToString::to_string)
    }

    fn next_model(&mut self) -> Option<ModelStages> {
        let name = self.pairs.front()?.model.clone();
        let count = self.pairs.iter().take_while(|pair| pair.model == name).count();
        let pairs: VecDeque<Pair> = self.pairs.drain(..count).collect();
        let suite = &self.shared.roles.suite;
        let model = match self.waits_for(&pairs.iter().flat_map(|pair| pair.model_needs(suite)).collect::<Vec<_>>()) {
            Some(stage) => Err(Obstacle::Stage(stage)),
            None => {
                let host = self.shared.host(&pairs[0].model_stage());
                self.shared.roles.model_with_info(&name, host).map_err(Obstacle::Error)
            }
        };
        Some(ModelStages { name, model, pairs, decided: VecDeque::new() })
    }

    /// `counted`: questions are counted, even where that decides nothing.
    fn decide_pair(&self, pair: &Pair, info: Result<&ModelInfo, &Obstacle>, counted: bool) -> PairStage {
        let obstacle = |obstacle, record| PairStage {
            pair: pair.clone(),
            action: Action::Blocked(obstacle),
            record,
            survey: None,
            asks: None,
            from: None,
            execution: Execution::Nothing,
        };
        let info = match info {
            Ok(info) => info,
            Err(why) => return obstacle(why.clone(), StageRecord::default()),
        };
        if let Some(stage) = self.waits_for(&pair.needs(&self.shared.roles.suite)) {
            return obstacle(Obstacle::Stage(stage), StageRecord::default());
        }
        let prepared = match evaluate::prepare(&self.shared, pair, info, self.limit) {
            Ok(prepared) => prepared,
            Err(error) => return obstacle(Obstacle::Error(error), StageRecord::default()),
        };
        let record = prepared.setup.record();
        match self.decide_prepared(pair, prepared, counted) {
            Ok(Decided { action, survey, asks, from, execution }) => {
                PairStage { pair: pair.clone(), action, record, survey, asks, from, execution }
            }
            Err(error) => obstacle(as_obstacle(error), record),
        }
    }

    fn decide_prepared(&self, pair: &Pair, mut prepared: Prepared, counted: bool) -> Result<Decided, EvaluateError> {
        let before = self.earlier.stages.get(&pair.stage());
        let inputs = prepared.setup.inputs().clone();
        let own = self.directory.as_ref();
        let own = own.map(|path| journal_path(path, &pair.model, &pair.dataset));
        // Records of another model or of other scorers cannot hold.
        let may_hold =
            before.is_none_or(|before| before.inputs.is_empty() || prepared.setup.shares_keys_with(&before.inputs));
        let is_new = own.as_ref().is_none_or(|path| !path.exists());
        let other = if is_new { self.others.journal(pair, &prepared.setup) } else { None };
        let journal = match (&other, own) {
            // Nothing is written where questions are counted alone.
            (Some(other), _) if counted => Some(other.path.clone()),
            (Some(other), Some(own)) => {
                other.copy(&own).map_err(EvaluateError::Storage)?;
                let (stage, run) = (pair.stage(), other.run.display());
                self.shared.progress.print(&format!("{stage}: begins with the answers of `{run}`"));
                Some(own)
            }
            (_, own) => own.filter(|path| may_hold && path.exists()),
        };
        let from = other.map(|other| other.run);
        if journal.is_none() && !counted {
            let action = Action::Run(decide::without_records(before, &inputs));
            let execution = Execution::Ask(Box::new(prepared));
            return Ok(Decided { action, survey: None, asks: None, from, execution });
        }
        let run = (self.run.0.as_str(), self.run.1.as_str());
        let review = evaluate::review(&self.shared, &mut prepared, journal.as_deref(), run, !counted)?;
        let action = decide::pair(before, &inputs, &review.survey, review.complete.is_some());
        let execution = match review.complete {
            // Nothing is carried out where questions are counted alone.
            Some(_) if counted => Execution::Nothing,
            Some(complete) => Execution::Complete(Box::new(complete.results(&prepared.setup)?)),
            None => Execution::Ask(Box::new(prepared)),
        };
        let asks = counted.then_some(review.asks);
        Ok(Decided { action, survey: Some(review.survey), asks, from, execution })
    }
}

/// What was decided for a pair that can be examined.
struct Decided {
    action: Action,
    survey: Option<Survey>,
    asks: Option<AskSample>,
    from: Option<PathBuf>,
    execution: Execution,
}

fn as_obstacle(error: EvaluateError) -> Obstacle {
    match (error.storage(), error) {
        (Some(storage), _) => Obstacle::Storage(storage),
        (None, EvaluateError::Role(error)) => Obstacle::Error(error),
        (None, other) => Obstacle::Error(PluginError::new(ErrorCode::Io, other.to_string())),
    }
}
