//! What the teacher is to be asked, in order.

use super::ask::Ask;
use super::judge::Judged;
use super::options::Options;
use super::select::Answered;
use crate::benchmark::{Benchmark, Task};
use crate::question::Question;
use crate::wording::Form;
use examiner_api::{ModelInfo, RecipeJob, SampleRef, Sampling, rows};
use serde_json::json;

/// A question to ask, or to ask once more.
pub(super) struct Planned<'a> {
    pub(super) task: &'a Task,
    pub(super) question: &'a Question,
    pub(super) ask: Ask,
}

/// Every question with its repetitions, task by task. An answer is known again by the teacher, the question, the prompt
/// and how tokens are chosen; by the question too, because a few texts occur twice.
pub(super) fn plan<'a>(
    benchmark: &'a Benchmark,
    options: &Options,
    job: &RecipeJob,
    teacher: &ModelInfo,
    sampling: &Sampling,
) -> Vec<Planned<'a>> {
    let most = job.limit.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX));
    let how = json!(sampling).to_string();
    let mut plan = Vec::new();
    for task in &benchmark.tasks {
        for question in task.questions.iter().take(most) {
            let Some(sample) = task.sample(question, Form::Cot, options.shots) else { continue };
            for repeat in 0..options.samples.get() {
                let (id, prompt, metadata) = (sample.id.clone(), sample.prompt.clone(), sample.metadata.clone());
                let key = [&teacher.name, &teacher.fingerprint, &id, &repeat.to_string(), &prompt, &how];
                let key = rows::digest(key);
                let sample = SampleRef { dataset: options.name.clone(), id, repeat, metadata };
                plan.push(Planned { task, question, ask: Ask { key, sample, prompt } });
            }
        }
    }
    plan
}

/// The judgements of each question, which stand side by side.
pub(super) fn grouped<'a>(plan: &[Planned<'a>], judged: Vec<Option<Judged>>, samples: usize) -> Vec<Answered<'a>> {
    let mut judged = judged.into_iter();
    let group = |planned: &[Planned<'a>]| Answered {
        question: planned[0].question,
        answers: judged.by_ref().take(planned.len()).collect(),
    };
    plan.chunks(samples).map(group).collect()
}
