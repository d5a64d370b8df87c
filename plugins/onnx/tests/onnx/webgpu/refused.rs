//! A device, a driver or a library that cannot be used: what is said names what to do.

use super::{datasets, examiner, export, models, stderr};
use crate::proto::{AttributeProto, NodeProto, data_type};
use crate::running::graphs::change;
use examiner_test_support::checkpoint::TinyGpt2;
use examiner_test_support::{needs, software_gpu};
use serde_json::{Value, json};
use std::path::Path;
use std::process::Command;
use tempfile::TempDir;

fn suite(directory: &Path, checkpoint: &Path, device: Value, fallback: bool) -> Value {
    json!({
        "name": "refused",
        "models": { "gpu": { "plugin": "onnx", "checkpoint": checkpoint, "device": device, "fallback": fallback } },
        "datasets": { "choices": datasets(directory)["choices"] },
        "evaluate": [{ "models": "all", "datasets": "all" }]
    })
}

/// What the program says of a device on a machine that `change` has made worse.
fn said(checkpoint: &Path, device: Value, change: impl FnOnce(&mut Command)) -> String {
    let directory = tempfile::tempdir().unwrap();
    let mut command = examiner(directory.path(), &suite(directory.path(), checkpoint, device.clone(), false));
    change(&mut command);
    let output = command.output().unwrap();
    assert!(!output.status.success(), "`device: {device}` is used: {}", stderr(&output));
    stderr(&output)
}

fn tiny() -> TempDir {
    export(TinyGpt2::new(json!({})).write().path(), json!({}))
}

fn has(said: &str, parts: &[&str]) {
    for part in parts {
        assert!(said.contains(part), "`{part}` is not in: {said}");
    }
}

#[needs(software_gpu)]
#[test]
fn a_machine_without_a_device_a_driver_or_a_loader() {
    let exported = tiny();
    let unset = |name: &'static str| {
        move |command: &mut Command| {
            command.env_remove(name);
        }
    };
    let webgpu = || json!("webgpu");
    has(
        &said(exported.path(), webgpu(), unset("ORT_WEBGPU_EP_ALLOW_SOFTWARE_ADAPTER")),
        &["the provider `WebGpuExecutionProvider` of `", "finds no device on this machine", "`vulkaninfo --summary`"],
    );
    let elsewhere = |command: &mut Command| {
        command.env("VK_ICD_FILENAMES", "/nowhere/icd.json");
    };
    has(
        &said(exported.path(), webgpu(), elsewhere),
        &["cannot use `device: webgpu` through `", "No supported adapters", "`VK_ICD_FILENAMES` may name it"],
    );
    // A file of the loader's name that is none, found before any that the system has.
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("libvulkan.so.1"), "no library").unwrap();
    let other = |command: &mut Command| {
        command.env("LD_LIBRARY_PATH", directory.path());
    };
    has(
        &said(exported.path(), webgpu(), other),
        &["needs the Vulkan loader, and `libvulkan.so.1` cannot be opened", "`apt-get install libvulkan1`"],
    );
}

#[needs(software_gpu)]
#[test]
fn a_number_beyond_the_last_adapter() {
    has(
        &said(tiny().path(), json!("webgpu:3"), |_| ()),
        &["`device: webgpu:3` is out of range: the provider offers 1 on this machine", "write `device: webgpu`"],
    );
}

#[needs(software_gpu)]
#[test]
fn libraries_that_are_missing_none_or_of_another_release() {
    let exported = tiny();
    let named = |path: &'static str| {
        move |command: &mut Command| {
            command.env("ORT_EP_WEBGPU_PATH", path);
        }
    };
    has(
        &said(exported.path(), json!("webgpu"), named("/nowhere/lib.so")),
        &["`ORT_EP_WEBGPU_PATH` names `/nowhere/lib.so`, which is no library of the provider `webgpu`"],
    );
    has(
        &said(exported.path(), json!({ "provider": "webgpu", "library": "nowhere.so" }), |_| ()),
        &["nowhere.so` of the provider `webgpu` is not there"],
    );
    // The Vulkan loader is a library, but of no provider.
    let library = software_gpu().join("libvulkan.so.1");
    has(
        &said(exported.path(), json!({ "provider": "webgpu", "library": library }), |_| ()),
        &["libvulkan.so.1` cannot be used with ONNX Runtime 1.", "must be of releases that fit"],
    );
    let old = software_gpu().join("too-old/onnxruntime/capi");
    let with_old = |command: &mut Command| {
        command.env("ORT_DYLIB_PATH", old);
    };
    has(
        &said(exported.path(), json!("webgpu"), with_old),
        &[
            "libonnxruntime_providers_webgpu.so` cannot be used with ONNX Runtime 1.24.3",
            "below the minimum required version",
            "`python3 -m pip install --upgrade onnxruntime`",
        ],
    );
}

