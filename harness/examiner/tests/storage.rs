//! A run whose own files cannot be written stops with one line that says which and what to do, leaves nothing half
//! written, and goes on by the same command.
#![cfg(unix)]

use crate::build;
use crate::resume::{results, same_results};
use crate::run::{stderr, suite};
use examiner_test_support::skipped;
use std::collections::BTreeSet;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Writes the suite and prepares the command that runs it, without `--out`: that the same command goes on is what matters.
fn command(directory: &Path, suite: &str) -> Command {
    std::fs::write(directory.join("suite.yaml"), suite).unwrap();
    let mut command = build::examiner(directory);
    command.args(["run", "suite.yaml"]);
    command
}

/// The same, in a process whose files may have no more than so many bytes.
fn limited(directory: &Path, suite: &str, bytes: u64) -> Output {
    let mut command = command(directory, suite);
    let limit = libc::rlimit { rlim_cur: bytes, rlim_max: libc::RLIM_INFINITY };
    // SAFETY: between fork and exec only a system call is made, on a value of the closure's own.
    unsafe {
        command.pre_exec(move || match libc::setrlimit(libc::RLIMIT_FSIZE, &limit) {
            0 => Ok(()),
            _ => Err(std::io::Error::last_os_error()),
        });
    }
    command.output().unwrap()
}

/// All files beneath a directory.
fn files(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
        match entry.file_type().unwrap().is_dir() {
            true => found.extend(files(&entry.path())),
            false => found.push(entry.path()),
        }
    }
    found
}

fn lines(path: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

/// Holds a run that has stopped to what is promised of it, and returns the name of the file that it gave as the reason.
fn stopped_cleanly(directory: &Path, output: &Output) -> String {
    let said = stderr(output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    let failures: Vec<&str> = said.lines().filter(|line| line.starts_with("failed: ")).collect();
    assert_eq!(failures.len(), 1, "one line says it: {said}");
    assert!(failures[0].contains("then run the same command again"), "{said}");
    for path in files(&directory.join("outputs")) {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let text = || std::fs::read_to_string(&path).unwrap();
        assert!(!name.ends_with(".tmp"), "{} is left of a write that failed", path.display());
        match name.as_str() {
            "summary.csv" => assert!(csv::Reader::from_path(&path).unwrap().records().all(|row| row.is_ok())),
            "run.json" => drop(serde_json::from_str::<serde_json::Value>(&text()).unwrap()),
            _ if path.components().any(|part| part.as_os_str() == "samples") => {
                assert!(text().lines().all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()));
            }
            _ => {}
        }
    }
    let named = failures[0].split('`').nth(1).unwrap();
    Path::new(named).file_name().unwrap().to_string_lossy().into_owned()
}

/// Lets a run that was stopped go on, and holds its results against those of an undisturbed one.
fn goes_on(directory: &Path, suite: &str, undisturbed: &Path, why: &str) {
    let output = command(directory, suite).output().unwrap();
    assert!(output.status.success(), "{why}: {}", stderr(&output));
    same_results(undisturbed, &directory.join("outputs/latest"));
}

fn undisturbed(suite: &str) -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let output = command(directory.path(), suite).output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    let run = directory.path().join("outputs/latest").canonicalize().unwrap();
    (directory, run)
}

fn two_models() -> String {
    suite(
        "  a: { plugin: adder, count: asked }\n  b: { plugin: adder, count: asked, fault: wrong, at: 5 }\n",
        "  sums: { plugin: numbers, rows: 40 }\n",
    )
}

#[test]
fn a_limit_on_the_size_of_files_stops_the_run_wherever_it_strikes() {
    let suite = two_models();
    let (directory, run) = undisturbed(&suite);
    let size = |path: &str| std::fs::metadata(run.join(path)).unwrap().len();
    let once = lines(&directory.path().join("asked")).len();
    let journal = size("journal/a/sums.jsonl");
    let limits = [0, size("suite.yaml") - 1, size("suite.yaml") + 1, size("run.json") + 1, journal / 2, journal - 5];
    let mut struck = BTreeSet::new();
    for limit in limits {
        let directory = tempfile::tempdir().unwrap();
        let output = limited(directory.path(), &suite, limit);
        struck.insert(stopped_cleanly(directory.path(), &output));
        let before = lines(&directory.path().join("asked")).len();
        goes_on(directory.path(), &suite, &run, &format!("limit {limit}"));
        // What was being asked when the journal was full is asked again, and nothing else.
        let asked = lines(&directory.path().join("asked")).len();
        let finished = if limit < journal / 2 { 0 } else { before / 2 };
        assert!(asked - once <= before - finished, "limit {limit}: {before} asked, then {asked}, in place of {once}");
    }
    let expected = ["run.lock", "run.json", "suite.yaml", "sums.jsonl"].map(str::to_owned);
    assert_eq!(struck, BTreeSet::from(expected));
}

