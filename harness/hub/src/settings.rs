//! Settings of downloads, from the same environment variables as `huggingface_hub`.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// The settings of downloads.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The Hugging Face cache (`HF_HUB_CACHE`, or `hub` in `HF_HOME`), shared with Python.
    pub cache: PathBuf,
    /// The cache of files from other servers.
    pub downloads: PathBuf,
    /// The rows of splits of datasets, as they were read from files of the hub.
    pub splits: PathBuf,
    /// A directory with `ORG/NAME/README.md` and the data of each dataset, which is read instead of the hub (`EXAMINER_HUB_MIRROR`).
    pub mirror: Option<PathBuf>,
    /// The hub (`HF_ENDPOINT`).
    pub endpoint: String,
    /// The user's token (`HF_TOKEN`, or the file `token` in `HF_HOME`), sent to `endpoint` alone.
    pub token: Option<Token>,
    /// Whether to use only the cache (`HF_HUB_OFFLINE`).
    pub offline: bool,
    /// Attempts before a server that is overloaded or closes connections is given up.
    pub attempts: u32,
    /// The pause after the first failure; it doubles with every further failure.
    pub pause: Duration,
}

/// A secret that is never part of a message.
#[derive(Clone)]
pub struct Token(String);

impl Token {
    /// The token `text`; none if it is blank.
    pub fn new(text: &str) -> Option<Self> {
        let text = text.trim();
        (!text.is_empty()).then(|| Token(text.to_owned()))
    }

    pub(super) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(hidden)")
    }
}

impl Settings {
    /// The settings from the environment.
    pub fn from_env() -> Self {
        Settings::from_vars(&|name| std::env::var(name).ok())
    }

    /// The settings from environment variables, which `var` reads.
    pub fn from_vars(var: &dyn Fn(&str) -> Option<String>) -> Self {
        let var = |name: &str| var(name).filter(|value| !value.trim().is_empty());
        let user = PathBuf::from(var("HOME").or_else(|| var("USERPROFILE")).unwrap_or_else(|| ".".to_owned()));
        let expand = |path: String| match path.strip_prefix("~/") {
            Some(rest) => user.join(rest),
            None => PathBuf::from(path),
        };
        let caches = var("XDG_CACHE_HOME").map_or_else(|| user.join(".cache"), &expand);
        let home = var("HF_HOME").map_or_else(|| caches.join("huggingface"), &expand);
        let token_file = var("HF_TOKEN_PATH").map_or_else(|| home.join("token"), &expand);
        let token = var("HF_TOKEN")
            .or_else(|| var("HUGGING_FACE_HUB_TOKEN"))
            .or_else(|| std::fs::read_to_string(token_file).ok());
        let is_on = |value: String| matches!(value.trim().to_lowercase().as_str(), "1" | "true" | "yes" | "on");
        Settings {
            cache: var("HF_HUB_CACHE").map_or_else(|| home.join("hub"), &expand),
            downloads: caches.join("examiner").join("downloads"),
            splits: caches.join("examiner").join("splits"),
            mirror: var("EXAMINER_HUB_MIRROR").map(&expand),
            endpoint: var("HF_ENDPOINT").unwrap_or_else(|| "https://huggingface.co".to_owned()),
            token: token.as_deref().and_then(Token::new),
            offline: var("HF_HUB_OFFLINE").is_some_and(is_on),
            attempts: 5,
            pause: Duration::from_millis(500),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(vars: &[(&str, &str)]) -> Settings {
        let find = |name: &str| vars.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
        Settings::from_vars(&find)
    }

    #[test]
    fn defaults_are_those_of_python() {
        let settings = from(&[("HOME", "/home/me")]);
        assert_eq!(settings.cache, PathBuf::from("/home/me/.cache/huggingface/hub"));
        assert_eq!(settings.downloads, PathBuf::from("/home/me/.cache/examiner/downloads"));
        assert_eq!((settings.endpoint.as_str(), settings.offline), ("https://huggingface.co", false));
    }

    #[test]
    fn environment_variables_override_defaults() {
        let home = tempfile::tempdir().unwrap();
        std::fs::write(home.path().join("token"), "hf_secret\n").unwrap();
        let settings =
            from(&[("HF_HOME", home.path().to_str().unwrap()), ("HF_HUB_OFFLINE", "ON"), ("HF_ENDPOINT", "https://m")]);
        assert_eq!(settings.cache, home.path().join("hub"));
        assert!(settings.offline);
        assert_eq!(settings.token.as_ref().unwrap().reveal(), "hf_secret");
        assert!(!format!("{settings:?}").contains("hf_secret"));
        let settings = from(&[("HOME", "/u"), ("HF_HUB_CACHE", "~/c"), ("HF_TOKEN", "t")]);
        assert_eq!(settings.cache, PathBuf::from("/u/c"));
        assert_eq!(settings.token.unwrap().reveal(), "t");
    }
}
