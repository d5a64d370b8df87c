//! Answers calls in wire form on an open role.

use super::{RawSink, decode, encode, method};
use crate::{Flow, OpenRole, PluginError, Result, Sink};
use parking_lot::Mutex;
use serde::Serialize;

/// Calls a method of a role: payload in, result out, streamed results to the sink, everything in wire form.
///
/// The role may send from any thread; `sink` is called by one thread at a time.
pub fn serve(role: &mut OpenRole, name: &str, payload: &[u8], sink: &RawSink<'_>) -> Result<Vec<u8>> {
    let sink = &Encoding::new(sink);
    let answer = match (role, name) {
        (OpenRole::Model(model), method::INFO) => encode(&model.info()?),
        (OpenRole::Model(model), method::SCORE) => encode(&model.score(decode(payload)?, sink)?),
        (OpenRole::Model(model), method::GENERATE) => encode(&model.generate(decode(payload)?, sink)?),
        (OpenRole::Model(model), method::COUNT_TOKENS) => encode(&model.count_tokens(&decode::<Vec<_>>(payload)?)?),
        (OpenRole::Model(model), method::USAGE) => encode(&model.usage()?),
        (OpenRole::Dataset(dataset), method::INFO) => encode(&dataset.info()?),
        (OpenRole::Dataset(dataset), method::FEW_SHOT_POOL) => encode(&dataset.few_shot_pool()?),
        (OpenRole::Dataset(dataset), method::SAMPLES) => encode(&dataset.samples(sink)?),
        (OpenRole::Dataset(dataset), method::TRAINING_SAMPLES) => {
            encode(&dataset.training_samples(&decode::<String>(payload)?, sink)?)
        }
        (OpenRole::Scorer(scorer), method::INFO) => encode(&scorer.info()?),
        (OpenRole::Scorer(scorer), method::REQUESTS) => encode(&scorer.requests(&decode::<Vec<_>>(payload)?)?),
        (OpenRole::Scorer(scorer), method::VERDICTS) => encode(&scorer.score(&decode::<Vec<_>>(payload)?)?),
        (OpenRole::Scorer(scorer), method::CORPUS) => {
            let (metric, statistics): (String, Vec<Vec<f64>>) = decode(payload)?;
            encode(&scorer.corpus(&metric, &statistics)?)
        }
        (OpenRole::Trainer(trainer), method::CHECK) => {
            encode(&trainer.check(decode::<Option<String>>(payload)?.as_deref())?)
        }
        (OpenRole::Trainer(trainer), method::TRAIN) => encode(&trainer.train(decode(payload)?, sink)?),
        (OpenRole::Recipe(recipe), method::INFO) => encode(&recipe.info()?),
        (OpenRole::Recipe(recipe), method::MAKE) => encode(&recipe.make(decode(payload)?, sink)?),
        (OpenRole::Exporter(exporter), method::CHECK) => encode(&exporter.check(&decode::<String>(payload)?)?),
        (OpenRole::Exporter(exporter), method::EXPORT) => encode(&exporter.export(decode(payload)?)?),
        (OpenRole::Diagnostic(diagnostic), method::FINDINGS) => encode(&diagnostic.findings()?),
        (OpenRole::Catalog(catalog), method::ENTRIES) => encode(&catalog.entries(&decode::<String>(payload)?, sink)?),
        _ => Err(PluginError::unsupported(no_method(name))
            .with_help("rebuild the plugin against the program's version of `examiner-api`")),
    }?;
    sink.end(answer)
}

/// What is said of a method that the role does not have: its plugin was built before there was one.
pub(super) fn no_method(name: &str) -> String {
    format!("this role has no method `{name}`")
}

/// Encodes results on the way to a sink, and lets one thread in at a time.
pub(super) struct Encoding<'a> {
    sink: &'a RawSink<'a>,
    failure: Mutex<Option<PluginError>>,
}

impl<'a> Encoding<'a> {
    pub(super) fn new(sink: &'a RawSink<'a>) -> Self {
        Encoding { sink, failure: Mutex::new(None) }
    }

    /// The answer of the call, unless a result could not be encoded.
    pub(super) fn end(&self, answer: Vec<u8>) -> Result<Vec<u8>> {
        self.failure.lock().take().map_or(Ok(answer), Err)
    }
}

impl<T: Serialize> Sink<T> for Encoding<'_> {
    fn send(&self, item: T) -> Flow {
        let frame = encode(&item);
        let mut failure = self.failure.lock();
        match frame {
            Ok(frame) => (self.sink)(&frame),
            Err(error) => {
                *failure = Some(error);
                Flow::Stop
            }
        }
    }
}
