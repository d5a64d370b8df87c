//! What the head of a repository's README, `.huggingface.yaml` and `dataset_infos.json` say of configurations and columns.

use super::features::{Columns, from_description, from_yaml};
use serde_json::{Map, Value};

/// A configuration that the repository names.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Config {
    pub(super) name: String,
    /// What stands under `data_files`; null where nothing does.
    pub(super) data_files: Value,
    pub(super) data_dir: Option<String>,
    /// The other parameters, for the reader of the files.
    pub(super) parameters: Map<String, Value>,
    is_default: bool,
}

/// What is known of a configuration's columns and rows.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Info {
    pub(super) features: Option<Columns>,
    /// Splits and their numbers of rows.
    pub(super) splits: Vec<(String, u64)>,
}

/// What a repository says of itself.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Card {
    pub(super) configs: Vec<Config>,
    pub(super) infos: Vec<(String, Info)>,
}

impl Card {
    /// Reads a card. Each of the three texts may be missing.
    pub(super) fn read(readme: Option<&str>, yaml: Option<&str>, infos: Option<&str>) -> Result<Self, String> {
        let mut head = match readme.and_then(front_matter) {
            Some(head) => mapping(head).map_err(|why| format!("the head of `README.md`: {why}"))?,
            None => Map::new(),
        };
        if let Some(yaml) = yaml {
            head.extend(mapping(yaml).map_err(|why| format!("`.huggingface.yaml`: {why}"))?);
        }
        let mut known = match infos {
            Some(infos) => legacy(infos).map_err(|why| format!("`dataset_infos.json`: {why}"))?,
            None => Vec::new(),
        };
        for (name, info) in read_infos(&head.remove("dataset_info").unwrap_or_default())? {
            match known.iter_mut().find(|(known, _)| *known == name) {
                Some(entry) => entry.1 = info,
                None => known.push((name, info)),
            }
        }
        Ok(Card { configs: configs(head.get("configs"))?, infos: known })
    }

    /// The configuration that is used where none is named.
    pub(super) fn default_config(&self) -> Result<Option<&str>, String> {
        let all = &self.configs;
        let mut defaults = all.iter().filter(|config| all.len() == 1 || config.name == "default" || config.is_default);
        match (defaults.next(), defaults.next()) {
            (Some(one), Some(other)) => Err(format!("`{}` and `{}` are both the default", one.name, other.name)),
            (Some(one), None) => Ok(Some(&one.name)),
            // Of a repository that names no configuration, the columns of the only one that is described hold.
            (None, _) if self.infos.len() == 1 => Ok(Some(&self.infos[0].0)),
            (None, _) => Ok(None),
        }
    }

    /// What is known of a configuration.
    pub(super) fn info(&self, config: &str) -> Option<&Info> {
        self.infos.iter().find(|(name, _)| name == config).map(|(_, info)| info)
    }
}

/// The YAML between the first two lines of `---`.
fn front_matter(readme: &str) -> Option<&str> {
    let text = readme.trim_start_matches('\u{feff}').trim_start();
    let text = text.strip_prefix("---")?.trim_start_matches('-');
    let begin = text.find(['\n', '\r']).filter(|line| text[..*line].trim().is_empty())?;
    let text = &text[begin..];
    let mut from = 0;
    loop {
        let found = from + text[from..].find("---")?;
        let after = &text[found + 3..];
        let begins_line = found == 0 || text[..found].ends_with(['\n', '\r']);
        if begins_line && (after.is_empty() || after.starts_with(['\n', '\r'])) {
            return Some(&text[..found]);
        }
        from = found + 3;
    }
}

/// A YAML mapping as JSON, keys and unquoted scalars as texts where JSON has no other form for them.
fn mapping(yaml: &str) -> Result<Map<String, Value>, String> {
    let value: serde_yaml::Value = serde_yaml::from_str(yaml).map_err(|error| format!("not YAML: {error}"))?;
    match json_of(value) {
        Value::Object(fields) => Ok(fields),
        Value::Null => Ok(Map::new()),
        _ => Err("expected a mapping".to_owned()),
    }
}

fn json_of(value: serde_yaml::Value) -> Value {
    use serde_yaml::Value as Yaml;
    match value {
        Yaml::Null => Value::Null,
        Yaml::Bool(truth) => Value::Bool(truth),
        Yaml::Number(number) => serde_json::to_value(number).unwrap_or(Value::Null),
        Yaml::String(text) => Value::String(text),
        Yaml::Sequence(items) => Value::Array(items.into_iter().map(json_of).collect()),
        Yaml::Mapping(fields) => Value::Object(
            fields.into_iter().filter_map(|(key, value)| Some((text_of(&json_of(key))?, json_of(value)))).collect(),
        ),
        Yaml::Tagged(tagged) => json_of(tagged.value),
    }
}

/// A scalar as a text.
fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(_) | Value::Bool(_) => Some(value.to_string()),
        _ => None,
    }
}

