//! Failures are played by small programs; everything else is done by lm-evaluation-harness itself.

use super::options::Interpreter;
use super::program::Program;
use super::session::Session;
use crate::task::{Options, Tasks};
use crate::{LmEvalScorer, ScorerOptions};
use examiner_api::testing::FakeHost;
use examiner_api::{
    Aggregation, Answer, Answered, Ask, Dataset, ErrorCode, Flow, GenerateResult, Open, Outcome, PluginError, Question,
    Sample, ScoreResult, Scorer, Turn,
};
use examiner_test_support::{lm_eval_python, needs};
use serde_json::{Value as Json, json};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

fn interpreter(program: &str, heartbeat_s: f64) -> Interpreter {
    let (program, tasks_dir) = (program.to_owned(), PathBuf::from("absent"));
    Interpreter { program, tasks_dir, hub_mirror: None, pass_env: Vec::new(), heartbeat_s }
}

/// The error of a session with a program that is no worker.
fn fault(script: &str) -> PluginError {
    let interpreter = interpreter("python3", 1.0);
    let program = Program::start(&interpreter, script, &FakeHost::new().host()).unwrap();
    Session::of(program, &interpreter).err().unwrap()
}

#[test]
fn a_python_that_is_not_there_is_named() {
    let error = Session::start(&interpreter("python-of-nowhere", 9.0), &FakeHost::new().host()).err().unwrap();
    assert_eq!(error.code, ErrorCode::NotFound);
    assert!(error.message.contains("`python-of-nowhere`"), "{error}");
    assert!(error.help.unwrap().contains("`python_program`"));
}

#[needs(python)]
#[test]
fn a_python_that_ends_or_says_nothing_or_something_else_is_ended() {
    let words = "import sys, time; print('the last words', file=sys.stderr, flush=True);";
    let ended = fault(&format!("{words} sys.exit(7)"));
    let said = "; the last lines of its stderr: `the last words`";
    assert_eq!(
        (ended.code, ended.message),
        (ErrorCode::Crashed, format!("`python3` ended by itself, with exit code 7{said}"))
    );
    let silent = fault(&format!("{words} time.sleep(60)"));
    assert_eq!(silent.message, format!("`python3` sent nothing for 1 seconds, not even a heartbeat{said}"));
    let closed = fault(&format!("{words} import os; os.close(1); time.sleep(60)"));
    assert_eq!(closed.message, format!("`python3` closed its stdout, and did not end{said}"));
    let other = fault(&format!("{words} print('a progress bar', flush=True); time.sleep(60)"));
    let expected = "`python3` sent something else than the protocol: expected a line of `open`, found `a progress bar`";
    assert_eq!(other.message, format!("{expected}{said}"));
}

#[needs(python)]
#[test]
fn heartbeats_keep_a_python_that_works_and_the_user_can_interrupt_it() {
    let host = FakeHost::new();
    let interpreter = interpreter("python3", 5.0);
    let beats = "import time\nwhile True: print('{\"alive\": true}', flush=True); time.sleep(0.2)";
    let program = Program::start(&interpreter, beats, &host.host()).unwrap();
    let waiting = std::thread::spawn(move || Session::of(program, &interpreter).err().unwrap());
    std::thread::sleep(std::time::Duration::from_secs(7));
    assert!(!waiting.is_finished());
    host.cancel();
    assert_eq!(waiting.join().unwrap().code, ErrorCode::Cancelled);
}

#[needs(python)]
#[test]
fn no_lm_eval_or_another_one_is_told_with_what_to_install() {
    let answer = |line: Json| fault(&format!("input(); print({:?}); input()", line.to_string()));
    let missing =
        answer(json!({ "error": { "kind": "missing", "message": "No module named 'lm_eval'", "traceback": "" } }));
    assert_eq!(missing.message, "expected lm_eval 0.4.13 in `python3`, found: No module named 'lm_eval'");
    assert!(missing.help.unwrap().starts_with("install it there, `python3 -m pip install lm_eval==0.4.13`"));

    let root = tempfile::tempdir().unwrap();
    let tasks = root.path().join("lm_eval-0.4.12/lm_eval/tasks");
    std::fs::create_dir_all(&tasks).unwrap();
    let interpreter = Interpreter { tasks_dir: tasks, ..interpreter("python3", 9.0) };
    let opened = json!({ "value": { "python": "3.12.1", "versions": { "lm_eval": "0.4.13" }, "tasks_dir": "" } });
    let script = format!("input(); print({:?}); input()", opened.to_string());
    let program = Program::start(&interpreter, &script, &FakeHost::new().host()).unwrap();
    let other = Session::of(program, &interpreter).err().unwrap();
    assert!(
        other.message.contains("those of lm_eval 0.4.12, expected the same version in `python3`, found 0.4.13"),
        "{other}"
    );
    assert!(other.help.unwrap().ends_with("or say `tasks_dir: lm_eval==0.4.13`"));
}

