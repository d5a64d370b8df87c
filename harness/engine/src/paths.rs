//! Finds where the paths of a suite lead, once, before anything is opened.
//!
//! The schema that a role publishes says which of its options are paths: `"format": "path"` for what must be there,
//! `"format": "output-path"` for what may be made, and `"format": "command-word"` for a word of a command, which is a path where it names a
//! file. Only these are looked for; any other text reaches the plugin as it was typed.

use crate::loader::Plugins;
use examiner_api::RoleKind;
use examiner_hub::Hub;
use examiner_suite::{FieldPath, Loaded, Options, Paths, ScorerSpec, Segment, Start, Suite, TrainData};
use serde_json::Value;
use std::ffi::OsStr;
use std::path::{Component, Path, PathBuf};

/// A path of a suite.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathField {
    /// Where it stands.
    pub field: FieldPath,
    /// What was typed.
    pub text: String,
    /// What it leads to.
    pub kind: PathKind,
}

/// What a path leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PathKind {
    /// What must be there before a run.
    Input,
    /// What may be made.
    Output,
    /// A word of a command: a file where one of that name is there, and no path otherwise.
    Word,
}

/// Finds where every path of the suite leads, and notes it in [`Suite::paths`]. Returns what users should know of that.
pub fn locate(loaded: &mut Loaded, plugins: &Plugins) -> Vec<String> {
    let (mut elsewhere, mut both) = (Vec::new(), Vec::new());
    for path in fields(&loaded.suite, plugins) {
        let found = find(start(&loaded.suite.paths, &path.field), &path.text, path.kind);
        let Some(found) = found else { continue };
        match found.by {
            Rule::Suite => {}
            Rule::WorkingDirectory => elsewhere.push(path.text.clone()),
            Rule::Both(other) => both.push((path.text.clone(), found.path.clone(), other)),
        }
        loaded.suite.paths.located.insert(path.field, found.path);
    }
    notes(loaded, elsewhere, both)
}

/// Where a relative path in a field begins. A single scorer is written with or without a list, and was typed on the command line as either.
fn start<'a>(paths: &'a Paths, field: &FieldPath) -> &'a Path {
    let mut without_list = FieldPath::default();
    let mut before = None;
    for segment in field.segments() {
        if before.as_deref() != Some("scorer") || *segment != Segment::Index(0) {
            without_list = without_list.then(segment.clone());
        }
        before = Some(segment.to_string());
    }
    let typed = paths.start(&without_list);
    if typed.as_os_str().is_empty() { typed } else { paths.start(field) }
}

/// Where a relative path of a plugin's file begins: where the suite lies, unless it leads to a file from the working directory alone.
pub fn start_of_plugin(paths: &Paths, name: &str, path: &Path) -> PathBuf {
    let start = paths.start(&FieldPath::of(&["plugins", name, "path"]));
    let only_here = !start.join(path).exists() && path.exists();
    if only_here { PathBuf::new() } else { start.to_owned() }
}

/// Reads the paths of the suite of an earlier run, which is a copy in the run's directory, from where they began then: from `directory`,
/// or from the working directory where that is not known or gone.
pub fn begin_in(loaded: &mut Loaded, directory: &str) {
    let directory = Path::new(directory);
    let is_used = directory.is_dir() && !is_same(directory, Path::new("."));
    loaded.suite.paths.directory = if is_used { directory.to_owned() } else { PathBuf::new() };
}

/// The options of an entry, with the paths in them as they were found.
pub(crate) fn in_options(paths: &Paths, entry: &FieldPath, options: &Options) -> Options {
    let mut value = Value::Object(options.clone());
    for (field, path) in &paths.located {
        let Some(place) = field.segments().strip_prefix(entry.segments()) else { continue };
        let pointer: String = place.iter().map(|step| format!("/{}", escaped(&step.to_string()))).collect();
        if let Some(text) = value.pointer_mut(&pointer) {
            *text = Value::String(path.clone());
        }
    }
    match value {
        Value::Object(options) => options,
        _ => options.clone(),
    }
}

