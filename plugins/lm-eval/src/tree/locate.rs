//! Where the tasks of lm-evaluation-harness are on this machine.

use super::wheel;
use examiner_api::{PluginError, Result};
use std::path::{Path, PathBuf};

/// The variable that names the directory of tasks where no option does.
pub const TASKS_VARIABLE: &str = "LM_EVAL_TASKS";

/// Where tasks lie in the package.
const IN_PACKAGE: &str = "lm_eval/tasks";

/// The directory of tasks: the one that is named, by an option or by [`TASKS_VARIABLE`], else that of an installed `lm_eval`.
/// A directory that contains `lm_eval/tasks` stands for what is in there.
///
/// # Errors
/// The named directory does not exist, or none is named and no `lm_eval` is installed.
pub fn locate(named: Option<&Path>) -> Result<PathBuf> {
    let variable = std::env::var_os(TASKS_VARIABLE).filter(|value| !value.is_empty()).map(PathBuf::from);
    match named.map(Path::to_owned).or(variable) {
        Some(named) => tasks_of(&named),
        None => installed(&site_directories(|name| std::env::var_os(name).map(PathBuf::from))),
    }
}

/// As [`locate`]; a name such as `lm_eval==0.4.13` is that version, whose wheel is got by `fetch` from the Python Package Index.
///
/// # Errors
/// As [`locate`], and what fails of a download.
pub fn locate_or_fetch(named: Option<&str>, fetch: &dyn Fn(&str) -> Result<PathBuf>) -> Result<PathBuf> {
    match named.map(|named| (named, wheel::version_of(named))) {
        Some((_, Some(version))) => tasks_of(&wheel::fetch(version, fetch)?),
        Some((named, None)) => locate(Some(Path::new(named))),
        None => locate(None),
    }
}

/// The directory of tasks of the `lm_eval` that is installed for a Python, told by where its program lies; none where that says nothing,
/// or where [`TASKS_VARIABLE`] names a directory.
pub(crate) fn of_python(program: &Path) -> Option<PathBuf> {
    if std::env::var_os(TASKS_VARIABLE).is_some_and(|value| !value.is_empty()) {
        return None;
    }
    installed(&sites_below(program.parent()?.parent()?)).ok()
}

fn tasks_of(named: &Path) -> Result<PathBuf> {
    let inside = named.join(IN_PACKAGE);
    if inside.is_dir() {
        Ok(inside)
    } else if named.is_dir() {
        Ok(named.to_owned())
    } else {
        Err(PluginError::not_found(format!("expected a directory of tasks, found nothing at `{}`", named.display()))
            .with_help("name the directory `lm_eval/tasks` of lm-evaluation-harness, or the one that `lm_eval` is in"))
    }
}

fn installed(sites: &[PathBuf]) -> Result<PathBuf> {
    let tasks = sites.iter().map(|site| site.join(IN_PACKAGE));
    tasks.into_iter().find(|tasks| tasks.is_dir()).ok_or_else(|| {
        let help = format!("install it by `pip install lm_eval`, or name a directory by `tasks_dir` or by the variable `{TASKS_VARIABLE}`");
        PluginError::not_found("expected the tasks of lm-evaluation-harness, found no installed package `lm_eval`")
            .with_help(help)
    })
}

/// Where Python's packages are, as far as that can be told without running Python: those of an active environment first, then
/// those of the `python3` that a shell would start, of the user, and of the system.
fn site_directories(variable: impl Fn(&str) -> Option<PathBuf>) -> Vec<PathBuf> {
    let mut prefixes: Vec<PathBuf> = ["VIRTUAL_ENV", "CONDA_PREFIX"].iter().filter_map(|name| variable(name)).collect();
    let path = variable("PATH").unwrap_or_default();
    let python = std::env::split_paths(&path).find(|directory| directory.join("python3").is_file());
    prefixes.extend(python.as_deref().and_then(Path::parent).map(Path::to_owned));
    prefixes.extend(variable("HOME").map(|home| home.join(".local")));
    prefixes.extend(["/usr/local", "/usr"].map(PathBuf::from));
    prefixes.iter().flat_map(|prefix| sites_below(prefix)).collect()
}

/// `lib/python3.12/site-packages` and its like below a prefix, those of the newest Python first.
fn sites_below(prefix: &Path) -> Vec<PathBuf> {
    let mut versions = Vec::new();
    for entry in std::fs::read_dir(prefix.join("lib")).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let Some(version) = name.to_str().and_then(|name| name.strip_prefix("python3")) else { continue };
        let minor: Option<u32> = version.strip_prefix('.').and_then(|minor| minor.parse().ok());
        versions.push((minor, entry.path()));
    }
    versions.sort_unstable_by(|one, other| other.cmp(one));
    versions.iter().flat_map(|(_, path)| ["site-packages", "dist-packages"].map(|name| path.join(name))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_stands_for_the_tasks_in_it() {
        let outside = tempfile::tempdir().unwrap();
        let tasks = outside.path().join(IN_PACKAGE);
        std::fs::create_dir_all(&tasks).unwrap();
        assert_eq!(locate(Some(outside.path())).unwrap(), tasks);
        assert_eq!(locate(Some(&tasks)).unwrap(), tasks);
        let error = locate(Some(&outside.path().join("absent"))).unwrap_err();
        assert!(error.message.contains("absent"), "{error}");
    }

    #[test]
    fn an_active_environment_comes_before_the_python_of_the_path_and_newer_before_older() {
        let root = tempfile::tempdir().unwrap();
        let site =
            |prefix: &str, version: &str| root.path().join(prefix).join("lib").join(version).join("site-packages");
        for (prefix, version) in [("active", "python3.9"), ("active", "python3.12"), ("found", "python3.11")] {
            std::fs::create_dir_all(site(prefix, version)).unwrap();
        }
        let bin = root.path().join("found/bin");
        std::fs::create_dir_all(&bin).unwrap();
        std::fs::write(bin.join("python3"), "").unwrap();
        let variable = |name: &str| match name {
            "VIRTUAL_ENV" => Some(root.path().join("active")),
            "PATH" => Some(bin.clone()),
            _ => None,
        };
        let sites = site_directories(variable);
        let at = |wanted: PathBuf| sites.iter().position(|site| *site == wanted).unwrap();
        assert!(at(site("active", "python3.12")) < at(site("active", "python3.9")));
        assert!(at(site("active", "python3.9")) < at(site("found", "python3.11")));
        let tasks = site("found", "python3.11").join(IN_PACKAGE);
        std::fs::create_dir_all(&tasks).unwrap();
        assert_eq!(installed(&sites).unwrap(), tasks);
        if std::env::var_os(TASKS_VARIABLE).is_none() {
            assert_eq!(of_python(&root.path().join("found/bin/python")), Some(tasks));
            assert_eq!(of_python(&root.path().join("active/bin/python")), None);
            assert_eq!(of_python(Path::new("python3")), None);
        }
        assert!(installed(&[root.path().to_owned()]).unwrap_err().to_string().contains("pip install lm_eval"));
    }
}
