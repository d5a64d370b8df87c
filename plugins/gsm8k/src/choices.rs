//! Wrong numbers to stand beside the right one, so that a question can be asked as multiple choice.
//!
//! GSM8K has no options of its own. A number that nobody would take for the answer makes a question easier than it is, so
//! distractors are what a mistake would give: numbers of the question and of the steps, the right one off by one or by ten,
//! twice or half of it, two of its digits swapped. Which of them, and where the right one stands, follows from the
//! question's id and a seed, and from nothing else.

use crate::problem::Problem;
use examiner_api::{PluginError, Result, rows};
use std::collections::BTreeSet;

/// Changes whenever the same options would give other choices.
pub(crate) const RULES: u32 = 1;

/// The choices of a question, as they are written, and the index of the right one.
pub(crate) fn choices(problem: &Problem, id: &str, distractors: usize, seed: u64) -> Result<(Vec<String>, usize)> {
    let gold = Number::parse(&problem.answer).ok_or_else(|| {
        let message = format!("question `{id}`: `{}` is too long a number to make others of", problem.answer);
        PluginError::bad_input(message).with_help("ask for it with `as: free`")
    })?;
    let mut random = Random::new(seed, id);
    let index = random.below(distractors + 1);
    let text = format!("{}\n{}", problem.question, problem.worked);
    let drawn = drawn(gold, &text, distractors, &mut random);
    let mut choices: Vec<String> = drawn.into_iter().map(|units| Number { units, ..gold }.to_string()).collect();
    choices.insert(index, problem.answer.clone());
    Ok((choices, index))
}

/// A decimal number, `units` divided by ten to the power of `decimals`.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Number {
    units: i128,
    decimals: usize,
    /// Whether it is written with a sign; 0 may be.
    negative: bool,
}

impl Number {
    /// Leaves room for a few multiplications.
    const MOST_DIGITS: usize = 30;

    fn parse(text: &str) -> Option<Self> {
        let (negative, unsigned) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
        let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
        let digits = format!("{whole}{fraction}");
        let units: i128 = digits.parse().ok().filter(|_| digits.len() <= Self::MOST_DIGITS)?;
        Some(Number { units, decimals: fraction.len(), negative })
    }

    fn one(self) -> i128 {
        10_i128.pow(self.decimals as u32)
    }
}

impl std::fmt::Display for Number {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let sign = if self.negative { "-" } else { "" };
        match self.decimals {
            0 => write!(formatter, "{sign}{}", self.units),
            decimals => {
                let (whole, fraction) = (self.units / self.one(), self.units % self.one());
                write!(formatter, "{sign}{whole}.{fraction:0decimals$}")
            }
        }
    }
}

/// Different numbers, none of them the right one: in turn one of each kind, as far as they go.
fn drawn(gold: Number, text: &str, count: usize, random: &mut Random) -> Vec<i128> {
    let mut kinds: Vec<Vec<i128>> = vec![in_text(gold, text), off(gold), doubled_or_halved(gold), swapped(gold)];
    kinds.iter_mut().for_each(|kind| random.shuffle(kind));
    random.shuffle(&mut kinds);
    let longest = kinds.iter().map(Vec::len).max().unwrap_or_default();
    let in_turn = (0..longest).flat_map(|turn| kinds.iter().filter_map(move |kind| kind.get(turn).copied()));
    // There are always greater numbers.
    let greater = (2..).map(|step: i128| gold.units + step * gold.one());
    let mut chosen: Vec<i128> = Vec::with_capacity(count);
    for units in in_turn.chain(greater) {
        if chosen.len() == count {
            break;
        }
        // A number on the other side of 0 would be recognized by its sign.
        if units >= i128::from(gold.negative) && units != gold.units && !chosen.contains(&units) {
            chosen.push(units);
        }
    }
    chosen
}

/// Numbers of the question and of the steps, in the right one's decimals; those that need more are left out.
fn in_text(gold: Number, text: &str) -> Vec<i128> {
    let text = text.replace(',', "");
    let runs = text.split(|c: char| !c.is_ascii_digit() && c != '.').map(|run| run.trim_matches('.'));
    let numbers = runs.filter_map(Number::parse).filter(|number| number.decimals <= gold.decimals);
    let units = numbers.filter_map(|number| number.units.checked_mul(gold.one() / number.one()));
    units.collect::<BTreeSet<i128>>().into_iter().collect()
}

fn off(gold: Number) -> Vec<i128> {
    [1, -1, 10, -10].into_iter().map(|step| gold.units + step * gold.one()).collect()
}

fn doubled_or_halved(gold: Number) -> Vec<i128> {
    let half = (gold.units % 2 == 0).then_some(gold.units / 2);
    [Some(2 * gold.units), half].into_iter().flatten().collect()
}