/// A tree of tasks with rows of their own.
struct Tree {
    folder: tempfile::TempDir,
}

impl Tree {
    /// A task with these settings, besides name and data, and functions in `utils.py`.
    fn new(yaml: &str, functions: &str, rows: &[Json]) -> Self {
        let tree = Tree { folder: tempfile::tempdir().unwrap() };
        std::fs::create_dir(tree.path("tasks")).unwrap();
        let data = |split: &str| tree.path(&format!("{split}.jsonl")).display().to_string();
        let kwargs = json!({ "data_files": { "test": data("test"), "train": data("train") } });
        let head = format!("task: small\ndataset_path: json\ndataset_kwargs: {kwargs}\ntest_split: test\n");
        tree.write("tasks/small.yaml", &format!("{head}{yaml}\n"));
        tree.write("tasks/utils.py", functions);
        for split in ["test", "train"] {
            let lines: Vec<String> = rows.iter().map(Json::to_string).collect();
            tree.write(&format!("{split}.jsonl"), &lines.join("\n"));
        }
        tree
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
    }

    fn open(&self, with: Json) -> Result<Opened, PluginError> {
        let mut options = json!({
            "task": "small", "tasks_dir": self.path("tasks"), "python_program": lm_eval_python().display().to_string()
        });
        options.as_object_mut().unwrap().extend(with.as_object().unwrap().clone());
        let options: Options = serde_json::from_value(options).unwrap();
        let folder = self.folder.path().to_owned();
        let locate: crate::Locate = Arc::new(move |_, split| Ok(Path::new(&folder).join(format!("{split}.jsonl"))));
        let mut dataset = Tasks::of_tree(&options, locate, &FakeHost::new().host())?;
        let info = dataset.info().unwrap();
        let samples = Mutex::new(Vec::new());
        let sink = |sample: Sample| {
            samples.lock().unwrap().push(sample);
            Flow::Continue
        };
        dataset.samples(&sink).unwrap();
        let options: ScorerOptions = serde_json::from_value(Json::Object(info.scorer_options.clone())).unwrap();
        let scorer = LmEvalScorer::open(options, FakeHost::new().host()).unwrap();
        Ok(Opened { info, samples: samples.into_inner().unwrap(), scorer })
    }
}

/// A dataset and its scorer.
struct Opened {
    info: examiner_api::DatasetInfo,
    samples: Vec<Sample>,
    scorer: LmEvalScorer,
}

impl Opened {
    fn questions(&self, reads_turns: bool) -> Vec<Question> {
        let question = |sample: &Sample| {
            let turns = match (reads_turns && self.info.has_turns, sample.turns.is_empty()) {
                (false, _) => Arc::default(),
                (true, true) => Arc::new(vec![Turn::user(&sample.prompt)]),
                (true, false) => sample.turns.clone(),
            };
            let (context, sampling) = (sample.prompt.clone(), self.info.sampling.clone());
            Question { context, turns, sampling, sample: Sample { turns: Arc::default(), ..sample.clone() } }
        };
        self.samples.iter().map(question).collect()
    }

    fn asks(&self, reads_turns: bool) -> Vec<Vec<Ask>> {
        self.scorer.requests(&self.questions(reads_turns)).unwrap()
    }

    /// Verdicts on answers that depend on what was asked alone.
    fn verdicts(&self) -> Vec<examiner_api::Verdict> {
        let items = self
            .questions(false)
            .into_iter()
            .zip(self.asks(false))
            .map(|(question, asks)| Answered { question, answers: asks.iter().map(answer).collect() });
        self.scorer.score(&items.collect::<Vec<_>>()).unwrap()
    }

