//! Laws of metrics that need no reference.

use examiner_metrics::bleu::Bleu;
use examiner_metrics::chrf::Chrf;
use examiner_metrics::corpus::CorpusMetric;
use examiner_metrics::ter::Ter;
use proptest::prelude::*;

fn texts() -> impl Strategy<Value = (String, Vec<String>)> {
    let text = "[abc .é]{0,16}";
    (text, prop::collection::vec(text, 1..3))
}

proptest! {
    /// The order of samples, and how they are grouped before they are summed, changes nothing.
    #[test]
    fn the_order_of_samples_does_not_matter(samples in prop::collection::vec(texts(), 1..6), first in 0usize..6) {
        let metrics: [&dyn CorpusMetric; 4] = [&Bleu::default(), &Chrf::default(), &Chrf::plus_plus(), &Ter::default()];
        for metric in metrics {
            let of = |(prediction, references): &(String, Vec<String>)| metric.statistics(prediction, references).unwrap();
            let mut statistics: Vec<Vec<f64>> = samples.iter().map(of).collect();
            let value = metric.corpus(&statistics);
            let first = first % statistics.len();
            statistics.rotate_left(first);
            prop_assert!((metric.corpus(&statistics) - value).abs() < 1e-9);
        }
    }

    /// An answer that is the right one has no edits, and n-grams that all match.
    #[test]
    fn the_right_answer_is_the_best(words in prop::collection::vec("[a-d]{1,3}", 4..30)) {
        let text = words.join(" ");
        let of = |metric: &dyn CorpusMetric| metric.value(&metric.statistics(&text, std::slice::from_ref(&text)).unwrap());
        prop_assert_eq!(of(&Ter::default()), 0.0);
        prop_assert!((of(&Bleu::default()) - 100.0).abs() < 1e-9);
        prop_assert!((of(&Chrf::default()) - 100.0).abs() < 1e-9);
    }

    /// Edits are not more than both texts have words.
    #[test]
    fn edits_are_bounded(one in "[ab c]{0,80}", other in "[ab c]{0,80}") {
        let edits = Ter::default().statistics(&one, std::slice::from_ref(&other)).unwrap()[0];
        prop_assert!(edits <= one.split(' ').count().max(other.split(' ').count()) as f64);
    }
}
