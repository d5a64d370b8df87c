//! The public items of a crate, as Rust code without bodies and comments, module by module.

use anyhow::{Context, Result};
use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};
use syn::{Attribute, Fields, ImplItem, Item, TraitItem, Type, Visibility};

/// The outline of the crate whose root is this file.
pub(super) fn of_crate(name: &str, root: &Path) -> Result<String> {
    let mut modules = BTreeMap::new();
    read(name.to_owned(), root, true, true, &mut modules)?;
    let known: HashSet<String> = modules.values().flat_map(|(_, items)| items).filter_map(public_type).collect();
    let mut text = String::new();
    for (path, (is_public, items)) in modules {
        let items: Vec<Item> = items.into_iter().filter_map(|item| outlined(item, &known)).collect();
        if items.is_empty() {
            continue;
        }
        let private = if is_public { "" } else { ", private" };
        let code = prettyplease::unparse(&syn::File { shebang: None, attrs: Vec::new(), items });
        text.push_str(&format!("// mod {path}{private}\n{code}\n"));
    }
    Ok(text)
}

/// Whether each module can be named from outside, and its items.
type Modules = BTreeMap<String, (bool, Vec<Item>)>;

fn read(path: String, file: &Path, in_root: bool, is_public: bool, modules: &mut Modules) -> Result<()> {
    let text = crate::program::files::read(file)?;
    let parsed = syn::parse_file(&text).with_context(|| format!("cannot read `{}` as Rust", file.display()))?;
    add(path, file, in_root, is_public, parsed.items, modules)
}

fn add(
    path: String,
    file: &Path,
    in_root: bool,
    is_public: bool,
    items: Vec<Item>,
    modules: &mut Modules,
) -> Result<()> {
    let mut own = Vec::new();
    for item in items {
        let Item::Mod(module) = item else {
            own.push(item);
            continue;
        };
        if module.attrs.iter().any(is_test) {
            continue;
        }
        let name = module.ident.to_string();
        let (path, is_public) = (format!("{path}::{name}"), is_public && is_pub(&module.vis));
        match module.content {
            Some((_, items)) => add(path, file, false, is_public, items, modules)?,
            None => read(path, &file_of(&name, file, in_root), false, is_public, modules)?,
        }
    }
    modules.insert(path, (is_public, own));
    Ok(())
}

/// The file of a module that is declared in another file.
fn file_of(name: &str, parent: &Path, in_root: bool) -> PathBuf {
    let beside = parent.parent().unwrap_or(Path::new(""));
    let has_directory = in_root || parent.file_name().is_some_and(|name| name == "mod.rs");
    let directory = if has_directory { beside.to_owned() } else { parent.with_extension("") };
    let file = directory.join(format!("{name}.rs"));
    if file.exists() { file } else { directory.join(name).join("mod.rs") }
}

/// The name of a type or trait that others can use.
fn public_type(item: &Item) -> Option<String> {
    let (visibility, name) = match item {
        Item::Enum(item) => (&item.vis, &item.ident),
        Item::Struct(item) => (&item.vis, &item.ident),
        Item::Trait(item) => (&item.vis, &item.ident),
        Item::Type(item) => (&item.vis, &item.ident),
        _ => return None,
    };
    is_pub(visibility).then(|| name.to_string())
}

/// What is seen of an item from outside. `known` are the public types.
fn outlined(item: Item, known: &HashSet<String>) -> Option<Item> {
    Some(match item {
        Item::Const(mut item) if is_pub(&item.vis) => {
            item.attrs.retain(is_kept);
            *item.expr = nothing();
            Item::Const(item)
        }
        Item::Static(mut item) if is_pub(&item.vis) => {
            item.attrs.retain(is_kept);
            *item.expr = nothing();
            Item::Static(item)
        }
        Item::Enum(mut item) if is_pub(&item.vis) => {
            item.attrs.retain(is_kept);
            for variant in &mut item.variants {
                variant.attrs.retain(is_kept);
                variant.fields.iter_mut().for_each(|field| field.attrs.retain(is_kept));
            }
            Item::Enum(item)
        }
        Item::Struct(mut item) if is_pub(&item.vis) => {
            item.attrs.retain(is_kept);
            hide_private(&mut item.fields);
            Item::Struct(item)
        }
        Item::Fn(mut item) if is_pub(&item.vis) => {
            item.attrs.retain(is_kept);
            item.block.stmts.clear();
            Item::Fn(item)
        }
        Item::Trait(mut item) if is_pub(&item.vis) => {
            item.attrs.retain(is_kept);
            for part in &mut item.items {
                match part {
                    TraitItem::Fn(method) => {
                        method.attrs.retain(is_kept);
                        // With a body: authors need not write it.
                        method.default.iter_mut().for_each(|body| body.stmts.clear());
                    }
                    TraitItem::Const(constant) => constant.attrs.retain(is_kept),
                    TraitItem::Type(associated) => associated.attrs.retain(is_kept),
                    _ => {}
                }
            }
            Item::Trait(item)
        }
        Item::Type(mut item) if is_pub(&item.vis) => {
            item.attrs.retain(is_kept);
            Item::Type(item)
        }
        Item::Use(mut item) if is_pub(&item.vis) => {
            item.attrs.retain(is_kept);
            Item::Use(item)
        }
        Item::Macro(mut item) if item.attrs.iter().any(|attribute| attribute.path().is_ident("macro_export")) => {
            item.attrs.retain(is_kept);
            Item::Macro(item)
        }
        Item::Impl(item) => Item::Impl(implementation(item, known)?),
        _ => return None,
    })
}

