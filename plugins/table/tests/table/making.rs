//! Samples and few-shot examples of small files, option by option.

use crate::{open, over, samples, write};
use examiner_api::{Dataset, Flow, Gold, Sample};
use serde_json::{Value, json};

fn row() -> Value {
    json!({"question": "Where?", "choices": ["bank", "mall"], "answer": 1, "topic": {"name": "t"}, "note": null})
}

fn one(options: Value) -> Sample {
    let mut samples = samples(&mut over(&[row()], options).unwrap());
    assert_eq!(samples.len(), 1);
    samples.remove(0)
}

#[test]
fn defaults_say_little() {
    let sample = one(json!({"prompt": "{{ question }}"}));
    assert_eq!((sample.id.as_str(), sample.prompt.as_str(), sample.delimiter.as_str()), ("0", "Where?", " "));
    assert!(sample.choices.is_empty());
    assert_eq!(sample.gold, Gold::None);
    assert_eq!(json!(*sample.metadata), json!({"index": 0, "question": "Where?", "answer": 1}));
    assert_eq!(sample.document, row());
}

#[test]
fn choices_by_expression_by_name_and_by_templates() {
    let by = |choices: Value| one(json!({"prompt": "p", "choices": choices, "gold": 1}));
    for choices in [json!("choices"), json!("{{choices}}"), json!(["bank", "{{ choices[1] }}"])] {
        let sample = by(choices);
        assert_eq!(sample.choices, ["bank", "mall"]);
        assert_eq!(sample.gold, Gold::Choice(1));
    }
    assert_eq!(by(json!("choices | map('upper')")).choices, ["BANK", "MALL"]);
    assert_eq!(by(json!("range(3)")).choices, ["0", "1", "2"]);
}

#[test]
fn gold_by_index_letter_and_text() {
    let gold = |gold: &str| one(json!({"prompt": "p", "choices": "choices", "gold": gold})).gold;
    for source in ["answer", "{{ answer }}", "{{answer}}", "'B'", "'mall'", "{{ answer | letter }}", "{{choices[1]}}"] {
        assert_eq!(gold(source), Gold::Choice(1), "{source}");
    }
    assert_eq!(gold("choices | position('bank')"), Gold::Choice(0));
}

#[test]
fn one_way_of_naming_choices_holds_for_every_row_of_a_file() {
    let row = |choices: &[&str], gold: &str| json!({"c": choices, "g": gold});
    let options = || json!({"prompt": "p", "choices": "c", "gold": "g", "few_shot": "same"});
    // `1` alone could be an index.
    let rows = [row(&["1", "0"], "1"), row(&["40", "41"], "41")];
    let mut table = over(&rows, options()).unwrap();
    let golds: Vec<Gold> = samples(&mut table).into_iter().map(|sample| sample.gold).collect();
    assert_eq!(golds, [Gold::Choice(0), Gold::Choice(1)]);
    assert_eq!(table.few_shot_pool().unwrap()[0].answer, " 1");
    // A pool of another file may name them in another way, one of the same file may not.
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "rows.jsonl", &[row(&["x", "y"], "B")]);
    write(folder.path(), "pool.jsonl", &[row(&["x", "y"], "y"), row(&["y", "z"], "y")]);
    let with = |few_shot: Value| json!({"path": "rows.jsonl", "prompt": "p", "choices": "c", "gold": "g", "few_shot": few_shot});
    let mut table = open(folder.path(), with(json!({"path": "pool.jsonl"}))).unwrap();
    assert_eq!(samples(&mut table)[0].gold, Gold::Choice(1));
    let answers: Vec<String> = table.few_shot_pool().unwrap().into_iter().map(|shot| shot.answer).collect();
    assert_eq!(answers, [" y", " y"]);
}

#[test]
fn gold_of_a_free_answer_is_a_text_or_several() {
    let gold = |gold: Value| one(json!({"prompt": "p", "gold": gold})).gold;
    assert_eq!(gold(json!("answer")), Gold::text("1"));
    assert_eq!(gold(json!("choices")), Gold::Text(vec!["bank".to_owned(), "mall".to_owned()]));
    assert_eq!(gold(json!("the {{ choices[0] }}")), Gold::text("the bank"));
    assert_eq!(gold(json!(["{{ answer }}", "one"])), Gold::Text(vec!["1".to_owned(), "one".to_owned()]));
}

#[test]
fn a_prompt_keeps_its_white_space_and_markup() {
    let sample = one(json!({"prompt": "<b>{{ question }} & {{ row.topic.name }} {{ index }}\n", "delimiter": ""}));
    assert_eq!(sample.prompt, "<b>Where? & t 0\n");
    assert_eq!(sample.delimiter, "");
}

#[test]
fn names_subsets_and_clusters() {
    let sample = one(json!({
        "prompt": "p", "id": "q-{{ index }}", "subset": "topic.name", "cluster": "{{ question }}",
        "metadata": ["topic.name", "note", "index"],
    }));
    assert_eq!(sample.id, "q-0");
    assert_eq!(sample.subset.as_deref(), Some("t"));
    assert_eq!(sample.cluster.as_deref(), Some("Where?"));
    assert_eq!(json!(*sample.metadata), json!({"topic.name": "t", "note": null, "index": 0}));
    assert_eq!(one(json!({"prompt": "p", "subset": "note"})).subset, None);
}

