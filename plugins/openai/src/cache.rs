//! Answers that are kept on disk.
//!
//! One small file for each answer, named by the hash of all that decides it, written under another name and renamed: so
//! several processes can share a directory. The first line is the hash of the name and of the second line; what does not fit is
//! no answer.
//! Nothing is synced: a file that a crash left empty is asked again.

use examiner_api::rows::digest;
use examiner_api::{Answer, FinishReason, GenerateRequest, PluginError, Result, ScoreRequest};
use serde_json::json;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// A directory of answers.
pub(crate) struct Cache {
    directory: PathBuf,
    /// Everything about the model that could change an answer.
    fingerprint: String,
    /// Whether a request's turns are what is sent, rather than its prompt.
    turns: bool,
}

impl Cache {
    pub(crate) fn open(directory: &str, fingerprint: &str, turns: bool) -> Result<Self> {
        let directory = PathBuf::from(directory);
        std::fs::create_dir_all(&directory)
            .map_err(|error| PluginError::io("make the cache's directory", &directory, &error))?;
        Ok(Cache { directory, fingerprint: fingerprint.to_owned(), turns })
    }

    /// The name of a generated answer. Drawn ones belong to their sample and repeat.
    pub(crate) fn generation(&self, request: &GenerateRequest) -> String {
        let GenerateRequest { sample, prompt, turns, sampling, .. } = request;
        let draw = match sampling.temperature > 0.0 {
            true => format!("{} {}", sample.repeat, sample.id),
            false => String::new(),
        };
        let sampling = json!(sampling).to_string();
        match self.turns && !turns.is_empty() {
            true => digest([&self.fingerprint, "generate turns", &json!(turns).to_string(), &sampling, &draw]),
            false => digest([&self.fingerprint, "generate", prompt, &sampling, &draw]),
        }
    }

    /// The name of a log-likelihood. Those that were kept before they were checked have another one.
    pub(crate) fn score(&self, request: &ScoreRequest) -> String {
        let ScoreRequest { context, continuation, span, .. } = request;
        digest([&self.fingerprint, "checked score", context, continuation, &json!(span).to_string()])
    }

    /// The answer of this name, if there is a whole one.
    pub(crate) fn find(&self, name: &str) -> Option<Answer> {
        let text = std::fs::read_to_string(self.path(name)).ok()?;
        let (hash, answer) = text.split_once('\n')?;
        let answer = answer.strip_suffix('\n')?;
        if digest([name, answer]) != hash {
            return None;
        }
        serde_json::from_str(answer).ok()
    }

    /// Keeps an answer, unless another attempt could do better: one that was cut off is not kept.
    pub(crate) fn keep(&self, name: &str, answer: &Answer) -> Result<()> {
        if matches!(answer, Answer::Generate(result) if result.finish == FinishReason::Length) {
            return Ok(());
        }
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let path = self.path(name);
        let text = json!(answer).to_string();
        let text = format!("{}\n{text}\n", digest([name, &text]));
        let own = format!("{}.{}.{}.new", name, std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        let own = path.with_file_name(own);
        let made = path.parent().map_or(Ok(()), std::fs::create_dir_all);
        let written = made.and_then(|()| std::fs::write(&own, text)).and_then(|()| std::fs::rename(&own, &path));
        written.map_err(|error| {
            let _ = std::fs::remove_file(&own);
            PluginError::io("keep an answer in", &path, &error)
        })
    }

    fn path(&self, name: &str) -> PathBuf {
        let (folder, _) = name.split_at(2.min(name.len()));
        Path::new(&self.directory).join(folder).join(format!("{name}.json"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use examiner_api::{GenerateResult, SampleRef, Sampling, Turn};

    fn cache() -> (tempfile::TempDir, Cache) {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::open(folder.path().to_str().unwrap(), "model", true).unwrap();
        (folder, cache)
    }

    fn answer(text: &str, finish: FinishReason) -> Answer {
        Answer::Generate(GenerateResult { text: text.into(), finish, tokens_out: 3, ..GenerateResult::default() })
    }

    #[test]
    fn keeps_whole_answers_alone() {
        let (folder, cache) = cache();
        let good = answer("18", FinishReason::EndOfText);
        cache.keep("abcd", &good).unwrap();
        assert_eq!(cache.find("abcd"), Some(good.clone()));
        cache.keep("abce", &answer("1", FinishReason::Length)).unwrap();
        assert_eq!(cache.find("abce"), None);
        let path = folder.path().join("ab/abcd.json");
        let text = std::fs::read_to_string(&path).unwrap();
        for damaged in [&text[..text.len() - 2], "", &text.replace("18", "19")] {
            std::fs::write(&path, damaged).unwrap();
            assert_eq!(cache.find("abcd"), None, "{damaged}");
        }
        cache.keep("abcd", &good).unwrap();
        assert_eq!(cache.find("abcd"), Some(good));
        assert_eq!(std::fs::read_dir(folder.path().join("ab")).unwrap().count(), 1, "nothing else is left");
    }

    #[test]
    fn names_follow_all_that_decides_an_answer() {
        let (_folder, cache) = cache();
        let name = |prompt: &str, temperature: f32, id: &str, repeat: u32| {
            let sample = SampleRef { id: id.into(), repeat, ..SampleRef::default() };
            let sampling = Sampling { temperature, ..Sampling::default() };
            cache.generation(&GenerateRequest { sample, prompt: prompt.into(), sampling, ..GenerateRequest::default() })
        };
        assert_eq!(name("p", 0.0, "a", 0), name("p", 0.0, "b", 1), "at temperature 0 an answer is the prompt's");
        assert_ne!(name("p", 0.5, "a", 0), name("p", 0.5, "a", 1));
        assert_ne!(name("p", 0.5, "a", 0), name("p", 0.5, "b", 0));
        assert_ne!(name("p", 0.0, "a", 0), name("q", 0.0, "a", 0));
        assert_ne!(name("p", 0.5, "a", 0), name("p", 0.6, "a", 0));
        let turns = |texts: &[&str]| {
            let turns = std::sync::Arc::new(texts.iter().map(|text| Turn::user(*text)).collect());
            GenerateRequest { prompt: "p".into(), turns, ..GenerateRequest::default() }
        };
        let alone = cache.generation(&turns(&[]));
        assert_eq!(alone, name("p", 0.0, "a", 0));
        assert_ne!(alone, cache.generation(&turns(&["p"])));
        assert_ne!(cache.generation(&turns(&["a", "b"])), cache.generation(&turns(&["ab"])));
        let flat = Cache { turns: false, ..cache };
        assert_eq!(flat.generation(&turns(&["a"])), alone, "what is not sent decides nothing");
    }
}
