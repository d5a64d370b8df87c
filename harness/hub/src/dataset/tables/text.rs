//! Text: a row for each line, in the column `text`.

use super::super::features::Feature;
use super::{Batch, Batches, Refusal, broken};
use serde_json::{Map, Value};
use std::io::{BufRead, BufReader, Read};

/// Rows of a batch.
const ROWS: usize = 10_000;

/// The batches of a file.
pub(super) fn batches(content: Box<dyn Read>) -> Result<Batches, Refusal> {
    let mut lines = Lines { content: BufReader::new(content), waiting: Vec::new() };
    let mut has_ended = false;
    Ok(Box::new(std::iter::from_fn(move || {
        let mut rows = Vec::new();
        while !has_ended && rows.len() < ROWS {
            match lines.next() {
                Ok(Some(line)) => rows.push(Map::from_iter([("text".to_owned(), Value::String(line))])),
                Ok(None) => has_ended = true,
                Err(refusal) => {
                    has_ended = true;
                    return Some(Err(refusal));
                }
            }
        }
        (!rows.is_empty()).then(|| Ok(Batch { rows, types: vec![("text".to_owned(), Feature::TEXT)] }))
    })))
}

/// Lines that end in a line feed, a carriage return, or both.
struct Lines {
    content: BufReader<Box<dyn Read>>,
    /// Lines that were read with the one before.
    waiting: Vec<String>,
}

impl Lines {
    fn next(&mut self) -> Result<Option<String>, Refusal> {
        if let Some(line) = self.waiting.pop() {
            return Ok(Some(line));
        }
        let mut bytes = Vec::new();
        if self.content.read_until(b'\n', &mut bytes).map_err(|error| broken(&error))? == 0 {
            return Ok(None);
        }
        let text = String::from_utf8(bytes).map_err(|_| Refusal::Broken("it is not UTF-8".to_owned()))?;
        let text = text.replace("\r\n", "\n").replace('\r', "\n");
        let text = text.strip_suffix('\n').unwrap_or(&text);
        self.waiting = text.split('\n').rev().map(str::to_owned).collect();
        Ok(self.waiting.pop())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_end_in_three_ways() {
        let content: Box<dyn Read> = Box::new(&b"a\n\nb\r\nc\rd\n\r\ne"[..]);
        let batches: Vec<_> = batches(content).unwrap().collect::<Result<_, _>>().unwrap();
        let lines: Vec<&str> = batches[0].rows.iter().map(|row| row["text"].as_str().unwrap()).collect();
        assert_eq!(lines, ["a", "", "b", "c", "d", "", "e"]);
    }
}
