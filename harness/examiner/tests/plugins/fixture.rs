//! The plugin of the tests: numbers to ask about, a model with faults to order, and a role of every kind that makes
//! something.

use examiner_api::serde::Deserialize;
use examiner_api::{
    Aggregation, Answer, Answered, Ask, Dataset, DatasetInfo, ErrorCode, ExportJob, ExportReport, Exporter,
    FinishReason, Flow, GenerateRequest, GenerateResult, Gold, Host, Level, Metadata, MetricInfo, Model, ModelInfo,
    Open, Plugin, PluginError, Question, Recipe, RecipeEvent, RecipeJob, RecipeReport, Response, Result, Sample,
    SampleRef, ScoreRequest, ScoreResult, Scorer, ScorerInfo, Shot, Sink, TrainEvent, TrainJob, TrainReport, Trainer,
    TrainingRow, Verdict, schemars, serde, serde_json,
};
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Asks "n + n = " for n from 0.
struct Numbers(NumbersOptions);

#[derive(Deserialize, schemars::JsonSchema)]
#[serde(crate = "serde", deny_unknown_fields)]
#[schemars(crate = "schemars")]
struct NumbersOptions {
    /// How many questions.
    rows: u64,
    /// Fails after so many.
    #[serde(default)]
    fails_after: Option<u64>,
    /// What goes wrong at row `at`.
    #[serde(default)]
    fault: Fault,
    #[serde(default)]
    at: u64,
}

impl Open for Numbers {
    type Options = NumbersOptions;
    fn open(options: NumbersOptions, _: Host) -> Result<Self> {
        Ok(Numbers(options))
    }
}

impl Dataset for Numbers {
    fn info(&self) -> Result<DatasetInfo> {
        Ok(DatasetInfo {
            fingerprint: "numbers 1".into(),
            rows: Some(self.0.rows),
            scorer: Some("answer-extraction".into()),
            ..DatasetInfo::default()
        })
    }

    fn few_shot_pool(&mut self) -> Result<Vec<Shot>> {
        let shot = |n| Shot { id: Some(format!("{n}")), prompt: format!("{n} + {n} ="), answer: format!(" {}", 2 * n) };
        Ok((0..self.0.rows).map(shot).collect())
    }

    fn samples(&mut self, sink: &dyn Sink<Sample>) -> Result<()> {
        for n in 0..self.0.rows {
            if self.0.fails_after == Some(n) {
                return Err(PluginError::bad_input(format!("row {n} cannot be read")));
            }
            if self.0.at == n {
                misbehave(self.0.fault);
                assert!(self.0.fault != Fault::Panic, "row {n} is too hard");
            }
            let sample = Sample {
                id: n.to_string(),
                prompt: format!("{n} + {n} ="),
                delimiter: " ".into(),
                choices: vec![(2 * n).to_string(), (2 * n + 1).to_string()],
                gold: Gold::text((2 * n).to_string()),
                subset: Some(if n % 2 == 0 { "even" } else { "odd" }.into()),
                metadata: Arc::new(Metadata::from_iter([("n".into(), n.into())])),
                ..Sample::default()
            };
            if sink.send(sample) == Flow::Stop {
                return Ok(());
            }
        }
        Ok(())
    }
}

/// Adds, unless it is to fail.
struct Adder(AdderOptions, Host);

/// Requests that all adders of this process were given, for tests that count.
static ASKED: AtomicU64 = AtomicU64::new(0);

#[derive(Deserialize, schemars::JsonSchema, Default)]
#[serde(crate = "serde", deny_unknown_fields, default)]
#[schemars(crate = "schemars")]
struct AdderOptions {
    /// What goes wrong, at the question `at`.
    fault: Fault,
    /// What goes wrong is written in this file; nothing, where there is no file.
    fault_file: Option<std::path::PathBuf>,
    /// The question at which it goes wrong.
    at: u64,
    /// The question up to which, from `at`, it goes wrong; `at` alone without it.
    upto: Option<u64>,
    /// Appends a line to this file for every request.
    count: Option<std::path::PathBuf>,
    /// Sleeps so long for every request.
    sleep_ms: u64,
    /// Changes the fingerprint.
    version: u64,
    /// Stands for a checkpoint.
    checkpoint: Option<String>,
}

