//! A `tokenizer.json` of any bytes: refused or used, never a panic.
#![no_main]

use examiner_fuzz::{let_caught_panics_pass, sow, tokenizer, watch};
use examiner_lm::Tokenizer;
use libfuzzer_sys::fuzz_target;
use serde_json::{Value, json};

/// A small tokenizer of every kind of model, normalizer, splitter and decoder.
fn seeds() -> Vec<(String, Vec<u8>)> {
    let small = |model: Value, normalizer: Value, splitter: Value, decoder: Value| {
        json!({ "version": "1.0", "truncation": null, "padding": null, "added_tokens": [{ "id": 0, "content": "<s>",
            "single_word": false, "lstrip": true, "rstrip": false, "normalized": true, "special": true }],
            "normalizer": normalizer, "pre_tokenizer": splitter, "post_processor": null, "decoder": decoder, "model": model })
    };
    let metaspace = json!({ "type": "Metaspace", "replacement": "▁", "prepend_scheme": "first", "split": true });
    let pieces = small(
        json!({ "type": "Unigram", "unk_id": 0, "byte_fallback": true, "vocab": [["<s>", 0.0], ["▁", -1.5], ["a", -2.0], ["<0x0A>", -3.0]] }),
        json!({ "type": "Sequence", "normalizers": [{ "type": "NFKC" }, { "type": "Prepend", "prepend": "▁" },
            { "type": "Replace", "pattern": { "Regex": " +" }, "content": "▁" }, { "type": "Lowercase" }] }),
        metaspace.clone(),
        json!({ "type": "Sequence", "decoders": [{ "type": "Replace", "pattern": { "String": "▁" }, "content": " " },
            { "type": "ByteFallback" }, { "type": "Fuse" }, { "type": "Strip", "content": " ", "start": 1, "stop": 0 }] }),
    );
    let words = small(
        json!({ "type": "WordPiece", "unk_token": "<s>", "continuing_subword_prefix": "##", "max_input_chars_per_word": 9,
            "vocab": { "<s>": 0, "a": 1, "##b": 2 } }),
        json!({ "type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true, "strip_accents": null, "lowercase": true }),
        json!({ "type": "BertPreTokenizer" }),
        json!({ "type": "WordPiece", "prefix": "##", "cleanup": true }),
    );
    let levels = small(
        json!({ "type": "WordLevel", "unk_token": "<s>", "vocab": { "<s>": 0, "the": 1 } }),
        Value::Null,
        json!({ "type": "Sequence", "pretokenizers": [{ "type": "Digits", "individual_digits": true }, { "type": "Punctuation",
            "behavior": "Isolated" }, { "type": "Split", "pattern": { "Regex": "\\p{N}{1,3}|[^\\s]+" }, "behavior": "Removed", "invert": true }] }),
        json!({ "type": "BPEDecoder", "suffix": "</w>" }),
    );
    let named = |name: &str, value: Value| (name.to_owned(), value.to_string().into_bytes());
    let mut bytes = tokenizer();
    // Most of an alphabet says nothing more to a fuzzer.
    if let Some(vocabulary) = bytes["model"]["vocab"].as_object_mut() {
        vocabulary.retain(|text, _| text.len() > 1 && text.is_ascii() || ["a", "n", "Ġ"].contains(&&**text));
    }
    vec![named("bytes", bytes), named("pieces", pieces), named("words", words), named("levels", levels)]
}

fuzz_target!(
    init: {
        sow("tokenizer", seeds());
        let_caught_panics_pass();
    },
    |data: &[u8]| {
        watch(|| {
            let Ok(tokenizer) = Tokenizer::from_bytes(data.to_vec(), Some(0), vec![0]) else { return };
            assert!(tokenizer.vocabulary() < usize::MAX);
            for text in ["", "the an 12 é漢 <s>\n", "<|endoftext|>a<s>  b"] {
                if let Ok(tokens) = tokenizer.encode(text) {
                    let _ = tokenizer.decode(&tokens);
                }
            }
            let _ = tokenizer.decode(&[0, 1, 2, u32::MAX]);
            let _ = tokenizer.special_token("<s>");
        });
    }
);
