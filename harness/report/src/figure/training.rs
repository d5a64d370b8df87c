//! The curves of all trainings of a run in one picture: training loss and validation loss.

use super::axis::{Axis, grouped};
use super::palette::{GREY, GRID, INK, Palette};
use super::svg::{Anchor, Stroke, Style, Svg};
use super::text::{fitted, width};
use examiner_store::training;
use std::path::Path;

const WIDTH: f64 = 900.0;
const HEIGHT: f64 = 500.0;
const MARGIN: f64 = 20.0;
const SIZE: f64 = 12.0;
/// A curve of more points has as many means of neighbours: a screen has no more columns to show them in.
const POINTS: usize = 400;

/// What one training left.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Curve {
    /// Its name in the suite.
    pub(super) name: String,
    /// Steps with their losses.
    pub(super) loss: Vec<(f64, f64)>,
    /// Steps with validation losses, where there are any.
    pub(super) validation: Vec<(f64, f64)>,
}

/// Reads `train/<name>/train.csv` of every training of the run, in the order of their names.
///
/// # Errors
/// One of them cannot be read; the message names it.
pub(super) fn read(directory: &Path) -> Result<Vec<Curve>, String> {
    let Ok(entries) = std::fs::read_dir(directory.join("train")) else { return Ok(Vec::new()) };
    let mut names: Vec<_> = entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    let mut curves = Vec::new();
    for name in names {
        let path = training::csv_path(&training::directory(directory, &name));
        if path.is_file() {
            let curve = curve(&name, &path).map_err(|error| format!("cannot read `{}`: {error}", path.display()))?;
            curves.push(curve);
        }
    }
    curves.retain(|curve| !curve.loss.is_empty() || !curve.validation.is_empty());
    Ok(curves)
}

fn curve(name: &str, path: &Path) -> Result<Curve, csv::Error> {
    let mut curve = Curve { name: name.to_owned(), ..Curve::default() };
    for row in training::read(path)? {
        let point = |loss: Option<f64>| loss.filter(|loss| loss.is_finite()).map(|loss| (row.step as f64, loss));
        curve.loss.extend(point(row.loss));
        curve.validation.extend(point(row.validation_loss));
    }
    Ok(curve)
}

/// Draws the curves; a training has the colour of the model of its name.
pub(super) fn draw(curves: &[Curve], palette: &Palette) -> Svg {
    let mut palette = palette.clone();
    curves.iter().for_each(|curve| palette.add(&curve.name));
    let mut svg = Svg::new(WIDTH, "Training curves");
    svg.text((MARGIN, 32.0), Style::new(17.0, INK).bold(), "Training");
    let bundled = curves.iter().map(|curve| curve.loss.len().div_ceil(POINTS)).max().unwrap_or(1);
    let mut sentence = "Thin: training loss; thick with markers: validation loss.".to_owned();
    if curves.iter().all(|curve| curve.validation.is_empty()) {
        sentence = "Training loss; nothing was validated.".to_owned();
    }
    if bundled > 1 {
        sentence.push_str(&format!(" A point of the training loss is a mean of up to {bundled} steps."));
    }
    svg.text((MARGIN, 50.0), Style::new(11.0, GREY), &sentence);
    let top = legend(&mut svg, curves, &palette, 74.0) + 6.0;
    let thinned: Vec<Vec<(f64, f64)>> = curves.iter().map(|curve| thinned(&curve.loss)).collect();
    let points = || thinned.iter().flatten().chain(curves.iter().flat_map(|curve| &curve.validation));
    let losses = || points().map(|(_, loss)| *loss);
    let scale = Scale::of(losses().fold(f64::INFINITY, f64::min), losses().fold(0.0, f64::max));
    let steps = Axis::around(0.0, points().map(|(step, _)| *step).fold(1.0, f64::max), 8);
    let marks: Vec<(f64, String)> = scale.ticks();
    let left = MARGIN + 22.0 + marks.iter().map(|(_, label)| width(label, 11.0)).fold(0.0, f64::max);
    // Not beyond the last step: the axis ends where the curves do.
    let last = points().map(|(step, _)| *step).fold(1.0, f64::max);
    let (right, bottom) = (WIDTH - MARGIN - 10.0, HEIGHT - 52.0);
    let x = |step: f64| left + step / last * (right - left);
    let y = |loss: f64| scale.position(loss, bottom, top);
    for (loss, label) in &marks {
        svg.line((left, y(*loss)), (right, y(*loss)), Stroke::new(GRID, 1.0));
        svg.text((left - 6.0, y(*loss) + 4.0), Style::new(11.0, GREY).anchored(Anchor::End), label);
    }
    for (step, _) in steps.ticks().into_iter().filter(|(step, _)| *step <= last && step.fract() == 0.0) {
        svg.line((x(step), top), (x(step), bottom), Stroke::new(GRID, 1.0));
        let style = Style::new(11.0, GREY).anchored(Anchor::Middle);
        svg.text((x(step), bottom + 16.0), style, &grouped(&format!("{step:.0}")));
    }
    svg.text(((left + right) / 2.0, bottom + 36.0), Style::new(SIZE, INK).anchored(Anchor::Middle), "step");
    svg.text((MARGIN, top - 12.0), Style::new(SIZE, INK), "loss, nats per token");
    for (curve, loss) in curves.iter().zip(&thinned) {
        let colour = palette.of(&curve.name);
        let point = |(step, loss): &(f64, f64)| (x(*step), y(*loss));
        let thin = Stroke { opacity: 0.6, ..Stroke::new(colour.colour, 1.0) };
        svg.polyline(&loss.iter().map(point).collect::<Vec<_>>(), thin);
        let validation: Vec<(f64, f64)> = curve.validation.iter().map(point).collect();
        if validation.len() > 1 {
            svg.polyline(&validation, Stroke::new(colour.colour, 2.2));
        }
        // Markers stand apart, however often was measured.
        for point in validation.iter().step_by(validation.len().div_ceil(25).max(1)) {
            svg.marker(*point, 3.4, colour, false);
        }
    }
    svg.height = HEIGHT;
    svg
}

