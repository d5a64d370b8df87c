//! A killed run goes on, and its results are those of an undisturbed one.

use crate::build;
use crate::run::{run, stderr, suite};
use std::path::Path;
use std::time::Duration;

fn slow_suite(count: &str) -> String {
    suite(
        &format!("  a: {{ plugin: adder, sleep_ms: 3, count: {count}, fault: wrong, at: 5 }}\n"),
        "  sums: { plugin: numbers, rows: 200 }\n  more: { plugin: numbers, rows: 100, scorer: { name: perplexity-choice, normalize: sum } }\n",
    )
}

/// Starts the program on `suite.yaml` and lets it answer a few questions, or end.
pub(crate) fn started(directory: &Path, suite: &str, arguments: &[&str]) -> std::process::Child {
    std::fs::write(directory.join("suite.yaml"), suite).unwrap();
    let answered = || std::fs::read_to_string(directory.join("asked")).unwrap_or_default().lines().count();
    let before = answered();
    let mut child = build::examiner(directory)
        .args(["run", "suite.yaml"])
        .args(arguments)
        .stderr(std::process::Stdio::piped())
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let waiting = std::time::Instant::now();
    while answered() < before + 10 && child.try_wait().unwrap().is_none() {
        assert!(waiting.elapsed() < Duration::from_secs(60), "nothing is asked");
        std::thread::sleep(Duration::from_millis(5));
    }
    child
}

/// `summary.csv` without the columns that tell of the run itself.
pub(crate) fn results(run: &Path) -> Vec<Vec<(String, String)>> {
    let rows = crate::run::summary(run).into_iter();
    rows.map(|row| row.into_iter().filter(|(name, _)| name != "run" && name != "seconds").collect()).collect()
}

/// Two runs of one suite have the same results, and the same samples byte for byte.
pub(crate) fn same_results(one: &Path, other: &Path) {
    assert_eq!(results(one), results(other));
    let mut seen = 0;
    for model in std::fs::read_dir(one.join("samples")).unwrap().flatten() {
        for file in std::fs::read_dir(model.path()).unwrap().flatten() {
            let name = Path::new("samples").join(model.file_name()).join(file.file_name());
            assert_eq!(std::fs::read(one.join(&name)).unwrap(), std::fs::read(other.join(&name)).unwrap(), "{name:?}");
            seen += 1;
        }
    }
    assert!(seen > 0, "there are samples to compare");
}

#[test]
fn kill_9_at_any_moment_loses_nothing_and_repeats_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let undisturbed = directory.path().join("undisturbed");
    std::fs::create_dir(&undisturbed).unwrap();
    let suite = slow_suite("asked");
    assert!(run(&undisturbed, &suite, &["--out", "run"]).status.success());

    let disturbed = directory.path().join("disturbed");
    std::fs::create_dir(&disturbed).unwrap();
    let mut kills = 0;
    for wait_ms in [10, 160, 80, 230, 0, 310] {
        let mut child = started(&disturbed, &suite, &["--out", "run"]);
        std::thread::sleep(Duration::from_millis(wait_ms));
        if child.try_wait().unwrap().is_none() {
            child.kill().unwrap();
            kills += 1;
        }
        child.wait().unwrap();
    }
    assert!(kills >= 2, "the run was over too soon to be killed");
    let output = run(&disturbed, &suite, &["--out", "run"]);
    assert!(output.status.success(), "{}", stderr(&output));

    same_results(&undisturbed.join("run"), &disturbed.join("run"));
    // A sample is finished when its record is in the journal. What a kill can cost is what was between model and
    // journal at that moment, and there is not much room there.
    let asked = std::fs::read_to_string(disturbed.join("asked")).unwrap().lines().count();
    let once = std::fs::read_to_string(undisturbed.join("asked")).unwrap().lines().count();
    assert!(asked - once <= 4 * kills, "{asked} requests instead of {once} after {kills} kills");
}

#[test]
fn the_same_command_goes_on_by_itself_and_fresh_begins_anew() {
    let directory = tempfile::tempdir().unwrap();
    let suite = slow_suite("asked");
    let mut child = started(directory.path(), &suite, &[]);
    child.kill().unwrap();
    child.wait().unwrap();
    let output = run(directory.path(), &suite, &[]);
    assert!(output.status.success() && stderr(&output).contains("going on in"), "{}", stderr(&output));
    // It is done now, so that the same command is a new run.
    let output = run(directory.path(), &suite, &["--limit", "1"]);
    assert!(stderr(&output).contains("running in"), "{}", stderr(&output));
}

