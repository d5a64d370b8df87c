//! A training from beginning to end.

use super::checkpoints::{Best, Checkpoints, Progress, remove, replace};
use super::engine::{Batch, Composed, Engine, Fused, Parts, State, Update};
use super::identity::identity;
use super::options::{Keep, TrainOptions};
use super::parameters::Layout;
use super::plan::{self, Plan};
use super::rows::{self, Encoded, Encoder, Fields, Line, Row};
use super::schedule::LearningRate;
use super::start::Start;
use crate::device::ComputeDevice;
use crate::precision::isa;
use examiner_api::{ErrorCode, Flow, Host, Metadata, PluginError, Result, Sink, TrainEvent, TrainJob, TrainReport};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::time::Instant;

/// What a finished training leaves, so that it is not done again.
#[derive(Serialize, Deserialize)]
struct Finished {
    identity: String,
    /// Its checkpoint is relative to the directory of the training, which may be moved.
    report: TrainReport,
}

/// Trains, or goes on with a training that was interrupted.
pub(super) fn train(
    options: &TrainOptions,
    device: &ComputeDevice,
    host: &Host,
    job: &TrainJob,
    sink: &dyn Sink<TrainEvent>,
) -> Result<TrainReport> {
    std::fs::create_dir_all(&job.out).map_err(|error| PluginError::io("make", &job.out, &error))?;
    let lines = rows::read(&job.rows, Fields::of(options))?;
    let mut start = Start::find(job.from.as_deref(), options, &lines, job.seed, host)?;
    let data = Data::new(options, &start, &lines, job, host)?;
    let identity = identity(options, device, &start.fingerprint, [&data.train, &data.validation], job.seed)?;
    let finished_path = job.out.join("finished.json");
    let checkpoints = Checkpoints::new(job.out.join("checkpoints"), std::mem::take(&mut start.files));
    if let Some(report) = finished(&job.out, &finished_path, &identity) {
        host.info("the training is finished already");
        // It may have been killed before it had removed all that only an unfinished one needs.
        checkpoints.finish()?;
        return Ok(report);
    }
    let plan = Plan::new(&data.train, options, job.seed);
    // From a checkpoint whose steps are not all recorded, the curves would have a gap.
    let is_recorded = |step: u64| job.recorded.is_none_or(|recorded| step <= recorded);
    let resumed = checkpoints.last(&start.layout, &identity)?.filter(|(progress, _)| is_recorded(progress.step));
    let (progress, state) = match resumed {
        Some((progress, state)) => {
            host.info(format!("going on after step {} of {}", progress.step, plan.length()));
            (Some(progress), state)
        }
        None => {
            make_room(&checkpoints, &finished_path, host)?;
            (None, State::new(std::mem::take(&mut start.weights)))
        }
    };
    remove(&finished_path)?;
    let layout = start.layout.clone();
    let parts = Parts { config: start.config.clone(), layout: start.layout, state };
    let engine: Box<dyn Engine> = match device {
        ComputeDevice::Cpu => Box::new(Fused::new(isa()?, parts)),
        ComputeDevice::Ops(device) => Box::new(Composed::new(parts, device.clone(), options.dtype.dtype())?),
    };
    let run = Run {
        options,
        host,
        sink,
        rate: LearningRate::new(options, plan.length()),
        plan,
        data,
        layout,
        engine,
        checkpoints: &checkpoints,
        resumed_after: progress.as_ref().map(|progress| progress.step),
        written: progress.as_ref().map(|progress| progress.step),
        progress: progress.unwrap_or(Progress { identity: identity.clone(), ..Progress::default() }),
    };
    let report = run.train()?;
    let relative = report.checkpoint.strip_prefix(&job.out).unwrap_or(&report.checkpoint).to_owned();
    let finished = Finished { identity, report: TrainReport { checkpoint: relative, ..report.clone() } };
    let text = serde_json::to_vec_pretty(&finished)
        .map_err(|error| PluginError::bad_input("cannot write the report").with_cause(&error))?;
    replace(&finished_path, &text)?;
    // Only now: a training that is killed before resumes from the last checkpoint.
    checkpoints.finish()?;
    Ok(report)
}

/// The report of a training that is finished, if it is of this identity and its checkpoint is there.
fn finished(out: &Path, path: &Path, identity: &str) -> Option<TrainReport> {
    let finished: Finished = serde_json::from_slice(&std::fs::read(path).ok()?).ok()?;
    let checkpoint = out.join(&finished.report.checkpoint);
    let there = finished.identity == identity && checkpoint.join("model.safetensors").is_file();
    there.then_some(TrainReport { checkpoint, ..finished.report })
}

/// Takes checkpoints that cannot be gone on from out of the way. Those of a finished training are kept, under another name.
fn make_room(checkpoints: &Checkpoints, finished: &Path, host: &Host) -> Result<()> {
    if checkpoints.is_empty()? {
        return Ok(());
    }
    let directory = checkpoints.directory().display();
    if finished.is_file() {
        let kept = checkpoints.set_aside()?;
        host.warn(format!(
            "`{directory}` holds the checkpoints of another training, which are now in `{}`",
            kept.display()
        ));
    } else {
        host.warn(format!("`{directory}` holds checkpoints of another training, unfinished, which are removed"));
        checkpoints.clear()?;
    }
    Ok(())
}

