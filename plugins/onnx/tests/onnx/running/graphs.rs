//! Graphs in other shapes than the exporter's: what Optimum's older versions wrote.

use super::{answers, assert_close, one_by_one, open, pairs, prompts, scores, tiny};
use crate::proto::{
    AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto, TensorTypeProto, TypeProto, ValueInfoProto,
    data_type,
};
use prost::Message;
use serde_json::json;
use std::collections::BTreeSet;
use std::path::Path;

/// Changes an exported graph.
pub(crate) fn change(checkpoint: &Path, change: impl FnOnce(&mut ModelProto)) {
    let path = checkpoint.join("model.onnx");
    let mut model = ModelProto::decode(&*std::fs::read(&path).unwrap()).unwrap();
    change(&mut model);
    std::fs::write(&path, model.encode_to_vec()).unwrap();
}

fn node(operator: &str, inputs: &[&str], output: &str) -> NodeProto {
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
