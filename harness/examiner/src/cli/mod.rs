//! The command line: what can be typed, and which part of the program does it.

mod commands;
mod plan_table;
mod results;
mod runs;
mod score;
mod search;
mod shells;
mod terminal;

use clap::{Parser, Subcommand, ValueHint};
use clap_complete::Shell;
use std::path::PathBuf;
use std::process::ExitCode;

/// Trains language models and examines them from one YAML file.
#[derive(Debug, Parser)]
#[command(name = "examiner", version, about, max_term_width = 100)]
#[command(
    after_help = "To begin: `examiner run configs/first-look.yaml`; `examiner plugins` lists what there is.\n\nExit status: 0 complete; 1 finished with failures (a line for each on stderr); 2 bad usage or \
                        suite; 130 interrupted (run the same command again to go on)."
)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
    /// Look for plugins in this directory too (repeatable). They are always looked for beside the program, in `plugins`
    /// beside it, and in the directories that EXAMINER_PLUGINS lists.
    #[arg(long = "plugins", global = true, value_name = "DIR", value_hint = ValueHint::DirPath)]
    plugin_directories: Vec<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run a suite: teach, train, export, examine, report.
    ///
    /// A run of the same suite that is not complete goes on where it was: nothing finished is done again, and what failed
    /// is tried again.
    Run(RunArguments),
    /// Check a suite without running it: every mistake at once, with its line.
    Check(SuiteArguments),
    /// Show the stages of a suite: what is reused and why, how many requests there are, what a dataset can show.
    Plan(RunArguments),
    /// List the plugins, their roles and, with `--schema`, their options.
    Plugins(PluginsArguments),
    /// Look at what the program and its plugins need of this machine: what is there, what is missing, and the command
    /// that fixes it.
    Doctor,
    /// Show the results of a run.
    Report(ReportArguments),
    /// Show samples of a run as a person reads them: what was asked and answered, and how it was judged.
    Show(ShowArguments),
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

#[derive(Debug, clap::Args)]
struct SuiteArguments {
    /// The suite, a YAML file, or `-` for standard input.
    #[arg(value_hint = ValueHint::FilePath)]
    suite: PathBuf,
    /// Change a field of the suite, or a variable of its `vars` (repeatable): `--set datasets.gsm8k.shots=8`.
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
}

#[derive(Debug, clap::Args)]
struct RunArguments {
    #[command(flatten)]
    suite: SuiteArguments,
    /// Ask at most this many questions of each dataset: for a first look.
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = clap::value_parser!(u64).range(1..))]
    limit: Option<u64>,
    /// Run only stages that begin with, or have as one of their parts, this name (repeatable): `--only gsm8k`,
    /// `--only evaluate/student`.
    #[arg(long, value_name = "STAGE")]
    only: Vec<String>,
    /// Use this directory for the run, and whatever of an earlier run in it still holds.
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    out: Option<PathBuf>,
    /// Start from the beginning, even if an unfinished run of this suite could go on. An earlier run in `--out` gets another
    /// name.
    #[arg(long)]
    fresh: bool,
    /// Let a run in `--out` that is of another suite, or has more results, be replaced.
    #[arg(long, requires = "out", conflicts_with = "fresh")]
    replace: bool,
}

#[derive(Debug, clap::Args)]
struct PluginsArguments {
    /// Print the JSON Schema of the options of every role of this name.
    #[arg(long, value_name = "ROLE")]
    schema: Option<String>,
}

#[derive(Debug, clap::Args)]
struct ReportArguments {
    /// The run's directory.
    #[arg(default_value = "outputs/latest", value_hint = ValueHint::DirPath)]
    run: PathBuf,
    /// Print OpenCompass's layout as CSV: `dataset,version,metric,mode,<model>...`.
    #[arg(long)]
    wide: bool,
    /// Print `summary.csv` itself.
    #[arg(long, conflicts_with = "wide")]
    csv: bool,
    /// With `'` before cells of the CSV that a spreadsheet would take for formulas.
    #[arg(long, requires = "csv")]
    spreadsheet: bool,
}

