//! A graph of one node, to try whether a device computes before a model is read.

use super::placement::Placement;
use crate::proto::{
    Dimension, GraphProto, ModelProto, NodeProto, Size, TensorShapeProto, TensorTypeProto, TypeProto, ValueInfoProto,
    data_type,
};
use crate::runtime::failed;
use examiner_api::Result;
use ort::memory::MemoryInfo;
use ort::session::builder::SessionBuilder;
use ort::value::{DynTensorValueType, Tensor};
use prost::Message;

/// What a probe found.
pub(super) struct Probed {
    /// Whether the node ran on the provider.
    pub(super) runs: bool,
    /// Whether its output stayed in the memory of the device.
    pub(super) stays: bool,
}

/// Why a probe ended early.
pub(super) enum Failure {
    /// ONNX Runtime could not make the session, or run it: its own words.
    Device(String),
    Other(examiner_api::PluginError),
}

/// Doubles four numbers on a provider.
pub(super) fn probe(
    mut builder: SessionBuilder,
    provider: &str,
    memory: Option<&MemoryInfo<'_>>,
) -> Result<Probed, Failure> {
    let on_device = |error: &ort::Error| Failure::Device(error.message().to_owned());
    let mut session = builder.commit_from_memory(&graph().encode_to_vec()).map_err(|error| on_device(&error))?;
    let placement = Placement::of(&session).map_err(Failure::Other)?;
    let runs = placement.nodes(provider) > 0;
    let mut stays = false;
    let Some(memory) = memory.filter(|_| runs) else { return Ok(Probed { runs, stays }) };
    let input =
        Tensor::from_array(([4], vec![1.0_f32; 4])).map_err(|error| Failure::Other(failed("make a tensor", &error)))?;
    let mut binding = session.create_binding().map_err(|error| on_device(&error))?;
    let mut run = || -> ort::Result<()> {
        binding.bind_input("x", &input)?;
        binding.bind_output_to_device("y", memory)?;
        let mut outputs = session.run_binding(&binding)?;
        let output = outputs.remove("y").and_then(|output| output.downcast::<DynTensorValueType>().ok());
        stays = output.is_some_and(|output| !output.memory_info().is_cpu_accessible());
        Ok(())
    };
    run().map_err(|error| on_device(&error))?;
    Ok(Probed { runs, stays })
}

fn graph() -> ModelProto {
    let value = |name: &str| {
        let shape = TensorShapeProto { dim: vec![Dimension { value: Some(Size::Param("n".to_owned())) }] };
        let tensor_type = TensorTypeProto { elem_type: data_type::FLOAT, shape: Some(shape) };
        ValueInfoProto { name: name.to_owned(), r#type: Some(TypeProto { tensor_type: Some(tensor_type) }) }
    };
    let node = NodeProto {
        name: "double".to_owned(),
        op_type: "Add".to_owned(),
        input: vec!["x".to_owned(), "x".to_owned()],
        output: vec!["y".to_owned()],
        ..NodeProto::default()
    };
    let graph = GraphProto {
        name: "probe".to_owned(),
        node: vec![node],
        input: vec![value("x")],
        output: vec![value("y")],
        ..GraphProto::default()
    };
    ModelProto::standard(graph)
}
