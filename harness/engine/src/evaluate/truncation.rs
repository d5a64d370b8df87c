//! Which questions fit into a model's context, and what becomes of those that do not.

use super::error::EvaluateError;
use examiner_api::{Answer, PluginError, Result};
use examiner_suite::OnTruncation;

/// A prompt or context of which the model read only the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Truncated {
    /// Its tokens.
    pub(super) tokens: u32,
    /// How many of them the model read.
    pub(super) read: u32,
}

impl Truncated {
    /// The longest one of a question, by what its answers say of the tokens read and cut off; none if all fit.
    pub(super) fn longest(counts: impl Iterator<Item = (u32, u32)>) -> Option<Self> {
        let cut = counts.filter(|(_, truncated)| *truncated > 0);
        cut.map(|(read, truncated)| Truncated { tokens: read.saturating_add(truncated), read })
            .max_by_key(|longest| longest.tokens)
    }

    fn of(answer: &Answer) -> Option<Self> {
        Self::longest(std::iter::once((answer.tokens_read(), answer.truncated_tokens())))
    }
}

/// How many of a pair's questions do not fit.
#[derive(Debug, Default)]
pub(super) struct Fit {
    questions: u64,
    truncated: u64,
    /// The shortest that does not fit.
    shortest: Option<Truncated>,
}

impl Fit {
    /// Counts a question that has an answer.
    pub(super) fn note(&mut self, truncated: Option<Truncated>) {
        self.questions += 1;
        let Some(found) = truncated else { return };
        self.truncated += 1;
        if self.shortest.is_none_or(|shortest| found.tokens < shortest.tokens) {
            self.shortest = Some(found);
        }
    }

    /// Why a pair cannot be examined, if none of the questions so far fits.
    pub(super) fn failure(&self, on_truncation: OnTruncation) -> Option<EvaluateError> {
        let shortest = self.shortest.filter(|_| self.truncated == self.questions)?;
        let Truncated { tokens, read } = shortest;
        (on_truncation == OnTruncation::Report).then_some(EvaluateError::NothingFits {
            questions: self.questions,
            tokens,
            read,
        })
    }
}

/// Makes an answer to a part of what was asked an error, where the suite says so.
pub(super) fn refuse(answer: &mut Result<Answer>, on_truncation: OnTruncation) {
    let truncated = answer.as_ref().ok().and_then(Truncated::of);
    if let (OnTruncation::Error, Some(Truncated { tokens, read })) = (on_truncation, truncated) {
        let message = format!(
            "`on_truncation: error`: the prompt or context has {tokens} tokens, of which the model could read only the last {read}"
        );
        let help = "use fewer few-shot examples, or a model with a longer context";
        *answer = Err(PluginError::bad_input(message).with_help(help));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use examiner_api::{GenerateResult, ScoreResult};

    fn truncated(tokens: u32, read: u32) -> Option<Truncated> {
        Some(Truncated { tokens, read })
    }

    #[test]
    fn a_question_is_as_long_as_its_longest_request() {
        assert_eq!(Truncated::longest([(3, 0), (512, 0)].into_iter()), None);
        assert_eq!(Truncated::longest([(512, 1), (600, 0), (512, 9)].into_iter()), truncated(521, 512));
    }

    #[test]
    fn a_pair_fails_only_where_nothing_fits() {
        let mut fit = Fit::default();
        assert!(fit.failure(OnTruncation::Report).is_none(), "nothing was asked");
        fit.note(truncated(700, 512));
        fit.note(truncated(600, 512));
        let message = fit.failure(OnTruncation::Report).unwrap().to_string();
        assert!(
            message.contains("none of 2 questions") && message.contains("600") && message.contains("512"),
            "{message}"
        );
        assert!(fit.failure(OnTruncation::Allow).is_none());
        assert!(fit.failure(OnTruncation::Error).is_none(), "each is an error of its own");
        fit.note(None);
        assert!(fit.failure(OnTruncation::Report).is_none());
    }

    #[test]
    fn only_where_the_suite_says_so_is_a_truncated_sample_an_error() {
        let score = |truncated_tokens| {
            Answer::Score(ScoreResult { total_tokens: 700, truncated_tokens, ..ScoreResult::default() })
        };
        let generated = Answer::Generate(GenerateResult { tokens_in: 512, truncated_tokens: 9, ..Default::default() });
        let refused = |answer: &Answer, on_truncation| {
            let mut answer = Ok(answer.clone());
            refuse(&mut answer, on_truncation);
            answer.map_err(|error: PluginError| error.message)
        };
        let error = |answer: &Answer| refused(answer, OnTruncation::Error);
        assert!(
            error(&score(188)).unwrap_err().contains("700 tokens, of which the model could read only the last 512")
        );
        assert!(error(&generated).unwrap_err().contains("521 tokens, of which the model could read only the last 512"));
        assert_eq!(error(&score(0)), Ok(score(0)));
        for on_truncation in [OnTruncation::Report, OnTruncation::Allow] {
            assert_eq!(refused(&score(188), on_truncation), Ok(score(188)));
        }
    }
}
