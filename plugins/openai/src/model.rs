//! The model as the harness sees it.

use crate::batch::{self, JobHistory, RequestJob, Slot};
use crate::budget::Budget;
use crate::cache::Cache;
use crate::dispatch::{Dispatcher, Event};
use crate::forms::{Scoring, ScoringMethod, Work, reasoning};
use crate::http::Http;
use crate::options::{Api, Options, ScoreMode};
use crate::probe::{self, ScoringSupport};
use crate::request_log::AttemptLog;
use crate::request_thread::RequestThread;
use examiner_api::rows::digest;
use examiner_api::{
    Answer, BatchInvariance, ErrorCode, Flow, GenerateRequest, GenerateResult, Host, Model, ModelInfo, Open,
    PluginError, ReasoningOption, Response, Result, ScoreRequest, ScoreResult, Sink, TokenPrice,
};
use parking_lot::Mutex;
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::RecvTimeoutError;
use std::time::Duration;

/// The endpoint, opened. Nothing is asked before it must be.
pub struct OpenAi {
    options: Arc<Options>,
    http: Arc<Http>,
    host: Host,
    requests: RequestThread,
    log: Mutex<AttemptLog>,
    /// Whether and how log-likelihoods can be had, once it was found out.
    found: Mutex<Option<ScoringSupport>>,
    cache: Option<Cache>,
}

/// How long to wait for an answer before looking whether the user wants to stop.
const LOOK_UP_EVERY: Duration = Duration::from_millis(50);

impl Open for OpenAi {
    type Options = Options;

    fn open(options: Options, host: Host) -> Result<Self> {
        options.check()?;
        let options = Arc::new(options);
        let http = Arc::new(Http::new(&options)?);
        if http.shows_key() {
            host.warn(format!("the key goes to `{}` without encryption; use `https://` if it can", http.base()));
        }
        let log = Mutex::new(AttemptLog::open(&options.request_log)?);
        let requests = RequestThread::start(Dispatcher::new(options.clone(), http.clone()))?;
        let fingerprint = fingerprint(&options, &http);
        let open = |directory| Cache::open(directory, &fingerprint, options.reads_turns());
        let cache = options.cache.as_deref().map(open).transpose()?;
        Ok(OpenAi { options, http, host, requests, log, found: Mutex::new(None), cache })
    }
}

/// Everything that could change an answer, and nothing else: no limit, no price, no secret.
fn fingerprint(options: &Options, http: &Http) -> String {
    let Options { model, api, system, max_tokens_field, seed, extra_body, beginning_of_text, .. } = options;
    let server = http.base().split_once("://").map_or(http.base(), |(_, server)| server);
    let extra = json!(extra_body).to_string();
    let rest = json!([model, api, system, max_tokens_field, seed, beginning_of_text]).to_string();
    let Options { reasoning, reasoning_effort, chat_template_kwargs, .. } = options;
    let mut parts = vec![server.to_owned(), rest, extra];
    // Models without them keep the fingerprint of versions that knew none.
    if *reasoning != ReasoningOption::default() || reasoning_effort.is_some() || !chat_template_kwargs.is_empty() {
        parts.push(json!([reasoning, reasoning_effort, chat_template_kwargs]).to_string());
    }
    digest(parts.iter().map(String::as_str))
}