/// An operator that is used with numbers of 64 bits, for which no provider has it.
fn use_erf_of_64_bits(checkpoint: &Path) {
    change(checkpoint, |model| {
        let graph = model.graph.as_mut().unwrap();
        for name in graph.node.iter_mut().flat_map(|node| &mut node.output).filter(|name| *name == "logits") {
            *name = "logits/32".to_owned();
        }
        let cast = |from: &str, to: &str, kind: i32| NodeProto {
            op_type: "Cast".to_owned(),
            name: to.to_owned(),
            input: vec![from.to_owned()],
            output: vec![to.to_owned()],
            attribute: vec![AttributeProto {
                name: "to".to_owned(),
                r#type: 2,
                i: Some(i64::from(kind)),
                ..AttributeProto::default()
            }],
            ..NodeProto::default()
        };
        // The number of the type of 64 bits in the format.
        let double = 11;
        let erf = NodeProto {
            op_type: "Erf".to_owned(),
            name: "erf".to_owned(),
            input: vec!["logits/64".to_owned()],
            output: vec!["logits/erf".to_owned()],
            ..NodeProto::default()
        };
        graph.node.extend([
            cast("logits/32", "logits/64", double),
            erf,
            cast("logits/erf", "logits", data_type::FLOAT),
        ]);
    });
}

#[needs(software_gpu)]
#[test]
fn an_operator_that_no_provider_has() {
    let exported = tiny();
    use_erf_of_64_bits(exported.path());
    has(
        &said(exported.path(), json!("webgpu"), |_| ()),
        &[
            "neither `device: webgpu` nor the CPU has the operator `Erf` of `",
            "export the model with `operators: standard`",
        ],
    );
}

#[needs(software_gpu)]
#[test]
fn an_operator_that_the_provider_computes_wrongly() {
    let fused = export(TinyGpt2::new(json!({})).write().path(), json!({ "operators": "fused" }));
    has(
        &said(fused.path(), json!("webgpu"), |_| ()),
        &["has the operator `MultiHeadAttention`", "computes wrongly for long prompts", "`operators: standard`"],
    );
}

#[needs(software_gpu)]
#[test]
fn a_provider_that_computes_nothing_is_an_error_unless_that_is_allowed() {
    let exported = tiny();
    let mut names = Vec::new();
    change(exported.path(), |model| {
        names = model.graph.as_ref().unwrap().node.iter().map(|node| node.name.clone()).collect();
    });
    let library = software_gpu().join("webgpu/onnxruntime_ep_webgpu/libonnxruntime_providers_webgpu.so");
    let device = json!({
        "provider": "WebGpuExecutionProvider", "library": library, "options": { "forceCpuNodeNames": names.join("\n") }
    });
    let directory = tempfile::tempdir().unwrap();
    let strict = suite(directory.path(), exported.path(), device.clone(), false);
    let output = examiner(directory.path(), &strict).output().unwrap();
    has(&stderr(&output), &["computes no node of `", "left the whole graph to the CPU", "`fallback: true`"]);
    let directory = tempfile::tempdir().unwrap();
    let allowed = suite(directory.path(), exported.path(), device, true);
    let output = examiner(directory.path(), &allowed).output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    let info = models(directory.path())["gpu"].clone();
    has(&info["warnings"].to_string(), &["computes no node of `"]);
    assert_eq!(info["details"]["providers"]["WebGpu"], Value::Null);
}

#[needs(software_gpu)]
#[test]
fn of_a_list_the_first_that_can_be_used_is_taken_and_the_reason_is_said() {
    let (exported, directory) = (tiny(), tempfile::tempdir().unwrap());
    let listed = suite(directory.path(), exported.path(), json!(["cuda:7", "webgpu"]), true);
    let output = examiner(directory.path(), &listed).output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    let info = models(directory.path())["gpu"].clone();
    assert_eq!(info["details"]["device"], "webgpu");
    has(&info["warnings"].to_string(), &["cuda:7 is passed over (`fallback: true`)"]);
    has(&stderr(&output), &["cuda:7 is passed over"]);
}
