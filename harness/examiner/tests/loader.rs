//! Plugins that load, and every way in which a file can fail to be one.

use crate::build;
use examiner_api::testing::FakeHost;
use examiner_api::{ErrorCode, GenerateRequest, GenerateResult, Metadata, OpenRole, Response, RoleKind};
use examiner_engine::loader::{LoadError, LoadProblem, Plugins, SearchPath};
use examiner_engine::worker::registration;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

pub(crate) fn load_all(paths: &[&Path]) -> Result<Plugins, LoadError> {
    let places: Vec<SearchPath> = paths.iter().map(|path| SearchPath::File(path.to_path_buf())).collect();
    let mut plugins = Plugins::default();
    plugins.search(&places, &BTreeMap::new(), &*registration(None)).map(|()| plugins)
}

pub(crate) fn problem(path: &Path) -> LoadProblem {
    let error = load_all(&[path]).err().unwrap();
    let said = error.to_string();
    assert!(said.contains(path.file_name().unwrap().to_str().unwrap()), "{said}");
    error.problem
}

/// A copy of a good plugin with something done to its bytes.
fn altered(directory: &Path, name: &str, alter: impl FnOnce(&mut Vec<u8>)) -> PathBuf {
    let mut bytes = std::fs::read(build::plugin("echo")).unwrap();
    alter(&mut bytes);
    let path = directory.join(name);
    std::fs::write(&path, bytes).unwrap();
    path
}

fn find(bytes: &[u8], what: &[u8]) -> usize {
    bytes.windows(what.len()).position(|window| window == what).unwrap()
}

#[test]
fn each_file_is_a_plugin_of_its_own() {
    let plugins = load_all(&[&build::plugin("echo"), &build::plugin("gsm8k"), &build::fixture("fixture")]).unwrap();
    let names: Vec<&str> = plugins.loaded().iter().map(|file| file.info.name.as_str()).collect();
    assert_eq!(names, ["echo", "gsm8k", "fixture"]);
    assert!(plugins.find(RoleKind::Dataset, "gsm8k").is_ok());
    let error = plugins.find(RoleKind::Model, "ecko").err().unwrap();
    assert_eq!(error.code, ErrorCode::NotFound);
    assert!(error.to_string().contains("did you mean `echo`?"), "{error}");
}

#[test]
fn a_loaded_role_works_across_the_boundary() {
    let plugins = load_all(&[&build::plugin("echo")]).unwrap();
    let options = Metadata::from_iter([("prefix".to_owned(), "> ".into())]);
    let host = FakeHost::new();
    let OpenRole::Model(mut model) = plugins.open(RoleKind::Model, "echo", options, host.host()).unwrap() else {
        panic!("not a model")
    };
    assert!(model.info().unwrap().can_generate);
    let request = |id| GenerateRequest { id, prompt: format!("p{id}"), ..GenerateRequest::default() };
    let texts = Mutex::new(Vec::new());
    model
        .generate(vec![request(1), request(2)], &|response: Response<GenerateResult>| {
            texts.lock().unwrap().push((response.id, response.result.unwrap().text));
            examiner_api::Flow::Continue
        })
        .unwrap();
    assert_eq!(texts.into_inner().unwrap(), [(1, "> p1".to_owned()), (2, "> p2".to_owned())]);

    let wrong = Metadata::from_iter([("prefiks".to_owned(), "> ".into())]);
    let error = plugins.open(RoleKind::Model, "echo", wrong, host.host()).err().unwrap();
    assert_eq!(error.code, ErrorCode::BadOptions);
    assert!(error.to_string().contains("unknown field `prefiks`"), "{error}");
}

