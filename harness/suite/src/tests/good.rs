use super::*;
use crate::{Contamination, FailOnError, FieldPath, Isolation, OnTruncation, ShotsFrom, Start, TrainData};
use examiner_api::Sampling;
use serde_json::json;

#[test]
fn the_suite_of_the_documentation_is_read() {
    let loaded = read(DISTILL);
    let suite = &loaded.suite;
    assert_eq!((suite.name.as_str(), suite.seed, suite.parallel), ("cot-distill", 1234, 1));
    let models: Vec<&str> = suite.models.keys().map(String::as_str).collect();
    assert_eq!(models, ["teacher", "original", "vanilla", "student", "student-onnx"]);
    assert_eq!(
        json!(suite.models["student-onnx"].options),
        json!({"checkpoint": "${export.student}", "device": "cuda"})
    );
    assert_eq!(suite.train["vanilla"].from, Some(Start::Model("original".to_owned())));
    assert_eq!(
        suite.train["vanilla"].data,
        TrainData::Dataset { dataset: "bbh".to_owned(), form: "answers".to_owned(), match_rows: None }
    );
    assert_eq!(suite.train["student"].data, TrainData::File("${teach.bbh-cot}".to_owned()));
    assert_eq!(json!(suite.train["student"].options), json!({"epochs": 3, "lr": 5e-5}));
    assert_eq!(suite.export["student"].from, Start::Checkpoint("${train.student}".to_owned()));
    assert_eq!(
        json!(suite.teach["bbh-cot"].options),
        json!({"tasks": "all", "shots": 3, "samples": 1, "keep": "correct"})
    );
    let gsm8k = &suite.datasets["gsm8k"];
    assert_eq!((gsm8k.shots, gsm8k.shots_from, gsm8k.repeats, gsm8k.limit), (Some(8), ShotsFrom::First, 1, None));
    assert_eq!(gsm8k.contamination, Contamination::LeaveOut);
    assert_eq!(gsm8k.scorers[0].name, "answer-extraction");
    assert_eq!(json!(gsm8k.options), json!({"split": "test"}));
    assert_eq!(suite.evaluate[0].datasets, ["gsm8k", "csqa"]);
    assert_eq!(loaded.text, DISTILL);
}

#[test]
fn values_are_found_at_their_positions() {
    let loaded = read(DISTILL);
    let place = |path: &FieldPath| loaded.locate(path).unwrap().to_string();
    assert_eq!(place(&FieldPath::of(&["seed"])), "s.yaml:3:7");
    assert_eq!(place(&FieldPath::of(&["models", "original", "checkpoint"])), "s.yaml:6:47");
    assert_eq!(place(&FieldPath::of(&["evaluate"]).index(0).key("models").index(1)), "s.yaml:22:26");
    // What was not typed is where it could have been.
    assert_eq!(place(&FieldPath::of(&["models", "original", "dtype"])), "s.yaml:6:17");
    assert_eq!(loaded.locate(&FieldPath::of(&["plugins"])), None);
}

#[test]
fn every_optional_field_is_read() {
    let suite = read(
        r#"
name: full
parallel: 2
fail_on_error: 0.5
on_truncation: allow
plugins: { candle: { path: target/libcandle.so, sha256: AAAABBBBCCCCDDDDEEEEFFFF0000111122223333444455556666777788889999 } }
models: { m: { plugin: echo } }
datasets:
  d:
    plugin: table
    scorer:
      - exact
      - { name: exact, label: loose, tolerance: 0.1 }
    shots_from: first
    contamination: keep
    repeats: 4
    limit: 10
    generation: { max_new_tokens: 64, temperature: 0.7, top_k: 5, top_p: 0.9, repetition_penalty: 1.1, stop: "\n" }
evaluate: [{ models: all, datasets: [all], scorer: { name: judge, label: j } }]
"#,
    )
    .suite;
    assert_eq!((suite.parallel, suite.fail_on_error), (2, FailOnError::Share(0.5)));
    assert_eq!(suite.on_truncation, OnTruncation::Allow);
    assert!(suite.plugins["candle"].sha256.as_deref().unwrap().starts_with("aaaabbbb"));
    let d = &suite.datasets["d"];
    assert_eq!((d.shots_from, d.repeats, d.limit), (ShotsFrom::First, 4, Some(10)));
    assert_eq!(d.contamination, Contamination::Keep);
    let labels: Vec<&str> = d.scorers.iter().map(|scorer| scorer.label.as_str()).collect();
    assert_eq!(labels, ["exact", "loose"]);
    assert_eq!(json!(d.scorers[1].options), json!({"tolerance": 0.1}));
    let sampling = d.generation.over(Sampling { seed: 9, ..Sampling::default() });
    assert_eq!((sampling.max_new_tokens, sampling.top_k, sampling.seed), (64, 5, 9));
    assert_eq!(sampling.stop, ["\n"]);
    assert_eq!(suite.evaluate[0].models, ["m"]);
    assert_eq!(suite.evaluate[0].scorers[0].label, "j");
}

