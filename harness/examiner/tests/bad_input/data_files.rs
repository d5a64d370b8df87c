//! Files of rows.

use super::World;
use insta::assert_snapshot;

/// What a run says of a dataset of these options, which reads `file` of this content.
fn dataset(options: &str, file: &str, content: impl AsRef<[u8]>) -> String {
    world(options).with(file, content).failed(&[])
}

fn world(options: &str) -> World {
    let suite = format!(
        "name: rows\nmodels: {{ echo: {{ plugin: echo }} }}\ndatasets:\n  rows: {{ {options} }}\n\
         evaluate: [{{ models: echo, datasets: rows }}]\n"
    );
    World::new().with("suite.yaml", suite)
}

/// What is said of a table whose rows have a question `q` and an answer `a`.
fn table(file: &str, content: impl AsRef<[u8]>) -> String {
    dataset(&format!("plugin: table, path: {file}, prompt: \"{{{{ q }}}}\", gold: a"), file, content)
}

/// The same for options that are added.
fn table_with(options: &str, content: &str) -> String {
    dataset(&format!("plugin: table, path: rows.jsonl, {options}"), "rows.jsonl", content)
}

fn gsm8k(content: &str) -> String {
    dataset("plugin: gsm8k, path: rows.jsonl", "rows.jsonl", content)
}

/// What is said of a benchmark that has one task.
fn bbh(options: &str, content: &str) -> String {
    dataset(&format!("plugin: bbh, path: bbh, as: answers, {options}"), "bbh/navigate.json", content)
}

/// What is said of recorded answers to the questions `0` and `1`.
fn replay(options: &str, content: &str) -> String {
    let suite = format!(
        "name: recorded\nmodels: {{ recorded: {{ plugin: replay, path: recorded.jsonl, {options} }} }}\n\
         datasets: {{ rows: {{ plugin: table, path: rows.jsonl, prompt: \"{{{{ q }}}}\", gold: a }} }}\n\
         evaluate: [{{ models: recorded, datasets: rows }}]\n"
    );
    let world = World::new().with("suite.yaml", suite).with("rows.jsonl", ROWS);
    world.with("recorded.jsonl", content).failed(&[])
}

const ROWS: &str = "{\"q\": \"one?\", \"a\": \"1\"}\n{\"q\": \"two?\", \"a\": \"2\"}\n";

#[test]
fn a_file_that_is_not_there() {
    assert_snapshot!(world("plugin: table, path: rows.jsonl, prompt: x").failed(&[]), @"echo on rows failed: `rows.jsonl` does not exist (looked for from `[DIR]`) (help: check the path; `--set` can change it without editing the suite)");
}

#[test]
fn a_directory() {
    assert_snapshot!(
        dataset("plugin: table, path: rows.jsonl, prompt: x", "rows.jsonl/rows.jsonl", ROWS), @"echo on rows failed: `rows.jsonl` is a directory, expected a file of rows (help: name the file in it)"
    );
}

#[test]
fn no_rows() {
    assert_snapshot!(table("rows.jsonl", ""), @"echo on rows failed: no row of `rows.jsonl` is chosen (help: check `where`, and that the file is not empty)");
    assert_snapshot!(table("rows.json", ""), @"echo on rows failed: line 1 of `rows.json`: expected one JSON document, stopped at column 0: EOF while parsing a value (help: if every line is an object of its own, set `format: jsonl`)");
    assert_snapshot!(table("rows.json", "[]"), @"echo on rows failed: no row of `rows.json` is chosen (help: check `where`, and that the file is not empty)");
    assert_snapshot!(table("rows.csv", ""), @"echo on rows failed: `rows.csv` is empty, expected a header with the names of its columns");
    assert_snapshot!(table("rows.parquet", ""), @"echo on rows failed: `rows.parquet` is not a whole Parquet file: EOF: Parquet file too small. Size is 0 but need 8 (help: if it was downloaded, remove it and download it again)");
    assert_snapshot!(table_with("prompt: \"{{ q }}\", gold: a, where: { q: three? }", ROWS), @"echo on rows failed: no row of `rows.jsonl` is chosen (help: check `where`, and that the file is not empty)");
}

#[test]
fn a_format_that_nothing_tells() {
    assert_snapshot!(table("rows.txt", ROWS), @"echo on rows failed: the extension of `rows.txt` does not tell the format of its rows (help: set `format` to `jsonl`, `json`, `csv`, `tsv` or `parquet`)");
}

