//! An endpoint on this machine that follows a script, well or badly.

use examiner_test_support::server;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Instant;

/// A request, as it came.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) path: String,
    pub(crate) headers: HashMap<String, String>,
    pub(crate) body: Value,
    /// The last message, or the prompt.
    pub(crate) prompt: String,
    /// How often the same prompt was asked before.
    pub(crate) times: usize,
    pub(crate) at: Instant,
    /// Whether it was answered as one should.
    pub(crate) good: bool,
}

/// What to do with a request.
pub(crate) enum Reply {
    /// An answer with this status, more headers, and a body.
    Json(u16, Vec<(&'static str, String)>, Value),
    /// An answer with this type and text.
    Text(&'static str, String),
    /// The beginning of an answer, and then the end of the connection.
    Cut(Value),
    /// One byte now and then.
    Drip,
    /// Nothing, and the connection is reset.
    Reset,
}

impl Reply {
    pub(crate) fn ok(body: Value) -> Self {
        Reply::Json(200, Vec::new(), body)
    }

    pub(crate) fn error(status: u16, code: &str) -> Self {
        Reply::Json(status, Vec::new(), json!({ "error": { "message": "no", "code": code } }))
    }

    pub(crate) fn retry_after(status: u16, header: &'static str, value: impl ToString) -> Self {
        let body = json!({ "error": { "message": "slow down", "code": "rate_limit_exceeded" } });
        Reply::Json(status, vec![(header, value.to_string())], body)
    }

    fn send(self) -> server::Reply {
        match self {
            Reply::Json(status, headers, body) => {
                let reply = server::Reply::json(status, &body);
                headers.into_iter().fold(reply, |reply, (name, value)| reply.header(name, value))
            }
            Reply::Text(kind, body) => server::Reply::body(body).header("Content-Type", kind),
            Reply::Cut(body) => server::Reply::json(200, &body).cut(body.to_string().len() / 2),
            Reply::Drip => server::Reply::drip().header("Content-Type", "application/json"),
            Reply::Reset => server::Reply::reset(),
        }
    }
}

/// A chat completion that answers with `texts`.
pub(crate) fn chat(texts: &[&str], reason: &str) -> Value {
    let choice = |text: &&str| json!({ "message": { "role": "assistant", "content": text }, "finish_reason": reason });
    let choices: Vec<Value> = texts.iter().map(choice).collect();
    json!({ "choices": choices, "usage": { "prompt_tokens": 10, "completion_tokens": 4 * texts.len() } })
}

/// What the good answer to a prompt is.
pub(crate) fn right(prompt: &str) -> String {
    format!("{prompt}, answered")
}

pub(crate) fn good(asked: &Asked) -> Reply {
    Reply::ok(chat(&[&right(&asked.prompt)], "stop"))
}

/// The endpoint. It ends with its owner.
pub(crate) struct Server {
    server: server::Server,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Server {
    pub(crate) fn start(script: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> Self {
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (log, times) = (asked.clone(), Mutex::new(HashMap::<String, usize>::new()));
        let server = server::Server::start(move |request, _| {
            let body: Value = serde_json::from_slice(&request.body).unwrap();
            let last = body["messages"].as_array().and_then(|messages| messages.last());
            let prompt = last.map_or(&body["prompt"], |last| &last["content"]).as_str().unwrap().to_owned();
            let times = {
                let mut times = times.lock().unwrap();
                let times = times.entry(prompt.clone()).or_default();
                *times += 1;
                *times - 1
            };
            let (path, headers) = (request.path.clone(), request.headers.clone());
            let mut asked = Asked { path, headers, body, prompt, times, at: request.at, good: false };
            let reply = script(&asked);
            asked.good = matches!(reply, Reply::Json(200, ..));
            log.lock().unwrap().push(asked);
            reply.send()
        });
        Server { server, asked }
    }

    pub(crate) fn url(&self) -> String {
        format!("{}/v1", self.server.url())
    }

    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    pub(crate) fn connections(&self) -> usize {
        self.server.connections()
    }

    pub(crate) fn most_under_way(&self) -> usize {
        self.server.most_under_way()
    }

    /// Prompts that were asked again after they had been answered, or were never answered.
    pub(crate) fn not_answered_once(&self) -> Vec<String> {
        let mut good: HashMap<String, usize> = HashMap::new();
        for asked in self.asked() {
            *good.entry(asked.prompt).or_default() += usize::from(asked.good);
        }
        good.into_iter().filter(|(_, good)| *good != 1).map(|(prompt, _)| prompt).collect()
    }
}
