//! A small benchmark, a teacher to order, and a scorer that judges as the authors do.

use examiner_api::testing::FakeHost;
use examiner_api::{
    Answer, Answered, Ask, Dataset, ErrorCode, Flow, GenerateRequest, GenerateResult, Gold, Metadata, MetricInfo,
    Model, ModelInfo, Open, OpenRole, Outcome, PluginError, Question, Recipe, RecipeEvent, RecipeJob, RecipeReport,
    Response, Result, RoleKind, Sample, Scorer, ScorerInfo, Sink, Verdict,
};
use examiner_plugin_bbh::{Bbh, BbhRecipe};
use serde_json::{Value, json};
use std::path::Path;
use std::sync::{Arc, Mutex};

/// Three of each task; the first and last walk are the same text with opposite targets.
pub(crate) fn benchmark(folder: &Path) {
    let walk = |steps: &str| format!("Walk {steps}. Are you back?\nOptions:\n- Yes\n- No");
    let navigate = [(walk("in a circle"), "Yes"), (walk("two steps"), "No"), (walk("in a circle"), "No")];
    let pick = |what: &str| format!("Which is {what}?\nOptions:\n(A) a stone\n(B) a leaf (green)");
    let pick = [(pick("hard"), "(A)"), (pick("soft"), "(B)"), (pick("odd"), "a stone, a leaf")];
    let count = [("2 + 2 =", "4"), ("2 * 3 =", "6"), ("1 - 3 =", "-2")];
    task(folder, "navigate", navigate);
    task(folder, "snarks", pick);
    task(folder, "multistep_arithmetic_two", count);
    let example = |question: &str, answer: &str| {
        format!("Q: {question}\nA: Let's think step by step.\nOne step.\nSo the answer is {answer}.")
    };
    for name in ["navigate", "snarks", "multistep_arithmetic_two"] {
        let examples = [example("One?", "(A)"), example("Two?\nOptions:\n(A) x", "(B)"), example("Three?", "3")];
        let text = format!("A note.\n-----\nAbout {name}.\n\nMore of it.\n\n{}", examples.join("\n\n"));
        write(&folder.join("cot-prompts").join(format!("{name}.txt")), &text);
    }
}

/// The three tasks of [`benchmark`].
pub(crate) fn tasks() -> Value {
    json!(["navigate", "snarks", "multistep_arithmetic_two"])
}

