//! A graph as it is built: nodes, what goes in and comes out, and the constants between.

use super::options::NumberType;
use super::rounding::{Part, Rounded};
use crate::proto::{
    AttributeProto, Dimension, GraphProto, NodeProto, Size, TensorProto, TensorShapeProto, TensorTypeProto, TypeProto,
    ValueInfoProto, attribute_type, data_type,
};
use examiner_families::Rope;
use half::f16;
use prost::bytes::Bytes;

/// The graph of a model. A value is known by its name, which is that of the node that it comes from.
pub(super) struct Graph {
    name: &'static str,
    dtype: NumberType,
    nodes: Vec<NodeProto>,
    inputs: Vec<ValueInfoProto>,
    outputs: Vec<ValueInfoProto>,
    constants: Vec<TensorProto>,
    weights: Vec<Weight>,
}

/// A large tensor that the graph uses. Its numbers are read, or computed, when they are written.
pub(super) struct Weight {
    /// Its name in the graph.
    pub(super) name: String,
    pub(super) source: Source,
    pub(super) shape: Vec<usize>,
}

/// Where the numbers of a tensor are from.
pub(super) enum Source {
    /// The tensor of that name in the checkpoint.
    Tensor(String),
    /// The same, each number plus one.
    PlusOne(String),
    /// A row of cosines for each position.
    Cosines(Rope),
    /// A row of sines for each position.
    Sines(Rope),
    /// A part of a matrix of the checkpoint in 4 bits.
    Rounded(Rounded),
}

