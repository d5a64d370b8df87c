//! Chooses the few-shot examples of a question.

use examiner_api::random::{Random, key_of};
use examiner_api::{PluginError, Result, Sample, Shot};
use examiner_suite::{Contamination, ShotsFrom};

/// The pool of a dataset, and how examples are chosen from it.
pub(super) struct Examples {
    pub(super) pool: Vec<Shot>,
    /// How many stand before a question.
    pub(super) wanted: usize,
    pub(super) from: ShotsFrom,
    pub(super) contamination: Contamination,
    pub(super) seed: u64,
}

/// The examples of one question.
pub(super) struct Chosen<'a> {
    pub(super) shots: Vec<&'a Shot>,
    /// Whether the question itself is one of them, or would be if it had not been left out.
    pub(super) contaminated: bool,
}

impl Examples {
    /// Fails if the pool is too small for the examples asked for.
    pub(super) fn check(&self) -> Result<()> {
        let Examples { pool, wanted, .. } = self;
        if *wanted <= pool.len() {
            return Ok(());
        }
        let message =
            format!("`shots: {wanted}` asks for more examples than the {} in the dataset's few-shot pool", pool.len());
        Err(PluginError::bad_options(message).with_help("lower `shots`, or give the dataset a (larger) few-shot pool"))
    }

    /// The first examples of the pool, which most questions have where they are not drawn.
    pub(super) fn first(&self) -> &[Shot] {
        &self.pool[..self.wanted]
    }

    /// Chooses the examples of a question.
    ///
    /// # Errors
    /// Too few are left without the question itself.
    pub(super) fn choose(&self, sample: &Sample) -> Result<Chosen<'_>> {
        let shots = self.take(sample, |_| true);
        let is_own = |shot: &Shot| is_own(shot, sample);
        let contaminated = shots.iter().any(|shot| is_own(shot));
        let has_own = match self.from {
            ShotsFrom::First => contaminated,
            ShotsFrom::Random => self.pool.iter().any(is_own),
        };
        if self.contamination == Contamination::Keep || !has_own {
            return Ok(Chosen { shots, contaminated });
        }
        let others = self.take(sample, |shot| !is_own(shot));
        if others.len() < self.wanted {
            return Err(self.too_few(sample, others.len()));
        }
        Ok(Chosen { shots: others, contaminated })
    }

    /// The first of the examples that fit, or some drawn without replacement by the seed and the question's id. Fewer than are
    /// wanted if fewer fit.
    fn take(&self, sample: &Sample, fits: impl Fn(&Shot) -> bool) -> Vec<&Shot> {
        let candidates = self.pool.iter().filter(|shot| fits(shot));
        match self.from {
            ShotsFrom::First => candidates.take(self.wanted).collect(),
            ShotsFrom::Random => {
                let mut drawn: Vec<&Shot> = candidates.collect();
                let mut random = Random::new(self.seed, key_of(&sample.id));
                for index in 0..self.wanted.min(drawn.len()) {
                    let other = index + random.below(drawn.len() - index);
                    drawn.swap(index, other);
                }
                drawn.truncate(self.wanted);
                drawn
            }
        }
    }

    fn too_few(&self, sample: &Sample, others: usize) -> PluginError {
        let message = format!(
            "`shots: {}` asks for more examples of sample `{}` than the {others} in the few-shot pool that are not the \
             sample itself",
            self.wanted, sample.id
        );
        PluginError::bad_options(message)
            .with_help("lower `shots`, give the dataset a larger few-shot pool, or set `contamination: keep`")
    }

    /// What is to be known of the results if `contaminated` of the `samples` are among their own examples.
    pub(super) fn warning(&self, contaminated: u64, samples: u64) -> Option<String> {
        let what = match self.contamination {
            Contamination::LeaveOut => {
                "were among their own few-shot examples; another example was taken in their place"
            }
            Contamination::Keep => {
                "are among their own few-shot examples and are shown their answers (`contamination: keep`)"
            }
        };
        (contaminated > 0).then(|| format!("{contaminated} of {samples} samples {what}"))
    }
}

