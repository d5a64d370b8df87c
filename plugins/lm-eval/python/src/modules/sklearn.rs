//! Metrics of `sklearn.metrics` and of SQuAD, which are those of `examiner-metrics`.

use examiner_metrics::classification::{Average, PrecisionRecall, accuracy, precision_recall};
use examiner_metrics::squad;

use crate::error::{Error, Outcome};
use crate::natives::Arguments;
use crate::run::Session;
use crate::value::{Str, Value};

pub(super) fn item(name: &str) -> Option<Value> {
    Some(match name {
        "accuracy_score" => Value::Native("sklearn.metrics.accuracy_score", accuracy_score),
        "f1_score" => Value::Native("sklearn.metrics.f1_score", |session, args| {
            score(session, "f1_score", args, |scores| scores.f1)
        }),
        "precision_score" => Value::Native("sklearn.metrics.precision_score", |session, args| {
            score(session, "precision_score", args, |scores| scores.precision)
        }),
        "recall_score" => Value::Native("sklearn.metrics.recall_score", |session, args| {
            score(session, "recall_score", args, |scores| scores.recall)
        }),
        _ => return None,
    })
}

pub(super) fn squad(name: &str) -> Option<Value> {
    Some(match name {
        "compute_exact" => Value::Native("compute_exact", |_, args| of_texts(args, "compute_exact", squad::exact)),
        "compute_f1" => Value::Native("compute_f1", |_, args| of_texts(args, "compute_f1", squad::f1)),
        _ => return None,
    })
}

/// Metrics of two texts: what is nothing is a whole number.
fn of_texts(args: Arguments, name: &str, metric: fn(&str, &str) -> f64) -> Outcome<Value> {
    let [gold, prediction] = args.exactly(name)?;
    let (Value::Str(gold), Value::Str(prediction)) = (&gold, &prediction) else {
        return Err(Error::unsupported(format!("`{name}` of what is no text")));
    };
    let value = metric(gold, prediction);
    Ok(if value == 0.0 || name == "compute_exact" { Value::Int(value as i64) } else { Value::Float(value) })
}

/// A class: all of a list are whole numbers, or all are texts.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Label {
    Int(i64),
    Text(Str),
}

fn labels(session: &mut Session, values: &Value) -> Outcome<Vec<Label>> {
    if !matches!(values, Value::List(_) | Value::Tuple(_)) {
        return Err(Error::unsupported(format!("classes in a `{}`", values.type_name())));
    }
    let label = |value: Value| match value {
        Value::Int(number) => Ok(Label::Int(number)),
        Value::Str(text) => Ok(Label::Text(text)),
        other => Err(Error::unsupported(format!("a class of type `{}`", other.type_name()))),
    };
    session.collect(values)?.into_iter().map(label).collect()
}

/// Pairs of the right class and the predicted one.
fn pairs(session: &mut Session, right: &Value, predicted: &Value) -> Outcome<Vec<(Label, Label)>> {
    let (right, predicted) = (labels(session, right)?, labels(session, predicted)?);
    if right.len() != predicted.len() || right.is_empty() {
        return Err(Error::raise_inexact(
            "ValueError",
            "the classes of samples are none, or not as many as predictions",
        ));
    }
    let texts = |labels: &[Label]| labels.iter().filter(|label| matches!(label, Label::Text(_))).count();
    if ![0, 2 * right.len()].contains(&(texts(&right) + texts(&predicted))) {
        return Err(Error::unsupported("classes of which some are texts and some are numbers"));
    }
    Ok(right.into_iter().zip(predicted).collect())
}

fn accuracy_score(session: &mut Session, args: Arguments) -> Outcome<Value> {
    let [right, predicted] = args.bind("accuracy_score", ["y_true", "y_pred"], 2)?;
    let pairs = pairs(session, &right.unwrap_or(Value::None), &predicted.unwrap_or(Value::None))?;
    Ok(Value::Float(accuracy(&pairs)))
}

fn score(session: &mut Session, name: &str, args: Arguments, value: fn(&PrecisionRecall) -> f64) -> Outcome<Value> {
    if args.positional.len() > 2 {
        return Err(Error::type_error(format!("{name}() takes 2 positional arguments")));
    }
    let [right, predicted, average, zero] = args.bind(name, ["y_true", "y_pred", "average", "zero_division"], 2)?;
    let pairs = pairs(session, &right.unwrap_or(Value::None), &predicted.unwrap_or(Value::None))?;
    let positive = Label::Int(1);
    let average = match average.as_ref().map(|average| average.as_str()) {
        None | Some(Some("binary")) => Average::Binary { positive: &positive },
        Some(Some("micro")) => Average::Micro,
        Some(Some("macro")) => Average::Macro,
        Some(Some("weighted")) => Average::Weighted,
        Some(_) => return Err(Error::unsupported(format!("this `average` of `{name}`"))),
    };
    let zero = match zero {
        None => 0.0,
        Some(zero @ (Value::Int(_) | Value::Float(_))) => zero.as_float().unwrap_or_default(),
        Some(_) => return Err(Error::unsupported(format!("this `zero_division` of `{name}`"))),
    };
    let scores = precision_recall(&pairs, average, zero);
    let scores = scores.map_err(|error| Error::raise_inexact("ValueError", error.to_string()))?;
    Ok(Value::Float(value(&scores)))
}
