//! Builds a [`Suite`] from the tree of values, section by section.

use super::datasets::{dataset, scorers};
use super::fields::{Field, Section, check_name};
use super::links::EntryName;
use super::paths::Paths;
use super::policy::{fail_on_error, isolate, on_truncation};
use super::problem::{FieldPath, Problem};
use super::reading::{Reading, options};
use super::stages::{export, teach, train};
use super::tree::Node;
use super::types::*;
use serde_json::Value;
use std::path::PathBuf;

/// The keys of a suite.
pub(super) const TOP_LEVEL: [&str; 19] = [
    "name",
    "seed",
    "parallel",
    "fail_on_error",
    "on_truncation",
    "isolate",
    "paths",
    "reuse",
    "hub_mirror",
    "vars",
    "plugins",
    "models",
    "datasets",
    "teach",
    "train",
    "export",
    "evaluate",
    "report",
    "gate",
];

/// The keys that the harness reads in the entries of a section; all others are options of the plugin.
pub(super) fn harness_keys(section: &str) -> &'static [&'static str] {
    match section {
        "models" => &["plugin"],
        "datasets" => &["plugin", "scorer", "shots", "shots_from", "contamination", "repeats", "limit", "generation"],
        "teach" => &["recipe", "teacher"],
        "train" => &["trainer", "from", "data"],
        "export" => &["exporter", "from"],
        _ => &[],
    }
}

/// Reads a suite. Fields with problems have placeholders.
pub(super) fn read(root: &Node, vars: Named<Value>, mut paths: Paths, reading: &mut Reading) -> Suite {
    let mut top = match Field::new(FieldPath::default(), root).section(&mut reading.problems) {
        Some(top) => top,
        None => return empty(),
    };
    let problems = &mut reading.problems;
    let name = top.require("name", "the suite's name", problems).and_then(|name| name.name(problems));
    let seed = top.take("seed").and_then(|seed| seed.whole(0, u64::MAX, problems));
    let parallel = top.take("parallel").and_then(|field| field.whole(1, 1024, problems));
    let fail_on_error = top.take("fail_on_error").and_then(|field| fail_on_error(&field, problems));
    let on_truncation = top.take("on_truncation").and_then(|field| on_truncation(&field, problems));
    let isolate = top.take("isolate").map(|field| isolate(&field, problems));
    let begins = [("suite", true), ("working-directory", false)];
    if top.take("paths").and_then(|field| field.one_of(begins, problems)) == Some(false) {
        paths.directory = PathBuf::new();
    }
    let reuse = top.take("reuse").and_then(|field| Some(paths.start(&field.path).join(field.text(problems)?)));
    let hub_mirror =
        top.take("hub_mirror").and_then(|field| Some(paths.start(&field.path).join(field.text(problems)?)));
    top.take("vars");
    let suite = Suite {
        reuse,
        hub_mirror,
        name: name.unwrap_or_default(),
        seed: seed.unwrap_or(0),
        parallel: parallel.map_or(1, |parallel| parallel as usize),
        fail_on_error: fail_on_error.unwrap_or_default(),
        on_truncation: on_truncation.unwrap_or_default(),
        isolate: isolate.unwrap_or_else(|| Some(Isolation::default())),
        vars,
        plugins: named(&mut top, "plugins", reading, plugin),
        models: named(&mut top, "models", reading, model),
        datasets: named(&mut top, "datasets", reading, dataset),
        teach: named(&mut top, "teach", reading, teach),
        train: named(&mut top, "train", reading, train),
        export: named(&mut top, "export", reading, export),
        evaluate: top.take("evaluate").map(|field| evaluations(&field, reading)).unwrap_or_default(),
        report: top.take("report").map(|field| report(&field, reading)).unwrap_or_default(),
        gate: top.take("gate").map(|field| gate(&field, reading)).unwrap_or_default(),
        paths,
    };
    top.finish(&mut reading.problems);
    suite
}

fn empty() -> Suite {
    Suite {
        name: String::new(),
        seed: 0,
        parallel: 1,
        fail_on_error: FailOnError::Never,
        on_truncation: OnTruncation::Report,
        isolate: None,
        vars: Named::new(),
        plugins: Named::new(),
        models: Named::new(),
        datasets: Named::new(),
        teach: Named::new(),
        train: Named::new(),
        export: Named::new(),
        evaluate: Vec::new(),
        report: ReportSpec::default(),
        gate: Vec::new(),
        reuse: None,
        hub_mirror: None,
        paths: Paths::default(),
    }
}

