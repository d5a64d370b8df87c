//! The directory of new scores: `<run>/scores/<name>/`.

use examiner_api::{PluginError, Result};
use examiner_store::atomic;
use examiner_store::provenance::Provenance;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Where new scores lie in a run's directory.
pub(super) const SCORES: &str = "scores";

/// The `run.json` of a run, without which nothing is known of what was asked.
pub fn provenance_of(run: &Path) -> Result<Provenance> {
    let scores = run.join("score.json");
    if scores.exists() {
        let message = format!("`{}` holds scores, and no answers", run.display());
        return Err(PluginError::bad_input(message).with_help("name the run that they are of, two directories up"));
    }
    Provenance::read(run).ok_or_else(|| {
        PluginError::not_found(format!(
            "`{}` is no directory of a run: it has no `run.json` that can be read",
            run.display()
        ))
        .with_help("runs lie in `outputs`, and `outputs/latest` is the newest")
    })
}

/// Makes `scores/<name>`. Scores that are there stay there.
pub(super) fn make_directory(run: &Path, name: Option<&str>) -> Result<PathBuf> {
    if let Some(name) = name.filter(|name| Path::new(name).file_name() != Some(name.as_ref())) {
        return Err(PluginError::bad_input(format!("expected a plain `--name` for a directory, found `{name}`")));
    }
    let scores = run.join(SCORES);
    std::fs::create_dir_all(&scores).map_err(|error| PluginError::io("make the directory", &scores, &error))?;
    let time = jiff::Zoned::now().strftime("%Y%m%d-%H%M%S").to_string();
    for attempt in 1..1000 {
        let suffix = if attempt == 1 { String::new() } else { format!("-{attempt}") };
        let path = scores.join(name.map_or_else(|| format!("{time}{suffix}"), ToOwned::to_owned));
        match (std::fs::create_dir(&path), name) {
            (Ok(()), _) => return Ok(path),
            (Err(error), Some(_)) if error.kind() == std::io::ErrorKind::AlreadyExists => {
                return Err(PluginError::bad_input(format!("there is a `{}` already", path.display()))
                    .with_help("scores are kept: choose another `--name`"));
            }
            (Err(error), None) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            (Err(error), _) => return Err(PluginError::io("make the directory", &path, &error)),
        }
    }
    Err(PluginError::bad_input(format!("`{}` holds a thousand scores of this second", scores.display())))
}

/// Writes a file as a whole or not at all.
pub(super) fn write(path: &Path, text: &str) -> Result<()> {
    atomic::write(path, |file| file.write_all(text.as_bytes())).map_err(|error| PluginError::io("write", path, &error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_of_one_second_get_two_directories_and_a_name_is_given_once() {
        let run = tempfile::tempdir().unwrap();
        let made = |name| make_directory(run.path(), name);
        assert_ne!(made(None).unwrap(), made(None).unwrap());
        assert_eq!(made(Some("strict")).unwrap(), run.path().join("scores/strict"));
        assert!(made(Some("strict")).unwrap_err().to_string().contains("choose another `--name`"));
        for name in ["", ".", "..", "a/b", "/a", "a/"] {
            assert!(made(Some(name)).unwrap_err().message.contains("expected a plain `--name`"), "{name}");
        }
    }

    #[test]
    fn what_is_no_run_is_told() {
        let directory = tempfile::tempdir().unwrap();
        assert!(provenance_of(directory.path()).unwrap_err().message.contains("is no directory of a run"));
        Provenance::default().write(directory.path()).unwrap();
        assert_eq!(provenance_of(directory.path()).unwrap(), Provenance::default());
    }
}
