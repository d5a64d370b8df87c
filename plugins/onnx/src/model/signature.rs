//! What a graph takes and gives: the names and types that Hugging Face's Optimum writes, and the exporter of this plugin.

use super::shape::Shape;
use examiner_api::{PluginError, Result};
use ort::value::{Outlet, TensorElementType, ValueType};
use std::path::Path;

/// How a graph is called.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Signature {
    /// For each layer its keys, then its values: the names of what goes in and of what comes out.
    pub(crate) pasts: Vec<Past>,
    /// The number type of keys and values.
    pub(crate) past_type: TensorElementType,
    pub(crate) shape: Shape,
    /// The number type of tokens, positions and mask.
    pub(crate) wide_ids: bool,
    /// Whether the graph takes `position_ids`.
    pub(crate) positions: bool,
    /// Whether it has a branch for an empty past and one for any other (`use_cache_branch`, a merged decoder).
    pub(crate) branch: bool,
    /// Whether keys and values are added in place, in memory with room for more (`seqlens_k` in place of a mask).
    pub(crate) in_place: bool,
    /// Whether it takes `logits_rows`, the rows of which logits are wanted.
    pub(crate) wanted_rows: bool,
}

/// Keys or values of a layer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Past {
    pub(crate) input: String,
    pub(crate) output: String,
}

/// The inputs besides keys and values.
pub(crate) const INPUT_IDS: &str = "input_ids";
pub(crate) const MASK: &str = "attention_mask";
pub(crate) const POSITIONS: &str = "position_ids";
pub(crate) const BRANCH: &str = "use_cache_branch";
/// For each sequence, the number of its tokens, past and new, less one; and the greatest of these numbers.
pub(crate) const LENGTHS: &str = "seqlens_k";
pub(crate) const LONGEST: &str = "total_sequence_length";
pub(crate) const ROWS: &str = "logits_rows";
pub(crate) const LOGITS: &str = "logits";

impl Signature {
    /// Reads a graph's signature. `shape` is what `config.json` says; `path` is the graph's file, for messages.
    ///
    /// # Errors
    /// `Unsupported` for a graph without keys and values, or with an input that is not known; `BadInput` where it
    /// disagrees with `config.json`.
    pub(crate) fn read(inputs: &[Outlet], outputs: &[Outlet], shape: Shape, path: &Path) -> Result<Signature> {
        let graph = Graph { inputs, outputs, path };
        let (ids, _) = graph.input(INPUT_IDS)?;
        if !matches!(ids, TensorElementType::Int64 | TensorElementType::Int32) {
            return Err(graph.wrong(INPUT_IDS, "whole numbers of 64 or 32 bits", &format!("{ids:?}")));
        }
        let in_place = graph.find(LENGTHS).is_some();
        graph.input(if in_place { LONGEST } else { MASK })?;
        let mut pasts = Vec::new();
        let mut types = Vec::new();
        for layer in 0.. {
            if graph.find(&format!("past_key_values.{layer}.key")).is_none() {
                break;
            }
            for part in ["key", "value"] {
                let input = format!("past_key_values.{layer}.{part}");
                let (kind, dims) = graph.input(&input)?;
                let [_, heads, _, width] = dims[..] else {
                    return Err(graph.wrong(
                        &input,
                        "four dimensions: batch, heads, positions, width",
                        &format!("{dims:?}"),
                    ));
                };
                graph.agrees(&input, "heads of keys and values", heads, shape.heads)?;
                graph.agrees(&input, "width of a head", width, shape.head_width)?;
                types.push(kind);
                let names = [format!("present.{layer}.{part}"), format!("present_key_values.{layer}.{part}")];
                let output = outputs.iter().find(|output| names.iter().any(|name| name == output.name()));
                let output = output.ok_or_else(|| graph.lacks("output", &names[0]))?.name().to_owned();
                pasts.push(Past { input, output });
            }
        }
        let past_type = *types.first().ok_or_else(|| {
            PluginError::unsupported(format!(
                "`{}` takes no keys and values of earlier tokens (`past_key_values.0.key`)",
                path.display()
            ))
            .with_help("export it with them: the exporter `onnx`, or Optimum's task `text-generation-with-past`")
        })?;
        if !matches!(past_type, TensorElementType::Float32 | TensorElementType::Float16) {
            return Err(graph.wrong("past_key_values.0.key", "Float32 or Float16", &format!("{past_type:?}")));
        }
        if pasts.len() != 2 * shape.layers {
            return Err(PluginError::bad_input(format!(
                "`{}` has {} layers; `config.json` says {}",
                path.display(),
                pasts.len() / 2,
                shape.layers
            )));
        }
        let logits = outputs.iter().find(|output| output.name() == LOGITS);
        let (kind, dims) = graph.tensor(logits.ok_or_else(|| graph.lacks("output", LOGITS))?)?;
        if !matches!(kind, TensorElementType::Float32 | TensorElementType::Float16) {
            return Err(graph.wrong(LOGITS, "Float32 or Float16", &format!("{kind:?}")));
        }
        graph.agrees(LOGITS, "tokens", dims.last().copied().unwrap_or(-1), shape.vocabulary)?;
        let known = [INPUT_IDS, MASK, LENGTHS, LONGEST, POSITIONS, BRANCH, ROWS];
        let unknown = inputs
            .iter()
            .map(Outlet::name)
            .find(|name| !known.contains(name) && pasts.iter().all(|past| past.input != *name));
        if let Some(unknown) = unknown {
            return Err(PluginError::unsupported(format!(
                "`{}` takes an input `{unknown}`, which is not known; known are `{}` and `past_key_values.N.key`, `.value`",
                path.display(),
                known.join("`, `")
            )));
        }
        Ok(Signature {
            pasts,
            past_type,
            shape,
            wide_ids: ids == TensorElementType::Int64,
            positions: graph.find(POSITIONS).is_some(),
            branch: graph.find(BRANCH).is_some(),
            in_place,
            wanted_rows: graph.find(ROWS).is_some(),
        })
    }

