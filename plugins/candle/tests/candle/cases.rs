//! Tiny models of every family with the options that it has, and what transformers computed for them. `references.py`
//! writes the file; weights are a function of names and places, so that it need not hold them.

use crate::tiny::{VOCABULARY, tokenizer};
use candle_core::{Device, Tensor};
use serde::Deserialize;
use serde_json::Value;
use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::LazyLock;
use tempfile::TempDir;

/// `references.json`.
#[derive(Deserialize)]
pub(crate) struct References {
    /// Its bytes are the tokens.
    pub(crate) text: String,
    pub(crate) cases: BTreeMap<String, Case>,
}

#[derive(Clone, Deserialize)]
pub(crate) struct Case {
    pub(crate) config: Value,
    /// Names and shapes.
    pub(crate) tensors: BTreeMap<String, Vec<usize>>,
    /// Of every token of the text after the first, in nats.
    pub(crate) logprobs: Vec<f64>,
}

pub(crate) static REFERENCES: LazyLock<References> =
    LazyLock::new(|| serde_json::from_str(include_str!("references.json")).unwrap());

impl Case {
    /// The case whose name begins so.
    pub(crate) fn named(name: &str) -> Case {
        REFERENCES.cases.iter().find(|(full, _)| full.starts_with(name)).unwrap().1.clone()
    }

    /// All weights.
    pub(crate) fn weights(&self) -> HashMap<String, Tensor> {
        let tensor = |(name, shape): (&String, &Vec<usize>)| {
            let values = values(name, shape.iter().product());
            (name.clone(), Tensor::from_vec(values, shape.as_slice(), &Device::Cpu).unwrap())
        };
        self.tensors.iter().map(tensor).collect()
    }

    /// Everything but the weights.
    pub(crate) fn write_rest(&self, directory: &Path) {
        assert_eq!(self.config["vocab_size"], VOCABULARY);
        let put = |name: &str, value: &Value| std::fs::write(directory.join(name), value.to_string()).unwrap();
        put("config.json", &self.config);
        put("tokenizer.json", &tokenizer());
    }

    /// A checkpoint in one file.
    pub(crate) fn write(&self) -> TempDir {
        let directory = tempfile::tempdir().unwrap();
        self.write_rest(directory.path());
        candle_core::safetensors::save(&self.weights(), directory.path().join("model.safetensors")).unwrap();
        directory
    }
}

/// The same as in `references.py`.
fn values(name: &str, count: usize) -> Vec<f32> {
    let seed = name.bytes().fold(2_166_136_261u32, |seed, byte| (seed ^ u32::from(byte)).wrapping_mul(16_777_619));
    let noise = |index: usize| {
        let mut h = (index as u32).wrapping_add(seed);
        h = (h ^ (h >> 16)).wrapping_mul(0x7feb_352d);
        h = (h ^ (h >> 15)).wrapping_mul(0x846c_a68b);
        h ^= h >> 16;
        let noise = (h >> 8) as f32 / (1u32 << 23) as f32 - 1.0;
        if name.ends_with(".bias") {
            0.25 * noise
        } else if name.contains("norm") {
            1.0 + 0.25 * noise
        } else {
            0.5 * noise
        }
    };
    (0..count).map(noise).collect()
}
