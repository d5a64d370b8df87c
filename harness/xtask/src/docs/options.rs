//! The options of a role as a table.

use anyhow::{Result, ensure};
use serde::Deserialize;

/// An option as `examiner plugins info --json` lists it.
#[derive(Debug, Clone, Deserialize, PartialEq)]
pub(super) struct RoleOption {
    name: String,
    #[serde(rename = "type")]
    kind: String,
    required: bool,
    default: Option<String>,
    description: String,
}

/// The table of a role's options.
///
/// # Errors
/// An option has no description: its field lacks a comment.
pub(super) fn table(options: &[RoleOption]) -> Result<String> {
    if options.is_empty() {
        return Ok("It has no options.\n".to_owned());
    }
    let mut text = String::from("| option | type | what | default |\n|---|---|---|---|\n");
    for RoleOption { name, kind, required, default, description } in options {
        ensure!(!description.is_empty(), "the option `{name}` has no description");
        let default = match (required, default) {
            (true, _) => "required".to_owned(),
            (false, Some(default)) => format!("`{default}`"),
            (false, None) => String::new(),
        };
        let cells = [&format!("`{name}`"), kind, description, &default].map(|cell| cell.replace('|', "\\|"));
        text.push_str(&format!("| {} |\n", cells.join(" | ")));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn option(name: &str, required: bool, default: Option<&str>, description: &str) -> RoleOption {
        let (kind, default) = ("string".to_owned(), default.map(str::to_owned));
        RoleOption { name: name.to_owned(), kind, required, default, description: description.to_owned() }
    }

    #[test]
    fn an_option_is_a_row_with_a_description() {
        let options = [option("path", true, None, "The file."), option("way", false, Some("far"), "A|B")];
        let expected = "| option | type | what | default |\n|---|---|---|---|\n\
                        | `path` | string | The file. | required |\n| `way` | string | A\\|B | `far` |\n";
        assert_eq!(table(&options).unwrap(), expected);
        let error = table(&[option("x", true, None, "")]).unwrap_err();
        assert!(error.to_string().contains("`x` has no description"), "{error}");
        assert_eq!(table(&[]).unwrap(), "It has no options.\n");
    }
}