    /// The value of each metric over all samples.
    fn values(&self) -> Vec<(String, f64)> {
        let verdicts = self.verdicts();
        assert!(verdicts.iter().all(|verdict| verdict.outcome == Outcome::Scored), "{verdicts:?}");
        let of = |metric: examiner_api::MetricInfo| {
            let value = match metric.aggregation {
                Aggregation::Mean => {
                    let values = verdicts.iter().map(|verdict| verdict.metrics[&metric.name]);
                    values.sum::<f64>() / verdicts.len() as f64
                }
                Aggregation::Corpus => {
                    let numbers: Vec<Vec<f64>> =
                        verdicts.iter().map(|verdict| verdict.statistics[&metric.name].clone()).collect();
                    self.scorer.corpus(&metric.name, &numbers).unwrap()
                }
            };
            (metric.name, value)
        };
        self.scorer.info().unwrap().metrics.into_iter().map(of).collect()
    }
}

/// An answer as if of a model.
fn answer(ask: &Ask) -> Answer {
    match ask {
        Ask::Score { context, continuation, .. } => {
            let hash = context
                .bytes()
                .chain(continuation.bytes())
                .fold(7_u32, |hash, byte| hash.wrapping_mul(31) + u32::from(byte));
            let sum = -f64::from(hash % 1000) / 37.0 - 0.1;
            Answer::Score(ScoreResult { sum, is_greedy: hash.is_multiple_of(2), ..ScoreResult::default() })
        }
        Ask::Generate { prompt, .. } => {
            let text = prompt.split_whitespace().rev().nth(1).unwrap_or_default();
            Answer::Generate(GenerateResult { text: format!("It is {text}."), ..GenerateResult::default() })
        }
    }
}

fn rows() -> Vec<Json> {
    let row = |number: i64| {
        json!({
            "question": format!("What is {number} plus one?"), "answer": (number + 1).to_string(),
            "choices": [number.to_string(), format!("{}", number + 1), "none"], "gold": number % 2, "text": format!("Text {number} of some words."),
        })
    };
    (0..6).map(row).collect()
}

/// Tasks of every output type, which run without Python, too.
const BOTH: [&str; 6] = [
    "output_type: multiple_choice\ndoc_to_text: '{{question}}'\ndoc_to_choice: choices\ndoc_to_target: gold\ndescription: 'Choose.\n\n  '\n\
     metric_list: [{metric: acc}, {metric: acc_norm}, {metric: acc_mutual_info}, {metric: mcc}, {metric: brier_score}]",
    "output_type: multiple_choice\ndoc_to_text: gold\ndoc_to_choice: choices\ndoc_to_target: answer\ntarget_delimiter: '  '",
    "output_type: loglikelihood\ndoc_to_text: '{{question}}'\ndoc_to_target: ' {{answer}}'",
    "output_type: loglikelihood_rolling\ndoc_to_text: ''\ndoc_to_target: '{{text}}'",
    "output_type: generate_until\ndoc_to_text: 'Q: {{question}}\\nA:'\ndoc_to_target: answer\ntraining_split: train\nnum_fewshot: 2\n\
     generation_kwargs: {until: [Q], max_gen_toks: 7}\nmetric_list: [{metric: exact_match}]\nfilter_list: [{name: number, filter: \
     [{function: regex, regex_pattern: '(\\d+)'}, {function: take_first}]}, {name: all, filter: [{function: take_first}]}]",
    "output_type: generate_until\ndoc_to_text: '{{question}}'\ndoc_to_target: text\nrepeats: 3\n\
     metric_list: [{metric: bleu}, {metric: chrf}, {metric: ter}]\n\
     generation_kwargs: {do_sample: true, temperature: 0.5}",
];

