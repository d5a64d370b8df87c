//! GPT-2 as its paper and Hugging Face's code define it, in plain loops over `f64`, without a cache.

use examiner_test_support::checkpoint::TinyGpt2;

/// A matrix as rows.
type Rows = Vec<Vec<f64>>;

/// Log-probabilities of every token after the first, in nats.
pub(crate) fn token_logprobs(model: &TinyGpt2, tokens: &[u32]) -> Vec<f64> {
    let logits = logits(model, tokens);
    let logprob = |(row, &token): (&Vec<f64>, &u32)| {
        let highest = row.iter().copied().fold(f64::MIN, f64::max);
        let total: f64 = row.iter().map(|logit| (logit - highest).exp()).sum();
        row[token as usize] - highest - total.ln()
    };
    logits.iter().zip(&tokens[1..]).map(logprob).collect()
}

/// The logits after each token.
pub(crate) fn logits(model: &TinyGpt2, tokens: &[u32]) -> Rows {
    let size = |name: &str| model.config[name].as_u64().unwrap() as usize;
    let (width, heads) = (size("n_embd"), size("n_head"));
    let (wte, wpe) = (table(model, "wte.weight", width), table(model, "wpe.weight", width));
    let embed = |(position, &token): (usize, &u32)| add(&wte[token as usize], &wpe[position]);
    let mut x: Rows = tokens.iter().enumerate().map(embed).collect();
    for layer in 0..size("n_layer") {
        let name = |part: &str| format!("h.{layer}.{part}");
        let qkv = linear(model, &name("attn.c_attn"), &norm(model, &name("ln_1"), &x));
        let mut scale = 1.0;
        if model.config["scale_attn_weights"] != false {
            scale /= ((width / heads) as f64).sqrt();
        }
        if model.config["scale_attn_by_inverse_layer_idx"] == true {
            scale /= (layer + 1) as f64;
        }
        let attended = linear(model, &name("attn.c_proj"), &attention(&qkv, heads, width / heads, scale));
        x = x.iter().zip(&attended).map(|(a, b)| add(a, b)).collect();
        let mut hidden = linear(model, &name("mlp.c_fc"), &norm(model, &name("ln_2"), &x));
        let activation = model.config["activation_function"].as_str().unwrap().to_owned();
        hidden.iter_mut().flatten().for_each(|x| *x = activate(&activation, *x));
        let hidden = linear(model, &name("mlp.c_proj"), &hidden);
        x = x.iter().zip(&hidden).map(|(a, b)| add(a, b)).collect();
    }
    let tied = model.config["tie_word_embeddings"] != false;
    let head = if tied { wte } else { table(model, "lm_head.weight", width) };
    norm(model, "ln_f", &x).iter().map(|x| head.iter().map(|w| dot(x, w)).collect()).collect()
}

fn table(model: &TinyGpt2, name: &str, width: usize) -> Rows {
    model.values(name).chunks(width).map(|row| row.iter().map(|value| f64::from(*value)).collect()).collect()
}

fn add(a: &[f64], b: &[f64]) -> Vec<f64> {
    a.iter().zip(b).map(|(a, b)| a + b).collect()
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn linear(model: &TinyGpt2, name: &str, x: &Rows) -> Rows {
    let bias = model.values(&format!("{name}.bias"));
    let weight = table(model, &format!("{name}.weight"), bias.len());
    let output =
        |x: &Vec<f64>, c: usize| f64::from(bias[c]) + x.iter().zip(&weight).map(|(x, w)| x * w[c]).sum::<f64>();
    x.iter().map(|x| (0..bias.len()).map(|c| output(x, c)).collect()).collect()
}

fn norm(model: &TinyGpt2, name: &str, x: &Rows) -> Rows {
    let epsilon = model.config["layer_norm_epsilon"].as_f64().unwrap();
    let (weight, bias) = (model.values(&format!("{name}.weight")), model.values(&format!("{name}.bias")));
    let row = |x: &Vec<f64>| {
        let mean = x.iter().sum::<f64>() / x.len() as f64;
        let variance = x.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / x.len() as f64;
        let scaled = x.iter().map(|x| (x - mean) / (variance + epsilon).sqrt());
        scaled.zip(&weight).zip(&bias).map(|((x, w), b)| x * f64::from(*w) + f64::from(*b)).collect()
    };
    x.iter().map(row).collect()
}

fn attention(qkv: &Rows, heads: usize, width: usize, scale: f64) -> Rows {
    let part = |row: usize, kind: usize, head: usize| &qkv[row][(kind * heads + head) * width..][..width];
    let one = |row: usize, head: usize| {
        let weights: Vec<f64> =
            (0..=row).map(|at| (scale * dot(part(row, 0, head), part(at, 1, head))).exp()).collect();
        let total: f64 = weights.iter().sum();
        let value =
            move |c: usize| weights.iter().enumerate().map(|(at, w)| w * part(at, 2, head)[c]).sum::<f64>() / total;
        (0..width).map(value).collect::<Vec<_>>()
    };
    (0..qkv.len()).map(|row| (0..heads).flat_map(|head| one(row, head)).collect()).collect()
}

fn activate(name: &str, x: f64) -> f64 {
    match name {
        "gelu_new" => 0.5 * x * (1.0 + ((2.0 / std::f64::consts::PI).sqrt() * (x + 0.044715 * x.powi(3))).tanh()),
        "gelu" => 0.5 * x * (1.0 + candle_core::cpu::erf::erf_f64(x / 2f64.sqrt())),
        "relu" => x.max(0.0),
        "silu" => x / (1.0 + (-x).exp()),
        other => panic!("no reference for `{other}`"),
    }
}
