//! A model that knows nothing: every character is as likely as any other, and every question has
//! the same answer. Put your own model in its place.

use examiner_api::serde::{Deserialize, Serialize};
use examiner_api::serde_json::json;
use examiner_api::{
    FinishReason, Flow, GenerateRequest, GenerateResult, Host, Model, ModelInfo, Open, Plugin,
    PluginError, Response, Result, ScoreRequest, ScoreResult, Sink, Span, schemars, serde,
};

/// The name by which suites ask for the role.
const NAME: &str = "my-plugin";

/// Raise it whenever a change of the code can change an answer.
const VERSION: u32 = 1;

/// How many characters there are, so that each has this share of the probability.
const CHARACTERS: f64 = 1_112_064.0;

/// What a suite may say of the model. The comments are what `examiner plugins info` shows.
#[derive(Clone, Deserialize, Serialize, schemars::JsonSchema)]
#[serde(crate = "serde", deny_unknown_fields, default)] // A misspelt key is an error.
#[schemars(crate = "schemars")]
pub struct Options {
    /// The answer to every question.
    answer: String,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            answer: "I do not know.".to_owned(),
        }
    }
}

/// The model.
pub struct Uniform {
    options: Options,
}

impl Open for Uniform {
    type Options = Options;

    // Options are judged and files are read here, so that a run fails before its first question.
    fn open(options: Options, host: Host) -> Result<Self> {
        if options.answer.is_empty() {
            return Err(PluginError::bad_options(
                "expected a text as `answer`, found an empty one",
            )
            .with_help("leave `answer` out, or write what the model is to say"));
        }
        host.info(format!("every answer will be {:?}", options.answer));
        Ok(Uniform { options })
    }
}

impl Model for Uniform {
    // Stored answers are used again as long as the fingerprint is the same: all that decides an
    // answer is in it.
    fn info(&self) -> Result<ModelInfo> {
        let decisive = json!({ "model": "uniform", "version": VERSION, "options": self.options });
        Ok(ModelInfo {
            name: "uniform".to_owned(),
            fingerprint: decisive.to_string(),
            can_score: true,
            can_generate: true,
            ..ModelInfo::default()
        })
    }

    // Each request gets one response, in any order. What is wrong with one request is the error of
    // its response; an error of the method is the error of all.
    fn score(
        &mut self,
        requests: Vec<ScoreRequest>,
        sink: &dyn Sink<Response<ScoreResult>>,
    ) -> Result<()> {
        for request in requests {
            let response = Response {
                id: request.id,
                result: log_likelihood(&request),
            };
            if sink.send(response) == Flow::Stop {
                break; // Nobody wants the rest.
            }
        }
        Ok(())
    }

    fn generate(
        &mut self,
        requests: Vec<GenerateRequest>,
        sink: &dyn Sink<Response<GenerateResult>>,
    ) -> Result<()> {
        for request in requests {
            let result = generated(&self.options.answer, &request);
            if sink.send(Response::ok(request.id, result)) == Flow::Stop {
                break;
            }
        }
        Ok(())
    }
}

/// The log-likelihood of the request's continuation in nats. A character is a token.
fn log_likelihood(request: &ScoreRequest) -> Result<ScoreResult> {
    let text: Vec<char> = request
        .context
        .chars()
        .chain(request.continuation.chars())
        .collect();
    let first = match request.span {
        // White space at the end of the context is scored with the continuation.
        Span::Continuation => request.context.trim_end().chars().count(),
        // Nothing stands before the first token, which therefore has no probability.
        Span::All => 1,
        // Texts longer than the context. A model that says `scores_windows` is asked for them.
        windows => return Err(windows.unsupported()),
    };
    let scored = text.get(first..).unwrap_or_default();
    if request.continuation.is_empty() || scored.is_empty() {
        return Err(PluginError::bad_input(
            "expected a text to score, found an empty one",
        ));
    }
    let log_probability = -CHARACTERS.ln();
    Ok(ScoreResult {
        sum: scored.len() as f64 * log_probability,
        // Where all are equally likely, the first one counts as the most likely.
        is_greedy: scored.iter().all(|character| *character == '\0'),
        token_logprobs: vec![log_probability as f32; scored.len()],
        scored_tokens: scored.len() as u32,
        total_tokens: text.len() as u32,
        ..ScoreResult::default()
    })
}

