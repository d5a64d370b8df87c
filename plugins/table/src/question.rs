//! Making samples and few-shot examples of rows.

use crate::gold::{Ways, choice, plain};
use crate::options::{Choices, Gold as GoldOption, GoldIs, Options};
use crate::record::Record;
use crate::template::{Engine, Text, Valued};
use examiner_api::rows::lookup;
use examiner_api::{Gold, Metadata, PluginError, Result, Sample, Shot};
use parking_lot::Mutex;
use serde_json::{Value, json};
use std::cell::Cell;
use std::sync::Arc;

/// How the gold answers of a file name choices.
#[derive(Clone)]
pub(crate) enum GoldReading {
    /// In this way.
    As(GoldIs),
    /// That is being found out.
    FindOut(Arc<Mutex<Ways>>),
}

/// What to do where that cannot be told.
pub(crate) const TELL_HOW: &str = "say with `gold_is` how choices are named, the same in every row";

/// The templates of a table, compiled.
pub(crate) struct Questions<'e> {
    options: &'e Options,
    gold_reading: GoldReading,
    prompt: Text<'e>,
    choices: Option<Many<'e>>,
    gold: Option<Many<'e>>,
    id: Option<Valued<'e>>,
    subset: Option<Valued<'e>>,
    cluster: Option<Valued<'e>>,
    shot_answer: Option<Text<'e>>,
    /// Whether [`Questions::check_names`] has looked at a row.
    names_checked: Cell<bool>,
}

/// One value, which may be a list, or a list of texts.
enum Many<'e> {
    Constant(Value),
    One(Valued<'e>),
    Texts(Vec<Text<'e>>),
}

impl Many<'_> {
    fn value(&self, record: &Record) -> Result<Value> {
        match self {
            Many::Constant(value) => Ok(value.clone()),
            Many::One(one) => one.value(record),
            Many::Texts(texts) => texts.iter().map(|text| Ok(Value::String(text.render(record)?))).collect(),
        }
    }
}

