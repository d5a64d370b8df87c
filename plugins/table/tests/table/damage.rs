//! Options, templates and rows that cannot be used.

use crate::{over, samples, write};
use examiner_api::{ErrorCode, PluginError};
use examiner_plugin_table::Options;
use serde_json::{Value, json};

fn rows() -> Vec<Value> {
    vec![json!({"q": "one", "a": 0, "c": ["x", "y"]}), json!({"q": "two", "c": ["x", "y"], "deep": {"d": 1}})]
}

fn error(options: Value) -> PluginError {
    let mut error = over(&rows(), options).err().unwrap();
    if let (Some(start), Some(end)) = (error.message.find("`/"), error.message.find("rows.jsonl`")) {
        error.message.replace_range(start..end + "rows.jsonl`".len(), "`F`");
    }
    error
}

#[test]
fn a_malformed_template_names_option_and_line() {
    let error = error(json!({"prompt": "{{ q }}\n{% for c in %}"}));
    assert_eq!(error.code, ErrorCode::BadOptions);
    assert_eq!(error.message, "the template `prompt` is malformed in its line 2");
    assert!(error.causes[0].starts_with("syntax error: "), "{}", error.causes[0]);
}

#[test]
fn a_malformed_expression_names_its_option() {
    for option in ["choices", "gold", "id", "where"] {
        let error = error(json!({"prompt": "p", option: "a +"}));
        assert_eq!(error.message, format!("the template `{option}` is malformed in its line 1"));
    }
}

#[test]
fn an_unknown_name_names_row_template_and_what_is_there() {
    let unfilled = error(json!({"prompt": "{{ q }} {{ a }}"}));
    assert_eq!(unfilled.code, ErrorCode::BadInput);
    assert_eq!(unfilled.message, "line 2 of `F`: the template `prompt` cannot be filled");
    assert_eq!(unfilled.help.unwrap(), "the row has no `a`; it has `q`, `c`, `deep`, `index`, `row`");
    let unfilled = error(json!({"prompt": "p", "gold": "a"}));
    assert_eq!(unfilled.message, "line 2 of `F`: the template `gold` cannot be filled");
    let unfilled = error(json!({"prompt": "p", "where": "q == 'one' or deep.e == 1"}));
    assert_eq!(unfilled.message, "line 2 of `F`: the template `where` cannot be filled");
    assert!(unfilled.help.unwrap().starts_with("the row has no `deep.e`"));
}

#[test]
fn a_text_that_is_the_name_of_a_field_is_refused() {
    let rows = [json!({"q": "which?", "A": "one", "B": "two", "answer": "A"})];
    let refused = |options: Value| over(&rows, options).err().unwrap();
    let letters = refused(json!({"prompt": "{{ q }}", "choices": ["A", "B"], "gold": "answer"}));
    assert!(
        letters.message.ends_with("`choices` has the text `A`, which is also the name of a field of the row"),
        "{letters}"
    );
    assert_eq!(letters.help.unwrap(), "write `{{ A }}` for what the field holds, or `{{ 'A' }}` for the text itself");
    assert!(refused(json!({"prompt": "q", "gold": "answer"})).message.contains("`prompt` has the text `q`"));
    assert!(refused(json!({"prompt": "{{ q }}", "gold": ["answer"]})).message.contains("`gold` has the text `answer`"));
    let choices = |templates: Value| {
        let mut table =
            over(&rows, json!({"prompt": "{{ q }}", "choices": templates, "gold": "answer", "gold_is": "letter"}));
        samples(table.as_mut().unwrap())[0].choices.clone()
    };
    assert_eq!(choices(json!(["{{ A }}", "{{ B }}"])), ["one", "two"]);
    assert_eq!(choices(json!("[A, B]")), ["one", "two"]);
    assert_eq!(choices(json!(["{{ 'A' }}", "{{ 'B' }}"])), ["A", "B"]);
}

#[test]
fn a_null_is_not_written_out_unless_replaced() {
    let rows = [json!({"q": null})];
    let error = over(&rows, json!({"prompt": "{{ q }}"})).err().unwrap();
    assert!(error.causes[0].contains("a null cannot be written out"), "{error}");
    let mut replaced = over(&rows, json!({"prompt": "{{ q | default('-', true) }}"})).unwrap();
    assert_eq!(samples(&mut replaced)[0].prompt, "-");
}

#[test]
fn what_is_no_choice_or_no_list_is_named() {
    let one = |options: Value| error(options).message;
    assert_eq!(
        one(json!({"prompt": "p", "choices": "c", "gold": "q"})),
        "line 1 of `F`: `gold` is `\"one\"`, expected an index, letter or text of one of 2 choices"
    );
    assert_eq!(
        one(json!({"prompt": "p", "choices": "q"})),
        "line 1 of `F`: expected a list in `choices`, found `\"one\"`"
    );
    assert_eq!(one(json!({"prompt": "p", "choices": "[]"})), "line 1 of `F`: `choices` is an empty list");
    assert_eq!(
        one(json!({"prompt": "p", "choices": "row"})),
        "line 1 of `F`: expected a list in `choices`, found an object with `q`, `a`, `c`"
    );
    assert_eq!(
        one(json!({"prompt": "p", "choices": "[row]", "where": "index == 0"})),
        "line 1 of `F`: expected texts in `choices`, found `[{\"q\":\"one\",\"a\":0,\"c\":[\"x\",\"y\"]}]`"
    );
    assert_eq!(
        one(json!({"prompt": "p", "gold": "none"})),
        "line 1 of `F`: expected a text or a list of texts in `gold`, found `null`"
    );
}

