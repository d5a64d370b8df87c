//! Which rows each step learns from. A plan is a function of rows, options and seed, so that a training which was
//! interrupted resumes by the number of its step alone.

use super::options::{Order, TrainOptions};
use super::rows::Row;
use examiner_api::random::Stream;

/// Passes of a step, each a list of rows by their numbers.
pub(super) type Step = Vec<Vec<u32>>;

/// All steps of a training.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Plan {
    pub(super) steps: Vec<Step>,
    /// The number of steps after which each epoch ends.
    pub(super) epoch_ends: Vec<u64>,
}

/// Three epochs, where the suite sets neither epochs nor steps.
const EPOCHS: u64 = 3;

impl Plan {
    pub(super) fn new(rows: &[Row], options: &TrainOptions, seed: u64) -> Plan {
        let epochs = options.epochs.unwrap_or(if options.max_steps.is_some() { u64::MAX } else { EPOCHS });
        let most = options.max_steps.map_or(usize::MAX, |steps| usize::try_from(steps).unwrap_or(usize::MAX));
        let mut plan = Plan { steps: Vec::new(), epoch_ends: Vec::new() };
        for epoch in 0..epochs {
            let order = match options.order {
                Order::Given => (0..rows.len() as u32).collect(),
                Order::Shuffled => Stream::new(seed, "order", epoch as u32).permutation(rows.len()),
            };
            let passes = passes(rows, &order, options);
            plan.steps.extend(passes.chunks(options.accumulation).map(<[Vec<u32>]>::to_vec));
            plan.steps.truncate(most);
            plan.epoch_ends.push(plan.steps.len() as u64);
            if plan.steps.len() == most {
                break;
            }
        }
        plan
    }

    pub(super) fn length(&self) -> u64 {
        self.steps.len() as u64
    }
}

/// Rows in their order, cut into passes within the limits.
pub(super) fn passes(rows: &[Row], order: &[u32], options: &TrainOptions) -> Vec<Vec<u32>> {
    let most_rows = options.rows_of_pass();
    let most_tokens = options.batch_tokens.unwrap_or(usize::MAX);
    let mut passes: Vec<Vec<u32>> = Vec::new();
    let mut tokens = 0;
    for &row in order {
        let length = rows[row as usize].inputs();
        match passes.last_mut() {
            Some(pass) if pass.len() < most_rows && tokens + length <= most_tokens => pass.push(row),
            _ => {
                passes.push(vec![row]);
                tokens = 0;
            }
        }
        tokens += length;
    }
    passes
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn rows(lengths: &[usize]) -> Vec<Row> {
        lengths.iter().map(|&length| Row { tokens: vec![1; length + 1], first_label: 1 }).collect()
    }

    #[test]
    fn max_steps_alone_goes_on_as_long_as_it_takes() {
        let options = TrainOptions { max_steps: Some(7), batch_rows: Some(2), ..TrainOptions::default() };
        let plan = Plan::new(&rows(&[3; 5]), &options, 1);
        assert_eq!((plan.length(), plan.epoch_ends), (7, vec![3, 6, 7]));
        let given = TrainOptions { epochs: Some(1), order: Order::Given, ..options };
        assert_eq!(Plan::new(&rows(&[3; 5]), &given, 1).steps, [[vec![0, 1]], [vec![2, 3]], [vec![4]]]);
    }

    proptest! {
        #[test]
        fn every_epoch_has_every_row_once_within_the_limits(
            lengths in prop::collection::vec(1usize..40, 1..60), tokens in 1usize..100, accumulation in 1usize..4,
            seed in any::<u64>(),
        ) {
            let rows = rows(&lengths);
            let options = TrainOptions {
                epochs: Some(2), batch_tokens: Some(tokens), accumulation, ..TrainOptions::default()
            };
            let plan = Plan::new(&rows, &options, seed);
            let mut begin = 0;
            for end in &plan.epoch_ends {
                let steps = &plan.steps[begin..*end as usize];
                let mut seen: Vec<u32> = steps.iter().flatten().flatten().copied().collect();
                seen.sort_unstable();
                prop_assert!(seen.into_iter().eq(0..rows.len() as u32));
                for step in steps {
                    prop_assert!(step.len() <= accumulation);
                    for pass in step {
                        let length: usize = pass.iter().map(|row| lengths[*row as usize]).sum();
                        prop_assert!(length <= tokens || pass.len() == 1);
                    }
                }
                begin = *end as usize;
            }
            prop_assert_eq!(begin, plan.steps.len());
            prop_assert_eq!(&plan, &Plan::new(&rows, &options, seed));
        }
    }
}
