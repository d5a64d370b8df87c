//! The files that a role's options name, where their content decides what the role makes.

use super::content;
use crate::host::Shared;
use crate::paths;
use examiner_api::{PluginError, Result, RoleKind};
use examiner_suite::Options;
use std::path::{Path, PathBuf};

/// The input of a product by which another content of those files is noticed; none where the role's schema marks no option so.
pub(super) fn input(
    shared: &Shared,
    kind: RoleKind,
    role: &str,
    options: &Options,
) -> Result<Option<(String, String)>> {
    let (_, info) = shared.roles.plugins.find(kind, role)?;
    let mut files = Vec::new();
    for path in paths::of_identity(&info.options, &shared.roles.filled(options)?) {
        add(&path, &mut files)?;
    }
    let contents = files.iter().map(|path| content(path)).collect::<Result<Vec<_>>>()?;
    Ok((!contents.is_empty()).then(|| ("files of options".to_owned(), contents.join(" "))))
}

/// Adds a file, or all below a directory, in order. What Python compiles is left out.
fn add(path: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    if path.is_file() {
        files.push(path.to_owned());
        return Ok(());
    }
    let failed = |error: std::io::Error| PluginError::io("read", path, &error);
    let mut entries = std::fs::read_dir(path).map_err(failed)?.collect::<Result<Vec<_>, _>>().map_err(failed)?;
    entries.sort_by_key(std::fs::DirEntry::file_name);
    entries.iter().filter(|entry| entry.file_name() != "__pycache__").try_for_each(|entry| add(&entry.path(), files))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_is_all_the_files_below_it() {
        let folder = tempfile::tempdir().unwrap();
        for directory in ["b", "b/__pycache__"] {
            std::fs::create_dir(folder.path().join(directory)).unwrap();
        }
        for file in ["c", "a", "b/one", "b/__pycache__/one.pyc"] {
            std::fs::write(folder.path().join(file), file).unwrap();
        }
        let mut files = Vec::new();
        add(folder.path(), &mut files).unwrap();
        assert_eq!(files, ["a", "b/one", "c"].map(|name| folder.path().join(name)));
        assert!(add(&folder.path().join("none"), &mut files).is_err());
    }
}
