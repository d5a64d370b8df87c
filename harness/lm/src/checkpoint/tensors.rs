//! Which tensors of a file a model has asked for: a model must ask for all of them, and a file must have all that it asks for.

use examiner_api::{PluginError, Result};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// The names of the tensors in a file, or in its shards, that were not asked for yet.
#[derive(Debug, Clone)]
pub struct UnusedTensors {
    path: PathBuf,
    names: BTreeSet<String>,
}

impl UnusedTensors {
    /// All tensors of a file. `path` is the file that lists them, for messages.
    pub fn new(path: PathBuf, names: BTreeSet<String>) -> Self {
        UnusedTensors { path, names }
    }

    /// Whether any tensor's name begins so.
    pub fn has_prefix(&self, prefix: &str) -> bool {
        self.names.iter().any(|name| name.starts_with(prefix))
    }

    /// Whether a tensor exists that was not asked for yet.
    pub fn has(&self, name: &str) -> bool {
        self.names.contains(name)
    }

    /// Marks a tensor as used. `shape` is for the message.
    ///
    /// # Errors
    /// `BadInput` if it does not exist, or was used before.
    pub fn take(&mut self, name: &str, shape: &[usize]) -> Result<()> {
        if self.names.remove(name) {
            return Ok(());
        }
        Err(PluginError::bad_input(format!("`{}` has no tensor `{name}` {shape:?}", self.path.display()))
            .with_help("configuration and weights must come from the same model"))
    }

    /// Refuses an output head in the file that should be the embedding and is not. `same` compares two tensors.
    ///
    /// # Errors
    /// `BadInput` names both tensors.
    pub fn check_tied(&self, head: &str, embedding: &str, same: impl Fn(&str, &str) -> bool) -> Result<()> {
        if !self.has(head) || same(head, embedding) {
            return Ok(());
        }
        Err(PluginError::bad_input(format!(
            "`config.json` says `tie_word_embeddings`, but `{head}` differs from `{embedding}`"
        ))
        .with_help("write `\"tie_word_embeddings\": false` if the output head has weights of its own"))
    }

    /// Refuses a file with tensors that were not asked for, other than those that `known` accepts.
    ///
    /// # Errors
    /// `BadInput` counts them and names the first.
    pub fn finish(&self, known: impl Fn(&str) -> bool) -> Result<()> {
        let extra: Vec<&str> = self.names.iter().map(String::as_str).filter(|name| !known(name)).collect();
        let Some(first) = extra.first() else { return Ok(()) };
        Err(PluginError::bad_input(format!(
            "`{}` has {} tensor{} that the model does not use, first `{first}`",
            self.path.display(),
            extra.len(),
            if extra.len() == 1 { "" } else { "s" }
        ))
        .with_help("`config.json` may be of another model, or name too few layers"))
    }
}

/// Refuses a tensor of another shape than the configuration asks for, and one whose number type is none of weights:
/// `other_type` is its name then. `file` is for messages.
///
/// # Errors
/// `BadInput` says what was expected and what was found.
pub fn check_tensor(
    name: &str,
    file: &Path,
    expected: &[usize],
    found: &[usize],
    other_type: Option<&str>,
) -> Result<()> {
    let file = file.display();
    if found != expected {
        return Err(PluginError::bad_input(format!(
            "tensor `{name}` of `{file}` has the shape {found:?}; `config.json` asks for {expected:?}"
        )));
    }
    match other_type {
        None => Ok(()),
        Some(other) => Err(PluginError::bad_input(format!(
            "tensor `{name}` of `{file}` has the number type {other}; expected F32, F16 or BF16"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_tensor_is_asked_for_once() {
        let names = ["a.weight", "a.bias", "head"].map(str::to_owned);
        let mut unused = UnusedTensors::new("file".into(), names.into());
        assert!(unused.has_prefix("a.") && !unused.has_prefix("b.") && unused.has("head"));
        unused.take("a.weight", &[2, 3]).unwrap();
        let error = unused.take("a.weight", &[2, 3]).unwrap_err();
        assert_eq!(error.message, "`file` has no tensor `a.weight` [2, 3]");
        let error = unused.finish(|name| name == "head").unwrap_err();
        assert!(error.message.contains("has 1 tensor that the model does not use, first `a.bias`"), "{error}");
        assert!(unused.check_tied("head", "a.weight", |_, _| true).is_ok());
        assert!(unused.check_tied("none", "a.weight", |_, _| false).is_ok());
        assert!(unused.check_tied("head", "a.weight", |_, _| false).unwrap_err().message.contains("differs from"));
    }

    #[test]
    fn shapes_and_number_types_are_checked() {
        assert!(check_tensor("a", "f".as_ref(), &[2], &[2], None).is_ok());
        let shape = check_tensor("a", "f".as_ref(), &[2, 1], &[1, 2], None).unwrap_err();
        assert!(shape.message.contains("`a` of `f` has the shape [1, 2]; `config.json` asks for [2, 1]"), "{shape}");
        let kind = check_tensor("a", "f".as_ref(), &[2], &[2], Some("I64")).unwrap_err();
        assert!(kind.message.contains("number type I64; expected F32, F16 or BF16"), "{kind}");
    }
}
