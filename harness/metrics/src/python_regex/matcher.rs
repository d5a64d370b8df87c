//! Matches a program against a text, by trying and going back, in the order in which Python tries.
//!
//! All that may have to be undone stands on one stack, so that neither a long text nor a deep repetition uses up the thread's stack.

use super::class::{Unit, is_word};
use super::node::{ANY_NUMBER, At, Repetition};
use super::program::{Instruction, Program, below};

/// The search was given up.
pub(super) struct GivenUp;

/// Where a match may end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// Anywhere.
    Anywhere,
    /// At the end of the text.
    Whole,
    /// Anywhere but at its start.
    NotEmpty,
}

/// How many repetitions of a loop were begun, and where the last one that was free to begin did.
#[derive(Debug, Clone, Copy, Default)]
struct Count {
    count: u32,
    last: Option<usize>,
}

/// What is tried, or undone, when a way fails.
enum Entry {
    /// Go on at an instruction and a place in the text.
    Resume { code: usize, at: usize },
    /// Begin another repetition of a lazy loop.
    Repeat { again: usize, at: usize },
    /// Give back one character of a run, down to `least`.
    Shorten { code: usize, least: usize, at: usize },
    /// Take one more character of a lazy run.
    Lengthen { code: usize, at: usize, taken: u32 },
    /// Put a group back.
    Slot { slot: usize, old: Option<usize> },
    /// Put a loop back.
    Register { register: usize, old: Count },
    /// Put the number of the last group back.
    LastGroup(usize),
}

/// So many entries may the stack have.
const MAX_ENTRIES: usize = 5_000_000;

/// One attempt after the other at one text.
pub(super) struct Matcher<'p> {
    program: &'p Program,
    text: &'p [u32],
    /// Starts and ends of groups, the whole match first.
    pub(super) slots: Vec<Option<usize>>,
    /// The number of the group that was closed last; 0 if there is none.
    pub(super) last_group: usize,
    registers: Vec<Count>,
    stack: Vec<Entry>,
    steps_left: u64,
    end: End,
    start: usize,
}

impl<'p> Matcher<'p> {
    pub(super) fn new(program: &'p Program, text: &'p [u32], groups: usize, steps: u64) -> Self {
        Matcher {
            program,
            text,
            slots: vec![None; 2 * (groups + 1)],
            last_group: 0,
            registers: vec![Count::default(); program.registers],
            stack: Vec::new(),
            steps_left: steps,
            end: End::Anywhere,
            start: 0,
        }
    }

    /// The end of the match that begins at `start`.
    pub(super) fn match_at(&mut self, start: usize, end: End) -> Result<bool, GivenUp> {
        self.slots.fill(None);
        self.last_group = 0;
        self.stack.clear();
        (self.start, self.end) = (start, end);
        let Some(end) = self.run(0, start)? else { return Ok(false) };
        (self.slots[0], self.slots[1]) = (Some(start), Some(end));
        Ok(true)
    }

    /// The first match that begins at `from` or later. It may be empty at `from` only if `end` says so.
    pub(super) fn search(&mut self, from: usize, end: End) -> Result<bool, GivenUp> {
        let mut end = end;
        for start in from..=self.text.len() {
            self.step()?;
            let first = self.program.first.as_ref();
            let may_begin = first.is_none_or(|unit| self.text.get(start).is_some_and(|code| unit.has(*code)));
            if may_begin && self.match_at(start, end)? {
                return Ok(true);
            }
            end = End::Anywhere;
        }
        Ok(false)
    }

    fn step(&mut self) -> Result<(), GivenUp> {
        self.steps_left = self.steps_left.checked_sub(1).ok_or(GivenUp)?;
        Ok(())
    }

