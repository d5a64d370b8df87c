//! What recipes leave to the program: answers that are never asked for again ([`answers`]), and rows that never take the place
//! of others silently ([`rows`]).

pub(crate) mod answers;
pub(crate) mod rows;

#[cfg(test)]
mod killed_tests;
