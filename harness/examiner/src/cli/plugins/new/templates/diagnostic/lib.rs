//! Tells `examiner doctor` whether a program is there that a plugin starts. Put what your own plugin
//! needs in its place, and this role beside the one that needs it.

use examiner_api::serde::Deserialize;
use examiner_api::{
    Diagnostic, Finding, FindingState, Host, Open, Plugin, Result, schemars, serde,
};
use std::path::{Path, PathBuf};

/// The name by which suites ask for the role.
const NAME: &str = "my-plugin";

/// The program that is needed.
const PROGRAM: &str = "python3";

/// A diagnostic has no options: no suite is there when it looks around.
#[derive(Deserialize, schemars::JsonSchema)]
#[serde(crate = "serde", deny_unknown_fields)]
#[schemars(crate = "schemars")]
pub struct Options {}

/// The diagnostic.
pub struct Programs {
    /// The directories to look in.
    directories: Vec<PathBuf>,
}

impl Open for Programs {
    type Options = Options;

    fn open(_: Options, _host: Host) -> Result<Self> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        Ok(Programs {
            directories: std::env::split_paths(&path).collect(),
        })
    }
}

impl Diagnostic for Programs {
    // Looks, and changes nothing: no download, no file, no program that takes long.
    fn findings(&self) -> Result<Vec<Finding>> {
        let found = self
            .directories
            .iter()
            .map(|directory| directory.join(PROGRAM));
        Ok(vec![finding(
            found
                .filter(|path| path.exists())
                .collect::<Vec<_>>()
                .first(),
        )])
    }
}

/// What is said of the program: where it is, or the command that brings it.
fn finding(found: Option<&PathBuf>) -> Finding {
    let (state, detail, fix) = match found {
        Some(path) if is_file(path) => (FindingState::Ok, format!("`{}`", path.display()), None),
        // It is there, and cannot work: `examiner doctor` then has the exit status 1.
        Some(path) => {
            let detail = format!("`{}` is not a file", path.display());
            (
                FindingState::Broken,
                detail,
                Some("remove it from `PATH`".to_owned()),
            )
        }
        None => {
            let detail = format!("no `{PROGRAM}` in the directories of `PATH`");
            (
                FindingState::Absent,
                detail,
                Some(format!("apt-get install {PROGRAM}")),
            )
        }
    };
    Finding {
        subject: PROGRAM.to_owned(),
        state,
        detail,
        fix,
    }
}

fn is_file(path: &Path) -> bool {
    path.metadata().is_ok_and(|file| file.is_file())
}

/// The plugin: its name, its version and its roles.
pub fn plugin() -> Plugin {
    Plugin::new(NAME, env!("CARGO_PKG_VERSION"))
        .diagnostic::<Programs>(NAME, "Looks for the programs that the plugin starts.")
}

// Makes the library one that the program can open.
examiner_api::export_plugin!(plugin);

#[cfg(test)]
mod tests {
    use super::*;
    use examiner_api::testing::FakeHost;
    use examiner_api::{Metadata, OpenRole, RoleKind};

    #[test]
    fn what_is_absent_comes_with_the_command_that_brings_it() {
        let none = Programs {
            directories: Vec::new(),
        }
        .findings()
        .unwrap()
        .remove(0);
        assert_eq!(none.state, FindingState::Absent);
        assert_eq!(none.fix.as_deref(), Some("apt-get install python3"));
    }

    #[test]
    fn what_is_there_is_a_file() {
        let folder = std::env::temp_dir().join(format!("{NAME}-{}", std::process::id()));
        let state = || {
            let directories = vec![folder.clone()];
            Programs { directories }.findings().unwrap().remove(0).state
        };
        std::fs::create_dir_all(folder.join(PROGRAM)).unwrap();
        assert_eq!(state(), FindingState::Broken);
        std::fs::remove_dir(folder.join(PROGRAM)).unwrap();
        std::fs::write(folder.join(PROGRAM), "").unwrap();
        assert_eq!(state(), FindingState::Ok);
        std::fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn it_opens_without_options() {
        let (kind, host) = (RoleKind::Diagnostic, FakeHost::new().host());
        let opened = plugin().open(kind, NAME, Metadata::new(), host).unwrap();
        let OpenRole::Diagnostic(diagnostic) = opened else {
            panic!("another role was opened")
        };
        assert_eq!(diagnostic.findings().unwrap().len(), 1);
    }
}
