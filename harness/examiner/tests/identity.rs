//! A record is known by the content of all that it depends on: what has changed is done again, nothing else is, and
//! `examiner plan` says which input it was.

use crate::build;
use crate::run::stderr;
use std::path::Path;

/// Answers the questions of a file, with a plugin that lies beside the suite.
const SUITE: &str = "\
name: t
seed: 7
plugins: { fixture: { path: fixture.so } }
models: { a: { plugin: adder, count: asked, version: VERSION } }
datasets:
  sums: { plugin: table, path: rows.jsonl, id: id, prompt: 'PROMPT{{ n }} + {{ n }} =', gold: sum, few_shot: same, shots: SHOTS, contamination: CONTAMINATION, scorer: SCORER, max_new_tokens: TOKENS }
evaluate: [{ models: all, datasets: all }]
";

struct World {
    directory: tempfile::TempDir,
    settings: Vec<(&'static str, &'static str)>,
}

impl World {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        std::fs::copy(build::fixture("fixture"), directory.path().join("fixture.so")).unwrap();
        let settings = vec![
            ("VERSION", "0"),
            ("PROMPT", ""),
            ("SHOTS", "0"),
            ("CONTAMINATION", "leave-out"),
            ("SCORER", "answer-extraction"),
            ("TOKENS", "8"),
        ];
        let world = World { directory, settings };
        world.rows(|_| {});
        world
    }

    fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Writes the file of rows, changed.
    fn rows(&self, change: impl FnOnce(&mut Vec<String>)) {
        let row = |n: u64| format!("{{\"id\": \"q{n}\", \"n\": {n}, \"sum\": \"{}\"}}\n", 2 * n);
        let mut rows: Vec<String> = (0..6).map(row).collect();
        change(&mut rows);
        std::fs::write(self.path().join("rows.jsonl"), rows.concat()).unwrap();
    }

    fn set(&mut self, name: &str, value: &'static str) {
        self.settings.iter_mut().filter(|(known, _)| *known == name).for_each(|setting| setting.1 = value);
    }

    fn command(&self, command: &str) -> std::process::Output {
        let fill = |text: String, (name, value): &(&str, &str)| text.replace(name, value);
        let text = self.settings.iter().fold(SUITE.to_owned(), fill);
        std::fs::write(self.path().join("suite.yaml"), text).unwrap();
        build::examiner(self.path()).args([command, "suite.yaml", "--out", "run"]).output().unwrap()
    }

    /// What `plan` says of the pair.
    fn plan(&self) -> String {
        let output = self.command("plan");
        let text = String::from_utf8(output.stdout.clone()).unwrap();
        let line = text.lines().find(|line| line.starts_with("evaluate/")).map(str::to_owned);
        line.unwrap_or_else(|| panic!("{text}{}", stderr(&output)))
    }

    /// Runs the suite, and returns the ids of the samples that the model was asked.
    fn run(&self) -> Vec<String> {
        let asked = self.path().join("asked");
        let _ = std::fs::remove_file(&asked);
        let output = self.command("run");
        assert!(output.status.success(), "{}", stderr(&output));
        std::fs::read_to_string(asked).unwrap_or_default().lines().map(str::to_owned).collect()
    }
}

const ALL: [&str; 6] = ["q0", "q1", "q2", "q3", "q4", "q5"];

