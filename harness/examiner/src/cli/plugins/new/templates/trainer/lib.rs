//! A trainer, and the model that it trains: how likely each byte is, whatever stands before it. Put
//! your own in their place.

use examiner_api::random::Stream;
use examiner_api::rows::{self, Format};
use examiner_api::serde::{Deserialize, Serialize};
use examiner_api::serde_json::{self, json};
use examiner_api::{
    ErrorCode, Flow, Host, Model, ModelInfo, Open, Plugin, PluginError, Response, Result,
    ScoreRequest, ScoreResult, Sink, Span, TrainEvent, TrainJob, TrainReport, Trainer, schemars,
    serde,
};
use std::path::{Path, PathBuf};

/// The name by which suites ask for the role.
const NAME: &str = "my-plugin";

/// Raise it whenever a change of the code can change the weights that a training leaves.
const VERSION: u32 = 1;

/// The file in a checkpoint.
const FILE: &str = "weights.json";

/// What a suite may say of the training. The comments are what `examiner plugins info` shows.
#[derive(Clone, Deserialize, Serialize, schemars::JsonSchema)]
#[serde(crate = "serde", deny_unknown_fields, default)] // A misspelt key is an error.
#[schemars(crate = "schemars")]
pub struct TrainOptions {
    /// How often each row is learned.
    epochs: u32,
    /// The learning rate.
    lr: f64,
    /// After how many steps a checkpoint is written.
    #[schemars(range(min = 1))]
    checkpoint_every: u64,
}

impl Default for TrainOptions {
    fn default() -> Self {
        TrainOptions {
            epochs: 3,
            lr: 1.0,
            checkpoint_every: 10,
        }
    }
}

/// What a checkpoint holds.
#[derive(Clone, Deserialize, Serialize)]
#[serde(crate = "serde", deny_unknown_fields)]
struct Weights {
    /// Of all that decides the training: one of other options or rows must not go on from here.
    identity: String,
    /// Steps done.
    step: u64,
    /// A number for each byte, of which the softmax is its probability.
    logits: Vec<f64>,
}

/// The trainer.
pub struct ByteTrainer {
    options: TrainOptions,
    host: Host,
}

impl Open for ByteTrainer {
    type Options = TrainOptions;

    fn open(options: TrainOptions, host: Host) -> Result<Self> {
        if options.checkpoint_every == 0 || !options.lr.is_finite() {
            return Err(PluginError::bad_options(
                "expected a `checkpoint_every` of at least 1 and a finite `lr`, found others",
            ));
        }
        Ok(ByteTrainer { options, host })
    }
}

impl Trainer for ByteTrainer {
    // Users are told before anything is run.
    fn check(&mut self, from: Option<&str>) -> Result<()> {
        from.map_or(Ok(()), |from| Weights::open(from, &self.host).map(drop))
    }

    fn train(&mut self, job: TrainJob, sink: &dyn Sink<TrainEvent>) -> Result<TrainReport> {
        let texts = texts(&job.rows)?;
        let steps = texts.len() as u64 * u64::from(self.options.epochs);
        let mut weights = self.begin(&job)?;
        let mut resumed_after = (weights.step > 0).then_some(weights.step);
        while weights.step < steps {
            if self.host.is_cancelled() {
                return Err(interrupted());
            }
            // The order of an epoch is a function of the seed: one that goes on has the same.
            let (epoch, place) = (
                weights.step / texts.len() as u64,
                weights.step as usize % texts.len(),
            );
            let order = Stream::new(job.seed, "order", epoch as u32).permutation(texts.len());
            let loss = weights.learn(&texts[order[place] as usize], self.options.lr)?;
            let event = TrainEvent {
                step: weights.step,
                steps,
                resumed_after: resumed_after.take(),
                loss: Some(loss),
                learning_rate: Some(self.options.lr),
                ..TrainEvent::default()
            };
            if sink.send(event) == Flow::Stop {
                return Err(interrupted());
            }
            if weights.step % self.options.checkpoint_every == 0 || weights.step == steps {
                // Whoever goes on from the checkpoint finds the events of all steps before it.
                self.host.flush()?;
                weights.write(&checkpoint(&job.out, weights.step))?;
            }
        }
        let checkpoint = checkpoint(&job.out, steps);
        Ok(TrainReport {
            checkpoint,
            steps,
            ..TrainReport::default()
        })
    }
}

