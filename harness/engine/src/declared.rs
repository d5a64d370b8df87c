//! What roles declare of themselves, checked before anything is computed by it.

use examiner_api::{ErrorCode, Gold, PluginError, Result, RoleKind, Sample, ScorerInfo, SubsetGroup};
use examiner_store::summary::{MACRO, WHOLE};

/// Checks that a role says what its results depend on: without it, records of another version would be used again.
pub(crate) fn fingerprint(kind: RoleKind, name: &str, fingerprint: &str) -> Result<()> {
    match fingerprint.trim() {
        "" => {
            Err(broken(format!("{kind} `{name}` declares an empty fingerprint, by which its changes cannot be told")))
        }
        _ => Ok(()),
    }
}

/// Checks what the scorer with this label declares: a fingerprint, and at least one metric, each with a name of its own and bounds
/// that can be kept.
pub(crate) fn scorer(label: &str, info: &ScorerInfo) -> Result<()> {
    fingerprint(RoleKind::Scorer, label, &info.fingerprint)?;
    metrics(label, info)
}

/// Checks what the scorer with this label declares of its metrics.
pub(crate) fn metrics(label: &str, info: &ScorerInfo) -> Result<()> {
    let role = format!("scorer `{label}`");
    if info.metrics.is_empty() {
        return Err(broken(format!("{role} declares no metric, so that nothing would be reported")));
    }
    for (index, metric) in info.metrics.iter().enumerate() {
        let name = &metric.name;
        if name.trim().is_empty() {
            return Err(broken(format!("{role} declares a metric without a name, its metric {index}, counted from 0")));
        }
        if info.metrics[..index].iter().any(|earlier| earlier.name == *name) {
            return Err(broken(format!("{role} declares two metrics of the name `{name}`")));
        }
        if let Some((low, high)) = metric.bounds
            && !(low.is_finite() && high.is_finite() && low <= high)
        {
            let message = format!("{role} declares the bounds {low} and {high} of its metric `{name}`");
            return Err(broken(format!("{message}, expected two finite numbers, the lower one first")));
        }
    }
    Ok(())
}

/// Checks that every group of subsets has a name of its own, and at least one subset.
pub(crate) fn groups(dataset: &str, groups: &[SubsetGroup]) -> Result<()> {
    for (index, group) in groups.iter().enumerate() {
        let name = &group.name;
        let is_taken = groups[..index].iter().any(|earlier| earlier.name == *name)
            || groups.iter().any(|other| other.subsets.contains(name))
            || [WHOLE, MACRO].contains(&name.as_str());
        if name.trim().is_empty() || is_taken || group.subsets.is_empty() {
            return Err(broken(format!(
                "dataset `{dataset}` declares a group of {} subsets with the name `{name}`, expected subsets and a name that no \
                 subset and no other group has",
                group.subsets.len()
            )));
        }
    }
    Ok(())
}

/// Checks that a dataset sent as many samples as it declares.
pub(crate) fn rows(declared: u64, sent: u64) -> Result<()> {
    if declared == sent {
        return Ok(());
    }
    Err(broken(format!("expected the {declared} samples that the dataset declares, found {sent}")))
}

/// Checks that an answer to a sample can be right: a choice is one of the choices, and a text is not empty.
pub(crate) fn gold(sample: &Sample) -> Result<()> {
    let id = &sample.id;
    match &sample.gold {
        Gold::Choice(index) if *index >= sample.choices.len() => {
            let count = sample.choices.len();
            Err(broken(format!(
                "expected the right choice of sample `{id}` among its {count} choices, found number {index}, counted from 0"
            )))
        }
        Gold::Text(texts) if texts.is_empty() => {
            Err(broken(format!("expected a right text of sample `{id}`, found an empty list")))
        }
        Gold::Text(texts) if texts.iter().any(String::is_empty) => {
            Err(broken(format!("expected right texts of sample `{id}` that are not empty, found an empty one")))
        }
        Gold::Choice(_) | Gold::Text(_) | Gold::None => Ok(()),
    }
}

fn broken(message: String) -> PluginError {
    PluginError::new(ErrorCode::Protocol, message).with_help("this is an error in its plugin, tell its author")
}

#[cfg(test)]
mod tests {
    use super::*;
    use examiner_api::{Aggregation, MetricInfo};

    fn metric(name: &str, bounds: Option<(f64, f64)>) -> MetricInfo {
        MetricInfo { name: name.into(), aggregation: Aggregation::Mean, bounds, ..MetricInfo::default() }
    }

    fn said(fingerprint: &str, metrics: Vec<MetricInfo>) -> String {
        let info = ScorerInfo { metrics, fingerprint: fingerprint.into(), ..ScorerInfo::default() };
        scorer("s", &info).map_or_else(|error| error.message, |()| "good".to_owned())
    }

    #[test]
    fn a_scorer_says_what_it_reports() {
        assert_eq!(said("f", vec![metric("a", Some((0.0, 1.0))), metric("b", None)]), "good");
        assert_eq!(said("f", vec![]), "scorer `s` declares no metric, so that nothing would be reported");
        assert_eq!(
            said("f", vec![metric("a", None), metric(" ", None)]),
            "scorer `s` declares a metric without a name, its metric 1, counted from 0"
        );
        assert_eq!(
            said("f", vec![metric("a", None), metric("a", Some((0.0, 1.0)))]),
            "scorer `s` declares two metrics of the name `a`"
        );
        for bounds in [(1.0, 0.0), (f64::NAN, 1.0), (0.0, f64::INFINITY)] {
            assert!(said("f", vec![metric("a", Some(bounds))]).contains("the lower one first"), "{bounds:?}");
        }
        assert!(said(" ", vec![metric("a", None)]).starts_with("scorer `s` declares an empty fingerprint"));
    }
}
