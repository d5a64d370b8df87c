//! Plugin files: what they are, where they lie, and what a suite pins.

use super::World;
use crate::build;
use insta::assert_snapshot;
use sha2::{Digest, Sha256};
use std::path::Path;

const SUITE: &str = "name: plugged
models: { m: { plugin: echo } }
datasets: { d: { plugin: table, path: d.jsonl, prompt: \"{{ q }}\" } }
evaluate: [{ models: m, datasets: d }]
";

/// A world whose suite begins with a section `plugins` of these entries.
fn world(entries: &str) -> World {
    World::new().with("suite.yaml", format!("plugins: {{ {entries} }}\n{SUITE}"))
}

/// What is said of the suite with these entries.
fn check(entries: &str) -> String {
    world(entries).refused(&["check", "--quick", "suite.yaml"])
}

/// What is said of a file that the suite names for the plugin `mine`.
fn file(content: impl AsRef<[u8]>) -> String {
    world("mine: { path: mine.so }").with("mine.so", content).refused(&["check", "--quick", "suite.yaml"])
}

/// A good plugin, after something was done to its bytes.
fn altered(alter: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut bytes = fixture();
    alter(&mut bytes);
    bytes
}

fn fixture() -> Vec<u8> {
    std::fs::read(build::fixture("fixture")).unwrap()
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn link(world: &World, from: &str, to: &Path) {
    std::os::unix::fs::symlink(to, world.path().join(from)).unwrap();
}

#[test]
fn files_that_are_no_library() {
    assert_snapshot!(file(""), @r#"error: suite.yaml:1:26: plugins.mine.path: `[DIR]/mine.so` is not a shared library (0 bytes); build the plugin with `crate-type = ["cdylib"]` and name the library file"#);
    assert_snapshot!(file("A text that is longer than any header of a library, and none of it is one."), @r#"error: suite.yaml:1:26: plugins.mine.path: `[DIR]/mine.so` is not a shared library (it begins with "A text t"); build the plugin with `crate-type = ["cdylib"]` and name the library file"#);
    assert_snapshot!(file(b"PK\x03\x04".repeat(40)), @r#"error: suite.yaml:1:26: plugins.mine.path: `[DIR]/mine.so` is not a shared library (it begins with "PK\u{3}\u{4}PK\u{3}\u{4}"); build the plugin with `crate-type = ["cdylib"]` and name the library file"#);
    assert_snapshot!(check("mine: { path: mine.so }"), @"error: suite.yaml:1:26: plugins.mine.path: `mine.so` cannot be read: No such file or directory (os error 2); check the path and its permissions");
    assert_snapshot!(check("mine: { path: \"\" }"), @"error: suite.yaml:1:26: plugins.mine.path: expected the path of a library, found an empty text");
    let directory = world("mine: { path: mine.so }").with("mine.so/mine.so", "");
    assert_snapshot!(directory.refused(&["check", "--quick", "suite.yaml"]), @r#"error: suite.yaml:1:26: plugins.mine.path: `[DIR]/mine.so` is not a shared library (it is a directory); build the plugin with `crate-type = ["cdylib"]` and name the library file"#);
}

#[test]
fn a_pipe_is_not_waited_for() {
    let world = world("mine: { path: mine.so }");
    let made = std::process::Command::new("mkfifo").arg(world.path().join("mine.so")).status().unwrap();
    assert!(made.success());
    assert_snapshot!(world.refused(&["check", "--quick", "suite.yaml"]), @r#"error: suite.yaml:1:26: plugins.mine.path: `[DIR]/mine.so` is not a shared library (it is no regular file); build the plugin with `crate-type = ["cdylib"]` and name the library file"#);
}

#[test]
fn libraries_that_are_cut_off() {
    let length = fixture().len();
    let cut = |length: usize| file(altered(|bytes| bytes.truncate(length)));
    assert!(cut(length - 1).contains("is truncated"), "{}", cut(length - 1));
    assert!(cut(length / 2).contains("is truncated"), "{}", cut(length / 2));
    assert_snapshot!(cut(4096).replace(&length.to_string(), "[LENGTH]"), @"error: suite.yaml:1:26: plugins.mine.path: `[DIR]/mine.so` is truncated: its section table ends at byte [LENGTH], the file has 4096; copy or build it again");
}

#[test]
#[cfg(target_arch = "x86_64")]
fn a_library_for_another_machine() {
    // The machine's number stands at byte 18 of an ELF file; 183 is 64-bit Arm.
    assert_snapshot!(file(altered(|bytes| bytes[18] = 183)), @"error: suite.yaml:1:26: plugins.mine.path: `[DIR]/mine.so` is built for Aarch64 (Elf), this program runs on x86_64 (linux); build the plugin with `cargo build --release --target x86_64-unknown-linux-gnu`");
}

#[test]
fn libraries_that_are_no_plugin_of_this_program() {
    let program = std::fs::read(env!("CARGO_BIN_EXE_examiner")).unwrap();
    assert_snapshot!(file(program), @"error: suite.yaml:1:26: plugins.mine.path: `[DIR]/mine.so` is a shared library but not an Examiner plugin: it has no symbol `EXAMINER_PLUGIN_ROOT`; write `examiner_api::export_plugin!(plugin);` at the root of the crate");
    let other = altered(|bytes| {
        let header = b"examiner plugin\0";
        let at = bytes.windows(header.len()).position(|window| window == header).unwrap() + 20;
        bytes[at..at + 5].copy_from_slice(b"9.7.3");
        // Behind both texts of 64 bytes.
        bytes[at + 128] = 2;
    });
    assert_snapshot!(file(other), @r#"error: suite.yaml:1:26: plugins.mine.path: `[DIR]/mine.so` was built with plugin interface 2 (`examiner-api` 9.7.3), this program has plugin interface 1 (`examiner-api` 0.3.0); use a newer program, or build the plugin for this one: write `examiner-api = "0.3.0"` into its `Cargo.toml`, then `cargo build --release`"#);
    assert_snapshot!(file(std::fs::read(build::fixture("panics_at_registration")).unwrap()), @"error: suite.yaml:1:26: plugins.mine.path: `[DIR]/mine.so` failed while registering its roles: panicked while registering its roles: no roles today (at `harness/examiner/tests/plugins/panics_at_registration.rs:6`); this is an error in the plugin, tell its author");
}

#[test]
fn a_plugin_that_is_another_one() {
    assert_snapshot!(file(fixture()), @"error: suite.yaml:1:26: plugins.mine.path: `[DIR]/mine.so` is the plugin `fixture`, the suite names it for `mine`; write `plugins: { fixture: { path: FILE } }`, or name the right file");
}

#[test]
fn two_plugins_of_one_name() {
    let world = World::new().with("suite.yaml", SUITE);
    std::fs::create_dir(world.path().join("mine")).unwrap();
    std::fs::copy(build::fixture("echo_again"), world.path().join("mine/again.so")).unwrap();
    assert_snapshot!(world.refused(&["check", "--quick", "suite.yaml", "--plugins", "mine"]), @"error: `[BUILD]/libexaminer_plugin_echo.so` is a plugin named `echo`, as is `[DIR]/mine/again.so`; remove one of them");
}

#[test]
fn directories_that_are_none() {
    let world = World::new().with("suite.yaml", SUITE);
    assert_snapshot!(world.refused(&["check", "--quick", "suite.yaml", "--plugins", "nowhere"]), @"error: `nowhere` cannot be read: No such file or directory (os error 2); check the path and its permissions");
    assert_snapshot!(world.refused(&["check", "--quick", "suite.yaml", "--plugins", "suite.yaml"]), @"error: `suite.yaml` cannot be read: Not a directory (os error 20); check the path and its permissions");
}

#[test]
fn a_link_that_leaves_the_plugin_directory() {
    let world = world("fixture: {}").with("mine/notes.txt", "no library").with("elsewhere/fixture.so", fixture());
    link(&world, "mine/libfixture.so", &world.path().join("elsewhere/fixture.so"));
    assert_snapshot!(world.refused(&["check", "--quick", "suite.yaml", "--plugins", "mine"]), @r#"
    error: suite.yaml:1:21: plugins.fixture: there is no plugin named `fixture`
      help: the plugins at hand are `core`, `bbh`, `candle`, `echo`, `gsm8k`, `lm-eval`, `onnx`, `openai`, `process`, `replay`, `table`; not used: `mine/libfixture.so` is a link to `[DIR]/elsewhere/fixture.so`, which is outside of the plugin directory `[DIR]/mine`; copy the library into the directory, or name it in the suite: `plugins: { NAME: { path: FILE, sha256: DIGITS } }`
    "#);
    // Neither does a link that leads nowhere do harm.
    std::fs::remove_file(world.path().join("elsewhere/fixture.so")).unwrap();
    assert_snapshot!(world.refused(&["check", "--quick", "suite.yaml", "--plugins", "mine"]), @r#"
    error: suite.yaml:1:21: plugins.fixture: there is no plugin named `fixture`
      help: the plugins at hand are `core`, `bbh`, `candle`, `echo`, `gsm8k`, `lm-eval`, `onnx`, `openai`, `process`, `replay`, `table`; not used: `mine/libfixture.so` cannot be read: No such file or directory (os error 2); check the path and its permissions
    "#);
}

#[test]
fn links_within_the_plugin_directory_and_to_it_are_followed() {
    let world = world("fixture: {}").with("mine/builds/fixture-2.bin", fixture());
    link(&world, "mine/libfixture.so", Path::new("builds/fixture-2.bin"));
    link(&world, "also-mine", &world.path().join("mine"));
    world.succeeds(&["check", "--quick", "suite.yaml", "--plugins", "mine"]);
    world.succeeds(&["check", "--quick", "suite.yaml", "--plugins", "also-mine"]);
}

#[test]
fn a_relative_path_that_leaves_where_it_starts() {
    let suite = |entries: &str| {
        let world = World::new().with("fixture.so", fixture());
        world.with("work/suite.yaml", format!("plugins: {{ fixture: {{ {entries} }} }}\n{SUITE}"))
    };
    let check = |world: &World, arguments: &[&str]| {
        let arguments = [&["check", "--quick", "suite.yaml"], arguments].concat();
        build::examiner(&world.path().join("work")).args(arguments).output().unwrap()
    };
    let said = |world: &World| {
        let output = check(world, &[]);
        assert_eq!(output.status.code(), Some(2));
        world.plain(&String::from_utf8(output.stderr).unwrap())
    };
    assert_snapshot!(said(&suite("path: ../fixture.so")), @"error: suite.yaml:1:29: plugins.fixture.path: `../fixture.so` leads to `[DIR]/fixture.so`, which is neither in `[DIR]/work`, where relative paths start, nor in a plugin directory; write its absolute path, or pin it with `sha256`");
    let linked = suite("path: mine.so");
    link(&linked, "work/mine.so", Path::new("../fixture.so"));
    assert_snapshot!(said(&linked), @"error: suite.yaml:1:29: plugins.fixture.path: `mine.so` leads to `[DIR]/fixture.so`, which is neither in `[DIR]/work`, where relative paths start, nor in a plugin directory; write its absolute path, or pin it with `sha256`");
    // What it is is known by a pin, or where it is by an absolute path, or the directory was chosen.
    assert!(check(&suite(&format!("path: ../fixture.so, sha256: {}", sha256(&fixture()))), &[]).status.success());
    assert!(check(&suite("path: ../fixture.so"), &["--plugins", ".."]).status.success());
    let absolute = suite("path: PATH");
    let path = format!("plugins.fixture.path={}", absolute.path().join("fixture.so").display());
    assert!(check(&absolute, &["--set", &path]).status.success());
    // A `..` that does not leave is none.
    let inside = suite("path: ./mine/../mine/fixture.so").with("work/mine/fixture.so", fixture());
    assert!(check(&inside, &[]).status.success());
}

#[test]
fn a_pin_that_the_file_does_not_have() {
    let digits = "0".repeat(64);
    let by_path = world(&format!("fixture: {{ path: mine.so, sha256: {digits} }}")).with("mine.so", fixture());
    assert_snapshot!(by_path.refused(&["check", "--quick", "suite.yaml"]), @"error: suite.yaml:1:46: plugins.fixture.sha256: `[DIR]/mine.so` has SHA-256 [SHA256], the suite pins [SHA256] for the plugin `fixture`; install the pinned build, or change the pin if you trust this one");
    assert_snapshot!(by_path.refused(&["run", "suite.yaml"]), @"error: suite.yaml:1:46: plugins.fixture.sha256: `[DIR]/mine.so` has SHA-256 [SHA256], the suite pins [SHA256] for the plugin `fixture`; install the pinned build, or change the pin if you trust this one");
    let in_directory = world(&format!("fixture: {{ sha256: {digits} }}")).with("mine/libfixture.so", fixture());
    assert_snapshot!(in_directory.refused(&["check", "--quick", "suite.yaml", "--plugins", "mine"]), @"error: suite.yaml:1:31: plugins.fixture.sha256: `[DIR]/mine/libfixture.so` has SHA-256 [SHA256], the suite pins [SHA256] for the plugin `fixture`; install the pinned build, or change the pin if you trust this one");
    // Named so that only the plugin itself can say what it is.
    let hidden = world(&format!("fixture: {{ sha256: {digits} }}")).with("mine/other.so", fixture());
    assert_snapshot!(hidden.refused(&["check", "--quick", "suite.yaml", "--plugins", "mine"]), @"error: suite.yaml:1:31: plugins.fixture.sha256: `[DIR]/mine/other.so` has SHA-256 [SHA256], the suite pins [SHA256] for the plugin `fixture`; install the pinned build, or change the pin if you trust this one");
    let beside_the_program = check(&format!("echo: {{ sha256: {digits} }}"));
    assert_snapshot!(beside_the_program, @"error: suite.yaml:1:28: plugins.echo.sha256: `[BUILD]/libexaminer_plugin_echo.so` has SHA-256 [SHA256], the suite pins [SHA256] for the plugin `echo`; install the pinned build, or change the pin if you trust this one");
}

#[test]
fn pins_that_hold() {
    let digits = sha256(&fixture());
    let world = world(&format!("fixture: {{ path: mine.so, sha256: {} }}", digits.to_uppercase()));
    let world = world.with("mine.so", fixture()).with("other/libfixture.so", altered(|bytes| bytes.push(0)));
    world.succeeds(&["check", "--quick", "suite.yaml"]);
    // The suite names the file: another build in a directory is passed over.
    world.succeeds(&["check", "--quick", "suite.yaml", "--plugins", "other"]);
}

#[test]
fn pins_that_hold_nothing() {
    let digits = "0".repeat(64);
    assert_snapshot!(check(&format!("ecko: {{ sha256: {digits} }}")), @r#"
    error: suite.yaml:1:18: plugins.ecko: there is no plugin named `ecko`
      help: did you mean `echo`? the plugins at hand are `core`, `bbh`, `candle`, `echo`, `gsm8k`, `lm-eval`, `onnx`, `openai`, `process`, `replay`, `table`
    "#);
    assert_snapshot!(check(&format!("core: {{ sha256: {digits} }}")), @r#"
    error: suite.yaml:1:18: plugins.core: plugin `core` is part of the program and has no file to pin
      help: remove the pin
    "#);
    assert_snapshot!(check("echo: { sha256: abc }, table: { hash: abc }"), @r#"
    error: suite.yaml:1:28: plugins.echo.sha256: expected the 64 hexadecimal digits of a SHA-256, found 3 characters
      help: print them with `sha256sum FILE`
    suite.yaml:1:44: plugins.table.hash: unknown key, expected one of `path`, `sha256`
    "#);
}

#[test]
fn a_pinned_file_is_judged_before_any_of_it_runs() {
    let library = std::fs::read(build::fixture("leaves_a_mark")).unwrap();
    let opened = |entry: &str, file: &str, arguments: &[&str]| {
        let world = world(&format!("leaves-a-mark: {{ {entry} }}")).with(file, &library);
        let mark = world.path().join("mark");
        let mut program = build::examiner(world.path());
        program.env("EXAMINER_TEST_MARK", &mark).args(["check", "--quick", "suite.yaml"]).args(arguments);
        let status = program.output().unwrap().status;
        (status.code(), mark.exists())
    };
    let pin = format!("sha256: {}", "0".repeat(64));
    // It would leave its mark.
    assert_eq!(opened("path: any.so", "any.so", &[]), (Some(0), true));
    assert_eq!(opened(&format!("path: any.so, {pin}"), "any.so", &[]), (Some(2), false));
    let directory = ["--plugins", "mine"];
    assert_eq!(opened("", "mine/libleaves_a_mark.so", &directory), (Some(0), true));
    assert_eq!(opened(&pin, "mine/libleaves_a_mark.so", &directory), (Some(2), false));
    assert_eq!(opened(&pin, "mine/libexaminer_plugin_leaves_a_mark.so", &directory), (Some(2), false));
}

#[test]
fn what_is_not_used_is_listed_with_its_reason() {
    let world = World::new().with("mine/text.so", "A text that is longer than any header of a library could be.");
    link(&world, "mine/away.so", &build::plugin("echo"));
    link(&world, "mine/nowhere.so", Path::new("gone.so"));
    let output = world.start(&["plugins", "--plugins", "mine"]);
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<&str> = text.lines().filter(|line| line.starts_with("not used: ")).collect();
    assert_snapshot!(world.plain(&lines.join("\n")), @r#"
    not used: `mine/away.so` is a link to `[BUILD]/libexaminer_plugin_echo.so`, which is outside of the plugin directory `[DIR]/mine`; copy the library into the directory, or name it in the suite: `plugins: { NAME: { path: FILE, sha256: DIGITS } }`
    not used: `mine/nowhere.so` cannot be read: No such file or directory (os error 2); check the path and its permissions
    not used: `[DIR]/mine/text.so` is not a shared library (60 bytes); build the plugin with `crate-type = ["cdylib"]` and name the library file
    "#);
}
