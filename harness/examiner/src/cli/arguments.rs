//! What can be typed behind each command.

use clap::{Subcommand, ValueHint};
use std::path::PathBuf;

/// When something is done that depends on the terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum When {
    Auto,
    Always,
    Never,
}

/// What programs are told of a command that takes long.
#[derive(Debug, Default, clap::Args)]
pub(super) struct EventsArguments {
    /// Report progress, messages and the end as JSON lines, in place of the text on stderr: for programs.
    #[arg(long, value_name = "FORMAT")]
    pub(super) events: Option<EventsFormat>,
    /// Append the events to this file, and leave stderr to people.
    #[arg(long, value_name = "FILE", requires = "events", value_hint = ValueHint::FilePath)]
    pub(super) events_to: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum EventsFormat {
    /// A JSON object a line.
    Json,
}

#[derive(Debug, clap::Args)]
pub(super) struct SuiteArguments {
    /// The suite, a YAML file, or `-` for standard input.
    #[arg(value_hint = ValueHint::FilePath)]
    pub(super) suite: Option<PathBuf>,
    /// Change a field of the suite, or a variable of its `vars` (repeatable): `--set datasets.gsm8k.shots=8`.
    #[arg(long, value_name = "KEY=VALUE")]
    pub(super) set: Vec<String>,
}

#[derive(Debug, clap::Args)]
pub(super) struct CheckArguments {
    #[command(flatten)]
    pub(super) suite: SuiteArguments,
    /// Look at the suite alone, and at no file that it names: on a machine without them, say.
    #[arg(long)]
    pub(super) quick: bool,
}

#[derive(Debug, clap::Args)]
pub(super) struct InitArguments {
    /// The suite to write.
    #[arg(default_value = "suite.yaml", value_hint = ValueHint::FilePath)]
    pub(super) suite: PathBuf,
    /// The model: a directory, a `.gguf` file or `hf://ORG/NAME`; with `--base-url` its name on the server; or `echo`, which
    /// needs nothing.
    #[arg(long, value_name = "MODEL", value_hint = ValueHint::AnyPath)]
    pub(super) model: Option<String>,
    /// An OpenAI-compatible server that has the model: `http://localhost:8000/v1`.
    #[arg(long, value_name = "URL")]
    pub(super) base_url: Option<String>,
    /// The questions: a file of rows in CSV, TSV, JSON, JSON lines or Parquet.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(super) data: Option<PathBuf>,
    /// The column of the question.
    #[arg(long, value_name = "COLUMN")]
    pub(super) prompt: Option<String>,
    /// The columns of the choices, `A,B,C,D`, or the one that holds a list; `none` for free answers.
    #[arg(long, value_name = "COLUMNS")]
    pub(super) choices: Option<String>,
    /// The column of the right answer.
    #[arg(long, value_name = "COLUMN")]
    pub(super) gold: Option<String>,
    /// Replace a suite that is there.
    #[arg(long)]
    pub(super) force: bool,
}

#[derive(Debug, clap::Args)]
pub(super) struct RunArguments {
    #[command(flatten)]
    pub(super) suite: SuiteArguments,
    /// Ask at most this many questions of each dataset: for a first look.
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = clap::value_parser!(u64).range(1..))]
    pub(super) limit: Option<u64>,
    /// Run only stages that begin with, or have as one of their parts, this name (repeatable): `--only gsm8k`,
    /// `--only evaluate/student`.
    #[arg(long, value_name = "STAGE")]
    pub(super) only: Vec<String>,
    /// Use this directory for the run, and whatever of an earlier run in it still holds.
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(super) out: Option<PathBuf>,
    /// Start from the beginning, even if an unfinished run of this suite could go on. An earlier run in `--out` gets another
    /// name.
    #[arg(long)]
    pub(super) fresh: bool,
    /// Let a run in `--out` that is of another suite, or has more results, be replaced.
    #[arg(long, requires = "out", conflicts_with = "fresh")]
    pub(super) replace: bool,
    #[command(flatten)]
    pub(super) events: EventsArguments,
}

