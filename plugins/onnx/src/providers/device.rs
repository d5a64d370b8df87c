//! The devices that a suite can name, and how they are typed.

use examiner_api::schemars::{self, JsonSchema, Schema, SchemaGenerator};
use serde::de::Error;
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

/// A device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Device {
    /// The CPU.
    Cpu,
    /// A GPU through CUDA, by its number.
    Cuda(i32),
    /// A GPU through TensorRT, by its number.
    TensorRt(i32),
    /// What an execution provider in a library of its own computes on.
    Plugin(PluginDevice),
}

/// A device of an execution provider that comes in a library of its own.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PluginDevice {
    /// `webgpu`, `openvino` or `tensorrt-rtx`, or the name that the provider itself has: `WebGpuExecutionProvider`.
    pub provider: String,
    /// Which of the devices that the provider offers; none to leave the choice to it.
    pub number: Option<usize>,
    /// The provider's library; none to have it found.
    pub library: Option<PathBuf>,
    /// The provider's own options.
    pub options: BTreeMap<String, String>,
}

/// A provider whose library is found by itself.
pub(crate) struct Known {
    /// What a suite calls it.
    pub(crate) name: &'static str,
    /// What the library calls it.
    pub(crate) provider: &'static str,
    /// The library's file, without what a system puts around such names.
    pub(crate) library: &'static str,
    /// The package of Python that has it, in a module of that name with `_` in place of `-`.
    pub(crate) package: &'static str,
    /// The options that it gets unless the suite says otherwise.
    pub(crate) options: &'static [(&'static str, &'static str)],
}

/// On processors that can, OpenVINO computes products of 32-bit numbers in 16 bits: log-likelihoods would be off by hundredths.
const OPENVINO_F32: &str = r#"{"CPU":{"INFERENCE_PRECISION_HINT":"f32"},"GPU":{"INFERENCE_PRECISION_HINT":"f32"}}"#;

pub(crate) const KNOWN: [Known; 3] = [
    Known {
        name: "webgpu",
        provider: "WebGpuExecutionProvider",
        library: "onnxruntime_providers_webgpu",
        package: "onnxruntime-ep-webgpu",
        options: &[],
    },
    Known {
        name: "openvino",
        provider: "OpenVINOExecutionProvider",
        library: "onnxruntime_providers_openvino_plugin",
        package: "onnxruntime-ep-openvino",
        options: &[("load_config", OPENVINO_F32)],
    },
    Known {
        name: "tensorrt-rtx",
        provider: "NvTensorRTRTXExecutionProvider",
        library: "onnxruntime_providers_nv_tensorrt_rtx",
        package: "onnxruntime-ep-nv-tensorrt-rtx",
        options: &[],
    },
];

impl PluginDevice {
    /// What is known of the provider, by either of its names.
    pub(crate) fn known(&self) -> Option<&'static Known> {
        KNOWN.iter().find(|known| known.name == self.provider || known.provider == self.provider)
    }

    /// What the library calls the provider.
    pub(crate) fn provider_name(&self) -> &str {
        self.known().map_or(&self.provider, |known| known.provider)
    }
}

impl Device {
    /// Reads `cpu`, `cuda`, `cuda:N`, `tensorrt`, `tensorrt:N`, or a name of [`KNOWN`] with or without a number.
    fn parse(text: &str) -> Option<Device> {
        let (kind, number) = match text.split_once(':') {
            Some((kind, number)) => (kind, Some(number.parse().ok().filter(|&number: &i32| number >= 0)?)),
            None => (text, None),
        };
        match (kind, number) {
            ("cpu", None) => Some(Device::Cpu),
            ("cuda", number) => Some(Device::Cuda(number.unwrap_or(0))),
            ("tensorrt", number) => Some(Device::TensorRt(number.unwrap_or(0))),
            (name, number) => KNOWN.iter().any(|known| known.name == name).then(|| {
                let (provider, number) = (name.to_owned(), number.map(|number| number as usize));
                Device::Plugin(PluginDevice { provider, number, ..PluginDevice::default() })
            }),
        }
    }

    /// Whether ONNX Runtime's own library has the device's provider.
    pub(crate) fn is_built_in(&self) -> bool {
        !matches!(self, Device::Plugin(_))
    }
}

impl fmt::Display for Device {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Device::Cpu => write!(formatter, "cpu"),
            Device::Cuda(number) => write!(formatter, "cuda:{number}"),
            Device::TensorRt(number) => write!(formatter, "tensorrt:{number}"),
            Device::Plugin(PluginDevice { provider, number: Some(number), .. }) => {
                write!(formatter, "{provider}:{number}")
            }
            Device::Plugin(PluginDevice { provider, .. }) => write!(formatter, "{provider}"),
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

/// An execution provider in a library of its own.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Described {
    provider: String,
    #[serde(default)]
    number: Option<usize>,
    #[serde(default)]
    library: Option<PathBuf>,
    #[serde(default)]
    options: BTreeMap<String, Value>,
}

const NAMES: &str = "`cpu`, `cuda`, `cuda:N`, `tensorrt`, `tensorrt:N`, `webgpu`, `webgpu:N`, `openvino`, `tensorrt-rtx`, \
     `{ provider: NAME, library: FILE, options: { ... } }` or a list of them";

