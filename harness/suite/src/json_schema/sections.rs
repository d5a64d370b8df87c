//! The sections of a suite and the keys that the harness reads in them.

use super::roles::{entry, scorer};
use super::values::{described, mapping, name, named, number, one_or_several, optional, text, whole, words};
use examiner_api::{PluginInfo, RoleKind};
use serde_json::{Map, Value, json};

/// The keys of a suite but `gate`. The schemas of entries are added to `defs`.
pub(super) fn properties(plugins: Option<&[PluginInfo]>, defs: &mut Map<String, Value>) -> Map<String, Value> {
    let scorers = scorer(plugins, defs);
    defs.insert("scorers".to_owned(), one_or_several(scorers));
    let model =
        entry(plugins, RoleKind::Model, "models", ("plugin", "The plugin of the model."), Map::new(), &[], defs);
    let dataset_key = ("plugin", "The plugin that reads the dataset.");
    let dataset = entry(plugins, RoleKind::Dataset, "datasets", dataset_key, dataset_keys(), &[], defs);
    let recipe_key = ("recipe", "The recipe: what is asked, and what a row says.");
    let teach = entry(plugins, RoleKind::Recipe, "teach", recipe_key, teach_keys(), &["teacher"], defs);
    let trainer_key = ("trainer", "The plugin that trains.");
    let train = entry(plugins, RoleKind::Trainer, "train", trainer_key, train_keys(), &["data"], defs);
    let exporter_key = ("exporter", "The plugin that exports.");
    let export = entry(plugins, RoleKind::Exporter, "export", exporter_key, export_keys(), &["from"], defs);

    let mut properties = run_keys();
    let mut add = |key: &str, description: &str, schema: Value| {
        properties.insert(key.to_owned(), described(description, optional(schema)));
    };
    add("vars", "Values for `${vars.NAME}`.", named(json!({ "type": ["string", "number", "boolean"] })));
    let plugins = "Where particular plugins come from, and what their files must be.";
    add("plugins", plugins, named(pin()));
    add("models", "The models, by name.", but_all(named(model)));
    add("datasets", "The datasets, by name.", but_all(named(dataset)));
    add(
        "teach",
        "Stages that make files of training rows by asking a model; `${teach.NAME}` is the file.",
        named(teach),
    );
    add("train", "Stages that train; `${train.NAME}` is the checkpoint.", named(train));
    add("export", "Stages that convert checkpoints; `${export.NAME}` is the result.", named(export));
    add("evaluate", "Which models are examined on which datasets.", one_or_several(evaluation()));
    add("report", "What is reported.", report());
    properties
}

