//! Clauses of datasets.

use super::bench::{Opened, Subject};
use super::clause::*;
use super::report::{Findings, Held};
use crate::declared;
use crate::evaluate::SampleIds;
use examiner_api::wire::encode;
use examiner_api::{ANSWERS_FORM, Dataset, DatasetInfo, Flow, PluginError, Result, RoleKind, Sample, Sink};
use parking_lot::Mutex;
use serde_json::json;
use std::collections::HashMap;
use std::time::{Duration, Instant};

/// How long a call may take to return when no more is wanted.
const RETURNS_WITHIN: Duration = Duration::from_secs(1);
/// A form that no dataset has.
const NO_FORM: &str = "examiner-unknown-form";

/// One pass over all samples.
#[derive(Default)]
struct Pass {
    ids: SampleIds,
    /// By id.
    prompts: HashMap<String, String>,
    /// A hash of each sample, in order.
    hashes: Vec<blake3::Hash>,
    id_fault: Option<String>,
    gold_fault: Option<String>,
}

/// Holds a dataset against its clauses.
pub(super) fn check(subject: &Subject<'_>, opened: Opened, findings: &mut Findings<'_>) -> Result<()> {
    let mut dataset = opened.dataset()?;
    let info = dataset.info()?;
    let pass = Pass::of(&mut |sink| dataset.samples(sink))?;
    let samples = pass.hashes.len();
    findings.add(
        &DATASET_IDS,
        match &pass.id_fault {
            Some(fault) => Held::No(fault.clone()),
            None => Held::Yes(format!("{samples} samples have ids of their own")),
        },
    );
    findings.add(
        &DATASET_GOLD,
        match &pass.gold_fault {
            Some(fault) => Held::No(fault.clone()),
            None => Held::Yes(format!("the right answers of {samples} samples can be given")),
        },
    );
    findings.add(
        &DATASET_ROWS,
        match info.rows {
            None => Held::Skipped("it does not say how many there are".to_owned()),
            Some(rows) => match declared::rows(rows, samples as u64) {
                Ok(()) => Held::Yes(format!("there are {rows}")),
                Err(error) => Held::No(error.message),
            },
        },
    );
    findings.add_result(&DATASET_REPEATABLE, repeatable(subject, &mut *dataset, &pass));
    findings.add_result(&DATASET_STOP, stop(&mut *dataset));
    findings.add_result(&DATASET_FEW_SHOT_POOL, few_shot_pool(&mut *dataset, &pass));
    findings.add_result(&DATASET_FORMS, forms(&mut *dataset, &info, &pass));
    findings.add(&DATASET_SCORER, scorer(subject, &info));
    Ok(())
}

impl Pass {
    fn of(read: &mut dyn FnMut(&dyn Sink<Sample>) -> Result<()>) -> Result<Pass> {
        let pass: Mutex<Pass> = Mutex::default();
        let failure: Mutex<Option<PluginError>> = Mutex::default();
        read(&|sample: Sample| match pass.lock().add(&sample) {
            Ok(()) => Flow::Continue,
            Err(error) => {
                failure.lock().get_or_insert(error);
                Flow::Stop
            }
        })?;
        let mut pass = pass.into_inner();
        if let Err(error) = std::mem::take(&mut pass.ids).finish() {
            pass.id_fault.get_or_insert(error.message);
        }
        failure.into_inner().map_or(Ok(pass), Err)
    }

    fn add(&mut self, sample: &Sample) -> Result<()> {
        if let Err(error) = self.ids.add(&sample.id) {
            self.id_fault.get_or_insert(error.message);
        }
        if let Err(error) = declared::gold(sample) {
            self.gold_fault.get_or_insert(error.message);
        }
        self.hashes.push(blake3::hash(&encode(sample)?));
        self.prompts.insert(sample.id.clone(), sample.prompt.trim().to_owned());
        Ok(())
    }
}

fn repeatable(subject: &Subject<'_>, dataset: &mut dyn Dataset, first: &Pass) -> Result<Held> {
    let again = Pass::of(&mut |sink| dataset.samples(sink))?;
    let mut other = subject.open_anew(subject.bench.host())?.dataset()?;
    let elsewhere = Pass::of(&mut |sink| other.samples(sink))?;
    for (how, pass) in [("in a second pass", &again), ("in another process", &elsewhere)] {
        if pass.hashes.len() != first.hashes.len() {
            let (one, two) = (first.hashes.len(), pass.hashes.len());
            return Ok(Held::No(format!("expected the same samples {how}, found {one} and {two}")));
        }
        let differs = first.hashes.iter().zip(&pass.hashes).position(|(one, other)| one != other);
        if let Some(place) = differs {
            return Ok(Held::No(format!(
                "expected the same samples {how}, found another at place {place}, counted from 0"
            )));
        }
    }
    Ok(Held::Yes(format!("two passes, and one in another process, give the same {} samples", first.hashes.len())))
}

