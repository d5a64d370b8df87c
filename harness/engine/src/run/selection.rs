//! What of a suite is run, and which earlier run goes on.

use super::Job;
use super::evaluate::Pair;
use examiner_store::provenance::{Provenance, Request, Status};
use examiner_suite::Suite;
use std::path::{Path, PathBuf};

/// The models and datasets to examine, in the order of the suite.
pub fn pairs(suite: &Suite) -> Vec<Pair> {
    let mut pairs: Vec<Pair> = Vec::new();
    for evaluation in &suite.evaluate {
        for model in &evaluation.models {
            for dataset in &evaluation.datasets {
                let pair = Pair { model: model.clone(), dataset: dataset.clone(), scorers: evaluation.scorers.clone() };
                if !pairs.iter().any(|known| known.stage() == pair.stage()) {
                    pairs.push(pair);
                }
            }
        }
    }
    pairs
}

/// Whether `--only` leaves the stage in: one of the patterns is a part of its name, or begins it.
pub fn selected(only: &[String], stage: &str) -> bool {
    let fits = |pattern: &String| stage.starts_with(pattern.as_str()) || stage.split('/').any(|part| part == pattern);
    only.is_empty() || only.iter().any(fits)
}

/// The identity of what was asked for, by which an unfinished run is recognised.
pub fn request(job: &Job) -> Request {
    Request {
        suite: blake3::hash(job.loaded.text.as_bytes()).to_hex().to_string(),
        set: job.set.clone(),
        limit: job.limit,
        only: job.only.clone(),
    }
}

/// The run that would go on: `--out`, or the newest of this suite if it was asked for the same and is not complete. One
/// that failed goes on too: what is finished holds, and only what failed is tried again.
pub fn resumable(job: &Job) -> Option<PathBuf> {
    if let Some(out) = &job.out {
        return out.join("run.json").exists().then(|| out.clone());
    }
    if job.fresh {
        return None;
    }
    let newest = newest_run(&job.outputs, &job.loaded.suite.name)?;
    let provenance = Provenance::read(&newest)?;
    let unfinished = provenance.status != Status::Complete;
    (unfinished && provenance.request == request(job)).then_some(newest)
}

/// The newest run of a suite.
pub fn newest_run(outputs: &Path, suite: &str) -> Option<PathBuf> {
    let entries = std::fs::read_dir(outputs).ok()?.filter_map(|entry| Some(entry.ok()?.path()));
    let of_suite = entries.filter(|path| Provenance::read(path).is_some_and(|run| run.suite == suite));
    of_suite.filter(|path| !path.is_symlink()).max_by_key(|path| {
        let made = std::fs::metadata(path.join("suite.yaml")).and_then(|file| file.modified()).ok();
        (made, path.clone())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_takes_parts_of_stage_names_or_their_beginning() {
        let only = |pattern: &str, stage: &str| selected(&[pattern.to_owned()], stage);
        assert!(only("gsm8k", "evaluate/student/gsm8k"));
        assert!(only("evaluate/student", "evaluate/student/gsm8k"));
        assert!(only("train", "train/vanilla"));
        assert!(!only("gsm", "train/gsm8k-vanilla"));
        assert!(selected(&[], "anything"));
    }
}
