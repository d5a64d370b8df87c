//! The macro that makes a crate a plugin.

/// Makes the crate a plugin: exports the header that the loader checks first, and the root module behind it. Takes the
/// path of a `fn() -> Plugin`. Use it once, at the root of a `cdylib`.
#[macro_export]
macro_rules! export_plugin {
    ($make:path) => {
        const _: () = {
            struct Made;
            impl $crate::ffi::MakePlugin for Made {
                fn make() -> $crate::Plugin {
                    $make()
                }
            }
            // SAFETY: the names are the plugin interface's own; a library holds one plugin.
            #[unsafe(no_mangle)]
            #[used]
            pub static EXAMINER_PLUGIN_HEADER: $crate::ffi::Header = $crate::ffi::HEADER;
            // SAFETY: as above.
            #[unsafe(no_mangle)]
            #[used]
            pub static EXAMINER_PLUGIN_ROOT: $crate::ffi::LibHeader = $crate::ffi::root::<Made>();
        };
    };
}
