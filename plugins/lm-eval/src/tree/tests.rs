use super::*;
use crate::{FunctionName, Setting};
use proptest::prelude::*;

/// A tree of files with these contents.
struct Files(tempfile::TempDir);

impl Files {
    fn new(files: &[(&str, &str)]) -> Self {
        let files_of = Files(tempfile::tempdir().unwrap());
        files.iter().for_each(|(path, content)| files_of.write(path, content));
        files_of
    }

    fn write(&self, path: &str, content: &str) {
        let path = self.path(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }

    fn path(&self, path: &str) -> PathBuf {
        self.0.path().canonicalize().unwrap().join(path)
    }

    fn tree(&self) -> Tree {
        Tree::open(&[self.0.path().to_owned()]).unwrap()
    }
}

fn text(value: &str) -> Setting {
    Setting::Text(value.to_owned())
}

fn names<'a>(tasks: &[&'a TaskConfig]) -> Vec<&'a str> {
    tasks.iter().map(|task| task.name.as_str()).collect()
}

fn only(resolved: &Resolved) -> &Group {
    match resolved.members.as_slice() {
        [Member::Group(group)] => group,
        other => panic!("one group, found {other:?}"),
    }
}

#[test]
fn files_give_tasks_groups_and_tags() {
    let files = Files::new(&[
        ("a/one.yaml", "task: one\ntag: [few, all]\n"),
        ("a/two.yaml", "task: two\ntag: all\n"),
        ("b/group.yaml", "group: both\ntask: [one, two]\n"),
        ("b/python.yaml", "task: py\nclass: !function task.Py\n"),
        ("b/base_yaml", "task: hidden\n"),
        ("b/beginning.yaml", "output_type: generate_until\n"),
        ("__pycache__/cached.yaml", "task: cached\n"),
    ]);
    let tree = files.tree();
    assert_eq!(tree.names(), ["all", "both", "few", "one", "py", "two"]);
    let kinds: Vec<Kind> = tree.names().iter().map(|name| tree.entry(name).unwrap().kind).collect();
    assert_eq!(kinds, [Kind::Tag, Kind::Group, Kind::Tag, Kind::Task, Kind::PythonTask, Kind::Task]);
    assert_eq!(tree.left_out().len(), 1);
    assert!(tree.left_out()[0].1.contains("neither `task`"));
    assert_eq!(names(&tree.resolve("all").unwrap().tasks()), ["one", "two"]);
    assert_eq!(names(&tree.resolve("both").unwrap().tasks()), ["one", "two"]);
}

#[test]
fn the_first_file_of_a_directory_keeps_a_name_and_a_later_directory_takes_it() {
    let first = Files::new(&[
        ("a.yaml", "task: same\ndescription: a\n"),
        ("b.yaml", "task: same\ndescription: b\n"),
        // A tag comes before the task of its name, which is then left out.
        ("c.yaml", "task: tagged\ntag: d\n"),
        ("d.yaml", "task: d\n"),
    ]);
    let tree = first.tree();
    assert_eq!(tree.resolve("same").unwrap().tasks()[0].get("description"), Some(&text("a")));
    assert_eq!(tree.entry("d").unwrap().kind, Kind::Tag);
    let second = Files::new(&[("x.yaml", "task: same\ndescription: c\n")]);
    let both = Tree::open(&[first.path(""), second.path("")]).unwrap();
    assert_eq!(both.resolve("same").unwrap().tasks()[0].get("description"), Some(&text("c")));
    assert_eq!(both.resolve("tagged").unwrap().tasks()[0].path, first.path("c.yaml"));
}

#[test]
fn files_are_read_in_the_order_of_their_whole_paths() {
    // `-` comes before `/`, which comes before letters.
    let files = Files::new(&[
        ("a/x.yaml", "task: t\ndescription: in a\n"),
        ("a-b/x.yaml", "task: t\ndescription: in a-b\n"),
        ("ab.yaml", "task: t\ndescription: ab\n"),
    ]);
    assert_eq!(files.tree().resolve("t").unwrap().tasks()[0].get("description"), Some(&text("in a-b")));
}

