//! A decoder and its tokenizer as a model.

use crate::answer::Answer;
use crate::base::{Base, BaseReading};
use crate::caches::Holdings;
use crate::chat::{Chat, ChatIdentity};
use crate::checkpoint::{Checkpoint, CheckpointIdentity};
use crate::limits::Limits;
use crate::prefix_tree::{Sharing, questions};
use crate::reasoning::Marks;
use crate::scheduler::Walked;
use crate::scorer::Rows;
use crate::split::check_vocabulary;
use crate::usage::Usage;
use crate::windows::{Joining, Windows, windows};
use crate::{Decoder, LocalOptions, Tokenizer, base, fingerprint, generator, scorer};
use examiner_api::{
    Ask, BatchInvariance, Flow, GenerateRequest, GenerateResult, Host, Metadata, Model, ModelInfo, PluginError,
    ReasoningMarks, Response, Result, ScoreRequest, ScoreResult, Sink, TokenCount, serde_json::json,
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
    /// What the decoder's caches hold, and keep for the next call.
    holdings: Holdings,
    tokenizer: Tokenizer,
    options: LocalOptions,
    info: ModelInfo,
    /// Whose log has what each call computed.
    host: Option<Host>,
    chat: Option<Chat>,
    /// How reasoning is told from answers, where it is.
    marks: Option<Marks>,
    /// The model that it is compared with while it scores.
    base: Option<Base>,
    usage: Usage,
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
            price: None,
            details: all,
        };
        let host = Some(checkpoint.host().clone());
        let mut tokenizer = checkpoint.into_tokenizer()?;
        if let Some(token) = chat.as_ref().and_then(Chat::eos_token) {
            tokenizer.also_ends_with(token);
        }
        let marks = reasoning.map(|marks| Marks::new(marks, &tokenizer));
        Ok(LocalModel { host, chat, marks, ..Self::bare(decoder, tokenizer, options, info) })
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
        Ok(LocalModel { marks, ..Self::bare(decoder, tokenizer, options, ModelInfo::default()) })
    }

    /// What every model begins with: no host, no chat template, no base.
    fn bare(decoder: D, tokenizer: Tokenizer, options: LocalOptions, info: ModelInfo) -> Self {
        LocalModel {
            decoder,
            holdings: Holdings::default(),
            tokenizer,
            options,
            info,
            host: None,
            chat: None,
            marks: None,
            base: None,
            usage: Usage::default(),
        }
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

    fn reading(&self) -> Reading<'_> {
        Reading {
            tokenizer: &self.tokenizer,
            options: &self.options,
            chat: self.chat.as_ref(),
            marks: self.marks.as_ref(),
            context_length: self.decoder.context_length(),
            vocabulary: self.decoder.vocabulary(),
            base: self.base.as_ref().map(Base::reading),
        }
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
        let reading = self.reading();
        let cut: Vec<Result<_>> = requests.par_iter().map(|request| reading.windows(request)).collect();
        let mut scored = Vec::with_capacity(requests.len());
        let mut texts = HashMap::new();
        let questions = questions(requests.iter().map(|request| &request.sample));
        for ((request, question), windows) in requests.iter().zip(questions).zip(cut) {
            match windows {
                Ok((windows, rendered)) => {
                    texts.extend(rendered.map(|text| (request.id, text)));
                    scored.push((request.id, question, windows));
                }
                Err(error) => {
                    if sink.send(Response::err(request.id, error)) == Flow::Stop {
                        return Ok(());
                    }
                }
            }
        }
        let rows = if self.base.is_some() { Rows::ModelAndBase } else { Rows::Model };
        let with_text = with_text(texts, sink, |result, text| result.rendered = text);
        let (joining, sequences) = Joining::new(rows, scored, &with_text);
        if joining.send_empty() == Flow::Stop {
            return Ok(());
        }
        let (decoder, options, share) = (&mut self.decoder, &self.options, self.options.share_prefixes);
        let holdings = &mut self.holdings;
        let walked = match &mut self.base {
            None => {
                let limits = Limits::new(decoder, options);
                on_the_threads(|| scorer::score(decoder, holdings, rows, sequences, share, limits, &joining))
            }
            Some(base) => {
                // Caches of both exist for one call alone.
                holdings.clear(decoder);
                let mut pair = base.beside(decoder);
                let limits = Limits::new(&pair, options);
                let batch_tokens = limits.batch_tokens.min(pair.most_tokens());
                let limits = Limits { batch_tokens, kept_tokens: 0, ..limits };
                let holdings = &mut Holdings::default();
                on_the_threads(|| scorer::score(&mut pair, holdings, rows, sequences, share, limits, &joining))
            }
        };
        self.usage.add("scoring", walked, self.host.as_ref());
        Ok(())
    }

    fn generate(&mut self, requests: Vec<GenerateRequest>, sink: &dyn Sink<Response<GenerateResult>>) -> Result<()> {
        let reading = self.reading();
        let prompts: Vec<_> = requests.into_par_iter().map(|request| reading.answer(request)).collect();
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
        let (decoder, holdings, tokenizer) = (&mut self.decoder, &mut self.holdings, &self.tokenizer);
        let with_text = with_text(texts, sink, |result, text| result.rendered = text);
        let walked =
            on_the_threads(|| generator::generate(decoder, holdings, tokenizer, answers, sharing, limits, &with_text));
        self.usage.add("generating", walked, self.host.as_ref());
        Ok(())
    }

    fn usage(&mut self) -> Result<Metadata> {
        Ok(std::mem::take(&mut self.usage).into_details())
    }

    /// What cannot be asked has no tokens.
    fn count_tokens(&mut self, asks: &[Ask]) -> Result<Vec<TokenCount>> {
        let reading = self.reading();
        Ok(asks.par_iter().map(|ask| reading.count(ask.clone()).unwrap_or_default()).collect())
    }
}

