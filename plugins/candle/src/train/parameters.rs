//! Which parameters a GPT-2 has, and which part of one flat array each is.
//!
//! Weights, gradients and the optimizer's two moments are arrays of the same layout, so that the optimizer, the norm of the
//! gradient and a checkpoint each are one pass over memory. Matrices come first: they alone decay.

use examiner_api::random::Stream;
use examiner_lm::checkpoint::Gpt2Config;
use rayon::prelude::*;
use std::ops::Range;

/// Deviation of GPT-2's initial weights.
const DEVIATION: f64 = 0.02;

/// A parameter and its part of the array.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Parameter {
    /// As Hugging Face's library names it, without `transformer.`.
    pub(super) name: String,
    pub(super) shape: Vec<usize>,
    pub(super) range: Range<usize>,
    start: Start,
}

/// What a parameter is before training.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Start {
    Normal(f64),
    All(f32),
}

/// A weight matrix and its bias, or a norm's weight and bias: numbers of parameters.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Pair {
    pub(super) weight: usize,
    pub(super) bias: usize,
}

/// The parameters of a layer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Layer {
    pub(super) norm_1: Pair,
    pub(super) attention_in: Pair,
    pub(super) attention_out: Pair,
    pub(super) norm_2: Pair,
    pub(super) mlp_in: Pair,
    pub(super) mlp_out: Pair,
}

/// All parameters of a model.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Layout {
    pub(super) parameters: Vec<Parameter>,
    pub(super) tokens: usize,
    pub(super) positions: usize,
    pub(super) layers: Vec<Layer>,
    pub(super) norm: Pair,
    /// The same as `tokens` where the two are tied.
    pub(super) head: usize,
    /// Values before this one belong to matrices.
    pub(super) matrices: usize,
}

impl Layout {
    pub(super) fn new(config: &Gpt2Config) -> Layout {
        let Gpt2Config { vocab_size, n_positions, n_embd, n_layer, n_inner, .. } = *config;
        let mut parameters: Vec<Parameter> = Vec::new();
        let mut add = |name: String, shape: &[usize], start: Start| {
            let first = parameters.last().map_or(0, |last| last.range.end);
            let range = first..first + shape.iter().product::<usize>();
            parameters.push(Parameter { name, shape: shape.to_vec(), range, start });
            parameters.len() - 1
        };
        let plain = Start::Normal(DEVIATION);
        // So that the residual stream does not grow with the number of layers that add to it.
        let residual = Start::Normal(DEVIATION / (2.0 * n_layer as f64).sqrt());
        let tokens = add("wte.weight".to_owned(), &[vocab_size, n_embd], plain);
        let positions = add("wpe.weight".to_owned(), &[n_positions, n_embd], plain);
        let linear = [
            ("attn.c_attn", n_embd, 3 * n_embd, plain),
            ("attn.c_proj", n_embd, n_embd, residual),
            ("mlp.c_fc", n_embd, n_inner, plain),
            ("mlp.c_proj", n_inner, n_embd, residual),
        ];
        let mut weights = Vec::with_capacity(n_layer);
        for layer in 0..n_layer {
            weights.push(linear.map(|(part, inputs, outputs, start)| {
                add(format!("h.{layer}.{part}.weight"), &[inputs, outputs], start)
            }));
        }
        let head = match config.tie_word_embeddings {
            true => tokens,
            false => add("lm_head.weight".to_owned(), &[vocab_size, n_embd], plain),
        };
        let first_vector = head.max(n_layer * linear.len() + 1) + 1;
        let mut layers = Vec::with_capacity(n_layer);
        for (layer, weights) in weights.into_iter().enumerate() {
            let mut norm = |part: &str| Pair {
                weight: add(format!("h.{layer}.{part}.weight"), &[n_embd], Start::All(1.0)),
                bias: add(format!("h.{layer}.{part}.bias"), &[n_embd], Start::All(0.0)),
            };
            let (norm_1, norm_2) = (norm("ln_1"), norm("ln_2"));
            let pairs = std::array::from_fn::<Pair, 4, _>(|i| {
                let (part, _, outputs, _) = linear[i];
                Pair { weight: weights[i], bias: add(format!("h.{layer}.{part}.bias"), &[outputs], Start::All(0.0)) }
            });
            let [attention_in, attention_out, mlp_in, mlp_out] = pairs;
            layers.push(Layer { norm_1, attention_in, attention_out, norm_2, mlp_in, mlp_out });
        }
        let norm = Pair {
            weight: add("ln_f.weight".to_owned(), &[n_embd], Start::All(1.0)),
            bias: add("ln_f.bias".to_owned(), &[n_embd], Start::All(0.0)),
        };
        let matrices = parameters[first_vector].range.start;
        Layout { parameters, tokens, positions, layers, norm, head, matrices }
    }

