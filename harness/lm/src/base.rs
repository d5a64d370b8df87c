//! The model that another one is compared with while that scores: its base.

use crate::pair::Pair;
use crate::{Decoder, Tokenizer, fingerprint};
use examiner_api::{BatchInvariance, Metadata, ModelInfo, PluginError, Result, ScoreRequest};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The option `divergence_from` of a plugin: a checkpoint, or one with options of its own.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(
    untagged,
    expecting = "`divergence_from`: expected a checkpoint, or a mapping with `checkpoint` and what else it is loaded by"
)]
#[schemars(inline)]
pub enum DivergenceFrom<T> {
    /// Its checkpoint alone.
    Checkpoint(#[schemars(extend("format" = "path"))] String),
    /// Its checkpoint, and how it is loaded.
    Model(T),
}

/// A loaded base.
pub(crate) struct Base {
    decoder: Box<dyn Decoder>,
    reading: BaseReading,
}

/// How a base reads texts. Threads may share it, which they may not share a decoder.
pub(crate) struct BaseReading {
    /// The longest sequence that it can compute.
    pub(crate) context_length: usize,
    /// None where it is the same file as the model's.
    tokenizer: Option<Tokenizer>,
}

impl Base {
    /// A base for a model whose logits and tokenizer are these.
    ///
    /// # Errors
    /// `BadOptions` where the vocabularies are not the same.
    pub(crate) fn new(
        decoder: Box<dyn Decoder>,
        tokenizer: Tokenizer,
        vocabulary: usize,
        of_model: &Tokenizer,
    ) -> Result<Self> {
        if decoder.vocabulary() != vocabulary {
            return Err(refused(format!(
                "expected `divergence_from` to have {vocabulary} logits for each token, as the model has, found {}",
                decoder.vocabulary()
            )));
        }
        let is_same_file = !tokenizer.bytes().is_empty() && tokenizer.bytes() == of_model.bytes();
        if is_same_file {
            return Ok(Base::with(decoder, None));
        }
        // A token that one of them alone knows is found in the text that has it: see `check`.
        let differs = (0..vocabulary as u32).find_map(|token| {
            let (model, base) = (of_model.written(token)?, tokenizer.written(token)?);
            (model != base).then_some((token, model, base))
        });
        match differs {
            Some((token, model, base)) => Err(refused(format!(
                "expected the tokenizer of `divergence_from` to be that of the model, found that token {token} is {base:?}, and \
                 {model:?} in the model"
            ))),
            None => Ok(Base::with(decoder, Some(tokenizer))),
        }
    }

    fn with(decoder: Box<dyn Decoder>, tokenizer: Option<Tokenizer>) -> Self {
        Base { reading: BaseReading { context_length: decoder.context_length(), tokenizer }, decoder }
    }

    /// How it reads texts.
    pub(crate) fn reading(&self) -> &BaseReading {
        &self.reading
    }

    /// The model and its base as one decoder.
    pub(crate) fn beside<'a, D: Decoder + ?Sized>(&'a mut self, model: &'a mut D) -> Pair<'a, D> {
        Pair::new(model, &mut *self.decoder)
    }
}

impl BaseReading {
    /// Checks that the base has the same tokens for a text as the model.
    ///
    /// # Errors
    /// `BadInput` with the first that differs.
    pub(crate) fn check(&self, of_model: &Tokenizer, request: &ScoreRequest) -> Result<()> {
        let Some(of_base) = &self.tokenizer else { return Ok(()) };
        let text = format!("{}{}", request.context, request.continuation);
        let (model, base) = (of_model.encode(&text)?, of_base.encode(&text)?);
        if model == base {
            return Ok(());
        }
        let place = model.iter().zip(&base).take_while(|(model, base)| model == base).count();
        let shown = |tokenizer: &Tokenizer, tokens: &[u32]| match tokens.get(place) {
            Some(token) => format!("{token} ({:?})", tokenizer.written(*token).unwrap_or_default()),
            None => "none".to_owned(),
        };
        Err(PluginError::bad_input(format!(
            "expected the tokenizer of `divergence_from` to have the same tokens for a text as the model's, found as its token \
             {place}, counted from 0, {}, and {} in the model",
            shown(of_base, &base),
            shown(of_model, &model)
        ))
        .with_help(HELP))
    }
}

/// Changes whenever the same model and base could give another divergence.
const VERSION: u32 = 1;

/// All that the results of a model with a base depend on.
#[derive(Serialize)]
struct Identity<'a> {
    version: u32,
    /// The fingerprints of both.
    model: &'a str,
    base: &'a str,
}

/// Makes of a model's description that of the model with a base.
pub(crate) fn describe(info: &mut ModelInfo, base: ModelInfo) -> Result<()> {
    info.fingerprint = fingerprint(&Identity { version: VERSION, model: &info.fingerprint, base: &base.fingerprint })?;
    info.context_length = info.context_length.min(base.context_length);
    if !base.batch_invariance.is_exact() {
        info.batch_invariance = BatchInvariance::NotPromised;
    }
    info.warnings.extend(base.warnings.into_iter().map(|warning| format!("`divergence_from`: {warning}")));
    info.notes.push(format!("divergence from `{}`", base.name));
    let mut details = Metadata::new();
    details.insert("checkpoint".to_owned(), base.name.into());
    details.insert("fingerprint".to_owned(), base.fingerprint.into());
    // How texts become tokens is the model's business.
    details.extend(base.details.into_iter().filter(|(name, _)| !["beginning", "chat"].contains(&name.as_str())));
    info.details.insert("divergence_from".to_owned(), details.into());
    Ok(())
}

const HELP: &str =
    "name a checkpoint that the model was made from, or that was made from it, with its tokenizer as it was";

fn refused(message: String) -> PluginError {
    PluginError::bad_options(message).with_help(HELP)
}
