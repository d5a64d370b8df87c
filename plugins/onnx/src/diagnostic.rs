//! What `examiner doctor` reports of ONNX Runtime.

use crate::providers::{Device, KNOWN, PluginDevice, install, usable};
use crate::runtime::{self, Candidate, INSTALL, Runtime, candidates};
use examiner_api::schemars::{self, JsonSchema};
use examiner_api::{Diagnostic, ErrorCode, Finding, FindingState, Host, Open, PluginError, Result};
use serde::Deserialize;

/// Looks for ONNX Runtime and for the devices that it can use.
pub struct OnnxDiagnostic;

/// A diagnostic has no options.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(crate = "schemars")]
pub struct NoOptions {}

impl Open for OnnxDiagnostic {
    type Options = NoOptions;

    fn open(_: NoOptions, _: Host) -> Result<Self> {
        Ok(OnnxDiagnostic)
    }
}

impl Diagnostic for OnnxDiagnostic {
    fn findings(&self) -> Result<Vec<Finding>> {
        let runtime = match Runtime::open(None) {
            Ok(runtime) => runtime,
            Err(error) => return Ok(vec![unusable(&error)]),
        };
        let found = candidates().into_iter().find(|candidate| candidate.path == runtime.path);
        let found = found.map_or("`ORT_DYLIB_PATH`", |Candidate { found, .. }| found);
        let mut findings = vec![Finding {
            subject: SUBJECT.to_owned(),
            state: FindingState::Ok,
            detail: format!(
                "{}, `{}` ({found}; 1.{} or newer is needed)",
                runtime.version,
                runtime.path.display(),
                runtime::API
            ),
            fix: None,
        }];
        let plugins = KNOWN
            .iter()
            .map(|known| Device::Plugin(PluginDevice { provider: known.name.to_owned(), ..PluginDevice::default() }));
        #[cfg(target_os = "linux")]
        findings.extend(nvidia(&runtime));
        for device in [Device::Cuda(0), Device::TensorRt(0)].into_iter().chain(plugins) {
            findings.push(match usable(&device, &runtime) {
                Ok(None) => finding(&device, FindingState::Ok, "can be used".to_owned(), None),
                Ok(Some(provider)) => {
                    let (hardware, library) = (provider.hardware, provider.library.display());
                    let detail =
                        format!("can be used ({hardware}): {} {}, `{library}`", provider.name, provider.version);
                    finding(&device, FindingState::Ok, detail, None)
                }
                Err(error) if error.code == ErrorCode::NotFound => {
                    finding(&device, FindingState::Absent, error.message, install(&device))
                }
                Err(error) => {
                    let fix = if device.is_built_in() { install(&device) } else { error.help };
                    finding(&device, FindingState::Absent, error.message, fix)
                }
            });
        }
        Ok(findings)
    }
}

/// GPUs of NVIDIA's, and what the provider of CUDA is linked against, if this ONNX Runtime has one.
#[cfg(target_os = "linux")]
fn nvidia(runtime: &Runtime) -> Vec<Finding> {
    use crate::providers::nvidia::{Linked, Place, gpus, install, linked};
    let subject = || "NVIDIA GPU".to_owned();
    let mut findings = match gpus() {
        Ok(gpus) => {
            let found = |detail| Finding { subject: subject(), state: FindingState::Ok, detail, fix: None };
            gpus.into_iter().map(found).collect()
        }
        Err(detail) => vec![Finding { subject: subject(), state: FindingState::Absent, detail, fix: None }],
    };
    let Some(linked) = linked(runtime) else { return findings };
    let found = |Linked { name, place }: &Linked| match place {
        Place::System => format!("{name} (system)"),
        Place::Package(path) => format!("{name} (`{}`)", path.display()),
        Place::Nowhere => format!("{name} (MISSING)"),
    };
    let missing = linked.iter().filter(|linked| linked.place == Place::Nowhere);
    let fixes: Vec<String> = missing.clone().filter_map(|missing| install(&missing.name, &linked)).collect();
    findings.push(Finding {
        subject: format!("{SUBJECT}: libraries of CUDA"),
        state: if missing.count() == 0 { FindingState::Ok } else { FindingState::Absent },
        detail: linked.iter().map(found).collect::<Vec<_>>().join(", "),
        fix: (!fixes.is_empty()).then(|| fixes.join("; ")),
    });
    findings
}

const SUBJECT: &str = "ONNX Runtime";

fn finding(device: &Device, state: FindingState, detail: String, fix: Option<String>) -> Finding {
    Finding { subject: format!("{SUBJECT}: {device}"), state, detail, fix }
}

fn unusable(error: &PluginError) -> Finding {
    let state = match error.code {
        ErrorCode::NotFound => FindingState::Absent,
        _ => FindingState::Broken,
    };
    Finding { subject: SUBJECT.to_owned(), state, detail: error.message.clone(), fix: Some(INSTALL.to_owned()) }
}
