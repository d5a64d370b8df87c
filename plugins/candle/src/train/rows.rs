//! Rows to learn from, in tokens.

use super::options::{LossOn, TooLong, TrainOptions};
use examiner_api::random::Stream;
use examiner_api::{PluginError, Result, ScoreRequest, Span, Turn};
use examiner_lm::chat::Chat;
use examiner_lm::{Tokenizer, split};
use rayon::prelude::*;
use serde_json::{Map, Value};
use std::path::Path;

/// A row in tokens.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Row {
    /// At least two.
    pub(super) tokens: Vec<u32>,
    /// The index of the first token that is learned; at least 1.
    pub(super) first_label: usize,
}

impl Row {
    /// Tokens that the model reads: the last one is a label alone.
    pub(super) fn inputs(&self) -> usize {
        self.tokens.len() - 1
    }

    /// Tokens that are learned.
    pub(super) fn labels(&self) -> usize {
        self.tokens.len() - self.first_label
    }
}

/// A line of the file. Tokens are given beside texts where they were computed before.
#[derive(Debug, Clone, Default)]
pub(super) struct Line {
    id: Value,
    prompt: String,
    completion: String,
    prompt_tokens: Option<Vec<u32>>,
    completion_tokens: Option<Vec<u32>>,
    /// A conversation, which stands for both texts.
    turns: Vec<Turn>,
}

/// The fields that hold prompt and completion, or both as a conversation; no prompt where its name is empty.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Fields<'o> {
    pub(super) messages: Option<&'o str>,
    pub(super) prompt: &'o str,
    pub(super) completion: &'o str,
}

impl<'o> Fields<'o> {
    pub(super) fn of(options: &'o TrainOptions) -> Self {
        let messages = options.messages_field.as_deref();
        Fields { messages, prompt: &options.prompt_field, completion: &options.completion_field }
    }
}

impl Line {
    /// # Errors
    /// What is wrong with the row: a field is missing, or is not what it must be. Other fields may say anything.
    fn of(mut row: Map<String, Value>, fields: Fields<'_>) -> Result<Self, String> {
        if let Some(name) = fields.messages {
            let turns = row.remove(name).ok_or_else(|| {
                let names: Vec<String> = row.keys().map(|name| format!("`{name}`")).collect();
                format!("it has no `{name}`; it has {}", names.join(", "))
            })?;
            let turns = serde_json::from_value(turns)
                .map_err(|error| format!("`{name}` is no list of `{{ role, content }}`: {error}"))?;
            return Ok(Line { id: row.remove("id").unwrap_or_default(), turns, ..Line::default() });
        }
        let names = || row.keys().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        let tokens = |name: &str| match row.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => serde_json::from_value::<Vec<u32>>(value.clone())
                .map(Some)
                .map_err(|error| format!("`{name}` is no list of tokens: {error}")),
        };
        let (prompt_tokens, completion_tokens) = (tokens("prompt_tokens")?, tokens("completion_tokens")?);
        let text = |name: &str| match row.get(name) {
            Some(Value::String(text)) => Ok(text.clone()),
            // Texts that were turned into tokens need not be there.
            None if completion_tokens.is_some() => Ok(String::new()),
            None => Err(format!("it has no `{name}`; it has {}", names())),
            Some(other) => Err(format!("expected a text in `{name}`, found `{other}`")),
        };
        let prompt = if fields.prompt.is_empty() { String::new() } else { text(fields.prompt)? };
        let completion = text(fields.completion)?;
        let id = row.remove("id").unwrap_or_default();
        Ok(Line { id, prompt, completion, prompt_tokens, completion_tokens, turns: Vec::new() })
    }

    /// A line of two texts.
    #[cfg(test)]
    pub(super) fn of_texts(prompt: &str, completion: &str) -> Self {
        Line { prompt: prompt.to_owned(), completion: completion.to_owned(), ..Line::default() }
    }

    /// Prompt and completion, to train a tokenizer on.
    pub(super) fn text(&self) -> String {
        let turns: String = self.turns.iter().map(|turn| turn.content.as_str()).collect();
        format!("{}{}{turns}", self.prompt, self.completion)
    }

    /// Whether a tokenizer is needed.
    pub(super) fn is_text(&self) -> bool {
        self.completion_tokens.is_none() && self.turns.is_empty()
    }
}