#[test]
fn rows_that_name_choices_in_different_ways_are_told_with_their_places() {
    let of = |golds: &[Value], gold_is: &str| {
        let rows: Vec<Value> = golds.iter().map(|gold| json!({"c": ["x", "y"], "g": gold})).collect();
        let options = json!({"prompt": "p", "choices": "c", "gold": "g", "gold_is": gold_is});
        over(&rows, options).map(drop).map_err(|error| (error.message, error.help.unwrap_or_default()))
    };
    let (message, help) = of(&[json!("A"), json!("B"), json!("x")], "auto").unwrap_err();
    assert!(message.starts_with("line 3 of `"), "{message}");
    assert!(message.contains("`gold` is `\"x\"`, the text of a choice, but line 1 of `"), "{message}");
    assert!(message.ends_with("has `\"A\"`, which is none"), "{message}");
    assert!(help.contains("`gold_is`"), "{help}");
    let (message, _) = of(&[json!("A"), json!(1)], "auto").unwrap_err();
    assert!(message.contains("`gold` is `1`, the index of a choice"), "{message}");
    assert!(of(&[json!("A"), json!("x")], "letter").unwrap_err().0.contains("expected a letter from `A`"));
    assert_eq!(of(&[json!(0), json!("1"), json!(1.0)], "auto"), Ok(()));

    let rows = [json!({"c": ["0", "1"], "g": "1"}), json!({"c": ["1", "0"], "g": "1"})];
    let error = over(&rows, json!({"prompt": "p", "choices": "c", "gold": "g"})).err().unwrap();
    assert!(error.message.starts_with("line 2 of `"), "{error}");
    assert!(error.message.ends_with("which by index means choice 1 and by text choice 0"), "{error}");
}

#[test]
fn options_that_do_not_go_together() {
    assert_eq!(
        error(json!({"prompt": "p", "few_shot": "same"})).message,
        "`few_shot` is set, but examples have no answer"
    );
    assert_eq!(
        error(json!({"prompt": "p", "gold": 1})).message,
        "`gold: 1` is the index of a choice, but there are no `choices`"
    );
    assert_eq!(error(json!({"prompt": "p", "where": {"q": "three"}})).message, "no row of `F` is chosen");
    assert_eq!(
        error(json!({"prompt": "p", "fields": {"x": "deep.d"}})).message,
        "line 1 of `F`: `fields` asks for `deep.d`, which is not there"
    );
    assert_eq!(
        error(json!({"prompt": "p", "metadata": ["deep"]})).message,
        "line 1 of `F`: `metadata` asks for `deep`, which is not there"
    );
}

#[test]
fn two_rows_of_one_id_are_named() {
    let message = error(json!({"prompt": "p", "id": "c[0]"})).message;
    assert_eq!(message, "line 2 of `F`: the same `id` as line 1: `x`");
}

#[test]
fn a_row_of_the_pool_that_makes_no_example_is_found_at_once() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "rows.jsonl", &[json!({"q": "one", "a": "x"})]);
    write(folder.path(), "pool.jsonl", &[json!({"q": "two"})]);
    let options = json!({"path": "rows.jsonl", "prompt": "{{ q }}", "gold": "a", "few_shot": {"path": "pool.jsonl"}});
    let error = crate::open(folder.path(), options).err().unwrap();
    assert!(error.message.contains("pool.jsonl`: the template `gold` cannot be filled"), "{error}");
}

#[test]
fn templates_can_neither_include_nor_run_on() {
    let included = error(json!({"prompt": "{% include '/etc/passwd' %}"}));
    assert!(included.causes[0].starts_with("template not found"), "{included}");
    let endless = "{% for a in range(100000) %}{% for b in range(100000) %}.{% endfor %}{% endfor %}";
    assert!(error(json!({"prompt": endless})).causes[0].contains("fuel"));
}

#[test]
fn the_schema_names_every_option() {
    let schema = examiner_plugin_table::plugin().info().roles[0].options.clone();
    for option in ["path", "where", "fields", "prompt", "choices", "gold", "gold_is", "few_shot", "shot_separator"] {
        assert!(schema["properties"][option]["description"].is_string(), "{option}");
    }
    assert_eq!(schema["required"], json!(["path", "prompt"]));
    assert_eq!(schema["additionalProperties"], json!(false));
}

#[test]
fn unknown_and_ill_typed_options_are_refused() {
    let refused = |options: Value| serde_json::from_value::<Options>(options).unwrap_err().to_string();
    assert!(refused(json!({"path": "p", "prompt": "p", "promt": "p"})).starts_with("unknown field `promt`"));
    assert_eq!(
        refused(json!({"path": "p", "prompt": "p", "few_shot": "other"})),
        "expected `same`, or a mapping with the `path` of another file"
    );
}
