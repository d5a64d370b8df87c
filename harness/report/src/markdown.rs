//! Results as a Markdown table, aligned so that it can be read as plain text.

use super::pivot::{PivotLine, pivot};
use examiner_store::summary::{RowStatus, SummaryRow};

/// What the brackets in the cells are.
const CAPTION: &str = "In brackets: 95 % intervals.";

/// The rows as a table: one line for each dataset and metric, one column for each model, the value and its interval in the cells.
/// Failures and partial results have a numbered note below the table.
pub fn render(rows: &[SummaryRow]) -> String {
    render_beside(rows, &[], &[])
}

/// As [`render`], with the value of the same metric in `before` after each value: `(was 0.052)`. If no scorer in `before` has
/// the same label, the only scorer with the same metric counts as the same. Failures that `said` tells of have no note: they are printed once.
pub fn render_beside(rows: &[SummaryRow], before: &[SummaryRow], said: &[String]) -> String {
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
            format!("{}{}", value(row, said, notes), was.unwrap_or_default())
        };
        cells.extend(line.cells.iter().map(|row| row.map_or("not run".to_owned(), |row| cell(row, &mut notes))));
        table.push(cells);
    }
    let mut text = layout(&table, 2);
    if pivot.lines.iter().flat_map(|line| &line.cells).flatten().any(|row| interval(row).is_some()) {
        text.push_str(&format!("\n{CAPTION}\n"));
    }
    for (index, note) in notes.iter().enumerate() {
        text.push_str(&format!("{}({}) {note}\n", if index == 0 { "\n" } else { "" }, index + 1));
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

/// The ends of the interval, where the row shows a value with one.
fn interval(row: &SummaryRow) -> Option<(f64, f64)> {
    row.value.filter(|_| row.status != RowStatus::Failed).and(row.ci_low).zip(row.ci_high)
}

/// So many decimals that the interval's ends differ by ten of the last at least; four without an interval.
fn decimals(row: &SummaryRow) -> usize {
    let width = interval(row).map(|(low, high)| high - low);
    width.map_or(4, |width| (3..8).find(|places| width >= 10f64.powi(1 - places)).unwrap_or(4) as usize)
}

/// A value and its interval: `0.650 [0.433, 0.819]`.
pub(super) fn estimate(row: &SummaryRow) -> Option<String> {
    let (value, places) = (row.value?, decimals(row));
    Some(match interval(row) {
        Some((low, high)) => format!("{value:.places$} [{low:.places$}, {high:.places$}]"),
        None => format!("{value:.places$}"),
    })
}

fn value(row: &SummaryRow, said: &[String], notes: &mut Vec<String>) -> String {
    let number = estimate(row);
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
    let is_said = is_said(row, said);
    let mut reasons = Vec::new();
    if !is_said && !row.message.is_empty() {
        reasons.push(row.message.clone());
    }
    if let (RowStatus::Partial, Some(low), Some(high)) = (row.status, row.value_low, row.value_high) {
        let them = match (is_said, row.n_error) {
            (false, _) => "them".to_owned(),
            (true, 1) => "the error".to_owned(),
            (true, n) => format!("the {n} errors"),
        };
        reasons.push(format!("with {them}, {} lies between {low:.4} and {high:.4}", row.metric));
    }
    if row.n_truncated > 0 && row.status != RowStatus::Failed {
        let (truncated, n) = (row.n_truncated, row.n);
        reasons.push(format!("{truncated} of {n} samples do not fit into the model's context: it read their end"));
    }
    let reasons = reasons.join("; ");
    if reasons.is_empty() {
        return text;
    }
    // What is the same for all parts of the dataset is said once.
    let of = if reasons == row.message { String::new() } else { part(row) };
    let note = format!("`{}` on `{}`{of}:{word} {reasons}", row.model, row.dataset);
    let index = notes.iter().position(|known| *known == note).unwrap_or_else(|| {
        notes.push(note);
        notes.len() - 1
    });
    format!("{text} ({})", index + 1)
}

/// Whether a line tells of the row already: of the same stage, with the same message, or of its errors, which may be those of a part.
fn is_said(row: &SummaryRow, said: &[String]) -> bool {
    const ERRORS: &str = " samples are errors";
    let stage = format!("evaluate/{}/{}: ", row.model, row.dataset);
    let told = if row.message.contains(ERRORS) { ERRORS } else { &row.message };
    !row.message.is_empty() && said.iter().any(|line| line.starts_with(&stage) && line.contains(told))
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
        (_, Some(value)) => Some(format!("{value:.0$}", decimals(found))),
        (_, None) => None,
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
            ci_low: Some(value - 0.02),
            ci_high: Some(value + 0.02),
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
        | dataset      | metric   |    n |             original |                  student |
        | ------------ | -------- | ---: | -------------------: | -----------------------: |
        | gsm8k        | accuracy | 1319 | 0.052 [0.032, 0.072] | 0.170 [0.150, 0.190] (1) |
        | bbh          | accuracy | 1319 | 0.250 [0.230, 0.270] |               failed (2) |
        | bbh-navigate | accuracy | 1319 | 0.500 [0.480, 0.520] |               failed (2) |
        | csqa         | accuracy | 1221 | 0.158 [0.138, 0.178] |                  not run |
        | svamp        | -        |    - |              not run |               failed (3) |

        In brackets: 95 % intervals.

        (1) `student` on `gsm8k`: partial: 3 of 1319 samples are errors: 3 x timeout, "slow"; with them, accuracy lies between 0.1696 and 0.1719
        (2) `student` on `bbh`: failed: the worker died of signal 11 (log: `logs/a.log`)
        (3) `student` on `svamp`: failed: there is no file `svamp.json`
        "#);
        assert_eq!(render(&[]), "There are no results.\n");
    }

    #[test]
    fn samples_that_do_not_fit_are_noted() {
        let mut rows: Vec<SummaryRow> = rows().into_iter().filter(|row| row.dataset == "gsm8k").collect();
        rows.iter_mut().for_each(|row| row.n_truncated = 7);
        insta::assert_snapshot!(render(&rows), @r#"
        | dataset | metric   |    n |                 original |                  student |
        | ------- | -------- | ---: | -----------------------: | -----------------------: |
        | gsm8k   | accuracy | 1319 | 0.052 [0.032, 0.072] (1) | 0.170 [0.150, 0.190] (2) |

        In brackets: 95 % intervals.

        (1) `original` on `gsm8k`: 7 of 1319 samples do not fit into the model's context: it read their end
        (2) `student` on `gsm8k`: partial: 3 of 1319 samples are errors: 3 x timeout, "slow"; with them, accuracy lies between 0.1696 and 0.1719; 7 of 1319 samples do not fit into the model's context: it read their end
        "#);
    }

    #[test]
    fn earlier_values_are_shown_beside_the_new_ones() {
        let before = rows();
        let mut now: Vec<SummaryRow> = rows().into_iter().take(4).collect();
        now[0].value = Some(0.06);
        // The label has changed, but there was only one accuracy before.
        now[3].scorer = "strict".to_owned();
        insta::assert_snapshot!(render_beside(&now, &before, &[]), @r"
        | dataset      | metric   |    n |                         original |
        | ------------ | -------- | ---: | -------------------------------: |
        | gsm8k        | accuracy | 1319 | 0.060 [0.032, 0.072] (was 0.052) |
        | bbh          | accuracy | 1319 | 0.250 [0.230, 0.270] (was 0.250) |
        | bbh-navigate | accuracy | 1319 | 0.500 [0.480, 0.520] (was 0.500) |
        | csqa         | accuracy | 1221 | 0.158 [0.138, 0.178] (was 0.158) |

        In brackets: 95 % intervals.
        ");
        // With two accuracies before, neither counts as the same.
        let mut twice = before.clone();
        twice.push(SummaryRow { scorer: "loose".to_owned(), ..before[3].clone() });
        assert!(!render_beside(&now[3..], &twice, &[]).contains("was"));
    }

    #[test]
    fn what_was_said_already_has_no_note() {
        let failed = &rows()[6..];
        assert!(render(failed).contains("(1) `student` on `svamp`: failed: there is no file `svamp.json`"));
        let said = ["evaluate/student/svamp: there is no file `svamp.json`".to_owned()];
        let table = render_beside(failed, &[], &said);
        assert!(table.contains("failed |") && !table.contains("svamp.json"), "{table}");
        // How far the value could be off is said with it.
        let said = ["evaluate/student/gsm8k: 3 of 1319 samples are errors, the first: sample `7`: slow".to_owned()];
        let partial = [SummaryRow { n_error: 3, ..rows()[4].clone() }];
        let table = render_beside(&partial, &[], &said);
        let note = "(1) `student` on `gsm8k`: partial: with the 3 errors, accuracy lies between 0.1696 and 0.1719\n";
        assert!(table.ends_with(note), "{table}");
        let other = ["evaluate/other/gsm8k: 3 of 1319 samples are errors".to_owned()];
        assert!(render_beside(&partial, &[], &other).contains("3 x timeout"));
    }

    #[test]
    fn decimals_are_as_many_as_the_interval_is_narrow() {
        let shown = |value: f64, half: f64| {
            let ends = (Some(value - half), Some(value + half));
            estimate(&SummaryRow { value: Some(value), ci_low: ends.0, ci_high: ends.1, ..SummaryRow::default() })
        };
        assert_eq!(shown(0.65, 0.2).unwrap(), "0.650 [0.450, 0.850]");
        assert_eq!(shown(0.65, 0.002).unwrap(), "0.6500 [0.6480, 0.6520]");
        assert_eq!(shown(0.65, 0.0).unwrap(), "0.6500 [0.6500, 0.6500]");
        let plain = SummaryRow { value: Some(0.65), ..SummaryRow::default() };
        assert_eq!(estimate(&plain).unwrap(), "0.6500");
    }
}
