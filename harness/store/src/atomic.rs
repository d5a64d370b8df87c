//! Files that are written as a whole or not at all.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Write};
use std::path::Path;

/// Writes a file under a temporary name, syncs it, and renames it to `path`. Readers of `path` see the old content or the new
/// one, never a part.
///
/// # Errors
/// Writing, syncing or renaming fails; `path` is then unchanged.
pub fn write(path: &Path, content: impl FnOnce(&mut File) -> io::Result<()>) -> io::Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.tmp", std::process::id()));
    let temporary = path.with_file_name(name);
    let written = File::create(&temporary).and_then(|mut file| {
        content(&mut file)?;
        file.sync_all()
    });
    let renamed = written.and_then(|()| std::fs::rename(&temporary, path));
    if renamed.is_err() {
        // If the temporary file cannot be removed either, the first error is still the one to report.
        let _ = std::fs::remove_file(&temporary);
    }
    renamed
}

/// As [`write()`], unless `path` has the same content already: then the file is not touched, and nothing waits for the disk.
/// `content` is called once to compare, until the first difference, and once to write; it must write the same both times.
///
/// # Errors
/// As [`write()`].
pub fn update(path: &Path, mut content: impl FnMut(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    // A file that cannot be read is replaced.
    if has_content(path, &mut content).unwrap_or(false) {
        return Ok(());
    }
    write(path, |file| content(file))
}

/// Whether the file has exactly the content that `content` writes.
fn has_content(path: &Path, content: &mut dyn FnMut(&mut dyn Write) -> io::Result<()>) -> io::Result<bool> {
    if !std::fs::symlink_metadata(path)?.is_file() {
        return Ok(false);
    }
    let mut comparing = CompareWriter { file: BufReader::with_capacity(1 << 16, File::open(path)?) };
    content(&mut comparing)?;
    Ok(comparing.file.fill_buf()?.is_empty())
}

/// Compares what is written with a file, and fails at the first difference.
struct CompareWriter {
    file: BufReader<File>,
}

impl Write for CompareWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let expected = self.file.fill_buf()?;
        let length = expected.len().min(bytes.len());
        if length == 0 && !bytes.is_empty() || expected[..length] != bytes[..length] {
            return Err(io::Error::other("the file has another content"));
        }
        self.file.consume(length);
        Ok(length)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Removes the temporary files of killed processes, in `directory` and its subdirectories. Only for a directory in which no
/// other process writes.
pub fn remove_leftovers(directory: &Path) {
    for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => remove_leftovers(&entry.path()),
            Ok(kind) if kind.is_file() && is_temporary(&entry.file_name().to_string_lossy()) => {
                let _ = std::fs::remove_file(entry.path());
            }
            _ => {}
        }
    }
}

/// Removes what processes that are gone have left of writing this one file. Processes that still run may be writing it.
pub fn remove_leftovers_of(path: &Path) {
    let (Some(directory), Some(name)) = (path.parent(), path.file_name()) else { return };
    let directory = if directory.as_os_str().is_empty() { Path::new(".") } else { directory };
    let prefix = format!("{}.", name.to_string_lossy());
    for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let process = name.strip_prefix(&prefix).and_then(|name| name.strip_suffix(".tmp"));
        if process.and_then(|process| process.parse::<u32>().ok()).is_some_and(is_gone) {
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

/// Whether no process has this number; where that cannot be known, it counts as running.
fn is_gone(process: u32) -> bool {
    Path::new("/proc/self").exists() && !Path::new("/proc").join(process.to_string()).exists()
}

/// `summary.csv.4711.tmp`
fn is_temporary(name: &str) -> bool {
    let process = name.strip_suffix(".tmp").and_then(|name| name.rsplit_once('.'));
    process.is_some_and(|(_, process)| !process.is_empty() && process.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_write_leaves_the_old_content() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        write(&path, |file| file.write_all(b"old")).unwrap();
        let failed = write(&path, |file| {
            file.write_all(b"half of the new")?;
            Err(io::Error::other("disk full"))
        });
        assert!(failed.is_err());
        assert_eq!(std::fs::read(&path).unwrap(), b"old");
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn what_a_killed_process_left_is_removed_and_nothing_else() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("rows.jsonl");
        let own = format!("rows.jsonl.{}.tmp", std::process::id());
        // No system has so many processes.
        let kept = ["other.jsonl.4194305.tmp", "rows.jsonl", "rows.jsonl.x.tmp", "rows.jsonl.yield.4194305.tmp", &own];
        for name in kept.iter().chain(&["rows.jsonl.4194305.tmp"]) {
            std::fs::write(directory.path().join(name), "").unwrap();
        }
        remove_leftovers_of(&path);
        let entries = std::fs::read_dir(directory.path()).unwrap();
        let mut left: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        left.sort();
        let mut kept = kept.map(str::to_owned);
        kept.sort();
        assert_eq!(left, kept);
    }

    #[test]
    fn a_file_with_the_same_content_is_not_written_again() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        // Longer than the buffer, and written in pieces of another size.
        let text = |change: &str| format!("{}{change}", "some lines\n".repeat(20_000));
        let put = |text: &str| {
            let mut calls = 0;
            let done = update(&path, |file| {
                calls += 1;
                text.as_bytes().chunks(777).try_for_each(|piece| file.write_all(piece))
            });
            done.unwrap();
            assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
            calls
        };
        let modified = || std::fs::metadata(&path).unwrap().modified().unwrap();
        assert_eq!(put(&text("a")), 1, "there was no file");
        let before = modified();
        assert_eq!(put(&text("a")), 1);
        assert_eq!(modified(), before);
        // Another byte, one more, one less, none at all.
        for other in [text("b"), text("bc"), text("b"), String::new(), text("")] {
            assert_eq!(put(&other), 2);
            assert_eq!(put(&other), 1);
        }
        let failed = update(&path, |_| Err(io::Error::other("no content")));
        assert!(failed.is_err() && path.exists());
    }

    #[test]
    fn only_temporary_files_of_killed_processes_are_removed() {
        let directory = tempfile::tempdir().unwrap();
        let inside = directory.path().join("samples/a");
        std::fs::create_dir_all(&inside).unwrap();
        for name in ["d.jsonl", "d.jsonl.4711.tmp", "notes.tmp", "4711"] {
            std::fs::write(inside.join(name), "").unwrap();
        }
        remove_leftovers(directory.path());
        let left = std::fs::read_dir(&inside).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut left: Vec<String> = left.collect();
        left.sort();
        assert_eq!(left, ["4711", "d.jsonl", "notes.tmp"]);
    }
}
