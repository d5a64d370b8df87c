//! A suite of any text, with the changes of `--set` and without: no panic, and places that lie in the text.
//!
//! Lines that begin with `--set ` are changes, the rest is the suite.
#![no_main]

use examiner_suite::{Override, load_text};
use examiner_fuzz::sow;
use libfuzzer_sys::fuzz_target;
use std::path::Path;

const DISTILL: &str = "\
name: t
seed: 7
vars: { n: 3, path: data }
fail_on_error: 5%
plugins: { echo: { path: x.so, sha256: 0000000000000000000000000000000000000000000000000000000000000000 } }
models:
  a: { plugin: echo, checkpoint: \"${vars.path}/a\", key: \"${env:KEY}\" }
  b: { plugin: candle, checkpoint: \"${train.s}\" }
  c: { plugin: onnx, checkpoint: \"${export.s}\" }
teach: { t: { recipe: bbh, teacher: a, shots: 3 } }
train:
  s: { trainer: candle, from: a, data: \"${teach.t}\", epochs: 3, lr: 5e-5 }
  v: { trainer: candle, from: a, data: { dataset: d, as: answers, match_rows: t } }
export: { s: { exporter: onnx, from: \"${train.s}\" } }
datasets:
  d: &d
    plugin: table
    path: d.jsonl
    scorer: [{ name: perplexity-choice, normalize: sum }, answer-extraction]
    shots: 2
    repeats: 4
    generation: { max_new_tokens: 64, temperature: 0.7, stop: [\"\\n\", |
      two
      ] }
  e: { <<: *d, limit: 10 }
evaluate:
  - { models: all, datasets: [d, e] }
report: { figure: figs/result.svg, baseline: a }
";

fuzz_target!(
    init: sow("suite", [
        ("whole".to_owned(), DISTILL.as_bytes().to_vec()),
        ("set".to_owned(), format!("--set datasets.d.shots=3\n--set n=[1, {{a: b}}]\n--set evaluate.0.models=[a, b]\n{DISTILL}").into_bytes()),
        ("circle".to_owned(), b"name: t\nvars: { a: \"${b}\", b: \"${vars.a}\" }\nmodels: {m: {plugin: p, x: '${train.t}'}}\ntrain: {t: {trainer: x, from: m}}\n".to_vec()),
        ("odd".to_owned(), "\u{feff}? [a, b]\n: !!binary x\n---\n- 0x1F\n- .nan\n- ~\n- 1_000\n- 'a: b'\n- \"\\u00e9\"\n".as_bytes().to_vec()),
    ]),
    |data: &[u8]| {
        let Ok(text) = std::str::from_utf8(data) else { return };
        let (mut suite, mut changes) = (String::new(), Vec::new());
        for line in text.split_inclusive('\n') {
            match line.strip_prefix("--set ") {
                Some(change) => changes.extend(change.trim_end_matches('\n').parse::<Override>().ok()),
                None => suite.push_str(line),
            }
        }
        let env = |name: &str| (name == "KEY").then(|| "secret".to_owned());
        match load_text(Path::new("s.yaml"), suite.clone(), &changes, &env) {
            Ok(loaded) => assert_eq!(loaded.text, suite),
            Err(problems) => {
                assert!(!problems.0.is_empty());
                // A line of YAML may end in a carriage return alone.
                let lines = suite.split(['\n', '\r']).count() + 1;
                for problem in &problems.0 {
                    let inside = |at: &examiner_suite::Position| at.line <= lines;
                    assert!(problem.position.as_ref().is_none_or(inside), "{problems}");
                }
                assert!(!problems.to_string().is_empty());
            }
        }
    }
);
