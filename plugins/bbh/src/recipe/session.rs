//! Has every question answered and judged.

use super::answers::Answers;
use super::ask::{self, Ask, Failures};
use super::judge::{self, Item, Judged};
use super::plan::Planned;
use examiner_api::{Flow, Host, Model, RecipeEvent, Result, Sampling, Scorer, Sink};
use std::sync::atomic::{AtomicU64, Ordering};

/// So many questions are given to the teacher at once.
const WINDOW: usize = 2048;

/// A teacher with the answers so far, and who judges them.
pub(super) struct Session {
    pub(super) teacher: Box<dyn Model>,
    pub(super) scorer: Box<dyn Scorer>,
    pub(super) sampling: Sampling,
    pub(super) answers: Answers,
    pub(super) failures: Failures,
}

impl Session {
    /// Asks what is not known yet, window by window, and judges all. One judgement for each of the plan; none where there
    /// is no answer.
    pub(super) fn answered(
        &mut self,
        plan: &[Planned<'_>],
        host: &Host,
        sink: &dyn Sink<RecipeEvent>,
    ) -> Result<Vec<Option<Judged>>> {
        let total = plan.len() as u64;
        let known = plan.iter().filter(|planned| self.answers.get(&planned.ask.key).is_some()).count() as u64;
        let (done, kept) = (AtomicU64::new(known), AtomicU64::new(0));
        let tell = || {
            let (done, kept) = (done.load(Ordering::Relaxed), kept.load(Ordering::Relaxed));
            sink.send(RecipeEvent { done, total, kept })
        };
        if tell() == Flow::Stop {
            return Err(ask::interrupted());
        }
        let on_done = || {
            done.fetch_add(1, Ordering::Relaxed);
            tell()
        };
        let mut judged = Vec::with_capacity(plan.len());
        for window in plan.chunks(WINDOW) {
            self.ask(window, host, &on_done)?;
            judged.extend(self.judge(window)?);
            kept.store(judged.iter().flatten().filter(|answer| answer.right).count() as u64, Ordering::Relaxed);
            if tell() == Flow::Stop || host.is_cancelled() {
                return Err(ask::interrupted());
            }
        }
        Ok(judged)
    }

    fn ask(&mut self, window: &[Planned<'_>], host: &Host, on_done: &(dyn Fn() -> Flow + Sync)) -> Result<()> {
        let open = window.iter().filter(|planned| self.answers.get(&planned.ask.key).is_none());
        let asks: Vec<Ask> = open.map(|planned| planned.ask.clone()).collect();
        if asks.is_empty() {
            return Ok(());
        }
        let Session { teacher, sampling, answers, failures, .. } = self;
        let asked = ask::ask(&mut **teacher, &asks, sampling, answers, failures, host, on_done);
        answers.sync()?;
        asked
    }

    fn judge(&self, window: &[Planned<'_>]) -> Result<Vec<Option<Judged>>> {
        let items: Vec<Option<Item<'_>>> = window.iter().map(|planned| item(planned, &self.answers)).collect();
        let there: Vec<bool> = items.iter().map(Option::is_some).collect();
        let items: Vec<Item<'_>> = items.into_iter().flatten().collect();
        let mut judged = judge::judge(&*self.scorer, &items, &self.sampling)?.into_iter();
        Ok(there.into_iter().map(|there| if there { judged.next() } else { None }).collect())
    }
}

fn item<'a>(planned: &'a Planned<'_>, answers: &'a Answers) -> Option<Item<'a>> {
    let answer = answers.get(&planned.ask.key)?;
    Some(Item { task: planned.task, question: planned.question, prompt: &planned.ask.prompt, answer })
}
