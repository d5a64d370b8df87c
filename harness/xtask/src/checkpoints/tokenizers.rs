//! Tokenizers whose tokens are known without a file of anyone else's.

use crate::program::files::write;
use anyhow::Result;
use serde_json::{Map, json};
use std::path::Path;

/// Writes a tokenizer of words, one for each token: `t1 t17` are the tokens 1 and 17.
pub(crate) fn write_words(directory: &Path, tokens: usize) -> Result<()> {
    let vocabulary: serde_json::Map<String, serde_json::Value> =
        (0..tokens).map(|token| (format!("t{token}"), token.into())).collect();
    let tokenizer = json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": [], "normalizer": null,
        "pre_tokenizer": { "type": "WhitespaceSplit" }, "post_processor": null, "decoder": null,
        "model": { "type": "WordLevel", "vocab": vocabulary, "unk_token": "t0" }
    });
    write(&directory.join("tokenizer.json"), tokenizer.to_string())
}

/// Writes GPT-2's byte-level alphabet without any merges: the token of a byte is the byte.
pub(super) fn write_bytes(directory: &Path) -> Result<()> {
    let mut spare = 256u32..;
    let mut vocabulary = Map::new();
    for byte in 0..256u32 {
        let letter = match byte {
            33..=126 | 161..=172 | 174..=255 => Some(byte),
            _ => spare.next(),
        };
        if let Some(letter) = letter.and_then(char::from_u32) {
            vocabulary.insert(letter.to_string(), byte.into());
        }
    }
    let level = json!({ "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true });
    let tokenizer = json!({
        "version": "1.0", "truncation": null, "padding": null, "normalizer": null, "post_processor": null,
        "added_tokens": [], "pre_tokenizer": level, "decoder": level,
        "model": { "type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": null,
            "end_of_word_suffix": null, "fuse_unk": false, "byte_fallback": false, "ignore_merges": false,
            "vocab": vocabulary, "merges": [] }
    });
    write(&directory.join("tokenizer.json"), tokenizer.to_string())
}
