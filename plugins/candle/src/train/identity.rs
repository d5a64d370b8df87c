//! What the result of a training depends on. Only a training of the same identity is resumed, or taken as finished.

use super::options::TrainOptions;
use super::rows::Row;
use crate::device::ComputeDevice;
use examiner_api::Result;
use examiner_lm::fingerprint;
use serde::Serialize;

/// Changes when the same options and rows would give another result.
const VERSION: u32 = 2;

/// All that the result depends on.
#[derive(Serialize)]
struct Identity<'a> {
    version: u32,
    arithmetic: &'a str,
    start: &'a str,
    seed: u64,
    options: &'a TrainOptions,
    train: String,
    validation: String,
}

/// The identity of a training from a start of that fingerprint, on rows to train and to validate with.
///
/// # Errors
/// `BadInput` for options that cannot be serialized.
pub(super) fn identity(
    options: &TrainOptions,
    device: &ComputeDevice,
    start: &str,
    [train, validation]: [&[Row]; 2],
    seed: u64,
) -> Result<String> {
    let (train, validation) = (hash(train), hash(validation));
    fingerprint(&Identity { version: VERSION, arithmetic: device.kind(), start, seed, options, train, validation })
}

/// The hash of rows in tokens.
fn hash(rows: &[Row]) -> String {
    let mut hasher = blake3::Hasher::new();
    for row in rows {
        hasher.update(&(row.tokens.len() as u64).to_le_bytes());
        hasher.update(&(row.first_label as u64).to_le_bytes());
        hasher.update(bytemuck::cast_slice(&row.tokens));
    }
    hasher.finalize().to_hex().to_string()
}
