use super::*;
use crate::LmEvalScorer;
use examiner_api::testing::FakeHost;
use examiner_api::{Ask, Dataset, Flow, Gold, Open, Question, Sample, Scorer, Turn};
use serde_json::{Value as Json, json};
use std::path::Path;
use std::sync::{Arc, Mutex};

/// A tree of one task and its rows.
struct Small {
    folder: tempfile::TempDir,
}

impl Small {
    /// The YAML of a task with the name `small`, besides name and dataset; and rows of the split `test`.
    fn new(yaml: &str, test: &[Json]) -> Self {
        let small = Small { folder: tempfile::tempdir().unwrap() };
        std::fs::create_dir(small.path("tasks")).unwrap();
        small.write("tasks/small.yaml", &format!("task: small\ndataset_path: org/rows\ntest_split: test\n{yaml}\n"));
        small.rows("test", test)
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
    }

    fn rows(self, split: &str, rows: &[Json]) -> Self {
        let lines: Vec<String> = rows.iter().map(Json::to_string).collect();
        self.write(&format!("{split}.jsonl"), &lines.join("\n"));
        self
    }

    fn options(&self, num_fewshot: Option<usize>) -> Options {
        let options = json!({ "task": "small", "tasks_dir": self.path("tasks"), "num_fewshot": num_fewshot });
        serde_json::from_value(options).unwrap()
    }

    fn open(&self, options: &Options) -> Result<Tasks, String> {
        let folder = self.folder.path().to_owned();
        let locate: Locate = Arc::new(move |_, split| Ok(Path::new(&folder).join(format!("{split}.jsonl"))));
        Tasks::of_tree(options, locate, &FakeHost::new().host()).map_err(|error| error.to_string())
    }

    fn samples(&self, num_fewshot: Option<usize>) -> Vec<Sample> {
        samples(&mut self.open(&self.options(num_fewshot)).unwrap())
    }

    fn refused(&self) -> String {
        self.open(&self.options(None)).err().unwrap()
    }
}

fn samples(tasks: &mut Tasks) -> Vec<Sample> {
    let samples = Mutex::default();
    tasks
        .samples(&|sample: Sample| {
            let samples: &Mutex<Vec<Sample>> = &samples;
            samples.lock().unwrap().push(sample);
            Flow::Continue
        })
        .unwrap();
    samples.into_inner().unwrap()
}

/// Context and continuation of each request, or prompt and stop strings.
fn asked(small: &Small, num_fewshot: Option<usize>) -> Vec<Vec<(String, String)>> {
    let mut tasks = small.open(&small.options(num_fewshot)).unwrap();
    let info = tasks.info().unwrap();
    let options = serde_json::from_value(Json::Object(info.scorer_options.clone())).unwrap();
    let scorer = LmEvalScorer::open(options, FakeHost::new().host()).unwrap();
    let question = |sample: Sample| Question {
        context: sample.prompt.clone(),
        sample,
        sampling: info.sampling.clone(),
        ..Question::default()
    };
    let questions: Vec<Question> = samples(&mut tasks).into_iter().map(question).collect();
    let pair = |ask: Ask| match ask {
        Ask::Score { context, continuation, .. } => (context, continuation),
        Ask::Generate { prompt, sampling, .. } => (prompt, sampling.stop.join("|")),
    };
    scorer.requests(&questions).unwrap().into_iter().map(|asks| asks.into_iter().map(pair).collect()).collect()
}

fn pair(context: &str, continuation: &str) -> (String, String) {
    (context.to_owned(), continuation.to_owned())
}

const CHOICE: &str = "output_type: multiple_choice\ndoc_to_text: \"Q: {{question}}\\nA:\"\ndoc_to_target: answer\ndoc_to_choice: choices";

fn choice_rows() -> Vec<Json> {
    vec![
        json!({ "question": "1+1", "choices": ["2", "3"], "answer": 0 }),
        json!({ "question": "1+2", "choices": ["2", "3"], "answer": 1 }),
        json!({ "question": "3+1", "choices": ["4", "3"], "answer": 0 }),
    ]
}