/// Every path of the suite.
pub fn fields(suite: &Suite, plugins: &Plugins) -> Vec<PathField> {
    let mut found = Vec::new();
    let mut of_role = |entry: &[&str], kind: RoleKind, role: &str, options: &Options| {
        if let Ok((_, role)) = plugins.find(kind, role) {
            let walk = Walk { root: &role.options };
            walk.collect(&role.options, &Value::Object(options.clone()), &FieldPath::of(entry), &mut found);
        }
    };
    for (name, spec) in &suite.models {
        of_role(&["models", name], RoleKind::Model, &spec.plugin, &spec.options);
    }
    for (name, spec) in &suite.datasets {
        of_role(&["datasets", name], RoleKind::Dataset, &spec.plugin, &spec.options);
    }
    for (name, spec) in &suite.teach {
        of_role(&["teach", name], RoleKind::Recipe, &spec.recipe, &spec.options);
    }
    for (name, spec) in &suite.train {
        of_role(&["train", name], RoleKind::Trainer, &spec.trainer, &spec.options);
    }
    for (name, spec) in &suite.export {
        of_role(&["export", name], RoleKind::Exporter, &spec.exporter, &spec.options);
    }
    for (entry, spec) in scorers(suite) {
        if let Ok((_, role)) = plugins.find(RoleKind::Scorer, &spec.name) {
            let walk = Walk { root: &role.options };
            walk.collect(&role.options, &Value::Object(spec.options.clone()), &entry, &mut found);
        }
    }
    let mut own = |keys: &[&str], text: &str, kind: PathKind| {
        found.push(PathField { field: FieldPath::of(keys), text: text.to_owned(), kind });
    };
    for (name, spec) in &suite.train {
        if let Some(Start::Checkpoint(text)) = &spec.from {
            own(&["train", name, "from"], text, PathKind::Input);
        }
        if let TrainData::File(text) = &spec.data {
            own(&["train", name, "data"], text, PathKind::Input);
        }
    }
    for (name, spec) in &suite.export {
        if let Start::Checkpoint(text) = &spec.from {
            own(&["export", name, "from"], text, PathKind::Input);
        }
    }
    if let Some(figure) = &suite.report.figure {
        own(&["report", "figure"], &figure.to_string_lossy(), PathKind::Output);
    }
    found
}

/// Every scorer that the suite names, with its place there.
fn scorers(suite: &Suite) -> Vec<(FieldPath, &ScorerSpec)> {
    let of_datasets =
        suite.datasets.iter().map(|(name, spec)| (FieldPath::of(&["datasets", name, "scorer"]), &spec.scorers));
    let of_entries = suite
        .evaluate
        .iter()
        .enumerate()
        .map(|(index, entry)| (FieldPath::of(&["evaluate"]).index(index).key("scorer"), &entry.scorers));
    let mut found = Vec::new();
    for (place, specs) in of_datasets.chain(of_entries) {
        found.extend(specs.iter().enumerate().map(|(index, spec)| (place.index(index), spec)));
    }
    found
}

/// The options of a scorer, with the paths in them as they were found where the suite names it. Options that a dataset gives stay as they are.
pub(crate) fn in_scorer_options(suite: &Suite, spec: &ScorerSpec) -> Options {
    match scorers(suite).into_iter().find(|(_, named)| *named == spec) {
        Some((entry, _)) => in_options(&suite.paths, &entry, &spec.options),
        None => spec.options.clone(),
    }
}

