//! What a run takes of memory and time.
#![cfg(target_os = "linux")]

use std::fs::File;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

/// The command, as JSON; where its standard error goes; where the result goes.
const VARIABLES: [&str; 3] = ["EXAMINER_TEST_COMMAND", "EXAMINER_TEST_SAID", "EXAMINER_TEST_USAGE"];

/// Runs a command, with its standard error in the file `said`. Returns what it and the processes that it has waited for took: MiB of the
/// largest, and seconds of a processor of all.
///
/// A process counts what its parent held when it was started, and the tests beside this one hold much. So a process of its own, which holds
/// little, is the parent.
pub(crate) fn usage(command: &Command, said: &Path) -> (i64, f64) {
    let words: Vec<&str> = std::iter::once(command.get_program()).chain(command.get_args()).map(text).collect();
    let result = tempfile::NamedTempFile::new().unwrap();
    let mut between = Command::new(std::env::current_exe().unwrap());
    between.args(["--ignored", "--exact", "measured::between", "--test-threads=1"]);
    between.current_dir(command.get_current_dir().unwrap()).stdout(Stdio::null()).stderr(Stdio::null());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => between.env(name, value),
            None => between.env_remove(name),
        };
    }
    let values = [serde_json::to_string(&words).unwrap(), text(said).to_owned(), text(result.path()).to_owned()];
    assert!(between.envs(VARIABLES.iter().zip(&values)).status().unwrap().success());
    serde_json::from_str(&std::fs::read_to_string(result.path()).unwrap()).unwrap()
}

fn text(text: &(impl AsRef<std::ffi::OsStr> + ?Sized)) -> &str {
    text.as_ref().to_str().unwrap()
}

/// The process between; by itself it tests nothing.
#[test]
#[ignore = "a part of other tests"]
fn between() {
    let [Ok(words), Ok(said), Ok(result)] = VARIABLES.map(std::env::var) else { return };
    let words: Vec<String> = serde_json::from_str(&words).unwrap();
    let mut command = Command::new(&words[0]);
    command.args(&words[1..]).stdout(Stdio::null()).stderr(File::create(said).unwrap());
    VARIABLES.iter().for_each(|name| _ = command.env_remove(name));
    let process = command.spawn().unwrap().id().try_into().unwrap();
    // SAFETY: `rusage` is plain data, for which zeros are a value, and the call writes into it and `status` alone.
    let usage = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        let mut status = 0;
        assert_eq!(libc::wait4(process, &raw mut status, 0, &raw mut usage), process);
        usage
    };
    let seconds = |time: libc::timeval| Duration::new(time.tv_sec as u64, time.tv_usec as u32 * 1000).as_secs_f64();
    let taken = (usage.ru_maxrss / 1024, seconds(usage.ru_utime) + seconds(usage.ru_stime));
    std::fs::write(result, serde_json::to_string(&taken).unwrap()).unwrap();
}
