//! JSON documents: an array of objects, or an object in which one array holds the rows.

use super::{Numbered, Origin, kind, large_integers, why};
use crate::{PluginError, Result};
use serde_json::Value;
use std::fs::File;
use std::io::Read;

/// The rows of a document, with their places in the array, from 1. The whole document is read first.
pub(super) fn rows(
    mut file: File,
    origin: &Origin,
    pointer: Option<&str>,
) -> Result<impl Iterator<Item = Result<Numbered>> + Send + use<>> {
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).map_err(|error| PluginError::io("read", &origin.path, &error))?;
    let text = std::str::from_utf8(&bytes).map_err(|error| {
        let before = &bytes[..error.valid_up_to()];
        let line_start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        let lines = before.iter().filter(|byte| **byte == b'\n').count() as u64;
        Origin { unit: "line", ..origin.clone() }.not_utf8(lines + 1, before.len() - line_start)
    })?;
    let text = text.trim_start_matches('\u{feff}');
    let document = large_integers::parse(text).map_err(|error| {
        let file = origin.path.display();
        let (line, column) = (error.line(), error.column());
        PluginError::bad_input(format!(
            "line {line} of `{file}`: expected one JSON document, stopped at column {column}: {}",
            why(&error)
        ))
        .with_help("if every line is an object of its own, set `format: jsonl`")
    })?;
    let rows = array(document, origin, pointer)?;
    let origin = origin.clone();
    Ok(rows.into_iter().zip(1..).map(move |(row, number)| match row {
        Value::Object(fields) => Ok((number, fields)),
        other => Err(origin.error(number, format_args!("expected a JSON object, found {}", kind(&other)))),
    }))
}

fn array(mut document: Value, origin: &Origin, pointer: Option<&str>) -> Result<Vec<Value>> {
    let file = origin.path.display();
    let pointed = match pointer {
        Some(pointer) => document.pointer_mut(pointer).map(Value::take).ok_or_else(|| {
            PluginError::bad_options(format!("`{file}` has nothing at the pointer `{pointer}`"))
                .with_help("a pointer begins with `/` and names one field after the other, as in `/examples`")
        })?,
        None => document,
    };
    match pointed {
        Value::Array(rows) => Ok(rows),
        Value::Object(mut fields) => {
            let holds_rows = |value: &Value| value.as_array().is_some_and(|all| all.iter().all(Value::is_object));
            let names: Vec<String> =
                fields.iter().filter(|(_, value)| holds_rows(value)).map(|(name, _)| name.clone()).collect();
            if let [name] = &names[..]
                && let Some(Value::Array(rows)) = fields.remove(name)
            {
                return Ok(rows);
            }
            let found = names.iter().map(|name| format!("`/{name}`")).collect::<Vec<_>>().join(", ");
            let found = if found.is_empty() { "no field that is".to_owned() } else { format!("{found} that are") };
            Err(PluginError::bad_input(format!("`{file}` is an object with {found} an array of objects, expected one"))
                .with_help("set `pointer` to the array that holds the rows, as in `pointer: /examples`"))
        }
        other => {
            let at = pointer.map(|pointer| format!(" at `{pointer}`")).unwrap_or_default();
            Err(PluginError::bad_input(format!("`{file}`: expected an array of objects{at}, found {}", kind(&other))))
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::rows::{Row, read_at};

    fn read_all(content: &str, pointer: Option<&str>) -> Result<Vec<Row>, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rows.json");
        std::fs::write(&path, content).unwrap();
        read_at(&path, None, pointer)
            .and_then(|rows| rows.collect())
            .map_err(|error| error.message.replace(&path.display().to_string(), "F"))
    }

    #[test]
    fn finds_the_array_by_itself_or_by_pointer() {
        assert_eq!(read_all(r#"[{"a": 1}, {"a": 2}]"#, None).unwrap().len(), 2);
        let rows = read_all(r#"{"canary": "x", "tags": ["t"], "examples": [{"a": 1}]}"#, None).unwrap();
        assert_eq!((rows.len(), rows[0].number), (1, 1));
        let two = r#"{"train": [{"a": 1}], "test": [{"a": 2}, {"a": 3}]}"#;
        assert_eq!(read_all(two, Some("/test")).unwrap().len(), 2);
        assert_eq!(
            read_all(two, None).unwrap_err(),
            "`F` is an object with `/train`, `/test` that are an array of objects, expected one"
        );
    }

    #[test]
    fn says_where_and_what_is_wrong() {
        assert_eq!(read_all("[{}, 2]", None).unwrap_err(), "element 2 of `F`: expected a JSON object, found a number");
        assert_eq!(
            read_all("[{},\n nul]", None).unwrap_err(),
            "line 2 of `F`: expected one JSON document, stopped at column 5: expected ident"
        );
        assert_eq!(read_all("{}", Some("/x")).unwrap_err(), "`F` has nothing at the pointer `/x`");
        assert_eq!(
            read_all(r#"{"x": 1}"#, Some("/x")).unwrap_err(),
            "`F`: expected an array of objects at `/x`, found a number"
        );
    }
}
