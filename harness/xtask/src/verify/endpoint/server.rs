//! A server on this machine that answers chat completions, correctly or not, and never faster than its limit.

use super::limit::Limit;
use anyhow::{Context, Result};
use parking_lot::Mutex;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// How the server responds to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Response {
    /// The expected answer.
    Answer,
    /// This status, with the key that was sent in the message.
    Status(u16),
    /// Status 429 with `Retry-After`.
    TooMany,
    /// Half of the answer's bytes, and the connection is closed.
    Truncated,
    /// A byte every 50 ms, without an end.
    Trickle,
    /// Half of the JSON, with a content length to match.
    Malformed,
    /// HTML instead of JSON.
    HtmlPage,
    /// The connection is reset before any byte is sent.
    Reset,
}

/// The response by the prompt and the number of earlier requests with it.
type Script = dyn Fn(&str, usize) -> Response + Send + Sync;

/// The requests with one prompt.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct PromptCounts {
    pub(super) asked: usize,
    pub(super) answered: usize,
    /// Requests after the prompt had been answered.
    pub(super) repeated: usize,
}

/// The server, until it is dropped.
pub(super) struct Server {
    address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    script: Box<Script>,
    limit: Option<Mutex<Limit>>,
    log: Mutex<RequestLog>,
    stopped: AtomicBool,
}

#[derive(Default)]
struct RequestLog {
    prompts: BTreeMap<String, PromptCounts>,
    first: Option<Instant>,
    last_answer: Option<Instant>,
}

/// The correct answer to a prompt.
pub(super) fn expected_answer(prompt: &str) -> String {
    format!("The answer to `{prompt}`")
}

impl Server {
    pub(super) fn start(
        limit: Option<Limit>,
        script: impl Fn(&str, usize) -> Response + Send + Sync + 'static,
    ) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").context("cannot open a port on this machine")?;
        let address = listener.local_addr()?;
        let limit = limit.map(Mutex::new);
        let shared = Shared { script: Box::new(script), limit, log: Mutex::default(), stopped: AtomicBool::new(false) };
        let shared = Arc::new(shared);
        let serving = shared.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if serving.stopped.load(Ordering::SeqCst) {
                    return;
                }
                let (Ok(stream), serving) = (stream, serving.clone()) else { continue };
                // A client that goes away is no failure of the server.
                std::thread::spawn(move || serving.serve(stream).ok());
            }
        });
        Ok(Server { address, shared })
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    pub(super) fn counts(&self) -> BTreeMap<String, PromptCounts> {
        self.shared.log.lock().prompts.clone()
    }

    /// From the first request to the last answer, in seconds.
    pub(super) fn seconds(&self) -> f64 {
        let log = self.shared.log.lock();
        log.first.zip(log.last_answer).map_or(0.0, |(first, last)| (last - first).as_secs_f64())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::SeqCst);
        // Wakes the thread that waits for connections.
        let _ = TcpStream::connect(self.address);
    }
}

impl Shared {
    fn serve(&self, mut stream: TcpStream) -> std::io::Result<()> {
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(60)))?;
        while let Some((head, body, length)) = peek(&stream)? {
            if self.stopped.load(Ordering::SeqCst) {
                break;
            }
            let body: Value = serde_json::from_str(&body)?;
            let prompt = body["messages"][0]["content"].as_str().unwrap_or_default();
            let response = self.decide(prompt);
            if response == Response::Reset {
                // Closing a connection with unread data makes the system reset it.
                break;
            }
            stream.read_exact(&mut vec![0; length])?;
            if !self.act(&mut stream, response, prompt, &head)? {
                break;
            }
        }
        Ok(())
    }

    fn decide(&self, prompt: &str) -> Response {
        let mut log = self.log.lock();
        log.first.get_or_insert_with(Instant::now);
        let counts = log.prompts.entry(prompt.to_owned()).or_default();
        counts.asked += 1;
        counts.repeated += usize::from(counts.answered > 0);
        let response = (self.script)(prompt, counts.asked - 1);
        let refused = self.limit.as_ref().is_some_and(|limit| !limit.lock().admits());
        if refused { Response::TooMany } else { response }
    }

    /// Whether the connection stays open.
    fn act(&self, stream: &mut TcpStream, response: Response, prompt: &str, head: &str) -> std::io::Result<bool> {
        let key = head.lines().find_map(|line| line.split_once("earer ")).map_or("", |(_, key)| key);
        let answer = json!({
            "choices": [{ "message": { "content": expected_answer(prompt) }, "finish_reason": "stop" }],
            "usage": { "prompt_tokens": 12, "completion_tokens": 8 },
        });
        let answer = answer.to_string();
        let half = &answer[..answer.len() / 2];
        let refusal =
            json!({ "error": { "message": format!("not with the key {key}"), "code": "refused" } }).to_string();
        let limits = self.limit.as_ref().map(|limit| limit.lock().headers()).unwrap_or_default();
        let wait = self.limit.as_ref().map_or(0.1, |limit| limit.lock().wait_s());
        let http = |status: u16, kind: &str, length: usize, more: &str, body: &str| {
            format!(
                "HTTP/1.1 {status} -\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\n{limits}{more}\r\n{body}"
            )
        };
        let (json_type, length) = ("application/json", answer.len());
        let message = match response {
            Response::Answer => {
                // Recorded before it is sent, so that later requests are counted as repeated.
                let mut log = self.log.lock();
                log.last_answer = Some(Instant::now());
                log.prompts.entry(prompt.to_owned()).or_default().answered += 1;
                http(200, json_type, length, "", &answer)
            }
            Response::Status(status) => http(status, json_type, refusal.len(), "", &refusal),
            Response::TooMany => http(429, json_type, refusal.len(), &format!("retry-after: {wait}\r\n"), &refusal),
            Response::Malformed => http(200, json_type, half.len(), "", half),
            Response::HtmlPage => http(200, "text/html", 5, "", "<br/>"),
            Response::Truncated => http(200, json_type, length, "", half),
            Response::Trickle | Response::Reset => http(200, json_type, 1 << 20, "", ""),
        };
        stream.write_all(message.as_bytes())?;
        if response == Response::Trickle {
            for _ in 0..600 {
                stream.write_all(b" ")?;
                std::thread::sleep(Duration::from_millis(50));
            }
        }
        Ok(!matches!(response, Response::Truncated | Response::Trickle | Response::Reset))
    }
}

/// Peeks at a whole request without consuming it: its head, its body, its length in bytes.
fn peek(stream: &TcpStream) -> std::io::Result<Option<(String, String, usize)>> {
    let mut buffer = vec![0; 1 << 14];
    loop {
        let length = stream.peek(&mut buffer)?;
        if length == 0 {
            return Ok(None);
        }
        let text = &buffer[..length];
        if let Some(end) = text.windows(4).position(|window| window == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&text[..end]).into_owned();
            let field = |line: &str| line.to_lowercase().strip_prefix("content-length:")?.trim().parse::<usize>().ok();
            let whole = end + 4 + head.lines().find_map(field).unwrap_or(0);
            if length >= whole {
                return Ok(Some((head, String::from_utf8_lossy(&text[end + 4..whole]).into_owned(), whole)));
            }
        }
        std::thread::sleep(Duration::from_micros(200));
    }
}