#[test]
fn lines_that_are_no_objects() {
    assert_snapshot!(table("rows.jsonl", format!("{ROWS}{{\"q\": \"three?\", \"a\"\n")), @"echo on rows failed: line 3 of `rows.jsonl`: expected a JSON object, stopped at column 19: EOF while parsing an object (help: for a single JSON document set `format: json`)");
    assert_snapshot!(table("rows.jsonl", format!("{ROWS}[1, 2]\n")), @"echo on rows failed: line 3 of `rows.jsonl`: expected a JSON object, found an array (help: for a single JSON document set `format: json`)");
    assert_snapshot!(table("rows.jsonl", "{\"q\": NaN, \"a\": \"1\"}\n"), @"echo on rows failed: line 1 of `rows.jsonl`: expected a JSON object, stopped at column 7: expected value (help: for a single JSON document set `format: json`)");
    assert_snapshot!(table("rows.jsonl", format!("{{\"q\": {}", "[".repeat(100_000))), @"echo on rows failed: line 1 of `rows.jsonl`: expected a JSON object, stopped at column 133: recursion limit exceeded (help: for a single JSON document set `format: json`)");
}

#[test]
fn bytes_that_are_no_text() {
    assert_snapshot!(table("rows.jsonl", b"{\"q\": \"caf\xe9\", \"a\": \"1\"}\n"), @"echo on rows failed: line 1 of `rows.jsonl`: expected UTF-8, found another byte at column 11 (help: convert the file, for example with `iconv -t utf-8`)");
    assert_snapshot!(table("rows.csv", b"q,a\none?,1\ncaf\xe9,2\n"), @"echo on rows failed: line 3 of `rows.csv`: expected UTF-8, found another byte in value 1");
    assert_snapshot!(table("rows.json", b"[{\"q\": \"caf\xe9\"}]"), @"echo on rows failed: line 1 of `rows.json`: expected UTF-8, found another byte at column 12 (help: convert the file, for example with `iconv -t utf-8`)");
}

#[test]
fn json_of_another_shape() {
    assert_snapshot!(table("rows.json", "[{\"q\": \"one?\"},\n {\"q\": }]"), @"echo on rows failed: line 2 of `rows.json`: expected one JSON document, stopped at column 8: expected value (help: if every line is an object of its own, set `format: jsonl`)");
    assert_snapshot!(table("rows.json", "{\"train\": [{\"q\": 1}], \"test\": [{\"q\": 2}]}"), @"echo on rows failed: `rows.json` is an object with `/train`, `/test` that are an array of objects, expected one (help: set `pointer` to the array that holds the rows, as in `pointer: /examples`)");
    let options = "plugin: table, path: rows.json, prompt: x, pointer: /dev";
    assert_snapshot!(dataset(options, "rows.json", "{\"test\": []}"), @"echo on rows failed: `rows.json` has nothing at the pointer `/dev` (help: a pointer begins with `/` and names one field after the other, as in `/examples`)");
}

#[test]
fn csv_that_does_not_add_up() {
    assert_snapshot!(table("rows.csv", "q,a\n\"one, or two?\",1\nthree, or four?,2\n"), @"echo on rows failed: line 3 of `rows.csv`: expected 2 values as in the header, found 3 (help: a value that holds the delimiter, a quote or a line feed must be in double quotes)");
    assert_snapshot!(table("rows.csv", "q,a\n\"one?,1\ntwo?,2\n"), @"echo on rows failed: line 2 of `rows.csv`: expected 2 values as in the header, found 1 (help: a value that holds the delimiter, a quote or a line feed must be in double quotes)");
    assert_snapshot!(table("rows.csv", "q,a\none?,\"1\ntwo?,2\n"), @"echo on rows failed: line 2 of `rows.csv`: a value begins with a double quote that nothing closes (help: close it, or write a quote that is part of a value twice, in a value within double quotes)");
    assert_snapshot!(table("rows.csv", "q,a,q\n"), @"echo on rows failed: the header of `rows.csv` has the name `q` twice, in columns 1 and 3");
}

#[test]
fn parquet_that_is_none_or_cut_off() {
    assert_snapshot!(table("rows.parquet", ROWS), @"echo on rows failed: `rows.parquet` is not a whole Parquet file: Parquet error: Invalid Parquet file. Corrupt footer (help: if it was downloaded, remove it and download it again)");
    assert_snapshot!(table("rows.parquet", b"PAR1 and then nothing more of it"), @"echo on rows failed: `rows.parquet` is not a whole Parquet file: Parquet error: Invalid Parquet file. Corrupt footer (help: if it was downloaded, remove it and download it again)");
    assert_snapshot!(table("rows.parquet", b"PAR1no footer here\xff\xff\xff\x7fPAR1"), @"echo on rows failed: `rows.parquet` is not a whole Parquet file: EOF: Parquet file too small. Size is 26 but need 2147483655 (help: if it was downloaded, remove it and download it again)");
}