#[derive(Deserialize, schemars::JsonSchema, Default, Clone, Copy, PartialEq)]
#[serde(crate = "serde", rename_all = "kebab-case")]
#[schemars(crate = "schemars")]
enum Fault {
    #[default]
    None,
    Wrong,
    Silent,
    /// Thinks the right answer, and is cut off before it says so.
    Thinks,
    /// Says that it read only the end of the prompt.
    Truncated,
    Error,
    /// As `error`, at every question from `at` on.
    Errors,
    Panic,
    PanicAtOpen,
    Missing,
    Twice,
    Stranger,
    Nan,
    /// Log-likelihoods that cannot be.
    Positive,
    OtherSum,
    TokenLost,
    NoToken,
    Refused,
    /// Ends the process, in every way there is.
    Abort,
    Segfault,
    Exit,
    Killed,
    ExitAtOpen,
    /// Takes memory until it is ended.
    Leak,
    /// Never comes back.
    Sleep,
    /// Writes to every file that the process has open.
    Garbage,
    /// Prints, which harms nothing.
    Print,
    /// A thread of its own panics, which harms nothing either.
    ThreadPanics,
    /// Panics when it ends.
    PanicsAtEnd,
}

/// Does what no model should.
fn misbehave(fault: Fault) {
    match fault {
        Fault::Abort => std::process::abort(),
        // SAFETY: none; that is the point.
        Fault::Segfault => unsafe { std::ptr::null_mut::<u8>().write_volatile(1) },
        Fault::Exit => std::process::exit(7),
        // SAFETY: a signal to the process itself.
        Fault::Killed => unsafe {
            libc::raise(libc::SIGKILL);
        },
        Fault::Leak => loop {
            let block = vec![1_u8; 8 << 20];
            std::hint::black_box(block.leak());
            std::thread::sleep(std::time::Duration::from_millis(10));
        },
        Fault::Sleep => loop {
            std::thread::sleep(std::time::Duration::from_secs(3600));
        },
        Fault::Garbage => {
            for file in 3..16 {
                // SAFETY: the bytes are there; what the file is does not matter.
                unsafe { libc::write(file, b"to be or not to be, that is the question".as_ptr().cast(), 40) };
            }
            std::thread::sleep(std::time::Duration::from_secs(5));
        }
        Fault::Print => {
            println!("printed");
            eprintln!("complained");
        }
        Fault::ThreadPanics => drop(std::thread::spawn(|| panic!("a thread of its own")).join()),
        _ => {}
    }
}

/// Whether an answer ends with the right one, unless something goes wrong.
struct Comparer(ComparerOptions);

#[derive(Deserialize, schemars::JsonSchema)]
#[serde(crate = "serde", deny_unknown_fields)]
#[schemars(crate = "schemars")]
struct ComparerOptions {
    /// What goes wrong at the question `at`.
    fault: Fault,
    at: u64,
    /// The question up to which it goes wrong, from `at`; `at` alone without it.
    upto: Option<u64>,
    /// Goes wrong when it says what is asked, not when it judges.
    #[serde(default)]
    asking: bool,
}

impl Open for Comparer {
    type Options = ComparerOptions;
    fn open(options: ComparerOptions, _: Host) -> Result<Self> {
        Ok(Comparer(options))
    }
}

impl Comparer {
    fn meet(&self, question: &Question, asking: bool) -> Result<()> {
        let n = question.sample.metadata.get("n").and_then(|n| n.as_u64()).unwrap_or(u64::MAX);
        if self.0.asking == asking && (self.0.at..=self.0.upto.unwrap_or(self.0.at)).contains(&n) {
            misbehave(self.0.fault);
            assert!(self.0.fault != Fault::Panic, "question {n} is too hard");
            if self.0.fault == Fault::Error {
                return Err(PluginError::bad_input(format!("question {n} cannot be judged")));
            }
        }
        Ok(())
    }
}

impl Scorer for Comparer {
    fn info(&self) -> Result<ScorerInfo> {
        let metric = MetricInfo {
            name: "accuracy".into(),
            aggregation: Aggregation::Mean,
            higher_is_better: true,
            bounds: Some((0.0, 1.0)),
            ..MetricInfo::default()
        };
        Ok(ScorerInfo {
            metrics: vec![metric],
            fingerprint: "comparer 1".into(),
            asks_generate: true,
            ..ScorerInfo::default()
        })
    }

    fn requests(&self, questions: &[Question]) -> Result<Vec<Vec<Ask>>> {
        let ask = |question: &Question| {
            self.meet(question, true)?;
            Ok(vec![Ask::Generate {
                prompt: question.context.clone(),
                sampling: Default::default(),
                turns: Default::default(),
            }])
        };
        questions.iter().map(ask).collect()
    }

