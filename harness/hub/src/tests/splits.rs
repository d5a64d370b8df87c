//! Rows of splits, against those of the Python library `datasets`: `reference/make.py` wrote what it gives.

use super::*;
use examiner_api::rows::{HubSplit, SplitInfo};
use examiner_test_support::needs;
use serde_json::{Map, Value, json};

/// Columns that are left out here although the library gives something for them: what it gives was rounded, or is a text in Python's form.
const NOT_SURE: [(&str, &str); 3] = [("org/mixed", "third"), ("org/arrow", "decimal"), ("org/arrow", "half")];

fn in_mirror(dir: &Path, mirror: &Path) -> Hub {
    let settings = Settings { mirror: Some(mirror.to_owned()), offline: true, ..settings(dir, "http://127.0.0.1:1") };
    Hub::new(settings).unwrap()
}

fn rows_of(path: &Path) -> Vec<Map<String, Value>> {
    examiner_api::rows::read(path, None).unwrap().map(|row| row.unwrap().fields).collect()
}

/// A description of columns in which a translation is what it is made of.
fn plain(features: &Value) -> Value {
    match features {
        Value::Object(fields) if fields.get("_type") == Some(&json!("Translation")) => {
            let languages = fields["languages"].as_array().unwrap().iter();
            languages
                .map(|name| (name.as_str().unwrap().to_owned(), json!({ "dtype": "string", "_type": "Value" })))
                .collect()
        }
        Value::Object(fields) => fields.iter().map(|(name, field)| (name.clone(), plain(field))).collect(),
        other => other.clone(),
    }
}

fn compare(case: &Value, hub: &Hub) {
    let split = HubSplit {
        path: case["repository"].as_str().unwrap().to_owned(),
        config: case["config"].as_str().map(str::to_owned),
        split: case["split"].as_str().unwrap_or("train").to_owned(),
        ..HubSplit::default()
    };
    let fetched = hub.fetch(&split.address(), &|_, _, _| Flow::Continue);
    let name = split.address();
    if !case["error"].is_null() {
        // Where splits do not have the same columns, one of them may be given.
        let other = HubSplit { split: "test".to_owned(), ..split };
        let failed = fetched.is_err() || hub.fetch(&other.address(), &|_, _, _| Flow::Continue).is_err();
        assert!(failed, "{name}: expected {}", case["error"]);
        return;
    }
    let path = fetched.unwrap_or_else(|error| panic!("{name}: {error}"));
    let info = SplitInfo::beside(&path).unwrap().unwrap();
    let theirs = case["left_out"].as_array().unwrap().iter().map(|name| name.as_str().unwrap());
    let not_sure = NOT_SURE.iter().filter(|(repository, _)| *repository == split.path).map(|(_, column)| *column);
    let mut left_out: Vec<&str> = theirs.chain(not_sure).collect();
    left_out.sort_unstable();
    let ours: Vec<&str> = info.left_out.keys().map(String::as_str).collect();
    // A column without values has none that could not be given; it is left out by its type.
    let has_values = |column: &&str| {
        case["rows"].as_array().is_none_or(|rows| rows.iter().any(|row| row.get(column) != Some(&Value::Null)))
    };
    let with_values: Vec<&str> = ours.iter().copied().filter(has_values).collect();
    left_out.retain(has_values);
    assert_eq!(with_values, left_out, "{name}: {:?}", info.left_out);
    let kept = |row: &Value| -> Value {
        let row = row.as_object().unwrap().iter().filter(|(name, _)| !ours.contains(&name.as_str()));
        row.map(|(name, value)| (name.clone(), value.clone())).collect()
    };
    let rows: Vec<Value> = rows_of(&path).into_iter().map(Value::Object).collect();
    assert_eq!(info.rows, rows.len() as u64);
    match case["rows"].as_array() {
        Some(expected) => {
            let expected: Vec<String> = expected.iter().map(|row| kept(row).to_string()).collect();
            assert_eq!(rows.iter().map(Value::to_string).collect::<Vec<_>>(), expected, "{name}");
        }
        None => {
            let last = &rows[rows.len() - 4..];
            assert_eq!(case["rows"], json!({ "count": rows.len(), "first": rows[0], "last": last }), "{name}");
        }
    }
    for (column, feature) in plain(&case["features"]).as_object().unwrap() {
        // What is left out may have a type that only Arrow tells.
        let is_same = info.features[column] == *feature || ours.contains(&column.as_str()) || is_text_of_arrow(feature);
        assert!(is_same, "{name}: `{column}` is {}, expected {feature}", info.features[column]);
    }
    assert_eq!(info.features.len(), case["features"].as_object().unwrap().len(), "{name}");
}

/// Whether a type is a form of text or of lists that stands in Arrow's own description alone.
fn is_text_of_arrow(feature: &Value) -> bool {
    feature["dtype"] == "large_string" || feature["_type"] == "LargeList"
}

#[test]
fn rows_are_those_of_the_library() {
    let reference = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/tests/reference");
    let dir = tempfile::tempdir().unwrap();
    let hub = in_mirror(dir.path(), &reference.join("repositories"));
    let cases = std::fs::read_to_string(reference.join("expected.jsonl")).unwrap();
    let cases: Vec<Value> = cases.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(cases.len() > 20);
    // All that differ are named, not only the first.
    let differs =
        |case: &&Value| std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| compare(case, &hub))).is_err();
    let different: Vec<String> = cases
        .iter()
        .filter(differs)
        .map(|case| format!("{} {} {}", case["repository"], case["config"], case["split"]))
        .collect();
    assert_eq!(different, Vec::<String>::new());
}

