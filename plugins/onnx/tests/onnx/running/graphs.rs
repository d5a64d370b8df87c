//! Graphs in other shapes than the exporter's: what Optimum's older versions and ONNX Runtime GenAI's builder write.

use super::refused::says;
use super::{answers, assert_close, one_by_one, open, pairs, prompts, scores, tiny};
use crate::proto::{
    AttributeProto, Dimension, GraphProto, ModelProto, NodeProto, Size, TensorProto, TensorShapeProto, TensorTypeProto,
    TypeProto, ValueInfoProto, data_type,
};
use examiner_api::ErrorCode;
use prost::Message;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::Path;

/// Changes an exported graph.
pub(crate) fn change(checkpoint: &Path, change: impl FnOnce(&mut ModelProto)) {
    let path = checkpoint.join("model.onnx");
    let mut model = ModelProto::decode(&*std::fs::read(&path).unwrap()).unwrap();
    change(&mut model);
    std::fs::write(&path, model.encode_to_vec()).unwrap();
}

pub(super) fn node(operator: &str, inputs: &[&str], output: &str) -> NodeProto {
    NodeProto {
        op_type: operator.to_owned(),
        name: output.to_owned(),
        input: inputs.iter().map(|input| (*input).to_owned()).collect(),
        output: vec![output.to_owned()],
        ..NodeProto::default()
    }
}

fn numbers(name: &str, dims: Vec<i64>, values: Vec<i64>) -> TensorProto {
    let (name, int64_data) = (name.to_owned(), values);
    TensorProto { name, dims, data_type: data_type::INT64, int64_data, ..TensorProto::default() }
}

/// A graph that counts positions by itself, from the length of the past.
fn count_positions(graph: &mut GraphProto) {
    graph.input.retain(|input| input.name != "position_ids");
    graph.initializer.push(numbers("count/one", vec![], vec![1]));
    let nodes = [
        node("Shape", &["input_ids"], "ids_shape"),
        node("Shape", &["attention_mask"], "mask_shape"),
        node("Gather", &["ids_shape", "count/one"], "new"),
        node("Gather", &["mask_shape", "count/one"], "all"),
        node("Sub", &["all", "new"], "past"),
        node("Range", &["past", "all", "count/one"], "places"),
        node("Expand", &["places", "ids_shape"], "position_ids"),
    ];
    graph.node.splice(0..0, nodes);
}

