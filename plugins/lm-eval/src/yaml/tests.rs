use super::*;
use proptest::prelude::*;

fn read(text: &str) -> Result<Setting, YamlError> {
    parse(text, &|spec| match spec.rsplit_once('.') {
        Some((module, name)) => Ok(FunctionName { file: format!("{module}.py").into(), name: name.to_owned() }),
        None => Err(format!("`{spec}` names no module")),
    })
}

fn text(value: &str) -> Setting {
    Setting::Text(value.to_owned())
}

fn map(entries: &[(&str, Setting)]) -> Setting {
    Setting::Map(entries.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect())
}

#[test]
fn quoted_and_block_scalars_are_texts() {
    let found = read("a: 'no'\nb: \"1\"\nc: |\n  yes\nd: >-\n  1.5\ne: no\nf: !!str 010\ng:\n").unwrap();
    let expected = map(&[
        ("a", text("no")),
        ("b", text("1")),
        ("c", text("yes\n")),
        ("d", text("1.5")),
        ("e", Setting::Bool(false)),
        ("f", text("010")),
        ("g", Setting::Null),
    ]);
    assert_eq!(found, expected);
}

#[test]
fn line_breaks_and_escapes_in_quotes_are_those_of_python() {
    let found = read("a: \"x\\ny\\u00e9\\t\"\nb: 'it''s'\nc: \"\\n\\n\"\nd: \"one\n  two\n\n  three\"\ne: |+\n  x\n\n")
        .unwrap();
    let expected = map(&[
        ("a", text("x\ny\u{e9}\t")),
        ("b", text("it's")),
        ("c", text("\n\n")),
        ("d", text("one two\nthree")),
        ("e", text("x\n\n")),
    ]);
    assert_eq!(found, expected);
}

#[test]
fn lines_in_quotes_may_begin_anywhere() {
    let source = "a:\n  - b: 'it''s\none\n\n two'\n    c: \"x \\\"\ny\\\nz\"\n    d: [\"p\nq\", 'r']\n";
    let Setting::Map(entries) = read(source).unwrap() else { panic!("a mapping") };
    let expected =
        [("b", text("it's one\ntwo")), ("c", text("x \" yz")), ("d", Setting::List(vec![text("p q"), text("r")]))];
    assert_eq!(entries[0].1, Setting::List(vec![map(&expected)]));
}

/// A block scalar ends with a line break where the text has one: an editor that adds none changes the value.
#[test]
fn a_text_may_end_within_a_line() {
    let cases = [
        ("a: |\n  x", "x"),
        ("a: |\n  x\n", "x\n"),
        ("a: |+\n  x", "x"),
        ("a: |-\n  x", "x"),
        ("a: >\n  x\n  y", "x y"),
        ("a: |\n  x\n# comment", "x\n"),
        ("a: |\n  x\n  ", "x\n"),
        ("a: |+\n  x\n  ", "x\n"),
        ("a: x", "x"),
        ("a: 'x'", "x"),
        ("a: |\n  x\n  \t", "x\n\t"),
    ];
    for (source, value) in cases {
        assert_eq!(read(source), Ok(map(&[("a", text(value))])), "{source:?}");
    }
}

/// YAML 1.1 knows five marks for the end of a line.
#[test]
fn lines_end_as_in_yaml_1_1() {
    let found = read("a: |\n  x\u{85}  y\r\n  z\u{2028}b: 'x\u{2029}y'\n").unwrap();
    assert_eq!(found, map(&[("a", text("x\ny\nz\u{2028}")), ("b", text("x\u{2029}y"))]));
}

#[test]
fn a_tag_says_the_type() {
    let found = read("a: !!null ''\nb: !!bool 'Yes'\nc: !!int '010'\nd: !!float '1.5'\n").unwrap();
    let expected =
        map(&[("a", Setting::Null), ("b", Setting::Bool(true)), ("c", Setting::Int(8)), ("d", Setting::Float(1.5))]);
    assert_eq!(found, expected);
    assert!(read("a: !!int x\n").unwrap_err().message.contains("found `x`"));
}

#[test]
fn a_key_that_comes_again_keeps_its_place_and_takes_the_last_value() {
    let found = read("a: 1\nb: 2\na: 3\n").unwrap();
    assert_eq!(found, map(&[("a", Setting::Int(3)), ("b", Setting::Int(2))]));
}

#[test]
fn merged_pairs_stand_first_and_lose_against_those_that_are_written() {
    let found = read("base: &base {x: 1, y: 2}\nmine:\n  z: 0\n  y: 3\n  <<: *base\n").unwrap();
    let Setting::Map(entries) = found else { panic!("a mapping") };
    assert_eq!(entries[1].1, map(&[("x", Setting::Int(1)), ("y", Setting::Int(3)), ("z", Setting::Int(0))]));
    let several = read("- &a {x: 1}\n- &b {y: 2}\n- {<<: [*a, *b]}\n").unwrap();
    let Setting::List(items) = several else { panic!("a list") };
    assert_eq!(items[2], map(&[("x", Setting::Int(1)), ("y", Setting::Int(2))]));
}

