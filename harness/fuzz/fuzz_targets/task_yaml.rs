//! The YAML of a task of any text: no panic that is not caught, and the same value a second time.
#![no_main]

use examiner_fuzz::{let_caught_panics_pass, sow, watch};
use examiner_plugin_lm_eval::{FunctionName, yaml};
use libfuzzer_sys::fuzz_target;

const TASK: &str = r#"include: [_base_yaml, other_yaml]
task: "arc\u00e9"
tag: &tags [a, b]
description: >-
  folded

  text
doc_to_text: |+
  {{ question }}
process_docs: !function utils.process_docs
doc_to_choice: ['no', no, 010, 1_000, 1:30, 1e3, 1.0e+3, .inf, ~, !!str 1, !!null '']
metric_list: [{metric: acc, aggregation: mean}, &m {metric: f1}, {<<: *m, weight: 1}]
dataset_kwargs: {a: 'it''s', ? b : *tags}
"#;

fn read(text: &str) -> Result<String, yaml::YamlError> {
    let function = |spec: &str| Ok(FunctionName { file: "utils.py".into(), name: spec.to_owned() });
    yaml::parse(text, &function).map(|value| format!("{value:?}"))
}

fuzz_target!(
    init: {
        let_caught_panics_pass();
        sow("task_yaml", [("task".to_owned(), TASK.as_bytes().to_vec())]);
    },
    |data: &[u8]| {
        let Ok(text) = std::str::from_utf8(data) else { return };
        watch(|| assert_eq!(read(text), read(text)));
    }
);
