//! Checkpoints as GGUF files, by the rules of llama.cpp's converters.

use super::{Weights, read};
use crate::checkpoint::{Dtype, Gguf, GgufItem, GgufTensor, Tensor};
use serde_json::{Value, json};
use std::f64::consts::TAU;

/// What parts of names become, in this order.
const LLAMA: &[(&str, &str)] = &[
    ("model.embed_tokens", "token_embd"),
    ("model.norm", "output_norm"),
    ("lm_head", "output"),
    ("model.layers", "blk"),
    ("self_attn.q_proj", "attn_q"),
    ("self_attn.k_proj", "attn_k"),
    ("self_attn.v_proj", "attn_v"),
    ("self_attn.qkv_proj", "attn_qkv"),
    ("self_attn.o_proj", "attn_output"),
    ("self_attn.q_norm", "attn_q_norm"),
    ("self_attn.k_norm", "attn_k_norm"),
    ("input_layernorm", "attn_norm"),
    ("mlp.gate_up_proj", "ffn_up"),
    ("mlp.gate_proj", "ffn_gate"),
    ("mlp.up_proj", "ffn_up"),
    ("mlp.down_proj", "ffn_down"),
    ("pre_feedforward_layernorm", "ffn_norm"),
    ("post_feedforward_layernorm", "post_ffw_norm"),
];
const GPT2: &[(&str, &str)] = &[
    ("transformer.wte", "token_embd"),
    ("transformer.wpe", "position_embd"),
    ("transformer.ln_f", "output_norm"),
    ("transformer.h", "blk"),
    ("attn.c_attn", "attn_qkv"),
    ("attn.c_proj", "attn_output"),
    ("ln_1", "attn_norm"),
    ("ln_2", "ffn_norm"),
    ("mlp.c_fc", "ffn_up"),
    ("mlp.c_proj", "ffn_down"),
];
const GPT_NEOX: &[(&str, &str)] = &[
    ("gpt_neox.embed_in", "token_embd"),
    ("gpt_neox.final_layer_norm", "output_norm"),
    ("embed_out", "output"),
    ("gpt_neox.layers", "blk"),
    ("attention.query_key_value", "attn_qkv"),
    ("attention.dense", "attn_output"),
    ("input_layernorm", "attn_norm"),
    ("post_attention_layernorm", "ffn_norm"),
    ("mlp.dense_h_to_4h", "ffn_up"),
    ("mlp.dense_4h_to_h", "ffn_down"),
];

impl super::Family {
    /// The checkpoint as a GGUF file.
    pub fn gguf(&self) -> Gguf {
        let mut gguf = self.weights.gguf();
        let tokenizer: Value = serde_json::from_slice(&read("tokenizer.json")).unwrap();
        gguf.set_tokenizer(&tokenizer, "gpt-2");
        gguf
    }
}

impl Weights {
    /// The checkpoint as a GGUF file, in 32 bits, with a tokenizer whose tokens are bytes.
    pub fn gguf(&self) -> Gguf {
        let mut gguf = Gguf::default();
        let converter = Converter { config: &self.config };
        let architecture = converter.architecture();
        gguf.set("general.architecture", GgufItem::Text(architecture.to_owned()));
        for (key, item) in converter.items() {
            gguf.set(&format!("{architecture}.{key}"), item);
        }
        gguf.set_tokenizer(&crate::checkpoint::tokenizer(), "gpt-2");
        let id = |name: &str| self.config[name].as_u64().unwrap() as u32;
        gguf.set("tokenizer.ggml.bos_token_id", GgufItem::U32(id("bos_token_id")));
        gguf.set("tokenizer.ggml.eos_token_id", GgufItem::U32(id("eos_token_id")));
        for (name, tensor) in self.tensors() {
            let tensor = converter.converted(&name, &tensor);
            gguf.tensors.push(GgufTensor::new(&converter.name(&name), &tensor));
        }
        gguf.tensors.extend(converter.rope_tensors());
        gguf
    }
}

struct Converter<'a> {
    config: &'a Value,
}

