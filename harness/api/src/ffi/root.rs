//! The root module of a plugin library, on either side.

use super::object::{self, HostCall};
use super::{catch, guard};
use crate::wire::{Call, RemoteHost, decode, encode};
use crate::{Host, Metadata, OpenRole, Plugin, PluginInfo, Result, RoleKind};
use abi_stable::{
    library::{CheckTypeLayout, LibHeader, RootModuleResult},
    prefix_type::PrefixTypeTrait,
    std_types::{RErr, ROk, RResult, RSlice, RVec},
};
use examiner_interface::{BoxedRole, PluginModule, PluginModuleRef, RawResult, SharedHost};
use parking_lot::Mutex;

/// Implemented by [`crate::export_plugin!`].
pub trait MakePlugin: 'static {
    /// The plugin.
    fn make() -> Plugin;
}

/// What [`crate::export_plugin!`] exports under [`super::ROOT_SYMBOL`].
pub const fn root<P: MakePlugin>() -> LibHeader {
    // SAFETY: `construct` erases a `PluginModuleRef`, the type named here.
    unsafe { LibHeader::from_constructor::<PluginModuleRef>(construct::<P>, CheckTypeLayout::Yes) }
}

extern "C" fn construct<P: MakePlugin>() -> RootModuleResult {
    abi_stable::library::__call_root_module_loader(module::<P>)
}

fn module<P: MakePlugin>() -> PluginModuleRef {
    PluginModule { describe: describe::<P>, open: open::<P> }.leak_into_prefix()
}

extern "C" fn describe<P: MakePlugin>() -> RawResult {
    guard::remember_places();
    object::into_raw(catch("registering its roles", || encode(&P::make().info())))
}

extern "C" fn open<P: MakePlugin>(request: RSlice<'_, u8>, host: SharedHost) -> RResult<BoxedRole, RVec<u8>> {
    guard::remember_places();
    let role = catch("opening a role", || {
        let (kind, name, options): (RoleKind, String, Metadata) = decode(&request)?;
        P::make().open(kind, &name, options, Host::new(RemoteHost::new(HostCall(host))))
    });
    match role {
        Ok(role) => ROk(object::boxed_role(role)),
        Err(error) => RErr(encode(&error).unwrap_or_default().into()),
    }
}

/// A plugin library that has passed every check, on the program's side.
#[derive(Clone, Copy)]
pub struct LoadedPlugin(pub PluginModuleRef);

impl LoadedPlugin {
    /// The description of the plugin.
    pub fn info(&self) -> Result<PluginInfo> {
        decode(&object::from_raw(self.0.describe()())?)
    }

    /// Opens one of its roles.
    pub fn open(&self, kind: RoleKind, name: &str, options: Metadata, host: Host) -> Result<OpenRole> {
        Ok(OpenRole::remote(kind, self.open_call(kind, name, options, host)?))
    }

    /// Opens one of its roles, to be called in wire form: a process that passes calls on has no need to decode them.
    pub fn open_call(&self, kind: RoleKind, name: &str, options: Metadata, host: Host) -> Result<impl Call + use<>> {
        let request = encode(&(kind, name, options))?;
        match self.0.open()(request.as_slice().into(), object::shared_host(host)) {
            ROk(role) => Ok(object::RoleCall(Mutex::new(role))),
            RErr(error) => Err(decode(&error).unwrap_or_else(|error| error)),
        }
    }
}
