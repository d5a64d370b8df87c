//! JSON lines: one object per line, blank lines between them allowed.

use super::{Numbered, Origin, kind, large_integers, why};
use crate::{PluginError, Result};
use serde_json::{Map, Value};
use std::fs::File;
use std::io::{BufRead, BufReader};

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// The rows of a file, with the number of the line on which each stands.
pub(super) fn rows(file: File, origin: Origin) -> impl Iterator<Item = Result<Numbered>> + Send {
    let mut lines = BufReader::with_capacity(1 << 16, file);
    let mut line = Vec::new();
    let mut number = 0;
    std::iter::from_fn(move || {
        loop {
            line.clear();
            number += 1;
            match lines.read_until(b'\n', &mut line) {
                Ok(0) => return None,
                Ok(_) => {}
                Err(error) => return Some(Err(PluginError::io("read", &origin.path, &error))),
            }
            let mut text = line.as_slice();
            if number == 1 {
                text = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text);
            }
            if text.iter().all(u8::is_ascii_whitespace) {
                continue;
            }
            return Some(parse(text, number, &origin).map(|fields| (number, fields)));
        }
    })
}

fn parse(line: &[u8], number: u64, origin: &Origin) -> Result<Map<String, Value>> {
    let text = std::str::from_utf8(line).map_err(|error| origin.not_utf8(number, error.valid_up_to()))?;
    let whole = text.trim_ascii_end();
    match large_integers::parse(whole) {
        Ok(Value::Object(fields)) => Ok(fields),
        Ok(other) => Err(origin
            .error(number, format_args!("expected a JSON object, found {}", kind(&other)))
            .with_help("for a single JSON document set `format: json`")),
        Err(error) if error.is_eof() && !text.ends_with('\n') => Err(origin
            .error(number, "the last line is torn: it ends in the midst of a JSON object and has no line feed")
            .with_help("remove the line, or write the file again")),
        Err(error) => Err(origin
            .error(
                number,
                format_args!("expected a JSON object, stopped at column {}: {}", error.column(), why(&error)),
            )
            .with_help("for a single JSON document set `format: json`")),
    }
}

#[cfg(test)]
mod tests {
    use crate::rows::{Row, read};
    use serde_json::json;

    fn read_all(content: &[u8]) -> crate::Result<Vec<Row>> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rows.jsonl");
        std::fs::write(&path, content).unwrap();
        read(&path, None).unwrap().collect::<crate::Result<_>>().map_err(|mut error| {
            error.message = error.message.replace(&path.display().to_string(), "F");
            error
        })
    }

    fn message(content: &[u8]) -> String {
        read_all(content).unwrap_err().message
    }

    #[test]
    fn reads_rows_with_their_lines_past_blank_ones() {
        let rows = read_all(b"\xef\xbb\xbf{\"z\": 1, \"a\": \"\\u00e9\"}\r\n\n  \n{\"z\": 2}").unwrap();
        assert_eq!(rows.iter().map(|row| (row.index, row.number)).collect::<Vec<_>>(), [(0, 1), (1, 4)]);
        assert_eq!(serde_json::to_string(&rows[0].fields).unwrap(), r#"{"z":1,"a":"é"}"#, "the file's order stays");
        assert_eq!(rows[1].fields["z"], json!(2));
        assert!(rows[1].place().starts_with("line 4 of `"));
    }

    #[test]
    fn says_where_and_what_is_wrong() {
        assert_eq!(message(b"{}\n[1]\n"), "line 2 of `F`: expected a JSON object, found an array");
        assert_eq!(
            message(b"{}\n\n{\"a\": tru}\n"),
            "line 3 of `F`: expected a JSON object, stopped at column 10: expected ident"
        );
        assert_eq!(message(b"{\"a\": \"\xff\"}\n"), "line 1 of `F`: expected UTF-8, found another byte at column 8");
        assert!(message(b"{}\n{\"a\": \"to").starts_with("line 2 of `F`: the last line is torn"));
    }

    #[test]
    fn ends_after_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rows.jsonl");
        std::fs::write(&path, "1\n{}\n").unwrap();
        let mut rows = read(&path, None).unwrap();
        assert!(rows.next().unwrap().is_err());
        assert!(rows.next().is_none());
    }
}
