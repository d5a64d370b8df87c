//! The Vulkan loader, without which the provider of WebGPU finds no device on Linux, and does not say why.

use examiner_api::{PluginError, Result};

/// The loader's file, as the provider asks for it.
const LOADER: &str = "libvulkan.so.1";

/// # Errors
/// `Unsupported` if a library that loads Vulkan by this name would not get it.
pub(super) fn check() -> Result<()> {
    if cfg!(target_os = "linux") { loads(LOADER) } else { Ok(()) }
}

fn loads(loader: &str) -> Result<()> {
    // SAFETY: opening a library runs its initializers; this is the file that the provider opens itself a moment later.
    match unsafe { libloading::Library::new(loader) } {
        Ok(_) => Ok(()),
        Err(error) => Err(PluginError::unsupported(format!(
            "`device: webgpu` needs the Vulkan loader, and `{loader}` cannot be opened"
        ))
        .with_cause(&error)
        .with_help(
            "install it: `apt-get install libvulkan1`, `dnf install vulkan-loader`; the driver of the GPU comes beside it \
             (`mesa-vulkan-drivers`, or the vendor's)",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_os = "linux")]
    #[test]
    fn a_loader_that_is_not_there_is_named_with_its_packages() {
        assert!(loads("libc.so.6").is_ok());
        let error = loads("libvulkan-of-nobody.so.1").unwrap_err();
        assert!(error.message.contains("`libvulkan-of-nobody.so.1` cannot be opened"), "{error}");
        assert!(error.help.unwrap().contains("apt-get install libvulkan1"));
    }
}
