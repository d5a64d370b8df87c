//! JSON: lines of objects, or an array of objects or texts.
//!
//! The library reads ten megabytes and the rest of a line at a time, finds the types of each such batch by itself, and, where a value
//! has no single type, writes and reads rows once more with ten decimals; so batches are the same here.

use super::super::features::{Columns, Feature};
use super::inference::{mark_mixed, types, unify};
use super::{Batch, Batches, Refusal, broken, cast};
use serde_json::{Map, Value};
use std::io::{BufRead, BufReader, Read};

/// Bytes of a batch, before the rest of its last line.
const BATCH: u64 = 10 << 20;

/// The batches of a file.
pub(super) fn batches(content: Box<dyn Read>, known: Option<&Columns>) -> Result<Batches, Refusal> {
    let mut content = BufReader::with_capacity(1 << 16, content);
    let known_json = known.map(|columns| columns.iter().any(|(_, feature)| feature.holds_json()));
    let (mut number, mut has_ended) = (0, false);
    Ok(Box::new(std::iter::from_fn(move || {
        if has_ended {
            return None;
        }
        let batch = next(&mut content, number == 0).and_then(|bytes| match bytes {
            Some(bytes) => batch(&bytes, known_json, number == 0).map(Some),
            None => Ok(None),
        });
        number += 1;
        has_ended = !matches!(batch, Ok(Some(_)));
        batch.transpose()
    })))
}

/// The bytes of the next batch: of an array, which begins the file, all that is left.
fn next(content: &mut BufReader<Box<dyn Read>>, is_first: bool) -> Result<Option<Vec<u8>>, Refusal> {
    let mut bytes = Vec::new();
    content.by_ref().take(BATCH).read_to_end(&mut bytes).map_err(|error| broken(&error))?;
    if bytes.is_empty() {
        return Ok(None);
    }
    if is_first && bytes.starts_with(b"\xef\xbb\xbf") {
        bytes.drain(..3);
    }
    let rest = match is_first && bytes.starts_with(b"[") {
        true => content.read_to_end(&mut bytes),
        false => content.read_until(b'\n', &mut bytes),
    };
    rest.map_err(|error| broken(&error))?;
    Ok(Some(bytes))
}

fn batch(bytes: &[u8], known_json: Option<bool>, is_first: bool) -> Result<Batch, Refusal> {
    let is_array = is_first && bytes.starts_with(b"[");
    let (mut rows, are_lines) = if is_array { (array(bytes)?, true) } else { objects(bytes)? };
    let mut types = types(&rows);
    if known_json.is_none() && is_first && are_lines {
        mark_mixed(&mut types, &rows);
    }
    let has_json = known_json == Some(true) || types.iter().any(|(_, feature)| feature.holds_json());
    if has_json && !are_lines {
        return Err(Refusal::Broken(
            "a line of it is not one object, and its values are of different types".to_owned(),
        ));
    }
    if is_array || has_json {
        for (name, feature) in &mut types {
            let check = |row: &Map<String, Value>| row.get(name).map_or(Ok(()), cast::survives);
            if let Some(why) = rows.iter().find_map(|row| check(row).err()) {
                *feature = Feature::Other(why);
            }
        }
    }
    for (name, feature) in types.iter().filter(|(_, feature)| feature.holds_float()) {
        rows.iter_mut().filter_map(|row| row.get_mut(name)).for_each(|value| unify(value, feature));
    }
    Ok(Batch { rows, types })
}

/// The rows of an array.
fn array(bytes: &[u8]) -> Result<Vec<Map<String, Value>>, Refusal> {
    let items: Vec<Value> = serde_json::from_slice(bytes).map_err(|error| not_json(&error))?;
    let begin = &bytes[..bytes.len().min(100)];
    let are_objects = begin.split(|byte| *byte == b'"').next().is_some_and(|before| before.contains(&b'{'));
    items
        .into_iter()
        .map(|item| match item {
            Value::Object(fields) if are_objects => Ok(fields),
            other if !are_objects => Ok(Map::from_iter([("text".to_owned(), other)])),
            other => Err(Refusal::Broken(format!("it is an array of objects, but holds `{other}`, too"))),
        })
        .collect()
}

/// Objects that follow each other, and whether each is one line.
fn objects(bytes: &[u8]) -> Result<(Vec<Map<String, Value>>, bool), Refusal> {
    let mut rows = Vec::new();
    for line in bytes.split(|byte| *byte == b'\n') {
        match serde_json::from_slice::<Value>(line) {
            Ok(Value::Object(fields)) => rows.push(fields),
            _ => return one_after_the_other(bytes),
        }
    }
    Ok((rows, true))
}

