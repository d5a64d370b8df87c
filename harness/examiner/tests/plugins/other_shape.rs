//! A plugin whose header is right and whose root module has another shape than the program's: what a plugin built with
//! an altered `examiner-interface` of the same version would look like.
#![allow(
    missing_docs,
    non_local_definitions,
    clippy::undocumented_unsafe_blocks,
    reason = "`StableAbi` expands to items and unsafe code that cannot be annotated from here"
)]

use abi_stable::library::{CheckTypeLayout, LibHeader, RootModule, RootModuleResult};
use abi_stable::prefix_type::PrefixTypeTrait;
use abi_stable::{StableAbi, sabi_types::VersionStrings};
use examiner_api::ffi::{HEADER, Header};

#[repr(C)]
#[derive(StableAbi)]
#[sabi(kind(Prefix(prefix_ref = OtherModuleRef)))]
pub struct OtherModule {
    #[sabi(last_prefix_field)]
    pub describe: extern "C" fn(u64) -> u64,
}

impl RootModule for OtherModuleRef {
    abi_stable::declare_root_module_statics! {OtherModuleRef}
    const BASE_NAME: &'static str = "examiner_plugin";
    const NAME: &'static str = "examiner plugin";
    const VERSION_STRINGS: VersionStrings = VersionStrings::new("1.0.0");
}

extern "C" fn describe(number: u64) -> u64 {
    number
}

extern "C" fn construct() -> RootModuleResult {
    abi_stable::library::__call_root_module_loader(|| OtherModule { describe }.leak_into_prefix())
}

// SAFETY: the names are the plugin interface's own; a library holds one plugin.
#[unsafe(no_mangle)]
pub static EXAMINER_PLUGIN_HEADER: Header = HEADER;

// SAFETY: as above; `construct` erases an `OtherModuleRef`.
#[unsafe(no_mangle)]
pub static EXAMINER_PLUGIN_ROOT: LibHeader =
    unsafe { LibHeader::from_constructor::<OtherModuleRef>(construct, CheckTypeLayout::Yes) };