/// Every row of every split of the published data sets is the same, to the byte of its JSON.
#[needs(shared)]
#[test]
fn published_data_is_read_as_by_the_library() {
    let dir = tempfile::tempdir().unwrap();
    let hub = in_mirror(dir.path(), &examiner_test_support::shared().join("data/hub"));
    let mut count = 0;
    for line in include_str!("reference/shared.csv").lines().skip(1) {
        let [repository, config, split, rows, expected] = line.split(',').collect::<Vec<_>>()[..] else {
            panic!("{line}")
        };
        let split = HubSplit {
            path: repository.to_owned(),
            config: Some(config.to_owned()),
            split: split.to_owned(),
            ..HubSplit::default()
        };
        let path =
            hub.fetch(&split.address(), &|_, _, _| Flow::Continue).unwrap_or_else(|error| panic!("{line}: {error}"));
        assert_eq!(sha256(&std::fs::read(&path).unwrap()), expected, "{line}");
        let info = SplitInfo::beside(&path).unwrap().unwrap();
        assert_eq!((info.rows.to_string().as_str(), info.left_out.len()), (rows, 0), "{line}");
        count += 1;
    }
    assert!(count > 200, "{count}");
}

#[test]
fn rows_are_written_once_and_again_where_something_changed() {
    let dir = tempfile::tempdir().unwrap();
    let mirror = dir.path().join("mirror/a/b");
    std::fs::create_dir_all(&mirror).unwrap();
    let address = "hf://datasets/a/b?split=train";
    let fetch = || in_mirror(dir.path(), &dir.path().join("mirror")).fetch(address, &|_, _, _| Flow::Continue).unwrap();
    std::fs::write(mirror.join("train.csv"), "x\n1\n").unwrap();
    let first = fetch();
    let written = std::fs::metadata(&first).unwrap().modified().unwrap();
    assert_eq!((fetch(), std::fs::metadata(&first).unwrap().modified().unwrap()), (first.clone(), written));
    let features = |dtype: &str| format!("---\ndataset_info:\n  features:\n  - {{name: x, dtype: {dtype}}}\n---\n");
    std::fs::write(mirror.join("README.md"), features("string")).unwrap();
    let second = fetch();
    assert_eq!(rows_of(&second), [Map::from_iter([("x".to_owned(), json!("1"))])]);
    std::fs::write(mirror.join("train.csv"), "x\n2\n").unwrap();
    let third = fetch();
    assert!(first != second && second != third && first.is_file());
    assert_eq!(rows_of(&third), [Map::from_iter([("x".to_owned(), json!("2"))])]);
}

#[test]
fn what_a_mirror_lacks_is_said() {
    let dir = tempfile::tempdir().unwrap();
    let mirror = dir.path().join("mirror");
    let script = mirror.join("org/script");
    std::fs::create_dir_all(&script).unwrap();
    std::fs::write(script.join("script.py"), "").unwrap();
    std::fs::write(script.join("train.csv"), "x\n1\n").unwrap();
    std::fs::create_dir_all(mirror.join("org/zip")).unwrap();
    std::fs::write(mirror.join("org/zip/train.jsonl"), b"PK\x03\x04").unwrap();
    let hub = in_mirror(dir.path(), &mirror);
    let error = |address: &str| hub.fetch(address, &|_, _, _| Flow::Continue).unwrap_err().to_string();
    assert!(error("hf://datasets/org/none?split=train").contains("has no dataset `org/none`"));
    assert!(error("hf://datasets/org/script?split=train").contains("`script.py`"));
    assert!(error("hf://datasets/org/zip?split=train").contains("compressed by ZIP"));
    assert!(error("hf://datasets/org/zip?split=test").contains("there are `train`"));
}

#[test]
fn files_may_be_named_without_a_repository() {
    let dir = tempfile::tempdir().unwrap();
    let mirror = dir.path().join("mirror");
    std::fs::create_dir_all(mirror.join("a/b/data")).unwrap();
    for (name, content) in [("one.jsonl", "{\"x\": 1}\n"), ("two.jsonl", "{\"x\": 2}\n")] {
        std::fs::write(mirror.join("a/b/data").join(name), content).unwrap();
    }
    let local = dir.path().join("three.jsonl");
    std::fs::write(&local, "{\"x\": 3}\n").unwrap();
    let hub = in_mirror(dir.path(), &mirror);
    let split = HubSplit {
        path: "json".to_owned(),
        split: "test".to_owned(),
        data_files: Some(json!({ "test": ["hf://datasets/a/b/data/*.jsonl", local.to_str().unwrap()] })),
        ..HubSplit::default()
    };
    let path = hub.fetch(&split.address(), &|_, _, _| Flow::Continue).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(std::fs::read_to_string(path).unwrap(), "{\"x\":1}\n{\"x\":2}\n{\"x\":3}\n");
    let missing = HubSplit { data_files: Some(json!({ "test": "hf://datasets/a/b/none.jsonl" })), ..split };
    assert!(hub.fetch(&missing.address(), &|_, _, _| Flow::Continue).is_err());
}
