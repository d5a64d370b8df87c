//! Asks a model the requests of many questions at once, and checks that it keeps its contract: every request answered,
//! exactly once, and no log-likelihood that is impossible.

use crate::pending::PendingRequests;
use examiner_api::{
    Answer, Ask, ErrorCode, Flow, GenerateRequest, GenerateResult, Model, PluginError, Response, Result, SampleRef,
    ScoreRequest, ScoreResult, Sink,
};
use parking_lot::Mutex;

/// Receives the answer to request `ask` of question `question`, both counted from 0.
pub(super) type OnAnswer<'a> = dyn Fn(usize, usize, Result<Answer>) -> Flow + Sync + 'a;

/// The requests of one question.
pub(super) struct Asked {
    /// Where they come from.
    pub(super) sample: SampleRef,
    /// What is asked.
    pub(super) asks: Vec<Ask>,
}

/// Asks everything. A request that the model leaves unanswered gets an error instead of an answer. A breach of the contract
/// that could assign an answer to the wrong request is the error of the whole call, as is a failure that every later
/// request would meet too.
pub(super) fn ask(model: &mut dyn Model, questions: Vec<Asked>, on_answer: &OnAnswer<'_>) -> Result<Flow> {
    let (mut score, mut generate) = (MethodCall::new("score"), MethodCall::new("generate"));
    let (mut score_requests, mut generate_requests) = (Vec::new(), Vec::new());
    // What is scored, by the id of the request: short texts, against which the answers are held.
    let mut continuations = Vec::new();
    for (question, Asked { sample, asks }) in questions.into_iter().enumerate() {
        for (index, ask) in asks.into_iter().enumerate() {
            let sample = sample.clone();
            match ask {
                Ask::Score { context, turns, continuation, span } => {
                    let id = score.add(question, index);
                    continuations.push(continuation.clone());
                    score_requests.push(ScoreRequest { id, sample, context, turns, continuation, span });
                }
                Ask::Generate { prompt, turns, sampling } => {
                    let id = generate.add(question, index);
                    generate_requests.push(GenerateRequest { id, sample, prompt, turns, sampling });
                }
            }
        }
    }
    if !score_requests.is_empty() {
        let scored = |id: u64, result: ScoreResult| {
            result.check(&continuations[id as usize])?;
            Ok(Answer::Score(result))
        };
        let flow = score.run(on_answer, scored, |sink| model.score(score_requests, sink))?;
        if flow == Flow::Stop {
            return Ok(Flow::Stop);
        }
    }
    if !generate_requests.is_empty() {
        let generated = |_, result: GenerateResult| Ok(Answer::Generate(result));
        return generate.run(on_answer, generated, |sink| model.generate(generate_requests, sink));
    }
    Ok(Flow::Continue)
}

/// One call of a method of the model, with the requests of many questions.
struct MethodCall {
    method: &'static str,
    /// By the id of a request: its question, and its index among the question's requests.
    requests: Vec<(usize, usize)>,
}

struct State {
    pending: PendingRequests,
    stopped: bool,
    breach: Option<PluginError>,
}

type ResponseSink<'a, T> = &'a dyn Sink<Response<T>>;

impl MethodCall {
    fn new(method: &'static str) -> Self {
        MethodCall { method, requests: Vec::new() }
    }

    /// Adds a request, and returns its id.
    fn add(&mut self, question: usize, index: usize) -> u64 {
        self.requests.push((question, index));
        self.requests.len() as u64 - 1
    }

