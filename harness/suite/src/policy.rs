//! How a suite handles failures: when to give up, what does not fit into a context, and the isolation of plugins.

use super::fields::{Field, described};
use super::problem::Problem;
use super::tree::Kind;
use super::types::{FailOnError, Isolation, OnTruncation};

/// When to give up.
pub(super) fn fail_on_error(field: &Field<'_>, problems: &mut Vec<Problem>) -> Option<FailOnError> {
    match &field.node.kind {
        Kind::Bool(true) => Some(FailOnError::First),
        Kind::Bool(false) => Some(FailOnError::Never),
        Kind::Number(number) if number.is_u64() => number.as_u64().map(FailOnError::Count),
        _ => field
            .number(
                "`true`, `false`, a share between 0 and 1, or a number of samples",
                |x| x > 0.0 && x < 1.0,
                problems,
            )
            .map(FailOnError::Share),
    }
}

/// What becomes of samples that do not fit into a model's context.
pub(super) fn on_truncation(field: &Field<'_>, problems: &mut Vec<Problem>) -> Option<OnTruncation> {
    match field.text(problems)?.as_str() {
        "report" => return Some(OnTruncation::Report),
        "error" => return Some(OnTruncation::Error),
        "allow" => return Some(OnTruncation::Allow),
        other => problems.push(
            field
                .problem(format!("expected `report`, `error` or `allow`, found `{other}`"))
                .with_nearest(other, ["report", "error", "allow"]),
        ),
    }
    None
}

/// How roles run in processes of their own.
pub(super) fn isolate(field: &Field<'_>, problems: &mut Vec<Problem>) -> Option<Isolation> {
    let default = Isolation::default();
    match &field.node.kind {
        Kind::Bool(true) => return Some(default),
        Kind::Bool(false) => return None,
        Kind::Map(_) => {}
        _ => {
            let found = described(field.node);
            let message = format!(
                "expected `true`, `false`, or a section with `deadline_s`, `memory_mib` and `deaths`, found {found}"
            );
            problems.push(field.problem(message));
            return None;
        }
    }
    let mut section = field.section(problems)?;
    let positive = |field: Field<'_>, problems: &mut Vec<Problem>| {
        field.number("a number of seconds above 0", |seconds| seconds > 0.0 && seconds < 1e9, problems)
    };
    let deadline_s = section.take("deadline_s").and_then(|field| positive(field, problems));
    let memory_mib = section.take("memory_mib").and_then(|field| field.whole(1, u64::MAX / 1024, problems));
    let deaths = section.take("deaths").and_then(|field| field.whole(1, 1_000_000, problems));
    section.finish(problems);
    Some(Isolation {
        deadline_s: deadline_s.unwrap_or(default.deadline_s),
        memory_mib,
        deaths: deaths.map_or(default.deaths, |deaths| deaths as u32),
    })
}
