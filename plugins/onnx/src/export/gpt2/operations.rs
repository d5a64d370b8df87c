//! Linear layers, norms and activations, in standard operators and in ONNX Runtime's.

use super::super::graph::Attribute::{Float, Text};
use super::*;
use examiner_lm::checkpoint::Activation;

/// A value to which a bias is still to be added, where the next operator can do it.
pub(super) struct Unbiased {
    value: String,
    bias: Option<String>,
}

impl Unbiased {
    /// The value and its bias, if it is still to be added.
    pub(super) fn parts(self) -> (String, Option<String>) {
        (self.value, self.bias)
    }
}

impl From<String> for Unbiased {
    fn from(value: String) -> Self {
        Unbiased { value, bias: None }
    }
}

impl Gpt2<'_> {
    /// A linear layer. With ONNX Runtime's operators its bias is left to the next one.
    pub(super) fn linear(&mut self, name: &str, x: &str, inputs: usize, outputs: usize) -> Result<Unbiased> {
        let weight = self.weight(&format!("{name}.weight"), &[inputs, outputs])?;
        let bias = self.weight(&format!("{name}.bias"), &[outputs])?;
        let path = path(name);
        Ok(match self.operators {
            Operators::Standard => self.graph.node("Gemm", &path, &[x, &weight, &bias], &[]).into(),
            Operators::Fused | Operators::Grouped => {
                Unbiased { value: self.graph.node("MatMul", &path, &[x, &weight], &[]), bias: Some(bias) }
            }
        })
    }

    /// A sum, and its layer norm. The sum is not given where nobody needs it.
    pub(super) fn add_norm(
        &mut self,
        sum: &str,
        x: &str,
        y: Unbiased,
        norm: &str,
        sum_is_needed: bool,
    ) -> Result<(String, String)> {
        let width = self.config.n_embd;
        let weight = self.weight(&format!("{norm}.weight"), &[width])?;
        let bias = self.weight(&format!("{norm}.bias"), &[width])?;
        let normed = path(norm);
        let epsilon = ("epsilon", Float(self.config.layer_norm_epsilon as f32));
        match self.operators {
            Operators::Standard => {
                self.graph.node("Add", sum, &[x, &y.value], &[]);
                self.graph.node("LayerNormalization", &normed, &[sum, &weight, &bias], &[epsilon]);
            }
            Operators::Fused | Operators::Grouped => {
                let mut inputs = vec![x, &y.value, &weight, &bias];
                inputs.extend(y.bias.as_deref());
                let outputs = [normed.as_str(), "", "", sum];
                let outputs = if sum_is_needed { &outputs[..] } else { &outputs[..1] };
                let op = "com.microsoft::SkipLayerNormalization";
                self.graph.node_with_outputs(op, &normed, &inputs, outputs, &[epsilon]);
            }
        }
        Ok((sum.to_owned(), normed))
    }

    /// The feed-forward block.
    pub(super) fn mlp(&mut self, block: &str, x: &str) -> Result<Unbiased> {
        let Gpt2Config { n_embd, n_inner, .. } = *self.config;
        let inner = self.linear(&format!("{block}.mlp.c_fc"), x, n_embd, n_inner)?;
        let inner = self.activation(&format!("/{block}/mlp/act"), inner);
        self.linear(&format!("{block}.mlp.c_proj"), &inner, n_inner, n_embd)
    }

    fn activation(&mut self, name: &str, x: Unbiased) -> String {
        let graph = &mut self.graph;
        let activation = self.config.activation;
        if let Some(bias) = &x.bias {
            let op = match activation {
                Activation::GeluTanh => Some("com.microsoft::FastGelu"),
                Activation::Gelu => Some("com.microsoft::BiasGelu"),
                Activation::Relu | Activation::Silu => None,
            };
            if let Some(op) = op {
                return graph.node(op, name, &[&x.value, bias], &[]);
            }
        }
        let x = match x.bias {
            Some(bias) => graph.node("Add", &format!("{name}/bias"), &[&x.value, &bias], &[]),
            None => x.value,
        };
        match activation {
            Activation::GeluTanh => graph.node("Gelu", name, &[&x], &[("approximate", Text("tanh"))]),
            Activation::Gelu => graph.node("Gelu", name, &[&x], &[]),
            Activation::Relu => graph.node("Relu", name, &[&x], &[]),
            Activation::Silu => {
                let gate = graph.node("Sigmoid", &format!("{name}/gate"), &[&x], &[]);
                graph.node("Mul", name, &[&x, &gate], &[])
            }
        }
    }
}

/// The name of the node for a part of the model: `/h.0/attn/c_attn` for `h.0.attn.c_attn`.
pub(super) fn path(name: &str) -> String {
    let mut path = String::from("/");
    for (index, part) in name.split('.').enumerate() {
        // The number of a layer stays with its `h`.
        let digits = part.bytes().all(|byte| byte.is_ascii_digit());
        path.push_str(match (index, digits) {
            (0, _) => "",
            (_, true) => ".",
            (_, false) => "/",
        });
        path.push_str(part);
    }
    path
}