#[derive(Debug, clap::Args)]
pub(super) struct PluginsArguments {
    #[command(subcommand)]
    pub(super) command: Option<PluginsCommand>,
    /// Print the JSON Schema of the options of every role of this name.
    #[arg(long, value_name = "ROLE")]
    pub(super) schema: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(super) enum PluginsCommand {
    /// List the plugins and their roles, the files that are not used, and where was looked.
    List,
    /// Write a plugin to begin with: a crate that builds, with tests, data and a suite that runs.
    New(NewArguments),
    /// Show one plugin: its file, versions and hash, and the options of its roles.
    Info(InfoArguments),
    /// Hold a plugin file against the contract of each of its roles: a line for each clause, exit status 1 where one is broken.
    Check(CheckPluginArguments),
}

#[derive(Debug, clap::Args)]
pub(super) struct NewArguments {
    /// What the plugin, its role and its crate are called.
    pub(super) name: String,
    /// The role that it plays.
    #[arg(long, value_name = "ROLE")]
    pub(super) role: NewRole,
    /// A local language model: on `examiner-lm`, which needs no more than a decoder.
    #[arg(long)]
    pub(super) lm: bool,
    /// Where the crate goes; if not given, into a new directory that is called like it.
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(super) directory: Option<PathBuf>,
    /// Take Examiner's crates from its sources in this directory, not from the registry.
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(super) examiner: Option<PathBuf>,
}

/// The roles of a new plugin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum NewRole {
    /// Answers questions, or scores texts.
    Model,
    /// Gives questions.
    Dataset,
    /// Says what is asked, and judges answers.
    Scorer,
    /// Teaches a model.
    Trainer,
    /// Makes training data by asking a model.
    Recipe,
    /// Turns a checkpoint into another format.
    Exporter,
    /// Tells `examiner doctor` what a plugin needs.
    Diagnostic,
}

#[derive(Debug, clap::Args)]
pub(super) struct InfoArguments {
    /// A plugin, a role, or a plugin's file.
    #[arg(value_hint = ValueHint::FilePath)]
    pub(super) name: String,
    /// Say whether this suite pins the plugin's file, and take the plugins that it names.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(super) suite: Option<PathBuf>,
    /// Print JSON, with the schemas of the options.
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, clap::Args)]
pub(super) struct CheckPluginArguments {
    /// The plugin file, a shared library.
    #[arg(value_hint = ValueHint::FilePath, required_unless_present = "clauses")]
    pub(super) file: Option<PathBuf>,
    /// Take the options of roles, and with them data and checkpoints, from this suite's entries.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(super) suite: Option<PathBuf>,
    /// Change a field of the suite (repeatable).
    #[arg(long, value_name = "KEY=VALUE", requires = "suite")]
    pub(super) set: Vec<String>,
    /// Look at this role alone (repeatable): `--role model/echo`.
    #[arg(long, value_name = "KIND/NAME")]
    pub(super) role: Vec<String>,
    /// The options of the role (repeatable), as JSON or one by one: `--options path=rows.jsonl`.
    #[arg(long, value_name = "JSON or KEY=VALUE")]
    pub(super) options: Vec<String>,
    /// Print the report as JSON, for programs.
    #[arg(long)]
    pub(super) json: bool,
    /// Print the clauses, a table in Markdown: what each holds, and why.
    #[arg(long, conflicts_with = "file")]
    pub(super) clauses: bool,
}

#[derive(Debug, clap::Args)]
pub(super) struct SchemaArguments {
    /// A suite whose `plugins` name files: their roles are in the schema, too.
    #[arg(value_hint = ValueHint::FilePath)]
    pub(super) suite: Option<PathBuf>,
    /// Without plugins: any role, with any options.
    #[arg(long, conflicts_with = "suite")]
    pub(super) generic: bool,
}

#[derive(Debug, clap::Args)]
pub(super) struct ReportArguments {
    /// The run's directory.
    #[arg(default_value = "outputs/latest", value_hint = ValueHint::DirPath)]
    pub(super) run: PathBuf,
    /// Print OpenCompass's layout as CSV: `dataset,version,metric,mode,<model>...`.
    #[arg(long)]
    pub(super) wide: bool,
    /// Print `summary.csv` itself.
    #[arg(long, conflicts_with = "wide")]
    pub(super) csv: bool,
    /// Print one JSON object, for programs: `results` has the rows of `summary.csv`.
    #[arg(long, conflicts_with_all = ["wide", "csv"])]
    pub(super) json: bool,
    /// Print in this format: `github` is Markdown for a job's summary or a comment.
    #[arg(long, value_name = "FORMAT", conflicts_with_all = ["wide", "csv", "json"])]
    pub(super) format: Option<ReportFormat>,
    /// With `'` before cells of the CSV that a spreadsheet would take for formulas.
    #[arg(long)]
    pub(super) spreadsheet: bool,
}

/// The formats of `examiner report`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum ReportFormat {
    /// A table, with notes and warnings.
    Table,
    /// Markdown for GitHub: a heading, how the run ended, the table.
    Github,
    /// One JSON object.
    Json,
    /// `summary.csv` itself.
    Csv,
    /// OpenCompass's layout.
    Wide,
}