    fn score(&self, items: &[Answered]) -> Result<Vec<Verdict>> {
        let judge = |item: &Answered| {
            self.meet(&item.question, false)?;
            let is_right = match (&item.answers[0], &item.question.sample.gold) {
                (Answer::Generate(answer), Gold::Text(right)) => right.iter().any(|right| answer.text.ends_with(right)),
                _ => false,
            };
            let value = if is_right { 1.0 } else { 0.0 };
            Ok(Verdict { metrics: [("accuracy".to_owned(), value)].into(), ..Verdict::default() })
        };
        items.iter().map(judge).collect()
    }
}

impl Open for Adder {
    type Options = AdderOptions;
    const CHECKPOINT_OPTION: Option<&'static str> = Some("checkpoint");

    fn open(options: AdderOptions, host: Host) -> Result<Self> {
        let mut options = options;
        if let Some(fault) = options.fault_file.as_ref().and_then(|path| std::fs::read_to_string(path).ok()) {
            options.fault = serde_json::from_value(fault.into())
                .map_err(|error| PluginError::bad_options("fault").with_cause(&error))?;
        }
        assert!(options.fault != Fault::PanicAtOpen, "not today");
        if options.fault == Fault::ExitAtOpen {
            eprintln!("no model today");
            std::process::exit(9);
        }
        host.info("an adder opens");
        Ok(Adder(options, host))
    }
}

impl Drop for Adder {
    fn drop(&mut self) {
        assert!(self.0.fault != Fault::PanicsAtEnd, "it would not end");
    }
}

impl Adder {
    fn number(sample: &SampleRef) -> u64 {
        sample.metadata.get("n").and_then(|n| n.as_u64()).unwrap_or(u64::MAX)
    }

    fn note(&self, id: &str) -> Result<()> {
        ASKED.fetch_add(1, Ordering::SeqCst);
        std::thread::sleep(std::time::Duration::from_millis(self.0.sleep_ms));
        if let Some(path) = &self.0.count {
            let mut file = std::fs::File::options().create(true).append(true).open(path)?;
            writeln!(file, "{id}")?;
        }
        Ok(())
    }
}

impl Model for Adder {
    fn info(&self) -> Result<ModelInfo> {
        Ok(ModelInfo {
            name: "adder".into(),
            fingerprint: format!("adder {}", self.0.version),
            can_score: true,
            can_generate: true,
            ..ModelInfo::default()
        })
    }

    fn score(&mut self, requests: Vec<ScoreRequest>, sink: &dyn Sink<Response<ScoreResult>>) -> Result<()> {
        for request in requests {
            self.note(&request.sample.id)?;
            let n = Self::number(&request.sample);
            let right = request.continuation.trim() == (2 * n).to_string();
            let sum = if right { -1.0 } else { -2.0 };
            let mut result = ScoreResult {
                sum,
                token_logprobs: vec![sum as f32],
                scored_tokens: 1,
                total_tokens: 2,
                ..ScoreResult::default()
            };
            match self.0.fault {
                _ if n != self.0.at => {}
                Fault::Nan => result.sum = f64::NAN,
                Fault::Positive => (result.sum, result.token_logprobs) = (20.0, vec![20.0]),
                Fault::OtherSum => result.sum = -0.5,
                Fault::TokenLost => result.scored_tokens = 2,
                Fault::NoToken => result = ScoreResult { total_tokens: 2, ..ScoreResult::default() },
                _ => {}
            }
            if sink.send(Response::ok(request.id, result)) == Flow::Stop {
                return Ok(());
            }
        }
        Ok(())
    }

