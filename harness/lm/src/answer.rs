//! One answer while it grows: which token comes next, and whether that was the last.

use crate::detokenizer::{Detokenizer, Extension};
use crate::log_softmax::not_finite;
use crate::reasoning::{Answering, Growing, Grown, Marks, Phase};
use crate::sampling::{check, choose};
use crate::split::check_vocabulary;
use crate::{SplitError, Tokenizer};
use examiner_api::random::Stream;
use examiner_api::{FinishReason, GenerateRequest, GenerateResult, PluginError, Result};

/// The next token of an answer.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Step {
    pub(crate) token: u32,
    /// How the answer ends, if this token is its last.
    pub(crate) end: Option<Ending>,
    /// What it adds to the text, and what the answer is at then, if that was looked at.
    seen: Option<(Extension, Phase)>,
}

/// How an answer ends.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Ending {
    pub(crate) finish: FinishReason,
    pub(crate) text: String,
    /// What stands before the text, where reasoning is kept apart, and how many tokens it has.
    pub(crate) reasoning: Option<(String, usize)>,
}

/// A prompt and what has been generated so far.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) request: GenerateRequest,
    /// At least one token, after truncation.
    pub(crate) prompt: Vec<u32>,
    truncated: usize,
    /// The most new tokens that request and context allow.
    pub(crate) room: usize,
    /// Special tokens that are among the stop strings: they do not show in the text, where one could look for them.
    stop_tokens: Vec<u32>,
    stream: Stream,
    pub(crate) tokens: Vec<u32>,
    text: Detokenizer,
    /// How reasoning is told from the answer, where it is.
    marks: Option<Marks>,
    phase: Phase,
}

impl Answer {
    /// Turns a prompt into tokens. One that is longer than the context is cut on the left, so that there is room for
    /// `max_new_tokens`, but at least half of the context is kept for it; one that fits stays whole, and the answer ends where the
    /// context does. An empty prompt is the beginning-of-text token.
    ///
    /// # Errors
    /// `BadInput` if the sampling makes no sense or a token is not in the vocabulary, `Unsupported` if the prompt is empty
    /// and the model has nothing to begin with.
    pub(crate) fn new(
        request: GenerateRequest,
        tokenizer: &Tokenizer,
        adds_before: bool,
        context_length: usize,
        vocabulary: usize,
    ) -> Result<Self, (u64, PluginError)> {
        let id = request.id;
        let prompt = prompt(&request, tokenizer, adds_before, vocabulary).map_err(|error| (id, error))?;
        let sampling = &request.sampling;
        let max_new_tokens = sampling.max_new_tokens as usize;
        // A prompt that fits is not cut to make room for tokens that may never come: the answer is shorter.
        let keep = context_length.saturating_sub(max_new_tokens).max(context_length / 2).max(1);
        let truncated = if prompt.len() > context_length { prompt.len() - keep } else { 0 };
        let prompt = prompt[truncated..].to_vec();
        // The last new token is not fed to the model again, so it may stand beyond the context.
        let room = max_new_tokens.min((context_length + 1).saturating_sub(prompt.len()));
        let stop_tokens = sampling.stop.iter().filter_map(|stop| tokenizer.special_token(stop)).collect();
        let stream = Stream::new(sampling.seed, &request.sample.id, request.sample.repeat);
        let (tokens, text) = (Vec::new(), Detokenizer::default());
        let phase = Phase::Answering(Answering::plain());
        Ok(Answer { prompt, truncated, room, stop_tokens, stream, tokens, text, marks: None, phase, request })
    }

    /// Keeps reasoning apart from the answer.
    pub(crate) fn with_marks(mut self, marks: Option<Marks>) -> Self {
        if let Some(marks) = &marks {
            self.phase = marks.first_phase(&self.request.prompt);
        }
        self.marks = marks;
        self
    }