impl TryFrom<Described> for Device {
    type Error = String;

    fn try_from(described: Described) -> Result<Device, String> {
        let Described { provider, number, library, options } = described;
        let text = |(name, value): (String, Value)| match value {
            Value::String(text) => Ok((name, text)),
            Value::Bool(_) | Value::Number(_) => Ok((name, value.to_string())),
            _ => Err(format!(
                "expected a text, a number or a truth value as the option `{name}` of the provider `{provider}`"
            )),
        };
        let options = options.into_iter().map(text).collect::<Result<_, _>>()?;
        let device = PluginDevice { provider, number, library, options };
        if device.library.is_none() && device.known().is_none() {
            let known: Vec<_> = KNOWN.iter().map(|known| known.name).collect();
            return Err(format!(
                "`provider: {}` needs its `library`; without one, expected one of `{}`",
                device.provider,
                known.join("`, `")
            ));
        }
        Ok(Device::Plugin(device))
    }
}

impl<'de> Deserialize<'de> for Devices {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let typed = Value::deserialize(deserializer)?;
        let listed = match typed {
            Value::Array(listed) => listed,
            one => vec![one],
        };
        let device = |value: &Value| -> Result<Device, D::Error> {
            match value {
                Value::Object(_) => {
                    let described: Described = serde_json::from_value(value.clone()).map_err(D::Error::custom)?;
                    Device::try_from(described).map_err(D::Error::custom)
                }
                Value::String(text) => Device::parse(text)
                    .ok_or_else(|| D::Error::custom(format!("`device: {text}` names no device; expected {NAMES}"))),
                other => Err(D::Error::custom(format!("`device: {other}` names no device; expected {NAMES}"))),
            }
        };
        if listed.is_empty() {
            return Err(D::Error::custom(format!("`device` names no device; expected {NAMES}")));
        }
        listed.iter().map(device).collect::<Result<_, _>>().map(Devices)
    }
}

impl JsonSchema for Devices {
    fn schema_name() -> Cow<'static, str> {
        "Devices".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let pattern = "^(cpu|(cuda|tensorrt|webgpu|openvino|tensorrt-rtx)(:[0-9]+)?)$";
        let named = serde_json::json!({ "type": "string", "pattern": pattern });
        let described = serde_json::json!({
            "type": "object",
            "required": ["provider"],
            "additionalProperties": false,
            "properties": {
                "provider": { "type": "string" },
                "number": { "type": "integer", "minimum": 0 },
                "library": { "type": "string", "format": "path" },
                "options": { "type": "object", "additionalProperties": { "type": ["string", "number", "boolean"] } }
            }
        });
        schemars::json_schema!({
            "anyOf": [
                named,
                described,
                { "type": "array", "minItems": 1, "items": { "anyOf": [named, described] } }
            ]
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(value: Value) -> Result<Devices, serde_json::Error> {
        serde_json::from_value(value)
    }

    fn webgpu(number: Option<usize>) -> Device {
        Device::Plugin(PluginDevice { provider: "webgpu".to_owned(), number, ..PluginDevice::default() })
    }

    #[test]
    fn names_of_devices() {
        assert_eq!(read(json!("cpu")).unwrap(), Devices::default());
        assert_eq!(read(json!("cuda")).unwrap().0, [Device::Cuda(0)]);
        let several = read(json!(["tensorrt:1", "cuda:1", "webgpu", "webgpu:2", "cpu"])).unwrap();
        let expected = [Device::TensorRt(1), Device::Cuda(1), webgpu(None), webgpu(Some(2)), Device::Cpu];
        assert_eq!(several.0, expected);
        for wrong in [
            json!("gpu"),
            json!("cuda:"),
            json!("cuda:-1"),
            json!("webgpu:x"),
            json!("cpu:0"),
            json!([]),
            json!(["x"]),
            json!(1),
        ] {
            let error = read(wrong.clone()).unwrap_err().to_string();
            assert!(error.contains("expected `cpu`, `cuda`"), "{wrong}: {error}");
        }
    }

    #[test]
    fn a_provider_is_described_by_its_library_and_options() {
        let described =
            json!({ "provider": "Mine", "library": "libmine.so", "options": { "a": 1, "b": true, "c": "x" } });
        let Device::Plugin(device) = read(described).unwrap().0.remove(0) else { panic!("another device") };
        assert_eq!((device.provider_name(), device.number), ("Mine", None));
        let options: Vec<_> = device.options.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(options, [("a", "1"), ("b", "true"), ("c", "x")]);
        let known = read(json!({ "provider": "WebGpuExecutionProvider" })).unwrap().0.remove(0);
        assert!(matches!(&known, Device::Plugin(device) if device.known().unwrap().name == "webgpu"));
        let error = |value: Value| read(value).unwrap_err().to_string();
        assert!(
            error(json!({ "provider": "Mine" })).contains("needs its `library`; without one, expected one of `webgpu`")
        );
        assert!(error(json!({ "provider": "webgpu", "options": { "a": [] } })).contains("the option `a`"));
        assert!(error(json!({ "provider": "webgpu", "lib": "x" })).contains("unknown field `lib`"));
    }
}
