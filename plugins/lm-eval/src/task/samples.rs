//! From the documents of a task to samples.

use super::compile::Task;
use super::documents::{self, Documents, Locate, bad};
use super::evaluate::Reader;
use super::message::{self, Message, delimited, exchange};
use super::shots::Pool;
use crate::functions::Functions;
use crate::python_tasks::Made;
use crate::spec::OutputType;
use examiner_api::{Flow, Gold, PluginError, Result, Sample, Speaker};
use examiner_python::{Value, str_of, to_json};
use serde_json::{Map, Value as Json, json};
use std::rc::Rc;
use std::sync::Arc;

/// How a task is asked, besides what it says itself.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asking {
    /// How many few-shot examples stand before each question, where the task does not say 0.
    pub(crate) num_fewshot: Option<usize>,
    /// What the random examples begin with.
    pub(crate) fewshot_seed: i64,
    /// At most so many documents of each task.
    pub(crate) limit: Option<usize>,
}

/// What is known of a task once its documents are.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Shape {
    /// Whether the choices stand in the context.
    pub(crate) multiple_inputs: bool,
    /// Whether several answers are right.
    pub(crate) multiple_targets: bool,
    /// How many samples there are.
    pub(crate) samples: u64,
    /// Whether there is a sample with turns of its own.
    pub(crate) has_turns: bool,
    /// What else is known where Python has made the samples.
    pub(crate) python: Option<Made>,
}

/// How a task's samples are called.
pub(crate) struct Naming {
    /// The part of the dataset that they belong to.
    pub(crate) subset: Option<String>,
}

/// Makes the sample of a document, by its index, within bounds.
pub(crate) type Within<'a> = dyn Fn(u64, &mut dyn FnMut() -> Result<Sample>) -> Result<Sample> + 'a;

/// Makes every sample of a task, in order, until `take` stops it.
pub(crate) fn each(
    task: &Task,
    asking: Asking,
    naming: &Naming,
    locate: &Locate,
    within: &Within<'_>,
    mut take: impl FnMut(Sample) -> Flow,
) -> Result<Shape> {
    let mut functions = Functions::default();
    let split = task.examined_split().map_err(|what| bad(task, what))?;
    let Documents { all, columns } = documents::read(task, split, task.process_docs.as_ref(), locate, &mut functions)?;
    let Some(first) = all.first() else {
        return Err(bad(task, format!("the split `{split}` has no documents")));
    };
    let count = shot_count(task, asking);
    let pool = match count {
        0 => None,
        _ => Some(Pool::read(task, &all, asking.fewshot_seed, locate, &mut functions)?),
    };
    let mut reader = Reader::new(task, functions, columns);
    let shape = shape(&mut reader, first).map_err(|what| bad(task, format!("document 0: {what}")))?;
    let mut maker = Maker { reader, pool, count, shape, shown: Vec::new() };
    let limit = asking.limit.unwrap_or(usize::MAX);
    for (index, document) in all.iter().enumerate().take(limit) {
        let sample = within(index as u64, &mut || {
            let sample = maker.sample(document).map_err(|what| bad(task, format!("document {index}: {what}")))?;
            Ok(Sample { id: format!("{}/{index}", task.name), subset: naming.subset.clone(), ..sample })
        })?;
        maker.shape.samples += 1;
        maker.shape.has_turns |= !sample.turns.is_empty();
        if take(sample) == Flow::Stop {
            break;
        }
    }
    Ok(maker.shape)
}

/// How many few-shot examples stand before each question of a task.
pub(super) fn shot_count(task: &Task, asking: Asking) -> usize {
    match (task.num_fewshot, asking.num_fewshot) {
        (Some(0), _) => 0,
        (_, Some(count)) => count,
        (own, None) => own.unwrap_or(0),
    }
}

/// What the first document says of all.
fn shape(reader: &mut Reader<'_>, first: &Value) -> Result<Shape, String> {
    let text = reader.text(first, None)?;
    let target = reader.target(first, None)?;
    let choices = if reader.task.choice.is_some() { reader.choices(first, None)? } else { Vec::new() };
    Ok(Shape {
        multiple_inputs: !choices.is_empty() && text.as_int().is_some() && !matches!(text, Value::Scalar(_)),
        multiple_targets: matches!(&target, Value::List(items) if !items.borrow().is_empty()),
        ..Shape::default()
    })
}

