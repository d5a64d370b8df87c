//! TensorBoard's event files: scalars, as its documentation of `tfevents` describes them.
//!
//! A file is a row of records: the length of the data (8 bytes), its masked checksum (4), the data, its masked checksum (4).
//! The data is a protocol buffer: `Event { 1: wall_time (double), 2: step (varint), 3: file_version (text), 5: summary }`,
//! `Summary { 1: value (repeated) }`, `Value { 1: tag (text), 2: simple_value (float) }`.

use examiner_api::Result;
use examiner_store::storage::failure;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// An open event file.
pub(super) struct EventFile {
    directory: PathBuf,
    path: PathBuf,
    file: File,
}

impl EventFile {
    /// Continues the directory's event file; begins one where there is none.
    pub(super) fn open(directory: &Path) -> Result<EventFile> {
        std::fs::create_dir_all(directory).map_err(|error| failure("make the directory", directory, &error))?;
        let mut old = own_files(directory)?;
        match old.pop() {
            Some(path) => {
                remove_all(&old)?;
                Ok(EventFile { directory: directory.to_owned(), file: append(&path)?, path })
            }
            None => Self::begin(directory),
        }
    }

    fn begin(directory: &Path) -> Result<EventFile> {
        let path = directory.join(format!("events.out.tfevents.{}.examiner", now() as u64));
        let mut events = EventFile { directory: directory.to_owned(), file: append(&path)?, path };
        events.write(&event(0, |event| text(event, 3, "brain.Event:2")))?;
        Ok(events)
    }

    /// Begins a new file in place of the old ones.
    pub(super) fn restart(&mut self) -> Result<()> {
        remove_all(&own_files(&self.directory)?)?;
        *self = Self::begin(&self.directory)?;
        Ok(())
    }

    /// Drops the first event that `is_dropped` says so of by its step, and all after it. The file's version, which stands
    /// first, stays.
    pub(super) fn truncate(&mut self, is_dropped: impl Fn(u64) -> bool) -> Result<()> {
        let bytes = std::fs::read(&self.path).map_err(|error| failure("read", &self.path, &error))?;
        let kept = kept(&bytes, is_dropped) as u64;
        if kept < bytes.len() as u64 {
            self.file.set_len(kept).map_err(|error| failure("write", &self.path, &error))?;
        }
        Ok(())
    }

    /// Appends an event with those values that there are.
    pub(super) fn add(&mut self, step: u64, values: &[(&str, Option<f64>)]) -> Result<()> {
        let mut summary = Vec::new();
        for (tag, value) in values.iter().filter_map(|(tag, value)| value.map(|value| (tag, value))) {
            let mut one = Vec::new();
            text(&mut one, 1, &format!("train/{tag}"));
            one.push(2 << 3 | 5);
            one.extend((value as f32).to_le_bytes());
            field(&mut summary, 1, &one);
        }
        self.write(&event(step, |event| field(event, 5, &summary)))
    }

    pub(super) fn sync(&mut self) -> Result<()> {
        self.file.sync_data().map_err(|error| failure("write", &self.path, &error))
    }

    fn write(&mut self, data: &[u8]) -> Result<()> {
        let length = (data.len() as u64).to_le_bytes();
        let mut record = Vec::with_capacity(data.len() + 16);
        record.extend(length);
        record.extend(masked(&length).to_le_bytes());
        record.extend(data);
        record.extend(masked(data).to_le_bytes());
        self.file.write_all(&record).map_err(|error| failure("write", &self.path, &error))
    }
}

/// Opens a file to add to.
fn append(path: &Path) -> Result<File> {
    OpenOptions::new().create(true).append(true).open(path).map_err(|error| failure("write", path, &error))
}

fn remove_all(paths: &[PathBuf]) -> Result<()> {
    paths.iter().try_for_each(|path| std::fs::remove_file(path).map_err(|error| failure("remove", path, &error)))
}

