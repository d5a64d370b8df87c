//! Execution providers that come in libraries of their own.
//!
//! A library is registered once for a process. It then offers devices, of which a session gets one.

use super::api;
use super::device::{Device, PluginDevice};
use super::search;
use super::vulkan;
use crate::runtime::Runtime;
use examiner_api::{PluginError, Result};
use memmap2::Mmap;
use ort::memory::{DeviceType, MemoryInfo};
use ort::session::builder::SessionBuilder;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};

/// A provider that a session was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Provider {
    /// What it calls itself: `WebGpuExecutionProvider`.
    pub(crate) name: String,
    /// Empty if it does not say.
    pub(crate) version: String,
    pub(crate) library: PathBuf,
    /// The processor that it was listed for: `GPU, NVIDIA`.
    pub(crate) hardware: String,
}

/// The libraries that this process has registered, by the names of their providers.
static REGISTERED: Mutex<BTreeMap<String, PathBuf>> = Mutex::new(BTreeMap::new());

/// A provider's device, in a builder that has it.
pub(super) struct Added {
    pub(super) builder: SessionBuilder,
    pub(super) provider: Provider,
    /// The memory of the device; none if it is that of the CPU.
    pub(super) memory: Option<MemoryInfo<'static>>,
}

/// Adds a device to a session.
///
/// # Errors
/// `NotFound` without its library, `Unsupported` if it cannot be used with this ONNX Runtime or on this machine,
/// `BadOptions` for a number beyond its last device.
pub(super) fn add(builder: SessionBuilder, device: &PluginDevice, runtime: &Runtime) -> Result<Added> {
    let (name, library) = (device.provider_name(), search::library(device)?);
    let is_webgpu = device.known().is_some_and(|known| known.name == "webgpu");
    if is_webgpu {
        vulkan::check()?;
    }
    register(name, &library, runtime)?;
    // Devices are as old as the registration, which is never taken back: what they lend is lent for the whole process.
    let environment: &'static _ = Box::leak(Box::new(runtime.environment.clone()));
    let own = || environment.devices().filter(|found| found.ep().is_ok_and(|found| found == name));
    let (count, index) = (own().count(), device.number.unwrap_or(0));
    if count == 0 {
        let offered: Vec<&str> = environment.devices().filter_map(|device| device.ep().ok()).collect();
        return Err(no_device(device, &library, &offered));
    }
    let (Some(lender), Some(added)) = (own().nth(index), own().nth(index)) else {
        return Err(out_of_range(device, count));
    };
    let mut options = options_of(device);
    if is_webgpu && count > 1 && device.number.is_some() {
        choose_adapter(&library, index, &mut options)?;
    }
    let options: Vec<_> = options.into_iter().map(|(key, value)| (format!("{name}.{key}"), value)).collect();
    let lender: &'static _ = Box::leak(Box::new(lender));
    let hardware = lender.hardware_device();
    let kind = match hardware.ty() {
        DeviceType::GPU => "GPU",
        DeviceType::NPU => "NPU",
        _ => "CPU",
    };
    let provider = Provider {
        name: name.to_owned(),
        version: api::metadata(lender, c"version").unwrap_or_default(),
        hardware: format!("{kind}, {}", hardware.vendor().unwrap_or("of an unknown maker")),
        library,
    };
    let memory = api::has_memory(lender).then(|| lender.memory_info(false));
    let memory = memory.filter(|memory| !memory.is_cpu_accessible());
    match builder.with_devices([added], Some(&options)) {
        Ok(builder) => Ok(Added { builder, provider, memory }),
        Err(error) => Err(unusable(device, &provider.library, runtime, error.message())),
    }
}

/// Registers a library, unless it is registered.
fn register(name: &str, library: &Path, runtime: &Runtime) -> Result<()> {
    let mut registered = REGISTERED.lock();
    match registered.get(name) {
        Some(before) if before == library => return Ok(()),
        Some(before) => {
            return Err(PluginError::bad_options(format!(
                "`library: {}` cannot be opened: this process has opened `{}` for the provider `{name}` already",
                library.display(),
                before.display()
            ))
            .with_help("all models of a run must name the same library of a provider"));
        }
        None => (),
    }
    runtime
        .environment
        .register_ep_library(name, library)
        .map_err(|error| refused(library, runtime, error.message()))?;
    registered.insert(name.to_owned(), library.to_owned());
    Ok(())
}

/// The provider's options: those that it always gets, and the suite's.
fn options_of(device: &PluginDevice) -> BTreeMap<String, String> {
    let known = device.known().map(|known| known.options).unwrap_or_default();
    let mut options: BTreeMap<_, _> =
        known.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    options.extend(device.options.clone());
    options
}

/// Has the provider of WebGPU take one adapter of several. Its older releases choose by themselves and pass over an option
/// that they do not know.
fn choose_adapter(library: &Path, index: usize, options: &mut BTreeMap<String, String>) -> Result<()> {
    const OPTION: &str = "adapterIndex";
    let file = File::open(library).map_err(|error| PluginError::io("open", library, &error))?;
    // SAFETY: the file is mapped by the loader of libraries already, which relies on it as much.
    let bytes = unsafe { Mmap::map(&file) }.map_err(|error| PluginError::io("map", library, &error))?;
    if !bytes.windows(OPTION.len()).any(|window| window == OPTION.as_bytes()) {
        return Err(PluginError::unsupported(format!(
            "`{}` chooses among several adapters by itself, so that `device: webgpu:{index}` cannot be heeded",
            library.display()
        ))
        .with_help(
            "upgrade it: `python3 -m pip install --upgrade onnxruntime-ep-webgpu`; or write `device: webgpu`, or \
             `device: { provider: webgpu, options: { powerPreference: low-power } }` for the GPU that takes less power",
        ));
    }
    options.insert(OPTION.to_owned(), index.to_string());
    Ok(())
}