/// Ctrl-C once: what is in hand ends, the exit status is 130, and the run can go on.
#[cfg(unix)]
#[test]
fn an_interrupt_stops_resumably() {
    let directory = tempfile::tempdir().unwrap();
    let suite = slow_suite("asked");
    let child = started(directory.path(), &suite, &[]);
    let sent = std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(sent.success());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130), "{}", stderr(&output));
    let stopped = crate::run::summary(&directory.path().join("outputs/latest"));
    assert!(stopped.iter().all(|row| row["status"] == "partial" && !row["message"].is_empty()), "{stopped:?}");
    assert!(stopped[0]["message"].starts_with("interrupted after"), "{stopped:?}");
    let output = run(directory.path(), &suite, &[]);
    assert!(output.status.success() && stderr(&output).contains("going on in"), "{}", stderr(&output));
}

#[test]
fn a_damaged_record_costs_its_sample_and_a_torn_one_nothing_else() {
    let directory = tempfile::tempdir().unwrap();
    let suite = suite("  a: { plugin: adder, count: asked }\n", "  sums: { plugin: numbers, rows: 20 }\n");
    assert!(run(directory.path(), &suite, &["--out", "run"]).status.success());
    let samples = directory.path().join("run/samples/a/sums.jsonl");
    let before = std::fs::read(&samples).unwrap();
    let journal = directory.path().join("run/journal/a/sums.jsonl");
    let mut bytes = std::fs::read(&journal).unwrap();
    let line = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'\n').nth(4).unwrap().0;
    bytes[line + 60] ^= 1;
    let length = bytes.len();
    bytes.truncate(length - 7);
    std::fs::write(&journal, bytes).unwrap();
    std::fs::remove_file(directory.path().join("asked")).unwrap();
    let output = run(directory.path(), &suite, &["--out", "run"]);
    assert!(output.status.success() && stderr(&output).contains("is damaged"), "{}", stderr(&output));
    assert_eq!(std::fs::read(&samples).unwrap(), before);
    let asked = std::fs::read_to_string(directory.path().join("asked")).unwrap();
    assert_eq!(asked, "4\n19\n", "the damaged one and the torn one");
}

#[test]
fn a_second_run_in_the_same_directory_is_refused_with_the_firsts_number() {
    let directory = tempfile::tempdir().unwrap();
    let suite = slow_suite("asked");
    let mut first = started(directory.path(), &suite, &["--out", "run"]);
    let second = run(directory.path(), &suite, &["--out", "run"]);
    first.kill().unwrap();
    first.wait().unwrap();
    assert_eq!(second.status.code(), Some(2));
    assert!(stderr(&second).contains(&format!("in use by process {}", first.id())), "{}", stderr(&second));
}

/// Without `--out`, too: the same command would go on in the directory of the first.
#[test]
fn the_same_command_twice_at_once_is_refused_the_second_time() {
    let directory = tempfile::tempdir().unwrap();
    let suite = slow_suite("asked");
    let mut first = started(directory.path(), &suite, &[]);
    let second = run(directory.path(), &suite, &[]);
    first.kill().unwrap();
    first.wait().unwrap();
    assert_eq!(second.status.code(), Some(2));
    assert!(stderr(&second).contains(&format!("in use by process {}", first.id())), "{}", stderr(&second));
    // A process that is gone holds nothing.
    assert!(run(directory.path(), &suite, &[]).status.success());
}

#[test]
fn a_run_that_failed_goes_on_too_and_only_what_failed_is_tried_again() {
    let directory = tempfile::tempdir().unwrap();
    // Which fault there is, is no word of the suite: the same command must be what goes on.
    let suite = suite(
        "  good: { plugin: adder, count: asked }\n  bad: { plugin: adder, count: asked, fault_file: fault, at: 3 }\n",
        "  sums: { plugin: numbers, rows: 10 }\n",
    );
    std::fs::write(directory.path().join("fault"), "error").unwrap();
    let output = run(directory.path(), &suite, &[]);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    std::fs::remove_file(directory.path().join("fault")).unwrap();
    std::fs::remove_file(directory.path().join("asked")).unwrap();
    let output = run(directory.path(), &suite, &[]);
    assert!(output.status.success() && stderr(&output).contains("going on in"), "{}", stderr(&output));
    assert_eq!(std::fs::read_to_string(directory.path().join("asked")).unwrap(), "3\n");
    let whole = crate::run::whole(&directory.path().join("outputs/latest"), "bad", "sums", "accuracy");
    assert_eq!((&*whole["value"], &*whole["status"]), ("1.0", "ok"));
    // Complete is complete.
    let output = run(directory.path(), &suite, &[]);
    assert!(output.status.success() && stderr(&output).contains("running in"), "{}", stderr(&output));
}

