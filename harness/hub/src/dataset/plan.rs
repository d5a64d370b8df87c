//! Which files a split consists of, and how they are read.

use super::card::Card;
use super::features::Columns;
use super::formats::{Format, infer, is_data};
use super::patterns::{Pattern, Splits, by_split, default_patterns, is_magic};
use super::request::Request;
use super::tables::Parameters;
use examiner_api::nearest;
use serde_json::Value;

/// A configuration: its splits with their files, and how these are read.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Plan {
    pub(super) config: String,
    pub(super) format: Format,
    pub(super) parameters: Parameters,
    /// In their order: the first decides the columns where nothing else does.
    pub(super) splits: Splits,
    /// The columns, where the repository names them.
    pub(super) features: Option<Columns>,
    /// The number of rows of each split, where the repository says it.
    pub(super) rows: Vec<(String, u64)>,
}

impl Plan {
    /// The files of a split.
    pub(super) fn files(&self, split: &str) -> Result<&[String], String> {
        let names: Vec<&str> = self.splits.iter().map(|(name, _)| name.as_str()).collect();
        let found = self.splits.iter().find(|(name, _)| name == split).map(|(_, files)| files.as_slice());
        let listed = listed(&names);
        match found {
            Some([]) => Err(format!("no file fits the patterns of its split `{split}`")),
            Some(files) => Ok(files),
            None if split.is_empty() => Err(format!("the address names no split; there are {listed}")),
            None => {
                let near = nearest(split, names).map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
                Err(format!("its configuration `{}` has no split `{split}`; there are {listed}{near}", self.config))
            }
        }
    }
}

/// Names in a message.
pub(super) fn listed(names: &[&str]) -> String {
    match names.len() {
        0 => "none".to_owned(),
        1..=40 => format!("`{}`", names.join("`, `")),
        more => format!("`{}` and {} more", names[..30].join("`, `"), more - 30),
    }
}

/// The plan of what is wanted of a repository with these files; why there is none. `files` fails where they are not known.
pub(super) fn plan(
    card: &Card,
    request: &Request,
    files: &dyn Fn() -> Result<Vec<String>, String>,
) -> Result<Plan, String> {
    let default = card.default_config()?;
    let config_name = request.config.as_deref().or(default);
    let Request { data_files, data_dir, .. } = request;
    let base = data_dir.as_deref();
    let first = card.configs.first().filter(|config| !config.data_files.is_null() && base.is_none());
    let first = match (data_files, first) {
        (Value::Null, Some(first)) => resolve(&by_split(&first.data_files)?, None, true, files)?,
        (Value::Null, None) => by_default(base, files)?,
        (given, _) => resolve(&by_split(given)?, base, true, files)?,
    };
    let (format, is_tabbed) = common_format(&first)?;
    let config = match config_name {
        Some(name) => card.configs.iter().find(|config| config.name == name),
        None => None,
    };
    let is_known =
        config.is_some() || (card.configs.is_empty() && request.config.as_deref().is_none_or(|name| name == "default"));
    if let Some(name) = request.config.as_deref()
        && !is_known
    {
        let names: Vec<&str> = match card.configs.is_empty() {
            true => vec!["default"],
            false => card.configs.iter().map(|config| config.name.as_str()).collect(),
        };
        let near = nearest(name, names.iter().copied()).map(|near| format!("; did you mean `{near}`?"));
        return Err(format!(
            "it has no configuration `{name}`; there are {}{}",
            listed(&names),
            near.unwrap_or_default()
        ));
    }
    let splits = match (data_files, base, config) {
        (Value::Null, None, None) if !card.configs.is_empty() => {
            let names: Vec<&str> = card.configs.iter().map(|config| config.name.as_str()).collect();
            return Err(format!("`config` has to say which of its configurations is wanted: {}", listed(&names)));
        }
        (Value::Null, None, Some(config)) => {
            let dir = config.data_dir.as_deref().map(|dir| dir.trim_matches('/'));
            match &config.data_files {
                Value::Null => by_default(dir, files)?,
                patterns => resolve(&by_split(patterns)?, dir, true, files)?,
            }
        }
        (Value::Null, _, _) => first
            .into_iter()
            .map(|(split, files)| (split, files.into_iter().filter(|file| format.holds(file)).collect()))
            .collect(),
        (given, _, _) => resolve(&by_split(given)?, base, false, files)?,
    };
    let empty = serde_json::Map::new();
    let parameters = Parameters::of(format, is_tabbed, config.map_or(&empty, |config| &config.parameters))?;
    let is_own = data_files.is_null() && base.is_none();
    let info = config_name.filter(|_| is_own).and_then(|name| card.info(name)).cloned().unwrap_or_default();
    let features = info.features.or_else(|| parameters.features.clone());
    let config = config.map_or("default", |config| &config.name).to_owned();
    Ok(Plan { config, format, parameters, splits, features, rows: info.splits })
}

fn common_format(splits: &Splits) -> Result<(Format, bool), String> {
    let mut found: Option<(Format, bool)> = None;
    for (split, files) in splits {
        let format = infer(files).map_err(|why| format!("{why} (split `{split}`)"))?;
        if *found.get_or_insert(format) != format {
            return Err("its splits have files of different formats".to_owned());
        }
    }
    found.ok_or_else(|| "it holds no files of data".to_owned())
}

