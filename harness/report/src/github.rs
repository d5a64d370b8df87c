//! The results of a run as Markdown for GitHub: the summary of a workflow's job, or a comment.

use super::{markdown, stage_summary};
use examiner_store::provenance::{Provenance, Status};
use examiner_store::summary::SummaryRow;

/// A heading, how the run ended, the table, what was made on the way and warnings.
pub fn render(run: &Provenance, rows: &[SummaryRow]) -> String {
    let sign = match run.status {
        Status::Complete => ":white_check_mark:",
        Status::Partial | Status::Interrupted | Status::Running => ":warning:",
        Status::Failed => ":x:",
    };
    let mut text = format!(
        "### `{}`\n\n{sign} {} (run `{}`, {:.0} s)\n\n{}",
        run.suite,
        run.status.word(),
        run.run,
        run.seconds,
        // Notes are paragraphs of their own: GitHub would join their lines.
        markdown::render(rows).replace("\n(", "\n\n(")
    );
    let made = stage_summary::render(run);
    if !made.is_empty() {
        text.push_str(&format!("\n<details><summary>What was made on the way</summary>\n\n{made}\n</details>\n"));
    }
    for warning in stage_summary::warnings(run).lines() {
        text.push_str(&format!("\n> [!WARNING]\n> {}\n", warning.trim_start_matches("warning: ")));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::markdown::tests::rows;
    use super::*;

    #[test]
    fn a_comment_says_how_the_run_ended_and_why_cells_are_missing() {
        let mut run = Provenance { suite: "s".to_owned(), run: "s-1".to_owned(), ..Provenance::default() };
        (run.status, run.seconds) = (Status::Failed, 12.0);
        let warnings = vec!["on the CPU".to_owned()];
        run.models.insert("student".to_owned(), examiner_api::ModelInfo { warnings, ..Default::default() });
        insta::assert_snapshot!(render(&run, &rows()[3..6]), @r#"
        ### `s`

        :x: failed (run `s-1`, 12 s)

        | dataset | metric   |    n |             original |                  student |
        | ------- | -------- | ---: | -------------------: | -----------------------: |
        | csqa    | accuracy | 1221 | 0.158 [0.138, 0.178] |                  not run |
        | gsm8k   | accuracy | 1319 |              not run | 0.170 [0.150, 0.190] (1) |
        | bbh     | -        |    - |              not run |               failed (2) |

        In brackets: 95 % intervals.


        (1) `student` on `gsm8k`: partial: 3 of 1319 samples are errors: 3 x timeout, "slow"; with them, accuracy lies between 0.1696 and 0.1719

        (2) `student` on `bbh`: failed: the worker died of signal 11 (log: `logs/a.log`)

        > [!WARNING]
        > `student`: on the CPU
        "#);
    }
}
