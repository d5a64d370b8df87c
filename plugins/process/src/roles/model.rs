//! A model.

use crate::Options;
use crate::connection::Connection;
use crate::handshake::open;
use examiner_api::wire::method;
use examiner_api::{
    GenerateRequest, GenerateResult, Host, Model, ModelInfo, Open, Response, Result, RoleKind, ScoreRequest,
    ScoreResult, Sink,
};
use serde::{Serialize, de::DeserializeOwned};
use std::collections::HashMap;

/// A model that is a program.
pub struct ProcessModel {
    connection: Connection,
    info: ModelInfo,
}

impl Open for ProcessModel {
    type Options = Options;

    fn open(options: Options, host: Host) -> Result<Self> {
        let opened = open(RoleKind::Model, &options, &host)?;
        let mut info: ModelInfo = opened.info()?;
        info.fingerprint = opened.identity.fingerprint(&info.fingerprint);
        if info.name.is_empty() {
            info.name = opened.connection.process().label().trim_matches('`').to_owned();
        }
        Ok(ProcessModel { connection: opened.connection, info })
    }
}

impl Model for ProcessModel {
    fn info(&self) -> Result<ModelInfo> {
        Ok(self.info.clone())
    }

    fn score(&mut self, requests: Vec<ScoreRequest>, sink: &dyn Sink<Response<ScoreResult>>) -> Result<()> {
        let ids = requests.iter().map(|request| request.id);
        answer(&mut self.connection, method::SCORE, ids, &requests, sink)
    }

    fn generate(&mut self, requests: Vec<GenerateRequest>, sink: &dyn Sink<Response<GenerateResult>>) -> Result<()> {
        let ids = requests.iter().map(|request| request.id);
        answer(&mut self.connection, method::GENERATE, ids, &requests, sink)
    }
}

/// Asks the program, and sees that each request is answered once.
fn answer<T: DeserializeOwned>(
    connection: &mut Connection,
    method: &str,
    ids: impl Iterator<Item = u64>,
    requests: &impl Serialize,
    sink: &dyn Sink<Response<T>>,
) -> Result<()> {
    // Whether it was answered.
    let mut asked: HashMap<u64, bool> = ids.map(|id| (id, false)).collect();
    connection.call(method, requests, &mut |response: Response<T>| {
        let id = response.id;
        let wrong = match asked.insert(id, true) {
            Some(false) => None,
            Some(true) => Some(format!("answered request {id} twice")),
            None => Some(format!("answered request {id}, which it was never asked")),
        };
        // The receiver has to see a response that breaks the contract, too: none of that call can be relied upon.
        let flow = sink.send(response);
        wrong.map_or(Ok(flow), Err)
    })
}