    /// Bytes of a key or value.
    pub(crate) fn past_bytes(&self) -> usize {
        if self.past_type == TensorElementType::Float16 { 2 } else { 4 }
    }
}

/// A graph, for looking up and for messages.
struct Graph<'a> {
    inputs: &'a [Outlet],
    outputs: &'a [Outlet],
    path: &'a Path,
}

impl Graph<'_> {
    fn find(&self, input: &str) -> Option<&Outlet> {
        self.inputs.iter().find(|outlet| outlet.name() == input)
    }

    fn input(&self, name: &str) -> Result<(TensorElementType, Vec<i64>)> {
        self.tensor(self.find(name).ok_or_else(|| self.lacks("input", name))?)
    }

    /// The number type and dimensions of a tensor; -1 where a dimension is open.
    fn tensor(&self, outlet: &Outlet) -> Result<(TensorElementType, Vec<i64>)> {
        match outlet.dtype() {
            ValueType::Tensor { ty, shape, .. } => Ok((*ty, shape.to_vec())),
            other => Err(self.wrong(outlet.name(), "a tensor", &format!("{other:?}"))),
        }
    }

    fn agrees(&self, tensor: &str, what: &str, found: i64, expected: usize) -> Result<()> {
        if found < 0 || usize::try_from(found) == Ok(expected) {
            return Ok(());
        }
        let help = "`config.json` and the model must come from the same export";
        Err(self
            .wrong(tensor, &format!("{expected} {what}, as `config.json` says"), &found.to_string())
            .with_help(help))
    }

    fn wrong(&self, tensor: &str, expected: &str, found: &str) -> PluginError {
        PluginError::bad_input(format!(
            "tensor `{tensor}` of `{}`: expected {expected}, found {found}",
            self.path.display()
        ))
    }

    fn lacks(&self, kind: &str, name: &str) -> PluginError {
        let there = if kind == "input" { self.inputs } else { self.outputs };
        let there: Vec<&str> = there.iter().map(Outlet::name).take(8).collect();
        PluginError::unsupported(format!(
            "`{}` has no {kind} `{name}`; it has `{}`{}",
            self.path.display(),
            there.join("`, `"),
            if there.len() == 8 { " and perhaps more" } else { "" }
        ))
        .with_help("the plugin `onnx` runs causal language models as the exporter `onnx` and Hugging Face's Optimum write them")
    }
}
