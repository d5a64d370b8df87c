//! Models: the next byte by the last two, after a table that is made up.

use crate::options::Flavour;
use examiner_api::random::{Random, key_of};
use examiner_api::{
    Ask, FinishReason, Flow, GenerateRequest, GenerateResult, Host, Model, ModelInfo, Open, PluginError, Response,
    Result, ScoreRequest, ScoreResult, Sink, Span, TokenCount,
};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// What goes wrong.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fault {
    Twice,
    Never,
    AboveZero,
    Infinite,
    WrongSum,
    CutOff,
    ScoreBatch,
    IgnoresSpan,
    AboveOne,
    PanicsAtEmpty,
    NeverGreedy,
    AlwaysGreedy,
    IgnoresStop,
    OneTokenMore,
    SaysEnded,
    DrawsAtZero,
    ForgetsSeed,
    GenerateBatch,
    GoesOn,
    Leaks,
    CannotScore,
    NoFingerprint,
    OwnFingerprint,
    SameFingerprint,
    Miscounts,
}

const FAULTS: [Fault; 25] = [
    Fault::Twice,
    Fault::Never,
    Fault::AboveZero,
    Fault::Infinite,
    Fault::WrongSum,
    Fault::CutOff,
    Fault::ScoreBatch,
    Fault::IgnoresSpan,
    Fault::AboveOne,
    Fault::PanicsAtEmpty,
    Fault::NeverGreedy,
    Fault::AlwaysGreedy,
    Fault::IgnoresStop,
    Fault::OneTokenMore,
    Fault::SaysEnded,
    Fault::DrawsAtZero,
    Fault::ForgetsSeed,
    Fault::GenerateBatch,
    Fault::GoesOn,
    Fault::Leaks,
    Fault::CannotScore,
    Fault::NoFingerprint,
    Fault::OwnFingerprint,
    Fault::SameFingerprint,
    Fault::Miscounts,
];

/// The token after the last byte of a text.
const END: u32 = 256;
/// Batches of more requests are large.
const LARGE: usize = 10;

/// Answers that were drawn, of all models of this process.
static DRAWN: AtomicU64 = AtomicU64::new(0);

/// A model with the fault of this number.
pub(crate) struct WrongModel<const FAULT: usize> {
    flavour: u32,
}

impl<const FAULT: usize> Open for WrongModel<FAULT> {
    type Options = Flavour;

    fn open(options: Flavour, _: Host) -> Result<Self> {
        Ok(WrongModel { flavour: options.flavour.unwrap_or(0) })
    }
}

impl<const FAULT: usize> WrongModel<FAULT> {
    fn has(&self, fault: Fault) -> bool {
        FAULTS[FAULT] == fault
    }

    /// Log-probabilities of all tokens after these two bytes, in nats.
    fn log_probabilities(&self, before: [u32; 2]) -> Vec<f64> {
        let weight = |token: u32| {
            let mixed = (u64::from(before[0]) << 32 | u64::from(before[1]) << 16 | u64::from(token))
                .wrapping_add(u64::from(self.flavour) << 48)
                .wrapping_mul(0x9E37_79B9_7F4A_7C15);
            let mixed = (mixed ^ mixed >> 29).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            let share = (mixed >> 40) as f64 / f64::from(1 << 24);
            match token {
                32 | 97..=122 => 4.0 * share,
                END => -12.0,
                _ => share - 8.0,
            }
        };
        let weights: Vec<f64> = (0..=END).map(weight).collect();
        let total: f64 = weights.iter().map(|weight| weight.exp()).sum();
        weights.into_iter().map(|weight| weight - total.ln()).collect()
    }

