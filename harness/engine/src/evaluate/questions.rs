//! From samples to questions: few-shot examples are chosen and put before the prompt.

use examiner_api::random::{Random, key_of};
use examiner_api::{DatasetInfo, PluginError, Question, Result, Sample, Sampling, Shot, Turn};
use examiner_suite::{DatasetSpec, ShotsFrom};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// What changes a question besides the dataset itself. It is serialized into the inputs of a stage.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Prompting {
    version: u32,
    shots: usize,
    shots_from: ShotsFrom,
    seed: u64,
    sampling: Sampling,
    /// Whether questions are given as turns, too.
    turns: bool,
}

/// Whether the questions of a stage with this input `prompting` were given as turns, too.
pub(crate) fn has_turns(prompting: &str) -> bool {
    serde_json::from_str::<Prompting>(prompting).is_ok_and(|prompting| prompting.turns)
}

/// Turns the samples of one dataset into questions.
pub(super) struct Prompter {
    preamble: String,
    separator: String,
    pool: Vec<Shot>,
    shots: usize,
    from: ShotsFrom,
    seed: u64,
    sampling: Sampling,
    /// Whether questions are given as turns too: the model reads them, and there is more than the prompt.
    as_turns: bool,
    /// The text before the prompt, where it is the same for every question.
    fixed: Option<Before>,
}

/// The text before a sample's prompt.
#[derive(Clone)]
struct Before {
    text: String,
    /// The same as turns, if they are wanted.
    turns: Vec<Turn>,
}

