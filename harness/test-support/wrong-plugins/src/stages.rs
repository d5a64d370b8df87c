//! A trainer, a recipe and an exporter.

use crate::options::Nothing;
use examiner_api::{
    ErrorCode, ExportJob, ExportReport, Exporter, Flow, GenerateRequest, GenerateResult, Host, Open, PluginError,
    Recipe, RecipeEvent, RecipeJob, RecipeReport, Response, Result, RowsContent, RowsFile, SampleRef, Sink, TrainEvent,
    TrainJob, TrainReport, Trainer, TrainingRow,
};
use std::fs;
use std::path::Path;
use std::sync::Mutex;
use std::time::Duration;

const STEPS: u64 = 12;
/// The trainer that forgets; the other one sends wrong steps.
const FORGETS: usize = 0;

/// Adds up its steps, and calls that weights.
pub(crate) struct WrongTrainer<const FAULT: usize>;

impl<const FAULT: usize> Open for WrongTrainer<FAULT> {
    type Options = Nothing;

    fn open(_: Nothing, _: Host) -> Result<Self> {
        Ok(WrongTrainer)
    }
}

fn write(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).map_err(|error| PluginError::io("write", path, &error))
}

impl<const FAULT: usize> Trainer for WrongTrainer<FAULT> {
    fn train(&mut self, job: TrainJob, sink: &dyn Sink<TrainEvent>) -> Result<TrainReport> {
        let state = job.out.join("state.json");
        let kept = fs::read_to_string(&state).unwrap_or_default();
        let mut numbers = kept.split(' ').filter_map(|number| number.parse::<u64>().ok());
        let (first, mut weights) = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(1));
        if FAULT == FORGETS {
            weights = 1;
        }
        for step in first + 1..=STEPS {
            weights = weights.wrapping_mul(31).wrapping_add(step);
            let sent = if FAULT == FORGETS { step } else { STEPS - step };
            let resumed_after = (step == first + 1 && first > 0).then_some(first);
            let event =
                TrainEvent { step: sent, steps: STEPS, resumed_after, loss: Some(1.0), ..TrainEvent::default() };
            let flow = sink.send(event);
            write(&state, &format!("{step} {weights}"))?;
            // That no more is wanted takes a moment to arrive.
            std::thread::sleep(Duration::from_millis(40));
            if flow == Flow::Stop {
                return Err(PluginError::new(ErrorCode::Cancelled, "the user wants to stop"));
            }
        }
        write(&job.out.join("weights.bin"), &weights.to_string())?;
        Ok(TrainReport { checkpoint: job.out, steps: STEPS, ..TrainReport::default() })
    }
}

/// Asks each question itself, without a memory of what it has asked.
pub(crate) struct Asker {
    host: Host,
}

impl Open for Asker {
    type Options = Nothing;

    fn open(_: Nothing, host: Host) -> Result<Self> {
        Ok(Asker { host })
    }
}

impl Recipe for Asker {
    fn make(&mut self, job: RecipeJob, _: &dyn Sink<RecipeEvent>) -> Result<RecipeReport> {
        let mut teacher = self.host.model(&job.teacher)?;
        let mut rows = Vec::new();
        for number in 0..6 {
            let prompt = format!("What is {number} + 1?");
            let sample = SampleRef { id: format!("sum-{number}"), ..SampleRef::default() };
            let request = GenerateRequest { sample, prompt: prompt.clone(), ..GenerateRequest::default() };
            let answer: Mutex<Option<Result<GenerateResult>>> = Mutex::new(None);
            teacher.generate(vec![request], &|response: Response<GenerateResult>| {
                if let Ok(mut answer) = answer.lock() {
                    *answer = Some(response.result);
                }
                Flow::Continue
            })?;
            let answer = answer.into_inner().ok().flatten();
            let answer = answer.ok_or_else(|| PluginError::bad_input("the teacher is silent"))??;
            let row =
                TrainingRow { id: format!("sum-{number}"), prompt, completion: answer.text, ..TrainingRow::default() };
            rows.push(row);
        }
        let inputs = job.seed.into();
        let file = RowsFile { out: job.out, stem: "sums".to_owned(), inputs };
        let report = RecipeReport { asked: 6, kept: 6, ..RecipeReport::default() };
        self.host.write_rows(&file, RowsContent { rows, report, ..RowsContent::default() })
    }
}

/// Names a product that is not there.
pub(crate) struct Nowhere;

impl Open for Nowhere {
    type Options = Nothing;

    fn open(_: Nothing, _: Host) -> Result<Self> {
        Ok(Nowhere)
    }
}

impl Exporter for Nowhere {
    fn export(&mut self, job: ExportJob) -> Result<ExportReport> {
        Ok(ExportReport { checkpoint: job.out.join("nowhere"), ..ExportReport::default() })
    }
}
