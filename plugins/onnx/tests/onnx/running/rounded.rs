//! Weights in 4 bits, and graphs that round what they multiply.

use super::graphs::{change, node};
use super::{answers, assert_close, export, one_by_one, open, open_with, pairs, prompts, scores, tiny};
use crate::proto::{GraphProto, ModelProto, NodeProto};
use examiner_api::Level;
use examiner_api::testing::FakeHost;
use examiner_test_support::checkpoint::{Dtype, Tensor, serialize};
use examiner_test_support::ground_truth::{self, FAMILIES};
use prost::Message;
use serde_json::json;
use std::collections::BTreeMap;
use std::path::Path;

const BLOCK: usize = 32;

fn graph(exported: &Path) -> GraphProto {
    ModelProto::decode(&*std::fs::read(exported.join("model.onnx")).unwrap()).unwrap().graph.unwrap()
}

fn bytes(graph: &GraphProto, name: &str) -> Option<Vec<u8>> {
    let tensor = graph.initializer.iter().find(|tensor| tensor.name == name)?;
    Some(tensor.raw_data.as_ref().unwrap().to_vec())
}

/// The reference computation: what a matrix of `[outputs, inputs]` is after rounding, by the definition of `MatMulNBits`.
fn dequantized(graph: &GraphProto, name: &str, inputs: usize) -> Vec<f32> {
    let half = |bytes: &[u8], index: usize| bytes[index / 2] >> (4 * (index % 2)) & 15;
    let blocks = inputs.div_ceil(BLOCK);
    let numbers = bytes(graph, &format!("{name}_Q4")).unwrap();
    let scales = bytes(graph, &format!("{name}_scales")).unwrap();
    let zero_points = bytes(graph, &format!("{name}_zero_points"));
    let outputs = numbers.len() / (blocks * BLOCK / 2);
    let mut values = Vec::with_capacity(outputs * inputs);
    for output in 0..outputs {
        for input in 0..inputs {
            let block = output * blocks + input / BLOCK;
            let scale = f32::from_le_bytes(scales[4 * block..][..4].try_into().unwrap());
            let zero =
                zero_points.as_ref().map_or(8, |points| half(&points[output * blocks.div_ceil(2)..], input / BLOCK));
            let number = half(&numbers[block * BLOCK / 2..], input % BLOCK);
            values.push(scale * (f32::from(number) - f32::from(zero)));
        }
    }
    values
}

/// The tensors of a checkpoint with the matrices that an export of it has.
fn with_rounded(
    graph: &GraphProto,
    mut tensors: BTreeMap<String, Tensor>,
    inputs_first: bool,
) -> BTreeMap<String, Tensor> {
    let rounded = graph.initializer.iter().filter_map(|tensor| tensor.name.strip_suffix("_Q4"));
    for name in rounded {
        // The graph has a prefix that some checkpoints leave away.
        let stored = tensors.keys().find(|stored| name.ends_with(stored.as_str())).unwrap().clone();
        let shape = tensors[&stored].shape.clone();
        let turned = inputs_first && name != "lm_head.weight" && !name.contains("wte");
        let [outputs, inputs] = if turned { [shape[1], shape[0]] } else { [shape[0], shape[1]] };
        let values = dequantized(graph, name, inputs);
        let place = |at: usize| if turned { at % outputs * inputs + at / outputs } else { at };
        let values: Vec<f32> = (0..values.len()).map(|at| values[place(at)]).collect();
        tensors.insert(stored, Tensor::new(Dtype::F32, &shape, &values));
    }
    tensors
}

