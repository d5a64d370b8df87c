//! Checkpoints. Those of `onnx` are refused before ONNX Runtime is looked for, which a test cannot rely on.

use super::World;
use super::model_files::{Checkpoint, WIDTH, tokenizer, with_header};
use examiner_test_support::checkpoint::{Dtype, GgufItem, Tensor, smallest_gguf};
use insta::assert_snapshot;
use serde_json::{Value, json};

/// A world with a suite that asks a model which of two words comes next.
fn world(model: &str) -> World {
    let suite = format!(
        "name: checkpoints\nmodels: {{ m: {{ {model} }} }}\n\
         datasets: {{ d: {{ plugin: table, path: d.jsonl, prompt: \"{{{{ q }}}}\", choices: [two, three], gold: 0 }} }}\n\
         evaluate: [{{ models: m, datasets: d }}]\n"
    );
    World::new().with("suite.yaml", suite).with("d.jsonl", "{\"q\": \"one\"}\n")
}

fn candle() -> World {
    world("plugin: candle, checkpoint: model, device: cpu")
}

/// What is said of a checkpoint that was changed before it was written.
fn changed(change: impl FnOnce(&mut Checkpoint)) -> String {
    let mut checkpoint = Checkpoint::good();
    change(&mut checkpoint);
    checkpoint.write(candle()).failed(&[])
}

/// What is said of a checkpoint with another value in `config.json`.
fn configured(name: &str, value: Value) -> String {
    changed(|checkpoint| checkpoint.config[name] = value)
}

/// What is said of a checkpoint in which one file has other content.
fn with(name: &str, content: impl AsRef<[u8]>) -> String {
    Checkpoint::good().write(candle()).with(&format!("model/{name}"), content).failed(&[])
}

/// What is said of a checkpoint in which one file is missing.
fn without(name: &str) -> String {
    let world = Checkpoint::good().write(candle());
    std::fs::remove_file(world.path().join("model").join(name)).unwrap();
    world.failed(&[])
}

#[test]
fn the_good_checkpoint_is_good() {
    Checkpoint::good().write(candle()).succeeds(&["run", "suite.yaml"]);
}

#[test]
fn files_that_are_not_there() {
    assert_snapshot!(candle().failed(&[]), @"m on d failed: no `config.json` in the checkpoint `model`: `model/config.json` does not exist (looked for from `[DIR]`) (help: check the path; `--set` can change it without editing the suite)");
    assert_snapshot!(without("config.json"), @"m on d failed: no `config.json` in the checkpoint `model`: `model/config.json` does not exist (looked for from `[DIR]`) (help: check the path; `--set` can change it without editing the suite)");
    assert_snapshot!(without("tokenizer.json"), @"m on d failed: no `tokenizer.json` in the checkpoint `model`: `model/tokenizer.json` does not exist (looked for from `[DIR]`) (help: check the path; `--set` can change it without editing the suite)");
    assert_snapshot!(without("model.safetensors"), @"m on d failed: no `model.safetensors` and no `model.safetensors.index.json` in the checkpoint `model` (help: weights in another format must be saved as safetensors first)");
}

#[test]
fn weights_in_another_format() {
    let world = Checkpoint::good().write(candle()).with("model/pytorch_model.bin", "PK\x03\x04");
    std::fs::remove_file(world.path().join("model/model.safetensors")).unwrap();
    assert_snapshot!(world.failed(&[]), @"m on d failed: no `model.safetensors` and no `model.safetensors.index.json` in the checkpoint `model` (help: weights in another format must be saved as safetensors first)");
}

