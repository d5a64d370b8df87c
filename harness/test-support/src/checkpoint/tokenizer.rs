//! A byte-level BPE of our own.

use serde_json::{Value, json};
use std::collections::BTreeMap;

/// The size of [`tokenizer`]'s vocabulary: bytes and `<|endoftext|>`.
pub const VOCABULARY: usize = 257;

/// `tokenizer.json` of GPT-2's byte-level alphabet without any merges: the token of a byte is the byte, `<|endoftext|>`
/// is 256.
pub fn tokenizer() -> Value {
    tokenizer_with(&[])
}

/// The same with merges, whose tokens follow from 257 in this order.
pub fn tokenizer_with(merges: &[(&str, &str)]) -> Value {
    let mut spare = 256..;
    let letter = |byte: u32| match byte {
        33..=126 | 161..=172 | 174..=255 => char::from_u32(byte).unwrap(),
        _ => spare.next().and_then(char::from_u32).unwrap(),
    };
    let letters = (0..256).map(letter).map(String::from);
    let special = "<|endoftext|>".to_owned();
    let merged = merges.iter().map(|(left, right)| format!("{left}{right}"));
    let tokens = letters.chain([special]).chain(merged);
    let vocabulary: BTreeMap<String, usize> = tokens.enumerate().map(|(id, token)| (token, id)).collect();
    let byte_level = json!({ "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true });
    json!({
        "version": "1.0", "truncation": null, "padding": null, "normalizer": null, "post_processor": null,
        "added_tokens": [{ "id": 256, "content": "<|endoftext|>", "single_word": false, "lstrip": false, "rstrip": false,
            "normalized": false, "special": true }],
        "pre_tokenizer": byte_level, "decoder": byte_level,
        "model": { "type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": null,
            "end_of_word_suffix": null, "fuse_unk": false, "byte_fallback": false, "ignore_merges": false,
            "vocab": vocabulary, "merges": merges }
    })
}
