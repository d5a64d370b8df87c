//! A model that answers from recorded completions.
//!
//! What a model once said can be scored again, and again with another scorer, at no cost. A request finds its recorded
//! row by fields that the sample's metadata and the row share (`task` and `index`, say), never by the prompt's text,
//! so that a changed wording does not lose the answers. A request without a recorded row is an error of that request:
//! it is never counted as a wrong answer.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

mod key;
mod recording;

use examiner_api::rows::{self, Filter, Format};
use examiner_api::{
    FinishReason, Flow, GenerateRequest, GenerateResult, Host, Model, ModelInfo, Open, Plugin, PluginError, Response,
    Result, Sink, schemars,
};
use recording::Recording;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::path::Path;

pub use key::Key;

examiner_api::export_plugin!(plugin);

/// The roles of this plugin.
pub fn plugin() -> Plugin {
    Plugin::new("replay", env!("CARGO_PKG_VERSION"))
        .model::<Replay>("replay", "Answers from recorded completions, found by fields that samples and rows share.")
}

/// What a suite can say of the model.
#[derive(Debug, Clone, Serialize, Deserialize, schemars::JsonSchema)]
#[schemars(crate = "examiner_api::schemars")]
#[schemars(extend("x-cannot" = [{ "what": "score", "because": "recorded answers have no log-likelihoods" }]))]
#[serde(deny_unknown_fields)]
pub struct Options {
    /// The file of recorded rows: JSON lines, JSON, CSV, TSV or Parquet.
    #[schemars(extend("format" = "path"))]
    pub path: String,
    /// The file's format, where its extension does not say it.
    #[serde(default)]
    pub format: Option<Format>,
    /// Where the rows of a JSON document are, as in `/examples`.
    #[serde(default)]
    pub pointer: Option<String>,
    /// The fields by which a sample finds its row.
    pub key: Key,
    /// Only rows with these values: `{ model: 175b_verification }`. A list allows each of its values.
    #[serde(default, rename = "where")]
    pub filter: Filter,
    /// The field that holds the recorded text (a dotted path).
    #[serde(default = "completion")]
    pub completion: String,
    /// Whether several rows of one key are repeated answers, the first for repeat 0. Otherwise they are an error.
    #[serde(default)]
    pub repeats: bool,
    /// Whether the text is cut before the first of the request's stop strings, as if it had just been generated.
    #[serde(default = "yes")]
    pub apply_stop: bool,
}

fn completion() -> String {
    "completion".to_owned()
}

fn yes() -> bool {
    true
}

/// The recorded model, opened.
pub struct Replay {
    options: Options,
    recording: Recording,
    info: ModelInfo,
}

impl Open for Replay {
    type Options = Options;

    /// Reads the whole file; the texts of the rows chosen stay in memory.
    fn open(options: Options, host: Host) -> Result<Self> {
        let path = host.fetch(&options.path)?;
        let format = options.format.or_else(|| Format::of(&path)).or_else(|| Format::of(Path::new(&options.path)));
        let recording = Recording::read(&path, format, &options)?;
        let mut shape = options.clone();
        shape.path.clear();
        let fingerprint = rows::digest([rows::fingerprint(&path)?, json!(shape).to_string()]);
        let details = [("rows", json!(recording.rows())), ("file", json!(options.path))];
        let info = ModelInfo {
            name: format!("replay of {}", options.path),
            fingerprint,
            can_generate: true,
            details: details.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
            ..ModelInfo::default()
        };
        Ok(Replay { options, recording, info })
    }
}

impl Model for Replay {
    fn info(&self) -> Result<ModelInfo> {
        Ok(self.info.clone())
    }

    fn generate(&mut self, requests: Vec<GenerateRequest>, sink: &dyn Sink<Response<GenerateResult>>) -> Result<()> {
        for request in requests {
            let result = self.answer(&request);
            if sink.send(Response { id: request.id, result }) == Flow::Stop {
                break;
            }
        }
        Ok(())
    }
}

impl Replay {
    fn answer(&self, request: &GenerateRequest) -> Result<GenerateResult, PluginError> {
        let text = self.recording.find(&request.sample, &self.options)?;
        let stop: &[String] = if self.options.apply_stop { &request.sampling.stop } else { &[] };
        Ok(match cut(text, stop) {
            Some(kept) => {
                GenerateResult { text: kept.to_owned(), finish: FinishReason::StopString, ..GenerateResult::default() }
            }
            None => GenerateResult { text: text.to_owned(), ..GenerateResult::default() },
        })
    }
}

/// The text before the stop string that begins first, if there is one. An empty stop string stops nothing.
fn cut<'a>(text: &'a str, stop: &[String]) -> Option<&'a str> {
    let stop = stop.iter().filter(|stop| !stop.is_empty());
    stop.filter_map(|stop| text.find(stop.as_str())).min().map(|end| &text[..end])
}

#[cfg(test)]
mod tests {
    use super::cut;

    #[test]
    fn the_stop_string_that_begins_first_wins() {
        let stop = ["\nQ:", "Q", ""].map(str::to_owned);
        assert_eq!(cut("18\nQ: next", &stop), Some("18"));
        assert_eq!(cut("Quite", &stop), Some(""));
        assert_eq!(cut("18\nA: next", &stop), None);
        assert_eq!(cut("18", &[]), None);
    }
}
