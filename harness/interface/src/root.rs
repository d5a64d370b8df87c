//! The root module of a plugin library: two functions.
#![allow(
    non_local_definitions,
    clippy::undocumented_unsafe_blocks,
    reason = "`StableAbi` expands to items and unsafe code that cannot be annotated from here"
)]

use crate::{BoxedRole, RawResult, SharedHost};
use abi_stable::{
    StableAbi,
    library::RootModule,
    package_version_strings,
    sabi_types::VersionStrings,
    std_types::{RResult, RSlice, RVec},
};

/// What a plugin library exports.
#[repr(C)]
#[derive(StableAbi)]
#[sabi(kind(Prefix(prefix_ref = PluginModuleRef)))]
#[sabi(missing_field(panic))]
pub struct PluginModule {
    /// The description of the plugin, in wire form.
    pub describe: extern "C" fn() -> RawResult,
    /// Opens the role that (kind, name, options), in wire form, ask for.
    #[sabi(last_prefix_field)]
    pub open: extern "C" fn(RSlice<'_, u8>, SharedHost) -> RResult<BoxedRole, RVec<u8>>,
}

// `abi_stable` compares this version, too, and refuses another first number.
impl RootModule for PluginModuleRef {
    abi_stable::declare_root_module_statics! {PluginModuleRef}
    const BASE_NAME: &'static str = "examiner_plugin";
    const NAME: &'static str = "examiner plugin";
    const VERSION_STRINGS: VersionStrings = package_version_strings!();
}