/// The answer as the request wants it: so long at most, and ended by any of its stop strings.
fn generated(answer: &str, request: &GenerateRequest) -> GenerateResult {
    let sampling = &request.sampling;
    let written: String = answer
        .chars()
        .take(sampling.max_new_tokens as usize)
        .collect();
    let stops = sampling.stop.iter().filter(|stop| !stop.is_empty());
    let stop = stops.filter_map(|stop| written.find(stop.as_str())).min();
    let finish = match stop {
        Some(_) => FinishReason::StopString,
        None if written.len() < answer.len() => FinishReason::Length,
        None => FinishReason::EndOfText,
    };
    GenerateResult {
        text: written[..stop.unwrap_or(written.len())].to_owned(),
        finish,
        tokens_in: request.prompt.chars().count() as u32,
        tokens_out: written.chars().count() as u32,
        ..GenerateResult::default()
    }
}

/// The plugin: its name, its version and its roles.
pub fn plugin() -> Plugin {
    Plugin::new(NAME, env!("CARGO_PKG_VERSION"))
        .model::<Uniform>(NAME, "Knows nothing: every text is as likely as any other.")
}

// Makes the library one that the program can open.
examiner_api::export_plugin!(plugin);

#[cfg(test)]
mod tests {
    use super::*;
    use examiner_api::testing::FakeHost;
    use examiner_api::{ErrorCode, OpenRole, RoleKind, Sampling, serde_json::Value};

    /// The model as the program opens it: by its name, with the options of a suite.
    fn open(options: Value) -> Result<Box<dyn Model>> {
        let options = options.as_object().unwrap().clone();
        match plugin().open(RoleKind::Model, NAME, options, FakeHost::new().host())? {
            OpenRole::Model(model) => Ok(model),
            _ => panic!("the plugin opened another role"),
        }
    }

    fn score(context: &str, continuation: &str, span: Span) -> Result<ScoreResult> {
        let (context, continuation) = (context.to_owned(), continuation.to_owned());
        let request = ScoreRequest {
            context,
            continuation,
            span,
            ..ScoreRequest::default()
        };
        log_likelihood(&request)
    }

    #[test]
    fn a_log_likelihood_is_one_that_the_program_accepts() {
        let result = score("Q: 1+1?\nA: ", "2", Span::Continuation).unwrap();
        assert_eq!(
            (result.scored_tokens, result.total_tokens),
            (2, 12),
            "the space counts"
        );
        assert!((result.sum + 2.0 * CHARACTERS.ln()).abs() < 1e-9);
        result.check("2").unwrap();
        let all = score("ab", "cd", Span::All).unwrap();
        assert_eq!(all.scored_tokens, 3);
        all.check("cd").unwrap();
        assert_eq!(
            score("a", "", Span::Continuation).unwrap_err().code,
            ErrorCode::BadInput
        );
    }

    #[test]
    fn an_answer_ends_where_the_request_says() {
        let ended = |max_new_tokens, stop: &[&str]| {
            let stop = stop.iter().map(|stop| (*stop).to_owned()).collect();
            let sampling = Sampling {
                max_new_tokens,
                stop,
                ..Sampling::default()
            };
            let request = GenerateRequest {
                sampling,
                ..GenerateRequest::default()
            };
            let result = generated("one two three", &request);
            (result.text, result.finish)
        };
        assert_eq!(
            ended(256, &[]),
            ("one two three".to_owned(), FinishReason::EndOfText)
        );
        assert_eq!(
            ended(256, &["three", " two"]),
            ("one".to_owned(), FinishReason::StopString)
        );
        assert_eq!(
            ended(4, &["two"]),
            ("one ".to_owned(), FinishReason::Length)
        );
    }

    #[test]
    fn options_decide_the_fingerprint_and_wrong_ones_are_refused() {
        let fingerprint = |options| open(options).unwrap().info().unwrap().fingerprint;
        assert_eq!(
            fingerprint(json!({})),
            fingerprint(json!({ "answer": "I do not know." }))
        );
        assert_ne!(
            fingerprint(json!({})),
            fingerprint(json!({ "answer": "No." }))
        );
        for wrong in [json!({ "answer": "" }), json!({ "anwser": "No." })] {
            assert_eq!(open(wrong).err().unwrap().code, ErrorCode::BadOptions);
        }
    }

    #[test]
    fn nothing_is_sent_after_the_receiver_has_had_enough() {
        let sent = std::sync::atomic::AtomicU32::new(0);
        let requests = (0..3).map(|id| GenerateRequest {
            id,
            ..GenerateRequest::default()
        });
        let receive = |_: Response<GenerateResult>| {
            sent.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            Flow::Stop
        };
        open(json!({}))
            .unwrap()
            .generate(requests.collect(), &receive)
            .unwrap();
        assert_eq!(sent.into_inner(), 1);
    }
}