/// Reads a file of rows, JSON lines.
///
/// # Errors
/// `NotFound` or `Io` for the file, `BadInput` for a line that is no row, or where there is none.
pub(super) fn read(path: &Path, fields: Fields<'_>) -> Result<Vec<Line>> {
    let text = std::fs::read_to_string(path).map_err(|error| PluginError::io("read", path, &error))?;
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    let lines: Vec<(usize, &str)> = lines.collect();
    if lines.is_empty() {
        return Err(PluginError::bad_input(format!("`{}` has no rows to learn from", path.display()))
            .with_help("if a recipe made the file, look at how many of the teacher's answers it kept"));
    }
    let parse = |(index, line): &(usize, &str)| {
        let row = serde_json::from_str(line).map_err(|error| error.to_string());
        let mut row = row.and_then(|row| Line::of(row, fields)).map_err(|why| {
            let place = format!("line {} of `{}`", index + 1, path.display());
            PluginError::bad_input(format!("{place} is not a training row: {why}")).with_help(
                "a row is a JSON object with `id`, `prompt` and `completion`; `prompt_field` and `completion_field` say where the texts are, \
                 and `prompt_field: ''` that there is no prompt",
            )
        })?;
        if row.id.is_null() {
            row.id = Value::from(format!("line {}", index + 1));
        }
        Ok(row)
    };
    first_failure(lines.par_iter().map(parse).collect())
}

/// All values, or the first failure among them: threads meet failures in any order, and the message must not change from try
/// to try.
fn first_failure<T>(results: Vec<Result<T>>) -> Result<Vec<T>> {
    results.into_iter().collect()
}

/// How texts become tokens.
pub(super) struct Encoder<'a> {
    pub(super) tokenizer: Option<&'a Tokenizer>,
    /// What writes conversations.
    pub(super) chat: Option<&'a Chat>,
    /// What is added to a completion.
    pub(super) end: Option<u32>,
    pub(super) max_length: usize,
    pub(super) too_long: TooLong,
    pub(super) loss_on: LossOn,
    pub(super) vocabulary: usize,
}

/// Rows in tokens, and how many of those that are too long were cut or left out.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Encoded {
    pub(super) rows: Vec<Row>,
    pub(super) truncated: u64,
    pub(super) left_out: u64,
}

