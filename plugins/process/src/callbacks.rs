//! What a program asks of Examiner, answered on its stdin: the methods of [`Host`], by the names that they have between any plugin and
//! the program.

use crate::input::Input;
use crate::protocol::{Head, Outcome, Outgoing, WithPayload};
use examiner_api::wire::{self, host_method};
use examiner_api::{
    AskAll, ErrorCode, Flow, GenerateResult, Host, PluginError, Response, Result, RoleAddress, RowsContent, RowsFile,
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;

/// A call of another role of the suite.
#[derive(Deserialize)]
struct RoleCall {
    role: RoleAddress,
    method: String,
    #[serde(default)]
    payload: Value,
}

/// Answers a call. That the program has ended meanwhile is noticed by whoever waits for its next line.
pub(crate) fn serve(host: &Host, input: &Input, head: &Head, line: &[u8]) {
    let call = head.call;
    let answer = answer(host, input, head, line);
    let outcome = match &answer {
        Ok(value) => Outcome::Value(value),
        Err(error) => Outcome::Error(error),
    };
    let _ = input.send(&Outgoing::Return { call, outcome });
}

fn answer(host: &Host, input: &Input, head: &Head, line: &[u8]) -> Result<Value> {
    let call = head.call;
    match head.method.as_str() {
        host_method::CANCELLED => json(&host.is_cancelled()),
        host_method::SCRATCH_DIR => json(&host.scratch_dir()?),
        host_method::FETCH => json(&host.fetch(&payload::<String>(head, line)?)?),
        host_method::FETCH_REPOSITORY => {
            let (uri, patterns): (String, Vec<String>) = payload(head, line)?;
            json(&host.fetch_repository(&uri, &patterns.iter().map(String::as_str).collect::<Vec<_>>())?)
        }
        host_method::FLUSH => json(&host.flush()?),
        host_method::ASK_ALL => {
            let ask: AskAll = payload(head, line)?;
            json(&host.ask_all(ask, &|response: Response<GenerateResult>| item(input, call, &response))?)
        }
        host_method::FIND_ROWS => json(&host.find_rows(&payload::<RowsFile>(head, line)?)?),
        host_method::WRITE_ROWS => {
            let (file, content): (RowsFile, RowsContent) = payload(head, line)?;
            json(&host.write_rows(&file, content)?)
        }
        host_method::ROLE => {
            let RoleCall { role, method, payload } = payload(head, line)?;
            let payload = wire::encode(&(role, method, wire::encode(&payload)?))?;
            let answer = host.serve(host_method::ROLE, &payload, &|bytes| match wire::decode::<Value>(bytes) {
                Ok(value) => item(input, call, &value),
                Err(_) => Flow::Stop,
            })?;
            wire::decode(&answer)
        }
        other => Err(PluginError::unsupported(format!("Examiner has no method `{other}`"))
            .with_help("`docs/plugins/process.md` lists those that a program can call")),
    }
}

fn item<T: Serialize>(input: &Input, call: u64, value: &T) -> Flow {
    match input.send(&Outgoing::Item { call, value }) {
        Ok(()) => Flow::Continue,
        Err(_) => Flow::Stop,
    }
}

fn payload<T: DeserializeOwned>(head: &Head, line: &[u8]) -> Result<T> {
    let read: Result<WithPayload<T>, _> = serde_json::from_slice(line);
    read.map(|read| read.payload).map_err(|error| {
        let message = format!("the payload of `{}` does not fit", head.method);
        PluginError::new(ErrorCode::Protocol, message).with_cause(&error)
    })
}

fn json(value: &impl Serialize) -> Result<Value> {
    serde_json::to_value(value).map_err(|error| {
        PluginError::new(ErrorCode::Protocol, "the answer cannot be written as JSON").with_cause(&error)
    })
}