    fn log_likelihood(&self, request: &ScoreRequest, batch: usize) -> ScoreResult {
        let context = request.context.trim_end();
        let text = format!("{}{}", request.context, request.continuation);
        let bytes = text.as_bytes();
        let is_whole = request.span == Span::All && !self.has(Fault::IgnoresSpan);
        let first = if is_whole { 1 } else { context.len() };
        let before = |place: usize| {
            let at = |back: usize| place.checked_sub(back).map_or(0, |place| u32::from(bytes[place]));
            [at(2), at(1)]
        };
        let (mut logprobs, mut is_greedy) = (Vec::new(), true);
        for (place, byte) in bytes.iter().enumerate().skip(first) {
            let all = self.log_probabilities(before(place));
            let token = usize::from(*byte);
            logprobs.push(all[token] as f32);
            is_greedy &= best(&all, 0) == token as u32;
        }
        let scored = logprobs.len();
        // Faults of numbers are those of continuations alone, so that nothing else is wrong.
        let is_plain = !is_whole && !context.is_empty() && scored >= 3;
        match FAULTS[FAULT] {
            Fault::AboveZero if is_plain => logprobs[1] = 0.5,
            Fault::Infinite if is_plain => logprobs[1] = f32::NEG_INFINITY,
            Fault::ScoreBatch if batch > LARGE => logprobs[0] -= 0.5,
            Fault::AboveOne if scored == 1 => logprobs[0] *= 0.25,
            _ => {}
        }
        let sum: f64 = logprobs.iter().map(|value| f64::from(*value)).sum();
        let total = bytes.len() as u32;
        ScoreResult {
            sum: if self.has(Fault::WrongSum) && is_plain { sum - 1.0 } else { sum },
            is_greedy: (is_greedy && !self.has(Fault::NeverGreedy)) || self.has(Fault::AlwaysGreedy),
            tokens: bytes[first.min(bytes.len())..].iter().map(|byte| u32::from(*byte)).collect(),
            token_logprobs: logprobs,
            scored_tokens: scored as u32,
            total_tokens: total,
            truncated_tokens: if self.has(Fault::CutOff) && is_plain { total + 1 } else { 0 },
            rendered: None,
            divergence: None,
        }
    }

    fn answer(&self, request: &GenerateRequest, batch: usize) -> GenerateResult {
        let sampling = &request.sampling;
        let most = sampling.max_new_tokens + u32::from(self.has(Fault::OneTokenMore));
        let drawn = if self.has(Fault::ForgetsSeed) { DRAWN.fetch_add(1, Ordering::SeqCst) } else { 0 };
        let mut random = Random::new(sampling.seed.wrapping_add(drawn), key_of(&request.sample.id));
        let mut bytes = request.prompt.as_bytes().to_vec();
        let (mut tokens, mut finish) = (Vec::new(), FinishReason::Length);
        let mut text = String::new();
        while (tokens.len() as u32) < most {
            let at = |back: usize| bytes.len().checked_sub(back).map_or(0, |place| u32::from(bytes[place]));
            let all = self.log_probabilities([at(2), at(1)]);
            let place = match FAULTS[FAULT] {
                Fault::DrawsAtZero => (sampling.seed % 3) as usize,
                Fault::GenerateBatch if batch > LARGE => 1,
                _ => 0,
            };
            let token = if sampling.temperature > 0.0 { drawn_of(&all, &mut random) } else { best(&all, place) };
            tokens.push(token);
            let Ok(byte) = u8::try_from(token) else {
                finish = FinishReason::EndOfText;
                break;
            };
            bytes.push(byte);
            text = String::from_utf8_lossy(&bytes[request.prompt.len()..]).into_owned();
            let stops = sampling.stop.iter().filter(|stop| !stop.is_empty() && !self.has(Fault::IgnoresStop));
            if let Some(end) = stops.filter_map(|stop| text.find(stop.as_str())).min() {
                text.truncate(end);
                finish = FinishReason::StopString;
                break;
            }
        }
        if self.has(Fault::SaysEnded) && finish == FinishReason::Length {
            finish = FinishReason::EndOfText;
        }
        GenerateResult {
            text,
            finish,
            tokens_out: tokens.len() as u32,
            tokens,
            tokens_in: request.prompt.len() as u32,
            ..GenerateResult::default()
        }
    }