/// The journal is complete, and the files made from it are what cannot be written.
#[test]
fn samples_and_the_summary_can_be_written_later() {
    let suite = two_models();
    let (directory, run) = undisturbed(&suite);
    let samples = run.join("samples/a/sums.jsonl");
    let size = std::fs::metadata(&samples).unwrap().len();
    let unfinish = || {
        let path = run.join("run.json");
        let text = std::fs::read_to_string(&path).unwrap().replacen("\"complete\"", "\"running\"", 1);
        std::fs::write(&path, text).unwrap();
    };
    let before = (results(&run), std::fs::read(&samples).unwrap());
    let asked = lines(&directory.path().join("asked"));
    let holds = |named: &str, output: &Output| {
        assert_eq!(stopped_cleanly(directory.path(), output), named);
        assert_eq!(lines(&directory.path().join("asked")), asked, "nothing is asked again");
        unfinish();
    };

    unfinish();
    std::fs::remove_file(&samples).unwrap();
    holds("sums.jsonl", &limited(directory.path(), &suite, size - 1));
    assert!(!samples.exists());

    // A directory in the place of a file can be replaced by nothing.
    std::fs::remove_file(run.join("summary.csv")).unwrap();
    std::fs::create_dir(run.join("summary.csv")).unwrap();
    holds("summary.csv", &command(directory.path(), &suite).output().unwrap());
    std::fs::remove_dir(run.join("summary.csv")).unwrap();

    assert!(command(directory.path(), &suite).output().unwrap().status.success());
    assert_eq!((results(&run), std::fs::read(&samples).unwrap()), before);
    assert_eq!(lines(&directory.path().join("asked")), asked);
}

/// A file system of its own, which goes away with it.
struct Tmpfs(tempfile::TempDir);

impl Tmpfs {
    /// None where mounting is not allowed.
    fn new(size: &str) -> Option<Self> {
        let mounted = Tmpfs(tempfile::tempdir().unwrap());
        mounted.mount(0, size).then_some(mounted)
    }

    fn mount(&self, flags: libc::c_ulong, size: &str) -> bool {
        let text = |text: &str| std::ffi::CString::new(text).unwrap();
        let (target, kind) = (text(self.0.path().to_str().unwrap()), text("tmpfs"));
        let options = text(&format!("size={size},mode=777"));
        // SAFETY: all pointers are to texts that end in NUL and outlive the call.
        unsafe { libc::mount(kind.as_ptr(), target.as_ptr(), kind.as_ptr(), flags, options.as_ptr().cast()) == 0 }
    }
}

impl Drop for Tmpfs {
    fn drop(&mut self) {
        let target = std::ffi::CString::new(self.0.path().to_str().unwrap()).unwrap();
        // SAFETY: the pointer is to a text that ends in NUL and outlives the call.
        unsafe {
            libc::umount2(target.as_ptr(), libc::MNT_DETACH);
        }
    }
}

#[test]
fn a_full_disk_stops_the_run_and_space_lets_it_go_on() {
    let suite = two_models();
    let (_directory, run) = undisturbed(&suite);
    for size in ["28k", "48k", "64k"] {
        let Some(disk) = Tmpfs::new(size) else {
            skipped("this user may not mount a file system");
            return;
        };
        let output = command(disk.0.path(), &suite).output().unwrap();
        stopped_cleanly(disk.0.path(), &output);
        assert!(stderr(&output).contains("No space left on device"), "{}", stderr(&output));
        assert!(stderr(&output).contains("free some space"), "{}", stderr(&output));
        assert!(disk.mount(libc::MS_REMOUNT, "16m"));
        goes_on(disk.0.path(), &suite, &run, size);
    }
}