/// What a run makes of a journal that something else than an interruption has happened to.
#[test]
fn a_journal_that_was_damaged_removed_or_replaced() {
    let directory = tempfile::tempdir().unwrap();
    let suite = suite("  a: { plugin: adder, count: asked }\n", "  sums: { plugin: numbers, rows: 6 }\n");
    let asked = || {
        let path = directory.path().join("asked");
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        let _ = std::fs::remove_file(path);
        text.lines().count()
    };
    assert!(run(directory.path(), &suite, &["--out", "run"]).status.success());
    let run_path = directory.path().join("run");
    let before = (results(&run_path), std::fs::read(run_path.join("samples/a/sums.jsonl")).unwrap());
    let journal = run_path.join("journal/a/sums.jsonl");
    let bytes = std::fs::read(&journal).unwrap();
    assert_eq!(asked(), 6);
    let again = || {
        let output = run(directory.path(), &suite, &["--out", "run"]);
        let said = stderr(&output);
        (output.status.code(), said, asked())
    };
    let unchanged = || {
        assert_eq!((results(&run_path), std::fs::read(run_path.join("samples/a/sums.jsonl")).unwrap()), before);
    };

    // The header: it is rewritten, and the records are still valid.
    let mut damaged = bytes.clone();
    damaged[20] ^= 1;
    std::fs::write(&journal, &damaged).unwrap();
    let (code, said, asked) = again();
    assert_eq!((code, asked), (Some(0), 0), "{said}");
    assert!(said.contains("line 1 of") && said.contains("it is rewritten"), "{said}");
    assert_eq!(std::fs::read(run_path.join("journal/a/sums.jsonl.damaged")).unwrap(), damaged);
    assert_eq!(std::fs::read(&journal).unwrap(), bytes);
    unchanged();

    // Gone.
    std::fs::remove_file(&journal).unwrap();
    let (code, said, asked) = again();
    assert_eq!((code, asked), (Some(0), 6), "{said}");
    unchanged();

    // A directory.
    std::fs::remove_file(&journal).unwrap();
    std::fs::create_dir(&journal).unwrap();
    let (code, said, asked) = again();
    assert_eq!((code, asked), (Some(1), 0), "{said}");
    assert!(said.contains("is a directory, not a file; move it away"), "{said}");
    std::fs::remove_dir(&journal).unwrap();

    // Another pair's, or a later version's.
    for (from, to, expected) in [
        ("\"dataset\":\"sums\"", "\"dataset\":\"more\"", "does not belong to this run"),
        ("\"format\":1", "\"format\":2", "has the format 2, this version of the program knows 1"),
    ] {
        let text = String::from_utf8(bytes.clone()).unwrap();
        let (header, records) = text.split_once('\n').unwrap();
        let header = header.split_once(' ').unwrap().1.replace(from, to);
        std::fs::write(&journal, format!("{:08x} {header}\n{records}", crc32fast::hash(header.as_bytes()))).unwrap();
        let other = std::fs::read(&journal).unwrap();
        let (code, said, asked) = again();
        assert_eq!((code, asked), (Some(1), 0), "{said}");
        assert!(said.contains(expected), "{said}");
        assert_eq!(std::fs::read(&journal).unwrap(), other, "what is not ours is left as it is");
    }
    std::fs::remove_file(&journal).unwrap();
    assert_eq!(again().0, Some(0));
    unchanged();
}

#[test]
fn a_run_goes_on_though_a_comment_was_added_to_its_suite() {
    let directory = tempfile::tempdir().unwrap();
    let text =
        suite("  m: { plugin: adder, count: asked, fault_file: fault }\n", "  sums: { plugin: numbers, rows: 4 }\n");
    std::fs::write(directory.path().join("fault"), "errors").unwrap();
    assert_eq!(run(directory.path(), &text, &[]).status.code(), Some(1));
    std::fs::write(directory.path().join("fault"), "none").unwrap();
    let asked = || std::fs::read_to_string(directory.path().join("asked")).unwrap().lines().count();
    let before = asked();
    assert!(run(directory.path(), &format!("# What was learned since.\n{text}"), &[]).status.success());
    assert_eq!(std::fs::read_dir(directory.path().join("outputs")).unwrap().count(), 2, "one run, and `latest`");
    // Another question is another run.
    assert!(run(directory.path(), &text.replace("rows: 4", "rows: 5"), &[]).status.success());
    assert_eq!(std::fs::read_dir(directory.path().join("outputs")).unwrap().count(), 3);
    assert!(asked() > before);
}
