//! The files of a recipe's rows: there as a whole or not at all, with what they are made of beside them, and never in place of
//! others without a warning.

use examiner_api::{Host, PluginError, RecipeReport, Result, RowsContent, RowsFile, rows};
use examiner_store::atomic;
use examiner_store::storage::failure;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::io::Write;
use std::path::{Path, PathBuf};

/// What stands beside the rows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Identity {
    /// Hash of all that the rows depend on.
    identity: String,
    /// Hash of the file of rows.
    blake3: String,
    /// All that the rows depend on.
    inputs: Value,
    /// What the recipe reported.
    report: RecipeReport,
    /// Questions without an answer, which another try would ask again.
    errors: u64,
}

/// What is published together, in the order in which it is moved aside.
fn files(file: &RowsFile) -> [PathBuf; 4] {
    [file.unsolved(), file.yields(), file.rows(), file.identity()]
}

/// Refuses a name that leads out of the directory.
fn check(file: &RowsFile) -> Result<()> {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    match !file.stem.is_empty() && !file.stem.starts_with('.') && file.stem.chars().all(fits) {
        true => Ok(()),
        false => Err(PluginError::bad_options(format!("rows cannot be written under the name `{}`", file.stem))
            .with_help("use letters, digits, `-`, `_` and `.`")),
    }
}

/// What was reported of rows of the same inputs, if they are all there and as they were.
pub(crate) fn find(file: &RowsFile) -> Result<Option<RecipeReport>> {
    check(file)?;
    files(file).iter().for_each(|path| atomic::remove_leftovers_of(path));
    let known = known(file).filter(|known| known.identity == identity(file) && known.errors == 0);
    let Some(Identity { blake3, report, .. }) = known else { return Ok(None) };
    let is_whole = rows::fingerprint(&file.rows()).is_ok_and(|hash| hash == blake3);
    let is_there = is_whole && file.yields().is_file() && file.unsolved().is_file();
    Ok(is_there.then(|| RecipeReport { rows: file.rows(), ..report }))
}

/// Writes all files; what stands there with another content is moved aside first. The identity comes last, so that it never
/// describes rows that are not there.
pub(crate) fn write(file: &RowsFile, content: RowsContent, host: &Host) -> Result<RecipeReport> {
    check(file)?;
    let RowsContent { rows, unsolved, errors, report } = content;
    let text = lines(&rows)?;
    move_aside(file, &text, host)?;
    put(&file.unsolved(), &lines(&unsolved)?)?;
    let yields = examiner_api::TaskYield::csv(&report.yields);
    put(&file.yields(), &yields)?;
    put(&file.rows(), &text)?;
    let report = RecipeReport { rows: file.rows(), ..report };
    let (identity, blake3, inputs) = (identity(file), rows::fingerprint(&file.rows())?, file.inputs.clone());
    let identity = Identity { identity, blake3, inputs, report: report.clone(), errors };
    put(&file.identity(), &format!("{:#}\n", json!(identity)))?;
    Ok(report)
}

fn identity(file: &RowsFile) -> String {
    rows::digest([file.inputs.to_string()])
}

fn known(file: &RowsFile) -> Option<Identity> {
    serde_json::from_slice(&std::fs::read(file.identity()).ok()?).ok()
}

fn move_aside(file: &RowsFile, text: &str, host: &Host) -> Result<()> {
    let found = std::fs::read(file.rows()).ok();
    if found.as_deref() == Some(text.as_bytes()) {
        return Ok(());
    }
    let known = known(file);
    let hash = found.as_ref().map(|_| rows::fingerprint(&file.rows())).transpose()?;
    let label = match (known, hash) {
        (None, None) => return Ok(()),
        (Some(known), Some(hash)) if known.blake3 != hash => hash,
        (Some(known), _) => known.identity,
        (None, Some(hash)) => hash,
    };
    let aside = free_name(file, label.get(..8).unwrap_or(&label));
    for (from, to) in files(file).iter().zip(files(&aside)) {
        match std::fs::rename(from, to) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(failure("move aside", from, &error));
            }
            _ => {}
        }
    }
    host.warn(format!(
        "`{}` was made of something else, or has been changed; it is now `{}`",
        file.rows().display(),
        aside.rows().display()
    ));
    Ok(())
}

/// Names that are free. Where an earlier try was ended in the midst of moving, the rest goes where the first part is.
fn free_name(file: &RowsFile, label: &str) -> RowsFile {
    let stem = |count: u32| match count {
        1 => format!("{}.{label}", file.stem),
        _ => format!("{}.{label}-{count}", file.stem),
    };
    let mut count = 1;
    loop {
        let aside = RowsFile { stem: stem(count), ..file.clone() };
        let is_taken = files(file).iter().zip(files(&aside)).any(|(from, to)| from.exists() && to.exists());
        if !is_taken {
            return aside;
        }
        count += 1;
    }
}

/// A line of JSON for each.
fn lines<T: Serialize>(rows: &[T]) -> Result<String> {
    let line = |row| serde_json::to_string(row).map(|line| line + "\n");
    let lines: Result<String, _> = rows.iter().map(line).collect();
    lines.map_err(|error| PluginError::bad_input("a row cannot be written as JSON").with_cause(&error))
}

