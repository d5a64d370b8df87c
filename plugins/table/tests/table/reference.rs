//! Published datasets, and the prompts that other harnesses made of them.

use crate::{open, samples};
use examiner_api::{Dataset, Gold};
use examiner_test_support::{needs, rows, shared};
use serde_json::{Value, json};

/// The lm-evaluation-harness task `csqa_local`, word for word.
fn csqa_local() -> Value {
    json!({
        "path": "oracle/lm_eval/csqa_flat.jsonl", "prompt": "Question: {{question}}\nAnswer:", "choices": "{{choices}}",
        "gold": "{{answer}}", "few_shot": "same",
    })
}

#[needs(shared)]
#[test]
fn csqa_as_lm_evaluation_harness_asks_it() {
    let shared = shared();
    let mut table = open(&shared, csqa_local()).unwrap();
    let shots = table.few_shot_pool().unwrap();
    let separator = table.info().unwrap().shot_separator;
    let first_three: String =
        shots[..3].iter().map(|shot| format!("{}{}{separator}", shot.prompt, shot.answer)).collect();
    let samples = samples(&mut table);
    let zero_shot = rows(&shared.join("oracle/lm_eval/csqa_0shot.jsonl"));
    let three_shot = rows(&shared.join("oracle/lm_eval/csqa_3shot.jsonl"));
    assert_eq!((samples.len(), zero_shot.len(), three_shot.len()), (1221, 1221, 1221));
    // The contexts of the first five questions only were recorded with examples.
    assert_eq!(three_shot.iter().filter(|row| row["context"].is_string()).count(), 5);
    for (sample, expected) in samples.iter().zip(&three_shot[..5]) {
        assert_eq!(format!("{first_three}{}", sample.prompt), expected["context"].as_str().unwrap());
    }
    for (sample, expected) in samples.iter().zip(zero_shot) {
        assert_eq!(sample.prompt, expected["context"].as_str().unwrap());
        let continuations: Vec<String> =
            sample.choices.iter().map(|choice| format!("{}{choice}", sample.delimiter)).collect();
        assert_eq!(json!(continuations), expected["continuations"]);
        assert_eq!(json!(sample.gold), json!({"choice": expected["gold"]}));
        assert_eq!(sample.metadata["id"], expected["id"]);
    }
}

#[needs(shared)]
#[test]
fn csqa_in_its_published_form() {
    let shared = shared();
    let options = json!({
        "path": "data/csqa/dev_rand_split.jsonl", "prompt": "Question: {{ question.stem }}\nAnswer:", "id": "id",
        "choices": "{{ question.choices | map(attribute='text') }}", "gold": "answerKey", "gold_is": "letter",
        "subset": "question.question_concept",
    });
    let nested = samples(&mut open(&shared, options).unwrap());
    let flat = samples(&mut open(&shared, csqa_local()).unwrap());
    assert_eq!(nested.len(), 1221);
    for (nested, flat) in nested.iter().zip(&flat) {
        assert_eq!((&nested.prompt, &nested.choices, &nested.gold), (&flat.prompt, &flat.choices, &flat.gold));
        assert_eq!(nested.id, flat.metadata["id"].as_str().unwrap());
    }
    assert_eq!(nested[0].subset.as_deref(), Some("revolving door"));
}

#[needs(shared)]
#[test]
fn csqa_as_opencompass_asks_it() {
    let shared = shared();
    let prompt = "Question: {{ question }}\n{% for choice in choices %}{{ loop.index0 | letter }}. {{ choice }}\n\
                  {% endfor %}Answer:";
    let options = json!({
        "path": "oracle/lm_eval/csqa_flat.jsonl", "prompt": prompt, "choices": ["A", "B", "C", "D", "E"],
        "gold": "answer",
    });
    let samples = samples(&mut open(&shared, options).unwrap());
    let expected = rows(&shared.join("oracle/opencompass/csqa_ppl.jsonl"));
    assert_eq!((samples.len(), expected.len()), (1221, 100));
    for (sample, expected) in samples.iter().zip(expected) {
        for choice in &sample.choices {
            let whole = format!("{}{}{choice}", sample.prompt, sample.delimiter);
            assert_eq!(whole, expected["labels"][choice]["prompt"].as_str().unwrap());
        }
        let Gold::Choice(gold) = sample.gold else { panic!("expected a choice") };
        assert_eq!(sample.choices[gold], expected["gold"].as_str().unwrap());
    }
}

#[needs(shared)]
#[test]
fn svamp_with_numbers_as_golds() {
    let shared = shared();
    let options = json!({
        "path": "data/svamp/SVAMP.json", "prompt": "Question: {{ Body }} {{ Question }}\nAnswer:",
        "gold": "Answer", "id": "ID", "subset": "Type",
    });
    let samples = samples(&mut open(&shared, options).unwrap());
    assert_eq!(samples.len(), 1000);
    assert_eq!(samples[0].id, "chal-1");
    assert_eq!(samples[0].gold, Gold::text("51.0"));
    assert_eq!(samples[0].subset.as_deref(), Some("Subtraction"));
    assert!(samples[0].prompt.ends_with("on each pack How much do you have to pay to buy each pack?\nAnswer:"));
}

#[needs(shared)]
#[test]
fn texts_to_score_as_they_are() {
    let shared = shared();
    let path = "oracle/tiny-gpt2/loglikelihood.jsonl";
    let options = json!({
        "path": path, "prompt": "{{context}}", "choices": ["{{continuation}}"], "delimiter": "", "gold": 0,
    });
    let samples = samples(&mut open(&shared, options).unwrap());
    let expected = rows(&shared.join(path));
    assert_eq!(samples.len(), expected.len());
    for (sample, expected) in samples.iter().zip(expected) {
        assert_eq!(sample.prompt, expected["context"].as_str().unwrap());
        assert_eq!(sample.choices, [expected["continuation"].as_str().unwrap()]);
        assert_eq!(sample.gold, Gold::Choice(0));
    }
}