    fn generate(&mut self, requests: Vec<GenerateRequest>, sink: &dyn Sink<Response<GenerateResult>>) -> Result<()> {
        for request in requests {
            if self.1.is_cancelled() {
                return Err(PluginError::new(ErrorCode::Cancelled, "stopped"));
            }
            self.note(&request.sample.id)?;
            let n = Self::number(&request.sample);
            // `errors` is a fault of every question from there on.
            let upto = if self.0.fault == Fault::Errors { u64::MAX } else { self.0.upto.unwrap_or(self.0.at) };
            let fault = if (self.0.at..=upto).contains(&n) { self.0.fault } else { Fault::None };
            if fault != Fault::None {
                eprintln!("question {n} is at hand");
            }
            misbehave(fault);
            let text = match fault {
                Fault::Wrong => (2 * n + 1).to_string(),
                Fault::Silent => "I would rather not say".into(),
                _ => format!("{n} and {n} make {}", 2 * n),
            };
            let mut response = Response::ok(
                request.id,
                GenerateResult {
                    text,
                    tokens_in: 3,
                    tokens_out: 1,
                    truncated_tokens: if fault == Fault::Truncated { 9 } else { 0 },
                    ..GenerateResult::default()
                },
            );
            if let (Fault::Thinks, Ok(result)) = (fault, &mut response.result) {
                result.reasoning = Some(std::mem::take(&mut result.text));
                (result.finish, result.reasoning_tokens) = (FinishReason::Length, 1);
            }
            match fault {
                Fault::Error | Fault::Errors => {
                    response.result = Err(PluginError::bad_input("this question is too hard"))
                }
                Fault::Panic => panic!("question {n} is too hard"),
                Fault::Missing => continue,
                Fault::Twice => drop(sink.send(response.clone())),
                Fault::Stranger => response.id = 1 << 40,
                Fault::Refused => return Err(PluginError::new(ErrorCode::Authentication, "the key was refused")),
                _ => {}
            }
            if sink.send(response) == Flow::Stop {
                return Ok(());
            }
        }
        Ok(())
    }
}

/// Asks the teacher ten sums through the host, and keeps what it says.
struct Sums(Host, SumsOptions);

#[derive(Deserialize, schemars::JsonSchema)]
#[serde(crate = "serde", deny_unknown_fields)]
#[schemars(crate = "schemars")]
struct SumsOptions {
    /// Ends its process in the midst of its work, the first time.
    #[serde(default)]
    abort_once: bool,
}

impl Open for Sums {
    type Options = SumsOptions;
    fn open(options: SumsOptions, host: Host) -> Result<Self> {
        Ok(Sums(host, options))
    }
}

impl Recipe for Sums {
    fn make(&mut self, job: RecipeJob, sink: &dyn Sink<RecipeEvent>) -> Result<RecipeReport> {
        let mut teacher = self.0.model(&job.teacher)?;
        self.0.log(Level::Info, format!("the teacher is {}", teacher.info()?.name));
        let request = |n: u64| GenerateRequest {
            id: n,
            sample: SampleRef {
                metadata: Arc::new(Metadata::from_iter([("n".into(), n.into())])),
                ..SampleRef::default()
            },
            prompt: format!("{n} + {n} ="),
            ..GenerateRequest::default()
        };
        let rows = std::sync::Mutex::new(Vec::new());
        teacher.generate((0..10).map(request).collect(), &|response: Response<GenerateResult>| {
            if response.id == 5 && self.1.abort_once && !job.out.join("aborted").exists() {
                let _ = std::fs::write(job.out.join("aborted"), "");
                std::process::abort();
            }
            if let (Ok(result), Ok(mut rows)) = (response.result, rows.lock()) {
                rows.push(TrainingRow {
                    id: response.id.to_string(),
                    prompt: format!("{0} + {0} =", response.id),
                    completion: result.text,
                    ..TrainingRow::default()
                });
                return sink.send(RecipeEvent { done: rows.len() as u64, total: 10, kept: rows.len() as u64 });
            }
            Flow::Continue
        })?;
        let path = job.out.join("F_sums.jsonl");
        let rows = rows.into_inner().unwrap_or_default();
        let lines: Vec<String> = rows.iter().filter_map(|row| serde_json::to_string(row).ok()).collect();
        std::fs::write(&path, lines.join("\n") + "\n")?;
        Ok(RecipeReport { rows: path, asked: 10, kept: rows.len() as u64, ..RecipeReport::default() })
    }
}

/// Writes down how many rows it learned from.
struct Learner(LearnerOptions);

#[derive(Deserialize, schemars::JsonSchema, Default)]
#[serde(crate = "serde", deny_unknown_fields, default)]
#[schemars(crate = "schemars")]
struct LearnerOptions {
    /// Steps; each is a line in the file `steps` of its directory, from which it goes on.
    steps: u64,
    /// Ends its process at this step, so many times.
    abort_at: Option<u64>,
    times: u64,
}

impl Open for Learner {
    type Options = LearnerOptions;
    fn open(options: LearnerOptions, _: Host) -> Result<Self> {
        Ok(Learner(options))
    }
}

