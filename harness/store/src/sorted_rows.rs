//! Numbers of any number of samples, sorted, in bounded memory: an external merge sort.
//!
//! Rows of numbers are added in any order, and read in the order of their keys, as often as wanted. [`BUFFERED`] rows are in memory; so
//! many at a time are sorted and appended to a temporary file as a run, and reading merges the runs. The file has no name, so that nothing
//! is left of it however the process ends.
//!
//! **Law:** what is read is a stable sort of what was added, wherever the rows lie. Memory is that of [`BUFFERED`] rows, two numbers for
//! each run, and, while rows are read, a piece of each run: 1 MiB in all, or 4 KiB for each run where there are many, which is four
//! bits for each row.

use examiner_api::{ErrorCode, PluginError, Result};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::sync::Mutex;

/// So many rows are in memory before they are written.
pub const BUFFERED: usize = 1 << 13;
/// So many bytes of all runs together are in memory while they are merged.
const PIECES_BYTES: usize = 1 << 20;
/// But so many of each at least.
const PIECE_BYTES_MIN: usize = 1 << 12;
/// Bytes of a number.
const WORD: usize = 8;

/// The first numbers of a row, by which rows are sorted.
type Key = [u64; 2];

/// Rows of `width` numbers, sorted by the first `keys` of them.
#[derive(Debug)]
pub struct SortedRows {
    width: usize,
    keys: usize,
    buffered: usize,
    /// Rows that are not written, in the order in which they were added.
    recent: Vec<u64>,
    file: Mutex<Option<File>>,
    runs: Vec<Run>,
    rows: u64,
}

/// A part of the file that is sorted.
#[derive(Debug, Clone, Copy)]
struct Run {
    /// Where it begins, in bytes.
    offset: u64,
    rows: u64,
}

impl SortedRows {
    /// No rows, of `width` numbers each, of which the first one or two are the key.
    pub fn new(width: usize, keys: usize) -> Self {
        Self::with_buffer(width, keys, BUFFERED)
    }

    fn with_buffer(width: usize, keys: usize, buffered: usize) -> Self {
        assert!((1..=2).contains(&keys) && keys <= width, "a key is the first one or two numbers of a row");
        SortedRows { width, keys, buffered, recent: Vec::new(), file: Mutex::default(), runs: Vec::new(), rows: 0 }
    }

    /// Adds a row.
    ///
    /// # Errors
    /// The temporary file cannot be written.
    pub fn push(&mut self, row: &[u64]) -> Result<()> {
        assert_eq!(row.len(), self.width, "numbers of a row");
        if self.recent.len() == self.buffered * self.width {
            self.write_run().map_err(|error| failure("write", &error))?;
        }
        self.recent.extend_from_slice(row);
        self.rows += 1;
        Ok(())
    }

    /// How many rows were added.
    pub fn len(&self) -> u64 {
        self.rows
    }

    /// Whether none was added.
    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// All rows in the order of their keys; those of one key in the order in which they were added.
    ///
    /// # Errors
    /// The temporary file cannot be read.
    pub fn sorted(&self) -> Result<Sorted<'_>> {
        let piece = (PIECES_BYTES / self.runs.len().max(1)).max(PIECE_BYTES_MIN) / (self.width * WORD);
        let mut sources: Vec<Source<'_>> =
            self.runs.iter().map(|run| Source::of_run(self, *run, piece.max(1))).collect();
        sources.push(Source::of_recent(self));
        let mut heap = BinaryHeap::with_capacity(sources.len());
        for (number, source) in sources.iter_mut().enumerate() {
            if source.advance()? {
                heap.push(Reverse((self.key(source.row()), number)));
            }
        }
        Ok(Sorted { rows: self, sources, heap, is_first: true })
    }

    fn key(&self, row: &[u64]) -> Key {
        [row[0], if self.keys == 2 { row[1] } else { 0 }]
    }

    /// The rows that are not written, sorted.
    fn sorted_recent(&self) -> Vec<u64> {
        let mut order: Vec<&[u64]> = self.recent.chunks_exact(self.width).collect();
        order.sort_by_key(|row| self.key(row));
        order.concat()
    }

    fn write_run(&mut self) -> io::Result<()> {
        let bytes: Vec<u8> = self.sorted_recent().iter().flat_map(|number| number.to_le_bytes()).collect();
        let file = self.file.get_mut().unwrap_or_else(std::sync::PoisonError::into_inner);
        let file = match file {
            Some(file) => file,
            None => file.insert(tempfile::tempfile()?),
        };
        let offset = file.seek(SeekFrom::End(0))?;
        file.write_all(&bytes)?;
        self.runs.push(Run { offset, rows: (self.recent.len() / self.width) as u64 });
        self.recent.clear();
        Ok(())
    }

    /// Reads bytes of the temporary file.
    fn read_at(&self, offset: u64, bytes: &mut [u8]) -> io::Result<()> {
        let mut file = self.file.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let file = file.as_mut().ok_or(io::ErrorKind::NotFound)?;
        file.seek(SeekFrom::Start(offset))?;
        file.read_exact(bytes)
    }
}

fn failure(doing: &str, error: &io::Error) -> PluginError {
    let directory = std::env::temp_dir();
    PluginError::new(ErrorCode::Io, format!("cannot {doing} a temporary file in `{}`", directory.display()))
        .with_cause(error)
        .with_help("numbers of many samples are sorted there: free some space, or name another directory in `TMPDIR`")
}

