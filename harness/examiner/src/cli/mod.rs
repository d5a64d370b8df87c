//! The command line: what can be typed, and which part of the program does it.

mod arguments;
mod commands;
mod explain;
mod fetch;
mod gates;
mod init;
mod next_steps;
mod plan_table;
mod plugins;
mod results;
mod runs;
mod schema;
mod score;
mod search;
mod shells;
mod tasks;
mod terminal;

use arguments::*;
use clap::{Parser, Subcommand, ValueHint};
use clap_complete::Shell;
use explain::ExplainArguments;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::LazyLock;
use tasks::TasksArguments;

/// Trains language models and examines them from one YAML file.
#[derive(Debug, Parser)]
#[command(name = "examiner", version = version(), about, max_term_width = 100)]
#[command(
    after_help = "To begin: `examiner init` writes a first suite; `examiner plugins` lists what there is.\n\nExit status: 0 complete; 1 finished with failures (a line for each on stderr); 2 bad usage or \
                        suite; 130 interrupted (run the same command again to go on)."
)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    /// Look for plugins in this directory too (repeatable). They are always looked for beside the program, in `plugins`
    /// beside it, and in the directories that EXAMINER_PLUGINS lists.
    #[arg(long = "plugins", global = true, value_name = "DIR", value_hint = ValueHint::DirPath)]
    plugin_directories: Vec<PathBuf>,
    /// When colours are used: on a terminal (`auto`, unless NO_COLOR is set), always, or never.
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    color: When,
    /// Say on stderr only what is wrong: no progress, no notes.
    #[arg(long, short, global = true)]
    quiet: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Write a first suite, with comments: a model on the questions of a file. What no flag says is asked on a terminal.
    Init(InitArguments),
    /// Run a suite: teach, train, export, examine, report.
    ///
    /// A run of the same suite that is not complete goes on where it was: nothing finished is done again, and what failed
    /// is tried again.
    Run(RunArguments),
    /// Check a suite without running it: every mistake at once, with its line.
    ///
    /// Files have to be there, the first rows of each dataset have to make questions with right answers, and models, trainers and exporters
    /// have to be able to do what the suite wants. Nothing is downloaded, and no model is opened.
    Check(CheckArguments),
    /// Show the stages of a suite: what is reused and why, how many requests there are, what a dataset can show.
    Plan(RunArguments),
    /// Get all that a suite reads from the Hugging Face hub and other servers, and run nothing: for a machine without a network.
    ///
    /// Models and datasets are opened, so that exactly what they read is fetched, into the cache that Hugging Face's tools share; with
    /// `--to` it is copied to a directory, too, which the key `hub_mirror` of a suite can name.
    Fetch(fetch::FetchArguments),
    /// List the plugins, their roles and, with `--schema`, their options; with a command behind it, work with them.
    Plugins(PluginsArguments),
    /// Print the JSON Schema of suites, with the options of the plugins that are found: for completion and checks in editors.
    Schema(SchemaArguments),
    /// Look at what the program and its plugins need of this machine: what is there, what is missing, and the command
    /// that fixes it.
    Doctor,
    /// List the tasks that plugins know by name, with their groups and tags: which of them run, and why others do not.
    ///
    /// Of a name that stands for several, its members are shown, too.
    Tasks(TasksArguments),
    /// Show the results of a run.
    Report(ReportArguments),
    /// Show samples of a run as a person reads them: what was asked and answered, and how it was judged.
    Show(ShowArguments),
    /// Hold samples of a run against those that lm-evaluation-harness logged of the same task: where does each that differs first do so?
    ///
    /// The log is the file `samples_TASK_DATE.jsonl` that it writes with `--log_samples`. Samples are compared document by document: prompt,
    /// choices, log-likelihoods, answer, extraction, judgement. The exit status is 1 where something differs.
    Explain(ExplainArguments),
    /// List runs, and remove those that are not wanted any more.
    Runs(RunsArguments),
    /// Judge the answers of a run once more, by other scorers or other rules, without asking its models.
    ///
    /// The scores that are there are kept: the new ones lie in `scores/` of the run's directory, which `report`,
    /// `compare` and `plot` read like a run's.
    Score(ScoreArguments),
    /// Compare models, prompts or runs on the same samples: is the difference more than chance?
    ///
    /// Of one run, its models are compared with the model that `--baseline` names, or its datasets with the dataset: the same
    /// samples by another prompt. Of several runs, each model on each dataset is compared with the same in the first run.
    Compare(CompareArguments),
    /// Hold the results of a run against rules: least values, no drop against a stored run. The exit status is 1 where one is broken.
    Gate(GateArguments),
    /// Draw a run: results with their intervals, training curves, what the teacher yielded.
    Plot(PlotArguments),
    /// Print what completes commands and flags in a shell: `examiner completions bash > ~/.local/share/bash-completion/completions/examiner`.
    Completions {
        /// The shell.
        shell: Shell,
    },
    /// Write manual pages, one for each command, into a directory.
    Man {
        /// The directory: `~/.local/share/man/man1`, say.
        #[arg(value_hint = ValueHint::DirPath)]
        directory: PathBuf,
    },
    /// Serve one role on stdin and stdout. Not for people: the program starts its workers with it.
    #[command(hide = true)]
    Worker {
        /// The program's process id.
        program: u32,
    },
}