/// A graph that gives each row of logits twice, or all but the first.
pub(super) fn change_rows(graph: &mut GraphProto, more: bool) {
    for name in graph.node.iter_mut().flat_map(|node| &mut node.output).filter(|name| *name == "logits") {
        *name = "rows/all".to_owned();
    }
    graph.initializer.push(numbers("rows/axis", vec![1], vec![-2]));
    graph.initializer.push(numbers("rows/one", vec![1], vec![1]));
    graph.initializer.push(numbers("rows/end", vec![1], vec![i64::MAX]));
    graph.node.push(match more {
        true => {
            let axis = AttributeProto { name: "axis".to_owned(), r#type: 2, i: Some(-2), ..AttributeProto::default() };
            NodeProto { attribute: vec![axis], ..node("Concat", &["rows/all", "rows/all"], "logits") }
        }
        false => node("Slice", &["rows/all", "rows/one", "rows/end", "rows/axis"], "logits"),
    });
}

/// A branch of a merged graph. Names of values within are its own; without a past, it takes none.
fn branch(graph: &GraphProto, prefix: &str, past: bool) -> GraphProto {
    let mut made: BTreeSet<String> = graph.node.iter().flat_map(|node| &node.output).cloned().collect();
    let mut branch = GraphProto { name: prefix.to_owned(), output: graph.output.clone(), ..GraphProto::default() };
    if !past {
        let pasts = graph.input.iter().filter(|input| input.name.starts_with("past_key_values"));
        branch.node.extend(pasts.map(|input| {
            made.insert(input.name.clone());
            node("Slice", &[&input.name, "merge/zero", "merge/zero", "merge/two"], &format!("{prefix}/{}", input.name))
        }));
    }
    let own = |name: &mut String| {
        if made.contains(name.as_str()) {
            *name = format!("{prefix}/{name}");
        }
    };
    for mut node in graph.node.iter().cloned() {
        node.input.iter_mut().chain(&mut node.output).for_each(own);
        branch.node.push(node);
    }
    branch.output.iter_mut().for_each(|output| own(&mut output.name));
    branch
}

/// A merged graph: one branch for an empty past, one for any other, and an input that says which.
fn merge(graph: &mut GraphProto) {
    let with = |name: &str, branch: GraphProto| AttributeProto {
        name: name.to_owned(),
        r#type: 5,
        g: Some(branch),
        ..AttributeProto::default()
    };
    let attribute =
        vec![with("then_branch", branch(graph, "then", true)), with("else_branch", branch(graph, "else", false))];
    let output = graph.output.iter().map(|output| output.name.clone()).collect();
    graph.node = vec![NodeProto { output, attribute, ..node("If", &["use_cache_branch"], "merged") }];
    graph.initializer.push(numbers("merge/zero", vec![1], vec![0]));
    graph.initializer.push(numbers("merge/two", vec![1], vec![2]));
    let tensor_type = TensorTypeProto { elem_type: data_type::BOOL, shape: None };
    let r#type = Some(TypeProto { tensor_type: Some(tensor_type) });
    graph.input.push(ValueInfoProto { name: "use_cache_branch".to_owned(), r#type });
}

#[test]
fn a_graph_that_counts_positions_by_itself_is_never_padded() {
    let exported = tiny(json!({}));
    let (expected, greedy) = one_by_one(exported.path());
    change(exported.path(), |model| count_positions(model.graph.as_mut().unwrap()));
    for share in [true, false] {
        let mut model = open(exported.path(), json!({ "max_batch_tokens": 64, "share_prefixes": share }));
        assert_close(&scores(&mut model, &pairs()), &expected, 1e-4);
        assert_eq!(answers(&mut model, &prompts()), greedy);
    }
}

#[test]
fn a_merged_graph_takes_the_branch_that_fits_the_past() {
    let exported = tiny(json!({}));
    let (expected, greedy) = one_by_one(exported.path());
    change(exported.path(), |model| merge(model.graph.as_mut().unwrap()));
    let merged = exported.path().join("decoder_model_merged.onnx");
    std::fs::rename(exported.path().join("model.onnx"), merged).unwrap();
    let mut model = open(exported.path(), json!({}));
    assert_close(&scores(&mut model, &pairs()), &expected, 1e-4);
    assert_eq!(answers(&mut model, &prompts()), greedy);
}

/// A value of so many open dimensions.
fn value(name: &str, element: i32, dimensions: usize) -> ValueInfoProto {
    let dim = (0..dimensions).map(|index| Dimension { value: Some(Size::Param(format!("{name}.{index}"))) }).collect();
    let tensor_type = TensorTypeProto { elem_type: element, shape: Some(TensorShapeProto { dim }) };
    let r#type = Some(TypeProto { tensor_type: Some(tensor_type) });
    ValueInfoProto { name: name.to_owned(), r#type }
}

fn with_int(mut node: NodeProto, name: &str, value: i64) -> NodeProto {
    let attribute = AttributeProto { name: name.to_owned(), r#type: 2, i: Some(value), ..AttributeProto::default() };
    node.attribute.push(attribute);
    node
}

/// A graph that counts the ones of a mask to know how long its sequences are.
fn count_mask(graph: &mut GraphProto) {
    graph.input.retain(|input| !["seqlens_k", "total_sequence_length"].contains(&&*input.name));
    graph.input.push(value("attention_mask", data_type::INT64, 2));
    graph.initializer.push(numbers("mask/one", vec![1], vec![1]));
    let int32 = i64::from(data_type::INT32);
    let nodes = [
        with_int(node("ReduceSum", &["attention_mask", "mask/one"], "mask/sum"), "keepdims", 0),
        node("Sub", &["mask/sum", "mask/one"], "mask/less"),
        with_int(node("Cast", &["mask/less"], "seqlens_k"), "to", int32),
        node("Shape", &["attention_mask"], "mask/shape"),
        node("Gather", &["mask/shape", "mask/one"], "mask/longest"),
        with_int(node("Cast", &["mask/longest"], "total_sequence_length"), "to", int32),
    ];
    graph.node.splice(0..0, nodes);
}

/// An export as ONNX Runtime GenAI's builder would have written it: the mask is counted, and `genai_config.json` stands in
/// place of `config.json`, with other names of files and values.
fn built() -> tempfile::TempDir {
    let exported = tiny(json!({ "operators": "grouped" }));
    change(exported.path(), |model| {
        model.producer_name = "onnxruntime-genai".to_owned();
        let graph = model.graph.as_mut().unwrap();
        count_mask(graph);
        let outputs = graph.output.iter_mut().map(|output| &mut output.name);
        let inputs = graph.input.iter_mut().map(|input| &mut input.name);
        let used = graph.node.iter_mut().flat_map(|node| node.input.iter_mut().chain(&mut node.output));
        for name in outputs.chain(inputs).chain(used) {
            *name = name.replace("past_key_values.", "earlier_").replace("present.", "later_").replace(".key", "_k");
            *name = if name == "logits" { "scores".to_owned() } else { name.replace("input_ids", "tokens") };
        }
    });
    let path = |name: &str| exported.path().join(name);
    std::fs::rename(path("model.onnx"), path("decoder-int4.onnx")).unwrap();
    std::fs::remove_file(path("config.json")).unwrap();
    set_genai_config(exported.path(), &genai_config());
    exported
}

fn genai_config() -> Value {
    json!({ "model": {
        "type": "gpt2", "bos_token_id": 256, "eos_token_id": [256], "context_length": 96, "vocab_size": 257,
        "decoder": {
            "filename": "decoder-int4.onnx", "head_size": 8, "hidden_size": 24, "num_attention_heads": 3,
            "num_hidden_layers": 2, "num_key_value_heads": 3,
            "inputs": {
                "input_ids": "tokens", "past_key_names": "earlier_%d_k", "past_value_names": "earlier_%d.value"
            },
            "outputs": {
                "logits": "scores", "present_key_names": "later_%d_k", "present_value_names": "later_%d.value"
            }
        }
    } })
}

fn set_genai_config(checkpoint: &Path, config: &Value) {
    std::fs::write(checkpoint.join("genai_config.json"), config.to_string()).unwrap();
}

#[test]
fn a_model_of_the_genai_builder_runs_as_it_is() {
    let (expected, greedy) = one_by_one(tiny(json!({})).path());
    let built = built();
    for options in [
        json!({}),
        json!({ "share_prefixes": false }),
        json!({ "max_batch_tokens": 16, "max_sequences": 5 }),
        json!({ "max_cache_tokens": 96 }),
    ] {
        let mut model = open(built.path(), options.clone());
        assert_close(&scores(&mut model, &pairs()), &expected, 1e-4);
        assert_eq!(answers(&mut model, &prompts()), greedy, "{options}");
    }
}

#[test]
fn what_a_genai_config_lacks_is_named() {
    let built = built();
    let with = |pointer: &str, value: Value| {
        let mut config = genai_config();
        *config.pointer_mut(pointer).unwrap() = value;
        set_genai_config(built.path(), &config);
    };
    with("/model/decoder/filename", Value::Null);
    says(built.path(), ErrorCode::Unsupported, &["genai_config.json` names no file", "several graphs"]);
    with("/model/decoder/head_size", json!(0));
    says(built.path(), ErrorCode::BadInput, &["genai_config.json` does not describe a decoder", "nonzero"]);
    with("/model/decoder/num_hidden_layers", json!(3));
    says(built.path(), ErrorCode::BadInput, &["has 2 layers; `genai_config.json` says 3"]);
    with("/model/decoder/inputs/past_key_names", json!("before_%d"));
    says(built.path(), ErrorCode::Unsupported, &["no keys and values", "`before_0`"]);
    with("/model/vocab_size", json!(300));
    says(built.path(), ErrorCode::BadInput, &["expected 300 tokens, as `genai_config.json` says"]);
}

/// Memory with room for more positions than there are would be read as if they were there.
#[test]
fn keys_and_values_of_another_operator_are_not_given_room() {
    let exported = tiny(json!({ "operators": "grouped" }));
    change(exported.path(), |model| {
        let graph = model.graph.as_mut().unwrap();
        let used = graph.node.iter_mut().flat_map(|node| &mut node.input);
        used.filter(|name| *name == "past_key_values.1.key").for_each(|name| *name = "same".to_owned());
        graph.node.insert(0, node("Identity", &["past_key_values.1.key"], "same"));
    });
    let parts = ["layers with `GroupQueryAttention` and others without", "`past_key_values.1.key`"];
    says(exported.path(), ErrorCode::Unsupported, &parts);
}

/// Newer exports for browsers compute the last logits alone, unless they are asked for all.
#[test]
fn all_logits_are_asked_for() {
    for operators in ["standard", "grouped"] {
        let exported = tiny(json!({ "operators": operators }));
        let (expected, greedy) = one_by_one(exported.path());
        change(exported.path(), |model| {
            let graph = model.graph.as_mut().unwrap();
            for name in graph.node.iter_mut().flat_map(|node| &mut node.output).filter(|name| *name == "logits") {
                *name = "keep/all".to_owned();
            }
            graph.input.push(value("num_logits_to_keep", data_type::INT64, 0));
            graph.initializer.push(numbers("keep/zero", vec![1], vec![0]));
            graph.initializer.push(numbers("keep/one", vec![1], vec![1]));
            graph.initializer.push(numbers("keep/end", vec![1], vec![i64::MAX]));
            graph.node.extend([
                node("Sub", &["keep/zero", "num_logits_to_keep"], "keep/first"),
                node("Slice", &["keep/all", "keep/first", "keep/end", "keep/one"], "logits"),
            ]);
        });
        let mut model = open(exported.path(), json!({}));
        assert_close(&scores(&mut model, &pairs()), &expected, 1e-4);
        assert_eq!(answers(&mut model, &prompts()), greedy);
    }
}
