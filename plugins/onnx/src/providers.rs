//! Where a session computes: the devices that a suite asks for, as execution providers of ONNX Runtime.

use crate::runtime::Runtime;
use examiner_api::schemars::{self, JsonSchema, Schema, SchemaGenerator};
use examiner_api::{Host, PluginError, Result};
use ort::ep::{self, ExecutionProviderDispatch};
use ort::memory::{AllocationDevice, AllocatorType, MemoryInfo, MemoryType};
use ort::session::builder::SessionBuilder;
use serde::{Deserialize, Deserializer};
use std::borrow::Cow;
use std::fmt;

/// A device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Device {
    /// The CPU.
    Cpu,
    /// A GPU through CUDA, by its number.
    Cuda(i32),
    /// A GPU through TensorRT, by its number.
    TensorRt(i32),
}

impl Device {
    /// Reads `cpu`, `cuda`, `cuda:N`, `tensorrt` or `tensorrt:N`.
    fn parse(text: &str) -> Option<Device> {
        let (kind, number) = match text.split_once(':') {
            Some((kind, number)) => (kind, Some(number.parse().ok().filter(|&number: &i32| number >= 0)?)),
            None => (text, None),
        };
        match (kind, number) {
            ("cpu", None) => Some(Device::Cpu),
            ("cuda", number) => Some(Device::Cuda(number.unwrap_or(0))),
            ("tensorrt", number) => Some(Device::TensorRt(number.unwrap_or(0))),
            _ => None,
        }
    }

    /// Where keys and values stay between passes.
    ///
    /// # Errors
    /// `Other` if ONNX Runtime knows no such memory.
    pub(crate) fn memory(self) -> Result<MemoryInfo<'static>> {
        let (device, number) = match self {
            Device::Cpu => (AllocationDevice::CPU, 0),
            Device::Cuda(number) | Device::TensorRt(number) => (AllocationDevice::CUDA, number),
        };
        MemoryInfo::new(device, number, AllocatorType::Device, MemoryType::Default)
            .map_err(|error| crate::runtime::failed("describe the memory of the device", &error))
    }
}

impl fmt::Display for Device {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Device::Cpu => write!(formatter, "cpu"),
            Device::Cuda(number) => write!(formatter, "cuda:{number}"),
            Device::TensorRt(number) => write!(formatter, "tensorrt:{number}"),
        }
    }
}

/// The devices that a suite asks for, most wanted first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Devices(pub(crate) Vec<Device>);

impl Default for Devices {
    fn default() -> Self {
        Devices(vec![Device::Cpu])
    }
}

impl<'de> Deserialize<'de> for Devices {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Text {
            One(String),
            Several(Vec<String>),
        }
        let names = match Text::deserialize(deserializer)? {
            Text::One(name) => vec![name],
            Text::Several(names) => names,
        };
        let devices: Option<Vec<Device>> = names.iter().map(|name| Device::parse(name)).collect();
        devices.filter(|devices| !devices.is_empty()).map(Devices).ok_or_else(|| {
            serde::de::Error::custom(format!(
                "`device: {}` names no device; expected `cpu`, `cuda`, `cuda:N`, `tensorrt`, `tensorrt:N` or a list of them",
                names.join(", ")
            ))
        })
    }
}

impl JsonSchema for Devices {
    fn schema_name() -> Cow<'static, str> {
        "Devices".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let pattern = "^(cpu|(cuda|tensorrt)(:[0-9]+)?)$";
        schemars::json_schema!({
            "anyOf": [
                { "type": "string", "pattern": pattern },
                { "type": "array", "minItems": 1, "items": { "type": "string", "pattern": pattern } }
            ]
        })
    }
}

/// The devices that a session got.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Chosen {
    pub(crate) devices: Vec<Device>,
    /// What was passed over, each with its reason.
    pub(crate) warnings: Vec<String>,
}