#[needs(lm_eval)]
#[test]
fn a_task_is_asked_and_judged_as_it_is_without_python() {
    for yaml in BOTH {
        let tree = Tree::new(yaml, "", &rows());
        let (native, python) = (tree.open(json!({})).unwrap(), tree.open(json!({ "python": "always" })).unwrap());
        assert_ne!(native.info.fingerprint, python.info.fingerprint);
        assert_eq!(
            (native.info.has_turns, &native.info.sampling),
            (python.info.has_turns, &python.info.sampling),
            "{yaml}"
        );
        for (native, python) in native.samples.iter().zip(&python.samples) {
            assert_eq!((&native.id, &native.prompt, &native.turns), (&python.id, &python.prompt, &python.turns));
            assert_eq!(native.document["doc"], python.document["doc"]);
        }
        for reads_turns in [false, true] {
            assert_eq!(native.asks(reads_turns), python.asks(reads_turns), "{yaml}");
        }
        let (native, python) = (native.values(), python.values());
        assert_eq!(native.len(), python.len(), "{yaml}");
        for ((name, native), (other, python)) in native.iter().zip(&python) {
            assert!(name == other && (native - python).abs() < 1e-9, "{yaml}: {name} {native}, {other} {python}");
        }
    }
}

/// Functions that this plugin's own interpreter does not run.
const FUNCTIONS: &str = "
import dataclasses
import random
import statistics

@dataclasses.dataclass
class Verdict:
    good: bool

def process_results(doc, results):
    print('what a task prints is no line of the protocol')
    if doc['answer'] == '3':
        raise ValueError('three is not judged')
    if doc['answer'] == '4':
        import os
        os._exit(9)
    return {'good': float(Verdict(doc['answer'] in results[0]).good), 'pairs': (doc['answer'], {1, 2}), 'extra': 'x'}

def spread(items):
    assert all(kept == {1, 2} for _, kept in items)
    return statistics.pstdev(float(number) for number, _ in items)
";

const NEEDS_PYTHON: &str = "output_type: generate_until\ndoc_to_text: '{{question}}'\ndoc_to_target: answer\n\
    process_results: !function utils.process_results\n\
    metric_list: [{metric: good, aggregation: mean, higher_is_better: true}, \
    {metric: pairs, aggregation: !function utils.spread, higher_is_better: false}]";

#[needs(lm_eval)]
#[test]
fn a_task_that_needs_python_runs_with_it_and_one_document_costs_one_sample() {
    let tree = Tree::new(NEEDS_PYTHON, FUNCTIONS, &rows());
    let refused = tree.open(json!({})).err().unwrap();
    assert_eq!(refused.code, ErrorCode::Unsupported);
    assert!(
        refused.message.contains("cannot be run without Python: it has the function `process_results`"),
        "{refused}"
    );
    assert!(refused.help.unwrap().contains("`python: true`"));

    let opened = tree.open(json!({ "python": true })).unwrap();
    let verdicts = opened.verdicts();
    let failed = |index: usize| match &verdicts[index].outcome {
        Outcome::Error(error) => error.to_string(),
        other => panic!("expected an error, found {other:?}"),
    };
    assert!(
        failed(2).contains("task `small`, document 2: Python raises `ValueError: three is not judged`"),
        "{}",
        failed(2)
    );
    assert!(failed(2).contains("in process_results"), "{}", failed(2));
    assert!(failed(3).contains("with exit code 9"), "{}", failed(3));
    let good: Vec<f64> = [0, 1, 4, 5].iter().map(|index| verdicts[*index].metrics["good"]).collect();
    assert_eq!(good, [0.0; 4]);
    assert_eq!(verdicts[0].details["extra"], "x");
    // The answers 1, 2, 5 and 6.
    let statistics: Vec<Vec<f64>> =
        [0, 1, 4, 5].iter().map(|index| verdicts[*index].statistics["pairs"].clone()).collect();
    let spread = opened.scorer.corpus("pairs", &statistics).unwrap();
    assert!((spread - 4.25_f64.sqrt()).abs() < 1e-12, "{spread}");
    let again = opened.scorer.corpus("pairs", &[statistics[0].clone(), statistics[0].clone()]).unwrap();
    assert_eq!(again, 0.0);

    // What decides samples or verdicts is in their fingerprints.
    let fingerprints = |opened: &Opened| (opened.info.fingerprint.clone(), opened.scorer.info().unwrap().fingerprint);
    let first = fingerprints(&opened);
    assert_eq!(fingerprints(&tree.open(json!({ "python": true })).unwrap()), first);
    tree.write("tasks/utils.py", &format!("{FUNCTIONS}\n# changed"));
    let changed = fingerprints(&tree.open(json!({ "python": true })).unwrap());
    assert!(changed.0 != first.0 && changed.1 != first.1);
}