/// The local paths in options whose content decides what a role makes: those that its schema marks with `"x-identity": "content"`.
pub(crate) fn of_identity(schema: &Value, options: &Options) -> Vec<PathBuf> {
    let (mut found, walk) = (Vec::new(), Walk { root: schema });
    walk.each(schema, &Value::Object(options.clone()), &FieldPath::default(), &mut |schema, text, _| {
        let path = Path::new(text);
        let is_local = match schema["format"].as_str() {
            Some("command-word") => path.is_file(),
            _ => path.exists(),
        };
        if schema["x-identity"] == "content" && is_local {
            found.push(path.to_owned());
        }
    });
    found
}

/// A path that was found.
struct Found {
    path: String,
    by: Rule,
}

/// The rule by which a path leads somewhere.
enum Rule {
    /// From the suite's file.
    Suite,
    /// From the working directory, and there is nothing where the suite lies: so it was before.
    WorkingDirectory,
    /// There is something by both rules, and not the same: from the working directory, this.
    Both(String),
}

/// What a path leads to; none where it is what it was typed as.
fn find(start: &Path, typed: &str, kind: PathKind) -> Option<Found> {
    // An escaped `${` is a part of a name; any other is the product of a stage, whose path is absolute.
    let text = typed.replace("$${", "\0");
    let is_relative = !text.is_empty() && !text.contains("${") && !Path::new(&text).is_absolute();
    if start.as_os_str().is_empty() || !is_relative || Hub::is_address(&text) {
        return None;
    }
    let text = text.replace('\0', "${");
    let (by_suite, by_working_directory) = (simplified(&start.join(&text)), Path::new(&text));
    if kind == PathKind::Word && !by_suite.is_file() {
        return None;
    }
    let of_suite = || by_suite.to_string_lossy().replace("${", "$${");
    Some(match (by_suite.exists(), by_working_directory.exists()) {
        (false, true) => Found { path: typed.to_owned(), by: Rule::WorkingDirectory },
        (true, true) if !is_same(&by_suite, by_working_directory) => {
            Found { path: of_suite(), by: Rule::Both(text.clone()) }
        }
        _ => Found { path: of_suite(), by: Rule::Suite },
    })
}

fn is_same(one: &Path, other: &Path) -> bool {
    one.canonicalize().ok().zip(other.canonicalize().ok()).is_some_and(|(one, other)| one == other)
}

/// A path without `name/..`, where `name` is a directory and no link: with a link, `..` leads elsewhere.
fn simplified(path: &Path) -> PathBuf {
    let mut short = PathBuf::new();
    for part in path.components() {
        let steps_back = part == Component::ParentDir
            && matches!(short.components().next_back(), Some(Component::Normal(_)))
            && std::fs::symlink_metadata(&short).is_ok_and(|data| data.is_dir());
        match (part, steps_back) {
            (_, true) => {
                short.pop();
            }
            (Component::CurDir, _) => {}
            (part, _) => short.push(AsRef::<OsStr>::as_ref(&part)),
        }
    }
    if short.as_os_str().is_empty() { PathBuf::from(".") } else { short }
}

fn notes(loaded: &Loaded, elsewhere: Vec<String>, both: Vec<(String, String, String)>) -> Vec<String> {
    let (suite, mut notes) = (loaded.path.display(), Vec::new());
    let listed = |mut texts: Vec<String>| {
        texts.sort();
        texts.dedup();
        texts.iter().map(|text| format!("`{text}`")).collect::<Vec<_>>().join(", ")
    };
    if !elsewhere.is_empty() {
        let example = from_the_suite(&loaded.suite.paths.directory, &elsewhere[0]);
        notes.push(format!(
            "deprecated: paths in a suite begin at its file, and from `{suite}` there is no {}; what lies so in the working \
             directory is used. Write the path from the suite's directory (`{}`, say), or `paths: working-directory` in the suite",
            listed(elsewhere),
            example.display()
        ));
    }
    let mut seen = Vec::new();
    for (typed, used, other) in both {
        if !seen.contains(&typed) {
            notes.push(format!(
                "warning: `{typed}` in `{suite}` is `{used}`, since paths in a suite begin at its file; `{other}` in the \
                 working directory is another one, and is not read (`paths: working-directory` means that)"
            ));
            seen.push(typed);
        }
    }
    notes
}

