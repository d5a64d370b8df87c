//! Which files of a repository belong to which split: patterns as the library `datasets` resolves them.

use regex::Regex;
use serde_json::Value;
use std::sync::LazyLock;

/// Splits and their patterns or files, in order.
pub(super) type Splits = Vec<(String, Vec<String>)>;

/// Files that are no data, unless a pattern names them.
const NO_DATA: [&str; 6] =
    ["README.md", "config.json", "dataset_info.json", "dataset_infos.json", "dummy_data.zip", "dataset_dict.json"];

/// The words that stand for a split in names of files and directories.
const KEYWORDS: [(&str, &[&str]); 3] = [
    ("train", &["train", "training"]),
    ("validation", &["validation", "valid", "dev", "val"]),
    ("test", &["test", "testing", "eval", "evaluation"]),
];

/// The patterns of `data_files`, by split: a text, a list of texts, a list of `{split, path}`, or a mapping from splits.
pub(super) fn by_split(data_files: &Value) -> Result<Splits, String> {
    let texts = |value: &Value| -> Option<Vec<String>> {
        match value {
            Value::String(text) => Some(vec![text.clone()]),
            Value::Array(items) => items.iter().map(|item| item.as_str().map(str::to_owned)).collect(),
            _ => None,
        }
    };
    let expected = || {
        format!(
            "`data_files`: expected a pattern, a list of patterns, or a list of `split` and `path`, found `{data_files}`"
        )
    };
    match data_files {
        Value::Object(splits) => {
            splits.iter().map(|(split, patterns)| Ok((split.clone(), texts(patterns).ok_or_else(expected)?))).collect()
        }
        Value::Array(items) if items.iter().any(Value::is_object) => {
            let mut splits = Splits::new();
            for item in items {
                let split = item["split"].as_str().ok_or_else(expected)?;
                if splits.iter().any(|(known, _)| known == split) {
                    return Err(format!("`data_files`: the split `{split}` occurs twice"));
                }
                if item.as_object().is_none_or(|item| item.len() != 2) {
                    return Err(expected());
                }
                splits.push((split.to_owned(), texts(&item["path"]).ok_or_else(expected)?));
            }
            Ok(splits)
        }
        other => Ok(vec![("train".to_owned(), texts(other).ok_or_else(expected)?)]),
    }
}

/// A pattern as a regular expression.
#[derive(Debug)]
pub(super) struct Pattern {
    text: String,
    regex: Regex,
}

impl Pattern {
    pub(super) fn new(text: &str) -> Result<Self, String> {
        let regex = translated(text).ok_or_else(|| {
            format!("the pattern `{text}` cannot be read: `**` has to be a whole part of a path, and each `[` closed")
        })?;
        Ok(Pattern { text: text.to_owned(), regex })
    }

    /// Whether a file fits, and is not one of those that a pattern has to name: hidden, or no data.
    pub(super) fn fits(&self, file: &str) -> bool {
        let name = |path: &str| path.rsplit('/').next().unwrap_or_default().to_owned();
        let parts_with = |path: &str, is_special: fn(&str) -> bool, all: bool| {
            let mut parts: Vec<&str> = path.split('/').collect();
            if !all {
                parts.pop();
            }
            parts.into_iter().filter(|part| is_special(part)).count()
        };
        let is_hidden = |part: &str| part.starts_with('.') && part.chars().any(|c| c != '.');
        let is_private = |part: &str| part.starts_with("__");
        self.regex.is_match(file)
            && (!NO_DATA.contains(&name(file).as_str()) || name(&self.text) == name(file))
            && parts_with(file, is_hidden, true) == parts_with(&self.text, is_hidden, true)
            && parts_with(file, is_private, false) == parts_with(&self.text, is_private, false)
    }
}

/// Whether a text is a pattern, rather than a path.
pub(super) fn is_magic(text: &str) -> bool {
    text.contains(['*', '?', '['])
}

/// A pattern as the regular expression of whole paths. `*` stands for anything within a part of a path, `**` for any number of parts.
fn translated(pattern: &str) -> Option<Regex> {
    let parts: Vec<&str> = pattern.split('/').collect();
    let last = parts.len() - 1;
    let mut regex = String::from(r"(?s)\A");
    for (index, part) in parts.iter().enumerate() {
        match *part {
            "**" if index == last => regex.push_str(".*"),
            "**" if parts[index + 1] == "**" => {}
            "**" => regex.push_str("(?:.+/)?"),
            part if part.contains("**") => return None,
            "*" => regex.push_str("[^/]+"),
            part => segment(part, &mut regex)?,
        }
        if index < last && *part != "**" {
            regex.push('/');
        }
    }
    regex.push_str(r"\z");
    Regex::new(&regex).ok()
}

