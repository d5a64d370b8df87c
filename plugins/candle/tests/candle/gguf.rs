//! GGUF files: the same models as the checkpoints that they were made of, with nothing beside them.

use crate::families::{case, logprobs, refusal, worst};
use crate::open;
use candle_core::quantized::{GgmlDType, QTensor};
use candle_core::{Device, Tensor};
use examiner_api::{ErrorCode, Flow, Host, HostApi, Level, Model, Open, PluginError, Progress, Result, RoleAddress};
use examiner_plugin_candle::{Candle, Options};
use examiner_test_support::checkpoint::{Gguf, GgufItem, smallest_gguf, tokenizer, tokenizer_with};
use examiner_test_support::ground_truth::{FAMILIES, Weights, family};
use examiner_test_support::model::{loglikelihood, score};
use serde_json::json;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use tempfile::TempDir;

pub(crate) fn write(gguf: &Gguf) -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("model.gguf");
    std::fs::write(&path, gguf.bytes()).unwrap();
    (directory, path)
}

/// The same with matrices in another type.
fn quantized(mut gguf: Gguf, dtype: GgmlDType, kind: u32) -> Gguf {
    for tensor in gguf.tensors.iter_mut().filter(|tensor| tensor.shape.len() == 2) {
        let values: Vec<f32> = tensor.bytes.as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
        let values = Tensor::from_vec(values, tensor.shape.as_slice(), &Device::Cpu).unwrap();
        tensor.bytes = QTensor::quantize(&values, dtype).unwrap().data().unwrap().to_vec();
        tensor.kind = kind;
    }
    gguf
}

#[test]
fn scores_of_every_family_are_those_of_transformers() {
    // Falcon has an architecture in GGUF that is not read.
    for name in FAMILIES.into_iter().filter(|name| *name != "falcon") {
        let family = family(name);
        let (_directory, path) = write(&family.gguf());
        let mut model = open(&path, json!({})).unwrap();
        assert_eq!(model.info().unwrap().details["family"], name);
        let requests = family.scored.iter().zip(0..);
        let requests = requests.map(|(row, id)| loglikelihood(id, &row.context, &row.continuation)).collect();
        let found = score(&mut model, requests);
        for (id, row) in (0..).zip(&family.scored) {
            let found = &found[&id];
            assert_eq!(found.tokens, row.tokens, "{name}, row {id}");
            for (found, expected) in found.token_logprobs.iter().zip(&row.logprobs) {
                let difference = (f64::from(*found) - expected).abs();
                assert!(difference < 1e-4, "{name}, row {id}: {found}, expected {expected}");
            }
        }
    }
}

/// A case of the options that a GGUF file can have, without those that it cannot.
pub(crate) fn expressible(name: &str) -> Weights {
    let mut case = case(name);
    let config = case.config.as_object_mut().unwrap();
    match name {
        "qwen2" => {
            config.remove("use_sliding_window");
            config.remove("sliding_window");
        }
        // The factor of queries is the width of a head there.
        "gemma2" => drop(config.insert("query_pre_attn_scalar".to_owned(), json!(16))),
        _ => {}
    }
    case
}

#[test]
fn options_are_those_of_other_checkpoints() {
    let names = [
        "llama, llama3",
        "llama, linear",
        "mistral",
        "qwen2",
        "phi3",
        "gemma2",
        "gemma3",
        "olmo2",
        "granite",
        "gpt_neox, one block",
    ];
    for name in names {
        let case = expressible(name);
        let expected: Vec<f64> = logprobs(case.write().path(), json!({})).into_iter().map(f64::from).collect();
        let (_directory, path) = write(&case.gguf());
        let whole = worst(&logprobs(&path, json!({})), &expected);
        assert!(whole < 1e-4, "{name}: off by {whole}");
        // The bits that eight-bit blocks keep; a wrong scale or order would be far off.
        let (_directory, path) = write(&quantized(case.gguf(), GgmlDType::Q8_0, 8));
        let quantized = worst(&logprobs(&path, json!({})), &expected);
        assert!(quantized > 1e-4 && quantized < 1.0, "{name}: off by {quantized}");
    }
}

/// `gguf` in so many parts, as llama.cpp splits files: metadata in the first, the tensors in turn.
fn split(gguf: &Gguf, parts: usize) -> Vec<Gguf> {
    let part = |number: usize| {
        let items = if number == 0 { gguf.items.clone() } else { Vec::new() };
        let tensors = gguf.tensors.iter().skip(number).step_by(parts).cloned().collect();
        let mut part = Gguf { items, tensors };
        part.set("split.no", GgufItem::U16(number as u16));
        part.set("split.count", GgufItem::U16(parts as u16));
        part.set("split.tensors.count", GgufItem::I32(gguf.tensors.len() as i32));
        part
    };
    (0..parts).map(part).collect()
}

