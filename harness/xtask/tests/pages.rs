//! What the pages say of commands, code, columns and files is so.

use crate::blocks::{Block, blocks, of_page, pages};
use clap::Parser;
use examiner_test_support::build::program;
use std::path::PathBuf;
use std::process::Command;

#[test]
fn every_block_is_of_a_kind_that_is_tested() {
    let pages = pages();
    assert!(pages.len() >= 24, "only {} pages", pages.len());
    for block in pages.iter().flat_map(|(name, text)| of_page(name, text)) {
        let known = ["yaml", "sh", "rust", "python", "toml", "csv", "text"].contains(&block.language.as_str());
        assert!(known, "{}: nothing tests a block of `{}`", block.place, block.language);
    }
}

#[test]
fn every_command_can_be_typed() {
    let mut count = 0;
    for block in blocks("sh") {
        for line in block.text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
            let line = line.split_once(" #").map_or(line, |(command, _)| command).trim();
            let words: Vec<&str> = line.split_whitespace().skip_while(|word| word.contains('=')).collect();
            match words.as_slice() {
                ["cargo", "xtask", rest @ ..] => {
                    let arguments = std::iter::once("cargo xtask").chain(rest.iter().copied());
                    xtask::Arguments::try_parse_from(arguments).unwrap_or_else(|e| panic!("{}: {e}", block.place));
                }
                [name, rest @ ..] if name.rsplit('/').next() == Some("examiner") => examiner(&block, rest),
                ["cargo", "build" | "new" | "test" | "bench", ..] | ["cp" | "cd" | "export" | "git", ..] => {}
                ["python3", "-m", "pip" | "venv" | "zipfile", ..] => {}
                [pip, "install", ..] if pip.ends_with("/bin/pip") => {}
                _ => panic!("{}: no test knows the command `{line}`", block.place),
            }
            count += 1;
        }
    }
    assert!(count >= 10, "only {count} commands");
}

/// Whether the program has this command with these flags: its own help names them. Files that a command names must be
/// there, unless they are the reader's.
fn examiner(block: &Block, words: &[&str]) {
    for word in words.iter().filter(|word| word.starts_with("configs/")) {
        assert!(xtask::root().join(word).is_file(), "{}: there is no `{word}`", block.place);
    }
    let (command, rest) = words.split_first().expect("a command");
    let help = |words: &[&str]| {
        let output = Command::new(program()).args(words).arg("--help").output().unwrap();
        assert!(output.status.success(), "{}: there is no command `{}`", block.place, words.join(" "));
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let mut help_text = help(&[command]);
    // A command may have commands of its own.
    if let Some(own) = rest.first().filter(|word| !word.starts_with('-'))
        && help_text.lines().any(|line| line.trim_start().starts_with(&format!("{own} ")))
        && help_text.contains("\nCommands:")
    {
        help_text = help(&[command, own]);
    }
    for flag in rest.iter().filter(|word| word.starts_with("--")) {
        let known = help_text.split_whitespace().any(|word| word.trim_end_matches(',') == *flag);
        assert!(known, "{}: `{command}` has no flag `{flag}`", block.place);
    }
}

/// What `examiner plugins new` writes is built, and run, by the tests of the program.
const TEMPLATES: &str = "harness/examiner/src/cli/plugins/new/templates";

#[test]
fn every_rust_block_is_code_that_is_compiled() {
    let code = |path: PathBuf| std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("`{}`: {e}", path.display()));
    let templates = std::fs::read_dir(xtask::root().join(TEMPLATES)).unwrap().map(|entry| entry.unwrap().path());
    let templates = templates.map(|directory| directory.join("lib.rs")).filter(|path| path.exists());
    let compiled: Vec<String> =
        [xtask::root().join("plugins/echo/src/lib.rs")].into_iter().chain(templates).map(code).collect();
    assert!(compiled.len() >= 9, "only {} sources", compiled.len());
    let blocks = blocks("rust");
    assert!(blocks.len() >= 8, "only {} blocks", blocks.len());
    for block in blocks {
        let is_compiled = compiled.iter().any(|code| code.contains(&block.text));
        assert!(is_compiled, "{}: not a part of `plugins/echo/src/lib.rs` or of `{TEMPLATES}`", block.place);
    }
}

#[test]
fn every_python_block_is_a_part_of_an_example() {
    let files = std::fs::read_dir(xtask::root().join("python/examples")).unwrap();
    let examples: Vec<String> = files.map(|file| std::fs::read_to_string(file.unwrap().path()).unwrap()).collect();
    let blocks = blocks("python");
    assert!(!blocks.is_empty());
    for block in blocks {
        let is_there = examples.iter().any(|example| example.contains(&block.text));
        assert!(is_there, "{}: not a part of any file in `python/examples`", block.place);
    }
}

#[test]
fn the_columns_are_those_of_the_program() {
    let source = std::fs::read_to_string(xtask::root().join("harness/store/src/summary.rs")).unwrap();
    let (_, list) = source.split_once("pub const COLUMNS").expect("the columns");
    let list = list.split_once("= [").unwrap().1.split_once("];").unwrap().0;
    let columns: Vec<&str> =
        list.split(',').map(|name| name.trim().trim_matches('"')).filter(|n| !n.is_empty()).collect();
    let blocks = blocks("csv");
    assert!(!blocks.is_empty());
    for block in blocks {
        assert_eq!(block.text.trim(), columns.join(","), "{}", block.place);
    }
}

#[test]
fn every_link_within_the_repository_leads_somewhere() {
    let mut count = 0;
    for (name, text) in pages() {
        let page = xtask::root().join(&name);
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let path = link.split('#').next().unwrap_or_default();
            if path.is_empty() || path.contains("://") {
                continue;
            }
            assert!(page.parent().unwrap().join(path).exists(), "`{name}` links to `{path}`, which is not there");
            count += 1;
        }
    }
    assert!(count >= 10, "only {count} links");
}
