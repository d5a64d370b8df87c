//! Results as a Markdown table, aligned so that it can be read as plain text.

use super::pivot::{PivotLine, pivot};
use examiner_store::summary::{RowStatus, SummaryRow};

/// The rows as a table: one line for each dataset and metric, one column for each model, `value ± standard error` in the cells.
/// Failures and partial results have a numbered note below the table.
pub fn render(rows: &[SummaryRow]) -> String {
    render_beside(rows, &[])
}

/// As [`render`], with the value of the same metric in `before` after each value: `(was 0.0523)`. If no scorer in `before` has
/// the same label, the only scorer with the same metric counts as the same.
pub fn render_beside(rows: &[SummaryRow], before: &[SummaryRow]) -> String {
    if rows.is_empty() {
        return "There are no results.\n".to_owned();
    }
    let pivot = pivot(rows);
    let mut notes = Vec::new();
    let mut table = vec![["dataset", "metric", "n"].map(str::to_owned).to_vec()];
    table[0].extend(pivot.models.iter().map(|model| escaped(model)));
    for line in &pivot.lines {
        let mut cells = vec![escaped(&line.dataset), escaped(&line.metric), samples(line)];
        let cell = |row: &SummaryRow, notes: &mut Vec<String>| {
            let was = earlier(row, before).map(|was| format!(" (was {was})"));
            format!("{}{}", value(row, notes), was.unwrap_or_default())
        };
        cells.extend(line.cells.iter().map(|row| row.map_or("not run".to_owned(), |row| cell(row, &mut notes))));
        table.push(cells);
    }
    let mut text = layout(&table, 2);
    for (index, note) in notes.iter().enumerate() {
        text.push_str(&format!("{}[{}] {note}\n", if index == 0 { "\n" } else { "" }, index + 1));
    }
    text
}

/// The number of samples, or its range if models differ.
fn samples(line: &PivotLine<'_>) -> String {
    let counts = || line.cells.iter().flatten().filter(|row| !row.metric.is_empty()).map(|row| row.n);
    match (counts().min(), counts().max()) {
        (Some(least), Some(most)) if least == most => most.to_string(),
        (Some(least), Some(most)) => format!("{least}-{most}"),
        _ => "-".to_owned(),
    }
}

fn value(row: &SummaryRow, notes: &mut Vec<String>) -> String {
    let number = row.value.map(|value| match row.stderr {
        Some(stderr) => format!("{value:.4} ± {stderr:.4}"),
        None => format!("{value:.4}"),
    });
    let text = match (row.status, number) {
        (RowStatus::Failed, _) => "failed".to_owned(),
        (_, Some(number)) => number,
        (_, None) => "none".to_owned(),
    };
    let word = match row.status {
        RowStatus::Ok => "",
        RowStatus::Partial => " partial:",
        RowStatus::Failed => " failed:",
    };
    let mut reasons = row.message.clone();
    if let (RowStatus::Partial, Some(low), Some(high)) = (row.status, row.value_low, row.value_high) {
        reasons.push_str(&format!("; with them, {} lies between {low:.4} and {high:.4}", row.metric));
    }
    if row.n_truncated > 0 && row.status != RowStatus::Failed {
        let gap = if reasons.is_empty() { "" } else { "; " };
        let (truncated, n) = (row.n_truncated, row.n);
        reasons.push_str(&format!(
            "{gap}{truncated} of {n} samples do not fit into the model's context: it read their end"
        ));
    }
    if reasons.is_empty() {
        return text;
    }
    let note = format!("`{}` on `{}`{}:{word} {reasons}", row.model, row.dataset, part(row));
    let index = notes.iter().position(|known| *known == note).unwrap_or_else(|| {
        notes.push(note);
        notes.len() - 1
    });
    format!("{text} [{}]", index + 1)
}

/// The value of the same metric in `before`.
fn earlier(row: &SummaryRow, before: &[SummaryRow]) -> Option<String> {
    let of = |row: &SummaryRow| [row.model.clone(), row.dataset.clone(), row.subset.clone(), row.metric.clone()];
    let wanted = of(row);
    let same: Vec<&SummaryRow> = before.iter().filter(|before| of(before) == wanted).collect();
    let found = match same.iter().find(|before| before.scorer == row.scorer) {
        Some(found) => found,
        None if same.len() == 1 => same[0],
        None => return None,
    };
    match (found.status, found.value) {
        (RowStatus::Failed, _) => Some("failed".to_owned()),
        (_, value) => value.map(|value| format!("{value:.4}")),
    }
}

fn part(row: &SummaryRow) -> String {
    match row.subset.as_str() {
        "" | examiner_store::summary::WHOLE => String::new(),
        subset => format!(", `{subset}`"),
    }
}

pub(super) fn escaped(text: &str) -> String {
    text.replace('|', "\\|")
}