    /// Chooses the next token. It changes nothing, so that many answers can be worked on side by side.
    ///
    /// # Errors
    /// `Numeric` if a logit is not finite.
    pub(crate) fn step(&self, logits: &[f32], tokenizer: &Tokenizer) -> Result<Step> {
        let sampling = &self.request.sampling;
        let seen = self.prompt.iter().chain(&self.tokens).copied();
        let token = choose(logits, sampling, seen, self.stream.uniform(self.tokens.len() as u32))
            .map_err(|found| not_finite(self.prompt.len() + self.tokens.len() - 1, found))?;
        let mut end = None;
        let shown = !tokenizer.eos().contains(&token);
        if !shown {
            end = Some(FinishReason::EndOfText);
        } else if self.stop_tokens.contains(&token) && !matches!(self.phase, Phase::Reasoning(_)) {
            end = Some(FinishReason::StopString);
        } else if self.tokens.len() + 1 >= self.room {
            let is_full = self.room < sampling.max_new_tokens as usize;
            end = Some(if is_full { FinishReason::ContextLength } else { FinishReason::Length });
        }
        if end.is_none() && sampling.stop.is_empty() && self.marks.is_none() {
            return Ok(Step { token, end: None, seen: None });
        }
        let mut tokens = self.tokens[self.text.skipped()..].to_vec();
        tokens.extend(shown.then_some(token));
        let extension = self.text.extend(tokenizer, &tokens)?;
        // A stop string may span tokens, and so may a character: bytes at the end that are none yet may become one.
        let new =
            if end.is_none() { extension.text.trim_end_matches(char::REPLACEMENT_CHARACTER) } else { &extension.text };
        let text = Growing { settled: self.text.text(), new };
        let phase = match &self.marks {
            None => self.phase.clone(),
            Some(marks) => {
                let grown = Grown { token, tokens: self.tokens.len() + 1, is_last: end.is_some() };
                marks.next_phase(&self.phase, text, grown)
            }
        };
        let stop = self.stop_in(text, &phase);
        if stop.is_some() {
            end = Some(FinishReason::StopString);
        }
        let end = end.map(|finish| {
            let whole = format!("{}{}", self.text.text(), extension.text);
            self.ending(finish, &whole, stop, &phase)
        });
        Ok(Step { token, end, seen: Some((extension, phase)) })
    }

    /// The offset in the text of the first stop string of the answer.
    fn stop_in(&self, text: Growing<'_>, phase: &Phase) -> Option<usize> {
        let Phase::Answering(answering) = phase else { return None };
        let stop = &self.request.sampling.stop;
        let longest = stop.iter().map(String::len).max()?;
        // One that ends in the settled text would have been found before, if the answer had begun there then.
        let from = match &self.phase {
            Phase::Answering(before) if before.from == answering.from => answering.from.max(text.unsearched(longest)),
            _ => answering.from,
        };
        let (from, searched) = text.from(from);
        stop.iter().filter_map(|stop| searched.find(stop)).min().map(|at| from + at)
    }

    /// The end of an answer with all of its text.
    fn ending(&self, finish: FinishReason, whole: &str, stop: Option<usize>, phase: &Phase) -> Ending {
        let tokens = self.tokens.len() + 1;
        let at = |offset: usize| whole.floor_char_boundary(offset);
        match phase {
            Phase::Answering(Answering { from, reasoning, .. }) => Ending {
                finish,
                text: whole[at(*from)..stop.unwrap_or(whole.len())].to_owned(),
                reasoning: reasoning.map(|ended| (whole[at(ended.from)..at(ended.to)].to_owned(), ended.tokens)),
            },
            Phase::Reasoning(from) => {
                Ending { finish, text: String::new(), reasoning: Some((whole[*from..].to_owned(), tokens)) }
            }
            Phase::Open => Ending { finish, text: whole.to_owned(), reasoning: None },
        }
    }

    /// Adds the token of a step. Gives the end of the answer, if that was the last.
    pub(crate) fn take(&mut self, step: Step) -> Option<Ending> {
        self.tokens.push(step.token);
        if let Some((extension, phase)) = step.seen {
            self.text.accept(extension);
            self.phase = phase;
        }
        step.end
    }

    /// The end of an answer that has room for no token.
    pub(crate) fn nothing(&self) -> Ending {
        let reasoning = matches!(self.phase, Phase::Reasoning(_)).then(Default::default);
        Ending { finish: FinishReason::Length, text: String::new(), reasoning }
    }

