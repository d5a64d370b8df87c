//! Clauses of models.

mod counting;
mod endurance;
mod generating;
mod greedy;
mod scoring;

use super::asking::{self, good};
use super::bench::{Opened, Subject};
use super::clause::*;
use super::prompts::{Prompt, greedy, prompts};
use super::report::{Findings, Held, is_of_the_world};
use examiner_api::{BatchInvariance, ErrorCode, GenerateResult, Model, ModelInfo, PluginError, Result, ScoreResult};

/// A model under check, and what it is asked.
struct Session {
    model: Box<dyn Model>,
    info: ModelInfo,
    prompts: Vec<Prompt>,
}

/// What a model first answered to all prompts.
struct First {
    scores: Vec<Result<ScoreResult>>,
    answers: Vec<Result<GenerateResult>>,
}

/// Tokens of most answers that are asked for.
const TOKENS: u32 = 12;

const SCORING: [&Clause; 6] = [
    &MODEL_SCORE_NUMBERS,
    &MODEL_SCORE_COUNTS,
    &MODEL_SCORE_BATCH,
    &MODEL_WHOLE_TEXT,
    &MODEL_CHOICE_PROBABILITIES,
    &MODEL_EMPTY_CONTEXT,
];
const GENERATING: [&Clause; 4] = [&MODEL_STOP_STRINGS, &MODEL_MAX_NEW_TOKENS, &MODEL_SEED, &MODEL_GENERATE_BATCH];

/// Holds a model against its clauses. `name` is its name in the suite, if it is of one.
pub(super) fn check(
    subject: &Subject<'_>,
    opened: Opened,
    name: Option<&str>,
    findings: &mut Findings<'_>,
) -> Result<()> {
    let prompts = prompts(subject.bench.shared, name);
    let Opened { role, memory } = opened;
    let model = Opened { role, memory: None }.model()?;
    let info = model.info()?;
    let mut session = Session { model, info, prompts };
    let Some(first) = session.first(findings) else { return Ok(()) };
    let scores = good(&first.scores).next().is_some();
    let answers = good(&first.answers).next().is_some();
    if scores {
        scoring::check(&mut session, &first.scores, findings);
    }
    if answers {
        generating::check(&mut session, &first.answers, findings);
    }
    match scores && answers {
        true => findings.add_result(&MODEL_IS_GREEDY, greedy::check(&mut session)),
        false => findings.add(&MODEL_IS_GREEDY, Held::Skipped("it takes a model that scores and generates".to_owned())),
    }
    if scores || answers {
        findings.add_result(&MODEL_COUNT_TOKENS, counting::check(&mut session, &first));
        findings.add_result(&MODEL_CANCELLATION, endurance::cancellation(&mut session, answers));
        findings.add_result(&MODEL_MEMORY, endurance::memory(&mut session, memory.as_ref(), scores));
    }
    let why = |can: bool| match can {
        true => "no request of the check got a result",
        false => "the model says that it cannot",
    };
    if !scores {
        findings.skip_rest(SCORING.into_iter(), why(session.info.can_score));
    }
    if !answers {
        findings.skip_rest(GENERATING.into_iter(), why(session.info.can_generate));
    }
    Ok(())
}

impl Session {
    /// Asks everything once, in one batch. None where nothing can be relied upon.
    fn first(&mut self, findings: &mut Findings<'_>) -> Option<First> {
        if !(self.info.can_score || self.info.can_generate) {
            findings.add(&MODEL_ANSWERS, Held::No("expected `can_score` or `can_generate`, found neither".to_owned()));
            return None;
        }
        let asked = self.ask_all();
        let (held, first) = match asked {
            Err(error) if error.code == ErrorCode::Protocol => {
                findings.add(
                    &MODEL_IDS_ONCE,
                    Held::No(format!("expected one answer to each request, found: {}", error.message)),
                );
                return None;
            }
            Err(error) if is_of_the_world(&error) => (Held::Skipped(format!("it could not be asked: {error}")), None),
            Err(error) => (Held::No(format!("expected answers, found that the call failed: {error}")), None),
            Ok(first) => (self.answered(&first), Some(first)),
        };
        findings.add(&MODEL_ANSWERS, held);
        let first = first?;
        let alone = self.ask_alone();
        let held = match alone {
            Err(error) if error.code == ErrorCode::Protocol => {
                Held::No(format!("expected one answer to a request alone, found: {}", error.message))
            }
            Err(error) if is_of_the_world(&error) => Held::Skipped(format!("it could not be asked: {error}")),
            Err(error) => Held::No(format!("expected an answer to a request alone, found: {error}")),
            Ok(()) => Held::Yes(format!("{} requests have one answer each, together and alone", self.prompts.len())),
        };
        let goes_on = matches!(held, Held::Yes(_));
        findings.add(&MODEL_IDS_ONCE, held);
        goes_on.then_some(first)
    }

