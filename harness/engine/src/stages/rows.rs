//! Training rows made of a dataset's samples.

use crate::host::Shared;
use examiner_api::{Dataset, Flow, Gold, Metadata, PluginError, Result, Sample, TrainingRow};
use examiner_suite::{Reference, StageKind};
use parking_lot::Mutex;
use serde::Deserialize;
use std::collections::{HashMap, HashSet};
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Opens a dataset of the suite to be learned from in one of the forms that it offers.
pub(super) fn open(shared: &Arc<Shared>, stage: &str, name: &str, form: &str) -> Result<Box<dyn Dataset>> {
    let dataset = shared.roles.dataset(name, shared.host(stage))?;
    let forms = dataset.info()?.forms;
    if forms.iter().any(|offered| offered == form) {
        return Ok(dataset);
    }
    let message = format!("dataset `{name}` cannot be learned from `as: {form}`: its plugin has no such form");
    let help = match forms.is_empty() {
        true => "it offers none".to_owned(),
        false => format!("it offers `{}`", forms.join("`, `")),
    };
    Err(PluginError::bad_options(message).with_help(help))
}

/// The file of rows that a recipe has made.
pub(super) fn taught(shared: &Shared, name: &str) -> Result<PathBuf> {
    let reference = Reference { path: Default::default(), stage: StageKind::Teach, name: name.to_owned() };
    shared.roles.product(&reference).map(PathBuf::from).ok_or_else(|| {
        PluginError::not_found(format!("`{reference}` has not been made"))
            .with_help(format!("stage `teach/{name}` failed or was left out"))
    })
}

/// Makes a row of each sample, and says where they are: at most `limit` of each subset, and only of samples that are also
/// in the file `matched`, where one is given.
pub(super) fn training_rows(
    mut dataset: Box<dyn Dataset>,
    form: &str,
    out: &Path,
    matched: Option<&Path>,
    limit: Option<u64>,
) -> Result<PathBuf> {
    let path = out.join("rows.jsonl");
    let chosen = Chosen { ids: matched.map(samples_in).transpose()?, limit, taken: HashMap::new() };
    let mut outcome = Ok(0);
    let written = examiner_store::atomic::write(&path, |file| {
        outcome = write_rows(&mut *dataset, form, chosen, file);
        outcome.as_ref().map(|_| ()).map_err(|error| std::io::Error::other(error.to_string()))
    });
    let count = outcome?;
    written.map_err(|error| PluginError::io("write", &path, &error))?;
    match (count, matched) {
        (0, Some(matched)) => Err(PluginError::bad_input(format!(
            "no sample of the dataset is in `{}`, so there is nothing to learn from",
            matched.display()
        ))
        .with_help(
            "`match_rows` needs a dataset with the questions that the recipe asked; their ids must be the same",
        )),
        (0, None) => Err(PluginError::bad_input("the dataset has no samples to learn from")),
        _ => Ok(path),
    }
}

/// The ids of the samples that rows were made of, as a recipe notes them in the field `sample`.
fn samples_in(path: &Path) -> Result<HashSet<String>> {
    #[derive(Deserialize)]
    struct Row {
        sample: Option<String>,
    }
    let failed = |error: &std::io::Error| PluginError::io("read", path, error);
    let file = std::fs::File::open(path).map_err(|error| failed(&error))?;
    let mut ids = HashSet::new();
    for (place, line) in BufReader::new(file).lines().enumerate() {
        let line = line.map_err(|error| failed(&error))?;
        let row: Option<Row> = serde_json::from_str(&line).ok();
        let id = row.and_then(|row| row.sample).ok_or_else(|| {
            let place = format!("line {} of `{}`", place + 1, path.display());
            PluginError::bad_input(format!(
                "{place}: expected a field `sample` with the id of the sample it was made of"
            ))
            .with_help("`match_rows` works with recipes that note it")
        })?;
        ids.insert(id);
    }
    Ok(ids)
}

/// Which samples become rows.
struct Chosen {
    ids: Option<HashSet<String>>,
    limit: Option<u64>,
    taken: HashMap<Option<String>, u64>,
}

impl Chosen {
    fn takes(&mut self, sample: &Sample) -> bool {
        if self.ids.as_ref().is_some_and(|ids| !ids.contains(&sample.id)) {
            return false;
        }
        let taken = self.taken.entry(sample.subset.clone()).or_default();
        *taken += 1;
        self.limit.is_none_or(|limit| *taken <= limit)
    }
}