impl Converter<'_> {
    fn family(&self) -> &str {
        self.config["model_type"].as_str().unwrap()
    }

    fn architecture(&self) -> &str {
        match self.family() {
            "mistral" => "llama",
            "gemma3_text" => "gemma3",
            "gpt_neox" => "gptneox",
            family => family,
        }
    }

    fn size(&self, name: &str) -> usize {
        self.config[name].as_u64().unwrap_or_else(|| panic!("no `{name}`")) as usize
    }

    fn head_width(&self) -> usize {
        let shared = || self.size("hidden_size") / self.size("num_attention_heads");
        self.config["head_dim"].as_u64().map_or_else(shared, |width| width as usize)
    }

    /// The object that describes the rotation of full attention, in the old spelling or the new one.
    fn rope(&self) -> &Value {
        let all = &self.config["rope_parameters"];
        match (&all["full_attention"], &self.config["rope_scaling"]) {
            (Value::Object(_), _) => &all["full_attention"],
            (_, scaling @ Value::Object(_)) => scaling,
            _ => all,
        }
    }

    fn rope_number(&self, name: &str) -> Option<f64> {
        self.rope()[name].as_f64().or(self.config[name].as_f64())
    }

    fn theta(&self) -> f64 {
        self.rope_number("rope_theta").or(self.config["rotary_emb_base"].as_f64()).unwrap_or(10_000.0)
    }

    fn rope_type(&self) -> &str {
        let rope = self.rope();
        rope["rope_type"].as_str().or(rope["type"].as_str()).unwrap_or("default")
    }

    fn rotated(&self) -> usize {
        let share = self.rope_number("partial_rotary_factor").or(self.config["rotary_pct"].as_f64());
        (self.head_width() as f64 * share.unwrap_or(1.0)) as usize
    }

    fn items(&self) -> Vec<(&'static str, GgufItem)> {
        let whole = |name: &str| GgufItem::U32(self.size(name) as u32);
        let number = |value: f64| GgufItem::F32(value as f32);
        if self.family() == "gpt2" {
            return vec![
                ("context_length", whole("n_positions")),
                ("embedding_length", whole("n_embd")),
                ("feed_forward_length", GgufItem::U32(4 * self.size("n_embd") as u32)),
                ("block_count", whole("n_layer")),
                ("attention.head_count", whole("n_head")),
                ("attention.layer_norm_epsilon", number(1e-5)),
            ];
        }
        let mut items = vec![
            ("context_length", whole("max_position_embeddings")),
            ("embedding_length", whole("hidden_size")),
            ("feed_forward_length", whole("intermediate_size")),
            ("block_count", whole("num_hidden_layers")),
            ("attention.head_count", whole("num_attention_heads")),
            ("attention.head_count_kv", whole("num_key_value_heads")),
            ("rope.freq_base", number(self.theta())),
            ("rope.dimension_count", GgufItem::U32(self.rotated() as u32)),
        ];
        if self.config["head_dim"].is_u64() {
            items.push(("attention.key_length", whole("head_dim")));
            items.push(("attention.value_length", whole("head_dim")));
        }
        if self.config["sliding_window"].is_u64() {
            items.push(("attention.sliding_window", whole("sliding_window")));
        }
        let norm = |default: f64| number(self.config["rms_norm_eps"].as_f64().unwrap_or(default));
        items.push(match self.family() {
            "gpt_neox" => ("attention.layer_norm_epsilon", number(1e-5)),
            "phi3" | "olmo2" => ("attention.layer_norm_rms_epsilon", norm(1e-5)),
            _ => ("attention.layer_norm_rms_epsilon", norm(1e-6)),
        });
        let mut numbers = |pairs: &[(&'static str, &str)]| {
            let given = |(key, name): &(&'static str, &str)| Some((*key, number(self.config[*name].as_f64()?)));
            items.extend(pairs.iter().filter_map(given));
        };
        numbers(&[
            ("attn_logit_softcapping", "attn_logit_softcapping"),
            ("final_logit_softcapping", "final_logit_softcapping"),
            ("rope.freq_base_swa", "rope_local_base_freq"),
            ("attention.scale", "attention_multiplier"),
            ("embedding_scale", "embedding_multiplier"),
            ("residual_scale", "residual_multiplier"),
            ("logit_scale", "logits_scaling"),
        ]);
        match self.family() {
            "gpt_neox" => {
                let parallel = self.config["use_parallel_residual"] != json!(false);
                items.push(("use_parallel_residual", GgufItem::Bool(parallel)));
            }
            "gemma3_text" => {
                let pattern = self.config["sliding_window_pattern"].as_u64();
                // Of as many layers as the pattern has, the last one sees everything.
                let pattern = pattern.or(self.config["layer_types"].as_array().map(|types| types.len() as u64));
                items.push(("attention.sliding_window_pattern", GgufItem::U32(pattern.unwrap() as u32)));
            }
            _ => {}
        }
        items.extend(self.rope_items());
        items
    }

    fn rope_items(&self) -> Vec<(&'static str, GgufItem)> {
        let number = |name: &str| self.rope_number(name).unwrap_or_else(|| panic!("no `{name}`"));
        let original = || GgufItem::U32(number("original_max_position_embeddings") as u32);
        match self.rope_type() {
            "linear" | "yarn" => {
                let factor = ("rope.scaling.factor", GgufItem::F32(number("factor") as f32));
                let mut items = vec![("rope.scaling.type", GgufItem::Text(self.rope_type().to_owned())), factor];
                if self.rope_type() == "yarn" {
                    items.push(("rope.scaling.original_context_length", original()));
                }
                items
            }
            "longrope" => {
                let (context, before) =
                    (self.size("max_position_embeddings") as f64, number("original_max_position_embeddings"));
                let attention = (1.0 + (context / before).ln() / before.ln()).sqrt();
                vec![
                    ("rope.scaling.original_context_length", original()),
                    ("rope.scaling.attn_factor", GgufItem::F32(attention as f32)),
                ]
            }
            _ => Vec::new(),
        }
    }

    /// What stands in tensors of its own: the factors of LongRoPE, and those of Llama 3.1.
    fn rope_tensors(&self) -> Vec<GgufTensor> {
        let vector = |name: &str, values: Vec<f32>| {
            GgufTensor::new(&format!("{name}.weight"), &Tensor::new(Dtype::F32, &[values.len()], &values))
        };
        let factors = |name: &str| {
            let factors = self.rope()[name].as_array().unwrap().iter();
            factors.map(|factor| factor.as_f64().unwrap() as f32).collect()
        };
        match self.rope_type() {
            "longrope" => vec![
                vector("rope_factors_long", factors("long_factor")),
                vector("rope_factors_short", factors("short_factor")),
            ],
            "llama3" => vec![vector("rope_freqs", self.llama3_factors())],
            _ => Vec::new(),
        }
    }

    /// By what Llama 3.1's rotation divides each frequency.
    fn llama3_factors(&self) -> Vec<f32> {
        let number = |name: &str| self.rope()[name].as_f64().unwrap();
        let (factor, low, high) = (number("factor"), number("low_freq_factor"), number("high_freq_factor"));
        let width = self.head_width();
        let divisor = |pair: usize| {
            let turns =
                number("original_max_position_embeddings") / TAU * self.theta().powf(-2.0 * pair as f64 / width as f64);
            let share = ((turns - low) / (high - low)).clamp(0.0, 1.0);
            1.0 / ((1.0 - share) / factor + share)
        };
        (0..width / 2).map(|pair| divisor(pair) as f32).collect()
    }

    fn name(&self, name: &str) -> String {
        let replace = |name: String, (from, to): &(&str, &str)| name.replace(from, to);
        match self.family() {
            "gpt2" => return GPT2.iter().fold(name.to_owned(), replace),
            "gpt_neox" => return GPT_NEOX.iter().fold(name.to_owned(), replace),
            _ => {}
        }
        // The norm before the feed-forward block of some, and after attention of others.
        let after = matches!(self.family(), "gemma2" | "gemma3_text" | "olmo2");
        let post = if after { "post_attention_norm" } else { "ffn_norm" };
        LLAMA.iter().fold(name.replace("post_attention_layernorm", post), replace)
    }

    /// A tensor as converters write it.
    fn converted(&self, name: &str, tensor: &Tensor) -> Tensor {
        let (shape, values) = (&tensor.shape, tensor.values());
        let is = |part: &str| name.contains(part);
        match self.family() {
            "gpt2" if shape.len() == 2 && (is(".c_")) => {
                // From inputs × outputs to outputs × inputs.
                let (rows, columns) = (shape[0], shape[1]);
                let turned: Vec<f32> =
                    (0..rows * columns).map(|at| values[(at % rows) * columns + at / rows]).collect();
                Tensor::new(Dtype::F32, &[columns, rows], &turned)
            }
            "gemma2" | "gemma3_text" if name.ends_with("norm.weight") => {
                let values: Vec<f32> = values.iter().map(|value| value + 1.0).collect();
                Tensor::new(Dtype::F32, shape, &values)
            }
            "llama" | "mistral" | "granite" if is("q_proj") => {
                swapped(tensor, self.size("num_attention_heads"), 2, self.head_width() / 2)
            }
            "llama" | "mistral" | "granite" if is("k_proj") => {
                swapped(tensor, self.size("num_key_value_heads"), 2, self.head_width() / 2)
            }
            // Query, key and value head by head become all queries, all keys, all values.
            "gpt_neox" if is("query_key_value") => {
                let heads = self.size("num_attention_heads");
                let parts = swapped_groups(tensor, heads, 3, self.head_width());
                Tensor::new(Dtype::F32, shape, &parts)
            }
            _ => Tensor::new(Dtype::F32, shape, &values),
        }
    }
}

/// Rows `[head, half, pair]` as `[head, pair, half]`.
fn swapped(tensor: &Tensor, heads: usize, halves: usize, pairs: usize) -> Tensor {
    let rows = heads * halves * pairs;
    let width = tensor.values().len() / rows;
    let values = tensor.values();
    let mut swapped = Vec::with_capacity(values.len());
    for head in 0..heads {
        for pair in 0..pairs {
            for half in 0..halves {
                let row = (head * halves + half) * pairs + pair;
                swapped.extend(&values[row * width..(row + 1) * width]);
            }
        }
    }
    Tensor::new(Dtype::F32, &tensor.shape, &swapped)
}

/// Rows `[head, part, value]` as `[part, head, value]`.
fn swapped_groups(tensor: &Tensor, heads: usize, parts: usize, head_width: usize) -> Vec<f32> {
    let values = tensor.values();
    let block = values.len() / (heads * parts * head_width) * head_width;
    let blocks = (0..parts).flat_map(|part| (0..heads).map(move |head| head * parts + part));
    blocks.flat_map(|at| values[at * block..(at + 1) * block].to_vec()).collect()
}
