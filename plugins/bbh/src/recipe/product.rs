//! The published files: there as a whole or not at all, with what they are made of beside them, and never in place of
//! others without a word.

use examiner_api::{Host, Metadata, PluginError, Result, rows};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::io::Write;
use std::path::{Path, PathBuf};

const ROWS: &str = "jsonl";
const IDENTITY: &str = "jsonl.identity.json";
const YIELD: &str = "yield.csv";
const UNSOLVED: &str = "unsolved.jsonl";
const ANSWERS: &str = "answers.jsonl";
/// What is published together, in the order in which it is moved aside.
const ENDINGS: [&str; 4] = [UNSOLVED, YIELD, ROWS, IDENTITY];

/// The files of one data set.
pub(super) struct Product {
    out: PathBuf,
    stem: String,
}

/// What stands beside the rows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Identity {
    /// Hash of all that the rows depend on.
    pub(super) identity: String,
    /// Hash of the file of rows.
    pub(super) blake3: String,
    /// All that the rows depend on.
    pub(super) inputs: Value,
    /// What came of asking.
    pub(super) report: Metadata,
    /// Questions without an answer, which another run would ask again.
    pub(super) errors: u64,
}

/// The contents of all files.
pub(super) struct Contents {
    pub(super) rows: String,
    pub(super) yields: String,
    pub(super) unsolved: String,
}

impl Product {
    pub(super) fn new(out: &Path, stem: String) -> Self {
        Product { out: out.to_owned(), stem }
    }

    pub(super) fn rows(&self) -> PathBuf {
        self.file(ROWS)
    }

    pub(super) fn answers(&self) -> PathBuf {
        self.file(ANSWERS)
    }

    pub(super) fn yields(&self) -> PathBuf {
        self.file(YIELD)
    }

    pub(super) fn unsolved(&self) -> PathBuf {
        self.file(UNSOLVED)
    }

    fn file(&self, ending: &str) -> PathBuf {
        self.out.join(format!("{}.{ending}", self.stem))
    }

    /// What was published with this identity, if it is all there and as it was.
    pub(super) fn standing(&self, identity: &str) -> Option<Identity> {
        let known = self.known().filter(|known| known.identity == identity && known.errors == 0)?;
        let whole = rows::fingerprint(&self.rows()).is_ok_and(|hash| hash == known.blake3);
        (whole && self.yields().is_file() && self.unsolved().is_file()).then_some(known)
    }

    fn known(&self) -> Option<Identity> {
        serde_json::from_slice(&std::fs::read(self.file(IDENTITY)).ok()?).ok()
    }

    /// Writes all files; what stands there with another content is moved aside first. The identity comes last, so that it
    /// never speaks of rows that are not there.
    pub(super) fn publish(&self, contents: &Contents, mut identity: Identity, host: &Host) -> Result<()> {
        self.move_aside(contents, host)?;
        write(&self.unsolved(), &contents.unsolved)?;
        write(&self.yields(), &contents.yields)?;
        write(&self.rows(), &contents.rows)?;
        identity.blake3 = rows::fingerprint(&self.rows())?;
        write(&self.file(IDENTITY), &format!("{:#}\n", json!(identity)))
    }

    fn move_aside(&self, contents: &Contents, host: &Host) -> Result<()> {
        let found = std::fs::read(self.rows()).ok();
        if found.as_deref() == Some(contents.rows.as_bytes()) {
            return Ok(());
        }
        let known = self.known();
        let hash = found.as_ref().map(|_| rows::fingerprint(&self.rows())).transpose()?;
        let label = match (known, hash) {
            (None, None) => return Ok(()),
            (Some(known), Some(hash)) if known.blake3 != hash => hash,
            (Some(known), _) => known.identity,
            (None, Some(hash)) => hash,
        };
        let aside = self.aside(label.get(..8).unwrap_or(&label));
        for ending in ENDINGS {
            let (from, to) = (self.file(ending), aside.file(ending));
            match std::fs::rename(&from, &to) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(PluginError::io("move aside", &from, &error));
                }
                _ => {}
            }
        }
        host.warn(format!(
            "`{}` was made of something else, or has been changed; it is now `{}`",
            self.rows().display(),
            aside.rows().display()
        ));
        Ok(())
    }

    /// Names that are free. Where an earlier try was ended in the midst of moving, the rest goes where the first part is.
    fn aside(&self, label: &str) -> Product {
        let stem = |count: u32| match count {
            1 => format!("{}.{label}", self.stem),
            _ => format!("{}.{label}-{count}", self.stem),
        };
        let mut count = 1;
        loop {
            let aside = Product { out: self.out.clone(), stem: stem(count) };
            let taken = |ending: &&str| self.file(ending).exists() && aside.file(ending).exists();
            if !ENDINGS.iter().any(taken) {
                return aside;
            }
            count += 1;
        }
    }
}