#[test]
fn a_column_that_is_missing() {
    assert_snapshot!(table("rows.csv", "question,a\none?,1\n"), @"echo on rows failed: line 2 of `rows.csv`: the template `prompt` cannot be filled: undefined value (in prompt:1) (help: the row has no `q`; it has `question`, `a`, `index`, `row`)");
    assert_snapshot!(table_with("prompt: \"{{ q }}\", gold: answer", ROWS), @"echo on rows failed: line 1 of `rows.jsonl`: the template `gold` cannot be filled: undefined value (help: the row has no `answer`; it has `q`, `a`, `index`, `row`)");
    assert_snapshot!(table_with("prompt: \"{{ q }}\", fields: { stem: question.stem }", ROWS), @"echo on rows failed: line 1 of `rows.jsonl`: `fields` asks for `question.stem`, which is not there (help: the row has `q`, `a`)");
}

#[test]
fn templates_that_cannot_be_read_or_filled_in() {
    assert_snapshot!(table_with("prompt: \"{{ q \"", ROWS), @"echo on rows failed: the template `prompt` is malformed in its line 1: syntax error: unexpected end of input, expected end of variable block (in prompt:1)");
    assert_snapshot!(table_with("prompt: \"{{ q | uper }}\"", ROWS), @"echo on rows failed: line 1 of `rows.jsonl`: the template `prompt` cannot be filled: unknown filter: filter uper is unknown (in prompt:1)");
    assert_snapshot!(table_with("prompt: \"{{ q }}\"", "{\"q\": null}\n"), @"echo on rows failed: line 1 of `rows.jsonl`: the template `prompt` cannot be filled: invalid operation: a null cannot be written out: use `default('...', true)`, or leave such rows out with `where` (in prompt:1)");
    let endless = "prompt: \"{% for a in range(9999) %}{% for b in range(9999) %}x{% endfor %}{% endfor %}\"";
    assert_snapshot!(table_with(endless, ROWS), @"echo on rows failed: line 1 of `rows.jsonl`: the template `prompt` cannot be filled: engine ran out of fuel (in prompt:1)");
}

