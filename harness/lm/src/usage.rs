//! How many tokens a model was asked for, and how many it computed.

use crate::scheduler::Walked;
use examiner_api::serde_json::json;
use examiner_api::{Host, Metadata};
use std::collections::BTreeMap;

/// Tokens of all batches since they were last asked for, by what they were computed for.
#[derive(Debug, Default)]
pub(crate) struct Usage(BTreeMap<&'static str, Walked>);

impl Usage {
    /// Adds a batch, of which the log has a line.
    pub(crate) fn add(&mut self, what: &'static str, walked: Walked, host: Option<&Host>) {
        let Walked { asked, computed, spared } = walked;
        let sum = self.0.entry(what).or_default();
        sum.asked += asked;
        sum.computed += computed;
        sum.spared += spared;
        if let Some(host) = host {
            host.info(format!(
                "{what}: {asked} tokens, of which {computed} were computed, and {spared} had been for an earlier batch"
            ));
        }
    }

    /// As `run.json` has it; nothing where nothing was computed.
    pub(crate) fn into_details(self) -> Metadata {
        let counts = |Walked { asked, computed, spared }| json!({ "asked": asked, "computed": computed, "kept_from_earlier_batches": spared });
        let tokens: Metadata = self.0.into_iter().map(|(what, walked)| (what.to_owned(), counts(walked))).collect();
        let details = (!tokens.is_empty()).then(|| ("tokens".to_owned(), json!(tokens)));
        details.into_iter().collect()
    }
}
