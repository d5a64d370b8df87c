//! The content of a file, without its compression.

use super::{Refusal, broken};
use std::fs::File;
use std::io::{BufReader, Read, Seek};
use std::path::Path;

/// What the first bytes of compressed files are, where they are not read.
const NOT_READ: [(&[u8], &str); 6] = [
    (b"BZh", "bzip2"),
    (b"\xfd7zXZ\0", "xz"),
    (b"PK\x03\x04", "ZIP"),
    (b"\x04\x22\x4d\x18", "LZ4"),
    (b"7z\xbc\xaf\x27\x1c", "7z"),
    (b"Rar!", "RAR"),
];

/// Opens a file, plain or compressed by gzip or Zstandard.
pub(super) fn open(path: &Path) -> Result<Box<dyn Read>, Refusal> {
    let mut file = File::open(path).map_err(|error| broken(&error))?;
    let mut first = Vec::new();
    (&mut file).take(8).read_to_end(&mut first).and_then(|_| file.rewind()).map_err(|error| broken(&error))?;
    if first.starts_with(b"\x1f\x8b") {
        return Ok(Box::new(flate2::read::MultiGzDecoder::new(BufReader::new(file))));
    }
    if first.starts_with(b"\x28\xb5\x2f\xfd") {
        return Ok(Box::new(zstd::Decoder::new(file).map_err(|error| broken(&error))?));
    }
    match NOT_READ.iter().find(|(magic, _)| first.starts_with(magic)) {
        Some((_, name)) => {
            Err(Refusal::Broken(format!("it is compressed by {name}, which is not read; gzip and Zstandard are")))
        }
        None => Ok(Box::new(file)),
    }
}
