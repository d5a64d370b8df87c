//! Linear layers, norms and activations, in standard operators and in ONNX Runtime's.

use super::super::graph::Attribute::{Float, Text};
use super::stream::Unbiased;
use super::*;
use crate::proto::data_type;
use examiner_families::{NormKind, Order};
use examiner_lm::checkpoint::Activation;

impl Builder<'_> {
    /// A linear layer. With ONNX Runtime's operators its bias is left to the next one.
    pub(super) fn linear(
        &mut self,
        name: &str,
        x: &str,
        [inputs, outputs]: [usize; 2],
        has_bias: bool,
    ) -> Result<Unbiased> {
        let turned = self.plan.order == Order::OutputsFirst;
        if let Some(rounding) = self.rounding {
            let (stored, weight) = self.names(&format!("{name}.weight"));
            let parts = self.rounded(stored, &weight, [inputs, outputs], !turned, rounding)?;
            let bias = self.bias(name, outputs, has_bias)?;
            let made = Unbiased { value: self.rounded_product(&path(name), x, &parts, [inputs, outputs]), bias };
            return Ok(match self.operators {
                Operators::Standard => self.biased(made).into(),
                Operators::Fused | Operators::Grouped => made,
            });
        }
        let shape = if turned { [outputs, inputs] } else { [inputs, outputs] };
        let weight = self.weight(&format!("{name}.weight"), &shape)?;
        let bias = self.bias(name, outputs, has_bias)?;
        let (path, attributes) = (path(name), [("transB", Int(1))]);
        let attributes = if turned { &attributes[..] } else { &[] };
        Ok(match (self.operators, bias) {
            (Operators::Standard, Some(bias)) => {
                self.graph.node("Gemm", &path, &[x, &weight, &bias], attributes).into()
            }
            (_, bias) => {
                let op = if turned { "Gemm" } else { "MatMul" };
                Unbiased { value: self.graph.node(op, &path, &[x, &weight], attributes), bias }
            }
        })
    }

    fn bias(&mut self, name: &str, outputs: usize, has_bias: bool) -> Result<Option<String>> {
        has_bias.then(|| self.weight(&format!("{name}.bias"), &[outputs])).transpose()
    }

    /// The tensors of a norm.
    pub(super) fn norm_weights(&mut self, name: &str, width: usize) -> Result<(String, Option<String>)> {
        let weight = format!("{name}.weight");
        Ok(match self.plan.norm {
            NormKind::Layer => {
                let weight = self.weight(&weight, &[width])?;
                (weight, Some(self.weight(&format!("{name}.bias"), &[width])?))
            }
            NormKind::Rms => (self.weight(&weight, &[width])?, None),
            NormKind::RmsPlusOne => (self.weight_from(&weight, &[width], Source::PlusOne)?, None),
        })
    }

    /// A norm over the last axis.
    pub(super) fn norm(&mut self, name: &str, x: &str, width: usize) -> Result<String> {
        let (weight, bias) = self.norm_weights(name, width)?;
        let at = path(name);
        let graph = &mut self.graph;
        let epsilon = self.plan.epsilon as f32;
        if let Some(bias) = bias {
            return Ok(graph.node("LayerNormalization", &at, &[x, &weight, &bias], &[("epsilon", Float(epsilon))]));
        }
        // The standard has no operator for it in this version. ONNX Runtime knows the pattern, and makes one of it. Squares
        // of numbers of 16 bits are often more than such a number can be.
        let narrow = graph.dtype() == NumberType::F16;
        let wide = match narrow {
            true => graph.node("Cast", &format!("{at}/wide"), &[x], &[("to", Int(data_type::FLOAT.into()))]),
            false => x.to_owned(),
        };
        let (two, epsilon) = (graph.float("two", 2.0), graph.float("epsilon", epsilon));
        let axis = graph.list("last", &[-1]);
        let squares = graph.node("Pow", &format!("{at}/squares"), &[&wide, &two], &[]);
        let mean = graph.node("ReduceMean", &format!("{at}/mean"), &[&squares, &axis], &[("keepdims", Int(1))]);
        let mean = graph.node("Add", &format!("{at}/mean/epsilon"), &[&mean, &epsilon], &[]);
        let root = graph.node("Sqrt", &format!("{at}/root"), &[&mean], &[]);
        let mut normed = graph.node("Div", &format!("{at}/divided"), &[&wide, &root], &[]);
        if narrow {
            let to = [("to", Int(data_type::FLOAT16.into()))];
            normed = graph.node("Cast", &format!("{at}/narrow"), &[&normed], &to);
        }
        Ok(graph.node("Mul", &at, &[&normed, &weight], &[]))
    }

    /// The feed-forward block, as it is added to the residual stream.
    pub(super) fn mlp(&mut self, block: &str, x: &str) -> Result<Unbiased> {
        let Plan { width, inner, biases, names, .. } = self.plan;
        let named = |part: &str| format!("{block}.{part}");
        let at = self.mlp_path(block);
        let hidden = match names.mlp_in {
            MlpIn::Plain(name) => {
                let hidden = self.linear(&named(name), x, [*width, *inner], biases.mlp)?;
                self.activation(&format!("{at}/act"), hidden)
            }
            MlpIn::Gated([gate, up]) => {
                let gate = self.linear(&named(gate), x, [*width, *inner], biases.mlp)?;
                let up = self.linear(&named(up), x, [*width, *inner], biases.mlp)?;
                let up = self.biased(up);
                self.gated(&at, gate, &up)
            }
            MlpIn::GatedJoined(name) => {
                let both = self.linear(&named(name), x, [*width, 2 * inner], biases.mlp)?;
                let both = self.biased(both);
                let halves = ["gate", "up"].map(|half| format!("{at}/{half}"));
                let outputs = halves.each_ref().map(String::as_str);
                let attributes = [("axis", Int(-1)), ("num_outputs", Int(2))];
                self.graph.node_with_outputs("Split", &format!("{at}/split"), &[&both], &outputs, &attributes);
                let [gate, up] = halves;
                self.gated(&at, gate.into(), &up)
            }
        };
        let out = named(names.mlp_out);
        let y = self.linear(&out, &hidden, [*inner, *width], biases.mlp)?;
        self.finished(&path(&out), y, names.norms.after_mlp.map(named))
    }

    fn gated(&mut self, at: &str, gate: Unbiased, up: &str) -> String {
        let gate = self.activation(&format!("{at}/act"), gate);
        self.graph.node("Mul", &format!("{at}/gated"), &[&gate, up], &[])
    }

    fn activation(&mut self, name: &str, x: Unbiased) -> String {
        let activation = self.plan.activation;
        let op = match activation {
            Activation::GeluTanh => Some("com.microsoft::FastGelu"),
            Activation::Gelu => Some("com.microsoft::BiasGelu"),
            Activation::Relu | Activation::Silu => None,
        };
        if let (Some(bias), Some(op)) = (&x.bias, op) {
            return self.graph.node(op, name, &[&x.value, bias], &[]);
        }
        let x = self.biased(x);
        let graph = &mut self.graph;
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

    /// `cap · tanh(x / cap)`.
    pub(super) fn capped(&mut self, name: &str, x: &str, cap: f32) -> String {
        let graph = &mut self.graph;
        let cap = graph.number(&format!("{name}/cap"), cap);
        let x = graph.node("Div", &format!("{name}/capped/share"), &[x, &cap], &[]);
        let x = graph.node("Tanh", &format!("{name}/capped/tanh"), &[&x], &[]);
        graph.node("Mul", &format!("{name}/capped"), &[&x, &cap], &[])
    }
}
