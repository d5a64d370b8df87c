//! What is made of a run: comparisons and pictures, by the run itself and afterwards.

use crate::build;
use crate::run::{run, stderr, suite};
use examiner_test_support::checkpoint::TinyGpt2;
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

#[test]
fn samples_are_shown_as_they_were_asked_answered_and_judged() {
    let directory = tempfile::tempdir().unwrap();
    examined(directory.path(), "");
    let (code, shown, said) = examiner(directory.path(), &["show", "run", "--model", "wrong", "--wrong"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(shown.starts_with("`3` of `sums`, answered by `wrong`"), "{shown}");
    assert!(
        shown.contains("\nright\n    6\n") && shown.contains("\n    7\n") && shown.contains("accuracy 0"),
        "{shown}"
    );
    assert_eq!(shown.matches(" of `sums`").count(), 1, "{shown}");
    let (_, lines, _) = examiner(directory.path(), &["show", "run", "--json", "--limit", "7", "--model", "right"]);
    let samples = std::fs::read_to_string(directory.path().join("run/samples/right/sums.jsonl")).unwrap();
    assert!(lines.lines().count() == 7 && samples.starts_with(&lines), "{lines}");
    let (code, _, said) = examiner(directory.path(), &["show", "run", "--model", "wrnog"]);
    assert!(code == Some(2) && said.contains("`wrong` on `sums`"), "{said}");
    assert!(examiner(directory.path(), &["show", "run", "--errors"]).2.contains("no sample is so"));
}

/// Few-shot examples are turns, the choices of a question share what stands before them, and rescoring keeps it.
#[test]
fn samples_have_the_prompt_as_the_chat_template_wrote_it() {
    let directory = tempfile::tempdir().unwrap();
    let checkpoint = TinyGpt2::new(serde_json::json!({})).write();
    let template = "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}{% endfor %}<|assistant|>";
    std::fs::write(checkpoint.path().join("chat_template.jinja"), template).unwrap();
    std::fs::write(directory.path().join("rows.jsonl"), "{\"q\": \"one\", \"a\": \"two\"}\n").unwrap();
    let model = |chat: &str| {
        format!(
            "  {chat}: {{ plugin: candle, checkpoint: '{}', device: cpu, chat: {chat} }}\n",
            checkpoint.path().display()
        )
    };
    let table = "plugin: table, path: rows.jsonl, prompt: '{{ q }}', gold: a";
    let suite = format!(
        "name: t\nmodels:\n{}{}datasets:\n  said: {{ {table}, max_new_tokens: 2 }}\n  chosen: {{ {table}, choices: [two, three], scorer: {{ name: \
         perplexity-choice, normalize: sum }} }}\nevaluate: [{{ models: all, datasets: all }}]\n",
        model("true"),
        model("false")
    );
    let output = run(directory.path(), &suite, &["--out", "run"]);
    assert!(output.status.success(), "{}", stderr(&output));
    let sample = |run: &str, model: &str, dataset: &str| -> serde_json::Value {
        let path = directory.path().join(format!("{run}/samples/{model}/{dataset}.jsonl"));
        serde_json::from_str(std::fs::read_to_string(path).unwrap().lines().next().unwrap()).unwrap()
    };
    for dataset in ["said", "chosen"] {
        let chat = sample("run", "true", dataset);
        assert_eq!(chat["rendered"], serde_json::json!(["<|user|>one<|assistant|>"]), "{dataset}");
        assert!(chat["answers"].as_array().unwrap().iter().all(|answer| answer.get("rendered").is_none()), "{chat}");
        assert!(sample("run", "false", dataset).get("rendered").is_none(), "{dataset}");
    }
    let (_, shown, _) = examiner(directory.path(), &["show", "run", "--model", "true", "--dataset", "said"]);
    assert!(shown.contains("asked, as the chat template wrote it\n    <|user|>one<|assistant|>\n"), "{shown}");
    let (code, _, said) = examiner(directory.path(), &["score", "run", "--name", "again"]);
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(sample("run/scores/again", "true", "chosen")["rendered"], sample("run", "true", "chosen")["rendered"]);
}

#[test]
fn two_runs_are_compared_and_gated() {
    let directory = tempfile::tempdir().unwrap();
    let of = |fault: &str, out: &str| {
        let models = format!("  m: {{ plugin: adder, fault: {fault}, at: 0, upto: 4 }}\n");
        let suite = suite(&models, "  sums: { plugin: numbers, rows: 10 }\n");
        assert!(run(directory.path(), &suite, &["--out", out]).status.success());
    };
    of("none", "before");
    of("wrong", "after");
    let (code, table, said) = examiner(directory.path(), &["compare", "before", "after"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(table.contains("m, after") && table.contains("-0.5000") && table.contains("0/5/5"), "{table}");
    let same = examiner(directory.path(), &["compare", "before", "before"]).1;
    assert!(same.contains("0/0/10") && same.contains("1.0000"), "{same}");
    let flipped = examiner(directory.path(), &["show", "after", "--flips", "before", "--limit", "100"]).1;
    assert_eq!(flipped.matches(" of `sums`").count(), 5, "{flipped}");
    assert!(flipped.contains("in the other run"), "{flipped}");

    // The same rules in the suite are judged after the run.
    let gated = |rule: &str| {
        let models = "  m: { plugin: adder, fault: wrong, at: 0, upto: 4 }\n";
        let suite = suite(models, "  sums: { plugin: numbers, rows: 10 }\n");
        let suite = format!("{suite}gate:\n  - {{ model: m, dataset: sums, {rule} }}\n");
        let output = run(directory.path(), &suite, &["--out", "after"]);
        (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned() + &stderr(&output))
    };
    let (code, said) = gated("at_least: 0.5");
    assert!(code == Some(0) && said.contains("ok     m on sums, accuracy: 0.5000, at least 0.5"), "{said}");
    assert!(said.contains("going on in `after`"), "rules are no part of what a suite is: {said}");
    let (code, said) = gated("against: before");
    assert!(code == Some(1) && said.contains("failed: gate: m on sums, accuracy: -0.5000"), "{said}");
    assert_eq!(examiner(directory.path(), &["gate", "after"]).0, Some(1));
    for (rule, words) in [
        ("at_leats: 0.5", "unknown field `at_leats`"),
        ("metric: accuracy", "expected one of `at_least`, `at_most` and `against`"),
    ] {
        let (code, said) = gated(rule);
        assert!(code == Some(2) && said.contains("gate.0") && said.contains(words), "{rule}: {said}");
    }

    let gate = |rule: &str| {
        let rule = format!("rules:\n  - {{ model: m, dataset: sums, {rule} }}\n");
        std::fs::create_dir_all(directory.path().join("rules")).unwrap();
        std::fs::write(directory.path().join("rules/gate.yaml"), rule).unwrap();
        examiner(directory.path(), &["gate", "after", "--policy", "rules/gate.yaml"])
    };
    for (rule, code, word) in [
        ("at_least: 0.5", 0, "ok"),
        ("at_least: 0.6", 1, "BROKEN"),
        ("against: ../before, by: value, drop_at_most: 0.5", 0, "ok"),
        ("against: ../before", 1, "BROKEN"),
    ] {
        let (found, said, error) = gate(rule);
        assert_eq!((found, said.split(' ').next()), (Some(code), Some(word)), "{rule}: {said}{error}");
    }
    assert_eq!(gate("at_laest: 0.5").0, Some(2));
}

#[test]
fn runs_are_listed_and_removed() {
    let directory = tempfile::tempdir().unwrap();
    let suite = suite("  m: { plugin: adder }\n", "  sums: { plugin: numbers, rows: 3 }\n");
    for _ in 0..3 {
        assert!(run(directory.path(), &suite, &["--fresh"]).status.success());
    }
    let names = || {
        let list = examiner(directory.path(), &["runs"]).1;
        assert!(list.starts_with("run "), "{list}");
        list.lines().skip(1).map(|line| line.split(' ').next().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let all = names();
    assert_eq!(all.len(), 3);
    let (code, use_of_disk, _) = examiner(directory.path(), &["runs", "du"]);
    let lines: Vec<&str> = use_of_disk.lines().collect();
    assert!(code == Some(0) && lines[0].starts_with("run ") && lines.len() == 2 + all.len(), "{use_of_disk}");
    assert!(lines.last().is_some_and(|line| line.starts_with("all ")), "{use_of_disk}");
    assert_eq!(examiner(directory.path(), &["runs", "rm", &all[2]]).0, Some(0));
    assert_eq!(names(), all[..2]);
    assert_eq!(std::fs::read_link(directory.path().join("outputs/latest")).unwrap(), Path::new(&all[1]));
    let (code, _, said) = examiner(directory.path(), &["runs", "rm", "gone"]);
    assert!(code == Some(2) && said.contains(&all[0]), "{said}");
    assert_eq!(examiner(directory.path(), &["runs", "prune", "--keep", "1"]).0, Some(0));
    assert_eq!(names(), all[1..2]);
}

#[test]
fn results_are_printed_for_people_programs_and_pull_requests() {
    let directory = tempfile::tempdir().unwrap();
    let suite = suite("  m: { plugin: adder, fault: wrong, at: 3 }\n", "  sums: { plugin: numbers, rows: 10 }\n");
    assert!(run(directory.path(), &suite, &["--out", "run"]).status.success());
    let report = |arguments: &[&str]| examiner(directory.path(), &[&["report", "run"], arguments].concat());
    assert!(report(&[]).1.contains("| 0.900 [0.596, 0.982] |"), "{}", report(&[]).1);
    let json: serde_json::Value = serde_json::from_str(&report(&["--json"]).1).unwrap();
    let whole = json["results"].as_array().unwrap().iter().find(|row| row["subset"] == "all").unwrap();
    assert_eq!((&whole["value"], &whole["n"], &json["status"]), (&0.9.into(), &10.into(), &"complete".into()));
    let github = report(&["--format", "github"]).1;
    assert!(github.starts_with("### `t`\n\n:white_check_mark: complete"), "{github}");
    assert_eq!(report(&["--format", "csv"]).1, report(&["--csv"]).1);
    assert_eq!(report(&["--json", "--csv"]).0, Some(2));
    // A figure in another format would be missed only when it is looked for.
    for refused in [&["plot", "run", "--out", "p.pdf"][..], &["run", "suite.yaml", "--set", "report.figure=p.pdf"]] {
        let (code, _, said) = examiner(directory.path(), refused);
        assert!(code == Some(2) && said.contains("no figure can be drawn as PDF, expected `.svg` or `.png`"), "{said}");
    }
    assert!(!directory.path().join("p.svg").exists() && !directory.path().join("outputs").exists());
    assert_eq!(examiner(directory.path(), &["plot", "run"]).0, Some(0));
    assert!(directory.path().join("run/figs/result.svg").exists());
}

#[test]
fn a_run_is_moved_and_latest_follows() {
    let directory = tempfile::tempdir().unwrap();
    let suite = suite("  m: { plugin: adder }\n", "  sums: { plugin: numbers, rows: 3 }\n");
    for _ in 0..2 {
        assert!(run(directory.path(), &suite, &["--fresh"]).status.success());
    }
    let latest = || std::fs::read_link(directory.path().join("outputs/latest")).unwrap().display().to_string();
    let (newest, mv) = (latest(), |from: &str, to: &str| examiner(directory.path(), &["runs", "mv", from, to]));
    assert_eq!(mv(&newest, "good").0, Some(0));
    assert_eq!(latest(), "good");
    assert_eq!(examiner(directory.path(), &["report"]).0, Some(0));
    let (code, _, said) = mv("good", "good");
    assert!(code == Some(2) && said.contains("is there already"), "{said}");
    // Out of the directory of runs: the other one is the newest then.
    assert_eq!(mv("good", "kept/elsewhere").0, Some(0));
    assert!(directory.path().join("kept/elsewhere/summary.csv").exists());
    assert!(directory.path().join("outputs").join(latest()).join("summary.csv").exists());
    let (code, _, said) = mv("none", "x");
    assert!(code == Some(2) && said.contains("has no run `none`"), "{said}");
}

#[test]
fn a_run_that_answers_nothing_leaves_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let good = suite("  m: { plugin: adder }\n", "  sums: { plugin: numbers, rows: 3 }\n");
    assert!(run(directory.path(), &good, &[]).status.success());
    let latest = std::fs::read_link(directory.path().join("outputs/latest")).unwrap();
    let runs = || std::fs::read_dir(directory.path().join("outputs")).unwrap().count();
    let before = runs();
    for fault in ["panic-at-open", "refused, at: 0"] {
        let bad =
            suite(&format!("  m: {{ plugin: adder, fault: {fault} }}\n"), "  sums: { plugin: numbers, rows: 3 }\n");
        let output = run(directory.path(), &bad, &["--fresh"]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains("failed: evaluate/m/sums") && said.contains("no directory is left"), "{said}");
        assert!(!said.contains("(log: `"), "a log that is gone: {said}");
        assert_eq!(runs(), before, "{said}");
        assert_eq!(std::fs::read_link(directory.path().join("outputs/latest")).unwrap(), latest);
        // A directory that was named stays.
        assert_eq!(run(directory.path(), &bad, &["--out", "named", "--fresh"]).status.code(), Some(1));
        assert!(directory.path().join("named/summary.csv").exists());
    }
}

#[test]
fn shells_and_manual_pages_know_the_commands() {
    let directory = tempfile::tempdir().unwrap();
    for shell in ["bash", "zsh", "fish"] {
        let (code, script, said) = examiner(directory.path(), &["completions", shell]);
        assert!(code == Some(0) && script.contains("prune") && script.contains("baseline"), "{shell}: {said}");
    }
    assert_eq!(examiner(directory.path(), &["man", "pages"]).0, Some(0));
    let page = std::fs::read_to_string(directory.path().join("pages/examiner-compare.1")).unwrap();
    assert!(page.contains("baseline") && page.starts_with(".ie"), "{page}");
}