fn task<I: AsRef<str>>(folder: &Path, name: &str, rows: impl IntoIterator<Item = (I, &'static str)>) {
    let example = |(input, target): (I, &str)| json!({ "input": input.as_ref(), "target": target });
    let examples: Vec<Value> = rows.into_iter().map(example).collect();
    write(
        &folder.join("tasks").join(format!("{name}.json")),
        &json!({ "canary": "x", "examples": examples }).to_string(),
    );
}

pub(crate) fn write(path: &Path, text: &str) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

pub(crate) fn open(folder: &Path, options: Value) -> Result<Bbh> {
    Bbh::open(serde_json::from_value(options).unwrap(), FakeHost::in_dir(folder).host())
}

pub(crate) fn samples(dataset: &mut Bbh) -> Vec<Sample> {
    let samples = Mutex::new(Vec::new());
    let sink = |sample| {
        samples.lock().unwrap().push(sample);
        Flow::Continue
    };
    dataset.samples(&sink).unwrap();
    samples.into_inner().unwrap()
}

/// What a teacher says to a request.
pub(crate) type Says = dyn Fn(&GenerateRequest) -> Result<String> + Send + Sync;

/// A teacher that answers as its function says, and records what it was asked.
#[derive(Clone)]
pub(crate) struct Teacher {
    pub(crate) says: Arc<Says>,
    pub(crate) asked: Arc<Mutex<Vec<GenerateRequest>>>,
    pub(crate) fingerprint: String,
}

impl Teacher {
    pub(crate) fn new(says: impl Fn(&GenerateRequest) -> Result<String> + Send + Sync + 'static) -> Self {
        Teacher { says: Arc::new(says), asked: Arc::default(), fingerprint: "weights 1".to_owned() }
    }

    /// `navigate-0#1` for the second repetition of a sample, in the order of asking.
    pub(crate) fn asked(&self) -> Vec<String> {
        let asked = self.asked.lock().unwrap();
        asked.iter().map(|request| format!("{}#{}", request.sample.id, request.sample.repeat)).collect()
    }
}

impl Model for Teacher {
    fn info(&self) -> Result<ModelInfo> {
        let (name, fingerprint) = ("a teacher".to_owned(), self.fingerprint.clone());
        Ok(ModelInfo { name, fingerprint, can_generate: true, ..ModelInfo::default() })
    }

    fn generate(&mut self, requests: Vec<GenerateRequest>, sink: &dyn Sink<Response<GenerateResult>>) -> Result<()> {
        for request in requests {
            self.asked.lock().unwrap().push(request.clone());
            let result = (self.says)(&request).map(|text| GenerateResult { text, ..GenerateResult::default() });
            if sink.send(Response { id: request.id, result }) == Flow::Stop {
                break;
            }
        }
        Ok(())
    }
}

/// Right about everything but the soft thing; says nothing that can be found about the second walk.
pub(crate) fn says(request: &GenerateRequest) -> Result<String> {
    let answer = match &*request.sample.id {
        "navigate-0" => "Yes",
        "navigate-1" => return Ok("I do not know.".to_owned()),
        "navigate-2" => "No",
        "snarks-0" => "(A)",
        "snarks-1" => "(A)",
        "snarks-2" => "a stone, a leaf",
        "multistep_arithmetic_two-0" => "4",
        "multistep_arithmetic_two-1" => "6",
        "multistep_arithmetic_two-2" => "-2",
        other => return Err(PluginError::not_found(format!("a question about `{other}`"))),
    };
    Ok(format!("A step.\nSo the answer is {answer}."))
}

/// The rule of the benchmark's authors.
pub(crate) struct Judge;

impl Scorer for Judge {
    fn info(&self) -> Result<ScorerInfo> {
        let accuracy = MetricInfo {
            name: "accuracy".to_owned(),
            aggregation: Default::default(),
            higher_is_better: true,
            bounds: Some((0.0, 1.0)),
            ..MetricInfo::default()
        };
        Ok(ScorerInfo { metrics: vec![accuracy], fingerprint: "rule 1".to_owned(), ..ScorerInfo::default() })
    }

    fn requests(&self, _: &[Question]) -> Result<Vec<Vec<Ask>>> {
        Err(PluginError::unsupported("asks nothing"))
    }

    fn score(&self, items: &[Answered]) -> Result<Vec<Verdict>> {
        Ok(items.iter().map(verdict).collect())
    }
}

fn verdict(item: &Answered) -> Verdict {
    let [Answer::Generate(answer)] = &item.answers[..] else { panic!("expected one answer") };
    let Gold::Text(golds) = &item.question.sample.gold else { panic!("expected a text") };
    let found = answer.text.rsplit_once("answer is ").map(|(_, after)| after.lines().next().unwrap_or_default());
    let found = found.map(|found| found.strip_suffix('.').unwrap_or(found).to_owned());
    let right = found.as_ref().is_some_and(|found| golds.contains(found));
    Verdict {
        outcome: if found.is_some() { Outcome::Scored } else { Outcome::Unanswered },
        metrics: [("accuracy".to_owned(), f64::from(u8::from(right)))].into(),
        extracted: found,
        ..Verdict::default()
    }
}

/// A recipe over [`benchmark`] in `folder`, whose data goes to `folder/data`.
pub(crate) struct RecipeRun<'a> {
    pub(crate) folder: &'a Path,
    pub(crate) host: FakeHost,
    pub(crate) options: Value,
    pub(crate) seed: u64,
    pub(crate) limit: Option<u64>,
}

impl<'a> RecipeRun<'a> {
    pub(crate) fn new(folder: &'a Path) -> Self {
        let options = json!({ "path": ".", "tasks": tasks() });
        RecipeRun { folder, host: FakeHost::in_dir(folder), options, seed: 1, limit: None }
    }

    pub(crate) fn with(mut self, name: &str, value: Value) -> Self {
        self.options[name] = value;
        self
    }

    pub(crate) fn make(&self, teacher: &Teacher) -> Result<RecipeReport> {
        self.make_with(teacher, &|_| Flow::Continue)
    }

    pub(crate) fn make_with(&self, teacher: &Teacher, sink: &dyn Sink<RecipeEvent>) -> Result<RecipeReport> {
        self.host.offer(RoleKind::Model, "teacher", OpenRole::Model(Box::new(teacher.clone())));
        self.host.offer(RoleKind::Scorer, "answer-extraction", OpenRole::Scorer(Box::new(Judge)));
        let mut recipe = BbhRecipe::open(serde_json::from_value(self.options.clone()).unwrap(), self.host.host())?;
        let (teacher, out) = ("teacher".to_owned(), self.folder.join("data"));
        recipe.make(RecipeJob { teacher, out, limit: self.limit, seed: self.seed }, sink)
    }

    /// What was said to the user.
    pub(crate) fn warnings(&self) -> Vec<String> {
        let warnings = self.host.messages().into_iter().filter(|(level, _)| *level >= examiner_api::Level::Warn);
        warnings.map(|(_, message)| message).collect()
    }
}

/// The rows of a file.
pub(crate) fn rows(path: &Path) -> Vec<Metadata> {
    let text = std::fs::read_to_string(path).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

pub(crate) fn overloaded() -> PluginError {
    PluginError::new(ErrorCode::Overloaded, "come back later")
}