fn part_name(part: usize, parts: usize) -> String {
    format!("m-{:05}-of-{parts:05}.gguf", part + 1)
}

fn write_parts(directory: &Path, parts: &[Gguf]) -> PathBuf {
    for (number, part) in parts.iter().enumerate() {
        std::fs::write(directory.join(part_name(number, parts.len())), part.bytes()).unwrap();
    }
    directory.join(part_name(0, parts.len()))
}

#[test]
fn parts_are_one_model_and_all_of_them_count() {
    let gguf = case("qwen3").gguf();
    let mut gguf = gguf;
    gguf.tensors.retain(|tensor| !tensor.name.ends_with("bias"));
    let (_directory, whole) = write(&gguf);
    let expected = logprobs(&whole, json!({}));
    let directory = tempfile::tempdir().unwrap();
    let path = write_parts(directory.path(), &split(&gguf, 3));
    assert_eq!(logprobs(&path, json!({})), expected);
    let fingerprint = |path: &Path| open(path, json!({})).unwrap().info().unwrap().fingerprint;
    let before = fingerprint(&path);

    let third = directory.path().join(part_name(2, 3));
    let bytes = std::fs::read(&third).unwrap();
    let mut changed = bytes.clone();
    let at = changed.len() - 32;
    changed[at] ^= 1;
    std::fs::write(&third, &changed).unwrap();
    assert_ne!(fingerprint(&path), before, "a bit of the third part");

    let said = |error: PluginError, expected: &str| assert!(error.message.contains(expected), "{error}");
    said(refusal(&directory.path().join(part_name(1, 3))), "is part 2 of 3");
    std::fs::copy(directory.path().join(part_name(1, 3)), &third).unwrap();
    said(refusal(&path), "m-00003-of-00003.gguf` is not part 3 of 3 by what it says itself");
    std::fs::remove_file(&third).unwrap();
    let error = refusal(&path);
    assert_eq!(error.code, ErrorCode::NotFound);
    said(error, "part 3 of 3 is missing");

    let mut other = split(&gguf, 3);
    other[2].tensors.pop();
    let path = write_parts(directory.path(), &other);
    said(refusal(&path), "`split.tensors.count` is");
    other[2] = split(&gguf, 3).remove(2);
    let again = other[0].tensors[0].clone();
    other[2].tensors.push(again);
    let path = write_parts(directory.path(), &other);
    said(refusal(&path), "m-00003-of-00003.gguf` has the tensor `");
}

/// A hub that holds one directory, and remembers what was asked of it.
#[derive(Clone)]
struct Hub {
    directory: PathBuf,
    asked: Arc<Mutex<Vec<String>>>,
}

impl HostApi for Hub {
    fn log(&self, _: Level, _: &str) {}

    fn progress(&self, _: Progress) {}

    fn is_cancelled(&self) -> bool {
        false
    }

    fn scratch_dir(&self) -> Result<PathBuf> {
        Ok(self.directory.clone())
    }

    fn fetch(&self, uri: &str) -> Result<PathBuf> {
        self.asked.lock().unwrap().push(uri.to_owned());
        let path = self.directory.join(uri.strip_prefix("hf://org/name/").unwrap());
        path.exists().then_some(path).ok_or_else(|| PluginError::not_found(uri.to_owned()))
    }

    fn call_role(&self, _: &RoleAddress, _: &str, _: &[u8], _: &(dyn Fn(&[u8]) -> Flow + Sync)) -> Result<Vec<u8>> {
        Err(PluginError::not_found("there are no other roles"))
    }
}

#[test]
fn of_a_repository_only_the_file_and_its_parts_are_fetched() {
    let directory = tempfile::tempdir().unwrap();
    let hub = Hub { directory: directory.path().to_owned(), asked: Arc::default() };
    let fetched = |checkpoint: &str| {
        let options: Options = serde_json::from_value(json!({ "checkpoint": checkpoint })).unwrap();
        Candle::open(options, Host::new(hub.clone())).unwrap();
        std::mem::take(&mut *hub.asked.lock().unwrap())
    };
    std::fs::write(directory.path().join("m.gguf"), smallest_gguf().bytes()).unwrap();
    assert_eq!(fetched("hf://org/name/m.gguf"), ["hf://org/name/m.gguf"]);
    write_parts(directory.path(), &split(&smallest_gguf(), 2));
    let parts = ["hf://org/name/m-00001-of-00002.gguf", "hf://org/name/m-00002-of-00002.gguf"];
    assert_eq!(fetched(parts[0]), parts);
}