fn out_of_range(device: &PluginDevice, count: usize) -> PluginError {
    let (provider, last) = (&device.provider, count.saturating_sub(1));
    let numbers = if last == 0 { "number 0 alone".to_owned() } else { format!("numbers 0 to {last}") };
    PluginError::bad_options(format!(
        "`device: {}` is out of range: the provider offers {count} on this machine, {numbers}",
        Device::Plugin(device.clone())
    ))
    .with_help(format!(
        "write `device: {provider}` to leave the choice to the provider, or `device: {provider}:{last}`"
    ))
}

fn no_device(device: &PluginDevice, library: &Path, offered: &[&str]) -> PluginError {
    let (name, library) = (device.provider_name(), library.display());
    let known = device.known().map_or("", |known| known.name);
    let message = format!(
        "the provider `{name}` of `{library}` finds no device on this machine (ONNX Runtime lists those of `{}`)",
        offered.join("`, `")
    );
    let help = match known {
        "webgpu" => {
            "look with `vulkaninfo --summary` whether the GPU's Vulkan driver is there, in a container whether the GPU is \
             passed on to it; a software GPU counts only with `ORT_WEBGPU_EP_ALLOW_SOFTWARE_ADAPTER=1`; or write `device: \
             cpu`, or `fallback: true`"
        }
        "openvino" => "it offers processors, GPUs and NPUs of Intel alone; or write `device: cpu`, or `fallback: true`",
        _ => {
            "check that `provider` is what the library calls itself, and that the driver is there; or write `device: cpu`"
        }
    };
    PluginError::unsupported(message).with_help(help)
}

/// The library cannot be registered.
fn refused(library: &Path, runtime: &Runtime, reason: &str) -> PluginError {
    let reason = first_line(reason);
    PluginError::unsupported(format!(
        "`{}` cannot be used with ONNX Runtime {} (`{}`): {reason}",
        library.display(),
        runtime.version,
        runtime.path.display()
    ))
    .with_help(
        "a provider's library and ONNX Runtime must be of releases that fit: `python3 -m pip install --upgrade \
         onnxruntime` and the provider's package",
    )
}

/// The provider is there, and the device cannot be used.
pub(super) fn unusable(device: &PluginDevice, library: &Path, runtime: &Runtime, reason: &str) -> PluginError {
    let help = match device.known().map(|known| known.name) {
        Some("webgpu") => {
            "look with `vulkaninfo --summary` whether the GPU's Vulkan driver is there and new enough (`VK_ICD_FILENAMES` may \
             name it), and at `options`; or write `device: cpu`, or `fallback: true`"
        }
        _ => "look whether the driver is there, and at `options`; or write `device: cpu`, or `fallback: true`",
    };
    PluginError::unsupported(format!(
        "ONNX Runtime {} cannot use `device: {}` through `{}`: {}",
        runtime.version,
        Device::Plugin(device.clone()),
        library.display(),
        reason_of(reason)
    ))
    .with_help(help)
}

/// What ONNX Runtime says goes on for pages, and begins with places in its sources; the reason is after the last of them.
fn reason_of(message: &str) -> &str {
    let line = message.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    for mark in [" was false. ", "EP_FAIL : "] {
        if let Some((_, reason)) = line.rsplit_once(mark) {
            return reason;
        }
    }
    line
}

fn first_line(message: &str) -> &str {
    message.lines().next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reason_is_what_is_said_last() {
        let said = "a.cc:393 CreateProvider [ONNXRuntimeError] : 11 : EP_FAIL : b.cc:136 x was false. Failed to get a WebGPU \
                    adapter: No supported adapters\n\nstack";
        assert_eq!(reason_of(said), "Failed to get a WebGPU adapter: No supported adapters");
        assert_eq!(reason_of("plain\nmore"), "plain");
    }

    #[test]
    fn openvino_is_asked_for_32_bits_unless_the_suite_says_otherwise() {
        let mut device = PluginDevice { provider: "openvino".to_owned(), ..PluginDevice::default() };
        let config: serde_json::Value = serde_json::from_str(&options_of(&device)["load_config"]).unwrap();
        assert_eq!(config["CPU"]["INFERENCE_PRECISION_HINT"], "f32");
        device.options.insert("load_config".to_owned(), "{}".to_owned());
        assert_eq!(options_of(&device)["load_config"], "{}");
    }

    #[test]
    fn an_adapter_is_chosen_only_by_a_library_that_can() {
        let directory = tempfile::tempdir().unwrap();
        let library = directory.path().join("lib.so");
        let mut options = BTreeMap::new();
        std::fs::write(&library, "powerPreference").unwrap();
        let error = choose_adapter(&library, 1, &mut options).unwrap_err();
        assert!(error.message.contains("`device: webgpu:1` cannot be heeded"), "{error}");
        std::fs::write(&library, "ep.webgpuexecutionprovider.adapterIndex").unwrap();
        choose_adapter(&library, 1, &mut options).unwrap();
        assert_eq!(options["adapterIndex"], "1");
    }
}