impl Model for OpenAi {
    /// Where log-likelihoods might be had, this finds out how, with one tiny request or a few: `score: off` spares them.
    fn info(&self) -> Result<ModelInfo> {
        let found = self.found()?;
        let method = found.method.map_or("off", ScoringMethod::name);
        let mut details = vec![
            ("base_url", json!(self.http.base())),
            ("api", json!(self.options.api)),
            ("model", json!(self.options.model)),
            ("score", json!(method)),
        ];
        if self.options.api == Api::Chat {
            details.push(("shots_as_turns", json!(self.options.shots_as_turns)));
        }
        details.extend(found.why_not.as_ref().map(|why| ("score_off_because", json!(why))));
        Ok(ModelInfo {
            name: format!("{} at {}", self.options.model, self.http.base()),
            fingerprint: digest([fingerprint(&self.options, &self.http), method.to_owned()]),
            can_score: found.method.is_some(),
            can_generate: true,
            // How a server computes is not known, and it may change.
            batch_invariance: BatchInvariance::NotPromised,
            reads_turns: self.options.reads_turns(),
            price: self.options.price.map(|price| TokenPrice {
                input_per_million: price.input_per_million,
                output_per_million: price.output_per_million,
            }),
            details: details.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
            ..ModelInfo::default()
        })
    }

    fn score(&mut self, requests: Vec<ScoreRequest>, sink: &dyn Sink<Response<ScoreResult>>) -> Result<()> {
        let found = self.found()?;
        let Some(method) = found.method else {
            let why = found.why_not.unwrap_or_default();
            return Err(PluginError::unsupported(format!("no log-likelihoods from `{}`: {why}", self.http.base()))
                .with_help("use a scorer that asks for generated answers, such as `answer-extraction`"));
        };
        // A server has no windows: it would answer for the part of a text that it holds.
        if let Some(windowed) = requests.iter().find(|request| request.span.is_windowed()) {
            return Err(windowed.span.unsupported());
        }
        let ids: Vec<u64> = requests.iter().map(|request| request.id).collect();
        let names = self.names(&requests, Cache::score);
        let job = |(index, request): (usize, ScoreRequest)| {
            let ScoreRequest { sample, context, continuation, span, .. } = request;
            let work = Work::Score(Scoring { context, continuation, span, method });
            let slots = vec![Slot { index, repeat: sample.repeat }];
            RequestJob { work, slots, shared: true, seed: None, sample, history: JobHistory::default() }
        };
        let send = |index: usize, result: Result<Answer>| {
            let result = result.and_then(|answer| match answer {
                Answer::Score(result) => Ok(result),
                Answer::Generate(_) => Err(mixed_up()),
            });
            sink.send(Response { id: ids[index], result })
        };
        self.answer(requests, &names, |left| left.into_iter().map(job).collect(), &send)
    }

    fn generate(&mut self, requests: Vec<GenerateRequest>, sink: &dyn Sink<Response<GenerateResult>>) -> Result<()> {
        let ids: Vec<u64> = requests.iter().map(|request| request.id).collect();
        let names = self.names(&requests, Cache::generation);
        let send = |index: usize, result: Result<Answer>| {
            let result = result.and_then(|answer| match answer {
                Answer::Generate(result) => Ok(result),
                Answer::Score(_) => Err(mixed_up()),
            });
            sink.send(Response { id: ids[index], result })
        };
        self.answer(requests, &names, |left| batch::generations(left, &self.options), &send)
    }
}

fn mixed_up() -> PluginError {
    PluginError::new(ErrorCode::Protocol, "an answer of another kind than was asked for")
}

type OnAnswer<'a> = dyn Fn(usize, Result<Answer>) -> Flow + 'a;

impl OpenAi {
    /// Whether and how log-likelihoods can be had; asked once.
    fn found(&self) -> Result<ScoringSupport> {
        let mut found = self.found.lock();
        if let Some(found) = &*found {
            return Ok(found.clone());
        }
        let new = match (self.options.api, self.options.score) {
            (Api::Chat, _) => ScoringSupport::not("chat completions give no log-probabilities of the prompt"),
            (_, ScoreMode::Off) => ScoringSupport::not("the suite says `score: off`"),
            (_, mode) => probe::find(&self.options, mode, &|job| self.ask_one(job))?,
        };
        if let Some(why) = &new.why_not {
            self.host.info(format!("no log-likelihoods: {why}"));
        }
        Ok(found.insert(new).clone())
    }

