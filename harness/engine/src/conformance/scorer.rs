//! Clauses of scorers, on questions and answers that are made up.

use super::bench::{Opened, Subject};
use super::clause::*;
use super::report::{Findings, Held};
use crate::declared;
use crate::evaluate::{OpenScorer, verdict_fault};
use examiner_api::wire::encode;
use examiner_api::{
    Aggregation, Answer, Answered, Ask, ErrorCode, GenerateResult, Gold, Outcome, Question, Result, Sample, Sampling,
    ScoreResult, ScorerInfo, Verdict,
};

/// How often each question is answered, each time otherwise.
const VARIANTS: usize = 3;
/// How far a corpus metric may move with the order of its samples: sums are rounded.
const ORDER_TOLERANCE: f64 = 1e-9;

/// What a made-up model writes.
const TEXTS: [&str; 8] =
    ["4", " The answer is 4.", "", "Paris", "blau 🙂\nQuestion: next", "(B)", "I do not know.", "2 + 2 = 5\n#### 18"];

/// Holds a scorer against its clauses.
pub(super) fn check(subject: &Subject<'_>, opened: Opened, findings: &mut Findings<'_>) -> Result<()> {
    let scorer = opened.scorer()?;
    let info = scorer.info()?;
    let name = &subject.info.name;
    findings.add(
        &SCORER_DECLARES,
        match declared::metrics(name, &info) {
            Ok(()) => Held::Yes(format!("it declares {} metrics", info.metrics.len())),
            Err(error) => Held::No(error.message),
        },
    );
    // A death is the error of its question; the contract is broken by the third in a row.
    let scorer = OpenScorer::new(name.clone(), info.clone(), scorer, 3);
    let questions = questions();
    let asks = match asks(&scorer, &questions) {
        Ok(asks) => asks,
        Err(fault) => {
            findings.add(&SCORER_REQUESTS, Held::No(fault));
            return Ok(());
        }
    };
    let asked = asks.iter().filter(|asks| asks.is_ok()).count();
    findings.add(
        &SCORER_REQUESTS,
        match asks.iter().find_map(|asks| asks.as_ref().err()) {
            Some(error) if asked == 0 => {
                Held::Skipped(format!("it asks nothing for any question of the check: {error}"))
            }
            _ => Held::Yes(format!("there is a list of requests for {asked} of {} questions", questions.len())),
        },
    );
    if asked == 0 {
        return Ok(());
    }
    findings.add(&SCORER_ASKS, declared_asks(&info, asks.iter().flatten().flatten()));
    let items = items(&questions, &asks);
    let verdicts = match scorer.score(&items) {
        Ok(verdicts) => verdicts,
        Err(error) => {
            findings.add(&SCORER_VERDICTS, Held::No(format!("expected a verdict for each item, found: {error}")));
            return Ok(());
        }
    };
    let judged = verdicts.iter().filter(|verdict| !matches!(verdict.outcome, Outcome::Error(_))).count();
    findings
        .add(&SCORER_VERDICTS, Held::Yes(format!("there are {} verdicts for {} items", verdicts.len(), items.len())));
    findings.add(&SCORER_METRICS, metrics(name, &info, &verdicts, judged));
    findings.add_result(&SCORER_NEIGHBOURS, neighbours(&scorer, &items, &verdicts));
    findings.add_result(&SCORER_CORPUS, corpus(&scorer, &info, &verdicts));
    Ok(())
}

/// The requests of each question: together, and the same alone.
fn asks(scorer: &OpenScorer, questions: &[Question]) -> Result<Vec<Result<Vec<Ask>>>, String> {
    let of = |questions: &[Question]| {
        scorer
            .requests(questions)
            .map_err(|error| format!("expected a list of requests for each question, found: {error}"))
    };
    let together = of(questions)?;
    for (question, asks) in questions.iter().zip(&together) {
        let alone = of(std::slice::from_ref(question))?;
        if let (Ok(asks), Some(Ok(alone))) = (asks, alone.first())
            && asks != alone
        {
            return Err(format!(
                "expected the same requests for {:?} alone and beside other questions, found others",
                question.sample.prompt
            ));
        }
    }
    Ok(together)
}

