//! The results: a dot with its 95 % interval for each model on each dataset.
//!
//! Dots rather than bars: the length of a bar shows no uncertainty, and thirty datasets with five models would be hard to
//! read as bars.

use super::axis::Axis;
use super::palette::{BAND, GREY, GRID, INK, Palette};
use super::svg::{Anchor, Stroke, Style, Svg};
use super::text::{fitted, width};
use crate::metrics::Metric;
use crate::pivot::{PivotLine, pivot};
use examiner_store::summary::{MACRO, RowStatus, SummaryRow, WHOLE};

const WIDTH: f64 = 900.0;
const MARGIN: f64 = 20.0;
/// The largest width of labels.
const LABEL: f64 = 300.0;
/// Space to the right of the axis, for the number of a value at its end.
const NUMBERS: f64 = 44.0;
const SIZE: f64 = 12.0;

/// Rows that share an axis.
struct Panel<'a> {
    /// The title of the axis.
    title: String,
    /// The factor of values: 100 for shares.
    times: f64,
    rows: Vec<Row<'a>>,
}

struct Row<'a> {
    label: String,
    count: String,
    whole: bool,
    cells: Vec<Option<&'a SummaryRow>>,
}

/// Horizontal positions and sizes.
struct Columns {
    labels: f64,
    left: f64,
    right: f64,
    lane: f64,
}

/// Draws the rows of the metrics.
pub(super) fn draw(rows: &[SummaryRow], metrics: &[Metric], palette: &Palette) -> Svg {
    let shown: Vec<SummaryRow> = rows.iter().filter(|row| is_shown(row, metrics)).cloned().collect();
    let pivot = pivot(&shown);
    let panels = panels(&shown, &pivot.lines);
    let suite = rows.first().map(|row| row.suite.clone()).unwrap_or_default();
    let mut svg = Svg::new(WIDTH, &format!("Results of {suite}"));
    svg.text((MARGIN, 32.0), Style::new(17.0, INK).bold(), &fitted(&suite, 17.0, WIDTH - 2.0 * MARGIN));
    let mut y = 32.0;
    for sentence in caption(&shown) {
        y += 17.0;
        svg.text((MARGIN, y), Style::new(11.0, GREY), &sentence);
    }
    y = legend(&mut svg, &pivot.models, palette, y + 24.0) + 8.0;
    let label = |row: &Row<'_>| width(&row.label, SIZE) * if row.whole { 1.06 } else { 1.0 } + width(&row.count, 11.0);
    let labels = panels.iter().flat_map(|panel| &panel.rows).map(label).fold(60.0, f64::max).min(LABEL) + 8.0;
    let lane = if pivot.models.len() <= 3 { 17.0 } else { 13.0 };
    let left = MARGIN + labels + 14.0;
    let columns = Columns { labels, left, right: WIDTH - MARGIN - NUMBERS, lane };
    for panel in &panels {
        y = panel.draw(&mut svg, &columns, &pivot.models, palette, y);
    }
    svg.height = y + 6.0;
    svg
}

fn is_shown(row: &SummaryRow, metrics: &[Metric]) -> bool {
    row.metric.is_empty()
        || metrics
            .iter()
            .any(|metric| (&metric.dataset, &metric.scorer, &metric.name) == (&row.dataset, &row.scorer, &row.metric))
}

/// The explanation of the symbols that occur.
fn caption(rows: &[SummaryRow]) -> Vec<String> {
    let mut sentences = vec!["Lines are 95 % intervals; n is the number of samples.".to_owned()];
    if rows.iter().any(|row| row.status == RowStatus::Partial) {
        sentences.push(
            "Hollow: some samples are missing; the dashed line is the range that they leave possible.".to_owned(),
        );
    }
    if rows.iter().any(|row| row.status == RowStatus::Failed) {
        sentences.push("Cross: failed; the reason is in summary.csv.".to_owned());
    }
    sentences
}

