//! Logits from the output of a graph to the scheduler.

use super::signature::Signature;
use crate::runtime::failed;
use examiner_api::{ErrorCode, PluginError, Result};
use examiner_lm::{OnLogits, Row};
use half::f16;
use ort::value::{DynValue, TensorElementType};
use std::borrow::Cow;
use std::path::Path;

/// Rows of logits that are sent at the same time.
const ROWS_AT_ONCE: usize = 64;

/// Sends the logits of the wanted rows, each given by its index among the `fed` rows of the call, padding included, and by
/// its token.
///
/// # Errors
/// `Protocol` where the graph gave more or fewer logits than it must, `Numeric` where one is no number.
pub(crate) fn send_logits(
    logits: Option<&DynValue>,
    signature: &Signature,
    path: &Path,
    (fed, rows): (usize, &[(usize, Row)]),
    on_logits: &mut OnLogits<'_>,
) -> Result<()> {
    let (vocabulary, name) = (signature.shape.vocabulary, &signature.names.logits);
    let expected = if signature.wanted_rows { rows.len() } else { fed };
    let logits = checked(logits, expected, vocabulary).map_err(|found| {
        let message = format!(
            "tensor `{name}` of `{}`: expected {expected} rows of {vocabulary} values, found {found}",
            path.display()
        );
        PluginError::new(ErrorCode::Protocol, message).with_help("export the model again")
    })?;
    let indices: Vec<usize> = match signature.wanted_rows {
        true => (0..rows.len()).collect(),
        false => rows.iter().map(|(index, _)| *index).collect(),
    };
    for (rows, indices) in rows.chunks(ROWS_AT_ONCE).zip(indices.chunks(ROWS_AT_ONCE)) {
        let values = read(logits, indices, vocabulary).map_err(|error| failed("read logits", &error))?;
        // All of them: a loop that may end early is not computed several numbers at a time.
        if values.iter().fold(false, |found, value| found | value.is_nan()) {
            let message = format!("tensor `{name}` of `{}` has NaN", path.display());
            return Err(PluginError::new(ErrorCode::Numeric, message).with_help(
                "a model of 16 bits may overflow: export it with `dtype: f32`; otherwise its weights are damaged",
            ));
        }
        let rows: Vec<Row> = rows.iter().map(|(_, row)| *row).collect();
        on_logits(&rows, &values)?;
    }
    Ok(())
}

/// The tensor, if it has so many rows; otherwise, what was found.
fn checked(logits: Option<&DynValue>, rows: usize, vocabulary: usize) -> Result<&DynValue, String> {
    let Some(logits) = logits else { return Err("nothing".to_owned()) };
    let dims = logits.shape();
    let size: i64 = dims.iter().product();
    match dims.last() == Some(&(vocabulary as i64)) && size == (rows * vocabulary) as i64 {
        true => Ok(logits),
        false => Err(format!("the shape {dims:?}")),
    }
}

/// Rows of logits, in 32 bits; without a copy where they are that already, side by side.
fn read<'a>(logits: &'a DynValue, indices: &[usize], vocabulary: usize) -> ort::Result<Cow<'a, [f32]>> {
    let row = |index: usize| index * vocabulary..(index + 1) * vocabulary;
    if logits.dtype().tensor_type() == Some(TensorElementType::Float16) {
        let (_, all) = logits.try_extract_tensor::<f16>()?;
        return Ok(indices.iter().flat_map(|&index| all[row(index)].iter().map(|value| value.to_f32())).collect());
    }
    let (_, all) = logits.try_extract_tensor::<f32>()?;
    let first = indices.first().copied().unwrap_or_default();
    if indices.iter().copied().eq(first..first + indices.len()) {
        return Ok(Cow::Borrowed(&all[first * vocabulary..][..indices.len() * vocabulary]));
    }
    let mut values = Vec::with_capacity(indices.len() * vocabulary);
    indices.iter().for_each(|&index| values.extend_from_slice(&all[row(index)]));
    Ok(Cow::Owned(values))
}
