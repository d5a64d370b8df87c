//! Writes a model file by file, so that no more than a few numbers of its weights are in memory.
//!
//! A message of protocol buffers says how long it is before it begins. The lengths of all tensors are known before their
//! numbers are read, so that the graph is written first and the tensors after it, one by one.

use super::directory::{DATA, Directory, MODEL, Pending};
use super::graph::Graph;
use super::weights::Weights;
use crate::proto::{ModelProto, StringStringEntryProto, TensorProto, data_location};
use examiner_api::{ErrorCode, Host, PluginError, Result};
use prost::{Message, encode_length_delimiter, length_delimiter_len};

/// Before a message of a known length: `ModelProto.graph`, `GraphProto.initializer`, `TensorProto.raw_data`.
const GRAPH: u8 = 7 << 3 | 2;
const INITIALIZER: u8 = 5 << 3 | 2;
const RAW_DATA: u8 = 9 << 3 | 2;

/// Tensors in a file of their own begin at a multiple of this, so that it can be mapped into memory.
const ALIGNMENT: u64 = 4096;

/// Writes the model, with its weights in a file of their own or not, and gives the bytes of all that was written.
///
/// # Errors
/// `Io` if writing fails, `Numeric` for a weight that cannot be written, `Cancelled`.
pub(super) fn write(
    mut model: ModelProto,
    graph: &Graph,
    weights: &Weights,
    external: bool,
    directory: &mut Directory,
    host: &Host,
) -> Result<u64> {
    let dtype = graph.dtype();
    let mut tensors: Vec<TensorProto> = graph.weights().iter().map(|weight| weight.proto(dtype)).collect();
    let total = graph.bytes();
    let mut done = 0;
    let mut put = |index: usize, file: &mut Pending| -> Result<()> {
        if host.is_cancelled() {
            return Err(PluginError::new(ErrorCode::Cancelled, "the export was interrupted"));
        }
        let weight = &graph.weights()[index];
        let path = file.path().to_owned();
        weights.write(weight, dtype, file, &path)?;
        done += weight.bytes(dtype) as u64;
        host.progress("export weights", done, Some(total), "bytes");
        Ok(())
    };
    let mut size = 0;
    if external {
        let mut file = directory.create(DATA)?;
        for (index, tensor) in tensors.iter_mut().enumerate() {
            let offset = file.pad(ALIGNMENT)?;
            put(index, &mut file)?;
            let entry = |key: &str, value: String| StringStringEntryProto { key: key.to_owned(), value };
            let length = file.position() - offset;
            tensor.external_data = vec![
                entry("location", DATA.to_owned()),
                entry("offset", offset.to_string()),
                entry("length", length.to_string()),
            ];
            tensor.data_location = Some(data_location::EXTERNAL);
        }
        size += file.finish()?;
    }

    let bytes = |index: usize| if external { 0 } else { graph.weights()[index].bytes(dtype) };
    let length = |index: usize| {
        let data = if external { 0 } else { field_len(bytes(index)) };
        tensors[index].encoded_len() + data
    };
    let inner = model.graph.take().unwrap_or_default().encode_to_vec();
    let all = inner.len() + (0..tensors.len()).map(|index| field_len(length(index))).sum::<usize>();
    let mut file = directory.create(MODEL)?;
    file.put(&model.encode_to_vec())?;
    file.put(&head(GRAPH, all)?)?;
    file.put(&inner)?;
    for (index, tensor) in tensors.iter().enumerate() {
        file.put(&head(INITIALIZER, length(index))?)?;
        file.put(&tensor.encode_to_vec())?;
        if !external {
            file.put(&head(RAW_DATA, bytes(index))?)?;
            put(index, &mut file)?;
        }
    }
    Ok(size + file.finish()?)
}

/// What stands before a message or bytes of that length.
fn head(key: u8, length: usize) -> Result<Vec<u8>> {
    let mut head = vec![key];
    encode_length_delimiter(length, &mut head)
        .map_err(|error| PluginError::bad_input("cannot encode a length").with_cause(&error))?;
    Ok(head)
}

/// The length of a field of so many bytes, with what stands before it.
fn field_len(length: usize) -> usize {
    1 + length_delimiter_len(length) + length
}