#[test]
fn fail_on_error_has_four_forms() {
    let form = |value: &str| read(&format!("name: n\nfail_on_error: {value}")).suite.fail_on_error;
    assert_eq!(form("true"), FailOnError::First);
    assert_eq!(form("false"), FailOnError::Never);
    assert_eq!(form("3"), FailOnError::Count(3));
    assert_eq!(form("0.25"), FailOnError::Share(0.25));
}

#[test]
fn isolate_is_yes_no_or_a_section() {
    let isolate = |rest: &str| read(&format!("name: n\n{rest}")).suite.isolate;
    assert_eq!(isolate(""), Some(Isolation::default()));
    assert_eq!(isolate("isolate: true"), Some(Isolation::default()));
    assert_eq!(isolate("isolate: false"), None);
    let section = Isolation { deadline_s: 2.5, memory_mib: Some(4096), deaths: 3 };
    assert_eq!(isolate("isolate: { deadline_s: 2.5, memory_mib: 4096 }"), Some(section));
}

#[test]
fn anchors_and_merge_keys_work() {
    let suite = read(
        r#"
name: merged
vars: { base: /m }
models:
  one: &one { plugin: candle, checkpoint: "${vars.base}/one", dtype: f32 }
  two: { <<: *one, checkpoint: /m/two }
  three: { <<: [{ dtype: f16 }, *one] }
  four: *one
"#,
    )
    .suite;
    assert_eq!(json!(suite.models["two"].options), json!({"checkpoint": "/m/two", "dtype": "f32"}));
    assert_eq!(json!(suite.models["three"].options), json!({"dtype": "f16", "checkpoint": "/m/one"}));
    assert_eq!(suite.models["four"], suite.models["one"]);
    assert_eq!(suite.models["two"].plugin, "candle");
}

#[test]
fn variables_keep_their_type_and_escapes_wait_for_the_last_substitution() {
    let suite = read(
        r#"
name: v
vars: { n: 3, dir: data }
datasets:
  d: { plugin: table, limit: "${vars.n}", path: "${vars.dir}/${vars.n}.csv", from: "${env.DATA_DIR}", as: "$${x}" }
report: { figure: "$${vars.n}" }
"#,
    )
    .suite;
    let mut options = json!(suite.datasets["d"].options);
    assert_eq!(suite.datasets["d"].limit, Some(3));
    assert_eq!(suite.vars["n"], json!(3));
    assert!(crate::references(&options).is_empty());
    crate::substitute(&mut options, |_| None);
    assert_eq!(options, json!({"path": "data/3.csv", "from": "/srv/${data}", "as": "${x}"}));
    assert_eq!(suite.report.figure.unwrap().to_str(), Some("${vars.n}"));
}

#[test]
fn overrides_change_the_named_field() {
    let text = r#"
name: o
vars: { data: data/bbh }
models: { gpt-4.1: { plugin: openai }, m: { plugin: candle, checkpoint: a } }
datasets: { d: { plugin: bbh, path: "${vars.data}" } }
evaluate: [{ models: [m], datasets: d }]
"#;
    let set = [
        "data=/x",
        "seed=7",
        "models.gpt-4.1.model=gpt-4.1-mini",
        "evaluate.0.models=[m, gpt-4.1]",
        "models.m.checkpoint=/c",
        "datasets.d.generation.stop=[a]",
        "report.figure=f.svg",
        "report.baseline=m",
    ];
    let suite = read_with(text, &set).unwrap_or_else(|problems| panic!("{problems}")).suite;
    assert_eq!(json!(suite.datasets["d"].options), json!({"path": "/x"}));
    assert_eq!(suite.seed, 7);
    assert_eq!(json!(suite.models["gpt-4.1"].options), json!({"model": "gpt-4.1-mini"}));
    assert_eq!(json!(suite.models["m"].options), json!({"checkpoint": "/c"}));
    assert_eq!(suite.evaluate[0].models, ["m", "gpt-4.1"]);
    assert_eq!(suite.datasets["d"].generation.stop, Some(vec!["a".to_owned()]));
    assert_eq!(suite.report.figure.unwrap().to_str(), Some("f.svg"));
    assert_eq!(suite.report.baseline.as_deref(), Some("m"));
}

