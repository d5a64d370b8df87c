//! From samples to questions: few-shot examples are chosen and put before the prompt.

use crate::statistics::{Random, key_of};
use crate::suite::{DatasetSpec, ShotsFrom};
use examiner_api::{DatasetInfo, PluginError, Question, Result, Sample, Sampling, Shot};

/// Turns the samples of one dataset into questions.
pub(super) struct Prompter {
    preamble: String,
    separator: String,
    pool: Vec<Shot>,
    shots: usize,
    from: ShotsFrom,
    seed: u64,
    sampling: Sampling,
    /// The joined examples, where they are the same for every question.
    fixed: Option<String>,
}

impl Prompter {
    /// Fails if the pool is too small for the examples asked for.
    pub(super) fn new(spec: &DatasetSpec, info: &DatasetInfo, pool: Vec<Shot>, seed: u64) -> Result<Self> {
        let shots = spec.shots.unwrap_or(0);
        // A question that stands in the pool itself cannot be its own example.
        if shots > pool.len() {
            return Err(PluginError::bad_options(format!(
                "`shots: {shots}` asks for more examples than the {} in the dataset's few-shot pool",
                pool.len()
            ))
            .with_help("lower `shots`, or give the dataset a (larger) few-shot pool"));
        }
        let mut sampling = spec.generation.over(info.sampling.clone());
        sampling.seed = seed;
        let mut prompter = Prompter {
            preamble: info.preamble.clone(),
            separator: info.shot_separator.clone(),
            pool,
            shots,
            from: spec.shots_from,
            seed,
            sampling,
            fixed: None,
        };
        if prompter.from == ShotsFrom::First || shots == 0 {
            prompter.fixed = Some(prompter.join(prompter.pool[..shots].iter()));
        }
        Ok(prompter)
    }

    /// The sample with its examples before it.
    pub(super) fn question(&self, sample: Sample) -> Question {
        let context = match &self.fixed {
            Some(fixed) => format!("{fixed}{}", sample.prompt),
            None => format!("{}{}", self.join(self.draw(&sample.id).into_iter()), sample.prompt),
        };
        Question { sample, context, sampling: self.sampling.clone() }
    }

    /// Anything that changes a question besides the dataset itself.
    pub(super) fn fingerprint(&self) -> String {
        format!("shots {} {:?} seed {} sampling {:?}", self.shots, self.from, self.seed, self.sampling)
    }

    /// Examples for one question, drawn without replacement by seed and id, never the question itself.
    fn draw(&self, id: &str) -> Vec<&Shot> {
        let mut candidates: Vec<&Shot> = self.pool.iter().filter(|shot| shot.id.as_deref() != Some(id)).collect();
        let mut random = Random::new(self.seed, key_of(id));
        for place in 0..self.shots.min(candidates.len()) {
            let other = place + random.below(candidates.len() - place);
            candidates.swap(place, other);
        }
        candidates.truncate(self.shots);
        candidates
    }

    fn join<'a>(&self, shots: impl Iterator<Item = &'a Shot>) -> String {
        let mut text = self.preamble.clone();
        for shot in shots {
            text.push_str(&shot.prompt);
            text.push_str(&shot.answer);
            text.push_str(&self.separator);
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pool() -> Vec<Shot> {
        let shot = |n| Shot { id: Some(format!("{n}")), prompt: format!("Q{n}"), answer: format!(" A{n}") };
        (0..9).map(shot).collect()
    }

    fn spec(shots: usize, from: ShotsFrom) -> DatasetSpec {
        DatasetSpec {
            plugin: "table".into(),
            scorers: Vec::new(),
            shots: Some(shots),
            shots_from: from,
            repeats: 1,
            limit: None,
            generation: crate::suite::Generation::default(),
            options: Default::default(),
        }
    }

    fn sample(id: &str) -> Sample {
        Sample { id: id.into(), prompt: format!("Q{id}"), ..Sample::default() }
    }

    #[test]
    fn first_shots_are_the_same_for_all() {
        let info = DatasetInfo { preamble: "P\n".into(), ..DatasetInfo::default() };
        let prompter = Prompter::new(&spec(2, ShotsFrom::First), &info, pool(), 1).unwrap();
        assert_eq!(prompter.question(sample("7")).context, "P\nQ0 A0\n\nQ1 A1\n\nQ7");
        assert_eq!(prompter.question(sample("0")).context, "P\nQ0 A0\n\nQ1 A1\n\nQ0");
    }

    #[test]
    fn drawn_shots_depend_on_seed_and_id_alone_and_never_show_the_answer() {
        let context = |seed, id| {
            let spec = spec(8, ShotsFrom::Random);
            Prompter::new(&spec, &DatasetInfo::default(), pool(), seed).unwrap().question(sample(id)).context
        };
        assert_eq!(context(1, "3"), context(1, "3"));
        assert_ne!(context(1, "3"), context(2, "3"));
        assert_ne!(context(1, "3"), context(1, "4"));
        for id in ["0", "3", "8"] {
            assert!(!context(5, id).contains(&format!("A{id}")), "{}", context(5, id));
        }
    }

    #[test]
    fn a_pool_that_is_too_small_is_refused() {
        let error = Prompter::new(&spec(10, ShotsFrom::First), &DatasetInfo::default(), pool(), 1).err().unwrap();
        assert!(error.message.contains("more examples than the 9"), "{error}");
    }
}