#[test]
fn what_is_included_stands_below_and_its_functions_beside_it() {
    let files = Files::new(&[
        (
            "base/_base_yaml",
            "task_list: [x]\ntag: all\ndoc_to_text: base\nprocess_docs: !function utils.f\ntarget_delimiter: ''\n",
        ),
        ("middle_yaml", "include: base/_base_yaml\ndoc_to_text: middle\n"),
        ("sub/leaf.yaml", "include: ../middle_yaml\ntask: leaf\ndoc_to_target: !function utils.g\nmetadata: 1.0\n"),
    ]);
    let tree = files.tree();
    let resolved = tree.resolve("leaf").unwrap();
    let task = resolved.tasks()[0];
    let keys: Vec<&str> = task.settings.iter().map(|(key, _)| key.as_str()).collect();
    assert_eq!(keys, ["doc_to_text", "process_docs", "target_delimiter", "task", "doc_to_target", "metadata"]);
    assert_eq!(task.get("doc_to_text"), Some(&text("middle")));
    let function =
        |path: &str, name: &str| Setting::Function(FunctionName { file: files.path(path), name: name.to_owned() });
    assert_eq!(task.get("process_docs"), Some(&function("base/utils.py", "f")));
    assert_eq!(task.get("doc_to_target"), Some(&function("sub/utils.py", "g")));
    assert_eq!(task.get("metadata"), Some(&Setting::Map(vec![("_metadata".to_owned(), Setting::Float(1.0))])));
    assert_eq!(tree.entry("all").unwrap().kind, Kind::Tag);
}

#[test]
fn several_files_are_included_one_over_the_other() {
    let files = Files::new(&[
        ("one_yaml", "a: 1\nb: 1\n"),
        ("two_yaml", "b: 2\nc: 2\n"),
        ("leaf.yaml", "include: [one_yaml, two_yaml]\ntask: leaf\nc: 3\n"),
    ]);
    let tree = files.tree();
    let resolved = tree.resolve("leaf").unwrap();
    let settings = &resolved.tasks()[0].settings;
    let expected = [("a", 1), ("b", 2), ("c", 3)].map(|(key, value)| (key.to_owned(), Setting::Int(value)));
    assert_eq!(settings[..3], expected);
}

#[test]
fn a_file_that_includes_itself_or_another_twice_is_left_out() {
    let files = Files::new(&[
        ("a.yaml", "include: b.yaml\ntask: a\n"),
        ("b.yaml", "include: a.yaml\ntask: b\n"),
        ("common_yaml", "x: 1\n"),
        ("left_yaml", "include: common_yaml\n"),
        ("twice.yaml", "include: [left_yaml, common_yaml]\ntask: twice\n"),
        ("absent.yaml", "include: nowhere_yaml\ntask: absent\n"),
        ("good.yaml", "include: left_yaml\ntask: good\n"),
    ]);
    let tree = files.tree();
    assert_eq!(tree.names(), ["good"]);
    let reasons: Vec<&str> = tree.left_out().iter().map(|(_, why)| why.as_str()).collect();
    assert!(reasons[1].contains("nowhere_yaml"), "{reasons:?}");
    assert!(reasons[3].contains("included a second time"), "{reasons:?}");
    let error = tree.resolve("twice").unwrap_err().to_string();
    assert!(error.contains("the file of that name is left out"), "{error}");
}

#[test]
fn functions_are_found_beside_the_file_and_else_in_the_package() {
    let files = Files::new(&[
        ("lm_eval/tasks/arc/utils.py", ""),
        (
            "lm_eval/tasks/arc/leaf.yaml",
            "task: leaf\na: !function utils.f\nb: !function lm_eval.tasks.arc.utils.g\nc: !function other.h\n",
        ),
    ]);
    let tree = files.tree();
    let resolved = tree.resolve("leaf").unwrap();
    let file = |key| match resolved.tasks()[0].get(key) {
        Some(Setting::Function(name)) => name.file.clone(),
        other => panic!("{other:?}"),
    };
    assert_eq!(file("a"), files.path("lm_eval/tasks/arc/utils.py"));
    assert_eq!(file("b"), files.path("lm_eval/tasks/arc/utils.py"));
    assert_eq!(file("c"), files.path("lm_eval/tasks/arc/other.py"));
}

