//! Where a session computes: the devices that a suite asks for, as execution providers of ONNX Runtime.

mod api;
mod device;
#[cfg(target_os = "linux")]
pub(crate) mod nvidia;
mod placement;
mod plugin;
mod probe;
mod search;
mod vulkan;

pub(crate) use device::KNOWN;
pub use device::{Device, Devices, PluginDevice};
pub(crate) use placement::Placement;
pub(crate) use plugin::Provider;

use crate::runtime::{Runtime, failed};
use examiner_api::{Host, PluginError, Result};
use ort::ep::{self, ExecutionProviderDispatch};
use ort::memory::{AllocationDevice, AllocatorType, MemoryInfo, MemoryType};
use ort::session::builder::SessionBuilder;
use probe::Failure;

/// The devices that a session got.
#[derive(Debug)]
pub(crate) struct Chosen {
    pub(crate) devices: Vec<Device>,
    /// What was passed over, each with its reason.
    pub(crate) warnings: Vec<String>,
    /// The provider from a library of its own, if there is one among the devices.
    pub(crate) provider: Option<Provider>,
    /// Where keys and values stay between passes.
    pub(crate) memory: MemoryInfo<'static>,
}

impl Chosen {
    /// The first device that is not the CPU.
    pub(crate) fn accelerator(&self) -> Option<&Device> {
        self.devices.iter().find(|device| **device != Device::Cpu)
    }

    /// What ONNX Runtime calls the provider of a device.
    pub(crate) fn provider_of(device: &Device) -> &str {
        match device {
            Device::Cpu => "CPUExecutionProvider",
            Device::Cuda(_) => "CUDAExecutionProvider",
            Device::TensorRt(_) => "TensorrtExecutionProvider",
            Device::Plugin(device) => device.provider_name(),
        }
    }
}

/// The memory of the CPU.
pub(crate) fn main_memory() -> Result<MemoryInfo<'static>> {
    memory(AllocationDevice::CPU, 0)
}

