//! Adds, by way of older versions of serde, serde_json and rand than the program's, and with the feature `candle` of candle, too.

use examiner_api::{
    GenerateRequest, GenerateResult, Host, Model, ModelInfo, Open, Plugin, PluginError, Response, Result, Sink,
    schemars,
};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde::Deserialize;
use serde_json::Value;

/// What a suite may say of the model.
#[derive(Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(crate = "schemars")]
pub struct Options {
    /// Seed of the parts into which sums are divided on the way, which changes no sum.
    seed: u64,
}

impl Default for Options {
    fn default() -> Self {
        Options { seed: 1 }
    }
}

/// What travels with a request, read by the older serde.
#[derive(Deserialize)]
struct Asked {
    n: u64,
}

/// The model.
pub struct Adder {
    options: Options,
}

impl Open for Adder {
    type Options = Options;

    fn open(options: Options, _: Host) -> Result<Self> {
        Ok(Adder { options })
    }
}

impl Model for Adder {
    fn info(&self) -> Result<ModelInfo> {
        let (name, fingerprint) = ("adder".to_owned(), format!("adder of other versions, {}", self.options.seed));
        Ok(ModelInfo { name, fingerprint, can_generate: true, ..ModelInfo::default() })
    }

    fn generate(&mut self, requests: Vec<GenerateRequest>, sink: &dyn Sink<Response<GenerateResult>>) -> Result<()> {
        let mut random = StdRng::seed_from_u64(self.options.seed);
        for request in requests {
            let asked: Result<Asked> = serde_json::from_value(Value::Object((*request.sample.metadata).clone()))
                .map_err(|error| PluginError::bad_input("expected a number `n`").with_cause(&error));
            let result = asked.and_then(|Asked { n }| {
                let part = random.gen_range(0..=n);
                let text = add(part, 2 * n - part)?.to_string();
                Ok(GenerateResult { text, ..GenerateResult::default() })
            });
            let _ = sink.send(Response { id: request.id, result });
        }
        Ok(())
    }
}

#[cfg(not(feature = "candle"))]
fn add(one: u64, other: u64) -> Result<u64> {
    Ok(one + other)
}

#[cfg(feature = "candle")]
fn add(one: u64, other: u64) -> Result<u64> {
    use candle_core::{Device, Tensor};
    let sum = || Tensor::new(&[one as f64, other as f64], &Device::Cpu)?.sum_all()?.to_scalar::<f64>();
    let sum = sum().map_err(|error| PluginError::bad_input("candle cannot add").with_cause(&error))?;
    Ok(sum as u64)
}

/// The plugin.
pub fn plugin() -> Plugin {
    Plugin::new("other-versions", env!("CARGO_PKG_VERSION")).model::<Adder>("other-adder", "Adds.")
}

examiner_api::export_plugin!(plugin);