fn configs(list: Option<&Value>) -> Result<Vec<Config>, String> {
    let list = match list {
        None | Some(Value::Null) => return Ok(Vec::new()),
        Some(Value::Array(list)) => list,
        Some(other) => return Err(format!("`configs`: expected a list, found `{other}`")),
    };
    let mut configs: Vec<Config> = Vec::new();
    for entry in list {
        let mut parameters =
            entry.as_object().cloned().ok_or_else(|| format!("`configs`: expected a mapping, found `{entry}`"))?;
        let name = parameters.remove("config_name").as_ref().and_then(text_of);
        let name = name.ok_or("`configs`: an entry without `config_name`")?;
        let data_files = parameters.remove("data_files").unwrap_or(Value::Null);
        let data_dir = parameters.remove("data_dir").as_ref().and_then(text_of).filter(|dir| !dir.is_empty());
        let is_default = parameters.remove("default").is_some_and(|value| value == Value::Bool(true));
        let config = Config { name, data_files, data_dir, parameters, is_default };
        // A name that occurs twice: what stands last counts, in the place of the first.
        match configs.iter_mut().find(|known| known.name == config.name) {
            Some(known) => *known = config,
            None => configs.push(config),
        }
    }
    Ok(configs)
}

fn read_infos(value: &Value) -> Result<Vec<(String, Info)>, String> {
    let entries: Vec<&Value> = match value {
        Value::Array(entries) => entries.iter().collect(),
        Value::Object(_) => vec![value],
        _ => Vec::new(),
    };
    entries
        .into_iter()
        .map(|entry| {
            let name = text_of(&entry["config_name"]).unwrap_or_else(|| "default".to_owned());
            let features = match &entry["features"] {
                Value::Null => None,
                list => Some(from_yaml(list).map_err(|why| format!("the columns of `{name}`: {why}"))?),
            };
            let splits = entry["splits"].as_array().into_iter().flatten();
            let splits = splits.filter_map(|split| Some((text_of(&split["name"])?, split["num_examples"].as_u64()?)));
            Ok((name, Info { features, splits: splits.collect() }))
        })
        .collect()
}

/// The file that older versions of the library wrote. A single configuration in it is the default one, whatever its name.
fn legacy(text: &str) -> Result<Vec<(String, Info)>, String> {
    let all: Map<String, Value> = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let is_single = all.len() == 1;
    all.iter()
        .map(|(name, entry)| {
            let features = match &entry["features"] {
                Value::Null => None,
                description => Some(from_description(description).map_err(|why| format!("`{name}`: {why}"))?),
            };
            let splits = entry["splits"].as_object().into_iter().flatten();
            let splits = splits.filter_map(|(name, split)| Some((name.clone(), split["num_examples"].as_u64()?)));
            let name = if is_single { "default".to_owned() } else { name.clone() };
            Ok((name, Info { features, splits: splits.collect() }))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::features::Feature;
    use super::*;
    use serde_json::json;

    const README: &str = "---\nlicense: mit\nconfigs:\n- config_name: main\n  data_files:\n  - split: train\n    path: main/*.parquet\n  \
        default: true\n- config_name: 2024\n  data_dir: y\n  sep: \";\"\ndataset_info:\n- config_name: main\n  features:\n  - name: q\n    \
        dtype: string\n  splits:\n  - name: train\n    num_bytes: 9\n    num_examples: 7\n---\n# Title\n---\n";

    #[test]
    fn the_head_of_a_readme_is_read() {
        let card = Card::read(Some(README), None, None).unwrap();
        assert_eq!(card.configs[0].name, "main");
        assert_eq!(card.configs[0].data_files, json!([{ "split": "train", "path": "main/*.parquet" }]));
        assert_eq!((card.configs[1].name.as_str(), card.configs[1].data_dir.as_deref()), ("2024", Some("y")));
        assert_eq!(json!(card.configs[1].parameters), json!({ "sep": ";" }));
        assert_eq!(card.default_config().unwrap(), Some("main"));
        let info = card.info("main").unwrap();
        assert_eq!(info.features, Some(vec![("q".to_owned(), Feature::TEXT)]));
        assert_eq!(info.splits, [("train".to_owned(), 7)]);
    }

    #[test]
    fn a_readme_without_a_head_says_nothing() {
        for readme in ["", "# Title\n---\nconfigs: []\n---\n", "---\nopen: true\n"] {
            assert_eq!(Card::read(Some(readme), None, None).unwrap(), Card::default(), "{readme:?}");
        }
        assert!(Card::read(Some("---\n[1]\n---\n"), None, None).is_err());
        assert!(Card::read(Some("---\nconfigs: 3\n---\n"), None, None).is_err());
    }

    #[test]
    fn an_old_file_is_known_and_the_readme_comes_first() {
        let old = r#"{"me--name": {"features": {"a": {"dtype": "int8", "_type": "Value"}}, "splits": {"test": {"num_examples": 2}}}}"#;
        let card = Card::read(None, None, Some(old)).unwrap();
        assert_eq!(card.info("default").unwrap().splits, [("test".to_owned(), 2)]);
        assert_eq!(card.default_config().unwrap(), Some("default"));
        let readme = "---\ndataset_info:\n  features:\n  - name: b\n    dtype: bool\n---\n";
        let card = Card::read(Some(readme), None, Some(old)).unwrap();
        assert_eq!(card.info("default").unwrap().features, Some(vec![("b".to_owned(), Feature::Bool)]));
    }
}
