//! The integration tests of the program, one binary.
//!
//! - `loader`: plugins that load, and every way in which a file can fail to be one
//! - `out_of_tree`: a plugin of other versions of common crates, built from a directory of its own
//! - `interfaces`: plugins that were built with another version of `examiner-api`, and those of another interface
//! - `authors`: plugins of every role, from `plugins new` to a row of the summary
//! - `info`: what is said of one plugin
//! - `plan`: what `plan` prints is what `run` does
//! - `run`: suites from YAML to CSV, through the program
//! - `report`: what is made of a run: comparisons and pictures
//! - `talk`: what is said on stderr, to people and to programs
//! - `hub`: datasets of the hub, from a mirror, a server and a cache
//! - `failures`: what a faulty role does to a run, and what it does not
//! - `unsound`: declarations and numbers that cannot be relied on
//! - `workers`: models that end, leave or lock up the process they run in
//! - `process`: programs of other languages as roles
//! - `isolation`: datasets, scorers, recipes and plugin files that do
//! - `rescore`: what a run's models answered, judged once more
//! - `begin`: a first suite, and what to do next
//! - `check`: what is found without running
//! - `conformance`: plugin files held against the contract of their roles
//! - `paths`: where the paths of a suite begin
//! - `bad_input`: suites, data files, checkpoints and plugins that are none, and what is said of them
//! - `resume`: a killed run goes on, and its results are those of an undisturbed one
//! - `curves`: a trainer whose events the program records
//! - `recipes`: a recipe through the program
//! - `replan`: a run over what is finished changes nothing
//! - `torn`: the same for a journal that ends at any byte
//! - `identity`: what has changed is done again, and nothing else
//! - `products`: runs that are moved, copied and replaced, and products that are damaged
//! - `templates`: templates that ask for more than there is
//! - `measured`: what a run takes of memory and time, for tests that bound it
//! - `tasks`: what suites can name of the tasks that plugins know
//! - `storage`: a run whose files could not be written goes on, too
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod authors;
mod bad_input;
mod begin;
mod build;
mod check;
mod conformance;
mod curves;
mod failures;
mod hub;
mod identity;
mod info;
mod interfaces;
mod isolation;
mod loader;
mod measured;
mod out_of_tree;
mod paths;
mod plan;
mod process;
mod products;
mod recipes;
mod replan;
mod report;
mod rescore;
mod resume;
mod run;
mod storage;
mod talk;
mod tasks;
mod templates;
mod torn;
mod unsound;
mod workers;
