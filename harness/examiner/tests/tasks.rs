//! `examiner tasks`: what suites can name.

use crate::build;
use crate::run::stderr;
use serde_json::Value;
use std::path::Path;

const CHOICE: &str = "dataset_path: org/data\ntest_split: test\noutput_type: multiple_choice\ndoc_to_text: \"{{question}}\"\n\
                      doc_to_choice: choices\ndoc_to_target: answer\n";

/// A tree with two tasks of a tag, one that is refused, and a group of them.
fn tree(directory: &Path) {
    let write = |name: &str, text: &str| {
        let path = directory.join("tree").join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    write("_base_yaml", CHOICE);
    write("sum/small.yaml", "include: ../_base_yaml\ntask: sum_small\ntag: sums\n");
    write("sum/large.yaml", "include: ../_base_yaml\ntask: sum_large\ntag: sums\n");
    write("sum/seen.yaml", "include: ../_base_yaml\ntask: sum_seen\ndoc_to_image: image\n");
    write("sum/group.yaml", "group: sum\ntask: [sums, sum_seen]\n");
}

/// The exit status, and what is printed.
fn tasks(directory: &Path, arguments: &[&str]) -> (Option<i32>, String, String) {
    build::plugin("lm_eval");
    let mut command = build::examiner(directory);
    let output = command.args(["tasks", "--tasks-dir", "tree"]).args(arguments).output().unwrap();
    (output.status.code(), String::from_utf8(output.stdout.clone()).unwrap(), stderr(&output))
}

#[test]
fn a_group_is_listed_with_its_members_and_what_is_refused_says_why() {
    let directory = tempfile::tempdir().unwrap();
    tree(directory.path());
    let (status, printed, said) = tasks(directory.path(), &["sum"]);
    assert_eq!((status, said.as_str()), (Some(0), ""), "{printed}");
    let lines: Vec<&str> = printed.lines().collect();
    assert!(lines[0].starts_with("refused  group  sum  1 of 3 tasks are refused; `sum_seen`: "), "{printed}");
    assert!(lines[0].contains("doc_to_image"), "{printed}");
    assert_eq!(lines[2], "members of sum:");
    // In the order of the group, in which the tasks of a tag are sorted.
    assert_eq!(lines[3..5], ["runs     task   sum_large", "runs     task   sum_small"]);
    assert!(lines[5].starts_with("refused  task   sum_seen   "), "{printed}");
    assert_eq!(lines.last(), Some(&"1 group: 0 run, 0 run with Python, 1 refused"));
}

#[test]
fn programs_get_a_line_for_each_entry_and_one_for_the_counts() {
    let directory = tempfile::tempdir().unwrap();
    tree(directory.path());
    let (status, printed, _) = tasks(directory.path(), &["--json"]);
    assert_eq!(status, Some(0));
    let lines: Vec<Value> = printed.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let names: Vec<&str> = lines.iter().filter_map(|line| line["name"].as_str()).collect();
    assert_eq!(names, ["sum", "sum_large", "sum_seen", "sum_small", "sums"]);
    assert_eq!(lines[4]["members"], serde_json::json!(["sum_large", "sum_small"]));
    let counts = &lines.last().unwrap()["counts"];
    assert_eq!((&counts["task"]["runs"], &counts["task"]["refused"]), (&2.into(), &1.into()));
    let digests: Vec<&str> = lines.iter().filter_map(|line| line["digest"].as_str()).collect();
    assert!(digests.len() == 5 && digests.iter().all(|digest| digest.len() == 64), "{printed}");
}

#[test]
fn a_name_that_nothing_has_is_an_error() {
    let directory = tempfile::tempdir().unwrap();
    tree(directory.path());
    let (status, printed, said) = tasks(directory.path(), &["mmlu"]);
    assert_eq!((status, printed.as_str()), (Some(2), ""));
    assert!(said.contains("found nothing that fits `mmlu`"), "{said}");
    let absent = build::examiner(directory.path()).args(["tasks", "--tasks-dir", "nowhere"]).output().unwrap();
    assert_eq!(absent.status.code(), Some(2));
    assert!(stderr(&absent).contains("nowhere"), "{}", stderr(&absent));
}
