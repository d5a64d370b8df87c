//! What is made of the records: the tally, `summary.csv`, tables.

pub mod atomic;
pub mod record;

// FOR THE AUTHOR OF THIS ROOM (remove this comment when done). record.rs and atomic.rs are written by the lead; the
// runner (src/run/evaluate/*.rs) already calls:
//   pub mod tally;   Tally::new(suite: &str, run: &str, model: &str, dataset: &str,
//                               scorers: Vec<(String /*label*/, ScorerInfo)>, seed: u64, version: String) -> Tally
//                    Tally::add(&mut self, record: &Record)
//                    Tally::rows(&self, seconds: f64,
//                                corpus: &dyn Fn(&str /*label*/, &str /*metric*/, &[Vec<f64>]) -> Result<f64, PluginError>)
//                               -> Vec<SummaryRow>     (tally only sums; order of `add` must not matter for the result:
//                               keep per-sample values keyed/sorted by index so that sums are bit-identical in any order)
//   pub mod summary; SummaryRow (Clone, Debug, PartialEq, pub fields = the columns of DESIGN §6; status as an enum or String),
//                    SummaryRow::failed(suite, run, model, dataset, message) -> SummaryRow   (status failed, no values)
//                    summary::write(path: &Path, rows: &[SummaryRow]) -> io::Result<()>; summary::read(path) -> Result<Vec<SummaryRow>>
//   pub mod wide;    wide::render(rows: &[SummaryRow]) -> String (CSV); `version` may be kept in SummaryRow as a non-CSV field or be looked up; decide
//   pub mod markdown; markdown::render(rows: &[SummaryRow]) -> String
