//! One end of the pipes between program and worker: calls go out, calls come in, results stream both ways.

use super::frame::{self, Frame, FrameError, Kind, Reader};
use examiner_api::wire::{self, RawSink};
use examiner_api::{ErrorCode, Flow, PluginError, Result};
use std::collections::HashMap;
use std::io::{self, BufReader, Read, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Results that wait for their taker; then the reader waits, then the pipe is full, then the other side waits.
const QUEUE: usize = 256;
/// How often a caller that waits looks around.
const TICK: Duration = Duration::from_millis(50);

/// One end.
pub(super) struct Connection {
    output: Mutex<Box<dyn Write + Send>>,
    /// Calls of this side, and who waits for what comes of them; none once the other side is gone.
    waiting: Mutex<Option<HashMap<u64, SyncSender<Reply>>>>,
    /// Calls of the other side that are being answered, and whether more of their results are wanted.
    answering: Mutex<HashMap<u64, Flow>>,
    calls: AtomicU64,
    /// Items of results of own calls that have come in, and those of them that their sink has taken.
    received: AtomicU64,
    taken: AtomicU64,
}

enum Reply {
    Item(Vec<u8>),
    Answer(Result<Vec<u8>>),
}

/// What comes in besides the results of own calls.
pub(super) enum Incoming {
    /// To be answered with [`Connection::answer`].
    Call { id: u64, name: String, payload: Vec<u8> },
    /// The other side is alive.
    Beat(Vec<u8>),
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
            output: Mutex::new(Box::new(output)),
            waiting: Mutex::new(Some(HashMap::new())),
            answering: Mutex::default(),
            calls: AtomicU64::new(1),
            received: AtomicU64::new(0),
            taken: AtomicU64::new(0),
        }
    }

    /// Takes everything that comes in, until the other side closes its end or breaks the protocol. Own calls are then
    /// [`Lost`].
    pub(super) fn listen(&self, input: impl Read, handle: impl FnMut(Incoming)) -> Result<(), FrameError> {
        let ended = self.take_all(Reader::new(BufReader::with_capacity(1 << 16, input)), handle);
        *lock(&self.waiting) = None;
        ended
    }

    fn take_all<R: Read>(&self, mut reader: Reader<R>, mut handle: impl FnMut(Incoming)) -> Result<(), FrameError> {
        while let Some(Frame { kind, call, payload }) = reader.read()? {
            match kind {
                Kind::Item => {
                    self.received.fetch_add(1, Ordering::SeqCst);
                    self.reply(call, Reply::Item(payload));
                }
                Kind::Answer => self.reply(call, Reply::Answer(read_answer(&payload)?)),
                Kind::Stop => {
                    lock(&self.answering).entry(call).and_modify(|flow| *flow = Flow::Stop);
                }
                Kind::Call => {
                    let (name, payload) = read_call(payload)?;
                    lock(&self.answering).insert(call, Flow::Continue);
                    handle(Incoming::Call { id: call, name, payload });
                }
                Kind::Beat => handle(Incoming::Beat(payload)),
                Kind::Cancel => handle(Incoming::Cancel),
                Kind::Close => handle(Incoming::Close),
            }
        }
        Ok(())
    }

    fn reply(&self, call: u64, reply: Reply) {
        let taker = {
            let mut waiting = lock(&self.waiting);
            let Some(waiting) = waiting.as_mut() else { return };
            if matches!(reply, Reply::Answer(_)) { waiting.remove(&call) } else { waiting.get(&call).cloned() }
        };
        // A caller that has given up takes nothing any more.
        let is_item = matches!(reply, Reply::Item(_));
        let is_delivered = taker.is_some_and(|taker| taker.send(reply).is_ok());
        if is_item && !is_delivered {
            self.taken.fetch_add(1, Ordering::SeqCst);
        }
    }

    /// How many items have come in.
    pub(super) fn received(&self) -> u64 {
        self.received.load(Ordering::SeqCst)
    }

    /// Returns once so many items have been taken, or none will be any more.
    pub(super) fn wait_until_taken(&self, count: u64) {
        while self.taken.load(Ordering::SeqCst) < count && lock(&self.waiting).is_some() {
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Calls a method of the other side. While nothing comes, `look` is called now and then with the time since the last
    /// result.
    pub(super) fn call(
        &self,
        name: &str,
        payload: &[u8],
        sink: &RawSink<'_>,
        look: &dyn Fn(Instant),
    ) -> Result<Result<Vec<u8>>, Lost> {
        let (id, replies) = self.begin()?;
        self.send(Kind::Call, id, &write_call(name, payload)).map_err(|_| Lost)?;
        self.follow(id, &replies, sink, look)
    }

    fn begin(&self) -> Result<(u64, Receiver<Reply>), Lost> {
        let (sender, replies) = sync_channel(QUEUE);
        let id = self.calls.fetch_add(1, Ordering::Relaxed);
        lock(&self.waiting).as_mut().ok_or(Lost)?.insert(id, sender);
        Ok((id, replies))
    }

    fn follow(
        &self,
        id: u64,
        replies: &Receiver<Reply>,
        sink: &RawSink<'_>,
        look: &dyn Fn(Instant),
    ) -> Result<Result<Vec<u8>>, Lost> {
        let mut wanted = Flow::Continue;
        let mut last = Instant::now();
        loop {
            match replies.recv_timeout(TICK) {
                // What was under way when the receiver had enough is handed over all the same: it has been computed.
                Ok(Reply::Item(item)) => {
                    let flow = sink(&item);
                    self.taken.fetch_add(1, Ordering::SeqCst);
                    if flow == Flow::Stop && wanted == Flow::Continue {
                        wanted = Flow::Stop;
                        // If the other side is gone, the next receive says so.
                        let _ = self.send(Kind::Stop, id, &[]);
                    }
                    last = Instant::now();
                }
                Ok(Reply::Answer(answer)) => return Ok(answer),
                Err(RecvTimeoutError::Timeout) => look(last),
                Err(RecvTimeoutError::Disconnected) => return Err(Lost),
            }
        }
    }

    /// Answers a call of the other side with what `work` returns and streams.
    pub(super) fn answer(&self, id: u64, work: impl FnOnce(&RawSink<'_>) -> Result<Vec<u8>>) {
        let result = work(&|item| match self.send(Kind::Item, id, item) {
            Ok(()) => lock(&self.answering).get(&id).copied().unwrap_or(Flow::Stop),
            Err(_) => Flow::Stop,
        });
        lock(&self.answering).remove(&id);
        // Nobody waits for an answer that cannot be sent.
        let _ = self.send(Kind::Answer, id, &write_answer(&result));
    }

    /// Sends what is no call.
    pub(super) fn send(&self, kind: Kind, call: u64, payload: &[u8]) -> io::Result<()> {
        frame::write(&mut *lock(&self.output), kind, call, payload)
    }

    /// Sends unless something else is being sent.
    pub(super) fn try_send(&self, kind: Kind, payload: &[u8]) {
        if let Ok(mut output) = self.output.try_lock() {
            let _ = frame::write(&mut *output, kind, 0, payload);
        }
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
fn write_answer(result: &Result<Vec<u8>>) -> Vec<u8> {
    let (tag, bytes) = match result {
        Ok(bytes) => (0, bytes),
        Err(error) => (1, &wire::encode(error).unwrap_or_default()),
    };
    [&[tag], bytes.as_slice()].concat()
}

fn read_answer(bytes: &[u8]) -> Result<Result<Vec<u8>>, FrameError> {
    match bytes.split_first() {
        Some((0, result)) => Ok(Ok(result.to_vec())),
        Some((1, error)) => Ok(Err(wire::decode(error).unwrap_or_else(|error: PluginError| error))),
        _ => Err(FrameError::Garbage("an answer that is neither a result nor an error".to_owned())),
    }
}

/// The error of a call whose other side is gone and left nothing to be said about it.
pub(super) fn lost() -> PluginError {
    PluginError::new(ErrorCode::Crashed, "the program at the other end of the pipe is gone")
}

pub(super) fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    /// Two ends, each listened to by a thread; the second answers `count` with so many items.
    fn pair() -> (Arc<Connection>, Arc<Connection>) {
        let (to_second, from_first) = io::pipe().map(|(reader, writer)| (writer, reader)).unwrap();
        let (to_first, from_second) = io::pipe().map(|(reader, writer)| (writer, reader)).unwrap();
        let (first, second) = (Arc::new(Connection::new(to_second)), Arc::new(Connection::new(to_first)));
        let listening = first.clone();
        std::thread::spawn(move || listening.listen(from_second, |_| {}));
        let answering = second.clone();
        std::thread::spawn(move || {
            let connection = answering.clone();
            let _ = answering.listen(from_first, |incoming| {
                let Incoming::Call { id, name, payload } = incoming else { return };
                let connection = connection.clone();
                std::thread::spawn(move || connection.answer(id, |sink| count(&name, &payload, sink)));
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
        let take = |item: &[u8]| {
            lock(&seen).push(u32::from_le_bytes(item.try_into().unwrap()));
            Flow::Continue
        };
        assert_eq!(call(&first, "count", 200, &take), Ok(Vec::new()));
        assert_eq!(*lock(&seen), (0..200).collect::<Vec<u32>>());
        let error = call(&first, "other", 1, &take).unwrap_err();
        assert_eq!((error.code, error.message.as_str()), (ErrorCode::Unsupported, "no `other`"));
    }

    /// More than queue and pipe hold: the other side must still be at it when it hears that nothing more is wanted.
    #[test]
    fn a_receiver_that_has_enough_is_heard() {
        let (first, _second) = pair();
        assert_eq!(call(&first, "count", 1_000_000, &|_| Flow::Stop), Ok(vec![1]));
    }

    #[test]
    fn calls_are_lost_with_the_other_side() {
        let (reader, writer) = io::pipe().unwrap();
        let (nobody_reads, to_nobody) = io::pipe().unwrap();
        let connection = Arc::new(Connection::new(to_nobody));
        let listening = connection.clone();
        let ear = std::thread::spawn(move || listening.listen(reader, |_| {}));
        let calling = connection.clone();
        let caller = std::thread::spawn(move || calling.call("m", b"", &|_| Flow::Continue, &|_| {}).is_err());
        std::thread::sleep(Duration::from_millis(20));
        drop(writer);
        assert!(caller.join().unwrap());
        assert!(ear.join().unwrap().is_ok());
        assert!(connection.call("m", b"", &|_| Flow::Continue, &|_| {}).is_err());
        drop(nobody_reads);
    }
}