#[test]
fn a_panic_in_a_role_is_an_error_with_its_place_and_the_plugin_lives_on() {
    let plugins = load_all(&[&build::fixture("fixture")]).unwrap();
    let fault = |fault: &str| Metadata::from_iter([("fault".to_owned(), fault.into())]);
    let host = FakeHost::new();
    let error = plugins.open(RoleKind::Model, "adder", fault("panic-at-open"), host.host()).err().unwrap();
    assert_eq!(error.code, ErrorCode::Panic);
    assert!(error.message.contains("not today") && error.message.contains("fixture.rs:"), "{error}");

    let OpenRole::Model(mut model) = plugins.open(RoleKind::Model, "adder", fault("panic"), host.host()).unwrap()
    else {
        panic!("not a model")
    };
    assert_eq!(host.messages()[0].1, "an adder opens");
    let mut request = GenerateRequest::default();
    request.sample.metadata = std::sync::Arc::new(Metadata::from_iter([("n".to_owned(), 0.into())]));
    let error = model.generate(vec![request.clone()], &|_| examiner_api::Flow::Continue).unwrap_err();
    assert_eq!(error.code, ErrorCode::Panic);
    assert!(error.message.contains("question 0 is too hard"), "{error}");
    request.sample.metadata = std::sync::Arc::new(Metadata::from_iter([("n".to_owned(), 1.into())]));
    model.generate(vec![request], &|_| examiner_api::Flow::Continue).unwrap();
}

#[test]
fn a_panic_in_the_callers_sink_does_not_cross_back() {
    let plugins = load_all(&[&build::plugin("echo")]).unwrap();
    let opened = plugins.open(RoleKind::Model, "echo", Metadata::new(), FakeHost::new().host()).unwrap();
    let OpenRole::Model(mut model) = opened else { panic!("not a model") };
    let error = model
        .generate(vec![GenerateRequest::default()], &|_: Response<GenerateResult>| panic!("the receiver fell over"))
        .unwrap_err();
    assert_eq!(error.code, ErrorCode::Panic);
    assert!(error.message.contains("the receiver fell over"), "{error}");
}

#[test]
fn what_is_no_library_is_told_from_what_is_no_plugin() {
    let directory = tempfile::tempdir().unwrap();
    let text = directory.path().join("text.so");
    std::fs::write(&text, "this is a text, and rather a long one, so that its length alone does not give it away")
        .unwrap();
    assert!(matches!(problem(&text), LoadProblem::NotALibrary(_)));
    let empty = directory.path().join("empty.so");
    std::fs::write(&empty, "").unwrap();
    assert!(matches!(problem(&empty), LoadProblem::NotALibrary(_)));
    assert!(matches!(problem(&directory.path().join("absent.so")), LoadProblem::Unreadable(_)));
    let program = std::env::current_exe().unwrap();
    assert!(matches!(problem(&program), LoadProblem::NotAPlugin { .. }));
}

/// Opening a truncated library raises SIGBUS: it must be found in its bytes, at whatever length it was cut.
#[test]
fn a_truncated_library_is_refused_before_it_is_opened() {
    let directory = tempfile::tempdir().unwrap();
    let whole = std::fs::metadata(build::plugin("echo")).unwrap().len() as usize;
    for part in [1, 2, 5, 10, 50, 90, 99] {
        let path = altered(directory.path(), &format!("cut-{part}.so"), |bytes| bytes.truncate(whole * part / 100));
        let found = problem(&path);
        assert!(matches!(found, LoadProblem::Truncated(_)), "{part}%: {found}");
    }
    let path = altered(directory.path(), "cut-by-one.so", |bytes| bytes.truncate(whole - 1));
    assert!(matches!(problem(&path), LoadProblem::Truncated(_)));
}

#[test]
fn a_library_for_another_machine_names_both() {
    let directory = tempfile::tempdir().unwrap();
    // The machine's number stands at byte 18 of an ELF file; 183 is 64-bit Arm, 62 is x86-64.
    let path = altered(directory.path(), "foreign.so", |bytes| bytes[18] = if bytes[18] == 183 { 62 } else { 183 });
    let found = problem(&path);
    assert!(matches!(found, LoadProblem::WrongMachine { .. }), "{found}");
    assert!(found.to_string().contains(std::env::consts::ARCH), "{found}");
    assert!(found.to_string().contains("cargo build --release --target"), "{found}");
}

/// The header of a plugin that was built before interfaces had numbers: it says that it is shorter.
#[test]
fn an_older_header_names_both_versions_and_how_to_rebuild() {
    let directory = tempfile::tempdir().unwrap();
    let path = altered(directory.path(), "old.so", |bytes| {
        let at = find(bytes, b"examiner plugin\0") + 16;
        bytes[at..at + 4].copy_from_slice(&148_u32.to_le_bytes());
        bytes[at + 4..at + 9].copy_from_slice(b"0.2.0");
    });
    let found = problem(&path).to_string();
    assert!(
        found.contains("built with an earlier plugin interface, without a number (`examiner-api` 0.2.0)"),
        "{found}"
    );
    let program =
        format!("plugin interface {} (`examiner-api` {})", examiner_api::INTERFACE, examiner_api::API_VERSION);
    assert!(found.contains(&program), "{found}");
    assert!(found.contains("cargo build --release"), "{found}");
}

