//! The clauses of the contract between the program and plugins: what each holds, and why.

use examiner_api::RoleKind;

/// A clause. Its name is stable: reports and scripts refer to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Clause {
    /// `model/ids-once`.
    pub name: &'static str,
    /// What must hold, in one sentence.
    pub holds: &'static str,
    /// What goes wrong where it does not.
    pub why: &'static str,
}

macro_rules! clauses {
    ($($constant:ident = $name:literal: $holds:literal, because $why:literal;)*) => {
        $(pub(super) const $constant: Clause = Clause { name: $name, holds: $holds, why: $why };)*

        /// All clauses, in the order in which a report has them.
        pub const CLAUSES: &[Clause] = &[$($constant),*];
    };
}

clauses! {
    FILE_LOADS = "file/loads":
        "The file is a complete library for this machine, has a header and an interface of this program's version, and describes itself without ending its process.",
        because "Anything else is no plugin; opening a damaged library can end a process.";
    FILE_NAMES = "file/names":
        "The names of the plugin and its roles are letters, digits, `-` and `_`, and no two roles of a kind have one name.",
        because "Suites name roles, and `PLUGIN/ROLE` has to be one of them.";
    FILE_VERSION = "file/version":
        "The version is one of Cargo's: `1.2.3`, with `-beta.1` or `+build` behind it.",
        because "`run.json` records it, and people compare it.";
    FILE_CONFLICTS = "file/conflicts":
        "No other plugin at hand has its name, and none a role of the same kind and name.",
        because "A suite that names the role is refused, because it would be arbitrary which of them runs.";
    FILE_SILENT = "file/silent":
        "Nothing is printed while the plugin describes itself.",
        because "It would be printed at every command.";

    OPTIONS_SCHEMA = "options/schema":
        "The schema of the options is a valid JSON Schema of an object.",
        because "`examiner check` holds suites against it, and editors read it.";
    OPTIONS_UNKNOWN_KEYS = "options/unknown-keys":
        "The schema allows no key that the role does not know, and opening with one is an error that names the key.",
        because "A misspelled option would pass unnoticed, and results would be those of the default.";
    OPTIONS_TYPES = "options/types":
        "Opening with a value of a type that the schema does not allow is an error.",
        because "A value that is taken for another one changes results in silence.";
    OPTIONS_DEFAULTS = "options/defaults":
        "The defaults in the schema fit it, and a role that is opened with them is the one that is opened without.",
        because "Editors and `docs` show the defaults of the schema.";
    OPTIONS_OPENS = "options/opens":
        "Opening ends with a role or with an error: it does not panic, end the process or hang.",
        because "The message about a wrong option is lost with the process.";

    FINGERPRINT_PRESENT = "fingerprint/present":
        "The fingerprint is not empty.",
        because "Records of another version would be used again.";
    FINGERPRINT_STABLE = "fingerprint/stable":
        "The fingerprint is the same in another process.",
        because "No answer would ever be used again.";
    FINGERPRINT_MOVES = "fingerprint/moves":
        "Where another value of an option changes what the role answers to the questions of the check, the fingerprint changes, too.",
        because "Answers of the old options would be shown as those of the new ones.";

    MODEL_ANSWERS = "model/answers":
        "What the model says that it can do, it does: at least one request of each kind gets a result, and none ends the call.",
        because "A run would fail after it has begun.";
    MODEL_IDS_ONCE = "model/ids-once":
        "Each request is answered exactly once, with its own id, in batches of any size.",
        because "An answer would be taken for that of another question.";
    MODEL_SCORE_NUMBERS = "model/score-numbers":
        "Log-likelihoods are finite, not above 0, and the sum of their tokens' log-probabilities.",
        because "No model has others; a run makes each an error of its sample.";
    MODEL_SCORE_COUNTS = "model/score-counts":
        "Counts of tokens fit together: a log-probability for each scored token, no more scored than read, no more cut off than there are.",
        because "Perplexities per token would be wrong.";
    MODEL_SCORE_BATCH = "model/score-batch":
        "A score does not depend on the size of the batch, its order or what else stands in it, but for the tolerance that the model declares.",
        because "Results would change with settings that only concern speed.";
    MODEL_WHOLE_TEXT = "model/whole-text":
        "A whole text (`Span::All`) has the same log-likelihood wherever it is split into context and continuation.",
        because "Perplexities of texts would depend on how a scorer cuts them.";
    MODEL_CHOICE_PROBABILITIES = "model/choice-probabilities":
        "The probabilities of continuations that are different single tokens add up to no more than 1.",
        because "They are no probabilities then: the softmax is over something else than the vocabulary.";
    MODEL_EMPTY_CONTEXT = "model/empty-context":
        "A continuation of an empty context gets a result, or an error of its own that says what to do.",
        because "Scorers ask for unconditional likelihoods.";
    MODEL_IS_GREEDY = "model/is-greedy":
        "`is_greedy` is true exactly where greedy generation gives the continuation.",
        because "Metrics count it as a right answer.";
    MODEL_STOP_STRINGS = "model/stop-strings":
        "An answer ends before the first of the request's stop strings, and says so in `finish`.",
        because "What stands after the answer would be judged as a part of it.";
    MODEL_MAX_NEW_TOKENS = "model/max-new-tokens":
        "No answer has more than `max_new_tokens` tokens; one that was cut there has the finish `length`, any other has not; tokens are as many as counted.",
        because "Answers that were cut off are counted by it.";
    MODEL_SEED = "model/seed":
        "The same seed gives the same answer, and at temperature 0 any seed does.",
        because "A run could not be repeated.";
    MODEL_GENERATE_BATCH = "model/generate-batch":
        "A greedy answer does not depend on the size of the batch, its order or what else stands in it.",
        because "Results would change with settings that only concern speed.";
    MODEL_COUNT_TOKENS = "model/count-tokens":
        "Where the model counts tokens before it is asked, it reads as many as counted, and writes no more.",
        because "`examiner plan` says by them what a run costs.";
    MODEL_CANCELLATION = "model/cancellation":
        "When the sink wants no more, the call returns, without an error, within a second and the time of one answer.",
        because "An interrupted run would go on, and cost.";
    MODEL_MEMORY = "model/memory":
        "After a first part of 10,000 calls (fewer of a slow model) memory does not grow by more than 8 MiB.",
        because "A long run would end out of memory.";

    DATASET_IDS = "dataset/ids":
        "Each sample has an id of its own.",
        because "By their ids answers are found again and models are compared.";
    DATASET_REPEATABLE = "dataset/repeatable":
        "Two passes give the same samples in the same order, in another process, too.",
        because "A continued run would ask something else.";
    DATASET_ROWS = "dataset/rows":
        "There are as many samples as `rows` says, where it says it.",
        because "A part of the data may be missing, and shares of errors are counted by it.";
    DATASET_GOLD = "dataset/gold":
        "A right choice is one of the choices, and right texts are not empty.",
        because "No answer could be right.";
    DATASET_STOP = "dataset/stop":
        "When the sink wants no more, the call returns, without an error, within a second.",
        because "`--limit 10` would read everything.";
    DATASET_FEW_SHOT_POOL = "dataset/few-shot-pool":
        "The pool is the same at each call, and an example with the id of a sample has its prompt.",
        because "A question is left out of its own examples by its id.";
    DATASET_FORMS = "dataset/forms":
        "Every form that the dataset names gives samples to learn from, and any other is an error.",
        because "A training fails after it has begun, or learns something else.";
    DATASET_SCORER = "dataset/scorer":
        "The scorer that the dataset names is there, and its options fit that scorer's schema.",
        because "A suite that names no scorer could not run.";

    SCORER_DECLARES = "scorer/declares":
        "There is a metric at least, each with a name of its own and bounds that are a range.",
        because "Metrics are told apart by their names, and missing samples are counted at the bounds.";
    SCORER_REQUESTS = "scorer/requests":
        "There is one list of requests for each question, the same whatever else is asked.",
        because "Answers are given to questions by their order.";
    SCORER_ASKS = "scorer/asks":
        "`asks_score` and `asks_generate` say what is asked for.",
        because "By them a model that cannot answer is refused before a run.";
    SCORER_VERDICTS = "scorer/verdicts":
        "There is one verdict for each item.",
        because "Verdicts are given to samples by their order.";
    SCORER_METRICS = "scorer/metrics":
        "A verdict has a finite value within its bounds for each metric that is declared, and for no other.",
        because "A run makes each an error of its sample; what is not declared is not reported.";
    SCORER_NEIGHBOURS = "scorer/neighbours":
        "A verdict does not depend on which other items are judged with it.",
        because "Samples are judged in windows, as their answers come.";
    SCORER_CORPUS = "scorer/corpus":
        "A corpus metric is finite for any samples that were judged, one alone among them, and does not depend on their order.",
        because "Its error is estimated from samples that are drawn with repetition.";

    TRAINER_EVENTS = "trainer/events":
        "The steps of events do not fall, and are not beyond `steps`.",
        because "`train.csv` has a line for each step.";
    TRAINER_RESUME = "trainer/resume":
        "A training that was interrupted and goes on leaves the same weights as one that was not.",
        because "What a checkpoint is would depend on when a machine was restarted.";
    RECIPE_ASKS_ONCE = "recipe/asks-once":
        "A recipe that was interrupted and goes on asks nothing twice, and writes the rows of one that was not.",
        because "Answers cost money.";
    EXPORTER_PRODUCT = "exporter/product":
        "The product is where the report says, and a model of the suite that is made of it opens.",
        because "The next stage would fail.";
    DIAGNOSTIC_FINDINGS = "diagnostic/findings":
        "Each finding has a subject and a sentence, and no fix is empty.",
        because "`examiner doctor` prints them.";
    DIAGNOSTIC_CHANGES_NOTHING = "diagnostic/changes-nothing":
        "The working directory is as it was before.",
        because "A look must be safe to take.";
    CATALOG_ENTRIES = "catalog/entries":
        "Each entry has a name of its own, and one that does not run says why.",
        because "`examiner tasks` prints them, and suites name them.";
}

