//! A second plugin named `echo`.

use examiner_api::Plugin;

fn plugin() -> Plugin {
    Plugin::new("echo", "9.9.9")
}

examiner_api::export_plugin!(plugin);
