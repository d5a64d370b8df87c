//! Has every question answered and judged.

use super::{AnsweredQuestion, JudgedAnswer, TeacherQuestion};
use crate::{
    Answer, Answered, AskAll, AskReport, ErrorCode, Flow, GenerateRequest, GenerateResult, Host, Outcome, PluginError,
    Question, RecipeEvent, Response, Result, SampleRef, Sampling, Scorer, Sink,
};
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Answers are judged after this number of requests, so that the count of kept ones grows with that of answers.
const WINDOW: usize = 2048;

/// A teacher, where its answers are stored, and who judges them.
pub(super) struct Teacher<'a> {
    pub(super) name: String,
    pub(super) answers: PathBuf,
    pub(super) scorer: &'a dyn Scorer,
    pub(super) sampling: &'a Sampling,
    pub(super) host: &'a Host,
    /// The data set's name.
    pub(super) dataset: &'a str,
    /// How often each question is asked.
    pub(super) samples: u32,
}

impl Teacher<'_> {
    /// The judged answers to each question.
    pub(super) fn ask(
        &self,
        questions: Vec<TeacherQuestion>,
        sink: &dyn Sink<RecipeEvent>,
    ) -> Result<(Vec<AnsweredQuestion>, AskReport)> {
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
            let (answers, report) = self.answers(window, &|| report_progress(1, 0))?;
            asked.merge(report);
            let of_window = self.judge(window, answers)?;
            let right = of_window.iter().flatten().flatten().filter(|answer| answer.right).count() as u64;
            judged.extend(of_window);
            if report_progress(0, right) == Flow::Stop || self.host.is_cancelled() {
                return Err(interrupted());
            }
        }
        let answered = questions.into_iter().zip(judged);
        Ok((answered.map(|(question, answers)| AnsweredQuestion { question, answers }).collect(), asked))
    }

    /// The answers of a window, by the index of their request. `on_answer` is called for each, and says whether to go on.
    fn answers(
        &self,
        window: &[TeacherQuestion],
        on_answer: &(dyn Fn() -> Flow + Sync),
    ) -> Result<(BTreeMap<u64, GenerateResult>, AskReport)> {
        let requests = window.iter().flat_map(|question| self.requests(question)).zip(0..);
        let requests = requests.map(|(request, id)| GenerateRequest { id, ..request }).collect();
        let ask = AskAll { model: self.name.clone(), answers: self.answers.clone(), requests };
        let answers = Mutex::new(BTreeMap::new());
        let report = self.host.ask_all(ask, &|response: Response<GenerateResult>| {
            if let Ok(answer) = response.result {
                answers.lock().insert(response.id, answer);
            }
            on_answer()
        })?;
        Ok((std::mem::take(&mut *answers.lock()), report))
    }

    /// One request for each repetition.
    fn requests(&self, question: &TeacherQuestion) -> impl Iterator<Item = GenerateRequest> {
        let request = GenerateRequest {
            sample: SampleRef {
                dataset: self.dataset.to_owned(),
                id: question.sample.id.clone(),
                repeat: 0,
                metadata: question.sample.metadata.clone(),
            },
            prompt: question.prompt.clone(),
            sampling: self.sampling.clone(),
            ..GenerateRequest::default()
        };
        (0..self.samples).map(move |repeat| {
            let mut request = request.clone();
            request.sample.repeat = repeat;
            request
        })
    }

    /// For each question of a window one judgement for each repetition; none where there is no answer.
    fn judge(
        &self,
        window: &[TeacherQuestion],
        answers: BTreeMap<u64, GenerateResult>,
    ) -> Result<Vec<Vec<Option<JudgedAnswer>>>> {
        let metrics = self.scorer.info()?.metrics;
        let metric = metrics.first().map(|metric| metric.name.as_str()).unwrap_or_default();
        let samples = self.samples as usize;
        let answered = |(index, answer): (&u64, &GenerateResult)| Answered {
            question: as_examined(&window[*index as usize / samples], self.sampling),
            answers: vec![Answer::Generate(answer.clone())],
        };
        let items: Vec<Answered> = answers.iter().map(answered).collect();
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

/// A question as a scorer sees it.
fn as_examined(question: &TeacherQuestion, sampling: &Sampling) -> Question {
    let (sample, context) = (question.sample.clone(), question.prompt.clone());
    Question { sample, context, sampling: sampling.clone(), ..Question::default() }
}

/// What the recipe says when the user wants to stop.
fn interrupted() -> PluginError {
    PluginError::new(ErrorCode::Cancelled, "interrupted; run the same command again to go on")
}