#[test]
fn a_configuration_that_is_none() {
    assert_snapshot!(with("config.json", "{ \"model_type\": "), @"m on d failed: `model/config.json` is not JSON: EOF while parsing a value at line 1 column 16");
    assert_snapshot!(with("config.json", ""), @"m on d failed: `model/config.json` is not JSON: EOF while parsing a value at line 1 column 0");
    assert_snapshot!(with("config.json", b"\xff\xfe{}"), @"m on d failed: `model/config.json` is not JSON: expected value at line 1 column 1");
    assert_snapshot!(with("config.json", "[]"), @"m on d failed: `model/config.json` has no `model_type`; the plugin `candle` supports `gpt2`, `llama`, `mistral`, `qwen2`, `qwen3`, `gemma2`, `gemma3_text`, `phi3`, `olmo2`, `granite`, `gpt_neox`, `falcon`, and by candle-transformers 0.11.1 `mixtral`, `qwen2_moe`, `qwen3_moe`, `deepseek_v2`, `gemma`, `glm4`, `phi`, `stablelm`, `starcoder2`, `mamba` (help: use a checkpoint of a supported family, or export the model to ONNX and use the plugin `onnx`)");
    assert_snapshot!(with("config.json", "{}"), @"m on d failed: `model/config.json` has no `model_type`; the plugin `candle` supports `gpt2`, `llama`, `mistral`, `qwen2`, `qwen3`, `gemma2`, `gemma3_text`, `phi3`, `olmo2`, `granite`, `gpt_neox`, `falcon`, and by candle-transformers 0.11.1 `mixtral`, `qwen2_moe`, `qwen3_moe`, `deepseek_v2`, `gemma`, `glm4`, `phi`, `stablelm`, `starcoder2`, `mamba` (help: use a checkpoint of a supported family, or export the model to ONNX and use the plugin `onnx`)");
    assert_snapshot!(configured("model_type", json!("rwkv")), @"m on d failed: `model/config.json` has `model_type: rwkv`; the plugin `candle` supports `gpt2`, `llama`, `mistral`, `qwen2`, `qwen3`, `gemma2`, `gemma3_text`, `phi3`, `olmo2`, `granite`, `gpt_neox`, `falcon`, and by candle-transformers 0.11.1 `mixtral`, `qwen2_moe`, `qwen3_moe`, `deepseek_v2`, `gemma`, `glm4`, `phi`, `stablelm`, `starcoder2`, `mamba` (help: use a checkpoint of a supported family, or export the model to ONNX and use the plugin `onnx`)");
}

