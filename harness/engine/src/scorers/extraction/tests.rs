use super::*;
use crate::scorers::Normalization;
use crate::scorers::test_support::shared_lines;
use examiner_test_support::needs;
use proptest::prelude::*;

fn find(written: Value, text: &str) -> Option<String> {
    Pipeline::from_value(written).unwrap().find(text).unwrap()
}

#[test]
fn every_step() {
    for (written, text, expected) in [
        (json!({"cut": "\n\n"}), "one\n\ntwo", Some("one")),
        (json!({"cut": ["Q:", "A:"]}), "x A: y Q: z", Some("x")),
        (json!({"cut": "Q:"}), "Q: all gone", None),
        (json!({"after": "A: "}), "A: 1 A: 2", Some("2")),
        (json!({"after": {"marker": "A: ", "which": "first"}}), "A: 1 A: 2", Some("1 A: 2")),
        (json!({"after": {"marker": "answer IS", "ignore_case": true}}), "É The Answer is 3", Some("3")),
        (json!({"after": "A: "}), "none", None),
        (json!({"regex": "b+"}), "abba", Some("bb")),
        (json!({"regex": {"pattern": r"(\d+)-(\d+)", "group": 2, "take": "last"}}), "1-2 3-45", Some("45")),
        (json!("first-number"), "from $1,200 to 3", Some("1,200")),
        (json!("last-number"), "from 3 to -1,200.50.", Some("-1,200.50")),
        (json!("first-line"), "\n  \n one \ntwo", Some("one")),
        (json!("last-line"), "one\n two\n \n", Some("two")),
        (json!("boxed"), r"\boxed{1} so \boxed{\frac{1}{2}}.", Some(r"\frac{1}{2}")),
        (json!("boxed"), r"\boxed{1", None),
        (json!({"strip": "*\" "}), "**\"yes\"**", Some("yes")),
        (json!(["uppercase", "trim"]), " a ", Some("A")),
        (json!("lowercase"), "ÀB", Some("àb")),
        (json!("capitalize"), "éA b", Some("Éa b")),
        (json!({"replace": {"pattern": r"\s*,\s*", "with": " "}}), "a , b,c", Some("a b c")),
        (json!({"replace": {"pattern": r"(\d)-(\d)", "with": "$2-$1"}}), "1-2", Some("2-1")),
        (json!({"replace": {"pattern": "a"}}), "aa", None),
        (json!([{"any": ["boxed", [{"after": "####"}, "last-number"], "first-line"]}]), "x\n#### 1 2", Some("2")),
        (json!([{"any": ["boxed"]}]), "x", None),
    ] {
        assert_eq!(find(written.clone(), text).as_deref(), expected, "{written} on {text:?}");
    }
}

/// The list of names is there for messages; serde has its own.
#[test]
fn the_list_of_steps_is_that_of_the_enum() {
    let error = serde_json::from_value::<Step>(json!("?")).unwrap_err().to_string();
    let names: Vec<String> = STEPS.iter().map(|(name, _)| format!("`{name}`")).collect();
    assert!(error.ends_with(&names.join(", ")), "{error}");
    for (name, needs_options) in STEPS {
        assert_eq!(serde_json::from_value::<Step>(json!(name)).is_err(), *needs_options, "{name}");
    }
}

#[test]
fn option_letters() {
    for (text, expected) in [
        ("(b)", Some("B")),
        ("So it is (C), not (D).", Some("C")),
        ("B. Because", Some("B")),
        (" d", Some("D")),
        ("A cat would choose C here", Some("C")),
        ("I think it is B", Some("B")),
        ("Answer: A", Some("A")),
        ("USA", None),
        ("none", None),
    ] {
        assert_eq!(find(json!("option-letter"), text).as_deref(), expected, "{text}");
    }
}

#[test]
fn presets_can_be_read_and_combined() {
    for preset in PRESETS {
        let pipeline = Pipeline::from_value((preset.written)()).unwrap();
        assert_eq!(Pipeline::from_value(json!(preset.name)).unwrap(), pipeline);
        // What a pipeline is written as reads as the same pipeline.
        assert_eq!(Pipeline::from_value(json!(pipeline)).unwrap(), pipeline);
    }
    assert_eq!(find(json!([{"cut": "Next"}, "gsm8k"]), "#### 1 Next #### 2").as_deref(), Some("1"));
}

#[test]
fn gsm8k_looks_for_markers_first() {
    for (text, expected) in [
        ("2 + 2 = 4\n#### 4\n\nQuestion: 9?", Some("4")),
        ("The answer is 1,234. It took 5 steps.", Some("1,234")),
        ("The answer is $-7", Some("-7")),
        ("#### none, so the answer is 3", Some("3")),
        ("We get 3 and then 8.", Some("8")),
        ("Nothing", None),
    ] {
        assert_eq!(find(json!("gsm8k"), text).as_deref(), expected, "{text}");
    }
}

#[test]
fn text_and_choice() {
    assert_eq!(find(json!("text"), "Hm.\nSo the answer is: New York.\nmore").as_deref(), Some("New York"));
    assert_eq!(find(json!("text"), "a\nb.").as_deref(), Some("b"));
    assert_eq!(find(json!("choice"), "not (A)... The answer is (B).").as_deref(), Some("B"));
    assert_eq!(find(json!("choice"), "the answer is dog").as_deref(), Some("dog"));
}

