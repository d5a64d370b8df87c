//! Axes with round numbers.

/// An axis from `low` to `high`, with a tick at every `step` from `low` on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Axis {
    pub(super) low: f64,
    pub(super) high: f64,
    step: f64,
}

impl Axis {
    /// An axis that contains `low` and `high`, with about `ticks` steps of 1, 2 or 5 times a power of ten.
    pub(super) fn around(low: f64, high: f64, ticks: u32) -> Self {
        let (low, high) = if high > low { (low, high) } else { (low - 0.5, high + 0.5) };
        let rough = (high - low) / f64::from(ticks.max(1));
        let power = 10_f64.powf(rough.log10().floor());
        let times = [1.0, 2.0, 5.0, 10.0].into_iter().find(|times| times * power >= rough * 0.999).unwrap_or(10.0);
        let step = times * power;
        Axis { low: (low / step + 1e-9).floor() * step, high: (high / step - 1e-9).ceil() * step, step }
    }

    /// The same, starting at 0 unless all values are far from 0.
    pub(super) fn from_zero(low: f64, high: f64, ticks: u32) -> Self {
        if low >= 0.0 && low < 0.6 * high { Axis::around(0.0, high, ticks) } else { Axis::around(low, high, ticks) }
    }

    /// The ticks with their labels.
    pub(super) fn ticks(&self) -> Vec<(f64, String)> {
        let count = ((self.high - self.low) / self.step).round() as u32;
        let decimals = (-self.step.log10().floor()).clamp(0.0, 12.0) as usize;
        let tick = |index: u32| {
            let value = self.low + f64::from(index) * self.step;
            // A value that is 0 but for rounding must not be printed as `-0`.
            let value = if value.abs() < self.step * 1e-6 { 0.0 } else { value };
            (value, grouped(&format!("{value:.decimals$}")))
        };
        (0..=count).map(tick).collect()
    }

    /// The coordinate of a value, if the axis' low end is at `from` and its high end at `to`.
    pub(super) fn position(&self, value: f64, from: f64, to: f64) -> f64 {
        from + (value - self.low) / (self.high - self.low) * (to - from)
    }
}

/// Digits in groups of three, from ten thousand on.
pub(super) fn grouped(digits: &str) -> String {
    let (whole, rest) = digits.split_once('.').map_or((digits, ""), |(whole, _)| (whole, &digits[whole.len()..]));
    let (sign, whole) = whole.strip_prefix('-').map_or(("", whole), |whole| ("-", whole));
    if whole.len() < 5 {
        return digits.to_owned();
    }
    let mut text = String::new();
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && (whole.len() - index) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    format!("{sign}{text}{rest}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn labels(axis: Axis) -> Vec<String> {
        axis.ticks().into_iter().map(|(_, label)| label).collect()
    }

    #[test]
    fn ticks_are_round_numbers() {
        assert_eq!(labels(Axis::around(0.0, 100.0, 5)), ["0", "20", "40", "60", "80", "100"]);
        assert_eq!(labels(Axis::around(0.03, 0.29, 6)), ["0.00", "0.05", "0.10", "0.15", "0.20", "0.25", "0.30"]);
        assert_eq!(labels(Axis::around(-1.0, 1.0, 4)), ["-1.0", "-0.5", "0.0", "0.5", "1.0"]);
        assert_eq!(labels(Axis::around(0.0, 30_000.0, 3)), ["0", "10,000", "20,000", "30,000"]);
        assert_eq!(labels(Axis::from_zero(17.0, 41.0, 5)), ["0", "10", "20", "30", "40", "50"]);
        assert_eq!(labels(Axis::from_zero(80.0, 91.0, 5)), ["80", "85", "90", "95"]);
        assert_eq!(labels(Axis::around(3.0, 3.0, 2)), ["2.5", "3.0", "3.5"]);
        assert_eq!(grouped("-1234567.5"), "-1,234,567.5");
    }

    proptest! {
        #[test]
        fn an_axis_contains_its_values(low in -1e6_f64..1e6, span in 1e-6_f64..1e6, ticks in 2_u32..12) {
            let axis = Axis::around(low, low + span, ticks);
            let slack = 1e-6 * axis.step;
            prop_assert!(axis.low <= low + slack && axis.high >= low + span - slack, "{axis:?}");
            let count = axis.ticks().len();
            prop_assert!((2..=ticks as usize + 3).contains(&count), "{axis:?} has {count} ticks");
        }
    }
}
