//! An HTTP server on this machine, for clients that must cope with good and bad answers. It speaks as much of HTTP/1.1 as
//! they need, keeps connections open, and ends with its owner.

mod wire;

use std::collections::HashMap;
use std::io::Read;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// A request as it came.
#[derive(Debug, Clone)]
pub struct Request {
    /// `GET`, `POST` and so on.
    pub method: String,
    /// The path, with the query.
    pub path: String,
    /// By name in small letters.
    pub headers: HashMap<String, String>,
    /// The body.
    pub body: Vec<u8>,
    /// When it came.
    pub at: Instant,
}

/// What the client gets.
#[derive(Debug, Clone)]
pub struct Reply {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    ending: Ending,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    /// The whole body; the connection stays open.
    Whole,
    /// So many bytes of the body, and then the end of the connection.
    Cut(usize),
    /// The head, and then one byte now and then.
    Drip,
    /// Nothing, and the connection is reset.
    Reset,
}

impl Reply {
    /// An empty body with a status.
    pub fn status(status: u16) -> Self {
        Reply { status, headers: Vec::new(), body: Vec::new(), ending: Ending::Whole }
    }

    /// A body with status 200.
    pub fn body(body: impl Into<Vec<u8>>) -> Self {
        Reply { body: body.into(), ..Reply::status(200) }
    }

    /// A JSON document with a status.
    pub fn json(status: u16, document: &serde_json::Value) -> Self {
        let reply = Reply { status, ..Reply::body(document.to_string()) };
        reply.header("Content-Type", "application/json; charset=utf-8")
    }

    /// One byte now and then, of a body that never ends.
    pub fn drip() -> Self {
        Reply { ending: Ending::Drip, ..Reply::status(200) }
    }

    /// Nothing: the connection is reset.
    pub fn reset() -> Self {
        Reply { ending: Ending::Reset, ..Reply::status(200) }
    }

    /// The same with one more header. A `Content-Length` that is given here replaces the right one.
    pub fn header(mut self, name: &str, value: impl ToString) -> Self {
        self.headers.push((name.to_owned(), value.to_string()));
        self
    }

    /// The same, ended after so many bytes of the body.
    pub fn cut(mut self, after: usize) -> Self {
        self.ending = Ending::Cut(after);
        self
    }

    /// The part of the body that a `Range` header asks for.
    pub fn ranged(mut self, request: &Request) -> Self {
        let range = request.headers.get("range");
        let start = range.and_then(|range| range.strip_prefix("bytes=")?.strip_suffix('-')?.parse::<usize>().ok());
        if let Some(start) = start {
            let total = self.body.len();
            self.status = 206;
            self.body.drain(..start);
            self = self.header("Content-Range", format!("bytes {start}-{}/{total}", total - 1));
        }
        self
    }
}

type Answer = dyn Fn(&Request, usize) -> Reply + Send + Sync;

/// The server.
pub struct Server {
    address: SocketAddr,
    state: Arc<State>,
}

struct State {
    answer: Box<Answer>,
    asked: Mutex<Vec<Request>>,
    connections: AtomicUsize,
    under_way: AtomicUsize,
    most_under_way: AtomicUsize,
    is_over: AtomicBool,
}

impl Server {
    /// Starts it. `answer` gets each request, and how many with the same method and path came before; it runs in a thread
    /// of its own for each connection.
    pub fn start(answer: impl Fn(&Request, usize) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(State {
            answer: Box::new(answer),
            asked: Mutex::default(),
            connections: AtomicUsize::new(0),
            under_way: AtomicUsize::new(0),
            most_under_way: AtomicUsize::new(0),
            is_over: AtomicBool::new(false),
        });
        let serving = state.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if serving.is_over.load(Ordering::SeqCst) {
                    return;
                }
                let (Ok(stream), serving) = (stream, serving.clone()) else { continue };
                serving.connections.fetch_add(1, Ordering::SeqCst);
                // A client that goes away is no failure of the server.
                std::thread::spawn(move || serving.serve(stream).ok());
            }
        });
        Server { address, state }
    }

    /// `http://` and the address.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Everything asked so far, in the order in which it came.
    pub fn asked(&self) -> Vec<Request> {
        self.state.asked.lock().unwrap().clone()
    }

    /// Everything asked so far, as `METHOD path`.
    pub fn lines(&self) -> Vec<String> {
        self.asked().iter().map(|request| format!("{} {}", request.method, request.path)).collect()
    }

    /// How many connections clients have opened.
    pub fn connections(&self) -> usize {
        self.state.connections.load(Ordering::SeqCst)
    }

    /// The most requests that were being answered at the same time.
    pub fn most_under_way(&self) -> usize {
        self.state.most_under_way.load(Ordering::SeqCst)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.state.is_over.store(true, Ordering::SeqCst);
        // Wakes the thread that waits for connections.
        let _ = TcpStream::connect(self.address);
    }
}

impl State {
    fn serve(&self, mut stream: TcpStream) -> std::io::Result<()> {
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(30)))?;
        while !self.is_over.load(Ordering::SeqCst) {
            let Some((request, length)) = wire::peek(&stream)? else { return Ok(()) };
            let before = {
                let mut asked = self.asked.lock().unwrap();
                let same = |other: &&Request| other.method == request.method && other.path == request.path;
                let before = asked.iter().filter(same).count();
                asked.push(request.clone());
                before
            };
            let now = self.under_way.fetch_add(1, Ordering::SeqCst) + 1;
            self.most_under_way.fetch_max(now, Ordering::SeqCst);
            let reply = (self.answer)(&request, before);
            self.under_way.fetch_sub(1, Ordering::SeqCst);
            if reply.ending == Ending::Reset {
                // What was not read makes the system reset the connection when it is closed.
                return Ok(());
            }
            stream.read_exact(&mut vec![0; length])?;
            if !wire::send(&mut stream, &request, &reply)? {
                return Ok(());
            }
        }
        Ok(())
    }
}
