//! The cache on disk.

use crate::server::{Reply, Server, chat, good, right};
use crate::{generate, open, request, requests};
use examiner_api::Sampling;
use serde_json::json;

#[test]
fn what_was_answered_is_never_paid_for_again() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(good);
    let options = json!({ "cache": folder.path() });
    let (first, end) = generate(&mut open(&server, options.clone()), requests(20));
    end.unwrap();
    let (second, end) = generate(&mut open(&server, options.clone()), requests(25));
    end.unwrap();
    assert_eq!(server.asked().len(), 25);
    for (id, answer) in first {
        assert_eq!(second[&id], answer);
    }
    let other = json!({ "cache": folder.path(), "system": "another" });
    generate(&mut open(&server, other), requests(5)).1.unwrap();
    assert_eq!(server.asked().len(), 30, "another model's answers are not its own");
    let warm = Sampling { temperature: 0.5, ..Sampling::default() };
    generate(&mut open(&server, options), vec![request(0, "question 0", &warm)]).1.unwrap();
    assert_eq!(server.asked().len(), 31, "nor are those to other options");
}

#[test]
fn failures_and_what_was_cut_off_are_not_kept() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(|asked| match asked.prompt.as_str() {
        "question 0" => Reply::error(400, "bad"),
        "question 1" => Reply::ok(chat(&["unfinished"], "length")),
        _ => good(asked),
    });
    for round in 1..=2 {
        let (answers, end) = generate(&mut open(&server, json!({ "cache": folder.path() })), requests(3));
        end.unwrap();
        assert!(answers[&0].is_err() && answers[&1].as_ref().unwrap().text == "unfinished");
        assert_eq!(server.asked().len(), 1 + 2 * round);
    }
}

#[test]
fn damage_is_asked_again() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(good);
    let options = json!({ "cache": folder.path() });
    generate(&mut open(&server, options.clone()), requests(4)).1.unwrap();
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder.path()).unwrap() {
        files.extend(std::fs::read_dir(entry.unwrap().path()).unwrap().map(|entry| entry.unwrap().path()));
    }
    assert_eq!(files.len(), 4);
    let text = std::fs::read_to_string(&files[0]).unwrap();
    std::fs::write(&files[0], &text[..text.len() / 2]).unwrap();
    std::fs::write(&files[1], text).unwrap();
    let (answers, end) = generate(&mut open(&server, options), requests(4));
    end.unwrap();
    for (id, answer) in answers {
        assert_eq!(answer.unwrap().text, right(&format!("question {id}")));
    }
    assert_eq!(server.asked().len(), 6);
}

#[test]
fn several_can_share_it() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(good);
    let options = json!({ "cache": folder.path(), "max_concurrency": 4 });
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                let (answers, end) = generate(&mut open(&server, options.clone()), requests(60));
                end.unwrap();
                assert!(answers.values().all(Result::is_ok));
            });
        }
    });
    let before = server.asked().len();
    generate(&mut open(&server, options), requests(60)).1.unwrap();
    assert_eq!(server.asked().len(), before, "everything is there, and whole");
}
