//! A pattern as instructions.

use super::class::{Fold, Unit};
use super::node::{ANY_NUMBER, At, Node, Repetition};

/// An instruction. Places of other instructions are indices into [`Program::code`].
#[derive(Debug, Clone)]
pub(super) enum Instruction {
    /// One character of a class.
    Unit(Unit),
    /// One character of a class, repeated; `min` and `max` are numbers of characters.
    Run { unit: Unit, min: u32, max: u32, how: Repetition },
    /// A place in the text.
    At(At),
    /// The start of a group.
    Open(usize),
    /// The end of a group.
    Close(usize),
    /// Goes on at the first place, and at the second if that fails.
    Try(usize, usize),
    /// Goes on elsewhere.
    Jump(usize),
    /// Begins to count the repetitions of the loop with this number.
    Begin(usize),
    /// Decides whether the loop's body, which follows, comes once more; the rest is at `exit`.
    Again { register: usize, min: u32, max: u32, lazy: bool, exit: usize },
    /// Looks ahead or behind with what follows, up to a `Done`; the rest is at `exit`.
    Look { behind: Option<usize>, negated: bool, exit: usize },
    /// Matches what follows, up to a `Done`, once and for all; the rest is at `exit`.
    Atomic { exit: usize },
    /// Matches what follows, up to a `Done`, as often as possible; the rest is at `exit`.
    Possessive { min: u32, max: u32, exit: usize },
    /// The text of a group.
    Reference { group: usize, fold: Fold },
    /// Goes on here if the group has matched, elsewhere if not.
    IfMatched { group: usize, otherwise: usize },
    /// The end of a part that is matched by itself.
    Done,
    /// The end.
    Match,
}

/// The instructions of a pattern.
#[derive(Debug, Clone)]
pub(super) struct Program {
    pub(super) code: Vec<Instruction>,
    /// The number of loops that are counted.
    pub(super) registers: usize,
    /// The class of the first character of every match, where it is known.
    pub(super) first: Option<Unit>,
}

/// Turns a tree into instructions.
pub(super) fn compile(node: &Node) -> Program {
    let mut program = Program { code: Vec::new(), registers: 0, first: None };
    program.add(node);
    program.code.push(Instruction::Match);
    let first = program.code.iter().find(|instruction| !matches!(instruction, Instruction::Open(_)));
    program.first = match first {
        Some(Instruction::Unit(unit)) => Some(unit.clone()),
        Some(Instruction::Run { unit, min: 1.., .. }) => Some(unit.clone()),
        _ => None,
    };
    program
}

impl Program {
    fn here(&self) -> usize {
        self.code.len()
    }

    /// Adds an instruction that is completed later.
    fn reserve(&mut self) -> usize {
        self.code.push(Instruction::Done);
        self.here() - 1
    }

    fn add(&mut self, node: &Node) {
        match node {
            Node::Unit(unit) => self.code.push(Instruction::Unit(unit.clone())),
            Node::At(at) => self.code.push(Instruction::At(*at)),
            Node::Sequence(parts) => parts.iter().for_each(|part| self.add(part)),
            Node::Branch(parts) => self.add_branch(parts),
            Node::Group { index: None, body } => self.add(body),
            Node::Group { index: Some(index), body } => {
                self.code.push(Instruction::Open(*index));
                self.add(body);
                self.code.push(Instruction::Close(*index));
            }
            Node::Repeat { min, max, how, body } => self.add_repeat(*min, *max, *how, body),
            Node::Look { behind, negated, body } => {
                let at = self.reserve();
                self.add(body);
                self.code.push(Instruction::Done);
                self.code[at] = Instruction::Look { behind: *behind, negated: *negated, exit: self.here() };
            }
            Node::Atomic(body) => {
                let at = self.reserve();
                self.add(body);
                self.code.push(Instruction::Done);
                self.code[at] = Instruction::Atomic { exit: self.here() };
            }
            Node::Reference { group, fold } => {
                self.code.push(Instruction::Reference { group: *group, fold: *fold });
            }
            Node::Conditional { group, yes, no } => {
                let at = self.reserve();
                self.add(yes);
                let jump = no.as_ref().map(|_| self.reserve());
                self.code[at] = Instruction::IfMatched { group: *group, otherwise: self.here() };
                if let (Some(no), Some(jump)) = (no, jump) {
                    self.add(no);
                    self.code[jump] = Instruction::Jump(self.here());
                }
            }
        }
    }

    fn add_branch(&mut self, parts: &[Node]) {
        let mut ends = Vec::new();
        for (index, part) in parts.iter().enumerate() {
            let is_last = index + 1 == parts.len();
            let at = (!is_last).then(|| self.reserve());
            self.add(part);
            if let Some(at) = at {
                ends.push(self.reserve());
                self.code[at] = Instruction::Try(at + 1, self.here());
            }
        }
        let exit = self.here();
        ends.into_iter().for_each(|end| self.code[end] = Instruction::Jump(exit));
    }

    fn add_repeat(&mut self, min: u32, max: u32, how: Repetition, body: &Node) {
        if let Some(unit) = unit_of(body) {
            self.code.push(Instruction::Run { unit: unit.clone(), min, max, how });
            return;
        }
        if how == Repetition::Possessive {
            let at = self.reserve();
            self.add(body);
            self.code.push(Instruction::Done);
            self.code[at] = Instruction::Possessive { min, max, exit: self.here() };
            return;
        }
        let register = self.registers;
        self.registers += 1;
        self.code.push(Instruction::Begin(register));
        let again = self.reserve();
        self.add(body);
        self.code.push(Instruction::Jump(again));
        let lazy = how == Repetition::Lazy;
        self.code[again] = Instruction::Again { register, min, max, lazy, exit: self.here() };
    }
}

/// The class of a part that is one character.
fn unit_of(node: &Node) -> Option<&Unit> {
    match node {
        Node::Unit(unit) => Some(unit),
        Node::Group { index: None, body } => unit_of(body),
        _ => None,
    }
}

/// Whether so many repetitions are not too many.
pub(super) fn below(count: u32, max: u32) -> bool {
    max == ANY_NUMBER || count < max
}
