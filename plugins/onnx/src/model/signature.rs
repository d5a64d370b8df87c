//! What a graph takes and gives: the names and types that Hugging Face's Optimum, ONNX Runtime GenAI's builder and the
//! exporter of this plugin write.

use super::description::{Description, Names};
use super::file::{ModelFile, Rounding};
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
    /// Whether keys and values are added in place, in memory with room for more, and if so, how lengths are given.
    pub(crate) in_place: Option<Lengths>,
    /// Whether it takes `logits_rows`, the rows of which logits are wanted.
    pub(crate) wanted_rows: bool,
    /// Whether it takes `num_logits_to_keep`, where 0 means all of them.
    pub(crate) kept_logits: bool,
    pub(crate) rounding: Rounding,
    pub(crate) names: Names,
}

/// How a graph with `GroupQueryAttention` is told how long each sequence is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lengths {
    /// By `seqlens_k` and `total_sequence_length`.
    Given,
    /// By the mask, of which it counts the ones: which positions they stand at is not looked at.
    Counted,
}

/// Keys or values of a layer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Past {
    pub(crate) input: String,
    pub(crate) output: String,
}

/// Inputs that are called the same in every graph which has them.
pub(crate) const BRANCH: &str = "use_cache_branch";
/// For each sequence, the number of its tokens, past and new, less one; and the greatest of these numbers.
pub(crate) const LENGTHS: &str = "seqlens_k";
pub(crate) const LONGEST: &str = "total_sequence_length";
pub(crate) const ROWS: &str = "logits_rows";
pub(crate) const KEPT: &str = "num_logits_to_keep";

impl Signature {
    /// Reads a graph's signature. `description` is what stands beside the graph.
    ///
    /// # Errors
    /// `Unsupported` for a graph without keys and values, or with an input that is not known; `BadInput` where it
    /// disagrees with the description.
    pub(crate) fn read(
        inputs: &[Outlet],
        outputs: &[Outlet],
        description: &Description,
        file: &ModelFile,
    ) -> Result<Signature> {
        let Description { shape, names, .. } = description;
        let path = &file.path;
        let graph = Graph { inputs, outputs, path, described_by: description.file_name() };
        let (ids, _) = graph.input(&names.input_ids)?;
        if !matches!(ids, TensorElementType::Int64 | TensorElementType::Int32) {
            return Err(graph.wrong(&names.input_ids, "whole numbers of 64 or 32 bits", &format!("{ids:?}")));
        }
        let mut pasts = Vec::new();
        let mut types = Vec::new();
        for layer in 0.. {
            if graph.find(&names.past[0].of(layer)).is_none() {
                break;
            }
            for part in 0..2 {
                let input = names.past[part].of(layer);
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
                let presents: Vec<String> = names.present.iter().map(|parts| parts[part].of(layer)).collect();
                let output = outputs.iter().find(|output| presents.iter().any(|name| name == output.name()));
                let output = output.ok_or_else(|| graph.lacks("output", &presents[0]))?.name().to_owned();
                pasts.push(Past { input, output });
            }
        }
        let first = names.past[0].of(0);
        let past_type = *types.first().ok_or_else(|| {
            PluginError::unsupported(format!(
                "`{}` takes no keys and values of earlier tokens (`{first}`)",
                path.display()
            ))
            .with_help("export it with them: the exporter `onnx`, or Optimum's task `text-generation-with-past`")
        })?;
        if !matches!(past_type, TensorElementType::Float32 | TensorElementType::Float16) {
            return Err(graph.wrong(&first, "Float32 or Float16", &format!("{past_type:?}")));
        }
        if pasts.len() != 2 * shape.layers {
            return Err(PluginError::bad_input(format!(
                "`{}` has {} layers; `{}` says {}",
                path.display(),
                pasts.len() / 2,
                graph.described_by,
                shape.layers
            )));
        }
        let in_place = in_place(&graph, names, &pasts, file)?;
        let logits = outputs.iter().find(|output| *output.name() == names.logits);
        let (kind, dims) = graph.tensor(logits.ok_or_else(|| graph.lacks("output", &names.logits))?)?;
        if !matches!(kind, TensorElementType::Float32 | TensorElementType::Float16) {
            return Err(graph.wrong(&names.logits, "Float32 or Float16", &format!("{kind:?}")));
        }
        graph.agrees(&names.logits, "tokens", dims.last().copied().unwrap_or(-1), shape.vocabulary)?;
        let known = [&*names.input_ids, &names.mask, LENGTHS, LONGEST, &names.positions, BRANCH, ROWS, KEPT];
        let unknown = inputs
            .iter()
            .map(Outlet::name)
            .find(|name| !known.contains(name) && pasts.iter().all(|past| past.input != *name));
        if let Some(unknown) = unknown {
            return Err(PluginError::unsupported(format!(
                "`{}` takes an input `{unknown}`, which is not known; known are `{}` and `{}`, `{}`",
                path.display(),
                known.join("`, `"),
                names.past[0],
                names.past[1],
            )));
        }
        Ok(Signature {
            pasts,
            past_type,
            shape: *shape,
            wide_ids: ids == TensorElementType::Int64,
            positions: graph.find(&names.positions).is_some(),
            branch: graph.find(BRANCH).is_some(),
            in_place,
            wanted_rows: graph.find(ROWS).is_some(),
            kept_logits: graph.find(KEPT).is_some(),
            rounding: file.rounding,
            names: names.clone(),
        })
    }

    /// Bytes of a key or value.
    pub(crate) fn past_bytes(&self) -> usize {
        if self.past_type == TensorElementType::Float16 { 2 } else { 4 }
    }
}

/// Whether the attention of all layers adds keys and values in place, and how it is told the lengths.
fn in_place(graph: &Graph<'_>, names: &Names, pasts: &[Past], file: &ModelFile) -> Result<Option<Lengths>> {
    let lengths = if graph.find(LENGTHS).is_some() {
        graph.input(LONGEST)?;
        Lengths::Given
    } else {
        graph.input(&names.mask)?;
        if file.grouped.is_none() {
            return Ok(None);
        }
        Lengths::Counted
    };
    let grouped = file.grouped.as_ref().map(|grouped| &grouped.pasts);
    match pasts.iter().find(|past| grouped.is_none_or(|grouped| !grouped.contains(&past.input))) {
        None => Ok(Some(lengths)),
        Some(past) => Err(PluginError::unsupported(format!(
            "`{}` has layers with `GroupQueryAttention` and others without: `{}` is the past of another operator",
            file.path.display(),
            past.input
        ))
        .with_help("export the model with one operator for the attention of all layers")),
    }
}

/// A graph, for looking up and for messages.
struct Graph<'a> {
    inputs: &'a [Outlet],
    outputs: &'a [Outlet],
    path: &'a Path,
    /// The name of the file with its sizes.
    described_by: &'a str,
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
        let described_by = self.described_by;
        Err(self
            .wrong(tensor, &format!("{expected} {what}, as `{described_by}` says"), &found.to_string())
            .with_help(format!("`{described_by}` and the model must come from the same export")))
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
        .with_help(
            "the plugin `onnx` runs causal language models as the exporter `onnx`, Hugging Face's Optimum and ONNX Runtime \
             GenAI's builder write them",
        )
    }
}