impl ByteTrainer {
    /// The last checkpoint of an interrupted training like this one, or the weights to start from.
    fn begin(&self, job: &TrainJob) -> Result<Weights> {
        let mut weights = match &job.from {
            Some(from) => Weights::open(from, &self.host)?,
            None => Weights {
                identity: String::new(),
                step: 0,
                logits: vec![0.0; 256],
            },
        };
        let decisive = json!({
            "version": VERSION, "options": self.options, "seed": job.seed, "from": weights.logits
        });
        let identity = rows::digest([decisive.to_string(), rows::fingerprint(&job.rows)?]);
        weights = Weights {
            identity,
            step: 0,
            ..weights
        };
        // Events after `recorded` were lost: from a later checkpoint the curve would have a gap.
        let found = std::fs::read_dir(&job.out).into_iter().flatten().flatten();
        let found = found.filter_map(|entry| Weights::read(&entry.path().join(FILE)).ok());
        let fits = |found: &Weights| {
            found.identity == weights.identity
                && job.recorded.is_none_or(|recorded| found.step <= recorded)
        };
        Ok(found
            .filter(fits)
            .max_by_key(|found| found.step)
            .unwrap_or(weights))
    }
}

impl Weights {
    /// Reads the weights of a checkpoint: a directory, or `hf://org/name`.
    fn open(from: &str, host: &Host) -> Result<Self> {
        Self::read(&host.fetch(&format!("{}/{FILE}", from.trim_end_matches('/')))?)
    }

    fn read(path: &Path) -> Result<Self> {
        let bytes = std::fs::read(path).map_err(|error| PluginError::io("read", path, &error))?;
        let weights: Weights = serde_json::from_slice(&bytes).map_err(|error| {
            PluginError::bad_input(format!(
                "expected weights in `{}`, found others",
                path.display()
            ))
            .with_cause(&error)
        })?;
        match weights.logits.len() {
            256 => Ok(weights),
            found => Err(PluginError::bad_input(format!(
                "expected 256 logits in `{}`, found {found}",
                path.display()
            ))),
        }
    }

    /// Writes them as a whole or not at all: the process may end at any moment.
    fn write(&self, directory: &Path) -> Result<()> {
        let (part, path) = (directory.join("weights.json.part"), directory.join(FILE));
        std::fs::create_dir_all(directory)
            .and_then(|()| std::fs::write(&part, json!(self).to_string()))
            .and_then(|()| std::fs::rename(&part, &path))
            .map_err(|error| PluginError::io("write", &path, &error))
    }

    /// The log-probability of each byte, in nats.
    fn log_probabilities(&self) -> Vec<f64> {
        let most = self
            .logits
            .iter()
            .copied()
            .fold(f64::NEG_INFINITY, f64::max);
        let sum: f64 = self.logits.iter().map(|logit| (logit - most).exp()).sum();
        self.logits
            .iter()
            .map(|logit| logit - most - sum.ln())
            .collect()
    }

    /// One step of gradient descent. The mean loss before it, in nats for each byte.
    fn learn(&mut self, text: &[u8], lr: f64) -> Result<f64> {
        let log_probabilities = self.log_probabilities();
        let share = 1.0 / text.len() as f64;
        let loss = -text
            .iter()
            .map(|byte| log_probabilities[usize::from(*byte)])
            .sum::<f64>()
            * share;
        if !loss.is_finite() {
            let message = format!("the loss of step {} is {loss}", self.step + 1);
            return Err(PluginError::new(ErrorCode::Numeric, message).with_help("lower `lr`"));
        }
        // The gradient of the loss by a logit is its byte's probability less its share of the text.
        for (logit, log_probability) in self.logits.iter_mut().zip(&log_probabilities) {
            *logit -= lr * log_probability.exp();
        }
        for byte in text {
            self.logits[usize::from(*byte)] += lr * share;
        }
        self.step += 1;
        Ok(loss)
    }
}

/// The texts to learn: the completions of the rows.
fn texts(path: &Path) -> Result<Vec<Vec<u8>>> {
    let text = |row: Result<rows::Row>| {
        let row = row?;
        match row.fields.get("completion").and_then(|text| text.as_str()) {
            Some(text) if !text.is_empty() => Ok(text.as_bytes().to_vec()),
            _ => Err(PluginError::bad_input(format!(
                "{}: expected a `completion`",
                row.place()
            ))),
        }
    };
    let texts: Vec<Vec<u8>> = rows::read(path, Some(Format::Jsonl))?
        .map(text)
        .collect::<Result<_>>()?;
    match texts.is_empty() {
        true => Err(PluginError::bad_input(format!(
            "`{}` has no rows to learn",
            path.display()
        ))),
        false => Ok(texts),
    }
}