    /// Runs from an instruction to `Done` or `Match`; what it could still try is above `base` of the stack, and is left there.
    fn run(&mut self, code: usize, at: usize) -> Result<Option<usize>, GivenUp> {
        let base = self.stack.len();
        let (mut code, mut at) = (code, at);
        loop {
            self.step()?;
            if self.stack.len() > MAX_ENTRIES {
                return Err(GivenUp);
            }
            let program = self.program;
            let next = match &program.code[code] {
                Instruction::Done => return Ok(Some(at)),
                Instruction::Match => {
                    let ends = match self.end {
                        End::Anywhere => true,
                        End::Whole => at == self.text.len(),
                        End::NotEmpty => at != self.start,
                    };
                    if ends {
                        return Ok(Some(at));
                    }
                    None
                }
                Instruction::Unit(unit) => self.has(unit, at).then_some((code + 1, at + 1)),
                Instruction::Run { unit, min, max, how } => self.run_of(code, unit, (*min, *max), *how, at),
                Instruction::At(place) => self.is_at(*place, at).then_some((code + 1, at)),
                Instruction::Open(group) => {
                    self.set_slot(2 * group, at);
                    Some((code + 1, at))
                }
                Instruction::Close(group) => {
                    self.set_slot(2 * group + 1, at);
                    self.stack.push(Entry::LastGroup(self.last_group));
                    self.last_group = *group;
                    Some((code + 1, at))
                }
                Instruction::Try(first, second) => {
                    self.stack.push(Entry::Resume { code: *second, at });
                    Some((*first, at))
                }
                Instruction::Jump(target) => Some((*target, at)),
                Instruction::Begin(register) => {
                    self.set_register(*register, Count::default());
                    Some((code + 1, at))
                }
                Instruction::Again { register, min, max, lazy, exit } => {
                    let Count { count, last } = self.registers[*register];
                    if count < *min {
                        self.set_register(*register, Count { count: count + 1, last });
                        Some((code + 1, at))
                    } else if *lazy {
                        self.stack.push(Entry::Repeat { again: code, at });
                        Some((*exit, at))
                    } else if below(count, *max) && last != Some(at) {
                        self.stack.push(Entry::Resume { code: *exit, at });
                        self.set_register(*register, Count { count: count.saturating_add(1), last: Some(at) });
                        Some((code + 1, at))
                    } else {
                        Some((*exit, at))
                    }
                }
                Instruction::Look { behind, negated, exit } => {
                    self.look(code, *behind, *negated, at)?.then_some((*exit, at))
                }
                Instruction::Atomic { exit } => self.once(code + 1, at)?.map(|at| (*exit, at)),
                Instruction::Possessive { min, max, exit } => {
                    self.possessive(code + 1, (*min, *max), at)?.map(|at| (*exit, at))
                }
                Instruction::Reference { group, fold } => self.reference(*group, *fold, at).map(|at| (code + 1, at)),
                Instruction::IfMatched { group, otherwise } => {
                    Some((if self.slots[2 * group + 1].is_some() { code + 1 } else { *otherwise }, at))
                }
            };
            (code, at) = match next.or_else(|| self.back(base)) {
                Some(next) => next,
                None => return Ok(None),
            };
        }
    }

    /// Undoes what was done since the last choice, and takes the other way; none where no choice is left above `base`.
    fn back(&mut self, base: usize) -> Option<(usize, usize)> {
        while self.stack.len() > base {
            match self.stack.pop()? {
                Entry::Resume { code, at } => return Some((code, at)),
                Entry::Repeat { again, at } => {
                    if let Instruction::Again { register, max, .. } = &self.program.code[again] {
                        let Count { count, last } = self.registers[*register];
                        if below(count, *max) && last != Some(at) {
                            self.set_register(*register, Count { count: count.saturating_add(1), last: Some(at) });
                            return Some((again + 1, at));
                        }
                    }
                }
                Entry::Shorten { code, least, at } => {
                    if at > least {
                        self.stack.push(Entry::Shorten { code, least, at: at - 1 });
                    }
                    return Some((code + 1, at));
                }
                Entry::Lengthen { code, at, taken } => {
                    if let Instruction::Run { unit, max, .. } = &self.program.code[code]
                        && below(taken, *max)
                        && self.has(unit, at)
                    {
                        self.stack.push(Entry::Lengthen { code, at: at + 1, taken: taken.saturating_add(1) });
                        return Some((code + 1, at + 1));
                    }
                }
                other => self.undo(&other),
            }
        }
        None
    }

    fn undo(&mut self, entry: &Entry) {
        match *entry {
            Entry::Slot { slot, old } => self.slots[slot] = old,
            Entry::Register { register, old } => self.registers[register] = old,
            Entry::LastGroup(old) => self.last_group = old,
            _ => {}
        }
    }

    fn set_slot(&mut self, slot: usize, at: usize) {
        self.stack.push(Entry::Slot { slot, old: self.slots[slot] });
        self.slots[slot] = Some(at);
    }

    fn set_register(&mut self, register: usize, new: Count) {
        self.stack.push(Entry::Register { register, old: self.registers[register] });
        self.registers[register] = new;
    }

