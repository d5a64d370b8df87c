//! Progress of the work: bars on a terminal, a plain line every few seconds elsewhere. Everything goes to stderr; stdout is
//! for data.

mod events;
mod talk;

pub use events::Events;
pub use talk::{Talk, print_to_stderr};

use examiner_store::visible::visible;
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use parking_lot::Mutex;
use serde_json::json;
use std::collections::HashMap;
use std::io::{IsTerminal, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};
use talk::{Importance, say_through};

/// How often a plain line is written.
const PLAIN_EVERY: Duration = Duration::from_secs(10);

/// Where progress is shown. Clones share the same bars.
#[derive(Clone)]
pub struct Progress {
    bars: Option<MultiProgress>,
    tasks: Arc<Mutex<HashMap<String, Task>>>,
}

/// One task that is running.
#[derive(Clone)]
pub struct Task {
    name: String,
    unit: String,
    bars: Option<MultiProgress>,
    bar: Option<ProgressBar>,
    state: Arc<Mutex<State>>,
}

struct State {
    done: u64,
    total: Option<u64>,
    note: String,
    started: Instant,
    printed: Instant,
    /// When it was last reported to programs; none if never.
    reported: Option<Instant>,
}

impl Progress {
    /// Bars if stderr is a terminal, plain lines otherwise; neither if it is to be quiet, or for programs.
    pub fn on_stderr() -> Self {
        let talk = Talk::current();
        let has_bars = std::io::stderr().is_terminal() && !talk.quiet && talk.is_for_people();
        let bars = has_bars.then(MultiProgress::new);
        Progress { bars, tasks: Arc::default() }
    }

    /// Shows nothing.
    pub fn hidden() -> Self {
        Progress { bars: Some(MultiProgress::with_draw_target(ProgressDrawTarget::hidden())), tasks: Arc::default() }
    }

    /// Writes a line above the bars. It is a note, unless its first word says otherwise: `warning: `.
    pub fn print(&self, line: &str) {
        print(self.bars.as_ref(), line, Importance::Note);
    }

    /// Writes a line that people should know of, whatever it begins with.
    pub fn warn(&self, line: &str) {
        print(self.bars.as_ref(), line, Importance::Warning);
    }

    /// Starts a task. `total` may become known later.
    pub fn task(&self, name: &str, total: Option<u64>, unit: &str) -> Task {
        let bar = self.bars.as_ref().map(|bars| {
            let bar = bars.add(ProgressBar::no_length());
            if let Some(total) = total {
                bar.set_length(total);
            }
            bar.set_style(style(total.is_some(), unit));
            bar.set_message(name.to_owned());
            bar.enable_steady_tick(Duration::from_millis(200));
            bar
        });
        let now = Instant::now();
        let state = State { done: 0, total, note: String::new(), started: now, printed: now, reported: None };
        let state = Arc::new(Mutex::new(state));
        if let Some(events) = &Talk::current().events {
            events.send("task-started", json!({ "task": name, "total": total, "unit": unit }));
        }
        Task { name: name.to_owned(), unit: unit.to_owned(), bars: self.bars.clone(), bar, state }
    }

    /// Shows what a plugin reports of a task of its own. The task ends when all of its units are done.
    pub fn report(&self, owner: &str, report: &examiner_api::Progress) {
        let name = visible(&format!("{owner}: {}", report.task)).into_owned();
        let mut tasks = self.tasks.lock();
        let task = tasks.entry(name.clone()).or_insert_with(|| self.task(&name, report.total, &report.unit));
        task.set(report.done);
        if report.total.is_some_and(|total| report.done >= total) {
            task.finish();
            tasks.remove(&name);
        }
    }
}

impl Task {
    /// Adds `more` units to those that are done.
    pub fn add(&self, more: u64) {
        let done = self.state.lock().done + more;
        self.set(done);
    }

    /// Sets the number of units that are done.
    pub fn set(&self, done: u64) {
        let mut state = self.state.lock();
        state.done = done;
        self.report(&mut state);
        if let Some(bar) = &self.bar {
            bar.set_position(done);
        } else if state.printed.elapsed() >= PLAIN_EVERY {
            state.printed = Instant::now();
            print(None, &plain_line(&self.name, &self.unit, &state), Importance::Progress);
        }
    }