/// The value of an attribute.
pub(super) enum Attribute<'a> {
    Int(i64),
    Ints(&'a [i64]),
    Float(f32),
    Text(&'static str),
}

/// The type of the elements of an input or output.
pub(super) enum Element {
    /// Token ids, positions and masks.
    Int64,
    /// Lengths, where an operator wants them in 32 bits.
    Int32,
    /// The number type of the graph.
    Number,
}

/// A size of an input or output: known, or a name that stands for any.
pub(super) enum Axis {
    Size(usize),
    Any(&'static str),
}

impl Graph {
    pub(super) fn new(name: &'static str, dtype: NumberType) -> Self {
        Graph {
            name,
            dtype,
            nodes: Vec::new(),
            inputs: Vec::new(),
            outputs: Vec::new(),
            constants: Vec::new(),
            weights: Vec::new(),
        }
    }

    /// The type of the graph's numbers.
    pub(super) fn dtype(&self) -> NumberType {
        self.dtype
    }

    /// The weights, in the order in which they were added.
    pub(super) fn weights(&self) -> &[Weight] {
        &self.weights
    }

    /// Numbers in all tensors of the checkpoint.
    pub(super) fn parameters(&self) -> u64 {
        let learned = |weight: &Weight| match &weight.source {
            Source::Tensor(_) | Source::PlusOne(_) => weight.numbers(),
            Source::Rounded(Rounded { part: Part::Numbers, outputs, inputs, .. }) => outputs * inputs,
            Source::Rounded(_) | Source::Cosines(_) | Source::Sines(_) => 0,
        };
        self.weights.iter().map(learned).sum::<usize>() as u64
    }

    /// Bytes of all weights.
    pub(super) fn bytes(&self) -> u64 {
        self.weights.iter().map(|weight| weight.bytes(self.dtype) as u64).sum()
    }

    /// Adds an operation and gives its value. An operator that is not of the standard stands behind its domain:
    /// `com.microsoft::FastGelu`.
    pub(super) fn node(
        &mut self,
        op: &str,
        name: &str,
        inputs: &[&str],
        attributes: &[(&str, Attribute<'_>)],
    ) -> String {
        self.node_with_outputs(op, name, inputs, &[name], attributes);
        name.to_owned()
    }

    /// Adds an operation whose values have names of their own; an empty one is not asked for.
    pub(super) fn node_with_outputs(
        &mut self,
        op: &str,
        name: &str,
        inputs: &[&str],
        outputs: &[&str],
        attributes: &[(&str, Attribute<'_>)],
    ) {
        let (domain, op) = op.split_once("::").unwrap_or(("", op));
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        self.nodes.push(NodeProto {
            input: owned(inputs),
            output: owned(outputs),
            name: name.to_owned(),
            op_type: op.to_owned(),
            attribute: attributes.iter().map(|(name, value)| value.proto(name)).collect(),
            domain: domain.to_owned(),
        });
    }

    /// Whether there is an operation of a set of operators.
    pub(super) fn uses(&self, domain: &str) -> bool {
        self.nodes.iter().any(|node| node.domain == domain)
    }

    /// Whether there is an operation of that name.
    pub(super) fn has_node(&self, name: &str) -> bool {
        self.nodes.iter().any(|node| node.name == name)
    }

    /// Gives the value of the operation that was added last another name.
    pub(super) fn name_last(&mut self, name: &str) {
        if let Some(output) = self.nodes.last_mut().and_then(|node| node.output.first_mut()) {
            name.clone_into(output);
        }
    }

    /// Adds a large tensor and gives its value.
    pub(super) fn weight(&mut self, name: &str, source: Source, shape: &[usize]) -> String {
        self.weights.push(Weight { name: name.to_owned(), source, shape: shape.to_vec() });
        name.to_owned()
    }

    /// Adds a list of whole numbers. Of a name, a constant is there once, as of the next three.
    pub(super) fn list(&mut self, name: &str, values: &[i64]) -> String {
        let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.constant(name, data_type::INT64, &[values.len() as i64], bytes)
    }

    /// Adds a single whole number.
    pub(super) fn integer(&mut self, name: &str, value: i64) -> String {
        self.constant(name, data_type::INT64, &[], value.to_le_bytes().to_vec())
    }

    /// Adds a single number of the graph's type.
    pub(super) fn number(&mut self, name: &str, value: f32) -> String {
        let bytes = match self.dtype {
            NumberType::F32 => value.to_le_bytes().to_vec(),
            NumberType::F16 => f16::from_f32(value).to_le_bytes().to_vec(),
        };
        self.constant(name, data_type_of(self.dtype), &[], bytes)
    }

    /// Adds a single number of 32 bits, whatever the graph's type is.
    pub(super) fn float(&mut self, name: &str, value: f32) -> String {
        self.constant(name, data_type::FLOAT, &[], value.to_le_bytes().to_vec())
    }

    fn constant(&mut self, name: &str, data_type: i32, dims: &[i64], bytes: Vec<u8>) -> String {
        let constant = TensorProto {
            dims: dims.to_vec(),
            data_type,
            name: name.to_owned(),
            raw_data: Some(Bytes::from(bytes)),
            ..TensorProto::default()
        };
        match self.constants.iter().find(|other| other.name == name) {
            Some(same) => debug_assert_eq!(*same, constant, "one name for two constants"),
            None => self.constants.push(constant),
        }
        name.to_owned()
    }

    /// Declares an input.
    pub(super) fn input(&mut self, name: &str, element: Element, shape: &[Axis]) -> String {
        let info = self.value(name, element, shape);
        self.inputs.push(info);
        name.to_owned()
    }

    /// Declares an output, which a node must give.
    pub(super) fn output(&mut self, name: &str, shape: &[Axis]) {
        let info = self.value(name, Element::Number, shape);
        self.outputs.push(info);
    }

    fn value(&self, name: &str, element: Element, shape: &[Axis]) -> ValueInfoProto {
        let size = |axis: &Axis| match axis {
            Axis::Size(size) => Size::Value(*size as i64),
            Axis::Any(name) => Size::Param((*name).to_owned()),
        };
        let elem_type = match element {
            Element::Int64 => data_type::INT64,
            Element::Int32 => data_type::INT32,
            Element::Number => data_type_of(self.dtype),
        };
        let dim = shape.iter().map(|axis| Dimension { value: Some(size(axis)) }).collect();
        let tensor_type = Some(TensorTypeProto { elem_type, shape: Some(TensorShapeProto { dim }) });
        ValueInfoProto { name: name.to_owned(), r#type: Some(TypeProto { tensor_type }) }
    }

    /// All of it but the weights.
    pub(super) fn proto(&self) -> GraphProto {
        GraphProto {
            node: self.nodes.clone(),
            name: self.name.to_owned(),
            initializer: self.constants.clone(),
            input: self.inputs.clone(),
            output: self.outputs.clone(),
            ..GraphProto::default()
        }
    }
}

impl Weight {
    fn numbers(&self) -> usize {
        self.shape.iter().product()
    }

    /// Bytes of its numbers.
    pub(super) fn bytes(&self, dtype: NumberType) -> usize {
        self.numbers() * if self.is_packed() { 1 } else { dtype.size() }
    }

    /// Whether it consists of bytes in which several numbers are.
    fn is_packed(&self) -> bool {
        matches!(&self.source, Source::Rounded(rounded) if rounded.part != Part::Scales)
    }

    /// All of it but the numbers.
    pub(super) fn proto(&self, dtype: NumberType) -> TensorProto {
        TensorProto {
            dims: self.shape.iter().map(|&size| size as i64).collect(),
            data_type: if self.is_packed() { data_type::UINT8 } else { data_type_of(dtype) },
            name: self.name.clone(),
            ..TensorProto::default()
        }
    }
}

impl Attribute<'_> {
    fn proto(&self, name: &str) -> AttributeProto {
        let mut proto = AttributeProto { name: name.to_owned(), ..AttributeProto::default() };
        proto.r#type = match self {
            Attribute::Int(value) => {
                proto.i = Some(*value);
                attribute_type::INT
            }
            Attribute::Ints(values) => {
                proto.ints = values.to_vec();
                attribute_type::INTS
            }
            Attribute::Float(value) => {
                proto.f = Some(*value);
                attribute_type::FLOAT
            }
            Attribute::Text(value) => {
                proto.s = Some(Bytes::from_static(value.as_bytes()));
                attribute_type::STRING
            }
        };
        proto
    }
}

fn data_type_of(dtype: NumberType) -> i32 {
    match dtype {
        NumberType::F32 => data_type::FLOAT,
        NumberType::F16 => data_type::FLOAT16,
    }
}
