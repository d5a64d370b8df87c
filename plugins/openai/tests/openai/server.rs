//! A server on this machine that does as its script says, well or badly.

use serde_json::{Value, json};
use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// A request, as it came.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) path: String,
    pub(crate) head: String,
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

type Script = dyn Fn(&Asked) -> Reply + Send + Sync;

/// The server. It ends with its owner.
pub(crate) struct Server {
    address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    script: Box<Script>,
    asked: Mutex<Vec<Asked>>,
    times: Mutex<HashMap<String, usize>>,
    connections: AtomicUsize,
    under_way: AtomicUsize,
    most_under_way: AtomicUsize,
    over: AtomicBool,
}

impl Server {
    pub(crate) fn start(script: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            script: Box::new(script),
            asked: Mutex::default(),
            times: Mutex::default(),
            connections: AtomicUsize::new(0),
            under_way: AtomicUsize::new(0),
            most_under_way: AtomicUsize::new(0),
            over: AtomicBool::new(false),
        });
        let serving = shared.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if serving.over.load(Ordering::SeqCst) {
                    return;
                }
                let (Ok(stream), serving) = (stream, serving.clone()) else { continue };
                serving.connections.fetch_add(1, Ordering::SeqCst);
                std::thread::spawn(move || {
                    // A client that goes away is no failure of the server.
                    let _ = serving.serve(stream);
                });
            }
        });
        Server { address, shared }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.shared.asked.lock().unwrap().clone()
    }

    pub(crate) fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::SeqCst)
    }

    pub(crate) fn most_under_way(&self) -> usize {
        self.shared.most_under_way.load(Ordering::SeqCst)
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

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.over.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.address);
    }
}

impl Shared {
    fn serve(&self, mut stream: TcpStream) -> std::io::Result<()> {
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(30)))?;
        while !self.over.load(Ordering::SeqCst) {
            let Some((head, body, length)) = peek(&stream)? else { return Ok(()) };
            let body: Value = serde_json::from_str(&body).unwrap();
            let last = body["messages"].as_array().and_then(|messages| messages.last());
            let prompt = last.map_or(&body["prompt"], |last| &last["content"]).as_str().unwrap().to_owned();
            let times = {
                let mut times = self.times.lock().unwrap();
                let times = times.entry(prompt.clone()).or_default();
                *times += 1;
                *times - 1
            };
            let path = head.split_whitespace().nth(1).unwrap().to_owned();
            let mut asked = Asked { path, head, body, prompt, times, at: Instant::now(), good: false };
            let now = self.under_way.fetch_add(1, Ordering::SeqCst) + 1;
            self.most_under_way.fetch_max(now, Ordering::SeqCst);
            let reply = (self.script)(&asked);
            self.under_way.fetch_sub(1, Ordering::SeqCst);
            asked.good = matches!(reply, Reply::Json(200, ..));
            self.asked.lock().unwrap().push(asked);
            if matches!(reply, Reply::Reset) {
                // What was not read makes the system reset the connection when it is closed.
                return Ok(());
            }
            stream.read_exact(&mut vec![0; length])?;
            if !answer(&mut stream, reply)? {
                return Ok(());
            }
        }
        Ok(())
    }
}

/// Looks at a whole request without taking it: its head, its body, its length in bytes.
fn peek(stream: &TcpStream) -> std::io::Result<Option<(String, String, usize)>> {
    let mut buffer = vec![0; 1 << 20];
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
                let body = String::from_utf8_lossy(&text[end + 4..whole]).into_owned();
                return Ok(Some((head, body, whole)));
            }
        }
        std::thread::sleep(Duration::from_micros(200));
    }
}

/// Whether the connection stays open.
fn answer(stream: &mut TcpStream, reply: Reply) -> std::io::Result<bool> {
    let head = |status: u16, kind: &str, length: usize| {
        format!("HTTP/1.1 {status} Said\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\n")
    };
    match reply {
        Reply::Json(status, headers, body) => {
            let body = body.to_string();
            let more: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
            let head = head(status, "application/json; charset=utf-8", body.len());
            stream.write_all(format!("{head}{more}\r\n{body}").as_bytes())?;
            Ok(true)
        }
        Reply::Text(kind, body) => {
            stream.write_all(format!("{}\r\n{body}", head(200, kind, body.len())).as_bytes())?;
            Ok(true)
        }
        Reply::Cut(body) => {
            let body = body.to_string();
            let half = &body[..body.len() / 2];
            stream.write_all(format!("{}\r\n{half}", head(200, "application/json", body.len())).as_bytes())?;
            Ok(false)
        }
        Reply::Drip => {
            stream.write_all(format!("{}\r\n", head(200, "application/json", 1 << 20)).as_bytes())?;
            for _ in 0..600 {
                stream.write_all(b" ")?;
                std::thread::sleep(Duration::from_millis(50));
            }
            Ok(false)
        }
        Reply::Reset => Ok(false),
    }
}
