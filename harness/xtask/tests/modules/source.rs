//! Reads crates: their modules with imports, items and paths.

use super::names::{Import, imports, paths};
use quote::ToTokens;
use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use syn::spanned::Spanned;
use syn::{Attribute, Item};

/// A library or program of the workspace.
pub(super) struct Crate {
    pub(super) name: String,
    /// The first is the root.
    pub(super) modules: Vec<Module>,
}

/// A module.
#[derive(Default)]
pub(super) struct Module {
    /// Its names from the root on; of the root none.
    pub(super) path: Vec<String>,
    file: PathBuf,
    /// Lines of its file without tests; of a module within a file none.
    lines: Option<usize>,
    pub(super) imports: Vec<Import>,
    /// Names that it defines.
    pub(super) items: HashSet<String>,
    /// Paths in its code, with at least two segments.
    pub(super) paths: Vec<Vec<String>>,
}

/// All libraries and programs of the workspace's members, as cargo lists them.
pub(super) fn crates() -> Vec<Crate> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(["metadata", "--no-deps", "--format-version", "1", "--offline"]).current_dir(xtask::root());
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let mut crates = Vec::new();
    for package in metadata["packages"].as_array().unwrap() {
        for target in package["targets"].as_array().unwrap() {
            let kinds = target["kind"].as_array().unwrap();
            let is_code = kinds
                .iter()
                .any(|kind| ["lib", "cdylib", "rlib", "bin", "proc-macro"].contains(&kind.as_str().unwrap()));
            if is_code {
                let name = format!("{} ({})", package["name"].as_str().unwrap(), kinds[0].as_str().unwrap());
                crates.push(Crate::of_files(&name, Path::new(target["src_path"].as_str().unwrap())));
            }
        }
    }
    assert!(crates.len() >= 10, "only {} crates", crates.len());
    crates
}

impl Crate {
    fn of_files(name: &str, root: &Path) -> Self {
        let mut krate = Crate { name: name.to_owned(), modules: Vec::new() };
        krate.read(Vec::new(), root, &|file| std::fs::read_to_string(file).ok());
        krate
    }

    /// A crate of modules below the root, each with this text.
    pub(super) fn of_texts(name: &str, text: &dyn Fn(&str) -> &'static str) -> Self {
        let mut krate = Crate { name: name.to_owned(), modules: Vec::new() };
        krate.read(Vec::new(), Path::new("lib.rs"), &|file| {
            let name = file.file_stem()?.to_str()?;
            Some(text(if name == "lib" { "" } else { name }).to_owned())
        });
        krate
    }

    /// The files, and how many lines each has without tests.
    pub(super) fn files(&self) -> impl Iterator<Item = (&Path, usize)> {
        self.modules.iter().filter_map(|module| Some((module.file.as_path(), module.lines?)))
    }

    fn read(&mut self, path: Vec<String>, file: &Path, text_of: &dyn Fn(&Path) -> Option<String>) {
        let text = text_of(file).unwrap_or_else(|| panic!("cannot read `{}`", file.display()));
        let parsed = syn::parse_file(&text).unwrap_or_else(|error| panic!("`{}`: {error}", file.display()));
        let lines = text.lines().count() - test_lines(&parsed.items);
        self.add(path, file, Some(lines), &parsed.items, text_of);
    }

    fn add(
        &mut self,
        path: Vec<String>,
        file: &Path,
        lines: Option<usize>,
        items: &[Item],
        text_of: &dyn Fn(&Path) -> Option<String>,
    ) {
        let index = self.modules.len();
        self.modules.push(Module { path: path.clone(), file: file.to_owned(), lines, ..Module::default() });
        for item in items.iter().filter(|item| !is_test(attributes(item))) {
            match item {
                Item::Use(item) => self.modules[index].imports.extend(imports(&item.tree)),
                Item::Mod(item) => {
                    let mut child = path.clone();
                    child.push(item.ident.to_string());
                    match &item.content {
                        Some((_, items)) => self.add(child, file, None, items, text_of),
                        None => self.read(child, &file_of(item, file, path.is_empty(), text_of), text_of),
                    }
                }
                item => {
                    self.modules[index].items.extend(name(item));
                    self.modules[index].paths.extend(paths(item.to_token_stream()));
                }
            }
        }
    }
}

/// The file of a module that is declared in another file.
fn file_of(item: &syn::ItemMod, parent: &Path, in_root: bool, text_of: &dyn Fn(&Path) -> Option<String>) -> PathBuf {
    let directory = parent.parent().unwrap();
    let own = item.attrs.iter().find(|attribute| attribute.path().is_ident("path"));
    if let Some(syn::Meta::NameValue(pair)) = own.map(|attribute| &attribute.meta) {
        let syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(path), .. }) = &pair.value else { panic!("a `path`") };
        return directory.join(path.value());
    }
    let is_directory = in_root || parent.file_name().is_some_and(|name| name == "mod.rs");
    let directory = if is_directory { directory.to_owned() } else { parent.with_extension("") };
    let file = directory.join(format!("{}.rs", item.ident));
    if text_of(&file).is_some() { file } else { directory.join(item.ident.to_string()).join("mod.rs") }
}

/// Lines of modules and items under `#[cfg(test)]`, their attributes and comments included.
fn test_lines(items: &[Item]) -> usize {
    let lines = |item: &Item| match item {
        item if is_test(attributes(item)) => {
            let span = item.span();
            span.end().line + 1 - span.start().line
        }
        Item::Mod(syn::ItemMod { content: Some((_, items)), .. }) => test_lines(items),
        _ => 0,
    };
    items.iter().map(lines).sum()
}

fn is_test(attributes: &[Attribute]) -> bool {
    let is_test = |attribute: &Attribute| {
        let text = attribute.meta.to_token_stream().to_string().replace(' ', "");
        text == "cfg(test)" || text.starts_with("cfg(all(test,")
    };
    attributes.iter().any(is_test)
}

fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

/// The name that an item defines.
fn name(item: &Item) -> Option<String> {
    let name = match item {
        Item::Const(item) => &item.ident,
        Item::Enum(item) => &item.ident,
        Item::Fn(item) => &item.sig.ident,
        Item::Macro(item) => item.ident.as_ref()?,
        Item::Static(item) => &item.ident,
        Item::Struct(item) => &item.ident,
        Item::Trait(item) => &item.ident,
        Item::Type(item) => &item.ident,
        Item::Union(item) => &item.ident,
        _ => return None,
    };
    Some(name.to_string())
}
