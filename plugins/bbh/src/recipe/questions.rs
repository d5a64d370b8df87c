//! What the teacher is to be asked, in order.

use super::judge::Judged;
use super::options::Options;
use super::select::JudgedQuestion;
use crate::benchmark::{Benchmark, Task};
use crate::question::TaskQuestion;
use crate::wording::Form;
use examiner_api::{GenerateRequest, RecipeJob, SampleRef, Sampling};

/// A question to ask, or to ask once more.
pub(super) struct TeacherQuestion<'a> {
    pub(super) task: &'a Task,
    pub(super) question: &'a TaskQuestion,
    /// Its id is its index among all.
    pub(super) request: GenerateRequest,
}

/// Every question with its repetitions, task by task.
pub(super) fn all<'a>(
    benchmark: &'a Benchmark,
    options: &Options,
    job: &RecipeJob,
    sampling: &Sampling,
) -> Vec<TeacherQuestion<'a>> {
    let most = job.limit.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX));
    let mut all = Vec::new();
    for task in &benchmark.tasks {
        for question in task.questions.iter().take(most) {
            let Some(sample) = task.sample(question, Form::Cot, options.shots) else { continue };
            for repeat in 0..options.samples.get() {
                let (id, metadata) = (sample.id.clone(), sample.metadata.clone());
                let request = GenerateRequest {
                    id: all.len() as u64,
                    sample: SampleRef { dataset: options.name.clone(), id, repeat, metadata },
                    prompt: sample.prompt.clone(),
                    sampling: sampling.clone(),
                    ..GenerateRequest::default()
                };
                all.push(TeacherQuestion { task, question, request });
            }
        }
    }
    all
}

/// The judgements of each question, which stand side by side.
pub(super) fn grouped<'a>(
    questions: &[TeacherQuestion<'a>],
    judged: Vec<Option<Judged>>,
    samples: usize,
) -> Vec<JudgedQuestion<'a>> {
    let mut judged = judged.into_iter();
    let group = |repeats: &[TeacherQuestion<'a>]| JudgedQuestion {
        question: repeats[0].question,
        answers: judged.by_ref().take(repeats.len()).collect(),
    };
    questions.chunks(samples).map(group).collect()
}