fn checkpoint(out: &Path, step: u64) -> PathBuf {
    out.join(format!("step-{step:06}"))
}

fn interrupted() -> PluginError {
    PluginError::new(
        ErrorCode::Cancelled,
        "interrupted; the same command goes on",
    )
}

/// What a suite may say of the model. `examiner check` tells who asks it for answers.
#[derive(Clone, Deserialize, schemars::JsonSchema)]
#[serde(crate = "serde", deny_unknown_fields)]
#[schemars(crate = "schemars")]
#[schemars(extend("x-cannot" = [{ "what": "generate", "because": "it only weighs texts" }]))]
pub struct ModelOptions {
    /// A checkpoint of the trainer: a directory.
    #[schemars(extend("format" = "path"))]
    checkpoint: String,
}

/// The model.
pub struct ByteModel {
    weights: Weights,
    checkpoint: String,
}

impl Open for ByteModel {
    type Options = ModelOptions;

    // A training, or an export, may say `from: MODEL`, and starts from this checkpoint.
    const CHECKPOINT_OPTION: Option<&'static str> = Some("checkpoint");

    fn open(options: ModelOptions, host: Host) -> Result<Self> {
        let weights = Weights::open(&options.checkpoint, &host)?;
        Ok(ByteModel {
            weights,
            checkpoint: options.checkpoint,
        })
    }
}

impl Model for ByteModel {
    fn info(&self) -> Result<ModelInfo> {
        let decisive = json!({ "version": VERSION, "logits": self.weights.logits });
        Ok(ModelInfo {
            name: "bytes".to_owned(),
            fingerprint: rows::digest([decisive.to_string()]),
            can_score: true,
            checkpoint: Some(self.checkpoint.clone()),
            ..ModelInfo::default()
        })
    }

    fn score(
        &mut self,
        requests: Vec<ScoreRequest>,
        sink: &dyn Sink<Response<ScoreResult>>,
    ) -> Result<()> {
        let log_probabilities = self.weights.log_probabilities();
        for request in requests {
            let result = log_likelihood(&request, &log_probabilities);
            if sink.send(Response {
                id: request.id,
                result,
            }) == Flow::Stop
            {
                break;
            }
        }
        Ok(())
    }
}

/// The log-likelihood of the request's continuation in nats. A byte is a token.
fn log_likelihood(request: &ScoreRequest, log_probabilities: &[f64]) -> Result<ScoreResult> {
    let text = [request.context.as_bytes(), request.continuation.as_bytes()].concat();
    let first = match request.span {
        // White space at the end of the context is scored with the continuation.
        Span::Continuation => request.context.trim_end().len(),
        Span::All => 1,
        windows => return Err(windows.unsupported()),
    };
    let scored = text.get(first..).unwrap_or_default();
    if request.continuation.is_empty() || scored.is_empty() {
        return Err(PluginError::bad_input(
            "expected a text to score, found an empty one",
        ));
    }
    let of = |byte: u8| log_probabilities[usize::from(byte)];
    // Of equals the first counts as the most likely.
    let most = (0..=255_u8)
        .rev()
        .max_by(|one, other| of(*one).total_cmp(&of(*other)));
    Ok(ScoreResult {
        sum: scored.iter().map(|byte| of(*byte)).sum(),
        is_greedy: scored.iter().all(|byte| Some(*byte) == most),
        token_logprobs: scored.iter().map(|byte| of(*byte) as f32).collect(),
        scored_tokens: scored.len() as u32,
        total_tokens: text.len() as u32,
        ..ScoreResult::default()
    })
}

/// The plugin: its name, its version and its roles.
pub fn plugin() -> Plugin {
    Plugin::new(NAME, env!("CARGO_PKG_VERSION"))
        .trainer::<ByteTrainer>(NAME, "Learns how likely each byte of a text is.")
        .model::<ByteModel>(NAME, "What the trainer of this name has learned.")
}

// Makes the library one that the program can open.
examiner_api::export_plugin!(plugin);

#[cfg(test)]
mod tests {
    use super::*;
    use examiner_api::testing::FakeHost;
    use examiner_api::{OpenRole, RoleKind, serde_json::Value};
    use std::sync::Mutex;