/// The keys that say how a suite is run.
fn run_keys() -> Map<String, Value> {
    let fail_on_error = json!({ "anyOf": [
        { "type": "boolean" },
        { "type": "integer", "minimum": 0 },
        { "type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1 },
        { "$ref": "#/$defs/variable" },
    ] });
    let on_truncation = words(&[
        ("report", "It counts, and is reported; a model on a dataset of which no sample fits fails."),
        ("error", "It is an error of the sample."),
        ("allow", "It counts, and is reported, even if no sample fits."),
    ]);
    let paths = words(&[
        ("suite", "Relative paths begin at the suite's file."),
        ("working-directory", "Relative paths begin in the working directory."),
    ]);
    let mut isolate = json!({ "anyOf": [{ "type": "boolean" }, { "$ref": "#/$defs/variable" }] });
    if let Some(Value::Array(branches)) = isolate.get_mut("anyOf") {
        branches.push(isolation());
    }
    let keys: [(&str, &str, Value); 8] = [
        ("seed", "Key of all random numbers; 0 by default.", whole(0, u64::MAX)),
        ("parallel", "How many local models may be resident at a time; 1 by default.", whole(1, 1024)),
        (
            "fail_on_error",
            "When samples without an answer make a model on a dataset fail: `true` at the first, `false` never, more than a share below 1, \
             or more than a whole number. `false` by default.",
            fail_on_error,
        ),
        (
            "on_truncation",
            "What becomes of a sample that is longer than the model's context, so that the model reads its end alone; `report` by default.",
            on_truncation,
        ),
        (
            "isolate",
            "`false` runs the roles of plugins in the program itself, for a debugger; a mapping says when their processes are ended.",
            isolate,
        ),
        ("paths", "Where relative paths begin; `suite` by default.", paths),
        (
            "reuse",
            "A directory of runs, `outputs` say: a new run begins with the answers of earlier ones to the very same questions.",
            text(),
        ),
        (
            "hub_mirror",
            "A directory with repositories, `ORG/NAME/README.md`, that is read instead of the Hugging Face hub.",
            text(),
        ),
    ];
    let mut all =
        Map::from_iter([("name".to_owned(), described("The suite's name; names of runs begin with it.", name()))]);
    all.extend(keys.into_iter().map(|(key, what, schema)| (key.to_owned(), described(what, optional(schema)))));
    all
}

fn isolation() -> Value {
    let deadline =
        "A process that gives neither a result nor another sign of work for so many seconds is ended; 600 by default.";
    let memory =
        "A process that uses more MiB is ended; by default nine tenths of the machine's or container's memory.";
    let deaths = "When so many samples in a row have ended the process, each alone, the model on the dataset is given up; 3 by default.";
    let seconds = number(json!({ "exclusiveMinimum": 0, "exclusiveMaximum": 1e9 }));
    let properties = json!({
        "deadline_s": described(deadline, optional(seconds)),
        "memory_mib": described(memory, optional(whole(1, u64::MAX / 1024))),
        "deaths": described(deaths, optional(whole(1, 1_000_000))),
    });
    mapping(properties, &[])
}

fn pin() -> Value {
    let file = json!({ "allOf": [text(), { "minLength": 1 }] });
    let digits = json!({ "type": "string", "pattern": r"^([0-9A-Fa-f]{64}|.*\$\{.*)$" });
    let properties = json!({
        "path": described("The library; it stands before what lies in a directory of plugins.", optional(file)),
        "sha256": described("What `sha256sum FILE` must print.", optional(digits)),
    });
    mapping(properties, &[])
}

fn dataset_keys() -> Map<String, Value> {
    let shots_from = words(&[
        ("first", "The first of the pool for every question, so that a model reads them once."),
        ("random", "Drawn from the pool by the seed and the question's id."),
    ]);
    let contamination = words(&[
        ("leave-out", "Another example takes its place."),
        ("keep", "It stays, as in numbers of others that are to be reproduced."),
    ]);
    let keys = [
        (
            "scorer",
            "A scorer's name, a mapping with its options, or a list of those; by default the dataset's own.",
            scorers(),
        ),
        ("shots", "How many examples stand before a question.", whole(0, 10_000)),
        ("shots_from", "How the examples are chosen; `first` by default.", shots_from),
        (
            "contamination",
            "What becomes of an example that is the question itself; `leave-out` by default.",
            contamination,
        ),
        ("repeats", "How often each question is asked; 1 by default.", whole(1, 1_000_000)),
        ("limit", "At most so many questions, from the start.", whole(1, u64::MAX)),
        ("generation", "How answers are generated, where it differs from what the dataset says.", generation()),
    ];
    keys.into_iter().map(|(key, what, schema)| (key.to_owned(), described(what, optional(schema)))).collect()
}

fn scorers() -> Value {
    json!({ "anyOf": [{ "$ref": "#/$defs/scorers" }] })
}

fn generation() -> Value {
    let most = u64::from(u32::MAX);
    let keys: [(&str, &str, Value); 6] = [
        ("max_new_tokens", "At most so many new tokens.", whole(1, most)),
        (
            "temperature",
            "0 takes the most probable token; otherwise logits are divided by it.",
            number(json!({ "minimum": 0, "exclusiveMaximum": 1e6 })),
        ),
        ("top_k", "Only so many of the most probable tokens; 0 for all.", whole(0, most)),
        (
            "top_p",
            "Only the most probable tokens that add up to it; 1 for all.",
            number(json!({ "exclusiveMinimum": 0, "maximum": 1 })),
        ),
        (
            "repetition_penalty",
            "Divides the logits of tokens that have occurred already; 1 for none.",
            number(json!({ "exclusiveMinimum": 0, "exclusiveMaximum": 1e6 })),
        ),
        ("stop", "The answer ends before the first of these texts.", one_or_several(text())),
    ];
    let properties: Map<String, Value> =
        keys.into_iter().map(|(key, what, schema)| (key.to_owned(), described(what, optional(schema)))).collect();
    mapping(Value::Object(properties), &[])
}

fn teach_keys() -> Map<String, Value> {
    Map::from_iter([("teacher".to_owned(), described("The model of this suite that is asked.", text()))])
}

fn train_keys() -> Map<String, Value> {
    let form = "What a row is made of: `answers`, which every dataset has, or another form of the dataset.";
    let match_rows = "`true`, or the name of a stage of `teach`: only samples of which the stage kept a row.";
    let of_dataset = mapping(
        json!({
            "dataset": described("A dataset of this suite.", text()),
            "as": described(form, name()),
            "match_rows": described(match_rows, optional(json!({ "anyOf": [{ "type": "boolean" }, text()] }))),
        }),
        &["dataset", "as"],
    );
    let data = json!({ "anyOf": [{ "type": "string" }, of_dataset] });
    let from = optional(json!({ "type": "string" }));
    Map::from_iter([
        (
            "from".to_owned(),
            described(
                "A model of this suite, a checkpoint, or `${train.NAME}`; without it, training begins from nothing.",
                from,
            ),
        ),
        ("data".to_owned(), described("A file of rows, `${teach.NAME}`, or a dataset of this suite.", data)),
    ])
}

fn export_keys() -> Map<String, Value> {
    let from = json!({ "type": "string" });
    Map::from_iter([("from".to_owned(), described("A model of this suite, a checkpoint, or `${train.NAME}`.", from))])
}

fn evaluation() -> Value {
    let names = json!({ "anyOf": [
        text(),
        { "type": "array", "items": text(), "minItems": 1, "uniqueItems": true },
    ] });
    let scorer = "Scorers that replace those of the datasets, for this entry.";
    let properties = json!({
        "models": described("Names of models, or `all`.", names.clone()),
        "datasets": described("Names of datasets, or `all`.", names),
        "scorer": described(scorer, optional(scorers())),
    });
    mapping(properties, &["models", "datasets"])
}

fn report() -> Value {
    let properties = json!({
        "figure": described("The picture to draw of the results: `figs/result.svg`, say.", optional(text())),
        "baseline": described("The model that the others are compared with.", optional(text())),
    });
    mapping(properties, &[])
}

/// `all` stands for every one of them in `evaluate`.
fn but_all(mut entries: Value) -> Value {
    entries["propertyNames"] = json!({ "$ref": "#/$defs/entry-name", "not": { "const": "all" } });
    entries
}
