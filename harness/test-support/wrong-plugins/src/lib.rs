//! Roles of which each breaks exactly one clause of the contract of plugins, and keeps all others.
//!
//! A role is named after its clause, `model-ids-once`, and after what it does where several break one: `model-ids-once--twice`. What
//! is right in all of them is written once; the number in a type chooses the fault.

mod catalog;
mod dataset;
mod diagnostic;
mod model;
mod options;
mod scorer;
mod stages;

use catalog::Twice;
use dataset::{OtherDefault, WrongDataset};
use diagnostic::{Careless, Mute};
use examiner_api::Plugin;
use model::WrongModel;
use options::{Lenient, Misspeller, Moody, Unreadable};
use scorer::WrongScorer;
use stages::{Asker, Nowhere, WrongTrainer};

fn plugin() -> Plugin {
    let plugin = Plugin::new("wrong", env!("CARGO_PKG_VERSION"));
    let plugin = models(plugin);
    let plugin = datasets(plugin);
    let plugin = scorers(plugin);
    plugin
        .trainer::<WrongTrainer<0>>("trainer-resume", "Forgets what it has learned before.")
        .trainer::<WrongTrainer<1>>("trainer-events", "Sends steps that fall.")
        .recipe::<Asker>("recipe-asks-once", "Asks again what it has asked before.")
        .exporter::<Nowhere>("exporter-product", "Names a product that is not there.")
        .diagnostic::<Mute>("diagnostic-findings", "Finds something without a name.")
        .diagnostic::<Careless>("diagnostic-changes-nothing", "Leaves a file behind.")
        .catalog::<Twice>("catalog-entries", "Lists one name twice.")
        .diagnostic::<Unreadable>("options-schema", "Has a schema that is none.")
        .diagnostic::<Misspeller>("options-unknown-keys", "Passes over keys that it does not know.")
        .diagnostic::<Lenient>("options-types", "Takes anything for a number.")
        .diagnostic::<Moody>("options-opens", "Panics when it is opened.")
        .dataset::<OtherDefault>("options-defaults", "Has another default than its schema.")
}

fn models(plugin: Plugin) -> Plugin {
    plugin
        .model::<WrongModel<0>>("model-ids-once--twice", "Answers one request twice.")
        .model::<WrongModel<1>>("model-ids-once--never", "Leaves the last request without an answer.")
        .model::<WrongModel<2>>("model-score-numbers--above-zero", "Gives a log-probability above 0.")
        .model::<WrongModel<3>>("model-score-numbers--infinite", "Gives a log-probability that is not finite.")
        .model::<WrongModel<4>>("model-score-numbers--sum", "Gives a sum that is not that of its tokens.")
        .model::<WrongModel<5>>("model-score-counts", "Cuts off more tokens than there are.")
        .model::<WrongModel<6>>("model-score-batch", "Scores otherwise in large batches.")
        .model::<WrongModel<7>>("model-whole-text", "Scores the continuation where the whole text is asked for.")
        .model::<WrongModel<8>>("model-choice-probabilities", "Has probabilities that add up to more than 1.")
        .model::<WrongModel<9>>("model-empty-context", "Panics at an empty context.")
        .model::<WrongModel<10>>("model-is-greedy--never", "Calls nothing greedy.")
        .model::<WrongModel<11>>("model-is-greedy--always", "Calls everything greedy.")
        .model::<WrongModel<12>>("model-stop-strings", "Goes on after a stop string.")
        .model::<WrongModel<13>>("model-max-new-tokens--more", "Writes a token too many.")
        .model::<WrongModel<14>>("model-max-new-tokens--finish", "Says that it has ended where it was cut.")
        .model::<WrongModel<15>>("model-seed--at-zero", "Draws at temperature 0.")
        .model::<WrongModel<16>>("model-seed--forgotten", "Draws otherwise each time.")
        .model::<WrongModel<17>>("model-generate-batch", "Answers otherwise in large batches.")
        .model::<WrongModel<18>>("model-cancellation", "Goes on when no more is wanted.")
        .model::<WrongModel<19>>("model-memory", "Keeps memory of every call.")
        .model::<WrongModel<20>>("model-answers", "Says that it can score, and cannot.")
        .model::<WrongModel<21>>("fingerprint-present", "Has an empty fingerprint.")
        .model::<WrongModel<22>>("fingerprint-stable", "Has another fingerprint in each process.")
        .model::<WrongModel<23>>("fingerprint-moves", "Has one fingerprint for all options.")
        .model::<WrongModel<24>>("model-count-tokens", "Counts characters, and reads bytes.")
}

fn datasets(plugin: Plugin) -> Plugin {
    plugin
        .dataset::<WrongDataset<0>>("dataset-ids", "Has two samples of one id.")
        .dataset::<WrongDataset<1>>("dataset-repeatable--pass", "Sends other samples the second time.")
        .dataset::<WrongDataset<2>>("dataset-repeatable--process", "Sends other samples in another process.")
        .dataset::<WrongDataset<3>>("dataset-rows", "Declares a sample too many.")
        .dataset::<WrongDataset<4>>("dataset-gold", "Has a right choice that is none of its choices.")
        .dataset::<WrongDataset<5>>("dataset-stop", "Goes on when no more is wanted.")
        .dataset::<WrongDataset<6>>("dataset-few-shot-pool--call", "Has another pool at each call.")
        .dataset::<WrongDataset<7>>("dataset-few-shot-pool--id", "Has an example with the id of another row.")
        .dataset::<WrongDataset<8>>("dataset-forms--missing", "Names a form that it does not have.")
        .dataset::<WrongDataset<9>>("dataset-forms--any", "Takes any form for one of its own.")
        .dataset::<WrongDataset<10>>("dataset-scorer", "Names a scorer that is not there.")
}

fn scorers(plugin: Plugin) -> Plugin {
    plugin
        .scorer::<WrongScorer<0>>("scorer-declares", "Declares two metrics of one name.")
        .scorer::<WrongScorer<1>>("scorer-requests", "Returns a list of requests too many.")
        .scorer::<WrongScorer<2>>("scorer-asks", "Says that it asks for log-likelihoods, and does not.")
        .scorer::<WrongScorer<3>>("scorer-verdicts", "Returns a verdict too few.")
        .scorer::<WrongScorer<4>>("scorer-metrics--missing", "Leaves out a metric of an empty answer.")
        .scorer::<WrongScorer<5>>("scorer-metrics--bounds", "Gives a value above its bounds.")
        .scorer::<WrongScorer<6>>("scorer-metrics--other", "Gives a value of a metric that it does not declare.")
        .scorer::<WrongScorer<7>>("scorer-neighbours", "Judges by how many answers there are.")
        .scorer::<WrongScorer<8>>("scorer-corpus--order", "Takes the first sample for all.")
        .scorer::<WrongScorer<9>>("scorer-corpus--one", "Has no value for one sample alone.")
}

examiner_api::export_plugin!(plugin);
