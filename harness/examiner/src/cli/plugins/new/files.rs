//! All files of a new plugin: those of its role, and those that every plugin has.

use super::manifest::{Source, manifest};
use super::template::Template;
use std::env::consts::{DLL_PREFIX, DLL_SUFFIX};

/// What plugins are called in templates.
const NAME: &str = "my-plugin";

/// Paths and texts.
pub(super) fn files(template: &Template, name: &str, source: &Source) -> Vec<(&'static str, String)> {
    let own = template.files.iter().map(|(path, text)| (*path, text.replace(NAME, name)));
    let shared = [
        ("Cargo.toml", manifest(template, name, source)),
        ("README.md", readme(template, name, source)),
        (".github/workflows/ci.yml", include_str!("templates/shared/ci.yml").to_owned()),
        (".gitignore", include_str!("templates/shared/gitignore").to_owned()),
    ];
    own.chain(shared).collect()
}

/// What is done with the plugin, in its directory.
pub(super) fn commands(template: &Template, name: &str) -> Vec<String> {
    let library = format!("target/debug/{DLL_PREFIX}{}{DLL_SUFFIX}", name.replace('-', "_"));
    let first = [
        "cargo build".to_owned(),
        "cargo test".to_owned(),
        format!("examiner plugins check {library} --suite suite.yaml"),
        format!("examiner plugins info {name} --plugins target/debug"),
    ];
    let own = template.commands.iter().map(|command| command.replace(NAME, name));
    let run = "examiner run suite.yaml --plugins target/debug".to_owned();
    first.into_iter().chain(own).chain([run]).collect()
}

fn readme(template: &Template, name: &str, source: &Source) -> String {
    let Template { what, about, page, .. } = template;
    let commands = commands(template, name).join("\n");
    let mut text = format!(
        "# {name}\n\n\
         A plugin of Examiner with {what}. {about}\n\n\
         ```sh\n{commands}\n```\n\n\
         - `src/lib.rs` is the plugin, with its tests. What {what} has to do, and the mistakes that give wrong numbers, are in\n  \
         `docs/plugins/{page}` of Examiner.\n\
         - `suite.yaml` is a run with it, on the data in `data`. Its results stand in `outputs/latest/summary.csv`.\n\
         - For runs that take long, build with `cargo build --release`; the library is then in `target/release`.\n\
         - `.github/workflows/ci.yml` checks format, lints and tests, with the versions of `Cargo.lock`: commit that file, too.\n"
    );
    if let Source::Checkout(path) = source {
        text.push_str(&format!(
            "- `Cargo.toml` takes Examiner's crates from its sources in `{}`, because they are not on the registry yet. Elsewhere,\n  \
             in continuous integration too, the path has to be that of a checkout there.\n",
            path.display()
        ));
    }
    text
}
