//! What an export consists of.

mod refused;

use crate::proto::{GraphProto, ModelProto, Size, TensorProto, TypeProto, ValueInfoProto, data_location, data_type};
use examiner_api::testing::FakeHost;
use examiner_api::{ErrorCode, ExportJob, ExportReport, Exporter, Open, Result};
use examiner_plugin_onnx::OnnxExporter;
use examiner_test_support::checkpoint::{Dtype, Tensor, TinyGpt2};
use examiner_test_support::ground_truth;
use half::f16;
use prost::Message;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use tempfile::TempDir;

fn export_to(from: &Path, out: &Path, options: Value, host: &FakeHost) -> Result<ExportReport> {
    let mut exporter = OnnxExporter::open(serde_json::from_value(options).unwrap(), host.host())?;
    exporter.export(ExportJob { from: from.display().to_string(), out: out.to_owned() })
}

/// Exports into a new directory.
fn export(from: &Path, options: Value) -> TempDir {
    let out = tempfile::tempdir().unwrap();
    let report = export_to(from, out.path(), options, &FakeHost::new()).unwrap();
    assert_eq!(report.checkpoint, out.path());
    out
}

fn model(out: &TempDir) -> ModelProto {
    ModelProto::decode(&*std::fs::read(out.path().join("model.onnx")).unwrap()).unwrap()
}

fn graph(out: &TempDir) -> GraphProto {
    model(out).graph.unwrap()
}

