//! One line of the result: how many rows agree, and the largest difference.

use std::fmt;

/// The names of the columns.
pub(super) const HEADER: &str =
    "comparison                                     rows  agreeing  largest-difference  result";

/// A comparison, row by row.
pub(super) struct Comparison {
    name: String,
    rows: usize,
    agreeing: usize,
    largest: Option<f64>,
    /// How many rows must agree; all unless said otherwise.
    required: Option<usize>,
    /// Why there is nothing to compare, if there is not.
    left_out: Option<String>,
}

impl Comparison {
    pub(super) fn new(name: impl Into<String>) -> Self {
        Comparison { name: name.into(), rows: 0, agreeing: 0, largest: None, required: None, left_out: None }
    }

    /// One that another program makes impossible, which is shown and neither holds nor falls short.
    pub(super) fn left_out(name: impl Into<String>, reason: impl Into<String>) -> Self {
        Comparison { left_out: Some(reason.into()), ..Comparison::new(name) }
    }

    /// Exactly this many rows must agree: for a difference that is known and intended.
    pub(super) fn requiring(mut self, rows: usize) -> Self {
        self.required = Some(rows);
        self
    }

    /// A row that agrees or does not.
    pub(super) fn row(&mut self, agrees: bool) {
        self.rows += 1;
        self.agreeing += usize::from(agrees);
    }

    /// A row with numbers, which agrees if no difference is larger than `tolerance`. Numbers that are missing, or not
    /// numbers, do not agree.
    pub(super) fn numbers(&mut self, ours: &[f64], theirs: &[f64], tolerance: f64) {
        let differences = ours.iter().zip(theirs).map(|(ours, theirs)| (ours - theirs).abs());
        let worst = differences.fold(0.0, |worst: f64, next| if next > worst || next.is_nan() { next } else { worst });
        self.largest = Some(match self.largest {
            Some(largest) if largest >= worst || largest.is_nan() => largest,
            _ => worst,
        });
        self.row(ours.len() == theirs.len() && worst <= tolerance);
    }

    /// Whether as many rows agree as must. A comparison of nothing does not hold, unless that has a reason.
    pub(super) fn holds(&self) -> bool {
        self.left_out.is_some() || (self.rows > 0 && self.agreeing == self.required.unwrap_or(self.rows))
    }
}

/// The line of a group that could not be compared.
pub(super) fn failed(name: &str) -> String {
    line(name, "-", "-", "-", false)
}

/// The line of a group that has nothing to compare on this machine.
pub(super) fn left_out(name: &str) -> String {
    layout(name, "-", "-", "-", "not run")
}

fn line(name: &str, rows: &str, agreeing: &str, largest: &str, holds: bool) -> String {
    layout(name, rows, agreeing, largest, if holds { "ok" } else { "FALLS SHORT" })
}

fn layout(name: &str, rows: &str, agreeing: &str, largest: &str, result: &str) -> String {
    format!("{name:<44} {rows:>6} {agreeing:>9} {largest:>19}  {result}")
}

impl fmt::Display for Comparison {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(reason) = &self.left_out {
            return formatter.write_str(&layout(&self.name, "-", "-", "-", &format!("not run: {reason}")));
        }
        let largest = self.largest.map_or_else(|| "-".to_owned(), |largest| format!("{largest:.1e}"));
        let (rows, agreeing) = (self.rows.to_string(), self.agreeing.to_string());
        formatter.write_str(&line(&self.name, &rows, &agreeing, &largest, self.holds()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_that_are_off_or_not_numbers_fall_short() {
        let mut comparison = Comparison::new("sums");
        comparison.numbers(&[1.0, 2.0], &[1.0, 2.0005], 1e-3);
        assert!(comparison.holds(), "{comparison}");
        for (ours, theirs) in [(&[1.0][..], &[1.01][..]), (&[f64::NAN], &[1.0]), (&[1.0, 2.0], &[1.0])] {
            let mut comparison = Comparison::new("sums");
            comparison.numbers(ours, theirs, 1e-3);
            comparison.numbers(&[1.0], &[1.0], 1e-3);
            assert!(!comparison.holds(), "{comparison}");
            assert!(comparison.to_string().ends_with("FALLS SHORT"));
        }
        assert!(!Comparison::new("nothing").holds());
    }

    #[test]
    fn what_is_left_out_says_why() {
        let line = Comparison::left_out("theirs", "the other program refuses it").to_string();
        assert!(line.ends_with("  not run: the other program refuses it"), "{line}");
    }

    #[test]
    fn a_meant_difference_must_be_exactly_as_large() {
        for (agreeing, holds) in [(2, false), (3, true), (4, false)] {
            let mut comparison = Comparison::new("known").requiring(3);
            (0..4).for_each(|row| comparison.row(row < agreeing));
            assert_eq!(comparison.holds(), holds);
        }
    }
}
