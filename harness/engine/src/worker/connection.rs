//! One end of the pipes between program and worker: either side calls methods of the other, and results stream back.

use super::frame::{Frame, FrameError, FrameReader, FrameWriter, Kind};
use examiner_api::wire::{self, RawSink};
use examiner_api::{ErrorCode, Flow, PluginError, Result};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::io::{self, BufReader, Read, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::{Duration, Instant};

/// Results of a call that are queued for its caller. When the queue is full the reader waits, then the pipe fills, and then
/// the other side waits.
const QUEUE: usize = 256;
/// How often a waiting caller checks on the other side.
const CHECK_EVERY: Duration = Duration::from_millis(50);

/// One end.
pub(super) struct Connection {
    output: Mutex<FrameWriter<Box<dyn Write + Send>>>,
    /// Calls of this side, and where their results go; none once the other side is gone.
    calls: Mutex<Option<HashMap<u64, SyncSender<Reply>>>>,
    /// Calls of the other side that are being served, and whether more of their results are wanted.
    served: Mutex<HashMap<u64, Flow>>,
    next_call: AtomicU64,
    /// Items of results of own calls that were received, and those of them that their sink has taken.
    received: AtomicU64,
    taken: AtomicU64,
}

enum Reply {
    Item(Vec<u8>),
    Return(Result<Vec<u8>>),
}

/// What arrives besides the results of own calls.
pub(super) enum Incoming {
    /// To be served with [`Connection::serve`].
    Call { id: u64, name: String, payload: Vec<u8> },
    /// The other side is alive.
    Heartbeat(Vec<u8>),
    /// The user wants to stop.
    Cancel,
    /// There will be no more calls.
    Close,
}

/// The other side is gone.
pub(super) struct Lost;

impl Connection {
    pub(super) fn new(output: impl Write + Send + 'static) -> Self {
        Connection {
            output: Mutex::new(FrameWriter::new(Box::new(output))),
            calls: Mutex::new(Some(HashMap::new())),
            served: Mutex::default(),
            next_call: AtomicU64::new(1),
            received: AtomicU64::new(0),
            taken: AtomicU64::new(0),
        }
    }

    /// Reads everything that arrives, until the other side closes its end or breaks the protocol. Own calls are then
    /// [`Lost`].
    pub(super) fn listen(&self, input: impl Read, handle: impl FnMut(Incoming)) -> Result<(), FrameError> {
        let _end = EndOfReplies(self);
        self.dispatch(FrameReader::new(BufReader::with_capacity(1 << 16, input)), handle)
    }

    fn dispatch<R: Read>(
        &self,
        mut reader: FrameReader<R>,
        mut handle: impl FnMut(Incoming),
    ) -> Result<(), FrameError> {
        while let Some(Frame { kind, call, payload }) = reader.read()? {
            match kind {
                Kind::Item => {
                    self.received.fetch_add(1, Ordering::SeqCst);
                    self.reply(call, Reply::Item(payload));
                }
                Kind::Return => self.reply(call, Reply::Return(read_return(&payload)?)),
                Kind::Stop => {
                    self.served.lock().entry(call).and_modify(|flow| *flow = Flow::Stop);
                }
                Kind::Call => {
                    let (name, payload) = read_call(payload)?;
                    self.served.lock().insert(call, Flow::Continue);
                    handle(Incoming::Call { id: call, name, payload });
                }
                Kind::Heartbeat => handle(Incoming::Heartbeat(payload)),
                Kind::Cancel => handle(Incoming::Cancel),
                Kind::Close => handle(Incoming::Close),
            }
        }
        Ok(())
    }

    fn reply(&self, call: u64, reply: Reply) {
        let caller = {
            let mut calls = self.calls.lock();
            let Some(calls) = calls.as_mut() else { return };
            if matches!(reply, Reply::Return(_)) { calls.remove(&call) } else { calls.get(&call).cloned() }
        };
        // A caller that has given up receives nothing more.
        let is_item = matches!(reply, Reply::Item(_));
        let is_delivered = caller.is_some_and(|caller| caller.send(reply).is_ok());
        if is_item && !is_delivered {
            self.taken.fetch_add(1, Ordering::SeqCst);
        }
    }

    /// How many items were received.
    pub(super) fn received(&self) -> u64 {
        self.received.load(Ordering::SeqCst)
    }

    /// Returns once so many items have been taken, or none will be any more.
    pub(super) fn wait_until_taken(&self, count: u64) {
        while self.taken.load(Ordering::SeqCst) < count && self.calls.lock().is_some() {
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Calls a method of the other side. While nothing arrives, `check` is called every now and then with the time of the last
    /// result.
    pub(super) fn call(
        &self,
        name: &str,
        payload: &[u8],
        sink: &RawSink<'_>,
        check: &dyn Fn(Instant),
    ) -> Result<Result<Vec<u8>>, Lost> {
        let (id, replies) = self.begin()?;
        self.send(Kind::Call, id, &write_call(name, payload)).map_err(|_| Lost)?;
        self.receive(id, &replies, sink, check)
    }

    fn begin(&self) -> Result<(u64, Receiver<Reply>), Lost> {
        let (sender, replies) = sync_channel(QUEUE);
        let id = self.next_call.fetch_add(1, Ordering::Relaxed);
        self.calls.lock().as_mut().ok_or(Lost)?.insert(id, sender);
        Ok((id, replies))
    }

    fn receive(
        &self,
        id: u64,
        replies: &Receiver<Reply>,
        sink: &RawSink<'_>,
        check: &dyn Fn(Instant),
    ) -> Result<Result<Vec<u8>>, Lost> {
        let mut wanted = Flow::Continue;
        let mut last = Instant::now();
        loop {
            match replies.recv_timeout(CHECK_EVERY) {
                // Results that were on their way when the sink said stop are delivered all the same: they have been computed.
                Ok(Reply::Item(item)) => {
                    let flow = sink(&item);
                    self.taken.fetch_add(1, Ordering::SeqCst);
                    if flow == Flow::Stop && wanted == Flow::Continue {
                        wanted = Flow::Stop;
                        // If the other side is gone, the next receive reports it.
                        let _ = self.send(Kind::Stop, id, &[]);
                    }
                    last = Instant::now();
                }
                Ok(Reply::Return(result)) => return Ok(result),
                Err(RecvTimeoutError::Timeout) => check(last),
                Err(RecvTimeoutError::Disconnected) => return Err(Lost),
            }
        }
    }

    /// Serves a call of the other side with what `work` streams and returns. Any thread may stream: every result is one frame.
    /// With `gathered` results may wait for others, at most until the next message that belongs to no call.
    pub(super) fn serve(&self, id: u64, gathered: bool, work: impl FnOnce(&RawSink<'_>) -> Result<Vec<u8>>) {
        let send = |item: &[u8]| match gathered {
            true => self.output.lock().gather(Kind::Item, id, item),
            false => self.send(Kind::Item, id, item),
        };
        let result = work(&|item| match send(item) {
            Ok(()) => self.served.lock().get(&id).copied().unwrap_or(Flow::Stop),
            Err(_) => Flow::Stop,
        });
        self.served.lock().remove(&id);
        // If it cannot be sent, nobody waits for it.
        let _ = self.send(Kind::Return, id, &write_return(&result));
    }

    /// Sends a frame.
    pub(super) fn send(&self, kind: Kind, call: u64, payload: &[u8]) -> io::Result<()> {
        self.output.lock().write(kind, call, payload)
    }

    /// Sends a frame that belongs to no call, unless another frame is being sent.
    pub(super) fn try_send(&self, kind: Kind, payload: &[u8]) {
        if let Some(mut output) = self.output.try_lock() {
            let _ = output.write(kind, 0, payload);
        }
    }
}

/// However listening ends, by a panic too: nobody waits for replies any more.
struct EndOfReplies<'a>(&'a Connection);

impl Drop for EndOfReplies<'_> {
    fn drop(&mut self) {
        *self.0.calls.lock() = None;
    }
}

/// The name's length (1 byte), the name, the payload.
fn write_call(name: &str, payload: &[u8]) -> Vec<u8> {
    let name = &name.as_bytes()[..name.len().min(255)];
    let mut bytes = Vec::with_capacity(1 + name.len() + payload.len());
    bytes.push(name.len() as u8);
    bytes.extend_from_slice(name);
    bytes.extend_from_slice(payload);
    bytes
}

fn read_call(mut bytes: Vec<u8>) -> Result<(String, Vec<u8>), FrameError> {
    let end = bytes.first().map(|length| 1 + usize::from(*length)).filter(|end| *end <= bytes.len());
    let end = end.ok_or_else(|| FrameError::Garbage("a call without a name".to_owned()))?;
    let name = String::from_utf8_lossy(&bytes[1..end]).into_owned();
    bytes.drain(..end);
    Ok((name, bytes))
}

/// 0 and the result, or 1 and the error.
fn write_return(result: &Result<Vec<u8>>) -> Vec<u8> {
    let (tag, bytes) = match result {
        Ok(bytes) => (0, bytes),
        Err(error) => (1, &wire::encode(error).unwrap_or_default()),
    };
    [&[tag], bytes.as_slice()].concat()
}

fn read_return(bytes: &[u8]) -> Result<Result<Vec<u8>>, FrameError> {
    match bytes.split_first() {
        Some((0, result)) => Ok(Ok(result.to_vec())),
        Some((1, error)) => Ok(Err(wire::decode(error).unwrap_or_else(|error: PluginError| error))),
        _ => Err(FrameError::Garbage("a return that is neither a result nor an error".to_owned())),
    }
}

/// The error of a call whose other side is gone without a known reason.
pub(super) fn lost() -> PluginError {
    PluginError::new(ErrorCode::Crashed, "the program at the other end of the pipe is gone")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    /// Two ends, each with a thread that listens; the second serves the method `count`, which streams so many numbers.
    fn pair() -> (Arc<Connection>, Arc<Connection>) {
        let (to_second, from_first) = io::pipe().map(|(reader, writer)| (writer, reader)).unwrap();
        let (to_first, from_second) = io::pipe().map(|(reader, writer)| (writer, reader)).unwrap();
        let (first, second) = (Arc::new(Connection::new(to_second)), Arc::new(Connection::new(to_first)));
        let listening = first.clone();
        std::thread::spawn(move || listening.listen(from_second, |_| {}));
        let serving = second.clone();
        std::thread::spawn(move || {
            let connection = serving.clone();
            let _ = serving.listen(from_first, |incoming| {
                let Incoming::Call { id, name, payload } = incoming else { return };
                let connection = connection.clone();
                std::thread::spawn(move || connection.serve(id, name == "many", |sink| count(&name, &payload, sink)));
            });
        });
        (first, second)
    }

    fn count(name: &str, payload: &[u8], sink: &RawSink<'_>) -> Result<Vec<u8>> {
        if name != "count" {
            return Err(PluginError::unsupported(format!("no `{name}`")));
        }
        let upto = u32::from_le_bytes(payload.try_into().unwrap());
        for number in 0..upto {
            if sink(&number.to_le_bytes()) == Flow::Stop {
                return Ok(vec![1]);
            }
        }
        Ok(Vec::new())
    }

    fn call(connection: &Connection, name: &str, upto: u32, sink: &RawSink<'_>) -> Result<Vec<u8>> {
        connection.call(name, &upto.to_le_bytes(), sink, &|_| {}).unwrap_or_else(|_| Err(lost()))
    }

    #[test]
    fn results_stream_in_order_and_errors_keep_their_code() {
        let (first, _second) = pair();
        let seen = Mutex::new(Vec::new());
        let receive = |item: &[u8]| {
            seen.lock().push(u32::from_le_bytes(item.try_into().unwrap()));
            Flow::Continue
        };
        assert_eq!(call(&first, "count", 200, &receive), Ok(Vec::new()));
        assert_eq!(*seen.lock(), (0..200).collect::<Vec<u32>>());
        let error = call(&first, "other", 1, &receive).unwrap_err();
        assert_eq!((error.code, error.message.as_str()), (ErrorCode::Unsupported, "no `other`"));
    }

    /// More items than queue and pipe hold: the other side is still sending when it learns that nothing more is wanted.
    #[test]
    fn a_receiver_stops_the_sender() {
        let (first, _second) = pair();
        assert_eq!(call(&first, "count", 1_000_000, &|_| Flow::Stop), Ok(vec![1]));
    }

    /// Where the machine gives no more threads, say.
    #[test]
    fn calls_fail_when_the_thread_that_listens_panics() {
        let (reader, writer) = io::pipe().unwrap();
        let (unread, to_nobody) = io::pipe().unwrap();
        let (first, second) = (Arc::new(Connection::new(to_nobody)), Connection::new(writer));
        let listening = first.clone();
        let listener =
            std::thread::spawn(move || listening.listen(reader, |_| panic!("as if no thread could be started")));
        let calling = first.clone();
        let caller = std::thread::spawn(move || calling.call("m", b"", &|_| Flow::Continue, &|_| {}).is_err());
        std::thread::sleep(Duration::from_millis(20));
        second.send(Kind::Heartbeat, 0, &[]).unwrap();
        assert!(listener.join().is_err());
        assert!(caller.join().unwrap());
        drop(unread);
    }

    #[test]
    fn calls_fail_when_the_other_side_is_gone() {
        let (reader, writer) = io::pipe().unwrap();
        let (unread, to_nobody) = io::pipe().unwrap();
        let connection = Arc::new(Connection::new(to_nobody));
        let listening = connection.clone();
        let listener = std::thread::spawn(move || listening.listen(reader, |_| {}));
        let calling = connection.clone();
        let caller = std::thread::spawn(move || calling.call("m", b"", &|_| Flow::Continue, &|_| {}).is_err());
        std::thread::sleep(Duration::from_millis(20));
        drop(writer);
        assert!(caller.join().unwrap());
        assert!(listener.join().unwrap().is_ok());
        assert!(connection.call("m", b"", &|_| Flow::Continue, &|_| {}).is_err());
        drop(unread);
    }
}