/// Rows in the order of their keys.
pub struct Sorted<'a> {
    rows: &'a SortedRows,
    /// In the order in which their rows were added.
    sources: Vec<Source<'a>>,
    /// The key of the next row of each source that has one, and the source's number.
    heap: BinaryHeap<Reverse<(Key, usize)>>,
    is_first: bool,
}

impl Sorted<'_> {
    /// The next row; none after the last.
    ///
    /// # Errors
    /// The temporary file cannot be read.
    pub fn next_row(&mut self) -> Result<Option<&[u64]>> {
        // What was given out last is passed over only now.
        if !std::mem::take(&mut self.is_first)
            && let Some(mut last) = self.heap.peek_mut()
        {
            let Reverse((_, number)) = *last;
            match self.sources[number].advance()? {
                true => *last = Reverse((self.rows.key(self.sources[number].row()), number)),
                false => drop(PeekMut::pop(last)),
            }
        }
        Ok(self.heap.peek().map(|Reverse((_, number))| self.sources[*number].row()))
    }
}

/// The sorted rows of a run, or those that are not written, one after the other.
struct Source<'a> {
    rows: &'a SortedRows,
    /// What is left in the file.
    run: Run,
    /// So many rows are read at a time.
    piece: usize,
    numbers: Vec<u64>,
    /// Where the row after the current one begins in `numbers`.
    next: usize,
}

impl<'a> Source<'a> {
    fn of_run(rows: &'a SortedRows, run: Run, piece: usize) -> Self {
        Source { rows, run, piece, numbers: Vec::new(), next: 0 }
    }

    fn of_recent(rows: &'a SortedRows) -> Self {
        Source { rows, run: Run { offset: 0, rows: 0 }, piece: 0, numbers: rows.sorted_recent(), next: 0 }
    }

    /// Goes to the next row, if there is one.
    fn advance(&mut self) -> Result<bool> {
        if self.next == self.numbers.len() && self.run.rows > 0 {
            self.read().map_err(|error| failure("read", &error))?;
        }
        let is_there = self.next < self.numbers.len();
        self.next += if is_there { self.rows.width } else { 0 };
        Ok(is_there)
    }

    fn row(&self) -> &[u64] {
        &self.numbers[self.next - self.rows.width..self.next]
    }

    fn read(&mut self) -> io::Result<()> {
        let rows = (self.piece as u64).min(self.run.rows);
        let mut bytes = vec![0; rows as usize * self.rows.width * WORD];
        self.rows.read_at(self.run.offset, &mut bytes)?;
        self.run = Run { offset: self.run.offset + bytes.len() as u64, rows: self.run.rows - rows };
        self.numbers.clear();
        let words = bytes.as_chunks::<WORD>().0;
        self.numbers.extend(words.iter().map(|word| u64::from_le_bytes(*word)));
        self.next = 0;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(rows: &SortedRows) -> Vec<Vec<u64>> {
        let mut sorted = rows.sorted().unwrap();
        let mut read = Vec::new();
        while let Some(row) = sorted.next_row().unwrap() {
            read.push(row.to_vec());
        }
        read
    }

    proptest! {
        /// Wherever the rows lie, and as often as they are read between one row and the next.
        #[test]
        fn what_is_read_is_a_stable_sort_of_what_was_added(
            keys in proptest::collection::vec((0_u64..20, 0_u64..3), 0..200), buffered in 1_usize..40, two_keys: bool,
        ) {
            let mut rows = SortedRows::with_buffer(3, if two_keys { 2 } else { 1 }, buffered);
            let mut expected: Vec<Vec<u64>> = Vec::new();
            for (number, (first, second)) in keys.into_iter().enumerate() {
                let row = vec![first, second, number as u64];
                rows.push(&row).unwrap();
                expected.push(row);
                if number % 50 == 7 {
                    let mut so_far = expected.clone();
                    so_far.sort_by_key(|row| (row[0], if two_keys { row[1] } else { 0 }));
                    prop_assert_eq!(read(&rows), so_far);
                }
            }
            expected.sort_by_key(|row| (row[0], if two_keys { row[1] } else { 0 }));
            prop_assert_eq!(rows.len(), expected.len() as u64);
            prop_assert_eq!(read(&rows), expected.clone());
            prop_assert_eq!(read(&rows), expected);
        }
    }

    /// More than one piece of a run.
    #[test]
    fn runs_are_read_in_pieces() {
        let mut rows = SortedRows::new(2, 1);
        let count = 3 * BUFFERED as u64 + 5;
        for number in 0..count {
            rows.push(&[number * 7919 % count, number]).unwrap();
        }
        assert_eq!(rows.runs.len(), 3);
        let read = read(&rows);
        assert!(read.iter().zip(0..).all(|(row, key)| row[0] == key && row[1] * 7919 % count == key));
        assert_eq!(read.len() as u64, count);
    }

    #[test]
    fn a_file_that_is_cut_off_is_an_error() {
        let mut rows = SortedRows::with_buffer(1, 1, 2);
        (0..9).for_each(|number| rows.push(&[number]).unwrap());
        rows.file.lock().unwrap().as_ref().unwrap().set_len(20).unwrap();
        let error = rows.sorted().err().unwrap();
        assert!(error.message.starts_with("cannot read a temporary file in `"), "{error}");
    }
}