impl Learner {
    /// Steps from where an earlier process left off.
    fn step(&self, out: &std::path::Path, sink: &dyn Sink<TrainEvent>) -> Result<()> {
        let lines = |name: &str| std::fs::read_to_string(out.join(name)).unwrap_or_default().lines().count() as u64;
        let append = |name: &str| -> Result<()> {
            Ok(writeln!(std::fs::File::options().create(true).append(true).open(out.join(name))?, "x")?)
        };
        for step in lines("steps")..self.0.steps {
            if self.0.abort_at == Some(step) && lines("aborts") < self.0.times {
                append("aborts")?;
                std::process::abort();
            }
            append("steps")?;
            let _ = sink.send(TrainEvent { step: step + 1, steps: self.0.steps, ..TrainEvent::default() });
        }
        Ok(())
    }
}

impl Trainer for Learner {
    fn train(&mut self, job: TrainJob, sink: &dyn Sink<TrainEvent>) -> Result<TrainReport> {
        let rows = std::fs::read_to_string(&job.rows)?;
        let count = rows.lines().count();
        self.step(&job.out, sink)?;
        let _ = sink.send(TrainEvent { step: 1, steps: 1, loss: Some(0.5), ..TrainEvent::default() });
        let checkpoint = job.out.join("checkpoint");
        std::fs::write(&checkpoint, format!("from {:?}, {count} rows, seed {}", job.from, job.seed))?;
        Ok(TrainReport { checkpoint, steps: 1, ..TrainReport::default() })
    }
}

/// A trainer that writes no file but its checkpoint: its curves are the program's to record.
struct Stepper(StepperOptions, Host);

#[derive(Deserialize, schemars::JsonSchema)]
#[serde(crate = "serde", deny_unknown_fields)]
#[schemars(crate = "schemars")]
struct StepperOptions {
    steps: u64,
    checkpoint_every: u64,
    /// Ends its process after the event of this step, once.
    #[serde(default)]
    abort_after: Option<u64>,
    /// Waits before each step.
    #[serde(default)]
    sleep_ms: u64,
}

impl Open for Stepper {
    type Options = StepperOptions;
    fn open(options: StepperOptions, host: Host) -> Result<Self> {
        Ok(Stepper(options, host))
    }
}

impl Trainer for Stepper {
    fn train(&mut self, job: TrainJob, sink: &dyn Sink<TrainEvent>) -> Result<TrainReport> {
        let Stepper(options, host) = self;
        let checkpoint = job.out.join("checkpoint");
        let written = std::fs::read_to_string(&checkpoint).ok().and_then(|text| text.parse::<u64>().ok());
        let mut resumed_after = written.filter(|step| job.recorded.is_none_or(|recorded| *step <= recorded));
        for step in resumed_after.unwrap_or(0)..options.steps {
            std::thread::sleep(std::time::Duration::from_millis(options.sleep_ms));
            let step = step + 1;
            let flow = sink.send(TrainEvent {
                step,
                steps: options.steps,
                resumed_after: resumed_after.take(),
                loss: Some(3.0 / step as f64),
                validation_loss: step.is_multiple_of(2).then(|| 4.0 / step as f64),
                tokens_per_s: Some(1e6 * f64::from(std::process::id())),
                ..TrainEvent::default()
            });
            let aborted = job.out.join("aborted");
            if options.abort_after == Some(step) && !aborted.exists() {
                std::fs::write(aborted, "")?;
                std::process::abort();
            }
            if step.is_multiple_of(options.checkpoint_every) || step == options.steps {
                host.flush()?;
                std::fs::write(&checkpoint, step.to_string())?;
            }
            if flow == Flow::Stop {
                return Err(PluginError::new(ErrorCode::Cancelled, "stopped"));
            }
        }
        Ok(TrainReport { checkpoint, steps: options.steps, ..TrainReport::default() })
    }
}

impl Exporter for Learner {
    fn export(&mut self, job: ExportJob) -> Result<ExportReport> {
        let checkpoint = job.out.join("exported");
        std::fs::copy(&job.from, &checkpoint)?;
        Ok(ExportReport { checkpoint, ..ExportReport::default() })
    }
}

fn plugin() -> Plugin {
    Plugin::new("fixture", "1.0.0")
        .dataset::<Numbers>("numbers", "Sums of a number with itself.")
        .scorer::<Comparer>("comparer", "Compares, with faults to order.")
        .model::<Adder>("adder", "Adds, with faults to order.")
        .recipe::<Sums>("sums", "Ten sums by the teacher.")
        .trainer::<Learner>("learner", "Counts rows.")
        .trainer::<Stepper>("stepper", "Sends events, and writes a checkpoint.")
        .exporter::<Learner>("copier", "Copies.")
}

examiner_api::export_plugin!(plugin);
