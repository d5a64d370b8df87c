//! Plugins and programs of one interface, of which one was built with a newer `examiner-api` than the other; and those of another
//! interface.

use crate::build;
use crate::loader::{load_all, problem};
use crate::run::{run, stderr, summary};
use examiner_api::testing::FakeHost;
use examiner_api::{
    API_VERSION, Flow, GenerateRequest, GenerateResult, INTERFACE, Metadata, OpenRole, Response, RoleKind,
};
use examiner_engine::loader::LoadProblem;
use examiner_test_support::build::{cargo, library, repository, target};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

/// A workspace with copies of the crates that plugins are built with, in which versions are other ones.
struct Copies {
    root: PathBuf,
    versions: Vec<(&'static str, String)>,
}

impl Copies {
    /// `versions` are those of crates, `api` or `interface`, that differ.
    fn new(name: &str, versions: &[(&'static str, &str)]) -> Self {
        let root = target().parent().unwrap().join("other-versions").join(name);
        let copies =
            Copies { root, versions: versions.iter().map(|(name, version)| (*name, (*version).to_owned())).collect() };
        for name in ["api", "interface"] {
            copies.copy(&Path::new("harness").join(name));
        }
        copies.write("Cargo.lock", &read(&repository().join("Cargo.lock")));
        copies
    }

    fn copy(&self, directory: &Path) {
        for entry in std::fs::read_dir(repository().join(directory)).unwrap() {
            let entry = entry.unwrap();
            let path = directory.join(entry.file_name());
            match (entry.file_type().unwrap().is_dir(), path.extension().and_then(|ending| ending.to_str())) {
                (true, _) => self.copy(&path),
                (false, Some("rs")) => self.write(path.to_str().unwrap(), &read(&entry.path())),
                (false, Some("toml")) => self.write(path.to_str().unwrap(), &self.manifest(&path)),
                (false, _) => {}
            }
        }
    }

    /// The manifest of a crate, with another version where it is to have one.
    fn manifest(&self, path: &Path) -> String {
        let text = read(&repository().join(path));
        let crate_name = path.parent().and_then(Path::file_name).and_then(|name| name.to_str()).unwrap();
        let Some((_, version)) = self.versions.iter().find(|(name, _)| *name == crate_name) else { return text };
        let line = text.lines().find(|line| line.starts_with("version = ")).unwrap();
        text.replace(line, &format!("version = \"{version}\""))
    }

    /// The manifest of the workspace: the repository's, with one more member.
    fn workspace(&self, member: &str) -> String {
        let text = read(&repository().join("Cargo.toml"));
        let (_, rest) = text.split_once("[workspace.package]").unwrap();
        let mut text = format!(
            "[workspace]\nresolver = \"3\"\nmembers = [\"harness/api\", \"harness/interface\", \"{member}\"]\n\n[workspace.package]{rest}"
        );
        for (name, version) in &self.versions {
            let before = format!("path = \"harness/{name}\", version = ");
            let (head, tail) = text.split_once(&before).unwrap();
            let (_, tail) = tail.split_once('}').unwrap();
            text = format!("{head}{before}\"{version}\" }}{tail}");
        }
        // Not optimized, they are compiled in a moment.
        let own = ["examiner-api", "examiner-interface", member];
        text.extend(own.map(|name| format!("\n[profile.release.package.{name}]\nopt-level = 0\n")));
        text
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.root.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        // What has not changed is not compiled again.
        if std::fs::read_to_string(&path).ok().as_deref() != Some(text) {
            std::fs::write(path, text).unwrap();
        }
    }

    /// The library of a crate of the workspace.
    fn build(&self, name: &str) -> PathBuf {
        self.write("Cargo.toml", &self.workspace(name));
        let manifest = self.root.join("Cargo.toml");
        // Dependencies are those of the plugin that is built from its own directory.
        let directory = target().parent().unwrap().join("out-of-tree");
        let arguments =
            ["build", "--quiet", "--offline", "--package", name, "--manifest-path", manifest.to_str().unwrap()];
        cargo(&arguments, &directory);
        directory.join(target().file_name().unwrap()).join(library(&name.replace('-', "_")))
    }

    /// The tutorial's plugin, built in this workspace.
    fn tutorial(&self, name: &str) -> PathBuf {
        let source = repository().join("plugins/echo/src/lib.rs");
        let manifest = format!(
            "[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n[lib]\npath = \"{}\"\ncrate-type = [\"cdylib\"]\n\n\
             [dependencies]\nexaminer-api.workspace = true\n",
            source.display()
        );
        self.write(&format!("{name}/Cargo.toml"), &manifest);
        self.build(name)
    }
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("`{}`: {error}", path.display()))
}

/// What the tutorial's model answers to `18`.
fn answer(library: &Path) -> String {
    let plugins = load_all(&[library]).unwrap();
    let options = Metadata::from_iter([("prefix".to_owned(), "> ".into())]);
    let opened = plugins.open(RoleKind::Model, "echo", options, FakeHost::new().host()).unwrap();
    let OpenRole::Model(mut model) = opened else { panic!("not a model") };
    let texts = Mutex::new(Vec::new());
    let request = GenerateRequest { prompt: "18".into(), ..GenerateRequest::default() };
    let receive = |response: Response<GenerateResult>| {
        texts.lock().unwrap().push(response.result.unwrap().text);
        Flow::Continue
    };
    model.generate(vec![request], &receive).unwrap();
    texts.into_inner().unwrap().join("")
}

#[test]
fn a_plugin_of_the_same_interface_runs_whichever_is_newer() {
    for (name, version) in [("built-before", "0.0.7"), ("built-after", "7.2.0")] {
        assert_ne!(version, API_VERSION);
        let library = Copies::new(name, &[("api", version)]).tutorial(name);
        let bytes = std::fs::read(&library).unwrap();
        assert!(bytes.windows(version.len()).any(|window| window == version.as_bytes()), "{version}");
        assert_eq!(answer(&library), "> 18", "{version}");
    }
}

#[test]
fn a_plugin_of_another_interface_is_refused_with_both_numbers() {
    let other = INTERFACE + 1;
    let version = format!("{other}.0.0");
    let copies = Copies::new("other-interface", &[("interface", &version), ("api", "7.2.0")]);
    let found = problem(&copies.tutorial("other-interface"));
    assert!(matches!(found, LoadProblem::WrongInterface { .. }), "{found}");
    let said = found.to_string();
    assert!(said.contains(&format!("built with plugin interface {other} (`examiner-api` 7.2.0)")), "{said}");
    assert!(
        said.contains(&format!("this program has plugin interface {INTERFACE} (`examiner-api` {API_VERSION})")),
        "{said}"
    );
    assert!(said.contains("use a newer program"), "{said}");
}

/// A plugin of each interface that the program has had, as it was when the interface was new.
#[test]
fn a_plugin_that_was_built_when_the_interface_was_new_still_runs() {
    let copies = Copies::new("kept", &[]);
    let name = format!("examiner-interface-{INTERFACE}");
    let kept = Path::new("harness/examiner/tests/interfaces").join(INTERFACE.to_string());
    for file in ["Cargo.toml", "src/lib.rs"] {
        copies.write(&format!("{name}/{file}"), &read(&repository().join(&kept).join(file)));
    }
    let library = copies.build(&name);
    let directory = tempfile::tempdir().unwrap();
    let suite = format!(
        "name: kept\nplugins: {{ interface-1: {{ path: {} }} }}\nmodels: {{ m: {{ plugin: model-1 }} }}\n\
         datasets: {{ d: {{ plugin: dataset-1 }} }}\nevaluate: {{ models: m, datasets: d }}\n",
        library.display()
    );
    let output = run(directory.path(), &suite, &["--out", "run"]);
    let rows = summary(&directory.path().join("run"));
    assert_eq!(rows.len(), 1, "{}", stderr(&output));
    let cell = |name: &str| rows[0][name].as_str();
    assert_eq!((cell("metric"), cell("value"), cell("n"), cell("n_error")), ("accuracy", "0.5", "3", "1"), "{rows:?}");
}

#[test]
fn the_program_says_which_interface_it_has() {
    let directory = tempfile::tempdir().unwrap();
    let said = |arguments: &[&str]| {
        let output = build::examiner(directory.path()).args(arguments).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    let interface = format!("plugin interface {INTERFACE}");
    assert!(said(&["--version"]).contains(&format!("({interface}, examiner-api {API_VERSION})")));
    assert!(said(&["plugins"]).lines().any(|line| line == interface));
}
