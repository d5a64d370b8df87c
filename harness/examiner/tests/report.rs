//! What is made of a run: comparisons and pictures, by the run itself and afterwards.

use crate::build;
use crate::run::{run, stderr, suite};
use std::path::Path;
use std::process::Output;

/// Of ten questions the model `wrong` answers one wrongly, and so does `twin`.
fn examined(directory: &Path, report: &str) -> Output {
    let suite = suite(
        "  wrong: { plugin: adder, fault: wrong, at: 3 }\n  right: { plugin: adder }\n  twin: { plugin: adder, fault: \
         wrong, at: 3 }\n",
        "  sums: { plugin: numbers, rows: 10 }\n",
    ) + report;
    run(directory, &suite, &["--out", "run"])
}

fn examiner(directory: &Path, arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = build::examiner(directory).args(arguments).output().unwrap();
    (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned(), stderr(&output))
}

#[test]
fn a_run_compares_and_draws_what_its_suite_asks_for() {
    let directory = tempfile::tempdir().unwrap();
    let output = examined(directory.path(), "report: { figure: figs/result.svg, baseline: wrong }\n");
    assert!(output.status.success(), "{}", stderr(&output));
    let table = String::from_utf8(output.stdout).unwrap();
    let line = |model: &str| {
        let line = table.lines().find(|line| line.starts_with("| sums") && line.contains(&format!("| {model} ")));
        line.unwrap_or_else(|| panic!("{table}")).to_owned()
    };
    assert!(line("right").contains("+0.1000") && line("right").contains("1/0/9"), "{table}");
    assert!(line("twin").contains("+0.0000") && line("twin").contains("0/0/10"), "{table}");
    let mut rows = csv::Reader::from_path(directory.path().join("run/comparison.csv")).unwrap();
    assert_eq!(rows.headers().unwrap(), &examiner_report::compare::COLUMNS[..]);
    assert_eq!(rows.records().count(), 2);
    let svg = std::fs::read_to_string(directory.path().join("figs/result.svg")).unwrap();
    for name in ["wrong", "right", "twin", "sums", "even", "odd"] {
        assert!(svg.contains(&format!(">{name}</text>")), "{name}: {svg}");
    }
    assert!(std::fs::read(directory.path().join("figs/result.png")).unwrap().starts_with(b"\x89PNG"));

    let (code, again, said) = examiner(directory.path(), &["compare", "run", "--baseline", "wrong"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(table.ends_with(&again), "{table}\n{again}");
    let csv = examiner(directory.path(), &["compare", "run", "--baseline", "right", "--subsets", "--csv"]).1;
    assert_eq!(csv.lines().count(), 1 + 2 * 3, "{csv}");
    let (code, files, said) = examiner(directory.path(), &["plot", "run", "--out", "again/result.svg"]);
    assert_eq!((code, files.as_str()), (Some(0), "again/result.svg\nagain/result.png\n"), "{said}");
    assert_eq!(std::fs::read_to_string(directory.path().join("again/result.svg")).unwrap(), svg);
}

#[test]
fn what_was_asked_for_and_cannot_be_had_is_a_failure() {
    let directory = tempfile::tempdir().unwrap();
    let output = examined(directory.path(), "report: { figure: suite.yaml/result.svg, baseline: right }\n");
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("failed: report: cannot draw `suite.yaml/result.svg`"), "{}", stderr(&output));
    assert!(String::from_utf8_lossy(&output.stdout).contains("-0.1000"), "the comparison is not there");

    for (arguments, said) in [
        (["compare", "run", "--baseline", "rigth"], "did you mean `right`? there is `wrong`, `right`, `twin`"),
        (["plot", "run", "--metric", "acuracy"], "did you mean `accuracy`?"),
        (["compare", "nowhere", "--baseline", "right"], "cannot read `nowhere/summary.csv`"),
    ] {
        let (code, _, found) = examiner(directory.path(), &arguments);
        assert_eq!(code, Some(2), "{found}");
        assert!(found.contains(said), "{found}");
    }
}

#[test]
fn a_model_that_failed_is_told_and_not_compared() {
    let directory = tempfile::tempdir().unwrap();
    let suite = suite(
        "  good: { plugin: adder }\n  bad: { plugin: adder, fault: panic-at-open }\n",
        "  sums: { plugin: numbers, rows: 4 }\n",
    );
    assert_eq!(run(directory.path(), &suite, &["--out", "run"]).status.code(), Some(1));
    let (code, table, _) = examiner(directory.path(), &["compare", "run", "--baseline", "good"]);
    assert_eq!(code, Some(1));
    assert!(table.contains("failed [1]") && table.contains("not today"), "{table}");
}
