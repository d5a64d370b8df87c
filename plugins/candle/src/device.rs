//! Where a model runs and in which numbers.

use candle_core::{DType, Device};
use examiner_api::schemars::{self, JsonSchema};
use examiner_api::{PluginError, Result};
use examiner_kernels::WeightType;
use serde::{Deserialize, Serialize};

/// The number type of the weights. Training knows `f32` and `bf16` alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(crate = "schemars")]
pub enum NumberType {
    /// 32 bits.
    #[default]
    F32,
    /// 16 bits, more digits, a small range.
    F16,
    /// 16 bits, fewer digits, the range of 32 bits.
    Bf16,
    /// 8 bits: whole numbers, and a scale for each output of a linear layer. The rest stays in 32 bits.
    Int8,
}

impl NumberType {
    /// As a suite writes it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            NumberType::F32 => "f32",
            NumberType::F16 => "f16",
            NumberType::Bf16 => "bf16",
            NumberType::Int8 => "int8",
        }
    }

    /// What the CPU's own kernels keep weights as.
    pub(crate) fn weight_type(self) -> WeightType {
        match self {
            NumberType::F32 => WeightType::F32,
            NumberType::F16 => WeightType::F16,
            NumberType::Bf16 => WeightType::Bf16,
            NumberType::Int8 => WeightType::Int8,
        }
    }

    /// What tensors are rounded to when they are read. The kernels make 8 bits of them.
    pub(crate) fn dtype(self) -> DType {
        match self {
            NumberType::F32 | NumberType::Int8 => DType::F32,
            NumberType::F16 => DType::F16,
            NumberType::Bf16 => DType::BF16,
        }
    }
}

/// What the option `device` means on this machine.
#[derive(Debug, Clone)]
pub(crate) enum ComputeDevice {
    /// The CPU with our own kernels.
    Cpu,
    /// A device of candle's, with candle's operations.
    Ops(Device),
}

impl ComputeDevice {
    /// The kind of arithmetic, for the fingerprint: results differ between kinds in their last digits.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            ComputeDevice::Cpu => "cpu",
            ComputeDevice::Ops(Device::Cpu) => "cpu-candle",
            ComputeDevice::Ops(_) => "cuda",
        }
    }

    /// The device of candle's operations.
    pub(crate) fn of_candle(self) -> Device {
        match self {
            ComputeDevice::Cpu => Device::Cpu,
            ComputeDevice::Ops(device) => device,
        }
    }

    /// Checks that weights of a number type can be computed with here.
    ///
    /// # Errors
    /// `Unsupported` if not.
    pub(crate) fn check(&self, numbers: NumberType) -> Result<()> {
        match (self, numbers) {
            (ComputeDevice::Ops(_), NumberType::Int8) => Err(PluginError::unsupported(format!(
                "`dtype: int8` is for the CPU's own kernels, and this is `{}`",
                self.kind()
            ))
            .with_help("write `device: cpu`, or here `dtype: bf16`, `f16` or `f32`")),
            _ => Ok(()),
        }
    }

    /// Finds the device that the option names.
    ///
    /// # Errors
    /// `BadOptions` for a name that is none; `Unsupported` for a GPU that this build or this machine does not have.
    pub(crate) fn find(name: &str) -> Result<ComputeDevice> {
        match name {
            "cpu" => return Ok(ComputeDevice::Cpu),
            "cpu-candle" => return Ok(ComputeDevice::Ops(Device::Cpu)),
            "auto" if !cfg!(feature = "cuda") => return Ok(ComputeDevice::Cpu),
            "auto" => return Ok(Device::new_cuda(0).map_or(ComputeDevice::Cpu, ComputeDevice::Ops)),
            _ => (),
        }
        let ordinal = match name.strip_prefix("cuda") {
            Some("") => Some(0),
            Some(rest) => rest.strip_prefix(':').and_then(|ordinal| ordinal.parse().ok()),
            None => None,
        };
        let Some(ordinal) = ordinal else {
            return Err(PluginError::bad_options(format!("`device: {name}` is not a device"))
                .with_help("write `auto`, `cpu`, `cuda` or `cuda:N` with the number of the GPU"));
        };
        if !cfg!(feature = "cuda") {
            return Err(PluginError::unsupported(format!("`device: {name}` needs a GPU build of the plugin `candle`"))
                .with_help(
                    "build it with `cargo xtask build-cuda`, and name it by `plugins: { candle: { path: FILE } }`; or write `device: cpu`",
                ));
        }
        Device::new_cuda(ordinal).map(ComputeDevice::Ops).map_err(|error| {
            PluginError::unsupported(format!("cannot open CUDA device {ordinal}"))
                .with_cause(&error)
                .with_help("check with `nvidia-smi` that the GPU and its driver are there, or write `device: cpu`")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use examiner_api::ErrorCode;

    #[test]
    fn names_of_devices() {
        assert!(matches!(ComputeDevice::find("cpu"), Ok(ComputeDevice::Cpu)));
        assert!(matches!(ComputeDevice::find("cpu-candle"), Ok(ComputeDevice::Ops(Device::Cpu))));
        for wrong in ["gpu", "cuda0", "cuda:x", "cuda:", ""] {
            assert_eq!(ComputeDevice::find(wrong).unwrap_err().code, ErrorCode::BadOptions, "{wrong}");
        }
    }

    #[test]
    fn eight_bits_are_for_our_own_kernels() {
        assert!(ComputeDevice::Cpu.check(NumberType::Int8).is_ok());
        let ops = ComputeDevice::Ops(Device::Cpu);
        assert!([NumberType::F32, NumberType::F16, NumberType::Bf16].iter().all(|numbers| ops.check(*numbers).is_ok()));
        assert_eq!(ops.check(NumberType::Int8).unwrap_err().code, ErrorCode::Unsupported);
    }

    #[cfg(not(feature = "cuda"))]
    #[test]
    fn a_build_without_cuda_says_what_to_do() {
        assert!(matches!(ComputeDevice::find("auto"), Ok(ComputeDevice::Cpu)));
        let error = ComputeDevice::find("cuda:1").unwrap_err();
        assert_eq!(error.code, ErrorCode::Unsupported);
        assert!(error.to_string().contains("cargo xtask build-cuda"), "{error}");
    }
}