#[test]
fn what_has_changed_is_named_by_the_plan_and_done_again() {
    let mut world = World::new();
    assert!(world.plan().contains("new"), "{}", world.plan());
    assert_eq!(world.run(), ALL);
    assert!(world.plan().contains("nothing it depends on has changed"), "{}", world.plan());
    assert_eq!(world.run(), [""; 0]);

    // A row: that sample, and no other.
    world.rows(|rows| rows[2] = rows[2].replace("\"4\"", "\"5\""));
    assert!(world.plan().contains("changed: dataset; 5 records still hold"), "{}", world.plan());
    assert_eq!(world.run(), ["q2"]);
    // A row more: that one.
    world.rows(|rows| {
        rows[2] = rows[2].replace("\"4\"", "\"5\"");
        rows.push("{\"id\": \"q6\", \"n\": 6, \"sum\": \"12\"}\n".to_owned());
    });
    assert!(world.plan().contains("changed: dataset; 6 records still hold"), "{}", world.plan());
    assert_eq!(world.run(), ["q6"]);
    // A row less: nothing is to be done, and what is not asked for is not reported.
    world.rows(|_| {});
    assert_eq!(world.run(), ["q2"]);
    let n = crate::run::whole(&world.path().join("run"), "a", "sums", "accuracy")["n"].clone();
    assert_eq!(n, "6");

    // Everything that all samples depend on.
    for (name, value, said) in [
        ("VERSION", "1", "changed: model"),
        ("PROMPT", "Now: ", "changed: dataset"),
        ("SHOTS", "1", "changed: prompting"),
        ("TOKENS", "9", "changed: dataset"),
        ("SCORER", "{ name: answer-extraction, tolerance: 0.5 }", "changed: scorer answer-extraction"),
    ] {
        world.set(name, value);
        let plan = world.plan();
        assert!(plan.contains(said), "{name}: {plan}");
        assert_eq!(world.run(), ALL, "{name}");
        assert!(world.plan().contains("nothing it depends on has changed"), "{name}: {}", world.plan());
        assert_eq!(world.run(), [""; 0], "{name}");
    }
}

/// Pool and questions are one file: the first two questions are among the first two examples, and are asked otherwise where
/// these are kept.
#[test]
fn questions_among_their_own_examples_are_asked_again_where_that_changes() {
    let mut world = World::new();
    let report = |world: &World| {
        let output = build::examiner(world.path()).args(["report", "run"]).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    let context = |world: &World, line: usize| {
        let samples = std::fs::read_to_string(world.path().join("run/samples/a/sums.jsonl")).unwrap();
        let sample: serde_json::Value = serde_json::from_str(samples.lines().nth(line).unwrap()).unwrap();
        sample["context"].as_str().unwrap().to_owned()
    };
    assert_eq!(world.run(), ALL);
    world.set("CONTAMINATION", "keep");
    assert!(world.plan().contains("nothing it depends on has changed"), "without examples: {}", world.plan());
    world.set("SHOTS", "2");
    assert_eq!(world.run(), ALL);
    assert_eq!(context(&world, 1), "0 + 0 = 0\n\n1 + 1 = 2\n\n1 + 1 =");
    let told = report(&world);
    assert!(told.contains("warning: `sums`: 2 of 6 samples are among their own few-shot examples"), "{told}");

    world.set("CONTAMINATION", "leave-out");
    assert!(world.plan().contains("changed: prompting; 4 records still hold"), "{}", world.plan());
    assert_eq!(world.run(), ["q0", "q1"]);
    assert_eq!(context(&world, 1), "0 + 0 = 0\n\n2 + 2 = 4\n\n1 + 1 =");
    assert_eq!(context(&world, 2), "0 + 0 = 0\n\n1 + 1 = 2\n\n2 + 2 =");
    let told = report(&world);
    assert!(told.contains("warning: `sums`: 2 of 6 samples were among their own few-shot examples"), "{told}");
    assert_eq!(world.run(), [""; 0]);
    assert_eq!(report(&world), told, "nothing is asked, and it is told again");

    world.set("SHOTS", "6");
    let output = world.command("run");
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("more examples of sample `q0` than the 5"), "{}", stderr(&output));
}