/// Reads a section of named entries, each of them with `read`.
fn named<T>(
    top: &mut Section<'_>,
    key: &'static str,
    reading: &mut Reading,
    read: impl Fn(&str, &mut Section<'_>, &mut Reading) -> Option<T>,
) -> Named<T> {
    let mut items = Named::new();
    let Some(section) = top.take(key).and_then(|field| field.section(&mut reading.problems)) else { return items };
    for (name, node) in section.entries {
        let path = section.path.key(&name.name);
        if let Err(message) = check_name(&name.name) {
            reading.problems.push(Problem::at(&name.at, &path, message));
        } else if name.name == "all" && matches!(key, "models" | "datasets") {
            let message = "the name `all` stands for every one of them in `evaluate`";
            reading.problems.push(Problem::at(&name.at, &path, message).with_help("choose another name"));
        }
        let Some(mut entry) = Field::new(path, node).section(&mut reading.problems) else { continue };
        if let Some(item) = read(&name.name, &mut entry, reading) {
            items.insert(name.name.clone(), item);
        }
    }
    items
}

fn plugin(_: &str, entry: &mut Section<'_>, reading: &mut Reading) -> Option<PluginPin> {
    let problems = &mut reading.problems;
    let path = entry.take("path").and_then(|field| {
        let path = field.text(problems)?;
        if path.is_empty() {
            problems.push(field.problem("expected the path of a library, found an empty text"));
            return None;
        }
        Some(path.into())
    });
    let sha256 = entry.take("sha256").and_then(|field| {
        let digits = field.text(problems)?.to_lowercase();
        if digits.len() == 64 && digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Some(digits);
        }
        problems.push(
            field
                .problem(format!("expected the 64 hexadecimal digits of a SHA-256, found {} characters", digits.len()))
                .with_help("print them with `sha256sum FILE`"),
        );
        None
    });
    entry.finish(problems);
    Some(PluginPin { path, sha256 })
}

fn model(name: &str, entry: &mut Section<'_>, reading: &mut Reading) -> Option<ModelSpec> {
    let plugin = entry.require("plugin", "the name of a model plugin", &mut reading.problems);
    let plugin = plugin.and_then(|plugin| plugin.role(&mut reading.problems));
    let options = options(entry, EntryName::model(name), reading);
    Some(ModelSpec { plugin: plugin?, options })
}

/// Rules about models and datasets of the suite. What else a rule can say is not known here.
fn gate(field: &Field<'_>, reading: &mut Reading) -> Vec<Options> {
    let mut rules = Vec::new();
    for item in field.items() {
        let Some(section) = item.section(&mut reading.problems) else { continue };
        rules.push(section.rest());
    }
    rules
}

fn evaluations(field: &Field<'_>, reading: &mut Reading) -> Vec<Evaluation> {
    let mut evaluations = Vec::new();
    let mut seen: std::collections::HashMap<(String, String, Vec<String>), FieldPath> = Default::default();
    for item in field.items() {
        let Some(mut section) = item.section(&mut reading.problems) else { continue };
        let models = section.require("models", "names of models, or `all`", &mut reading.problems);
        let models = models.map(|field| chosen(&field, "models", reading)).unwrap_or_default();
        let datasets = section.require("datasets", "names of datasets, or `all`", &mut reading.problems);
        let datasets = datasets.map(|field| chosen(&field, "datasets", reading)).unwrap_or_default();
        let owner = EntryName::new("evaluate", &item.path.to_string());
        let scorers = section.take("scorer").map(|field| scorers(&field, &owner, reading)).unwrap_or_default();
        section.finish(&mut reading.problems);
        let labels: Vec<String> = scorers.iter().map(|scorer| scorer.label.clone()).collect();
        for (model, dataset) in models.iter().flat_map(|model| datasets.iter().map(move |dataset| (model, dataset))) {
            let key = (model.clone(), dataset.clone(), labels.clone());
            if let Some(earlier) = seen.insert(key, item.path.clone()) {
                let message = format!("`{model}` on `{dataset}` stands in `{earlier}` already");
                reading.problems.push(item.problem(message).with_help("leave it out of one of the two"));
            }
        }
        evaluations.push(Evaluation { models, datasets, scorers });
    }
    evaluations
}

/// Names of a section's entries, `all` written out.
fn chosen(field: &Field<'_>, section: &'static str, reading: &mut Reading) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    let items = field.items();
    if items.is_empty() {
        reading.problems.push(field.problem(format!("expected at least one of the {section}, found an empty list")));
    }
    for item in items {
        let Some(name) = item.text(&mut reading.problems) else { continue };
        if name == "all" {
            let all = reading.names.of(section);
            names.extend(all.into_iter().filter(|name| !names.contains(name)).collect::<Vec<_>>());
        } else if names.contains(&name) {
            reading
                .problems
                .push(item.problem(format!("`{name}` stands here twice")).with_help("remove one of the two"));
        } else if reading.names.has(section, &name) {
            names.push(name);
        } else {
            let problem = reading.names.unknown(&item, section, &name);
            reading.problems.push(problem);
        }
    }
    names
}

fn report(field: &Field<'_>, reading: &mut Reading) -> ReportSpec {
    let Some(mut section) = field.section(&mut reading.problems) else { return ReportSpec::default() };
    let figure = section.take("figure").and_then(|figure| figure.text(&mut reading.problems)).map(Into::into);
    let baseline = section.take("baseline").and_then(|field| {
        let name = field.text(&mut reading.problems)?;
        if reading.names.has("models", &name) {
            return Some(name);
        }
        let problem = reading.names.unknown(&field, "models", &name);
        reading.problems.push(problem);
        None
    });
    section.finish(&mut reading.problems);
    ReportSpec { figure, baseline }
}