/// Cells of equal width. The first `texts` columns are aligned left, the others right.
pub(super) fn layout(table: &[Vec<String>], texts: usize) -> String {
    let width = |column: usize| table.iter().map(|line| line[column].chars().count()).max().unwrap_or(0).max(3);
    let widths: Vec<usize> = (0..table[0].len()).map(width).collect();
    let mut text = String::new();
    for (index, line) in table.iter().enumerate() {
        for (column, (cell, width)) in line.iter().zip(&widths).enumerate() {
            let cell = if column < texts { format!("| {cell:<width$} ") } else { format!("| {cell:>width$} ") };
            text.push_str(&cell);
        }
        text.push_str("|\n");
        if index == 0 {
            for (column, width) in widths.iter().enumerate() {
                let dashes = "-".repeat(width - usize::from(column >= texts));
                text.push_str(&format!("| {dashes}{} ", if column < texts { "" } else { ":" }));
            }
            text.push_str("|\n");
        }
    }
    text
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use examiner_store::summary::WHOLE;

    /// Two models and three datasets, with every kind of failure.
    pub(in super::super) fn rows() -> Vec<SummaryRow> {
        let row = |model: &str, dataset: &str, subset: &str, value: f64| SummaryRow {
            model: model.to_owned(),
            dataset: dataset.to_owned(),
            subset: subset.to_owned(),
            scorer: "answer-extraction".to_owned(),
            metric: "accuracy".to_owned(),
            value: Some(value),
            stderr: Some(0.0104),
            n: 1319,
            n_scored: 1319,
            tokens_out: 5,
            version: if dataset == "gsm8k" { "1d7fe4".to_owned() } else { String::new() },
            ..SummaryRow::default()
        };
        let mut partial = row("student", "gsm8k", WHOLE, 0.17);
        partial.status = RowStatus::Partial;
        partial.message = "3 of 1319 samples are errors: 3 x timeout, \"slow\"".to_owned();
        (partial.value_low, partial.value_high) = (Some(0.1696), Some(0.1719));
        let mut choice = row("original", "csqa", WHOLE, 0.1581);
        choice.scorer = "perplexity-choice".to_owned();
        choice.n = 1221;
        vec![
            row("original", "gsm8k", WHOLE, 0.0523),
            row("original", "bbh", WHOLE, 0.25),
            row("original", "bbh", "navigate", 0.5),
            choice,
            partial,
            SummaryRow::failed("s", "r", "student", "bbh", "the worker died of signal 11 (log: `logs/a.log`)"),
            SummaryRow::failed("s", "r", "student", "svamp", "there is no file `svamp.json`"),
        ]
    }

    #[test]
    fn every_missing_value_has_a_reason() {
        insta::assert_snapshot!(render(&rows()), @r#"
        | dataset      | metric   |    n |        original |             student |
        | ------------ | -------- | ---: | --------------: | ------------------: |
        | gsm8k        | accuracy | 1319 | 0.0523 ± 0.0104 | 0.1700 ± 0.0104 [1] |
        | bbh          | accuracy | 1319 | 0.2500 ± 0.0104 |          failed [2] |
        | bbh-navigate | accuracy | 1319 | 0.5000 ± 0.0104 |          failed [2] |
        | csqa         | accuracy | 1221 | 0.1581 ± 0.0104 |             not run |
        | svamp        | -        |    - |         not run |          failed [3] |
        
        [1] `student` on `gsm8k`: partial: 3 of 1319 samples are errors: 3 x timeout, "slow"; with them, accuracy lies between 0.1696 and 0.1719
        [2] `student` on `bbh`: failed: the worker died of signal 11 (log: `logs/a.log`)
        [3] `student` on `svamp`: failed: there is no file `svamp.json`
        "#);
        assert_eq!(render(&[]), "There are no results.\n");
    }

    #[test]
    fn samples_that_do_not_fit_are_noted() {
        let mut rows: Vec<SummaryRow> = rows().into_iter().filter(|row| row.dataset == "gsm8k").collect();
        rows.iter_mut().for_each(|row| row.n_truncated = 7);
        insta::assert_snapshot!(render(&rows), @r#"
        | dataset | metric   |    n |            original |             student |
        | ------- | -------- | ---: | ------------------: | ------------------: |
        | gsm8k   | accuracy | 1319 | 0.0523 ± 0.0104 [1] | 0.1700 ± 0.0104 [2] |

        [1] `original` on `gsm8k`: 7 of 1319 samples do not fit into the model's context: it read their end
        [2] `student` on `gsm8k`: partial: 3 of 1319 samples are errors: 3 x timeout, "slow"; with them, accuracy lies between 0.1696 and 0.1719; 7 of 1319 samples do not fit into the model's context: it read their end
        "#);
    }

    #[test]
    fn earlier_values_are_shown_beside_the_new_ones() {
        let before = rows();
        let mut now: Vec<SummaryRow> = rows().into_iter().take(4).collect();
        now[0].value = Some(0.06);
        // The label has changed, but there was only one accuracy before.
        now[3].scorer = "strict".to_owned();
        insta::assert_snapshot!(render_beside(&now, &before), @r"
        | dataset      | metric   |    n |                     original |
        | ------------ | -------- | ---: | ---------------------------: |
        | gsm8k        | accuracy | 1319 | 0.0600 ± 0.0104 (was 0.0523) |
        | bbh          | accuracy | 1319 | 0.2500 ± 0.0104 (was 0.2500) |
        | bbh-navigate | accuracy | 1319 | 0.5000 ± 0.0104 (was 0.5000) |
        | csqa         | accuracy | 1221 | 0.1581 ± 0.0104 (was 0.1581) |
        ");
        // With two accuracies before, neither counts as the same.
        let mut twice = before.clone();
        twice.push(SummaryRow { scorer: "loose".to_owned(), ..before[3].clone() });
        assert!(!render_beside(&now[3..], &twice).contains("was"));
    }
}