/// Markers with names, in as many lines as needed. Returns the lower end.
fn legend(svg: &mut Svg, models: &[&str], palette: &Palette, mut y: f64) -> f64 {
    let mut x = MARGIN;
    for model in models {
        let name = fitted(model, SIZE, 320.0);
        let room = 18.0 + width(&name, SIZE) + 16.0;
        if x > MARGIN && x + room > WIDTH - MARGIN {
            (x, y) = (MARGIN, y + 20.0);
        }
        svg.marker((x + 6.0, y - 4.0), 4.0, palette.of(model), false);
        svg.text((x + 18.0, y), Style::new(SIZE, INK), &name);
        x += room;
    }
    y + 10.0
}

/// All shares have a common axis, in percent; every other metric has an axis of its own.
fn panels<'a>(shown: &[SummaryRow], lines: &[PivotLine<'a>]) -> Vec<Panel<'a>> {
    let name =
        |line: &PivotLine<'a>| line.cells.iter().flatten().map(|row| row.metric.clone()).find(|name| !name.is_empty());
    let is_share = |name: &str| {
        let of_metric = shown.iter().filter(|row| row.metric == name);
        let numbers = of_metric.flat_map(|row| [row.value, row.ci_low, row.ci_high, row.value_low, row.value_high]);
        numbers.flatten().all(|number| (0.0..=1.0).contains(&number))
    };
    let mut names: Vec<(Option<String>, Vec<String>)> = Vec::new();
    let mut panels: Vec<Panel<'a>> = Vec::new();
    for line in lines {
        let name = name(line);
        // If all models failed on a dataset its metric is unknown, and counts as a share.
        let share = name.as_deref().is_none_or(is_share);
        let axis = if share { None } else { name.clone() };
        let index = names.iter().position(|(known, _)| *known == axis).unwrap_or_else(|| {
            names.push((axis, Vec::new()));
            panels.push(Panel { title: String::new(), times: if share { 100.0 } else { 1.0 }, rows: Vec::new() });
            panels.len() - 1
        });
        if line.metric != "-" && !names[index].1.contains(&line.metric) {
            names[index].1.push(line.metric.clone());
        }
        panels[index].rows.push(row(line));
    }
    for (panel, (_, metrics)) in panels.iter_mut().zip(names) {
        let unit = if panel.times > 1.0 { ", %" } else { "" };
        if let [metric] = metrics.as_slice() {
            panel.title = format!("{metric}{unit}");
            panel.rows.iter_mut().for_each(|row| row.label = row.label.split('\t').next().unwrap_or("").to_owned());
        } else {
            panel.title = format!("value{unit}");
            panel.rows.iter_mut().for_each(|row| row.label = row.label.replace('\t', " "));
        }
    }
    panels
}

/// A row. A tabulator in its label separates dataset and metric.
fn row<'a>(line: &PivotLine<'a>) -> Row<'a> {
    let whole = matches!(line.subset, "" | WHOLE | MACRO);
    let counts = || line.cells.iter().flatten().filter(|row| !row.metric.is_empty()).map(|row| row.n);
    let count = match (counts().min(), counts().max()) {
        (Some(least), Some(most)) if least == most => format!("  n = {most}"),
        (Some(least), Some(most)) => format!("  n = {least}-{most}"),
        _ => String::new(),
    };
    let name = if whole { &line.dataset } else { line.subset };
    let metric = if line.metric == "-" || !whole { String::new() } else { format!("\t{}", line.metric) };
    Row { label: format!("{name}{metric}"), count, whole, cells: line.cells.clone() }
}