    /// The result once the last token is among `tokens`.
    pub(crate) fn result(&self, ending: Ending) -> GenerateResult {
        let (reasoning, reasoning_tokens) = ending.reasoning.unzip();
        GenerateResult {
            text: ending.text,
            finish: ending.finish,
            tokens: self.tokens.clone(),
            tokens_in: self.prompt.len() as u32,
            tokens_out: self.tokens.len() as u32,
            truncated_tokens: self.truncated as u32,
            rendered: None,
            reasoning,
            reasoning_tokens: reasoning_tokens.unwrap_or(0) as u32,
        }
    }
}

/// The tokens of a prompt before truncation.
fn prompt(request: &GenerateRequest, tokenizer: &Tokenizer, adds_before: bool, vocabulary: usize) -> Result<Vec<u32>> {
    check(&request.sampling)?;
    let (mut prompt, _) = tokenizer.encode_whole(&request.prompt, adds_before)?;
    if prompt.is_empty() {
        prompt.push(tokenizer.beginning().ok_or(SplitError::NoBeginning)?);
    }
    check_vocabulary(&prompt, vocabulary)?;
    Ok(prompt)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::split::is_space;
    use crate::testing;
    use examiner_api::{Parted, ReasoningMarks, Sampling};
    use proptest::prelude::*;

    fn answer(prompt: &str, stop: &[&str], max_new_tokens: u32) -> Answer {
        let stop = stop.iter().map(ToString::to_string).collect();
        let sampling = Sampling { max_new_tokens, stop, ..Sampling::default() };
        let request = GenerateRequest { prompt: prompt.to_owned(), sampling, ..GenerateRequest::default() };
        Answer::new(request, &testing::tokenizer(), true, 64, testing::tokenizer().vocabulary()).unwrap()
    }

    /// Feeds the tokens one by one until the answer ends; how it ended, and after how many tokens.
    fn feed(answer: Answer, tokens: &[u32]) -> Option<(FinishReason, String, usize)> {
        fed(answer, tokens).map(|(Ending { finish, text, .. }, count)| (finish, text, count))
    }

    fn fed(mut answer: Answer, tokens: &[u32]) -> Option<(Ending, usize)> {
        let tokenizer = testing::tokenizer();
        for &token in tokens {
            let mut logits = vec![0.0; tokenizer.vocabulary()];
            logits[token as usize] = 1.0;
            let step = answer.step(&logits, &tokenizer).unwrap();
            assert_eq!(step.token, token);
            if let Some(ending) = answer.take(step) {
                return Some((ending, answer.tokens.len()));
            }
        }
        None
    }

    /// The same by decoding all tokens at every step.
    fn whole(tokens: &[u32], stop: &[&str], room: usize) -> Option<(FinishReason, String, usize)> {
        let tokenizer = testing::tokenizer();
        (1..=tokens.len()).find_map(|count| {
            let ends = tokens[count - 1] == testing::EOS;
            let mut text = tokenizer.decode(&tokens[..count]).unwrap();
            let end =
                if ends { Some(FinishReason::EndOfText) } else { (count >= room).then_some(FinishReason::Length) };
            let complete = if end.is_none() { text.trim_end_matches('\u{fffd}') } else { &text };
            let found = stop.iter().filter_map(|stop| complete.find(stop)).min();
            let end = if found.is_some() { Some(FinishReason::StopString) } else { end };
            text.truncate(found.unwrap_or(text.len()));
            Some((end?, text, count))
        })
    }

    /// The text and the reasoning after each token, by parting the whole text at every step.
    fn whole_in_parts(tokens: &[u32], stop: &[&str], room: usize, inside: bool) -> Option<Ending> {
        let (tokenizer, marks) = (testing::tokenizer(), marks());
        // How many tokens there are when the last end mark of the answer so far has come.
        let (mut ended, mut ends) = (0, 0);
        (1..=tokens.len()).find_map(|count| {
            let is_end = tokens[count - 1] == testing::EOS;
            let text = tokenizer.decode(&tokens[..count]).unwrap();
            let finish = match (is_end, count >= room) {
                (true, _) => Some(FinishReason::EndOfText),
                (_, full) => full.then_some(FinishReason::Length),
            };
            let text = if finish.is_none() { text.trim_end_matches('\u{fffd}') } else { &text };
            if text.matches(&marks.end).count() > ends {
                (ended, ends) = (count, text.matches(&marks.end).count());
            }
            let Parted { reasoning, answer } = marks.part(text, inside);
            let tokens = if ends > 0 { ended } else { count };
            let reasoning = reasoning.map(|reasoning| (reasoning.to_owned(), tokens));
            let is_open = reasoning.is_none() && finish.is_none() && marks.may_open(text);
            let found = stop.iter().filter_map(|stop| answer.find(stop)).min().filter(|_| !is_open);
            let finish = if found.is_some() { Some(FinishReason::StopString) } else { finish };
            let text = answer[..found.unwrap_or(answer.len())].to_owned();
            finish.map(|finish| Ending { finish, text, reasoning })
        })
    }

    fn marks() -> ReasoningMarks {
        ReasoningMarks { start: "<a>".to_owned(), end: "</a>".to_owned() }
    }

    const STOPS: [&str; 7] = ["c\u{e9}", "\u{fffd}", "\u{fffd}\u{fffd}", "é漢", "th", "a b", "🦀"];

    #[test]
    fn a_prompt_that_fits_is_whole_and_one_that_does_not_leaves_room() {
        let lengths = |prompt: usize, max_new_tokens| {
            let answer = answer(&"!".repeat(prompt), &[], max_new_tokens);
            (answer.prompt.len(), answer.truncated, answer.room)
        };
        assert_eq!(lengths(60, 3), (60, 0, 3));
        assert_eq!(lengths(60, 30), (60, 0, 5), "the answer is shorter");
        assert_eq!(lengths(64, 30), (64, 0, 1));
        assert_eq!(lengths(65, 30), (34, 31, 30), "the answer has room where the prompt is cut anyway");
        assert_eq!(lengths(65, 1000), (32, 33, 33), "and the prompt keeps half of the context");
        assert_eq!(lengths(100, 60), (32, 68, 33));
        let whole = answer("xyz", &[], 1000);
        assert_eq!((whole.prompt.len(), whole.room), (1, 64));
        let tokens = testing::tokenizer().encode("hihihi").unwrap();
        let end = feed(answer(&"!".repeat(60), &[], 30), &tokens[..5]);
        assert_eq!(end, Some((FinishReason::ContextLength, "hihih".to_owned(), 5)));
    }

    #[test]
    fn tokens_before_a_text_begin_a_prompt_once() {
        let mut tokenizer = testing::tokenizer();
        tokenizer.set_before(vec![testing::BOS]);
        let begin = tokenizer.written(testing::BOS).unwrap();
        let of = |prompt: &str, adds_before| {
            let request = GenerateRequest { prompt: prompt.to_owned(), ..GenerateRequest::default() };
            Answer::new(request, &tokenizer, adds_before, 64, tokenizer.vocabulary()).unwrap().prompt
        };
        let plain = testing::tokenizer().encode("hi").unwrap();
        let with = [&[testing::BOS], &plain[..]].concat();
        assert_eq!(of("hi", true), with);
        assert_eq!(of(&format!("{begin}hi"), true), with);
        assert_eq!(of("hi", false), plain);
        assert_eq!(of("", true), [testing::BOS]);
        assert_eq!(
            answer("", &[], 5).prompt,
            [testing::BOS],
            "without any, an empty prompt begins with it all the same"
        );
    }

    proptest! {
        #![proptest_config(examiner_test_support::cases(400))]

        #[test]
        fn an_answer_ends_where_decoding_the_whole_of_it_says(
            tokens in prop::collection::vec(prop_oneof![0_u32..266, Just(2), Just(67)], 0..40),
            text in "[a-c é漢🦀th]{0,16}",
            stop in prop::collection::vec(prop::sample::select(STOPS.to_vec()), 0..3),
            room in 1_u32..60,
        ) {
            let tokens = [testing::tokenizer().encode(&text).unwrap(), tokens].concat();
            let tokens: Vec<u32> = tokens.into_iter().filter(|&token| token != testing::TURN).collect();
            prop_assert_eq!(feed(answer("p", &stop, room), &tokens), whole(&tokens, &stop, room as usize));
        }

        #[test]
        fn reasoning_is_what_parting_the_whole_text_says(
            parts in prop::collection::vec(prop::sample::select(vec!["<a>", "</a>", " ", "\n", "a", "b", "é", "the"]), 0..16),
            tokens in prop::collection::vec(prop_oneof![0_u32..266, Just(2), Just(67)], 0..4),
            stop in prop::collection::vec(prop::sample::select(vec!["a", "\n", "b", "the", "\u{fffd}"]), 0..3),
            room in 1_u32..60,
            inside in any::<bool>(),
        ) {
            let tokens = [testing::tokenizer().encode(&parts.concat()).unwrap(), tokens].concat();
            let tokens: Vec<u32> = tokens.into_iter().filter(|&token| token != testing::TURN).collect();
            let prompt = if inside { "p <a>\n" } else { "p" };
            let marked = answer(prompt, &stop, room).with_marks(Some(Marks::new(marks(), &testing::tokenizer())));
            let found = fed(marked, &tokens).map(|(ending, _)| ending);
            prop_assert_eq!(&found, &whole_in_parts(&tokens, &stop, room as usize, inside));
            // Reasoning, marks and answer are the whole text again.
            if let Some(Ending { finish: FinishReason::EndOfText | FinishReason::Length, text, reasoning: Some((reasoning, _)) }) = found {
                let count = tokens.iter().position(|&token| token == testing::EOS).unwrap_or(tokens.len()).min(room as usize);
                let whole = testing::tokenizer().decode(&tokens[..count]).unwrap();
                let start = if !inside && whole.trim_start_matches(is_space).starts_with("<a>") { "<a>" } else { "" };
                let begun = format!("{start}{reasoning}");
                let rest = whole.strip_prefix(&begun).or_else(|| whole.trim_start_matches(is_space).strip_prefix(&begun)).unwrap();
                prop_assert!(rest.is_empty() && text.is_empty() || rest.strip_prefix("</a>").unwrap().trim_start_matches(is_space) == text);
            }
        }
    }

    #[test]
    fn a_stop_string_ends_an_answer_and_no_reasoning() {
        let usual = || Some(Marks::new(ReasoningMarks::default(), &testing::tokenizer()));
        let of = |prompt: &str, text: &str, room| {
            let tokens = [testing::tokenizer().encode(text).unwrap(), vec![testing::EOS]].concat();
            let (ending, count) = fed(answer(prompt, &["\n\n"], room).with_marks(usual()), &tokens).unwrap();
            assert_eq!(ending.finish == FinishReason::EndOfText, count == tokens.len());
            let (reasoning, thought) = ending.reasoning.unzip();
            (reasoning, thought, ending.text, ending.finish)
        };
        let thoughts = || Some("\na\n\nb\n".to_owned());
        let parted = |tokens| (thoughts(), Some(tokens), "18".to_owned(), FinishReason::StopString);
        assert_eq!(of("p", "<think>\na\n\nb\n</think>\n\n18\n\nQ", 60), parted(19));
        assert_eq!(of("p<think>", "\na\n\nb\n</think>\n\n18\n\nQ", 60), parted(13));
        let cut = (Some("\na\n\n".to_owned()), Some(10), String::new(), FinishReason::Length);
        assert_eq!(of("p", "<think>\na\n\nb\n</think>", 10), cut);
        assert_eq!(of("p", "18\n\nQ", 60), (None, None, "18".to_owned(), FinishReason::StopString));
        assert_eq!(of("p", "\n\n18", 60), (None, None, String::new(), FinishReason::StopString));
        let nothing = answer("p<think>", &[], 0).with_marks(usual()).nothing();
        assert_eq!((nothing.reasoning, nothing.finish), (Some((String::new(), 0)), FinishReason::Length));
    }

    #[test]
    fn a_mark_may_be_a_special_token() {
        let marks = ReasoningMarks { start: String::new(), end: "<|turn|>".to_owned() };
        let marks = || Some(Marks::new(marks.clone(), &testing::tokenizer()));
        let encode = |text: &str| testing::tokenizer().encode(text).unwrap();
        let tokens = [encode("a!b"), vec![testing::TURN], encode(" \n18!"), vec![testing::EOS]].concat();
        let (ending, _) = fed(answer("p", &["!"], 60).with_marks(marks()), &tokens).unwrap();
        let expected =
            Ending { finish: FinishReason::StopString, text: "18".to_owned(), reasoning: Some(("a!b".to_owned(), 4)) };
        assert_eq!(ending, expected);
        let (ending, _) = fed(answer("p", &["<|turn|>"], 60).with_marks(marks()), &tokens).unwrap();
        assert_eq!(ending.text, "18!", "it ends the reasoning, not the answer");
    }

    #[test]
    fn a_stop_string_is_found_across_tokens_and_at_the_earliest_place() {
        let tokens = testing::tokenizer().encode("abc\n\nQuestion: x").unwrap();
        let (reason, text, _) = feed(answer("p", &["Question:", "\n\nQ"], 60), &tokens).unwrap();
        assert_eq!((reason, text.as_str()), (FinishReason::StopString, "abc"));
        let (_, text, count) = feed(answer("p", &["c\n", "bc"], 60), &tokens).unwrap();
        assert_eq!((text.as_str(), count), ("a", 3));
    }

    #[test]
    fn a_stop_string_within_one_token_is_cut_out_of_it() {
        let tokenizer = testing::tokenizer();
        let tokens = tokenizer.encode("a the").unwrap();
        assert_eq!(tokens.len(), 2, "` the` is one token");
        let (reason, text, _) = feed(answer("p", &["th"], 60), &tokens).unwrap();
        assert_eq!((reason, text.as_str()), (FinishReason::StopString, "a "));
        let (_, text, _) = feed(answer("p", &["e", "th", "he"], 60), &tokens).unwrap();
        assert_eq!(text, "a ", "of several in the same token, the first in the text counts");
    }

    #[test]
    fn each_step_has_a_random_number_of_its_own() {
        let tokenizer = testing::tokenizer();
        let mut answer = answer("p", &[], 60);
        answer.request.sampling.temperature = 1.0;
        let flat = vec![0.0; tokenizer.vocabulary()];
        for _ in 0..8 {
            let step = answer.step(&flat, &tokenizer).unwrap();
            answer.take(step);
        }
        let different: std::collections::BTreeSet<_> = answer.tokens.iter().collect();
        assert!(different.len() > 5, "{:?}", answer.tokens);
    }

    #[test]
    fn a_character_of_several_tokens_is_never_half_a_stop() {
        let tokens = testing::tokenizer().encode("né").unwrap();
        assert_eq!(tokens.len(), 3);
        assert_eq!(feed(answer("p", &["\u{fffd}"], 60), &tokens), None);
        let (_, text, count) = feed(answer("p", &["é"], 60), &tokens).unwrap();
        assert_eq!((text.as_str(), count), ("n", 3));
        assert_eq!(feed(answer("p", &["x"], 3), &tokens), Some((FinishReason::Length, "né".to_owned(), 3)));
    }

    #[test]
    fn an_end_of_text_token_is_counted_but_not_shown() {
        let mut tokens = testing::tokenizer().encode("hi").unwrap();
        tokens.push(testing::EOS);
        assert_eq!(feed(answer("p", &[], 60), &tokens), Some((FinishReason::EndOfText, "hi".to_owned(), 3)));
    }

    #[test]
    fn a_special_token_can_be_a_stop_string() {
        let mut tokens = testing::tokenizer().encode("hi").unwrap();
        tokens.push(testing::TURN);
        assert_eq!(feed(answer("p", &["<|turn|>"], 60), &tokens), Some((FinishReason::StopString, "hi".to_owned(), 3)));
        assert_eq!(feed(answer("p", &["!"], 60), &tokens), None);
    }
}