#[test]
fn a_group_passes_on_what_is_not_about_itself_and_an_entry_of_its_list_goes_over_it() {
    let files = Files::new(&[
        ("one.yaml", "task: one\nnum_fewshot: 0\ndescription: own\n"),
        ("two.yaml", "task: two\n"),
        (
            "group.yaml",
            "group: g\ngroup_alias: G\nnum_fewshot: 5\nmetadata: {version: 2}\ntask:\n  - one\n  - task: two\n    \
             num_fewshot: 3\n    task_alias: Two\naggregate_metric_list:\n  - metric: acc\n    weight_by_size: false\n    \
             filter_list: none\n  - metric: exact_match\n    aggregation: mean\n",
        ),
    ]);
    let tree = files.tree();
    let resolved = tree.resolve("g").unwrap();
    let group = only(&resolved);
    assert_eq!(group.alias.as_deref(), Some("G"));
    let metric = |metric: &str, filters: Option<Vec<String>>, weight_by_size| GroupMetric {
        metric: metric.to_owned(),
        filters,
        weight_by_size,
    };
    let none = Some(vec!["none".to_owned()]);
    assert_eq!(group.metrics, [metric("acc", none, false), metric("exact_match", None, true)]);
    let tasks = group.tasks();
    assert_eq!(names(&tasks), ["one", "two"]);
    assert_eq!(tasks[0].get("num_fewshot"), Some(&Setting::Int(5)));
    assert_eq!(tasks[0].get("description"), Some(&text("own")));
    assert_eq!(tasks[0].get("metadata"), None);
    assert_eq!(tasks[1].get("num_fewshot"), Some(&Setting::Int(3)));
    assert_eq!(tasks[1].get("task_alias"), Some(&text("Two")));
}

#[test]
fn groups_hold_groups_tags_and_what_is_described_in_their_list_alone() {
    let files = Files::new(&[
        ("one.yaml", "task: one\ntag: t\n"),
        ("two.yaml", "task: two\ntag: t\n"),
        ("three.yaml", "task: three\n"),
        ("inner.yaml", "group: inner\ntask: [three]\naggregate_metric_list: {metric: acc}\n"),
        (
            "outer.yaml",
            "group: outer\ntask:\n  - t\n  - group: inner\n    num_fewshot: 2\n  - group: here\n    task:\n      - three\n      \
             - task: new\n        dataset_path: d\n    description: D\n  - task: own\n    dataset_path: e\n",
        ),
    ]);
    let tree = files.tree();
    let resolved = tree.resolve("outer").unwrap();
    let group = only(&resolved);
    let members: Vec<&str> = group.members.iter().map(Member::name).collect();
    assert_eq!(members, ["one", "two", "inner", "outer::here", "outer::own"]);
    let groups: Vec<&str> = resolved.groups().iter().map(|group| group.name.as_str()).collect();
    assert_eq!(groups, ["outer", "inner", "outer::here"]);
    // `three` is below two groups, with different settings; the later one counts.
    let tasks = resolved.tasks();
    assert_eq!(names(&tasks), ["one", "two", "three", "outer::here::new", "outer::own"]);
    assert_eq!(tasks[2].get("description"), Some(&text("D")));
    assert_eq!(tasks[2].get("num_fewshot"), None);
    assert_eq!(tasks[3].get("description"), Some(&text("D")));
    assert_eq!(tasks[4].get("dataset_path"), Some(&text("e")));
}

/// `task: NAME` with a group behind it gives every task below it that name, and a group has each name once.
#[test]
fn a_group_that_is_named_as_a_task_gives_its_name_to_its_tasks() {
    let files = Files::new(&[
        ("one.yaml", "task: one\n"),
        ("two.yaml", "task: two\n"),
        ("inner.yaml", "group: inner\ntask: [one, two]\n"),
        ("outer.yaml", "group: outer\ntask:\n  - task: inner\n    num_fewshot: 1\n"),
    ]);
    let tree = files.tree();
    let resolved = tree.resolve("outer").unwrap();
    assert_eq!(names(&resolved.tasks()), ["inner"]);
    assert_eq!(resolved.tasks()[0].path, files.path("two.yaml"));
}