fn segment(part: &str, regex: &mut String) -> Option<()> {
    let mut rest = part;
    while let Some(first) = rest.chars().next() {
        rest = &rest[first.len_utf8()..];
        match first {
            '*' => regex.push_str("[^/]*"),
            '?' => regex.push_str("[^/]"),
            '[' => {
                // A bracket that stands first is a member of the set.
                let end = rest.char_indices().skip(1 + usize::from(rest.starts_with('!'))).find(|(_, c)| *c == ']')?.0;
                let (negated, set) = match rest[..end].strip_prefix('!') {
                    Some(set) => ("^", set),
                    None => ("", &rest[..end]),
                };
                let escaped: String =
                    set.chars().map(|c| if "\\[]^&~".contains(c) { format!("\\{c}") } else { c.to_string() }).collect();
                // A hyphen that stands first or last is itself.
                let escaped = match escaped.strip_prefix('-') {
                    Some(rest) => format!("\\-{rest}"),
                    None => escaped,
                };
                regex.push_str(&format!("[{negated}{escaped}]"));
                rest = &rest[end + 1..];
            }
            other => regex.push_str(&regex::escape(&other.to_string())),
        }
    }
    Some(())
}

/// The patterns by which splits are found where a repository names no files. `files` are those below the directory.
pub(super) fn default_patterns(files: &[&str]) -> Result<Splits, String> {
    let any = |pattern: &str| Pattern::new(pattern).map(|pattern| files.iter().any(|file| pattern.fits(file)));
    if let Some(splits) = sharded(files)? {
        return Ok(splits);
    }
    for (pattern, what) in [
        ("**/*.eval", "logs of evaluations"),
        ("**/task.toml", "tasks of Harbor"),
        ("**/instruction.md", "tasks of Harbor"),
    ] {
        if any(pattern)? {
            return Err(format!("it holds {what} (`{pattern}`), which are no table"));
        }
    }
    let named = |in_directories: bool| -> Splits {
        KEYWORDS
            .iter()
            .map(|(split, words)| {
                let patterns = words.iter().flat_map(|word| keyword_patterns(word, in_directories));
                ((*split).to_owned(), patterns.collect())
            })
            .collect()
    };
    for splits in [named(true), named(false), vec![("train".to_owned(), vec!["**".to_owned()])]] {
        let mut found = Splits::new();
        for (split, patterns) in splits {
            let mut is_there = false;
            for pattern in &patterns {
                is_there = is_there || any(pattern)?;
            }
            if is_there {
                found.push((split, patterns));
            }
        }
        if !found.is_empty() {
            return Ok(found);
        }
    }
    Err("it holds no files of data".to_owned())
}

fn keyword_patterns(word: &str, in_directories: bool) -> Vec<String> {
    let separators = "[-._ 0-9]";
    let patterns: &[&str] = match in_directories {
        true => &["**/{}/**", "**/{}SEP*/**", "**/*SEP{}/**", "**/*SEP{}SEP*/**"],
        false => &["**/{}SEP*", "**/*SEP{}SEP*"],
    };
    patterns.iter().map(|pattern| pattern.replace("{}", word).replace("SEP", separators)).collect()
}

