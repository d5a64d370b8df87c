//! Reads cases as JSON lines from standard input, and writes the result of each to standard output; see `tests/metrics/evaluate.rs`.

#[path = "../tests/metrics/evaluate.rs"]
mod evaluate;

use std::io::{BufRead, BufWriter, Write, stdin, stdout};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut output = BufWriter::new(stdout().lock());
    for line in stdin().lock().lines() {
        let row: serde_json::Value = serde_json::from_str(&line?)?;
        let found = evaluate::evaluate(&row["case"]);
        let agrees = evaluate::agrees(&found, &row["expected"]);
        writeln!(output, "{}", serde_json::json!({ "agrees": agrees, "found": found }))?;
    }
    Ok(())
}