/// The event files of ours in a directory, the last one last.
fn own_files(directory: &Path) -> Result<Vec<PathBuf>> {
    let failed = |error: std::io::Error| failure("read", directory, &error);
    let mut files = Vec::new();
    for entry in std::fs::read_dir(directory).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if name.starts_with("events.out.tfevents.") && name.ends_with(".examiner") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// The checksum of TensorFlow's records: CRC-32C, turned and moved, because data may hold checksums itself.
fn masked(data: &[u8]) -> u32 {
    crc32c::crc32c(data).rotate_right(15).wrapping_add(0xa282_ead8)
}

fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64())
}

fn event(step: u64, fill: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut event = vec![1 << 3 | 1];
    event.extend(now().to_le_bytes());
    event.push(2 << 3);
    varint(&mut event, step);
    fill(&mut event);
    event
}

fn varint(into: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        into.push(value as u8 | 0x80);
        value >>= 7;
    }
    into.push(value as u8);
}

fn field(into: &mut Vec<u8>, number: u8, bytes: &[u8]) {
    into.push(number << 3 | 2);
    varint(into, bytes.len() as u64);
    into.extend(bytes);
}

fn text(into: &mut Vec<u8>, number: u8, text: &str) {
    field(into, number, text.as_bytes());
}

/// How many bytes of a file of ours are whole records before the first one that is dropped.
fn kept(bytes: &[u8], is_dropped: impl Fn(u64) -> bool) -> usize {
    let mut end = 0;
    while let Some(data) = record(&bytes[end..]) {
        if end > 0 && step_of(data).is_none_or(&is_dropped) {
            break;
        }
        end += data.len() + 16;
    }
    end
}

/// The data of the record that the bytes begin with.
fn record(bytes: &[u8]) -> Option<&[u8]> {
    let length = bytes.first_chunk::<8>()?;
    let size = usize::try_from(u64::from_le_bytes(*length)).ok()?;
    let data = bytes.get(12..)?.get(..size)?;
    let sum = bytes.get(12 + size..)?.first_chunk::<4>()?;
    (u32::from_le_bytes(*sum) == masked(data)).then_some(data)
}

/// The step of an event that [`event`] made: it follows the time.
fn step_of(data: &[u8]) -> Option<u64> {
    let digits = data.get(10..)?.iter();
    let mut step = 0u64;
    for (index, digit) in digits.enumerate().take(10) {
        step |= u64::from(digit & 0x7f) << (7 * index);
        if digit & 0x80 == 0 {
            return Some(step);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_are_those_of_tensorflow() {
        // CRC-32C of 32 zero bytes is 0x8a9136aa (RFC 3720, B.4).
        assert_eq!(crc32c::crc32c(&[0; 32]), 0x8a91_36aa);
        assert_eq!(masked(&[0; 32]), 0x8a91_36aau32.rotate_right(15).wrapping_add(0xa282_ead8));
    }

    #[test]
    fn a_training_that_goes_on_leaves_each_step_once() {
        let directory = tempfile::tempdir().unwrap();
        let steps = || {
            let files = own_files(directory.path()).unwrap();
            assert_eq!(files.len(), 1);
            let bytes = std::fs::read(&files[0]).unwrap();
            let (mut steps, mut end) = (Vec::new(), 0);
            while let Some(data) = record(&bytes[end..]) {
                steps.push(step_of(data).unwrap());
                end += data.len() + 16;
            }
            assert_eq!(end, bytes.len());
            steps
        };
        let add = |events: &mut EventFile, step| events.add(step, &[("loss", Some(1.0)), ("none", None)]).unwrap();
        let mut events = EventFile::open(directory.path()).unwrap();
        [100, 200, 300].into_iter().for_each(|step| add(&mut events, step));
        events.file.write_all(&[7; 9]).unwrap();
        let mut events = EventFile::open(directory.path()).unwrap();
        events.truncate(|step| step > 200).unwrap();
        add(&mut events, 201);
        assert_eq!(steps(), [0, 100, 200, 201]);
        events.restart().unwrap();
        assert_eq!(steps(), [0]);
    }
}
