//! Has every question answered and judged.

use super::{Question, sample_of};
use examiner_api::{
    Answer, Answered, AskAll, AskReport, ErrorCode, Flow, GenerateRequest, GenerateResult, Host, Outcome, PluginError,
    RecipeEvent, Response, Result, SampleRef, Sampling, Scorer, Sink,
};
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// After so many questions answers are judged, so that the count of kept ones grows with that of answers.
const WINDOW: usize = 512;

/// An answer that was judged.
#[derive(Debug, Clone)]
pub(super) struct JudgedAnswer {
    /// What the teacher wrote.
    pub(super) text: String,
    /// The number as it was found in it; none where there is none.
    pub(super) extracted: Option<String>,
    /// Whether it is right.
    pub(super) right: bool,
}

/// A teacher, where its answers are stored, and who judges them.
pub(super) struct Teacher<'a> {
    pub(super) name: String,
    pub(super) answers: PathBuf,
    pub(super) scorer: &'a dyn Scorer,
    pub(super) sampling: &'a Sampling,
    pub(super) host: &'a Host,
    /// The data set's name.
    pub(super) dataset: &'a str,
    pub(super) samples: u32,
}

impl Teacher<'_> {
    /// The judged answers to each question, repetition by repetition; none where there is no answer.
    pub(super) fn answers_to(
        &self,
        questions: &[Question],
        sink: &dyn Sink<RecipeEvent>,
    ) -> Result<(Vec<Vec<Option<JudgedAnswer>>>, AskReport)> {
        let total = questions.len() as u64 * u64::from(self.samples);
        let progress = Mutex::new(RecipeEvent { done: 0, total, kept: 0 });
        let report_progress = |done: u64, kept: u64| {
            let mut progress = progress.lock();
            progress.done += done;
            progress.kept += kept;
            sink.send(progress.clone())
        };
        if report_progress(0, 0) == Flow::Stop {
            return Err(interrupted());
        }
        let mut judged = Vec::with_capacity(questions.len());
        let mut asked = AskReport::default();
        for window in questions.chunks((WINDOW / self.samples as usize).max(1)) {
            let requests: Vec<GenerateRequest> = window.iter().flat_map(|question| self.requests(question)).collect();
            // The ids within a window are the indices of its requests.
            let requests: Vec<_> = requests.into_iter().zip(0..).map(|(of, id)| GenerateRequest { id, ..of }).collect();
            let answers = Mutex::new(BTreeMap::new());
            let ask = AskAll { model: self.name.clone(), answers: self.answers.clone(), requests };
            asked.merge(self.host.ask_all(ask, &|response: Response<GenerateResult>| {
                if let Ok(answer) = response.result {
                    answers.lock().insert(response.id, answer);
                }
                report_progress(1, 0)
            })?);
            let of_window = self.judge(window, answers.into_inner())?;
            let right = of_window.iter().flatten().flatten().filter(|answer| answer.right).count() as u64;
            judged.extend(of_window);
            if report_progress(0, right) == Flow::Stop || self.host.is_cancelled() {
                return Err(interrupted());
            }
        }
        Ok((judged, asked))
    }

    /// One request for each repetition.
    fn requests(&self, question: &Question) -> impl Iterator<Item = GenerateRequest> {
        let (dataset, prompt) = (self.dataset.to_owned(), question.prompt.clone());
        let (id, metadata) = (question.sample.id.clone(), question.sample.metadata.clone());
        let sampling = self.sampling.clone();
        (0..self.samples).map(move |repeat| GenerateRequest {
            sample: SampleRef { dataset: dataset.clone(), id: id.clone(), repeat, metadata: metadata.clone() },
            prompt: prompt.clone(),
            sampling: sampling.clone(),
            ..GenerateRequest::default()
        })
    }

    /// Judges the answers of a window, which stand under the indices of its requests.
    fn judge(
        &self,
        window: &[Question],
        answers: BTreeMap<u64, GenerateResult>,
    ) -> Result<Vec<Vec<Option<JudgedAnswer>>>> {
        let metrics = self.scorer.info()?.metrics;
        let metric = metrics.first().map(|metric| metric.name.as_str()).unwrap_or_default();
        let samples = self.samples as usize;
        let items: Vec<Answered> = answers
            .iter()
            .map(|(index, answer)| Answered {
                question: sample_of(&window[*index as usize / samples], self.sampling),
                answers: vec![Answer::Generate(answer.clone())],
            })
            .collect();
        let verdicts = self.scorer.score(&items)?;
        if verdicts.len() != items.len() {
            let message = format!("expected {} verdicts of the scorer, found {}", items.len(), verdicts.len());
            return Err(PluginError::new(ErrorCode::Protocol, message));
        }
        let mut judged = vec![vec![None; samples]; window.len()];
        for ((index, answer), verdict) in answers.into_iter().zip(verdicts) {
            let index = index as usize;
            if let Outcome::Error(error) = verdict.outcome {
                let message = format!("the answer to `{}` cannot be judged", window[index / samples].sample.id);
                return Err(PluginError::new(error.code, message).with_cause(&error));
            }
            let right = verdict.metrics.get(metric).is_some_and(|value| *value == 1.0);
            let text = answer.text.trim().to_owned();
            judged[index / samples][index % samples] = Some(JudgedAnswer { text, extracted: verdict.extracted, right });
        }
        Ok(judged)
    }
}

fn interrupted() -> PluginError {
    PluginError::new(ErrorCode::Cancelled, "interrupted; run the same command again to go on")
}
