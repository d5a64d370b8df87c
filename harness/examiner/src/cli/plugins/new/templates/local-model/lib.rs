//! A language model that runs in the plugin: it counts which byte followed which others in a text. Put
//! your own in its place: `examiner-lm` needs nothing but a decoder, and brings the rest, tokenizer,
//! chat templates, shared beginnings, batches, sampling and log-likelihoods.

use examiner_api::serde::Deserialize;
use examiner_api::serde_json::{self, json};
use examiner_api::{BatchInvariance, Host, Model, Plugin, PluginError, Result, schemars, serde};
use examiner_lm::checkpoint::Checkpoint;
use examiner_lm::{
    CacheId, CacheLayout, Decoder, LoadModel, LoadedModel, LocalModel, LocalOptions, ModelSource,
    OnLogits, OwnOptions, Row, Segment, Tokenizer, WithLocalOptions,
};
use std::collections::HashMap;
use std::path::Path;

/// The name by which suites ask for the role.
const NAME: &str = "my-plugin";

/// Raise it whenever a change of the code can change a logit.
const VERSION: u32 = 1;

/// What a suite may say of the model beside what it may say of any local one. The comments are what
/// `examiner plugins info` shows.
#[derive(Clone, Deserialize, schemars::JsonSchema)]
#[serde(crate = "serde", deny_unknown_fields)] // A misspelt key is an error.
#[schemars(crate = "schemars")]
pub struct Options {
    /// A directory with `config.json`, `tokenizer.json` and `corpus.txt`, or `hf://org/name`.
    #[schemars(extend("format" = "path"))] // A relative path begins at the suite's file.
    checkpoint: String,
}

impl OwnOptions for Options {
    // What holds where a suite is silent: a pass costs little here, so that it may be long.
    fn local_defaults() -> LocalOptions {
        LocalOptions {
            max_batch_tokens: 8192,
            ..LocalOptions::default()
        }
    }
}

/// What `config.json` says, beside the special tokens, which `examiner-lm` reads.
#[derive(Deserialize)]
#[serde(crate = "serde")]
struct Config {
    /// How many tokens stand before the one that is predicted, at most.
    order: usize,
    /// The longest sequence, in tokens.
    n_positions: usize,
    /// The number of tokens.
    vocab_size: usize,
}

/// Loads models of this kind.
pub struct NGramLoader;

impl LoadModel for NGramLoader {
    type Options = Options;

    // A training, or an export, may say `from: MODEL`, and starts from this checkpoint.
    const CHECKPOINT_OPTION: Option<&'static str> = Some("checkpoint");

    fn load(options: WithLocalOptions<Options>, host: Host) -> Result<Box<dyn Model>> {
        let checkpoint = Checkpoint::open(&options.own.checkpoint, &host)?;
        let config: Config =
            serde_json::from_value(checkpoint.config.clone()).map_err(|error| {
                let path = checkpoint.config_path.display();
                PluginError::bad_input(format!("`{path}` is not of this model")).with_cause(&error)
            })?;
        checkpoint.check_vocabulary(config.vocab_size)?;
        let corpus = checkpoint.fetch("corpus.txt")?;
        let decoder = NGram::read(&corpus, config, checkpoint.tokenizer()?)?;
        let source = ModelSource {
            name: options.own.checkpoint,
            // The fingerprint is made of the hashes of all these files, and of `arithmetic`.
            identity: checkpoint.identity(&[&corpus])?,
            checkpoint,
            arithmetic: [("version".to_owned(), json!(VERSION))]
                .into_iter()
                .collect(),
            // A row of logits does not depend on what else is computed with it.
            batch_invariance: BatchInvariance::Exact,
            warnings: Vec::new(),
            details: Default::default(),
        };
        Ok(Box::new(LocalModel::open(decoder, source, options.local)?))
    }
}

/// How often each token followed some others.
#[derive(Default)]
struct Counts {
    total: u32,
    of: HashMap<u32, u32>,
}

/// The decoder: what it knows, and the sequences that it is in the midst of.
struct NGram {
    config: Config,
    /// By the tokens that stand before, up to `order` of them.
    counts: HashMap<Vec<u32>, Counts>,
    caches: HashMap<CacheId, Vec<u32>>,
    made: u64,
}

impl NGram {
    /// Counts the tokens of a text, each line of which begins and ends like a text.
    fn read(path: &Path, config: Config, tokenizer: &Tokenizer) -> Result<Self> {
        let text = std::fs::read_to_string(path);
        let text = text.map_err(|error| PluginError::io("read", path, &error))?;
        let end = tokenizer.eos().first().copied();
        let mut decoder = NGram {
            config,
            counts: HashMap::new(),
            caches: HashMap::new(),
            made: 0,
        };
        for line in text.lines() {
            let line = tokenizer.encode(line)?;
            let whole: Vec<u32> = tokenizer
                .beginning()
                .into_iter()
                .chain(line)
                .chain(end)
                .collect();
            decoder.count(&whole);
        }
        match decoder.counts.is_empty() {
            true => Err(PluginError::bad_input(format!(
                "`{}` has no text",
                path.display()
            ))),
            false => Ok(decoder),
        }
    }