#[test]
fn bbh_takes_the_line_after_the_last_marker_as_it_is() {
    for (text, expected) in [
        ("So the answer is (A). No: the answer is (B).\nQ: next", Some("(B)")),
        ("the answer is $1,000..", Some("$1,000.")),
        ("the answer is ] ].", Some("] ]")),
        ("the answer is 24\r\nmore", Some("24")),
        ("the answer is \n24", None),
        ("the answer: 24", None),
        ("The Answer Is 24", None),
    ] {
        assert_eq!(find(json!("bbh"), text).as_deref(), expected, "{text}");
    }
}

#[test]
fn what_opencompass_finds_in_answers_to_bbh() {
    for (text, choice, free) in [
        ("the answer is (B) or (C).", "B", "(B) or (C)"),
        ("The answer is: **no**, I think.", "T", "No"),
        ("the answer is cat , dog,bird.", "cat , dog,bird.", "cat dog bird"),
        ("the answer is 1,234", "1,234", "1,234"),
        ("none of it\nB", "B", "none of it"),
        ("the answer is ", "", ""),
    ] {
        let found = |preset: &str| find(json!(preset), text).unwrap_or_default();
        assert_eq!((&*found("opencompass-bbh-choice"), &*found("opencompass-bbh-text")), (choice, free), "{text}");
    }
}

/// The reference is OpenCompass's `gsm8k_postprocess`, which says `NULL` for nothing.
#[needs(shared)]
#[test]
fn opencompass_preset_agrees_and_last_number_differs_by_thousands_separators() {
    let solutions = shared_lines("data/gsm8k/recorded_solutions.jsonl");
    let extracted = shared_lines("oracle/opencompass/gsm8k_extraction.jsonl");
    assert_eq!((solutions.len(), extracted.len()), (2638, 2638));
    let mut differing = Vec::new();
    for (solution, expected) in solutions.iter().zip(&extracted) {
        let completion = solution["completion"].as_str().unwrap();
        let expected = expected["extracted"].as_str().unwrap();
        assert_eq!(find(json!("opencompass"), completion).as_deref().unwrap_or("NULL"), expected, "{completion}");
        let ours = find(json!("last-number"), completion).unwrap_or("NULL".to_owned());
        if ours != expected {
            assert!(ours.ends_with(&format!(",{expected}")), "{ours} {expected}");
            differing.push(ours);
        }
    }
    assert_eq!(differing.len(), 14, "{differing:?}");
}

/// The references are OpenCompass's `bbh_mcq_postprocess` and `bbh_freeform_postprocess`, and the number of right answers
/// that the benchmark's authors counted.
#[needs(shared)]
#[test]
fn presets_for_bbh_agree_with_opencompass_and_with_the_authors() {
    let completions = shared_lines("data/teacher/code-davinci-002-cot.jsonl");
    let extracted = shared_lines("oracle/opencompass/bbh_extraction.jsonl");
    assert_eq!((completions.len(), extracted.len()), (6511, 6511));
    let mut right = 0;
    for (row, expected) in completions.iter().zip(&extracted) {
        let completion = row["completion"].as_str().unwrap();
        for (preset, field) in [("opencompass-bbh-choice", "mcq"), ("opencompass-bbh-text", "freeform")] {
            assert_eq!(find(json!(preset), completion).unwrap_or_default(), expected[field], "{completion}");
        }
        right += usize::from(find(json!("bbh"), completion).as_deref() == row["target"].as_str());
    }
    assert_eq!(right, 4816);
}

/// The reference is lm-evaluation-harness's GSM8K task, which says `[invalid]` for nothing.
#[needs(shared)]
#[test]
fn strict_and_flexible_agree_with_lm_evaluation_harness() {
    let rows = shared_lines("oracle/lm_eval/gsm8k_0shot.jsonl");
    let mut invalid = [0, 0];
    for row in &rows {
        for (index, preset) in ["strict", "flexible"].into_iter().enumerate() {
            let found = find(json!(preset), row["response"].as_str().unwrap());
            assert_eq!(found.as_deref().unwrap_or("[invalid]"), row[preset].as_str().unwrap(), "{row}");
            invalid[index] += u32::from(found.is_none());
        }
    }
    assert_eq!((rows.len(), invalid), (300, [174, 83]));
}

proptest! {
    #![proptest_config(examiner_test_support::cases(256))]

    /// Models write anything; what they write must never end a run.
    #[test]
    fn any_text_is_accepted(text in "(?s)([0-9,.$%€−(){}A-Z -]|####|answer is|\\\\boxed\\{|\\PC|.){0,40}") {
        for preset in PRESETS {
            find(json!(preset.name), &text);
        }
        for (step, _) in STEPS.iter().filter(|(_, needs_options)| !needs_options) {
            find(json!(step), &text);
        }
        let all = Normalization { case: true, whitespace: true, ..Normalization::default() };
        all.apply(&text);
    }

    /// Whatever a number is written like, the same number is found in it.
    #[test]
    fn thousands_separators_change_nothing(number in 0_u64.., before in "[a-z =$]{0,5}", after in "[a-z .%]{0,5}") {
        let plain = number.to_string();
        let grouped: Vec<&str> = plain.as_bytes().rchunks(3).rev().map(|group| std::str::from_utf8(group).unwrap()).collect();
        for written in [plain.clone(), grouped.join(",")] {
            let found = last_number(&format!("{before}{written}{after}")).unwrap();
            prop_assert_eq!(Normalization::default().apply(&found), plain.clone());
        }
    }
}
