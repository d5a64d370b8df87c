//! The part below the table of results: the products of earlier stages, and warnings of models and datasets.

use super::markdown::layout;
use examiner_store::provenance::{Provenance, Status};
use serde_json::Value;

/// A table with a line for each stage that made something; empty if none did.
pub fn render(run: &Provenance) -> String {
    let stages =
        run.stages.iter().filter(|(_, record)| !record.details.is_empty() && record.status == Status::Complete);
    let mut table = vec![["stage", "what it made"].map(str::to_owned).to_vec()];
    table.extend(stages.map(|(stage, record)| {
        let known = record.details.iter().filter_map(|(name, value)| number(name, value));
        vec![stage.clone(), known.collect::<Vec<_>>().join(", ")]
    }));
    if table.len() == 1 { String::new() } else { layout(&table, 2) }
}

/// A line for each warning of a model, that it uses another device than the requested one, for example, and of a dataset: that
/// questions are among their own examples. What is the same for several models stands there once.
pub fn warnings(run: &Provenance) -> String {
    let of_models = run.models.iter().map(|(model, info)| (model.as_str(), &info.warnings));
    let of_datasets = run.stages.iter().map(|(stage, record)| {
        let dataset = stage.rsplit('/').next().unwrap_or(stage);
        (dataset, &record.warnings)
    });
    let mut lines: Vec<String> = Vec::new();
    for (name, warnings) in of_models.chain(of_datasets) {
        for text in warnings {
            let line = format!("warning: `{name}`: {text}\n");
            if !lines.contains(&line) {
                lines.push(line);
            }
        }
    }
    lines.concat()
}

/// `rows 2400`. Only numbers are shown; paths are in `run.json`.
fn number(name: &str, value: &Value) -> Option<String> {
    let name = name.replace('_', " ");
    let value = value.as_number()?;
    Some(match (value.as_i64(), value.as_f64()) {
        (Some(whole), _) => format!("{name} {whole}"),
        (None, Some(float)) => format!("{name} {float:.4}"),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use examiner_store::provenance::StageRecord;

    #[test]
    fn warnings_name_their_model() {
        let mut run = Provenance::default();
        assert_eq!(warnings(&run), "");
        let warnings = vec!["on the CPU".to_owned()];
        let info = examiner_api::ModelInfo { warnings, ..examiner_api::ModelInfo::default() };
        run.models.insert("student".to_owned(), info);
        assert_eq!(super::warnings(&run), "warning: `student`: on the CPU\n");
    }

    #[test]
    fn warnings_of_a_dataset_stand_once_for_all_models() {
        let mut run = Provenance::default();
        for (stage, text) in [("evaluate/a/d", "2 of 9"), ("evaluate/b/d", "2 of 9"), ("evaluate/b/e", "1 of 9")] {
            let record = StageRecord { warnings: vec![text.to_owned()], ..StageRecord::default() };
            run.stages.insert(stage.to_owned(), record);
        }
        assert_eq!(super::warnings(&run), "warning: `d`: 2 of 9\nwarning: `e`: 1 of 9\n");
    }

    #[test]
    fn numbers_are_listed_by_stage() {
        let mut run = Provenance::default();
        assert_eq!(render(&run), "");
        let details = serde_json::json!({ "rows": 2400, "final_loss": 0.25, "file": "data/F.jsonl" });
        let record = |status| StageRecord {
            status,
            details: details.as_object().cloned().unwrap_or_default(),
            ..StageRecord::default()
        };
        run.stages.insert("train/student".to_owned(), record(Status::Complete));
        run.stages.insert("train/vanilla".to_owned(), record(Status::Failed));
        insta::assert_snapshot!(render(&run), @r"
        | stage         | what it made                 |
        | ------------- | ---------------------------- |
        | train/student | rows 2400, final loss 0.2500 |
        ");
    }
}
