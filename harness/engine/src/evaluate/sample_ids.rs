//! Whether every sample of a dataset has an id of its own.
//!
//! By their ids answers are found again, random numbers are drawn, models are compared, and repetitions are told from other
//! samples: two samples of one id would count as one.

use examiner_api::{ErrorCode, PluginError, Result};
use examiner_store::sorted_rows::SortedRows;
use std::collections::HashMap;

/// Half of an id's hash is kept: two of a billion ids have the same with a probability below 1e-20.
type Half = [u64; 2];

/// Up to so many ids before are compared with each one that comes; all are compared at the end.
const COMPARED: usize = 1 << 15;

/// The ids of a dataset so far: of each no more than a hash and its number, in bounded memory.
pub(crate) struct SampleIds {
    count: u64,
    recent: HashMap<Half, u64>,
    /// Ids that came before, by their hashes, with their numbers.
    before: SortedRows,
}

impl Default for SampleIds {
    fn default() -> Self {
        SampleIds { count: 0, recent: HashMap::new(), before: SortedRows::new(3, 2) }
    }
}

impl SampleIds {
    /// Adds the id of the next sample.
    ///
    /// # Errors
    /// It is empty, or one of the samples before has it, of which the last [`COMPARED`] at most are compared; or a temporary file cannot be written.
    pub(crate) fn add(&mut self, id: &str) -> Result<()> {
        self.count += 1;
        let number = self.count;
        if id.is_empty() {
            return Err(fault(format!(
                "expected an id for each sample of the dataset, found none for sample {number}"
            )));
        }
        if self.recent.len() == COMPARED {
            for ([first, second], number) in self.recent.drain() {
                self.before.push(&[first, second, number])?;
            }
        }
        let hash = blake3::hash(id.as_bytes());
        let (words, _) = hash.as_bytes().as_chunks::<8>();
        match self.recent.insert([u64::from_le_bytes(words[0]), u64::from_le_bytes(words[1])], number) {
            None => Ok(()),
            Some(first) => Err(fault(format!(
                "expected another id for each sample of the dataset, found `{id}` for the samples {first} and {number}"
            ))),
        }
    }

    /// Compares all ids, after the last one.
    ///
    /// # Errors
    /// Two samples have the same; or a temporary file cannot be written or read.
    pub(crate) fn finish(mut self) -> Result<()> {
        if self.before.is_empty() {
            return Ok(());
        }
        for ([first, second], number) in self.recent.drain() {
            self.before.push(&[first, second, number])?;
        }
        let mut sorted = self.before.sorted()?;
        let mut last: Option<[u64; 3]> = None;
        while let Some(row) = sorted.next_row()? {
            let row = [row[0], row[1], row[2]];
            if let Some(last) = last.replace(row)
                && last[..2] == row[..2]
            {
                let (one, other) = (last[2].min(row[2]), last[2].max(row[2]));
                return Err(fault(format!(
                    "expected another id for each sample of the dataset, found one id for the samples {one} and {other}"
                )));
            }
        }
        Ok(())
    }
}

fn fault(message: String) -> PluginError {
    let help = "set the dataset's option that names the ids if it has one; else tell the author of its plugin";
    PluginError::new(ErrorCode::BadInput, message).with_help(help)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_there_and_is_there_once() {
        let mut ids = SampleIds::default();
        for n in 0..1000 {
            ids.add(&format!("task-{n}")).unwrap();
        }
        let error = ids.add("task-41").unwrap_err();
        assert_eq!(
            error.message,
            "expected another id for each sample of the dataset, found `task-41` for the samples 42 and 1001"
        );
        let error = SampleIds::default().add("").unwrap_err();
        assert_eq!(error.message, "expected an id for each sample of the dataset, found none for sample 1");
    }

    #[test]
    fn ids_that_are_far_apart_are_compared_at_the_end() {
        let all = |last: &str| {
            let mut ids = SampleIds::default();
            (0..3 * COMPARED).for_each(|n| ids.add(&format!("task-{n}")).unwrap());
            ids.add(last).unwrap();
            ids.finish()
        };
        assert!(all("another").is_ok());
        assert_eq!(
            all("task-41").unwrap_err().message,
            format!(
                "expected another id for each sample of the dataset, found one id for the samples 42 and {}",
                3 * COMPARED + 1
            )
        );
    }
}