/// Rows in tokens.
struct Data {
    train: Vec<Row>,
    validation: Vec<Row>,
    truncated: u64,
    left_out: u64,
}

impl Data {
    fn new(options: &TrainOptions, start: &Start, lines: &[Line], job: &TrainJob, host: &Host) -> Result<Data> {
        let context = start.config.n_positions;
        let max_length = options.max_length.unwrap_or(context);
        if max_length > context {
            return Err(PluginError::bad_options(format!(
                "`max_length: {max_length}` is more than the model's context of {context} tokens"
            )));
        }
        let end = if options.end_of_text { start.end } else { None };
        if options.end_of_text && end.is_none() && lines.iter().any(Line::is_text) {
            return Err(PluginError::bad_input("the start names no end-of-text token (`eos_token_id`)")
                .with_help("write `end_of_text: false` to train without one"));
        }
        let encoder = Encoder {
            tokenizer: start.tokenizer.as_ref(),
            chat: start.chat.as_ref(),
            end,
            max_length,
            too_long: options.too_long,
            loss_on: options.loss_on,
            vocabulary: start.config.vocab_size,
        };
        let Encoded { rows, mut truncated, mut left_out } = encoder.encode(lines)?;
        let (train, validation) = match &options.validation {
            Some(file) => {
                let held = encoder.encode(&rows::read(&host.fetch(file)?, Fields::of(options))?)?;
                truncated += held.truncated;
                left_out += held.left_out;
                (rows, held.rows)
            }
            None => rows::hold_out(rows, options, job.seed)?,
        };
        if truncated > 0 {
            host.warn(format!("{truncated} rows are longer than {max_length} tokens and were cut at their end"));
        }
        if left_out > 0 {
            host.warn(format!("{left_out} rows are longer than {max_length} tokens and are left out"));
        }
        Ok(Data { train, validation, truncated, left_out })
    }
}

/// A training under way.
struct Run<'a> {
    options: &'a TrainOptions,
    host: &'a Host,
    sink: &'a dyn Sink<TrainEvent>,
    plan: Plan,
    rate: LearningRate,
    data: Data,
    layout: Layout,
    engine: Box<dyn Engine>,
    checkpoints: &'a Checkpoints,
    /// The checkpoint's step, until the first event has said it.
    resumed_after: Option<u64>,
    progress: Progress,
    /// The step of the last checkpoint.
    written: Option<u64>,
}

