//! A decoder and its tokenizer as a model.

use crate::answer::Answer;
use crate::base::Base;
use crate::chat::{Chat, ChatIdentity};
use crate::checkpoint::{Checkpoint, CheckpointIdentity};
use crate::prefix_tree::Sharing;
use crate::reasoning::Marks;
use crate::scheduler::Limits;
use crate::scorer::Rows;
use crate::split::check_vocabulary;
use crate::windows::{Joining, Windows, windows};
use crate::{Decoder, LocalOptions, Tokenizer, base, fingerprint, generator, scorer};
use examiner_api::{
    BatchInvariance, Flow, GenerateRequest, GenerateResult, Metadata, Model, ModelInfo, ReasoningMarks, Response,
    Result, ScoreRequest, ScoreResult, Sink, serde_json::json,
};
use rayon::prelude::*;
use serde::Serialize;
use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// Changes whenever the same files and options could give other results.
const VERSION: u32 = 2;

/// A [`Model`] that runs here: a decoder, its tokenizer, and its description.
pub struct LocalModel<D> {
    decoder: D,
    tokenizer: Tokenizer,
    options: LocalOptions,
    info: ModelInfo,
    chat: Option<Chat>,
    /// How reasoning is told from answers, where it is.
    marks: Option<Marks>,
    /// The model that it is compared with while it scores.
    base: Option<Base>,
}

/// What a plugin knows of a model beside its decoder.
pub struct ModelSource {
    /// Its name, for people: the checkpoint as the suite gives it.
    pub name: String,
    /// Where its files are.
    pub checkpoint: Checkpoint,
    /// The hashes of the files that results depend on: see [`Checkpoint::identity`].
    pub identity: CheckpointIdentity,
    /// What else results depend on: device, number type, the version of a library. It is in the model's description, too.
    pub arithmetic: Metadata,
    /// Whether the decoder's logits depend on what else stands in a pass.
    pub batch_invariance: BatchInvariance,
    /// What users should know of it: that it uses another device than the requested one, for example.
    pub warnings: Vec<String>,
    /// What else its description has.
    pub details: Metadata,
}

/// All that a model's results depend on.
#[derive(Serialize)]
struct Identity<'a> {
    version: u32,
    checkpoint: &'a CheckpointIdentity,
    arithmetic: &'a Metadata,
    chat: Option<&'a ChatIdentity>,
    /// Left out where there are none, so that models without them keep the fingerprint of versions that knew of none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    before: Vec<u32>,
    /// Left out where it is what `config.json` names.
    #[serde(skip_serializing_if = "Option::is_none")]
    beginning: Option<u32>,
    /// Left out where reasoning is not told from the answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning: Option<&'a ReasoningMarks>,
}

