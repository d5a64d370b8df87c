//! Which module uses which, and the circles among them.

use super::source::Crate;
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

/// The modules that each module uses.
pub(super) type Edges = BTreeMap<usize, BTreeSet<usize>>;

/// How the modules of a crate use each other, by their indices in [`Crate::modules`].
pub(super) struct Graph<'a> {
    krate: &'a Crate,
    indices: HashMap<&'a [String], usize>,
    pub(super) edges: Edges,
    /// A path by which one module uses another.
    examples: BTreeMap<(usize, usize), String>,
}

/// What a path leads to.
enum Target {
    Module(usize),
    /// Something that the module defines.
    Item(usize),
}

impl<'a> Graph<'a> {
    pub(super) fn new(krate: &'a Crate) -> Self {
        let indices = krate.modules.iter().enumerate().map(|(index, module)| (module.path.as_slice(), index)).collect();
        let mut graph = Graph { krate, indices, edges: Edges::new(), examples: BTreeMap::new() };
        for (from, module) in krate.modules.iter().enumerate() {
            let imports = module.imports.iter().map(|import| (&import.path, import.name.is_none()));
            for (path, is_glob) in imports.chain(module.paths.iter().map(|path| (path, false))) {
                let to = match graph.resolve(from, path, 0) {
                    Some(Target::Item(to)) => to,
                    Some(Target::Module(to)) if is_glob => to,
                    _ => continue,
                };
                if from != to {
                    graph.edges.entry(from).or_default().insert(to);
                    graph.examples.entry((from, to)).or_insert_with(|| path.join("::"));
                }
            }
        }
        graph
    }

    /// The uses between modules of which neither contains the other.
    pub(super) fn without_ancestors(&self) -> Edges {
        let path = |index: usize| &self.krate.modules[index].path;
        let related = |a: usize, b: usize| path(a).starts_with(path(b)) || path(b).starts_with(path(a));
        let kept = |(from, to): (&usize, &BTreeSet<usize>)| {
            (*from, to.iter().copied().filter(|to| !related(*from, *to)).collect())
        };
        self.edges.iter().map(kept).collect()
    }

    /// A circle for people, with a path for each of its uses.
    pub(super) fn describe(&self, circle: &[usize]) -> String {
        let name = |index: usize| match self.krate.modules[index].path.join("::") {
            name if name.is_empty() => "`crate`".to_owned(),
            name => format!("`{name}`"),
        };
        let step = |(at, from): (usize, &usize)| {
            let to = circle[(at + 1) % circle.len()];
            format!("{} -> {} ({})", name(*from), name(to), self.examples[&(*from, to)])
        };
        circle.iter().enumerate().map(step).collect::<Vec<_>>().join(", ")
    }

    fn resolve(&self, from: usize, path: &[String], depth: usize) -> Option<Target> {
        // Imports that lead to each other lead nowhere.
        if depth > 32 {
            return None;
        }
        let mut at = from;
        let mut rest = path;
        while let [first, others @ ..] = rest {
            match first.as_str() {
                "crate" => at = 0,
                "self" => {}
                "super" => {
                    let module = &self.krate.modules[at].path;
                    at = self.indices[&module[..module.len().checked_sub(1)?]];
                }
                _ => break,
            }
            rest = others;
        }
        let is_relative = rest.len() == path.len();
        for (position, name) in rest.iter().enumerate() {
            match self.lookup(at, name, depth)? {
                Some(Target::Module(module)) => at = module,
                Some(item) => return Some(item),
                // A name that begins a path without being known here is a crate's or the standard library's.
                None if position == 0 && is_relative => {
                    let defined = self.krate.modules[at].items.contains(name);
                    return defined.then_some(Target::Item(at));
                }
                None => return Some(Target::Item(at)),
            }
        }
        Some(Target::Module(at))
    }

    /// What a name means in a module: a child, an import, or nothing that is known; no result if it is another crate's.
    #[allow(clippy::option_option, reason = "outside the crate, unknown, known")]
    fn lookup(&self, at: usize, name: &String, depth: usize) -> Option<Option<Target>> {
        let module = &self.krate.modules[at];
        let child = [module.path.as_slice(), std::slice::from_ref(name)].concat();
        if let Some(child) = self.indices.get(child.as_slice()) {
            return Some(Some(Target::Module(*child)));
        }
        if module.items.contains(name) {
            return Some(Some(Target::Item(at)));
        }
        if let Some(import) = module.imports.iter().find(|import| import.name.as_ref() == Some(name)) {
            // `use regex::Regex` and `use serde_json;` lead out of the crate.
            let is_itself = import.path.len() == 1 && import.path[0] == *name;
            return if is_itself { None } else { self.resolve(at, &import.path, depth + 1).map(Some) };
        }
        for import in module.imports.iter().filter(|import| import.name.is_none()) {
            if let Some(Target::Module(other)) = self.resolve(at, &import.path, depth + 1) {
                let known = self.krate.modules[other].items.contains(name)
                    || self.krate.modules[other].imports.iter().any(|import| import.name.as_ref() == Some(name));
                if other != at && known {
                    return self.lookup(other, name, depth + 1);
                }
            }
        }
        Some(None)
    }
}

/// One circle, a shortest, for each set of modules that all reach each other.
pub(super) fn circles(edges: &Edges) -> Vec<Vec<usize>> {
    let mut circles: Vec<Vec<usize>> = Vec::new();
    let reached: BTreeMap<usize, BTreeSet<usize>> = edges.keys().map(|from| (*from, reachable(edges, *from))).collect();
    let mut seen = BTreeSet::new();
    for (from, reach) in &reached {
        if reach.contains(from) && !seen.contains(from) {
            let set = reach.iter().copied().filter(|other| reached.get(other).is_some_and(|back| back.contains(from)));
            seen.extend(set);
            circles.push(shortest(edges, *from));
        }
    }
    circles
}

fn reachable(edges: &Edges, from: usize) -> BTreeSet<usize> {
    let mut reached = BTreeSet::new();
    let mut queue = vec![from];
    while let Some(at) = queue.pop() {
        for next in edges.get(&at).into_iter().flatten() {
            if reached.insert(*next) {
                queue.push(*next);
            }
        }
    }
    reached
}

/// The shortest way from a module back to itself.
fn shortest(edges: &Edges, from: usize) -> Vec<usize> {
    let mut before: BTreeMap<usize, usize> = BTreeMap::new();
    let mut queue = VecDeque::from([from]);
    while let Some(at) = queue.pop_front() {
        for next in edges.get(&at).into_iter().flatten() {
            if *next == from {
                let mut circle = vec![at];
                while circle[circle.len() - 1] != from {
                    circle.push(before[&circle[circle.len() - 1]]);
                }
                circle.reverse();
                return circle;
            }
            if !before.contains_key(next) {
                before.insert(*next, at);
                queue.push_back(*next);
            }
        }
    }
    vec![from]
}
