//! What was found of each clause.

use super::clause::Clause;
use examiner_api::{ErrorCode, PluginError};
use serde::Serialize;
use std::path::PathBuf;

/// How a plugin stands to a clause.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// It keeps it, as far as was looked.
    Holds,
    /// It does not.
    Broken,
    /// It could not be found out.
    Skipped,
}

/// What was found of one clause.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The clause's name.
    pub clause: &'static str,
    /// `model/echo`; none for clauses of the file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// How the plugin stands to it.
    pub outcome: Outcome,
    /// What was expected and found, or why it could not be found out: one sentence.
    pub detail: String,
}

/// What was found of a plugin file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The file.
    pub path: PathBuf,
    /// The plugin's name; none where the file does not load.
    pub plugin: Option<String>,
    /// Its version.
    pub version: Option<String>,
    /// A finding for each clause and role.
    pub findings: Vec<Finding>,
}

impl Report {
    /// How many clauses had this outcome.
    pub fn count(&self, outcome: Outcome) -> usize {
        self.findings.iter().filter(|finding| finding.outcome == outcome).count()
    }

    /// The report for people: a line for each clause. Clauses of a role that were skipped for one reason share a line.
    pub fn text(&self) -> String {
        let name = self.plugin.as_ref().zip(self.version.as_ref());
        let name = name.map(|(name, version)| format!("plugin `{name}` {version}, ")).unwrap_or_default();
        let mut text = format!("{name}`{}`\n", self.path.display());
        let width = self.findings.iter().map(|finding| finding.clause.len()).max().unwrap_or_default();
        let mut role: Option<&String> = None;
        let mut findings = self.findings.iter().peekable();
        while let Some(finding) = findings.next() {
            if finding.role.as_ref() != role {
                role = finding.role.as_ref();
                text.push_str(&format!("\n{}\n", role.map_or("the file", |role| role)));
            }
            let word = match finding.outcome {
                Outcome::Holds => "holds",
                Outcome::Broken => "BROKEN",
                Outcome::Skipped => "skipped",
            };
            let mut more = 0;
            let is_alike = |other: &&Finding| {
                finding.outcome == Outcome::Skipped && (&other.detail, &other.role) == (&finding.detail, &finding.role)
            };
            while findings.next_if(is_alike).is_some() {
                more += 1;
            }
            let more = if more > 0 { format!("and {more} more: ") } else { String::new() };
            text.push_str(&format!("{word:<7}  {:<width$}  {more}{}\n", finding.clause, finding.detail));
        }
        let [holds, broken, skipped] = [Outcome::Holds, Outcome::Broken, Outcome::Skipped].map(|of| self.count(of));
        text.push_str(&format!("\n{holds} hold, {broken} broken, {skipped} skipped\n"));
        text
    }
}

/// What the check of a clause comes to.
pub(super) enum Held {
    Yes(String),
    No(String),
    Skipped(String),
}

/// The findings so far, of one role or of the file.
pub(super) struct Findings<'a> {
    pub(super) role: Option<String>,
    pub(super) list: &'a mut Vec<Finding>,
}

impl Findings<'_> {
    pub(super) fn add(&mut self, clause: &Clause, held: Held) {
        let (outcome, detail) = match held {
            Held::Yes(detail) => (Outcome::Holds, detail),
            Held::No(detail) => (Outcome::Broken, detail),
            Held::Skipped(detail) => (Outcome::Skipped, detail),
        };
        let detail = detail.split_whitespace().collect::<Vec<_>>().join(" ");
        self.list.push(Finding { clause: clause.name, role: self.role.clone(), outcome, detail });
    }

    /// Adds what a check came to. An error of it is the plugin's, unless it is one of the world around it.
    pub(super) fn add_result(&mut self, clause: &Clause, held: Result<Held, PluginError>) {
        self.add(clause, held.unwrap_or_else(|error| of_error(&error)));
    }

    /// Whether a clause was found to be broken.
    pub(super) fn is_broken(&self, clause: &Clause) -> bool {
        let mut of_role = self.list.iter().filter(|finding| finding.role == self.role);
        of_role.any(|found| found.clause == clause.name && found.outcome == Outcome::Broken)
    }

    /// Whether something was found of a clause.
    pub(super) fn has(&self, clause: &Clause) -> bool {
        self.list.iter().any(|found| found.clause == clause.name && found.role == self.role)
    }

    /// Skips every clause of `clauses` that was not looked at.
    pub(super) fn skip_rest<'c>(&mut self, clauses: impl Iterator<Item = &'c Clause>, why: &str) {
        for clause in clauses {
            if !self.has(clause) {
                self.add(clause, Held::Skipped(why.to_owned()));
            }
        }
    }
}

/// Whether an error is of the world around the plugin: a server, a file, a missing right.
pub(super) fn is_of_the_world(error: &PluginError) -> bool {
    use ErrorCode::{Authentication, Cancelled, Io, Network, NotFound, Overloaded, Quota};
    matches!(error.code, Network | Authentication | Quota | Overloaded | NotFound | Io | Cancelled)
}

/// Whether an error shows that the role left its contract, rather than that it refused something.
pub(super) fn is_breach(error: &PluginError) -> bool {
    use ErrorCode::{Crashed, Panic, Protocol, Timeout};
    matches!(error.code, Crashed | Panic | Protocol | Timeout)
}

fn of_error(error: &PluginError) -> Held {
    match is_of_the_world(error) {
        true => Held::Skipped(format!("it could not be found out: {error}")),
        false => Held::No(format!("expected the call to return, found the error: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_has_a_line_for_each_clause_and_skipped_ones_share_one() {
        let finding = |clause, role: Option<&str>, outcome, detail: &str| Finding {
            clause,
            role: role.map(str::to_owned),
            outcome,
            detail: detail.to_owned(),
        };
        let report = Report {
            path: "p.so".into(),
            plugin: Some("p".into()),
            version: Some("1.0.0".into()),
            findings: vec![
                finding("file/loads", None, Outcome::Holds, "it loads"),
                finding("model/seed", Some("model/m"), Outcome::Broken, "expected one, found two"),
                finding("model/memory", Some("model/m"), Outcome::Skipped, "no time"),
                finding("model/is-greedy", Some("model/m"), Outcome::Skipped, "no time"),
            ],
        };
        insta::assert_snapshot!(report.text(), @r"
        plugin `p` 1.0.0, `p.so`
        holds    file/loads       it loads

        model/m
        BROKEN   model/seed       expected one, found two
        skipped  model/memory     and 1 more: no time

        1 hold, 1 broken, 2 skipped
        ");
    }
}
