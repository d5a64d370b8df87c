//! What `plan` prints is what `run` does, whatever state the run's directory is in.

use crate::build;
use crate::run::stderr;
use proptest::prelude::*;
use proptest::test_runner::{RngAlgorithm, TestRng, TestRunner};
use std::collections::BTreeMap;
use std::path::Path;

/// What happens between two runs.
#[derive(Debug, Clone)]
enum Change {
    /// Another version of a model, another number of rows, another scorer, another limit.
    Setting(&'static str, &'static str),
    /// Only stages with this name are run the next time.
    Only(&'static str),
    /// A file or directory of the run is deleted.
    Delete(&'static str),
    /// The last `bytes` of a file are cut off.
    Cut(&'static str, usize),
    /// A byte in the middle of a file is changed.
    Damage(&'static str),
}

fn change() -> impl Strategy<Value = Change> {
    let setting = prop::sample::select(vec![
        ("VERSION", "1"),
        ("VERSION", "0"),
        ("ROWS", "9"),
        ("ROWS", "4"),
        ("SCORER", "{ name: answer-extraction, tolerance: 0.5 }"),
        ("SCORER", "answer-extraction"),
        ("LIMIT", "3"),
        ("LIMIT", "100"),
        ("SEED", "8"),
    ]);
    let file = || {
        prop::sample::select(vec![
            "run/journal/a/sums.jsonl",
            "run/journal/student/sums.jsonl",
            "run/samples/a/sums.jsonl",
            "run/summary.csv",
        ])
    };
    let deleted = prop::sample::select(vec![
        "run/journal/a/sums.jsonl",
        "run/journal/student/sums.jsonl",
        "run/train/student/checkpoint",
        "run/export/copy/exported",
        "run/run.json",
        "run/journal",
        "data",
    ]);
    let only = prop::sample::select(vec!["train", "a", "student", "evaluate/student", "sums"]);
    prop_oneof![
        4 => setting.prop_map(|(name, value)| Change::Setting(name, value)),
        1 => only.prop_map(Change::Only),
        3 => deleted.prop_map(Change::Delete),
        2 => (file(), 1_usize..300).prop_map(|(path, bytes)| Change::Cut(path, bytes)),
        1 => file().prop_map(Change::Damage),
    ]
}

struct World {
    directory: tempfile::TempDir,
    settings: BTreeMap<&'static str, &'static str>,
    only: Option<&'static str>,
    /// Which stages the suite has besides the examinations.
    stages: (bool, bool),
}

impl World {
    fn new(stages: (bool, bool)) -> Self {
        let settings = BTreeMap::from([
            ("VERSION", "0"),
            ("ROWS", "6"),
            ("SCORER", "answer-extraction"),
            ("LIMIT", "100"),
            ("SEED", "7"),
        ]);
        World { directory: tempfile::tempdir().unwrap(), settings, only: None, stages }
    }

    fn path(&self) -> &Path {
        self.directory.path()
    }

    fn suite(&self) -> String {
        let (teach, export) = self.stages;
        let teach = if teach { "teach: { lessons: { recipe: sums, teacher: a } }\n" } else { "" };
        let data = if teach.is_empty() { "{ dataset: sums, as: answers }" } else { "\"${teach.lessons}\"" };
        let (export, checkpoint) = match export {
            true => ("export: { copy: { exporter: copier, from: \"${train.student}\" } }\n", "${export.copy}"),
            false => ("", "${train.student}"),
        };
        let text = format!(
            "name: t\nseed: SEED\n{}models:\n  a: {{ plugin: adder, version: VERSION }}\n  student: {{ plugin: adder, checkpoint: \
             \"{checkpoint}\" }}\n{teach}train: {{ student: {{ trainer: learner, data: {data} }} }}\n{export}datasets:\n  sums: \
             {{ plugin: numbers, rows: ROWS, scorer: SCORER }}\nevaluate: [{{ models: all, datasets: all }}]\n",
            build::fixture_pin()
        );
        self.settings.iter().fold(text, |text, (name, value)| text.replace(name, value))
    }

    fn command(&self, command: &str) -> std::process::Output {
        std::fs::write(self.path().join("suite.yaml"), self.suite()).unwrap();
        let mut program = build::examiner(self.path());
        // Some changes leave fewer results than there were.
        program.args([command, "suite.yaml", "--out", "run", "--replace", "--limit", self.settings["LIMIT"]]);
        program.args(self.only.iter().flat_map(|only| ["--only", only]));
        program.output().unwrap()
    }

    /// The action of each stage, with its reason.
    fn plan(&self) -> Vec<(String, String, String)> {
        let output = self.command("plan");
        let text = String::from_utf8(output.stdout.clone()).unwrap();
        let table = text.lines().skip_while(|line| !line.starts_with("STAGE")).skip(1);
        // What models say of themselves stands below.
        let table = table.take_while(|line| !line.starts_with(['`', 'w']));
        let stages = table.map(|line| {
            let cells: Vec<&str> = line.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).collect();
            (cells[0].to_owned(), cells[1].to_owned(), cells.last().unwrap().to_string())
        });
        let stages: Vec<_> = stages.collect();
        assert!(!stages.is_empty(), "{text}{}", stderr(&output));
        stages
    }

    /// What a run did for each stage, as its log says.
    fn run(&self) -> Vec<(String, String, String)> {
        let log = self.path().join("run/logs/stages.log");
        let _ = std::fs::remove_file(&log);
        let output = self.command("run");
        let text = std::fs::read_to_string(&log).unwrap_or_else(|_| panic!("{}", stderr(&output)));
        let stages = text.lines().map(|line| {
            let (_, said) = line.split_once(" Info ").unwrap();
            let mut parts = said.splitn(3, ": ").map(str::to_owned);
            (parts.next().unwrap(), parts.next().unwrap(), parts.next().unwrap())
        });
        stages.collect()
    }

    fn apply(&mut self, change: &Change) {
        self.only = None;
        match change {
            Change::Setting(name, value) => drop(self.settings.insert(name, value)),
            Change::Only(only) => self.only = Some(only),
            Change::Delete(path) => {
                let path = self.path().join(path);
                let _ = if path.is_dir() { std::fs::remove_dir_all(path) } else { std::fs::remove_file(path) };
            }
            Change::Cut(path, bytes) => {
                let path = self.path().join(path);
                if let Ok(content) = std::fs::read(&path) {
                    std::fs::write(path, &content[..content.len().saturating_sub(*bytes)]).unwrap();
                }
            }
            Change::Damage(path) => {
                let path = self.path().join(path);
                if let Ok(mut content) = std::fs::read(&path) {
                    let middle = content.len() / 2;
                    content.get_mut(middle).iter_mut().for_each(|byte| **byte ^= 1);
                    std::fs::write(path, content).unwrap();
                }
            }
        }
    }
}

fn check(world: &World, change: Option<&Change>) {
    let planned = world.plan();
    let done = world.run();
    let names = |stages: &[(String, String, String)]| stages.iter().map(|(name, ..)| name.clone()).collect::<Vec<_>>();
    assert_eq!(names(&planned), names(&done), "{change:?}");
    for (plan, run) in planned.iter().zip(&done) {
        match plan.1.as_str() {
            // It could not be decided before another stage had run.
            "blocked" => {}
            // The error may name the state of the moment.
            "fail" => assert_eq!(run.1, "fail", "{change:?}: {plan:?} {run:?}"),
            _ => assert_eq!(plan, run, "{change:?}"),
        }
    }
}

/// A few suites and states, always the same; with `PROPTEST_CASES`, so many others.
#[test]
fn the_actions_that_are_planned_are_taken() {
    let config = ProptestConfig { max_shrink_iters: 20, ..examiner_test_support::cases(8) };
    let mut runner = match std::env::var_os("PROPTEST_CASES") {
        Some(_) => TestRunner::new(config),
        None => TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha)),
    };
    let strategy = (any::<(bool, bool)>(), prop::collection::vec(change(), 1..5));
    let result = runner.run(&strategy, |(stages, changes)| {
        let mut world = World::new(stages);
        check(&world, None);
        for change in &changes {
            world.apply(change);
            check(&world, Some(change));
        }
        // Whatever was damaged: two more runs, and everything is as it should be.
        world.only = None;
        world.run();
        let again = world.plan();
        let settled = again.iter().all(|(_, action, _)| matches!(action.as_str(), "reuse" | "resume" | "blocked"));
        prop_assert!(settled, "{again:?}");
        Ok(())
    });
    result.unwrap();
}