/// Two neighbouring digits the other way round, unless a zero would then stand first.
fn swapped(gold: Number) -> Vec<i128> {
    let digits = gold.units.to_string().into_bytes();
    let swap = |index: usize| {
        let mut digits = digits.clone();
        digits.swap(index, index + 1);
        (digits[0] != b'0').then(|| String::from_utf8_lossy(&digits).parse().ok()).flatten()
    };
    (0..digits.len().saturating_sub(1)).filter_map(swap).collect()
}

/// Counter-based random numbers of one question (SplitMix64), so that no question changes another's.
struct Random(u64);

impl Random {
    fn new(seed: u64, id: &str) -> Self {
        let digest = rows::digest([seed.to_string(), id.to_owned()]);
        // The digest is hexadecimal, of which sixteen digits are a u64.
        Random(digest.get(..16).and_then(|digits| u64::from_str_radix(digits, 16).ok()).unwrap_or_default())
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `count`, each as likely but for one part in 2^64.
    fn below(&mut self, count: usize) -> usize {
        ((u128::from(self.next()) * count as u128) >> 64) as usize
    }

    fn shuffle<T>(&mut self, items: &mut [T]) {
        for index in (1..items.len()).rev() {
            items.swap(index, self.below(index + 1));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn problem(question: &str, answer: &str) -> Problem {
        Problem {
            index: 0,
            question: question.to_owned(),
            worked: format!("#### {answer}"),
            answer: answer.to_owned(),
            document: Default::default(),
        }
    }

    fn made(question: &str, answer: &str, distractors: usize) -> Vec<String> {
        choices(&problem(question, answer), "test-0", distractors, 0).unwrap().0
    }

    #[test]
    fn every_kind_of_mistake_is_there() {
        let all = made("He had 1,200 and 7.5 kg.", "48", 9);
        for expected in ["48", "1200", "47", "49", "38", "58", "96", "24", "84"] {
            assert!(all.iter().any(|choice| choice == expected), "no {expected} in {all:?}");
        }
        assert!(!all.iter().any(|choice| choice.contains('.') || choice == "7"), "7.5 is no whole number: {all:?}");
    }

    #[test]
    fn distractors_are_written_like_the_right_number() {
        assert!(made("2 and 3", "-10", 5).iter().all(|choice| choice.starts_with('-')), "all or none have a sign");
        assert!(made("2 and 3.5", "0.25", 5).iter().all(|choice| choice.split_once('.').unwrap().1.len() == 2));
        assert!(!made("0 and 1", "-1", 9).contains(&"-0".to_owned()));
        assert!(made("nothing", "0", 5).iter().all(|choice| !choice.starts_with('-')));
    }

    #[test]
    fn another_seed_or_question_is_another_draw() {
        let problem = problem("1 2 3 4 5 6 7 8 9", "48");
        let all: BTreeSet<Vec<String>> = (0..20)
            .map(|seed| choices(&problem, "test-0", 3, seed))
            .chain((1..20).map(|index| choices(&problem, &format!("test-{index}"), 3, 0)))
            .map(|choices| choices.unwrap().0)
            .collect();
        assert!(all.len() > 30, "{}", all.len());
    }

    #[test]
    fn the_right_one_stands_anywhere() {
        let mut places = [0_u32; 4];
        for index in 0..4000 {
            let (_, index) = choices(&problem("1 2 3", "48"), &format!("test-{index}"), 3, 0).unwrap();
            places[index] += 1;
        }
        // Four standard errors: 4 * sqrt(4000 * 1/4 * 3/4) is 110.
        assert!(places.iter().all(|count| count.abs_diff(1000) < 110), "{places:?}");
    }

    #[test]
    fn what_is_too_long_is_reported() {
        let error = choices(&problem("", &"9".repeat(40)), "test-0", 3, 0).unwrap_err();
        assert!(error.message.contains("too long a number"), "{error}");
    }

    proptest! {
        #![proptest_config(examiner_test_support::cases(256))]

        #[test]
        fn the_right_one_is_there_once_and_all_differ(
            question in "([0-9]{1,4}|[0-9],[0-9]{3}|[.$%a-z ]){0,20}",
            answer in "-?[1-9][0-9]{0,8}(\\.[0-9]{1,3})?|0",
            distractors in 1_usize..10,
            seed: u64,
            index: u16,
        ) {
            let (problem, id) = (problem(&question, &answer), format!("test-{index}"));
            let (made, index) = choices(&problem, &id, distractors, seed).unwrap();
            prop_assert_eq!(&made[index], &answer);
            let different: BTreeSet<&String> = made.iter().collect();
            prop_assert_eq!((made.len(), different.len()), (distractors + 1, distractors + 1));
            prop_assert_eq!(choices(&problem, &id, distractors, seed).unwrap(), (made, index));
        }
    }
}