impl Prompter {
    /// Fails if the pool is too small for the examples asked for.
    pub(super) fn new(
        spec: &DatasetSpec,
        info: &DatasetInfo,
        pool: Vec<Shot>,
        seed: u64,
        model_reads_turns: bool,
    ) -> Result<Self> {
        let shots = spec.shots.unwrap_or(0);
        // A question that is in the pool itself cannot be its own example.
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
            as_turns: model_reads_turns && (shots > 0 || !info.preamble.trim().is_empty()),
            fixed: None,
        };
        if prompter.from == ShotsFrom::First || shots == 0 {
            prompter.fixed = Some(prompter.before(prompter.pool[..shots].iter()));
        }
        Ok(prompter)
    }

    /// The sample with its examples before it.
    pub(super) fn question(&self, sample: Sample) -> Question {
        let before = match &self.fixed {
            Some(fixed) => fixed.clone(),
            None => self.before(self.draw(&sample.id).into_iter()),
        };
        let context = before.text + &sample.prompt;
        let mut turns = before.turns;
        if self.as_turns {
            turns.push(Turn::user(&sample.prompt));
        }
        Question { sample, context, turns: Arc::new(turns), sampling: self.sampling.clone() }
    }

    /// What changes a question besides the dataset itself, as JSON.
    pub(super) fn fingerprint(&self) -> Result<String> {
        let prompting = Prompting {
            version: 1,
            shots: self.shots,
            shots_from: self.from,
            seed: self.seed,
            sampling: self.sampling.clone(),
            turns: self.as_turns,
        };
        serde_json::to_string(&prompting)
            .map_err(|error| PluginError::bad_input("cannot write how questions are put").with_cause(&error))
    }

    /// Examples for one question, drawn without replacement by seed and id, never the question itself.
    fn draw(&self, id: &str) -> Vec<&Shot> {
        let mut candidates: Vec<&Shot> = self.pool.iter().filter(|shot| shot.id.as_deref() != Some(id)).collect();
        let mut random = Random::new(self.seed, key_of(id));
        for index in 0..self.shots.min(candidates.len()) {
            let other = index + random.below(candidates.len() - index);
            candidates.swap(index, other);
        }
        candidates.truncate(self.shots);
        candidates
    }

    /// Preamble and examples. As turns, the preamble is what the system says, and an example is a question and its answer;
    /// the white space that keeps them apart in a text has nothing to do there. lm-evaluation-harness does the same under
    /// `--apply_chat_template --fewshot_as_multiturn`.
    fn before<'a>(&self, shots: impl Iterator<Item = &'a Shot>) -> Before {
        let mut text = self.preamble.clone();
        let mut turns = Vec::new();
        let preamble = self.preamble.trim_end();
        if self.as_turns && !preamble.trim_start().is_empty() {
            turns.push(Turn::system(preamble));
        }
        for shot in shots {
            text.push_str(&shot.prompt);
            text.push_str(&shot.answer);
            text.push_str(&self.separator);
            if self.as_turns {
                turns.extend([Turn::user(&shot.prompt), Turn::assistant(shot.answer.trim_start())]);
            }
        }
        Before { text, turns }
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
            generation: examiner_suite::Generation::default(),
            options: Default::default(),
        }
    }

    fn sample(id: &str) -> Sample {
        Sample { id: id.into(), prompt: format!("Q{id}"), ..Sample::default() }
    }

    #[test]
    fn first_shots_are_the_same_for_all() {
        let info = DatasetInfo { preamble: "P\n".into(), ..DatasetInfo::default() };
        let prompter = Prompter::new(&spec(2, ShotsFrom::First), &info, pool(), 1, false).unwrap();
        assert_eq!(prompter.question(sample("7")).context, "P\nQ0 A0\n\nQ1 A1\n\nQ7");
        assert_eq!(prompter.question(sample("0")).context, "P\nQ0 A0\n\nQ1 A1\n\nQ0");
    }

    #[test]
    fn drawn_shots_depend_on_seed_and_id_alone_and_never_show_the_answer() {
        let context = |seed, id| {
            let spec = spec(8, ShotsFrom::Random);
            Prompter::new(&spec, &DatasetInfo::default(), pool(), seed, false).unwrap().question(sample(id)).context
        };
        assert_eq!(context(1, "3"), context(1, "3"));
        assert_ne!(context(1, "3"), context(2, "3"));
        assert_ne!(context(1, "3"), context(1, "4"));
        for id in ["0", "3", "8"] {
            assert!(!context(5, id).contains(&format!("A{id}")), "{}", context(5, id));
        }
    }

    #[test]
    fn a_model_that_reads_turns_gets_the_same_as_a_conversation() {
        let info = DatasetInfo { preamble: "Answer.\n\n".into(), ..DatasetInfo::default() };
        let prompter = |shots, reads| Prompter::new(&spec(shots, ShotsFrom::First), &info, pool(), 1, reads).unwrap();
        let question = prompter(2, true).question(sample("7"));
        assert_eq!(question.context, prompter(2, false).question(sample("7")).context);
        let user = |content: &str| Turn::user(content);
        let assistant = |content: &str| Turn::assistant(content);
        let expected = [Turn::system("Answer."), user("Q0"), assistant("A0"), user("Q1"), assistant("A1"), user("Q7")];
        assert_eq!(*question.turns, expected);
        assert_eq!(prompter(0, true).question(sample("7")).turns.len(), 2);
        let drawn = Prompter::new(&spec(1, ShotsFrom::Random), &info, pool(), 1, true).unwrap();
        let question = drawn.question(sample("7"));
        assert_eq!(question.turns.len(), 4);
        assert!(question.context.contains(&format!("{} {}", question.turns[1].content, question.turns[2].content)));
    }

    /// A record of the journal holds as long as nothing that it depends on changes: nothing does for a model that reads no
    /// turns, nor where there is but one.
    #[test]
    fn without_turns_questions_and_fingerprints_are_what_they_were() {
        let prompter = |shots, info: &DatasetInfo, reads| {
            Prompter::new(&spec(shots, ShotsFrom::First), info, pool(), 1, reads).unwrap()
        };
        let bare = DatasetInfo::default();
        let fingerprint = |prompter: Prompter| prompter.fingerprint().unwrap();
        let plain = prompter(2, &bare, false);
        assert!(plain.question(sample("7")).turns.is_empty());
        assert_ne!(fingerprint(prompter(2, &bare, false)), fingerprint(prompter(2, &bare, true)));
        assert!(has_turns(&fingerprint(prompter(2, &bare, true))) && !has_turns(&fingerprint(plain)));
        let alone = prompter(0, &bare, true);
        assert_eq!(alone.fingerprint(), prompter(0, &bare, false).fingerprint());
        assert!(alone.question(sample("7")).turns.is_empty());
    }

    #[test]
    fn a_pool_that_is_too_small_is_refused() {
        let info = DatasetInfo::default();
        let error = Prompter::new(&spec(10, ShotsFrom::First), &info, pool(), 1, false).err().unwrap();
        assert!(error.message.contains("more examples than the 9"), "{error}");
    }
}
