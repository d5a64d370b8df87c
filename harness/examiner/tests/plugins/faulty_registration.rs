//! A plugin that does what `EXAMINER_TEST_REGISTRATION` says while it says what it is.

use examiner_api::{Diagnostic, Finding, Host, Open, Plugin, Result, schemars};

fn plugin() -> Plugin {
    match std::env::var("EXAMINER_TEST_REGISTRATION").unwrap_or_default().as_str() {
        "exit" => std::process::exit(0),
        "abort" => std::process::abort(),
        // As another process would end it, once: `EXAMINER_TEST_ENDED` is there from then on.
        "ended once" => {
            let ended = std::env::var("EXAMINER_TEST_ENDED").unwrap_or_default();
            if std::fs::File::create_new(ended).is_ok() {
                // SAFETY: asks the kernel to end this process.
                unsafe { libc::kill(libc::getpid(), libc::SIGKILL) };
            }
        }
        // SAFETY: none; that is the point.
        "segfault" => unsafe { std::ptr::null_mut::<u8>().write_volatile(1) },
        "block" => std::thread::sleep(std::time::Duration::from_secs(3600)),
        "garbage" => {
            for file in 3..16 {
                // SAFETY: the bytes are there; what the file is does not matter.
                unsafe { libc::write(file, b"to be or not to be, that is the question".as_ptr().cast(), 40) };
            }
        }
        "print" => println!("hello, I am a plugin"),
        "bad name" => return Plugin::new("faulty plugin", "1.0.0"),
        "bad version" => return Plugin::new("faulty", "one"),
        "two of one name" => {
            return Plugin::new("faulty", "1.0.0")
                .diagnostic::<Nothing>("one", "One.")
                .diagnostic::<Nothing>("one", "Two.");
        }
        _ => {}
    }
    Plugin::new("faulty", "1.0.0")
}

/// A role that finds nothing.
struct Nothing;

#[derive(examiner_api::serde::Deserialize, schemars::JsonSchema)]
#[serde(crate = "examiner_api::serde", deny_unknown_fields)]
#[schemars(crate = "schemars")]
struct NoOptions {}

impl Open for Nothing {
    type Options = NoOptions;
    fn open(_: NoOptions, _: Host) -> Result<Self> {
        Ok(Nothing)
    }
}

impl Diagnostic for Nothing {
    fn findings(&self) -> Result<Vec<Finding>> {
        Ok(Vec::new())
    }
}

examiner_api::export_plugin!(plugin);