    /// Tells programs how far it is, now and then.
    fn report(&self, state: &mut State) {
        let Some(events) = &Talk::current().events else { return };
        if state.reported.is_some_and(|reported| reported.elapsed() < events::EVERY) {
            return;
        }
        state.reported = Some(Instant::now());
        let State { done, total, note, .. } = &*state;
        events.send(
            "progress",
            json!({ "task": self.name, "done": done, "total": total, "unit": self.unit, "note": note }),
        );
    }

    /// Sets a text that is shown beside the numbers: the loss of a training, for example.
    pub fn note(&self, note: &str) {
        let note = visible(note);
        self.state.lock().note = note.clone().into_owned();
        if let Some(bar) = &self.bar {
            bar.set_prefix(note.into_owned());
        }
    }

    /// Sets the total once it is known.
    pub fn set_total(&self, total: u64) {
        self.state.lock().total = Some(total);
        if let Some(bar) = &self.bar {
            bar.set_length(total);
            bar.set_style(style(true, &self.unit));
        }
    }

    /// Removes the bar without a line: the task is started again.
    pub fn dismiss(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }

    /// Removes the bar, and prints a line with what was done.
    pub fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        let state = self.state.lock();
        let seconds = state.started.elapsed().as_secs_f64();
        if let Some(events) = &Talk::current().events {
            let fields = json!({ "task": self.name, "done": state.done, "unit": self.unit, "seconds": seconds });
            events.send("task-finished", fields);
        }
        let line = format!("{}: {} {} in {}", self.name, state.done, self.unit, duration(seconds));
        print(self.bars.as_ref(), &line, Importance::Progress);
    }
}

fn style(bounded: bool, unit: &str) -> ProgressStyle {
    let template = match bounded {
        true => format!("{{msg}} {{wide_bar}} {{pos}}/{{len}} {unit} {{per_sec}} {{eta}} left {{prefix}}"),
        false => format!("{{msg}} {{spinner}} {{pos}} {unit} {{per_sec}} {{prefix}}"),
    };
    ProgressStyle::with_template(&template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

fn plain_line(name: &str, unit: &str, state: &State) -> String {
    let seconds = state.started.elapsed().as_secs_f64();
    let rate = state.done as f64 / seconds.max(1e-9);
    let of = state.total.map(|total| format!("/{total}")).unwrap_or_default();
    let left = match state.total {
        Some(total) if rate > 0.0 => format!(", {} left", duration(total.saturating_sub(state.done) as f64 / rate)),
        _ => String::new(),
    };
    let note = if state.note.is_empty() { String::new() } else { format!(", {}", state.note) };
    format!("{name}: {}{of} {unit}, {rate:.1}/s{left}{note}", state.done)
}

/// Seconds as text: `0.4s`, `12s`, `3:05`, `1:02:03`.
pub fn duration(seconds: f64) -> String {
    if seconds < 10.0 {
        return format!("{seconds:.1}s");
    }
    let whole = seconds.round() as u64;
    match (whole / 3600, whole / 60 % 60, whole % 60) {
        (0, 0, seconds) => format!("{seconds}s"),
        (0, minutes, seconds) => format!("{minutes}:{seconds:02}"),
        (hours, minutes, seconds) => format!("{hours}:{minutes:02}:{seconds:02}"),
    }
}

/// Writes a line above the bars, if there are any.
fn print(bars: Option<&MultiProgress>, line: &str, least: Importance) {
    say_through(line, least, &mut |line| match bars {
        // If the terminal cannot be written to, the message is lost.
        Some(bars) => drop(bars.println(line)),
        None => drop(writeln!(std::io::stderr(), "{line}")),
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_formatted_by_size() {
        for (seconds, text) in [(0.44, "0.4s"), (12.4, "12s"), (185.0, "3:05"), (3723.0, "1:02:03")] {
            assert_eq!(duration(seconds), text);
        }
    }

    #[test]
    fn plain_lines_show_rate_and_time_left() {
        let started = Instant::now() - Duration::from_secs(10);
        let note = "loss 1.2".to_owned();
        let state = State { done: 100, total: Some(400), note, started, printed: started, reported: None };
        assert_eq!(plain_line("gsm8k", "samples", &state), "gsm8k: 100/400 samples, 10.0/s, 30s left, loss 1.2");
    }
}
