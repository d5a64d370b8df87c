//! A plugin that leaves a mark as soon as it is opened, before anything is asked of it.

use examiner_api::Plugin;

fn plugin() -> Plugin {
    Plugin::new("leaves-a-mark", "1.0.0")
}

examiner_api::export_plugin!(plugin);

extern "C" fn mark() {
    if let Some(path) = std::env::var_os("EXAMINER_TEST_MARK") {
        let _ = std::fs::write(path, "opened");
    }
}

// SAFETY: the section is a list of functions that the system's loader calls when it has opened the library; this one has
// their signature, and does not unwind.
#[used]
#[cfg_attr(target_os = "linux", unsafe(link_section = ".init_array"))]
#[cfg_attr(target_os = "macos", unsafe(link_section = "__DATA,__mod_init_func"))]
static MARK: extern "C" fn() = mark;
