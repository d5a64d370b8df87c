//! Few-shot examples: which documents they are made of, and which of them stand before a question.

use super::compile::{Sampler, Samples, Task};
use super::documents::{self, Locate, bad};
use super::evaluate::setting;
use crate::functions::Functions;
use examiner_api::Result;
use examiner_python::{Random, Value, equal};

/// The documents that examples are made of, and the random numbers by which they are drawn.
pub(super) struct Pool {
    pub(super) documents: Vec<Value>,
    sampler: Sampler,
    /// Whether a document that is examined is left out of its own examples.
    leaves_out: bool,
    random: Random,
}

impl Pool {
    /// The documents that a task's examples are made of. The numbers begin anew with each task.
    pub(super) fn read(
        task: &Task,
        examined: &[Value],
        seed: i64,
        locate: &Locate,
        functions: &mut Functions,
    ) -> Result<Self> {
        let documents = pool(task, examined, locate, functions)?;
        Ok(Pool {
            documents,
            sampler: task.shots.sampler,
            leaves_out: task.shots.split == task.test_split,
            random: Random::new(seed),
        })
    }

    /// The indices of the examples before a document.
    pub(super) fn draw(&mut self, count: usize, document: &Value) -> Result<Vec<usize>, String> {
        // Python finds an empty document to be none.
        let own = Some(document).filter(|document| self.leaves_out && examiner_python::truth(document));
        let is_own = |documents: &[Value], index: &usize| own.is_some_and(|own| equal(&documents[*index], own));
        let too_few = |there: usize, wanted: usize| {
            Err(format!("`num_fewshot` asks for {wanted} examples, and there are {there} to draw them from"))
        };
        let length = self.documents.len();
        if self.sampler == Sampler::First {
            let own = Some(document).filter(|_| self.leaves_out);
            let others = (0..length).filter(|index| !own.is_some_and(|own| equal(&self.documents[*index], own)));
            let first: Vec<usize> = others.take(count).collect();
            return if first.len() < count { too_few(first.len(), count) } else { Ok(first) };
        }
        let wanted = count + usize::from(own.is_some());
        if wanted > length {
            return too_few(length, wanted);
        }
        let mut drawn = self.random.sample(length, wanted).unwrap_or_default();
        drawn.retain(|index| !is_own(&self.documents, index));
        drawn.truncate(count);
        if drawn.len() < count {
            // The document stands in the pool more than once, and more than one of it was drawn: drawn again from the others.
            let others: Vec<usize> = (0..length).filter(|index| !is_own(&self.documents, index)).collect();
            if others.len() < count {
                return too_few(others.len(), count);
            }
            let drawn_again = self.random.sample(others.len(), count).unwrap_or_default();
            drawn = drawn_again.into_iter().map(|index| others[index]).collect();
        }
        Ok(drawn)
    }
}

fn pool(task: &Task, examined: &[Value], locate: &Locate, functions: &mut Functions) -> Result<Vec<Value>> {
    if let Some(split) = &task.shots.split {
        return Ok(documents::read(task, split, task.shots.process_docs.as_ref(), locate, functions)?.all);
    }
    match &task.shots.samples {
        Some(Samples::List(list)) => {
            return list.iter().map(|sample| setting(sample).map_err(|what| bad(task, what))).collect();
        }
        Some(Samples::Function(function)) => {
            let list = functions.call(function, Vec::new()).map_err(|what| bad(task, what))?;
            return match list {
                Value::List(items) => Ok(items.borrow().clone()),
                other => {
                    let found = other.type_name();
                    Err(bad(task, format!("the function `{}` gives a `{found}`, expected a list", function.name)))
                }
            };
        }
        None => {}
    }
    let split = task.training_split.as_deref().or(task.validation_split.as_deref());
    match split.filter(|split| task.examined_split().is_ok_and(|examined| examined != *split)) {
        Some(split) => Ok(documents::read(task, split, task.process_docs.as_ref(), locate, functions)?.all),
        None => Ok(examined.to_vec()),
    }
}
