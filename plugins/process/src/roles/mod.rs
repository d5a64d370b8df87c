//! The roles, a file for each: what crosses is what the role's trait takes and gives.

mod dataset;
mod model;
mod recipe;
mod scorer;
mod trainer;

pub use dataset::ProcessDataset;
pub use model::ProcessModel;
pub use recipe::ProcessRecipe;
pub use scorer::ProcessScorer;
pub use trainer::ProcessTrainer;

use crate::connection::Connection;
use examiner_api::{Flow, Result};
use serde::{Serialize, de::DeserializeOwned};

/// Calls a method that streams nothing.
fn ask<R: DeserializeOwned>(
    connection: &mut Connection,
    method: &str,
    payload: &(impl Serialize + ?Sized),
) -> Result<R> {
    let refuse =
        |_: serde_json::Value| -> Result<Flow, String> { Err(format!("sent an item, which `{method}` has none of")) };
    connection.call(method, payload, &mut { refuse })
}

/// Calls a method, and passes on what it streams.
fn stream<R: DeserializeOwned, I: DeserializeOwned>(
    connection: &mut Connection,
    method: &str,
    payload: &(impl Serialize + ?Sized),
    sink: &dyn examiner_api::Sink<I>,
) -> Result<R> {
    connection.call(method, payload, &mut |item| Ok(sink.send(item)))
}
