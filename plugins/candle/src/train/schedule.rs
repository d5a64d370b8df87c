//! The learning rate of each step.

use super::options::{Schedule, TrainOptions};

/// The learning rate over a training of a known length.
#[derive(Debug, Clone, Copy)]
pub(super) struct LearningRate {
    highest: f64,
    schedule: Schedule,
    warmup: u64,
    floor: f64,
    steps: u64,
}

impl LearningRate {
    pub(super) fn new(options: &TrainOptions, steps: u64) -> Self {
        let share = |share: f64| (share * steps as f64).round() as u64;
        let warmup = options.warmup_steps.or(options.warmup_share.map(share)).unwrap_or(0);
        LearningRate { highest: options.lr, schedule: options.schedule, warmup, floor: options.min_lr_share, steps }
    }

    /// The rate of a step, counted from 0: `min(1, (s + 1) / warmup)` times the factor of the schedule.
    pub(super) fn at(&self, step: u64) -> f64 {
        let (s, n) = (step as f64, self.steps as f64);
        let decay = match self.schedule {
            Schedule::Linear => (n - s) / n,
            Schedule::Cosine => 0.5 * (1.0 + (std::f64::consts::PI * s / n).cos()),
            Schedule::Constant => 1.0,
        };
        let rise = if self.warmup == 0 { 1.0 } else { ((s + 1.0) / self.warmup as f64).min(1.0) };
        self.highest * rise * decay.max(self.floor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rates(options: TrainOptions) -> Vec<f64> {
        let rate = LearningRate::new(&options, 8);
        (0..8).map(|step| rate.at(step)).collect()
    }

    #[test]
    fn rises_and_falls() {
        let linear = rates(TrainOptions { lr: 8.0, warmup_steps: Some(2), ..TrainOptions::default() });
        assert_eq!(linear, [4.0, 7.0, 6.0, 5.0, 4.0, 3.0, 2.0, 1.0]);
        let options = TrainOptions { lr: 1.0, schedule: Schedule::Cosine, min_lr_share: 0.2, ..Default::default() };
        let cosine = rates(options);
        assert_eq!((cosine[0], cosine[7]), (1.0, 0.2));
        assert!((cosine[4] - 0.5).abs() < 1e-12);
        let constant = rates(TrainOptions {
            lr: 1.0,
            schedule: Schedule::Constant,
            warmup_share: Some(0.5),
            ..Default::default()
        });
        assert_eq!(constant, [0.25, 0.5, 0.75, 1.0, 1.0, 1.0, 1.0, 1.0]);
    }
}
