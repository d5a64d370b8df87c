//! The residual stream: what is added to it, and how it is read.

use super::super::graph::Attribute::Float;
use super::*;
use examiner_families::NormKind;

/// A value to which a bias is still to be added, where the next operator can do it.
pub(super) struct Unbiased {
    pub(super) value: String,
    pub(super) bias: Option<String>,
}

impl From<String> for Unbiased {
    fn from(value: String) -> Self {
        Unbiased { value, bias: None }
    }
}

/// The residual stream. A sum is added up when it is read: ONNX Runtime has one operator for a sum and its norm.
pub(super) enum Stream {
    Ready(String),
    Sum { name: String, x: String, y: Unbiased },
}

impl Builder<'_> {
    /// The stream, and what the norm of that name makes of it; without a norm, both are the same. The stream is not given
    /// where nobody needs it.
    pub(super) fn read(&mut self, stream: Stream, norm: Option<String>, is_needed: bool) -> Result<(String, String)> {
        let Some(norm) = norm else {
            let x = self.added(stream);
            return Ok((x.clone(), x));
        };
        match (self.operators, stream) {
            (Operators::Fused | Operators::Grouped, Stream::Sum { name, x, y }) => {
                let normed = self.add_norm(&name, &x, &y, &norm, is_needed)?;
                Ok((name, normed))
            }
            (_, stream) => {
                let x = self.added(stream);
                let normed = self.norm(&norm, &x, self.plan.width)?;
                Ok((x, normed))
            }
        }
    }

    fn added(&mut self, stream: Stream) -> String {
        match stream {
            Stream::Ready(x) => x,
            Stream::Sum { name, x, y } => {
                let y = self.biased(y);
                self.graph.node("Add", &name, &[&x, &y], &[])
            }
        }
    }

    /// A sum and its norm, by one of ONNX Runtime's operators.
    fn add_norm(&mut self, sum: &str, x: &str, y: &Unbiased, norm: &str, sum_is_needed: bool) -> Result<String> {
        let (weight, bias) = self.norm_weights(norm, self.plan.width)?;
        let mut inputs = vec![x, &y.value, &weight];
        inputs.extend(bias.as_deref());
        inputs.extend(y.bias.as_deref());
        let op = match self.plan.norm {
            NormKind::Layer => "com.microsoft::SkipLayerNormalization",
            NormKind::Rms | NormKind::RmsPlusOne => "com.microsoft::SkipSimplifiedLayerNormalization",
        };
        let normed = path(norm);
        let outputs = [normed.as_str(), "", "", sum];
        let outputs = if sum_is_needed { &outputs[..] } else { &outputs[..1] };
        let epsilon = ("epsilon", Float(self.plan.epsilon as f32));
        self.graph.node_with_outputs(op, &normed, &inputs, outputs, &[epsilon]);
        Ok(normed)
    }

    /// What a block gives, as it is added to the stream. `name` is that of the block's last layer.
    pub(super) fn finished(&mut self, name: &str, y: Unbiased, norm: Option<String>) -> Result<Unbiased> {
        let scale = self.plan.residual_scale;
        if norm.is_none() && scale == 1.0 {
            return Ok(y);
        }
        let mut y = self.biased(y);
        if let Some(norm) = norm {
            y = self.norm(&norm, &y, self.plan.width)?;
        }
        if scale != 1.0 {
            let scale = self.graph.number("residual_scale", scale);
            y = self.graph.node("Mul", &format!("{name}/scaled"), &[&y, &scale], &[]);
        }
        Ok(y.into())
    }

    /// A value with its bias.
    pub(super) fn biased(&mut self, x: Unbiased) -> String {
        match x.bias {
            Some(bias) => {
                let name = format!("{}/biased", x.value);
                self.graph.node("Add", &name, &[&x.value, &bias], &[])
            }
            None => x.value,
        }
    }
}
