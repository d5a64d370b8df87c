//! Metrics, filters and patterns beside what their reference implementations computed for the same input.
//!
//! `reference.jsonl` is written by `harness/xtask/src/verify/metrics.py --compact`; `cargo xtask verify --only metrics` compares more cases.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod evaluate;

use evaluate::{agrees, evaluate};
use serde_json::Value;
use std::collections::BTreeMap;

#[test]
fn every_case_has_the_result_of_the_reference() {
    let mut kinds: BTreeMap<String, usize> = BTreeMap::new();
    for (number, line) in include_str!("reference.jsonl").lines().enumerate() {
        let row: Value = serde_json::from_str(line).unwrap();
        let found = evaluate(&row["case"]);
        assert!(
            agrees(&found, &row["expected"]),
            "line {}: {}\nfound {found}\nexpected {}",
            number + 1,
            row["case"],
            row["expected"]
        );
        *kinds.entry(row["case"]["kind"].as_str().unwrap().to_owned()).or_default() += 1;
    }
    let expected = ["aggregate", "choice", "classes", "filter", "regex", "replace", "rouge", "text", "unicode"];
    assert_eq!(kinds.keys().map(String::as_str).collect::<Vec<_>>(), expected);
    assert!(kinds.values().all(|count| *count >= 3), "{kinds:?}");
}

mod laws;
