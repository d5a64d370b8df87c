//! Puts rows of keys and values together on their device.
//!
//! The rows of a call may come from several groups, and be padded to one length. ONNX Runtime has no function for that, but
//! it has operators, on every device: small graphs pick rows (`Gather`), pick positions (`Gather`), pad on the left
//! (`Pad`) and join (`Concat`). They are built when they are first needed.

use super::cache::{Group, Positions, Source, count};
use crate::proto::{
    AttributeProto, Dimension, GraphProto, ModelProto, NodeProto, Size, TensorProto, TensorShapeProto, TensorTypeProto,
    TypeProto, ValueInfoProto, attribute_type, data_type,
};
use crate::runtime::failed;
use examiner_api::Result;
use ort::memory::MemoryInfo;
use ort::session::Session;
use ort::session::builder::SessionBuilder;
use ort::value::{DynValue, Tensor, TensorElementType};
use prost::Message;
use std::collections::HashMap;
use std::sync::Arc;

/// What is done to the rows of each of `sources` groups.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Recipe {
    sources: usize,
    rows: bool,
    columns: bool,
    pad: bool,
}

/// Prepares a session on the device of the rows.
pub(crate) type MakeBuilder = Box<dyn Fn() -> Result<SessionBuilder> + Send>;

/// The graphs made so far.
pub(crate) struct Assembler {
    make: MakeBuilder,
    kind: TensorElementType,
    sessions: HashMap<Recipe, Session>,
}

impl Assembler {
    /// For groups of the number type `kind`.
    pub(crate) fn new(make: MakeBuilder, kind: TensorElementType) -> Self {
        Assembler { make, kind, sessions: HashMap::new() }
    }

    /// The rows of all sources, one after the other, padded on the left to `length` positions. For each tensor of the
    /// groups one.
    pub(crate) fn assemble(
        &mut self,
        sources: &[(&Source, &Group<Arc<DynValue>>)],
        length: usize,
        memory: &MemoryInfo<'_>,
    ) -> Result<Vec<Arc<DynValue>>> {
        let all_rows =
            |(source, group): &(&Source, &Group<Arc<DynValue>>)| source.rows.iter().copied().eq(0..group.rows);
        let all_columns = |(source, group): &(&Source, &Group<Arc<DynValue>>)| count(&source.columns) == group.length;
        let recipe = Recipe {
            sources: sources.len(),
            rows: !sources.iter().all(all_rows),
            columns: !sources.iter().all(all_columns),
            pad: sources.iter().any(|(source, _)| count(&source.columns) < length),
        };
        if !self.sessions.contains_key(&recipe) {
            let model = graph(recipe, self.kind).encode_to_vec();
            let session = (self.make)()?.commit_from_memory(&model);
            self.sessions
                .insert(recipe, session.map_err(|error| failed("make a graph that joins keys and values", &error))?);
        }
        let Some(session) = self.sessions.get_mut(&recipe) else { return Ok(Vec::new()) };
        let mut binding = session.create_binding().map_err(|error| failed("bind keys and values", &error))?;
        let layers = sources.first().map_or(0, |(_, group)| group.tensors.len());
        let mut tensors = Vec::with_capacity(layers);
        let mut bind = || -> ort::Result<()> {
            for (index, (source, _)) in sources.iter().enumerate() {
                if recipe.rows {
                    let rows: Vec<i64> = source.rows.iter().map(|&row| row as i64).collect();
                    binding.bind_input(format!("rows.{index}"), &Tensor::from_array(([rows.len()], rows))?)?;
                }
                if recipe.columns {
                    let columns = numbers(&source.columns);
                    binding.bind_input(format!("columns.{index}"), &Tensor::from_array(([columns.len()], columns))?)?;
                }
                if recipe.pad {
                    let pads = vec![(length - count(&source.columns)) as i64, 0];
                    binding.bind_input(format!("pads.{index}"), &Tensor::from_array(([2], pads))?)?;
                }
            }
            for layer in 0..layers {
                for (index, (_, group)) in sources.iter().enumerate() {
                    binding.bind_input(format!("groups.{index}"), group.tensors[layer].as_ref())?;
                }
                binding.bind_output_to_device("joined", memory)?;
                let mut outputs = session.run_binding(&binding)?;
                tensors.extend(outputs.remove("joined").map(Arc::new));
            }
            Ok(())
        };
        bind().map_err(|error| failed("join keys and values", &error))?;
        Ok(tensors)
    }
}

fn numbers(positions: &Positions) -> Vec<i64> {
    positions.iter().cloned().flatten().map(|position| position as i64).collect()
}

/// The graph of a recipe. Groups are `[rows, heads, positions, width]`.
fn graph(recipe: Recipe, kind: TensorElementType) -> ModelProto {
    let kind = if kind == TensorElementType::Float16 { data_type::FLOAT16 } else { data_type::FLOAT };
    let mut nodes = Vec::new();
    let mut inputs = Vec::new();
    let mut parts = Vec::new();
    for index in 0..recipe.sources {
        let mut value = format!("groups.{index}");
        inputs.push(tensor(&value, kind, 4));
        for (used, name, axis) in [(recipe.rows, "rows", 0), (recipe.columns, "columns", 2)] {
            if used {
                let indices = format!("{name}.{index}");
                inputs.push(tensor(&indices, data_type::INT64, 1));
                value = node(&mut nodes, "Gather", vec![value, indices], Some(axis));
            }
        }
        if recipe.pad {
            let pads = format!("pads.{index}");
            inputs.push(tensor(&pads, data_type::INT64, 1));
            value = node(&mut nodes, "Pad", vec![value, pads, String::new(), "positions".to_owned()], None);
        }
        parts.push(value);
    }
    node(&mut nodes, "Concat", parts, Some(0));
    if let Some(last) = nodes.last_mut() {
        last.output = vec!["joined".to_owned()];
    }
    let axis = TensorProto {
        name: "positions".to_owned(),
        data_type: data_type::INT64,
        dims: vec![1],
        int64_data: vec![2],
        ..TensorProto::default()
    };
    let graph = GraphProto {
        name: "join".to_owned(),
        node: nodes,
        initializer: if recipe.pad { vec![axis] } else { Vec::new() },
        input: inputs,
        output: vec![tensor("joined", kind, 4)],
        ..GraphProto::default()
    };
    ModelProto::standard(graph)
}

/// Adds a node of one output, whose name it gives back.
fn node(nodes: &mut Vec<NodeProto>, operator: &str, input: Vec<String>, axis: Option<i64>) -> String {
    let output = format!("{operator}.{}", nodes.len());
    let axis = axis.map(|axis| AttributeProto {
        name: "axis".to_owned(),
        r#type: attribute_type::INT,
        i: Some(axis),
        ..AttributeProto::default()
    });
    nodes.push(NodeProto {
        name: output.clone(),
        op_type: operator.to_owned(),
        input,
        output: vec![output.clone()],
        attribute: axis.into_iter().collect(),
        ..NodeProto::default()
    });
    output
}

/// A tensor of as many open dimensions.
fn tensor(name: &str, kind: i32, dimensions: usize) -> ValueInfoProto {
    let open = |index| Dimension { value: Some(Size::Param(format!("{name}.{index}"))) };
    let shape = TensorShapeProto { dim: (0..dimensions).map(open).collect() };
    let tensor_type = TensorTypeProto { elem_type: kind, shape: Some(shape) };
    ValueInfoProto { name: name.to_owned(), r#type: Some(TypeProto { tensor_type: Some(tensor_type) }) }
}
