//! The pages, and the code blocks in them.

use std::path::PathBuf;

/// A fenced code block.
pub(crate) struct Block {
    /// The page, relative to the root, and the line of the block's fence.
    pub(crate) place: String,
    /// What stands after the fence: `yaml`, `sh`, `rust`, ...
    pub(crate) language: String,
    pub(crate) text: String,
}

/// Every page that people read: those in the root, in `docs/` and below it, and the pages about directories.
pub(crate) fn pages() -> Vec<(String, String)> {
    let root = xtask::root();
    let mut paths: Vec<PathBuf> = Vec::new();
    for directory in ["", "docs", "docs/plugins", "data", "figs", "outputs", "python/examiner-plugin"] {
        let entries = std::fs::read_dir(root.join(directory)).unwrap();
        paths.extend(
            entries.map(|entry| entry.unwrap().path()).filter(|path| path.extension().is_some_and(|e| e == "md")),
        );
    }
    paths.sort();
    let page = |path: PathBuf| {
        let name = path.strip_prefix(&root).unwrap().display().to_string();
        (name, std::fs::read_to_string(path).unwrap())
    };
    paths.into_iter().map(page).collect()
}

/// The text of one page.
pub(crate) fn page(name: &str) -> String {
    std::fs::read_to_string(xtask::root().join(name)).unwrap()
}

/// The blocks of all pages that are in this language.
pub(crate) fn blocks(language: &str) -> Vec<Block> {
    let found: Vec<Block> = pages().iter().flat_map(|(name, text)| of_page(name, text)).collect();
    found.into_iter().filter(|block| block.language == language).collect()
}

pub(crate) fn of_page(name: &str, text: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut open: Option<Block> = None;
    for (place, line) in text.lines().enumerate() {
        match (&mut open, line.strip_prefix("```")) {
            (None, Some(language)) => {
                let place = format!("{name}:{}", place + 1);
                open = Some(Block { place, language: language.to_owned(), text: String::new() });
            }
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (Some(block), None) => block.text.push_str(&format!("{line}\n")),
            (None, None) => {}
        }
    }
    assert!(open.is_none(), "a code block of `{name}` has no end");
    blocks
}