impl<D: Decoder> LocalModel<D> {
    /// Puts a model together, with the chat template of its checkpoint where the options ask for it. Answers then end with
    /// the tokenizer's `eos_token` too, which is where a turn ends.
    ///
    /// # Errors
    /// `BadOptions` if a limit is 0 or the checkpoint has no chat template that was asked for, `BadInput` for a template
    /// that cannot be used, `NotFound` without a tokenizer.
    pub fn open(decoder: D, source: ModelSource, options: LocalOptions) -> Result<Self> {
        options.check()?;
        let ModelSource { name, mut checkpoint, identity, arithmetic, batch_invariance, mut warnings, mut details } =
            source;
        let chat = checkpoint.chat(&options)?;
        let reasoning = options.reasoning.marks(chat.as_ref().is_some_and(Chat::knows_reasoning))?;
        let mut beginning = checkpoint.beginning(options.add_bos)?;
        warnings.extend(beginning.warning.take());
        let fingerprint = fingerprint(&Identity {
            version: VERSION,
            checkpoint: &identity,
            arithmetic: &arithmetic,
            chat: chat.as_ref().map(Chat::identity),
            before: checkpoint.tokenizer()?.before().to_vec(),
            beginning: checkpoint.beginning_of_its_own()?,
            reasoning: reasoning.as_ref(),
        })?;
        let shown = arithmetic.iter().map(|(name, value)| match value.as_str() {
            Some(text) => format!("{name}: {text}"),
            None => format!("{name}: {value}"),
        });
        let shown = shown.collect::<Vec<_>>().join(", ");
        checkpoint.host().info(format!("`{name}` has the fingerprint {fingerprint} ({shown})"));
        let mut all = Metadata::new();
        all.insert("family".to_owned(), checkpoint.model_type().into());
        all.extend(arithmetic);
        all.append(&mut details);
        all.insert("cache_bytes_per_token".to_owned(), decoder.cache_bytes_per_token().into());
        all.insert("beginning".to_owned(), beginning.details().into());
        all.insert("chat".to_owned(), chat.as_ref().map_or(false.into(), |chat| chat.details().into()));
        all.extend(reasoning.as_ref().map(|marks| ("reasoning".to_owned(), json!(marks))));
        let info = ModelInfo {
            checkpoint: Some(name.clone()),
            warnings,
            notes: vec![beginning.note()],
            name,
            fingerprint,
            can_score: true,
            can_generate: true,
            batch_invariance,
            context_length: u32::try_from(decoder.context_length()).ok(),
            vocabulary: u32::try_from(decoder.vocabulary()).ok(),
            reads_turns: chat.as_ref().is_some_and(Chat::reads_turns),
            scores_windows: true,
            details: all,
        };
        let mut tokenizer = checkpoint.into_tokenizer()?;
        if let Some(token) = chat.as_ref().and_then(Chat::eos_token) {
            tokenizer.also_ends_with(token);
        }
        let marks = reasoning.map(|marks| Marks::new(marks, &tokenizer));
        Ok(LocalModel { decoder, tokenizer, options, info, chat, marks, base: None })
    }

    /// Has every score say how far this model is from `base` at the scored tokens, which makes the base compute them, too. The shorter
    /// of the two contexts counts then. Answers are this model's alone. The base is opened with [`LocalOptions::of_base`].
    ///
    /// # Errors
    /// `BadOptions` if the two have different vocabularies.
    pub fn diverging_from<B: Decoder + 'static>(mut self, base: LocalModel<B>) -> Result<Self> {
        let LocalModel { decoder, tokenizer, info, .. } = base;
        self.base = Some(Base::new(Box::new(decoder), tokenizer, self.decoder.vocabulary(), &self.tokenizer)?);
        base::describe(&mut self.info, info)?;
        Ok(self)
    }

    /// A model that has no checkpoint.
    #[cfg(test)]
    pub(crate) fn new(decoder: D, tokenizer: Tokenizer, options: LocalOptions) -> Result<Self> {
        options.check()?;
        let marks = options.reasoning.marks(false)?.map(|marks| Marks::new(marks, &tokenizer));
        let info = ModelInfo::default();
        Ok(LocalModel { decoder, tokenizer, options, info, chat: None, marks, base: None })
    }

    /// The decoder.
    pub fn decoder(&self) -> &D {
        &self.decoder
    }

    /// The tokenizer.
    pub fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }

    /// Positions that all caches together may hold.
    pub fn cache_tokens(&self) -> usize {
        self.limits().cache_tokens
    }

    pub(crate) fn limits(&self) -> Limits {
        Limits::new(&self.decoder, &self.options)
    }
}

impl<D: Decoder> Model for LocalModel<D> {
    fn info(&self) -> Result<ModelInfo> {
        Ok(self.info.clone())
    }

