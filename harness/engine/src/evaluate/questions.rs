//! From samples to questions: few-shot examples are put before the prompt.

use super::shots::{Chosen, Examples};
use examiner_api::{DatasetInfo, PluginError, Question, Result, Sample, Sampling, Shot, Turn};
use examiner_suite::{Contamination, DatasetSpec, ShotsFrom};
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
    /// What becomes of examples that are the question itself; none without examples.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    contamination: Option<Contamination>,
}

/// Whether the questions of a stage with this input `prompting` were given as turns, too.
pub(crate) fn has_turns(prompting: &str) -> bool {
    serde_json::from_str::<Prompting>(prompting).is_ok_and(|prompting| prompting.turns)
}

/// Turns the samples of one dataset into questions.
pub(super) struct Prompter {
    preamble: String,
    separator: String,
    examples: Examples,
    sampling: Sampling,
    /// Whether questions are given as turns too: the model reads them, and there is more than the prompt.
    as_turns: bool,
    /// The text before the prompt, where it is the same for every question that is not one of the examples itself.
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
        let wanted = spec.shots.unwrap_or(0);
        let examples = Examples { pool, wanted, from: spec.shots_from, contamination: spec.contamination, seed };
        examples.check()?;
        let mut sampling = spec.generation.over(info.sampling.clone());
        sampling.seed = seed;
        let mut prompter = Prompter {
            preamble: info.preamble.clone(),
            separator: info.shot_separator.clone(),
            examples,
            sampling,
            as_turns: model_reads_turns && (wanted > 0 || info.has_turns || !info.preamble.trim().is_empty()),
            fixed: None,
        };
        if spec.shots_from == ShotsFrom::First || wanted == 0 {
            prompter.fixed = Some(prompter.before(prompter.examples.first().iter()));
        }
        Ok(prompter)
    }

    /// The sample with its examples before it, and whether it is one of them itself, or would be if it had not been left out.
    ///
    /// # Errors
    /// Too few examples are left without the sample itself.
    pub(super) fn question(&self, mut sample: Sample) -> Result<(Question, bool)> {
        let Chosen { shots, contaminated } = self.examples.choose(&sample)?;
        let before = match &self.fixed {
            Some(fixed) if !contaminated => fixed.clone(),
            _ => self.before(shots.into_iter()),
        };
        let context = before.text + &sample.prompt;
        let mut turns = before.turns;
        let own = std::mem::take(&mut sample.turns);
        match (self.as_turns, own.is_empty()) {
            (true, true) => turns.push(Turn::user(&sample.prompt)),
            (true, false) if turns.is_empty() => turns = Arc::unwrap_or_clone(own),
            (true, false) => turns.extend(own.iter().cloned()),
            (false, _) => {}
        }
        Ok((Question { sample, context, turns: Arc::new(turns), sampling: self.sampling.clone() }, contaminated))
    }

    /// What is to be known of the results if `contaminated` of the `samples` are among their own examples.
    pub(super) fn warning(&self, contaminated: u64, samples: u64) -> Option<String> {
        self.examples.warning(contaminated, samples)
    }

    /// What changes a question besides the dataset itself, as JSON.
    pub(super) fn fingerprint(&self) -> Result<String> {
        let prompting = Prompting {
            version: 1,
            shots: self.examples.wanted,
            shots_from: self.examples.from,
            seed: self.examples.seed,
            sampling: self.sampling.clone(),
            turns: self.as_turns,
            contamination: (self.examples.wanted > 0).then_some(self.examples.contamination),
        };
        serde_json::to_string(&prompting)
            .map_err(|error| PluginError::bad_input("cannot write how questions are put").with_cause(&error))
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
            contamination: Contamination::default(),
            repeats: 1,
            limit: None,
            generation: examiner_suite::Generation::default(),
            options: Default::default(),
        }
    }

    fn sample(id: &str) -> Sample {
        Sample { id: id.into(), prompt: format!("Q{id}"), ..Sample::default() }
    }

    fn asked(prompter: &Prompter, id: &str) -> Question {
        prompter.question(sample(id)).unwrap().0
    }

    #[test]
    fn first_shots_are_the_same_for_all() {
        let info = DatasetInfo { preamble: "P\n".into(), ..DatasetInfo::default() };
        let prompter = Prompter::new(&spec(2, ShotsFrom::First), &info, pool(), 1, false).unwrap();
        assert_eq!(asked(&prompter, "7").context, "P\nQ0 A0\n\nQ1 A1\n\nQ7");
        assert_eq!(asked(&prompter, "8").context, "P\nQ0 A0\n\nQ1 A1\n\nQ8");
    }

    #[test]
    fn a_question_among_the_first_shots_is_not_shown_its_answer_unless_that_is_kept() {
        let of = |contamination| {
            let spec = DatasetSpec { contamination, ..spec(2, ShotsFrom::First) };
            let prompter = Prompter::new(&spec, &DatasetInfo::default(), pool(), 1, true).unwrap();
            let (question, contaminated) = prompter.question(sample("0")).unwrap();
            assert_eq!((contaminated, question.turns.len()), (true, 5));
            (question.context, question.turns[1].content.clone(), prompter.fingerprint().unwrap())
        };
        let (left_out, kept) = (of(Contamination::LeaveOut), of(Contamination::Keep));
        assert_eq!((&*left_out.0, &*left_out.1), ("Q1 A1\n\nQ2 A2\n\nQ0", "A1"));
        assert_eq!((&*kept.0, &*kept.1), ("Q0 A0\n\nQ1 A1\n\nQ0", "A0"));
        assert_ne!(left_out.2, kept.2, "it is one of the inputs of a stage");
    }

    #[test]
    fn drawn_shots_depend_on_seed_and_id_alone_and_never_show_the_answer() {
        let context = |seed, id| {
            let spec = spec(8, ShotsFrom::Random);
            asked(&Prompter::new(&spec, &DatasetInfo::default(), pool(), seed, false).unwrap(), id).context
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
        let question = asked(&prompter(2, true), "7");
        assert_eq!(question.context, asked(&prompter(2, false), "7").context);
        let user = |content: &str| Turn::user(content);
        let assistant = |content: &str| Turn::assistant(content);
        let expected = [Turn::system("Answer."), user("Q0"), assistant("A0"), user("Q1"), assistant("A1"), user("Q7")];
        assert_eq!(*question.turns, expected);
        assert_eq!(asked(&prompter(0, true), "7").turns.len(), 2);
        let drawn = Prompter::new(&spec(1, ShotsFrom::Random), &info, pool(), 1, true).unwrap();
        let question = asked(&drawn, "7");
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
        assert!(asked(&plain, "7").turns.is_empty());
        assert_ne!(fingerprint(prompter(2, &bare, false)), fingerprint(prompter(2, &bare, true)));
        assert!(has_turns(&fingerprint(prompter(2, &bare, true))) && !has_turns(&fingerprint(plain)));
        let alone = prompter(0, &bare, true);
        assert_eq!(alone.fingerprint(), prompter(0, &bare, false).fingerprint());
        assert!(asked(&alone, "7").turns.is_empty());
    }

    #[test]
    fn turns_of_a_sample_are_asked_of_a_model_that_reads_them() {
        let info = DatasetInfo { has_turns: true, ..DatasetInfo::default() };
        let turns = vec![Turn::user("Q1"), Turn::assistant("A1"), Turn::user("Q7")];
        let asked = |reads| {
            let prompter = Prompter::new(&spec(0, ShotsFrom::First), &info, Vec::new(), 1, reads).unwrap();
            let sample = Sample { turns: Arc::new(turns.clone()), ..sample("7") };
            (prompter.question(sample).unwrap().0, prompter.fingerprint().unwrap())
        };
        let (read, unread) = (asked(true), asked(false));
        assert_eq!((&*read.0.turns, unread.0.turns.len()), (&turns, 0));
        assert_eq!((&*read.0.context, &*unread.0.context), ("Q7", "Q7"));
        assert!(read.0.sample.turns.is_empty(), "they are sent once");
        assert!(has_turns(&read.1) && !has_turns(&unread.1));
    }

    #[test]
    fn a_pool_that_is_too_small_is_refused() {
        let info = DatasetInfo::default();
        let error = Prompter::new(&spec(10, ShotsFrom::First), &info, pool(), 1, false).err().unwrap();
        assert!(error.message.contains("more examples than the 9"), "{error}");
    }
}
