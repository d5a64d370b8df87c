//! The smallest checkpoints that a plugin takes: a GPT-2 and a Llama with one layer and bytes for tokens.

use serde_json::{Map, Value, json};

const WIDTH: u64 = 4;
const VOCABULARY: u64 = 258;

/// `config.json` of the GPT-2.
pub fn config() -> Value {
    json!({
        "model_type": "gpt2", "vocab_size": VOCABULARY, "n_positions": 16, "n_embd": WIDTH, "n_layer": 1, "n_head": 2,
        "n_inner": 8, "activation_function": "gelu_new", "layer_norm_epsilon": 1e-5, "bos_token_id": 256, "eos_token_id": 256
    })
}

/// `tokenizer.json`: the token of a byte is the byte, `<|endoftext|>` is 256, and `an` 257.
pub fn tokenizer() -> Value {
    let mut spare = 256..;
    let letter = |byte: u32| match byte {
        33..=126 | 161..=172 | 174..=255 => char::from_u32(byte),
        _ => spare.next().and_then(char::from_u32),
    };
    let letters = (0..256).map(letter).enumerate();
    let mut vocabulary: Map<String, Value> =
        letters.map(|(id, letter)| (letter.expect("a letter").to_string(), id.into())).collect();
    vocabulary.insert("<|endoftext|>".to_owned(), 256.into());
    vocabulary.insert("an".to_owned(), 257.into());
    let byte_level = json!({ "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true });
    json!({
        "version": "1.0", "truncation": null, "padding": null, "normalizer": null, "post_processor": null,
        "added_tokens": [{ "id": 256, "content": "<|endoftext|>", "single_word": false, "lstrip": false, "rstrip": false,
            "normalized": false, "special": true }],
        "pre_tokenizer": byte_level, "decoder": byte_level,
        "model": { "type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": null,
            "end_of_word_suffix": null, "fuse_unk": false, "byte_fallback": false, "ignore_merges": false,
            "vocab": vocabulary, "merges": [["a", "n"]] }
    })
}

/// `model.safetensors` of the GPT-2, in half precision.
pub fn safetensors() -> Vec<u8> {
    let (width, inner) = (WIDTH, 8);
    let mut shapes = vec![
        ("wte.weight".to_owned(), vec![VOCABULARY, width]),
        ("wpe.weight".to_owned(), vec![16, width]),
        ("ln_f.weight".to_owned(), vec![width]),
        ("ln_f.bias".to_owned(), vec![width]),
    ];
    for (part, inputs, outputs) in [
        ("attn.c_attn", width, 3 * width),
        ("attn.c_proj", width, width),
        ("mlp.c_fc", width, inner),
        ("mlp.c_proj", inner, width),
    ] {
        shapes.push((format!("h.0.{part}.weight"), vec![inputs, outputs]));
        shapes.push((format!("h.0.{part}.bias"), vec![outputs]));
    }
    for part in ["ln_1", "ln_2"] {
        shapes.push((format!("h.0.{part}.weight"), vec![width]));
        shapes.push((format!("h.0.{part}.bias"), vec![width]));
    }
    let mut header = Map::new();
    let mut data = Vec::new();
    for (name, shape) in shapes {
        let start = data.len();
        // 0.25, then 0.5, in sixteen bits.
        let numbers = 0..shape.iter().product();
        data.extend(numbers.flat_map(|at: u64| if at % 2 == 0 { [0x00, 0x34] } else { [0x00, 0x38] }));
        header.insert(name, json!({ "dtype": "F16", "shape": shape, "data_offsets": [start, data.len()] }));
    }
    let header = Value::Object(header).to_string();
    [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), &data].concat()
}

/// A Llama in a GGUF file: version 3, all tensors in 32 bits.
pub fn gguf() -> Vec<u8> {
    let text = |text: &str| [&(text.len() as u64).to_le_bytes()[..], text.as_bytes()].concat();
    let number =
        |key: &str, value: u32| [text(key), 4_u32.to_le_bytes().to_vec(), value.to_le_bytes().to_vec()].concat();
    let items = [
        [text("general.architecture"), 8_u32.to_le_bytes().to_vec(), text("llama")].concat(),
        number("llama.embedding_length", 4),
        number("llama.attention.head_count", 2),
        number("llama.attention.head_count_kv", 1),
        number("llama.feed_forward_length", 8),
        number("llama.block_count", 1),
        number("llama.context_length", 16),
        number("tokenizer.ggml.eos_token_id", 0),
    ];
    // The fastest axis stands first.
    let tensors: [(&str, &[u64]); 12] = [
        ("token_embd.weight", &[4, 258]),
        ("output_norm.weight", &[4]),
        ("rope_freqs.weight", &[1]),
        ("blk.0.attn_norm.weight", &[4]),
        ("blk.0.attn_q.weight", &[4, 4]),
        ("blk.0.attn_k.weight", &[4, 2]),
        ("blk.0.attn_v.weight", &[4, 2]),
        ("blk.0.attn_output.weight", &[4, 4]),
        ("blk.0.ffn_norm.weight", &[4]),
        ("blk.0.ffn_gate.weight", &[4, 8]),
        ("blk.0.ffn_up.weight", &[4, 8]),
        ("blk.0.ffn_down.weight", &[8, 4]),
    ];
    let mut file = [&b"GGUF"[..], &3_u32.to_le_bytes()].concat();
    file.extend((tensors.len() as u64).to_le_bytes());
    file.extend((items.len() as u64).to_le_bytes());
    file.extend(items.concat());
    let mut offset = 0_u64;
    for (name, shape) in tensors {
        file.extend(text(name));
        file.extend((shape.len() as u32).to_le_bytes());
        file.extend(shape.iter().flat_map(|size| size.to_le_bytes()));
        file.extend(0_u32.to_le_bytes());
        file.extend(offset.to_le_bytes());
        offset += (4 * shape.iter().product::<u64>()).next_multiple_of(32);
    }
    file.resize(file.len().next_multiple_of(32), 0);
    file.extend((0..offset / 4).flat_map(|_| 1_f32.to_le_bytes()));
    file
}