#[needs(lm_eval)]
#[test]
fn a_document_that_has_changed_is_no_wrong_number() {
    let tree = Tree::new(NEEDS_PYTHON, FUNCTIONS, &rows());
    let opened = tree.open(json!({ "python": true, "limit_per_task": 2 })).unwrap();
    assert_eq!(opened.samples.len(), 2);
    let mut changed = rows();
    changed[1]["answer"] = json!("17");
    let lines: Vec<String> = changed.iter().map(Json::to_string).collect();
    tree.write("test.jsonl", &lines.join("\n"));
    let verdicts = opened.verdicts();
    assert_eq!(verdicts[0].outcome, Outcome::Scored);
    let Outcome::Error(error) = &verdicts[1].outcome else { panic!("expected an error") };
    assert!(error.message.contains("another document than the one that the model was asked about"), "{error}");
}

#[needs(lm_eval)]
#[test]
fn what_python_raises_when_a_task_is_opened_is_told() {
    let tree = Tree::new(NEEDS_PYTHON, "import a_package_of_nowhere", &rows());
    let error = tree.open(json!({ "python": true })).err().unwrap();
    assert!(error.message.starts_with("task `small`: Python raises `"), "{error}");
    assert!(error.to_string().contains("a_package_of_nowhere"), "{error}");

    let pictures = format!("{NEEDS_PYTHON}\ndoc_to_image: text");
    let error = Tree::new(&pictures, FUNCTIONS, &rows()).open(json!({ "python": true })).err().unwrap();
    assert!(error.message.contains("pictures and sound"), "{error}");
}

/// A class whose prompts know of no conversation.
const CLASS: &str = "
from lm_eval.api.instance import Instance
from lm_eval.api.task import ConfigurableTask

class Mixed(ConfigurableTask):
    def __init__(self, config=None):
        config = {key: value for key, value in config.items() if key != 'class'}
        super().__init__(config=config)

    def construct_requests(self, doc, ctx, chat_template=None, apply_chat_template=False, **kwargs):
        first = Instance('generate_until', doc, ('PLAIN ' + doc['question'], {'until': ['.']}), 0, **kwargs)
        return [first, Instance('loglikelihood', doc, (ctx, ' ' + doc['answer']), 1, **kwargs)]

    def process_results(self, doc, results):
        return {'both': float(results[0].startswith('It') and results[1][0] < 0)}

    def aggregation(self):
        return {'both': lambda items: sum(items) / len(items)}

    def higher_is_better(self):
        return {'both': True}
";

#[needs(lm_eval)]
#[test]
fn a_class_asks_in_both_ways_and_refuses_models_that_read_turns() {
    let yaml = "class: !function utils.Mixed\ndoc_to_text: '{{question}}'\ndoc_to_target: answer\nrepeats: 1";
    let tree = Tree::new(yaml, CLASS, &rows());
    let opened = tree.open(json!({ "python": true })).unwrap();
    let info = opened.scorer.info().unwrap();
    assert!(info.asks_generate && info.asks_score);
    let asks = opened.asks(false);
    assert!(
        matches!(&asks[0][0], Ask::Generate { prompt, sampling, .. } if prompt.starts_with("PLAIN") && sampling.stop == ["."])
    );
    assert!(
        matches!(&asks[0][1], Ask::Score { context, continuation, .. } if context.starts_with("What") && continuation == " 1")
    );
    assert_eq!(opened.values(), [("both".to_owned(), 1.0)]);
    let error = opened.scorer.requests(&opened.questions(true)).unwrap_err();
    assert!(error.message.contains("the task `small` cannot be given as a conversation"), "{error}");
}

#[needs(lm_eval)]
#[test]
fn a_group_says_what_it_says_differently_to_python_too() {
    let tree = Tree::new(NEEDS_PYTHON, FUNCTIONS, &rows());
    tree.write("tasks/group.yaml", "group: both\ntask: [{task: small, description: 'Said by the group. '}]\n");
    let opened = tree.open(json!({ "python": true, "task": "both", "limit_per_task": 1 })).unwrap();
    assert_eq!(opened.samples[0].prompt, "Said by the group. What is 0 plus one?");
}
