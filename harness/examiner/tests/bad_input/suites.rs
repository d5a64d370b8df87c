//! Suites: what stands in the file, and what is said of it on the command line.

use super::World;
use super::by_schema::{self, Seen};
use insta::assert_snapshot;

/// A suite that is good.
const GOOD: &str = "name: good
vars: { rows: rows.jsonl }
models:
  echo: { plugin: echo }
datasets:
  rows: { plugin: table, path: \"${vars.rows}\", prompt: \"{{ q }}\", gold: a }
evaluate:
  - { models: echo, datasets: rows }
";

const ROWS: &str = "{\"q\": \"one?\", \"a\": \"1\"}\n{\"q\": \"two?\", \"a\": \"2\"}\n";

/// What `examiner check` says of the file, which the JSON Schemas of suites refuse, too.
fn check(content: impl AsRef<[u8]>) -> String {
    check_seen(Seen::ByForm, content)
}

/// What `examiner check` says of the file, of which the schemas see as much as this.
fn check_seen(seen: Seen, content: impl AsRef<[u8]>) -> String {
    by_schema::compare(content.as_ref(), seen);
    refused_alone(content)
}

/// What `examiner check` says of the file alone: other readers of YAML take minutes for some.
fn refused_alone(content: impl AsRef<[u8]>) -> String {
    World::new().with("suite.yaml", content).refused(&["check", "suite.yaml"])
}

/// The good suite with one thing another.
fn changed(from: &str, to: &str) -> String {
    changed_seen(Seen::ByForm, from, to)
}

fn changed_seen(seen: Seen, from: &str, to: &str) -> String {
    assert!(GOOD.contains(from), "{from}");
    check_seen(seen, GOOD.replace(from, to))
}

/// Names of the suite itself.
const NAMES: Seen = Seen::Unseen("a schema does not know the names in a suite, nor what depends on what");
/// JSON knows `1e3` and `1000` as one number, and has no `.nan`.
const NUMBERS: Seen = Seen::Unseen("JSON has fewer numbers than YAML");

/// What a command says of the good suite with these arguments.
fn asked(arguments: &[&str]) -> String {
    World::new().with("suite.yaml", GOOD).with("rows.jsonl", ROWS).refused(arguments)
}

#[test]
fn the_good_suite_is_good() {
    let world = World::new().with("suite.yaml", GOOD).with("rows.jsonl", ROWS);
    world.succeeds(&["check", "suite.yaml"]);
    world.succeeds(&["run", "suite.yaml", "--only", "rows", "--only", "evaluate/echo"]);
    World::new().with("suite.yaml", format!("\u{feff}{GOOD}")).succeeds(&["check", "--quick", "suite.yaml"]);
}

#[test]
fn a_file_that_is_not_there() {
    assert_snapshot!(World::new().refused(&["check", "suite.yaml"]), @r#"
    error: cannot read `suite.yaml`: No such file or directory (os error 2)
      help: check the path; suites mostly lie in `configs/`
    "#);
}

#[test]
fn a_directory() {
    assert_snapshot!(World::new().with("suite.yaml/suite.yaml", GOOD).refused(&["check", "suite.yaml"]), @r#"
    error: cannot read `suite.yaml`: it is a directory
      help: name the YAML file in it
    "#);
}

#[test]
fn an_empty_file() {
    assert_snapshot!(check(""), @r#"
    error: suite.yaml:1:1: the file holds no suite: it is empty
      help: a suite starts with `name: NAME`; see `configs/` for examples
    "#);
}

#[test]
fn text_that_is_no_yaml() {
    assert_snapshot!(changed("{ plugin: echo }", "{ plugin: echo"), @r#"
    error: suite.yaml:5:9: not valid YAML: while parsing a flow mapping, did not find expected ',' or '}'
      help: a `[` or `{` further up may not be closed
    "#);
}

#[test]
fn text_that_is_yaml_and_no_suite() {
    assert_snapshot!(check("just a sentence\n"), @r#"
    error: suite.yaml:1:1: expected a mapping, found the text `just a sentence`
      help: a suite starts with `name: NAME`; see `configs/` for examples
    "#);
}

#[test]
fn a_tab() {
    assert_snapshot!(changed("  echo:", "\techo:"), @r#"
    error: suite.yaml:4:2: not valid YAML: tabs disallowed within this context (block indentation)
      help: this line is indented with a tab; YAML wants spaces
    "#);
}

#[test]
fn utf_16() {
    let wide = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
    assert_snapshot!(check(wide(&format!("\u{feff}{GOOD}"))), @r#"
    error: cannot read `suite.yaml`: line 1 is not valid UTF-8
      help: save the file as UTF-8
    "#);
    assert_snapshot!(check(wide(GOOD)), @r#"
    error: suite.yaml:1:2: not valid YAML: found unprintable character
      help: the file is binary, or text in another encoding; save it as UTF-8
    "#);
}

#[test]
fn latin_1() {
    assert_snapshot!(check(b"name: good\nmodels: {}\n# caf\xe9\n"), @r#"
    error: cannot read `suite.yaml`: line 3 is not valid UTF-8
      help: save the file as UTF-8
    "#);
}

#[test]
fn a_binary_file() {
    let mut program = std::fs::read(std::env::current_exe().unwrap()).unwrap();
    program.truncate(4096);
    assert_snapshot!(check(&program), @r#"
    error: cannot read `suite.yaml`: line 1 is not valid UTF-8
      help: save the file as UTF-8
    "#);
    assert_snapshot!(check([0; 512]), @r#"
    error: suite.yaml:1:1: not valid YAML: found unprintable character
      help: the file is binary, or text in another encoding; save it as UTF-8
    "#);
}

#[test]
fn a_key_that_stands_there_twice() {
    assert_snapshot!(changed("datasets:\n", "  echo: { plugin: replay }\ndatasets:\n"), @r#"
    error: suite.yaml:5:3: models.echo: duplicate key, first given at suite.yaml:4:3
      help: remove one of the two
    "#);
}

#[test]
fn unknown_keys() {
    assert_snapshot!(changed("models:\n", "modles:\n"), @r#"
    error: suite.yaml:3:1: modles: unknown key, expected one of `name`, `seed`, `parallel`, `fail_on_error`, `on_truncation`, `isolate`, `paths`, `reuse`, `hub_mirror`, `vars`, `plugins`, `models`, `datasets`, `teach`, `train`, `export`, `evaluate`, `report`, `gate`
      help: did you mean `models`?
    suite.yaml:8:15: evaluate.0.models: no model `echo`, expected a name of `models`, of which the suite has none
    "#);
    assert_snapshot!(changed_seen(Seen::WithPlugins, "gold: a", "gold: a, glod: a"), @r#"
    error: suite.yaml:6:76: datasets.rows.glod: unknown option, expected one of `path`, `format`, `pointer`, `where`, `fields`, `prompt`, `choices`, `gold`, `gold_is`, `id`, `delimiter`, `subset`, `cluster`, `metadata`, `few_shot`, `shot_answer`, `preamble`, `shot_separator`, `scorer`, `stop`, `max_new_tokens`, `template_max_mib`, `template_max_s`, `plugin`, `shots`, `shots_from`, `contamination`, `repeats`, `limit`, `generation`
      help: did you mean `gold`?
    "#);
}

#[test]
fn values_of_the_wrong_type() {
    assert_snapshot!(changed("evaluate:\n", "models2: 7\nseed: soon\nfail_on_error: [1]\nevaluate:\n"), @r#"
    error: suite.yaml:7:1: models2: unknown key, expected one of `name`, `seed`, `parallel`, `fail_on_error`, `on_truncation`, `isolate`, `paths`, `reuse`, `hub_mirror`, `vars`, `plugins`, `models`, `datasets`, `teach`, `train`, `export`, `evaluate`, `report`, `gate`
      help: did you mean `models`?
    suite.yaml:8:7: seed: expected a whole number, found the text `soon`
    suite.yaml:9:16: fail_on_error: expected `true`, `false`, a share between 0 and 1, or a number of samples, found a list
    "#);
    assert_snapshot!(changed_seen(Seen::WithPlugins, "gold: a", "gold: { a: 1 }, max_new_tokens: many, where: 7"), @r#"
    error: suite.yaml:6:73: datasets.rows.gold: expected a whole number or text or a list, found a mapping
    suite.yaml:6:99: datasets.rows.max_new_tokens: expected a whole number, found the text `many`
    suite.yaml:6:112: datasets.rows.where: expected text or a mapping, found the number `7`
    "#);
}

#[test]
fn numbers_that_are_none_or_too_large() {
    assert_snapshot!(changed("name: good", "name: good\nseed: 18446744073709551616"), @"error: suite.yaml:2:7: seed: expected a whole number of at most 18446744073709551615, found the text `18446744073709551616`");
    assert_snapshot!(changed_seen(NUMBERS, "name: good", "name: good\nseed: 1e3\nfail_on_error: .nan"), @r#"
    error: suite.yaml:2:7: seed: expected a whole number, found the number `1000.0`
    suite.yaml:3:16: fail_on_error: expected a finite number, found `.nan`
    "#);
    assert_snapshot!(changed("gold: a", "gold: a, generation: { temperature: -.inf, top_p: 1e999 }"), @r#"
    error: suite.yaml:6:103: datasets.rows.generation.temperature: expected a finite number, found `-.inf`
    suite.yaml:6:117: datasets.rows.generation.top_p: expected a number above 0, at most 1, found the text `1e999`
    "#);
}

#[test]
fn names_that_could_not_be_files() {
    assert_snapshot!(changed("name: good", "name: ../../etc"), @"error: suite.yaml:1:7: name: expected a name of letters, digits, `.`, `_` and `-`, found `/` in it");
    assert_snapshot!(changed("name: good", &format!("name: {}", "n".repeat(300))), @"error: suite.yaml:1:7: name: expected a name of at most 100 characters, found 300");
    assert_snapshot!(changed("  echo:", "  \"a\\0b\\e[31m\":"), @r#"
    error: suite.yaml:4:3: models.a\0b\u{1b}[31m: expected a name of letters, digits, `.`, `_` and `-`, found `\0` in it
    suite.yaml:8:15: evaluate.0.models: no model `echo`, expected `a\0b\u{1b}[31m`
    "#);
}

#[test]
fn references_that_lead_nowhere() {
    assert_snapshot!(changed_seen(NAMES, "models: echo", "models: ecko"), @r#"
    error: suite.yaml:8:15: evaluate.0.models: no model `ecko`, expected `echo`
      help: did you mean `echo`?
    "#);
    assert_snapshot!(changed_seen(NAMES, "${vars.rows}", "${vars.row}"), @r#"
    error: suite.yaml:6:32: datasets.rows.path: no variable `row`, expected one of `rows`
      help: did you mean `rows`?
    "#);
    assert_snapshot!(changed_seen(NAMES, "plugin: echo", "plugin: echo, prefix: \"${train.student}\""), @"error: suite.yaml:4:33: models.echo.prefix: `${train.student}` leads nowhere, expected a name of `train`, of which the suite has none");
}

#[test]
fn a_circle() {
    let circle = "train:\n  a: { trainer: candle, from: \"${train.b}\", data: x.jsonl }\n  \
                  b: { trainer: candle, from: \"${train.a}\", data: x.jsonl }\nevaluate:\n";
    assert_snapshot!(changed_seen(NAMES, "evaluate:\n", circle), @"error: suite.yaml:9:31: train.b.from: depends on itself: `train.a` needs `train.b` needs `train.a`");
}

#[test]
fn plugins_and_scorers_that_there_are_not() {
    assert_snapshot!(changed_seen(Seen::WithPlugins, "plugin: table", "plugin: tabel"), @r#"
    error: suite.yaml:6:19: datasets.rows.plugin: there is no dataset named `tabel` in any plugin
      help: did you mean `table`? the datasets at hand are `bbh`, `gsm8k`, `lm-eval`, `process`, `table`
    "#);
    assert_snapshot!(changed_seen(Seen::WithPlugins, "gold: a", "gold: a, scorer: exact-match"), @r#"
    error: suite.yaml:6:84: datasets.rows.scorer.0.name: there is no scorer named `exact-match` in any plugin
      help: the scorers at hand are `perplexity-choice`, `perplexity`, `answer-extraction`, `metrics`, `choice-metrics`, `lm-eval`, `process`
    "#);
    assert_snapshot!(changed_seen(Seen::WithPlugins, "gold: a", "gold: a, scorer: { name: answer-extraction, extract: [{ regx: x }] }"), @r#"
    error: suite.yaml:6:123: datasets.rows.scorer.0.extract.0.regx: unknown option, expected one of `regex`
      help: did you mean `regex`?
    "#);
}

#[test]
fn nesting_without_end() {
    assert_snapshot!(refused_alone(format!("name: n\nmodels: {}", "[".repeat(100_000))), @"error: suite.yaml:2:264: not valid YAML: recursion limit exceeded");
    assert_snapshot!(refused_alone(format!("name: n\nmodels: {}1", "{a: ".repeat(100_000))), @"error: suite.yaml:2:261: nested more than 64 levels deep");
}

#[test]
fn aliases_of_aliases() {
    let mut laughs = "name: n\na0: &a0 [ha, ha, ha, ha, ha, ha, ha, ha, ha, ha]\n".to_owned();
    for level in 1..20 {
        laughs.push_str(&format!("a{level}: &a{level} [{}]\n", vec![format!("*a{}", level - 1); 10].join(", ")));
    }
    assert_snapshot!(check(laughs), @"error: suite.yaml:6:5: more than 200000 values once its aliases are written out");
}

#[test]
fn a_number_of_mistakes_at_once() {
    assert_snapshot!(
        check(GOOD.replace("name: good", "seed: x").replace("models: echo", "models: [], scorers: x")),
        @r#"
        error: suite.yaml:1:1: the key `name` is missing
          help: add `name:` with the suite's name
        suite.yaml:1:7: seed: expected a whole number, found the text `x`
        suite.yaml:8:15: evaluate.0.models: expected at least one of the models, found an empty list
        suite.yaml:8:19: evaluate.0.scorers: unknown key, expected one of `models`, `datasets`, `scorer`
          help: did you mean `scorer`?
        "#
    );
}

#[test]
fn settings_that_cannot_be_made() {
    assert_snapshot!(asked(&["check", "suite.yaml", "--set", "seed"]), @"error: --set: expected `key=value`, `seed=7` say, found `seed`");
    assert_snapshot!(asked(&["check", "suite.yaml", "--set", "=1"]), @"error: --set: expected `key=value`, `seed=7` say, found `=1`");
    assert_snapshot!(asked(&["check", "suite.yaml", "--set", "datasets.row.shots=4"]), @r#"
    error: --set datasets.row.shots: datasets.row: no such name in `datasets`, expected one of `rows`
      help: did you mean `rows`?
    "#);
    assert_snapshot!(asked(&["check", "suite.yaml", "--set", "seed=[1", "--set", "evaluate.7=x"]), @r#"
    error: --set seed: seed: not valid YAML: while parsing a flow sequence, expected ',' or ']'
      help: a `[` or `{` further up may not be closed
    --set evaluate.7: evaluate: expected an index in the list, 0 to 0, found `7`
    "#);
}

#[test]
fn only_what_there_is_not() {
    assert_snapshot!(asked(&["run", "suite.yaml", "--only", "row"]), @"error: --only: no stage is, or has as a part, `row`; did you mean `rows`?; the stages are `evaluate/echo/rows`");
    assert_snapshot!(asked(&["plan", "suite.yaml", "--only", "echo", "--only", ""]), @"error: --only: no stage is, or has as a part, ``; the stages are `evaluate/echo/rows`");
}

#[test]
fn limits_that_are_none() {
    assert_snapshot!(asked(&["run", "suite.yaml", "--limit", "-3"]), @r#"
    error: invalid value '-3' for '--limit <N>': invalid digit found in string

    For more information, try '--help'.
    "#);
    assert_snapshot!(asked(&["run", "suite.yaml", "--limit", "0"]), @r#"
    error: invalid value '0' for '--limit <N>': 0 is not in 1..18446744073709551615

    For more information, try '--help'.
    "#);
}
