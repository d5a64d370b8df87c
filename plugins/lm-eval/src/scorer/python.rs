//! Tasks that Python runs: what they ask, and what the answers are worth.

use super::judging::Judged;
use super::metric_name;
use super::packed::{pack, unpack};
use super::requests::merged;
use super::statistics::{Statistic, of_value};
use crate::python_tasks::{Answers, Asked, Interpreter, Request, RequestKind, Session, TaskCall, decoded};
use crate::spec::{AggregationSpec, MetricSpec, PythonSpec, TaskSpec};
use examiner_api::{
    Answer, Answered, Ask, ErrorCode, Host, PluginError, Question, Result, Sample, Sampling, Span, Turn,
};
use serde_json::{Value as Json, json};
use std::sync::{Arc, Mutex, PoisonError};

/// So often may Python end while it judges, one time after the other, before it is not started again.
const ENDS_MAX: u32 = 3;

/// The Python of a scorer, started when it is first needed.
pub(super) struct Python {
    interpreter: Option<Interpreter>,
    host: Host,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    session: Option<Session>,
    /// How often it has ended since a document was judged.
    ends: u32,
}

impl Python {
    /// One that is not started yet.
    pub(super) fn new(interpreter: Option<Interpreter>, host: Host) -> Self {
        Python { interpreter, host, state: Mutex::default() }
    }

    /// Judges the answers to one question. The inner error is that of the sample, the outer one that of all.
    pub(super) fn judge(
        &self,
        task: &TaskSpec,
        python: &PythonSpec,
        item: &Answered,
        default: &Sampling,
    ) -> Result<Result<Judged>> {
        let asked = asked(&item.question.sample)?;
        let given = match answers(&asked, item, default) {
            Ok(given) => given,
            Err(what) => return Ok(Err(PluginError::bad_input(what))),
        };
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let session = self.session(&mut state)?;
        match session.judge(&python.call, &asked, given) {
            Ok(judged) => {
                state.ends = 0;
                Ok(judged.and_then(|judged| {
                    reported(task, judged)
                        .map_err(|what| PluginError::bad_input(format!("task `{}`: {what}", python.call.task)))
                }))
            }
            Err(error) => {
                state.ends += 1;
                if error.code == ErrorCode::Cancelled || state.ends >= ENDS_MAX {
                    return Err(error);
                }
                // The next document gets another Python.
                Ok(Err(PluginError { code: ErrorCode::Other, ..error }))
            }
        }
    }

    /// The value of all samples of a metric.
    pub(super) fn aggregate(&self, metric: &str, task: Option<&TaskCall>, statistics: &[&[f64]]) -> Result<f64> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        self.session(&mut state)?.aggregate(task, metric, statistics, &|numbers| unpack(numbers))
    }

    fn session<'s>(&self, state: &'s mut State) -> Result<&'s mut Session> {
        if state.session.as_ref().is_some_and(Session::is_ended) {
            state.session = None;
        }
        match &mut state.session {
            Some(session) => Ok(session),
            none => {
                let interpreter = self.interpreter.as_ref().ok_or_else(|| {
                    PluginError::bad_options("the options of the scorer `lm-eval` name no Python, and a task needs one")
                        .with_help("leave `scorer` out: the dataset names it, with its options")
                })?;
                Ok(none.insert(Session::start(interpreter, &self.host)?))
            }
        }
    }
}

/// The requests of a question, in the order in which they are judged.
pub(super) fn asks(python: &PythonSpec, question: &Question, default: &Sampling) -> Result<Vec<Ask>> {
    let asked = asked(&question.sample)?;
    let reads_turns = !question.turns.is_empty();
    let mut asks = Vec::new();
    for request in &asked.requests {
        let (context, turns) = stands_before(&asked, request, question)?;
        if reads_turns && !asked.contexts[request.context].in_turns {
            let name = &python.call.task;
            let what = format!(
                "the prompts of the task `{name}` cannot be given as a conversation, and the model reads turns"
            );
            return Err(PluginError::unsupported(what).with_help(
                "lm-evaluation-harness applies no chat template to this task: ask a model without one, or leave the task out",
            ));
        }
        let span = if request.kind == RequestKind::LoglikelihoodRolling { Span::Rolling } else { Span::Continuation };
        match &request.sampling {
            None => asks.push(Ask::Score { context, turns, continuation: request.continuation.clone(), span }),
            Some(own) => {
                let sampling = merged(own, default, &question.sampling);
                for repeat in 0..times(request, &sampling) {
                    let seed = sampling.seed.wrapping_add(u64::from(repeat) << 32);
                    let sampling = Sampling { seed, ..sampling.clone() };
                    asks.push(Ask::Generate { prompt: context.clone(), turns: turns.clone(), sampling });
                }
            }
        }
    }
    Ok(asks)
}