    fn score(&mut self, requests: Vec<ScoreRequest>, sink: &dyn Sink<Response<ScoreResult>>) -> Result<()> {
        let (tokenizer, chat, options) = (&self.tokenizer, &self.chat, &self.options);
        let base = self.base.as_ref().map(Base::reading);
        let (context_length, vocabulary) = (self.decoder.context_length(), self.decoder.vocabulary());
        let context_length = base.map_or(context_length, |base| base.context_length.min(context_length));
        let cut: Vec<Result<(Windows, Option<String>)>> = requests
            .par_iter()
            .map(|request| {
                let is_rendered = chat.is_some() && Chat::writes_context(request);
                let adds_before = options.adds_before(is_rendered);
                let request = match chat {
                    Some(chat) => Cow::Owned(chat.scoring(request)?),
                    None => Cow::Borrowed(request),
                };
                base.map_or(Ok(()), |base| base.check(tokenizer, &request))?;
                let windows = windows(&request, tokenizer, adds_before, context_length)?;
                windows.splits.iter().try_for_each(|split| check_vocabulary(&split.tokens, vocabulary))?;
                Ok((windows, is_rendered.then(|| request.into_owned().context)))
            })
            .collect();
        let mut scored = Vec::with_capacity(requests.len());
        let mut texts = HashMap::new();
        for (request, windows) in requests.iter().zip(cut) {
            match windows {
                Ok((windows, rendered)) => {
                    texts.extend(rendered.map(|text| (request.id, text)));
                    scored.push((request.id, windows));
                }
                Err(error) => {
                    if sink.send(Response::err(request.id, error)) == Flow::Stop {
                        return Ok(());
                    }
                }
            }
        }
        let rows = if base.is_some() { Rows::ModelAndBase } else { Rows::Model };
        let with_text = with_text(texts, sink, |result, text| result.rendered = text);
        let (joining, sequences) = Joining::new(rows, scored, &with_text);
        if joining.send_empty() == Flow::Stop {
            return Ok(());
        }
        let (decoder, share) = (&mut self.decoder, options.share_prefixes);
        match &mut self.base {
            None => {
                let limits = Limits::new(decoder, options);
                on_the_threads(|| scorer::score(decoder, rows, sequences, share, limits, &joining));
            }
            Some(base) => {
                let mut pair = base.beside(decoder);
                let limits = Limits::new(&pair, options);
                let limits = Limits { batch_tokens: limits.batch_tokens.min(pair.most_tokens()), ..limits };
                on_the_threads(|| scorer::score(&mut pair, rows, sequences, share, limits, &joining));
            }
        }
        Ok(())
    }

    fn generate(&mut self, requests: Vec<GenerateRequest>, sink: &dyn Sink<Response<GenerateResult>>) -> Result<()> {
        let (context_length, vocabulary) = (self.decoder.context_length(), self.decoder.vocabulary());
        let (tokenizer, chat, marks) = (&self.tokenizer, &self.chat, &self.marks);
        let adds_before = self.options.adds_before(chat.is_some());
        let prompts: Vec<_> = requests
            .into_par_iter()
            .map(|request| {
                let request = match chat {
                    Some(chat) => chat.generation(request)?,
                    None => request,
                };
                let rendered = chat.as_ref().map(|_| (request.id, request.prompt.clone()));
                let answer = Answer::new(request, tokenizer, adds_before, context_length, vocabulary)?;
                Ok((answer.with_marks(marks.clone()), rendered))
            })
            .collect();
        let mut answers = Vec::with_capacity(prompts.len());
        let mut texts = HashMap::new();
        for prompt in prompts {
            match prompt {
                Ok((answer, rendered)) => {
                    answers.push(answer);
                    texts.extend(rendered);
                }
                Err((id, error)) => {
                    if sink.send(Response::err(id, error)) == Flow::Stop {
                        return Ok(());
                    }
                }
            }
        }
        // Answers to equal prompts need not be equal, so there is nothing between prefixes and nothing.
        let share = self.options.share_prefixes && self.decoder.can_fork();
        let sharing = if share { Sharing::prefixes(&self.decoder) } else { Sharing::Nothing };
        let limits = self.limits();
        let decoder = &mut self.decoder;
        let with_text = with_text(texts, sink, |result, text| result.rendered = text);
        on_the_threads(|| generator::generate(decoder, tokenizer, answers, sharing, limits, &with_text));
        Ok(())
    }
}

/// A sink that adds to each result the text that the chat template wrote for its request.
fn with_text<R>(
    texts: HashMap<u64, String>,
    sink: &dyn Sink<Response<R>>,
    set: impl Fn(&mut R, Option<String>) + Sync,
) -> impl Fn(Response<R>) -> Flow + Sync {
    let texts = Mutex::new(texts);
    move |mut response| {
        if let Ok(result) = &mut response.result {
            set(result, texts.lock().unwrap_or_else(PoisonError::into_inner).remove(&response.id));
        }
        sink.send(response)
    }
}

/// Runs a walk on one of the threads that compute, so that sharing work with the others wakes no further thread.
fn on_the_threads(walk: impl FnOnce() -> Flow + Send) {
    // Whether the sink wants no more is of no use here: the walk has ended.
    let _ = rayon::scope(|_| walk());
}
