//! Logits from the output of a graph to the scheduler.

use super::signature::{LOGITS, Signature};
use crate::runtime::failed;
use examiner_api::{ErrorCode, PluginError, Result};
use examiner_lm::{OnLogits, Row};
use half::f16;
use ort::value::{DynValue, TensorElementType};
use std::path::Path;

/// Rows of logits that are sent at the same time.
const ROWS_AT_ONCE: usize = 64;

/// Sends the logits of the wanted rows, each given by its index among all rows of the call and by its token.
///
/// # Errors
/// `Numeric` where a logit is no number.
pub(crate) fn send_logits(
    logits: &DynValue,
    signature: &Signature,
    path: &Path,
    rows: &[(usize, Row)],
    on_logits: &mut OnLogits<'_>,
) -> Result<()> {
    let vocabulary = signature.shape.vocabulary;
    let indices: Vec<usize> = match signature.wanted_rows {
        true => (0..rows.len()).collect(),
        false => rows.iter().map(|(index, _)| *index).collect(),
    };
    for (rows, indices) in rows.chunks(ROWS_AT_ONCE).zip(indices.chunks(ROWS_AT_ONCE)) {
        let values = read(logits, indices, vocabulary).map_err(|error| failed("read logits", &error))?;
        if values.iter().any(|value| value.is_nan()) {
            let message = format!("tensor `{LOGITS}` of `{}` has NaN", path.display());
            return Err(PluginError::new(ErrorCode::Numeric, message).with_help(
                "a model of 16 bits may overflow: export it with `dtype: f32`; otherwise its weights are damaged",
            ));
        }
        let rows: Vec<Row> = rows.iter().map(|(_, row)| *row).collect();
        on_logits(&rows, &values)?;
    }
    Ok(())
}

/// Rows of logits, in 32 bits.
fn read(logits: &DynValue, indices: &[usize], vocabulary: usize) -> ort::Result<Vec<f32>> {
    let mut values = Vec::with_capacity(indices.len() * vocabulary);
    if logits.dtype().tensor_type() == Some(TensorElementType::Float16) {
        let (_, all) = logits.try_extract_tensor::<f16>()?;
        for &index in indices {
            values.extend(all[index * vocabulary..(index + 1) * vocabulary].iter().map(|value| value.to_f32()));
        }
    } else {
        let (_, all) = logits.try_extract_tensor::<f32>()?;
        for &index in indices {
            values.extend_from_slice(&all[index * vocabulary..(index + 1) * vocabulary]);
        }
    }
    Ok(values)
}