    fn run<T>(
        &self,
        on_answer: &OnAnswer<'_>,
        wrap: impl Fn(u64, T) -> Result<Answer> + Sync,
        call: impl FnOnce(ResponseSink<'_, T>) -> Result<()>,
    ) -> Result<Flow> {
        let pending = PendingRequests::new(0..self.requests.len() as u64);
        let state = Mutex::new(State { pending, stopped: false, breach: None });
        let answer = |id: u64, answer| {
            let (question, index) = self.requests[id as usize];
            on_answer(question, index, answer)
        };
        let sink = |response: Response<T>| {
            let mut state = state.lock();
            if state.breach.is_some() {
                return Flow::Stop;
            }
            // Answers that were computed before the model noticed that it is to stop are used all the same.
            let flow = match state.pending.claim(response.id) {
                Err(breach) => {
                    state.breach = Some(breach);
                    Flow::Stop
                }
                Ok(()) => answer(response.id, response.result.and_then(|result| wrap(response.id, result))),
            };
            state.stopped |= flow == Flow::Stop;
            flow
        };
        let returned = call(&sink);
        let state = state.into_inner();
        if let Some(breach) = state.breach {
            return Err(breach);
        }
        if state.stopped {
            return Ok(Flow::Stop);
        }
        let error = match returned {
            Err(error) if error.code.ends_stage() => return Err(error),
            Err(error) => error,
            Ok(()) => PluginError::new(
                ErrorCode::Protocol,
                format!("the model returned from `{}` without answering this request", self.method),
            ),
        };
        for id in state.pending.waiting() {
            if answer(id, Err(error.clone())) == Flow::Stop {
                return Ok(Flow::Stop);
            }
        }
        Ok(Flow::Continue)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use examiner_api::ModelInfo;

    /// Gives these responses, (id, text), and then returns the error, if there is one. Its second log-likelihood is impossible.
    struct Scripted(Vec<(u64, &'static str)>, Option<PluginError>);

    impl Model for Scripted {
        fn info(&self) -> Result<ModelInfo> {
            Ok(ModelInfo::default())
        }
        fn generate(&mut self, _: Vec<GenerateRequest>, sink: &dyn Sink<Response<GenerateResult>>) -> Result<()> {
            for (id, text) in &self.0 {
                let result = GenerateResult { text: (*text).to_owned(), ..GenerateResult::default() };
                if sink.send(Response::ok(*id, result)) == Flow::Stop {
                    break;
                }
            }
            self.1.clone().map_or(Ok(()), Err)
        }
        fn score(&mut self, requests: Vec<ScoreRequest>, sink: &dyn Sink<Response<ScoreResult>>) -> Result<()> {
            for (request, sum) in requests.into_iter().zip([-1.0, 5.0]) {
                let (token_logprobs, scored_tokens, total_tokens) = (vec![sum as f32], 1, 2);
                let result = ScoreResult { sum, token_logprobs, scored_tokens, total_tokens, ..Default::default() };
                let _ = sink.send(Response::ok(request.id, result));
            }
            Ok(())
        }
    }

    #[test]
    fn an_impossible_log_likelihood_is_the_error_of_its_request() {
        let of = |continuation: &str| Ask::Score {
            context: "c".into(),
            turns: Default::default(),
            continuation: continuation.into(),
            span: Default::default(),
        };
        let asked = Asked { sample: SampleRef::default(), asks: vec![of(" red"), of(" blue")] };
        let seen = Mutex::new(Vec::new());
        let flow = ask(&mut Scripted(Vec::new(), None), vec![asked], &|_, request, answer| {
            seen.lock().push((request, answer.map(drop)));
            Flow::Continue
        });
        let seen = seen.into_inner();
        assert_eq!((flow, &seen[0]), (Ok(Flow::Continue), &(0, Ok(()))));
        let error = seen[1].1.clone().unwrap_err();
        assert_eq!(error.code, ErrorCode::Numeric);
        assert!(error.message.contains("\" blue\"") && error.message.contains("at most 0, found 5"), "{error}");
    }

    fn answers(model: &mut Scripted) -> (Result<Flow>, Vec<String>) {
        let one = || Asked {
            sample: SampleRef::default(),
            asks: vec![Ask::Generate { prompt: "p".into(), turns: Default::default(), sampling: Default::default() }],
        };
        let seen = Mutex::new(Vec::new());
        let flow = ask(model, vec![one(), one()], &|question, _, answer| {
            let said = match answer {
                Ok(Answer::Generate(result)) => result.text,
                Ok(Answer::Score(_)) => "score".into(),
                Err(error) => format!("{:?}", error.code),
            };
            seen.lock().push(format!("{question}:{said}"));
            Flow::Continue
        });
        let mut seen = seen.into_inner();
        seen.sort();
        (flow, seen)
    }

    #[test]
    fn responses_may_come_in_any_order() {
        let (flow, seen) = answers(&mut Scripted(vec![(1, "b"), (0, "a")], None));
        assert_eq!((flow, seen), (Ok(Flow::Continue), vec!["0:a".into(), "1:b".into()]));
    }

    #[test]
    fn a_request_without_a_response_gets_an_error() {
        let (flow, seen) = answers(&mut Scripted(vec![(1, "b")], None));
        assert_eq!((flow, seen), (Ok(Flow::Continue), vec!["0:Protocol".into(), "1:b".into()]));
        let panicked = PluginError::new(ErrorCode::Panic, "p");
        let (flow, seen) = answers(&mut Scripted(vec![(0, "a")], Some(panicked)));
        assert_eq!((flow, seen), (Ok(Flow::Continue), vec!["0:a".into(), "1:Panic".into()]));
    }

    #[test]
    fn duplicate_responses_unknown_ids_and_permanent_failures_end_the_stage() {
        for script in [vec![(0, "a"), (0, "b")], vec![(7, "x")]] {
            let (flow, _) = answers(&mut Scripted(script, None));
            assert_eq!(flow.unwrap_err().code, ErrorCode::Protocol);
        }
        let refused = PluginError::new(ErrorCode::Authentication, "no");
        assert_eq!(answers(&mut Scripted(vec![], Some(refused.clone()))).0, Err(refused));
    }
}