/// Adds the providers to a session, in the order asked.
///
/// # Errors
/// `Unsupported` for a device whose provider the library does not have or cannot load, unless `fallback` allows to go on
/// without it.
pub(crate) fn register(
    mut builder: SessionBuilder,
    runtime: &Runtime,
    wanted: &Devices,
    memory_limit: Option<usize>,
    fallback: bool,
    host: &Host,
) -> Result<(SessionBuilder, Chosen)> {
    let mut chosen = Chosen { devices: Vec::new(), warnings: Vec::new() };
    for &device in &wanted.0 {
        let Some(provider) = provider(device, memory_limit) else {
            chosen.devices.push(device);
            continue;
        };
        match builder.clone().with_execution_providers([provider.error_on_failure()]) {
            Ok(with) => {
                builder = with;
                chosen.devices.push(device);
            }
            Err(error) => {
                let refused = refused(device, runtime, error.message());
                if !fallback {
                    return Err(refused);
                }
                let warning = format!("{} is passed over (`fallback: true`): {}", device, refused.message);
                host.warn(&warning);
                chosen.warnings.push(warning);
            }
        }
    }
    if chosen.devices.is_empty() {
        chosen.devices.push(Device::Cpu);
    }
    Ok((builder, chosen))
}

/// Tries whether a session can be made for a device.
///
/// # Errors
/// `Unsupported`, with the reason, if it cannot.
pub(crate) fn usable(device: Device, runtime: &Runtime) -> Result<()> {
    let Some(provider) = provider(device, None) else { return Ok(()) };
    let builder = SessionBuilder::new(&runtime.environment)
        .map_err(|error| crate::runtime::failed("prepare a session", &error))?;
    match builder.with_execution_providers([provider.error_on_failure()]) {
        Ok(_) => Ok(()),
        Err(error) => Err(refused(device, runtime, error.message())),
    }
}

/// The provider of a device; the CPU's is always there.
fn provider(device: Device, memory_limit: Option<usize>) -> Option<ExecutionProviderDispatch> {
    match device {
        Device::Cpu => None,
        Device::Cuda(number) => {
            // TF32 rounds products of 32-bit numbers to ten binary digits: log-likelihoods would be off by hundredths.
            let mut provider = ep::CUDA::default().with_device_id(number).with_tf32(false);
            if let Some(limit) = memory_limit {
                provider = provider.with_memory_limit(limit);
            }
            Some(provider.build())
        }
        Device::TensorRt(number) => {
            let mut provider = ep::TensorRT::default().with_device_id(number);
            if let Some(limit) = memory_limit {
                provider = provider.with_max_workspace_size(limit);
            }
            Some(provider.build())
        }
    }
}

/// What installs what a device needs besides ONNX Runtime.
pub(crate) fn install(device: Device) -> Option<&'static str> {
    match device {
        Device::Cpu => None,
        Device::Cuda(_) => Some("python3 -m pip install onnxruntime-gpu"),
        Device::TensorRt(_) => Some("python3 -m pip install onnxruntime-gpu tensorrt"),
    }
}

fn refused(device: Device, runtime: &Runtime, reason: &str) -> PluginError {
    // What ONNX Runtime says goes on for pages.
    let reason = reason.lines().next().unwrap_or_default();
    let (version, library) = (&runtime.version, runtime.path.display());
    PluginError::unsupported(format!("ONNX Runtime {version} (`{library}`) cannot use `device: {device}`: {reason}"))
        .with_help(format!(
            "`{}`, and look with `nvidia-smi` whether the driver is there; or write `device: cpu`, or `fallback: true`",
            install(device).unwrap_or_default()
        ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn names_of_devices() {
        let read = |value: Value| serde_json::from_value::<Devices>(value);
        assert_eq!(read(json!("cpu")).unwrap(), Devices::default());
        assert_eq!(read(json!("cuda")).unwrap().0, [Device::Cuda(0)]);
        let several = read(json!(["tensorrt:1", "cuda:1", "cpu"])).unwrap();
        assert_eq!(several.0, [Device::TensorRt(1), Device::Cuda(1), Device::Cpu]);
        for wrong in [json!("gpu"), json!("cuda:"), json!("cuda:-1"), json!("cpu:0"), json!([]), json!(["cpu", "x"])] {
            let error = read(wrong.clone()).unwrap_err().to_string();
            assert!(error.contains("expected `cpu`, `cuda`"), "{wrong}: {error}");
        }
    }
}
