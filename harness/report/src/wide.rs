//! OpenCompass's layout of results: `dataset,version,metric,mode,<model>...`.

use super::pivot::{PivotLine, pivot};
use examiner_store::summary::{RowStatus, SummaryRow};

/// The rows in OpenCompass's layout, as CSV.
///
/// Its conventions are kept: accuracies in percent, two decimals, `-` if a model was not asked. Unlike OpenCompass's own table,
/// a failed cell has `failed:` and the reason, and a partial one the number and the reason.
pub fn render(rows: &[SummaryRow]) -> String {
    let pivot = pivot(rows);
    let mut text = String::new();
    let fixed = ["dataset", "version", "metric", "mode"];
    line(&mut text, fixed.into_iter().map(str::to_owned).chain(pivot.models.iter().map(|model| (*model).to_owned())));
    for of in &pivot.lines {
        let any = of.cells.iter().flatten().find(|row| !row.metric.is_empty());
        let version = any.map(|row| row.version.clone()).filter(|version| !version.is_empty());
        let mode = any.map_or("-", |row| mode(row));
        let start = [of.dataset.clone(), version.unwrap_or("-".to_owned()), of.metric.clone(), mode.to_owned()];
        line(&mut text, start.into_iter().chain(cells(of)));
    }
    text
}

fn cells<'a>(line: &'a PivotLine<'_>) -> impl Iterator<Item = String> + 'a {
    line.cells.iter().map(|cell| match cell {
        None => "-".to_owned(),
        Some(row) => match (row.status, row.value) {
            (RowStatus::Failed, _) | (_, None) => format!("failed: {}", row.message),
            (RowStatus::Partial, Some(value)) => format!("{} (partial: {})", number(row, value), row.message),
            (RowStatus::Ok, Some(value)) => number(row, value),
        },
    })
}

/// OpenCompass reports accuracies in percent.
fn number(row: &SummaryRow, value: f64) -> String {
    let share = row.metric == "exact_match" || row.metric == "accuracy" || row.metric.starts_with("acc");
    format!("{:.2}", if share { 100.0 * value } else { value })
}

/// `gen` for generated answers, `ppl` for likelihoods.
fn mode(row: &SummaryRow) -> &'static str {
    if row.scorer == "perplexity-choice" || (row.scorer != "answer-extraction" && row.tokens_out == 0) {
        "ppl"
    } else {
        "gen"
    }
}

fn line(text: &mut String, fields: impl Iterator<Item = String>) {
    let quoted = fields.map(|field| {
        let plain = !field.contains(['"', ',', '\n', '\r']);
        if plain { field } else { format!("\"{}\"", field.replace('"', "\"\"")) }
    });
    text.push_str(&quoted.collect::<Vec<_>>().join(","));
    text.push('\n');
}

#[cfg(test)]
mod tests {
    use super::super::markdown::tests::rows;
    use super::*;

    #[test]
    fn opencompass_layout() {
        insta::assert_snapshot!(render(&rows()), @r#"
        dataset,version,metric,mode,original,student
        gsm8k,1d7fe4,accuracy,gen,5.23,"17.00 (partial: 3 of 1319 samples are errors: 3 x timeout, ""slow"")"
        bbh,-,accuracy,gen,25.00,failed: the worker died of signal 11 (log: `logs/a.log`)
        bbh-navigate,-,accuracy,gen,50.00,failed: the worker died of signal 11 (log: `logs/a.log`)
        csqa,-,accuracy,ppl,15.81,-
        svamp,-,-,-,-,failed: there is no file `svamp.json`
        "#);
    }
}