    /// The trainer as the program opens it: by its name, with the options of a suite.
    fn open(options: Value) -> Result<Box<dyn Trainer>> {
        let options = options.as_object().unwrap().clone();
        match plugin().open(RoleKind::Trainer, NAME, options, FakeHost::new().host())? {
            OpenRole::Trainer(trainer) => Ok(trainer),
            _ => panic!("the plugin opened another role"),
        }
    }

    /// A directory of its own for each test.
    fn job(test: &str) -> TrainJob {
        let out = std::env::temp_dir().join(format!("{NAME}-{}-{test}", std::process::id()));
        let _ = std::fs::remove_dir_all(&out);
        std::fs::create_dir_all(&out).unwrap();
        let rows = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/rows.jsonl");
        TrainJob {
            rows,
            out,
            seed: 1,
            ..TrainJob::default()
        }
    }

    /// The events of a training of which `most` are wanted, and how it ended.
    fn train(job: &TrainJob, most: u64) -> (Vec<TrainEvent>, Result<TrainReport>) {
        let events = Mutex::new(Vec::new());
        let receive = |event: TrainEvent| {
            let step = event.step;
            events.lock().unwrap().push(event);
            if step < most {
                Flow::Continue
            } else {
                Flow::Stop
            }
        };
        let report = open(json!({ "checkpoint_every": 4 }))
            .unwrap()
            .train(job.clone(), &receive);
        (events.into_inner().unwrap(), report)
    }

    #[test]
    fn the_loss_falls_and_the_model_is_what_was_learned() {
        let job = job("falls");
        let (events, report) = train(&job, u64::MAX);
        let loss = |event: &TrainEvent| event.loss.unwrap();
        assert!(
            (loss(&events[0]) - 256_f64.ln()).abs() < 1e-9,
            "nothing is known at first"
        );
        assert!(loss(events.last().unwrap()) < loss(&events[0]));
        let from = report.unwrap().checkpoint.display().to_string();
        let mut trainer = open(json!({})).unwrap();
        trainer.check(Some(&from)).unwrap();
        assert_eq!(
            trainer.check(Some("nowhere")).unwrap_err().code,
            ErrorCode::NotFound
        );
        let weights = Weights::open(&from, &FakeHost::new().host()).unwrap();
        let request = ScoreRequest {
            continuation: "a".to_owned(),
            ..ScoreRequest::default()
        };
        let result = log_likelihood(&request, &weights.log_probabilities()).unwrap();
        result.check("a").unwrap();
        assert!(
            result.sum > -256_f64.ln(),
            "`a` occurs more often than most"
        );
        std::fs::remove_dir_all(&job.out).unwrap();
    }

    #[test]
    fn an_interrupted_training_goes_on_as_if_nothing_had_happened() {
        let (whole, interrupted) = (job("whole"), job("interrupted"));
        let (expected, report) = train(&whole, u64::MAX);
        let (first, ended) = train(&interrupted, 6);
        assert_eq!(ended.unwrap_err().code, ErrorCode::Cancelled);
        let (rest, again) = train(
            &TrainJob {
                recorded: Some(6),
                ..interrupted.clone()
            },
            u64::MAX,
        );
        assert_eq!(
            rest[0].resumed_after,
            Some(4),
            "the last checkpoint that is recorded"
        );
        let losses =
            |events: &[TrainEvent]| events.iter().map(|event| event.loss).collect::<Vec<_>>();
        assert_eq!(
            [losses(&first[..4]), losses(&rest)].concat(),
            losses(&expected)
        );
        let read =
            |report: Result<TrainReport>| Weights::read(&report.unwrap().checkpoint.join(FILE));
        assert_eq!(read(report).unwrap().logits, read(again).unwrap().logits);
        let (other, _) = train(
            &TrainJob {
                seed: 2,
                ..interrupted.clone()
            },
            u64::MAX,
        );
        assert_eq!(other[0].step, 1, "another seed is another training");
        for job in [whole, interrupted] {
            std::fs::remove_dir_all(&job.out).unwrap();
        }
    }

    #[test]
    fn wrong_options_are_refused() {
        for wrong in [json!({ "checkpoint_every": 0 }), json!({ "rate": 1 })] {
            assert_eq!(open(wrong).err().unwrap().code, ErrorCode::BadOptions);
        }
    }
}
