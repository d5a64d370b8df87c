//! The way of an author of a plugin, for each role: `examiner plugins new`, then the commands of the README that it writes, as they
//! stand there. Each crate has a directory, a workspace and a lock file of its own; what they depend on is compiled once.

#![cfg(unix)]

use crate::build;
use crate::run::{stderr, whole};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

/// The target directory of all crates, without libraries that an earlier version of the program may have left there.
fn shared_target() -> &'static Path {
    static SHARED: OnceLock<PathBuf> = OnceLock::new();
    SHARED.get_or_init(|| {
        let shared = build::target().parent().unwrap().join("authors");
        std::fs::create_dir_all(shared.join("debug")).unwrap();
        for entry in std::fs::read_dir(shared.join("debug")).unwrap() {
            let path = entry.unwrap().path();
            if path.file_name().unwrap().to_string_lossy().starts_with("libauthor_") {
                std::fs::remove_file(path).unwrap();
            }
        }
        shared
    })
}

/// A crate that `examiner plugins new` wrote, in a directory of its own.
struct Crate {
    directory: tempfile::TempDir,
    name: String,
}

impl Crate {
    fn new(name: &str, flags: &[&str]) -> Crate {
        let made = Crate { directory: tempfile::tempdir().unwrap(), name: name.to_owned() };
        let sources = examiner_test_support::build::repository();
        let mut command = build::examiner(made.directory.path());
        let output =
            command.args(["plugins", "new", name]).args(flags).arg("--examiner").arg(&sources).output().unwrap();
        assert!(output.status.success(), "{}", stderr(&output));
        // The versions that are compiled, and thus here, already: nothing is downloaded.
        std::fs::copy(sources.join("Cargo.lock"), made.path("Cargo.lock")).unwrap();
        std::os::unix::fs::symlink(shared_target(), made.path("target")).unwrap();
        made
    }

    fn path(&self, path: &str) -> PathBuf {
        self.directory.path().join(&self.name).join(path)
    }

    /// Runs a line as a shell does, in the directory of the crate.
    fn shell(&self, line: &str) -> Output {
        let program = Path::new(env!("CARGO_BIN_EXE_examiner")).parent().unwrap();
        let path = format!("{}:{}", program.display(), std::env::var("PATH").unwrap_or_default());
        let mut command = Command::new("sh");
        command.args(["-c", line]).current_dir(self.path("")).env("PATH", path);
        command.env_remove("CARGO_TARGET_DIR").env_remove("EXAMINER_PLUGINS").env("CARGO_NET_OFFLINE", "true");
        // Without debug information a build takes half of the time.
        command.env("CARGO_PROFILE_DEV_DEBUG", "0").env("CARGO_INCREMENTAL", "0");
        command.output().unwrap()
    }

    fn succeeds(&self, line: &str) -> Output {
        let output = self.shell(line);
        let stdout = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "`{line}`: {}{stdout}", stderr(&output));
        output
    }

    /// Does what the README says.
    fn follow_the_readme(&self) {
        let readme = std::fs::read_to_string(self.path("README.md")).unwrap();
        let (_, rest) = readme.split_once("```sh\n").unwrap();
        let commands: Vec<&str> = rest.split_once("```").unwrap().0.lines().collect();
        assert!(commands.len() >= 5, "{commands:?}");
        for command in commands {
            let said = stderr(&self.succeeds(command));
            assert!(command.starts_with("cargo") || !said.contains("warning"), "`{command}`: {said}");
        }
        self.succeeds("cargo fmt --check");
    }

    /// The value of a metric in `summary.csv`, of all six questions.
    fn value(&self, model: &str, dataset: &str, metric: &str) -> f64 {
        let row = whole(&self.path("outputs/latest"), model, dataset, metric);
        assert_eq!((&*row["status"], &*row["n"], &*row["n_error"]), ("ok", "6", "0"), "{row:?}");
        row["value"].parse().unwrap()
    }
}

#[test]
fn a_model_is_made_by_the_commands_of_its_readme() {
    let made = Crate::new("author-model", &["--role", "model"]);
    made.follow_the_readme();
    assert_eq!(made.value("uniform", "written", "accuracy"), 1.0 / 6.0, "it says `Paris` to all questions");
    made.value("uniform", "chosen", "accuracy");

    // The same crate with a panic that would end the process.
    let output = made.shell("cargo rustc --lib -- -C panic=abort");
    let said = stderr(&output);
    assert!(!output.status.success() && said.contains("remove `panic = \"abort\"`"), "{said}");
}

