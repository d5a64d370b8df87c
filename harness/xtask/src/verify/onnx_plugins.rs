//! The same as `onnx` through execution providers that come in libraries of their own: WebGPU on a software GPU, and OpenVINO.
//!
//! What cannot be installed, or finds no device, is left out with the reason: it is no comparison that holds.

use super::comparison::Comparison;
use super::onnx;
use super::setup::Setup;
use crate::program::software_gpu::{self, Environment};
use anyhow::{Context, Result};
use std::process::Command;

pub(super) fn webgpu(setup: &Setup) -> Result<Vec<Comparison>> {
    let found = software_gpu::provide().map(|directory| software_gpu::environment(&directory));
    // A software GPU takes some ten minutes for each of these, where nothing else runs beside it.
    compare(setup, "webgpu", found, &[("standard", "wanted")])
}

pub(super) fn openvino(setup: &Setup) -> Result<Vec<Comparison>> {
    compare(setup, "openvino", software_gpu::provide_openvino(), &[("standard", "all"), ("fused", "wanted")])
}

fn compare(
    setup: &Setup,
    device: &str,
    environment: Result<Environment>,
    variants: &[(&str, &str)],
) -> Result<Vec<Comparison>> {
    let mut setup = setup.clone();
    setup.environment = match environment {
        Ok(environment) => environment,
        Err(error) => {
            eprintln!("onnx-{device} is not run, because it cannot be installed: {error:#}");
            return Ok(Vec::new());
        }
    };
    if let Some(reason) = unusable(&setup, device)? {
        eprintln!("onnx-{device} is not run on this machine:\n{reason}");
        return Ok(Vec::new());
    }
    setup.device.device = device.to_owned();
    onnx::agreement(&setup, &format!("onnx-{device}"), variants)
}

/// What `examiner doctor` says of a device that cannot be used; none if it can.
fn unusable(setup: &Setup, device: &str) -> Result<Option<String>> {
    let mut command = Command::new(&setup.program);
    command.arg("doctor").envs(setup.environment.iter().map(|(name, value)| (name, value)));
    let output = command.output().with_context(|| format!("cannot start `{}`", setup.program.display()))?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let subject = format!("ONNX Runtime: {device}");
    let line =
        said.lines().find(|line| line.contains(&subject)).unwrap_or("`examiner doctor` does not name the device");
    Ok((!line.starts_with("ok")).then(|| line.to_owned()))
}
