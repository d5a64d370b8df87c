//! Templates and expressions over a row's fields.
//!
//! They can read the row and nothing else: no loader is set, so nothing can be included. Fuel bounds the number of their steps, and
//! `bounded` what each may take.

use crate::record::Record;
use examiner_api::rows::lookup;
use examiner_api::{PluginError, Result};
use examiner_bounds::TextLimits;
use minijinja::syntax::SyntaxConfig;
use minijinja::value::ValueKind;
use minijinja::{AutoEscape, Environment, Error, ErrorKind, Expression, Template, UndefinedBehavior, escape_formatter};
use serde_json::Value;
use std::collections::HashSet;

/// Instructions that one template may take for one row.
const FUEL: u64 = 1_000_000;

/// Jinja would write the word `none` into the prompt, which nobody ever means.
const NULL: &str = "a null cannot be written out: use `default('...', true)`, or leave such rows out with `where`";

/// What templates are compiled in.
pub(crate) struct Engine<'source> {
    environment: Environment<'source>,
    limits: TextLimits,
}

impl Engine<'_> {
    /// An engine for texts within these limits.
    pub(crate) fn new(limits: TextLimits) -> Result<Self> {
        Ok(Engine { environment: environment()?, limits })
    }
}

fn environment<'source>() -> Result<Environment<'source>> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_auto_escape_callback(|_| AutoEscape::None);
    environment.set_fuel(Some(FUEL));
    environment.set_formatter(|output, state, value| match value.is_none() {
        true => Err(Error::new(ErrorKind::InvalidOperation, NULL)),
        false => escape_formatter(output, state, value),
    });
    // A line feed at the end of a prompt is part of it.
    let syntax = SyntaxConfig::builder().keep_trailing_newline(true).build();
    environment
        .set_syntax(syntax.map_err(|error| PluginError::bad_options("cannot set up templates").with_cause(&error))?);
    environment.add_filter("letter", letter);
    environment.add_filter("position", position);
    Ok(environment)
}

/// The letter of a choice: 0 is `A`, 25 is `Z`.
fn letter(index: usize) -> Result<String, Error> {
    let letter = u8::try_from(index).ok().filter(|index| *index < 26).map(|index| char::from(b'A' + index));
    letter.map(String::from).ok_or_else(|| {
        Error::new(ErrorKind::InvalidOperation, format!("`letter` goes from 0 (`A`) to 25 (`Z`), found {index}"))
    })
}

/// The index of the first equal value in a list, from 0.
fn position(list: minijinja::Value, wanted: minijinja::Value) -> Result<usize, Error> {
    list.try_iter()?.position(|value| value == wanted).ok_or_else(|| {
        Error::new(ErrorKind::InvalidOperation, format!("`position` does not find `{wanted}` in `{list}`"))
    })
}

/// A template that gives a text.
pub(crate) struct Text<'e> {
    option: &'e str,
    template: Template<'e, 'e>,
    limits: TextLimits,
}

impl<'e> Text<'e> {
    /// Compiles the template of an option.
    pub(crate) fn compile(engine: &'e Engine<'e>, option: &'e str, source: &'e str) -> Result<Self> {
        match engine.environment.template_from_named_str(option, source) {
            Ok(template) => Ok(Text { option, template, limits: engine.limits }),
            Err(error) => Err(malformed(option, &error)),
        }
    }

    /// The text for a row.
    pub(crate) fn render(&self, record: &Record) -> Result<String> {
        let rendered = self.template.render(record.context.clone());
        let text = rendered
            .map_err(|error| unfilled(self.option, &error, self.template.undeclared_variables(true), record))?;
        match self.limits.check(&text) {
            Ok(()) => Ok(text),
            Err(what) => Err(record
                .error(format!("the template `{}` makes {what}", self.option))
                .with_help("`template_max_mib` allows more")),
        }
    }
}

/// A template or an expression that gives a value.
pub(crate) enum Valued<'e> {
    Expression { option: &'e str, expression: Expression<'e, 'e> },
    Text(Text<'e>),
}

impl<'e> Valued<'e> {
    /// Compiles an option that holds an expression, an expression in `{{ }}`, or a template.
    pub(crate) fn compile(engine: &'e Engine<'e>, option: &'e str, source: &'e str) -> Result<Self> {
        let template = ["{{", "{%", "{#"].iter().any(|opening| source.contains(opening));
        let bare = if template { bare(source) } else { Some(source) };
        match bare.map(|bare| engine.environment.compile_expression(bare)) {
            Some(Ok(expression)) => Ok(Valued::Expression { option, expression }),
            Some(Err(error)) if !template => Err(malformed(option, &error)),
            // `{{ a }}{{ b }}` is no expression between braces, and a template nonetheless.
            _ => Ok(Valued::Text(Text::compile(engine, option, source)?)),
        }
    }

    /// The value for a row.
    pub(crate) fn value(&self, record: &Record) -> Result<Value> {
        let (option, expression) = match self {
            Valued::Text(text) => return Ok(Value::String(text.render(record)?)),
            Valued::Expression { option, expression } => (option, expression),
        };
        let failed = |error: Error| unfilled(option, &error, expression.undeclared_variables(true), record);
        let value = expression.eval(record.context.clone()).map_err(failed)?;
        // In a list, `[A, C]` say, it would become a null.
        let lacks_one = || {
            let mut items = value.try_iter().ok().filter(|_| value.kind() == ValueKind::Seq).into_iter().flatten();
            items.any(|item| item.is_undefined())
        };
        if value.is_undefined() || lacks_one() {
            return Err(failed(ErrorKind::UndefinedError.into()));
        }
        serde_json::to_value(&value).map_err(|error| {
            record.error(format_args!("`{option}` gives no value that JSON can hold")).with_cause(&error)
        })
    }

    /// Whether the value for a row counts as true.
    pub(crate) fn is_true(&self, record: &Record) -> Result<bool> {
        Ok(match self.value(record)? {
            Value::Null => false,
            Value::Bool(truth) => truth,
            Value::Number(number) => number.as_f64() != Some(0.0),
            Value::String(text) => !text.is_empty(),
            Value::Array(values) => !values.is_empty(),
            Value::Object(fields) => !fields.is_empty(),
        })
    }
}

/// What stands between the only pair of `{{ }}`.
fn bare(source: &str) -> Option<&str> {
    let inner = source.trim().strip_prefix("{{")?.strip_suffix("}}")?;
    let inner = inner.strip_prefix('-').unwrap_or(inner);
    Some(inner.strip_suffix('-').unwrap_or(inner))
}

fn malformed(option: &str, error: &Error) -> PluginError {
    let line = error.line().unwrap_or(1);
    PluginError::bad_options(format!("the template `{option}` is malformed in its line {line}")).with_cause(error)
}

fn unfilled(option: &str, error: &Error, wanted: HashSet<String>, record: &Record) -> PluginError {
    let failure = record.error(format_args!("the template `{option}` cannot be filled")).with_cause(error);
    let mut missing: Vec<_> = wanted.into_iter().filter(|name| lookup(&record.names, name).is_none()).collect();
    if error.kind() != ErrorKind::UndefinedError || missing.is_empty() {
        return failure;
    }
    missing.sort();
    let quoted = |names: &mut dyn Iterator<Item = &String>| names.map(|name| format!("`{name}`")).collect::<Vec<_>>();
    let (missing, there) = (quoted(&mut missing.iter()).join(", "), quoted(&mut record.names.keys()).join(", "));
    failure.with_help(format!("the row has no {missing}; it has {there}"))
}