impl Encoder<'_> {
    /// # Errors
    /// `BadInput` for a row of which nothing can be learned, with its id, and if all rows are too long.
    pub(super) fn encode(&self, lines: &[Line]) -> Result<Encoded> {
        let rows = first_failure(lines.par_iter().map(|line| self.row(line)).collect())?;
        let mut encoded =
            Encoded { left_out: rows.iter().filter(|row| row.is_none()).count() as u64, ..Encoded::default() };
        for (row, cut) in rows.into_iter().flatten() {
            encoded.truncated += u64::from(cut);
            encoded.rows.push(row);
        }
        if encoded.rows.is_empty() && encoded.left_out > 0 {
            return Err(PluginError::bad_input(format!(
                "all {} rows are longer than {} tokens, so that nothing is left to learn",
                encoded.left_out, self.max_length
            ))
            .with_help("raise `max_length` (at most the model's context)"));
        }
        Ok(encoded)
    }

    /// The row and whether it was cut; none if it is too long to be of use.
    fn row(&self, line: &Line) -> Result<Option<(Row, bool)>> {
        let id = line.id.as_str().map_or_else(|| line.id.to_string(), str::to_owned);
        let wrong = |message: String| PluginError::bad_input(format!("training row `{id}`: {message}"));
        let (mut tokens, completion) = match &line.completion_tokens {
            Some(completion) => {
                let mut tokens = line.prompt_tokens.clone().unwrap_or_default();
                let first = tokens.len();
                tokens.extend(completion);
                (tokens, first)
            }
            None => self.text(line).map_err(|error| wrong(error.to_string()))?,
        };
        if let Some(token) = tokens.iter().find(|token| **token as usize >= self.vocabulary) {
            return Err(wrong(format!("token {token} of a model with a vocabulary of {}", self.vocabulary)));
        }
        let truncated = tokens.len() > self.max_length;
        let length = tokens.len();
        tokens.truncate(self.max_length);
        let first_label = if self.loss_on == LossOn::All { 1 } else { completion.max(1) };
        match (truncated, first_label >= tokens.len(), self.too_long) {
            (true, _, TooLong::Error) => {
                Err(wrong(format!("it has {length} tokens, and at most {} fit", self.max_length))
                    .with_help("raise `max_length` (at most the model's context), or choose another `too_long`"))
            }
            (true, _, TooLong::LeaveOut) | (true, true, TooLong::Cut) => Ok(None),
            (false, true, _) => {
                Err(wrong(format!("expected at least one token to read and one to learn, found {length} in all")))
            }
            (_, false, _) => Ok(Some((Row { tokens, first_label }, truncated))),
        }
    }

    /// Tokens, and the index of the completion's first.
    fn text(&self, line: &Line) -> Result<(Vec<u32>, usize)> {
        let tokenizer = self.tokenizer.ok_or_else(|| {
            PluginError::bad_input("it is a text, but the start has no `tokenizer.json`")
                .with_help("start from a checkpoint with a tokenizer, or give `prompt_tokens` and `completion_tokens`")
        })?;
        if let Some(chat) = self.chat {
            let (context, continuation) = chat.lesson(&line.turns)?;
            let request = ScoreRequest { context, continuation, span: Span::Continuation, ..ScoreRequest::default() };
            // The template writes what stands at the beginning and at the end.
            let split = split(&request, tokenizer, false, usize::MAX - 1)?;
            return Ok((split.tokens, split.first_target));
        }
        let (mut tokens, first) = if line.completion.is_empty() && self.loss_on == LossOn::All {
            let (tokens, before) = tokenizer.encode_whole(&line.prompt, true)?;
            (tokens, before.max(1))
        } else {
            let request = ScoreRequest {
                context: line.prompt.clone(),
                continuation: line.completion.clone(),
                span: Span::Continuation,
                ..ScoreRequest::default()
            };
            let split = split(&request, tokenizer, true, usize::MAX - 1)?;
            (split.tokens, split.first_target)
        };
        tokens.extend(self.end);
        Ok((tokens, first))
    }
}