/// Whether an example is the question itself: made of the same row, or of another with the same text.
fn is_own(shot: &Shot, sample: &Sample) -> bool {
    let text = sample.prompt.trim();
    shot.id.as_deref() == Some(&sample.id) || !text.is_empty() && shot.prompt.trim() == text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Questions `Q0` to `Q5`; the last has the text of the first, and is from another file.
    fn examples(wanted: usize, from: ShotsFrom, contamination: Contamination) -> Examples {
        let shot = |n: usize| Shot {
            id: (n < 5).then(|| n.to_string()),
            prompt: format!("Q{}", n % 5),
            answer: format!(" A{n}"),
        };
        Examples { pool: (0..6).map(shot).collect(), wanted, from, contamination, seed: 3 }
    }

    fn sample(id: &str, text: &str) -> Sample {
        Sample { id: id.into(), prompt: text.into(), ..Sample::default() }
    }

    fn answers(chosen: &Chosen<'_>) -> String {
        chosen.shots.iter().map(|shot| shot.answer.as_str()).collect()
    }

    #[test]
    fn the_next_example_takes_the_place_of_the_question_itself() {
        use Contamination::{Keep, LeaveOut};
        let of = |contamination, id: &str, text: &str| {
            let examples = examples(2, ShotsFrom::First, contamination);
            let chosen = examples.choose(&sample(id, text)).unwrap();
            (answers(&chosen), chosen.contaminated)
        };
        assert_eq!(of(LeaveOut, "x", "Q7"), (" A0 A1".into(), false));
        assert_eq!(of(LeaveOut, "x", "Q1\n"), (" A0 A2".into(), true), "the same text");
        assert_eq!(of(LeaveOut, "1", "P"), (" A0 A2".into(), true), "the same row");
        assert_eq!(of(LeaveOut, "3", "Q3"), (" A0 A1".into(), false), "it is not among the first");
        assert_eq!(of(Keep, "1", "Q1"), (" A0 A1".into(), true));
        assert_eq!(of(LeaveOut, "x", " "), (" A0 A1".into(), false), "no text is no question");
    }

    #[test]
    fn drawn_examples_never_hold_the_question_and_are_those_of_a_pool_without_it() {
        let drawn = |contamination, id: &str, text: &str| {
            let examples = examples(3, ShotsFrom::Random, contamination);
            let chosen = examples.choose(&sample(id, text)).unwrap();
            (answers(&chosen), chosen.contaminated)
        };
        let mut told = 0;
        for id in 0..40 {
            let (left, would_be) = drawn(Contamination::LeaveOut, &format!("other-{id}"), "Q0");
            assert!(!left.contains("A0") && !left.contains("A5"), "{left}");
            let (kept, is) = drawn(Contamination::Keep, &format!("other-{id}"), "Q0");
            assert_eq!(is, kept.contains("A0") || kept.contains("A5"), "{kept}");
            assert_eq!(is, would_be);
            told += u32::from(is);
        }
        assert!((10..40).contains(&told), "{told} of 40: four draws in five hold one of two out of six");
    }

    #[test]
    fn too_few_others_are_an_error_that_names_the_sample() {
        for from in [ShotsFrom::First, ShotsFrom::Random] {
            let error = examples(5, from, Contamination::LeaveOut).choose(&sample("0", "Q0")).err().unwrap();
            assert!(error.message.contains("`shots: 5`") && error.message.contains("sample `0` than the 4"), "{error}");
            assert!(examples(6, from, Contamination::Keep).choose(&sample("0", "Q0")).is_ok());
        }
    }

    #[test]
    fn the_count_is_told() {
        let examples = |contamination| examples(2, ShotsFrom::First, contamination);
        let left_out = examples(Contamination::LeaveOut);
        assert_eq!(left_out.warning(0, 9), None);
        assert!(left_out.warning(2, 9).unwrap().starts_with("2 of 9 samples were among their own few-shot examples"));
        assert!(examples(Contamination::Keep).warning(2, 9).unwrap().contains("shown their answers"));
    }
}