/// `an` is one token by the file, and two by what lies beside it.
#[test]
fn a_tokenizer_beside_the_file_counts_only_where_it_is_named() {
    let (directory, path) = write(&smallest_gguf());
    std::fs::write(directory.path().join("tokenizer.json"), tokenizer().to_string()).unwrap();
    std::fs::write(directory.path().join("tokenizer_config.json"), "{}").unwrap();
    let tokens = |options| {
        score(&mut open(&path, options).unwrap(), vec![loglikelihood(0, "x", "an")]).remove(&0).unwrap().tokens
    };
    assert_eq!(tokens(json!({})), [257]);
    let named = json!({ "tokenizer": directory.path().join("tokenizer.json") });
    assert_eq!(tokens(named), [u32::from(b'a'), u32::from(b'n')]);
    let missing = open(&path, json!({ "tokenizer": "nowhere.json" })).err().unwrap();
    assert_eq!(missing.code, ErrorCode::NotFound);
    let directory = case("olmo2").write();
    let error = open(directory.path(), json!({ "tokenizer": "tokenizer.json" })).err().unwrap();
    assert_eq!(error.code, ErrorCode::BadOptions);
    assert!(error.message.contains("`tokenizer` is for checkpoints that are a `.gguf` file"), "{error}");
}

#[test]
fn texts_begin_as_the_file_says() {
    let begins = |change: &dyn Fn(&mut Gguf)| {
        let mut gguf = smallest_gguf();
        gguf.set("tokenizer.ggml.bos_token_id", GgufItem::U32(256));
        change(&mut gguf);
        let (_directory, path) = write(&gguf);
        let opened = open(&path, json!({}))?;
        Ok::<_, PluginError>(opened.info()?.details["beginning"].clone())
    };
    let flag = |gguf: &mut Gguf| gguf.set("tokenizer.ggml.add_bos_token", GgufItem::Bool(true));
    let llama3 = |gguf: &mut Gguf| gguf.set("tokenizer.ggml.pre", GgufItem::Text("llama-bpe".to_owned()));
    assert_eq!(begins(&|_| ()).unwrap()["tokens"], json!([]));
    let found = begins(&flag).unwrap();
    assert_eq!(found["tokens"], json!(["<|endoftext|>"]));
    assert!(found["decided_by"].as_str().unwrap().starts_with("`tokenizer.ggml.add_bos_token` of `"), "{found}");
    assert_eq!(begins(&llama3).unwrap()["tokens"], json!(["<|endoftext|>"]));
    let nameless = |gguf: &mut Gguf| {
        flag(gguf);
        gguf.remove("tokenizer.ggml.bos_token_id");
    };
    let error = begins(&nameless).unwrap_err();
    assert!(error.message.contains("asks for a beginning-of-text token, and the file names none"), "{error}");
}

#[test]
fn the_chat_template_is_in_the_file() {
    let mut gguf = smallest_gguf();
    let (_directory, path) = write(&gguf);
    let error = open(&path, json!({ "chat": true })).err().unwrap();
    assert!(error.message.contains("has no `tokenizer.chat_template`"), "{error}");
    gguf.set("tokenizer.chat_template", GgufItem::Text("{{ messages[0].content }}{{ eos_token }}".to_owned()));
    gguf.set("tokenizer.ggml.eos_token_id", GgufItem::U32(256));
    let (_directory, path) = write(&gguf);
    let chat = open(&path, json!({ "chat": true })).unwrap().info().unwrap().details["chat"].clone();
    assert_eq!(chat["example"], "What is 2 + 2?<|endoftext|>");
    assert!(chat["template"].as_str().unwrap().contains("model.gguf"), "{chat}");
}

