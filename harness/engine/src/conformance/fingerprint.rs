//! Clauses of fingerprints: there, the same in another process, and another one where results are.

use super::bench::{Opened, Subject};
use super::clause::{FINGERPRINT_MOVES, FINGERPRINT_PRESENT, FINGERPRINT_STABLE};
use super::options::validator;
use super::report::{Findings, Held, is_of_the_world};
use super::vary::{NO_EFFECT, properties, with};
use crate::declared;
use examiner_api::{Metadata, Result};
use serde_json::json;
use std::time::{Duration, Instant};

/// Options are varied for so long: each may load a model again.
const TIME: Duration = Duration::from_secs(60);

/// What a role answers to the questions of the check; none where two answers cannot be compared. What fails of it is found by another
/// clause.
pub(super) type Behaviour<'a> = &'a dyn Fn(Opened) -> Result<Option<Vec<u8>>>;

/// Holds the fingerprint of an open role against its clauses.
pub(super) fn check(subject: &Subject<'_>, opened: &Opened, behaviour: Behaviour<'_>, findings: &mut Findings<'_>) {
    let fingerprint = match opened.fingerprint() {
        Ok(Some(fingerprint)) => fingerprint,
        Ok(None) => {
            let clauses = [&FINGERPRINT_PRESENT, &FINGERPRINT_STABLE, &FINGERPRINT_MOVES];
            return findings.skip_rest(clauses.into_iter(), "the role has no fingerprint");
        }
        Err(error) => return findings.add_result(&FINGERPRINT_PRESENT, Err(error)),
    };
    let role = subject.info;
    findings.add(
        &FINGERPRINT_PRESENT,
        match declared::fingerprint(role.kind, &role.name, &fingerprint) {
            Ok(()) => Held::Yes("it is there".to_owned()),
            Err(error) => Held::No(error.message),
        },
    );
    findings.add_result(&FINGERPRINT_STABLE, stable(subject, &fingerprint));
    match findings.is_broken(&FINGERPRINT_PRESENT) || findings.is_broken(&FINGERPRINT_STABLE) {
        true => findings
            .add(&FINGERPRINT_MOVES, Held::Skipped("the fingerprint itself is not to be relied upon".to_owned())),
        false => findings.add_result(&FINGERPRINT_MOVES, moves(subject, &fingerprint, behaviour)),
    }
}

fn stable(subject: &Subject<'_>, fingerprint: &str) -> Result<Held> {
    let again = subject.open_anew(subject.bench.host())?.fingerprint()?.unwrap_or_default();
    Ok(match again == fingerprint {
        true => Held::Yes("it is the same in another process".to_owned()),
        false => {
            Held::No(format!("expected the same fingerprint in another process, found {fingerprint:?} and {again:?}"))
        }
    })
}

/// Gives each option another value. Where the fingerprint stays, what the role answers must stay, too.
fn moves(subject: &Subject<'_>, fingerprint: &str, behaviour: Behaviour<'_>) -> Result<Held> {
    let schema = &subject.info.options;
    let (Some(validator), _) = validator(schema) else {
        return Ok(Held::Skipped("the schema of its options is not valid".to_owned()));
    };
    let mut before = None;
    let (mut moved, mut stayed, mut left) = (Vec::new(), Vec::new(), Vec::new());
    let began = Instant::now();
    for option in properties(schema) {
        let current = subject.options.get(option.name);
        if option.left_alone(subject.info.checkpoint_option.as_deref()).is_some() || began.elapsed() > TIME {
            left.push(option.name);
            continue;
        }
        let legal = |options: &Metadata| validator.is_valid(&json!(options));
        let others = option.others(current).into_iter().map(|value| with(&subject.options, option.name, value));
        // A value may be refused for reasons that no schema tells.
        let opened =
            others.filter(legal).take(4).find_map(|options| Some((subject.open_with(options.clone()).ok()?, options)));
        let Some((opened, options)) = opened else {
            left.push(option.name);
            continue;
        };
        let found = match opened.fingerprint() {
            Ok(found) => found.unwrap_or_default(),
            Err(error) if is_of_the_world(&error) => {
                left.push(option.name);
                continue;
            }
            Err(error) => return Err(error),
        };
        if found != fingerprint {
            moved.push(option.name);
            continue;
        }
        if before.is_none() {
            before = Some(behaviour(subject.open()?).unwrap_or(None));
        }
        let after = behaviour(opened).unwrap_or(None);
        if let (Some(Some(before)), Some(after)) = (&before, &after)
            && before != after
        {
            let (now, value) = (current.cloned().or(option.default().cloned()), &options[option.name]);
            let now = now.map_or("nothing".to_owned(), |now| now.to_string());
            return Ok(Held::No(format!(
                "expected another fingerprint with `{}: {value}` in place of {now}, which changes what the role answers, found the \
                 same",
                option.name
            )));
        }
        stayed.push(option.name);
    }
    let list = |names: &[&str]| names.join("`, `");
    let mut text = match moved.is_empty() {
        true => "no option moves it".to_owned(),
        false => format!("it moves with `{}`", list(&moved)),
    };
    if !stayed.is_empty() {
        let what = match before {
            Some(Some(_)) => "neither it nor an answer of the check moves",
            _ => "it does not move, and answers that are not exact are not compared,",
        };
        text.push_str(&format!(
            "; {what} with `{}` (`{NO_EFFECT}: true` in the schema says that none ever does)",
            list(&stayed)
        ));
    }
    if !left.is_empty() {
        text.push_str(&format!("; not varied: `{}`", list(&left)));
    }
    Ok(match moved.is_empty() && stayed.is_empty() {
        true => Held::Skipped(format!(
            "the role has no option that can be varied{}",
            text.trim_start_matches("no option moves it")
        )),
        false => Held::Yes(text),
    })
}