/// What stands before an answer, as a text and as turns.
fn stands_before(asked: &Asked, request: &Request, question: &Question) -> Result<(String, Arc<Vec<Turn>>)> {
    let context = asked.contexts.get(request.context).ok_or_else(|| bad_sample(&question.sample))?;
    Ok(match &context.text {
        None => (question.context.clone(), question.turns.clone()),
        Some(text) if question.turns.is_empty() => (text.clone(), Arc::default()),
        Some(text) => (text.clone(), Arc::new(context.turns.clone())),
    })
}

/// How often an answer is asked for: one that does not depend on chance is the same however often.
fn times(request: &Request, sampling: &Sampling) -> u32 {
    if sampling.temperature > 0.0 { request.repeats } else { 1 }
}

fn asked(sample: &Sample) -> Result<Asked> {
    Asked::of(sample).ok_or_else(|| bad_sample(sample))
}

fn bad_sample(sample: &Sample) -> PluginError {
    PluginError::bad_input(format!("the sample `{}` does not say what Python asks of it", sample.id))
        .with_help("the scorer `lm-eval` is for the dataset `lm-eval` alone")
}

/// The answers to each request, as Python takes them.
fn answers(asked: &Asked, item: &Answered, default: &Sampling) -> Result<Answers, String> {
    let mut given = item.answers.iter();
    let mut answers = Vec::with_capacity(asked.requests.len());
    for request in &asked.requests {
        let count =
            request.sampling.as_ref().map_or(1, |own| times(request, &merged(own, default, &item.question.sampling)));
        let mut of_request = Vec::new();
        for _ in 0..count {
            let answer = given.next().ok_or_else(|| format!("{} answers, expected more", item.answers.len()))?;
            of_request.push(answer_to(request, answer)?);
        }
        if let [only] = of_request.as_slice() {
            of_request = vec![only.clone(); request.repeats as usize];
        }
        answers.push(of_request);
    }
    match given.next() {
        None => Ok(answers),
        Some(_) => Err(format!("{} answers, expected fewer", item.answers.len())),
    }
}

fn answer_to(request: &Request, answer: &Answer) -> Result<Json, String> {
    Ok(match (request.kind, answer) {
        (RequestKind::Loglikelihood, Answer::Score(result)) => json!([result.sum, result.is_greedy]),
        (RequestKind::LoglikelihoodRolling, Answer::Score(result)) => json!(result.sum),
        (RequestKind::GenerateUntil, Answer::Generate(result)) => json!(result.text),
        (RequestKind::GenerateUntil, _) => return Err("a log-likelihood where an answer was asked for".to_owned()),
        _ => return Err("a generated answer where a log-likelihood was asked for".to_owned()),
    })
}

/// What a task reports of a document under all filters.
fn reported(task: &TaskSpec, filters: Vec<crate::python_tasks::Judged>) -> Result<Judged, String> {
    let mut judged = Judged::default();
    for filter in filters {
        judged.details.insert(format!("filtered,{}", filter.filter), json!(filter.shown));
        judged.extracted.get_or_insert(filter.shown);
        for (name, value) in filter.metrics {
            let Some(metric) = task.metrics.iter().find(|metric| metric.name == name) else {
                judged.details.insert(name, value);
                continue;
            };
            let statistic = statistic(metric, &value)?;
            judged.statistics.push((metric_name(task, &name, &filter.filter), metric.aggregation.clone(), statistic));
        }
    }
    Ok(judged)
}

fn statistic(metric: &MetricSpec, value: &Json) -> Result<Statistic, String> {
    if matches!(metric.aggregation, AggregationSpec::Python { .. }) {
        return Ok(Statistic::Corpus(pack(value)));
    }
    let read = decoded(value).ok_or_else(|| format!("the metric `{}` is `{value}`, expected a number", metric.name))?;
    of_value(&metric.aggregation, &read).map_err(|what| format!("the metric `{}`: {what}", metric.name))
}