#[derive(Debug, clap::Args)]
pub(super) struct ShowArguments {
    /// The run's directory.
    #[arg(default_value = "outputs/latest", value_hint = ValueHint::DirPath)]
    pub(super) run: PathBuf,
    /// Only answers of this model.
    #[arg(long, value_name = "MODEL")]
    pub(super) model: Option<String>,
    /// Only samples of this dataset.
    #[arg(long, value_name = "DATASET")]
    pub(super) dataset: Option<String>,
    /// Only the sample with this id (repeatable).
    #[arg(long, value_name = "ID")]
    pub(super) id: Vec<String>,
    /// Only samples of which a metric is 0.
    #[arg(long)]
    pub(super) wrong: bool,
    /// Only samples in whose answer none was found.
    #[arg(long)]
    pub(super) unanswered: bool,
    /// Only samples without an answer or a verdict.
    #[arg(long)]
    pub(super) errors: bool,
    /// Only samples of which the model read the end alone.
    #[arg(long)]
    pub(super) truncated: bool,
    /// Only samples that the run in this directory judged otherwise.
    #[arg(long, value_name = "RUN", value_hint = ValueHint::DirPath)]
    pub(super) flips: Option<PathBuf>,
    /// Show at most this many.
    #[arg(long, value_name = "N", default_value = "10", value_parser = clap::value_parser!(u64).range(1..))]
    pub(super) limit: u64,
    /// Print the lines of `samples/` as they are.
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, clap::Args)]
pub(super) struct RunsArguments {
    /// The directory of runs.
    #[arg(long, value_name = "DIR", default_value = "outputs", global = true, value_hint = ValueHint::DirPath)]
    pub(super) outputs: PathBuf,
    #[command(subcommand)]
    pub(super) command: Option<RunsCommand>,
}

#[derive(Debug, Subcommand)]
pub(super) enum RunsCommand {
    /// Remove runs. One that is going on is not.
    #[command(name = "rm")]
    Remove {
        /// Their names.
        #[arg(required = true)]
        runs: Vec<String>,
    },
    /// Give a run another name, or move it to another place. One that is going on is not.
    #[command(name = "mv")]
    Move {
        /// Its name.
        run: String,
        /// Its new name; or, with a `/` in it, the path where it is to lie.
        to: String,
    },
    /// Say what the runs take on the disk, the largest first, and what in them.
    #[command(name = "du")]
    DiskUse,
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
pub(super) struct ScoreArguments {
    /// The run's directory.
    #[arg(default_value = "outputs/latest", value_hint = ValueHint::DirPath)]
    pub(super) run: PathBuf,
    /// Take the scorers from this suite instead of the run's own `suite.yaml`.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(super) suite: Option<PathBuf>,
    /// Change a field of the suite (repeatable), after the changes that the run was made with:
    /// `--set datasets.gsm8k.scorer=answer-extraction`.
    #[arg(long, value_name = "KEY=VALUE")]
    pub(super) set: Vec<String>,
    /// Judge everything by this scorer (repeatable), whatever the suite says: a name, or YAML with options,
    /// `--scorer "{ name: answer-extraction, extract: last-number }"`.
    #[arg(long, value_name = "SCORER")]
    pub(super) scorer: Vec<String>,
    /// Judge only stages that begin with, or have as one of their parts, this name (repeatable): `--only gsm8k`.
    #[arg(long, value_name = "STAGE")]
    pub(super) only: Vec<String>,
    /// What the new scores are called; the time, if not given.
    #[arg(long, value_name = "NAME")]
    pub(super) name: Option<String>,
    #[command(flatten)]
    pub(super) events: EventsArguments,
}

#[derive(Debug, clap::Args)]
pub(super) struct CompareArguments {
    /// The run's directory, or those of several runs.
    #[arg(default_value = "outputs/latest", value_name = "RUN", value_hint = ValueHint::DirPath)]
    pub(super) runs: Vec<PathBuf>,
    /// The model, or the dataset, that all others of the run are compared with.
    #[arg(long, value_name = "NAME")]
    pub(super) baseline: Option<String>,
    /// Compare by this metric (repeatable), `all` for every one; without it, by the first of each dataset and scorer.
    #[arg(long, value_name = "METRIC")]
    pub(super) metric: Vec<String>,
    /// Compare on the parts of datasets, too. More comparisons make each harder to pass.
    #[arg(long)]
    pub(super) subsets: bool,
    /// Print CSV.
    #[arg(long)]
    pub(super) csv: bool,
    /// With `'` before cells of the CSV that a spreadsheet would take for formulas.
    #[arg(long, requires = "csv")]
    pub(super) spreadsheet: bool,
}

#[derive(Debug, clap::Args)]
pub(super) struct GateArguments {
    /// The run's directory.
    #[arg(default_value = "outputs/latest", value_hint = ValueHint::DirPath)]
    pub(super) run: PathBuf,
    /// The rules, a YAML file; without it, those of the run's suite.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(super) policy: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
pub(super) struct PlotArguments {
    /// The run's directory.
    #[arg(default_value = "outputs/latest", value_hint = ValueHint::DirPath)]
    pub(super) run: PathBuf,
    /// The picture of the results; the others stand beside it, with `-training` and `-yield` in their names. Each is
    /// drawn as `.svg` and as `.png`. If not given: `figs/result.svg` in the run's directory.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(super) out: Option<PathBuf>,
    /// Draw this metric (repeatable), `all` for every one; without it, the first of each dataset and scorer.
    #[arg(long, value_name = "METRIC")]
    pub(super) metric: Vec<String>,
}
