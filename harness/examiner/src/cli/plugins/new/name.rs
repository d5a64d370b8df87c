//! What a plugin can be called: as a crate, as a library, and in a suite.

use anyhow::{Result, bail};

/// A longer name is none that a registry takes.
const LENGTH_MAX: usize = 64;

/// Words that are no names of crates, because Rust or its libraries have them, or that YAML takes for something else than a text.
const RESERVED: [&str; 60] = [
    "abstract",
    "alloc",
    "as",
    "async",
    "await",
    "become",
    "box",
    "break",
    "const",
    "continue",
    "core",
    "crate",
    "do",
    "dyn",
    "else",
    "enum",
    "extern",
    "false",
    "final",
    "fn",
    "for",
    "gen",
    "if",
    "impl",
    "in",
    "let",
    "loop",
    "macro",
    "match",
    "mod",
    "move",
    "mut",
    "null",
    "override",
    "priv",
    "proc-macro",
    "proc_macro",
    "pub",
    "ref",
    "return",
    "self",
    "static",
    "std",
    "struct",
    "super",
    "test",
    "trait",
    "true",
    "try",
    "type",
    "typeof",
    "union",
    "unsafe",
    "unsized",
    "use",
    "virtual",
    "where",
    "while",
    "yield",
    "build",
];

/// What the crates depend on: a crate cannot depend on one of its own name.
const DEPENDENCIES: [&str; 4] = ["examiner-api", "examiner-lm", "half", "safetensors"];

/// Checks that a crate and a plugin can have the name.
pub(super) fn check(name: &str) -> Result<()> {
    let is_letter = |c: char| c.is_ascii_lowercase();
    let fits = |c: char| is_letter(c) || c.is_ascii_digit() || matches!(c, '-' | '_');
    if name.len() > LENGTH_MAX || !name.starts_with(is_letter) || !name.chars().all(fits) {
        bail!(
            "`{name}` cannot be the name of a crate: expected a small letter, and then at most {} of small letters, digits, \
             `-` and `_`",
            LENGTH_MAX - 1
        );
    }
    if RESERVED.contains(&name) {
        bail!("`{name}` cannot be the name of a crate, because it is a word of Rust's or YAML's; try `my-{name}`");
    }
    if DEPENDENCIES.contains(&name) {
        bail!("`{name}` is the name of a crate that plugins depend on; choose another one");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::check;

    #[test]
    fn names_are_those_of_crates() {
        for good in ["a", "my-model", "my_model", "f1", &*"x".repeat(64)] {
            check(good).unwrap();
        }
        for bad in ["", "1st", "-a", "My-Model", "mein-größtes", "a b", "a/b", "../a", &*"x".repeat(65)] {
            assert!(check(bad).unwrap_err().to_string().contains("expected a small letter"), "{bad}");
        }
        for reserved in ["match", "true", "null", "std", "examiner-api"] {
            assert!(check(reserved).is_err(), "{reserved}");
        }
    }
}
