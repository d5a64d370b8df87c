//! What travels on the pipes between program and worker: frames.
//!
//! A frame is a head of 24 bytes, all numbers little-endian, and a payload: `EXF1`, the kind (1 byte) and three zeros, the
//! number of the call (8), the length of the payload (4), and the CRC-32 of kind, call and payload (4). Whatever else comes
//! out of the pipe is garbage, and is told from a frame before any of it is used.

use std::io::{self, Read, Write};

const MAGIC: [u8; 4] = *b"EXF1";
const HEAD: usize = 24;
/// The longest payload: far more than a batch of requests takes.
pub const LONGEST: u32 = 1 << 30;

/// What a frame is. Either side may call the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Calls a method: name and payload.
    Call = 1,
    /// A result that is streamed while a call goes on.
    Item = 2,
    /// How a call ended; nothing more comes of it.
    Answer = 3,
    /// No more results of the call are wanted.
    Stop = 4,
    /// The worker is alive, and so much memory it holds.
    Beat = 5,
    /// The user wants to stop.
    Cancel = 6,
    /// There are no more calls: end.
    Close = 7,
}

impl Kind {
    fn read(byte: u8) -> Option<Self> {
        [Kind::Call, Kind::Item, Kind::Answer, Kind::Stop, Kind::Beat, Kind::Cancel, Kind::Close]
            .into_iter()
            .find(|kind| *kind as u8 == byte)
    }
}

/// A message on the pipe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// What it is.
    pub kind: Kind,
    /// The call that it belongs to; 0 where it belongs to none.
    pub call: u64,
    /// In wire form.
    pub payload: Vec<u8>,
}

/// Why bytes are not a frame.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    /// The pipe failed.
    #[error("cannot read from the pipe: {0}")]
    Io(#[from] io::Error),
    /// The bytes are something else.
    #[error("expected a frame, found {0}")]
    Garbage(String),
}

/// Writes a frame.
///
/// # Errors
/// The payload is too long, or the pipe fails.
pub fn write(pipe: &mut impl Write, kind: Kind, call: u64, payload: &[u8]) -> io::Result<()> {
    let length = u32::try_from(payload.len()).ok().filter(|length| *length <= LONGEST).ok_or_else(|| {
        let message = format!("a message of {} bytes is longer than the {LONGEST} that a frame holds", payload.len());
        io::Error::new(io::ErrorKind::InvalidInput, message)
    })?;
    // One write for a short frame: the reader is woken once.
    let mut bytes = Vec::with_capacity(HEAD + payload.len().min(1 << 16));
    bytes.extend_from_slice(&MAGIC);
    bytes.extend_from_slice(&[kind as u8, 0, 0, 0]);
    bytes.extend_from_slice(&call.to_le_bytes());
    bytes.extend_from_slice(&length.to_le_bytes());
    bytes.extend_from_slice(&checksum(kind, call, payload).to_le_bytes());
    if payload.len() <= 1 << 16 {
        bytes.extend_from_slice(payload);
        pipe.write_all(&bytes)?;
    } else {
        pipe.write_all(&bytes)?;
        pipe.write_all(payload)?;
    }
    pipe.flush()
}

fn checksum(kind: Kind, call: u64, payload: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&[kind as u8]);
    hasher.update(&call.to_le_bytes());
    hasher.update(payload);
    hasher.finalize()
}

/// Reads frames from a pipe.
pub struct Reader<R> {
    pipe: R,
}

impl<R: Read> Reader<R> {
    /// A reader of `pipe`.
    pub fn new(pipe: R) -> Self {
        Reader { pipe }
    }

