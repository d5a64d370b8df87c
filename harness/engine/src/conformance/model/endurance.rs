//! Cancellation, and memory over many calls.

use super::Session;
use crate::conformance::asking;
use crate::conformance::prompts::greedy;
use crate::conformance::report::Held;
use crate::worker::HeldMemory;
use examiner_api::{Flow, GenerateResult, Response, Result, ScoreResult};
use parking_lot::Mutex;
use std::time::{Duration, Instant};

/// Requests of the call that is stopped, and tokens of each.
const REQUESTS: usize = 24;
const TOKENS: u32 = 48;
/// How long a call may take to return, besides the time of one answer.
const RETURNS_WITHIN: Duration = Duration::from_secs(1);

/// Calls by which the memory of a process settles, and calls in which it may not grow, with the time for each.
const WARM_UP: (u32, Duration) = (1_000, Duration::from_secs(5));
const MEASURED: (u32, Duration) = (9_000, Duration::from_secs(15));
/// How much it may grow all the same, in KiB: allocators keep what they have.
const GROWTH_MAX_KIB: u64 = 8 << 10;

pub(super) fn cancellation(session: &mut Session, generates: bool) -> Result<Held> {
    let began = Instant::now();
    let stopped: Mutex<Option<Instant>> = Mutex::new(None);
    let stop = || {
        stopped.lock().get_or_insert_with(Instant::now);
        Flow::Stop
    };
    let prompts = session.prompts.iter().cycle().take(REQUESTS);
    let returned = match generates {
        true => {
            let mut requests: Vec<_> = prompts.map(|prompt| prompt.generate(&greedy(TOKENS))).collect();
            requests.iter_mut().zip(0..).for_each(|(request, id)| request.id = id);
            session.model.generate(requests, &|_: Response<GenerateResult>| stop())
        }
        false => {
            let mut requests: Vec<_> = prompts.map(|prompt| prompt.score()).collect();
            requests.iter_mut().zip(0..).for_each(|(request, id)| request.id = id);
            session.model.score(requests, &|_: Response<ScoreResult>| stop())
        }
    };
    let Some(stopped) = stopped.into_inner() else {
        returned?;
        return Ok(Held::Skipped("no answer came that could be the last".to_owned()));
    };
    let (first, after) = (stopped - began, stopped.elapsed());
    Ok(match returned {
        Err(error) => {
            Held::No(format!("expected the call to return without an error when no more is wanted, found: {error}"))
        }
        Ok(()) if after > RETURNS_WITHIN + first => Held::No(format!(
            "expected the call to return within {:.1} s after no more was wanted, found {:.1} s",
            (RETURNS_WITHIN + first).as_secs_f64(),
            after.as_secs_f64()
        )),
        Ok(()) => Held::Yes(format!("the call returns {:.2} s after no more was wanted", after.as_secs_f64())),
    })
}

pub(super) fn memory(session: &mut Session, memory: Option<&HeldMemory>, scores: bool) -> Result<Held> {
    let Some(memory) = memory else {
        return Ok(Held::Skipped("only the process of a worker can be measured".to_owned()));
    };
    calls(session, WARM_UP, scores)?;
    let before = memory.kib();
    let done = calls(session, MEASURED, scores)?;
    let after = memory.kib();
    let (Some(before), Some(after)) = (before.filter(|kib| *kib > 0), after.filter(|kib| *kib > 0)) else {
        return Ok(Held::Skipped("this system does not tell what a process holds".to_owned()));
    };
    let mib = |kib: u64| kib as f64 / 1024.0;
    let said = format!("{:.1} MiB before and {:.1} MiB after {done} calls", mib(before), mib(after));
    Ok(match after.saturating_sub(before) > GROWTH_MAX_KIB {
        true => Held::No(format!("expected memory to grow by at most {:.0} MiB, found {said}", mib(GROWTH_MAX_KIB))),
        false => Held::Yes(said),
    })
}

/// Makes so many calls of one request each, as far as the time reaches; returns how many.
fn calls(session: &mut Session, (most, time): (u32, Duration), scores: bool) -> Result<u32> {
    let began = Instant::now();
    let mut done = 0;
    while done < most && began.elapsed() < time {
        let prompt = &session.prompts[done as usize % session.prompts.len()];
        match scores {
            true => drop(asking::score(&mut *session.model, vec![prompt.score()])?),
            false => drop(asking::generate(&mut *session.model, vec![prompt.generate(&greedy(2))])?),
        }
        done += 1;
    }
    Ok(done)
}
