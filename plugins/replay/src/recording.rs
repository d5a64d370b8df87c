//! The recorded texts, by key.

use crate::Options;
use crate::key::{say, values};
use examiner_api::rows::{self, Format, Row, lookup};
use examiner_api::{PluginError, Result, SampleRef};
use serde_json::Value;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::path::{Path, PathBuf};

/// The recorded texts of one file.
pub(crate) struct Recording {
    path: PathBuf,
    texts: HashMap<Vec<String>, Vec<Recorded>>,
}

struct Recorded {
    number: u64,
    text: String,
}

impl Recording {
    /// Reads the rows that `options` chooses.
    pub(crate) fn read(path: &Path, format: Option<Format>, options: &Options) -> Result<Self> {
        let paths = options.key.in_row();
        if paths.is_empty() {
            return Err(PluginError::bad_options("`key` names no field, expected those that tell samples apart")
                .with_help("for example `key: [task, index]`"));
        }
        let mut texts: HashMap<Vec<String>, Vec<Recorded>> = HashMap::new();
        for row in rows::read_at(path, format, options.pointer.as_deref())? {
            let row = row?;
            if !options.filter.matches(&row.fields) {
                continue;
            }
            let key = values(&row.fields, &paths).map_err(|what| wrong(&row, &what))?;
            let recorded = Recorded { number: row.number, text: completion(&row, &options.completion)? };
            match texts.entry(key) {
                Entry::Vacant(entry) => {
                    entry.insert(vec![recorded]);
                }
                Entry::Occupied(mut entry) if options.repeats => entry.get_mut().push(recorded),
                Entry::Occupied(entry) => {
                    let (unit, first) = (row.unit(), entry.get()[0].number);
                    let what = format!("the same key as {unit} {first}: {}", say(&paths, entry.key()));
                    return Err(wrong(&row, &what).with_help(
                        "narrow the rows down with `where`, add a field to `key`, or set `repeats: true` if they are \
                         repeated answers",
                    ));
                }
            }
        }
        if texts.is_empty() {
            let error = PluginError::bad_input(format!("no row of `{}` is chosen", path.display()));
            return Err(error.with_help("check `where`, and that the file is not empty"));
        }
        Ok(Recording { path: path.to_owned(), texts })
    }

    /// How many texts there are.
    pub(crate) fn rows(&self) -> usize {
        self.texts.values().map(Vec::len).sum()
    }

    /// The text recorded for a sample.
    ///
    /// # Errors
    /// `NotFound`, with the nearest reason: the sample's metadata lacks a field, no row has its values, or fewer
    /// answers were recorded than are asked for.
    pub(crate) fn find(&self, sample: &SampleRef, options: &Options) -> Result<&str> {
        let paths = options.key.in_metadata();
        let (id, file) = (&sample.id, self.path.display());
        let key = values(&sample.metadata, &paths).map_err(|what| {
            PluginError::not_found(format!("sample `{id}` cannot be looked up in `{file}`: in its metadata {what}"))
                .with_help("choose fields for `key` that the dataset puts into its metadata")
        })?;
        let recorded = self.texts.get(&key).ok_or_else(|| {
            PluginError::not_found(format!("no recorded row of `{file}` fits sample `{id}`: {}", say(&paths, &key)))
                .with_help("record the missing answer, or check `where` and `key`")
        })?;
        recorded.get(sample.repeat as usize).map(|recorded| &*recorded.text).ok_or_else(|| {
            let (count, asked) = (recorded.len(), u64::from(sample.repeat) + 1);
            let which = say(&paths, &key);
            let error = PluginError::not_found(format!(
                "answer {asked} to sample `{id}` was asked for, but `{file}` has {count} recorded: {which}"
            ));
            match options.repeats {
                true => error.with_help("ask for fewer repeats"),
                false => error.with_help("ask for one answer, or set `repeats: true` if the file has several"),
            }
        })
    }
}

fn completion(row: &Row, path: &str) -> Result<String> {
    match lookup(&row.fields, path) {
        Some(Value::String(text)) => Ok(text.clone()),
        Some(other) => Err(wrong(row, &format!("expected a string in the field `{path}`, found `{other}`"))),
        None => Err(wrong(row, &format!("there is no field `{path}`"))
            .with_help("set `completion` to the field that holds the recorded text")),
    }
}

fn wrong(row: &Row, what: &str) -> PluginError {
    PluginError::bad_input(format!("{}: {what}", row.place()))
}
