//! A journal of any bytes: no panic, every intact record is found and nothing else, and it can be gone on with.
//!
//! Checksums are out of reach of chance, so a line of the input gets a good one unless it begins with `!`.
#![no_main]

use examiner_store::journal::{Journal, JournalError, Reader};
use examiner_fuzz::{file, sow};
use libfuzzer_sys::fuzz_target;
use serde_json::json;

fuzz_target!(
    init: sow("journal", [
        ("whole".to_owned(), b"{\"a\":1}\n{\"index\":0}\n{\"index\":1}\n".to_vec()),
        ("torn".to_owned(), b"{\"a\":1}\n{\"index\":0}\n!0123abcd {\"ind".to_vec()),
        ("damaged".to_owned(), b"{\"a\":1}\n!00000000 {\"index\":0}\n{\"index\":1}\n!\n!x\n".to_vec()),
        ("no-header".to_owned(), b"!00000000 {\"a\":1}\n{\"index\":0}\n".to_vec()),
        ("other-header".to_owned(), b"{\"b\":1}\n{\"index\":0}\n".to_vec()),
    ]),
    |data: &[u8]| {
        let written = journal(data);
        let path = file("journal");
        std::fs::write(&path, &written).expect("an input");
        let intact = intact(&written);

        let mut scanned = Vec::new();
        let mut reader = Reader::open(&path).expect("a file");
        reader.scan(None, |offset, text| scanned.push((offset, text.to_owned()))).expect("a scan");
        assert_eq!(scanned, intact);
        for (offset, text) in scanned.iter().rev() {
            assert_eq!(reader.read_at(*offset).expect("a record"), text);
        }
        for offset in 0..written.len().min(64) as u64 {
            let _ = reader.read_at(offset);
        }

        let mut opened = Vec::new();
        let header = json!({"a": 1});
        match Journal::open(&path, &header, |_, text| opened.push(text.to_owned())) {
            Ok((mut journal, _)) => journal.append("{\"index\":\"new\"}").map(drop).expect("a record"),
            Err(JournalError::OtherHeader { .. } | JournalError::NewerFormat { .. }) => return,
            Err(error) => panic!("{error}"),
        }
        let texts = |all: &[(u64, String)]| all.iter().map(|(_, text)| text.clone()).collect::<Vec<_>>();
        assert_eq!(opened, texts(&intact));
        let mut again = Vec::new();
        Journal::open(&path, &header, |_, text| again.push(text.to_owned())).expect("a journal that was repaired");
        opened.push("{\"index\":\"new\"}".to_owned());
        assert_eq!(again, opened);
    }
);

/// The input as a journal.
fn journal(data: &[u8]) -> Vec<u8> {
    let mut written = Vec::new();
    for line in data.split_inclusive(|byte| *byte == b'\n') {
        match line.strip_prefix(b"!") {
            Some(raw) => written.extend(raw),
            None => {
                let record = line.strip_suffix(b"\n").unwrap_or(line);
                written.extend(format!("{:08x} ", crc(record)).as_bytes());
                written.extend(line);
            }
        }
    }
    written
}

/// All records that a journal holds, with their offsets: the law that the reader is held to.
fn intact(written: &[u8]) -> Vec<(u64, String)> {
    let mut offset = 0;
    let mut found = Vec::new();
    for (number, line) in written.split_inclusive(|byte| *byte == b'\n').enumerate() {
        if number > 0
            && let Some(line) = line.strip_suffix(b"\n")
            && line.len() >= 9
            && line[..9] == *format!("{:08x} ", crc(&line[9..])).as_bytes()
            && let Ok(text) = std::str::from_utf8(&line[9..])
        {
            found.push((offset, text.to_owned()));
        }
        offset += line.len() as u64;
    }
    found
}

/// CRC-32 (IEEE 802.3), bit by bit.
fn crc(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg()))
    })
}
