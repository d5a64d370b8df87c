//! Frames: the messages on the pipes between program and worker.
//!
//! A frame is a header of 24 bytes, all numbers little-endian, and a payload. The header is `EXF1`, the kind (1 byte) and
//! three zeros, the number of the call (8), the length of the payload (4), and the CRC-32 of kind, call and payload (4).
//! Anything else on the pipe is garbage, and is detected before any of it is used.

use std::io::{self, Read, Write};

const MAGIC: [u8; 4] = *b"EXF1";
const HEADER: usize = 24;
/// The longest payload: far more than a batch of requests takes.
pub const PAYLOAD_MAX: u32 = 1 << 30;

/// The kinds of frame. Either side may call the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A call of a method: name and payload.
    Call = 1,
    /// A result that is streamed during a call.
    Item = 2,
    /// The end of a call: its result or its error.
    Return = 3,
    /// No more results of the call are wanted.
    Stop = 4,
    /// The worker is alive and uses so many KiB of memory.
    Heartbeat = 5,
    /// The user wants to stop.
    Cancel = 6,
    /// There are no more calls: the worker ends.
    Close = 7,
}

impl Kind {
    fn read(byte: u8) -> Option<Self> {
        [Kind::Call, Kind::Item, Kind::Return, Kind::Stop, Kind::Heartbeat, Kind::Cancel, Kind::Close]
            .into_iter()
            .find(|kind| *kind as u8 == byte)
    }
}

/// A message on the pipe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// Its kind.
    pub kind: Kind,
    /// The call that it belongs to, or 0.
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
    /// The bytes are no frame.
    #[error("expected a frame, found {0}")]
    Garbage(String),
}

/// Writes frames to a pipe.
pub struct FrameWriter<W> {
    pipe: W,
    /// Frames that were gathered: whole ones, and few.
    gathered: Vec<u8>,
}

/// So many bytes are gathered before they are written.
const GATHERED: usize = 1 << 15;

impl<W: Write> FrameWriter<W> {
    /// A writer to `pipe`.
    pub fn new(pipe: W) -> Self {
        FrameWriter { pipe, gathered: Vec::new() }
    }

    /// Writes a frame, after those that were gathered.
    ///
    /// # Errors
    /// The payload is too long, or the pipe fails.
    pub fn write(&mut self, kind: Kind, call: u64, payload: &[u8]) -> io::Result<()> {
        let header = header(kind, call, payload)?;
        // One write for short frames, so that the reader wakes up once.
        self.gathered.extend_from_slice(&header);
        let is_short = payload.len() <= 1 << 16;
        if is_short {
            self.gathered.extend_from_slice(payload);
        }
        self.flush()?;
        if !is_short {
            self.pipe.write_all(payload)?;
        }
        self.pipe.flush()
    }

    /// Keeps a frame until there are enough of them, or until one is written: for results that come thick and fast.
    ///
    /// # Errors
    /// As for [`FrameWriter::write`].
    pub fn gather(&mut self, kind: Kind, call: u64, payload: &[u8]) -> io::Result<()> {
        let header = header(kind, call, payload)?;
        self.gathered.extend_from_slice(&header);
        self.gathered.extend_from_slice(payload);
        if self.gathered.len() >= GATHERED { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> io::Result<()> {
        let written = self.pipe.write_all(&self.gathered);
        self.gathered.clear();
        // What a long frame took is given back.
        self.gathered.shrink_to(2 * GATHERED);
        written
    }
}

fn header(kind: Kind, call: u64, payload: &[u8]) -> io::Result<[u8; HEADER]> {
    let length = u32::try_from(payload.len()).ok().filter(|length| *length <= PAYLOAD_MAX).ok_or_else(|| {
        let message =
            format!("a message of {} bytes is longer than the {PAYLOAD_MAX} that a frame holds", payload.len());
        io::Error::new(io::ErrorKind::InvalidInput, message)
    })?;
    let mut bytes = [0; HEADER];
    bytes[..4].copy_from_slice(&MAGIC);
    bytes[4] = kind as u8;
    bytes[8..16].copy_from_slice(&call.to_le_bytes());
    bytes[16..20].copy_from_slice(&length.to_le_bytes());
    bytes[20..].copy_from_slice(&checksum(kind, call, payload).to_le_bytes());
    Ok(bytes)
}

fn checksum(kind: Kind, call: u64, payload: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&[kind as u8]);
    hasher.update(&call.to_le_bytes());
    hasher.update(payload);
    hasher.finalize()
}

/// Reads frames from a pipe.
pub struct FrameReader<R> {
    pipe: R,
}

impl<R: Read> FrameReader<R> {
    /// A reader of `pipe`.
    pub fn new(pipe: R) -> Self {
        FrameReader { pipe }
    }

