//! Which tokens stand before a text.
//!
//! The rule is that of transformers 5: where there is a `tokenizer.json`, its post-processor decides, and `add_bos_token` of
//! `tokenizer_config.json` is not read. Where the two disagree, that is a warning. In a GGUF file its own flag decides.

use super::{Checkpoint, TOKENIZER_CONFIG, special_token_text};
use crate::{AutoBool, Tokenizer};
use examiner_api::{Metadata, PluginError, Result, serde_json::json};
use serde_json::Value;

/// The tokens before a text, and what decided them.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Beginning {
    /// As they are written; empty where there are none.
    tokens: Vec<String>,
    /// The option or file that decided.
    decided_by: String,
    /// What a user should know.
    pub(crate) warning: Option<String>,
}

impl Beginning {
    /// In a phrase.
    pub(crate) fn note(&self) -> String {
        match &self.tokens[..] {
            [] => format!("no token is put before a text ({})", self.decided_by),
            tokens => format!("texts begin with `{}` ({})", tokens.concat(), self.decided_by),
        }
    }

    /// The part of a model's description.
    pub(crate) fn details(&self) -> Metadata {
        let fields = [("tokens", json!(self.tokens)), ("decided_by", json!(self.decided_by))];
        fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }
}

/// Gives a tokenizer the beginning-of-text token that its own configuration names: `config.json` may name one that the
/// tokenizer never uses.
pub(super) fn name_beginning(tokenizer: &mut Tokenizer, config: &Value) {
    let token =
        |name: &str| config.get(name).map(|token| special_token_text(token).and_then(|text| tokenizer.token(text)));
    let bos = token("bos_token").unwrap_or(tokenizer.bos());
    let eos = token("eos_token").flatten();
    let beginning = bos.or(eos).or(tokenizer.eos().first().copied());
    tokenizer.set_beginning(bos, beginning);
}

impl Checkpoint {
    /// Decides which tokens the tokenizer puts before a text, and says so in the log.
    ///
    /// # Errors
    /// `BadOptions` for `add_bos: true` where the checkpoint names no such token, `BadInput` where a GGUF file asks for one
    /// and names none, `NotFound` without a tokenizer.
    pub fn decide_beginning(&mut self, add_bos: AutoBool) -> Result<()> {
        self.beginning(add_bos).map(drop)
    }

