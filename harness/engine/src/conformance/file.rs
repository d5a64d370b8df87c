//! Clauses of the file: names, version, conflicts, silence.

use super::clause::{FILE_CONFLICTS, FILE_LOADS, FILE_NAMES, FILE_SILENT, FILE_VERSION};
use super::report::{Findings, Held};
use crate::loader::{LoadedFile, Plugins};
use crate::worker::printed_at_registration;
use std::collections::BTreeSet;
use std::path::PathBuf;

/// Holds a file that was loaded against the clauses of files. `others` are the plugins at hand, the file itself may be among them.
pub(super) fn check(file: &LoadedFile, others: &Plugins, program: Option<PathBuf>, findings: &mut Findings<'_>) {
    let roles = file.info.roles.len();
    findings.add(&FILE_LOADS, Held::Yes(format!("it is a plugin with {roles} roles")));
    findings.add(&FILE_NAMES, names(file));
    findings.add(&FILE_VERSION, version(&file.info.version));
    findings.add(&FILE_CONFLICTS, conflicts(file, others));
    findings.add(&FILE_SILENT, silent(file, program));
}

fn names(file: &LoadedFile) -> Held {
    let mut seen = BTreeSet::new();
    let all = std::iter::once(("the plugin".to_owned(), &file.info.name));
    let roles = file.info.roles.iter().map(|role| (format!("a {}", role.kind), &role.name));
    for (what, name) in all.chain(roles) {
        let is_good = |char: char| char.is_ascii_alphanumeric() || char == '-' || char == '_';
        if name.is_empty() || !name.chars().all(is_good) {
            return Held::No(format!(
                "expected a name of letters, digits, `-` and `_` for {what}, found `{}`",
                name.escape_debug()
            ));
        }
        if !seen.insert((what.clone(), name)) {
            return Held::No(format!("expected one {} named `{name}`, found two", what.trim_start_matches("a ")));
        }
    }
    Held::Yes(format!("{} names are good", seen.len()))
}

fn version(version: &str) -> Held {
    match is_version(version) {
        true => Held::Yes(format!("`{version}` is a version")),
        false => Held::No(format!(
            "expected a version such as `1.2.3`, found `{version}`; `env!(\"CARGO_PKG_VERSION\")` is the crate's"
        )),
    }
}

/// Whether a text is a version as Cargo has it.
fn is_version(text: &str) -> bool {
    let (numbers, rest) = match text.find(['-', '+']) {
        Some(end) => text.split_at(end),
        None => (text, ""),
    };
    let parts: Vec<&str> = numbers.split('.').collect();
    let is_number = |part: &&str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let is_word = |part: &str| !part.is_empty() && part.chars().all(|char| char.is_ascii_alphanumeric() || char == '-');
    let rest = rest.strip_prefix(['-', '+']);
    parts.len() == 3 && parts.iter().all(is_number) && rest.is_none_or(|rest| rest.split(['.', '+']).all(is_word))
}

fn conflicts(file: &LoadedFile, others: &Plugins) -> Held {
    let others = others.loaded().iter().filter(|other| other.path != file.path && other.sha256 != file.sha256);
    let mut count = 0;
    for other in others {
        count += 1;
        if other.info.name == file.info.name {
            return Held::No(format!(
                "expected no other plugin named `{}`, found `{}`; remove one of them, or name the file in the suite",
                file.info.name,
                other.path.display()
            ));
        }
        for role in &file.info.roles {
            if other.info.roles.iter().any(|theirs| (theirs.kind, &theirs.name) == (role.kind, &role.name)) {
                return Held::No(format!(
                    "expected no other {} named `{}`, found one in the plugin `{}`; suites would have to write `from: PLUGIN`",
                    role.kind, role.name, other.info.name
                ));
            }
        }
    }
    Held::Yes(format!("it shares no name with the {count} other plugins at hand"))
}

fn silent(file: &LoadedFile, program: Option<PathBuf>) -> Held {
    let (Some(program), Some(identity)) = (program, file.library()) else {
        return Held::Skipped("only a plugin in a worker can be listened to".to_owned());
    };
    match printed_at_registration(program, &file.path, identity) {
        Ok(lines) => match lines.first() {
            None => Held::Yes("nothing is printed".to_owned()),
            Some(line) => Held::No(format!("expected nothing on stdout and stderr, found `{line}`")),
        },
        Err(error) => Held::No(format!("expected the plugin to describe itself once more, found the error: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::is_version;

    #[test]
    fn a_version_has_three_numbers() {
        for good in ["0.1.0", "1.22.333", "1.0.0-beta.1", "1.0.0+abc", "1.0.0-rc-1+x.y"] {
            assert!(is_version(good), "{good}");
        }
        for bad in ["", "1", "1.0", "1.0.x", "1..0", "v1.0.0", "1.0.0-", "1.0.0 "] {
            assert!(!is_version(bad), "{bad}");
        }
    }
}
