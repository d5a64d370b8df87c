//! Two models' values on the same samples.

use super::judged::{JudgedSample, JudgedSamples, SampleValue};
use super::{ComparisonResult, Mismatches, Test};
use crate::statistics::{compare_paired, paired_macro};
use examiner_api::random::key_of;
use examiner_store::summary::{MACRO, WHOLE};
use std::collections::{BTreeMap, HashSet};

/// Tests the metric in `column` on the samples of `subset` that both have.
pub(super) fn test(
    baseline: &JudgedSamples,
    model: &JudgedSamples,
    column: usize,
    subset: &str,
    seed: u64,
) -> ComparisonResult {
    let is_macro = subset == MACRO;
    let belongs = |sample: &&JudgedSample| match subset {
        WHOLE => true,
        MACRO => sample.subset.is_some(),
        subset => sample.subset.as_deref() == Some(subset),
    };
    let mut mismatches = Mismatches::default();
    let (mut first, mut second) = (Vec::new(), Vec::new());
    let (mut clusters, mut strata) = (Vec::new(), Vec::new());
    let mut other_task: Vec<&str> = Vec::new();
    for sample in baseline.samples.iter().filter(belongs) {
        let Some(index) = model.indices.get(&sample.key) else {
            mismatches.only_baseline += 1;
            continue;
        };
        let twin = &model.samples[*index];
        if sample.task != twin.task {
            other_task.push(&sample.key.id);
        }
        match (sample.values[column], twin.values[column]) {
            (SampleValue::Number(old), SampleValue::Number(new)) => {
                first.push(old);
                second.push(new);
                clusters.push(sample.cluster);
                strata.push(key_of(sample.subset.as_deref().unwrap_or_default()));
                mismatches.other_prompt += u64::from(sample.context != twin.context);
            }
            (SampleValue::Corpus, _) | (_, SampleValue::Corpus) => {
                return ComparisonResult::Refused(
                    "the metric is one of the whole dataset: samples have no value to compare".to_owned(),
                );
            }
            (SampleValue::Error, _) | (_, SampleValue::Error) => mismatches.errors += 1,
        }
    }
    let alone = model.samples.iter().filter(belongs).filter(|sample| !baseline.indices.contains_key(&sample.key));
    mismatches.only_model = alone.count() as u64;
    if let Some(id) = other_task.first() {
        // Different questions under the same ids: the numbers cannot be compared.
        return ComparisonResult::Refused(format!(
            "the two were asked different questions: choices or right answers differ on {} samples, the first `{id}`",
            other_task.len()
        ));
    }
    let tested = match is_macro {
        true => paired_macro(&first, &second, &strata, Some(&clusters), seed),
        false => compare_paired(&first, &second, Some(&clusters), seed),
    };
    let Some(tested) = tested else {
        return ComparisonResult::Refused(format!(
            "no sample is left to compare: {} are errors, {} only the baseline has, {} only the model",
            mismatches.errors, mismatches.only_baseline, mismatches.only_model
        ));
    };
    let count = |is: fn(&f64, &f64) -> bool| first.iter().zip(&second).filter(|(old, new)| is(new, old)).count() as u64;
    let mean = |values: &[f64]| if is_macro { mean_of_means(values, &strata) } else { average(values) };
    ComparisonResult::Tested(Test {
        n: first.len() as u64,
        clusters: clusters.iter().collect::<HashSet<_>>().len() as u64,
        baseline: mean(&first),
        value: mean(&second),
        difference: tested.difference,
        interval: tested.interval,
        p_value: tested.p_value,
        p_holm: tested.p_value,
        method: tested.method,
        wins: count(f64::gt),
        losses: count(f64::lt),
        ties: count(f64::eq),
        mismatches,
    })
}

fn average(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

fn mean_of_means(values: &[f64], strata: &[u64]) -> f64 {
    let mut parts: BTreeMap<u64, Vec<f64>> = BTreeMap::new();
    for (value, stratum) in values.iter().zip(strata) {
        parts.entry(*stratum).or_default().push(*value);
    }
    average(&parts.values().map(|values| average(values)).collect::<Vec<_>>())
}
