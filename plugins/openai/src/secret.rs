//! The key, and texts without it.

use base64::Engine;
use base64::alphabet::{Alphabet, STANDARD, URL_SAFE};
use base64::engine::general_purpose::{GeneralPurpose, NO_PAD};
use examiner_api::{ErrorCode, PluginError, Result};
use std::fmt;

/// An API key. It is shown nowhere.
#[derive(Clone)]
pub(crate) struct ApiKey {
    key: String,
    /// All that is kept out of texts: the key, and how it looks in base64 and in an address. None where the key is too short.
    forms: Vec<String>,
}

/// Shorter keys are placeholders for servers without any (`EMPTY`), and could stand in an answer by chance.
const SHORTEST: usize = 8;
const INSTEAD: &str = "[API key]";

impl ApiKey {
    /// The key in the environment variable `name`.
    ///
    /// # Errors
    /// There is none, or it cannot be sent.
    pub(crate) fn from_environment(name: &str) -> Result<Self> {
        let missing = |what: &str| {
            let message = format!("`api_key_env` names the environment variable `{name}`, which {what}");
            PluginError::new(ErrorCode::Authentication, message)
                .with_help(format!("set `{name}` to the key, or leave out `api_key_env` if the server wants none"))
        };
        let key = std::env::var(name).map_err(|_| missing("is not set"))?;
        let key = key.trim();
        match () {
            () if key.is_empty() => Err(missing("is empty")),
            () if !key.bytes().all(|byte| byte.is_ascii_graphic()) => Err(missing("holds characters that no key has")),
            () => Ok(ApiKey::new(key)),
        }
    }

    fn new(key: &str) -> Self {
        let mut forms = Vec::new();
        if key.len() >= SHORTEST {
            forms.push(key.to_owned());
            forms.extend([true, false].map(|upper| percent_encoded(key, upper)));
            forms.extend(
                [&STANDARD, &URL_SAFE].into_iter().flat_map(|alphabet| (0..3).map(|at| base64_at(key, at, alphabet))),
            );
            forms.dedup();
        }
        ApiKey { key: key.to_owned(), forms }
    }

    /// The key itself, for the one header that needs it.
    pub(crate) fn reveal(&self) -> &str {
        &self.key
    }

    /// The text with something else wherever the key stood: servers have been seen to repeat it in their errors, some in base64 or
    /// as part of an address.
    pub(crate) fn redact(&self, text: String) -> String {
        self.forms.iter().fold(text, |text, form| match text.contains(form) {
            true => text.replace(form, INSTEAD),
            false => text,
        })
    }
}

/// The key as it stands in an address.
fn percent_encoded(key: &str, upper: bool) -> String {
    let encoded = key.bytes().map(|byte| match byte {
        b'-' | b'_' | b'.' | b'~' => char::from(byte).to_string(),
        byte if byte.is_ascii_alphanumeric() => char::from(byte).to_string(),
        byte if upper => format!("%{byte:02X}"),
        byte => format!("%{byte:02x}"),
    });
    encoded.collect()
}

/// What the key alone decides of a text in base64 in which `at` bytes more than a multiple of three stand before it.
fn base64_at(key: &str, at: usize, alphabet: &Alphabet) -> String {
    let bytes = [&vec![0; at], key.as_bytes()].concat();
    let encoded = GeneralPurpose::new(alphabet, NO_PAD).encode(&bytes);
    // A character stands for six bits; those at both ends may belong to neighbours, too.
    encoded.get((8 * at).div_ceil(6)..8 * bytes.len() / 6).unwrap_or_default().to_owned()
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(INSTEAD)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_shown_nowhere() {
        let key = ApiKey::new("sk-very-secret");
        assert_eq!(format!("{key:?}"), "[API key]");
        assert_eq!(key.redact("no sk-very-secret here".to_owned()), "no [API key] here");
        assert_eq!(ApiKey::new("EMPTY").redact("EMPTY".to_owned()), "EMPTY");
    }

    #[test]
    fn is_not_shown_in_another_form_either() {
        let key = ApiKey::new("sk+very/secret=?");
        assert_eq!(key.redact("a?key=sk%2Bvery%2Fsecret%3D%3F&b".to_owned()), "a?key=[API key]&b");
        assert_eq!(key.redact("sk%2bvery%2fsecret%3d%3f".to_owned()), "[API key]");
        for before in ["", "B", "Be", "Bearer "] {
            for alphabet in [&STANDARD, &URL_SAFE] {
                let engine = GeneralPurpose::new(alphabet, NO_PAD);
                let text = engine.encode(format!("{before}{} and more", key.reveal()));
                let redacted = key.redact(text.clone());
                assert!(redacted.contains(INSTEAD) && redacted.len() < text.len(), "{before:?}: {text} -> {redacted}");
            }
        }
    }
}