#[test]
fn byte_order_marks_and_windows_line_ends_are_accepted() {
    let loaded = read("\u{feff}name: w\r\nseed: 2\r\n");
    assert_eq!((loaded.suite.name.as_str(), loaded.suite.seed), ("w", 2));
}

/// The structure comes from one parser and the types from another, so they are compared on a text with many forms.
#[test]
fn values_are_those_of_serde_yaml() {
    let text = r#"
a: [1, -2, 0x1F, 0o17, 1e3, 5e-5, 1_000, 007, 1.0, .5, ~, null, true, False, yes, on, "1", '2', 2024-01-01, 12:30]
b: {x: |
   block
     text
  , y: z}
"#;
    let plain = "a: >\n  folded\n  text\n\n  more\nb: |-\n  kept\n   lines\nc: !!str 5\nd: plain\n  over lines\n";
    for text in [text.replace("|\n   block\n     text\n  ,", "w,").as_str(), plain] {
        let mut problems = Vec::new();
        let ours = crate::yaml::parse(&"t".into(), text, &mut problems).unwrap().unwrap().to_json();
        let theirs: serde_json::Value = serde_yaml::from_str(text).unwrap();
        assert_eq!(ours, theirs);
        assert!(problems.is_empty());
    }
}

#[test]
fn every_suite_of_the_repository_is_read() {
    let configs = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../configs");
    let mut count = 0;
    for entry in std::fs::read_dir(&configs).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "yaml") {
            count += 1;
            let text = std::fs::read_to_string(&path).unwrap();
            let env = |_: &str| Some("value".to_owned());
            if let Err(problems) = load_text(&path, text, &[], &env) {
                panic!("{problems}");
            }
        }
    }
    assert!(count >= 3, "only {count} suites in `{}`", configs.display());
}

#[test]
fn the_scorers_of_every_examination_can_be_set() {
    let one = "name: s\nmodels: { m: { plugin: p } }\ndatasets: { d: { plugin: p }, e: { plugin: p } }\n";
    let several = "evaluate:\n  - { models: m, datasets: d }\n  - { models: m, datasets: e, scorer: other }\n";
    for (evaluate, count) in [("evaluate: { models: m, datasets: all }\n", 1), (several, 2)] {
        let text = format!("{one}{evaluate}");
        let keys = read(&text).scorer_keys();
        assert_eq!(keys.len(), count, "{keys:?}");
        let set: Vec<String> = keys.iter().map(|key| format!("{key}=[a, {{ name: b, x: 1 }}]")).collect();
        let set: Vec<&str> = set.iter().map(String::as_str).collect();
        let suite = read_with(&text, &set).unwrap_or_else(|problems| panic!("{problems}")).suite;
        for evaluation in &suite.evaluate {
            let labels: Vec<&str> = evaluation.scorers.iter().map(|scorer| scorer.label.as_str()).collect();
            assert_eq!(labels, ["a", "b"]);
        }
    }
}

/// Each key is looked up once: a second for each, compared with all before it, would take minutes here.
#[test]
fn many_keys_are_read() {
    let lines: String = (0..95_000).map(|n| format!("  v{n}: {n}\n")).collect();
    let suite = read(&format!("name: n\nvars:\n{lines}"));
    assert_eq!(suite.suite.vars.len(), 95_000);
}

#[test]
fn a_role_may_be_named_with_its_plugin() {
    let suite = read("name: n\nmodels:\n  m: { plugin: { name: echo, from: mine }, prefix: p }\n").suite;
    assert_eq!(suite.models["m"].plugin, "mine/echo");
    assert_eq!(suite.models["m"].options["prefix"], "p");
}