fn declared_asks<'a>(info: &ScorerInfo, asks: impl Iterator<Item = &'a Ask>) -> Held {
    let (mut score, mut generate) = (false, false);
    for ask in asks {
        match ask {
            Ask::Score { .. } => score = true,
            Ask::Generate { .. } => generate = true,
        }
    }
    for (name, says, does) in [("asks_score", info.asks_score, score), ("asks_generate", info.asks_generate, generate)]
    {
        if says != does {
            return Held::No(format!("expected `{name}: {does}` by what it asks, found that it says `{says}`"));
        }
    }
    Held::Yes(format!("it says what it asks: log-likelihoods {score}, answers {generate}"))
}

fn metrics(name: &str, info: &ScorerInfo, verdicts: &[Verdict], judged: usize) -> Held {
    for verdict in verdicts {
        if let Some(error) = verdict_fault(name, info, verdict) {
            return Held::No(error.message);
        }
        let declares = |name: &String, of: Aggregation| {
            info.metrics.iter().any(|metric| metric.name == *name && metric.aggregation == of)
        };
        let values = verdict.metrics.keys().map(|name| (name, Aggregation::Mean));
        let statistics = verdict.statistics.keys().map(|name| (name, Aggregation::Corpus));
        if let Some((other, _)) = values.chain(statistics).find(|(name, of)| !declares(name, *of)) {
            return Held::No(format!("expected values of declared metrics alone, found one of `{other}`"));
        }
    }
    match judged {
        0 => Held::Skipped("it judged no answer of the check".to_owned()),
        _ => Held::Yes(format!("{judged} verdicts have a possible value of each metric")),
    }
}

fn neighbours(scorer: &OpenScorer, items: &[Answered], together: &[Verdict]) -> Result<Held> {
    let mut backwards = scorer.score(&items.iter().rev().cloned().collect::<Vec<_>>())?;
    backwards.reverse();
    for (place, item) in items.iter().enumerate() {
        let alone = scorer.score(std::slice::from_ref(item))?;
        for (how, other) in [("alone", &alone[0]), ("in the opposite order", &backwards[place])] {
            // Bytes, because a number that is none is not equal to itself.
            if encode(other)? != encode(&together[place])? {
                return Ok(Held::No(format!(
                    "expected the same verdict of an answer to {:?} among others and {how}, found another",
                    item.question.sample.prompt
                )));
            }
        }
    }
    Ok(Held::Yes(format!("{} items have the same verdict together, alone and backwards", items.len())))
}

fn corpus(scorer: &OpenScorer, info: &ScorerInfo, verdicts: &[Verdict]) -> Result<Held> {
    let of_corpus: Vec<_> = info.metrics.iter().filter(|metric| metric.aggregation == Aggregation::Corpus).collect();
    if of_corpus.is_empty() {
        return Ok(Held::Skipped("it has no corpus metric".to_owned()));
    }
    let mut computed = 0;
    for metric in of_corpus {
        let all: Vec<Vec<f64>> =
            verdicts.iter().filter_map(|verdict| verdict.statistics.get(&metric.name).cloned()).collect();
        if all.is_empty() {
            continue;
        }
        let backwards: Vec<Vec<f64>> = all.iter().rev().cloned().collect();
        let half = all[..all.len().div_ceil(2)].to_vec();
        let doubled = [all.clone(), half.clone()].concat();
        let alone = all.iter().map(|one| vec![one.clone()]);
        let mut values = Vec::new();
        for samples in [all.clone(), backwards, half, doubled].into_iter().chain(alone) {
            match scorer.corpus(&metric.name, &samples) {
                Ok(value) => values.push(value),
                Err(error) => {
                    let message = format!("metric `{}` of {} samples: {}", metric.name, samples.len(), error.message);
                    return Ok(Held::No(message));
                }
            }
        }
        computed += values.len();
        if (values[0] - values[1]).abs() > ORDER_TOLERANCE * values[0].abs().max(1.0) {
            return Ok(Held::No(format!(
                "expected the same value of `{}` in any order of the samples, found {} and {}",
                metric.name, values[0], values[1]
            )));
        }
    }
    Ok(Held::Yes(format!("{computed} values are finite, of all samples, of some and of each alone, in any order")))
}

