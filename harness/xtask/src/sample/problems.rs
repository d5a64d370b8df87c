//! Word problems with worked answers, in GSM8K's format: `<<6*3=18>>` where a calculator would be asked, `#### 18` at
//! the end.

use super::random::Random;
use serde_json::{Value, json};

/// A word problem.
pub(crate) struct Problem {
    pub(crate) question: String,
    /// The steps of the answer, one a line.
    pub(crate) steps: Vec<String>,
    /// The right answer.
    pub(crate) answer: i64,
}

impl Problem {
    /// The worked answer, with its number at the end.
    pub(crate) fn worked(&self) -> String {
        format!("{}\n#### {}", self.steps.join("\n"), with_thousands(self.answer))
    }

    /// The row of the file.
    pub(crate) fn row(&self) -> Value {
        json!({ "question": self.question, "answer": self.worked() })
    }
}

/// `count` problems, each template in turn.
pub(crate) fn problems(random: &mut Random, count: usize) -> Vec<Problem> {
    (0..count).map(|index| TEMPLATES[index % TEMPLATES.len()](random)).collect()
}

/// `1234` as `1,234`.
pub(crate) fn with_thousands(number: i64) -> String {
    let digits = number.unsigned_abs().to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    if number < 0 { format!("-{text}") } else { text }
}

const TEMPLATES: [fn(&mut Random) -> Problem; 8] = [bakery, library, garden, train, savings, factory, marbles, fence];

const NAMES: [&str; 12] =
    ["Ada", "Bruno", "Chidi", "Dalia", "Emre", "Fatou", "Goran", "Hana", "Ivo", "Jun", "Kaya", "Lior"];

/// A step: words, and a calculation with its result after them.
fn step(words: &str, calculation: &str, result: i64, unit: &str) -> String {
    format!("{words} {calculation} = <<{}={result}>>{result}{unit}.", calculation.replace(' ', ""))
}

fn bakery(random: &mut Random) -> Problem {
    let (name, trays, rolls) = (random.pick(&NAMES), random.between(3, 9), random.between(6, 18));
    let sold = random.between(5, trays * rolls - 4);
    let baked = trays * rolls;
    Problem {
        question: format!(
            "{name} bakes {trays} trays of rolls, with {rolls} rolls on each tray. By noon {sold} rolls are sold. How \
             many rolls are left?"
        ),
        steps: vec![
            step(&format!("{name} bakes"), &format!("{trays} * {rolls}"), baked, " rolls"),
            step("There are", &format!("{baked} - {sold}"), baked - sold, " rolls left"),
        ],
        answer: baked - sold,
    }
}

fn library(random: &mut Random) -> Problem {
    let (shelves, books, new) = (random.between(12, 40), random.between(30, 90), random.between(20, 200));
    let before = shelves * books;
    Problem {
        question: format!(
            "A library has {shelves} shelves with {books} books on each of them, and buys {new} new books. How many \
             books does it have then?"
        ),
        steps: vec![
            step("Before, the library has", &format!("{shelves} * {books}"), before, " books"),
            step("With the new ones it has", &format!("{before} + {new}"), before + new, " books"),
        ],
        answer: before + new,
    }
}

fn garden(random: &mut Random) -> Problem {
    let (name, first, more) = (random.pick(&NAMES), random.between(4, 30), random.between(2, 15));
    let second = first + more;
    Problem {
        question: format!(
            "{name} plants {first} tulips on Monday and {more} more than that on Tuesday. How many tulips does {name} \
             plant on both days together?"
        ),
        steps: vec![
            step(&format!("On Tuesday {name} plants"), &format!("{first} + {more}"), second, " tulips"),
            step("Together that is", &format!("{first} + {second}"), first + second, " tulips"),
        ],
        answer: first + second,
    }
}

fn train(random: &mut Random) -> Problem {
    let (speed, hours, far) = (random.between(60, 140), random.between(2, 6), random.between(20, 90));
    let driven = speed * hours;
    Problem {
        question: format!(
            "A train goes {speed} kilometres an hour for {hours} hours. It then has {far} kilometres to go. How long is \
             its whole way in kilometres?"
        ),
        steps: vec![
            step("So far the train has gone", &format!("{speed} * {hours}"), driven, " kilometres"),
            step("The whole way is", &format!("{driven} + {far}"), driven + far, " kilometres"),
        ],
        answer: driven + far,
    }
}

