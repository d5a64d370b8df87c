//! From the tree of values to a [`Suite`], section by section.

use super::fields::{Field, Section, check_name};
use super::links::{Graph, Names, Thing};
use super::problem::{FieldPath, Problem};
use super::references::{self, Piece};
use super::types::*;
use super::yaml::{Kind, Node};
use serde_json::Value;

/// The keys of a suite.
pub(super) const TOP_LEVEL: [&str; 13] = [
    "name",
    "seed",
    "parallel",
    "fail_on_error",
    "vars",
    "plugins",
    "models",
    "datasets",
    "teach",
    "train",
    "export",
    "evaluate",
    "report",
];

/// The keys that the harness itself reads in the entries of each section; all others are the plugin's.
pub(super) fn harness_keys(section: &str) -> &'static [&'static str] {
    match section {
        "models" => &["plugin"],
        "datasets" => &["plugin", "scorer", "shots", "shots_from", "repeats", "limit", "generation"],
        "teach" => &["recipe", "teacher"],
        "train" => &["trainer", "from", "data"],
        "export" => &["exporter", "from"],
        _ => &[],
    }
}

/// What is known while sections are read.
pub(super) struct Reading {
    pub(super) names: Names,
    pub(super) graph: Graph,
    pub(super) problems: Vec<Problem>,
}

/// Reads a suite. What comes back has gaps wherever there is a problem.
pub(super) fn read(root: &Node, vars: Named<Value>, reading: &mut Reading) -> Suite {
    let mut top = match Field::new(FieldPath::default(), root).section(&mut reading.problems) {
        Some(top) => top,
        None => return empty(),
    };
    let problems = &mut reading.problems;
    let name = top.require("name", "the suite's name", problems).and_then(|name| name.name(problems));
    let seed = top.take("seed").and_then(|seed| seed.whole(0, u64::MAX, problems));
    let parallel = top.take("parallel").and_then(|field| field.whole(1, 1024, problems));
    let fail_on_error = top.take("fail_on_error").and_then(|field| fail_on_error(&field, problems));
    top.take("vars");
    let suite = Suite {
        name: name.unwrap_or_default(),
        seed: seed.unwrap_or(0),
        parallel: parallel.map_or(1, |parallel| parallel as usize),
        fail_on_error: fail_on_error.unwrap_or_default(),
        vars,
        plugins: named(&mut top, "plugins", reading, plugin),
        models: named(&mut top, "models", reading, model),
        datasets: named(&mut top, "datasets", reading, dataset),
        teach: named(&mut top, "teach", reading, teach),
        train: named(&mut top, "train", reading, train),
        export: named(&mut top, "export", reading, export),
        evaluate: top.take("evaluate").map(|field| evaluations(&field, reading)).unwrap_or_default(),
        report: top.take("report").map(|field| report(&field, reading)).unwrap_or_default(),
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
        vars: Named::new(),
        plugins: Named::new(),
        models: Named::new(),
        datasets: Named::new(),
        teach: Named::new(),
        train: Named::new(),
        export: Named::new(),
        evaluate: Vec::new(),
        report: ReportSpec::default(),
    }
}

fn fail_on_error(field: &Field<'_>, problems: &mut Vec<Problem>) -> Option<FailOnError> {
    match &field.node.kind {
        Kind::Bool(true) => Some(FailOnError::First),
        Kind::Bool(false) => Some(FailOnError::Never),
        Kind::Number(number) if number.is_u64() => number.as_u64().map(FailOnError::Count),
        _ => field
            .number(
                "`true`, `false`, a share between 0 and 1, or a number of samples",
                |x| x > 0.0 && x < 1.0,
                problems,
            )
            .map(FailOnError::Share),
    }
}

