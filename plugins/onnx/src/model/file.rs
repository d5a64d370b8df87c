//! The ONNX file itself, read as far as errors in it can be named: ONNX Runtime's own messages name neither
//! the tensor nor what to do.

use crate::proto::{AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto, data_location};
use bytes::Bytes;
use examiner_api::{PluginError, Result};
use examiner_lm::checkpoint::Checkpoint;
use memmap2::Mmap;
use prost::Message;
use std::collections::{BTreeMap, HashSet};
use std::fs::File;
use std::path::{Component, Path, PathBuf};

/// Where a checkpoint may keep its graph, by the names that exporters give it.
const NAMES: [&str; 6] = [
    "model.onnx",
    "decoder_model_merged.onnx",
    "decoder_with_past_model.onnx",
    "onnx/model.onnx",
    "onnx/decoder_model_merged.onnx",
    "onnx/decoder_with_past_model.onnx",
];

/// A file and what it needs.
pub(crate) struct ModelFile {
    pub(crate) path: PathBuf,
    /// The files of weights beside it.
    pub(crate) external: Vec<PathBuf>,
    /// The sets of operators that it uses: `ai.onnx 18`.
    pub(crate) opsets: String,
    /// Its `GroupQueryAttention`, where it has any.
    pub(crate) grouped: Option<Grouped>,
    pub(crate) rounding: Rounding,
}

/// What a graph does to the numbers that it multiplies by weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Rounding {
    None,
    /// Rounds them to 8 bits row by row (`MatMulNBits` with `accuracy_level: 4`). ONNX Runtime computes sequences of one token
    /// by another kernel than longer ones, and the last digit of a sum decides what the next number is rounded to.
    ByRow,
    /// Rounds them to 8 bits by the range of all rows of a call (`DynamicQuantizeLinear`).
    ByCall,
}

/// What the nodes `GroupQueryAttention` of a graph need.
#[derive(Debug, Default)]
pub(crate) struct Grouped {
    /// The names of the keys and values that they take.
    pub(crate) pasts: HashSet<String>,
    /// Positions that they want memory for, however short a sequence is: the widest window of those that let its keys and
    /// values go round.
    pub(crate) room: usize,
}

impl ModelFile {
    /// Finds the graph of a checkpoint and the files of weights beside it.
    ///
    /// # Errors
    /// `NotFound` if it, or one of its files, is not there; `BadInput` if it is not an ONNX model, or weights lie
    /// outside of its directory or end too early.
    pub(crate) fn find(checkpoint: &Checkpoint, wanted: Option<&str>) -> Result<ModelFile> {
        let (name, path) = match wanted {
            Some(name) => (name, checkpoint.fetch(name)?),
            None => NAMES
                .iter()
                .find_map(|name| checkpoint.fetch_optional(name).transpose().map(|path| path.map(|path| (*name, path))))
                .transpose()?
                .ok_or_else(|| none(checkpoint))?,
        };
        let model = read(&path)?;
        let folder = name.rsplit_once('/').map_or(String::new(), |(folder, _)| format!("{folder}/"));
        let mut needed: BTreeMap<String, (u64, String)> = BTreeMap::new();
        if let Some(graph) = &model.graph {
            each_tensor(graph, &mut |tensor| external(tensor, &path, &mut needed))?;
        }
        let mut files = Vec::with_capacity(needed.len());
        for (location, (end, tensor)) in needed {
            let file = checkpoint.fetch(&format!("{folder}{location}")).map_err(|error| {
                PluginError::new(
                    error.code,
                    format!("tensor `{tensor}` of `{}` lies in `{location}`, which is not there", path.display()),
                )
                .with_help("copy the model together with the files of weights beside it")
            })?;
            let length = std::fs::metadata(&file).map_err(|error| PluginError::io("read", &file, &error))?.len();
            if length < end {
                return Err(PluginError::bad_input(format!(
                    "tensor `{tensor}` of `{}` ends at byte {end} of `{}`, which has {length} bytes",
                    path.display(),
                    file.display()
                ))
                .with_help("the file may have been cut off while it was downloaded or copied: fetch it again"));
            }
            files.push(file);
        }
        let opsets = model.opset_import.iter().map(|set| match set.domain.as_str() {
            "" => format!("ai.onnx {}", set.version),
            domain => format!("{domain} {}", set.version),
        });
        let opsets = opsets.collect::<Vec<_>>().join(", ");
        let grouped = model.graph.as_ref().and_then(grouped);
        let rounding = model.graph.as_ref().map_or(Rounding::None, rounding);
        Ok(ModelFile { path, external: files, opsets, grouped, rounding })
    }

    /// All files that the model's answers depend on.
    pub(crate) fn files(&self) -> Vec<&Path> {
        std::iter::once(&self.path).chain(&self.external).map(PathBuf::as_path).collect()
    }
}