    /// The next frame; none at the end of the pipe. Memory is allocated for the bytes that arrive, not for the length in the
    /// header.
    ///
    /// # Errors
    /// The pipe fails, ends within a frame, or holds something other than frames.
    pub fn read(&mut self) -> Result<Option<Frame>, FrameError> {
        let mut header = Vec::with_capacity(HEADER);
        self.read_up_to(HEADER as u64, &mut header)?;
        if header.is_empty() {
            return Ok(None);
        }
        let garbage = |found: String| Err(FrameError::Garbage(found));
        let known = header.len().min(MAGIC.len());
        if header[..known] != MAGIC[..known] {
            return garbage(format!("`{}`", header.escape_ascii()));
        }
        if header.len() < HEADER {
            return garbage(format!("only {} of the {HEADER} bytes of its header", header.len()));
        }
        let [kind, zeros @ ..] = array::<4>(&header, 4);
        let call = u64::from_le_bytes(array(&header, 8));
        let length = u32::from_le_bytes(array(&header, 16));
        let expected = u32::from_le_bytes(array(&header, 20));
        let Some(kind) = Kind::read(kind).filter(|_| zeros == [0; 3]) else {
            return garbage(format!("one of an unknown kind, {kind}"));
        };
        if length > PAYLOAD_MAX {
            return garbage(format!("one of {length} bytes, more than the {PAYLOAD_MAX} that there can be"));
        }
        let mut payload = Vec::new();
        self.read_up_to(u64::from(length), &mut payload)?;
        if payload.len() < length as usize {
            return garbage(format!("only {} of its {length} bytes", payload.len()));
        }
        if checksum(kind, call, &payload) != expected {
            return garbage(format!("one of {length} bytes whose checksum does not match"));
        }
        Ok(Some(Frame { kind, call, payload }))
    }

    fn read_up_to(&mut self, count: u64, bytes: &mut Vec<u8>) -> io::Result<()> {
        (&mut self.pipe).take(count).read_to_end(bytes).map(drop)
    }
}

/// `N` bytes of the header from `start` on, whose length has been checked.
fn array<const N: usize>(header: &[u8], start: usize) -> [u8; N] {
    std::array::from_fn(|index| header[start + index])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn bytes(frames: &[Frame]) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut writer = FrameWriter::new(&mut bytes);
        for frame in frames {
            writer.write(frame.kind, frame.call, &frame.payload).unwrap();
        }
        bytes
    }

    fn read(bytes: &[u8]) -> (Vec<Frame>, Option<FrameError>) {
        let mut reader = FrameReader::new(bytes);
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
    fn a_changed_or_missing_byte_is_detected() {
        let whole = bytes(&two());
        for index in 0..whole.len() {
            let mut changed = whole.clone();
            changed[index] ^= 0x40;
            let (frames, error) = read(&changed);
            assert!(error.is_some() && frames.len() <= 1, "byte {index}: {frames:?}");
            let (frames, error) = read(&whole[..index]);
            let complete = usize::from(index >= HEADER + 7);
            assert_eq!(frames, two()[..complete], "cut at {index}");
            assert_eq!(error.is_none(), index == 0 || index == HEADER + 7, "cut at {index}");
        }
    }

    #[test]
    fn text_is_reported_as_garbage() {
        let (_, error) = read(b"Segmentation fault\n");
        insta::assert_snapshot!(error.unwrap(), @r"expected a frame, found `Segmentation fault\n`");
    }

    #[test]
    fn a_false_length_allocates_no_memory() {
        let mut forged = bytes(&two()[..1]);
        forged[16..20].copy_from_slice(&(PAYLOAD_MAX - 1).to_le_bytes());
        insta::assert_snapshot!(read(&forged).1.unwrap(), @"expected a frame, found only 7 of its 1073741823 bytes");
        forged[16..20].copy_from_slice(&u32::MAX.to_le_bytes());
        assert!(read(&forged).1.unwrap().to_string().contains("more than the"));
    }

    proptest! {
        #![proptest_config(examiner_test_support::cases(64))]
        #[test]
        fn frames_survive_the_pipe(calls in proptest::collection::vec((1_u8..8, any::<u64>(), any::<Vec<u8>>()), 0..8)) {
            let frames: Vec<Frame> = calls
                .into_iter()
                .filter_map(|(kind, call, payload)| Some(Frame { kind: Kind::read(kind)?, call, payload }))
                .collect();
            let (read_frames, error) = read(&bytes(&frames));
            prop_assert!(error.is_none());
            prop_assert_eq!(&read_frames, &frames);
            // Gathered, they are the same bytes once another is written.
            let mut gathered = Vec::new();
            let mut writer = FrameWriter::new(&mut gathered);
            frames.iter().for_each(|frame| writer.gather(frame.kind, frame.call, &frame.payload).unwrap());
            writer.write(Kind::Close, 0, b"").unwrap();
            let last = Frame { kind: Kind::Close, call: 0, payload: Vec::new() };
            prop_assert_eq!(gathered, bytes(&frames.into_iter().chain([last]).collect::<Vec<_>>()));
        }

        #[test]
        fn what_is_gathered_is_written_when_it_is_enough(lengths in proptest::collection::vec(0..2 * GATHERED, 1..6)) {
            let mut pipe = Vec::new();
            let mut writer = FrameWriter::new(&mut pipe);
            lengths.iter().for_each(|length| writer.gather(Kind::Item, 1, &vec![b'x'; *length]).unwrap());
            let left = writer.gathered.len();
            prop_assert!(left < GATHERED);
            prop_assert_eq!(left + pipe.len(), lengths.iter().map(|length| HEADER + length).sum::<usize>());
        }
    }
}