/// Takes a share of the rows away, by the seed, for validation; at least one, and never all.
pub(super) fn hold_out(rows: Vec<Row>, options: &TrainOptions, seed: u64) -> Result<(Vec<Row>, Vec<Row>)> {
    let share = options.validation_share;
    if share == 0.0 {
        return Ok((rows, Vec::new()));
    }
    if rows.len() < 2 {
        return Err(PluginError::bad_input(format!("`validation_share: {share}` of a single row leaves nothing")));
    }
    let count = ((share * rows.len() as f64).round() as usize).clamp(1, rows.len() - 1);
    let order = Stream::new(seed, "validation", 0).permutation(rows.len());
    let mut held = vec![false; rows.len()];
    order[..count].iter().for_each(|&row| held[row as usize] = true);
    let mut parts = (Vec::new(), Vec::new());
    for (row, held) in rows.into_iter().zip(held) {
        if held { parts.1.push(row) } else { parts.0.push(row) }
    }
    Ok(parts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn encoder(loss_on: LossOn, max_length: usize) -> Encoder<'static> {
        Encoder {
            tokenizer: None,
            chat: None,
            end: Some(9),
            max_length,
            too_long: TooLong::Cut,
            loss_on,
            vocabulary: 10,
        }
    }

    fn lines(rows: &[Value]) -> Vec<Line> {
        let of = |row: &Value| {
            Line::of(
                row.as_object().unwrap().clone(),
                Fields { messages: None, prompt: "prompt", completion: "completion" },
            )
        };
        rows.iter().map(|row| of(row).unwrap()).collect()
    }

    #[test]
    fn tokens_that_are_given_stay_as_they_are() {
        let rows = lines(&[json!({ "id": "a", "prompt_tokens": [1, 2], "completion_tokens": [3, 4, 5] })]);
        let encoded = encoder(LossOn::Completion, 8).encode(&rows).unwrap();
        assert_eq!(encoded.rows, [Row { tokens: vec![1, 2, 3, 4, 5], first_label: 2 }]);
        assert_eq!((encoded.rows[0].inputs(), encoded.rows[0].labels()), (4, 3));
        let all = encoder(LossOn::All, 4).encode(&rows).unwrap();
        assert_eq!(
            all,
            Encoded { rows: vec![Row { tokens: vec![1, 2, 3, 4], first_label: 1 }], truncated: 1, left_out: 0 }
        );
    }

    #[test]
    fn rows_that_teach_nothing_are_named() {
        let refusal = |row: Value, max_length| {
            encoder(LossOn::Completion, max_length).encode(&lines(&[row])).unwrap_err().to_string()
        };
        let long = refusal(json!({ "id": "long", "prompt_tokens": [1, 2, 3], "completion_tokens": [4] }), 3);
        assert!(long.contains("all 1 rows") && long.contains("`max_length`"), "{long}");
        let outside = refusal(json!({ "id": 7, "completion_tokens": [1, 10] }), 8);
        assert!(outside.contains("`7`") && outside.contains("token 10"), "{outside}");
        assert!(refusal(json!({ "completion_tokens": [1] }), 8).contains("at least one token to read"));
        assert!(refusal(json!({ "prompt": "a", "completion": "b" }), 8).contains("no `tokenizer.json`"));
    }

    #[test]
    fn rows_that_are_too_long_are_cut_or_left_out_and_counted() {
        let rows = lines(&[
            json!({ "id": "fits", "prompt_tokens": [1], "completion_tokens": [2] }),
            json!({ "id": "half", "prompt_tokens": [1, 2], "completion_tokens": [3, 4, 5] }),
            json!({ "id": "none", "prompt_tokens": [1, 2, 3, 4, 5], "completion_tokens": [6] }),
        ]);
        let encoded = |too_long| {
            let encoder = Encoder { too_long, ..encoder(LossOn::Completion, 4) };
            encoder.encode(&rows).map(|encoded| (encoded.rows.len(), encoded.truncated, encoded.left_out))
        };
        assert_eq!(encoded(TooLong::Cut), Ok((2, 1, 1)));
        assert_eq!(encoded(TooLong::LeaveOut), Ok((1, 0, 2)));
        let refused = encoded(TooLong::Error).unwrap_err().to_string();
        assert!(refused.contains("`half`") && refused.contains("5 tokens"), "{refused}");
    }

    #[test]
    fn a_field_that_is_missing_is_named_and_may_have_another_name() {
        let row = || json!({ "question": "q", "completion": "c", "task": 7 }).as_object().unwrap().clone();
        let read = |prompt, completion| Line::of(row(), Fields { messages: None, prompt, completion });
        let missing = "it has no `prompt`; it has `question`, `completion`, `task`";
        assert_eq!(read("prompt", "completion").unwrap_err(), missing);
        assert_eq!(read("question", "task").unwrap_err(), "expected a text in `task`, found `7`");
        assert_eq!(read("question", "completion").unwrap().text(), "qc");
        assert_eq!(read("", "completion").unwrap().text(), "c");
    }

    #[test]
    fn a_share_is_held_out_by_the_seed() {
        let rows: Vec<Row> = (0..20).map(|token| Row { tokens: vec![token, 0], first_label: 1 }).collect();
        let options = TrainOptions { validation_share: 0.25, ..TrainOptions::default() };
        let (train, held) = hold_out(rows.clone(), &options, 5).unwrap();
        assert_eq!((train.len(), held.len()), (15, 5));
        assert!(held.iter().all(|row| !train.contains(row)));
        assert_eq!(hold_out(rows.clone(), &options, 5).unwrap().1, held);
        assert_ne!(hold_out(rows, &options, 6).unwrap().1, held);
    }
}
