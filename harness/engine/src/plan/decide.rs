//! The decision for one stage, from what it depends on now and what an earlier run left of it.

use super::{Action, Reason, Remaining};
use crate::evaluate::Survey;
use crate::stages::RECIPE_FINGERPRINT;
use examiner_store::product::Damage;
use examiner_store::provenance::{Inputs, StageRecord, Status};
use examiner_suite::StageKind;
use std::path::PathBuf;

/// The names of the inputs that are not what they were.
pub(super) fn changed(before: &Inputs, now: &Inputs) -> Vec<String> {
    let names = now.keys().chain(before.keys().filter(|name| !now.contains_key(*name)));
    names.filter(|name| now.get(*name) != before.get(*name)).cloned().collect()
}

/// Decides for a stage with a product, which was found to be what it was, or not.
pub(super) fn producer(
    kind: StageKind,
    before: Option<&StageRecord>,
    inputs: &Inputs,
    product: Result<(), Damage>,
) -> Action {
    let Some(before) = before.filter(|before| !before.inputs.is_empty()) else { return Action::Run(Reason::New) };
    let changed = changed(&before.inputs, inputs);
    if !changed.is_empty() {
        return Action::Run(Reason::Changed(changed));
    }
    if before.status != Status::Complete {
        return Action::Resume(Remaining::Unfinished);
    }
    match product {
        Err(Damage::Missing(path)) => Action::Run(Reason::ProductMissing(path)),
        Err(Damage::Changed(path)) => Action::Run(Reason::ProductChanged(path)),
        Ok(()) if before.product.is_none() => Action::Run(Reason::ProductMissing(PathBuf::new())),
        Ok(()) if kind == StageKind::Teach && !inputs.contains_key(RECIPE_FINGERPRINT) => {
            Action::Resume(Remaining::Recipe)
        }
        Ok(()) => Action::Reuse,
    }
}

/// Decides for a pair with a journal whose records may hold. `complete`: every record is there and can be counted.
pub(super) fn pair(before: Option<&StageRecord>, inputs: &Inputs, survey: &Survey, complete: bool) -> Action {
    if complete {
        return Action::Reuse;
    }
    let changed = before.map(|before| changed(&before.inputs, inputs)).unwrap_or_default();
    if survey.reused == 0 {
        return Action::Run(without_records(before, inputs));
    }
    Action::Resume(Remaining::Questions { done: survey.reused, total: survey.questions, changed })
}

/// Why a pair is run without a record that holds.
pub(super) fn without_records(before: Option<&StageRecord>, inputs: &Inputs) -> Reason {
    let Some(before) = before.filter(|before| !before.inputs.is_empty()) else { return Reason::New };
    match changed(&before.inputs, inputs) {
        changed if changed.is_empty() => Reason::NoRecords,
        changed => Reason::Changed(changed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inputs(model: &str) -> Inputs {
        Inputs::from([("dataset".to_owned(), "d".to_owned()), ("model".to_owned(), model.to_owned())])
    }

    fn before(status: Status) -> StageRecord {
        StageRecord { status, inputs: inputs("m"), ..StageRecord::default() }
    }

    #[test]
    fn a_pair_is_done_as_far_as_its_records_do_not_hold() {
        let decide = |before: Option<&StageRecord>, model: &str, reused| {
            let survey = Survey { questions: 10, requests: 10 - reused, reused };
            pair(before, &inputs(model), &survey, reused == 10)
        };
        let complete = before(Status::Complete);
        assert_eq!(decide(None, "m", 0), Action::Run(Reason::New));
        assert_eq!(decide(Some(&complete), "m", 10), Action::Reuse);
        assert_eq!(decide(Some(&before(Status::Interrupted)), "m", 4).to_string(), "4 of 10 done");
        assert_eq!(decide(Some(&complete), "n", 0).to_string(), "changed: model");
        assert_eq!(decide(Some(&complete), "n", 4).to_string(), "changed: model; 4 records still hold");
        assert_eq!(decide(Some(&complete), "m", 0), Action::Run(Reason::NoRecords));
    }

    #[test]
    fn a_product_is_used_only_if_it_is_what_it_was_and_known_to_be_current() {
        let there = StageRecord { product: Some("train/one".to_owned()), ..before(Status::Complete) };
        let decide =
            |kind, before: &StageRecord, model: &str, product| producer(kind, Some(before), &inputs(model), product);
        assert_eq!(producer(StageKind::Train, None, &inputs("m"), Ok(())), Action::Run(Reason::New));
        assert_eq!(decide(StageKind::Train, &there, "m", Ok(())), Action::Reuse);
        assert_eq!(decide(StageKind::Train, &there, "n", Ok(())).to_string(), "changed: model");
        let unfinished = before(Status::Interrupted);
        assert_eq!(decide(StageKind::Train, &unfinished, "m", Ok(())).to_string(), "was not finished");
        let gone = Err(Damage::Missing("export/one".into()));
        assert_eq!(decide(StageKind::Export, &there, "m", gone).to_string(), "`export/one` is gone");
        let changed = Err(Damage::Changed("train/one/weights".into()));
        let reason = "`train/one/weights` is not what the stage left there";
        assert_eq!(decide(StageKind::Train, &there, "m", changed).to_string(), reason);
        assert_eq!(decide(StageKind::Teach, &there, "m", Ok(())), Action::Resume(Remaining::Recipe));
        let mut known = there.clone();
        known.inputs.insert(RECIPE_FINGERPRINT.to_owned(), "hash".to_owned());
        assert_eq!(producer(StageKind::Teach, Some(&known), &known.inputs, Ok(())), Action::Reuse);
    }
}
