use super::*;
use examiner_store::summary::{RowStatus, WHOLE};

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
    partial.status = RowStatus::Partial;
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
fn a_figure_of_one_result() {
    insta::assert_snapshot!(svg(&[row("original", "gsm8k", 0.05)]), @r##"
    <svg xmlns="http://www.w3.org/2000/svg" width="900" height="172" viewBox="0 0 900 172" role="img" font-family="Noto Sans, DejaVu Sans, Helvetica, Arial, sans-serif">
    <title>Results of cot &amp; distill</title>
    <rect width="900" height="172" fill="#ffffff"/>
    <text x="20" y="32" font-size="17" fill="#222222" font-weight="bold">cot &amp; distill</text>
    <text x="20" y="49" font-size="11" fill="#666666">Lines are 95 % intervals; n is the number of samples.</text>
    <circle cx="26" cy="69" r="4" fill="#0072b2" stroke="#0072b2" stroke-width="1.5"/>
    <text x="38" y="73" font-size="12" fill="#222222">original</text>
    <rect x="20" y="95" width="860" height="27" fill="#f6f6f6"/>
    <line x1="135.55" y1="95" x2="135.55" y2="122" stroke="#dddddd" stroke-width="1"/>
    <text x="135.55" y="137" font-size="11" fill="#666666" text-anchor="middle">0</text>
    <line x1="235.61" y1="95" x2="235.61" y2="122" stroke="#dddddd" stroke-width="1"/>
    <text x="235.61" y="137" font-size="11" fill="#666666" text-anchor="middle">1</text>
    <line x1="335.68" y1="95" x2="335.68" y2="122" stroke="#dddddd" stroke-width="1"/>
    <text x="335.68" y="137" font-size="11" fill="#666666" text-anchor="middle">2</text>
    <line x1="435.74" y1="95" x2="435.74" y2="122" stroke="#dddddd" stroke-width="1"/>
    <text x="435.74" y="137" font-size="11" fill="#666666" text-anchor="middle">3</text>
    <line x1="535.81" y1="95" x2="535.81" y2="122" stroke="#dddddd" stroke-width="1"/>
    <text x="535.81" y="137" font-size="11" fill="#666666" text-anchor="middle">4</text>
    <line x1="635.87" y1="95" x2="635.87" y2="122" stroke="#dddddd" stroke-width="1"/>
    <text x="635.87" y="137" font-size="11" fill="#666666" text-anchor="middle">5</text>
    <line x1="735.94" y1="95" x2="735.94" y2="122" stroke="#dddddd" stroke-width="1"/>
    <text x="735.94" y="137" font-size="11" fill="#666666" text-anchor="middle">6</text>
    <line x1="836" y1="95" x2="836" y2="122" stroke="#dddddd" stroke-width="1"/>
    <text x="836" y="137" font-size="11" fill="#666666" text-anchor="middle">7</text>
    <text x="485.77" y="155" font-size="12" fill="#222222" text-anchor="middle">accuracy, %</text>
    <text x="121.55" y="112.5" font-size="11" fill="#666666" text-anchor="end">n = 1319</text>
    <text x="69.85" y="112.5" font-size="12" fill="#222222" font-weight="bold" text-anchor="end">gsm8k</text>
    <line x1="435.74" y1="108.5" x2="836" y2="108.5" stroke="#0072b2" stroke-width="2"/>
    <circle cx="635.87" cy="108.5" r="3.6" fill="#0072b2" stroke="#0072b2" stroke-width="1.5"/>
    <text x="842" y="112" font-size="10" fill="#222222">5.0</text>
    </svg>
    "##);
}

#[test]
fn missing_results_are_drawn_as_missing() {
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
fn figures_are_written_in_every_format_and_are_the_same_every_time() {
    let folder = run_with_training();
    let drawn = draw_into(folder.path(), &rows(), "figs/result.svg");
    assert_eq!(drawn.failures, Vec::<String>::new());
    let names: Vec<_> = drawn.files.iter().map(|file| file.file_name().unwrap().to_str().unwrap()).collect();
    let expected: &[&str] = match cfg!(feature = "png") {
        true => &["result.svg", "result.png", "result-training.svg", "result-training.png"],
        false => &["result.svg", "result-training.svg"],
    };
    assert_eq!(names, expected);
    assert_eq!(drawn.files.len(), 2 * FORMATS.len());
    // Nothing else is left beside them.
    assert_eq!(std::fs::read_dir(folder.path().join("figs")).unwrap().count(), drawn.files.len());
    let again = draw_into(folder.path(), &rows(), "again/result");
    for (file, again) in drawn.files.iter().zip(&again.files) {
        assert_eq!(std::fs::read(file).unwrap(), std::fs::read(again).unwrap(), "{}", file.display());
    }
}

#[cfg(feature = "png")]
#[test]
fn the_png_shows_letters_and_lines() {
    use resvg::tiny_skia::Pixmap;
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
fn failures_are_reported_and_the_other_figures_are_drawn() {
    let folder = run_with_training();
    std::fs::write(folder.path().join("train/student/train.csv"), "step,loss\none,two\n").unwrap();
    let drawn = draw_into(folder.path(), &rows(), "result.svg");
    assert_eq!(drawn.files.len(), FORMATS.len());
    assert!(drawn.failures[0].contains("train.csv"), "{:?}", drawn.failures);
    let nowhere = draw(folder.path(), &rows(), &[], Path::new("/proc/figs/result.svg")).unwrap();
    assert!(nowhere.failures.iter().any(|failure| failure.contains("/proc/figs/result.svg")), "{nowhere:?}");
    let empty = tempfile::tempdir().unwrap();
    assert!(draw_into(empty.path(), &[], "result.svg").failures[0].contains("nothing to draw"));
}