/// How a suite in `directory` can write what lies in the working directory.
fn from_the_suite(directory: &Path, text: &str) -> PathBuf {
    let here = std::env::current_dir().unwrap_or_default();
    let depth = directory
        .canonicalize()
        .ok()
        .zip(here.canonicalize().ok())
        .and_then(|(suite, here)| suite.strip_prefix(here).ok().map(|below| below.components().count()));
    match depth {
        Some(depth) => std::iter::repeat_n("..", depth).collect::<PathBuf>().join(text),
        None => here.join(text),
    }
}

/// A walk through options by their schema.
struct Walk<'a> {
    root: &'a Value,
}

impl Walk<'_> {
    /// Adds the texts in `value` that `schema` declares to be paths.
    fn collect(&self, schema: &Value, value: &Value, field: &FieldPath, found: &mut Vec<PathField>) {
        self.each(schema, value, field, &mut |schema, text, field| {
            let kind = match schema["format"].as_str() {
                Some("path") => PathKind::Input,
                Some("output-path") => PathKind::Output,
                Some("command-word") => PathKind::Word,
                _ => return,
            };
            let path = PathField { field: field.clone(), text: text.to_owned(), kind };
            if !found.contains(&path) {
                found.push(path);
            }
        });
    }

    /// Calls `visit` with each text in `value`, with its schema and its place; more than once where several schemas hold for it.
    fn each(&self, schema: &Value, value: &Value, field: &FieldPath, visit: &mut dyn FnMut(&Value, &str, &FieldPath)) {
        if let Some(target) = schema["$ref"].as_str().and_then(|to| self.root.pointer(to.trim_start_matches('#'))) {
            self.each(target, value, field, visit);
        }
        for alternatives in ["anyOf", "oneOf", "allOf"].into_iter().filter_map(|key| schema[key].as_array()) {
            alternatives.iter().for_each(|schema| self.each(schema, value, field, visit));
        }
        match value {
            Value::String(text) => visit(schema, text, field),
            Value::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    self.each(&schema["items"], item, &field.index(index), visit);
                }
            }
            Value::Object(entries) => {
                for (key, item) in entries {
                    self.each(&schema["properties"][key], item, &field.key(key), visit);
                }
            }
            _ => {}
        }
    }
}

/// A step of a JSON pointer.
fn escaped(step: &str) -> String {
    step.replace('~', "~0").replace('/', "~1")
}

#[cfg(test)]
mod tests {
    use super::*;
    use examiner_suite::{Override, load_text};
    use serde_json::json;

    #[test]
    fn a_schema_says_which_options_are_paths() {
        let schema = json!({
            "properties": {
                "path": { "type": "string", "format": "path" },
                "prompt": { "type": "string" },
                "log": { "anyOf": [{ "type": "boolean" }, { "type": "string", "format": "output-path" }] },
                "pool": { "anyOf": [{ "$ref": "#/$defs/Pool" }, { "type": "null" }] },
                "more": { "type": "array", "items": { "type": "string", "format": "path" } },
            },
            "$defs": { "Pool": { "properties": { "path": { "type": ["string", "null"], "format": "path" } } } },
        });
        let options = json!({
            "path": "a", "prompt": "b", "log": "c", "pool": { "path": "d" }, "more": ["e", "f"], "unknown": "g",
        });
        let mut found = Vec::new();
        Walk { root: &schema }.collect(&schema, &options, &FieldPath::of(&["models", "m"]), &mut found);
        let mut shown: Vec<String> =
            found.iter().map(|path| format!("{} {} {:?}", path.field, path.text, path.kind)).collect();
        shown.sort();
        let expected = [
            "models.m.log c Output",
            "models.m.more.0 e Input",
            "models.m.more.1 f Input",
            "models.m.path a Input",
            "models.m.pool.path d Input",
        ];
        assert_eq!(shown, expected);
        // What is there no path, a number say, is left to the check of the options.
        Walk { root: &schema }.collect(&schema, &json!({ "path": 3 }), &FieldPath::default(), &mut found);
        assert_eq!(found.len(), 5);
    }

