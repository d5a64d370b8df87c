//! The edit distance of two sequences of words near the diagonal, with the edits.

/// So far from the diagonal is the distance computed, at least.
const WIDTH: usize = 25;
/// More than any distance.
const INFINITE: i64 = 10_000_000_000_000_000;

/// An edit of the prediction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Edit {
    /// The words are equal.
    Keep,
    /// A word becomes another.
    Replace,
    /// A word of the reference is put in.
    Insert,
    /// A word goes.
    Delete,
    /// Not computed.
    Unknown,
}

type Row = Vec<(i64, Edit)>;

/// Distances of reorderings of one prediction to a reference. What they begin with in common with the last one that was kept is computed once.
pub(super) struct Distance<'r> {
    reference: &'r [u32],
    kept: Vec<u32>,
    rows: Vec<Row>,
}

impl<'r> Distance<'r> {
    pub(super) fn new(reference: &'r [u32]) -> Self {
        let first = (0..=reference.len()).map(|j| (j as i64, Edit::Insert)).collect();
        Distance { reference, kept: Vec::new(), rows: vec![first] }
    }

    /// The distance of a prediction.
    pub(super) fn of(&self, prediction: &[u32]) -> i64 {
        let rows = self.rows_of(prediction);
        let last = rows.last().or_else(|| self.rows.get(prediction.len()));
        last.and_then(|row| row.last()).map_or(INFINITE, |cell| cell.0)
    }

    /// The distance of a prediction and its edits; its rows are kept for those that follow.
    pub(super) fn keep(&mut self, prediction: &[u32]) -> (i64, Vec<Edit>) {
        let new = self.rows_of(prediction);
        self.rows.truncate(prediction.len() + 1 - new.len());
        self.rows.extend(new);
        self.kept = prediction.to_vec();
        let (mut i, mut j) = (prediction.len(), self.reference.len());
        let mut edits = Vec::new();
        while i > 0 || j > 0 {
            let edit = self.rows[i][j].1;
            edits.push(edit);
            match edit {
                Edit::Keep | Edit::Replace => (i, j) = (i - 1, j - 1),
                Edit::Insert => j -= 1,
                Edit::Delete => i -= 1,
                Edit::Unknown => break,
            }
        }
        edits.reverse();
        (self.rows[prediction.len()][self.reference.len()].0, edits)
    }

    /// The rows that differ from the kept ones.
    fn rows_of(&self, prediction: &[u32]) -> Vec<Row> {
        let same = self.kept.iter().zip(prediction).take_while(|(one, other)| one == other).count();
        let same = if self.kept.len() == prediction.len() { same } else { 0 };
        let wanted = self.reference.len();
        let ratio = if prediction.is_empty() { 1.0 } else { wanted as f64 / prediction.len() as f64 };
        let width = match ratio / 2.0 > WIDTH as f64 {
            true => (ratio / 2.0 + WIDTH as f64).ceil() as usize,
            false => WIDTH,
        };
        let mut rows: Vec<Row> = Vec::new();
        for i in same + 1..=prediction.len() {
            let before = rows.last().unwrap_or(&self.rows[same]);
            let diagonal = (i as f64 * ratio).floor() as usize;
            let low = diagonal.saturating_sub(width);
            let high = if i == prediction.len() { wanted + 1 } else { (diagonal + width).min(wanted + 1) };
            let mut row = vec![(INFINITE, Edit::Unknown); wanted + 1];
            for j in low..high {
                if j == 0 {
                    row[0] = (before[0].0 + 1, Edit::Delete);
                    continue;
                }
                let is_same = prediction[i - 1] == self.reference[j - 1];
                let (cost, edit) = if is_same { (0, Edit::Keep) } else { (1, Edit::Replace) };
                let ways =
                    [(before[j - 1].0 + cost, edit), (before[j].0 + 1, Edit::Delete), (row[j - 1].0 + 1, Edit::Insert)];
                for way in ways {
                    if way.0 < row[j].0 {
                        row[j] = way;
                    }
                }
            }
            rows.push(row);
        }
        rows
    }
}
