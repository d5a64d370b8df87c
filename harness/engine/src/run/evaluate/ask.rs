//! Asks a model the requests of many questions at once, and holds it to its contract: every request answered, exactly
//! once.

use examiner_api::{
    Answer, Ask, ErrorCode, Flow, GenerateRequest, GenerateResult, Model, PluginError, Response, Result, SampleRef,
    ScoreRequest, ScoreResult,
};
use std::sync::{Mutex, PoisonError};

/// Takes the answer to request `ask` of question `question`, both counted from 0.
pub(super) type OnAnswer<'a> = dyn Fn(usize, usize, Result<Answer>) -> Flow + Sync + 'a;

/// The requests of one question.
pub(super) struct Asked {
    /// Where they come from.
    pub(super) sample: SampleRef,
    /// What is asked.
    pub(super) asks: Vec<Ask>,
}

/// Asks everything. Requests that the model left without an answer get an error as theirs; a breach of the contract that
/// could put an answer in the wrong place is the error of the whole call, as is a failure after which asking more makes
/// no sense.
pub(super) fn ask(model: &mut dyn Model, questions: Vec<Asked>, on_answer: &OnAnswer<'_>) -> Result<Flow> {
    let (mut score, mut generate) = (Batch::default(), Batch::default());
    let (mut score_requests, mut generate_requests) = (Vec::new(), Vec::new());
    for (question, Asked { sample, asks }) in questions.into_iter().enumerate() {
        for (place, ask) in asks.into_iter().enumerate() {
            let sample = sample.clone();
            match ask {
                Ask::Score { context, turns, continuation, span } => {
                    let id = score.ticket(question, place);
                    score_requests.push(ScoreRequest { id, sample, context, turns, continuation, span });
                }
                Ask::Generate { prompt, turns, sampling } => {
                    let id = generate.ticket(question, place);
                    generate_requests.push(GenerateRequest { id, sample, prompt, turns, sampling });
                }
            }
        }
    }
    if !score_requests.is_empty() {
        let flow = score.run("score", on_answer, scored, |sink| model.score(score_requests, sink))?;
        if flow == Flow::Stop {
            return Ok(Flow::Stop);
        }
    }
    if !generate_requests.is_empty() {
        return generate.run("generate", on_answer, generated, |sink| model.generate(generate_requests, sink));
    }
    Ok(Flow::Continue)
}

/// A log-likelihood that is no number is no answer.
fn scored(result: ScoreResult) -> Result<Answer> {
    let finite = result.sum.is_finite() && result.token_logprobs.iter().all(|value| value.is_finite());
    if finite {
        return Ok(Answer::Score(result));
    }
    Err(PluginError::new(
        ErrorCode::Numeric,
        format!("the model gave a log-likelihood that is no number ({})", result.sum),
    )
    .with_help("look at the model's weights and number type"))
}

fn generated(result: GenerateResult) -> Result<Answer> {
    Ok(Answer::Generate(result))
}

/// Which question and request each id stands for.
#[derive(Default)]
struct Batch {
    tickets: Vec<(usize, usize)>,
}

struct Progress {
    answered: Vec<bool>,
    stopped: bool,
    breach: Option<PluginError>,
}

type ResponseSink<'a, T> = &'a dyn examiner_api::Sink<Response<T>>;

impl Batch {
    fn ticket(&mut self, question: usize, place: usize) -> u64 {
        self.tickets.push((question, place));
        self.tickets.len() as u64 - 1
    }

    fn run<T>(
        &self,
        method: &str,
        on_answer: &OnAnswer<'_>,
        wrap: impl Fn(T) -> Result<Answer> + Sync,
        call: impl FnOnce(ResponseSink<'_, T>) -> Result<()>,
    ) -> Result<Flow> {
        let progress = Mutex::new(Progress { answered: vec![false; self.tickets.len()], stopped: false, breach: None });
        let lock = || progress.lock().unwrap_or_else(PoisonError::into_inner);
        let sink = |response: Response<T>| {
            let mut progress = lock();
            if progress.breach.is_some() {
                return Flow::Stop;
            }
            // What was computed before the model heard that it is to stop is taken all the same.
            let flow = match progress.claim(response.id) {
                Err(breach) => {
                    progress.breach = Some(breach);
                    Flow::Stop
                }
                Ok(place) => {
                    let (question, ask) = self.tickets[place];
                    on_answer(question, ask, response.result.and_then(&wrap))
                }
            };
            progress.stopped |= flow == Flow::Stop;
            flow
        };
        let returned = call(&sink);
        let progress = progress.into_inner().unwrap_or_else(PoisonError::into_inner);
        if let Some(breach) = progress.breach {
            return Err(breach);
        }
        if progress.stopped {
            return Ok(Flow::Stop);
        }
        let error = match returned {
            Err(error) if error.code.ends_stage() => return Err(error),
            Err(error) => error,
            Ok(()) => PluginError::new(
                ErrorCode::Protocol,
                format!("the model returned from `{method}` without answering this request"),
            ),
        };
        for (place, _) in progress.answered.iter().enumerate().filter(|(_, answered)| !**answered) {
            let (question, ask) = self.tickets[place];
            if on_answer(question, ask, Err(error.clone())) == Flow::Stop {
                return Ok(Flow::Stop);
            }
        }
        Ok(Flow::Continue)
    }
}

impl Progress {
    /// Takes note that the request was answered; an id that was never asked, or was answered before, is a breach.
    fn claim(&mut self, id: u64) -> Result<usize> {
        let place = usize::try_from(id).ok().filter(|place| *place < self.answered.len());
        let breach = match place {
            Some(place) if !self.answered[place] => {
                self.answered[place] = true;
                return Ok(place);
            }
            Some(_) => format!("the model answered request {id} twice"),
            None => format!("the model answered request {id}, which it was never asked"),
        };
        Err(PluginError::new(ErrorCode::Protocol, breach)
            .with_help("its answers cannot be told apart; this is an error in the plugin, tell its author"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use examiner_api::{ModelInfo, Sink};

    /// Answers as told: (id, text).
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
            seen.lock().unwrap().push(format!("{question}:{said}"));
            Flow::Continue
        });
        let mut seen = seen.into_inner().unwrap();
        seen.sort();
        (flow, seen)
    }

    #[test]
    fn any_order_will_do() {
        let (flow, seen) = answers(&mut Scripted(vec![(1, "b"), (0, "a")], None));
        assert_eq!((flow, seen), (Ok(Flow::Continue), vec!["0:a".into(), "1:b".into()]));
    }

    #[test]
    fn a_missing_answer_is_that_requests_error() {
        let (flow, seen) = answers(&mut Scripted(vec![(1, "b")], None));
        assert_eq!((flow, seen), (Ok(Flow::Continue), vec!["0:Protocol".into(), "1:b".into()]));
        let panicked = PluginError::new(ErrorCode::Panic, "p");
        let (flow, seen) = answers(&mut Scripted(vec![(0, "a")], Some(panicked)));
        assert_eq!((flow, seen), (Ok(Flow::Continue), vec!["0:a".into(), "1:Panic".into()]));
    }

    #[test]
    fn duplicates_strangers_and_hopeless_failures_end_the_stage() {
        for script in [vec![(0, "a"), (0, "b")], vec![(7, "x")]] {
            let (flow, _) = answers(&mut Scripted(script, None));
            assert_eq!(flow.unwrap_err().code, ErrorCode::Protocol);
        }
        let refused = PluginError::new(ErrorCode::Authentication, "no");
        assert_eq!(answers(&mut Scripted(vec![], Some(refused.clone()))).0, Err(refused));
    }
}
