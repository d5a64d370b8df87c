//! What of a checkpoint results depend on.

use super::{Checkpoint, SpecialTokens};
use examiner_api::{PluginError, Result};
use serde::Serialize;
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// Bytes that are hashed at a time: enough for every core.
const PIECE: u64 = 16 << 20;

/// The hashes of a checkpoint's files, and the special tokens that it names. Any byte of configuration, tokenizer or
/// weights changes it.
#[derive(Debug, Clone, Serialize)]
pub struct CheckpointIdentity {
    config: String,
    tokenizer: String,
    weights: Vec<String>,
    special_tokens: SpecialTokens,
}

impl Checkpoint {
    /// Hashes the files, with `weights` in the order given. It reads all of them.
    ///
    /// # Errors
    /// `NotFound` without a tokenizer, `Io` if a file cannot be read.
    pub fn identity(&self, weights: &[&Path]) -> Result<CheckpointIdentity> {
        let config = hash(&self.config_path)?;
        let tokenizer = self.tokenizer_path()?;
        Ok(CheckpointIdentity {
            // A GGUF file is both.
            tokenizer: if tokenizer == self.config_path { config.clone() } else { hash(tokenizer)? },
            config,
            weights: weights.iter().map(|path| hash(path)).collect::<Result<_>>()?,
            special_tokens: self.special_tokens().clone(),
        })
    }
}

/// The hash of a file, of which only a piece is in memory at a time: the weights are in memory already.
fn hash(path: &Path) -> Result<String> {
    let hash = || -> std::io::Result<blake3::Hash> {
        let mut file = File::open(path)?;
        let mut hasher = blake3::Hasher::new();
        let mut piece = Vec::new();
        while (&mut file).take(PIECE).read_to_end(&mut piece)? > 0 {
            hasher.update_rayon(&piece);
            piece.clear();
        }
        Ok(hasher.finalize())
    };
    Ok(hash().map_err(|error| PluginError::io("read", path, &error))?.to_hex().to_string())
}