/// The splits by the names of files and directories.
fn by_default(base: Option<&str>, files: &dyn Fn() -> Result<Vec<String>, String>) -> Result<Splits, String> {
    let all = files()?;
    let below: Vec<&str> = all.iter().filter_map(|file| relative(file, base)).collect();
    let patterns = default_patterns(&below)?;
    resolve(&patterns, base, true, files)
}

fn relative<'a>(file: &'a str, base: Option<&str>) -> Option<&'a str> {
    match base {
        None => Some(file),
        Some(base) => file.strip_prefix(base)?.strip_prefix('/'),
    }
}

/// The files that fit patterns, in order: a file that fits two patterns is there twice.
fn resolve(
    patterns: &Splits,
    base: Option<&str>,
    only_data: bool,
    files: &dyn Fn() -> Result<Vec<String>, String>,
) -> Result<Splits, String> {
    let mut splits = Splits::new();
    for (split, patterns) in patterns {
        let mut found = Vec::new();
        for pattern in patterns {
            let pattern = pattern.strip_prefix("./").unwrap_or(pattern);
            if pattern.contains("://") || pattern.starts_with('/') || pattern.split('/').any(|part| part == "..") {
                return Err(format!("`data_files` names `{pattern}`, which is outside of the repository"));
            }
            let whole = base.map_or_else(|| pattern.to_owned(), |base| format!("{base}/{pattern}"));
            if !is_magic(&whole) {
                // A path is one file, whether all files are known or not.
                found.push(whole);
                continue;
            }
            let pattern = Pattern::new(&whole)?;
            let is_wanted = |file: &&String| pattern.fits(file) && (!only_data || is_data(file));
            found.extend(files()?.iter().filter(is_wanted).cloned());
        }
        splits.push((split.clone(), found));
    }
    Ok(splits)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::request::parse;
    use serde_json::json;

    fn of(card: &str, files: &[&str], query: &str) -> Result<Plan, String> {
        let card = Card::read(Some(&format!("---\n{card}\n---\n")), None, None)?;
        let request = parse(&format!("hf://datasets/a/b?{query}")).unwrap().unwrap();
        let files: Vec<String> = files.iter().map(ToString::to_string).collect();
        plan(&card, &request, &|| Ok(files.clone()))
    }

    fn splits(card: &str, files: &[&str], query: &str) -> Value {
        json!(of(card, files, query).unwrap().splits)
    }

    const TWO: &str = "configs:\n- config_name: one\n  data_files:\n  - split: test\n    path: one/test-*\n- config_name: two\n  data_dir: two";
    const FILES: [&str; 6] =
        ["README.md", "one/test-0.csv", "one/test-1.csv", "one/test-notes", "two/dev.csv", "two/test.csv"];

    #[test]
    fn configurations_have_files() {
        assert_eq!(splits(TWO, &FILES, "config=one"), json!([["test", ["one/test-0.csv", "one/test-1.csv"]]]));
        assert_eq!(
            splits(TWO, &FILES, "config=two"),
            json!([["validation", ["two/dev.csv"]], ["test", ["two/test.csv"]]])
        );
        let missing = of(TWO, &FILES, "").unwrap_err();
        assert!(missing.contains("`one`, `two`"), "{missing}");
        let unknown = of(TWO, &FILES, "config=tow").unwrap_err();
        assert!(unknown.contains("`one`, `two`"), "{unknown}");
        let split = of(TWO, &FILES, "config=two").unwrap().files("tset").unwrap_err();
        assert!(split.contains("`validation`, `test`; did you mean `test`?"), "{split}");
    }

    #[test]
    fn without_configurations_names_decide() {
        assert_eq!(
            splits("", &["data/train.jsonl", "README.md", "x.py"], ""),
            json!([["train", ["data/train.jsonl"]]])
        );
        assert_eq!(
            splits("", &["a.csv", "b.csv", "LICENSE"], "config=default"),
            json!([["train", ["a.csv", "b.csv"]]])
        );
        assert!(of("", &["a.csv"], "config=main").unwrap_err().contains("`default`"));
        assert!(of("", &["LICENSE"], "").is_err());
    }

    #[test]
    fn files_and_directories_may_be_given() {
        assert_eq!(splits("", &["x/a.csv", "y/a.csv"], "data_dir=y"), json!([["train", ["y/a.csv"]]]));
        assert_eq!(
            splits(TWO, &FILES, "config=one&data_files=two/*.csv"),
            json!([["train", ["two/dev.csv", "two/test.csv"]]])
        );
        assert_eq!(
            splits("", &["a.csv", "b.csv"], "data_files=%7B%22test%22%3A%22b.csv%22%7D"),
            json!([["test", ["b.csv"]]])
        );
        for outside in ["..%2Fx.csv", "%2Fetc%2Fx.csv", "https%3A%2F%2Fhost%2Fx.csv"] {
            assert!(of("", &["a.csv"], &format!("data_files={outside}")).unwrap_err().contains("outside"), "{outside}");
        }
    }

    #[test]
    fn parameters_that_are_not_read_are_refused() {
        let card = |more: &str| format!("configs:\n- config_name: c\n  data_files: a.csv\n  {more}");
        assert_eq!(of(&card("sep: \";\""), &["a.csv"], "").unwrap().parameters.delimiter, b';');
        assert!(of(&card("skiprows: 2"), &["a.csv"], "").unwrap_err().contains("skiprows"));
        assert!(of(&card("license: mit"), &["a.csv"], "").is_ok());
    }
}
