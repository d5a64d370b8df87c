//! Where the relative paths of a suite begin.
//!
//! A path in the suite's file begins where the file lies, so that the suite means the same from any directory; a path that
//! was typed with `--set` begins where the command was typed, as any path of a command line. Which options are paths, and
//! what is there, is not known here: this crate opens nothing.

use super::problem::FieldPath;
use super::references::{self, Piece};
use super::tree::{Kind, Node};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Where relative paths begin, and what was found there. It is no part of what a suite says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Paths {
    /// The directory of the suite's file as it was typed; empty for the working directory.
    pub directory: PathBuf,
    /// Paths that were found to lead elsewhere than from the working directory: the field, and what it stands for.
    pub located: BTreeMap<FieldPath, String>,
    /// Fields whose text begins with what was typed on the command line.
    typed: BTreeSet<FieldPath>,
}

impl Paths {
    /// The paths of the suite that is read from `file`, whose tree has its overrides but not its variables filled in.
    pub(super) fn of(file: &Path, root: &Node) -> Self {
        let directory = match file == Path::new("-") {
            true => PathBuf::new(),
            false => file.parent().map(Path::to_owned).unwrap_or_default(),
        };
        let vars = root.get("vars").map(|vars| match &vars.kind {
            Kind::Map(entries) => {
                entries.iter().filter(|(_, value)| is_typed(value)).map(|(key, _)| &*key.name).collect()
            }
            _ => Vec::new(),
        });
        let mut typed = BTreeSet::new();
        collect(root, &FieldPath::default(), &vars.unwrap_or_default(), &mut typed);
        Paths { directory, typed, ..Paths::default() }
    }

    /// The directory in which a relative path in `field` begins; empty for the working directory.
    pub fn start(&self, field: &FieldPath) -> &Path {
        if self.typed.contains(field) { Path::new("") } else { &self.directory }
    }

    /// The path that `text` in `field` stands for.
    pub fn of_field<'a>(&'a self, field: &FieldPath, text: &'a str) -> &'a str {
        self.located.get(field).map_or(text, String::as_str)
    }
}

fn is_typed(node: &Node) -> bool {
    // The command line has no lines.
    node.at.line == 0
}

fn collect(node: &Node, path: &FieldPath, vars: &[&str], typed: &mut BTreeSet<FieldPath>) {
    match &node.kind {
        Kind::Text(text) => {
            let begins_with_typed = || match references::scan(text).ok()?.first() {
                Some(Piece::Var(name)) => Some(vars.contains(&&**name)),
                _ => None,
            };
            if is_typed(node) || begins_with_typed() == Some(true) {
                typed.insert(path.clone());
            }
        }
        Kind::List(items) => {
            items.iter().enumerate().for_each(|(index, item)| collect(item, &path.index(index), vars, typed));
        }
        Kind::Map(entries) => {
            entries.iter().for_each(|(key, item)| collect(item, &path.key(&key.name), vars, typed));
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use crate::{FieldPath, Loaded, Override, load_text};

    fn loaded(path: &str, overrides: &[&str]) -> Loaded {
        let text = "name: s\nvars: { data: d }\nmodels:\n  m: { plugin: p, path: \"${vars.data}/m\" }\n  n: { plugin: p, path: n }\n  o: { plugin: p, path: \"x${vars.data}\" }\n";
        let overrides: Vec<Override> = overrides.iter().map(|text| text.parse().unwrap()).collect();
        load_text(path.as_ref(), text.to_owned(), &overrides, &|_| None).unwrap()
    }

    fn starts(loaded: &Loaded) -> Vec<&str> {
        let of = |model| loaded.suite.paths.start(&FieldPath::of(&["models", model, "path"])).to_str().unwrap();
        ["m", "n", "o"].map(of).to_vec()
    }

    #[test]
    fn a_path_begins_where_its_beginning_was_typed() {
        assert_eq!(starts(&loaded("configs/s.yaml", &[])), ["configs", "configs", "configs"]);
        assert_eq!(starts(&loaded("s.yaml", &[])), ["", "", ""]);
        assert_eq!(starts(&loaded("-", &[])), ["", "", ""]);
        assert_eq!(starts(&loaded("configs/s.yaml", &["data=here"])), ["", "configs", "configs"]);
        assert_eq!(starts(&loaded("configs/s.yaml", &["models.n.path=here"])), ["configs", "", "configs"]);
        assert_eq!(
            starts(&loaded("configs/s.yaml", &["models.n={ plugin: p, path: here }"])),
            ["configs", "", "configs"]
        );
        assert_eq!(starts(&loaded("configs/s.yaml", &["paths=working-directory"])), ["", "", ""]);
    }

    #[test]
    fn where_a_suite_lies_is_no_part_of_what_it_says() {
        let said = |path: &str| serde_json::to_string(&loaded(path, &[]).suite).unwrap();
        assert_eq!(said("configs/s.yaml"), said("s.yaml"));
        assert!(!said("s.yaml").contains("paths"));
    }
}
