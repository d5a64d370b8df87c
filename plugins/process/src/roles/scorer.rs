//! A scorer.

use super::ask;
use crate::Options;
use crate::connection::Connection;
use crate::handshake::open;
use examiner_api::wire::method;
use examiner_api::{Answered, Ask, Host, Open, Question, Result, RoleKind, Scorer, ScorerInfo, Verdict};
use parking_lot::Mutex;

/// A scorer that is a program.
pub struct ProcessScorer {
    connection: Mutex<Connection>,
    info: ScorerInfo,
}

impl Open for ProcessScorer {
    type Options = Options;

    fn open(options: Options, host: Host) -> Result<Self> {
        let opened = open(RoleKind::Scorer, &options, &host)?;
        let mut info: ScorerInfo = opened.info()?;
        info.fingerprint = opened.identity.fingerprint(&info.fingerprint);
        Ok(ProcessScorer { connection: Mutex::new(opened.connection), info })
    }
}

impl Scorer for ProcessScorer {
    fn info(&self) -> Result<ScorerInfo> {
        Ok(self.info.clone())
    }

    fn requests(&self, questions: &[Question]) -> Result<Vec<Vec<Ask>>> {
        ask(&mut self.connection.lock(), method::REQUESTS, questions)
    }

    fn score(&self, items: &[Answered]) -> Result<Vec<Verdict>> {
        ask(&mut self.connection.lock(), method::VERDICTS, items)
    }

    fn corpus(&self, metric: &str, statistics: &[Vec<f64>]) -> Result<f64> {
        ask(&mut self.connection.lock(), method::CORPUS, &(metric, statistics))
    }
}