fn put(path: &Path, text: &str) -> Result<()> {
    atomic::write(path, |file| file.write_all(text.as_bytes())).map_err(|error| failure("write", path, &error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use examiner_api::TrainingRow;
    use examiner_api::testing::FakeHost;

    /// Rows made of `inputs`.
    fn file(folder: &Path, inputs: &str) -> RowsFile {
        RowsFile { out: folder.to_owned(), stem: "F_x".to_owned(), inputs: json!(inputs) }
    }

    fn content(row: &str) -> RowsContent {
        let rows = vec![TrainingRow { id: row.to_owned(), ..TrainingRow::default() }];
        RowsContent { rows, report: RecipeReport { kept: 1, ..RecipeReport::default() }, ..RowsContent::default() }
    }

    /// Publishes, and returns the warnings.
    fn publish(file: &RowsFile, row: &str) -> Vec<String> {
        let host = FakeHost::new();
        let report = write(file, content(row), &host.host()).unwrap();
        assert_eq!((report.rows, report.kept), (file.rows(), 1));
        host.messages().into_iter().map(|(_, message)| message).collect()
    }

    fn is_there(file: &RowsFile) -> bool {
        find(file).unwrap().is_some()
    }

    /// The file with another stem.
    fn aside(file: &RowsFile, count: &str) -> RowsFile {
        RowsFile { stem: format!("F_x.{}{count}", &identity(file)[..8]), ..file.clone() }
    }

    fn row(file: &RowsFile) -> Option<String> {
        let text = std::fs::read_to_string(file.rows()).ok()?;
        Some(serde_json::from_str::<TrainingRow>(&text).unwrap().id)
    }

    #[test]
    fn another_identity_is_moved_aside_with_a_warning() {
        let folder = tempfile::tempdir().unwrap();
        let (a, b) = (file(folder.path(), "a"), file(folder.path(), "b"));
        assert!(!is_there(&a));
        assert!(publish(&a, "one").is_empty());
        assert!(is_there(&a) && !is_there(&b));
        let [warning] = &publish(&b, "two")[..] else { panic!("expected one warning") };
        assert!(warning.contains(&aside(&a, "").rows().display().to_string()), "{warning}");
        assert_eq!((row(&b).as_deref(), row(&aside(&a, "")).as_deref()), (Some("two"), Some("one")));
        assert!(is_there(&aside(&a, "")), "all of it is moved");
        // And back again: what was moved aside before is not lost either.
        publish(&a, "other");
        publish(&b, "two");
        assert_eq!(row(&aside(&a, "")).as_deref(), Some("one"));
        assert_eq!(row(&aside(&a, "-2")).as_deref(), Some("other"));
    }

    #[test]
    fn what_was_changed_by_hand_is_kept_and_not_used() {
        let folder = tempfile::tempdir().unwrap();
        let a = file(folder.path(), "a");
        publish(&a, "one");
        std::fs::write(a.rows(), "edited").unwrap();
        assert!(!is_there(&a));
        assert_eq!(publish(&a, "one").len(), 1);
        let kept = std::fs::read_dir(folder.path()).unwrap().flatten().find(|entry| {
            let name = entry.file_name().into_string().unwrap();
            name.ends_with(".jsonl") && std::fs::read_to_string(entry.path()).unwrap() == "edited"
        });
        assert!(kept.is_some());
    }

    #[test]
    fn ended_while_moving_aside_it_goes_on() {
        for moved in 1..4 {
            let folder = tempfile::tempdir().unwrap();
            let (a, b) = (file(folder.path(), "a"), file(folder.path(), "b"));
            publish(&a, "one");
            for (from, to) in files(&a).iter().zip(files(&aside(&a, ""))).take(moved) {
                std::fs::rename(from, to).unwrap();
            }
            publish(&b, "two");
            assert!(is_there(&aside(&a, "")), "ended after {moved} files");
            assert!(is_there(&b), "ended after {moved} files");
        }
    }

    #[test]
    fn ended_between_any_two_files_it_is_repaired_without_a_warning() {
        let folder = tempfile::tempdir().unwrap();
        let a = file(folder.path(), "a");
        publish(&a, "one");
        std::fs::remove_file(a.identity()).unwrap();
        assert!(!is_there(&a));
        assert!(publish(&a, "one").is_empty());
        assert!(is_there(&a));
        std::fs::remove_file(a.yields()).unwrap();
        assert!(!is_there(&a));
    }

    #[test]
    fn rows_with_a_hole_are_not_finished_and_names_stay_in_their_directory() {
        let folder = tempfile::tempdir().unwrap();
        let a = file(folder.path(), "a");
        write(&a, RowsContent { errors: 1, ..content("one") }, &FakeHost::new().host()).unwrap();
        assert!(!is_there(&a));
        for stem in ["", "../x", "a/b", ".hidden"] {
            let out = RowsFile { stem: stem.to_owned(), ..a.clone() };
            assert!(find(&out).is_err() && write(&out, content("one"), &FakeHost::new().host()).is_err(), "{stem}");
        }
    }
}
