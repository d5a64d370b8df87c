//! Names in source code: what is imported, and which paths the code contains.

use proc_macro2::{Spacing, TokenStream, TokenTree};
use syn::UseTree;

/// An imported name.
#[derive(Debug, Clone)]
pub(super) struct Import {
    /// The name in the importing module; none for `*`.
    pub(super) name: Option<String>,
    pub(super) path: Vec<String>,
}

/// The imports of a `use`.
pub(super) fn imports(tree: &UseTree) -> Vec<Import> {
    let mut imports = Vec::new();
    collect(tree, &[], &mut imports);
    imports
}

fn collect(tree: &UseTree, before: &[String], imports: &mut Vec<Import>) {
    let with = |name: String| [before, &[name]].concat();
    match tree {
        UseTree::Path(path) => collect(&path.tree, &with(path.ident.to_string()), imports),
        UseTree::Name(name) if name.ident == "self" => {
            imports.push(Import { name: before.last().cloned(), path: before.to_vec() });
        }
        UseTree::Name(name) => {
            let name = name.ident.to_string();
            imports.push(Import { name: Some(name.clone()), path: with(name) });
        }
        UseTree::Rename(rename) if rename.ident == "self" => {
            imports.push(Import { name: Some(rename.rename.to_string()), path: before.to_vec() });
        }
        UseTree::Rename(rename) => {
            imports.push(Import { name: Some(rename.rename.to_string()), path: with(rename.ident.to_string()) });
        }
        UseTree::Glob(_) => imports.push(Import { name: None, path: before.to_vec() }),
        UseTree::Group(group) => group.items.iter().for_each(|tree| collect(tree, before, imports)),
    }
}

/// Paths of at least two segments in code, the arguments of macros included. Groups of a `use` within a function are
/// taken apart.
pub(super) fn paths(code: TokenStream) -> Vec<Vec<String>> {
    let mut paths = Vec::new();
    walk(code, &[], &mut paths);
    paths
}

/// `before` are the segments that every path at the top of this code continues.
fn walk(code: TokenStream, before: &[String], paths: &mut Vec<Vec<String>>) {
    let tokens: Vec<TokenTree> = code.into_iter().collect();
    let mut at = 0;
    // A path that begins with `::` is another crate's.
    let mut foreign = false;
    while at < tokens.len() {
        match &tokens[at] {
            TokenTree::Ident(first) => {
                let mut path = before.to_vec();
                path.push(first.to_string());
                at += 1;
                while is_separator(&tokens[at..]) {
                    match tokens.get(at + 2) {
                        Some(TokenTree::Ident(next)) => path.push(next.to_string()),
                        Some(TokenTree::Group(group)) => {
                            walk(group.stream(), &path, paths);
                            path.clear();
                            at += 3;
                            break;
                        }
                        _ => {
                            at += 2;
                            break;
                        }
                    }
                    at += 3;
                }
                if path.len() > 1 && !foreign {
                    paths.push(path);
                }
                foreign = false;
            }
            TokenTree::Group(group) => {
                walk(group.stream(), &[], paths);
                at += 1;
            }
            _ => {
                let is_separator = is_separator(&tokens[at..]);
                foreign = is_separator && before.is_empty();
                at += if is_separator { 2 } else { 1 };
            }
        }
    }
}

fn is_separator(tokens: &[TokenTree]) -> bool {
    match tokens {
        [TokenTree::Punct(one), TokenTree::Punct(other), ..] => {
            one.as_char() == ':' && one.spacing() == Spacing::Joint && other.as_char() == ':'
        }
        _ => false,
    }
}