#[test]
fn four_bits_compute_what_their_numbers_say() {
    for name in FAMILIES {
        let family = ground_truth::family(name);
        let checkpoint = family.write();
        for (dtype, operators) in [("int4", "standard"), ("uint4", "fused")] {
            let exported =
                export(checkpoint.path(), json!({ "dtype": dtype, "operators": operators, "logits": "wanted" }));
            let graph = graph(exported.path());
            let tensors = with_rounded(&graph, family.weights.tensors(), name == "gpt2");
            let same = family.write();
            let all = tensors.iter().map(|(name, tensor)| (name.clone(), tensor));
            std::fs::write(same.path().join("model.safetensors"), serialize(all)).unwrap();
            let same = export(same.path(), json!({}));
            let expected = scores(&mut open(same.path(), json!({})), &pairs());
            let found = scores(&mut open(exported.path(), json!({})), &pairs());
            assert_close(&found, &expected, 1e-3);
            let exact = scores(&mut open(export(checkpoint.path(), json!({})).path(), json!({})), &pairs());
            let moved = found.iter().zip(&exact).any(|(found, exact)| (found - exact).abs() > 1e-3);
            assert!(moved, "{name}, {dtype}: nothing was rounded");
        }
    }
}

/// Where head and embeddings are one matrix, both have its rounded numbers.
#[test]
fn a_tied_head_is_rounded_once() {
    let tied = FAMILIES.into_iter().map(ground_truth::family).find(|family| {
        let config = &family.weights.config;
        config["tie_word_embeddings"] == json!(true)
            && config["hidden_size"].as_u64().is_some_and(|width| width % 32 == 0)
    });
    let tied = tied.expect("a family whose head is its embeddings");
    let exported = export(tied.write().path(), json!({ "dtype": "int4" }));
    let graph = graph(exported.path());
    let uses = |operator: &str| graph.node.iter().filter(|node| node.op_type == operator).count();
    assert_eq!(uses("GatherBlockQuantized"), 1);
    assert!(graph.initializer.iter().all(|tensor| !tensor.name.ends_with("embed_tokens.weight")));
}

/// Sets an attribute of all nodes of an operator.
fn set(graph: &mut GraphProto, operator: &str, name: &str, value: i64) {
    for node in graph.node.iter_mut().filter(|node| node.op_type == operator) {
        node.attribute.push(crate::proto::AttributeProto {
            name: name.to_owned(),
            r#type: 2,
            i: Some(value),
            ..Default::default()
        });
    }
}

/// ONNX Runtime rounds a row to 8 bits otherwise when it is alone.
#[test]
fn rounded_rows_are_the_same_in_every_batch() {
    for operators in ["standard", "grouped"] {
        let exported = tiny(json!({ "dtype": "int4", "operators": operators }));
        change(exported.path(), |model| set(model.graph.as_mut().unwrap(), "MatMulNBits", "accuracy_level", 4));
        let (expected, greedy) = one_by_one(exported.path());
        for options in [json!({}), json!({ "max_batch_tokens": 1 }), json!({ "max_sequences": 3 })] {
            let mut model = open(exported.path(), options.clone());
            assert_close(&scores(&mut model, &pairs()), &expected, 1e-4);
            assert_eq!(answers(&mut model, &prompts()), greedy, "{operators}, {options}");
        }
    }
}

/// Where a range is that of a whole call, no two texts share one.
#[test]
fn calls_that_are_rounded_as_a_whole_have_one_text() {
    let exported = tiny(json!({}));
    change(exported.path(), |model| {
        let graph = model.graph.as_mut().unwrap();
        let place = graph.node.iter().rposition(|node| node.op_type == "Gemm").unwrap();
        let x = std::mem::replace(&mut graph.node[place].input[0], "range/rounded".to_owned());
        let outputs = ["range/numbers", "range/scale", "range/zero"].map(str::to_owned);
        let nodes = [
            NodeProto { output: outputs.to_vec(), ..node("DynamicQuantizeLinear", &[&x], "range") },
            node("DequantizeLinear", &["range/numbers", "range/scale", "range/zero"], "range/rounded"),
        ];
        graph.node.splice(place..place, nodes);
    });
    let (expected, _) = one_by_one(exported.path());
    let host = FakeHost::new();
    // Passes that end within a text if it may be cut, and one for all.
    for tokens in [70, 1024] {
        let options = json!({ "share_prefixes": false, "max_batch_tokens": tokens });
        let mut model = open_with(exported.path(), options, &host).unwrap();
        assert_close(&scores(&mut model, &pairs()), &expected, 1e-5);
    }
    let warned =
        |(level, message): &(Level, String)| *level == Level::Warn && message.contains("DynamicQuantizeLinear");
    assert!(host.messages().iter().any(warned));
}