#[test]
fn sizes_that_make_no_model() {
    assert_snapshot!(configured("n_layer", json!(0)), @"m on d failed: `model/config.json`: `n_layer` must be a whole number from 1 to 10000, found `0`");
    assert_snapshot!(configured("n_head", json!(3)), @"m on d failed: `model/config.json`: `n_embd` (8) must be a multiple of `n_head` (3)");
    assert_snapshot!(configured("n_head", json!(0)), @"m on d failed: `model/config.json`: `n_head` must be a whole number from 1 to 16777216, found `0`");
    assert_snapshot!(configured("n_embd", json!(-8)), @"m on d failed: `model/config.json`: `n_embd` must be a whole number from 1 to 16777216, found `-8`");
    assert_snapshot!(configured("n_positions", json!(0)), @"m on d failed: `model/config.json`: `n_positions` must be a whole number from 1 to 2147483648, found `0`");
    assert_snapshot!(configured("layer_norm_epsilon", json!("tiny")), @r#"m on d failed: `model/config.json`: `layer_norm_epsilon` must be a number, found `"tiny"`"#);
    assert_snapshot!(configured("n_embd", json!(1_u64 << 62)), @"m on d failed: `model/config.json`: `n_embd` must be a whole number from 1 to 16777216, found `4611686018427387904`");
    assert_snapshot!(configured("n_layer", json!(u64::MAX)), @"m on d failed: `model/config.json`: `n_layer` must be a whole number from 1 to 10000, found `18446744073709551615`");
}

#[test]
fn a_llama_of_impossible_sizes() {
    let llama = |changes: Value| {
        let mut checkpoint = Checkpoint::llama();
        checkpoint.config.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        checkpoint.write(candle())
    };
    llama(json!({})).succeeds(&["run", "suite.yaml"]);
    // Without learned positions, no tensor says how long a sequence may be.
    llama(json!({ "max_position_embeddings": 1_u64 << 30 })).succeeds(&["run", "suite.yaml"]);
    let llama = |changes: Value| llama(changes).failed(&[]);
    assert_snapshot!(llama(json!({ "num_attention_heads": 3 })), @"m on d failed: `model/config.json`: `hidden_size` (8) must be a multiple of `num_attention_heads` (3) where there is no `head_dim`");
    assert_snapshot!(llama(json!({ "num_hidden_layers": 0 })), @"m on d failed: `model/config.json`: `num_hidden_layers` must be a positive whole number below 2^31, found `0`");
    assert_snapshot!(llama(json!({ "num_key_value_heads": 7 })), @"m on d failed: `model/config.json`: `num_attention_heads` (2) must be a multiple of `num_key_value_heads` (7)");
    assert_snapshot!(llama(json!({ "head_dim": 3 })), @"m on d failed: `model/config.json`: 3 of 3 values of a head would be rotated; expected an even number, and no more than there are");
    assert_snapshot!(llama(json!({ "num_hidden_layers": u64::MAX })), @"m on d failed: `model/config.json`: `num_hidden_layers` must be a positive whole number below 2^31, found `18446744073709551615`");
    assert_snapshot!(llama(json!({ "max_position_embeddings": -1 })), @"m on d failed: `model/config.json`: `max_position_embeddings` must be a positive whole number below 2^31, found `-1`");
    assert_snapshot!(llama(json!({ "hidden_size": 1_u64 << 62, "num_attention_heads": 1 })), @"m on d failed: `model/config.json`: `hidden_size` must be a positive whole number below 2^31, found `4611686018427387904`");
    assert_snapshot!(llama(json!({ "rope_scaling": { "rope_type": "spiral" } })), @"m on d failed: `model/config.json`: `rope_type: spiral` is not supported; these are: default, linear, dynamic, llama3, yarn, longrope");
}

#[test]
fn weights_that_are_cut_off() {
    let whole = Checkpoint::good().safetensors();
    assert_snapshot!(with("model.safetensors", &whole[..whole.len() - 1]), @r#"m on d failed: `model/model.safetensors` is not a complete safetensors file: path: "model/model.safetensors" incomplete metadata, file not fully covered (help: it may have been cut off while it was downloaded or copied: fetch it again)"#);
    assert_snapshot!(with("model.safetensors", &whole[..100]), @r#"m on d failed: `model/model.safetensors` is not a complete safetensors file: path: "model/model.safetensors" invalid header length (help: it may have been cut off while it was downloaded or copied: fetch it again)"#);
    assert_snapshot!(with("model.safetensors", ""), @r#"m on d failed: `model/model.safetensors` is not a complete safetensors file: path: "model/model.safetensors" header too small (help: it may have been cut off while it was downloaded or copied: fetch it again)"#);
}

#[test]
fn headers_of_weights_that_make_no_sense() {
    assert_snapshot!(with("model.safetensors", [[0xff; 8], [0; 8]].concat()), @r#"m on d failed: `model/model.safetensors` is not a complete safetensors file: path: "model/model.safetensors" header too large (help: it may have been cut off while it was downloaded or copied: fetch it again)"#);
    assert_snapshot!(with("model.safetensors", with_header("{ not json", &[0; 64])), @r#"m on d failed: `model/model.safetensors` is not a complete safetensors file: path: "model/model.safetensors" invalid JSON in header: key must be a string at line 1 column 3 (help: it may have been cut off while it was downloaded or copied: fetch it again)"#);
    let beyond = "{\"transformer.wte.weight\": {\"dtype\": \"F32\", \"shape\": [2], \"data_offsets\": [0, 9999]}}";
    assert_snapshot!(with("model.safetensors", with_header(beyond, &[0; 8])), @r#"m on d failed: `model/model.safetensors` is not a complete safetensors file: path: "model/model.safetensors" invalid shape, data type, or offset for tensor (help: it may have been cut off while it was downloaded or copied: fetch it again)"#);
    let absurd = "{\"transformer.wte.weight\": {\"dtype\": \"F32\", \"shape\": [4294967296, 4294967296], \
                  \"data_offsets\": [0, 8]}}";
    assert_snapshot!(with("model.safetensors", with_header(absurd, &[0; 8])), @r#"m on d failed: `model/model.safetensors` is not a complete safetensors file: path: "model/model.safetensors" overflow computing buffer size from shape and/or element type (help: it may have been cut off while it was downloaded or copied: fetch it again)"#);
    assert_snapshot!(with("model.safetensors", "version https://git-lfs.github.com/spec/v1\noid sha256:0\n"), @"m on d failed: `model/model.safetensors` is a pointer of Git LFS, not the weights themselves (help: fetch them with `git lfs pull` where it was cloned)");
}

#[test]
fn an_index_of_shards_that_leads_elsewhere() {
    let index = |map: Value| {
        let world = Checkpoint::good().write(candle());
        std::fs::remove_file(world.path().join("model/model.safetensors")).unwrap();
        world.with("model/model.safetensors.index.json", json!({ "weight_map": map }).to_string()).failed(&[])
    };
    assert_snapshot!(index(json!({ "wte.weight": "../../weights.safetensors" })), @"m on d failed: `model/model.safetensors.index.json` finds `wte.weight` in `../../weights.safetensors`; expected a safetensors file beside it");
    assert_snapshot!(index(json!({ "wte.weight": "model-1-of-2.safetensors" })), @"m on d failed: no `model-1-of-2.safetensors` in the checkpoint `model`: `model/model-1-of-2.safetensors` does not exist (looked for from `[DIR]`) (help: check the path; `--set` can change it without editing the suite)");
    assert_snapshot!(index(json!(["wte.weight"])), @"m on d failed: `model/model.safetensors.index.json` has no `weight_map` from tensors to files: invalid type: sequence, expected a map");
}

#[test]
fn tensors_that_do_not_fit() {
    assert_snapshot!(changed(|model| model.tensors.retain(|name, _| !name.ends_with("mlp.c_fc.bias"))), @"m on d failed: `model/model.safetensors` has no tensor `transformer.h.0.mlp.c_fc.bias` [32] (help: configuration and weights must come from the same model)");
    let turned = |model: &mut Checkpoint| model.tensor("h.0.mlp.c_fc.weight").shape.reverse();
    assert_snapshot!(changed(turned), @"m on d failed: tensor `transformer.h.0.mlp.c_fc.weight` of `model/model.safetensors` has the shape [32, 8]; `config.json` asks for [8, 32]");
    let integers = |model: &mut Checkpoint| *model.tensor("ln_f.bias") = Tensor::zeros(Dtype::I64, &[WIDTH]);
    assert_snapshot!(changed(integers), @"m on d failed: tensor `transformer.ln_f.bias` of `model/model.safetensors` has the number type I64; expected F32, F16 or BF16");
    assert_snapshot!(changed(|model| drop(model.tensors.insert("transformer.h.1.ln_1.bias".to_owned(), Tensor::zeros(Dtype::F32, &[WIDTH])))), @"m on d failed: `model/model.safetensors` has 1 tensor that the model does not use, first `transformer.h.1.ln_1.bias` (help: `config.json` may be of another model, or name too few layers)");
}

#[test]
fn weights_that_are_no_numbers() {
    let poison = |model: &mut Checkpoint| {
        model.tensor("ln_f.bias").bytes[..4].copy_from_slice(&f32::NAN.to_le_bytes());
    };
    assert_snapshot!(changed(poison), @"m on d failed: 1 of 1 samples are errors: 1 x expected finite logits, found NaN for token 0 after position 0 of the sequence (help: the weights may be damaged, or too large for the number type the model computes in)");
}

#[test]
fn tokenizers_that_are_none_or_of_another_model() {
    assert_snapshot!(with("tokenizer.json", "{ \"model\": "), @"m on d failed: `model/tokenizer.json` is not a tokenizer: EOF while parsing a value at line 1 column 11 (help: the file must be the `tokenizer.json` of the Hugging Face `tokenizers` library)");
    assert_snapshot!(with("tokenizer.json", "{}"), @"m on d failed: `model/tokenizer.json` is not a tokenizer: Model missing. at line 1 column 2 (help: the file must be the `tokenizer.json` of the Hugging Face `tokenizers` library)");
    let many = ["<end>", "<unk>", "one", "two", "three", "four", "five", "six"];
    assert_snapshot!(changed(|model| model.tokenizer = tokenizer(&many)), @"m on d failed: the tokenizer has 8 tokens, but `model/config.json` has embeddings for 6 (`vocab_size`) (help: `tokenizer.json` and the weights must come from the same checkpoint)");
    // As many tokens as the model has, but one of a number beyond them.
    assert_snapshot!(changed(|model| model.tokenizer["model"]["vocab"]["two"] = json!(4_000_000)), @"m on d failed: 1 of 1 samples are errors: 1 x token 4000000 of the text is not in the model's vocabulary of 6 (help: check that `tokenizer.json` belongs to the checkpoint)");
    // What stands for an empty text.
    let mut checkpoint = Checkpoint::good();
    checkpoint.config["bos_token_id"] = json!(4_000_000);
    assert_snapshot!(checkpoint.write(candle()).with("d.jsonl", "{\"q\": \"\"}\n").failed(&[]), @"m on d failed: 1 of 1 samples are errors: 1 x expected at least 2 tokens to score all after the first, found 1");
    assert_snapshot!(configured("eos_token_id", json!("stop")), @"m on d failed: `bos_token_id` and `eos_token_id` beside `model/config.json` must be an id or a list of ids: data did not match any variant of untagged enum Ids");
}

#[test]
fn gguf_files_that_are_none_or_cut_off() {
    let refused = |content: &[u8]| {
        let world = Checkpoint::good().write(world("plugin: candle, checkpoint: model/m.gguf, device: cpu"));
        world.with("model/m.gguf", content).failed(&[])
    };
    assert_snapshot!(refused(b""), @"m on d failed: `model/m.gguf` is not a GGUF file that can be read: it ends 4 bytes too early (help: it may have been cut off: fetch or copy it again)");
    assert_snapshot!(refused(b"no model at all"), @"m on d failed: `model/m.gguf` is not a GGUF file that can be read: it begins with `no m` and not with `GGUF` (help: it may have been cut off: fetch or copy it again)");
    // One tensor and one entry of metadata, and nothing of them.
    let head = |tensors: u64, entries: u64| {
        [&b"GGUF"[..], &3_u32.to_le_bytes(), &tensors.to_le_bytes(), &entries.to_le_bytes()].concat()
    };
    assert_snapshot!(refused(&head(1, 1)), @"m on d failed: `model/m.gguf` is not a GGUF file that can be read: the number of tensors is said to be 1, and only 0 bytes follow (help: it may have been cut off: fetch or copy it again)");
    assert_snapshot!(refused(&head(u64::MAX, 0)), @"m on d failed: `model/m.gguf` is not a GGUF file that can be read: the number of tensors is said to be 18446744073709551615, and only 0 bytes follow (help: it may have been cut off: fetch or copy it again)");
    assert_snapshot!(refused(&head(0, u64::MAX)), @"m on d failed: `model/m.gguf` is not a GGUF file that can be read: the number of metadata entries is said to be 18446744073709551615, and only 0 bytes follow (help: it may have been cut off: fetch or copy it again)");
    // A key whose length is larger than any memory.
    let key = [head(0, 1), u64::MAX.to_le_bytes().to_vec(), vec![0; 8]].concat();
    assert_snapshot!(refused(&key), @"m on d failed: `model/m.gguf` is not a GGUF file that can be read: it ends 18446744073709551607 bytes too early (help: it may have been cut off: fetch or copy it again)");
    assert_snapshot!(refused(&head(0, 0)), @"m on d failed: `model/m.gguf`: expected `general.architecture` to be a text, found nothing");
    let changed = |heads: u32, shape: &[usize]| {
        let mut gguf = smallest_gguf();
        gguf.set("llama.attention.head_count", GgufItem::U32(heads));
        gguf.tensors[0].shape = shape.to_vec();
        gguf.bytes()
    };
    assert_snapshot!(refused(&changed(0, &[258, 4])), @"m on d failed: `model/m.gguf`: expected `llama.attention.head_count` to be a positive whole number below 2^31, found `0`");
    assert_snapshot!(refused(&changed(2, &[])), @"m on d failed: `model/m.gguf`: there is no matrix `token_embd.weight`");
    assert_snapshot!(refused(&changed(2, &[1 << 62, 4])), @"m on d failed: `model/m.gguf`: `vocab_size` must be a positive whole number below 2^31, found `4611686018427387904`");
    assert_snapshot!(refused(&changed(2, &[3000, 4])), @"m on d failed: cannot read tensor `token_embd.weight` of `model/m.gguf`: it has 48000 bytes from byte 4864 on, and the file only 4832");
}

#[test]
fn onnx_files_that_are_none() {
    let onnx = |file: Option<(&str, &[u8])>| {
        let world = Checkpoint::good().write(world("plugin: onnx, checkpoint: model"));
        let world = match file {
            Some((name, content)) => world.with(name, content),
            None => world,
        };
        world.failed(&[])
    };
    assert_snapshot!(onnx(None), @"m on d failed: no ONNX model in the checkpoint `model`: none of `model.onnx`, `decoder_model_merged.onnx`, `decoder_with_past_model.onnx`, `onnx/model.onnx`, `onnx/decoder_model_merged.onnx`, `onnx/decoder_with_past_model.onnx` (help: name it with the option `file`, or export the checkpoint with the exporter `onnx`)");
    assert_snapshot!(onnx(Some(("model/model.onnx", b"This is a text."))), @"m on d failed: `model/model.onnx` is not an ONNX model, or not a whole one: failed to decode Protobuf message: unexpected end group tag (help: it may have been cut off while it was downloaded or copied: fetch it again)");
    assert_snapshot!(onnx(Some(("model/model.onnx", b""))), @"m on d failed: `model/model.onnx` is not an ONNX model: it has no graph or names no operators");
    assert_snapshot!(onnx(Some(("model/config.json", b"{}"))), @"m on d failed: `model/config.json` has none of `num_attention_heads`, `n_head`, `num_heads` (help: the `config.json` of the model that was exported must lie beside the ONNX file)");
    assert_snapshot!(onnx(Some(("model/config.json", b"{ \"vocab_size\": 2 }"))), @"m on d failed: `model/config.json` has none of `num_attention_heads`, `n_head`, `num_heads` (help: the `config.json` of the model that was exported must lie beside the ONNX file)");
}
