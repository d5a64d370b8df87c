//! In which order the stages that make something run: each after what it refers to, and otherwise as they were typed.

use examiner_suite::{Options, StageKind, Start, Suite, TrainData, references};
use serde_json::Value;

/// A stage that makes something.
pub type Maker = (StageKind, String);

/// All stages that make something. A suite without circles, which is what reading it leaves, has such an order.
pub fn makers(suite: &Suite) -> Vec<Maker> {
    let of = |kind, names: Vec<&String>| names.into_iter().map(move |name| (kind, name.clone())).collect::<Vec<_>>();
    let mut waiting = of(StageKind::Teach, suite.teach.keys().collect());
    waiting.extend(of(StageKind::Train, suite.train.keys().collect()));
    waiting.extend(of(StageKind::Export, suite.export.keys().collect()));
    let mut ordered = Vec::with_capacity(waiting.len());
    while !waiting.is_empty() {
        let ready = |maker: &Maker| needs(suite, maker).iter().all(|needed| !waiting.contains(needed));
        let next = waiting.iter().position(ready).unwrap_or(0);
        ordered.push(waiting.remove(next));
    }
    ordered
}

/// The stages whose products a stage needs.
fn needs(suite: &Suite, (kind, name): &Maker) -> Vec<Maker> {
    let mut needed = Vec::new();
    match kind {
        StageKind::Teach => {
            let Some(spec) = suite.teach.get(name) else { return needed };
            in_options(&spec.options, &mut needed);
            of_model(suite, &spec.teacher, &mut needed);
        }
        StageKind::Train => {
            let Some(spec) = suite.train.get(name) else { return needed };
            in_options(&spec.options, &mut needed);
            spec.from.iter().for_each(|from| of_start(suite, from, &mut needed));
            match &spec.data {
                TrainData::File(text) => in_text(text, &mut needed),
                TrainData::Dataset { dataset, match_rows, .. } => {
                    suite.datasets.get(dataset).iter().for_each(|spec| in_options(&spec.options, &mut needed));
                    needed.extend(match_rows.iter().map(|teach| (StageKind::Teach, teach.clone())));
                }
            }
        }
        StageKind::Export => {
            let Some(spec) = suite.export.get(name) else { return needed };
            in_options(&spec.options, &mut needed);
            of_start(suite, &spec.from, &mut needed);
        }
    }
    needed
}

fn of_start(suite: &Suite, start: &Start, needed: &mut Vec<Maker>) {
    match start {
        Start::Model(name) => of_model(suite, name, needed),
        Start::Checkpoint(text) => in_text(text, needed),
    }
}

fn of_model(suite: &Suite, name: &str, needed: &mut Vec<Maker>) {
    suite.models.get(name).iter().for_each(|spec| in_options(&spec.options, needed));
}

fn in_options(options: &Options, needed: &mut Vec<Maker>) {
    in_value(&Value::Object(options.clone()), needed);
}

fn in_text(text: &str, needed: &mut Vec<Maker>) {
    in_value(&Value::String(text.to_owned()), needed);
}

fn in_value(value: &Value, needed: &mut Vec<Maker>) {
    needed.extend(references(value).into_iter().map(|reference| (reference.stage, reference.name)));
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
        let order: Vec<String> =
            makers(&loaded.suite).into_iter().map(|(kind, name)| format!("{kind}/{name}")).collect();
        assert_eq!(
            order,
            ["train/original", "teach/first", "train/student", "teach/again", "train/vanilla", "export/onnx"]
        );
    }
}