impl<'e> Questions<'e> {
    /// Compiles the templates.
    ///
    /// # Errors
    /// A template is malformed, or few-shot examples are wanted that have no answer.
    pub(crate) fn compile(engine: &'e Engine<'e>, options: &'e Options, gold_reading: GoldReading) -> Result<Self> {
        let text = |option, source: &'e str| Text::compile(engine, option, source);
        let one = |option, source: &'e str| Valued::compile(engine, option, source);
        let maybe =
            |option, source: &'e Option<String>| source.as_deref().map(|source| one(option, source)).transpose();
        let texts = |option, sources: &'e [String]| {
            sources.iter().map(|source| text(option, source)).collect::<Result<_>>().map(Many::Texts)
        };
        if options.few_shot.is_some() && options.gold.is_none() && options.shot_answer.is_none() {
            return Err(PluginError::bad_options("`few_shot` is set, but examples have no answer")
                .with_help("set `gold`, or `shot_answer`"));
        }
        if let (None, Some(GoldOption::Index(index))) = (&options.choices, &options.gold) {
            let message = format!("`gold: {index}` is the index of a choice, but there are no `choices`");
            return Err(PluginError::bad_options(message).with_help("name the field that holds the right text"));
        }
        Ok(Questions {
            options,
            gold_reading,
            prompt: text("prompt", &options.prompt)?,
            choices: match &options.choices {
                None => None,
                Some(Choices::Expression(source)) => Some(Many::One(one("choices", source)?)),
                Some(Choices::Templates(sources)) => Some(texts("choices", sources)?),
            },
            gold: match &options.gold {
                None => None,
                Some(GoldOption::Index(index)) => Some(Many::Constant(json!(index))),
                Some(GoldOption::Expression(source)) => Some(Many::One(one("gold", source)?)),
                Some(GoldOption::Templates(sources)) => Some(texts("gold", sources)?),
            },
            id: maybe("id", &options.id)?,
            subset: maybe("subset", &options.subset)?,
            cluster: maybe("cluster", &options.cluster)?,
            shot_answer: options.shot_answer.as_deref().map(|source| text("shot_answer", source)).transpose()?,
            names_checked: Cell::new(false),
        })
    }

    /// Refuses a text that is also the name of a field: `choices: [A, B]` beside columns `A` and `B` could mean either.
    fn check_names(&self, record: &Record) -> Result<()> {
        let list = |option: &'static str, texts: &'e [String]| {
            texts.iter().map(move |text| (option, text.as_str())).collect::<Vec<_>>()
        };
        let choices = match &self.options.choices {
            Some(Choices::Templates(texts)) => list("choices", texts),
            _ => Vec::new(),
        };
        let gold = match &self.options.gold {
            Some(GoldOption::Templates(texts)) => list("gold", texts),
            _ => Vec::new(),
        };
        let one = |option, text: Option<&'e String>| text.map(|text| (option, text.as_str()));
        let texts = [one("prompt", Some(&self.options.prompt)), one("shot_answer", self.options.shot_answer.as_ref())];
        for (option, text) in texts.into_iter().flatten().chain(choices).chain(gold) {
            if record.fields.contains_key(text) {
                let what = format!("`{option}` has the text `{text}`, which is also the name of a field of the row");
                return Err(record.error(what).with_help(format!(
                    "write `{{{{ {text} }}}}` for what the field holds, or `{{{{ '{text}' }}}}` for the text itself"
                )));
            }
        }
        Ok(())
    }

    /// The sample that a row makes.
    pub(crate) fn sample(&self, record: &Record) -> Result<Sample> {
        if !self.names_checked.replace(true) {
            self.check_names(record)?;
        }
        let choices = self.choices(record)?;
        Ok(Sample {
            id: self.id(record)?.unwrap_or_else(|| record.row.index.to_string()),
            prompt: self.prompt.render(record)?,
            delimiter: self.options.delimiter.clone(),
            gold: self.gold(record, &choices)?,
            choices,
            subset: label("subset", &self.subset, record)?,
            cluster: label("cluster", &self.cluster, record)?,
            document: Value::Object(record.row.fields.clone()),
            metadata: Arc::new(self.metadata(record)?),
            ..Sample::default()
        })
    }

    /// The few-shot example that a row makes. `from_questions` says that the row is of the file of the questions; ids of
    /// another file say nothing about them.
    pub(crate) fn shot(&self, record: &Record, from_questions: bool) -> Result<Shot> {
        let answer = match &self.shot_answer {
            Some(template) => template.render(record)?,
            None => {
                let mut choices = self.choices(record)?;
                match self.gold(record, &choices)? {
                    Gold::Choice(index) => choices.swap_remove(index),
                    Gold::Text(texts) => texts.into_iter().next().unwrap_or_default(),
                    Gold::None => return Err(record.error("a few-shot example needs a right answer")),
                }
            }
        };
        let id = match from_questions {
            true => Some(self.id(record)?.unwrap_or_else(|| record.row.index.to_string())),
            false => None,
        };
        Ok(Shot { id, prompt: self.prompt.render(record)?, answer: format!("{}{answer}", self.options.delimiter) })
    }

    fn choices(&self, record: &Record) -> Result<Vec<String>> {
        let Some(choices) = &self.choices else { return Ok(Vec::new()) };
        let error = match choices.value(record)? {
            Value::Array(values) => match values.iter().map(plain).collect::<Option<Vec<_>>>() {
                Some(choices) if !choices.is_empty() => return Ok(choices),
                Some(_) => record.error("`choices` is an empty list"),
                None => record
                    .error(format_args!("expected texts in `choices`, found `{}`", json!(values)))
                    .with_help("take one field of each choice, as in `question.choices | map(attribute='text')`"),
            },
            Value::Object(fields) => {
                let names: Vec<String> = fields.keys().map(|name| format!("`{name}`")).collect();
                record
                    .error(format_args!("expected a list in `choices`, found an object with {}", names.join(", ")))
                    .with_help("name the field that holds the list, as in `choices.text`")
            }
            other => record
                .error(format_args!("expected a list in `choices`, found `{other}`"))
                .with_help("`choices` is an expression that gives a list, or a list of templates"),
        };
        Err(error)
    }

    fn gold(&self, record: &Record, choices: &[String]) -> Result<Gold> {
        let Some(gold) = &self.gold else { return Ok(Gold::None) };
        let value = gold.value(record)?;
        if self.choices.is_some() {
            let how = match &self.gold_reading {
                GoldReading::As(how) => *how,
                GoldReading::FindOut(ways) => {
                    let noted = ways.lock().note(&value, choices, &|| record.row.place());
                    noted.map_err(|what| record.error(what).with_help(TELL_HOW))?;
                    GoldIs::Auto
                }
            };
            return choice(&value, choices, how).map(Gold::Choice).map_err(|what| record.error(what));
        }
        let texts = match &value {
            Value::Array(values) => values.iter().map(plain).collect(),
            value => plain(value).map(|text| vec![text]),
        };
        match texts {
            Some(texts) if !texts.is_empty() => Ok(Gold::Text(texts)),
            _ => Err(record.error(format_args!("expected a text or a list of texts in `gold`, found `{value}`"))),
        }
    }

    fn id(&self, record: &Record) -> Result<Option<String>> {
        let id = label("id", &self.id, record)?;
        if self.id.is_some() && id.as_ref().is_none_or(String::is_empty) {
            return Err(record.error("`id` is empty"));
        }
        Ok(id)
    }

    fn metadata(&self, record: &Record) -> Result<Metadata> {
        let Some(paths) = &self.options.metadata else {
            let index = record.names.get("index").map(|index| ("index".to_owned(), index.clone()));
            let scalars = record.fields.iter().filter(|(_, value)| plain(value).is_some());
            return Ok(index.into_iter().chain(scalars.map(|(name, value)| (name.clone(), value.clone()))).collect());
        };
        let value = |path: &String| match lookup(&record.names, path) {
            Some(value) => Ok((path.clone(), value.clone())),
            None => Err(record.error(format_args!("`metadata` asks for `{path}`, which is not there"))),
        };
        paths.iter().map(value).collect()
    }
}

/// A value that is a name for something. Null is none.
fn label(option: &str, valued: &Option<Valued<'_>>, record: &Record) -> Result<Option<String>> {
    let Some(valued) = valued else { return Ok(None) };
    match valued.value(record)? {
        Value::Null => Ok(None),
        value => match plain(&value) {
            Some(text) => Ok(Some(text)),
            None => Err(record.error(format_args!("expected a text or a number in `{option}`, found `{value}`"))),
        },
    }
}