#[test]
fn fields_get_new_names_before_anything_else() {
    let sample = one(json!({
        "prompt": "{{ topic }}: {{ first }}", "fields": {"topic": "topic.name", "first": "choices.0"},
        "where": {"first": "bank"},
    }));
    assert_eq!(sample.prompt, "t: bank");
    assert_eq!(sample.metadata["first"], "bank");
    assert_eq!(sample.document, row(), "the document stays as it is in the file");
}

#[test]
fn rows_are_chosen_by_values_or_by_an_expression() {
    let rows: Vec<Value> = (0..4).map(|n| json!({"n": n, "of": {"parity": n % 2}})).collect();
    let ids = |filter: Value| -> Vec<String> {
        let mut table = over(&rows, json!({"prompt": "{{ n }}", "where": filter})).unwrap();
        let samples = samples(&mut table);
        assert_eq!(table.info().unwrap().rows, Some(samples.len() as u64));
        samples.into_iter().map(|sample| sample.id).collect()
    };
    assert_eq!(ids(json!({"of.parity": 1})), ["1", "3"], "ids do not depend on the choice of rows");
    assert_eq!(ids(json!({"n": [0, "3"]})), ["0", "3"]);
    assert_eq!(ids(json!("n > 1 and of.parity == 0")), ["2"]);
    assert_eq!(ids(json!("{{ of.parity }}")), ["1", "3"]);
}

#[test]
fn shots_of_the_questions_themselves_or_of_another_file() {
    let shared = json!({"prompt": "Q: {{ q }}", "choices": ["no", "yes"], "gold": "a", "path": "rows.jsonl"});
    let with = |few_shot: Value| {
        let mut options = shared.clone();
        options["few_shot"] = few_shot;
        options
    };
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "rows.jsonl", &[json!({"q": "one", "a": "yes"}), json!({"q": "two", "a": "no"})]);
    write(folder.path(), "train.jsonl", &[json!({"q": "x", "a": 1}), json!({"q": "three", "a": 0})]);

    let shots = open(folder.path(), with(json!("same"))).unwrap().few_shot_pool().unwrap();
    let texts: Vec<String> = shots.iter().map(|shot| format!("{}{}", shot.prompt, shot.answer)).collect();
    assert_eq!(texts, ["Q: one yes", "Q: two no"]);
    assert_eq!(shots[1].id.as_deref(), Some("1"), "no question is shown its own answer");

    let other = with(json!({"path": "train.jsonl", "where": "q != 'x'"}));
    let shots = open(folder.path(), other).unwrap().few_shot_pool().unwrap();
    assert_eq!((shots.len(), shots[0].prompt.as_str(), &shots[0].id), (1, "Q: three", &None));

    let mut named = with(json!({"path": "train.jsonl"}));
    named["id"] = json!("row-{{ index }}");
    let shots = open(folder.path(), named).unwrap().few_shot_pool().unwrap();
    assert_eq!(shots[0].id, None, "row-0 of another file is another row");

    let mut own = with(json!({"path": "rows.jsonl", "where": {"a": "no"}}));
    own["shot_answer"] = json!("<{{ a }}>");
    let shots = open(folder.path(), own).unwrap().few_shot_pool().unwrap();
    assert_eq!((shots[0].id.as_deref(), shots[0].answer.as_str()), (Some("1"), " <no>"));

    assert!(open(folder.path(), shared).unwrap().few_shot_pool().unwrap().is_empty());
}

#[test]
fn says_how_answers_are_made() {
    let info = |options: Value| over(&[row()], options).unwrap().info().unwrap();
    let free = info(json!({"prompt": "p"}));
    assert_eq!(free.scorer.as_deref(), Some("answer-extraction"));
    assert_eq!((free.sampling.stop, free.sampling.max_new_tokens), (vec!["\n\n".to_owned()], 256));
    let chosen = info(json!({
        "prompt": "p", "choices": "choices", "stop": ["\n"], "max_new_tokens": 8, "preamble": "Hi.", "shot_separator": "\n",
    }));
    assert_eq!(chosen.scorer.as_deref(), Some("perplexity-choice"));
    assert_eq!((chosen.sampling.stop, chosen.sampling.max_new_tokens), (vec!["\n".to_owned()], 8));
    assert_eq!((chosen.preamble.as_str(), chosen.shot_separator.as_str()), ("Hi.", "\n"));
    assert_eq!(info(json!({"prompt": "p", "scorer": "exact"})).scorer.as_deref(), Some("exact"));
}

#[test]
fn the_fingerprint_follows_rows_and_options_but_not_the_path() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "a.jsonl", &[row()]);
    write(folder.path(), "b.jsonl", &[row()]);
    write(folder.path(), "c.jsonl", &[row(), row()]);
    let info = |path: &str, prompt: &str| {
        open(folder.path(), json!({"path": path, "prompt": prompt})).unwrap().info().unwrap()
    };
    let base = info("a.jsonl", "p");
    assert_eq!(base.fingerprint, info("b.jsonl", "p").fingerprint);
    assert_ne!(base.fingerprint, info("c.jsonl", "p").fingerprint);
    assert_ne!(base.fingerprint, info("a.jsonl", "q").fingerprint);
    assert_ne!(base.version, info("a.jsonl", "q").version);
    assert_eq!(base.version, info("c.jsonl", "p").version, "the version is that of the wording");
}

#[test]
fn stops_when_the_receiver_does() {
    let mut table = over(&[row(), row()], json!({"prompt": "p"})).unwrap();
    let seen = std::sync::Mutex::new(0);
    let sink = |_: Sample| {
        *seen.lock().unwrap() += 1;
        Flow::Stop
    };
    table.samples(&sink).unwrap();
    assert_eq!(seen.into_inner().unwrap(), 1);
}
