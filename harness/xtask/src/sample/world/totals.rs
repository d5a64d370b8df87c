//! Running totals of which only the last digit counts, in four wordings: digits are added, and now and then the total is
//! tripled. Sums and multiples do not commute, so the steps between cannot be skipped.

use crate::sample::random::Random;

/// How a total is worded. All four have clauses of the same length, so that what was learned of one can be of use for
/// another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wording {
    /// A dial is turned.
    Dial,
    /// Somebody moves around a ring of chairs.
    Chairs,
    /// Numbers are added.
    Digits,
    /// Eggs are brought and put into boxes of ten: the word problem.
    Eggs,
}

/// The wordings that are taught.
pub(super) const TAUGHT: [Wording; 3] = [Wording::Dial, Wording::Chairs, Wording::Digits];
/// All wordings.
pub(super) const ALL: [Wording; 4] = [Wording::Dial, Wording::Chairs, Wording::Digits, Wording::Eggs];

/// How many operations follow the first digit.
pub(super) const MOVES: usize = 4;
const NAMES: [&str; 6] = ["Ada", "Bruno", "Chidi", "Dalia", "Emre", "Hana"];

/// What is done to a total.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Move {
    /// A digit is added.
    Add(i64),
    /// It is tripled.
    Triple,
}

impl Move {
    /// A random one.
    pub(super) fn draw(random: &mut Random) -> Self {
        match random.between(0, 2) {
            0 => Move::Triple,
            _ => Move::Add(random.between(2, 5)),
        }
    }

    /// The last digit of what becomes of a total.
    pub(super) fn of(self, total: i64) -> i64 {
        match self {
            Move::Add(digit) => (total + digit).rem_euclid(10),
            Move::Triple => (3 * total).rem_euclid(10),
        }
    }

    /// The move as a sign and a digit.
    pub(super) fn sign(self) -> String {
        match self {
            Move::Add(digit) => format!("+ {digit}"),
            Move::Triple => "* 3".to_owned(),
        }
    }
}

/// A question and what it is made of.
pub(super) struct Total {
    /// The question.
    pub(super) question: String,
    /// The first digit.
    pub(super) first: i64,
    /// What is done to it, one after the other.
    pub(super) moves: Vec<Move>,
}

impl Wording {
    /// The task's name.
    pub(super) fn task(self) -> &'static str {
        match self {
            Wording::Dial => "turned_dial",
            Wording::Chairs => "ring_of_chairs",
            Wording::Digits => "last_digit",
            Wording::Eggs => "boxes_of_ten",
        }
    }

    /// What the task is about, for the head of its prompt.
    pub(super) fn description(self) -> &'static str {
        match self {
            Wording::Dial => "Say what a dial with the digits 0 to 9 shows after it was turned several times.",
            Wording::Chairs => "Say on which chair of a ring of ten, numbered 0 to 9, somebody ends.",
            Wording::Digits => "Say in which digit a number ends.",
            Wording::Eggs => "Say how many eggs are left when boxes of ten are filled.",
        }
    }

    /// A random question.
    pub(super) fn draw(self, random: &mut Random) -> Total {
        let first = random.between(0, 9);
        let moves: Vec<Move> = (0..MOVES).map(|_| Move::draw(random)).collect();
        let (begin, by, ask) = match self {
            Wording::Dial => ("A dial shows", "turns by", "What does it show now?"),
            Wording::Chairs => ("We begin at", "moves on", "Which chair is it now?"),
            Wording::Digits => ("Take the number", "then adds", "What is the last digit?"),
            Wording::Eggs => ("A basket holds", "brings in", "How many beyond full tens?"),
        };
        let text = moves.iter().fold(format!("{begin} {first}."), |text, step| {
            let name = random.pick(&NAMES);
            match step {
                Move::Add(digit) => format!("{text} {name} {by} {digit}."),
                Move::Triple => format!("{text} {name} triples it all."),
            }
        });
        Total { question: format!("{text} {ask}"), first, moves }
    }
}

/// One step of a running total.
pub(super) fn step(total: i64, by: Move, next: i64) -> String {
    format!("{total} {} -> {next}", by.sign())
}

impl Total {
    /// The last digit of the whole.
    pub(super) fn answer(&self) -> i64 {
        self.moves.iter().fold(self.first, |total, by| by.of(total))
    }

    /// The steps, and where they lead; `slip` says at which step the result is off, and by how much.
    pub(super) fn steps(&self, slip: Option<(usize, i64)>) -> (String, i64) {
        let mut total = self.first;
        let mut steps = Vec::with_capacity(self.moves.len());
        for (index, by) in self.moves.iter().enumerate() {
            let off = slip.filter(|(at, _)| *at == index).map_or(0, |(_, off)| off);
            let next = (by.of(total) + off).rem_euclid(10);
            steps.push(step(total, *by, next));
            total = next;
        }
        (steps.join(", "), total)
    }

    /// The worked answer, as GSM8K writes them.
    pub(super) fn worked(&self) -> String {
        let (steps, answer) = self.steps(None);
        format!("{steps}.\n#### {answer}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_lead_to_the_last_digit_and_a_slip_leads_elsewhere() {
        let mut random = Random::new(3);
        for wording in ALL.into_iter().cycle().take(200) {
            let total = wording.draw(&mut random);
            let whole = total.moves.iter().fold(total.first, |whole, by| match by {
                Move::Add(digit) => whole + digit,
                Move::Triple => 3 * whole,
            });
            assert_eq!(total.answer(), whole % 10, "{}", total.question);
            assert_eq!(total.steps(None).1, total.answer());
            // A slip stays a slip: neither a sum nor a multiple of three brings two digits together.
            assert_ne!(total.steps(Some((1, 4))).1, total.answer());
        }
    }

    #[test]
    fn the_order_of_the_moves_matters() {
        let one = [Move::Add(4), Move::Triple].iter().fold(1, |total, by| by.of(total));
        let other = [Move::Triple, Move::Add(4)].iter().fold(1, |total, by| by.of(total));
        assert_ne!(one, other);
    }
}
