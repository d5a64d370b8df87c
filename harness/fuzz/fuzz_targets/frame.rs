//! A stream of any bytes on the pipe between program and worker: frames, then at most one error, and never more memory than
//! bytes that came. What was read is what would have been written.
//!
//! Checksums are out of reach of chance: a stream that begins with `=` is cut into good frames, at every `|`, the first byte
//! of each saying its kind.
#![no_main]

use examiner_engine::worker::frame::{Frame, FrameReader, FrameWriter, Kind};
use examiner_fuzz::sow;
use libfuzzer_sys::fuzz_target;

const KINDS: [Kind; 7] = [Kind::Call, Kind::Item, Kind::Return, Kind::Stop, Kind::Heartbeat, Kind::Cancel, Kind::Close];

fn stream(frames: &[Frame]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut writer = FrameWriter::new(&mut bytes);
    for frame in frames {
        writer.write(frame.kind, frame.call, &frame.payload).expect("a frame");
    }
    bytes
}

/// The frames that a stream stands for, and the bytes behind them that are none.
fn good(data: &[u8]) -> Vec<Frame> {
    let frame = |(call, part): (usize, &[u8])| {
        let (kind, payload) = part.split_first().map_or((0, part), |(kind, payload)| (usize::from(*kind), payload));
        Frame { kind: KINDS[kind % KINDS.len()], call: call as u64, payload: payload.to_vec() }
    };
    data.split(|byte| *byte == b'|').enumerate().map(frame).collect()
}

fuzz_target!(
    init: sow("frame", [
        ("raw".to_owned(), stream(&good(b"\x01payload|\x06|\x02"))),
        ("good".to_owned(), b"=\x00call|\x01item|\x02answer|\x06".to_vec()),
        ("text".to_owned(), b"Segmentation fault\n".to_vec()),
        ("torn".to_owned(), stream(&good(b"\x01payload"))[..27].to_vec()),
    ]),
    |data: &[u8]| {
        let expected = data.strip_prefix(b"=").map(good);
        let bytes = expected.as_deref().map_or_else(|| data.to_vec(), stream);
        let mut reader = FrameReader::new(&bytes[..]);
        let mut frames = Vec::new();
        let ended_well = loop {
            match reader.read() {
                Ok(Some(frame)) => frames.push(frame),
                Ok(None) => break true,
                Err(error) => {
                    assert!(error.to_string().len() < 1024);
                    break false;
                }
            }
        };
        let written = stream(&frames);
        assert_eq!(bytes[..written.len()], written, "what is read is what was written");
        assert_eq!(ended_well, written.len() == bytes.len());
        if let Some(expected) = expected {
            assert!(ended_well && frames == expected);
        }
    }
);
