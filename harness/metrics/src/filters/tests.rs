use super::*;
use serde_json::json;

fn filter(name: &str, options: Value) -> Filter {
    Filter::new(name, options.as_object().unwrap()).unwrap()
}

#[test]
fn every_filter_can_be_made() {
    for name in FILTERS {
        let options = if name == "take_first_k" { json!({"k": 1}) } else { json!({}) };
        filter(name, options);
    }
}

#[test]
fn what_is_not_a_filter_or_an_option_is_refused_by_name() {
    for (name, options, message) in [
        ("custom", json!({}), "the filter `custom` is not supported"),
        ("decontaminate", json!({"path": "x"}), "the filter `decontaminate` is not supported"),
        ("regexp", json!({}), "found `regexp`"),
        ("lowercase", json!({"x": 1}), "has no option `x`"),
        ("regex", json!({"group_select": "a"}), "expected a whole number"),
        ("regex", json!({"regex_pattern": "("}), "cannot read the pattern `(`"),
        ("take_first_k", json!({}), "needs the option `k`"),
    ] {
        let error = Filter::new(name, options.as_object().unwrap()).unwrap_err();
        assert!(error.to_string().contains(message), "{name}: {error}");
    }
}

#[test]
fn a_filter_behind_the_one_that_takes_the_first_works_on_characters() {
    let filters = [filter("take_first", json!({})), filter("remove_whitespace", json!({}))];
    assert_eq!(apply_all(&filters, &json!(["a b", "c"]), &json!({})).unwrap(), json!(["a", "", "b"]));
    assert!(apply_all(&filters, &json!([]), &json!({})).is_err());
}

#[test]
fn a_match_that_is_not_there_is_an_error_as_in_python() {
    let second = filter("regex", json!({"regex_pattern": "[0-9]", "group_select": 1}));
    assert_eq!(second.apply(&json!(["1 2", "none"]), &json!({})).unwrap(), json!(["2", "[invalid]"]));
    assert!(second.apply(&json!(["1"]), &json!({})).unwrap_err().to_string().contains("`group_select`"));
}
