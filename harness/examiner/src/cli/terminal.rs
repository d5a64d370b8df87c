//! What all commands do with the terminal: results to stdout, messages to stderr, Ctrl-C, exit status.

use super::{EventsArguments, When};
use anyhow::{Context, Result};
use examiner_engine::progress::{Events, Talk, print_to_stderr};
use examiner_store::visible::visible;
use std::borrow::Cow;
use std::io::{IsTerminal, Write};
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Exit status of a command that was interrupted.
const INTERRUPTED: u8 = 130;

/// Decides how the program speaks, before it says anything.
///
/// # Errors
/// The file of events cannot be opened.
pub(super) fn set_up(colour: When, quiet: bool, events: &EventsArguments) -> Result<()> {
    // https://no-color.org
    let is_refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
        || std::env::var_os("TERM").is_some_and(|terminal| terminal == "dumb");
    let in_colour = |is_terminal: bool| match colour {
        When::Auto => is_terminal && !is_refused,
        When::Always => true,
        When::Never => false,
    };
    let events = match (&events.events, &events.events_to) {
        (None, _) => None,
        (Some(_), None) => Some(Events::on_standard_error()),
        (Some(_), Some(path)) => {
            let cannot = || format!("--events-to: cannot open `{}`", path.display());
            Some(Events::in_file(path).with_context(cannot)?)
        }
    };
    let colour_on_stderr = in_colour(std::io::stderr().is_terminal());
    let colour_on_stdout = in_colour(std::io::stdout().is_terminal());
    Talk { colour_on_stderr, colour_on_stdout, quiet, events }.set();
    Ok(())
}

/// Says what failed and where the results are, if there are any; the exit status says the same in short.
pub(super) fn ended(directory: Option<&Path>, failures: &[String], interrupted: bool) -> ExitCode {
    for failure in failures {
        print_to_stderr(&format!("failed: {failure}"));
    }
    let (status, word) = match (interrupted, failures.is_empty()) {
        (true, _) => (INTERRUPTED, "interrupted"),
        (false, true) => (0, "complete"),
        (false, false) => (1, "failed"),
    };
    let talk = Talk::current();
    if let Some(events) = &talk.events {
        events.finished(word, status, directory, failures);
    }
    if !talk.quiet {
        print_to_stderr(&match directory {
            Some(directory) => format!("results: `{}`", directory.join("summary.csv").display()),
            None => "no directory is left of it".to_owned(),
        });
    }
    ExitCode::from(status)
}

/// The first Ctrl-C lets the batch in hand end; the second ends the process at once. Both can be gone on from.
pub(super) fn on_interrupt(cancelled: &Arc<AtomicBool>) -> Result<()> {
    let cancelled = cancelled.clone();
    ctrlc::set_handler(move || {
        if cancelled.swap(true, Ordering::SeqCst) {
            std::process::exit(i32::from(INTERRUPTED));
        }
        print_to_stderr("stopping after what is in hand; again to stop at once");
    })
    .context("cannot listen for Ctrl-C")
}

/// Writes to stdout, without characters that a terminal obeys. That nobody reads it (`| head`) is no failure.
pub(super) fn print(text: &str) -> Result<()> {
    match std::io::stdout().write_all(painted(text).as_bytes()) {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        other => other.context("cannot write to stdout"),
    }
}

/// As [`print()`], page by page where a person reads it: through the program that `PAGER` names, `less` without it.
pub(super) fn page(text: &str) -> Result<()> {
    let pager = std::env::var("PAGER").unwrap_or_else(|_| "less".to_owned());
    if !std::io::stdout().is_terminal() || matches!(pager.trim(), "" | "cat") {
        return print(text);
    }
    let mut command = Command::new("sh");
    // It ends by itself where the text fits on the screen, shows colours, and leaves the text there.
    command.arg("-c").arg(&pager).env("LESS", std::env::var_os("LESS").unwrap_or_else(|| "FRX".into()));
    let Ok(mut child) = command.stdin(Stdio::piped()).spawn() else { return print(text) };
    if let Some(mut input) = child.stdin.take() {
        // Whoever ends the pager has read enough.
        let _ = input.write_all(painted(text).as_bytes());
    }
    match child.wait() {
        // The shell found no such program.
        Ok(status) if status.code() == Some(127) => print(text),
        waited => waited.map(drop).context("cannot wait for the pager"),
    }
}

fn painted(text: &str) -> Cow<'_, str> {
    let text = visible(text);
    if Talk::current().colour_on_stdout { highlighted(&text).into() } else { text }
}

/// What is wrong, in colour: failed cells of tables, broken rules, warnings.
fn highlighted(text: &str) -> String {
    const RED: &str = "\x1b[1;31m";
    const YELLOW: &str = "\x1b[1;33m";
    const PLAIN: &str = "\x1b[0m";
    let line = |line: &str| {
        if let Some(rest) = line.strip_prefix("warning:") {
            return format!("{YELLOW}warning:{PLAIN}{rest}");
        }
        if let Some(rest) = line.strip_prefix("BROKEN") {
            return format!("{RED}BROKEN{PLAIN}{rest}");
        }
        match line.starts_with("| ") {
            true => line.replace(" failed ", &format!(" {RED}failed{PLAIN} ")),
            false => line.to_owned(),
        }
    };
    text.split('\n').map(line).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::highlighted;

    #[test]
    fn colours_change_no_letter() {
        let text = "| a | failed |\n| b |  failed (1) |\n\nwarning: x\nBROKEN y\nall failed here\n";
        let painted = highlighted(text);
        assert_eq!(painted.matches("\x1b[1;31m").count(), 3, "{painted:?}");
        let plain = ["\x1b[1;31m", "\x1b[1;33m", "\x1b[0m"].iter().fold(painted, |text, code| text.replace(code, ""));
        assert_eq!(plain, text);
    }
}
