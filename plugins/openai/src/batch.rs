//! From requests to jobs: what can be asked together is one job.

use crate::forms::{Generation, Work};
use crate::options::{Options, Repeats};
use examiner_api::rows::digest;
use examiner_api::{GenerateRequest, PluginError, SampleRef};
use serde_json::json;
use std::collections::HashMap;
use std::sync::Arc;

/// What is asked in one request, and which requests of the batch wait for the answers.
#[derive(Debug)]
pub(crate) struct RequestJob {
    pub(crate) work: Work,
    /// Requests that wait, in the order of their repeats.
    pub(crate) slots: Vec<Slot>,
    /// One answer serves all slots; otherwise each gets its own.
    pub(crate) shared: bool,
    /// Whether tokens are drawn at random.
    pub(crate) seed: Option<u64>,
    pub(crate) sample: SampleRef,
    /// What has happened to it so far.
    pub(crate) history: JobHistory,
}

/// A request of the batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Slot {
    /// Its index in the batch.
    pub(crate) index: usize,
    pub(crate) repeat: u32,
}

/// The attempts of a job.
#[derive(Debug, Default)]
pub(crate) struct JobHistory {
    pub(crate) attempts: u32,
    /// Attempts that count: a refusal while others are let through does not.
    pub(crate) failures: u32,
    pub(crate) first_sent: Option<f64>,
    /// How many answers the model had given when it was sent last.
    pub(crate) answered_before: u64,
    pub(crate) last_error: Option<PluginError>,
    /// It was part of a job that the server did not like as a whole.
    pub(crate) split: bool,
}

impl RequestJob {
    /// How many answers are asked for.
    pub(crate) fn wants(&self) -> usize {
        if self.shared { 1 } else { self.slots.len() }
    }

    /// A seed of the request's own, that every attempt has again. Servers read it as a signed number of 32 bits.
    pub(crate) fn own_seed(&self) -> Option<u64> {
        let seed = self.seed?;
        let repeat = self.slots.first().map_or(0, |slot| slot.repeat);
        let digits =
            digest([seed.to_string(), self.sample.dataset.clone(), self.sample.id.clone(), repeat.to_string()]);
        u64::from_str_radix(&digits[..8], 16).ok().map(|seed| seed & 0x7fff_ffff)
    }

    /// A job for each slot.
    pub(crate) fn split(self) -> impl Iterator<Item = RequestJob> {
        let RequestJob { work, slots, shared, seed, sample, .. } = self;
        slots.into_iter().map(move |slot| RequestJob {
            work: work.clone(),
            slots: vec![slot],
            shared,
            seed,
            sample: sample.clone(),
            history: JobHistory { split: true, ..JobHistory::default() },
        })
    }
}

/// One job for the requests that differ in their repeat alone. At temperature 0 repeating changes nothing that a server
/// means by it, so one answer serves all; otherwise each gets its own of `n`.
pub(crate) fn generations(
    requests: impl IntoIterator<Item = (usize, GenerateRequest)>,
    options: &Options,
) -> Vec<RequestJob> {
    let mut jobs: Vec<RequestJob> = Vec::new();
    let mut known: HashMap<String, usize> = HashMap::new();
    for (index, GenerateRequest { sample, prompt, turns, sampling, .. }) in requests {
        let slot = Slot { index, repeat: sample.repeat };
        let shared = sampling.temperature == 0.0;
        let turns = if options.reads_turns() { turns } else { Arc::default() };
        let (form, chosen) = (json!(turns).to_string(), json!(sampling).to_string());
        let key = digest([&*sample.dataset, &*sample.id, &*prompt, &*form, &*chosen]);
        if (shared || options.n == Repeats::Auto)
            && let Some(job) = known.get(&key).and_then(|job| jobs.get_mut(*job))
        {
            job.slots.push(slot);
            continue;
        }
        known.insert(key, jobs.len());
        let seed = (!shared && options.seed).then_some(sampling.seed);
        let work = Work::Generate(Generation { prompt, turns, sampling });
        jobs.push(RequestJob { work, slots: vec![slot], shared, seed, sample, history: JobHistory::default() });
    }
    for job in &mut jobs {
        job.slots.sort_by_key(|slot| slot.repeat);
    }
    jobs
}

#[cfg(test)]
mod tests {
    use super::*;
    use examiner_api::Sampling;

    fn jobs(temperature: f32, n: &str) -> Vec<RequestJob> {
        let request = |(index, (id, repeat)): (usize, (&str, u32))| {
            let sample = SampleRef { id: id.into(), repeat, ..SampleRef::default() };
            let sampling = Sampling { temperature, ..Sampling::default() };
            (
                index,
                GenerateRequest {
                    id: index as u64,
                    sample,
                    prompt: "p".into(),
                    sampling,
                    ..GenerateRequest::default()
                },
            )
        };
        let options = json!({ "model": "m", "base_url": "http://localhost", "n": n });
        let requests = [("a", 1), ("a", 0), ("b", 0), ("a", 2)].into_iter().enumerate().map(request);
        generations(requests, &serde_json::from_value(options).unwrap())
    }

    #[test]
    fn repeats_are_asked_together() {
        let drawn = jobs(0.5, "auto");
        let places: Vec<Vec<usize>> =
            drawn.iter().map(|job| job.slots.iter().map(|slot| slot.index).collect()).collect();
        assert_eq!(places, [vec![1, 0, 3], vec![2]]);
        assert_eq!(drawn.iter().map(RequestJob::wants).collect::<Vec<_>>(), [3, 1]);
        let greedy = jobs(0.0, "never");
        assert_eq!(greedy.iter().map(RequestJob::wants).collect::<Vec<_>>(), [1, 1]);
        assert_eq!(greedy[0].own_seed(), None);
        let apart = jobs(0.5, "never");
        let mut seeds: Vec<Option<u64>> = apart.iter().map(RequestJob::own_seed).collect();
        seeds.sort();
        seeds.dedup();
        assert_eq!((apart.len(), seeds.len()), (4, 4), "each is drawn by itself");
        let split: Vec<Option<u64>> = jobs(0.5, "auto").remove(0).split().map(|job| job.own_seed()).collect();
        assert_eq!(split[1], apart[0].own_seed(), "asked alone, a repeat has its own seed");
    }
}