/// Writes a file under a temporary name, syncs it, and renames it.
fn write(path: &Path, content: &str) -> Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.tmp", std::process::id()));
    let temporary = path.with_file_name(name);
    let written = std::fs::File::create(&temporary).and_then(|mut file| {
        file.write_all(content.as_bytes())?;
        file.sync_all()
    });
    written.and_then(|()| std::fs::rename(&temporary, path)).map_err(|error| {
        // What is left of the attempt is of no use; that it cannot be removed changes nothing.
        let _ = std::fs::remove_file(&temporary);
        PluginError::io("write", path, &error)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use examiner_api::testing::FakeHost;

    fn identity(name: &str) -> Identity {
        Identity {
            identity: name.repeat(16),
            blake3: String::new(),
            inputs: json!({}),
            report: Metadata::new(),
            errors: 0,
        }
    }

    fn contents(rows: &str) -> Contents {
        Contents { rows: rows.to_owned(), yields: "y".to_owned(), unsolved: String::new() }
    }

    /// Publishes, and says what was warned of.
    fn publish(product: &Product, name: &str, rows: &str) -> Vec<String> {
        let host = FakeHost::new();
        product.publish(&contents(rows), identity(name), &host.host()).unwrap();
        host.messages().into_iter().map(|(_, message)| message).collect()
    }

    fn content(folder: &Path, name: &str) -> Option<String> {
        std::fs::read_to_string(folder.join(name)).ok()
    }

    #[test]
    fn another_identity_is_moved_aside_and_said() {
        let folder = tempfile::tempdir().unwrap();
        let product = Product::new(folder.path(), "F_x".to_owned());
        assert!(product.standing(&"a".repeat(16)).is_none());
        assert!(publish(&product, "a", "one").is_empty());
        assert!(product.standing(&"a".repeat(16)).is_some() && product.standing(&"b".repeat(16)).is_none());
        let [warning] = &publish(&product, "b", "two")[..] else { panic!("expected one warning") };
        assert!(warning.contains("F_x.aaaaaaaa.jsonl"), "{warning}");
        assert_eq!(content(folder.path(), "F_x.jsonl").as_deref(), Some("two"));
        assert_eq!(content(folder.path(), "F_x.aaaaaaaa.jsonl").as_deref(), Some("one"));
        let aside = Product::new(folder.path(), "F_x.aaaaaaaa".to_owned());
        assert!(aside.standing(&"a".repeat(16)).is_some(), "all of it is moved");
        // And back again: what was moved aside before is not lost either.
        publish(&product, "a", "other");
        publish(&product, "b", "two");
        assert_eq!(content(folder.path(), "F_x.aaaaaaaa.jsonl").as_deref(), Some("one"));
        assert_eq!(content(folder.path(), "F_x.aaaaaaaa-2.jsonl").as_deref(), Some("other"));
    }

    #[test]
    fn what_was_changed_by_hand_is_kept_and_not_used() {
        let folder = tempfile::tempdir().unwrap();
        let product = Product::new(folder.path(), "F_x".to_owned());
        publish(&product, "a", "one");
        std::fs::write(product.rows(), "edited").unwrap();
        assert!(product.standing(&"a".repeat(16)).is_none());
        assert_eq!(publish(&product, "a", "one").len(), 1);
        let kept = std::fs::read_dir(folder.path()).unwrap().flatten().find(|entry| {
            let name = entry.file_name().into_string().unwrap();
            name.ends_with(".jsonl") && std::fs::read_to_string(entry.path()).unwrap() == "edited"
        });
        assert!(kept.is_some());
    }

    #[test]
    fn ended_while_moving_aside_it_goes_on() {
        for moved in 1..ENDINGS.len() {
            let folder = tempfile::tempdir().unwrap();
            let product = Product::new(folder.path(), "F_x".to_owned());
            publish(&product, "a", "one");
            let aside = Product::new(folder.path(), "F_x.aaaaaaaa".to_owned());
            for ending in &ENDINGS[..moved] {
                std::fs::rename(product.file(ending), aside.file(ending)).unwrap();
            }
            publish(&product, "b", "two");
            assert!(aside.standing(&"a".repeat(16)).is_some(), "ended after {moved} files");
            assert!(product.standing(&"b".repeat(16)).is_some(), "ended after {moved} files");
        }
    }

    #[test]
    fn ended_between_any_two_files_it_is_made_good_without_a_warning() {
        let folder = tempfile::tempdir().unwrap();
        let product = Product::new(folder.path(), "F_x".to_owned());
        publish(&product, "a", "one");
        std::fs::remove_file(product.file(IDENTITY)).unwrap();
        assert!(product.standing(&"a".repeat(16)).is_none());
        assert!(publish(&product, "a", "one").is_empty());
        assert!(product.standing(&"a".repeat(16)).is_some());
        std::fs::remove_file(product.yields()).unwrap();
        assert!(product.standing(&"a".repeat(16)).is_none());
    }
}