fn names(out: &Path) -> BTreeSet<String> {
    std::fs::read_dir(out).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

/// Names, element types and sizes.
fn signature(values: &[ValueInfoProto]) -> Vec<(String, i32, Vec<String>)> {
    let describe = |value: &ValueInfoProto| {
        let Some(TypeProto { tensor_type: Some(tensor) }) = &value.r#type else { panic!("{value:?}") };
        let sizes = tensor.shape.as_ref().unwrap().dim.iter().map(|dim| match dim.value.as_ref().unwrap() {
            Size::Value(size) => size.to_string(),
            Size::Param(name) => name.clone(),
        });
        (value.name.clone(), tensor.elem_type, sizes.collect())
    };
    values.iter().map(describe).collect()
}

/// The numbers of a tensor, wherever they are.
fn bytes(tensor: &TensorProto, out: &TempDir) -> Vec<u8> {
    if tensor.data_location != Some(data_location::EXTERNAL) {
        return tensor.raw_data.as_ref().unwrap().to_vec();
    }
    let entries: BTreeMap<&str, &str> =
        tensor.external_data.iter().map(|entry| (entry.key.as_str(), entry.value.as_str())).collect();
    let number = |key| entries[key].parse::<usize>().unwrap();
    assert_eq!(number("offset") % 4096, 0, "{}", tensor.name);
    let data = std::fs::read(out.path().join(entries["location"])).unwrap();
    data[number("offset")..][..number("length")].to_vec()
}

#[test]
fn inputs_and_outputs_are_those_of_optimum() {
    let checkpoint = TinyGpt2::new(json!({})).write();
    for operators in ["standard", "fused"] {
        for (dtype, number) in [("f32", data_type::FLOAT), ("f16", data_type::FLOAT16)] {
            for logits in ["all", "wanted"] {
                let options = json!({ "operators": operators, "dtype": dtype, "logits": logits });
                let graph = graph(&export(checkpoint.path(), options));
                let entry = |name: &str, element: i32, sizes: &[&str]| {
                    (name.to_owned(), element, sizes.iter().map(|size| (*size).to_owned()).collect::<Vec<_>>())
                };
                let total = "past_sequence_length + sequence_length";
                let mut inputs = vec![
                    entry("input_ids", data_type::INT64, &["batch_size", "sequence_length"]),
                    entry("attention_mask", data_type::INT64, &["batch_size", total]),
                    entry("position_ids", data_type::INT64, &["batch_size", "sequence_length"]),
                ];
                let mut outputs = match logits {
                    "all" => vec![entry("logits", number, &["batch_size", "sequence_length", "257"])],
                    _ => vec![entry("logits", number, &["rows", "257"])],
                };
                if logits == "wanted" {
                    inputs.push(entry("logits_rows", data_type::INT64, &["rows"]));
                }
                for layer in 0..2 {
                    for what in ["key", "value"] {
                        let past = ["batch_size", "3", "past_sequence_length", "8"];
                        inputs.push(entry(&format!("past_key_values.{layer}.{what}"), number, &past));
                        let present = ["batch_size", "3", total, "8"];
                        outputs.push(entry(&format!("present.{layer}.{what}"), number, &present));
                    }
                }
                assert_eq!(signature(&graph.input), inputs);
                assert_eq!(signature(&graph.output), outputs);
            }
        }
    }
}

/// What the format asks of a graph: every value is made once, before it is used; every constant is used.
#[test]
fn graphs_are_in_order() {
    let changes = [json!({}), json!({ "tie_word_embeddings": false, "n_inner": 40, "activation_function": "silu" })];
    let checkpoints = changes.into_iter().map(|changes| TinyGpt2::new(changes).write());
    let families = ground_truth::options().cases.values().map(|case| case.weights.write());
    for checkpoint in checkpoints.chain(families) {
        for (operators, domains) in [("standard", vec![("", 20)]), ("fused", vec![("", 20), ("com.microsoft", 1)])] {
            for logits in ["all", "wanted"] {
                let out = export(checkpoint.path(), json!({ "operators": operators, "logits": logits }));
                let model = model(&out);
                assert_eq!((model.ir_version, model.producer_name.as_str()), (9, "examiner"));
                let imported: Vec<_> =
                    model.opset_import.iter().map(|set| (set.domain.as_str(), set.version)).collect();
                assert_eq!(imported, domains);
                let graph = model.graph.unwrap();
                let mut known = BTreeSet::new();
                let given = graph.input.iter().map(|value| &value.name);
                for name in given.chain(graph.initializer.iter().map(|tensor| &tensor.name)) {
                    assert!(known.insert(name.clone()), "`{name}` twice");
                }
                let (mut used, mut nodes) = (BTreeSet::new(), BTreeSet::new());
                for node in &graph.node {
                    assert!(nodes.insert(&node.name), "two nodes `{}`", node.name);
                    assert!(imported.contains(&(&node.domain, if node.domain.is_empty() { 20 } else { 1 })));
                    for input in node.input.iter().filter(|name| !name.is_empty()) {
                        assert!(known.contains(input), "`{}` uses `{input}` before it is there", node.name);
                        used.insert(input.clone());
                    }
                    for output in node.output.iter().filter(|name| !name.is_empty()) {
                        assert!(known.insert(output.clone()), "`{output}` twice");
                    }
                }
                used.extend(graph.output.iter().map(|value| value.name.clone()));
                assert!(graph.output.iter().all(|value| known.contains(&value.name)));
                assert_eq!(known.difference(&used).collect::<Vec<_>>(), Vec::<&String>::new(), "nobody uses these");
            }
        }
    }
}

/// The weights are in the graph under Hugging Face's names, in the checkpoint's numbers, whatever they were called and
/// stored as, and the tied embedding is there once.
#[test]
fn weights_arrive() {
    let plain = TinyGpt2::new(json!({}));
    let bare = TinyGpt2 { prefix: false, ..plain.clone() };
    let mut repeated = plain.clone();
    repeated.tensors.insert("lm_head.weight".to_owned(), plain.tensors["wte.weight"].clone());
    let causal = Tensor::zeros(Dtype::F32, &[1, 1, 96, 96]);
    repeated.tensors.insert("h.0.attn.bias".to_owned(), causal);
    let own = TinyGpt2::new(json!({ "tie_word_embeddings": false }));
    let models =
        [plain.clone(), bare, repeated, own, plain.clone().rounded(Dtype::F16), plain.clone().rounded(Dtype::BF16)];
    for tiny in models {
        let checkpoint = tiny.write();
        for (dtype, stored) in [("f32", Dtype::F32), ("f16", Dtype::F16)] {
            for external in [false, true] {
                let out = export(checkpoint.path(), json!({ "dtype": dtype, "external_data": external }));
                assert_eq!(out.path().join("model.onnx_data").exists(), external);
                let graph = graph(&out);
                let found: BTreeMap<&str, &TensorProto> =
                    graph.initializer.iter().map(|tensor| (tensor.name.as_str(), tensor)).collect();
                let tied = tiny.config["tie_word_embeddings"] != json!(false);
                assert_eq!(found.contains_key("lm_head.weight"), !tied);
                let expected = tiny
                    .tensors
                    .iter()
                    .filter(|(name, _)| !name.ends_with("attn.bias") && (name.as_str() != "lm_head.weight" || !tied));
                for (name, tensor) in expected {
                    let name = if name == "lm_head.weight" { name.clone() } else { format!("transformer.{name}") };
                    let found = found[name.as_str()];
                    assert_eq!(found.dims, tensor.shape.iter().map(|&size| size as i64).collect::<Vec<_>>());
                    let expected = Tensor::new(stored, &tensor.shape, &tensor.values());
                    assert!(bytes(found, &out) == expected.bytes, "{name}");
                }
            }
        }
    }
}

#[test]
fn half_the_bits_are_half_the_bytes() {
    let checkpoint = TinyGpt2::new(json!({ "n_embd": 96 })).write();
    let size = |dtype| {
        let out = export(checkpoint.path(), json!({ "dtype": dtype, "external_data": true }));
        std::fs::metadata(out.path().join("model.onnx_data")).unwrap().len()
    };
    // Tensors begin at multiples of 4096 bytes, which adds at most so much to each of the 28.
    let (full, half) = (size("f32"), size("f16"));
    assert!(half.abs_diff(full / 2) <= 28 * 4096, "{half} of {full}");
    assert!(half < full);
}

#[test]
fn two_exports_are_the_same_byte_for_byte() {
    let checkpoint = TinyGpt2::new(json!({})).write();
    for external in [false, true] {
        let options = json!({ "operators": "fused", "external_data": external });
        let outs = [export(checkpoint.path(), options.clone()), export(checkpoint.path(), options)];
        let read = |out: &TempDir| -> BTreeMap<String, Vec<u8>> {
            names(out.path())
                .into_iter()
                .map(|name| (name.clone(), std::fs::read(out.path().join(name)).unwrap()))
                .collect()
        };
        assert!(read(&outs[0]) == read(&outs[1]));
    }
}

/// The numbers of a weight of a graph.
fn numbers(graph: &GraphProto, name: &str, out: &TempDir) -> Vec<f32> {
    let tensor = graph.initializer.iter().find(|tensor| tensor.name == name).unwrap();
    bytes(tensor, out).as_chunks::<4>().0.iter().map(|number| f32::from_le_bytes(*number)).collect()
}

#[test]
fn weights_of_other_families_arrive() {
    let gemma = ground_truth::options().named("gemma3_text");
    let out = export(gemma.write().path(), json!({}));
    let graph = graph(&out);
    let tensors = gemma.tensors();
    let same = "model.layers.1.self_attn.q_proj.weight";
    assert_eq!(numbers(&graph, same, &out), tensors[same].values());
    // These norms multiply by one more than the weight.
    let norm = "model.layers.2.self_attn.k_norm.weight";
    let expected: Vec<f32> = tensors[norm].values().iter().map(|number| number + 1.0).collect();
    assert_eq!(numbers(&graph, norm, &out), expected);

    // The reference computation of the near rotation: 128 positions, 8 pairs of a head of 16, base 100.
    let angle = |position: u32, pair: i32| f64::from(position as f32 * 100_f64.powf(-f64::from(pair) / 8.0) as f32);
    let of = |part: fn(f64) -> f64| -> Vec<f32> {
        (0..128).flat_map(|position| (0..8).map(move |pair| part(angle(position, pair)) as f32)).collect()
    };
    assert_eq!(numbers(&graph, "rotary.1.cos", &out), of(f64::cos));
    assert_eq!(numbers(&graph, "rotary.1.sin", &out), of(f64::sin));
}

/// A reader of the export finds the sizes of keys and values by names that all families share.
#[test]
fn the_configuration_says_what_the_graph_takes() {
    let cases = [
        ("gpt_neox, side", json!({ "num_key_value_heads": 4, "max_position_embeddings": 128 })),
        ("falcon, groups of heads, one norm", json!({ "num_key_value_heads": 1 })),
        ("mistral", json!({ "num_key_value_heads": 2, "head_dim": 24 })),
        // Beyond the original context, positions would be rotated otherwise from the first on.
        ("phi3", json!({ "n_positions": 128, "max_position_embeddings": 512, "num_key_value_heads": 1 })),
    ];
    for (name, expected) in cases {
        let out = export(ground_truth::options().named(name).write().path(), json!({}));
        let config: Value = serde_json::from_slice(&std::fs::read(out.path().join("config.json")).unwrap()).unwrap();
        for (key, value) in expected.as_object().unwrap() {
            assert_eq!(&config[key], value, "{name}: {key}");
        }
    }
    let mut qwen = ground_truth::options().named("qwen3");
    qwen.config.as_object_mut().unwrap().remove("head_dim");
    // What the family has without it is no size of these weights.
    let error = export_to(qwen.write().path(), tempfile::tempdir().unwrap().path(), json!({}), &FakeHost::new());
    assert!(error.unwrap_err().message.contains("`config.json` asks for [512, 32]"));
}

/// Scales are those of the configuration, layer by layer.
#[test]
fn attention_is_scaled_as_the_configuration_says() {
    let config = json!({ "scale_attn_by_inverse_layer_idx": true });
    let checkpoint = TinyGpt2::new(config).write();
    let expected = [1.0 / 8f32.sqrt(), 1.0 / 8f32.sqrt() / 2.0];
    let plain = graph(&export(checkpoint.path(), json!({})));
    let half = graph(&export(checkpoint.path(), json!({ "dtype": "f16" })));
    let fused = graph(&export(checkpoint.path(), json!({ "operators": "fused" })));
    for (layer, expected) in expected.into_iter().enumerate() {
        let constant = |graph: &GraphProto| {
            let name = format!("/h.{layer}/attn/scale");
            graph.initializer.iter().find(|tensor| tensor.name == name).unwrap().raw_data.clone().unwrap()
        };
        assert_eq!(constant(&plain), expected.to_le_bytes().as_slice());
        assert_eq!(constant(&half), f16::from_f32(expected).to_le_bytes().as_slice());
        let mut attention = fused.node.iter().filter(|node| node.op_type == "MultiHeadAttention");
        let attributes = &attention.nth(layer).unwrap().attribute;
        assert_eq!(attributes.iter().find(|attribute| attribute.name == "scale").unwrap().f, Some(expected));
        assert_eq!(attributes.iter().find(|attribute| attribute.name == "num_heads").unwrap().i, Some(3));
    }
}

#[test]
fn activations_are_those_of_the_configuration() {
    let cases = [
        ("gelu_new", "Gelu", "FastGelu"),
        ("gelu", "Gelu", "BiasGelu"),
        ("relu", "Relu", "Relu"),
        ("silu", "Sigmoid", "Sigmoid"),
    ];
    for (name, standard, fused) in cases {
        let checkpoint = TinyGpt2::new(json!({ "activation_function": name })).write();
        for (operators, expected) in [("standard", standard), ("fused", fused)] {
            let graph = graph(&export(checkpoint.path(), json!({ "operators": operators })));
            let nodes: Vec<_> = graph.node.iter().filter(|node| node.op_type == expected).collect();
            assert_eq!(nodes.len(), 2, "{name} in {operators} operators");
            if expected == "Gelu" {
                let approximate = nodes[0].attribute.iter().find(|attribute| attribute.name == "approximate");
                let expected = (name == "gelu_new").then_some(b"tanh".as_slice());
                assert_eq!(approximate.and_then(|attribute| attribute.s.as_deref()), expected);
            }
        }
    }
}

#[test]
fn the_rest_of_a_checkpoint_goes_with_it() {
    let checkpoint = TinyGpt2::new(json!({ "torch_dtype": "float32", "custom": [1, 2] })).write();
    let carried = ["generation_config.json", "tokenizer_config.json", "special_tokens_map.json", "chat_template.jinja"];
    for name in carried {
        std::fs::write(checkpoint.path().join(name), format!("{{ \"file\": \"{name}\" }}")).unwrap();
    }
    std::fs::write(checkpoint.path().join("optimizer.safetensors"), "not part of the model").unwrap();
    let out = export(checkpoint.path(), json!({ "dtype": "f16" }));
    let expected = carried.into_iter().chain(["config.json", "model.onnx", "tokenizer.json"]).map(str::to_owned);
    assert_eq!(names(out.path()), expected.collect());
    for name in carried.into_iter().chain(["tokenizer.json"]) {
        let read = |dir: &TempDir| std::fs::read(dir.path().join(name)).unwrap();
        assert_eq!(read(&out), read(&checkpoint), "{name}");
    }
    let config: Value = serde_json::from_slice(&std::fs::read(out.path().join("config.json")).unwrap()).unwrap();
    assert_eq!(
        (&config["dtype"], &config["custom"], &config["n_head"]),
        (&json!("float16"), &json!([1, 2]), &json!(3))
    );
    assert_eq!(config.get("torch_dtype"), None);
}

#[test]
fn an_export_takes_the_place_of_an_earlier_one() {
    let checkpoint = TinyGpt2::new(json!({})).write();
    let out = export(checkpoint.path(), json!({ "external_data": true }));
    let before = names(out.path());
    assert!(before.contains("model.onnx_data"));
    let report = export_to(checkpoint.path(), out.path(), json!({}), &FakeHost::new()).unwrap();
    assert!(!names(out.path()).contains("model.onnx_data"), "weights that the graph does not use are gone");
    assert_eq!(report.details["parameters"], json!(parameters(&TinyGpt2::new(json!({})))));
    assert_eq!(report.details["external_data"], json!(false));

    // Interrupted, it leaves what was there.
    let host = FakeHost::new();
    host.cancel();
    let before = (names(out.path()), std::fs::read(out.path().join("model.onnx")).unwrap());
    let error = export_to(checkpoint.path(), out.path(), json!({ "dtype": "f16" }), &host).unwrap_err();
    assert_eq!(error.code, ErrorCode::Cancelled);
    assert!(before == (names(out.path()), std::fs::read(out.path().join("model.onnx")).unwrap()));
}

fn parameters(tiny: &TinyGpt2) -> usize {
    tiny.tensors.values().map(|tensor| tensor.shape.iter().product::<usize>()).sum()
}
