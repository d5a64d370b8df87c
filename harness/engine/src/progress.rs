//! Progress of the work: bars on a terminal, a plain line every few seconds elsewhere. Everything goes to stderr; stdout is
//! for data.

use examiner_store::visible::visible;
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::io::{IsTerminal, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

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
}

impl Progress {
    /// Bars if stderr is a terminal, plain lines otherwise.
    pub fn on_stderr() -> Self {
        let bars = std::io::stderr().is_terminal().then(MultiProgress::new);
        Progress { bars, tasks: Arc::default() }
    }

    /// Shows nothing.
    pub fn hidden() -> Self {
        Progress { bars: Some(MultiProgress::with_draw_target(ProgressDrawTarget::hidden())), tasks: Arc::default() }
    }

    /// Writes a line above the bars.
    pub fn print(&self, line: &str) {
        print(self.bars.as_ref(), line);
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
        let state = Arc::new(Mutex::new(State { done: 0, total, note: String::new(), started: now, printed: now }));
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
        if let Some(bar) = &self.bar {
            bar.set_position(done);
        } else if state.printed.elapsed() >= PLAIN_EVERY {
            state.printed = Instant::now();
            print(None, &plain_line(&self.name, &self.unit, &state));
        }
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
        let line = format!("{}: {} {} in {}", self.name, state.done, self.unit, duration(seconds));
        print(self.bars.as_ref(), &line);
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

/// Writes a line to stderr, without characters that a terminal obeys. If stderr is a file on a full disk the line is lost; `eprintln!` would panic.
pub fn print_to_stderr(line: &str) {
    let _ = writeln!(std::io::stderr(), "{}", visible(line));
}

fn print(bars: Option<&MultiProgress>, line: &str) {
    match bars {
        // If the terminal cannot be written to, the message is lost.
        Some(bars) => drop(bars.println(visible(line))),
        None => print_to_stderr(line),
    }
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
        let state = State { done: 100, total: Some(400), note: "loss 1.2".to_owned(), started, printed: started };
        assert_eq!(plain_line("gsm8k", "samples", &state), "gsm8k: 100/400 samples, 10.0/s, 30s left, loss 1.2");
    }
}