fn questions() -> Vec<Question> {
    let all: [(&str, &[&str], Gold); 8] = [
        ("The sky is", &["red", "blue", "green"], Gold::Choice(1)),
        ("Die Wiese ist", &["rot", "grün"], Gold::Choice(1)),
        ("2 + 2 =", &[], Gold::text("4")),
        ("The capital of France is", &[], Gold::Text(vec!["Paris".to_owned(), "paris, France".to_owned()])),
        ("What is there to say?", &[], Gold::None),
        ("Which one?", &["this", "that"], Gold::None),
        ("Ein Rätsel: 🙂 ist", &[], Gold::text("ein Gesicht")),
        ("The sky is", &["red", "blue", "green"], Gold::Text(vec!["blue".to_owned()])),
    ];
    let question = |(index, (prompt, choices, gold)): (usize, (&str, &[&str], Gold))| Question {
        sample: Sample {
            id: format!("question-{index}"),
            prompt: prompt.to_owned(),
            delimiter: " ".to_owned(),
            choices: choices.iter().map(|choice| (*choice).to_owned()).collect(),
            gold,
            ..Sample::default()
        },
        context: prompt.to_owned(),
        sampling: Sampling { max_new_tokens: 16, ..Sampling::default() },
        ..Question::default()
    };
    all.into_iter().enumerate().map(question).collect()
}

fn items(questions: &[Question], asks: &[Result<Vec<Ask>>]) -> Vec<Answered> {
    let mut items = Vec::new();
    for (place, (question, asks)) in questions.iter().zip(asks).enumerate() {
        let Ok(asks) = asks else { continue };
        for variant in 0..VARIANTS {
            let answers = asks.iter().enumerate().map(|(index, ask)| answer(ask, 7 * place + 3 * variant + index));
            items.push(Answered { question: question.clone(), answers: answers.collect() });
        }
    }
    items
}

/// A possible answer, the same for the same number.
fn answer(ask: &Ask, number: usize) -> Answer {
    match ask {
        Ask::Generate { .. } => {
            let text = TEXTS[number % TEXTS.len()].to_owned();
            let tokens_out = text.split_whitespace().count() as u32;
            Answer::Generate(GenerateResult { text, tokens_out, tokens_in: 5, ..GenerateResult::default() })
        }
        Ask::Score { continuation, .. } => {
            let count = continuation.split_whitespace().count().max(1) as u32;
            let token_logprobs: Vec<f32> =
                (0..count).map(|token| -0.125 * ((number as u32 * 5 + token * 3) % 17 + 1) as f32).collect();
            Answer::Score(ScoreResult {
                sum: token_logprobs.iter().map(|value| f64::from(*value)).sum(),
                is_greedy: number.is_multiple_of(3),
                scored_tokens: count,
                total_tokens: count + 4,
                token_logprobs,
                ..ScoreResult::default()
            })
        }
    }
}

/// Requests and verdicts: compared between options.
pub(super) fn behaviour(opened: Opened) -> Result<Option<Vec<u8>>> {
    let scorer = opened.scorer()?;
    let info = scorer.info()?;
    let scorer = OpenScorer::new("scorer".to_owned(), info, scorer, 3);
    let questions = questions();
    let asks = scorer.requests(&questions)?;
    let verdicts = scorer.score(&items(&questions, &asks))?;
    let codes = |error: &examiner_api::PluginError| -> ErrorCode { error.code };
    let asks: Vec<Result<&Vec<Ask>, ErrorCode>> = asks.iter().map(|asks| asks.as_ref().map_err(codes)).collect();
    encode(&(asks, verdicts)).map(Some)
}
