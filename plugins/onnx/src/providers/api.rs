//! What `ort` has no functions for: the parts of a graph and their providers, and what a provider says of its devices.
//!
//! Text and lists belong to ONNX Runtime, and are copied before anything else is called.

use crate::runtime::failed;
use examiner_api::Result;
use ort::AsPointer;
use ort::device::Device;
use ort::session::Session;
use std::collections::BTreeMap;
use std::ffi::{CStr, c_char};

/// For each provider, how many nodes of each operator were given to it when the session was made. The session must have
/// been told to keep this: [`RECORD`].
///
/// # Errors
/// `Other` if ONNX Runtime did not keep it.
pub(super) fn assignment(session: &Session) -> Result<BTreeMap<String, BTreeMap<String, usize>>> {
    let api = ort::api();
    let mut providers: BTreeMap<String, BTreeMap<String, usize>> = BTreeMap::new();
    let mut read = || -> ort::Result<()> {
        let (mut subgraphs, mut count) = (std::ptr::null(), 0);
        // SAFETY: the session is alive, and owns the list and all that is read of it.
        unsafe {
            check((api.Session_GetEpGraphAssignmentInfo)(session.ptr(), &mut subgraphs, &mut count))?;
            for &subgraph in listed(subgraphs, count) {
                let mut name = std::ptr::null();
                check((api.EpAssignedSubgraph_GetEpName)(subgraph, &mut name))?;
                let operators = providers.entry(text(name).unwrap_or_default()).or_default();
                let (mut nodes, mut count) = (std::ptr::null(), 0);
                check((api.EpAssignedSubgraph_GetNodes)(subgraph, &mut nodes, &mut count))?;
                for &node in listed(nodes, count) {
                    let mut operator = std::ptr::null();
                    check((api.EpAssignedNode_GetOperatorType)(node, &mut operator))?;
                    *operators.entry(text(operator).unwrap_or_default()).or_default() += 1;
                }
            }
        }
        Ok(())
    };
    read().map_err(|error| failed("say which part of the graph runs where", &error))?;
    Ok(providers)
}

/// The entry of a session's configuration that has ONNX Runtime keep the assignment.
pub(super) const RECORD: &str = "session.record_ep_graph_assignment_info";

/// What a provider says of its device under a key, such as `version`.
pub(super) fn metadata(device: &Device<'_>, key: &CStr) -> Option<String> {
    let api = ort::api();
    // SAFETY: the device is alive; the pairs are its own, and null stands for none.
    unsafe {
        let pairs = (api.EpDevice_EpMetadata)(device.ptr());
        if pairs.is_null() { None } else { text((api.GetKeyValue)(pairs, key.as_ptr())) }
    }
}

/// Whether a device has memory of its own that tensors can be put in.
pub(super) fn has_memory(device: &Device<'_>) -> bool {
    let kind = ort::sys::OrtDeviceMemoryType::OrtDeviceMemoryType_DEFAULT;
    // SAFETY: the device is alive; null stands for none.
    unsafe { !(ort::api().EpDevice_MemoryInfo)(device.ptr(), kind).is_null() }
}

/// # Safety
/// `status` must have just been given by a function of ONNX Runtime.
unsafe fn check(status: ort::sys::OrtStatusPtr) -> ort::Result<()> {
    // SAFETY: as the function asks.
    unsafe { ort::Error::result_from_status(status) }
}

/// # Safety
/// There must be so many pointers, as long as the slice is used.
unsafe fn listed<'a, T>(first: *const *const T, count: usize) -> &'a [*const T] {
    // SAFETY: as the function asks; an empty list may have no address.
    if first.is_null() { &[] } else { unsafe { std::slice::from_raw_parts(first, count) } }
}

/// # Safety
/// The text must end in zero, or be null.
unsafe fn text(text: *const c_char) -> Option<String> {
    // SAFETY: as the function asks.
    (!text.is_null()).then(|| unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned())
}