/// The clauses that are held of a role of this kind, besides those of the file.
pub(super) fn clauses_of(kind: RoleKind) -> impl Iterator<Item = &'static Clause> {
    let own = format!("{kind}/");
    let has_fingerprint = matches!(kind, RoleKind::Model | RoleKind::Dataset | RoleKind::Scorer | RoleKind::Recipe);
    CLAUSES.iter().filter(move |clause| {
        let is_fingerprint = has_fingerprint && clause.name.starts_with("fingerprint/");
        clause.name.starts_with("options/") || is_fingerprint || clause.name.starts_with(&own)
    })
}

/// The clauses as a table in Markdown, for the page about them.
pub fn table() -> String {
    let mut text = "| clause | what holds | why |\n|---|---|---|\n".to_owned();
    for Clause { name, holds, why } in CLAUSES {
        text.push_str(&format!("| `{name}` | {} | {} |\n", holds.replace('|', "\\|"), why.replace('|', "\\|")));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn names_are_told_apart_and_sentences_end() {
        let names: BTreeSet<&str> = CLAUSES.iter().map(|clause| clause.name).collect();
        assert_eq!(names.len(), CLAUSES.len());
        for clause in CLAUSES {
            assert!(clause.holds.ends_with('.') && clause.why.ends_with('.'), "{}", clause.name);
        }
        assert!(clauses_of(RoleKind::Trainer).all(|clause| !clause.name.starts_with("fingerprint/")));
        assert!(clauses_of(RoleKind::Model).any(|clause| clause.name == "model/ids-once"));
    }
}
