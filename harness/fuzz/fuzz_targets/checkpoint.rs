//! The small files of a checkpoint, any bytes in one of them: the model opens or an error says why it does not.
//!
//! The first byte says which: `c` config.json, `g` generation_config.json, `i` model.safetensors.index.json,
//! `t` tokenizer_config.json, `j` chat_template.jinja.
#![no_main]

use examiner_api::testing::FakeHost;
use examiner_api::{Open, PluginError};
use examiner_fuzz::{config, file, let_caught_panics_pass, safetensors, sow, tokenizer, watch};
use examiner_plugin_candle::{Candle, Options};
use libfuzzer_sys::fuzz_target;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::sync::LazyLock;

const FILES: [(u8, &str); 5] = [
    (b'c', "config.json"),
    (b'g', "generation_config.json"),
    (b'i', "model.safetensors.index.json"),
    (b't', "tokenizer_config.json"),
    (b'j', "chat_template.jinja"),
];

fn seeds() -> Vec<(String, Vec<u8>)> {
    let named = |name: &str, text: String| (name.to_owned(), text.into_bytes());
    let llama = |kind: &str, more: Value| {
        let mut config = json!({ "model_type": kind, "vocab_size": 258, "hidden_size": 4, "intermediate_size": 8, "num_hidden_layers": 1,
            "num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 2, "max_position_embeddings": 16, "rms_norm_eps": 1e-6,
            "rope_theta": 1e4, "tie_word_embeddings": true, "bos_token_id": 1, "eos_token_id": [2, 3] });
        if let (Some(config), Some(more)) = (config.as_object_mut(), more.as_object()) {
            config.extend(more.clone());
        }
        named(kind, format!("c{config}"))
    };
    let scaling = json!({ "rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
        "original_max_position_embeddings": 8 });
    let chat = "{%- for message in messages %}<|{{ message['role'] }}|>{{ message.content | trim }}{% endfor %}{{ bos_token }}\
        {% if add_generation_prompt %}<|assistant|>{% endif %}";
    vec![
        named("gpt2", format!("c{}", config())),
        llama("llama", json!({ "rope_scaling": scaling, "attention_bias": true })),
        llama("qwen3", json!({ "rope_scaling": { "rope_type": "yarn", "factor": 2.0 } })),
        llama(
            "gemma2",
            json!({ "sliding_window": 4, "attn_logit_softcapping": 50.0, "final_logit_softcapping": 30.0,
            "query_pre_attn_scalar": 2, "hidden_activation": "gelu_pytorch_tanh" }),
        ),
        llama("gemma3_text", json!({ "sliding_window": 4, "sliding_window_pattern": 2, "rope_local_base_freq": 1e4 })),
        llama(
            "phi3",
            json!({ "rope_scaling": { "type": "longrope", "short_factor": [1.0], "long_factor": [2.0] },
            "original_max_position_embeddings": 8, "partial_rotary_factor": 0.5 }),
        ),
        llama("granite", json!({ "embedding_multiplier": 2.0, "logits_scaling": 2.0, "residual_multiplier": 0.5 })),
        llama(
            "gpt_neox",
            json!({ "rotary_pct": 0.5, "use_parallel_residual": true, "layer_norm_eps": 1e-5, "hidden_act": "gelu" }),
        ),
        named("generation", "g{\"bos_token_id\": 256, \"eos_token_id\": [256, 1]}".to_owned()),
        named(
            "index",
            "i{\"weight_map\": {\"wte.weight\": \"a.safetensors\", \"ln_f.bias\": \"b.safetensors\"}}".to_owned(),
        ),
        named(
            "named",
            format!(
                "t{}",
                json!({ "chat_template": [{ "name": "default", "template": chat }], "bos_token": { "content": "<s>" } })
            ),
        ),
        named("template", format!("j{chat}")),
    ]
}

/// A checkpoint in which nothing is wrong.
static CHECKPOINT: LazyLock<PathBuf> = LazyLock::new(|| {
    let directory = file("checkpoint");
    std::fs::create_dir_all(&directory).expect("a directory");
    repair(&directory);
    directory
});

fn repair(directory: &std::path::Path) {
    for (_, name) in &FILES[1..] {
        let _ = std::fs::remove_file(directory.join(name));
    }
    std::fs::write(directory.join("config.json"), config().to_string()).expect("a file");
    std::fs::write(directory.join("tokenizer.json"), tokenizer().to_string()).expect("a file");
    std::fs::write(directory.join("model.safetensors"), safetensors()).expect("a file");
}

fn open(directory: &std::path::Path) -> Result<Candle, PluginError> {
    let options: Options =
        serde_json::from_value(json!({ "checkpoint": directory, "device": "cpu" })).expect("options");
    Candle::open(options, FakeHost::new().host())
}

fuzz_target!(
    init: {
        sow("checkpoint", seeds());
        let_caught_panics_pass();
        open(&CHECKPOINT).map(drop).expect("the checkpoint is good");
    },
    |data: &[u8]| {
        let Some((first, bytes)) = data.split_first() else { return };
        let Some((_, name)) = FILES.iter().find(|(letter, _)| letter == first) else { return };
        std::fs::write(CHECKPOINT.join(name), bytes).expect("an input");
        let index = *first == b'i';
        if index {
            std::fs::remove_file(CHECKPOINT.join("model.safetensors")).expect("a file");
        }
        watch(|| {
            if let Err(error) = open(&CHECKPOINT) {
                assert!(!error.message.is_empty());
            }
        });
        if index || *first == b'c' {
            repair(&CHECKPOINT);
        } else {
            std::fs::remove_file(CHECKPOINT.join(name)).expect("a file");
        }
    }
);