fn stop(dataset: &mut dyn Dataset) -> Result<Held> {
    let stopped: Mutex<Option<Instant>> = Mutex::default();
    let returned = dataset.samples(&|_: Sample| {
        stopped.lock().get_or_insert_with(Instant::now);
        Flow::Stop
    });
    let Some(stopped) = stopped.into_inner() else {
        returned?;
        return Ok(Held::Skipped("it has no samples".to_owned()));
    };
    let after = stopped.elapsed();
    Ok(match returned {
        Err(error) => {
            Held::No(format!("expected the call to return without an error when no more is wanted, found: {error}"))
        }
        Ok(()) if after > RETURNS_WITHIN => Held::No(format!(
            "expected the call to return within {} s after no more was wanted, found {:.1} s",
            RETURNS_WITHIN.as_secs(),
            after.as_secs_f64()
        )),
        Ok(()) => Held::Yes(format!("the call returns {:.2} s after no more was wanted", after.as_secs_f64())),
    })
}

fn few_shot_pool(dataset: &mut dyn Dataset, pass: &Pass) -> Result<Held> {
    let pool = match dataset.few_shot_pool() {
        Ok(pool) => pool,
        Err(error) if super::report::is_breach(&error) => return Err(error),
        Err(error) => return Ok(Held::Skipped(format!("it gives no pool: {error}"))),
    };
    if pool.is_empty() {
        return Ok(Held::Skipped("it has no pool".to_owned()));
    }
    if dataset.few_shot_pool()? != pool {
        return Ok(Held::No("expected the same pool at each call, found another at the second".to_owned()));
    }
    for shot in &pool {
        let Some(id) = &shot.id else { continue };
        if let Some(prompt) = pass.prompts.get(id)
            && prompt != shot.prompt.trim()
        {
            return Ok(Held::No(format!(
                "expected the example of the row `{id}` to have the prompt of that sample, {prompt:?}, found {:?}",
                shot.prompt.trim()
            )));
        }
    }
    Ok(Held::Yes(format!("{} examples are the same at each call", pool.len())))
}

fn forms(dataset: &mut dyn Dataset, info: &DatasetInfo, first: &Pass) -> Result<Held> {
    if !info.forms.iter().any(|form| form == ANSWERS_FORM) {
        return Ok(Held::No(format!(
            "expected the form `{ANSWERS_FORM}` among `forms`, found `{}`",
            info.forms.join("`, `")
        )));
    }
    let mut skipped = Vec::new();
    for form in &info.forms {
        let pass = match Pass::of(&mut |sink| dataset.training_samples(form, sink)) {
            Ok(pass) => pass,
            // A form may not be there with these options, and says so.
            Err(error) if error.code == examiner_api::ErrorCode::BadOptions && !says_unknown(form, &error) => {
                skipped.push(form.as_str());
                continue;
            }
            Err(error) => {
                return Ok(Held::No(format!(
                    "expected samples to learn from in the form `{form}`, found the error: {error}"
                )));
            }
        };
        // What is wrong with the samples themselves is another clause's.
        if let Some(fault) = pass.id_fault.filter(|_| first.id_fault.is_none()) {
            return Ok(Held::No(format!("in the form `{form}`: {fault}")));
        }
        if pass.hashes.is_empty() {
            return Ok(Held::No(format!("expected samples to learn from in the form `{form}`, found none")));
        }
    }
    if dataset.training_samples(NO_FORM, &|_: Sample| Flow::Continue).is_ok() {
        return Ok(Held::No(format!(
            "expected an error for the form `{NO_FORM}`, which it does not have, found that it has it"
        )));
    }
    let left = match skipped.is_empty() {
        true => String::new(),
        false => format!("; with these options not in `{}`", skipped.join("`, `")),
    };
    Ok(Held::Yes(format!("it gives samples in `{}`{left}, and no other form", info.forms.join("`, `"))))
}

/// Whether an error says that there is no such form, rather than that the options do not allow it.
fn says_unknown(form: &str, error: &PluginError) -> bool {
    error.message.contains("form") && error.message.contains(&format!("`{form}`"))
}

fn scorer(subject: &Subject<'_>, info: &DatasetInfo) -> Held {
    let Some(name) = &info.scorer else { return Held::Skipped("it names no scorer".to_owned()) };
    match subject.bench.shared.roles.plugins.find(RoleKind::Scorer, name) {
        Err(error) => Held::No(format!("expected a scorer that is there, found: {error}")),
        Ok((_, role)) => match jsonschema::validator_for(&role.options) {
            Err(error) => Held::Skipped(format!("the schema of the scorer `{name}` is not valid: {error}")),
            Ok(validator) => match validator.iter_errors(&json!(info.scorer_options)).next() {
                Some(error) => Held::No(format!("expected options that the scorer `{name}` has, found: {error}")),
                None => Held::Yes(format!("the scorer `{name}` is there")),
            },
        },
    }
}

/// Samples and few-shot examples: compared between options.
pub(super) fn behaviour(opened: Opened) -> Result<Option<Vec<u8>>> {
    let mut dataset = opened.dataset()?;
    let pass = Pass::of(&mut |sink| dataset.samples(sink))?;
    let pool = dataset.few_shot_pool().unwrap_or_default();
    let mut all = encode(&pool)?;
    pass.hashes.iter().for_each(|hash| all.extend_from_slice(hash.as_bytes()));
    Ok(Some(all))
}