fn savings(random: &mut Random) -> Problem {
    let (name, weekly, weeks) = (random.pick(&NAMES), random.between(12, 60), random.between(8, 50));
    let price = random.between(3, weekly) * weeks - random.between(1, 20);
    let saved = weekly * weeks;
    Problem {
        question: format!(
            "{name} saves ${weekly} every week for {weeks} weeks and then buys a bicycle for ${price}. How many dollars \
             are left?"
        ),
        steps: vec![
            step(&format!("{name} saves"), &format!("{weekly} * {weeks}"), saved, " dollars"),
            step(&format!("{name} is left with"), &format!("{saved} - {price}"), saved - price, " dollars"),
        ],
        answer: saved - price,
    }
}

fn factory(random: &mut Random) -> Problem {
    let (machines, bolts, days) = (random.between(4, 15), random.between(110, 480), random.between(2, 7));
    let daily = machines * bolts;
    Problem {
        question: format!(
            "A factory has {machines} machines, and each makes {bolts} bolts a day. How many bolts do they make in {days} \
             days?"
        ),
        steps: vec![
            step("In one day the machines make", &format!("{machines} * {bolts}"), daily, " bolts"),
            step("In all days they make", &format!("{daily} * {days}"), daily * days, " bolts"),
        ],
        answer: daily * days,
    }
}

fn marbles(random: &mut Random) -> Problem {
    let (name, boxes, eaten) = (random.pick(&NAMES), random.between(3, 12), random.between(1, 10));
    let (each, friends) = (random.between(2, 6), random.between(2, 5));
    let all = boxes * each * friends + eaten;
    let rest = all - eaten;
    Problem {
        question: format!(
            "{name} has {all} marbles and loses {eaten} of them. The others are shared equally among {friends} friends. \
             How many marbles does each friend get?"
        ),
        steps: vec![
            step(&format!("{name} still has"), &format!("{all} - {eaten}"), rest, " marbles"),
            step("Each friend gets", &format!("{rest} / {friends}"), rest / friends, " marbles"),
        ],
        answer: rest / friends,
    }
}

fn fence(random: &mut Random) -> Problem {
    let (length, width, price) = (random.between(12, 60), random.between(5, 40), random.between(3, 19));
    let round = 2 * (length + width);
    Problem {
        question: format!(
            "A field is {length} metres long and {width} metres wide. A fence costs ${price} a metre. How many dollars \
             does a fence around the whole field cost?"
        ),
        steps: vec![
            step("The fence is", &format!("2 * ({length} + {width})"), round, " metres long"),
            step("It costs", &format!("{round} * {price}"), round * price, " dollars"),
        ],
        answer: round * price,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_calculations_are_right() {
        for problem in problems(&mut Random::new(7), 400) {
            let last = problem.steps.last().unwrap();
            assert!(last.contains(&format!("={}>>{} ", problem.answer, problem.answer)), "{last}");
            assert!(problem.answer > 0, "{}", problem.question);
            for step in &problem.steps {
                let inside = step.split_once("<<").unwrap().1.split_once(">>").unwrap().0;
                let (calculation, result) = inside.split_once('=').unwrap();
                assert_eq!(calculate(calculation), result.parse::<i64>().unwrap(), "{step}");
            }
        }
    }

    /// `3*4`, `3+4`, `3-4`, `8/4`, `2*(3+4)`.
    fn calculate(text: &str) -> i64 {
        if let Some((two, sum)) = text.split_once("*(") {
            return two.parse::<i64>().unwrap() * calculate(sum.trim_end_matches(')'));
        }
        let index = text.find(['+', '-', '*', '/']).unwrap();
        let (left, right): (i64, i64) = (text[..index].parse().unwrap(), text[index + 1..].parse().unwrap());
        match &text[index..=index] {
            "+" => left + right,
            "-" => left - right,
            "*" => left * right,
            _ => {
                assert_eq!(left % right, 0, "{text}");
                left / right
            }
        }
    }

    #[test]
    fn thousands_are_set_off() {
        for (number, text) in [(7, "7"), (999, "999"), (1000, "1,000"), (-1234567, "-1,234,567")] {
            assert_eq!(with_thousands(number), text);
        }
    }
}
