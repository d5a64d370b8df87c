//! The branch on which the hub keeps datasets as Parquet: `CONFIG/SPLIT/0000.parquet`.

use super::formats::Format;
use super::patterns::Splits;
use super::plan::{Plan, listed};
use super::request::Request;
use super::tables::Parameters;

/// The branch.
pub(super) const BRANCH: &str = "refs/convert/parquet";

/// The plan of what is wanted of it.
pub(super) fn plan(files: &[String], request: &Request) -> Result<Plan, String> {
    if request.data_dir.is_some() || !request.data_files.is_null() {
        return Err("`data_dir` and `data_files` name files that the hub's Parquet branch does not have".to_owned());
    }
    let mut configs: Vec<(&str, Splits)> = Vec::new();
    for file in files {
        let [config, split, name] = file.split('/').collect::<Vec<_>>()[..] else { continue };
        if !name.ends_with(".parquet") {
            continue;
        }
        let place = configs.iter().position(|(known, _)| *known == config).unwrap_or_else(|| {
            configs.push((config, Splits::new()));
            configs.len() - 1
        });
        let splits = &mut configs[place].1;
        match splits.iter_mut().find(|(known, _)| known == split) {
            Some((_, files)) => files.push(file.clone()),
            None => splits.push((split.to_owned(), vec![file.clone()])),
        }
    }
    let names: Vec<&str> = configs.iter().map(|(name, _)| *name).collect();
    let wanted = match (&request.config, &names[..]) {
        (Some(config), _) => config.as_str(),
        (None, [only]) => only,
        (None, names) if names.contains(&"default") => "default",
        (None, []) => return Err("the hub's Parquet branch holds no files".to_owned()),
        (None, names) => return Err(format!("`config` has to say which configuration is wanted: {}", listed(names))),
    };
    let found = configs.iter_mut().find(|(name, _)| *name == wanted);
    let (config, splits) = found.ok_or_else(|| {
        format!("the hub's Parquet branch has no configuration `{wanted}`; there are {}", listed(&names))
    })?;
    if splits.iter().any(|(split, _)| *split == format!("partial-{}", request.split)) {
        return Err(format!("the hub's Parquet branch has only a part of the split `{}`", request.split));
    }
    let order = ["train", "validation", "test"];
    splits.sort_by_key(|(split, _)| order.iter().position(|known| known == split).unwrap_or(order.len()));
    let parameters = Parameters::of(Format::Parquet, false, &serde_json::Map::new())?;
    Ok(Plan {
        config: (*config).to_owned(),
        format: Format::Parquet,
        parameters,
        splits: std::mem::take(splits),
        features: None,
        rows: Vec::new(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::request::parse;

    fn of(files: &[&str], query: &str) -> Result<Plan, String> {
        let request = parse(&format!("hf://datasets/a/b?{query}")).unwrap().unwrap();
        plan(&files.iter().map(ToString::to_string).collect::<Vec<_>>(), &request)
    }

    const FILES: [&str; 5] = [
        ".gitattributes",
        "one/test/0000.parquet",
        "one/train/0000.parquet",
        "one/train/0001.parquet",
        "two/partial-test/0000.parquet",
    ];

    #[test]
    fn directories_are_configurations_and_splits() {
        let plan = of(&FILES, "config=one&split=train").unwrap();
        assert_eq!(plan.files("train").unwrap(), ["one/train/0000.parquet", "one/train/0001.parquet"]);
        assert_eq!(plan.splits[0].0, "train");
        assert_eq!(of(&FILES[..4], "split=test").unwrap().config, "one");
        assert!(of(&FILES, "split=test").unwrap_err().contains("`one`, `two`"));
        assert!(of(&FILES, "config=two&split=test").unwrap_err().contains("only a part"));
        assert!(of(&FILES, "config=three&split=test").unwrap_err().contains("`one`, `two`"));
        assert!(of(&FILES[..1], "split=test").is_err());
    }
}
