//! The stages of a suite: their names, the order in which they run, and what each needs of another.

use examiner_suite::{Options, ScorerSpec, StageKind, Start, Suite, TrainData, references};
use serde_json::Value;
use std::fmt;

/// A stage with a product: teach, train or export.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Producer {
    /// Its kind.
    pub kind: StageKind,
    /// Its name in the suite.
    pub name: String,
}

impl fmt::Display for Producer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.kind, self.name)
    }
}

/// A model and a dataset that it is examined on.
#[derive(Debug, Clone)]
pub struct Pair {
    /// The model's name.
    pub model: String,
    /// The dataset's name.
    pub dataset: String,
    /// Scorers instead of the dataset's.
    pub scorers: Vec<ScorerSpec>,
}

impl Pair {
    /// The stage's name: `evaluate/original/gsm8k`.
    pub fn stage(&self) -> String {
        format!("evaluate/{}/{}", self.model, self.dataset)
    }

    /// The name under which the model logs, whatever it is examined on.
    pub fn model_stage(&self) -> String {
        format!("models/{}", self.model)
    }

    /// The stages whose products the model needs.
    pub fn model_needs(&self, suite: &Suite) -> Vec<Producer> {
        let mut needed = Vec::new();
        of_model(suite, &self.model, &mut needed);
        needed
    }

    /// The stages whose products the model and the dataset need.
    pub fn needs(&self, suite: &Suite) -> Vec<Producer> {
        let mut needed = self.model_needs(suite);
        of_dataset(suite, &self.dataset, &mut needed);
        needed
    }
}

/// The models and datasets to examine, in the order of the suite.
pub fn pairs(suite: &Suite) -> Vec<Pair> {
    let mut pairs: Vec<Pair> = Vec::new();
    for evaluation in &suite.evaluate {
        for model in &evaluation.models {
            for dataset in &evaluation.datasets {
                let pair = Pair { model: model.clone(), dataset: dataset.clone(), scorers: evaluation.scorers.clone() };
                if !pairs.iter().any(|known| known.stage() == pair.stage()) {
                    pairs.push(pair);
                }
            }
        }
    }
    pairs
}

/// Whether `--only` includes the stage: one of the patterns is a part of its name, or begins it.
pub fn selected(only: &[String], stage: &str) -> bool {
    let fits = |pattern: &String| stage.starts_with(pattern.as_str()) || stage.split('/').any(|part| part == pattern);
    only.is_empty() || only.iter().any(fits)
}

/// All stages with a product, each after the stages that it refers to, and otherwise as they were typed. A suite without
/// circles, which reading it guarantees, has such an order.
pub fn producers(suite: &Suite) -> Vec<Producer> {
    let of = |kind, names: Vec<&String>| {
        names.into_iter().map(move |name| Producer { kind, name: name.clone() }).collect::<Vec<_>>()
    };
    let mut waiting = of(StageKind::Teach, suite.teach.keys().collect());
    waiting.extend(of(StageKind::Train, suite.train.keys().collect()));
    waiting.extend(of(StageKind::Export, suite.export.keys().collect()));
    let mut ordered = Vec::with_capacity(waiting.len());
    while !waiting.is_empty() {
        let ready = |producer: &Producer| producer.needs(suite).iter().all(|needed| !waiting.contains(needed));
        let next = waiting.iter().position(ready).unwrap_or(0);
        ordered.push(waiting.remove(next));
    }
    ordered
}

impl Producer {
    /// The stages whose products this stage needs.
    pub fn needs(&self, suite: &Suite) -> Vec<Producer> {
        let mut needed = Vec::new();
        match self.kind {
            StageKind::Teach => {
                let Some(spec) = suite.teach.get(&self.name) else { return needed };
                in_options(&spec.options, &mut needed);
                of_model(suite, &spec.teacher, &mut needed);
            }
            StageKind::Train => {
                let Some(spec) = suite.train.get(&self.name) else { return needed };
                in_options(&spec.options, &mut needed);
                spec.from.iter().for_each(|from| of_start(suite, from, &mut needed));
                match &spec.data {
                    TrainData::File(text) => in_text(text, &mut needed),
                    TrainData::Dataset { dataset, match_rows, .. } => {
                        of_dataset(suite, dataset, &mut needed);
                        let teach = |name: &String| Producer { kind: StageKind::Teach, name: name.clone() };
                        needed.extend(match_rows.iter().map(teach));
                    }
                }
            }
            StageKind::Export => {
                let Some(spec) = suite.export.get(&self.name) else { return needed };
                in_options(&spec.options, &mut needed);
                of_start(suite, &spec.from, &mut needed);
            }
        }
        needed
    }
}

fn of_start(suite: &Suite, start: &Start, needed: &mut Vec<Producer>) {
    match start {
        Start::Model(name) => of_model(suite, name, needed),
        Start::Checkpoint(text) => in_text(text, needed),
    }
}

fn of_model(suite: &Suite, name: &str, needed: &mut Vec<Producer>) {
    suite.models.get(name).iter().for_each(|spec| in_options(&spec.options, needed));
}

fn of_dataset(suite: &Suite, name: &str, needed: &mut Vec<Producer>) {
    suite.datasets.get(name).iter().for_each(|spec| in_options(&spec.options, needed));
}

fn in_options(options: &Options, needed: &mut Vec<Producer>) {
    in_value(&Value::Object(options.clone()), needed);
}

fn in_text(text: &str, needed: &mut Vec<Producer>) {
    in_value(&Value::String(text.to_owned()), needed);
}

fn in_value(value: &Value, needed: &mut Vec<Producer>) {
    let producer = |reference: examiner_suite::Reference| Producer { kind: reference.stage, name: reference.name };
    needed.extend(references(value).into_iter().map(producer));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stage_comes_after_what_it_refers_to() {
        let text = r#"
name: s
models:
  original: { plugin: p, checkpoint: "${train.original}" }
  student: { plugin: p, checkpoint: "${train.student}" }
datasets: { d: { plugin: p } }
teach:
  again: { recipe: r, teacher: student }
  first: { recipe: r, teacher: original }
train:
  student: { trainer: t, from: original, data: "${teach.first}" }
  vanilla: { trainer: t, from: original, data: { dataset: d, as: answers, match_rows: again } }
  original: { trainer: t, data: rows.jsonl }
export:
  onnx: { exporter: e, from: "${train.vanilla}" }
evaluate: [{ models: all, datasets: all }]
"#;
        let loaded = examiner_suite::load_text("s.yaml".as_ref(), text.to_owned(), &[], &|_| None).unwrap();
        let order: Vec<String> = producers(&loaded.suite).iter().map(ToString::to_string).collect();
        assert_eq!(
            order,
            ["train/original", "teach/first", "train/student", "teach/again", "train/vanilla", "export/onnx"]
        );
    }

    #[test]
    fn only_takes_parts_of_stage_names_or_their_beginning() {
        let only = |pattern: &str, stage: &str| selected(&[pattern.to_owned()], stage);
        assert!(only("gsm8k", "evaluate/student/gsm8k"));
        assert!(only("evaluate/student", "evaluate/student/gsm8k"));
        assert!(only("train", "train/vanilla"));
        assert!(!only("gsm", "train/gsm8k-vanilla"));
        assert!(selected(&[], "anything"));
    }
}
