//! Finds out, before a run, whether a server gives log-probabilities of prompts.

use crate::batch::{JobHistory, RequestJob, Slot};
use crate::forms::{Scoring, ScoringMethod, Work};
use crate::options::{Options, ScoreMode};
use examiner_api::{Answer, ErrorCode, PluginError, Result, SampleRef, Span};

/// Whether a server gives log-probabilities of prompts, and how.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ScoringSupport {
    pub(crate) method: Option<ScoringMethod>,
    pub(crate) why_not: Option<String>,
}

impl ScoringSupport {
    pub(crate) fn not(why: impl Into<String>) -> Self {
        ScoringSupport { method: None, why_not: Some(why.into()) }
    }
}

/// Tries each method that `mode` allows with a tiny request.
///
/// # Errors
/// The server could not be asked, or the suite insists on a way that does not work.
pub(crate) fn find(
    options: &Options,
    mode: ScoreMode,
    ask: &dyn Fn(RequestJob) -> Result<Answer>,
) -> Result<ScoringSupport> {
    let allowed = |method: &ScoringMethod| match mode {
        ScoreMode::Auto => true,
        ScoreMode::Off => false,
        ScoreMode::Echo => matches!(method, ScoringMethod::Echo { .. }),
        ScoreMode::PromptLogprobs => *method == ScoringMethod::PromptLogprobs,
    };
    let mut last = None;
    for method in ScoringMethod::ALL.into_iter().filter(allowed) {
        match ask(probe(method)) {
            Ok(_) => return Ok(ScoringSupport { method: Some(method), why_not: None }),
            // The server answered, but not so.
            Err(error) if is_of_the_answer(error.code) => last = Some(error),
            Err(error) => return Err(error),
        }
    }
    let why = last.map(|error| error.to_string()).unwrap_or_default();
    match mode {
        ScoreMode::Auto => Ok(ScoringSupport::not(why)),
        _ => {
            Err(PluginError::bad_options(format!("`{}` does not score as the suite wants it: {why}", options.base_url))
                .with_help("leave out `score`, so that another way is looked for, or set `score: off`"))
        }
    }
}

/// Whether the server has answered, and what it answered is no log-likelihood.
fn is_of_the_answer(code: ErrorCode) -> bool {
    matches!(code, ErrorCode::BadInput | ErrorCode::Unsupported | ErrorCode::Numeric | ErrorCode::Protocol)
}

fn probe(method: ScoringMethod) -> RequestJob {
    let scoring = Scoring {
        context: "One, two,".to_owned(),
        continuation: " three".to_owned(),
        // Whatever the tokens are, there is one after the first.
        span: Span::All,
        method,
    };
    let sample = SampleRef { id: "probe".to_owned(), ..SampleRef::default() };
    let slots = vec![Slot { index: 0, repeat: 0 }];
    RequestJob { work: Work::Score(scoring), slots, shared: true, seed: None, sample, history: JobHistory::default() }
}