impl Panel<'_> {
    fn axis(&self) -> Axis {
        let rows = self.rows.iter().flat_map(|row| row.cells.iter().flatten());
        let drawn = rows.filter(|row| row.value.is_some() && row.status != RowStatus::Failed);
        let numbers: Vec<f64> = drawn
            .flat_map(|row| [row.value, row.ci_low, row.ci_high, row.value_low, row.value_high])
            .flatten()
            .map(|number| self.times * number)
            .collect();
        let low = numbers.iter().copied().fold(f64::INFINITY, f64::min);
        let high = numbers.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        match numbers.is_empty() {
            true => Axis::around(0.0, self.times, 5),
            false if high <= 0.0 && low >= 0.0 => Axis::around(0.0, 0.1 * self.times, 5),
            false => Axis::from_zero(low, high, 8),
        }
    }

    /// Draws the panel below `top`, and returns its lower end.
    fn draw(&self, svg: &mut Svg, columns: &Columns, models: &[&str], palette: &Palette, top: f64) -> f64 {
        let axis = self.axis();
        let height = models.len() as f64 * columns.lane + 10.0;
        // A long panel has its ticks at the top, too.
        let is_long = self.rows.len() as f64 * height > 500.0;
        let top = top + if is_long { 18.0 } else { 4.0 };
        let bottom = top + height * self.rows.len() as f64;
        for index in (0..self.rows.len()).step_by(2) {
            let y = top + height * index as f64;
            svg.rect((MARGIN, y), (WIDTH - 2.0 * MARGIN, height), BAND);
        }
        for (value, label) in axis.ticks() {
            let x = axis.position(value, columns.left, columns.right);
            svg.line((x, top), (x, bottom), Stroke::new(GRID, 1.0));
            let style = Style::new(11.0, GREY).anchored(Anchor::Middle);
            svg.text((x, bottom + 15.0), style, &label);
            if is_long {
                svg.text((x, top - 5.0), style, &label);
            }
        }
        let middle = (columns.left + columns.right) / 2.0;
        svg.text((middle, bottom + 33.0), Style::new(SIZE, INK).anchored(Anchor::Middle), &self.title);
        for (index, row) in self.rows.iter().enumerate() {
            let y = top + height * index as f64;
            row.label(svg, columns, y + height / 2.0 + 4.0);
            for (lane, (cell, model)) in row.cells.iter().zip(models).enumerate() {
                let y = y + 5.0 + columns.lane * (lane as f64 + 0.5);
                self.cell(svg, columns, &axis, *cell, (palette, model), y);
            }
        }
        bottom + 44.0
    }

    fn cell(
        &self,
        svg: &mut Svg,
        columns: &Columns,
        axis: &Axis,
        cell: Option<&SummaryRow>,
        (palette, model): (&Palette, &str),
        y: f64,
    ) {
        let colour = palette.of(model);
        let at = |value: f64| axis.position(self.times * value, columns.left, columns.right);
        let (row, value) = match cell {
            None => return svg.text((columns.left + 6.0, y + 3.5), Style::new(10.0, GREY), "not run"),
            Some(row) => match (row.status, row.value) {
                (RowStatus::Failed, _) | (_, None) => {
                    let word = if row.status == RowStatus::Failed { "failed" } else { "no value" };
                    svg.cross((columns.left + 8.0, y), 3.5, colour.colour);
                    return svg.text((columns.left + 18.0, y + 3.5), Style::new(10.0, colour.colour), word);
                }
                (_, Some(value)) => (row, value),
            },
        };
        let partial = row.status == RowStatus::Partial;
        let mut end = at(value) + 5.0;
        if let (true, Some(low), Some(high)) = (partial, row.value_low, row.value_high) {
            let stroke = Stroke { dashes: "2 2", ..Stroke::new(colour.colour, 1.0) };
            svg.line((at(low), y + 3.0), (at(high), y + 3.0), stroke);
            end = end.max(at(high));
        }
        if let (Some(low), Some(high)) = (row.ci_low, row.ci_high) {
            svg.line((at(low), y), (at(high), y), Stroke::new(colour.colour, 2.0));
            end = end.max(at(high));
        }
        svg.marker((at(value), y), 3.6, colour, partial);
        // Four digits of whatever it is, and one decimal of a percentage.
        let digits = value.abs().max(1.0).log10().floor() as usize;
        let decimals = if self.times > 1.0 { 1 } else { 3_usize.saturating_sub(digits) };
        let number = format!("{:.decimals$}", self.times * value);
        svg.text((end + 6.0, y + 3.5), Style::new(10.0, INK), &number);
    }
}

impl Row<'_> {
    /// The name and, smaller, the number of samples, to the left of the axis.
    fn label(&self, svg: &mut Svg, columns: &Columns, y: f64) {
        let count = width(&self.count, 11.0);
        let name = fitted(&self.label, SIZE, columns.labels - 8.0 - count);
        let right = columns.left - 14.0;
        svg.text((right, y), Style::new(11.0, GREY).anchored(Anchor::End), self.count.trim_start());
        let style = Style::new(SIZE, INK).anchored(Anchor::End);
        svg.text((right - count, y), if self.whole { style.bold() } else { style }, &name);
    }
}
