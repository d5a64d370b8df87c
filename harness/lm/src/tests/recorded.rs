use crate::{Tokenizer, split};
use examiner_api::{ScoreRequest, Span};
use examiner_test_support::{needs, rows, shared};

#[needs(shared)]
#[test]
fn the_split_is_the_recorded_one() {
    let shared = shared();
    let file = shared.join("models/tiny-gpt2/tokenizer.json");
    let tokenizer = Tokenizer::from_file(&file, Some(0), vec![0]).unwrap();
    let rows = rows(&shared.join("oracle/tiny-gpt2/loglikelihood.jsonl"));
    let mut truncated = 0;
    for row in &rows {
        let request = ScoreRequest {
            context: row["context"].as_str().unwrap().to_owned(),
            continuation: row["continuation"].as_str().unwrap().to_owned(),
            ..ScoreRequest::default()
        };
        let expected: Vec<u32> = serde_json::from_value(row["continuation_ids"].clone()).unwrap();
        let context_tokens = row["context_tokens"].as_u64().unwrap() as usize;
        let found = split(&request, &tokenizer, true, 512).unwrap();
        assert_eq!(found.targets(), expected, "{row}");
        assert_eq!(found.total_tokens, context_tokens + expected.len(), "{row}");
        assert_eq!(found.truncated_tokens, found.total_tokens.saturating_sub(513));
        truncated += usize::from(found.truncated_tokens > 0);

        let all = split(&ScoreRequest { span: Span::All, ..request.clone() }, &tokenizer, true, 512).unwrap();
        let whole = tokenizer.encode(&format!("{}{}", request.context, request.continuation)).unwrap();
        assert_eq!((all.total_tokens, all.first_target), (whole.len(), 1));
        assert_eq!(all.tokens, whole[all.truncated_tokens..]);
    }
    assert_eq!((rows.len(), truncated), (280, 1));
}
