//! What is said of a program that breaks the protocol, and what it costs: the answers that came before are there.

use crate::faulty;
use examiner_api::{ErrorCode, Model, PluginError};
use examiner_test_support::model::{prompt, responses};
use examiner_test_support::needs;

/// Asks ten questions, at the fourth of which the fault is. How many were answered, and the error of the call.
fn asked(fault: &str) -> (usize, PluginError) {
    let mut model = faulty(fault).unwrap();
    let requests = || (0..10).map(|id| prompt(id, &id.to_string(), 8)).collect::<Vec<_>>();
    let (answered, end) = responses(|sink| model.generate(requests(), sink));
    let error = end.expect_err(fault);
    // The program is not asked again, and whoever does is told to start another.
    let (again, end) = responses(|sink| model.generate(requests(), sink));
    assert_eq!((again.len(), end.unwrap_err().code), (0, ErrorCode::Crashed), "{fault}");
    (answered.len(), error)
}

fn crash(fault: &str) -> String {
    let (answered, error) = asked(fault);
    assert_eq!((answered, error.code), (3, ErrorCode::Crashed), "{fault}: {error}");
    assert!(error.help.is_some());
    error.message
}

const LAST_LINE: &str = "; the last line of its stderr: `request 3 is at hand`";

#[needs(python)]
#[test]
fn a_program_that_ends_is_told_with_how_it_ended() {
    for (fault, how) in [
        ("exit", "ended by itself, with exit code 7"),
        ("kill", "was killed by signal 9"),
        ("cut", "ended by itself, with exit code 0"),
        ("long", "sent a line of more than 64 MiB"),
    ] {
        assert_eq!(crash(fault), format!("`python3 faulty.py` {how}{LAST_LINE}"), "{fault}");
    }
}

#[needs(python)]
#[test]
fn a_program_that_says_nothing_is_ended() {
    let message = crash("silent");
    assert!(message.starts_with("`python3 faulty.py` sent nothing for 1."), "{message}");
    assert!(message.ends_with(&format!("seconds, not even a heartbeat{LAST_LINE}")), "{message}");
}

#[needs(python)]
#[test]
fn what_is_not_the_protocol_is_shown() {
    for (fault, what) in [
        ("print", "expected a line of `generate`, found `a progress bar: 3/10` (expected value at line 1 column 1)"),
        (
            "misfit",
            "found `{\"type\": \"item\", \"call\": 1, \"value\": {\"id\": 3, \"result\": {\"Ok\": {\"answer\": \"x\"}}...`",
        ),
        ("misfit", "missing field `text`"),
        ("kind", "unknown variant `answer`, expected one of `hello`, `item`, `return`"),
        ("nan", "(expected value at line 1 column"),
        ("call", "answered call 2, expected call 1, `generate`"),
        ("hello", "said `hello` a second time"),
    ] {
        let (answered, error) = asked(fault);
        assert_eq!((answered, error.code), (3, ErrorCode::Protocol), "{fault}: {error}");
        assert!(error.message.starts_with("`python3 faulty.py` ") && error.message.contains(what), "{fault}: {error}");
        assert!(error.message.ends_with(LAST_LINE) && error.help.is_some(), "{fault}: {error}");
    }
}

/// The receiver sees the response, too: so the engine refuses all answers of the pair.
#[needs(python)]
#[test]
fn an_answer_that_belongs_to_no_request_ends_the_call() {
    let (answered, error) = asked("unknown");
    assert_eq!((answered, error.code), (4, ErrorCode::Protocol));
    assert_eq!(error.message, format!("`python3 faulty.py` answered request 999, which it was never asked{LAST_LINE}"));

    let mut model = faulty("twice").unwrap();
    let seen = std::sync::Mutex::new(Vec::new());
    let end = model.generate(
        (0..10).map(|id| prompt(id, &id.to_string(), 8)).collect(),
        &|response: examiner_api::Response<_>| {
            seen.lock().unwrap().push(response.id);
            examiner_api::Flow::Continue
        },
    );
    assert_eq!(seen.into_inner().unwrap(), [0, 1, 2, 3, 3]);
    let error = end.unwrap_err();
    assert_eq!(error.message, format!("`python3 faulty.py` answered request 3 twice{LAST_LINE}"));
}

#[needs(python)]
#[test]
fn an_error_of_the_call_keeps_its_code_and_the_program_goes_on() {
    let mut model = faulty("error").unwrap();
    for _ in 0..2 {
        let (answered, end) = responses(|sink| model.generate(vec![prompt(0, "0", 8)], sink));
        let expected = PluginError::new(ErrorCode::Quota, "the account is empty").with_help("fill it");
        assert_eq!((answered.len(), end), (0, Err(expected)));
    }
}

#[needs(python)]
#[test]
fn without_a_fault_everything_is_answered() {
    let mut model = faulty("none").unwrap();
    assert_eq!(model.info().unwrap().name, "faulty");
    for _ in 0..3 {
        let answers =
            examiner_test_support::model::generate(&mut model, vec![prompt(7, "seven", 8), prompt(1, "one", 8)]);
        assert_eq!((&*answers[&7].text, &*answers[&1].text), ("answer to seven", "answer to one"));
    }
}