/// By the id of its request, the text that a chat template has written.
type Rendered = Option<(u64, String)>;

/// How requests become tokens.
struct Reading<'a> {
    tokenizer: &'a Tokenizer,
    options: &'a LocalOptions,
    chat: Option<&'a Chat>,
    marks: Option<&'a Marks>,
    context_length: usize,
    vocabulary: usize,
    base: Option<&'a BaseReading>,
}

impl Reading<'_> {
    /// The windows of a text, and what the chat template has made of its context.
    fn windows(&self, request: &ScoreRequest) -> Result<(Windows, Option<String>)> {
        let is_rendered = self.chat.is_some() && Chat::writes_context(request);
        let adds_before = self.options.adds_before(is_rendered);
        let request = match self.chat {
            Some(chat) => Cow::Owned(chat.scoring(request)?),
            None => Cow::Borrowed(request),
        };
        let mut context_length = self.context_length;
        if let Some(base) = self.base {
            base.check(self.tokenizer, &request)?;
            context_length = context_length.min(base.context_length);
        }
        let windows = windows(&request, self.tokenizer, adds_before, context_length)?;
        windows.splits.iter().try_for_each(|split| check_vocabulary(&split.tokens, self.vocabulary))?;
        Ok((windows, is_rendered.then(|| request.into_owned().context)))
    }

    /// An answer before its first token, and, by the request's id, what the chat template has made of the prompt.
    fn answer(&self, request: GenerateRequest) -> Result<(Answer, Rendered), (u64, PluginError)> {
        let request = match self.chat {
            Some(chat) => chat.generation(request)?,
            None => request,
        };
        let rendered = self.chat.map(|_| (request.id, request.prompt.clone()));
        let adds_before = self.options.adds_before(self.chat.is_some());
        let answer = Answer::new(request, self.tokenizer, adds_before, self.context_length, self.vocabulary)?;
        Ok((answer.with_marks(self.marks.cloned()), rendered))
    }

    fn count(&self, ask: Ask) -> Option<TokenCount> {
        match ask {
            Ask::Score { context, turns, continuation, span } => {
                let request = ScoreRequest { context, turns, continuation, span, ..ScoreRequest::default() };
                let (windows, _) = self.windows(&request).ok()?;
                let read = windows.splits.iter().map(|split| split.tokens.len() as u64).sum();
                Some(TokenCount { read, written: 0 })
            }
            Ask::Generate { prompt, turns, sampling } => {
                let request = GenerateRequest { prompt, turns, sampling, ..GenerateRequest::default() };
                let (answer, _) = self.answer(request).ok()?;
                Some(TokenCount { read: answer.prompt.len() as u64, written: answer.room as u64 })
            }
        }
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
fn on_the_threads(walk: impl FnOnce() -> Walked + Send) -> Walked {
    rayon::scope(|_| walk())
}