#[test]
fn each_choice_follows_the_prompt_after_the_delimiter() {
    let small = Small::new(CHOICE, &choice_rows());
    let sample = small.samples(None).remove(1);
    assert_eq!((sample.id.as_str(), sample.subset, sample.gold), ("small/1", None, Gold::Choice(1)));
    assert_eq!((sample.prompt.as_str(), sample.delimiter.as_str()), ("Q: 1+2\nA:", " "));
    assert_eq!(sample.turns.len(), 0, "one turn of the user needs none");
    assert_eq!(asked(&small, None)[0], [pair("Q: 1+1\nA:", " 2"), pair("Q: 1+1\nA:", " 3")]);
}

#[test]
fn examples_stand_before_the_question_and_never_are_the_question() {
    let yaml = format!(
        "{CHOICE}\ndescription: \"Sums of {{{{answer}}}}.\\n\"\nfewshot_split: test\nfewshot_config:\n  sampler: first_n"
    );
    let small = Small::new(&yaml, &choice_rows());
    let first = &asked(&small, Some(2))[0][0].0;
    assert_eq!(first, "Sums of 0.\nQ: 1+2\nA: 3\n\nQ: 3+1\nA: 4\n\nQ: 1+1\nA:");
    let sample = small.samples(Some(1)).remove(1);
    let turns =
        [Turn::system("Sums of 1.\n"), Turn::user("Q: 1+1\nA:"), Turn::assistant("2"), Turn::user("Q: 1+2\nA:")];
    assert_eq!(*sample.turns, turns);
    let refused = small.open(&small.options(Some(3))).err().unwrap();
    assert!(refused.contains("asks for 3 examples"), "{refused}");
}

/// Python: `r = random.Random(1234)`, then `r.sample(range(6), 2)` three times gives these.
#[test]
fn random_examples_go_on_from_document_to_document() {
    let yaml = "doc_to_text: '{{q}}='\ndoc_to_target: '{{a}}'\ntraining_split: train";
    let rows = |from: i64| (from..from + 6).map(|n| json!({ "q": format!("q{n}"), "a": n })).collect::<Vec<_>>();
    let small = Small::new(yaml, &rows(10)[..3]).rows("train", &rows(0));
    let contexts: Vec<String> = asked(&small, Some(2)).into_iter().map(|mut asks| asks.remove(0).0).collect();
    let drawn: Vec<Vec<usize>> = {
        let mut random = examiner_python::Random::new(1234);
        (0..3).map(|_| random.sample(6, 2).unwrap()).collect()
    };
    let shots = |drawn: &[usize]| drawn.iter().map(|n| format!("q{n}= {n}\n\n")).collect::<String>();
    for (index, context) in contexts.iter().enumerate() {
        assert_eq!(*context, format!("{}q{}=", shots(&drawn[index]), 10 + index));
    }
    assert_ne!(drawn[0], drawn[1]);
}

#[test]
fn a_task_that_says_no_examples_keeps_none() {
    let small = Small::new("doc_to_text: q\ndoc_to_target: a\nnum_fewshot: 0", &[json!({ "q": "Q", "a": "A" })]);
    assert_eq!(asked(&small, Some(5))[0], [pair("Q", "\n\n")]);
}

#[test]
fn choices_in_the_context_are_scored_by_what_follows_them() {
    let yaml = "output_type: multiple_choice\ndoc_to_text: '{{label}}'\ndoc_to_choice: \"{{[a ~ ' so', b ~ ' so']}}\"\ndoc_to_target: '{{end}}'";
    let small = Small::new(yaml, &[json!({ "label": 1, "a": "A", "b": "B", "end": "it is" })]);
    assert_eq!(asked(&small, None)[0], [pair("A so", " it is"), pair("B so", " it is")]);
}

#[test]
fn a_column_is_taken_as_it_is_and_a_template_of_digits_is_a_number() {
    let yaml = "output_type: multiple_choice\ndoc_to_text: question\ndoc_to_target: '{{answer|int - 1}}'\ndoc_to_choice: ['yes', 'no']";
    let small = Small::new(yaml, &[json!({ "question": "{{x}}", "answer": "2" })]);
    let sample = small.samples(None).remove(0);
    assert_eq!((sample.prompt.as_str(), sample.gold), ("{{x}}", Gold::Choice(1)));
}

#[test]
fn the_likelihood_of_a_text_has_no_delimiter_of_its_own() {
    let yaml = "output_type: loglikelihood\ndoc_to_text: \"{{text.split(' ')[:-1]|join(' ')}}\"\ndoc_to_target: \"{{' '+text.split(' ')[-1]}}\"";
    let small = Small::new(yaml, &[json!({ "text": "one two three" })]);
    assert_eq!(asked(&small, None)[0], [pair("one two", " three")]);
}