#[test]
fn right_answers_that_are_no_choice() {
    let choices = |gold: &str| format!("prompt: \"{{{{ q }}}}\", choices: [bank, mall], gold: {gold}");
    assert_snapshot!(table_with(&choices("a"), "{\"q\": \"where?\", \"a\": \"shop\"}\n"), @r#"echo on rows failed: line 1 of `rows.jsonl`: `gold` is `"shop"`, expected an index, letter or text of one of 2 choices"#);
    assert_snapshot!(table_with(&choices("7"), ROWS), @"echo on rows failed: line 1 of `rows.jsonl`: `gold` is `7`, expected an index, letter or text of one of 2 choices");
    let mixed = "{\"q\": \"where?\", \"a\": \"A\"}\n{\"q\": \"whither?\", \"a\": \"mall\"}\n";
    assert_snapshot!(table_with(&choices("a"), mixed), @r#"echo on rows failed: line 2 of `rows.jsonl`: `gold` is `"mall"`, the text of a choice, but line 1 of `rows.jsonl` has `"A"`, which is none (help: say with `gold_is` how choices are named, the same in every row)"#);
    assert_snapshot!(table_with("prompt: x, choices: c, gold: 0", "{\"c\": []}\n"), @"echo on rows failed: line 1 of `rows.jsonl`: `choices` is an empty list");
    assert_snapshot!(table_with("prompt: x, choices: c, gold: 0", "{\"c\": {\"text\": [\"a\"]}}\n"), @"echo on rows failed: line 1 of `rows.jsonl`: expected a list in `choices`, found an object with `text` (help: name the field that holds the list, as in `choices.text`)");
}

#[test]
fn ids_that_stand_there_twice() {
    let twice = "{\"q\": \"x\", \"n\": 1}\n{\"q\": \"y\", \"n\": 2}\n{\"q\": \"z\", \"n\": 1}\n";
    assert_snapshot!(table_with("prompt: \"{{ q }}\", id: n", twice), @"echo on rows failed: line 3 of `rows.jsonl`: the same `id` as line 1: `1`");
}

#[test]
fn more_shots_than_there_are_examples() {
    assert_snapshot!(table_with("prompt: \"{{ q }}\", gold: a, shots: 9, few_shot: same", ROWS), @"echo on rows failed: `shots: 9` asks for more examples than the 2 in the dataset's few-shot pool (help: lower `shots`, or give the dataset a (larger) few-shot pool)");
    assert_snapshot!(table_with("prompt: \"{{ q }}\", gold: a, shots: 1", ROWS), @"echo on rows failed: `shots: 1` asks for more examples than the 0 in the dataset's few-shot pool (help: lower `shots`, or give the dataset a (larger) few-shot pool)");
}

#[test]
fn gsm8k_of_another_shape() {
    assert_snapshot!(gsm8k(""), @"echo on rows failed: `rows.jsonl` has no questions");
    assert_snapshot!(gsm8k("{\"question\": \"one?\"}\n"), @"echo on rows failed: line 1 of `rows.jsonl`: expected the field `answer`, found `question` (help: rows with other fields can be read by `plugin: table`)");
    assert_snapshot!(gsm8k("{\"question\": \"one?\", \"answer\": \"It is 1.\"}\n"), @"echo on rows failed: line 1 of `rows.jsonl`: expected an `answer` that ends in `####` and a number, found no `####`");
    assert_snapshot!(gsm8k("{\"question\": 1, \"answer\": \"#### 1\"}\n"), @"echo on rows failed: line 1 of `rows.jsonl`: expected a string in the field `question`, found `1`");
    assert_snapshot!(gsm8k("{\"question\": \"one?\", \"answer\": \"#### one\"}\n"), @"echo on rows failed: line 1 of `rows.jsonl`: expected a number after the `####` of `answer`, found `one`");
}

#[test]
fn bbh_of_another_shape() {
    assert_snapshot!(bbh("tasks: [navigate]", "{\"examples\": []}"), @"echo on rows failed: `bbh/./navigate.json` has no questions");
    assert_snapshot!(bbh("tasks: [navigate]", "{\"examples\": [{\"input\": \"Which?\"}]}"), @"echo on rows failed: element 1 of `bbh/./navigate.json`: expected a text in the field `target`, found none");
    assert_snapshot!(bbh("tasks: [navigate]", "{\"examples\": [{\"input\": \"Which?\", \"target\": \"x\"}"), @"echo on rows failed: line 1 of `bbh/./navigate.json`: expected one JSON document, stopped at column 48: EOF while parsing a list (help: if every line is an object of its own, set `format: jsonl`)");
    let good = "{\"examples\": [{\"input\": \"Which?\", \"target\": \"x\"}]}";
    assert_snapshot!(bbh("tasks: [navigate], official_shots: 3, prompts: bbh", good), @"echo on rows failed: there is no `navigate.txt` in `bbh` (help: set `prompts` to the directory of the benchmark's chain-of-thought prompts (`*.txt`))");
    assert_snapshot!(bbh("tasks: all", good), @"echo on rows failed: there is no `boolean_expressions.json` in `bbh/.` (help: set `path` to a directory that holds the benchmark's `*.json` files)");
    assert_snapshot!(world("plugin: bbh, path: bbh, tasks: [navigat]").refused(&["check", "suite.yaml"]), @"error: suite.yaml:4:42: datasets.rows.tasks: expected text, found a list");
}

#[test]
fn recordings_that_do_not_fit() {
    let good = "{\"index\": 0, \"completion\": \"1\"}\n{\"index\": 1, \"completion\": \"2\"}\n";
    assert_snapshot!(replay("key: [index]", ""), @"recorded on rows failed: no row of `recorded.jsonl` is chosen (help: check `where`, and that the file is not empty)");
    assert_snapshot!(replay("key: []", good), @"recorded on rows failed: `key` names no field, expected those that tell samples apart (help: for example `key: [task, index]`)");
    assert_snapshot!(replay("key: [number]", good), @"recorded on rows failed: line 1 of `recorded.jsonl`: there is no field `number`, only `index`, `completion`");
    assert_snapshot!(replay("key: [index]", "{\"index\": 0, \"completion\": 1}\n"), @"recorded on rows failed: line 1 of `recorded.jsonl`: expected a string in the field `completion`, found `1`");
    assert_snapshot!(replay("key: [index], completion: text", good), @"recorded on rows failed: line 1 of `recorded.jsonl`: there is no field `text` (help: set `completion` to the field that holds the recorded text)");
    assert_snapshot!(replay("key: [index]", &good.replace("1,", "0,")), @"recorded on rows failed: line 2 of `recorded.jsonl`: the same key as line 1: `index` = `0` (help: narrow the rows down with `where`, add a field to `key`, or set `repeats: true` if they are repeated answers)");
    assert_snapshot!(replay("key: [index]", &good.replace("1,", "7,")), @"recorded on rows partial: 1 of 2 samples are errors: 1 x no recorded row of `recorded.jsonl` fits sample `1`: `index` = `1` (help: record the missing answer, or check `where` and `key`)");
    assert_snapshot!(replay("key: { task: index }", good), @"recorded on rows failed: 2 of 2 samples are errors: 1 x sample `0` cannot be looked up in `recorded.jsonl`: in its metadata there is no field `task`, only `index`, `q`, `a` (help: choose fields for `key` that the dataset puts into its metadata); 1 x sample `1` cannot be looked up in `recorded.jsonl`: in its metadata there is no field `task`, only `index`, `q`, `a` (help: choose fields for `key` that the dataset puts into its metadata)");
}
