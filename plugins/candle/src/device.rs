//! Where a model runs and in which numbers.

use candle_core::{DType, Device};
use examiner_api::schemars::{self, JsonSchema};
use examiner_api::{PluginError, Result};
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
pub(crate) enum Place {
    /// The CPU with our own kernels.
    Cpu,
    /// A device of candle's, with candle's operations.
    Ops(Device),
}

impl Place {
    /// The kind of arithmetic, for the fingerprint: results differ between kinds in their last digits.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Place::Cpu => "cpu",
            Place::Ops(Device::Cpu) => "cpu-candle",
            Place::Ops(_) => "cuda",
        }
    }

    /// Checks that weights of a number type can be computed with here.
    ///
    /// # Errors
    /// `Unsupported` if not.
    pub(crate) fn check(&self, numbers: NumberType) -> Result<()> {
        match (self, numbers) {
            (Place::Ops(_), NumberType::Int8) => Err(PluginError::unsupported(format!(
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
    pub(crate) fn find(name: &str) -> Result<Place> {
        match name {
            "cpu" => return Ok(Place::Cpu),
            "cpu-candle" => return Ok(Place::Ops(Device::Cpu)),
            "auto" if !cfg!(feature = "cuda") => return Ok(Place::Cpu),
            "auto" => return Ok(Device::new_cuda(0).map_or(Place::Cpu, Place::Ops)),
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
                    "build it with `cargo build --release -p examiner-plugin-candle --features cuda`, or write `device: cpu`",
                ));
        }
        Device::new_cuda(ordinal).map(Place::Ops).map_err(|error| {
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
        assert!(matches!(Place::find("cpu"), Ok(Place::Cpu)));
        assert!(matches!(Place::find("cpu-candle"), Ok(Place::Ops(Device::Cpu))));
        for wrong in ["gpu", "cuda0", "cuda:x", "cuda:", ""] {
            assert_eq!(Place::find(wrong).unwrap_err().code, ErrorCode::BadOptions, "{wrong}");
        }
    }

    #[test]
    fn eight_bits_are_for_our_own_kernels() {
        assert!(Place::Cpu.check(NumberType::Int8).is_ok());
        let ops = Place::Ops(Device::Cpu);
        assert!([NumberType::F32, NumberType::F16, NumberType::Bf16].iter().all(|numbers| ops.check(*numbers).is_ok()));
        assert_eq!(ops.check(NumberType::Int8).unwrap_err().code, ErrorCode::Unsupported);
    }

    #[cfg(not(feature = "cuda"))]
    #[test]
    fn a_build_without_cuda_says_what_to_do() {
        assert!(matches!(Place::find("auto"), Ok(Place::Cpu)));
        let error = Place::find("cuda:1").unwrap_err();
        assert_eq!(error.code, ErrorCode::Unsupported);
        assert!(error.to_string().contains("--features cuda"), "{error}");
    }
}
