//! What teachers yielded: of the answers asked for, how many were right and how many rows were kept, task by task.

use super::axis::{Axis, grouped};
use super::palette::{GREY, GRID, INK};
use super::svg::{Anchor, Stroke, Style, Svg};
use super::text::{fitted, width};
use examiner_api::TaskYield;
use examiner_store::provenance::Provenance;
use std::path::Path;

const WIDTH: f64 = 900.0;
const MARGIN: f64 = 20.0;
const LABEL: f64 = 300.0;
const SIZE: f64 = 12.0;
const ROW: f64 = 22.0;
/// Asked, right, kept: from light to dark, so that they can be told apart without colours.
const SHADES: [&str; 3] = ["#d9e2ea", "#56b4e9", "#0072b2"];

/// What one teaching yielded.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Yield {
    /// The stage's name in the suite.
    name: String,
    tasks: Vec<TaskYield>,
}

/// Reads the yield beside the data file of every `teach` stage of the run: `F.yield.csv` beside `F.jsonl`. A recipe may
/// leave none.
///
/// # Errors
/// One of them cannot be read; the message names it.
pub(super) fn read(directory: &Path) -> Result<Vec<Yield>, String> {
    let stages = Provenance::read(directory).unwrap_or_default().stages;
    let mut yields = Vec::new();
    for (stage, record) in stages {
        let (Some(name), Some(product)) = (stage.strip_prefix("teach/"), record.product_path(directory)) else {
            continue;
        };
        let path = examiner_store::yields::path(&product);
        if !path.is_file() {
            continue;
        }
        let tasks = examiner_store::yields::read(&path);
        let tasks = tasks.map_err(|error| format!("cannot read `{}`: {error}", path.display()))?;
        if !tasks.is_empty() {
            yields.push(Yield { name: name.to_owned(), tasks });
        }
    }
    Ok(yields)
}

/// Draws a bar for each task: as long as what was asked, filled as far as it was right, and darker as far as it was kept.
pub(super) fn draw(yields: &[Yield]) -> Svg {
    let mut svg = Svg::new(WIDTH, "What the teacher yielded");
    svg.text((MARGIN, 32.0), Style::new(17.0, INK).bold(), "What the teacher yielded");
    let mut x = MARGIN;
    for (word, shade) in ["answers asked for", "right", "kept as rows"].into_iter().zip(SHADES) {
        svg.rect((x, 45.0), (14.0, 12.0), shade);
        svg.text((x + 20.0, 55.0), Style::new(SIZE, INK), word);
        x += 20.0 + width(word, SIZE) + 20.0;
    }
    let mut y = 78.0;
    for one in yields {
        y = one.draw(&mut svg, y) + 14.0;
    }
    svg.height = y;
    svg
}

impl Yield {
    fn draw(&self, svg: &mut Svg, top: f64) -> f64 {
        let sum = |of: fn(&TaskYield) -> u64| grouped(&self.tasks.iter().map(of).sum::<u64>().to_string());
        svg.text((MARGIN, top + 6.0), Style::new(14.0, INK).bold(), &fitted(&self.name, 14.0, WIDTH - 2.0 * MARGIN));
        let sentence = format!(
            "{} questions, {} answers asked for, {} came, {} right, {} kept; {} questions without a right answer",
            sum(|task| task.questions),
            sum(|task| task.asked),
            sum(|task| task.answered),
            sum(|task| task.right),
            sum(|task| task.kept),
            sum(|task| task.unsolved),
        );
        svg.text((MARGIN, top + 23.0), Style::new(11.0, GREY), &sentence);
        let top = top + 34.0;
        let bottom = top + ROW * self.tasks.len() as f64;
        let labels = self.tasks.iter().map(|task| width(&task.task, SIZE)).fold(40.0, f64::max).min(LABEL);
        let numbers = |task: &TaskYield| {
            let share = if task.asked > 0 { 100.0 * task.kept as f64 / task.asked as f64 } else { 0.0 };
            format!("{} of {} kept, {share:.0} %", task.kept, task.asked)
        };
        let room = self.tasks.iter().map(|task| width(&numbers(task), 10.0)).fold(0.0, f64::max);
        let (left, right) = (MARGIN + labels + 10.0, WIDTH - MARGIN - room - 10.0);
        let most = self.tasks.iter().map(|task| task.asked.max(task.kept)).max().unwrap_or(0);
        let axis = Axis::around(0.0, most.max(1) as f64, 6);
        for (value, label) in axis.ticks().into_iter().filter(|(value, _)| value.fract() == 0.0) {
            let x = axis.position(value, left, right);
            svg.line((x, top), (x, bottom), Stroke::new(GRID, 1.0));
            svg.text((x, bottom + 15.0), Style::new(11.0, GREY).anchored(Anchor::Middle), &label);
        }
        for (index, task) in self.tasks.iter().enumerate() {
            let y = top + ROW * index as f64;
            let name = fitted(&task.task, SIZE, labels);
            svg.text((left - 8.0, y + 15.0), Style::new(SIZE, INK).anchored(Anchor::End), &name);
            for (count, shade) in [task.asked, task.right, task.kept].into_iter().zip(SHADES) {
                let length = axis.position(count as f64, left, right) - left;
                svg.rect((left, y + 4.0), (length, ROW - 8.0), shade);
            }
            let end = axis.position(task.asked.max(task.kept) as f64, left, right);
            svg.text((end + 6.0, y + 15.0), Style::new(10.0, INK), &numbers(task));
        }
        svg.text(((left + right) / 2.0, bottom + 32.0), Style::new(SIZE, INK).anchored(Anchor::Middle), "answers");
        bottom + 40.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use examiner_store::provenance::StageRecord;

    #[test]
    fn the_yield_lies_beside_the_data_of_its_stage() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("F_bbh_3shot_1aug.jsonl");
        let record = StageRecord { product: Some(data.display().to_string()), ..StageRecord::default() };
        let stages = [("teach/bbh-cot".to_owned(), record)].into();
        Provenance { stages, ..Provenance::default() }.write(folder.path()).unwrap();
        assert_eq!(read(folder.path()).unwrap(), []);
        let head = "task,questions,asked,answered,right,kept,unsolved\n";
        let path = folder.path().join("F_bbh_3shot_1aug.yield.csv");
        std::fs::write(&path, format!("{head}navigate,250,250,249,200,198,50\n")).unwrap();
        let yields = read(folder.path()).unwrap();
        assert_eq!((yields[0].name.as_str(), yields[0].tasks[0].kept), ("bbh-cot", 198));
        std::fs::write(&path, format!("{head}navigate,many,250,249,200,198,50\n")).unwrap();
        assert!(read(folder.path()).unwrap_err().contains("F_bbh_3shot_1aug.yield.csv"));
    }
}