fn write_rows(dataset: &mut dyn Dataset, form: &str, chosen: Chosen, file: &mut std::fs::File) -> Result<u64> {
    struct State<'a> {
        chosen: Chosen,
        file: BufWriter<&'a mut std::fs::File>,
        count: u64,
        failure: Option<PluginError>,
    }
    let state = Mutex::new(State { chosen, file: BufWriter::new(file), count: 0, failure: None });
    dataset.training_samples(form, &|sample: Sample| {
        let mut state = state.lock();
        if !state.chosen.takes(&sample) {
            return Flow::Continue;
        }
        let line = training_row(sample).and_then(|row| {
            serde_json::to_string(&row).map_err(|error| PluginError::bad_input("cannot write a row").with_cause(&error))
        });
        let written = line.and_then(|line| Ok(writeln!(state.file, "{line}")?));
        state.count += 1;
        state.failure = written.err();
        if state.failure.is_some() { Flow::Stop } else { Flow::Continue }
    })?;
    let mut state = state.into_inner();
    match state.failure {
        Some(error) => Err(error),
        None => Ok(state.file.flush().map(|()| state.count)?),
    }
}

fn training_row(sample: Sample) -> Result<TrainingRow> {
    let answer = match &sample.gold {
        Gold::Text(texts) => texts.first().cloned(),
        Gold::Choice(place) => sample.choices.get(*place).cloned(),
        Gold::None => None,
    };
    let answer =
        answer.ok_or_else(|| PluginError::bad_input(format!("sample `{}` has no right answer to learn", sample.id)))?;
    let completion = format!("{}{answer}", sample.delimiter);
    let mut metadata = Metadata::new();
    metadata.insert("sample".to_owned(), sample.id.clone().into());
    metadata.extend(sample.subset.map(|task| ("task".to_owned(), task.into())));
    Ok(TrainingRow { id: sample.id, prompt: sample.prompt, completion, metadata })
}

#[cfg(test)]
mod tests {
    use super::*;
    use examiner_api::{ANSWERS_FORM, DatasetInfo, Sink};

    struct Tasks;

    impl Dataset for Tasks {
        fn info(&self) -> Result<DatasetInfo> {
            Ok(DatasetInfo::default())
        }

        fn samples(&mut self, sink: &dyn Sink<Sample>) -> Result<()> {
            for (task, index) in [("a", 0), ("a", 1), ("a", 2), ("b", 0), ("b", 1)] {
                let sample = Sample {
                    id: format!("{task}-{index}"),
                    prompt: format!("Q: {task}{index}\nA:"),
                    delimiter: " ".to_owned(),
                    gold: Gold::text(index.to_string()),
                    subset: Some(task.to_owned()),
                    ..Sample::default()
                };
                if sink.send(sample) == Flow::Stop {
                    break;
                }
            }
            Ok(())
        }
    }

    fn ids(matched: Option<&Path>, limit: Option<u64>) -> Result<Vec<String>> {
        let folder = tempfile::tempdir().unwrap();
        let path = training_rows(Box::new(Tasks), ANSWERS_FORM, folder.path(), matched, limit)?;
        let text = std::fs::read_to_string(path).unwrap();
        let rows = text.lines().map(|line| serde_json::from_str::<TrainingRow>(line).unwrap());
        Ok(rows.map(|row| row.id).collect())
    }

    #[test]
    fn a_limit_holds_for_each_subset() {
        assert_eq!(ids(None, Some(1)).unwrap(), ["a-0", "b-0"]);
        assert_eq!(ids(None, None).unwrap().len(), 5);
    }

    #[test]
    fn rows_can_be_those_of_a_recipe() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("kept.jsonl");
        let kept = |text: &str| std::fs::write(&file, text).unwrap();
        kept("{\"id\":\"a-2-0\",\"sample\":\"a-2\"}\n{\"id\":\"b-1-3\",\"sample\":\"b-1\"}\n");
        assert_eq!(ids(Some(&file), None).unwrap(), ["a-2", "b-1"]);
        kept("{\"id\":\"c-0-0\",\"sample\":\"c-0\"}\n");
        assert!(ids(Some(&file), None).unwrap_err().to_string().contains("nothing to learn from"));
        kept("{\"id\":\"c-0-0\"}\n");
        assert!(ids(Some(&file), None).unwrap_err().to_string().contains("line 1 of"));
    }
}
