//! Any table of rows as a dataset, through templates.
//!
//! A question, its choices and its right answer are written as templates over the fields of a row, so that a new
//! dataset takes a few lines of a suite and no code. See [`Options`] for what can be said. Rows are streamed, and every
//! one is tried when the dataset is opened: what a template cannot be filled from is found before any model is asked.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

mod bounded;
mod gold;
mod options;
mod question;
mod record;
mod source;
mod template;

use examiner_api::rows;
use examiner_api::{Dataset, DatasetInfo, Flow, Host, Open, Plugin, PluginError, Result, Sample, Sampling, Shot, Sink};
use gold::Ways;
use parking_lot::Mutex;
use question::{GoldReading, Questions, TELL_HOW};
use record::Record;
use serde_json::json;
use source::Source;
use std::collections::HashMap;
use std::collections::hash_map::{DefaultHasher, Entry};
use std::hash::{Hash, Hasher};
use std::sync::Arc;

pub use options::{Choices, FewShot, Gold, GoldIs, Options, Pool, Same, Where};

examiner_api::export_plugin!(plugin);

/// The roles of this plugin.
pub fn plugin() -> Plugin {
    Plugin::new("table", env!("CARGO_PKG_VERSION"))
        .dataset::<Table>("table", "Any JSON lines, JSON, CSV or Parquet file as a dataset, through templates.")
}

/// The dataset, opened.
pub struct Table {
    options: Arc<Options>,
    questions: Source,
    pool: Option<Source>,
    info: DatasetInfo,
}

impl Open for Table {
    type Options = Options;

    fn open(options: Options, host: Host) -> Result<Self> {
        let questions = Source::questions(&options, &host)?;
        let pool = match &options.few_shot {
            None => None,
            Some(FewShot::Same(_)) => Some(questions.clone()),
            Some(FewShot::File(pool)) => Some(Source::pool(pool, options.gold_is, &host)?),
        };
        let info = info(&options, &questions, pool.as_ref())?;
        let mut table = Table { options: Arc::new(options), questions, pool, info };
        table.info.rows = Some(table.try_all()?);
        Ok(table)
    }
}

impl Dataset for Table {
    fn info(&self) -> Result<DatasetInfo> {
        Ok(self.info.clone())
    }

    fn few_shot_pool(&mut self) -> Result<Vec<Shot>> {
        let mut shots = Vec::new();
        if let Some(pool) = &self.pool {
            self.each_shot(pool, GoldReading::As(pool.gold_is), |shot| shots.push(shot))?;
        }
        Ok(shots)
    }

    fn samples(&mut self, sink: &dyn Sink<Sample>) -> Result<()> {
        self.each_sample(GoldReading::As(self.questions.gold_is), |_, sample| Ok(sink.send(sample)))
    }
}

impl Table {
    /// Makes every sample and every few-shot example once, finds out how their gold answers name choices, and counts the
    /// samples.
    fn try_all(&mut self) -> Result<u64> {
        let (ways, of_pool) = (Arc::new(Mutex::new(Ways::default())), Arc::new(Mutex::new(Ways::default())));
        let finds_out = self.options.gold_is == GoldIs::Auto && self.options.choices.is_some();
        let reading = |ways: &Arc<Mutex<Ways>>| match finds_out {
            true => GoldReading::FindOut(ways.clone()),
            false => GoldReading::As(self.options.gold_is),
        };
        let count = self.try_samples(reading(&ways))?;
        // Rows of one file are read in one way, whether they are questions or examples.
        let is_shared = self.pool.as_ref().is_some_and(|pool| pool.is_same_file(&self.questions));
        if let Some(pool) = &self.pool {
            self.each_shot(pool, reading(if is_shared { &ways } else { &of_pool }), |_| ())?;
        }
        if finds_out {
            let decide = |ways: &Mutex<Ways>| {
                std::mem::take(&mut *ways.lock())
                    .decide()
                    .map_err(|what| PluginError::bad_input(what).with_help(TELL_HOW))
            };
            self.questions.gold_is = decide(&ways)?;
            if let Some(pool) = &mut self.pool {
                pool.gold_is = if is_shared { self.questions.gold_is } else { decide(&of_pool)? };
            }
        }
        Ok(count)
    }

    /// Makes every sample once, and counts them.
    fn try_samples(&self, reading: GoldReading) -> Result<u64> {
        let mut count = 0;
        // A hash of each id, so that memory grows by a few bytes a row and not by its text.
        let mut ids: HashMap<u64, u64> = HashMap::new();
        self.each_sample(reading, |record, sample| {
            count += 1;
            if self.options.id.is_some() {
                match ids.entry(hash(&sample.id)) {
                    Entry::Vacant(entry) => *entry.insert(record.row.number),
                    Entry::Occupied(first) => {
                        let (unit, first) = (record.row.unit(), first.get());
                        return Err(record.error(format_args!("the same `id` as {unit} {first}: `{}`", sample.id)));
                    }
                };
            }
            Ok(Flow::Continue)
        })?;
        if count == 0 {
            let error = PluginError::bad_input(format!("no row of `{}` is chosen", self.questions.path.display()));
            return Err(error.with_help("check `where`, and that the file is not empty"));
        }
        Ok(count)
    }

    fn each_sample(&self, reading: GoldReading, take: impl FnMut(&Record, Sample) -> Result<Flow>) -> Result<()> {
        bounded::each(&self.options, &self.questions, reading, |questions, record| questions.sample(record), take)
    }

    fn each_shot(&self, pool: &Source, reading: GoldReading, mut take: impl FnMut(Shot)) -> Result<()> {
        let from_questions = pool.is_same_file(&self.questions);
        let shot = move |questions: &Questions<'_>, record: &Record| questions.shot(record, from_questions);
        bounded::each(&self.options, pool, reading, shot, |_, shot| {
            take(shot);
            Ok(Flow::Continue)
        })
    }
}

fn info(options: &Options, questions: &Source, pool: Option<&Source>) -> Result<DatasetInfo> {
    let pool = pool.map(|pool| rows::fingerprint(&pool.path)).transpose()?.unwrap_or_default();
    // Where the files lie does not shape a sample.
    let mut shape = options.clone();
    shape.path.clear();
    if let Some(FewShot::File(pool)) = &mut shape.few_shot {
        pool.path.clear();
    }
    let fingerprint = rows::digest([rows::fingerprint(&questions.path)?, pool, json!(shape).to_string()]);
    let wording = json!([options.prompt, options.choices, options.delimiter, options.preamble, options.shot_separator]);
    let mut version = rows::digest([wording.to_string()]);
    version.truncate(6);
    let scorer = if options.choices.is_some() { "perplexity-choice" } else { "answer-extraction" };
    let separator = Some(&options.shot_separator).filter(|separator| !separator.is_empty());
    let mut sampling = Sampling::default();
    sampling.stop = options.stop.clone().unwrap_or_else(|| separator.into_iter().cloned().collect());
    sampling.max_new_tokens = options.max_new_tokens.unwrap_or(sampling.max_new_tokens);
    Ok(DatasetInfo {
        fingerprint,
        version,
        scorer: Some(options.scorer.clone().unwrap_or_else(|| scorer.to_owned())),
        preamble: options.preamble.clone(),
        shot_separator: options.shot_separator.clone(),
        sampling,
        ..DatasetInfo::default()
    })
}

fn hash(id: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    id.hash(&mut hasher);
    hasher.finish()
}
