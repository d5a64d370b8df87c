//! What is known while sections are read, and how one entry leads to another.

use super::fields::{Field, Section};
use super::links::{Graph, Names, Thing};
use super::problem::Problem;
use super::references::{self, Piece, StageKind};
use super::tree::Kind;
use super::types::Options;

/// What is known while sections are read.
pub(super) struct Reading {
    pub(super) names: Names,
    pub(super) graph: Graph,
    pub(super) problems: Vec<Problem>,
}

impl Reading {
    /// Notes that `this` needs `other`, which must exist. `direct` is for a name rather than a `${...}`.
    pub(super) fn depend(&mut self, field: &Field<'_>, this: Thing, other: Thing, direct: bool) -> bool {
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

    /// Checks and notes every reference in `field` and beneath it.
    pub(super) fn refer(&mut self, field: &Field<'_>, this: &Thing) {
        match &field.node.kind {
            Kind::Text(text) => {
                // What is wrong with the text itself was reported when the variables were filled in.
                for piece in references::scan(text).unwrap_or_default() {
                    if let Piece::Stage(stage, name) = piece {
                        let section = match stage {
                            StageKind::Teach => "teach",
                            StageKind::Train => "train",
                            StageKind::Export => "export",
                        };
                        self.depend(field, this.clone(), Thing::new(section, &name), false);
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

/// All that the harness does not read itself, with its references checked and noted.
pub(super) fn options(entry: &Section<'_>, owner: Thing, reading: &mut Reading) -> Options {
    for field in entry.rest_fields() {
        reading.refer(&field, &owner);
    }
    entry.rest()
}
