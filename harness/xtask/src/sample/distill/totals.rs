//! Running totals of which only the last digit counts, in four wordings.

use super::super::Random;

/// How a total is worded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wording {
    /// A dial is turned.
    Dial,
    /// Somebody moves around a ring of chairs.
    Chairs,
    /// Numbers are added.
    Digits,
    /// Eggs are brought, and sold in boxes of ten: the word problem.
    Eggs,
}

/// The wordings that are taught.
pub(super) const TAUGHT: [Wording; 3] = [Wording::Dial, Wording::Chairs, Wording::Digits];
/// All wordings.
pub(super) const ALL: [Wording; 4] = [Wording::Dial, Wording::Chairs, Wording::Digits, Wording::Eggs];

/// So many digits are added to the first.
const MOVES: usize = 4;
/// The digits that are added: few, so that what adds up to what is soon learned.
const ADDED: std::ops::RangeInclusive<i64> = 2..=5;
const NAMES: [&str; 6] = ["Ada", "Bruno", "Chidi", "Dalia", "Emre", "Hana"];

/// A question and what it is made of.
pub(super) struct Total {
    /// The whole question.
    pub(super) question: String,
    /// The first digit, and those that are added to it.
    pub(super) digits: Vec<i64>,
}

impl Wording {
    /// The task's name.
    pub(super) fn task(self) -> &'static str {
        match self {
            Wording::Dial => "turned_dial",
            Wording::Chairs => "ring_of_chairs",
            Wording::Digits => "last_digit",
            Wording::Eggs => "loose_eggs",
        }
    }

    /// What the task is about, for the head of its prompt.
    pub(super) fn description(self) -> &'static str {
        match self {
            Wording::Dial => "Say where a dial with the digits 0 to 9 stands after it was turned several times.",
            Wording::Chairs => "Say on which chair of a ring of ten, numbered 0 to 9, somebody ends.",
            Wording::Digits => "Say in which digit a sum ends.",
            Wording::Eggs => "Say how many eggs are left over when boxes of ten are filled.",
        }
    }

    /// A random question.
    pub(super) fn draw(self, random: &mut Random) -> Total {
        let mut digits = vec![random.between(0, 9)];
        digits.extend((0..MOVES).map(|_| added(random)));
        let name = random.pick(&NAMES);
        let (first, ask) = match self {
            Wording::Dial => (format!("A dial stands at {}.", digits[0]), "Where does it stand?"),
            Wording::Chairs => (format!("{name} sits on chair {}.", digits[0]), "Which chair is it now?"),
            Wording::Digits => (format!("Take the number {}.", digits[0]), "What is the last digit?"),
            Wording::Eggs => {
                (format!("{name} has {} eggs.", digits[0]), "Boxes of ten are sold. How many eggs are left?")
            }
        };
        let told = digits[1..].iter().fold(first, |told, digit| {
            let name = random.pick(&NAMES);
            match self {
                Wording::Dial => format!("{told} {name} turns it by {digit}."),
                Wording::Chairs => format!("{told} Then move on by {digit}."),
                Wording::Digits => format!("{told} {name} adds {digit}."),
                Wording::Eggs => format!("{told} {name} brings {digit} eggs."),
            }
        });
        Total { question: format!("{told} {ask}"), digits }
    }
}

/// A digit to be added.
pub(super) fn added(random: &mut Random) -> i64 {
    random.between(*ADDED.start(), *ADDED.end())
}

/// The last digit of a sum.
pub(super) fn add(total: i64, digit: i64) -> i64 {
    (total + digit).rem_euclid(10)
}

/// One step of a running total.
pub(super) fn step(total: i64, digit: i64, next: i64) -> String {
    format!("{total} + {digit} -> {next}")
}

impl Total {
    /// The last digit of the whole.
    pub(super) fn answer(&self) -> i64 {
        self.digits[1..].iter().fold(self.digits[0], |total, digit| add(total, *digit))
    }

    /// The steps, where `slips` says how far each is off.
    pub(super) fn steps(&self, slips: &[i64; MOVES]) -> (String, i64) {
        let mut total = self.digits[0];
        let mut steps = Vec::with_capacity(MOVES);
        for (digit, slip) in self.digits[1..].iter().zip(slips) {
            let next = add(total, digit + slip);
            steps.push(step(total, *digit, next));
            total = next;
        }
        (steps.join(", "), total)
    }

    /// The worked answer, as GSM8K writes them.
    pub(super) fn worked(&self) -> String {
        let (steps, answer) = self.steps(&[0; MOVES]);
        format!("{steps}.\n#### {answer}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_lead_to_the_last_digit_of_the_sum() {
        let mut random = Random::new(3);
        for wording in ALL.into_iter().cycle().take(200) {
            let total = wording.draw(&mut random);
            let sum: i64 = total.digits.iter().sum();
            assert_eq!(total.answer(), sum % 10, "{}", total.question);
            assert_eq!(total.steps(&[0; MOVES]).1, total.answer());
            assert_ne!(total.steps(&[0, 3, 0, 0]).1, total.answer());
            assert_eq!(total.question.matches(|c: char| c.is_ascii_digit()).count(), MOVES + 1, "{}", total.question);
        }
    }
}
