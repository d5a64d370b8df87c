//! The tasks of a version of lm-evaluation-harness that is not installed: its wheel, from the Python Package Index.

use examiner_api::{PluginError, Result};
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use zip::ZipArchive;

/// What stands before a version: `lm_eval==0.4.13`, as `pip` takes it.
const REQUIREMENT: &str = "lm_eval==";
/// More bytes are refused: the wheel of 0.4.13 has some 60 MB.
const BYTES_MAX: u64 = 2 << 30;

/// Gets the file at an address.
type Fetch<'a> = &'a dyn Fn(&str) -> Result<PathBuf>;

/// The version that a text asks for: `0.4.13` of `lm_eval==0.4.13`.
pub(super) fn version_of(named: &str) -> Option<&str> {
    named.strip_prefix(REQUIREMENT).map(str::trim)
}

/// The directory in which `lm_eval` of this version is, which is downloaded and unpacked unless it has been.
///
/// # Errors
/// There is no such version, it cannot be downloaded, or not be unpacked.
pub(super) fn fetch(version: &str, fetch: Fetch<'_>) -> Result<PathBuf> {
    if version.is_empty() || !version.chars().all(|one| one.is_ascii_alphanumeric() || one == '.') {
        let message =
            format!("expected a version of lm-evaluation-harness, such as `{REQUIREMENT}0.4.13`, found `{version}`");
        return Err(PluginError::bad_options(message));
    }
    // What is asked for twice is not downloaded twice: another version is another address.
    let page = fetch(&format!("https://pypi.org/simple/lm-eval/?version={version}"))?;
    let text = fs::read_to_string(&page).map_err(|error| PluginError::io("read", &page, &error))?;
    let address = wheel_of(&text, version).ok_or_else(|| {
        PluginError::not_found(format!("expected a wheel of lm_eval {version} in the Python Package Index, found none"))
            .with_help("name a version that has one, or a directory of tasks")
    })?;
    let wheel = fetch(address)?;
    let beside = wheel.parent().unwrap_or(Path::new("")).join(format!("lm_eval-{version}"));
    if !beside.is_dir() {
        unpack(&wheel, &beside).map_err(|error| PluginError::io("unpack", &wheel, &error))?;
    }
    Ok(beside)
}

/// The address of a version's wheel in a page of the index, which ends in the wheel's checksum.
fn wheel_of<'a>(page: &'a str, version: &str) -> Option<&'a str> {
    let begin = format!("lm_eval-{version}-");
    let mut addresses = page.split("href=\"").skip(1).filter_map(|rest| rest.split('"').next());
    addresses.find(|&address| {
        let (path, checksum) = address.split_once('#').unwrap_or((address, ""));
        let name = path.rsplit('/').next().unwrap_or_default();
        let is_wheel = name.starts_with(&begin) && name.ends_with(".whl");
        is_wheel && address.starts_with("https://") && checksum.starts_with("sha256=")
    })
}

/// Unpacks the package `lm_eval` of a wheel. The directory is there as a whole or not at all.
fn unpack(wheel: &Path, to: &Path) -> io::Result<()> {
    let mut archive = ZipArchive::new(File::open(wheel)?)?;
    let part = to.with_extension(format!("{}.incomplete", std::process::id()));
    let mut left = BYTES_MAX;
    let unpacked = (0..archive.len()).try_for_each(|index| {
        let entry = archive.by_index(index)?;
        let Some(name) = entry.enclosed_name().filter(|name| name.starts_with("lm_eval")) else { return Ok(()) };
        if !entry.is_file() {
            return Ok(());
        }
        let path = part.join(name);
        fs::create_dir_all(path.parent().unwrap_or(&part))?;
        let mut file = File::create(path)?;
        let written = io::copy(&mut entry.take(left), &mut file)?;
        left -= written;
        file.flush()?;
        if left == 0 {
            Err(io::Error::other(format!("expected at most {BYTES_MAX} bytes, found more")))
        } else {
            Ok(())
        }
    });
    let moved = unpacked.and_then(|()| match fs::rename(&part, to) {
        // Another process was faster.
        Err(_) if to.is_dir() => Ok(()),
        other => other,
    });
    if part.exists() {
        // What is left of a failure, or of the slower of two, is of no use.
        let _ = fs::remove_dir_all(&part);
    }
    moved
}

#[cfg(test)]
mod tests {
    use super::*;
    use zip::ZipWriter;
    use zip::write::SimpleFileOptions;

    /// An index in a directory: a description and a wheel with these files.
    fn index(directory: &Path, files: &[(&str, &str)]) -> impl Fn(&str) -> Result<PathBuf> {
        let wheel = directory.join("lm_eval-9.9-py3-none-any.whl");
        let mut writer = ZipWriter::new(File::create(&wheel).unwrap());
        for (name, text) in files {
            writer.start_file(*name, SimpleFileOptions::default()).unwrap();
            writer.write_all(text.as_bytes()).unwrap();
        }
        writer.finish().unwrap();
        let page = directory.join("page");
        let link = |address: &str| format!("<a href=\"https://files/{address}\">{address}</a><br/>\n");
        let links = [
            "lm_eval-9.9.1-py3-none-any.whl#sha256=cd",
            "lm_eval-9.9.tar.gz#sha256=ef",
            "lm_eval-9.9-py3-none-any.whl",
            "lm_eval-9.9-py3-none-any.whl#sha256=ab",
        ];
        fs::write(&page, links.map(link).concat()).unwrap();
        move |uri: &str| match uri {
            "https://pypi.org/simple/lm-eval/?version=9.9" => Ok(page.clone()),
            "https://files/lm_eval-9.9-py3-none-any.whl#sha256=ab" => Ok(wheel.clone()),
            other => Err(PluginError::not_found(other)),
        }
    }

    #[test]
    fn a_wheel_is_unpacked_once_and_nothing_lands_outside() {
        let directory = tempfile::tempdir().unwrap();
        let files = [
            ("lm_eval/tasks/arc/arc.yaml", "task: arc\n"),
            ("lm_eval/../../outside.yaml", "task: outside\n"),
            ("../outside.yaml", "task: outside\n"),
            ("lm_eval-9.9.dist-info/RECORD", ""),
        ];
        let cache = directory.path().join("cache");
        fs::create_dir(&cache).unwrap();
        let index = index(&cache, &files);
        let package = fetch("9.9", &index).unwrap();
        assert_eq!(fs::read_to_string(package.join("lm_eval/tasks/arc/arc.yaml")).unwrap(), "task: arc\n");
        let inside: Vec<_> = fs::read_dir(&package).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(inside, ["lm_eval"]);
        let outside: Vec<_> = fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(outside, ["cache"]);
        fs::write(package.join("mark"), "").unwrap();
        assert!(fetch("9.9", &index).unwrap().join("mark").exists(), "it is not unpacked again");
    }

    #[test]
    fn versions_are_named_as_pip_takes_them() {
        assert_eq!(version_of("lm_eval==0.4.13"), Some("0.4.13"));
        assert_eq!(version_of("/some/lm_eval"), None);
        let never = |_: &str| -> Result<PathBuf> { panic!("nothing is fetched") };
        assert!(fetch("../x", &never).unwrap_err().message.contains("found `../x`"));
        let absent = |_: &str| Err(PluginError::not_found("there is no such version"));
        assert!(fetch("0.0.0", &absent).unwrap_err().message.contains("no such version"));
    }
}