/// How losses are laid out: evenly, or by powers of ten where the last would be invisible beside the first.
enum Scale {
    Even(Axis),
    Powers(Axis),
}

impl Scale {
    fn of(low: f64, high: f64) -> Self {
        const WIDE: f64 = 30.0;
        if low > 0.0 && high > WIDE * low {
            let (low, high) = (low.log10().floor(), high.log10().ceil());
            return Scale::Powers(Axis::around(low, high, (high - low) as u32));
        }
        Scale::Even(Axis::from_zero(low, high, 7))
    }

    fn ticks(&self) -> Vec<(f64, String)> {
        match self {
            Scale::Even(axis) => axis.ticks(),
            Scale::Powers(axis) => {
                let powers = axis.ticks().into_iter().map(|(power, _)| (10_f64.powf(power), -power));
                powers.map(|(loss, decimals)| (loss, format!("{loss:.*}", decimals.max(0.0) as usize))).collect()
            }
        }
    }

    fn position(&self, loss: f64, from: f64, to: f64) -> f64 {
        match self {
            Scale::Even(axis) => axis.position(loss, from, to),
            Scale::Powers(axis) => axis.position(loss.log10(), from, to),
        }
    }
}

/// Names with how the curves of each ended.
fn legend(svg: &mut Svg, curves: &[Curve], palette: &Palette, mut y: f64) -> f64 {
    let mut x = MARGIN;
    for curve in curves {
        let lowest = curve.validation.iter().map(|(_, loss)| *loss).fold(f64::INFINITY, f64::min);
        let lowest = if lowest.is_finite() { format!(" (best validation loss {lowest:.3})") } else { String::new() };
        let name = format!("{}{lowest}", fitted(&curve.name, SIZE, 240.0));
        let room = 30.0 + width(&name, SIZE) + 16.0;
        if x > MARGIN && x + room > WIDTH - MARGIN {
            (x, y) = (MARGIN, y + 20.0);
        }
        let colour = palette.of(&curve.name);
        svg.line((x, y - 4.0), (x + 24.0, y - 4.0), Stroke::new(colour.colour, 2.2));
        if !curve.validation.is_empty() {
            svg.marker((x + 12.0, y - 4.0), 3.4, colour, false);
        }
        svg.text((x + 30.0, y), Style::new(SIZE, INK), &name);
        x += room;
    }
    y + 28.0
}

/// At most [`POINTS`] points: means of as many neighbours each.
fn thinned(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let mean = |points: &[(f64, f64)]| {
        let sum = points.iter().fold((0.0, 0.0), |sum, point| (sum.0 + point.0, sum.1 + point.1));
        (sum.0 / points.len() as f64, sum.1 / points.len() as f64)
    };
    points.chunks(points.len().div_ceil(POINTS).max(1)).map(mean).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_points_become_few_and_keep_their_mean() {
        let points: Vec<(f64, f64)> = (0..1200).map(|step| (f64::from(step), f64::from(step % 3))).collect();
        let few = thinned(&points);
        assert_eq!(few.len(), 400);
        assert!(few.iter().all(|(_, loss)| *loss == 1.0));
        assert_eq!(thinned(&points[..3]), &points[..3]);
        assert!(thinned(&[]).is_empty());
    }

    #[test]
    fn losses_that_fall_far_stand_by_powers_of_ten() {
        let labels = |low, high| Scale::of(low, high).ticks().into_iter().map(|(_, label)| label).collect::<Vec<_>>();
        assert_eq!(labels(0.002, 7.0), ["0.001", "0.01", "0.1", "1", "10"]);
        assert_eq!(labels(2.0, 4.0).first().map(String::as_str), Some("0"));
    }

    #[test]
    fn empty_fields_are_no_points() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(read(folder.path()).unwrap(), []);
        let training = folder.path().join("train/student");
        std::fs::create_dir_all(&training).unwrap();
        let head = "step,loss,validation_loss,learning_rate,gradient_norm,tokens_per_s\n";
        std::fs::write(training.join("train.csv"), format!("{head}1,3.5,,0.1,1,10\n2,NaN,2.5,0.1,1,10\n")).unwrap();
        let curves = read(folder.path()).unwrap();
        assert_eq!(curves[0].loss, [(1.0, 3.5)]);
        assert_eq!(curves[0].validation, [(2.0, 2.5)]);
        std::fs::write(training.join("train.csv"), format!("{head}one,3.5,,0.1,1,10\n")).unwrap();
        let failure = read(folder.path()).unwrap_err();
        assert!(failure.contains("train.csv") && failure.contains("line: 2"), "{failure}");
    }
}