#[test]
fn a_function_is_looked_up_by_what_the_tag_names() {
    let function = Setting::Function(FunctionName { file: "utils.py".into(), name: "f".to_owned() });
    assert_eq!(
        read("p: !function utils.f\nq: !function 'utils.f'\n"),
        Ok(map(&[("p", function.clone()), ("q", function)]))
    );
    let error = read("a: 1\np: !function f\n").unwrap_err();
    assert_eq!(error.to_string(), "line 2: `f` names no module");
}

#[test]
fn an_empty_text_is_null() {
    assert_eq!(read(""), Ok(Setting::Null));
    assert_eq!(read("# nothing\n"), Ok(Setting::Null));
    assert_eq!(read("\u{feff}a: 1"), Ok(map(&[("a", Setting::Int(1))])));
}

#[test]
fn what_no_task_needs_is_refused_with_its_line() {
    let cases = [
        ("a: 1\n---\nb: 2\n", "line 2: expected one document"),
        ("a:\n  1: x\n", "line 2: expected a key that is a text, found `1`"),
        ("yes: x\n", "expected a key that is a text, found `yes`"),
        ("? [a]\n: x\n", "found a list or a mapping"),
        ("a: !!binary aGk=\n", "settings have, found `!!binary`"),
        ("a: !other x\n", "found `!other`"),
        ("a: 2024-01-31\n", "is a date"),
        ("a: &a [*a]\n", "expected the alias of an earlier value"),
        ("a: *b\n", "expected the alias of an earlier value"),
        ("a: [\n", "not valid YAML"),
        ("a: \u{7}\n", "not valid YAML"),
        ("a: &x 1\nb: &x 2\n", "line 2: expected each anchor once"),
        ("- {<<: x}\n", "expected a mapping behind `<<`"),
        ("- &a {x: 1}\n- &b {x: 2}\n- {<<: [*a, *b]}\n", "have a key in common"),
        ("a: =\n", "is no value"),
        ("a: \"x\\", "unexpected end of stream"),
        ("[!!str, a]", "the scanner of YAML fails"),
    ];
    for (source, message) in cases {
        let error = read(source).unwrap_err().to_string();
        assert!(error.contains(message), "{source:?}: {error}");
    }
    let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
    assert!(read(&deep).unwrap_err().message.contains("levels of nesting"));
}

#[test]
fn aliases_of_aliases_do_not_fill_the_memory() {
    let mut source = "- &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..12 {
        let alias = format!("*a{}, ", level - 1).repeat(10);
        source.push_str(&format!("- &a{level} [{alias}]\n"));
    }
    assert!(read(&source).unwrap_err().message.contains("values"));
}

/// Pieces of which every mark of YAML is one.
fn pieces() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => prop::sample::select(vec![
            "a", "b: ", ": ", "- ", "? ", "\n", "\n  ", "\n    ", " ", "[", "]", "{", "}", ", ", "'", "\"", "|", ">", "|2-\n",
            ">+\n", "#", " # c", "&a ", "*a", "<<: ", "!function ", "!!str ", "!x ", "%YAML 1.1\n", "---\n", "...\n", "\t",
            "\\", "\\x41", "\\u2028", "1", "0x", "1:30", "=", "~", "no", ".inf", "\r\n", "\u{e9}", "\u{1f600}", "@", "`",
        ]).prop_map(str::to_owned),
        1 => "\\PC{0,4}",
        1 => any::<char>().prop_map(String::from),
    ];
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

/// A value as flow style with every text in quotes.
fn quoted(value: &Setting) -> String {
    match value {
        Setting::Null => "~".to_owned(),
        Setting::Bool(value) => value.to_string(),
        Setting::Int(value) => value.to_string(),
        Setting::Float(value) => format!("{value:?}"),
        Setting::Text(value) => serde_json::to_string(value).unwrap(),
        Setting::List(items) => format!("[{}]", items.iter().map(quoted).collect::<Vec<_>>().join(", ")),
        Setting::Map(entries) => {
            let entries: Vec<String> = entries
                .iter()
                .map(|(key, value)| format!("{}: {}", serde_json::to_string(key).unwrap(), quoted(value)))
                .collect();
            format!("{{{}}}", entries.join(", "))
        }
        Setting::Function(name) => format!("!function {}.{}", name.file.with_extension("").display(), name.name),
    }
}

fn settings() -> impl Strategy<Value = Setting> {
    let leaf = prop_oneof![
        Just(Setting::Null),
        any::<bool>().prop_map(Setting::Bool),
        any::<i64>().prop_map(Setting::Int),
        (-1_000_000_i32..1_000_000).prop_map(|value| Setting::Float(f64::from(value) / 64.0)),
        "[ -~\u{a1}-\u{d7}\n\t]{0,20}".prop_map(Setting::Text),
        "[a-z]{1,8}".prop_map(|name| Setting::Function(FunctionName { file: "utils.py".into(), name })),
    ];
    leaf.prop_recursive(4, 40, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Setting::List),
            prop::collection::btree_map("[a-z ]{1,10}", inner, 0..6)
                .prop_map(|entries| Setting::Map(entries.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in pieces()) {
        if let Err(error) = read(&text) {
            prop_assert!(!error.message.is_empty());
        }
    }

    #[test]
    fn what_is_written_is_read_again(value in settings()) {
        prop_assert_eq!(read(&quoted(&value)).unwrap(), value);
    }
}
