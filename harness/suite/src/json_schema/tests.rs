//! The schema beside the reader: both know the same keys, and take and refuse the same texts.

use super::json_schema;
use crate::load_text;
use crate::sections::{TOP_LEVEL, harness_keys};
use examiner_api::{PluginInfo, RoleInfo, RoleKind};
use jsonschema::Validator;
use serde_json::{Value, json};

/// Two plugins with roles of each kind, and one role that both have.
fn plugins() -> Vec<PluginInfo> {
    let options = json!({
        "type": "object",
        "properties": {
            "checkpoint": { "type": "string" },
            "rows": { "type": "integer", "minimum": 1 },
            "dtype": { "enum": ["f32", "f16"] }
        },
        "additionalProperties": false
    });
    let role = |kind, name: &str| RoleInfo {
        kind,
        name: name.to_owned(),
        summary: format!("About {name}."),
        options: options.clone(),
        checkpoint_option: None,
    };
    let kinds = [
        (RoleKind::Model, "model"),
        (RoleKind::Dataset, "dataset"),
        (RoleKind::Scorer, "scorer"),
        (RoleKind::Recipe, "recipe"),
        (RoleKind::Trainer, "trainer"),
        (RoleKind::Exporter, "exporter"),
    ];
    let plugin = |name: &str, roles: Vec<RoleInfo>| PluginInfo { name: name.into(), version: "1".into(), roles };
    let mut one: Vec<RoleInfo> = kinds.into_iter().map(|(kind, name)| role(kind, name)).collect();
    one.push(role(RoleKind::Model, "both"));
    vec![plugin("one", one), plugin("two", vec![role(RoleKind::Model, "both")])]
}

fn rule() -> Value {
    json!({ "type": "object", "properties": { "model": { "type": "string" } }, "additionalProperties": false })
}

fn validators() -> [Validator; 2] {
    let compiled = |schema: Value| {
        jsonschema::meta::validate(&schema).map_err(|error| error.to_string()).unwrap();
        jsonschema::validator_for(&schema).unwrap()
    };
    [compiled(json_schema(Some(&plugins()), rule())), compiled(json_schema(None, rule()))]
}

fn instance(text: &str) -> Value {
    serde_yaml::from_str(text).unwrap()
}

/// Whether the reader takes the text, the schema with the plugins, and the one without.
fn taken(text: &str, [with_plugins, generic]: &[Validator; 2]) -> [bool; 3] {
    let read = load_text("suite.yaml".as_ref(), text.to_owned(), &[], &|_| Some("value".to_owned())).is_ok();
    let instance = instance(text);
    [read, with_plugins.is_valid(&instance), generic.is_valid(&instance)]
}

#[test]
fn it_has_the_keys_of_the_reader() {
    let schema = json_schema(Some(&plugins()), rule());
    let keys = |value: &Value| {
        let mut keys: Vec<String> = value.as_object().unwrap().keys().cloned().collect();
        keys.sort();
        keys
    };
    let sorted = |names: &[&str]| {
        let mut names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        names.sort();
        names
    };
    assert_eq!(keys(&schema["properties"]), sorted(&TOP_LEVEL));
    for section in ["models", "datasets", "teach", "train", "export"] {
        assert_eq!(keys(&schema["$defs"][section]["properties"]), sorted(harness_keys(section)), "{section}");
    }
    for (key, value) in schema["properties"].as_object().unwrap() {
        assert!(value["description"].is_string(), "`{key}` has no description");
    }
}

