//! A scorer of a pair. What it cannot do for one question costs that question, and no other.

use examiner_api::{Answered, Ask, ErrorCode, Outcome, PluginError, Question, Result, Scorer, ScorerInfo, Verdict};
use parking_lot::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

/// A scorer, opened.
pub(crate) struct OpenScorer {
    pub(crate) label: String,
    pub(crate) info: ScorerInfo,
    role: Mutex<Box<dyn Scorer>>,
    /// How many questions in a row ended its process, each alone.
    deaths: AtomicU32,
    /// After so many it is given up.
    deaths_max: u32,
}

impl OpenScorer {
    pub(crate) fn new(label: String, info: ScorerInfo, role: Box<dyn Scorer>, deaths_max: u32) -> Self {
        OpenScorer { label, info, role: Mutex::new(role), deaths: AtomicU32::new(0), deaths_max: deaths_max.max(1) }
    }

    /// The requests of each question, or why it has none.
    ///
    /// # Errors
    /// The scorer breaks its contract, or can do nothing for any question.
    pub(crate) fn requests(&self, questions: &[Question]) -> Result<Vec<Result<Vec<Ask>>>> {
        self.each(questions, "lists of requests", &|questions| self.role.lock().requests(questions))
    }

    /// A verdict for each item, which is an error where the scorer fails on it.
    ///
    /// # Errors
    /// As for [`OpenScorer::requests`].
    pub(crate) fn score(&self, items: &[Answered]) -> Result<Vec<Verdict>> {
        let verdicts = self.each(items, "verdicts", &|items| self.role.lock().score(items))?;
        let of_error = |error| Verdict { outcome: Outcome::Error(error), ..Verdict::default() };
        Ok(verdicts.into_iter().map(|verdict| verdict.unwrap_or_else(of_error)).collect())
    }

    /// The value of a corpus metric, which is a finite number.
    pub(crate) fn corpus(&self, metric: &str, statistics: &[Vec<f64>]) -> Result<f64> {
        let value = self.role.lock().corpus(metric, statistics)?;
        if value.is_finite() {
            return Ok(value);
        }
        let message = format!("expected a finite number, found {value} for {} samples", statistics.len());
        Err(PluginError::new(ErrorCode::Numeric, message)
            .with_help("samples are also drawn with repetition, to estimate the error: every draw needs a value"))
    }

    fn one_each<T>(&self, results: Vec<T>, items: usize, what: &str) -> Result<Vec<T>> {
        match results.len() == items {
            true => Ok(results),
            false => {
                let message =
                    format!("scorer `{}` returned {} {what} for {items} questions", self.label, results.len());
                Err(PluginError::new(ErrorCode::Protocol, message))
            }
        }
    }

    /// The result of `work` for all items at once; where that fails, for each alone.
    fn each<I, T>(&self, items: &[I], what: &str, work: &dyn Fn(&[I]) -> Result<Vec<T>>) -> Result<Vec<Result<T>>> {
        match work(items) {
            Ok(results) => {
                self.deaths.store(0, Ordering::SeqCst);
                return Ok(self.one_each(results, items.len(), what)?.into_iter().map(Ok).collect());
            }
            Err(error) if is_of_all(&error) => return Err(error),
            Err(_) => {}
        }
        let mut all = Vec::with_capacity(items.len());
        for item in items {
            match work(std::slice::from_ref(item)) {
                Ok(results) => {
                    self.deaths.store(0, Ordering::SeqCst);
                    all.extend(self.one_each(results, 1, what)?.into_iter().map(Ok));
                }
                Err(error) if is_of_all(&error) => return Err(error),
                Err(error) => all.push(Err(self.failed_alone(error)?)),
            }
        }
        Ok(all)
    }

