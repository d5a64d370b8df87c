//! Has every question answered and judged.

use super::judge::{self, AnswerToJudge, Judged};
use super::questions::TeacherQuestion;
use examiner_api::{
    AskAll, AskReport, ErrorCode, Flow, GenerateResult, Host, PluginError, RecipeEvent, Response, Result, Sampling,
    Scorer, Sink,
};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};

/// After so many questions answers are judged, so that the count of kept ones grows with that of answers.
const WINDOW: usize = 2048;

/// A teacher, where its answers are stored, and who judges them.
pub(super) struct Teacher<'a> {
    pub(super) name: String,
    pub(super) answers: PathBuf,
    pub(super) scorer: &'a dyn Scorer,
    pub(super) sampling: &'a Sampling,
    pub(super) host: &'a Host,
}

impl Teacher<'_> {
    /// One judgement for each question; none where there is no answer.
    pub(super) fn answers_to(
        &self,
        questions: &[TeacherQuestion<'_>],
        sink: &dyn Sink<RecipeEvent>,
    ) -> Result<(Vec<Option<Judged>>, AskReport)> {
        let total = questions.len() as u64;
        let (done, kept) = (AtomicU64::new(0), AtomicU64::new(0));
        let report_progress = || {
            let (done, kept) = (done.load(Ordering::Relaxed), kept.load(Ordering::Relaxed));
            sink.send(RecipeEvent { done, total, kept })
        };
        if report_progress() == Flow::Stop {
            return Err(interrupted());
        }
        let on_answer = || {
            done.fetch_add(1, Ordering::Relaxed);
            report_progress()
        };
        let mut judged = Vec::with_capacity(questions.len());
        let mut asked = AskReport::default();
        for window in questions.chunks(WINDOW) {
            let (answers, report) = self.ask(window, &on_answer)?;
            asked.merge(report);
            judged.extend(self.judge(window, &answers)?);
            kept.store(judged.iter().flatten().filter(|answer| answer.right).count() as u64, Ordering::Relaxed);
            if report_progress() == Flow::Stop || self.host.is_cancelled() {
                return Err(interrupted());
            }
        }
        Ok((judged, asked))
    }

    /// The answers, by the ids of requests. `on_answer` hears of each, and says whether to go on.
    fn ask(
        &self,
        window: &[TeacherQuestion<'_>],
        on_answer: &(dyn Fn() -> Flow + Sync),
    ) -> Result<(HashMap<u64, GenerateResult>, AskReport)> {
        let requests = window.iter().map(|question| question.request.clone()).collect();
        let ask = AskAll { model: self.name.clone(), answers: self.answers.clone(), requests };
        let answers = Mutex::new(HashMap::with_capacity(window.len()));
        let report = self.host.ask_all(ask, &|response: Response<GenerateResult>| {
            if let Ok(answer) = response.result {
                answers.lock().insert(response.id, answer);
            }
            on_answer()
        })?;
        Ok((answers.into_inner(), report))
    }

    fn judge(
        &self,
        window: &[TeacherQuestion<'_>],
        answers: &HashMap<u64, GenerateResult>,
    ) -> Result<Vec<Option<Judged>>> {
        let mut to_judge = Vec::with_capacity(answers.len());
        for TeacherQuestion { task, question, request } in window {
            let Some(answer) = answers.get(&request.id) else { continue };
            to_judge.push(AnswerToJudge { task, question, prompt: &request.prompt, answer });
        }
        let mut judged = judge::judge(self.scorer, &to_judge, self.sampling)?.into_iter();
        let one = |question: &TeacherQuestion<'_>| {
            if answers.contains_key(&question.request.id) { judged.next() } else { None }
        };
        Ok(window.iter().map(one).collect())
    }
}

/// What the recipe says when the user wants to stop.
fn interrupted() -> PluginError {
    PluginError::new(ErrorCode::Cancelled, "interrupted; run the same command again to go on")
}