/// Every form of every key.
const GOOD: &str = "\
name: good-1.2_x
seed: 18446744073709551615
parallel: 2
fail_on_error: 0.25
on_truncation: error
isolate: { deadline_s: 0.5, memory_mib: 100, deaths: }
paths: working-directory
reuse: outputs
hub_mirror: mirror
vars: { number: 3, way: f16, yes: true, data: \"${env.DATA}/x\" }
plugins: { one: { path: /x.so, sha256: \"0123456789abcdefABCDEF0123456789abcdef0123456789abcdef0123456789\" }, two: {} }
models:
  a: { plugin: model, checkpoint: x, rows: \"${vars.number}\", dtype: \"${vars.way}\" }
  b: { plugin: { name: both, from: two }, rows: 1, dtype: f32 }
  c: { plugin: model, checkpoint: \"${train.t}/x\" }
  d: { plugin: \"${vars.way}\", whatever: 1 }
datasets:
  d:
    plugin: dataset
    rows: 7
    scorer: [scorer, { name: scorer, label: other, rows: 2 }, { name: { name: scorer, from: one }, label: third }]
    shots: \"${vars.number}\"
    shots_from: random
    contamination: keep
    repeats: 2
    limit: 1
    generation: { max_new_tokens: 1, temperature: 0, top_k: 0, top_p: 1, repetition_penalty: 1.5, stop: x }
  e: { plugin: dataset, scorer: scorer, generation: { stop: [\"a\", \"$${b}\"] }, shots: , limit: }
teach: { r: { recipe: recipe, teacher: a, rows: 3 } }
train:
  t: { trainer: trainer, from: a, data: { dataset: d, as: answers, match_rows: true } }
  u: { trainer: { name: trainer, from: one }, data: \"${teach.r}\", dtype: f16 }
export: { x: { exporter: exporter, from: \"${train.t}\" } }
evaluate:
  - { models: all, datasets: [d], scorer: { name: scorer } }
  - { models: [a, b], datasets: e }
report: { figure: r.svg, baseline: a }
gate: { model: a }
";

#[test]
fn what_is_read_is_valid() {
    let validators = validators();
    assert_eq!(taken(GOOD, &validators), [true; 3], "{:?}", validators[0].iter_errors(&instance(GOOD)).next());
    for text in [
        "name: n\n",
        "name: \"${env.NAME}\"\nseed:\nmodels:\nevaluate:\nisolate: false\nfail_on_error: true\n",
        "name: n\nfail_on_error: 3\nisolate: true\ngate:\n",
        "name: n\nmodels: { m: { plugin: model } }\ndatasets: { d: { plugin: dataset, scorer: [] } }\n\
         evaluate: { models: m, datasets: d }\ngate: [{ model: m }, { model: m }]\n",
    ] {
        assert_eq!(taken(text, &validators), [true; 3], "{text}");
    }
}

#[test]
fn what_is_wrong_by_its_form_is_refused_by_all() {
    let validators = validators();
    for (from, to) in [
        ("name: good-1.2_x\n", ""),
        ("name: good-1.2_x", "name: a/b"),
        ("name: good-1.2_x", "name: .hidden"),
        ("name: good-1.2_x", "name: 7"),
        ("seed: 18446744073709551615", "seed: -1"),
        ("seed: 18446744073709551615", "sed: 1"),
        ("parallel: 2", "parallel: 0"),
        ("parallel: 2", "parallel: many"),
        ("fail_on_error: 0.25", "fail_on_error: 1.5"),
        ("on_truncation: error", "on_truncation: eror"),
        ("deadline_s: 0.5", "deadline_s: 0"),
        ("deadline_s: 0.5", "deadline: 1"),
        ("paths: working-directory", "paths: here"),
        ("reuse: outputs", "reuse: \"${train.t}\""),
        ("reuse: outputs", "reuse: \"${varz.t}\""),
        ("hub_mirror: mirror", "hub_mirror: [mirror]"),
        ("number: 3", "number: [3]"),
        ("path: /x.so", "path: \"\""),
        ("sha256: \"0", "sha256: \"x"),
        ("  a: { plugin: model,", "  a: { plugn: model,"),
        ("  a: { plugin: model,", "  all: { plugin: model,"),
        ("  a: { plugin: model,", "  a b: { plugin: model,"),
        ("{ name: both, from: two }", "{ name: both }"),
        ("{ name: both, from: two }", "{ name: both, from: two, x: 1 }"),
        ("label: other", "label: a/b"),
        ("shots: \"${vars.number}\"", "shots: x"),
        ("shots_from: random", "shots_from: last"),
        ("repeats: 2", "repeats: 0"),
        ("top_p: 1", "top_p: 0"),
        ("top_p: 1", "min_p: 0"),
        ("stop: x", "stop: [1]"),
        ("teacher: a, ", ""),
        ("as: answers, ", ""),
        ("match_rows: true", "match_row: true"),
        ("from: \"${train.t}\"", "form: \"${train.t}\""),
        ("datasets: [d], scorer", "datasets: [], scorer"),
        ("models: [a, b]", "models: [a, a]"),
        ("baseline: a", "base: a"),
    ] {
        assert!(GOOD.contains(from), "{from}");
        assert_eq!(taken(&GOOD.replacen(from, to, 1), &validators), [false; 3], "{to}");
    }
}

#[test]
fn a_plugin_whose_schema_is_not_valid_does_not_spoil_the_others() {
    let mut plugins = plugins();
    plugins[0].roles[0].options = json!({ "properties": { "rows": { "$ref": "#/$defs/Missing" } } });
    let validator = jsonschema::validator_for(&json_schema(Some(&plugins), rule())).unwrap();
    assert!(validator.is_valid(&instance(GOOD)));
    assert!(!validator.is_valid(&instance(&GOOD.replacen("rows: 7", "rows: x", 1))));
}

/// The reader leaves options to the plugins' schemas, and so does the schema without plugins.
#[test]
fn options_are_held_against_the_plugins() {
    let validators = validators();
    for (from, to) in [
        ("rows: 7", "rows: 0"),
        ("rows: 7", "rows: x"),
        ("rows: 7", "rows: \"a ${vars.number}\""),
        ("rows: 7", "row: 7"),
        ("dtype: f32", "dtype: f64"),
        ("rows: 3", "rows: [3]"),
        ("label: other, rows: 2", "label: other, rows: two"),
        ("plugin: model, checkpoint: x", "plugin: mode, checkpoint: x"),
        ("plugin: model, checkpoint: x", "plugin: both, checkpoint: x"),
        ("{ name: both, from: two }", "{ name: both, from: three }"),
        ("scorer: [scorer", "scorer: [scor"),
        ("rows: 1", "checkpont: x"),
    ] {
        assert!(GOOD.contains(from), "{from}");
        assert_eq!(taken(&GOOD.replacen(from, to, 1), &validators), [true, false, true], "{to}");
    }
}