/// Says that no file has one of the names, and which others there are.
fn none(checkpoint: &Checkpoint) -> PluginError {
    let message =
        format!("no ONNX model in the checkpoint `{}`: none of `{}`", checkpoint.source(), NAMES.join("`, `"));
    let directory = checkpoint.config_path.parent().unwrap_or(Path::new(""));
    let in_folder = |folder: &str| -> Vec<String> {
        let entries = std::fs::read_dir(directory.join(folder)).into_iter().flatten().flatten();
        let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
        names.filter(|name| name.ends_with(".onnx")).map(|name| format!("{folder}{name}")).collect()
    };
    let mut others = [in_folder(""), in_folder("onnx/")].concat();
    others.sort();
    match others.first() {
        None => PluginError::not_found(message)
            .with_help("name it with the option `file`, or export the checkpoint with the exporter `onnx`"),
        Some(first) => PluginError::not_found(format!("{message}; there is `{}`", others.join("`, `")))
            .with_help(format!("choose one with the option `file`: `file: {first}`")),
    }
}

fn read(path: &Path) -> Result<ModelProto> {
    let shown = path.display();
    let file = File::open(path).map_err(|error| PluginError::io("open", path, &error))?;
    // SAFETY: like every program that maps its weights, we rely on nobody changing the file while it is read.
    let map = unsafe { Mmap::map(&file) }.map_err(|error| PluginError::io("map", path, &error))?;
    let model = ModelProto::decode(Bytes::from_owner(map)).map_err(|error| {
        PluginError::bad_input(format!("`{shown}` is not an ONNX model, or not a whole one"))
            .with_cause(&error)
            .with_help("it may have been cut off while it was downloaded or copied: fetch it again")
    })?;
    if model.graph.is_none() || model.opset_import.is_empty() {
        return Err(PluginError::bad_input(format!(
            "`{shown}` is not an ONNX model: it has no graph or names no operators"
        )));
    }
    Ok(model)
}

/// Records the file of a tensor, and how long it must be.
fn external(tensor: &TensorProto, path: &Path, needed: &mut BTreeMap<String, (u64, String)>) -> Result<()> {
    if tensor.data_location != Some(data_location::EXTERNAL) {
        return Ok(());
    }
    let value =
        |key: &str| tensor.external_data.iter().find(|entry| entry.key == key).map(|entry| entry.value.as_str());
    let location = value("location").unwrap_or_default();
    let inside =
        !location.is_empty() && Path::new(location).components().all(|part| matches!(part, Component::Normal(_)));
    if !inside {
        return Err(PluginError::bad_input(format!(
            "tensor `{}` of `{}` lies in `{location}`; expected a file in the model's directory",
            tensor.name,
            path.display()
        )));
    }
    let number = |key: &str| value(key).and_then(|value| value.parse::<u64>().ok()).unwrap_or_default();
    let end = number("offset").saturating_add(number("length"));
    let entry = needed.entry(location.to_owned()).or_default();
    if entry.1.is_empty() || end > entry.0 {
        *entry = (end, tensor.name.clone());
    }
    Ok(())
}

/// The nodes `GroupQueryAttention` of a graph; none if there are none.
fn grouped(graph: &GraphProto) -> Option<Grouped> {
    let mut found: Option<Grouped> = None;
    for node in graph.node.iter().filter(|node| node.op_type == "GroupQueryAttention") {
        let grouped = found.get_or_insert_default();
        // The past stands behind queries, keys and values.
        grouped.pasts.extend(node.input.iter().skip(3).take(2).cloned());
        if number(node, "sliding_window_cache") != 0 {
            grouped.room = grouped.room.max(usize::try_from(number(node, "local_window_size")).unwrap_or_default());
        }
    }
    found
}

/// The level at which what is multiplied has 8 bits.
const EIGHT_BITS: i64 = 4;

fn rounding(graph: &GraphProto) -> Rounding {
    let of_node = |node: &NodeProto| match &*node.op_type {
        "DynamicQuantizeLinear" | "DynamicQuantizeMatMul" => Rounding::ByCall,
        "MatMulNBits" if number(node, "accuracy_level") == EIGHT_BITS => Rounding::ByRow,
        _ => Rounding::None,
    };
    let branches = graph.node.iter().flat_map(|node| &node.attribute).filter_map(|attribute| attribute.g.as_ref());
    graph.node.iter().map(of_node).chain(branches.map(rounding)).max().unwrap_or(Rounding::None)
}

/// A whole number among a node's attributes, 0 without it.
fn number(node: &NodeProto, name: &str) -> i64 {
    node.attribute.iter().find(|attribute| attribute.name == name).and_then(|attribute| attribute.i).unwrap_or_default()
}

/// Every tensor of a graph, those of its branches included.
fn each_tensor(graph: &GraphProto, take: &mut dyn FnMut(&TensorProto) -> Result<()>) -> Result<()> {
    graph.initializer.iter().try_for_each(&mut *take)?;
    for AttributeProto { t, g, tensors, graphs, .. } in graph.node.iter().flat_map(|node| &node.attribute) {
        t.iter().chain(tensors).try_for_each(&mut *take)?;
        g.iter().chain(graphs).try_for_each(|graph| each_tensor(graph, take))?;
    }
    Ok(())
}