/// Makes the samples of a task.
struct Maker<'t> {
    reader: Reader<'t>,
    pool: Option<Pool>,
    count: usize,
    shape: Shape,
    /// The examples that were made, by the place of their document.
    shown: Vec<Option<Rc<[Message]>>>,
}

impl Maker<'_> {
    fn sample(&mut self, document: &Value) -> Result<Sample, String> {
        let task = self.reader.task;
        let prefix = self.reader.prefix(document)?.filter(|prefix| !prefix.is_empty());
        let before = self.before(document)?;
        let text = self.reader.text(document, None)?;
        let choices = if task.choice.is_some() { Some(self.reader.choices(document, None)?) } else { None };
        let target = self.reader.target(document, None)?;
        let mut extra = Map::new();
        extra.insert("doc".to_owned(), to_json(document).map_err(|error| error.to_string())?);
        let mut sample = Sample { delimiter: task.target_delimiter.clone(), ..Sample::default() };
        if self.shape.multiple_inputs {
            let inputs = choices.iter().flatten().map(expect_text).collect::<Result<Vec<_>, _>>()?;
            let shared = message::text(&*before);
            let exchanges: Vec<_> =
                inputs.iter().map(|input| exchange(input, None, prefix.as_deref(), ("", "\n\n"))).collect();
            let contexts: Vec<String> =
                exchanges.iter().map(|exchange| format!("{shared}{}", message::text(exchange))).collect();
            sample.prompt = contexts.first().cloned().unwrap_or_default();
            sample.turns = conversation(before.iter().chain(exchanges.first().into_iter().flatten()));
            sample.choices = vec![str_of(&target)];
            extra.insert("contexts".to_owned(), json!(contexts));
            extra.insert("inputs".to_owned(), json!(inputs));
            extra.insert("text".to_owned(), to_json(&text).map_err(|error| error.to_string())?);
        } else {
            let question = text
                .as_str()
                .ok_or_else(|| format!("`doc_to_text` makes a `{}`, expected a text", text.type_name()))?;
            let last = exchange(question, None, prefix.as_deref(), (&task.target_delimiter, ""));
            sample.prompt = message::text(before.iter().chain(&last));
            sample.turns = conversation(before.iter().chain(&last));
            self.answers(&mut sample, &target, choices.as_deref())?;
        }
        // A free answer is compared with the choice itself.
        let right = match (task.spec.output_type, &choices) {
            (OutputType::GenerateUntil, Some(choices)) if task.spec.process_results.is_none() => at(choices, &target)?,
            _ => target,
        };
        extra.insert("target".to_owned(), to_json(&right).map_err(|error| error.to_string())?);
        sample.document = Json::Object(extra);
        Ok(sample)
    }

    /// What is asked of a model, and what is right.
    fn answers(&self, sample: &mut Sample, target: &Value, choices: Option<&[Value]>) -> Result<(), String> {
        let task = self.reader.task;
        let texts = |value: &Value| match value {
            Value::List(items) => items.borrow().iter().map(str_of).collect(),
            other => vec![str_of(other)],
        };
        match task.spec.output_type {
            OutputType::MultipleChoice => {
                let choices = choices.unwrap_or_default();
                sample.choices = choices.iter().map(str_of).collect();
                sample.gold = match target {
                    Value::Int(index) => match usize::try_from(*index) {
                        Ok(index) if index < sample.choices.len() => Gold::Choice(index),
                        _ => Gold::None,
                    },
                    Value::Str(_) => Gold::Text(texts(target)),
                    _ => Gold::None,
                };
            }
            OutputType::GenerateUntil => {
                let chosen = choices.and_then(|choices| at(choices, target).ok());
                sample.gold = Gold::Text(texts(chosen.as_ref().unwrap_or(target)));
            }
            OutputType::Loglikelihood | OutputType::LoglikelihoodRolling => {
                let text = expect_text(target)?;
                sample.choices = vec![text.clone()];
                sample.delimiter = String::new();
                sample.gold = Gold::text(text);
            }
        }
        if task.spec.output_type == OutputType::GenerateUntil {
            sample.delimiter = task.target_delimiter.clone();
        }
        // A whole document is no continuation of a prompt.
        if task.spec.output_type == OutputType::LoglikelihoodRolling {
            sample.prompt = String::new();
            sample.turns = Arc::default();
        }
        Ok(())
    }

    /// The messages before a document's own: the description and the examples.
    fn before(&mut self, document: &Value) -> Result<Vec<Message>, String> {
        let task = self.reader.task;
        let mut messages = Vec::new();
        let description =
            self.reader.described("description", task.description.as_ref(), document)?.unwrap_or_default();
        if !description.is_empty() {
            messages.push(Message::new(Speaker::System, delimited("", &description, ""), ""));
        }
        let Some(mut pool) = self.pool.take() else { return Ok(messages) };
        let drawn = pool.draw(self.count, document);
        let shown = drawn.and_then(|drawn| {
            drawn.into_iter().map(|index| self.shot(index, &pool.documents[index])).collect::<Result<Vec<_>, _>>()
        });
        self.pool = Some(pool);
        messages.extend(shown?.iter().flat_map(|messages| messages.iter().cloned()));
        Ok(messages)
    }

    /// One example. What no function has a part in is made once.
    fn shot(&mut self, index: usize, document: &Value) -> Result<Rc<[Message]>, String> {
        if let Some(Some(messages)) = self.shown.get(index) {
            return Ok(messages.clone());
        }
        let made: Rc<[Message]> =
            self.made(document).map_err(|what| format!("the few-shot example {index}: {what}"))?.into();
        let task = self.reader.task;
        if task.functions().iter().all(|function| task.process_docs.as_ref() == Some(function)) {
            if self.shown.len() <= index {
                self.shown.resize(index + 1, None);
            }
            self.shown[index] = Some(made.clone());
        }
        Ok(made)
    }

    fn made(&mut self, document: &Value) -> Result<Vec<Message>, String> {
        let task = self.reader.task;
        let shots = &task.shots;
        let text = self.reader.text(document, shots.text.as_ref())?;
        let has_choices = shots.choice.is_some() || task.choice.is_some();
        let choices = if has_choices { Some(self.reader.choices(document, shots.choice.as_ref())?) } else { None };
        let target = self.reader.target(document, shots.target.as_ref())?;
        let prefix = self.reader.described("gen_prefix", shots.gen_prefix.as_ref(), document)?;
        let (question, choices) = match self.shape.multiple_inputs {
            true => {
                let choices = choices.unwrap_or_default();
                (at(&choices, &text)?, None)
            }
            false => (text, choices),
        };
        let question = question
            .as_str()
            .ok_or_else(|| format!("`doc_to_text` makes a `{}`, expected a text", question.type_name()))?;
        let answer = match (&target, choices.filter(|choices| !choices.is_empty())) {
            (Value::None, _) => None,
            (Value::Int(_) | Value::Bool(_) | Value::Big(_), Some(choices)) => Some(at(&choices, &target)?),
            (Value::List(items), _) => {
                let first = items.borrow().first().cloned();
                Some(first.ok_or_else(|| "the list of its targets is empty".to_owned())?)
            }
            _ => Some(target.clone()),
        };
        let answer = answer.as_ref().map(expect_text).transpose()?;
        // An answer that is chosen is one even where it is empty.
        let is_chosen_empty = answer.as_deref() == Some("") && target.as_str() != Some("");
        if is_chosen_empty {
            return Err("its answer is an empty text".to_owned());
        }
        let delimiters = (shots.target_delimiter.as_str(), shots.delimiter.as_str());
        Ok(exchange(question, answer.as_deref(), prefix.as_deref(), delimiters))
    }
}

