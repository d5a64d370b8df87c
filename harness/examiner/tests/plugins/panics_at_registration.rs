//! A plugin that panics while it says what it is.

use examiner_api::Plugin;

fn plugin() -> Plugin {
    panic!("no roles today");
}

examiner_api::export_plugin!(plugin);
