//! Whether every sample of a dataset has an id of its own.
//!
//! By their ids answers are found again, random numbers are drawn, models are compared, and repetitions are told from other
//! samples: two samples of one id would count as one.

use examiner_api::{ErrorCode, PluginError, Result};
use std::collections::HashMap;

/// So many bytes of an id's hash are kept: two of a billion ids have the same with a probability below 1e-11.
const KEPT: usize = 12;

/// The ids of a dataset so far: of each no more than a hash and its number.
#[derive(Default)]
pub(crate) struct SampleIds {
    numbers: HashMap<[u8; KEPT], u32>,
}

impl SampleIds {
    /// Adds the id of the next sample.
    ///
    /// # Errors
    /// It is empty, or an earlier sample has it.
    pub(crate) fn add(&mut self, id: &str) -> Result<()> {
        let number = self.numbers.len() + 1;
        let fault = |message: String| {
            let help = "set the dataset's option that names the ids if it has one; else tell the author of its plugin";
            Err(PluginError::new(ErrorCode::BadInput, message).with_help(help))
        };
        if id.is_empty() {
            return fault(format!("expected an id for each sample of the dataset, found none for sample {number}"));
        }
        let mut hash = [0; KEPT];
        hash.copy_from_slice(&blake3::hash(id.as_bytes()).as_bytes()[..KEPT]);
        match self.numbers.insert(hash, u32::try_from(number).unwrap_or(u32::MAX)) {
            None => Ok(()),
            Some(first) => fault(format!(
                "expected another id for each sample of the dataset, found `{id}` for the samples {first} and {number}"
            )),
        }
    }
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
}
