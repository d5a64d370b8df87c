//! The modules of every crate of the workspace, and how they use each other.
//!
//! What counts as a use: a `use` line, with all its groups, and every path in code and in the arguments of macros that
//! begins with `crate`, `self`, `super`, a child module or an imported name. A use leads to the module that *defines* the
//! item: re-exports are followed. The declaration `mod child;` and the import of a module by its name are no uses; what is
//! named through it is one. Code under `#[cfg(test)]` is left out.

mod graph;
mod names;
mod source;

use graph::{Graph, circles};
use source::{Crate, crates};

/// Crates in which modules may use each other: values, their types, the modules that can be imported and the evaluation of an
/// interpreter call each other, as what they interpret does.
const MUTUAL: [&str; 1] = ["examiner-python"];
/// Most lines of a file without its tests.
const LINES: usize = 400;

#[test]
fn no_module_uses_another_in_a_circle() {
    let mut found = Vec::new();
    for krate in crates().into_iter().filter(|krate| !MUTUAL.iter().any(|name| krate.name.starts_with(name))) {
        let graph = Graph::new(&krate);
        // A child may use what its parent defines: that is the usual shape of a crate. Two modules of which neither
        // contains the other may not use each other, directly or through others.
        let circles = circles(&graph.without_ancestors());
        found.extend(circles.iter().map(|circle| format!("{}: {}", krate.name, graph.describe(circle))));
    }
    assert!(found.is_empty(), "{} circles of modules:\n{}", found.len(), found.join("\n"));
}

#[test]
fn no_file_has_more_than_400_lines_without_its_tests() {
    let crates = crates();
    let long = crates.iter().flat_map(Crate::files).filter(|(_, lines)| *lines > LINES);
    let long: Vec<String> = long.map(|(file, lines)| format!("{}: {lines} lines", file.display())).collect();
    assert!(long.is_empty(), "files of more than {LINES} lines, tests excluded:\n{}", long.join("\n"));
}

#[test]
fn a_circle_is_found_and_a_parent_is_none() {
    let text = |name: &str| match name {
        "" => "mod a; mod b; mod c; pub struct Root; use a::A;",
        "a" => "use crate::{Root, b::{self, B as Other}}; pub struct A; fn f() { vec![b::make()]; }",
        "b" => "pub use super::c::C; pub struct B; pub fn make() {} #[cfg(test)] mod tests { use crate::a::A; }",
        _ => "pub struct C; fn f() -> Vec<super::a::A> { todo!() }",
    };
    let krate = Crate::of_texts("sample", &text);
    let graph = Graph::new(&krate);
    assert_eq!(circles(&graph.without_ancestors()).len(), 1, "a -> b -> c -> a");
    let described = graph.describe(&circles(&graph.without_ancestors())[0]);
    assert!(described.contains("`a`") && described.contains("`b`") && described.contains("`c`"), "{described}");
    let text = |name: &str| match name {
        "" => "mod a; mod b; mod c; pub struct Root; pub(crate) use c::C; use a::A;",
        // `C` is defined in `c`, whatever the way to it.
        "a" => "use super::{C, Root}; pub struct A;",
        "b" => "use crate::a::A; pub struct B;",
        _ => "pub struct C; fn f() -> std::vec::Vec<super::Root> { b::make() }",
    };
    let graph_of_parents = Crate::of_texts("sample", &text);
    let graph = Graph::new(&graph_of_parents);
    assert_eq!(circles(&graph.without_ancestors()), Vec::<Vec<usize>>::new());
    assert_eq!(circles(&graph.edges).len(), 1, "the root and its children");
}