    fn ask_all(&mut self) -> Result<First> {
        let mut first = First { scores: Vec::new(), answers: Vec::new() };
        if self.info.can_score {
            first.scores = asking::score(&mut *self.model, self.prompts.iter().map(Prompt::score).collect())?;
        }
        if self.info.can_generate {
            let requests = self.prompts.iter().map(|prompt| prompt.generate(&greedy(TOKENS))).collect();
            first.answers = asking::generate(&mut *self.model, requests)?;
        }
        Ok(first)
    }

    fn ask_alone(&mut self) -> Result<()> {
        let prompt = self.prompts[0].clone();
        if self.info.can_score {
            asking::score(&mut *self.model, vec![prompt.score()])?;
        }
        if self.info.can_generate {
            asking::generate(&mut *self.model, vec![prompt.generate(&greedy(TOKENS))])?;
        }
        Ok(())
    }

    /// Whether each kind of request that the model takes had a result.
    fn answered(&self, first: &First) -> Held {
        fn error<T>(results: &[Result<T>]) -> Option<&PluginError> {
            if results.iter().any(Result::is_ok) {
                None
            } else {
                results.iter().find_map(|result| result.as_ref().err())
            }
        }
        let kinds = [("log-likelihood", error(&first.scores)), ("answer", error(&first.answers))];
        match kinds.into_iter().find_map(|(kind, error)| Some((kind, error?))) {
            None => Held::Yes("there are results of each kind that the model has".to_owned()),
            Some((kind, error)) if is_of_the_world(error) || error.code == ErrorCode::BadInput => Held::Skipped(
                format!("no {kind} to the questions of the check: {error}; `--suite` asks those of a suite's dataset"),
            ),
            Some((kind, error)) => Held::No(format!("expected a {kind}, found an error for every request: {error}")),
        }
    }

    /// How far two log-likelihoods of one text may be from each other, in nats; none where the model promises nothing.
    fn tolerance(&self) -> Option<f64> {
        match self.info.batch_invariance {
            BatchInvariance::Exact => Some(0.0),
            BatchInvariance::Within(nats) => Some(nats),
            BatchInvariance::NotPromised => None,
        }
    }
}

/// What the model answers to a few requests: compared between options.
pub(super) fn behaviour(opened: Opened, prompts: &[Prompt]) -> Result<Option<Vec<u8>>> {
    let mut model = opened.model()?;
    let info = model.info()?;
    if info.batch_invariance != BatchInvariance::Exact {
        return Ok(None);
    }
    let few = &prompts[..prompts.len().min(4)];
    let scores = match info.can_score {
        true => asking::score(&mut *model, few.iter().map(Prompt::score).collect())?,
        false => Vec::new(),
    };
    let answers = match info.can_generate {
        true => asking::generate(&mut *model, few.iter().map(|prompt| prompt.generate(&greedy(8))).collect())?,
        false => Vec::new(),
    };
    let scores: Vec<_> =
        scores.into_iter().map(|result| result.ok().map(|score| (score.sum, score.is_greedy))).collect();
    let answers: Vec<_> = answers.into_iter().map(|result| result.ok().map(|answer| answer.text)).collect();
    examiner_api::wire::encode(&(scores, answers)).map(Some)
}
