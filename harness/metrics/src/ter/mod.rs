//! TER, the translation edit rate, as sacreBLEU 2 computes it.

mod distance;
mod shifts;

use crate::corpus::CorpusMetric;
use crate::error::{Result, invalid};
use crate::tokenize::{points, punctuation};
use crate::unicode::{lower, split, strip_end};
use std::collections::HashMap;

/// The options of TER; the default ones are those of sacreBLEU.
///
/// The statistics of a sample are the smallest number of edits to one of the references, and the mean length of the references.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Ter {
    /// Punctuation is split off.
    pub normalized: bool,
    /// Punctuation does not count.
    pub no_punct: bool,
    /// Case counts.
    pub case_sensitive: bool,
}

impl Ter {
    fn prepared(&self, text: &str) -> String {
        let text = strip_end(text);
        if text.is_empty() {
            return String::new();
        }
        let mut text = if self.case_sensitive { text.to_owned() } else { lower(text) };
        if self.normalized {
            text = text.replace("\n-", "").replace('\n', " ");
            text = text.replace("&quot;", "\"").replace("&amp;", "&").replace("&lt;", "<").replace("&gt;", ">");
            text = points(&punctuation(&format!(" {text} ")).replace("'s ", " 's "));
        }
        if self.no_punct {
            text = text.replace(['.', ',', '?', ':', ';', '!', '"', '(', ')'], "");
        }
        split(&text).collect::<Vec<_>>().join(" ")
    }
}

impl CorpusMetric for Ter {
    fn statistics(&self, prediction: &str, references: &[String]) -> Result<Vec<f64>> {
        if references.is_empty() {
            return invalid("expected references for TER, found none");
        }
        let prediction = self.prepared(prediction);
        // sacreBLEU prepares references twice, which splits more off where `normalized` is on.
        let references: Vec<String> = references.iter().map(|text| self.prepared(&self.prepared(text))).collect();
        // Words are compared often: each gets a number.
        let mut numbers = HashMap::new();
        let mut words = |text| -> Vec<u32> {
            let number = |word| {
                let next = numbers.len() as u32;
                *numbers.entry(word).or_insert(next)
            };
            split(text).map(number).collect()
        };
        let prediction = words(&prediction);
        let (mut fewest, mut length) = (None, 0);
        for reference in &references {
            let reference = words(reference);
            let edits = shifts::edits(&prediction, &reference);
            fewest = Some(fewest.map_or(edits, |known: i64| known.min(edits)));
            length += reference.len();
        }
        Ok(vec![fewest.unwrap_or_default() as f64, length as f64 / references.len() as f64])
    }

    fn higher_is_better(&self) -> bool {
        false
    }

    fn value(&self, sums: &[f64]) -> f64 {
        match sums {
            [edits, length] if *length > 0.0 => 100.0 * (edits / length),
            [edits, _] if *edits > 0.0 => 100.0,
            [_, _] => 0.0,
            _ => f64::NAN,
        }
    }
}