/// The splits of `data/NAME-00000-of-00005.parquet`.
fn sharded(files: &[&str]) -> Result<Option<Splits>, String> {
    const SHARD: &str = "-[0-9][0-9][0-9][0-9][0-9]-of-[0-9][0-9][0-9][0-9][0-9]*.*";
    static NAME: LazyLock<Option<Regex>> =
        LazyLock::new(|| Regex::new(r"\Adata/(.+)-[0-9]{5}-of-[0-9]{5}[^/]*\.[^/]*\z").ok());
    static SPLIT: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"\A\w+(\.\w+)*\z").ok());
    let any = Pattern::new(&format!("data/*{SHARD}"))?;
    let mut names: Vec<&str> = Vec::new();
    for file in files.iter().filter(|file| any.fits(file)) {
        let name = NAME.as_ref().and_then(|regex| regex.captures(file)?.get(1)).map_or("", |name| name.as_str());
        if !SPLIT.as_ref().is_some_and(|regex| regex.is_match(name)) {
            return Err(format!("`{file}` should begin with the name of a split, of letters, digits, `_` and `.`"));
        }
        names.push(name);
    }
    let known = |name: &str| KEYWORDS.iter().position(|(split, _)| *split == name).unwrap_or(KEYWORDS.len());
    names.sort_by_key(|name| (known(name), *name));
    names.dedup();
    let splits: Splits = names.into_iter().map(|name| (name.to_owned(), vec![format!("data/{name}{SHARD}")])).collect();
    Ok((!splits.is_empty()).then_some(splits))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn fits(pattern: &str, file: &str) -> bool {
        Pattern::new(pattern).unwrap().fits(file)
    }

    #[test]
    fn patterns_are_those_of_the_library() {
        for (pattern, file) in [
            ("*.csv", "a.csv"),
            ("**/*.csv", "a.csv"),
            ("**/*.csv", "x/y/a.csv"),
            ("data/**", "data/x/a"),
            ("a?[0-9].txt", "ab3.txt"),
            ("**/train[-._ 0-9]*", "x/train.csv"),
            ("**/train[-._ 0-9]*", "train-1.csv"),
            ("[!a]*", "b.csv"),
            (".hid/*", ".hid/a"),
            ("**/train/**", "train/a.csv"),
            ("**/train/**", "x/train/y/a.csv"),
            ("README.md", "README.md"),
            ("x/[]]", "x/]"),
        ] {
            assert!(fits(pattern, file), "{pattern} {file}");
        }
        for (pattern, file) in [
            ("*.csv", "x/a.csv"),
            ("data/*", "data/x/a"),
            ("**/train[-._ 0-9]*", "x/trains.csv"),
            ("**", ".hid/a"),
            ("**", "README.md"),
            ("**", "__x__/a"),
            ("**", ".gitattributes"),
            ("a.csv", "axcsv"),
            ("*", ""),
            ("**/train/**", "train.csv"),
            ("[!a]*", "a.csv"),
        ] {
            assert!(!fits(pattern, file), "{pattern} {file}");
        }
        assert!(Pattern::new("data/**.csv").is_err() && Pattern::new("a[b").is_err());
    }

    #[test]
    fn data_files_may_be_written_in_four_ways() {
        let of = |value: Value| by_split(&value).map(|splits| json!(splits));
        assert_eq!(of(json!("a.csv")).unwrap(), json!([["train", ["a.csv"]]]));
        assert_eq!(of(json!(["a", "b"])).unwrap(), json!([["train", ["a", "b"]]]));
        assert_eq!(
            of(json!([{ "split": "x", "path": "a" }, { "split": "y", "path": ["b", "c"] }])).unwrap(),
            json!([["x", ["a"]], ["y", ["b", "c"]]])
        );
        assert_eq!(of(json!({ "test": "t" })).unwrap(), json!([["test", ["t"]]]));
        for bad in
            [json!(3), json!([{ "split": "x" }]), json!([{ "split": "x", "path": "a" }, { "split": "x", "path": "b" }])]
        {
            assert!(of(bad.clone()).is_err(), "{bad}");
        }
    }

    #[test]
    fn splits_are_found_by_names() {
        let splits = |files: &[&str]| {
            let patterns = default_patterns(files).unwrap();
            patterns.into_iter().map(|(split, _)| split).collect::<Vec<_>>()
        };
        assert_eq!(splits(&["data/zoo-00000-of-00001.parquet", "data/test-00000-of-00001.parquet"]), ["test", "zoo"]);
        assert_eq!(splits(&["retrain/a.csv", "dev/b.csv", "test.csv"]), ["validation"]);
        assert_eq!(splits(&["my_train/a.csv", "eval/b.csv"]), ["train", "test"]);
        assert_eq!(splits(&["x_train.csv", "valid.csv", "testing_1.csv"]), ["train", "validation", "test"]);
        assert_eq!(splits(&["a.csv", "sub/b.csv", "README.md"]), ["train"]);
        assert!(default_patterns(&["README.md", ".gitattributes"]).is_err());
        assert!(default_patterns(&["data/a b-00000-of-00001.csv"]).is_err());
    }
}