#[test]
fn names_patterns_and_paths_are_asked_for_with_commas_between_them() {
    let files = Files::new(&[
        ("a.yaml", "task: xnli_fr\n"),
        ("b.yaml", "task: xnli_de\n"),
        ("c.yaml", "task: other\n"),
        ("g.yaml", "group: xnli\ntask: [xnli_fr, xnli_de]\n"),
    ]);
    let outside = Files::new(&[("new.yaml", "task: new\n"), ("group.yaml", "group: far\ntask: [other]\n")]);
    let tree = files.tree();
    let asked = |spec: &str| tree.resolve(spec).map(|found| names(&found.tasks()).join(" "));
    assert_eq!(asked("xnli_*").unwrap(), "xnli_de xnli_fr");
    assert_eq!(asked("other, xnli_f?").unwrap(), "other xnli_fr");
    assert_eq!(asked("xnli").unwrap(), "xnli_fr xnli_de");
    let paths = format!("{},{}", outside.path("new.yaml").display(), outside.path("group.yaml").display());
    assert_eq!(asked(&paths).unwrap(), "new other");
    let error = asked("xnli,xnli_fr").unwrap_err().to_string();
    assert!(error.contains("the task `xnli_fr` is asked for by `xnli` and by `xnli_fr`"), "{error}");
    let error = asked("xnli_ft").unwrap_err().to_string();
    assert!(error.contains("did you mean `xnli_fr`?"), "{error}");
    assert!(asked("none_*").unwrap_err().to_string().contains("found `none_*`"));
    assert!(asked("absent.yaml").is_err());
}

#[test]
fn a_group_below_itself_and_other_wrong_lists_are_refused() {
    let files = Files::new(&[
        ("a.yaml", "group: a\ntask: [b]\n"),
        ("b.yaml", "group: b\ntask: [a]\n"),
        ("no_name.yaml", "group: no_name\ntask:\n  - dataset_path: x\n"),
        ("list.yaml", "group: list\ntask:\n  - group: a_list\n    task:\n      - task: [x]\n"),
        ("metric.yaml", "group: metric\ntask: [t]\naggregate_metric_list: [{metric: acc, weights: 1}]\n"),
        ("median.yaml", "group: median\ntask: [t]\naggregate_metric_list: [{metric: acc, aggregation: median}]\n"),
        ("t.yaml", "task: t\ntag: some\n"),
        ("tag.yaml", "group: tag\ntask: [{group: some}]\n"),
        ("d.yaml", "task: d\nfewshot_delimiter: ' '\n"),
        ("shared.yaml", "group: shared\ngeneration_kwargs: {max_gen_toks: 8}\ntask: [t, d]\n"),
        ("same.yaml", "group: same\ngeneration_kwargs: {max_gen_toks: 8, until: []}\ntask: [t, d]\n"),
    ]);
    let tree = files.tree();
    let refused = [
        ("a", "the group `a` is a member of itself: `a` > `b` > `a`"),
        ("no_name", "expected the name of a task or a group"),
        ("list", "expected the name of a task or a group"),
        ("metric", "has no `weights`"),
        ("median", "`aggregation` cannot be"),
        ("tag", "found the tag `some`"),
        ("shared", "`generation_kwargs` without `until`"),
    ];
    assert!(tree.resolve("same").is_ok());
    for (name, message) in refused {
        let error = tree.resolve(name).unwrap_err().to_string();
        assert!(error.contains(message), "{name}: {error}");
    }
}

proptest! {
    /// Whatever files say, a tree of them opens, and each of its names resolves or is refused.
    #[test]
    fn any_tree_opens(contents in prop::collection::vec(prop::sample::subsequence(vec![
        "task: a\n", "task: b\n", "group: a\n", "group: c\n", "task: [a, b]\n", "task: [{task: c}, {group: a}]\n", "tag: a\n",
        "tag: [t, c]\n", "include: 1.yaml\n", "include: [0.yaml, 2.yaml]\n", "class: x\n", "num_fewshot: 1\n",
        "aggregate_metric_list: [{metric: acc}]\n", "metadata: 1\n",
    ], 0..6), 1..4)) {
        let paths: Vec<String> = (0..contents.len()).map(|number| format!("{number}.yaml")).collect();
        let contents: Vec<String> = contents.iter().map(|lines| lines.concat()).collect();
        let written: Vec<(&str, &str)> = paths.iter().zip(&contents).map(|(path, text)| (&**path, &**text)).collect();
        let files = Files::new(&written);
        let tree = files.tree();
        for name in tree.names() {
            let first = tree.resolve(name);
            prop_assert_eq!(&first, &files.tree().resolve(name));
        }
    }
}
