//! Finds out, before a run, whether a server gives log-probabilities of prompts.

use crate::batch::{Job, Past, Slot};
use crate::forms::{Scoring, Way, Work};
use crate::options::{Options, ScoreMode};
use examiner_api::{Answer, ErrorCode, PluginError, Result, SampleRef, Span};

/// What was found.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Found {
    pub(crate) way: Option<Way>,
    pub(crate) why_not: Option<String>,
}

impl Found {
    pub(crate) fn not(why: impl Into<String>) -> Self {
        Found { way: None, why_not: Some(why.into()) }
    }
}

/// Tries each way that `mode` allows with a tiny request.
///
/// # Errors
/// The server could not be asked, or the suite insists on a way that does not work.
pub(crate) fn find(options: &Options, mode: ScoreMode, ask: &dyn Fn(Job) -> Result<Answer>) -> Result<Found> {
    let allowed = |way: &Way| match mode {
        ScoreMode::Auto => true,
        ScoreMode::Off => false,
        ScoreMode::Echo => matches!(way, Way::Echo { .. }),
        ScoreMode::PromptLogprobs => *way == Way::PromptLogprobs,
    };
    let mut last = None;
    for way in Way::ALL.into_iter().filter(allowed) {
        match ask(probe(way)) {
            Ok(_) => return Ok(Found { way: Some(way), why_not: None }),
            // The server answered, but not so.
            Err(error) if matches!(error.code, ErrorCode::BadInput | ErrorCode::Unsupported) => last = Some(error),
            Err(error) => return Err(error),
        }
    }
    let why = last.map(|error| error.to_string()).unwrap_or_default();
    match mode {
        ScoreMode::Auto => Ok(Found::not(why)),
        _ => {
            Err(PluginError::bad_options(format!("`{}` does not score as the suite wants it: {why}", options.base_url))
                .with_help("leave out `score`, so that another way is looked for, or set `score: off`"))
        }
    }
}

fn probe(way: Way) -> Job {
    let scoring = Scoring {
        context: "One, two,".to_owned(),
        continuation: " three".to_owned(),
        // Whatever the tokens are, there is one after the first.
        span: Span::All,
        way,
    };
    let sample = SampleRef { id: "probe".to_owned(), ..SampleRef::default() };
    let slots = vec![Slot { place: 0, repeat: 0 }];
    Job { work: Work::Score(scoring), slots, shared: true, seed: None, sample, past: Past::default() }
}