    fn has(&self, unit: &Unit, at: usize) -> bool {
        self.text.get(at).is_some_and(|code| unit.has(*code))
    }

    /// Takes a run of characters of one class.
    fn run_of(
        &mut self,
        code: usize,
        unit: &Unit,
        (min, max): (u32, u32),
        how: Repetition,
        at: usize,
    ) -> Option<(usize, usize)> {
        let rest = &self.text[at..];
        let most = if max == ANY_NUMBER { rest.len() } else { rest.len().min(max as usize) };
        let wanted = if how == Repetition::Lazy { most.min(min as usize) } else { most };
        let taken = rest[..wanted].iter().take_while(|code| unit.has(**code)).count();
        self.steps_left = self.steps_left.saturating_sub(taken as u64 / 16);
        if taken < min as usize {
            return None;
        }
        let end = at + taken;
        match how {
            Repetition::Greedy if taken > min as usize => {
                self.stack.push(Entry::Shorten { code, least: at + min as usize, at: end - 1 });
            }
            Repetition::Lazy => self.stack.push(Entry::Lengthen { code, at: end, taken: min }),
            _ => {}
        }
        Some((code + 1, end))
    }

    /// Matches a part, and forgets what it could still try; what it set can be undone.
    fn once(&mut self, code: usize, at: usize) -> Result<Option<usize>, GivenUp> {
        let base = self.stack.len();
        let end = self.run(code, at)?;
        let mut kept = base;
        for index in base..self.stack.len() {
            if matches!(self.stack[index], Entry::Slot { .. } | Entry::Register { .. } | Entry::LastGroup(_)) {
                self.stack.swap(kept, index);
                kept += 1;
            }
        }
        self.stack.truncate(kept);
        Ok(end)
    }

    fn look(&mut self, code: usize, behind: Option<usize>, negated: bool, at: usize) -> Result<bool, GivenUp> {
        let Some(from) = at.checked_sub(behind.unwrap_or(0)) else { return Ok(negated) };
        let base = self.stack.len();
        let found = self.once(code + 1, from)?.is_some();
        if negated && found {
            while self.stack.len() > base {
                if let Some(entry) = self.stack.pop() {
                    self.undo(&entry);
                }
            }
        }
        Ok(found != negated)
    }

    fn possessive(&mut self, code: usize, (min, max): (u32, u32), at: usize) -> Result<Option<usize>, GivenUp> {
        let mut at = at;
        let mut count = 0;
        let mut last = None;
        while below(count, max) && (count < min || last != Some(at)) {
            if count >= min {
                last = Some(at);
            }
            match self.once(code, at)? {
                Some(end) => at = end,
                None if count < min => return Ok(None),
                None => break,
            }
            count = count.saturating_add(1);
        }
        Ok(Some(at))
    }

    fn reference(&self, group: usize, fold: super::class::Fold, at: usize) -> Option<usize> {
        let (start, end) = (self.slots[2 * group]?, self.slots[2 * group + 1]?);
        // A group that was opened again and not closed has no text.
        let wanted = self.text.get(start..end)?;
        let found = self.text.get(at..at + wanted.len())?;
        let equal = wanted.iter().zip(found).all(|(one, other)| fold.lower(*one) == fold.lower(*other));
        equal.then_some(at + wanted.len())
    }

    fn is_at(&self, place: At, at: usize) -> bool {
        let length = self.text.len();
        let is_feed = |at: usize| self.text.get(at) == Some(&0x0a);
        match place {
            At::Start => at == 0,
            At::LineStart => at == 0 || is_feed(at - 1),
            At::End => at == length,
            At::EndOrLastLine => at == length || (at + 1 == length && is_feed(at)),
            At::LineEnd => at == length || is_feed(at),
            // Neither is anywhere in an empty text.
            At::Boundary { .. } | At::NoBoundary { .. } if length == 0 => false,
            At::Boundary { ascii } => self.is_boundary(ascii, at),
            At::NoBoundary { ascii } => !self.is_boundary(ascii, at),
        }
    }

    fn is_boundary(&self, ascii: bool, at: usize) -> bool {
        let is_word = |at: Option<usize>| at.and_then(|at| self.text.get(at)).is_some_and(|code| is_word(*code, ascii));
        is_word(at.checked_sub(1)) != is_word(Some(at))
    }
}
