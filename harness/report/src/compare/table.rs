//! A comparison as a Markdown table.

use super::{Compared, Comparison, ComparisonLine, ComparisonResult, Mismatches, Test};
use crate::markdown::{escaped, layout};
use crate::statistics::Method;
use examiner_store::summary::WHOLE;

impl Comparison {
    /// The comparison as a Markdown table, aligned so that it can be read as plain text.
    pub fn markdown(&self) -> String {
        let runs = self.of == Compared::Runs;
        let head = [
            "dataset",
            "metric",
            if runs { "model, run" } else { "model" },
            "n",
            "baseline",
            "value",
            "difference",
            "95 % interval",
            "p",
            "p (Holm)",
            "wins/losses/ties",
        ];
        let mut table = vec![head.map(str::to_owned).to_vec()];
        let mut notes: Vec<String> = Vec::new();
        for line in &self.lines {
            let who = if runs { format!("{}, {}", line.model, line.other) } else { line.model.clone() };
            let mut cells = vec![self.dataset(line), self.metric(line), escaped(&who)];
            cells.extend(match &line.result {
                ComparisonResult::Tested(test) => numbers(test),
                _ => std::iter::repeat_n("-".to_owned(), head.len() - 3).collect(),
            });
            let (word, note) = match &line.result {
                ComparisonResult::Tested(test) => (None, self.mismatches(line, &test.mismatches)),
                ComparisonResult::NotRun(reason) => (Some("not run"), format!("`{}`: {reason}", line.metric.dataset)),
                ComparisonResult::Failed(reason) => (Some("failed"), format!("`{}`: {reason}", line.metric.dataset)),
                ComparisonResult::Refused(reason) => {
                    (Some("not compared"), format!("`{}`: {reason}", line.metric.dataset))
                }
            };
            if !note.is_empty() {
                let index = notes.iter().position(|known| *known == note).unwrap_or_else(|| {
                    notes.push(note);
                    notes.len() - 1
                });
                let cell = &mut cells[3];
                *cell = format!("{} [{}]", word.unwrap_or(cell), index + 1);
            }
            table.push(cells);
        }
        let mut text = layout(&table, 3);
        text.push_str(&format!("\n{}\n", self.legend()));
        for (index, note) in notes.iter().enumerate() {
            text.push_str(&format!("{}[{}] {note}\n", if index == 0 { "\n" } else { "" }, index + 1));
        }
        text
    }

    fn dataset(&self, line: &ComparisonLine) -> String {
        let dataset = &line.metric.dataset;
        escaped(&if line.subset == WHOLE { dataset.clone() } else { format!("{dataset}-{}", line.subset) })
    }

    /// The metric's name, preceded by the scorer's if the dataset has several; `-` if the metric is unknown.
    fn metric(&self, line: &ComparisonLine) -> String {
        let metric = &line.metric;
        let several = self
            .lines
            .iter()
            .any(|other| other.metric.dataset == metric.dataset && other.metric.scorer != metric.scorer);
        match (metric.name.as_str(), several) {
            ("", _) => "-".to_owned(),
            (name, false) => escaped(name),
            (name, true) => escaped(&format!("{}: {name}", metric.scorer)),
        }
    }

    /// A note on the samples that the two do not have in common; empty if there are none.
    fn mismatches(&self, line: &ComparisonLine, mismatches: &Mismatches) -> String {
        let (baseline, model) = (&self.baseline, &line.other);
        let parts = [
            (mismatches.errors, "left out: an error in one of the two".to_owned()),
            (mismatches.only_baseline, format!("left out: only `{baseline}` has them")),
            (mismatches.only_model, format!("left out: only `{model}` has them")),
            (mismatches.other_prompt, "counted, though the two saw different prompts".to_owned()),
        ];
        let present = parts.into_iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}"));
        match present.collect::<Vec<_>>().join("; ") {
            note if note.is_empty() => note,
            note => match self.of {
                Compared::Models => format!("`{model}` on `{}`: {note}", self.dataset(line)),
                Compared::Datasets | Compared::Runs => {
                    format!("`{}` on `{}`: {note}", line.model, self.dataset(line))
                }
            },
        }
    }

    fn legend(&self) -> String {
        let tests = || {
            self.lines.iter().filter_map(|line| match &line.result {
                ComparisonResult::Tested(test) => Some(test),
                _ => None,
            })
        };
        let mut methods: Vec<&str> = Vec::new();
        for test in tests() {
            let name = match test.method {
                Method::McNemarExact => "McNemar's exact test",
                Method::PermutationExact => "an exact permutation test",
                Method::Permutation(_) => "a permutation test of random signs",
            };
            if !methods.contains(&name) {
                methods.push(name);
            }
        }
        match methods.as_slice() {
            [] => format!("Nothing could be compared with `{}`.", self.baseline),
            methods => format!(
                "{} against `{}` on the same samples; a win is a higher value. p: {}; Holm: adjusted for the \
                 number of comparisons in this table, {}.",
                match self.of {
                    Compared::Models => "Each model",
                    Compared::Datasets => "Each dataset",
                    Compared::Runs => "Each model's answers of a run",
                },
                self.baseline,
                methods.join(" or "),
                tests().count()
            ),
        }
    }
}

fn numbers(test: &Test) -> Vec<String> {
    let interval = test.interval.map(|(low, high)| format!("{low:+.4} to {high:+.4}"));
    vec![
        test.n.to_string(),
        format!("{:.4}", test.baseline),
        format!("{:.4}", test.value),
        format!("{:+.4}", test.difference),
        interval.unwrap_or_else(|| "none".to_owned()),
        p_value(test.p_value),
        p_value(test.p_holm),
        format!("{}/{}/{}", test.wins, test.losses, test.ties),
    ]
}

/// Four decimals, or `< 0.0001`.
fn p_value(p: f64) -> String {
    if p < 0.0001 { "< 0.0001".to_owned() } else { format!("{p:.4}") }
}
