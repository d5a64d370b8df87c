//! Matrices that stay in the blocks of a GGUF file.

use crate::families::logprobs;
use crate::gguf::{expressible, write};
use crate::open;
use candle_core::quantized::{GgmlDType, QTensor};
use candle_core::{Device, Tensor};
use examiner_api::{ErrorCode, Model};
use examiner_test_support::checkpoint::Gguf;
use examiner_test_support::model::{generate, loglikelihood, prompt, score};
use examiner_test_support::skipped;
use serde_json::json;
use std::path::Path;

/// What matrices are in, by the beginning of their names after the number of the layer.
type Types<'a> = &'a [(&'a str, GgmlDType, u32)];

/// The same model twice: with matrices in blocks, and with the numbers that these stand for.
fn in_blocks_and_numbers(gguf: Gguf, types: Types<'_>) -> [Gguf; 2] {
    let (mut blocks, mut numbers) = (Gguf { items: gguf.items.clone(), tensors: gguf.tensors.clone() }, gguf);
    for (quantized, tensor) in blocks.tensors.iter_mut().zip(&mut numbers.tensors) {
        let of = types.iter().find(|(part, ..)| tensor.name.contains(part));
        let (Some(&(_, dtype, kind)), 2) = (of, tensor.shape.len()) else { continue };
        let values: Vec<f32> = tensor.bytes.as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
        let values = Tensor::from_vec(values, tensor.shape.as_slice(), &Device::Cpu).unwrap();
        let matrix = QTensor::quantize(&values, dtype).unwrap();
        (quantized.kind, quantized.bytes) = (kind, matrix.data().unwrap().to_vec());
        let values = matrix.dequantize(&Device::Cpu).unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap();
        tensor.bytes = values.into_iter().flat_map(f32::to_le_bytes).collect();
    }
    [blocks, numbers]
}

/// On the CPU nothing says how weights lie in memory, whichever of them are put together.
#[test]
fn matrices_in_blocks_give_the_bits_of_their_numbers() {
    let all = "";
    let types: [Types<'_>; 7] = [
        &[(all, GgmlDType::Q4_0, 2)],
        &[(all, GgmlDType::Q4_1, 3)],
        &[(all, GgmlDType::Q5_0, 6)],
        &[(all, GgmlDType::Q5_1, 7)],
        &[(all, GgmlDType::Q8_0, 8)],
        // Of what one matrix is made, each in a type of its own, and then one that is not quantized.
        &[
            ("attn_k", GgmlDType::Q8_0, 8),
            ("attn_v", GgmlDType::Q5_1, 7),
            ("ffn_up", GgmlDType::Q4_1, 3),
            (all, GgmlDType::Q4_0, 2),
        ],
        &[("attn_k", GgmlDType::F32, 0), (all, GgmlDType::Q4_0, 2)],
    ];
    for name in ["llama, llama3", "qwen2", "phi3", "gemma2", "gpt_neox, one block"] {
        for types in types {
            let [blocks, numbers] = in_blocks_and_numbers(expressible(name).gguf(), types);
            let (_blocks, blocks) = write(&blocks);
            let (_numbers, numbers) = write(&numbers);
            for dtype in ["f32", "bf16", "int8"] {
                let bits = |path: &Path| {
                    let logprobs = logprobs(path, json!({ "device": "cpu", "dtype": dtype }));
                    logprobs.into_iter().map(f32::to_bits).collect::<Vec<_>>()
                };
                assert_eq!(bits(&blocks), bits(&numbers), "{name}, {types:?}, {dtype}");
            }
        }
    }
}

/// Inputs are rounded to 127 steps of the largest of 32, which moves the log-likelihoods of these models by a few hundredths; and a score is
/// the same to the bit whatever is beside it.
#[test]
fn with_precision_medium_inputs_are_rounded_and_no_bit_depends_on_the_batch() {
    let types: [Types<'_>; 3] = [
        &[("", GgmlDType::Q8_0, 8)],
        &[("attn_k", GgmlDType::Q8_0, 8), ("attn_v", GgmlDType::Q5_1, 7), ("", GgmlDType::Q4_0, 2)],
        &[("attn_k", GgmlDType::F32, 0), ("", GgmlDType::Q4_1, 3)],
    ];
    for (name, types) in ["llama, llama3", "gemma2"].into_iter().flat_map(|name| types.map(|types| (name, types))) {
        let [blocks, _] = in_blocks_and_numbers(expressible(name).gguf(), types);
        let (_blocks, path) = write(&blocks);
        let options = json!({ "precision": "medium" });
        let mut model = match open(&path, options.clone()) {
            Ok(model) => model,
            Err(error) => {
                assert_eq!(error.code, ErrorCode::Unsupported, "{error}");
                return skipped(&format!("`precision: medium` of blocks: {error}"));
            }
        };
        let info = model.info().unwrap();
        assert_eq!(info.details["precision"], json!("medium"));
        assert!(info.warnings.iter().any(|warning| warning.contains("`precision: medium`")), "{:?}", info.warnings);
        let exact: Vec<f64> = logprobs(&path, json!({})).into_iter().map(f64::from).collect();
        let moved: f64 =
            logprobs(&path, options.clone()).iter().zip(&exact).map(|(a, b)| (f64::from(*a) - b).abs()).sum();
        let moved = moved / exact.len() as f64;
        println!("{name}, {types:?}: log-likelihoods move by {moved} on average");
        assert!(moved > 0.0 && moved < 0.1, "{name}, {types:?}: moved by {moved}");

        let texts = ["a b c d", "a b c e", "one two three four five six seven", "x"];
        let requests = |texts: &[&str]| (0..).zip(texts).map(|(id, text)| loglikelihood(id, "a", text)).collect();
        let together = score(&mut model, requests(&texts));
        for (id, text) in (0..).zip(texts) {
            let alone = score(&mut open(&path, options.clone()).unwrap(), requests(&[text]));
            let bits = |logprobs: &[f32]| logprobs.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
            assert_eq!(bits(&together[&id].token_logprobs), bits(&alone[&0].token_logprobs), "{name}, {text}");
        }
        let prompts = |texts: &[&str]| (0..).zip(texts).map(|(id, text)| prompt(id, text, 8)).collect();
        let together = generate(&mut model, prompts(&texts));
        for (id, text) in (0..).zip(texts) {
            let alone = generate(&mut open(&path, options.clone()).unwrap(), prompts(&[text]));
            assert_eq!(together[&id].text, alone[&0].text, "{name}, {text}");
        }
    }
}
