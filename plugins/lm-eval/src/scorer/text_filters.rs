//! Filters of texts.

use examiner_python::Value;
use serde_json::{Map, Value as Json};

type Texts<'a> = dyn Fn(Vec<Value>, &dyn Fn(&str) -> String) -> Result<Value, String> + 'a;

/// What a filter of lm-evaluation-harness makes of some answers.
///
/// # Errors
/// It cannot be applied, as a phrase.
pub(super) fn apply(
    name: &str,
    options: &Map<String, Json>,
    items: Vec<Value>,
    document: &Value,
    texts: &Texts<'_>,
) -> Result<Value, String> {
    let _ = (options, items, document, texts);
    Err(format!("the filter `{name}`"))
}
