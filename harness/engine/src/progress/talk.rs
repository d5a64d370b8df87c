//! What the program says on stderr, and how: for people, with colour where a terminal has it, or as JSON lines for programs.

use super::events::Events;
use examiner_store::visible::visible;
use std::io::Write;
use std::sync::OnceLock;

/// How the program speaks.
#[derive(Default)]
pub struct Talk {
    /// Whether stderr shows colours.
    pub colour_on_stderr: bool,
    /// Whether stdout shows colours.
    pub colour_on_stdout: bool,
    /// Whether only what is wrong is said.
    pub quiet: bool,
    /// Where programs read what happens.
    pub events: Option<Events>,
}

static TALK: OnceLock<Talk> = OnceLock::new();

impl Talk {
    /// Speaks so from now on. Only the first call counts, before anything was said.
    pub fn set(self) {
        // A second one would contradict what was said by the first.
        let _ = TALK.set(self);
    }

    /// How the program speaks now.
    pub fn current() -> &'static Talk {
        TALK.get_or_init(Talk::default)
    }

    /// Whether people read stderr: otherwise every line there is an event.
    pub(super) fn is_for_people(&self) -> bool {
        self.events.as_ref().is_none_or(|events| !events.on_stderr())
    }
}

/// How much a line matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Importance {
    /// How far a task is. Programs get events of their own for it.
    Progress,
    /// What the program does.
    Note,
    /// What people should know when they read the results.
    Warning,
    /// What is wrong.
    Error,
}

impl Importance {
    /// As the beginning of the line says.
    fn of(line: &str) -> Self {
        match line.split_once(": ").map(|(word, _)| word) {
            Some("error" | "failed") => Importance::Error,
            Some("warning" | "deprecated") => Importance::Warning,
            _ => Importance::Note,
        }
    }

    fn word(self) -> &'static str {
        match self {
            Importance::Progress | Importance::Note => "note",
            Importance::Warning => "warning",
            Importance::Error => "error",
        }
    }

    /// The escape sequence of its colour, where it has one.
    fn colour(self) -> Option<&'static str> {
        match self {
            Importance::Progress | Importance::Note => None,
            Importance::Warning => Some("\x1b[1;33m"),
            Importance::Error => Some("\x1b[1;31m"),
        }
    }
}

/// Says a line on stderr, without characters that a terminal obeys. If stderr is a file on a full disk the line is lost; `eprintln!` would
/// panic.
pub fn print_to_stderr(line: &str) {
    say(line, Importance::of(line), &mut |text| drop(writeln!(std::io::stderr(), "{text}")));
}

/// As [`print_to_stderr`], through `print`, which knows what else stands on the terminal. A note is not said to whom wants it quiet.
pub(super) fn say_through(line: &str, least: Importance, print: &mut dyn FnMut(&str)) {
    let importance = match Importance::of(line) {
        Importance::Note => least,
        said => said,
    };
    let talk = Talk::current();
    let is_wanted = !talk.quiet || matches!(importance, Importance::Warning | Importance::Error);
    say(line, importance, &mut |line| {
        if is_wanted {
            print(line);
        }
    });
}

fn say(line: &str, importance: Importance, print: &mut dyn FnMut(&str)) {
    let talk = Talk::current();
    if let Some(events) = talk.events.as_ref().filter(|_| importance != Importance::Progress) {
        events.message(importance.word(), line);
    }
    if talk.is_for_people() {
        print(&painted(&visible(line), importance, talk.colour_on_stderr));
    }
}

/// The line, its first word in colour if it is a warning or an error.
fn painted(line: &str, importance: Importance, in_colour: bool) -> String {
    match (importance.colour().filter(|_| in_colour), line.split_once(": ")) {
        (Some(colour), Some((word, rest))) => format!("{colour}{word}:\x1b[0m {rest}"),
        _ => line.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_stands_out() {
        let painted = |line: &str, in_colour| painted(line, Importance::of(line), in_colour);
        assert_eq!(painted("error: no such file: `x`", true), "\x1b[1;31merror:\x1b[0m no such file: `x`");
        assert_eq!(painted("warning: `x`", true), "\x1b[1;33mwarning:\x1b[0m `x`");
        assert_eq!(painted("error: no such file", false), "error: no such file");
        assert_eq!(painted("running in `error: x`", true), "running in `error: x`");
    }
}