/// Reads a section of named entries, in which `read` makes one of each.
fn named<T>(
    top: &mut Section<'_>,
    key: &'static str,
    reading: &mut Reading,
    read: impl Fn(&str, &mut Section<'_>, &mut Reading) -> Option<T>,
) -> Named<T> {
    let mut things = Named::new();
    let Some(section) = top.take(key).and_then(|field| field.section(&mut reading.problems)) else { return things };
    for (name, node) in section.entries {
        let path = section.path.key(&name.name);
        if let Err(message) = check_name(&name.name) {
            reading.problems.push(Problem::at(&name.at, &path, message));
        } else if name.name == "all" && matches!(key, "models" | "datasets") {
            let message = "the name `all` stands for every one of them in `evaluate`";
            reading.problems.push(Problem::at(&name.at, &path, message).with_help("choose another name"));
        }
        let Some(mut entry) = Field::new(path, node).section(&mut reading.problems) else { continue };
        if let Some(thing) = read(&name.name, &mut entry, reading) {
            things.insert(name.name.clone(), thing);
        }
    }
    things
}

fn plugin(_: &str, entry: &mut Section<'_>, reading: &mut Reading) -> Option<PluginPin> {
    let problems = &mut reading.problems;
    let path = entry.take("path").and_then(|path| path.text(problems)).map(Into::into);
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
    let plugin = plugin.and_then(|plugin| plugin.name(&mut reading.problems));
    let options = options(entry, Thing::model(name), reading);
    Some(ModelSpec { plugin: plugin?, options })
}

fn dataset(name: &str, entry: &mut Section<'_>, reading: &mut Reading) -> Option<DatasetSpec> {
    let plugin = entry.require("plugin", "the name of a dataset plugin", &mut reading.problems);
    let plugin = plugin.and_then(|plugin| plugin.name(&mut reading.problems));
    let scorers = entry.take("scorer").map(|field| scorers(&field, &Thing::dataset(name), reading));
    let problems = &mut reading.problems;
    let shots = entry.take("shots").and_then(|field| field.whole(0, 10_000, problems));
    let shots_from = entry.take("shots_from").and_then(|field| {
        match field.text(problems)?.as_str() {
            "first" => return Some(ShotsFrom::First),
            "random" => return Some(ShotsFrom::Random),
            other => problems.push(
                field
                    .problem(format!("expected `first` or `random`, found `{other}`"))
                    .with_nearest(other, ["first", "random"]),
            ),
        }
        None
    });
    let repeats = entry.take("repeats").and_then(|field| field.whole(1, 1_000_000, problems));
    let limit = entry.take("limit").and_then(|field| field.whole(1, u64::MAX, problems));
    let generation = entry.take("generation").and_then(|field| generation(&field, problems));
    let options = options(entry, Thing::dataset(name), reading);
    Some(DatasetSpec {
        plugin: plugin?,
        scorers: scorers.unwrap_or_default(),
        shots: shots.map(|shots| shots as usize),
        shots_from: shots_from.unwrap_or_default(),
        repeats: repeats.map_or(1, |repeats| repeats as u32),
        limit,
        generation: generation.unwrap_or_default(),
        options,
    })
}

fn generation(field: &Field<'_>, problems: &mut Vec<Problem>) -> Option<Generation> {
    let mut section = field.section(problems)?;
    let most = u64::from(u32::MAX);
    let generation = Generation {
        max_new_tokens: section.take("max_new_tokens").and_then(|f| f.whole(1, most, problems)).map(|x| x as u32),
        temperature: section
            .take("temperature")
            .and_then(|f| f.number("a number of at least 0", |x| (0.0..1e6).contains(&x), problems))
            .map(|x| x as f32),
        top_k: section.take("top_k").and_then(|f| f.whole(0, most, problems)).map(|x| x as u32),
        top_p: section
            .take("top_p")
            .and_then(|f| f.number("a number above 0, at most 1", |x| x > 0.0 && x <= 1.0, problems))
            .map(|x| x as f32),
        repetition_penalty: section
            .take("repetition_penalty")
            .and_then(|f| f.number("a number above 0", |x| x > 0.0 && x < 1e6, problems))
            .map(|x| x as f32),
        stop: section.take("stop").map(|f| f.items().iter().filter_map(|stop| stop.text(problems)).collect()),
    };
    section.finish(problems);
    Some(generation)
}

/// One scorer, by name or with options, or a list of those.
fn scorers(field: &Field<'_>, owner: &Thing, reading: &mut Reading) -> Vec<ScorerSpec> {
    let mut scorers: Vec<ScorerSpec> = Vec::new();
    for item in field.items() {
        let scorer = match &item.node.kind {
            Kind::Map(_) => scorer_with_options(&item, owner, reading),
            _ => item.name(&mut reading.problems).map(|name| ScorerSpec {
                label: name.clone(),
                name,
                options: Options::new(),
            }),
        };
        let Some(scorer) = scorer else { continue };
        if scorers.iter().any(|earlier| earlier.label == scorer.label) {
            let message = format!("a second scorer `{}`", scorer.label);
            reading.problems.push(item.problem(message).with_help("tell them apart with `label: NAME`"));
        }
        scorers.push(scorer);
    }
    scorers
}

fn scorer_with_options(item: &Field<'_>, owner: &Thing, reading: &mut Reading) -> Option<ScorerSpec> {
    let mut section = item.section(&mut reading.problems)?;
    let name = section.require("name", "the name of a scorer", &mut reading.problems);
    let name = name.and_then(|name| name.name(&mut reading.problems));
    let label = section.take("label").and_then(|label| label.name(&mut reading.problems));
    let options = options(&section, owner.clone(), reading);
    let name = name?;
    Some(ScorerSpec { label: label.unwrap_or_else(|| name.clone()), name, options })
}

fn teach(name: &str, entry: &mut Section<'_>, reading: &mut Reading) -> Option<TeachSpec> {
    let recipe = entry.require("recipe", "the name of a plugin with a recipe", &mut reading.problems);
    let recipe = recipe.and_then(|recipe| recipe.name(&mut reading.problems));
    let teacher = entry.require("teacher", "the name of a model of this suite", &mut reading.problems);
    let teacher = teacher.and_then(|field| {
        let teacher = field.text(&mut reading.problems)?;
        let model = Thing::model(&teacher);
        reading.depend(&field, Thing::new("teach", name), model, true).then_some(teacher)
    });
    let options = options(entry, Thing::new("teach", name), reading);
    Some(TeachSpec { recipe: recipe?, teacher: teacher?, options })
}

fn train(name: &str, entry: &mut Section<'_>, reading: &mut Reading) -> Option<TrainSpec> {
    let this = Thing::new("train", name);
    let trainer = entry.require("trainer", "the name of a plugin that trains", &mut reading.problems);
    let trainer = trainer.and_then(|trainer| trainer.name(&mut reading.problems));
    let from = entry.take("from").and_then(|field| start(&field, &this, reading));
    let data =
        entry.require("data", "a file, `${teach.NAME}`, or `{ dataset: NAME, as: FORM }`", &mut reading.problems);
    let data = data.and_then(|field| train_data(&field, &this, reading));
    let options = options(entry, this, reading);
    Some(TrainSpec { trainer: trainer?, from, data: data?, options })
}

fn train_data(field: &Field<'_>, this: &Thing, reading: &mut Reading) -> Option<TrainData> {
    if !matches!(field.node.kind, Kind::Map(_)) {
        let file = field.template(&mut reading.problems)?;
        reading.refer(field, this);
        return Some(TrainData::File(file));
    }
    let mut section = field.section(&mut reading.problems)?;
    let dataset = section.require("dataset", "the name of a dataset of this suite", &mut reading.problems);
    let dataset = dataset.and_then(|field| {
        let dataset = field.text(&mut reading.problems)?;
        let thing = Thing::dataset(&dataset);
        reading.depend(&field, this.clone(), thing, true).then_some(dataset)
    });
    let form = section.require("as", "what a row is made of, `answers` say", &mut reading.problems);
    let form = form.and_then(|form| form.name(&mut reading.problems));
    section.finish(&mut reading.problems);
    Some(TrainData::Dataset { dataset: dataset?, form: form? })
}

fn export(name: &str, entry: &mut Section<'_>, reading: &mut Reading) -> Option<ExportSpec> {
    let this = Thing::new("export", name);
    let exporter = entry.require("exporter", "the name of a plugin that exports", &mut reading.problems);
    let exporter = exporter.and_then(|exporter| exporter.name(&mut reading.problems));
    let from = entry.require("from", "a model of this suite, `${train.NAME}` or a checkpoint", &mut reading.problems);
    let from = from.and_then(|field| start(&field, &this, reading));
    let options = options(entry, this, reading);
    Some(ExportSpec { exporter: exporter?, from: from?, options })
}

/// A model of the suite by its name, or else a checkpoint, which is told by a `/`, a `:`, a leading `.` or a reference.
fn start(field: &Field<'_>, this: &Thing, reading: &mut Reading) -> Option<Start> {
    let text = field.template(&mut reading.problems)?;
    if reading.names.has("models", &text) {
        reading.depend(field, this.clone(), Thing::model(&text), true);
        return Some(Start::Model(text));
    }
    if text.contains("${") || text.contains(['/', '\\', ':']) || text.starts_with('.') {
        reading.refer(field, this);
        return Some(Start::Checkpoint(text));
    }
    let known = reading.names.of("models");
    let message = format!("no model `{text}`, expected {}", reading.names.expected("models"));
    let problem =
        field.problem(message).with_help("write a checkpoint as a path (`./NAME`) or an address (`hf://...`)");
    reading.problems.push(problem.with_nearest(&text, known.iter().map(String::as_str)));
    None
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
        let owner = Thing::new("evaluate", &item.path.to_string());
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
    section.finish(&mut reading.problems);
    ReportSpec { figure }
}

/// All that the harness does not read itself, with its references checked and noted.
fn options(entry: &Section<'_>, owner: Thing, reading: &mut Reading) -> Options {
    for field in entry.rest_fields() {
        reading.refer(&field, &owner);
    }
    entry.rest()
}

impl Reading {
    /// Notes that `this` needs `other`, which must exist. `direct` is for a name rather than a `${...}`.
    fn depend(&mut self, field: &Field<'_>, this: Thing, other: Thing, direct: bool) -> bool {
        if !self.names.has(other.section, &other.name) {
            let problem = match direct {
                true => self.names.unknown(field, other.section, &other.name),
                false => self.names.dangling(field, &other),
            };
            self.problems.push(problem);
            return false;
        }
        self.graph.add(this, other, field.node.at.clone(), field.path.clone());
        true
    }

    /// Checks and notes every reference in `field` and beneath it.
    fn refer(&mut self, field: &Field<'_>, this: &Thing) {
        match &field.node.kind {
            Kind::Text(text) => {
                // What is wrong with the text itself was reported when the variables were filled in.
                for piece in references::scan(text).unwrap_or_default() {
                    if let Piece::Stage(stage, name) = piece {
                        let section = match stage {
                            references::StageKind::Teach => "teach",
                            references::StageKind::Train => "train",
                            references::StageKind::Export => "export",
                        };
                        self.depend(field, this.clone(), Thing::new(section, &name), false);
                    }
                }
            }
            Kind::List(_) => field.items().iter().for_each(|item| self.refer(item, this)),
            Kind::Map(entries) => {
                for (key, node) in entries {
                    self.refer(&Field::new(field.path.key(&key.name), node), this);
                }
            }
            _ => {}
        }
    }
}