impl Run<'_> {
    fn train(mut self) -> Result<TrainReport> {
        let since = Instant::now();
        let before = self.progress.seconds;
        if self.written.is_some() {
            // The process that wrote it may have been killed before it removed those that it made superfluous.
            self.prune()?;
        }
        if self.progress.step == 0 && self.written.is_none() && self.validates() {
            let event = TrainEvent { validation_loss: Some(self.validate()?), ..TrainEvent::default() };
            let flow = self.record(event);
            self.checkpoint()?;
            if flow == Flow::Stop {
                return Err(cancellation(self.written));
            }
        }
        while self.progress.step < self.plan.length() && !self.out_of_patience() {
            let mut event = self.step()?;
            self.progress.seconds = before + since.elapsed().as_secs_f64();
            if self.validation_is_due() {
                event.validation_loss = Some(self.validate()?);
            }
            let best = self.keep_best() && self.progress.best.is_some_and(|best| best.step == self.progress.step);
            let flow = self.record(event);
            if best || self.progress.step.is_multiple_of(self.options.checkpoint_every) {
                self.checkpoint()?;
            }
            if flow == Flow::Stop {
                return self.cancelled();
            }
        }
        self.finish()
    }

    /// One step of the optimizer.
    fn step(&mut self) -> Result<TrainEvent> {
        let began = Instant::now();
        let done = self.progress.step;
        let passes = self.plan.steps[done as usize].clone();
        let rows = || passes.iter().flatten().map(|&row| &self.data.train[row as usize]);
        let (labels, tokens) = (rows().map(Row::labels).sum::<usize>(), rows().map(Row::inputs).sum::<usize>());
        let mut loss = 0.0;
        for pass in &passes {
            if self.host.is_cancelled() {
                return self.cancelled();
            }
            loss += self.engine.accumulate(&batch(&self.data.train, pass), 1.0 / labels as f32)?;
        }
        let loss = loss / labels as f64;
        let learning_rate = self.rate.at(done);
        let gradient_norm = self.engine.step(&Update {
            learning_rate,
            betas: self.options.betas,
            epsilon: self.options.eps,
            weight_decay: self.options.weight_decay,
            clip: self.options.clip,
            step: done + 1,
        })?;
        if !loss.is_finite() || !gradient_norm.is_finite() {
            return Err(PluginError::new(
                ErrorCode::Numeric,
                format!("at step {}, the loss is {loss} and the gradient's norm {gradient_norm}", done + 1),
            )
            .with_help("lower `lr`, lengthen the warm-up (`warmup_steps`), or clip gradients (`clip: 1`)"));
        }
        self.progress.step = done + 1;
        self.progress.loss = Some(loss);
        self.progress.tokens += tokens as u64;
        Ok(TrainEvent {
            step: done + 1,
            loss: Some(loss),
            learning_rate: Some(learning_rate),
            gradient_norm: Some(gradient_norm),
            tokens_per_s: Some(tokens as f64 / began.elapsed().as_secs_f64()),
            ..TrainEvent::default()
        })
    }

    fn validates(&self) -> bool {
        !self.data.validation.is_empty()
    }

    fn validation_is_due(&self) -> bool {
        let step = self.progress.step;
        self.validates()
            && match self.options.validate_every {
                Some(every) => step.is_multiple_of(every) || step == self.plan.length(),
                None => self.plan.epoch_ends.contains(&step),
            }
    }

    /// The mean loss of the rows that were held out. Records a new best.
    fn validate(&mut self) -> Result<f64> {
        let rows = &self.data.validation;
        let order: Vec<u32> = (0..rows.len() as u32).collect();
        let mut loss = 0.0;
        for pass in plan::passes(rows, &order, self.options) {
            if self.host.is_cancelled() {
                // This step's line is not written yet, so no checkpoint of it could be gone on from.
                return Err(cancellation(self.written));
            }
            loss += self.engine.loss(&batch(rows, &pass))?;
        }
        let loss = loss / rows.iter().map(Row::labels).sum::<usize>() as f64;
        let step = self.progress.step;
        if !loss.is_finite() {
            return Err(PluginError::new(
                ErrorCode::Numeric,
                format!("after step {step}, the validation loss is {loss}"),
            )
            .with_help("lower `lr`, or lengthen the warm-up (`warmup_steps`)"));
        }
        if self.progress.best.is_none_or(|best| loss < best.validation_loss) {
            self.progress.best = Some(Best { step, validation_loss: loss });
            self.progress.without_best = 0;
        } else {
            self.progress.without_best += 1;
        }
        Ok(loss)
    }

    fn out_of_patience(&self) -> bool {
        self.options.patience.is_some_and(|patience| self.progress.without_best >= patience)
    }

    /// Sends the event of a step.
    fn record(&mut self, event: TrainEvent) -> Flow {
        let resumed_after = self.resumed_after.take();
        self.sink.send(TrainEvent { steps: self.plan.length(), resumed_after, ..event })
    }

    fn keep_best(&self) -> bool {
        self.validates() && self.options.keep != Some(Keep::Last)
    }

    fn checkpoint(&mut self) -> Result<()> {
        if self.written == Some(self.progress.step) {
            return Ok(());
        }
        self.host.flush()?;
        let (layout, progress, checkpoints) = (&self.layout, &self.progress, self.checkpoints);
        self.engine.with_state(&mut |state| checkpoints.write(layout, state, progress))?;
        self.written = Some(self.progress.step);
        self.prune()
    }

    fn prune(&self) -> Result<()> {
        let best = self.progress.best.filter(|_| self.keep_best()).map(|best| best.step);
        self.checkpoints.prune(self.options.keep_checkpoints, best)
    }

    /// Keeps what there is, and ends.
    fn cancelled<T>(&mut self) -> Result<T> {
        if self.progress.step > 0 {
            self.checkpoint()?;
        }
        Err(cancellation(self.written))
    }

    fn finish(mut self) -> Result<TrainReport> {
        self.checkpoint()?;
        let best = self.progress.best.filter(|_| self.keep_best());
        let step = best.map_or(self.progress.step, |best| best.step);
        let checkpoint: PathBuf = self.checkpoints.path(step);
        let mut details = Metadata::new();
        let mut put = |name: &str, value: serde_json::Value| details.insert(name.to_owned(), value);
        put("rows", self.data.train.len().into());
        put("validation_rows", self.data.validation.len().into());
        put("truncated_rows", self.data.truncated.into());
        put("left_out_rows", self.data.left_out.into());
        put("parameters", self.layout.size().into());
        put("steps", self.progress.step.into());
        put("epochs", self.plan.epoch_ends.iter().filter(|end| **end <= self.progress.step).count().into());
        put("tokens", self.progress.tokens.into());
        put("loss", self.progress.loss.into());
        put("best_validation_loss", self.progress.best.map(|best| best.validation_loss).into());
        put("best_step", self.progress.best.map(|best| best.step).into());
        put("stopped_early", (self.progress.step < self.plan.length()).into());
        put("seconds", self.progress.seconds.into());
        Ok(TrainReport { checkpoint, steps: self.progress.step, details })
    }
}

fn cancellation(written: Option<u64>) -> PluginError {
    let error = PluginError::new(ErrorCode::Cancelled, "the training was interrupted");
    match written {
        Some(step) => error.with_help(format!("the same command goes on after step {step}")),
        None => error,
    }
}

/// The rows of a pass.
fn batch(rows: &[Row], pass: &[u32]) -> Batch {
    let mut batch = Batch::default();
    for &row in pass {
        let row = &rows[row as usize];
        batch.push(&row.tokens, row.first_label);
    }
    batch
}