    fn count(&mut self, tokens: &[u32]) {
        for (place, token) in tokens.iter().enumerate().skip(1) {
            for length in 0..=self.config.order.min(place) {
                let counts = self
                    .counts
                    .entry(tokens[place - length..place].to_vec())
                    .or_default();
                counts.total += 1;
                *counts.of.entry(*token).or_default() += 1;
            }
        }
    }

    /// The log-probabilities of all tokens after these. To what followed more tokens, one is added that
    /// is shared out as it was after fewer: nothing is impossible.
    fn logits(&self, before: &[u32]) -> Vec<f32> {
        let vocabulary = self.config.vocab_size;
        let mut probabilities = vec![1.0 / vocabulary as f64; vocabulary];
        for length in 0..=self.config.order.min(before.len()) {
            let Some(counts) = self.counts.get(&before[before.len() - length..]) else {
                break;
            };
            let share = 1.0 / (f64::from(counts.total) + 1.0);
            probabilities
                .iter_mut()
                .for_each(|probability| *probability *= share);
            for (token, count) in &counts.of {
                probabilities[*token as usize] += f64::from(*count) * share;
            }
        }
        probabilities
            .into_iter()
            .map(|probability| probability.ln() as f32)
            .collect()
    }

    fn add(&mut self, tokens: Vec<u32>) -> CacheId {
        self.made += 1;
        self.caches.insert(CacheId(self.made), tokens);
        CacheId(self.made)
    }

    fn cache(&self, cache: CacheId) -> Result<&Vec<u32>> {
        self.caches
            .get(&cache)
            .ok_or_else(|| PluginError::bad_input(format!("there is no {cache:?}")))
    }
}

impl Decoder for NGram {
    fn context_length(&self) -> usize {
        self.config.n_positions
    }

    fn vocabulary(&self) -> usize {
        self.config.vocab_size
    }

    // Segments of one pass may go on from caches of different lengths.
    fn cache_layout(&self) -> CacheLayout {
        CacheLayout::Ragged
    }

    // What several sequences begin with is computed once, and forked.
    fn can_fork(&self) -> bool {
        true
    }

    // A fork copies its tokens here, and they count once more against `max_cache_tokens`.
    fn forks_share_memory(&self) -> bool {
        false
    }

    fn new_cache(&mut self) -> Result<CacheId> {
        Ok(self.add(Vec::new()))
    }

    fn fork(&mut self, from: CacheId, length: usize) -> Result<CacheId> {
        let tokens = self.cache(from)?;
        let tokens = tokens.get(..length).map(<[u32]>::to_vec);
        let short = || PluginError::bad_input(format!("{from:?} has no {length} positions"));
        Ok(self.add(tokens.ok_or_else(short)?))
    }

    fn free(&mut self, cache: CacheId) {
        self.caches.remove(&cache);
    }

    fn cache_bytes_per_token(&self) -> usize {
        size_of::<u32>()
    }

    // Tokens in, and the logits after those of them that are wanted out. A row depends on its own
    // sequence alone, and not on what else is in the pass.
    fn forward(&mut self, segments: &[Segment<'_>], on_logits: &mut OnLogits<'_>) -> Result<()> {
        for (index, segment) in segments.iter().enumerate() {
            let past = self.cache(segment.cache)?.len();
            segment.check(past, self.config.n_positions, self.config.vocab_size)?;
            self.caches
                .entry(segment.cache)
                .or_default()
                .extend(segment.tokens);
            for wanted in segment.wanted {
                let row = self.logits(&self.cache(segment.cache)?[..=past + wanted]);
                on_logits(
                    &[Row {
                        segment: index,
                        index: *wanted,
                    }],
                    &row,
                )?;
            }
        }
        Ok(())
    }
}

/// The plugin: its name, its version and its roles.
pub fn plugin() -> Plugin {
    Plugin::new(NAME, env!("CARGO_PKG_VERSION"))
        .model::<LoadedModel<NGramLoader>>(NAME, "Counts which byte followed which.")
}

// Makes the library one that the program can open.
examiner_api::export_plugin!(plugin);

#[cfg(test)]
mod tests {
    use super::*;
    use examiner_api::testing::FakeHost;
    use examiner_api::{
        ErrorCode, Flow, GenerateRequest, GenerateResult, OpenRole, Response, RoleKind, Sampling,
        ScoreRequest, ScoreResult, serde_json::Value,
    };
    use std::sync::Mutex;

    /// The model as the program opens it: by its name, with the options of a suite. Relative paths
    /// begin at the crate.
    fn open(options: Value) -> Result<Box<dyn Model>> {
        let options = options.as_object().unwrap().clone();
        let host = FakeHost::in_dir(env!("CARGO_MANIFEST_DIR")).host();
        match plugin().open(RoleKind::Model, NAME, options, host)? {
            OpenRole::Model(model) => Ok(model),
            _ => panic!("the plugin opened another role"),
        }
    }

