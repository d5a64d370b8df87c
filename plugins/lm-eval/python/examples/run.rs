//! Checks and calls functions of Python files, for comparisons with CPython.
//!
//! Each line of the input is JSON: `{"file": ..., "function": ...}` is checked; with `"calls"`, a list of
//! `{"args": [...], "kwargs": {...}}`, it is called, too. An argument `{"$rows": [...]}` is a dataset, `{"$repr": text}` is what
//! `ast.literal_eval` makes of the text. Each line of the output answers one line of the input.

use std::io::{BufRead, Write};
use std::path::Path;
use std::time::Instant;

use examiner_python::{Dataset, Error, Library, Natives, Session, Value, from_json, literal_eval, repr_of};
use serde_json::{Value as Json, json};

fn argument(json: &Json) -> Result<Value, Error> {
    if let Some(rows) = json.get("$rows").and_then(Json::as_array) {
        return Ok(Dataset::from_json(rows.iter().filter_map(Json::as_object)).into_value());
    }
    match json.get("$repr").and_then(Json::as_str) {
        Some(text) => literal_eval(text),
        None => Ok(from_json(json)),
    }
}

fn shown(value: &Value) -> String {
    match Dataset::of(value) {
        Some(dataset) => {
            let rows: Vec<String> =
                (0..dataset.len()).filter_map(|row| dataset.row(row)).map(|row| repr_of(&row)).collect();
            format!("Dataset([{}])", rows.join(", "))
        }
        None => repr_of(value),
    }
}

fn call(session: &mut Session, function: &str, call: &Json) -> Json {
    let args = call["args"].as_array().into_iter().flatten().map(argument).collect::<Result<Vec<_>, _>>();
    let kwargs = call["kwargs"].as_object().into_iter().flatten();
    let kwargs = kwargs.map(|(name, value)| Ok((name.clone(), argument(value)?))).collect::<Result<Vec<_>, Error>>();
    let result = args.and_then(|args| session.call(function, args, kwargs?));
    match result {
        Ok(value) => json!({"value": shown(&value)}),
        Err(Error::Exception(raised)) => {
            json!({"raised": raised.exception.class_name(), "text": Error::Exception(raised).to_string()})
        }
        Err(error) => json!({"refused": error.to_string()}),
    }
}

fn main() -> std::io::Result<()> {
    let library = Library::new(Natives::new());
    let mut out = std::io::stdout().lock();
    for line in std::io::stdin().lock().lines() {
        let wanted: Json = serde_json::from_str(&line?)?;
        let (file, function) = (wanted["file"].as_str().unwrap_or(""), wanted["function"].as_str().unwrap_or(""));
        let start = Instant::now();
        let program = library.load(Path::new(file));
        let checked = program.as_ref().map_err(Clone::clone).and_then(|program| program.check(function));
        let micros = start.elapsed().as_micros() as u64;
        let mut answer = json!({"micros": micros, "refused": checked.err().map(|refusal| refusal.to_string())});
        if let (Ok(program), Some(calls)) = (&program, wanted["calls"].as_array()) {
            let mut session = Session::new(program);
            let results: Vec<Json> = calls.iter().map(|wanted| call(&mut session, function, wanted)).collect();
            answer["results"] = Json::from(results);
        }
        writeln!(out, "{answer}")?;
    }
    Ok(())
}