    /// As [`Checkpoint::decide_beginning`], and what was decided.
    pub(crate) fn beginning(&mut self, add_bos: AutoBool) -> Result<Beginning> {
        let in_gguf = self.gguf_beginning.clone();
        let in_config = self.tokenizer_config().and_then(|(config, _)| config.get("add_bos_token")?.as_bool());
        let tokenizer = self.tokenizer()?;
        let own = tokenizer.before();
        let with_bos = || match (own, tokenizer.bos()) {
            ([], None) => {
                let message = format!("`add_bos: true`: `{}` names no beginning-of-text token", self.source());
                Err(PluginError::bad_options(message).with_help("leave `add_bos` out"))
            }
            ([], Some(bos)) => Ok(vec![bos]),
            (own, _) => Ok(own.to_vec()),
        };
        let file = format!("the post-processor of `{}`", self.tokenizer_path()?.display());
        let mut warning = None;
        let (tokens, decided_by) = match (add_bos, in_gguf) {
            (AutoBool::Fixed(true), _) => (with_bos()?, "`add_bos: true`".to_owned()),
            (AutoBool::Fixed(false), _) => (Vec::new(), "`add_bos: false`".to_owned()),
            (AutoBool::Auto(_), Some((true, decided_by))) => match (own, tokenizer.bos()) {
                ([], None) => {
                    let message = format!("{decided_by} asks for a beginning-of-text token, and the file names none");
                    let error = PluginError::bad_input(message);
                    return Err(error.with_help("`add_bos: false` puts none before a text"));
                }
                _ => (with_bos()?, decided_by),
            },
            (AutoBool::Auto(_), Some((false, decided_by))) => (Vec::new(), decided_by),
            (AutoBool::Auto(_), None) => {
                if let Some(flag) = in_config.filter(|flag| *flag == own.is_empty()) {
                    let does = if flag { "adds none" } else { "adds one" };
                    warning = Some(format!(
                        "`{TOKENIZER_CONFIG}` has `add_bos_token: {flag}`, but {file} {does} and is followed, as in \
                         transformers; `add_bos: {flag}` does otherwise"
                    ));
                }
                (own.to_vec(), file)
            }
        };
        let written = |token: &u32| tokenizer.written(*token).unwrap_or_else(|| token.to_string());
        let beginning = Beginning { tokens: tokens.iter().map(written).collect(), decided_by, warning };
        self.host().info(format!("`{}`: {}", self.source(), beginning.note()));
        if let Some(Ok(tokenizer)) = self.tokenizer.get_mut() {
            tokenizer.set_before(tokens);
            if add_bos == AutoBool::Fixed(false) {
                tokenizer.put_nothing_after();
            }
        }
        Ok(beginning)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::Auto;
    use crate::testing;
    use examiner_api::ErrorCode;
    use examiner_api::testing::FakeHost;
    use tempfile::TempDir;

    const AUTO: AutoBool = AutoBool::Auto(Auto::Auto);

    /// A checkpoint without weights, whose tokenizer adds its beginning-of-text token or nothing.
    fn checkpoint(adds: bool, config: Value, tokenizer_config: Option<Value>) -> (TempDir, Checkpoint) {
        let directory = tempfile::tempdir().unwrap();
        let mut file: Value = serde_json::from_slice(testing::tokenizer().bytes()).unwrap();
        let bos = testing::tokenizer().written(testing::BOS).unwrap();
        if adds {
            file["post_processor"] = json!({
                "type": "TemplateProcessing",
                "single": [{"SpecialToken": {"id": bos, "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
                "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 0}}],
                "special_tokens": {bos.clone(): {"id": bos, "ids": [testing::BOS], "tokens": [bos]}}
            });
        }
        let write = |name: &str, value: &Value| std::fs::write(directory.path().join(name), value.to_string()).unwrap();
        write("tokenizer.json", &file);
        write("config.json", &config);
        if let Some(config) = tokenizer_config {
            write("tokenizer_config.json", &config);
        }
        let checkpoint = Checkpoint::open(&directory.path().display().to_string(), &FakeHost::new().host()).unwrap();
        (directory, checkpoint)
    }

    #[test]
    fn the_tokenizer_decides_unless_the_suite_does() {
        let config = || json!({"bos_token_id": testing::BOS, "eos_token_id": testing::EOS});
        for (adds, add_bos, expected) in [
            (true, AUTO, true),
            (false, AUTO, false),
            (true, AutoBool::Fixed(false), false),
            (false, AutoBool::Fixed(true), true),
            (true, AutoBool::Fixed(true), true),
        ] {
            let (_directory, mut checkpoint) = checkpoint(adds, config(), None);
            let found = checkpoint.beginning(add_bos).unwrap();
            let bos = testing::tokenizer().written(testing::BOS).unwrap();
            let expected = if expected { vec![(testing::BOS, bos)] } else { Vec::new() };
            let tokens = checkpoint.tokenizer().unwrap().before().iter().copied();
            assert_eq!(tokens.zip(found.tokens).collect::<Vec<_>>(), expected, "{adds} {add_bos:?}");
        }
        let (_directory, mut nameless) = checkpoint(false, json!({}), None);
        assert_eq!(nameless.beginning(AutoBool::Fixed(true)).unwrap_err().code, ErrorCode::BadOptions);
    }

    #[test]
    fn a_configuration_that_disagrees_is_not_passed_over_in_silence() {
        let of = |adds, flag: bool| {
            let config = json!({"bos_token_id": testing::BOS});
            let (_directory, mut checkpoint) = checkpoint(adds, config, Some(json!({"add_bos_token": flag})));
            let found = checkpoint.beginning(AUTO).unwrap();
            (found.tokens.len(), found.warning)
        };
        assert_eq!((of(true, true), of(false, false)), ((1, None), (0, None)));
        let (count, warning) = of(true, false);
        assert_eq!(count, 1, "as in transformers 5");
        assert!(warning.unwrap().contains("`add_bos: false` does otherwise"));
        assert!(of(false, true).1.unwrap().contains("adds none and is followed"));
    }

    #[test]
    fn the_flag_of_a_gguf_file_decides() {
        let of = |adds, flag: Option<bool>| {
            let config = json!({"bos_token_id": testing::BOS});
            let (_directory, mut checkpoint) = checkpoint(adds, config, None);
            checkpoint.gguf_beginning = flag.map(|flag| (flag, "a flag".to_owned()));
            checkpoint.beginning(AUTO).unwrap().tokens.len()
        };
        assert_eq!((of(false, Some(true)), of(true, Some(false))), (1, 0));
        assert_eq!((of(false, None), of(true, None)), (0, 1));
        let (_directory, mut nameless) = checkpoint(false, json!({}), None);
        nameless.gguf_beginning = Some((true, "a flag".to_owned()));
        let error = nameless.beginning(AUTO).unwrap_err();
        assert!(error.message.contains("a flag asks for a beginning-of-text token"), "{error}");
        assert!(nameless.beginning(AutoBool::Fixed(false)).unwrap().tokens.is_empty());
    }

    /// Qwen's `config.json` names a beginning-of-text token that its tokenizer does not have.
    #[test]
    fn an_empty_context_begins_with_the_token_of_the_tokenizer() {
        let eos = testing::tokenizer().written(testing::TURN).unwrap();
        let of = |tokenizer_config| {
            let config = json!({"bos_token_id": testing::BOS, "eos_token_id": testing::EOS});
            let (_directory, checkpoint) = checkpoint(false, config, tokenizer_config);
            (checkpoint.tokenizer().unwrap().beginning(), checkpoint.beginning_of_its_own().unwrap())
        };
        assert_eq!(of(None), (Some(testing::BOS), None));
        assert_eq!(of(Some(json!({"eos_token": eos}))), (Some(testing::BOS), None));
        let without = json!({"bos_token": null, "eos_token": {"content": eos}});
        assert_eq!(of(Some(without)), (Some(testing::TURN), Some(testing::TURN)));
    }
}