#[test]
fn a_read_only_file_system_stops_the_run_and_a_writable_one_lets_it_go_on() {
    let suite = two_models();
    let (_directory, run) = undisturbed(&suite);
    let Some(disk) = Tmpfs::new("16m") else {
        skipped("this user may not mount a file system");
        return;
    };
    std::fs::write(disk.0.path().join("suite.yaml"), &suite).unwrap();
    assert!(disk.mount(libc::MS_REMOUNT | libc::MS_RDONLY, "16m"));
    let output = build::examiner(disk.0.path()).args(["run", "suite.yaml"]).output().unwrap();
    stopped_cleanly(disk.0.path(), &output);
    assert!(stderr(&output).contains("make the file system writable"), "{}", stderr(&output));
    assert!(disk.mount(libc::MS_REMOUNT, "16m"));
    goes_on(disk.0.path(), &suite, &run, "writable again");
}

/// The command as somebody whom permissions bind: root is not.
fn as_nobody(mut command: Command, directory: &Path) -> Command {
    const NOBODY: u32 = 65534;
    // SAFETY: the call takes nothing and cannot fail.
    if unsafe { libc::geteuid() } == 0 {
        for path in
            files(directory).iter().map(PathBuf::as_path).chain(directories(directory).iter().map(PathBuf::as_path))
        {
            std::os::unix::fs::lchown(path, Some(NOBODY), Some(NOBODY)).unwrap();
        }
        command.uid(NOBODY).gid(NOBODY);
    }
    command
}

fn directories(directory: &Path) -> Vec<PathBuf> {
    let inside = std::fs::read_dir(directory).unwrap().flatten().filter(|entry| entry.file_type().unwrap().is_dir());
    std::iter::once(directory.to_owned()).chain(inside.flat_map(|entry| directories(&entry.path()))).collect()
}

fn allow(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(mode)).unwrap();
}

#[test]
fn what_may_not_be_written_stops_the_run_until_it_may() {
    let suite = two_models();
    let (_directory, run) = undisturbed(&suite);
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    let attempt = || as_nobody(command(path, &suite), path).output().unwrap();
    if as_nobody(build::examiner(path), path).arg("--version").output().is_err() {
        skipped(&format!("the user `nobody` may not run what is in `{}`", build::target().display()));
        return;
    }
    let refused = |place: &Path, mode: u32, named: &str| {
        let before = std::fs::metadata(place).unwrap().permissions();
        allow(place, mode);
        let output = attempt();
        std::fs::set_permissions(place, before).unwrap();
        assert_eq!(stopped_cleanly(path, &output), named);
        assert!(stderr(&output).contains("make it writable for this user"), "{}", stderr(&output));
    };
    refused(path, 0o555, "outputs");
    // Something to go on from: a run of which one journal is short of its end.
    assert!(attempt().status.success());
    let latest = path.join("outputs/latest").canonicalize().unwrap();
    let unfinish = || {
        let text = std::fs::read_to_string(latest.join("run.json")).unwrap();
        std::fs::write(latest.join("run.json"), text.replacen("\"complete\"", "\"interrupted\"", 1)).unwrap();
        let journal = latest.join("journal/a/sums.jsonl");
        let bytes = std::fs::read(&journal).unwrap();
        std::fs::write(&journal, &bytes[..bytes.len() / 2]).unwrap();
    };
    unfinish();
    refused(&latest.join("journal/a/sums.jsonl"), 0o444, "sums.jsonl");
    refused(&latest.join("journal/a"), 0o000, "sums.jsonl");
    // What would be written is there already, unless it is spoilt.
    std::fs::write(latest.join("samples/a/sums.jsonl"), "{}\n").unwrap();
    refused(&latest.join("samples/a"), 0o555, "sums.jsonl");
    refused(&latest, 0o555, "run.json");
    assert!(attempt().status.success());
    same_results(&run, &latest);
}

/// Whoever sends stderr to a file on the disk that is full loses lines, and no results.
#[test]
fn a_stderr_that_cannot_be_written_costs_nothing_else() {
    let suite = two_models();
    let (_directory, run) = undisturbed(&suite);
    let directory = tempfile::tempdir().unwrap();
    let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
    let status = command(directory.path(), &suite).stderr(full).stdout(std::process::Stdio::null()).status().unwrap();
    assert!(status.success());
    same_results(&run, &directory.path().join("outputs/latest"));
}
