//! Counts what an earlier try has finished, without a model.
//!
//! Where every record is there, nothing has to be asked: reading, keys and counting are work of one thread, and several
//! pairs are counted side by side. As soon as anything is missing, damaged or cannot be written, the pair is left to
//! [`super::examine`], which puts it right and tells of it.

use super::prepare::Prepared;
use super::reader::{self, Read};
use super::reuse::{base_key, note_known};
use super::{Examined, Pair, aggregate, rows, write_samples};
use crate::host::Shared;
use examiner_api::Flow;
use examiner_store::directory::RunDirectory;
use examiner_store::journal::Reader;
use examiner_store::record::Record;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

/// Progress is shown after so many records.
const SHOWN: usize = 256;

/// What came of a pair, if all of it has come already.
pub fn recount(shared: &Shared, pair: &Pair, prepared: Prepared, directory: &RunDirectory) -> Option<Examined> {
    let task = shared.progress.task(&pair.stage(), prepared.questions, "samples");
    let counted = count(shared, pair, prepared, directory, &|done| task.set(done));
    match counted {
        Some(_) => task.finish(),
        None => task.dismiss(),
    }
    counted
}

fn count(
    shared: &Shared,
    pair: &Pair,
    prepared: Prepared,
    directory: &RunDirectory,
    show: &(dyn Fn(u64) + Sync),
) -> Option<Examined> {
    let began = Instant::now();
    let path = directory.journal(&pair.model, &pair.dataset).ok()?;
    let samples_path = directory.samples(&pair.model, &pair.dataset).ok()?;
    let mut known = HashMap::new();
    let header = super::header(pair);
    let scan =
        Reader::open(&path).ok()?.scan(Some(&header), |offset, line| note_known(&mut known, offset, line)).ok()?;
    if !scan.damage.is_empty() || std::fs::metadata(&path).ok()?.len() != scan.complete {
        return None;
    }
    let Prepared { mut dataset, scorers, prompter, spec, limit, inputs, version, macro_average, .. } = prepared;
    let names = (directory.suite.as_str(), directory.name());
    let mut totals = aggregate(shared, pair, (names.0, &names.1), &scorers, version, macro_average);
    totals.reserve(known.len());
    let base = base_key(&inputs);
    let plan =
        reader::Plan { prompter: &prompter, scorers: &scorers, base: &base, repeats: spec.repeats.max(1), limit };
    let counting = Mutex::new((Reader::open(&path).ok()?, totals, Vec::with_capacity(known.len())));
    let read = reader::read(&mut *dataset, &plan, &known, &|read| {
        let mut counting = counting.lock().unwrap_or_else(PoisonError::into_inner);
        let (reader, totals, offsets) = &mut *counting;
        let Read::Reused { index, offset } = read else { return Flow::Stop };
        let record: Option<Record> = reader.read_at(offset).ok().and_then(|line| serde_json::from_str(line).ok());
        match record.filter(|record| record.error().is_none() && !shared.is_cancelled()) {
            Some(record) => {
                totals.add(&record);
                offsets.push((index, offset));
                if offsets.len() % SHOWN == 0 {
                    show(offsets.len() as u64);
                }
                Flow::Continue
            }
            None => Flow::Stop,
        }
    });
    let (_, totals, mut offsets) = counting.into_inner().unwrap_or_else(PoisonError::into_inner);
    let done = offsets.len() as u64;
    show(done);
    if read.ok()? != done {
        return None;
    }
    write_samples(&path, &samples_path, &mut offsets).ok()?;
    let seconds = began.elapsed().as_secs_f64();
    Some(Examined {
        rows: rows(&*totals, &scorers, seconds),
        questions: done,
        errors: 0,
        reused: done,
        asked: false,
        seconds,
        error_examples: Vec::new(),
        interrupted: false,
        failure: None,
    })
}
