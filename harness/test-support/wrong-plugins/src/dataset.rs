//! Datasets: sums.

use crate::options::Flavour;
use examiner_api::serde::Deserialize;
use examiner_api::{
    ANSWERS_FORM, Dataset, DatasetInfo, Flow, Gold, Host, Open, PluginError, Result, Sample, Shot, Sink, schemars,
    serde,
};
use std::time::Duration;

/// What goes wrong.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fault {
    SameId,
    OtherPass,
    OtherProcess,
    RowTooMany,
    NoChoice,
    GoesOn,
    OtherPool,
    OtherRow,
    MissingForm,
    AnyForm,
    NoScorer,
}

const FAULTS: [Fault; 11] = [
    Fault::SameId,
    Fault::OtherPass,
    Fault::OtherProcess,
    Fault::RowTooMany,
    Fault::NoChoice,
    Fault::GoesOn,
    Fault::OtherPool,
    Fault::OtherRow,
    Fault::MissingForm,
    Fault::AnyForm,
    Fault::NoScorer,
];

/// A dataset with the fault of this number.
pub(crate) struct WrongDataset<const FAULT: usize> {
    flavour: u32,
    passes: u32,
    pools: u32,
}

impl<const FAULT: usize> Open for WrongDataset<FAULT> {
    type Options = Flavour;

    fn open(options: Flavour, _: Host) -> Result<Self> {
        Ok(WrongDataset { flavour: options.flavour.unwrap_or(0), passes: 0, pools: 0 })
    }
}

/// The sum of this number and itself, which the flavour words otherwise.
pub(crate) fn sample(number: u32, flavour: u32) -> Sample {
    Sample {
        id: format!("sum-{number}"),
        prompt: format!("{number} + {number} = (flavour {flavour})"),
        delimiter: " ".to_owned(),
        choices: vec![(2 * number).to_string(), (2 * number + 1).to_string()],
        gold: Gold::Choice(0),
        ..Sample::default()
    }
}

impl<const FAULT: usize> WrongDataset<FAULT> {
    fn has(&self, fault: Fault) -> bool {
        FAULTS[FAULT] == fault
    }

    fn count(&self) -> u32 {
        if self.has(Fault::GoesOn) { 60 } else { 12 }
    }

    fn sample(&self, number: u32) -> Sample {
        let mut sample = sample(number, self.flavour);
        match FAULTS[FAULT] {
            Fault::SameId if number == 5 => sample.id = "sum-4".to_owned(),
            Fault::OtherPass if number == 3 && self.passes > 1 => sample.prompt.push('!'),
            Fault::OtherProcess => sample.document = std::process::id().into(),
            Fault::NoChoice if number == 7 => sample.gold = Gold::Choice(2),
            _ => {}
        }
        sample
    }
}

impl<const FAULT: usize> Dataset for WrongDataset<FAULT> {
    fn info(&self) -> Result<DatasetInfo> {
        let scorer = if self.has(Fault::NoScorer) { "no-such-scorer" } else { "perplexity-choice" };
        let mut forms = vec![ANSWERS_FORM.to_owned()];
        forms.extend(self.has(Fault::MissingForm).then(|| "free".to_owned()));
        Ok(DatasetInfo {
            fingerprint: format!("sums, flavour {}", self.flavour),
            rows: Some(u64::from(self.count() + u32::from(self.has(Fault::RowTooMany)))),
            scorer: Some(scorer.to_owned()),
            forms,
            ..DatasetInfo::default()
        })
    }

    fn few_shot_pool(&mut self) -> Result<Vec<Shot>> {
        self.pools += 1;
        let shot = |number: u32| {
            let sample = sample(number, self.flavour);
            let is_other = self.has(Fault::OtherRow) && number == 1;
            Shot {
                id: Some(if is_other { "sum-2".to_owned() } else { sample.id }),
                prompt: sample.prompt,
                answer: format!(" {}", 2 * number),
            }
        };
        let first = if self.has(Fault::OtherPool) { self.pools } else { 0 };
        Ok((first..first + 3).map(shot).collect())
    }

    fn samples(&mut self, sink: &dyn Sink<Sample>) -> Result<()> {
        self.passes += 1;
        for number in 0..self.count() {
            let flow = sink.send(self.sample(number));
            if self.has(Fault::GoesOn) {
                std::thread::sleep(Duration::from_millis(30));
            } else if flow == Flow::Stop {
                break;
            }
        }
        Ok(())
    }

    fn training_samples(&mut self, form: &str, sink: &dyn Sink<Sample>) -> Result<()> {
        match form {
            ANSWERS_FORM => self.samples(sink),
            _ if self.has(Fault::AnyForm) => self.samples(sink),
            _ => Err(PluginError::unsupported(format!("there is no form `{form}`"))),
        }
    }
}

/// Options with another default than the one of their schema.
#[derive(Deserialize, schemars::JsonSchema)]
#[serde(crate = "serde", deny_unknown_fields)]
#[schemars(crate = "schemars")]
pub(crate) struct Count {
    /// How many samples there are.
    #[serde(default = "five")]
    #[schemars(extend("default" = 4), range(min = 1, max = 9))]
    count: u32,
}

fn five() -> u32 {
    5
}

/// A dataset of so many sums as its options say, or rather not.
pub(crate) struct OtherDefault {
    count: u32,
}

impl Open for OtherDefault {
    type Options = Count;

    fn open(options: Count, _: Host) -> Result<Self> {
        Ok(OtherDefault { count: options.count })
    }
}

impl Dataset for OtherDefault {
    fn info(&self) -> Result<DatasetInfo> {
        Ok(DatasetInfo {
            fingerprint: format!("{} sums", self.count),
            scorer: Some("perplexity-choice".to_owned()),
            ..DatasetInfo::default()
        })
    }

    fn samples(&mut self, sink: &dyn Sink<Sample>) -> Result<()> {
        for number in 0..self.count {
            if sink.send(sample(number, 0)) == Flow::Stop {
                break;
            }
        }
        Ok(())
    }
}