#[test]
fn what_is_wrong_with_a_file_is_said() {
    let text = |text: &str| GgufItem::Text(text.to_owned());
    type Change<'a> = &'a dyn Fn(&mut Gguf);
    let table: [(Change<'_>, &str); 18] = [
        (&|g| g.set("general.architecture", text("mamba")), "has `general.architecture: mamba`; from GGUF files"),
        (
            &|g| g.set("llama.attention.head_count", GgufItem::U32(0)),
            "to be a positive whole number below 2^31, found `0`",
        ),
        (&|g| g.set("llama.block_count", GgufItem::U32(u32::MAX)), "expected `llama.block_count` to be a positive"),
        (&|g| g.set("llama.block_count", GgufItem::U32(1 << 30)), "`num_hidden_layers` must be at most 10000"),
        (
            &|g| g.remove("llama.context_length"),
            "expected `llama.context_length` to be a positive whole number below 2^31, found nothing",
        ),
        (
            &|g| g.remove("llama.attention.layer_norm_rms_epsilon"),
            "layer_norm_rms_epsilon` to be a number, found nothing",
        ),
        (
            &|g| g.set("llama.attention.head_count_kv", GgufItem::I32s(vec![1, 2])),
            "head_count_kv` differs from layer to layer",
        ),
        (&|g| g.set("llama.expert_count", GgufItem::U32(8)), "a mixture of experts is not run"),
        (&|g| g.set("llama.attention.value_length", GgufItem::U32(4)), "a head has 2 keys and 4 values"),
        (&|g| g.set("tokenizer.ggml.model", text("t5")), "model.gguf`: `tokenizer.ggml.model: t5` is not supported"),
        (&|g| g.remove("tokenizer.ggml.model"), "expected `tokenizer.ggml.model` to be a text, found nothing"),
        (&|g| g.set("tokenizer.ggml.pre", text("new")), "`tokenizer.ggml.pre: new` is not a way to cut texts"),
        (&|g| g.remove("tokenizer.ggml.pre"), "there is no `pre`"),
        (
            &|g| g.remove("tokenizer.ggml.token_type"),
            "`tokenizer.ggml.token_type` to be a list of whole numbers, found nothing",
        ),
        (
            &|g| g.tensors.retain(|tensor| tensor.name != "blk.0.ffn_up.weight"),
            "has no tensor `blk.0.ffn_up.weight` [8, 4]",
        ),
        (&|g| g.tensors[3].kind = 16, "tensor `blk.0.attn_norm.weight` of `"),
        (&|g| g.tensors[2].shape = vec![1, 1, 2], "has 2 values; expected 1, one for each pair"),
        (&|g| g.tensors[4].kind = 8, "the shape [4, 4] is not one of blocks of 32 numbers"),
    ];
    for (change, said) in table {
        let mut gguf = smallest_gguf();
        change(&mut gguf);
        let (_directory, path) = write(&gguf);
        let error = refusal(&path);
        assert!(error.to_string().contains(said), "`{said}` is not in: {error}");
    }
    let mut gguf = smallest_gguf();
    gguf.tensors[3].kind = 16;
    let error = refusal(&write(&gguf).1);
    assert_eq!(error.code, ErrorCode::Unsupported);
    assert!(error.message.ends_with("is of the type IQ2_XXS, which is not read"), "{error}");
}

#[test]
fn files_that_are_cut_off() {
    let bytes = smallest_gguf().bytes();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("model.gguf");
    for length in [0, 3, 30, 200, 3000] {
        std::fs::write(&path, &bytes[..length]).unwrap();
        let error = refusal(&path);
        assert_eq!(error.code, ErrorCode::BadInput, "cut off at {length}: {error}");
        assert!(error.message.contains("is not a GGUF file that can be read"), "{error}");
    }
    std::fs::write(&path, &bytes[..bytes.len() - 64]).unwrap();
    assert!(refusal(&path).message.contains("cannot read tensor"), "{}", refusal(&path));
}

/// The vocabulary that `tokenizer_with` makes is described by the file without loss.
#[test]
fn a_described_tokenizer_is_the_one_that_was_written() {
    let merges = [("a", "n"), ("an", "an"), ("\u{120}", "t")];
    let directory = tempfile::tempdir().unwrap();
    let named = directory.path().join("tokenizer.json");
    std::fs::write(&named, tokenizer_with(&merges).to_string()).unwrap();
    let mut gguf = smallest_gguf();
    gguf.set_tokenizer(&tokenizer_with(&merges), "gpt-2");
    let embedding = &mut gguf.tensors[0];
    embedding.shape[0] = 260;
    embedding.bytes.resize(260 * 16, 0);
    let (_directory, path) = write(&gguf);
    let tokens = |options: serde_json::Value| {
        let mut model = open(&path, options).unwrap();
        let texts = ["banana", " to\n\n the", "<|endoftext|>an", "\u{e9}\u{1f600} 12"];
        let requests = texts.iter().zip(0..).map(|(text, id)| loglikelihood(id, "x", text)).collect();
        score(&mut model, requests).into_iter().map(|(id, found)| (id, found.tokens)).collect::<Vec<_>>()
    };
    assert_eq!(tokens(json!({})), tokens(json!({ "tokenizer": named })));
}