    #[test]
    fn paths_that_were_found_stand_in_the_options() {
        let mut paths = Paths::default();
        paths.located.insert(FieldPath::of(&["datasets", "d", "pool", "path"]), "configs/d".to_owned());
        paths.located.insert(FieldPath::of(&["datasets", "other", "path"]), "configs/x".to_owned());
        let options = json!({ "path": "a", "pool": { "path": "d" } });
        let filled = in_options(&paths, &FieldPath::of(&["datasets", "d"]), options.as_object().unwrap());
        assert_eq!(Value::Object(filled), json!({ "path": "a", "pool": { "path": "configs/d" } }));
    }

    #[test]
    fn a_step_back_is_taken_only_out_of_a_directory() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        std::fs::create_dir_all(root.join("real/deep")).unwrap();
        assert_eq!(simplified(&root.join("real/../data/./x")), root.join("data/x"));
        assert_eq!(simplified(&root.join("none/../data")), root.join("none/../data"));
        assert_eq!(simplified(Path::new("../../x")), Path::new("../../x"));
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink(root.join("real/deep"), root.join("link")).unwrap();
            assert_eq!(simplified(&root.join("link/../data")), root.join("link/../data"));
        }
    }

    #[test]
    fn what_is_no_relative_path_stays_as_it_was_typed() {
        for typed in ["hf://a/b", "/etc/hosts", "", "${train.one}/x"] {
            assert!(find(Path::new("configs"), typed, PathKind::Input).is_none(), "{typed}");
        }
        assert!(find(Path::new(""), "data", PathKind::Input).is_none());
        let found = find(Path::new("/no/such"), "a$${b}", PathKind::Input).unwrap();
        assert_eq!(found.path, "/no/such/a$${b}");
    }

    #[test]
    fn a_word_of_a_command_is_a_path_where_it_names_a_file_beside_the_suite() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("model.py"), "").unwrap();
        std::fs::create_dir(folder.path().join("python3")).unwrap();
        let found = |word: &str| find(folder.path(), word, PathKind::Word).map(|found| found.path);
        assert_eq!(found("model.py"), Some(folder.path().join("model.py").display().to_string()));
        assert_eq!((found("python3"), found("other.py"), found("--quiet")), (None, None, None));
    }

    #[test]
    fn content_counts_where_a_schema_says_so() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("model.py").display().to_string();
        std::fs::write(&file, "").unwrap();
        let directory = folder.path().display().to_string();
        let listed = |format: &str| json!({ "items": { "format": format, "x-identity": "content" } });
        let schema = json!({ "properties": {
            "command": listed("command-word"), "files": listed("path"), "log": { "format": "path" }
        } });
        let options = json!({ "command": ["python3", file, directory], "files": [directory, "none"], "log": file });
        let found = of_identity(&schema, options.as_object().unwrap());
        assert_eq!(found, [PathBuf::from(&file), folder.path().to_owned()]);
    }

    #[test]
    fn the_path_of_a_single_scorer_begins_where_it_was_typed() {
        let text = "name: s\ndatasets:\n  d: { plugin: p, scorer: { name: judge, script: a } }\n";
        let field = FieldPath::of(&["datasets", "d", "scorer"]).index(0).key("script");
        let starts = |overrides: &[Override]| {
            let loaded = load_text("configs/s.yaml".as_ref(), text.to_owned(), overrides, &|_| None).unwrap();
            start(&loaded.suite.paths, &field).to_owned()
        };
        assert_eq!(starts(&[]), Path::new("configs"));
        assert_eq!(starts(&["datasets.d.scorer.script=b".parse().unwrap()]), Path::new(""));
    }
}