fn one_after_the_other(bytes: &[u8]) -> Result<(Vec<Map<String, Value>>, bool), Refusal> {
    // A line feed that ends the last line begins no other.
    let trimmed = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    let trimmed = trimmed.strip_suffix(b"\r").unwrap_or(trimmed);
    let is_object = |line: &[u8]| matches!(serde_json::from_slice::<Value>(line), Ok(Value::Object(_)));
    let are_lines = trimmed.split(|byte| *byte == b'\n').all(is_object);
    let mut rows = Vec::new();
    for value in serde_json::Deserializer::from_slice(bytes).into_iter::<Value>() {
        match value.map_err(|error| not_json(&error))? {
            Value::Object(fields) => rows.push(fields),
            other => return Err(Refusal::Broken(format!("expected JSON objects, found `{other}`"))),
        }
    }
    let is_document = rows.len() == 1 && bytes.trim_ascii().contains(&b'\n');
    if is_document {
        return Err(Refusal::Broken("it is one JSON object over several lines, which is no table".to_owned()));
    }
    Ok((rows, are_lines))
}

fn not_json(error: &serde_json::Error) -> Refusal {
    Refusal::Broken(format!("it is not JSON, or JSON lines: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn of(content: &'static str) -> Result<Vec<Batch>, Refusal> {
        batches(Box::new(content.as_bytes()), None)?.collect()
    }

    fn rows(content: &'static str) -> Value {
        json!(of(content).unwrap().into_iter().flat_map(|batch| batch.rows).collect::<Vec<_>>())
    }

    #[test]
    fn lines_arrays_and_texts_are_read() {
        assert_eq!(rows("\u{feff}{\"a\": 1}\r\n{\"a\": 2}\n"), json!([{ "a": 1 }, { "a": 2 }]));
        assert_eq!(rows("{\"a\": 1}\n\n{\"a\": 2}"), json!([{ "a": 1 }, { "a": 2 }]));
        assert_eq!(rows("[{\"a\": 1},\n {\"a\": 2}]"), json!([{ "a": 1 }, { "a": 2 }]));
        assert_eq!(rows("[\"x\", \"{y\"]"), json!([{ "text": "x" }, { "text": "{y" }]));
        assert_eq!(rows("{\"a\": 1}\n\n"), json!([{ "a": 1 }]));
        assert_eq!(rows(""), json!([]));
    }

    #[test]
    fn what_is_no_table_is_refused() {
        for bad in
            ["{\"data\": [\n{\"a\": 1}]}", "[{\"a\": 1}, 2]", "{\"a\": 1", "1\n2\n", "{\"a\": 1}\n\n{\"a\": \"x\"}\n"]
        {
            assert!(matches!(of(bad), Err(Refusal::Broken(_))), "{bad}");
        }
    }

    /// Arrow reads all numbers of a column with a point in one of them as floats.
    #[test]
    fn whole_numbers_among_floats_are_floats() {
        assert_eq!(
            rows("{\"a\": [9007199254740993]}\n{\"a\": [0.5]}").to_string(),
            r#"[{"a":[9007199254740992.0]},{"a":[0.5]}]"#
        );
        assert_eq!(rows("{\"a\": 18446744073709551615}").to_string(), r#"[{"a":1.8446744073709552e+19}]"#);
    }

    #[test]
    fn numbers_that_the_library_rounds_are_not_given() {
        let types = |content| of(content).unwrap().remove(0).types;
        assert_eq!(types("{\"a\": 0.123456789012}"), [("a".to_owned(), Feature::FLOAT)]);
        let types = types("[{\"a\": 0.123456789012, \"b\": 0.5}]");
        assert!(matches!(&types[0].1, Feature::Other(why) if why.contains("rounds")), "{types:?}");
        assert_eq!(types[1].1, Feature::FLOAT);
        let types = of("{\"a\": 0.123456789012, \"b\": 1}\n{\"b\": \"x\"}").unwrap().remove(0).types;
        assert!(matches!(&types[0].1, Feature::Other(_)) && types[1].1 == Feature::Json, "{types:?}");
    }

    /// A batch is ten megabytes and the rest of its line.
    #[test]
    fn a_long_file_has_several_batches() {
        let line = format!("{{\"a\": \"{}\"}}\n", "x".repeat((1 << 20) - 10));
        let content: &'static str = line.repeat(21).leak();
        let sizes: Vec<usize> = of(content).unwrap().iter().map(|batch| batch.rows.len()).collect();
        assert_eq!(sizes, [11, 10]);
    }
}
