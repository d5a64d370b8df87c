//! Clauses of options: the schema, what it refuses, what opens.

use super::bench::{Opened, Subject};
use super::clause::{OPTIONS_DEFAULTS, OPTIONS_OPENS, OPTIONS_SCHEMA, OPTIONS_TYPES, OPTIONS_UNKNOWN_KEYS};
use super::report::{Findings, Held, is_breach};
use super::vary::{properties, with};
use examiner_api::{Metadata, PluginError, Result};
use jsonschema::Validator;
use serde_json::{Value, json};

/// A key that no role has.
const UNKNOWN: &str = "examiner_unknown_key";

/// Opens the role, and holds its options against their clauses. Returns the role, or why it could not be opened.
pub(super) fn check(subject: &Subject<'_>, findings: &mut Findings<'_>) -> Result<Opened, String> {
    let schema = &subject.info.options;
    let (validator, held) = validator(schema);
    findings.add(&OPTIONS_SCHEMA, held);
    let Some(validator) = validator else { return Err("the schema of its options is not valid".to_owned()) };
    if let Some(error) = validator.iter_errors(&json!(subject.options)).next() {
        return Err(format!("the options do not fit its schema: {error}; {}", what_to_type(subject)));
    }
    let opened = match subject.open() {
        Ok(opened) => {
            findings.add(&OPTIONS_OPENS, Held::Yes("it opens".to_owned()));
            opened
        }
        Err(error) if is_breach(&error) => {
            findings.add(&OPTIONS_OPENS, Held::No(format!("expected a role or an error, found: {error}")));
            return Err("it could not be opened".to_owned());
        }
        Err(error) => return Err(format!("it could not be opened: {error}; {}", what_to_type(subject))),
    };
    findings.add(&OPTIONS_UNKNOWN_KEYS, unknown_keys(subject, &validator));
    findings.add(&OPTIONS_TYPES, types(subject, &validator));
    findings.add_result(&OPTIONS_DEFAULTS, defaults(subject, &validator, &opened));
    Ok(opened)
}

/// What gives a role its options.
fn what_to_type(subject: &Subject<'_>) -> String {
    let required = subject.info.options.get("required").and_then(Value::as_array);
    let names: Vec<&str> = required.into_iter().flatten().filter_map(Value::as_str).collect();
    let options: String = names.iter().map(|name| format!(" --options {name}=VALUE")).collect();
    let options = if options.is_empty() { " --options KEY=VALUE".to_owned() } else { options };
    format!("type `--suite SUITE` with a suite that uses it, or `--role {}{options}`", subject.label())
}

/// The schema's validator, if it is a valid schema of an object.
pub(super) fn validator(schema: &Value) -> (Option<Validator>, Held) {
    let types = schema.get("type");
    let is_object = types == Some(&json!("object")) || schema.get("properties").is_some();
    match jsonschema::validator_for(schema) {
        Err(error) => (None, Held::No(format!("expected a valid JSON Schema, found the mistake: {error}"))),
        Ok(_) if !is_object => (
            None,
            Held::No(format!("expected the schema of an object, found the type {}", types.unwrap_or(&Value::Null))),
        ),
        Ok(validator) => (Some(validator), Held::Yes("it is valid".to_owned())),
    }
}

fn unknown_keys(subject: &Subject<'_>, validator: &Validator) -> Held {
    let options = with(&subject.options, UNKNOWN, json!(1));
    if validator.is_valid(&json!(options)) {
        return Held::No(format!(
            "expected the schema to refuse the key `{UNKNOWN}`, found that it allows it; write \
             `#[serde(deny_unknown_fields)]` above the options"
        ));
    }
    match subject.open_with(options).err() {
        None => Held::No(format!("expected an error about the key `{UNKNOWN}`, found that the role opens")),
        Some(error) if says(&error, UNKNOWN) => Held::Yes("an unknown key is refused by its name".to_owned()),
        Some(error) => Held::No(format!("expected an error that names `{UNKNOWN}`, found: {error}")),
    }
}

fn says(error: &PluginError, name: &str) -> bool {
    error.to_string().contains(name)
}

fn types(subject: &Subject<'_>, validator: &Validator) -> Held {
    let mut tried = 0;
    for option in properties(&subject.info.options) {
        let refused = |value: &Value| {
            let options = json!(with(&subject.options, option.name, value.clone()));
            // Only what the option itself makes wrong: others may depend on it.
            validator.iter_errors(&options).any(|error| error.instance_path().as_str() == format!("/{}", option.name))
        };
        let Some(value) = option.of_wrong_type().into_iter().find(refused) else { continue };
        tried += 1;
        let options = with(&subject.options, option.name, value.clone());
        match subject.open_with(options).err() {
            None => {
                return Held::No(format!(
                    "expected an error for `{}: {value}`, found that the role opens",
                    option.name
                ));
            }
            Some(error) if is_breach(&error) => {
                return Held::No(format!("expected an error for `{}: {value}`, found: {error}", option.name));
            }
            Some(_) => {}
        }
    }
    match tried {
        0 => Held::Skipped("it has no option of a type".to_owned()),
        _ => Held::Yes(format!("a wrong type is refused for each of {tried} options")),
    }
}

fn defaults(subject: &Subject<'_>, validator: &Validator, opened: &Opened) -> Result<Held> {
    let mut options = subject.options.clone();
    let mut added = Vec::new();
    for option in properties(&subject.info.options) {
        let Some(default) = option.default().filter(|default| !default.is_null()) else { continue };
        if options.contains_key(option.name) {
            continue;
        }
        let alone = with(&subject.options, option.name, default.clone());
        if let Some(error) = validator.iter_errors(&json!(alone)).next() {
            return Ok(Held::No(format!("expected a legal default of `{}`, found `{default}`: {error}", option.name)));
        }
        options.insert(option.name.to_owned(), default.clone());
        added.push(option.name.to_owned());
    }
    if added.is_empty() {
        return Ok(Held::Skipped("the schema says no defaults".to_owned()));
    }
    let given: Metadata = options;
    let again = match subject.open_with(given) {
        Ok(again) => again,
        Err(error) => {
            let names = added.join("`, `");
            return Ok(Held::No(format!(
                "expected the role to open with the defaults of its schema given (`{names}`), found: {error}"
            )));
        }
    };
    let (without, with) = (opened.fingerprint()?, again.fingerprint()?);
    Ok(match without == with {
        true => Held::Yes(format!("{} defaults are those that it is opened with", added.len())),
        false => Held::No(format!(
            "expected the same fingerprint with the schema's defaults given (`{}`), found another; the schema or the code has \
             another default",
            added.join("`, `")
        )),
    })
}
