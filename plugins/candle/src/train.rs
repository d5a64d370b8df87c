//! The trainer `candle`: GPT-2 from a checkpoint or from scratch.
//!
//! The key decision is that on the CPU the passes are written out by hand ([`engine::Fused`]), over flat arrays that are used
//! again and again, while on a GPU candle's operations and its automatic differentiation do ([`engine::Composed`]); tests hold
//! one against the other. What happens at a step is a function of its number ([`plan`], [`schedule`]), and what the CPU computes
//! does not depend on which thread was faster ([`examiner_kernels::train`]); so a training that was killed and goes on from a checkpoint ends with
//! the same bits as one that was not.

mod checkpoints;
mod engine;
mod identity;
mod options;
mod parameters;
mod plan;
mod rows;
mod run;
mod schedule;
mod start;
mod tokenizer;

pub use options::{Keep, LossOn, Order, Schedule, Scratch, TokenizerOptions, TrainOptions};

use crate::device::{ComputeDevice, NumberType};
use examiner_api::{Host, Open, PluginError, Result, Sink, TrainEvent, TrainJob, TrainReport, Trainer};

/// Trains GPT-2.
pub struct CandleTrainer {
    options: TrainOptions,
    device: ComputeDevice,
    host: Host,
}

impl Open for CandleTrainer {
    type Options = TrainOptions;

    fn open(options: TrainOptions, host: Host) -> Result<Self> {
        options.check()?;
        let device = ComputeDevice::find(&options.device)?;
        match (options.dtype, device.kind()) {
            (NumberType::F32, _) | (NumberType::Bf16, "cuda") => Ok(CandleTrainer { options, device, host }),
            (dtype, kind) => {
                let dtype = dtype.name();
                Err(PluginError::unsupported(format!("`dtype: {dtype}` cannot be trained with on `{kind}`"))
                    .with_help("write `dtype: f32`, or `dtype: bf16` with `device: cuda`"))
            }
        }
    }
}

impl Trainer for CandleTrainer {
    fn check(&mut self, from: Option<&str>) -> Result<()> {
        start::check(from, &self.options, &self.host)
    }

    fn train(&mut self, job: TrainJob, sink: &dyn Sink<TrainEvent>) -> Result<TrainReport> {
        run::train(&self.options, &self.device, &self.host, &job, sink)
    }
}
