use super::*;
use crate::{FieldPath, OptionsSchema};
use insta::assert_snapshot;
use schemars::JsonSchema;
use serde::Deserialize;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[allow(dead_code)]
struct Options {
    /// Where the weights are.
    checkpoint: String,
    device: Option<Device>,
    #[schemars(range(min = 1))]
    batch_tokens: Option<u32>,
    tolerance: Option<f32>,
    #[serde(default)]
    cache: Cache,
    #[serde(default)]
    steps: Vec<Step>,
    data: Option<Data>,
    strict: Option<bool>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum Device {
    /// The processor.
    Cpu,
    /// A GPU.
    Cuda,
}

#[derive(Deserialize, JsonSchema, Default)]
#[serde(deny_unknown_fields, default)]
#[allow(dead_code)]
struct Cache {
    size_mib: u64,
    prefix: bool,
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[allow(dead_code)]
enum Step {
    LastNumber,
    Regex { pattern: String, group: Option<usize> },
}

#[derive(Deserialize, JsonSchema)]
#[serde(untagged)]
#[allow(dead_code)]
enum Data {
    File(String),
    Parts { parts: Vec<String> },
}

fn check(options: &str) -> String {
    let text = format!(
        "name: n\ntrain: {{ t: {{ trainer: c, data: d.jsonl }} }}\nmodels:\n  m:\n    plugin: candle\n{options}"
    );
    let loaded = read(&text);
    let schema = serde_json::to_value(schemars::schema_for!(Options)).unwrap();
    let options = serde_json::Value::Object(loaded.suite.models["m"].options.clone());
    let problems = OptionsSchema::new(&schema).check(&loaded, &FieldPath::of(&["models", "m"]), &options);
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

#[test]
fn good_options_pass() {
    assert_eq!(
        check(
            "    checkpoint: ${train.t}\n    device: cuda\n    tolerance: 1\n    cache: { prefix: true }\n    steps: [last-number, regex: { pattern: x }]\n    data: { parts: [a] }"
        ),
        ""
    );
    // What is yet to be filled in may turn out to be anything that is text.
    assert_eq!(check("    checkpoint: c\n    device: ${train.t}"), "");
}

#[test]
fn all_problems_are_reported_at_once() {
    assert_snapshot!(check("    chekpoint: c\n    device: cudda\n    batch_tokens: 0\n    strict: 'yes'"), @r#"
    s.yaml:6:5: models.m.chekpoint: unknown option, expected one of `checkpoint`, `device`, `batch_tokens`, `tolerance`, `cache`, `steps`, `data`, `strict`, `plugin`
      help: did you mean `checkpoint`?
    s.yaml:7:13: models.m.device: expected one of `cpu`, `cuda`, found the text `cudda`
      help: did you mean `cuda`?
    s.yaml:8:19: models.m.batch_tokens: expected at least 1, found 0
    s.yaml:9:13: models.m.strict: expected `true` or `false`, found the text `yes`
    "#);
}

#[test]
fn missing_options_are_explained() {
    assert_snapshot!(check("    device: cpu"), @r#"
    s.yaml:4:3: models.m: the option `checkpoint` is missing
      help: add `checkpoint:` - Where the weights are.
    "#);
}

#[test]
fn wrong_types_are_named() {
    assert_snapshot!(check("    checkpoint: 7\n    batch_tokens: many\n    tolerance: [1]\n    cache: on\n    device: 3"), @r#"
    s.yaml:6:17: models.m.checkpoint: expected text, found the number `7`
      help: put it into quotes: "7"
    s.yaml:7:19: models.m.batch_tokens: expected a whole number, found the text `many`
    s.yaml:8:16: models.m.tolerance: expected a number, found a list
    s.yaml:9:12: models.m.cache: expected a mapping, found the text `on`
    s.yaml:10:13: models.m.device: expected text, found the number `3`
    "#);
}

#[test]
fn nested_problems_have_their_own_position() {
    assert_snapshot!(check("    checkpoint: c\n    cache: { prefx: true, size_mib: big }\n    steps:\n      - last-numbre\n      - regex: { pattern: x, grup: 1 }\n      - regex: { group: 1 }"), @r#"
    s.yaml:7:14: models.m.cache.prefx: unknown option, expected one of `size_mib`, `prefix`
      help: did you mean `prefix`?
    s.yaml:7:37: models.m.cache.size_mib: expected a whole number, found the text `big`
    s.yaml:9:9: models.m.steps.0: expected `last-number`, found the text `last-numbre`
      help: did you mean `last-number`?
    s.yaml:10:30: models.m.steps.1.regex.grup: unknown option, expected one of `pattern`, `group`
      help: did you mean `group`?
    s.yaml:11:9: models.m.steps.2.regex: the option `pattern` is missing
      help: add `pattern:`
    "#);
}

#[test]
fn a_choice_of_forms_names_them() {
    assert_snapshot!(check("    checkpoint: c\n    data: 5"), @"s.yaml:7:11: models.m.data: expected text or a mapping, found the number `5`");
    assert_snapshot!(check("    checkpoint: c\n    data: { parts: [1] }"), @r#"
    s.yaml:7:21: models.m.data.parts.0: expected text, found the number `1`
      help: put it into quotes: "1"
    "#);
}

#[test]
fn a_key_of_the_harness_is_suggested() {
    assert_snapshot!(check("    checkpoint: c\n    plugn: x"), @r#"
    s.yaml:7:5: models.m.plugn: unknown option, expected one of `checkpoint`, `device`, `batch_tokens`, `tolerance`, `cache`, `steps`, `data`, `strict`, `plugin`
      help: did you mean `plugin`?
    "#);
}

#[test]
fn a_bad_schema_is_reported_as_an_error_of_the_plugin() {
    let loaded = read("name: n\nmodels: { m: { plugin: p } }");
    let schema = serde_json::json!({"type": "nonsense"});
    let problems = OptionsSchema::new(&schema).check(&loaded, &FieldPath::of(&["models", "m"]), &serde_json::json!({}));
    assert_eq!(problems.len(), 1);
    assert!(problems[0].message.contains("schema"), "{}", problems[0]);
}