fn memory(device: AllocationDevice<'_>, number: i32) -> Result<MemoryInfo<'static>> {
    MemoryInfo::new(device, number, AllocatorType::Device, MemoryType::Default)
        .map_err(|error| failed("describe the memory of the device", &error))
}

/// Adds the providers to a session, in the order asked. Of several kinds of GPU one is taken: after a device whose provider
/// comes in a library of its own, and after any other before such a one, the rest of the list is not tried.
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
    let mut chosen = Chosen { devices: Vec::new(), warnings: Vec::new(), provider: None, memory: main_memory()? };
    for device in &wanted.0 {
        let is_another_kind = |taken: &Device| !(taken.is_built_in() && device.is_built_in());
        if *device != Device::Cpu && chosen.accelerator().is_some_and(is_another_kind) {
            host.info(format!("`{device}` is not needed: `{}` can be used", shown(&chosen.devices)));
            continue;
        }
        match add(&builder, device, runtime, memory_limit, &mut chosen) {
            Ok(with) => {
                builder = with;
                chosen.devices.push(device.clone());
            }
            Err(refused) => {
                if !fallback {
                    return Err(refused);
                }
                let warning = format!("{device} is passed over (`fallback: true`): {}", refused.message);
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

/// The devices, as a suite names them.
pub(crate) fn shown(devices: &[Device]) -> String {
    devices.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// Has a session keep what [`Placement`] reads.
pub(crate) fn recording(builder: SessionBuilder) -> ort::Result<SessionBuilder> {
    Ok(builder.with_config_entry(api::RECORD, "1")?)
}

/// Adds one device, and what `chosen` has of it.
fn add(
    builder: &SessionBuilder,
    device: &Device,
    runtime: &Runtime,
    memory_limit: Option<usize>,
    chosen: &mut Chosen,
) -> Result<SessionBuilder> {
    let plugin = match device {
        Device::Plugin(plugin) => plugin,
        built_in => {
            let Some(provider) = provider(built_in, memory_limit) else { return Ok(builder.clone()) };
            #[cfg(target_os = "linux")]
            nvidia::open_packages(runtime);
            let with = builder.clone().with_execution_providers([provider.error_on_failure()]);
            let with = with.map_err(|error| refused(built_in, runtime, error.message()))?;
            if let (None, Device::Cuda(number) | Device::TensorRt(number)) = (chosen.accelerator(), built_in) {
                chosen.memory = memory(AllocationDevice::CUDA, *number)?;
            }
            return Ok(with);
        }
    };
    if memory_limit.is_some() {
        return Err(PluginError::bad_options(format!(
            "`memory_limit_mib` is for `cuda` and `tensorrt`; the provider of `device: {device}` has no such limit"
        ))
        .with_help("leave it away, or set the provider's own: `device: { provider: NAME, options: { ... } }`"));
    }
    let added = plugin::add(builder.clone(), plugin, runtime)?;
    let library = &added.provider.library;
    let unusable = |reason: &str| plugin::unusable(plugin, library, runtime, reason);
    let probed = recording(added.builder.clone())
        .map_err(|error| Failure::Device(error.message().to_owned()))
        .and_then(|builder| probe::probe(builder, &added.provider.name, added.memory.as_ref()));
    let probed = probed.map_err(|failure| match failure {
        Failure::Device(reason) => unusable(&reason),
        Failure::Other(error) => error,
    })?;
    if !probed.runs {
        return Err(unusable("it left an addition to the CPU"));
    }
    match added.memory {
        Some(memory) if probed.stays => chosen.memory = memory,
        Some(_) => chosen.warnings.push(format!(
            "`device: {device}` cannot keep keys and values: they are copied to main memory after every pass, and back"
        )),
        None => (),
    }
    chosen.provider = Some(added.provider);
    Ok(added.builder)
}

/// Tries whether a session can be made for a device. What its provider says of itself, if it comes in a library of its own.
///
/// # Errors
/// `Unsupported`, with the reason, if it cannot.
pub(crate) fn usable(device: &Device, runtime: &Runtime) -> Result<Option<Provider>> {
    let builder = SessionBuilder::new(&runtime.environment).map_err(|error| failed("prepare a session", &error))?;
    let mut chosen = Chosen { devices: Vec::new(), warnings: Vec::new(), provider: None, memory: main_memory()? };
    add(&builder, device, runtime, None, &mut chosen)?;
    Ok(chosen.provider)
}

/// The provider of a device that ONNX Runtime's own library may have; the CPU's is always there.
fn provider(device: &Device, memory_limit: Option<usize>) -> Option<ExecutionProviderDispatch> {
    match device {
        Device::Cpu | Device::Plugin(_) => None,
        Device::Cuda(number) => {
            // TF32 rounds products of 32-bit numbers to ten binary digits: log-likelihoods would be off by hundredths.
            let mut provider = ep::CUDA::default().with_device_id(*number).with_tf32(false);
            if let Some(limit) = memory_limit {
                provider = provider.with_memory_limit(limit);
            }
            Some(provider.build())
        }
        Device::TensorRt(number) => {
            let mut provider = ep::TensorRT::default().with_device_id(*number);
            if let Some(limit) = memory_limit {
                provider = provider.with_max_workspace_size(limit);
            }
            Some(provider.build())
        }
    }
}

/// What installs what a device needs besides ONNX Runtime.
pub(crate) fn install(device: &Device) -> Option<String> {
    match device {
        Device::Cpu => None,
        Device::Cuda(_) => Some("python3 -m pip install onnxruntime-gpu".to_owned()),
        Device::TensorRt(_) => Some("python3 -m pip install onnxruntime-gpu tensorrt".to_owned()),
        Device::Plugin(device) => device.known().map(search::install),
    }
}

fn refused(device: &Device, runtime: &Runtime, reason: &str) -> PluginError {
    // What ONNX Runtime says goes on for pages.
    let reason = reason.lines().next().unwrap_or_default();
    let (version, library) = (&runtime.version, runtime.path.display());
    PluginError::unsupported(format!("ONNX Runtime {version} (`{library}`) cannot use `device: {device}`: {reason}"))
        .with_help(format!(
            "`{}`, and look with `nvidia-smi` whether the driver is there; or write `device: cpu`, or `fallback: true`",
            install(device).unwrap_or_default()
        ))
}