    /// The names under which the answers would be kept; empty without a cache.
    fn names<R>(&self, requests: &[R], name: impl Fn(&Cache, &R) -> String) -> Vec<String> {
        self.cache.iter().flat_map(|cache| requests.iter().map(|request| name(cache, request))).collect()
    }

    /// Answers from the cache what is stored there, and asks for the rest.
    fn answer<R>(
        &self,
        requests: Vec<R>,
        names: &[String],
        jobs: impl FnOnce(Vec<(usize, R)>) -> Vec<RequestJob>,
        send: &OnAnswer<'_>,
    ) -> Result<()> {
        let mut left = Vec::with_capacity(requests.len());
        let mut hits = 0;
        for (index, request) in requests.into_iter().enumerate() {
            match self.cache.as_ref().and_then(|cache| cache.find(names.get(index)?)) {
                None => left.push((index, request)),
                Some(answer) => {
                    hits += 1;
                    // It may have been kept by a version that left the reasoning in it.
                    let answer = match answer {
                        Answer::Generate(written) => reasoning::part(&self.options, written).map(Answer::Generate),
                        Answer::Score(_) => Ok(answer),
                    };
                    if send(index, answer) == Flow::Stop {
                        return Ok(());
                    }
                }
            }
        }
        if hits > 0 {
            self.host.info(format!("{hits} answers from the cache"));
        }
        if left.is_empty() {
            return Ok(());
        }
        let mut cache = self.cache.as_ref();
        let (end, budget) = self.ask(jobs(left), &mut |index, result| {
            if let (Ok(answer), Some(kept), Some(name)) = (&result, cache, names.get(index))
                && let Err(error) = kept.keep(name, answer)
            {
                self.host.warn(format!("nothing more is kept in the cache: {error}"));
                cache = None;
            }
            send(index, result)
        });
        if let Some(budget) = budget {
            self.host.info(format!("so far: {budget}"));
        }
        end
    }

    /// Asks jobs, in the caller's thread as far as the receiver of answers is concerned: it may take its time.
    fn ask(
        &self,
        jobs: Vec<RequestJob>,
        on_answer: &mut dyn FnMut(usize, Result<Answer>) -> Flow,
    ) -> (Result<()>, Option<Box<Budget>>) {
        let stop = Arc::new(AtomicBool::new(false));
        let events = self.requests.begin(jobs, stop.clone());
        let mut wanted = true;
        loop {
            if self.host.is_cancelled() {
                stop.store(true, Ordering::Relaxed);
            }
            match events.recv_timeout(LOOK_UP_EVERY) {
                Ok(Event::Answered { index, result }) if wanted => {
                    if on_answer(index, *result) == Flow::Stop {
                        wanted = false;
                        stop.store(true, Ordering::Relaxed);
                    }
                }
                Ok(Event::Answered { .. }) | Err(RecvTimeoutError::Timeout) => {}
                Ok(Event::Attempt(entry)) => self.log.lock().write(&self.host, &entry),
                Ok(Event::OtherModel(other)) => {
                    let (asked, server) = (&self.options.model, self.http.base());
                    self.host.warn(format!("`{server}` was asked for the model `{asked}`, and answers as `{other}`"));
                }
                // What the receiver did not want any more is no error.
                Ok(Event::End(_, budget)) if !wanted => return (Ok(()), Some(budget)),
                Ok(Event::End(end, budget)) => return (end, Some(budget)),
                Err(RecvTimeoutError::Disconnected) => {
                    let message = "the thread that asks for answers is gone";
                    return (Err(PluginError::new(ErrorCode::Panic, message)), None);
                }
            }
        }
    }

    /// Asks for a single answer.
    fn ask_one(&self, job: RequestJob) -> Result<Answer> {
        let mut answer = None;
        let (end, _) = self.ask(vec![job], &mut |_, result| {
            answer = Some(result);
            Flow::Continue
        });
        end?;
        answer.unwrap_or_else(|| Err(PluginError::new(ErrorCode::Protocol, "a request was left without an answer")))
    }
}
