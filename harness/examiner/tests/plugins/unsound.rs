//! A plugin of the tests: roles whose declarations and numbers cannot be relied on, in a way that a suite orders.

use examiner_api::serde::Deserialize;
use examiner_api::{
    Aggregation, Answered, Ask, Dataset, DatasetInfo, Flow, GenerateRequest, GenerateResult, Gold, Host, MetricInfo,
    Model, ModelInfo, Open, Plugin, PluginError, Question, Response, Result, Sample, Scorer, ScorerInfo, Sink, Verdict,
    schemars, serde,
};

fn fingerprint(there: bool) -> String {
    if there { "unsound 1".into() } else { String::new() }
}

fn yes() -> bool {
    true
}

/// Samples with the ids that the suite gives.
#[derive(Deserialize, schemars::JsonSchema)]
#[serde(crate = "serde", deny_unknown_fields)]
#[schemars(crate = "schemars")]
struct Listed {
    ids: Vec<String>,
    #[serde(default = "yes")]
    fingerprint: bool,
}

impl Open for Listed {
    type Options = Listed;
    fn open(options: Listed, _: Host) -> Result<Self> {
        Ok(options)
    }
}

impl Dataset for Listed {
    fn info(&self) -> Result<DatasetInfo> {
        let scorer = Some("unsound-judge".to_owned());
        Ok(DatasetInfo { fingerprint: fingerprint(self.fingerprint), scorer, ..DatasetInfo::default() })
    }

    fn samples(&mut self, sink: &dyn Sink<Sample>) -> Result<()> {
        for id in &self.ids {
            let sample = Sample { id: id.clone(), prompt: "p".into(), gold: Gold::text("p"), ..Sample::default() };
            if sink.send(sample) == Flow::Stop {
                break;
            }
        }
        Ok(())
    }
}

/// Says nothing.
#[derive(Deserialize, schemars::JsonSchema)]
#[serde(crate = "serde", deny_unknown_fields)]
#[schemars(crate = "schemars")]
struct Mute {
    #[serde(default = "yes")]
    fingerprint: bool,
}

impl Open for Mute {
    type Options = Mute;
    fn open(options: Mute, _: Host) -> Result<Self> {
        Ok(options)
    }
}

impl Model for Mute {
    fn info(&self) -> Result<ModelInfo> {
        Ok(ModelInfo { fingerprint: fingerprint(self.fingerprint), can_generate: true, ..ModelInfo::default() })
    }

    fn generate(&mut self, requests: Vec<GenerateRequest>, sink: &dyn Sink<Response<GenerateResult>>) -> Result<()> {
        for request in requests {
            let _ = sink.send(Response::ok(request.id, GenerateResult::default()));
        }
        Ok(())
    }
}

/// Reports `mean` and `corpus`, both 1.
#[derive(Deserialize, schemars::JsonSchema)]
#[serde(crate = "serde", deny_unknown_fields)]
#[schemars(crate = "schemars")]
struct Judge {
    #[serde(default)]
    fault: Fault,
}

#[derive(Deserialize, schemars::JsonSchema, Default, Clone, Copy, PartialEq)]
#[serde(crate = "serde", rename_all = "kebab-case")]
#[schemars(crate = "schemars")]
enum Fault {
    #[default]
    None,
    NoFingerprint,
    NoMetric,
    TwoOfOneName,
    /// At the sample `b`.
    OutOfBounds,
    CorpusNan,
    CorpusFails,
}

impl Open for Judge {
    type Options = Judge;
    fn open(options: Judge, _: Host) -> Result<Self> {
        Ok(options)
    }
}

impl Scorer for Judge {
    fn info(&self) -> Result<ScorerInfo> {
        let metric = |name: &str, aggregation| MetricInfo {
            name: name.into(),
            aggregation,
            higher_is_better: true,
            bounds: (aggregation == Aggregation::Mean).then_some((0.0, 1.0)),
            ..MetricInfo::default()
        };
        let other = if self.fault == Fault::TwoOfOneName { "mean" } else { "corpus" };
        let both = vec![metric("mean", Aggregation::Mean), metric(other, Aggregation::Corpus)];
        Ok(ScorerInfo {
            metrics: if self.fault == Fault::NoMetric { Vec::new() } else { both },
            fingerprint: fingerprint(self.fault != Fault::NoFingerprint),
            asks_generate: true,
            ..ScorerInfo::default()
        })
    }

    fn requests(&self, questions: &[Question]) -> Result<Vec<Vec<Ask>>> {
        let ask = |question: &Question| {
            let (prompt, sampling) = (question.context.clone(), question.sampling.clone());
            vec![Ask::Generate { prompt, turns: question.turns.clone(), sampling }]
        };
        Ok(questions.iter().map(ask).collect())
    }

    fn score(&self, items: &[Answered]) -> Result<Vec<Verdict>> {
        let judge = |item: &Answered| {
            let mean = if self.fault == Fault::OutOfBounds && item.question.sample.id == "b" { 1.5 } else { 1.0 };
            Verdict {
                metrics: [("mean".to_owned(), mean)].into(),
                statistics: [("corpus".to_owned(), vec![1.0])].into(),
                ..Verdict::default()
            }
        };
        Ok(items.iter().map(judge).collect())
    }

    fn corpus(&self, _: &str, _: &[Vec<f64>]) -> Result<f64> {
        match self.fault {
            Fault::CorpusNan => Ok(f64::NAN),
            Fault::CorpusFails => Err(PluginError::bad_input("no corpus today")),
            _ => Ok(1.0),
        }
    }
}

fn plugin() -> Plugin {
    Plugin::new("unsound", "1.0.0")
        .dataset::<Listed>("listed", "Samples with the ids that the suite gives.")
        .model::<Mute>("mute", "Says nothing.")
        .scorer::<Judge>("unsound-judge", "Reports two metrics, with faults to order.")
}

examiner_api::export_plugin!(plugin);
