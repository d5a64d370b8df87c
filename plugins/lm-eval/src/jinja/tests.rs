use super::*;
use examiner_python::from_json;
use serde_json::Value as Json;

/// What prints an address of memory, or what is undefined and yet printed: here it is an error.
const REFUSED: [&str; 4] = [
    "{{nested.items}}",
    "{{answers|map(attribute='atext')}}",
    "{{answers|map(attribute='missing')|list}}",
    // The test `sameas` compares addresses.
    "{{ 4 is even }} {{ 3 is odd }} {{ 9 is divisibleby 3 }} {{ 9 is divisibleby(2) }} {{ 1 is in [1, 2] }} {{ 1 is eq 1 }} {{ 1 is not sameas 1 }}",
];

fn filled(template: &str, document: &Value) -> Result<String, String> {
    let template = Template::compile(template).map_err(|malformed| malformed.to_string())?;
    template.render(&mut Session::bare(), document).map_err(|unfilled| unfilled.to_string())
}

#[test]
fn templates_are_filled_as_jinja2_fills_them() {
    let references: Json = serde_json::from_str(include_str!("references.json")).unwrap();
    let document = from_json(&references["document"]);
    let mut different = Vec::new();
    for case in references["cases"].as_array().unwrap() {
        let template = case["template"].as_str().unwrap();
        let found = filled(template, &document);
        let is_same = match case["text"].as_str() {
            Some(text) => found.as_deref() == Ok(text),
            None => found.is_err(),
        };
        if is_same == REFUSED.contains(&template) {
            different.push(format!("{template:?}\n  is    {:?}\n  found {found:?}", case["text"]));
        }
    }
    assert!(different.is_empty(), "{} differ:\n{}", different.len(), different.join("\n"));
}

#[test]
fn what_is_not_supported_is_named() {
    for (template, said) in [
        ("{{ x|wordwrap }}", "the filter `wordwrap`"),
        ("{{ x is escaped }}", "the test `escaped`"),
        ("{% include 'x' %}", "the statement `include`"),
        ("{% macro m() %}{% endmacro %}", "the statement `macro`"),
        ("{{ x|tojson + 'a' }}", "the filter `tojson`"),
        ("{% for a in b recursive %}{% endfor %}", "`recursive`"),
        ("{{ f(*a) }}", "a call with `*`"),
        ("{{ lipsum() }}", "`lipsum`"),
    ] {
        let refused = Template::compile(template).unwrap_err().to_string();
        assert!(refused.contains(said), "{template}: {refused}");
    }
}

#[test]
fn what_is_missing_is_named() {
    let document = from_json(&serde_json::json!({ "a": { "b": 1 } }));
    for (template, said) in [("{{ question }}", "`question`"), ("{{ a.c }}", "`c`"), ("{{ a.b.c }}", "`c`")] {
        let unfilled = filled(template, &document).unwrap_err();
        assert!(unfilled.contains(said), "{template}: {unfilled}");
    }
}

#[test]
fn a_template_is_never_a_panic() {
    let pieces = [
        "{{", "}}", "{%", "%}", "{#", "#}", " if ", "for", "x", "in", "(", ")", "[", "'", "|", "é", "\n", "1.", "-",
        "{", "raw",
    ];
    let mut state = 7_u64;
    for _ in 0..20_000 {
        let mut template = String::new();
        for _ in 0..12 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            template.push_str(pieces[(state >> 33) as usize % pieces.len()]);
        }
        let _ = filled(&template, &from_json(&serde_json::json!({ "x": "text" })));
    }
}
