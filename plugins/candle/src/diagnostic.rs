//! What `examiner doctor` reports of the processor.

use crate::device::ComputeDevice;
use crate::precision::{ISA, Precision, isa};
use examiner_api::schemars::{self, JsonSchema};
use examiner_api::{Diagnostic, Finding, FindingState, Host, Open, Result};
use examiner_kernels::{Isa, Products};
use serde::Deserialize;

/// Says which instructions the kernels use on this processor.
pub struct CandleDiagnostic;

/// A diagnostic has no options.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(crate = "schemars")]
pub struct NoOptions {}

impl Open for CandleDiagnostic {
    type Options = NoOptions;

    fn open(_: NoOptions, _: Host) -> Result<Self> {
        Ok(CandleDiagnostic)
    }
}

impl Diagnostic for CandleDiagnostic {
    fn findings(&self) -> Result<Vec<Finding>> {
        Ok(vec![instructions(), precision(Precision::Medium), precision(Precision::High)])
    }
}

fn finding(subject: &str, state: FindingState, detail: String, fix: Option<String>) -> Finding {
    Finding { subject: format!("candle on the CPU: {subject}"), state, detail, fix }
}

fn instructions() -> Finding {
    let others: Vec<&str> = Isa::available().into_iter().map(Isa::name).collect();
    let (state, detail, fix) = match isa() {
        Ok(isa) => {
            let detail = format!("`{}` is used, of {} (`{ISA}` names another one)", isa.name(), others.join(", "));
            (FindingState::Ok, detail, None)
        }
        Err(error) => (FindingState::Broken, error.message, error.help),
    };
    finding("instruction set", state, detail, fix)
}

fn precision(precision: Precision) -> Finding {
    let subject = format!("`precision: {}`", precision.name());
    let products = |whole_numbers| precision.products(&ComputeDevice::Cpu, whole_numbers);
    let (state, detail) = match (products(false), products(true)) {
        (Ok(Products::Bf16(unit) | Products::SplitBf16(unit)), _) => {
            (FindingState::Ok, format!("computed by `{}`", unit.name()))
        }
        (Ok(_), _) => (FindingState::Ok, "computed in 32 bits".to_owned()),
        (Err(_), Ok(_)) => {
            let detail = "for GGUF files in blocks and `dtype: int8` alone: computed in whole numbers of 8 bits";
            (FindingState::Ok, detail.to_owned())
        }
        (Err(error), _) => (FindingState::Absent, error.message),
    };
    finding(&subject, state, detail, None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_instruction_set_in_use_and_both_precisions_are_named() {
        let findings = CandleDiagnostic.findings().unwrap();
        let subjects: Vec<&str> = findings.iter().map(|finding| finding.subject.as_str()).collect();
        assert_eq!(subjects.len(), 3, "{subjects:?}");
        assert!(findings[0].detail.contains("portable"), "{}", findings[0].detail);
        assert!(
            findings[1..].iter().all(|finding| finding.subject.contains("precision:") && !finding.detail.is_empty())
        );
    }
}
