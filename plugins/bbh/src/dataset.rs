//! The benchmark as a dataset.

use crate::benchmark::{Benchmark, Reading};
use crate::judging;
use crate::tasks::Tasks;
use crate::wording::Form;
use examiner_api::{Dataset, DatasetInfo, Flow, Host, Open, PluginError, Result, Sample, Shot, Sink, rows, schemars};
use serde::{Deserialize, Serialize};
use serde_json::json;

/// What a suite can say of the dataset.
#[derive(Debug, Clone, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[schemars(crate = "examiner_api::schemars")]
#[serde(deny_unknown_fields, default)]
pub struct Options {
    /// The directory of the benchmark's `*.json` files, or one that holds them in `tasks` or `bbh`. Without it they are
    /// downloaded from the authors' repository.
    #[schemars(extend("format" = "path"))]
    pub path: Option<String>,
    /// The directory of the official chain-of-thought prompts. Without it, `cot-prompts` below or beside `path`, else
    /// downloaded.
    #[schemars(extend("format" = "path"))]
    pub prompts: Option<String>,
    /// Which tasks the questions are from.
    pub tasks: Tasks,
    /// What is asked for.
    #[serde(rename = "as")]
    pub form: Form,
    /// How many of its task's official examples stand before each question, after what the task is about.
    #[schemars(range(max = 3))]
    pub official_shots: usize,
    /// At most this many questions of each task, from the start.
    #[schemars(range(min = 1))]
    pub per_task: Option<u64>,
}

/// The dataset, opened.
pub struct Bbh {
    options: Options,
    benchmark: Benchmark,
    fingerprint: String,
    rows: u64,
}

impl Open for Bbh {
    type Options = Options;

    fn open(options: Options, host: Host) -> Result<Self> {
        if options.per_task == Some(0) {
            return Err(PluginError::bad_options("`per_task: 0` leaves no question"));
        }
        let reading = Reading {
            path: options.path.as_deref(),
            prompts: options.prompts.as_deref(),
            tasks: &options.tasks,
            shots: options.official_shots,
        };
        let benchmark = Benchmark::read(&reading, &host)?;
        let shape = json!([options.form, options.official_shots, options.per_task]).to_string();
        let fingerprint = rows::digest([&benchmark.fingerprint, &shape]);
        let mut bbh = Bbh { options, benchmark, fingerprint, rows: 0 };
        bbh.rows = bbh.all(bbh.options.form).count() as u64;
        bbh.report_left_out(&host)?;
        Ok(bbh)
    }
}

impl Bbh {
    fn all(&self, form: Form) -> impl Iterator<Item = Sample> {
        let Options { official_shots, per_task, .. } = self.options;
        let most = per_task.map_or(usize::MAX, |most| usize::try_from(most).unwrap_or(usize::MAX));
        self.benchmark.tasks.iter().flat_map(move |task| {
            let samples = task.questions.iter().filter_map(move |question| task.sample(question, form, official_shots));
            samples.take(most)
        })
    }

    fn send(&self, form: Form, sink: &dyn Sink<Sample>) -> Result<()> {
        for sample in self.all(form) {
            if sink.send(sample) == Flow::Stop {
                break;
            }
        }
        Ok(())
    }

    /// As choices only what lists its options can be asked.
    fn report_left_out(&self, host: &Host) -> Result<()> {
        if self.options.form != Form::Choices {
            return Ok(());
        }
        for task in &self.benchmark.tasks {
            let unfit = task.questions.iter().filter(|question| task.sample(question, Form::Choices, 0).is_none());
            let (unfit, all) = (unfit.count(), task.questions.len());
            match (&self.options.tasks, unfit) {
                (Tasks::Named(_), _) if unfit == all => {
                    return Err(PluginError::bad_options(format!("the questions of `{}` list no options", task.name))
                        .with_help("leave the task out, or ask for its answers with `as: cot` or `as: answers`"));
                }
                (_, 0) => {}
                _ => host.info(format!(
                    "{unfit} of the {all} questions of `{}` are left out: their right answer is not among listed options",
                    task.name
                )),
            }
        }
        Ok(())
    }
}

impl Dataset for Bbh {
    fn info(&self) -> Result<DatasetInfo> {
        let form = self.options.form;
        let mut version = rows::digest([form.question("Q"), self.options.official_shots.to_string()]);
        version.truncate(6);
        Ok(DatasetInfo {
            fingerprint: self.fingerprint.clone(),
            version,
            rows: Some(self.rows),
            scorer: Some(judging::scorer(form).to_owned()),
            scorer_options: judging::scorer_options(form),
            sampling: judging::sampling(form),
            macro_average: true,
            forms: Form::ALL.iter().filter_map(|form| Some(json!(form).as_str()?.to_owned())).collect(),
            ..DatasetInfo::default()
        })
    }

    /// Examples of one task are no use to another, so there is no pool for all.
    fn few_shot_pool(&mut self) -> Result<Vec<Shot>> {
        Err(PluginError::bad_options("`shots` takes the same examples for all tasks, but each has its own")
            .with_help("write `official_shots: 3` instead of `shots: 3`"))
    }

    fn samples(&mut self, sink: &dyn Sink<Sample>) -> Result<()> {
        self.send(self.options.form, sink)
    }

    /// A model learns a bare answer, a chosen option, or the answer after the opening of a reasoning, whatever is asked for in
    /// an examination.
    fn training_samples(&mut self, form: &str, sink: &dyn Sink<Sample>) -> Result<()> {
        let known = serde_json::from_value(json!(form));
        let form = known.map_err(|_| PluginError::bad_options(format!("BIG-Bench-Hard has no form `{form}`")))?;
        self.send(form, sink)
    }
}
