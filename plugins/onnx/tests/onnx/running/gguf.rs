//! Exports of GGUF files: what transformers computes for the checkpoints that these were made of, and nothing of it depends on what
//! weights are stored in.

use super::families::{check_answers, check_scores};
use super::{export, open};
use examiner_test_support::checkpoint::{Gguf, GgufItem};
use examiner_test_support::ground_truth::{self, FAMILIES};
use half::f16;
use serde_json::{Value, json};
use std::path::PathBuf;
use tempfile::TempDir;

fn write(gguf: &Gguf) -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("model.gguf");
    std::fs::write(&path, gguf.bytes()).unwrap();
    (directory, path)
}

#[test]
fn scores_and_answers_are_those_of_transformers() {
    // Falcon has an architecture in GGUF that is not read.
    for name in FAMILIES.into_iter().filter(|name| *name != "falcon") {
        let family = ground_truth::family(name);
        let (_directory, path) = write(&family.gguf());
        for options in [json!({}), json!({ "operators": "fused", "logits": "wanted" })] {
            let exported = export(&path, options.clone());
            let mut model = open(exported.path(), json!({ "share_prefixes": true }));
            let place = format!("{name}, {options}");
            check_scores(&mut model, &family, &place);
            check_answers(&mut model, &family, &place);
        }
    }
}

/// A matrix of 32 bits in blocks of 32 numbers of eight bits (`Q8_0`), and what these stand for.
fn eight_bits(bytes: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let values: Vec<f32> = bytes.as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
    let (mut blocks, mut numbers) = (Vec::new(), Vec::new());
    for block in values.chunks(32) {
        let greatest = block.iter().fold(0.0_f32, |greatest, value| greatest.max(value.abs()));
        let scale = f16::from_f32(greatest / 127.0);
        blocks.extend(scale.to_le_bytes());
        for value in block {
            let number = (value / scale.to_f32()).round().clamp(-127.0, 127.0) as i8;
            blocks.extend(number.to_le_bytes());
            numbers.extend((f32::from(number) * scale.to_f32()).to_le_bytes());
        }
    }
    (blocks, numbers)
}

/// Queries and keys among them, whose rows are put in another order.
#[test]
fn matrices_in_blocks_are_exported_as_their_numbers() {
    for name in ["llama", "qwen2", "phi3"] {
        let mut in_blocks = ground_truth::family(name).gguf();
        let mut in_numbers = Gguf { items: in_blocks.items.clone(), tensors: in_blocks.tensors.clone() };
        let mut count = 0;
        for (blocks, numbers) in in_blocks.tensors.iter_mut().zip(&mut in_numbers.tensors) {
            if blocks.shape.len() == 2 && blocks.shape[1].is_multiple_of(32) {
                (blocks.bytes, numbers.bytes) = eight_bits(&numbers.bytes);
                blocks.kind = 8;
                count += 1;
            }
        }
        assert!(count > 5, "{name}: {count} matrices are whole blocks");
        let ((_a, in_blocks), (_b, in_numbers)) = (write(&in_blocks), write(&in_numbers));
        for dtype in ["f32", "f16", "int4", "uint4"] {
            let bytes = |path: &PathBuf| {
                let out = export(path, json!({ "dtype": dtype }));
                std::fs::read(out.path().join("model.onnx")).unwrap()
            };
            assert!(bytes(&in_blocks) == bytes(&in_numbers), "{name}, {dtype}");
        }
    }
}

#[test]
fn what_a_file_says_of_its_tokenizer_is_carried_over() {
    let mut gguf = ground_truth::family("llama").gguf();
    gguf.set("tokenizer.ggml.bos_token_id", GgufItem::U32(1));
    gguf.set("tokenizer.ggml.eos_token_id", GgufItem::U32(2));
    gguf.set("tokenizer.chat_template", GgufItem::Text("{{ messages[0].content }}".to_owned()));
    for begins in [false, true] {
        gguf.set("tokenizer.ggml.add_bos_token", GgufItem::Bool(begins));
        let (_directory, path) = write(&gguf);
        let out = export(&path, json!({}));
        let read =
            |name: &str| -> Value { serde_json::from_slice(&std::fs::read(out.path().join(name)).unwrap()).unwrap() };
        assert_eq!(read("generation_config.json"), json!({ "bos_token_id": 1, "eos_token_id": [2] }));
        assert_eq!(read("tokenizer_config.json")["chat_template"], "{{ messages[0].content }}");
        assert_eq!(read("config.json")["model_type"], "llama");
        assert_eq!(read("tokenizer.json")["post_processor"].is_null(), !begins);
        let model = open(out.path(), json!({}));
        let details = examiner_api::Model::info(&model).unwrap().details;
        let tokens = details["beginning"]["tokens"].as_array().unwrap().len();
        assert_eq!(tokens, usize::from(begins), "{details:?}");
    }
}