#[derive(Debug, clap::Args)]
struct ShowArguments {
    /// The run's directory.
    #[arg(default_value = "outputs/latest", value_hint = ValueHint::DirPath)]
    run: PathBuf,
    /// Only answers of this model.
    #[arg(long, value_name = "MODEL")]
    model: Option<String>,
    /// Only samples of this dataset.
    #[arg(long, value_name = "DATASET")]
    dataset: Option<String>,
    /// Only the sample with this id (repeatable).
    #[arg(long, value_name = "ID")]
    id: Vec<String>,
    /// Only samples of which a metric is 0.
    #[arg(long)]
    wrong: bool,
    /// Only samples in whose answer none was found.
    #[arg(long)]
    unanswered: bool,
    /// Only samples without an answer or a verdict.
    #[arg(long)]
    errors: bool,
    /// Only samples of which the model read the end alone.
    #[arg(long)]
    truncated: bool,
    /// Only samples that the run in this directory judged otherwise.
    #[arg(long, value_name = "RUN", value_hint = ValueHint::DirPath)]
    flips: Option<PathBuf>,
    /// Show at most this many.
    #[arg(long, value_name = "N", default_value = "10", value_parser = clap::value_parser!(u64).range(1..))]
    limit: u64,
    /// Print the lines of `samples/` as they are.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
struct RunsArguments {
    /// The directory of runs.
    #[arg(long, value_name = "DIR", default_value = "outputs", global = true, value_hint = ValueHint::DirPath)]
    outputs: PathBuf,
    #[command(subcommand)]
    command: Option<RunsCommand>,
}

#[derive(Debug, Subcommand)]
enum RunsCommand {
    /// Remove runs. One that is going on is not.
    #[command(name = "rm")]
    Remove {
        /// Their names.
        #[arg(required = true)]
        runs: Vec<String>,
    },
    /// Remove all but the newest runs of each suite.
    Prune {
        /// How many stay.
        #[arg(long, value_name = "N")]
        keep: usize,
        /// Only runs of this suite.
        #[arg(long, value_name = "SUITE")]
        suite: Option<String>,
    },
}

#[derive(Debug, clap::Args)]
struct ScoreArguments {
    /// The run's directory.
    #[arg(default_value = "outputs/latest", value_hint = ValueHint::DirPath)]
    run: PathBuf,
    /// Take the scorers from this suite instead of the run's own `suite.yaml`.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    suite: Option<PathBuf>,
    /// Change a field of the suite (repeatable), after the changes that the run was made with:
    /// `--set datasets.gsm8k.scorer=answer-extraction`.
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Judge everything by this scorer (repeatable), whatever the suite says: a name, or YAML with options,
    /// `--scorer "{ name: answer-extraction, extract: last-number }"`.
    #[arg(long, value_name = "SCORER")]
    scorer: Vec<String>,
    /// Judge only stages that begin with, or have as one of their parts, this name (repeatable): `--only gsm8k`.
    #[arg(long, value_name = "STAGE")]
    only: Vec<String>,
    /// What the new scores are called; the time, if not given.
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
}

#[derive(Debug, clap::Args)]
struct CompareArguments {
    /// The run's directory, or those of several runs.
    #[arg(default_value = "outputs/latest", value_name = "RUN", value_hint = ValueHint::DirPath)]
    runs: Vec<PathBuf>,
    /// The model, or the dataset, that all others of the run are compared with.
    #[arg(long, value_name = "NAME")]
    baseline: Option<String>,
    /// Compare by this metric (repeatable), `all` for every one; without it, by the first of each dataset and scorer.
    #[arg(long, value_name = "METRIC")]
    metric: Vec<String>,
    /// Compare on the parts of datasets, too. More comparisons make each harder to pass.
    #[arg(long)]
    subsets: bool,
    /// Print CSV.
    #[arg(long)]
    csv: bool,
    /// With `'` before cells of the CSV that a spreadsheet would take for formulas.
    #[arg(long, requires = "csv")]
    spreadsheet: bool,
}

#[derive(Debug, clap::Args)]
struct GateArguments {
    /// The run's directory.
    #[arg(default_value = "outputs/latest", value_hint = ValueHint::DirPath)]
    run: PathBuf,
    /// The rules, a YAML file.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    policy: PathBuf,
}

#[derive(Debug, clap::Args)]
struct PlotArguments {
    /// The run's directory.
    #[arg(default_value = "outputs/latest", value_hint = ValueHint::DirPath)]
    run: PathBuf,
    /// The picture of the results; the others stand beside it, with `-training` and `-yield` in their names. Each is
    /// drawn as `.svg` and as `.png`.
    #[arg(long, value_name = "FILE", default_value = "figs/result.svg", value_hint = ValueHint::FilePath)]
    out: PathBuf,
    /// Draw this metric (repeatable), `all` for every one; without it, the first of each dataset and scorer.
    #[arg(long, value_name = "METRIC")]
    metric: Vec<String>,
}

/// Runs the program with the arguments of the process.
pub(crate) fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let directories = arguments.plugin_directories;
    let result = match arguments.command {
        Command::Run(run) => commands::run(run, &directories),
        Command::Check(suite) => commands::check(&suite, &directories),
        Command::Plan(run) => commands::plan(run, &directories),
        Command::Plugins(plugins) => commands::plugins(&plugins, &directories),
        Command::Doctor => commands::doctor(&directories),
        Command::Report(report) => results::report(&report),
        Command::Runs(arguments) => runs::runs(&arguments),
        Command::Show(show) => results::show(show),
        Command::Score(arguments) => score::score(arguments, &directories),
        Command::Compare(compare) => results::compare(compare),
        Command::Gate(gate) => results::gate(&gate),
        Command::Plot(plot) => results::plot(&plot),
        Command::Completions { shell } => shells::completions(shell),
        Command::Man { directory } => shells::manual(&directory),
        Command::Worker { program } => Ok(examiner_engine::worker::main(program)),
    };
    result.unwrap_or_else(|error| {
        examiner_engine::progress::print_to_stderr(&format!("error: {error:#}"));
        ExitCode::from(2)
    })
}