#[test]
fn a_local_model_is_made_by_the_commands_of_its_readme() {
    let made = Crate::new("author-local-model", &["--role", "model", "--lm"]);
    made.follow_the_readme();
    assert_eq!(made.value("counted", "chosen", "accuracy"), 1.0, "it has read the answers");
    assert_eq!(made.value("counted", "written", "accuracy"), 1.0);
}

#[test]
fn a_dataset_is_made_by_the_commands_of_its_readme() {
    let made = Crate::new("author-dataset", &["--role", "dataset"]);
    made.follow_the_readme();
    made.value("echo", "questions", "accuracy");
}

#[test]
fn a_scorer_is_made_by_the_commands_of_its_readme() {
    let made = Crate::new("author-scorer", &["--role", "scorer"]);
    made.follow_the_readme();
    assert_eq!(made.value("echo", "questions", "f1"), 2.0 / 6.0, "the first choice of two questions is the right one");
}

#[test]
fn a_trainer_is_made_by_the_commands_of_its_readme() {
    let made = Crate::new("author-trainer", &["--role", "trainer"]);
    made.follow_the_readme();
    made.value("trained", "questions", "accuracy");
    let curve = std::fs::read_to_string(made.path("outputs/latest/train/learned/train.csv")).unwrap();
    assert_eq!(curve.lines().count(), 1 + 4 * 5, "four rows, five times");
}

#[test]
fn a_recipe_is_made_by_the_commands_of_its_readme() {
    let made = Crate::new("author-recipe", &["--role", "recipe"]);
    made.follow_the_readme();
    assert_eq!(made.value("teacher", "questions", "accuracy"), 4.0 / 6.0);
    let rows = std::fs::read_to_string(made.path("data/F_author-recipe_0shot_1aug.jsonl")).unwrap();
    assert_eq!(rows.lines().count(), 4, "those that are right: {rows}");
}

#[test]
fn an_exporter_is_made_by_the_commands_of_its_readme() {
    build::plugin("candle");
    let made = Crate::new("author-exporter", &["--role", "exporter"]);
    made.follow_the_readme();
    for model in ["original", "exported"] {
        made.value(model, "questions", "accuracy");
    }
    let size = |path: &str| std::fs::metadata(made.path(path)).unwrap().len();
    let exported = size("outputs/latest/export/rounded/model.safetensors");
    assert!(exported > 1000, "{exported}");
}

#[test]
fn a_diagnostic_is_made_by_the_commands_of_its_readme() {
    let made = Crate::new("author-diagnostic", &["--role", "diagnostic"]);
    made.follow_the_readme();
    made.value("echo", "questions", "accuracy");
    let found = made.succeeds("examiner doctor --plugins target/debug");
    assert!(String::from_utf8_lossy(&found.stdout).contains("python3"));
}

#[test]
fn nothing_is_written_over_and_names_are_those_of_crates() {
    let directory = tempfile::tempdir().unwrap();
    let refused = |arguments: &[&str]| {
        let output = build::examiner(directory.path()).args(["plugins", "new"]).args(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        stderr(&output)
    };
    std::fs::create_dir(directory.path().join("mine")).unwrap();
    std::fs::write(directory.path().join("mine/notes.txt"), "keep this").unwrap();
    let said = refused(&["mine", "--role", "scorer"]);
    assert!(said.contains("`mine` is there and is not empty"), "{said}");
    assert_eq!(std::fs::read_dir(directory.path().join("mine")).unwrap().count(), 1);
    assert!(refused(&["My-Plugin", "--role", "scorer"]).contains("expected a small letter"));
    assert!(refused(&["match", "--role", "scorer"]).contains("try `my-match`"));
    assert!(refused(&["echo", "--role", "model"]).contains("there is a plugin named `echo` already"));
    assert!(refused(&["mine", "--role", "scorer", "--lm"]).contains("found `--role scorer`"));
    assert!(refused(&["new", "--role", "scorer", "--examiner", "mine"]).contains("`harness/api/Cargo.toml`"));
    assert!(!directory.path().join("new").exists());

    let output =
        build::examiner(directory.path()).args(["plugins", "new", "new", "--role", "scorer"]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        said.contains("cd new") && said.contains("cargo build") && said.contains("examiner run suite.yaml"),
        "{said}"
    );
    let manifest = std::fs::read_to_string(directory.path().join("new/Cargo.toml")).unwrap();
    assert!(manifest.contains("examiner-api = { version = \""), "{manifest}");
    assert!(!std::fs::read_to_string(directory.path().join("new/README.md")).unwrap().contains("registry"));
}