/// What a training depends on is named as well.
#[test]
fn a_training_whose_rows_have_changed_is_done_again() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    let suite = format!(
        "name: t\nseed: 7\n{}models: {{ a: {{ plugin: adder, checkpoint: '${{train.s}}' }} }}\ntrain: {{ s: {{ trainer: learner, \
         data: rows.jsonl }} }}\ndatasets: {{ sums: {{ plugin: numbers, rows: 2 }} }}\nevaluate: [{{ models: all, datasets: \
         all }}]\n",
        build::fixture_pin()
    );
    std::fs::write(path.join("rows.jsonl"), "{\"prompt\": \"a\", \"completion\": \"b\"}\n").unwrap();
    let run = || {
        let output = crate::run::run(path, &suite, &["--out", "run"]);
        assert!(output.status.success(), "{}", stderr(&output));
        std::fs::metadata(path.join("run/train/s/checkpoint")).unwrap().modified().unwrap()
    };
    let plan = || {
        let output = build::examiner(path).args(["plan", "suite.yaml", "--out", "run"]).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    let first = run();
    assert!(plan().contains("nothing it depends on has changed"), "{}", plan());
    assert_eq!(run(), first);
    std::fs::write(path.join("rows.jsonl"), "{\"prompt\": \"a\", \"completion\": \"c\"}\n").unwrap();
    assert!(plan().contains("changed: data"), "{}", plan());
    assert_ne!(run(), first);
}

/// Bytes behind the end of a library change nothing but its hash, which is what another build is known by.
#[test]
fn another_build_of_a_plugin_is_another_input() {
    let world = World::new();
    assert_eq!(world.run(), ALL);
    let library = world.path().join("fixture.so");
    let mut bytes = std::fs::read(&library).unwrap();
    bytes.extend(b"another build");
    std::fs::remove_file(&library).unwrap();
    std::fs::write(&library, bytes).unwrap();
    assert!(world.plan().contains("changed: model plugin"), "{}", world.plan());
    assert_eq!(world.run(), ALL);
    assert_eq!(world.run(), [""; 0]);
}

/// The bytes of a file count, not its name or its age.
#[test]
fn the_same_content_elsewhere_is_the_same_input() {
    let world = World::new();
    assert_eq!(world.run(), ALL);
    world.rows(|_| {});
    let library = world.path().join("fixture.so");
    let bytes = std::fs::read(&library).unwrap();
    std::fs::remove_file(&library).unwrap();
    std::fs::write(&library, bytes).unwrap();
    assert_eq!(world.run(), [""; 0]);
}

/// The answers of another run are copied, each is used only for what it was given to, and both commands say from where.
#[test]
fn a_new_run_begins_with_the_answers_of_another() {
    let directory = tempfile::tempdir().unwrap();
    let suite = |rows: u64, version: u64| {
        let text = format!(
            "name: t\n{}models: {{ a: {{ plugin: adder, count: asked, version: {version} }} }}\ndatasets: {{ sums: {{ plugin: numbers, rows: {rows} }} }}\nevaluate: [{{ models: all, datasets: all }}]\nreuse: runs\n",
            build::fixture_pin()
        );
        std::fs::write(directory.path().join("suite.yaml"), text).unwrap();
    };
    let asked = || std::fs::read_to_string(directory.path().join("asked")).unwrap_or_default().lines().count();
    let command = |arguments: &[&str]| {
        let output = build::examiner(directory.path()).args(arguments).output().unwrap();
        assert!(output.status.success(), "{}", stderr(&output));
        String::from_utf8_lossy(&output.stdout).into_owned() + &stderr(&output)
    };
    suite(6, 0);
    command(&["run", "suite.yaml", "--out", "runs/one"]);
    assert_eq!(asked(), 6);
    let plan = command(&["plan", "suite.yaml", "--out", "runs/two"]);
    assert!(plan.contains("(with the answers of `runs/one`)"), "{plan}");
    let said = command(&["run", "suite.yaml", "--out", "runs/two"]);
    assert!(said.contains("evaluate/a/sums: begins with the answers of `runs/one`") && asked() == 6, "{said}");
    // It is a run of its own: the other may vanish.
    std::fs::remove_dir_all(directory.path().join("runs/one")).unwrap();
    let again = command(&["run", "suite.yaml", "--out", "runs/two"]);
    assert!(!again.contains("begins with") && asked() == 6, "{again}");
    // More questions: only those are asked. Another model: all of them.
    suite(8, 0);
    command(&["run", "suite.yaml", "--out", "runs/three"]);
    assert_eq!(asked(), 8);
    suite(8, 1);
    let said = command(&["run", "suite.yaml", "--out", "runs/four"]);
    assert!(!said.contains("begins with") && asked() == 16, "{said}");
}