/// Public methods of a type, or the line of a trait's implementation.
fn implementation(mut item: syn::ItemImpl, known: &HashSet<String>) -> Option<syn::ItemImpl> {
    item.attrs.retain(is_kept);
    if item.trait_.is_some() {
        let is_known = match &*item.self_ty {
            Type::Path(path) => path.path.segments.last().is_some_and(|last| {
                let name = last.ident.to_string();
                known.contains(&name) || item.generics.type_params().any(|parameter| parameter.ident == name)
            }),
            _ => true,
        };
        item.items.retain(|part| matches!(part, ImplItem::Type(_)));
        return is_known.then_some(item);
    }
    let kept = |mut part: ImplItem| {
        match &mut part {
            ImplItem::Fn(method) if is_pub(&method.vis) => {
                method.attrs.retain(is_kept);
                method.block.stmts.clear();
            }
            ImplItem::Const(constant) if is_pub(&constant.vis) => {
                constant.attrs.retain(is_kept);
                constant.expr = nothing();
            }
            // What a macro makes of it is not known here; what it is given says enough.
            ImplItem::Macro(made) => made.attrs.retain(is_kept),
            _ => return None,
        }
        Some(part)
    };
    item.items = item.items.into_iter().filter_map(kept).collect();
    (!item.items.is_empty()).then_some(item)
}

/// Private fields become one, so that a first or a last one is seen: with it, others cannot make a value of the type.
fn hide_private(fields: &mut Fields) {
    fields.iter_mut().for_each(|field| field.attrs.retain(is_kept));
    match fields {
        Fields::Named(named) => {
            let all = std::mem::take(&mut named.named);
            let count = all.len();
            named.named = all.into_iter().filter(|field| is_pub(&field.vis)).collect();
            if named.named.len() < count {
                named.named.push(syn::parse_quote!(private_fields: _));
            }
        }
        Fields::Unnamed(unnamed) => {
            for field in unnamed.unnamed.iter_mut().filter(|field| !is_pub(&field.vis)) {
                field.ty = syn::parse_quote!(_);
            }
        }
        Fields::Unit => {}
    }
}

fn nothing() -> syn::Expr {
    syn::parse_quote!(_)
}

fn is_pub(visibility: &Visibility) -> bool {
    matches!(visibility, Visibility::Public(_))
}

/// Attributes that say something of the interface or of the wire form.
fn is_kept(attribute: &Attribute) -> bool {
    let kept = [
        "derive",
        "serde",
        "schemars",
        "sabi",
        "sabi_trait",
        "repr",
        "non_exhaustive",
        "must_use",
        "macro_export",
        "cfg",
    ];
    kept.iter().any(|name| attribute.path().is_ident(name))
}

fn is_test(attribute: &Attribute) -> bool {
    attribute.path().is_ident("cfg")
        && attribute.meta.require_list().is_ok_and(|list| {
            let condition = list.tokens.to_string().replace(' ', "");
            condition == "test" || condition.starts_with("all(test,")
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outline(source: &str) -> String {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().join("lib.rs");
        std::fs::write(&root, source).unwrap();
        of_crate("c", &root).unwrap()
    }

    #[test]
    fn bodies_private_items_and_comments_do_not_matter_and_everything_else_does() {
        let source = "
            //! Docs.
            mod inner {
                /// A type.
                #[derive(Debug, Serialize)]
                #[serde(default)]
                pub struct Made { /// One. pub one: u32, two: u32 }
                impl Made {
                    /// Makes it.
                    pub fn new(one: u32) -> Self { Made { one, two: 2 } }
                    fn hidden(&self) {}
                }
                impl Clone for Made { fn clone(&self) -> Self { todo!() } }
                struct Own;
                impl Clone for Own { fn clone(&self) -> Self { Own } }
                pub(crate) fn within() {}
            }
            pub use inner::Made;
            pub const COUNT: usize = 3;
            #[cfg(test)]
            mod tests { pub fn test() {} }
        ";
        let expected = "\
            // mod c\npub use inner::Made;\npub const COUNT: usize = _;\n\n\
            // mod c::inner, private\n#[derive(Debug, Serialize)]\n#[serde(default)]\npub struct Made {\n    pub one: u32,\n    \
            private_fields: _,\n}\nimpl Made {\n    pub fn new(one: u32) -> Self {}\n}\nimpl Clone for Made {}\n\n";
        let source = source.replace("/// One. pub one", "pub one");
        assert_eq!(outline(&source), expected);
        let same = source.replace("COUNT: usize = 3", "COUNT: usize = 4").replace("Makes it.", "Builds it.");
        assert_eq!(outline(&same), expected);
        for (from, to) in
            [("one: u32)", "one: u64)"), ("#[serde(default)]", ""), (", two: u32", ""), ("pub use", "use")]
        {
            assert_ne!(outline(&source.replacen(from, to, 1)), expected, "{to}");
        }
    }
}