    /// The error of a question, unless it is one too many in a row that ends the scorer's process.
    fn failed_alone(&self, error: PluginError) -> Result<PluginError> {
        use ErrorCode::{Crashed, Panic, Protocol, Timeout};
        if !matches!(error.code, Crashed | Panic | Protocol | Timeout) {
            self.deaths.store(0, Ordering::SeqCst);
            return Ok(error);
        }
        let deaths = 1 + self.deaths.fetch_add(1, Ordering::SeqCst);
        if deaths < self.deaths_max {
            return Ok(error);
        }
        let message = format!("scorer `{}` ended on {deaths} questions in a row, each of them alone", self.label);
        let causes = [error.message].into_iter().chain(error.causes).collect();
        Err(PluginError { code: ErrorCode::Crashed, message, causes, help: error.help })
    }
}

/// Whether an error is not that of a single question.
fn is_of_all(error: &PluginError) -> bool {
    error.code.ends_stage() && error.code != ErrorCode::Crashed
}

#[cfg(test)]
mod tests {
    use super::*;
    use examiner_api::Sample;

    /// Fails with this code on batches in which a question begins with `bad`.
    struct Picky(ErrorCode);

    impl Scorer for Picky {
        fn info(&self) -> Result<ScorerInfo> {
            Ok(ScorerInfo::default())
        }

        fn requests(&self, questions: &[Question]) -> Result<Vec<Vec<Ask>>> {
            match questions.iter().find(|question| question.sample.prompt.starts_with("bad")) {
                Some(bad) => Err(PluginError::new(self.0, bad.sample.prompt.clone())),
                None => Ok(questions.iter().map(|_| Vec::new()).collect()),
            }
        }

        fn score(&self, items: &[Answered]) -> Result<Vec<Verdict>> {
            // One verdict too many.
            Ok(items.iter().map(|_| Verdict::default()).chain([Verdict::default()]).collect())
        }
    }

    fn questions(prompts: &[&str]) -> Vec<Question> {
        let question = |prompt: &&str| Question {
            sample: Sample { prompt: (*prompt).to_owned(), ..Sample::default() },
            ..Question::default()
        };
        prompts.iter().map(question).collect()
    }

    fn open(code: ErrorCode) -> OpenScorer {
        OpenScorer::new("picky".to_owned(), ScorerInfo::default(), Box::new(Picky(code)), 3)
    }

    #[test]
    fn a_failure_costs_its_question() {
        let prompts = ["good", "bad 1", "bad 2", "good", "bad 3", "bad 4", "good"];
        for code in [ErrorCode::Other, ErrorCode::Panic, ErrorCode::Crashed, ErrorCode::Timeout] {
            let found = open(code).requests(&questions(&prompts)).unwrap();
            let failed: Vec<bool> = found.iter().map(Result::is_err).collect();
            assert_eq!(failed, prompts.map(|prompt| prompt.starts_with("bad")), "{code:?}");
        }
    }

    #[test]
    fn questions_that_others_stand_between_are_not_in_a_row() {
        let scorer = open(ErrorCode::Crashed);
        for _ in 0..4 {
            let found = scorer.requests(&questions(&["good", "bad"])).unwrap();
            assert!(found[0].is_ok() && found[1].is_err());
            assert!(scorer.requests(&questions(&["good"])).unwrap()[0].is_ok());
        }
    }

    #[test]
    fn what_fails_on_question_after_question_is_given_up() {
        let all = questions(&["bad 1", "bad 2", "bad 3", "good"]);
        let error = open(ErrorCode::Crashed).requests(&all).unwrap_err();
        assert_eq!(error.message, "scorer `picky` ended on 3 questions in a row, each of them alone");
        assert_eq!(error.causes, ["bad 3"]);
        // An error that it returns is that of its question, however many there are.
        assert_eq!(open(ErrorCode::Other).requests(&all).unwrap().iter().filter(|found| found.is_err()).count(), 3);
        // What holds for all is said once.
        assert_eq!(open(ErrorCode::BadOptions).requests(&all).unwrap_err().message, "bad 1");
        let error = open(ErrorCode::Other).score(&[Answered::default()]).unwrap_err();
        assert_eq!(error.message, "scorer `picky` returned 2 verdicts for 1 questions");
    }
}
