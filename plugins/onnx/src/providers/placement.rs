//! Which part of a graph runs where, and what is said of a part that does not run where it was meant to.

use super::api;
use examiner_api::{Metadata, Result};
use ort::session::Session;
use std::collections::BTreeMap;

/// For each provider, its nodes by operator.
pub(crate) struct Placement(BTreeMap<String, BTreeMap<String, usize>>);

/// Operators that compute shapes and indices, mostly of a few whole numbers. ONNX Runtime keeps such nodes on the CPU, where
/// they take less time than a call to a GPU. Of an operator that is not among them, a node on the CPU is one that the device's
/// provider lacks.
const OF_SHAPES: [&str; 38] = [
    "Add",
    "And",
    "Cast",
    "Concat",
    "Constant",
    "ConstantOfShape",
    "Div",
    "Equal",
    "Expand",
    "Flatten",
    "Gather",
    "GatherND",
    "Greater",
    "GreaterOrEqual",
    "Identity",
    "If",
    "Less",
    "LessOrEqual",
    "Max",
    "Min",
    "Mod",
    "Mul",
    "Neg",
    "NonZero",
    "Not",
    "Or",
    "Pad",
    "Range",
    "ReduceProd",
    "Reshape",
    "Shape",
    "Size",
    "Slice",
    "Split",
    "Squeeze",
    "Sub",
    "Unsqueeze",
    "Where",
];

const CPU: &str = "CPUExecutionProvider";
const WEBGPU: &str = "WebGpuExecutionProvider";

/// The provider of WebGPU (0.4.0, on SwiftShader) gives other results than the CPU for `MultiHeadAttention` of 60 new tokens: keys of
/// the next layer are off by 0.6, logits by 3. The other two share its kernel. Attention of standard operators is right.
const FUSED_ATTENTION: [&str; 3] = ["Attention", "GroupQueryAttention", "MultiHeadAttention"];

impl Placement {
    /// # Errors
    /// `Other` if ONNX Runtime did not keep it.
    pub(crate) fn of(session: &Session) -> Result<Placement> {
        api::assignment(session).map(Placement)
    }

    /// How many nodes run on the provider.
    pub(crate) fn nodes(&self, provider: &str) -> usize {
        self.0.get(provider).map_or(0, |operators| operators.values().sum())
    }

    /// The operators that a provider was given although its results of them are wrong.
    pub(crate) fn miscomputed(&self) -> Vec<&str> {
        let given = self.0.get(WEBGPU).into_iter().flat_map(BTreeMap::keys);
        given.map(String::as_str).filter(|operator| FUSED_ATTENTION.contains(operator)).collect()
    }

    /// How many nodes run on each provider: `{ "WebGpu": 412, "CPU": 9 }`.
    pub(crate) fn counts(&self) -> Metadata {
        let short = |name: &str| name.strip_suffix("ExecutionProvider").unwrap_or(name).to_owned();
        self.0.keys().map(|provider| (short(provider), self.nodes(provider).into())).collect()
    }

    /// The operators that run on the CPU because no other provider has them, each with the number of its nodes.
    fn lacking(&self) -> Vec<(&str, usize)> {
        let on_cpu = self.0.get(CPU).into_iter().flatten();
        let lacking = on_cpu.filter(|(operator, _)| !OF_SHAPES.contains(&operator.as_str()));
        lacking.map(|(operator, count)| (operator.as_str(), *count)).collect()
    }

    /// What is said of operators that `device` lacks.
    pub(crate) fn warning(&self, device: &str) -> Option<String> {
        let lacking = self.lacking();
        let listed: Vec<String> =
            lacking.iter().map(|(operator, count)| format!("`{operator}` ({count} nodes)")).collect();
        (!lacking.is_empty()).then(|| {
            format!(
                "`device: {device}` lacks the operator {}: these nodes run on the CPU, and their values are copied there and \
                 back; an export by the exporter `onnx` with `operators: standard` may do without",
                listed.join(", ")
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn operators_on_the_cpu_that_do_not_compute_shapes_are_named() {
        let nodes = |listed: &[(&str, usize)]| {
            listed.iter().map(|(operator, count)| ((*operator).to_owned(), *count)).collect::<BTreeMap<_, _>>()
        };
        let mut placement = Placement(BTreeMap::from([
            ("WebGpuExecutionProvider".to_owned(), nodes(&[("MatMul", 9), ("Add", 3)])),
            (CPU.to_owned(), nodes(&[("Shape", 4), ("Concat", 2)])),
        ]));
        assert_eq!(json!(placement.counts()), json!({ "WebGpu": 12, "CPU": 6 }));
        assert_eq!(placement.warning("webgpu"), None);
        placement.0.insert(CPU.to_owned(), nodes(&[("Shape", 4), ("IsNaN", 2)]));
        let warning = placement.warning("webgpu").unwrap();
        assert!(
            warning.starts_with("`device: webgpu` lacks the operator `IsNaN` (2 nodes): these nodes run"),
            "{warning}"
        );
        assert!(placement.miscomputed().is_empty());
        placement.0.insert(WEBGPU.to_owned(), nodes(&[("MatMul", 9), ("Add", 3), ("MultiHeadAttention", 1)]));
        assert_eq!(placement.miscomputed(), ["MultiHeadAttention"]);
        placement.0.insert(WEBGPU.to_owned(), nodes(&[("MatMul", 9), ("Add", 3)]));
        assert_eq!((placement.nodes("WebGpuExecutionProvider"), placement.nodes("Other")), (12, 0));
    }
}
