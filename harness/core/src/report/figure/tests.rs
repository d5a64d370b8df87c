use super::*;
use crate::report::summary::{Status, WHOLE};
use resvg::tiny_skia::Pixmap;

fn row(model: &str, dataset: &str, value: f64) -> SummaryRow {
    SummaryRow {
        suite: "cot & distill".to_owned(),
        model: model.to_owned(),
        dataset: dataset.to_owned(),
        subset: WHOLE.to_owned(),
        scorer: "exact".to_owned(),
        metric: "accuracy".to_owned(),
        value: Some(value),
        ci_low: Some(value - 0.02),
        ci_high: Some(value + 0.02),
        n: 1319,
        n_scored: 1319,
        ..SummaryRow::default()
    }
}

/// Two models, of which one fails on one dataset and misses samples of the other; and a metric that is no share.
fn rows() -> Vec<SummaryRow> {
    let mut partial = row("student", "gsm8k", 0.17);
    partial.status = Status::Partial;
    (partial.value_low, partial.value_high) = (Some(0.16), Some(0.25));
    let mut perplexity = row("original", "wiki", 31.4);
    perplexity.metric = "perplexity".to_owned();
    let part = SummaryRow { subset: "navigate".to_owned(), ..row("original", "bbh", 0.5) };
    vec![
        row("original", "gsm8k", 0.05),
        row("original", "bbh", 0.25),
        part,
        partial,
        SummaryRow::failed("s", "r", "student", "bbh", "the worker died"),
        perplexity,
    ]
}

fn run_with_training() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let training = folder.path().join("train/student");
    std::fs::create_dir_all(&training).unwrap();
    let head = "step,loss,validation_loss,learning_rate,gradient_norm,tokens_per_s\n";
    std::fs::write(training.join("train.csv"), format!("{head}1,3.5,,0.1,1,10\n2,2.5,2.6,0.1,1,10\n")).unwrap();
    folder
}

fn draw_into(folder: &Path, rows: &[SummaryRow], out: &str) -> Drawn {
    draw(folder, rows, &[], &folder.join(out)).unwrap()
}

fn svg(rows: &[SummaryRow]) -> String {
    let metrics = chosen(rows, &[]).unwrap();
    results::draw(rows, &metrics, &Palette::new(rows.iter().map(|row| row.model.as_str()))).finish()
}

#[test]
fn a_picture_of_one_result() {
    insta::assert_snapshot!(svg(&[row("original", "gsm8k", 0.05)]));
}

#[test]
fn what_is_missing_is_drawn_as_missing() {
    let text = svg(&rows());
    // A cross and its word for each row of the dataset on which the student failed; it was never asked about the last.
    assert_eq!(text.matches(">failed</text>").count(), 2, "{text}");
    assert_eq!(text.matches(">not run</text>").count(), 1);
    // The hollow marker and the dashed range of what is partial.
    assert!(text.contains("fill=\"#ffffff\" stroke=\"#d55e00\"") && text.contains("stroke-dasharray"));
    // Each kind of metric has its axis.
    assert!(text.contains(">accuracy, %</text>") && text.contains(">perplexity</text>"));
    assert!(text.contains("cot &amp; distill") && !text.contains("NaN") && !text.contains("inf"));
}

#[test]
fn pictures_stand_beside_each_other_and_are_the_same_every_time() {
    let folder = run_with_training();
    let drawn = draw_into(folder.path(), &rows(), "figs/result.svg");
    assert_eq!(drawn.failures, Vec::<String>::new());
    let names: Vec<_> = drawn.files.iter().map(|file| file.file_name().unwrap().to_str().unwrap()).collect();
    assert_eq!(names, ["result.svg", "result.png", "result-training.svg", "result-training.png"]);
    let again = draw_into(folder.path(), &rows(), "again/result");
    for (file, again) in drawn.files.iter().zip(&again.files) {
        assert_eq!(std::fs::read(file).unwrap(), std::fs::read(again).unwrap(), "{}", file.display());
    }
}

#[test]
fn the_png_shows_letters_and_lines() {
    let folder = run_with_training();
    let drawn = draw_into(folder.path(), &rows(), "gpt-1.5");
    assert!(drawn.files[1].ends_with("gpt-1.5.png"));
    let picture = |file: &Path| Pixmap::decode_png(&std::fs::read(file).unwrap()).unwrap();
    let inked = |picture: &Pixmap| picture.pixels().iter().filter(|pixel| pixel.red() < 128).count();
    let results = picture(&drawn.files[1]);
    assert_eq!(results.width(), 1800);
    assert!(inked(&results) > 2000, "{}", inked(&results));
    // Without letters there would be hardly anything.
    let text = std::fs::read_to_string(&drawn.files[0]).unwrap();
    let mute: String = text.lines().filter(|line| !line.starts_with("<text")).map(|line| format!("{line}\n")).collect();
    let mute = Pixmap::decode_png(&png::render(&mute).unwrap()).unwrap();
    assert!(inked(&results) > 2 * inked(&mute), "{} {}", inked(&results), inked(&mute));
}

#[test]
fn what_cannot_be_drawn_is_named_beside_what_can() {
    let folder = run_with_training();
    std::fs::write(folder.path().join("train/student/train.csv"), "step,loss\none,two\n").unwrap();
    let drawn = draw_into(folder.path(), &rows(), "result.svg");
    assert_eq!(drawn.files.len(), 2);
    assert!(drawn.failures[0].contains("train.csv"), "{:?}", drawn.failures);
    let nowhere = draw(folder.path(), &rows(), &[], Path::new("/proc/figs/result.svg")).unwrap();
    assert!(nowhere.failures.iter().any(|failure| failure.contains("/proc/figs/result.svg")), "{nowhere:?}");
    let empty = tempfile::tempdir().unwrap();
    assert!(draw_into(empty.path(), &[], "result.svg").failures[0].contains("nothing to draw"));
}