    /// The next frame; none at the end of the pipe. Memory is taken for what has come, not for what a length promises.
    ///
    /// # Errors
    /// The pipe fails, ends within a frame, or holds something else than frames.
    pub fn read(&mut self) -> Result<Option<Frame>, FrameError> {
        let mut head = Vec::with_capacity(HEAD);
        self.take(HEAD as u64, &mut head)?;
        if head.is_empty() {
            return Ok(None);
        }
        let garbage = |found: String| Err(FrameError::Garbage(found));
        let same = head.len().min(MAGIC.len());
        if head[..same] != MAGIC[..same] {
            return garbage(format!("`{}`", head.escape_ascii()));
        }
        if head.len() < HEAD {
            return garbage(format!("the first {} of its {HEAD} bytes and no more", head.len()));
        }
        let [kind, zeros @ ..] = array::<4>(&head, 4);
        let call = u64::from_le_bytes(array(&head, 8));
        let length = u32::from_le_bytes(array(&head, 16));
        let expected = u32::from_le_bytes(array(&head, 20));
        let Some(kind) = Kind::read(kind).filter(|_| zeros == [0; 3]) else {
            return garbage(format!("one of an unknown kind, {kind}"));
        };
        if length > LONGEST {
            return garbage(format!("one of {length} bytes, more than the {LONGEST} that there can be"));
        }
        let mut payload = Vec::new();
        self.take(u64::from(length), &mut payload)?;
        if payload.len() < length as usize {
            return garbage(format!("{} of its {length} bytes and no more", payload.len()));
        }
        if checksum(kind, call, &payload) != expected {
            return garbage(format!("one of {length} bytes with another checksum than it says"));
        }
        Ok(Some(Frame { kind, call, payload }))
    }

    fn take(&mut self, count: u64, bytes: &mut Vec<u8>) -> io::Result<()> {
        (&mut self.pipe).take(count).read_to_end(bytes).map(drop)
    }
}

/// `N` bytes of the head, which has been seen to be as long.
fn array<const N: usize>(head: &[u8], at: usize) -> [u8; N] {
    std::array::from_fn(|place| head[at + place])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn bytes(frames: &[Frame]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for frame in frames {
            write(&mut bytes, frame.kind, frame.call, &frame.payload).unwrap();
        }
        bytes
    }

    fn read(bytes: &[u8]) -> (Vec<Frame>, Option<FrameError>) {
        let mut reader = Reader::new(bytes);
        let mut frames = Vec::new();
        loop {
            match reader.read() {
                Ok(Some(frame)) => frames.push(frame),
                Ok(None) => return (frames, None),
                Err(error) => return (frames, Some(error)),
            }
        }
    }

    fn two() -> Vec<Frame> {
        let frame = |kind, call, payload: &[u8]| Frame { kind, call, payload: payload.to_vec() };
        vec![frame(Kind::Item, 7, b"payload"), frame(Kind::Close, u64::MAX, b"")]
    }

    #[test]
    fn a_byte_changed_or_missing_anywhere_is_noticed() {
        let whole = bytes(&two());
        for place in 0..whole.len() {
            let mut changed = whole.clone();
            changed[place] ^= 0x40;
            let (frames, error) = read(&changed);
            assert!(error.is_some() && frames.len() <= 1, "byte {place}: {frames:?}");
            let (frames, error) = read(&whole[..place]);
            let complete = usize::from(place >= HEAD + 7);
            assert_eq!(frames, two()[..complete], "cut at {place}");
            assert_eq!(error.is_none(), place == 0 || place == HEAD + 7, "cut at {place}");
        }
    }

    #[test]
    fn text_is_garbage_that_is_shown() {
        let (_, error) = read(b"Segmentation fault\n");
        insta::assert_snapshot!(error.unwrap(), @r"expected a frame, found `Segmentation fault\n`");
    }

    #[test]
    fn a_length_that_is_a_lie_takes_no_memory() {
        let mut lie = bytes(&two()[..1]);
        lie[16..20].copy_from_slice(&(LONGEST - 1).to_le_bytes());
        insta::assert_snapshot!(read(&lie).1.unwrap(), @"expected a frame, found 7 of its 1073741823 bytes and no more");
        lie[16..20].copy_from_slice(&u32::MAX.to_le_bytes());
        assert!(read(&lie).1.unwrap().to_string().contains("more than the"));
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]
        #[test]
        fn what_is_written_is_read(calls in proptest::collection::vec((1_u8..8, any::<u64>(), any::<Vec<u8>>()), 0..8)) {
            let frames: Vec<Frame> = calls
                .into_iter()
                .filter_map(|(kind, call, payload)| Some(Frame { kind: Kind::read(kind)?, call, payload }))
                .collect();
            let (read, error) = read(&bytes(&frames));
            prop_assert!(error.is_none());
            prop_assert_eq!(read, frames);
        }
    }
}
