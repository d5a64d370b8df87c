//! Whether answers are equal to the right ones: `exact_match` of lm-evaluation-harness.

use crate::error::Result;
use crate::python_regex::{Flags, Pattern, Template};
use crate::unicode::lower;

/// What does not count when answers are compared.
#[derive(Debug, Clone, Default)]
pub struct ExactMatch {
    /// What these patterns match is removed, in this order.
    ignored: Option<Vec<(Pattern, Template)>>,
    /// Upper and lower case are equal.
    pub ignore_case: bool,
    /// ASCII's punctuation is removed.
    pub ignore_punctuation: bool,
    /// ASCII's digits are removed.
    pub ignore_numbers: bool,
}

/// Texts as NumPy keeps them: all of one width, without zeros at their ends.
struct Array {
    texts: Vec<String>,
    width: usize,
}

impl Array {
    fn new(texts: Vec<String>) -> Self {
        let width = texts.iter().map(|text| text.chars().count()).max().unwrap_or_default().max(1);
        let texts = texts.into_iter().map(|text| text.trim_end_matches('\0').to_owned()).collect();
        Array { texts, width }
    }

    /// The same texts changed; what no longer fits is cut off.
    fn map(self, change: impl Fn(&str) -> String) -> Self {
        let width = self.width;
        let cut = |text: &String| {
            let changed: String = change(text).chars().take(width).collect();
            changed.trim_end_matches('\0').to_owned()
        };
        Array { texts: self.texts.iter().map(cut).collect(), width }
    }
}

impl ExactMatch {
    /// A comparison in which everything counts.
    pub fn new() -> Self {
        ExactMatch::default()
    }

    /// The same comparison after what these patterns of Python match was removed.
    ///
    /// # Errors
    /// A pattern cannot be read.
    pub fn ignoring(mut self, patterns: &[String]) -> Result<Self> {
        let compile = |source: &String| {
            let pattern = Pattern::compile(source, Flags::NONE)?;
            let template = Template::parse("", &pattern)?;
            Ok((pattern, template))
        };
        self.ignored = Some(patterns.iter().map(compile).collect::<Result<_>>()?);
        Ok(self)
    }

    /// The share of predictions that are equal to the reference at the same place.
    ///
    /// # Errors
    /// A pattern takes too long.
    pub fn score(&self, predictions: &[String], references: &[String]) -> Result<f64> {
        let (predictions, references) = (self.prepared(predictions)?, self.prepared(references)?);
        let has_lists = self.ignored.as_ref().is_some_and(Vec::is_empty)
            && !(self.ignore_case || self.ignore_punctuation || self.ignore_numbers);
        if has_lists {
            // An empty list of patterns leaves two lists, which are equal or not as a whole.
            return Ok(f64::from(u8::from(predictions == references)));
        }
        let equal = predictions.iter().zip(&references).filter(|(one, other)| one == other).count();
        Ok(equal as f64 / predictions.len() as f64)
    }

    /// Whether a prediction is equal to any of the references: 1 or 0.
    ///
    /// # Errors
    /// A pattern takes too long.
    pub fn any(&self, prediction: &str, references: &[String]) -> Result<f64> {
        let predictions = vec![prediction.to_owned(); references.len()];
        Ok(if self.score(&predictions, references)? > 0.0 { 1.0 } else { 0.0 })
    }

    fn prepared(&self, texts: &[String]) -> Result<Vec<String>> {
        let mut texts = texts.to_vec();
        let is_changed = self.ignore_case || self.ignore_punctuation || self.ignore_numbers;
        if self.ignored.as_ref().is_some_and(Vec::is_empty) && !is_changed {
            return Ok(texts);
        }
        for (pattern, nothing) in self.ignored.iter().flatten() {
            let replaced =
                texts.iter().map(|text| Ok(pattern.replace(text, nothing, 0)?)).collect::<Result<Vec<_>>>()?;
            texts = Array::new(replaced).texts;
        }
        let mut array = Array::new(texts);
        if self.ignore_case {
            array = array.map(lower);
        }
        if self.ignore_punctuation {
            array = array.map(|text| text.replace(|c: char| c.is_ascii_punctuation(), ""));
        }
        if self.ignore_numbers {
            array = array.map(|text| text.replace(|c: char| c.is_ascii_digit(), ""));
        }
        Ok(array.texts)
    }
}