    /// Number of values.
    pub(super) fn size(&self) -> usize {
        self.parameters.last().map_or(0, |last| last.range.end)
    }

    /// A parameter's part of an array.
    pub(super) fn of<'a>(&self, values: &'a [f32], parameter: usize) -> &'a [f32] {
        &values[self.parameters[parameter].range.clone()]
    }

    /// The same to write to.
    pub(super) fn of_mut<'a>(&self, values: &'a mut [f32], parameter: usize) -> &'a mut [f32] {
        &mut values[self.parameters[parameter].range.clone()]
    }

    /// The parts of two parameters, of which the first comes before the second.
    pub(super) fn both_mut<'a>(
        &self,
        values: &'a mut [f32],
        first: usize,
        second: usize,
    ) -> (&'a mut [f32], &'a mut [f32]) {
        let (first, second) = (self.parameters[first].range.clone(), self.parameters[second].range.clone());
        let (before, from) = values.split_at_mut(second.start);
        (&mut before[first], &mut from[..second.len()])
    }

    /// GPT-2's own start: weights from a normal distribution of deviation 0.02, those that add to the residual stream
    /// divided by the square root of how many there are; biases 0, norms 1.
    pub(super) fn initial(&self, seed: u64) -> Vec<f32> {
        let mut values = vec![0.0f32; self.size()];
        for parameter in &self.parameters {
            let values = &mut values[parameter.range.clone()];
            match parameter.start {
                Start::All(value) => values.fill(value),
                Start::Normal(deviation) => {
                    let random = Stream::new(seed, &format!("initial {}", parameter.name), 0);
                    // A counter has room for matrices of two thousand million values.
                    values.par_iter_mut().enumerate().for_each(|(index, value)| {
                        *value = (deviation * random.normal(index as u32)) as f32;
                    });
                }
            }
        }
        values
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn layout(tied: bool) -> Layout {
        let config = json!({
            "vocab_size": 50, "n_positions": 40, "n_embd": 24, "n_layer": 2, "n_head": 3, "tie_word_embeddings": tied
        });
        Layout::new(&Gpt2Config::read(&config, "config.json".as_ref()).unwrap())
    }

    #[test]
    fn matrices_come_before_everything_else() {
        for tied in [true, false] {
            let layout = layout(tied);
            assert_eq!(layout.parameters.len(), 2 + 2 * 12 + 2 + usize::from(!tied));
            for parameter in &layout.parameters {
                assert_eq!(parameter.range.start < layout.matrices, parameter.shape.len() > 1, "{}", parameter.name);
                assert_eq!(parameter.range.len(), parameter.shape.iter().product::<usize>());
            }
            assert_eq!(layout.head == layout.tokens, tied);
            assert_eq!(layout.parameters[layout.layers[1].mlp_out.bias].name, "h.1.mlp.c_proj.bias");
        }
    }

    #[test]
    fn initial_weights_are_spread_as_they_should() {
        let layout = layout(true);
        let values = layout.initial(7);
        let deviation = |parameter: usize| {
            let values = layout.of(&values, parameter);
            (values.iter().map(|value| f64::from(*value).powi(2)).sum::<f64>() / values.len() as f64).sqrt()
        };
        let layer = layout.layers[0];
        assert!((deviation(layer.mlp_in.weight) - 0.02).abs() < 0.001);
        assert!((deviation(layer.mlp_out.weight) - 0.01).abs() < 0.0005);
        assert_eq!((deviation(layer.mlp_in.bias), deviation(layer.norm_1.weight)), (0.0, 1.0));
        assert_ne!(values, layout.initial(8));
        assert_eq!(values, layout.initial(7));
    }
}
