//! The state of reading a suite, and dependencies between entries.

use super::fields::{Field, Section};
use super::links::{EntryName, Graph, Names};
use super::problem::Problem;
use super::references::{self, Piece, StageKind};
use super::tree::Kind;
use super::types::Options;

/// The state of reading a suite.
pub(super) struct Reading {
    pub(super) names: Names,
    pub(super) graph: Graph,
    pub(super) problems: Vec<Problem>,
}

impl Reading {
    /// Records that `this` needs `other`, which must exist. `direct` is true for a name and false for a `${...}`.
    pub(super) fn depend(&mut self, field: &Field<'_>, this: EntryName, other: EntryName, direct: bool) -> bool {
        if !self.names.has(other.section, &other.name) {
            let problem = match direct {
                true => self.names.unknown(field, other.section, &other.name),
                false => self.names.dangling(field, &other),
            };
            self.problems.push(problem);
            return false;
        }
        self.graph.add(this, other, field.node.at.clone(), field.path.clone());
        true
    }

    /// Checks and records every reference in `field` and in the values in it.
    pub(super) fn refer(&mut self, field: &Field<'_>, this: &EntryName) {
        match &field.node.kind {
            Kind::Text(text) => {
                // Problems of the text itself were reported when the variables were filled in.
                for piece in references::scan(text).unwrap_or_default() {
                    if let Piece::Stage(stage, name) = piece {
                        let section = match stage {
                            StageKind::Teach => "teach",
                            StageKind::Train => "train",
                            StageKind::Export => "export",
                        };
                        self.depend(field, this.clone(), EntryName::new(section, &name), false);
                    }
                }
            }
            Kind::List(_) => field.items().iter().for_each(|item| self.refer(item, this)),
            Kind::Map(entries) => {
                for (key, node) in entries {
                    self.refer(&Field::new(field.path.key(&key.name), node), this);
                }
            }
            _ => {}
        }
    }
}

/// The options of a plugin: everything that the harness does not read itself. References in it are checked and recorded.
pub(super) fn options(entry: &Section<'_>, owner: EntryName, reading: &mut Reading) -> Options {
    for field in entry.rest_fields() {
        reading.refer(&field, &owner);
    }
    entry.rest()
}