/// Whichever was built with a newer `examiner-api`: the interface decides.
#[test]
fn another_version_in_the_header_is_no_reason_to_refuse() {
    let directory = tempfile::tempdir().unwrap();
    let path = altered(directory.path(), "newer.so", |bytes| {
        let at = find(bytes, b"examiner plugin\0") + 20;
        bytes[at..at + 5].copy_from_slice(b"9.7.3");
    });
    assert_eq!(load_all(&[&path]).unwrap().loaded()[0].info.name, "echo");
}

#[test]
fn another_layout_under_the_same_version_is_refused_in_few_words() {
    let found = problem(&build::fixture("other_shape"));
    assert!(matches!(found, LoadProblem::WrongLayout { .. }), "{found}");
    assert!(found.to_string().len() < 900, "{found}");
}

#[test]
fn a_panic_while_registering_is_an_error() {
    let found = problem(&build::fixture("panics_at_registration"));
    assert!(matches!(found, LoadProblem::Registration(_)), "{found}");
    assert!(found.to_string().contains("no roles today"), "{found}");
}

#[test]
fn two_plugins_of_one_name_are_refused_with_both_paths() {
    let (one, other) = (build::plugin("echo"), build::fixture("echo_again"));
    let error = load_all(&[&one, &other]).err().unwrap().to_string();
    assert!(error.contains("echo_again") && error.contains("examiner_plugin_echo"), "{error}");
    // The same file found twice is one plugin.
    assert_eq!(load_all(&[&one, &one]).unwrap().loaded().len(), 1);
}

#[test]
fn a_file_that_the_suite_names_stands_before_what_lies_in_a_directory() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::copy(build::plugin("echo"), directory.path().join("libexaminer_plugin_echo.so")).unwrap();
    let places = [SearchPath::File(build::fixture("echo_again")), SearchPath::Directory(directory.path().to_owned())];
    let mut plugins = Plugins::default();
    plugins.search(&places, &BTreeMap::new(), &*registration(None)).unwrap();
    let versions: Vec<&str> = plugins.loaded().iter().map(|file| file.info.version.as_str()).collect();
    assert_eq!(versions, ["9.9.9"]);
}

#[test]
fn a_pinned_plugin_must_have_its_hash() {
    let path = build::plugin("echo");
    let place = [SearchPath::File(path.clone())];
    let pins = BTreeMap::from([("echo".to_owned(), "0".repeat(64))]);
    let error = Plugins::default().search(&place, &pins, &*registration(None)).err().unwrap();
    assert!(matches!(error.problem, LoadProblem::WrongHash { .. }), "{error}");
    let right = load_all(&[&path]).unwrap().loaded()[0].sha256.clone();
    let pins = BTreeMap::from([("echo".to_owned(), right)]);
    Plugins::default().search(&place, &pins, &*registration(None)).unwrap();
}

#[test]
fn a_bad_file_in_a_directory_spoils_only_what_needs_it() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::copy(build::plugin("echo"), directory.path().join("libexaminer_plugin_echo.so")).unwrap();
    std::fs::write(directory.path().join("broken.so"), "not a library, but named like one, and long enough for one")
        .unwrap();
    std::fs::write(directory.path().join("notes.txt"), "not a library at all").unwrap();
    let mut plugins = Plugins::default();
    plugins
        .search(&[SearchPath::Directory(directory.path().to_owned())], &BTreeMap::new(), &*registration(None))
        .unwrap();
    assert_eq!(plugins.rejected().len(), 1);
    assert!(plugins.find(RoleKind::Model, "echo").is_ok());
    let error = plugins.find(RoleKind::Model, "candle").err().unwrap().to_string();
    assert!(error.contains("other files not used: 1"), "{error}");
    // A file that is named for the role is reported in full.
    let error = plugins.find(RoleKind::Model, "broken").err().unwrap().to_string();
    assert!(error.contains("broken.so") && error.contains("is not a shared library"), "{error}");
}