#[test]
fn a_prefix_begins_the_answer() {
    let yaml = "doc_to_text: 'Q: {{q}}'\ndoc_to_target: a\ngen_prefix: 'The answer is'\nfewshot_split: test";
    let small = Small::new(yaml, &[json!({ "q": "1", "a": "one" }), json!({ "q": "2", "a": "two" })]);
    assert_eq!(asked(&small, Some(1))[0][0].0, "Q: 2 The answer is two\n\nQ: 1 The answer is");
    let turns = small.samples(Some(0)).remove(0).turns;
    assert_eq!(*turns, [Turn::user("Q: 1"), Turn::assistant("The answer is")]);
}

#[test]
fn functions_make_documents_and_texts() {
    let yaml = "process_docs: !function utils.process_docs\ndoc_to_text: !function utils.text\ndoc_to_target: right";
    let small = Small::new(yaml, &[json!({ "q": "a" }), json!({ "q": "b" })]);
    small.write(
        "tasks/utils.py",
        "def process_docs(dataset):\n    return dataset.filter(lambda d: d['q'] != 'a').map(lambda d: {'right': d['q'].upper()})\n\n\
         def text(doc):\n    return f\"<{doc['q']}>\"\n",
    );
    let samples = small.samples(None);
    assert_eq!(samples.len(), 1);
    assert_eq!((samples[0].prompt.as_str(), &samples[0].gold), ("<b>", &Gold::text("B")));
}

#[test]
fn what_is_not_supported_is_refused_by_name() {
    let rows = [json!({ "q": "Q", "a": "A", "n": 1 })];
    for (yaml, said) in [
        ("doc_to_text: '{{missing}}'\ndoc_to_target: a", "`missing` is undefined"),
        ("doc_to_text: q\ndoc_to_target: a\nunsafe_code: true", "unsafe_code"),
        ("doc_to_text: q\ndoc_to_target: a\nunknown_key: 1", "`unknown_key`"),
        ("doc_to_text: q\ndoc_to_target: a\ngeneration_kwargs:\n  num_beams: 3", "`num_beams`"),
        ("doc_to_text: q\ndoc_to_target: a\nmetric_list:\n  - metric: bleurt", "`bleurt`"),
        ("doc_to_text: q\ndoc_to_target: a\nfilter_list:\n  - name: f\n    filter:\n      - function: best", "`best`"),
        ("doc_to_text: n\ndoc_to_target: a", "expected a text"),
        ("doc_to_text: q\ndoc_to_target: a\nfewshot_config:\n  sampler: balanced", "`balanced`"),
        (
            "output_type: multiple_choice\ndoc_to_text: q\ndoc_to_target: a\ndoc_to_choice: '{{q}}'",
            "no list can be read",
        ),
        ("doc_to_text: q\ndoc_to_target: a\nprocess_docs: !function nowhere.f", "nowhere"),
    ] {
        let refused = Small::new(yaml, &rows).refused();
        assert!(refused.contains(said), "{yaml}: {refused}");
    }
}

#[test]
fn a_template_that_asks_for_too_much_is_stopped() {
    let yaml = "doc_to_text: \"{{ q * 2000000000 }}\"\ndoc_to_target: a";
    let refused = Small::new(yaml, &[json!({ "q": "Q", "a": "A" })]).refused();
    assert!(refused.contains("MiB") || refused.contains("limit"), "{refused}");
}

#[test]
fn the_fingerprint_changes_with_what_samples_depend_on_and_with_nothing_else() {
    let of = |yaml: &str, answer: &str, shots| {
        let small = Small::new(yaml, &[json!({ "q": "Q", "a": answer }), json!({ "q": "R", "a": "B" })]);
        small.open(&small.options(shots)).unwrap().info().unwrap().fingerprint
    };
    let yaml = "doc_to_text: q\ndoc_to_target: a\nfewshot_split: test";
    let base = of(yaml, "A", None);
    assert_eq!(base, of(yaml, "A", None));
    assert_eq!(base, of(&format!("{yaml}\nmetadata:\n  version: 3.0"), "A", None));
    assert_ne!(base, of(yaml, "B", None));
    assert_ne!(base, of(yaml, "A", Some(1)));
    assert_ne!(base, of(&format!("{yaml}\ntarget_delimiter: ''"), "A", None));
}