/// The conversation, where it is more than one turn of the user.
fn conversation<'a>(messages: impl Iterator<Item = &'a Message>) -> Arc<Vec<examiner_api::Turn>> {
    let turns = message::turns(messages);
    Arc::new(if turns.len() > 1 { turns } else { Vec::new() })
}

/// The item of a list at a place that may be counted from its end.
fn at(items: &[Value], index: &Value) -> Result<Value, String> {
    let place = index.as_int().and_then(|index| {
        let index = if index < 0 { index.checked_add(i64::try_from(items.len()).ok()?)? } else { index };
        usize::try_from(index).ok()
    });
    let item = place.and_then(|place| items.get(place)).cloned();
    item.ok_or_else(|| format!("there is no choice `{}` of {}", str_of(index), items.len()))
}

fn expect_text(value: &Value) -> Result<String, String> {
    value.as_str().map(str::to_owned).ok_or_else(|| format!("expected a text, found `{}`", value.type_name()))
}

/// What a task takes that takes too much, in one of its documents or before them.
pub(super) fn too_much(task: &str, what: &str, index: Option<u64>) -> PluginError {
    let place = index.map_or_else(String::new, |index| format!(", document {index}"));
    PluginError::bad_input(format!("task `{task}`{place}: it takes {what}"))
        .with_help("a template or a function of the task asks for too much")
}
