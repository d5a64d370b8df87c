//! Scorers: whether the answer is the right text.

use crate::options::Flavour;
use examiner_api::{
    Aggregation, Answer, Answered, Ask, Gold, Host, MetricInfo, Open, Question, Result, Scorer, ScorerInfo, Verdict,
};

/// What goes wrong.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fault {
    SameName,
    ListTooMany,
    OtherAsks,
    VerdictTooFew,
    MissingMetric,
    AboveBounds,
    OtherMetric,
    Neighbours,
    CorpusOrder,
    CorpusOfOne,
}

const FAULTS: [Fault; 10] = [
    Fault::SameName,
    Fault::ListTooMany,
    Fault::OtherAsks,
    Fault::VerdictTooFew,
    Fault::MissingMetric,
    Fault::AboveBounds,
    Fault::OtherMetric,
    Fault::Neighbours,
    Fault::CorpusOrder,
    Fault::CorpusOfOne,
];

/// A scorer with the fault of this number.
pub(crate) struct WrongScorer<const FAULT: usize> {
    flavour: u32,
}

impl<const FAULT: usize> Open for WrongScorer<FAULT> {
    type Options = Flavour;

    fn open(options: Flavour, _: Host) -> Result<Self> {
        Ok(WrongScorer { flavour: options.flavour.unwrap_or(0) })
    }
}

impl<const FAULT: usize> WrongScorer<FAULT> {
    fn has(&self, fault: Fault) -> bool {
        FAULTS[FAULT] == fault
    }

    fn verdict(&self, item: &Answered, count: usize) -> Verdict {
        let text = match item.answers.first() {
            Some(Answer::Generate(answer)) => answer.text.trim(),
            _ => "",
        };
        let is_right =
            matches!(&item.question.sample.gold, Gold::Text(right) if right.iter().any(|right| right == text));
        let value = f64::from(u8::from(is_right));
        let mut verdict = Verdict {
            metrics: [("right".to_owned(), value)].into(),
            statistics: [("length".to_owned(), vec![text.len() as f64, 1.0])].into(),
            extracted: Some(format!("{text} (flavour {})", self.flavour)),
            ..Verdict::default()
        };
        match FAULTS[FAULT] {
            Fault::MissingMetric if text.is_empty() => verdict.metrics.clear(),
            Fault::AboveBounds => drop(verdict.metrics.insert("right".to_owned(), 1.5)),
            Fault::OtherMetric => drop(verdict.metrics.insert("other".to_owned(), 0.5)),
            Fault::Neighbours => drop(verdict.metrics.insert("right".to_owned(), 1.0 / count as f64)),
            _ => {}
        }
        verdict
    }
}

impl<const FAULT: usize> Scorer for WrongScorer<FAULT> {
    fn info(&self) -> Result<ScorerInfo> {
        let metric = |name: &str, aggregation, bounds| MetricInfo {
            name: name.to_owned(),
            aggregation,
            higher_is_better: true,
            bounds,
            ..MetricInfo::default()
        };
        let mut metrics =
            vec![metric("right", Aggregation::Mean, Some((0.0, 1.0))), metric("length", Aggregation::Corpus, None)];
        metrics.extend(self.has(Fault::SameName).then(|| metric("right", Aggregation::Mean, None)));
        Ok(ScorerInfo {
            metrics,
            fingerprint: format!("right, flavour {}", self.flavour),
            asks_score: self.has(Fault::OtherAsks),
            asks_generate: true,
        })
    }

    fn requests(&self, questions: &[Question]) -> Result<Vec<Vec<Ask>>> {
        let ask = |question: &Question| {
            let (prompt, turns) = (question.context.clone(), question.turns.clone());
            vec![Ask::Generate { prompt, turns, sampling: question.sampling.clone() }]
        };
        let mut all: Vec<Vec<Ask>> = questions.iter().map(ask).collect();
        all.extend(self.has(Fault::ListTooMany).then(Vec::new));
        Ok(all)
    }

    fn score(&self, items: &[Answered]) -> Result<Vec<Verdict>> {
        let mut all: Vec<Verdict> = items.iter().map(|item| self.verdict(item, items.len())).collect();
        if self.has(Fault::VerdictTooFew) {
            all.pop();
        }
        Ok(all)
    }

    fn corpus(&self, _: &str, statistics: &[Vec<f64>]) -> Result<f64> {
        let sum = |place: usize| statistics.iter().map(|of| of[place]).sum::<f64>();
        Ok(match FAULTS[FAULT] {
            Fault::CorpusOrder => statistics.first().map_or(0.0, |of| of[0]),
            Fault::CorpusOfOne if statistics.len() == 1 => f64::NAN,
            _ => sum(0) / sum(1),
        })
    }
}
