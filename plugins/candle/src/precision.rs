//! In which numbers the CPU's own kernels multiply, and with which instructions.

use crate::device::ComputeDevice;
use examiner_api::schemars::{self, JsonSchema};
use examiner_api::{PluginError, Result};
use examiner_kernels::{Isa, Products, Unit};
use serde::{Deserialize, Serialize};

/// The variable that names the instruction set of the kernels.
pub(crate) const ISA: &str = "EXAMINER_ISA";

/// How exact products of matrices are on the CPU. Sums are of 32 bits in each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(crate = "schemars")]
pub enum Precision {
    /// Factors of 32 bits: the same results, to the bit, on every machine.
    #[default]
    Highest,
    /// As good as 32 bits, from six products of `bf16`.
    High,
    /// Factors rounded to `bf16`; inputs to whole numbers of 8 bits where weights are whole numbers.
    Medium,
}

impl Precision {
    /// As a suite writes it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Precision::Highest => "highest",
            Precision::High => "high",
            Precision::Medium => "medium",
        }
    }

    /// What the kernels of this machine do for it, with weights that are whole numbers (in blocks, or of 8 bits) or others.
    ///
    /// # Errors
    /// `Unsupported` on another device, and on a machine where nothing is gained.
    pub(crate) fn products(self, device: &ComputeDevice, whole_numbers: bool) -> Result<Products> {
        if self != Precision::Highest && !matches!(device, ComputeDevice::Cpu) {
            return Err(PluginError::unsupported(format!(
                "`precision: {}` is for the CPU's own kernels, and this is `{}`",
                self.name(),
                device.kind()
            ))
            .with_help("write `device: cpu`, or leave `precision` out"));
        }
        // Who names a smaller instruction set wants none of the larger ones.
        let isa = isa()?;
        let unit = if isa == Isa::best() { Unit::best() } else { None };
        self.on(unit, whole_numbers && isa.gains_from_bytes())
    }

    /// The same for a machine with this unit, and with weights whose products with whole numbers are faster there.
    fn on(self, unit: Option<Unit>, gains_from_bytes: bool) -> Result<Products> {
        match (self, unit) {
            (Precision::Highest, _) => Ok(Products::F32),
            (Precision::Medium, Some(unit)) => Ok(Products::Bf16(unit)),
            (Precision::Medium, None) if gains_from_bytes => Ok(Products::Int8),
            (Precision::High, Some(unit)) if unit.gains_from_splitting() => Ok(Products::SplitBf16(unit)),
            (Precision::Medium, None) => Err(self.nothing_gained(
                "this processor has neither AMX nor AVX512-BF16, or `EXAMINER_ISA` names less than it has; `bf16` would be multiplied no \
                 faster than 32 bits (weights in the blocks of a GGUF file, or with `dtype: int8`, would be, on AVX2)",
            )),
            (Precision::High, unit) => Err(self.nothing_gained(&format!(
                "it needs AMX, which {}: six products of `bf16` take longer than one of 32 bits without",
                match unit {
                    Some(_) => "this processor lacks (it has AVX512-BF16, which `medium` uses)",
                    None => "this processor lacks, Linux does not permit, or `EXAMINER_ISA` rules out",
                }
            ))),
        }
    }

    fn nothing_gained(self, why: &str) -> PluginError {
        PluginError::unsupported(format!("`precision: {}` gains nothing here: {why}", self.name()))
            .with_help("leave `precision` out; `dtype: bf16` halves the memory of weights on every machine")
    }
}

/// The instruction set of the kernels: the fastest of this machine, or the one that `EXAMINER_ISA` names.
///
/// # Errors
/// `BadOptions` if the machine has none of that name.
pub(crate) fn isa() -> Result<Isa> {
    chosen(std::env::var_os(ISA).as_deref().and_then(std::ffi::OsStr::to_str))
}

fn chosen(name: Option<&str>) -> Result<Isa> {
    let Some(name) = name.filter(|name| !name.is_empty()) else { return Ok(Isa::best()) };
    Isa::named(name).ok_or_else(|| {
        let names: Vec<String> = Isa::available().into_iter().map(|isa| format!("`{}`", isa.name())).collect();
        PluginError::bad_options(format!("`{ISA}={name}` names no instruction set that this machine has"))
            .with_help(format!("it has {}; leave the variable out for the fastest", names.join(", ")))
    })
}

/// The unit that products are computed with, for the fingerprint: units sum in different orders.
pub(crate) fn unit_of(products: Products) -> Option<&'static str> {
    match products {
        // Sums of whole numbers are the same on every machine.
        Products::F32 | Products::Int8 => None,
        Products::Bf16(unit) | Products::SplitBf16(unit) => Some(unit.name()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;
    use examiner_api::ErrorCode;

    #[test]
    fn what_gains_nothing_is_refused_with_the_reason() {
        assert_eq!(Precision::Highest.on(None, true).unwrap(), Products::F32);
        assert_eq!(Precision::Medium.on(None, true).unwrap(), Products::Int8);
        for (precision, reason) in [(Precision::Medium, "AVX512-BF16"), (Precision::High, "AMX")] {
            let error = precision.on(None, false).unwrap_err();
            assert_eq!(error.code, ErrorCode::Unsupported);
            assert!(
                error.to_string().contains(reason) && error.to_string().contains("leave `precision` out"),
                "{error}"
            );
        }
        for unit in Unit::available() {
            assert_eq!(Precision::Medium.on(Some(unit), false).unwrap(), Products::Bf16(unit));
            assert_eq!(Precision::High.on(Some(unit), true).is_ok(), unit.gains_from_splitting(), "{}", unit.name());
        }
    }

    #[test]
    fn precisions_are_for_our_own_kernels() {
        let ops = ComputeDevice::Ops(Device::Cpu);
        assert!(Precision::Highest.products(&ops, true).is_ok());
        let error = Precision::Medium.products(&ops, true).unwrap_err();
        assert!(error.to_string().contains("this is `cpu-candle`"), "{error}");
    }

    #[test]
    fn an_instruction_set_is_one_that_the_machine_has() {
        assert_eq!(chosen(None).unwrap(), Isa::best());
        assert_eq!(chosen(Some("")).unwrap(), Isa::best());
        assert_eq!(chosen(Some("portable")).unwrap().name(), "portable");
        let error = chosen(Some("neon")).unwrap_err();
        assert_eq!(error.code, ErrorCode::BadOptions);
        assert!(
            error.to_string().contains("`EXAMINER_ISA=neon`") && error.to_string().contains("`portable`"),
            "{error}"
        );
    }
}