    fn scores(options: Value, texts: &[(&str, &str)]) -> Vec<ScoreResult> {
        let results = Mutex::new(vec![ScoreResult::default(); texts.len()]);
        let requests = texts.iter().zip(0..).map(|((context, continuation), id)| {
            let (context, continuation) = ((*context).to_owned(), (*continuation).to_owned());
            ScoreRequest {
                id,
                context,
                continuation,
                ..ScoreRequest::default()
            }
        });
        let receive = |response: Response<ScoreResult>| {
            results.lock().unwrap()[response.id as usize] = response.result.unwrap();
            Flow::Continue
        };
        open(options)
            .unwrap()
            .score(requests.collect(), &receive)
            .unwrap();
        results.into_inner().unwrap()
    }

    fn decoder() -> NGram {
        let config = Config {
            order: 2,
            n_positions: 8,
            vocab_size: 3,
        };
        NGram {
            config,
            counts: HashMap::new(),
            caches: HashMap::new(),
            made: 0,
        }
    }

    #[test]
    fn logits_are_those_of_the_counts() {
        let mut decoder = decoder();
        decoder.count(&[0, 1, 0, 1, 2]);
        // After nothing: 1 twice, 0 and 2 once each, and a third of one for each.
        let after_nothing = [
            (1.0 + 1.0 / 3.0) / 5.0,
            (2.0 + 1.0 / 3.0) / 5.0,
            (1.0 + 1.0 / 3.0) / 5.0,
        ];
        // After 0: 1 twice.
        let expected = [
            after_nothing[0] / 3.0,
            (2.0 + after_nothing[1]) / 3.0,
            after_nothing[2] / 3.0,
        ];
        for (logit, expected) in decoder.logits(&[0]).iter().zip(expected) {
            assert!(
                (f64::from(*logit).exp() - expected).abs() < 1e-6,
                "{logit} {expected}"
            );
        }
        let sum: f64 = decoder
            .logits(&[1, 0])
            .iter()
            .map(|logit| f64::from(*logit).exp())
            .sum();
        assert!((sum - 1.0).abs() < 1e-6);
    }

    #[test]
    fn forks_go_on_for_themselves() {
        let mut decoder = decoder();
        decoder.count(&[0, 1, 2, 0, 1, 2]);
        let after = |decoder: &mut NGram, cache, tokens: &[u32]| {
            let mut found = Vec::new();
            let wanted = [tokens.len() - 1];
            decoder
                .forward(
                    &[Segment {
                        cache,
                        tokens,
                        wanted: &wanted,
                    }],
                    &mut |_, row| {
                        found.extend_from_slice(row);
                        Ok(())
                    },
                )
                .unwrap();
            found
        };
        let whole = decoder.new_cache().unwrap();
        after(&mut decoder, whole, &[0, 1]);
        let fork = decoder.fork(whole, 1).unwrap();
        after(&mut decoder, fork, &[2]);
        assert_eq!(after(&mut decoder, whole, &[2]), decoder.logits(&[0, 1, 2]));
        assert!(decoder.fork(whole, 9).is_err());
        decoder.free(fork);
        assert_eq!(decoder.caches.len(), 1);
    }

    #[test]
    fn a_score_does_not_depend_on_the_batch() {
        let texts = [
            ("The capital of France is", " Paris"),
            ("The capital of France is", " Rome"),
        ];
        let together = scores(json!({ "checkpoint": "data/checkpoint" }), &texts);
        let options = json!({ "checkpoint": "data/checkpoint", "max_batch_tokens": 3 });
        assert_eq!(scores(options, &texts), together);
        for ((_, continuation), result) in texts.iter().zip(&together) {
            result.check(continuation).unwrap();
        }
        assert!(
            together[0].sum > together[1].sum,
            "it has read where Paris is"
        );
    }

    #[test]
    fn it_goes_on_as_the_text_did() {
        let sampling = Sampling {
            max_new_tokens: 16,
            ..Sampling::default()
        };
        let prompt = "The capital of Japan is".to_owned();
        let request = GenerateRequest {
            prompt,
            sampling,
            ..GenerateRequest::default()
        };
        let answer = Mutex::new(String::new());
        let receive = |response: Response<GenerateResult>| {
            *answer.lock().unwrap() = response.result.unwrap().text;
            Flow::Continue
        };
        let mut model = open(json!({ "checkpoint": "data/checkpoint" })).unwrap();
        model.generate(vec![request], &receive).unwrap();
        assert_eq!(*answer.lock().unwrap(), " Tokyo.");
    }

    #[test]
    fn what_is_missing_is_named() {
        let error = open(json!({ "checkpoint": "nowhere" })).err().unwrap();
        assert_eq!(error.code, ErrorCode::NotFound);
        assert!(error.message.contains("`config.json`"), "{error}");
        let error = open(json!({ "checkpoint": "x", "checkpiont": "y" }))
            .err()
            .unwrap();
        assert_eq!(error.code, ErrorCode::BadOptions);
    }
}