    /// Sends an answer to each request; with some faults, to others.
    fn send<T: Clone>(&self, answers: impl Iterator<Item = (u64, T)>, count: usize, sink: &dyn Sink<Response<T>>) {
        // Batches of scores are large, too, and are not to take long.
        let is_slow = count > 2 * LARGE && count < 4 * LARGE;
        for (place, (id, answer)) in answers.enumerate() {
            if self.has(Fault::Never) && place + 1 == count {
                return;
            }
            let mut flow = sink.send(Response::ok(id, answer.clone()));
            if self.has(Fault::Twice) && place == 0 {
                flow = sink.send(Response::ok(id, answer));
            }
            if self.has(Fault::GoesOn) && is_slow {
                std::thread::sleep(Duration::from_millis(100));
            } else if flow == Flow::Stop {
                return;
            }
        }
    }
}

/// The most probable token, or the one after so many more probable ones.
fn best(log_probabilities: &[f64], place: usize) -> u32 {
    let mut tokens: Vec<u32> = (0..log_probabilities.len() as u32).collect();
    let of = |token: &u32| log_probabilities[*token as usize];
    tokens.sort_by(|one, other| of(other).total_cmp(&of(one)));
    tokens[place]
}

fn drawn_of(log_probabilities: &[f64], random: &mut Random) -> u32 {
    let mut left = (random.bits() >> 11) as f64 / (1_u64 << 53) as f64;
    for (token, value) in log_probabilities.iter().enumerate() {
        left -= value.exp();
        if left <= 0.0 {
            return token as u32;
        }
    }
    END
}

impl<const FAULT: usize> Model for WrongModel<FAULT> {
    fn info(&self) -> Result<ModelInfo> {
        let fingerprint = match FAULTS[FAULT] {
            Fault::NoFingerprint => String::new(),
            Fault::OwnFingerprint => format!("bytes, flavour {}, {}", self.flavour, std::process::id()),
            Fault::SameFingerprint => "bytes".to_owned(),
            _ => format!("bytes, flavour {}", self.flavour),
        };
        let name = "bytes".to_owned();
        Ok(ModelInfo { name, fingerprint, can_score: true, can_generate: true, ..ModelInfo::default() })
    }

    fn score(&mut self, requests: Vec<ScoreRequest>, sink: &dyn Sink<Response<ScoreResult>>) -> Result<()> {
        if self.has(Fault::CannotScore) {
            return Err(PluginError::unsupported("this model cannot score after all"));
        }
        let is_empty = |request: &ScoreRequest| request.context.is_empty() && request.span == Span::Continuation;
        assert!(!(self.has(Fault::PanicsAtEmpty) && requests.iter().any(is_empty)), "a context is empty");
        if self.has(Fault::Leaks) {
            // What nobody can see would not be made at all.
            std::mem::forget(std::hint::black_box(vec![1_u8; 1 << 14]));
        }
        let count = requests.len();
        let answers = requests.iter().map(|request| (request.id, self.log_likelihood(request, count)));
        self.send(answers, count, sink);
        Ok(())
    }

    fn generate(&mut self, requests: Vec<GenerateRequest>, sink: &dyn Sink<Response<GenerateResult>>) -> Result<()> {
        let count = requests.len();
        self.send(requests.iter().map(|request| (request.id, self.answer(request, count))), count, sink);
        Ok(())
    }

    /// Characters of texts that are scored, and not their bytes.
    fn count_tokens(&mut self, asks: &[Ask]) -> Result<Vec<TokenCount>> {
        if !self.has(Fault::Miscounts) {
            return Err(PluginError::unsupported("this model does not count tokens"));
        }
        let count = |ask: &Ask| match ask {
            Ask::Score { context, continuation, .. } => {
                TokenCount { read: (context.chars().count() + continuation.chars().count()) as u64, written: 0 }
            }
            Ask::Generate { prompt, sampling, .. } => {
                TokenCount { read: prompt.len() as u64, written: u64::from(sampling.max_new_tokens) }
            }
        };
        Ok(asks.iter().map(count).collect())
    }
}
