//! Small checkpoints of every family of decoders, and what Hugging Face's transformers computes for them.
//!
//! `ground-truth/make.py` writes the files. Weights are a function of a tensor's name and the index in it, so that the files
//! hold shapes only.

mod gguf;

use crate::checkpoint::{self, Dtype, Tensor};
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use tempfile::TempDir;

/// A family's checkpoint, with twenty scored continuations and twenty greedy answers.
#[derive(Debug, Clone, Deserialize)]
pub struct Family {
    /// The checkpoint.
    #[serde(flatten)]
    pub weights: Weights,
    /// The scored continuations.
    pub scored: Vec<Scored>,
    /// The greedy answers. None of them hangs on the last digits: the best token was better than the second by 0.001 or
    /// more at every step.
    pub answers: Vec<Greedy>,
}

/// What a checkpoint consists of, without its tokenizer.
#[derive(Debug, Clone, Deserialize)]
pub struct Weights {
    /// `config.json`.
    pub config: Value,
    /// The shape of each tensor.
    pub tensors: BTreeMap<String, Vec<usize>>,
}

/// A continuation and its log-likelihood.
#[derive(Debug, Clone, Deserialize)]
pub struct Scored {
    /// The text before it.
    pub context: String,
    /// The text that is scored.
    pub continuation: String,
    /// The tokens that are scored.
    pub tokens: Vec<u32>,
    /// Of each token, in nats.
    pub logprobs: Vec<f64>,
    /// Of all tokens together, in nats.
    pub sum: f64,
    /// Whether each token is the most likely one.
    pub is_greedy: bool,
    /// How many tokens were cut off on the left.
    pub truncated_tokens: u32,
}

/// A prompt and its greedy answer.
#[derive(Debug, Clone, Deserialize)]
pub struct Greedy {
    /// The prompt.
    pub prompt: String,
    /// The answer: 16 tokens, or fewer if the text ends, which is a token too.
    pub tokens: Vec<u32>,
}

/// Checkpoints that cover the options of every family.
#[derive(Debug, Clone, Deserialize)]
pub struct Options {
    /// The text that is scored. Its bytes are the tokens.
    pub text: String,
    /// By a name that says what is special.
    pub cases: BTreeMap<String, OptionsCase>,
    /// The same of families that `candle-transformers` computes.
    pub adapted: BTreeMap<String, OptionsCase>,
}

/// One of them.
#[derive(Debug, Clone, Deserialize)]
pub struct OptionsCase {
    /// The checkpoint.
    #[serde(flatten)]
    pub weights: Weights,
    /// Of every token of the text after the first, in nats.
    pub logprobs: Vec<f64>,
}

/// The greatest number of new tokens of an answer.
pub const NEW_TOKENS: u32 = 16;

/// The name of every family that the plugin `candle` describes, as `model_type` has it.
pub const FAMILIES: [&str; 12] = [
    "gpt2",
    "llama",
    "mistral",
    "qwen2",
    "qwen3",
    "gemma2",
    "gemma3_text",
    "phi3",
    "olmo2",
    "granite",
    "gpt_neox",
    "falcon",
];

/// Those that `candle-transformers` computes.
pub const ADAPTED: [&str; 10] =
    ["mixtral", "qwen2_moe", "qwen3_moe", "deepseek_v2", "gemma", "glm4", "phi", "stablelm", "starcoder2", "mamba"];

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("ground-truth")
}

fn read(name: &str) -> Vec<u8> {
    let path = directory().join(name);
    std::fs::read(&path).unwrap_or_else(|error| panic!("cannot read `{}`: {error}", path.display()))
}

/// A GGUF file with blocks of every number type, and the numbers that they stand for.
pub fn quantized() -> PathBuf {
    directory().join("quantized.gguf")
}

/// The ground truth of one family.
pub fn family(name: &str) -> Family {
    serde_json::from_slice(&read(&format!("families/{name}.json"))).unwrap()
}

/// The ground truth of the families' options.
pub fn options() -> &'static Options {
    static OPTIONS: LazyLock<Options> = LazyLock::new(|| serde_json::from_slice(&read("options.json")).unwrap());
    &OPTIONS
}

impl Options {
    /// The case whose name begins so.
    pub fn named(&self, name: &str) -> Weights {
        let all = self.cases.iter().chain(&self.adapted);
        all.into_iter().find(|(full, _)| full.starts_with(name)).unwrap().1.weights.clone()
    }
}

impl Family {
    /// The checkpoint in a new directory.
    pub fn write(&self) -> TempDir {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("tokenizer.json"), read("tokenizer.json")).unwrap();
        self.weights.write_config_and_weights(directory.path());
        directory
    }
}

impl Weights {
    /// All tensors.
    pub fn tensors(&self) -> BTreeMap<String, Tensor> {
        let tensor = |(name, shape): (&String, &Vec<usize>)| {
            (name.clone(), Tensor::new(Dtype::F32, shape, &values(name, shape.iter().product())))
        };
        self.tensors.iter().map(tensor).collect()
    }

    /// The checkpoint in a new directory, with a tokenizer whose tokens are bytes.
    pub fn write(&self) -> TempDir {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("tokenizer.json"), checkpoint::tokenizer().to_string()).unwrap();
        self.write_config_and_weights(directory.path());
        directory
    }

    fn write_config_and_weights(&self, directory: &Path) {
        std::fs::write(directory.join("config.json"), self.config.to_string()).unwrap();
        let tensors = self.tensors();
        let bytes = checkpoint::serialize(tensors.iter().map(|(name, tensor)| (name.clone(), tensor)));
        std::fs::write(directory.join("model.safetensors"), bytes).unwrap();
    }
}

/// The same as `weights` in `ground-truth/make.py`.
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
        } else if name.contains("norm") || name.contains(".ln_") {
            1.0 + 0.25 * noise
        } else {
            0.5 * noise
        }
    };
    (0..count).map(noise).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_family_has_twenty_rows_of_each_kind_and_small_files() {
        let files = std::fs::read_dir(directory().join("families")).unwrap();
        assert_eq!(files.count(), FAMILIES.len() + ADAPTED.len(), "a file for each family and no other");
        for name in FAMILIES.into_iter().chain(ADAPTED) {
            let family = family(name);
            assert_eq!(family.weights.config["model_type"], name);
            assert_eq!((family.scored.len(), family.answers.len()), (20, 20), "{name}");
            for row in &family.scored {
                let sum: f64 = row.logprobs.iter().sum();
                assert_eq!(row.tokens.len(), row.logprobs.len());
                assert!((sum - row.sum).abs() < 1e-5, "{name}: {sum} is not {}", row.sum);
            }
            assert!(family.scored.iter().any(|row| row.is_greedy), "{name}");
            // No text is too long for Mamba.
            assert!(name == "mamba" || family.scored.iter().any(|row| row.truncated_tokens > 0), "{name}");
            assert!(read(&format!("families/{name}.json")).len() < 100 * 1024, "{name}");
        }
        assert!(options().cases.len() >= 16 && options().adapted.len() >= 13);
        assert!(read("options.json").len() < 100 * 1024);
    }
}