/// Runs the program with the arguments of the process.
pub(crate) fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let no_events = EventsArguments::default();
    let events = match &arguments.command {
        Some(Command::Run(run) | Command::Plan(run)) => &run.events,
        Some(Command::Score(score)) => &score.events,
        _ => &no_events,
    };
    if let Err(error) = terminal::set_up(arguments.color, arguments.quiet, events) {
        return status(Err(error));
    }
    let directories = arguments.plugin_directories;
    let Some(command) = arguments.command else { return status(next_steps::greet()) };
    status(match command {
        Command::Init(arguments) => init::init(arguments),
        Command::Run(run) => commands::run(run, &directories),
        Command::Check(suite) => commands::check(&suite, &directories),
        Command::Plan(run) => commands::plan(run, &directories),
        Command::Fetch(arguments) => fetch::fetch(&arguments, &directories),
        Command::Plugins(plugins) => plugins::plugins(&plugins, &directories),
        Command::Schema(arguments) => schema::schema(&arguments, &directories),
        Command::Doctor => commands::doctor(&directories),
        Command::Tasks(arguments) => tasks::tasks(&arguments, &directories),
        Command::Report(report) => results::report(&report),
        Command::Runs(arguments) => runs::runs(&arguments),
        Command::Show(show) => results::show(show),
        Command::Explain(explain) => explain::explain(explain),
        Command::Score(arguments) => score::score(arguments, &directories),
        Command::Compare(compare) => results::compare(compare),
        Command::Gate(gate) => gates::gate(&gate),
        Command::Plot(plot) => results::plot(&plot),
        Command::Completions { shell } => shells::completions(shell),
        Command::Man { directory } => shells::manual(&directory),
        Command::Worker { program } => Ok(examiner_engine::worker::main(program)),
    })
}

/// The program's version, and the interface of the plugins that it opens.
fn version() -> &'static str {
    static VERSION: LazyLock<String> = LazyLock::new(|| {
        let (version, interface) = (env!("CARGO_PKG_VERSION"), examiner_api::INTERFACE);
        format!("{version} (plugin interface {interface}, examiner-api {})", examiner_api::API_VERSION)
    });
    &VERSION
}

/// The exit status of a command; what is wrong is said.
fn status(result: anyhow::Result<ExitCode>) -> ExitCode {
    result.unwrap_or_else(|error| {
        examiner_engine::progress::print_to_stderr(&format!("error: {error:#}"));
        ExitCode::from(2)
    })
}
