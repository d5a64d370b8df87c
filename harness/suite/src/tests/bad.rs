use super::*;
use insta::assert_snapshot;

#[test]
fn an_unknown_top_level_key() {
    let text = r#"name: n
modles: {}
"#;
    assert_snapshot!(problems(text), @r#"
    s.yaml:2:1: modles: unknown key, expected one of `name`, `seed`, `parallel`, `fail_on_error`, `on_truncation`, `isolate`, `paths`, `reuse`, `hub_mirror`, `vars`, `plugins`, `models`, `datasets`, `teach`, `train`, `export`, `evaluate`, `report`, `gate`
      help: did you mean `models`?
    "#);
}

#[test]
fn a_misspelt_required_key() {
    let text = r#"name: n
models:
  teacher:
    plugn: openai
"#;
    assert_snapshot!(problems(text), @r#"
    s.yaml:4:5: models.teacher.plugn: unknown key, expected `plugin`
      help: did you mean `plugin`?
    "#);
}

#[test]
fn a_missing_name() {
    let text = r#"seed: 1
"#;
    assert_snapshot!(problems(text), @r#"
    s.yaml:1:1: the key `name` is missing
      help: add `name:` with the suite's name
    "#);
}

#[test]
fn a_name_that_is_a_number() {
    let text = r#"name: 7
"#;
    assert_snapshot!(problems(text), @r#"
    s.yaml:1:7: name: expected text, found the number `7`
      help: put it into quotes: "7"
    "#);
}

#[test]
fn a_name_that_is_no_file_name() {
    let text = r#"name: a/b
models:
  ../x: { plugin: p }
  all: { plugin: p }
"#;
    assert_snapshot!(problems(text), @r#"
    s.yaml:1:7: name: expected a name of letters, digits, `.`, `_` and `-`, found `/` in it
    s.yaml:3:3: models.../x: expected a name of letters, digits, `.`, `_` and `-`, found `/` in it
    s.yaml:4:3: models.all: the name `all` stands for every one of them in `evaluate`
      help: choose another name
    "#);
}

#[test]
fn an_invalid_isolation() {
    assert_snapshot!(problems("name: n\nisolate: { deadline: 3, deadline_s: 0, deaths: none }"), @"
    s.yaml:2:12: isolate.deadline: unknown key, expected one of `deadline_s`, `memory_mib`, `deaths`
      help: did you mean `deadline_s`?
    s.yaml:2:37: isolate.deadline_s: expected a number of seconds above 0, found the number `0`
    s.yaml:2:48: isolate.deaths: expected a whole number from 1 to 1000000, found the text `none`
    ");
    assert_snapshot!(problems("name: n\nisolate: maybe"), @"s.yaml:2:10: isolate: expected `true`, `false`, or a section with `deadline_s`, `memory_mib` and `deaths`, found the text `maybe`");
}

#[test]
fn wrong_types_everywhere() {
    let text = r#"name: n
seed: -1
parallel: 0
fail_on_error: 1.5
on_truncation: repot
models: [a]
datasets:
  d: { plugin: p, shots: many, repeats: 0, limit: 1.5, shots_from: frist, generation: { top_p: 2, temperature: hot }, contamination: kept }
"#;
    assert_snapshot!(problems(text), @r#"
    s.yaml:2:7: seed: expected a whole number, found the number `-1`
    s.yaml:3:11: parallel: expected a whole number from 1 to 1024, found the number `0`
    s.yaml:4:16: fail_on_error: expected `true`, `false`, a share between 0 and 1, or a number of samples, found the number `1.5`
    s.yaml:5:16: on_truncation: expected `report`, `error` or `allow`, found `repot`
      help: did you mean `report`?
    s.yaml:6:9: models: expected a mapping (`key: value`), found a list
    s.yaml:8:26: datasets.d.shots: expected a whole number from 0 to 10000, found the text `many`
    s.yaml:8:41: datasets.d.repeats: expected a whole number from 1 to 1000000, found the number `0`
    s.yaml:8:51: datasets.d.limit: expected a whole number of at least 1, found the number `1.5`
    s.yaml:8:68: datasets.d.shots_from: expected `first` or `random`, found `frist`
      help: did you mean `first`?
    s.yaml:8:96: datasets.d.generation.top_p: expected a number above 0, at most 1, found the number `2`
    s.yaml:8:112: datasets.d.generation.temperature: expected a number of at least 0, found the text `hot`
    s.yaml:8:134: datasets.d.contamination: expected `leave-out` or `keep`, found `kept`
    "#);
}

#[test]
fn an_unknown_key_of_generation() {
    let text = r#"name: n
datasets:
  d: { plugin: p, generation: { max_tokens: 5 } }
"#;
    assert_snapshot!(problems(text), @r"
    s.yaml:3:33: datasets.d.generation.max_tokens: unknown key, expected one of `max_new_tokens`, `temperature`, `top_k`, `top_p`, `repetition_penalty`, `stop`
      help: did you mean `max_new_tokens`?
    ");
}

#[test]
fn a_dangling_teacher() {
    let text = r#"name: n
models: { teacher: { plugin: p } }
teach: { t: { recipe: r, teacher: techer } }
"#;
    assert_snapshot!(problems(text), @r#"
    s.yaml:3:35: teach.t.teacher: no model `techer`, expected `teacher`
      help: did you mean `teacher`?
    "#);
}

#[test]
fn a_dangling_reference() {
    let text = r#"name: n
models:
  m: { plugin: p, files: ["${train.studnet}"] }
train:
  student: { trainer: t, data: d.jsonl }
"#;
    assert_snapshot!(problems(text), @r#"
    s.yaml:3:27: models.m.files.0: `${train.studnet}` leads nowhere, expected `student`
      help: did you mean `${train.student}`?
    "#);
}

#[test]
fn a_reference_without_any_stage() {
    let text = r#"name: n
models:
  m: { plugin: p, checkpoint: "${train.x}" }
"#;
    assert_snapshot!(problems(text), @"s.yaml:3:31: models.m.checkpoint: `${train.x}` leads nowhere, expected a name of `train`, of which the suite has none");
}

#[test]
fn a_reference_to_nothing() {
    let text = r#"name: n
models:
  m: { plugin: p, a: "${trian.x}", b: "${x", c: "${}" }
"#;
    assert_snapshot!(problems(text), @r#"
    s.yaml:3:22: models.m.a: `${trian.x}` refers to nothing, expected one of `teach.NAME`, `train.NAME`, `export.NAME`, `vars.NAME`, `env.NAME`
      help: did you mean `${train.x}`?
    s.yaml:3:39: models.m.b: expected a `}` after `${`, found the end of the text
      help: write `$${` for a literal `${`
    s.yaml:3:49: models.m.c: `${}` refers to nothing, expected one of `teach.NAME`, `train.NAME`, `export.NAME`, `vars.NAME`, `env.NAME`
      help: write `$${` for a literal `${`
    "#);
}

#[test]
fn a_baseline_that_is_no_model() {
    let text = "name: n\nmodels: { original: { plugin: p } }\nreport: { baseline: orignal }\n";
    assert_snapshot!(problems(text), @r#"
    s.yaml:3:21: report.baseline: no model `orignal`, expected `original`
      help: did you mean `original`?
    "#);
}

#[test]
fn a_reference_where_none_can_be() {
    let text = r#"name: n
train: { t: { trainer: c, data: x.jsonl } }
report: { figure: "${train.t}/f.svg" }
"#;
    assert_snapshot!(problems(text), @r#"
    s.yaml:3:19: report.figure: a reference to another stage has no meaning here
      help: references are allowed in options of plugins, in `from` and in `data`; write `$${` for a literal `${`
    "#);
}

#[test]
fn dangling_names_in_evaluate() {
    let text = r#"name: n
models: { original: { plugin: p } }
datasets: { gsm8k: { plugin: p } }
evaluate:
  - { models: [orignal], datasets: [gsm8k, gsm8] }
"#;
    assert_snapshot!(problems(text), @r#"
    s.yaml:5:16: evaluate.0.models.0: no model `orignal`, expected `original`
      help: did you mean `original`?
    s.yaml:5:44: evaluate.0.datasets.1: no dataset `gsm8`, expected `gsm8k`
      help: did you mean `gsm8k`?
    "#);
}

#[test]
fn names_twice_in_evaluate() {
    let text = r#"name: n
models: { m: { plugin: p } }
datasets: { d: { plugin: p } }
evaluate:
  - { models: [m, m], datasets: d }
  - { models: all, datasets: all }
  - { models: [], datasets: d }
"#;
    assert_snapshot!(problems(text), @r#"
    s.yaml:5:19: evaluate.0.models.1: `m` stands here twice
      help: remove one of the two
    s.yaml:6:5: evaluate.1: `m` on `d` stands in `evaluate.0` already
      help: leave it out of one of the two
    s.yaml:7:15: evaluate.2.models: expected at least one of the models, found an empty list
    "#);
}

#[test]
fn evaluate_without_datasets() {
    let text = r#"name: n
models: { m: { plugin: p } }
evaluate:
  models: m
  dataset: d
"#;
    assert_snapshot!(problems(text), @r#"
    s.yaml:5:3: evaluate.dataset: unknown key, expected `datasets`
      help: did you mean `datasets`?
    s.yaml:5:3: evaluate.dataset: unknown key, expected one of `models`, `datasets`, `scorer`
      help: did you mean `datasets`?
    "#);
}

#[test]
fn a_training_from_a_misspelt_model() {
    let text = r#"name: n
models: { original: { plugin: p } }
train: { t: { trainer: c, from: orignal, data: { dataset: bbh } } }
"#;
    assert_snapshot!(problems(text), @r#"
    s.yaml:3:33: train.t.from: no model `orignal`, expected `original`
      help: did you mean `original`?
    s.yaml:3:48: train.t.data: the key `as` is missing
      help: add `as:` with the form of the rows, for example `answers`
    s.yaml:3:59: train.t.data.dataset: no dataset `bbh`, expected a name of `datasets`, of which the suite has none
    "#);
}

#[test]
fn stages_that_need_each_other() {
    let text = r#"name: n
models:
  m: { plugin: p, checkpoint: "${train.a}" }
train:
  a: { trainer: c, from: m, data: x.jsonl }
  b: { trainer: c, from: "${train.b}", data: x.jsonl }
"#;
    assert_snapshot!(problems(text), @r#"
    s.yaml:5:26: train.a.from: depends on itself: `models.m` needs `train.a` needs `models.m`
    s.yaml:6:26: train.b.from: depends on itself: `train.b` needs `train.b`
    "#);
}

#[test]
fn a_key_given_twice() {
    let text = r#"name: n
models:
  a: { plugin: p }
  b: { plugin: p }
  a: { plugin: q }
"#;
    assert_snapshot!(problems(text), @r#"
    s.yaml:5:3: models.a: duplicate key, first given at s.yaml:3:3
      help: remove one of the two
    "#);
}

#[test]
fn two_scorers_of_one_name() {
    let text = r#"name: n
datasets:
  d: { plugin: p, scorer: [exact, { name: exact }, { label: x }] }
"#;
    assert_snapshot!(problems(text), @r#"
    s.yaml:3:35: datasets.d.scorer.1: a second scorer `exact`
      help: tell them apart with `label: NAME`
    s.yaml:3:52: datasets.d.scorer.2: the key `name` is missing
      help: add `name:` with the name of a scorer
    "#);
}

#[test]
fn a_bad_checksum() {
    let text = r#"name: n
plugins: { candle: { sha256: abc, pth: x } }
"#;
    assert_snapshot!(problems(text), @r#"
    s.yaml:2:30: plugins.candle.sha256: expected the 64 hexadecimal digits of a SHA-256, found 3 characters
      help: print them with `sha256sum FILE`
    s.yaml:2:35: plugins.candle.pth: unknown key, expected one of `path`, `sha256`
      help: did you mean `path`?
    "#);
}

#[test]
fn an_empty_file() {
    let text = r#"# nothing but a comment
"#;
    assert_snapshot!(problems(text), @r#"
    s.yaml:1:1: the file holds no suite: it is empty
      help: a suite starts with `name: NAME`; see `configs/` for examples
    "#);
}

#[test]
fn a_list_instead_of_a_suite() {
    let text = r#"- name: n
"#;
    assert_snapshot!(problems(text), @r#"
    s.yaml:1:1: expected a mapping, found a list
      help: a suite starts with `name: NAME`; see `configs/` for examples
    "#);
}

#[test]
fn two_documents() {
    let text = r#"name: n
---
name: m
"#;
    assert_snapshot!(problems(text), @r#"
    s.yaml:2:1: expected one document, found a second one
      help: remove the `---`, or put the second suite into a file of its own
    "#);
}

#[test]
fn a_tab() {
    let text = "name: n\nmodels:\n\tm: { plugin: p }\n";
    assert_snapshot!(problems(text), @r#"
    s.yaml:3:2: not valid YAML: tabs disallowed within this context (block indentation)
      help: this line is indented with a tab; YAML wants spaces
    "#);
}

#[test]
fn an_open_bracket() {
    let text = r#"name: n
evaluate: [{ models: a, datasets: b }
report: { figure: x }
"#;
    assert_snapshot!(problems(text), @r#"
    s.yaml:3:1: not valid YAML: invalid indentation in flow construct
      help: a `[` or `{` further up may not be closed
    "#);
}

#[test]
fn bad_indentation() {
    let text = r#"name: n
models:
  a: { plugin: p }
 b: { plugin: p }
"#;
    assert_snapshot!(problems(text), @"s.yaml:4:2: not valid YAML: while parsing a block mapping, did not find expected key");
}

#[test]
fn a_tag() {
    let text = r#"name: n
models:
  m: !load { plugin: p, x: !!python/object y }
"#;
    assert_snapshot!(problems(text), @r#"
    s.yaml:3:6: models.m: the tag `!load` means nothing here
      help: remove the tag
    s.yaml:3:28: models.m.x: the tag `tag:yaml.org,2002:!python/object` means nothing here
      help: remove the tag
    "#);
}

#[test]
fn a_number_that_is_none() {
    let text = r#"name: n
models:
  m: { plugin: p, x: .nan }
"#;
    assert_snapshot!(problems(text), @"s.yaml:3:22: models.m.x: expected a finite number, found `.nan`");
}

#[test]
fn a_merge_of_no_mapping() {
    let text = r#"name: n
models:
  m: { <<: [1], plugin: p }
"#;
    assert_snapshot!(problems(text), @"s.yaml:3:12: models.m: expected a mapping or a list of mappings after `<<`");
}

#[test]
fn keys_that_are_no_names() {
    let text = r#"name: n
models:
  ? [a]
  : { plugin: p }
  : { plugin: p }
"#;
    assert_snapshot!(problems(text), @r#"
    s.yaml:3:5: models: expected a name before the `:`
      help: put text that starts with `{`, `[` or is empty into quotes
    s.yaml:5:3: models: expected a name before the `:`
      help: put text that starts with `{`, `[` or is empty into quotes
    "#);
}

#[test]
fn an_alias_in_itself() {
    let text = r#"name: n
models: &all
  m: { plugin: p, x: *all }
"#;
    assert_snapshot!(problems(text), @"s.yaml:3:22: models.m.x: the alias stands inside the value that it repeats");
}

#[test]
fn an_unknown_alias() {
    let text = r#"name: n
models: *nowhere
"#;
    assert_snapshot!(problems(text), @"s.yaml:2:9: not valid YAML: while parsing node, found unknown anchor");
}

#[test]
fn an_unknown_variable() {
    let text = r#"name: n
vars: { data: x, both: "${vars.data}", list: [] }
datasets:
  d: { plugin: p, path: "${vars.dta}" }
"#;
    assert_snapshot!(problems(text), @r#"
    s.yaml:2:24: vars.both: a variable cannot be made of variables or stages
      help: write the value itself
    s.yaml:2:46: vars.list: expected text, a number or a truth value, found a list
    s.yaml:4:25: datasets.d.path: no variable `dta`, expected one of `data`, `both`, `list`
      help: did you mean `data`?
    "#);
}

#[test]
fn a_secret_from_the_environment() {
    let text = r#"name: n
models:
  m: { plugin: p, key: "${env.OPENAI_API_KEY}", dir: "${env.NOT_SET}" }
"#;
    assert_snapshot!(problems(text), @r#"
    s.yaml:3:24: models.m.key: `OPENAI_API_KEY` looks like a secret (`KEY`), and a suite is copied beside its results
      help: name the variable in the plugin's own option, `api_key_env` say
    s.yaml:3:54: models.m.dir: the environment variable `NOT_SET` is not set, or is not valid UTF-8
      help: set it: `NOT_SET=... examiner ...`
    "#);
}

#[test]
fn keys_without_values() {
    let text = r#"name:
models:
  m:
  k: { plugin: }
"#;
    assert_snapshot!(problems(text), @r#"
    s.yaml:1:1: name: expected the suite's name, found nothing
    s.yaml:3:4: models.m: expected a mapping (`key: value`), found nothing
    s.yaml:4:8: models.k.plugin: expected the name of a model plugin, found nothing
    "#);
}

#[test]
fn setting_what_is_not_there() {
    let text = "name: n\nseed: 1\nvars: { date: 1 }\nmodels: { m: { plugin: p } }\ndatasets: { d: { plugin: p } }\nevaluate: [{ models: m, datasets: d }]\n";
    assert_snapshot!(problems_with(text, &["modls.m.x=1", "models.n.x=1", "data=x", "seed.x=1", "evaluate.1=x", "models.m.plugin.x=1"]), @r#"
    --set modls.m.x: modls: the suite has no such key or variable, expected one of `name`, `seed`, `parallel`, `fail_on_error`, `on_truncation`, `isolate`, `paths`, `reuse`, `hub_mirror`, `vars`, `plugins`, `models`, `datasets`, `teach`, `train`, `export`, `evaluate`, `report`, `gate`, `date`
      help: did you mean `models`?
    --set models.n.x: models.n: no such name in `models`, expected one of `m`
    --set data: data: the suite has no such key or variable, expected one of `name`, `seed`, `parallel`, `fail_on_error`, `on_truncation`, `isolate`, `paths`, `reuse`, `hub_mirror`, `vars`, `plugins`, `models`, `datasets`, `teach`, `train`, `export`, `evaluate`, `report`, `gate`, `date`
      help: did you mean `date`?
    --set seed.x: seed: expected a mapping or a list to set `x` in, found the number `1`
      help: set `seed` as a whole
    --set evaluate.1: evaluate: expected an index in the list, 0 to 0, found `1`
    --set models.m.plugin.x: models.m.plugin: expected a mapping or a list to set `x` in, found the text `p`
      help: set `models.m.plugin` as a whole
    "#);
}

#[test]
fn setting_wrong_values() {
    let text = "name: n\nseed: 1\nvars: { date: 1 }\nmodels: { m: { plugin: p } }\ndatasets: { d: { plugin: p } }\nevaluate: [{ models: m, datasets: d }]\n";
    assert_snapshot!(problems_with(text, &["seed=abc", "models.m=[", "models.m.x=${train.q}", "models..x=1"]), @r#"
    --set models.m: models.m: not valid YAML: while parsing a node, did not find expected node content
    --set models..x: models: expected a name between the dots of the key, found nothing
    --set seed: seed: expected a whole number, found the text `abc`
    --set models.m.x: models.m.x: `${train.q}` leads nowhere, expected a name of `train`, of which the suite has none
    "#);
}

#[test]
fn aliases_cannot_fill_the_memory() {
    let mut text = "name: n\na0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..12 {
        let items = vec![format!("*a{}", level - 1); 10].join(", ");
        text.push_str(&format!("a{level}: &a{level} [{items}]\n"));
    }
    assert_snapshot!(problems(&text), @"s.yaml:6:5: more than 200000 values once its aliases are written out");
}

#[test]
fn deep_nesting_is_refused() {
    assert_snapshot!(problems(&format!("name: n\nx: {}", "[".repeat(100_000))), @"s.yaml:2:259: not valid YAML: recursion limit exceeded");
}

#[test]
fn files_that_cannot_be_read() {
    let dir = tempfile::tempdir().unwrap();
    let say = |path: &std::path::Path| {
        let text = crate::load(path, &[]).unwrap_err().to_string();
        text.replace(&dir.path().display().to_string(), "DIR")
    };
    assert_snapshot!(say(dir.path()), @r#"
    cannot read `DIR`: it is a directory
      help: name the YAML file in it
    "#);
    assert_snapshot!(say(&dir.path().join("none.yaml")), @r#"
    cannot read `DIR/none.yaml`: No such file or directory (os error 2)
      help: check the path; suites mostly lie in `configs/`
    "#);
    let latin = dir.path().join("latin.yaml");
    std::fs::write(&latin, b"name: n\n# caf\xe9\n").unwrap();
    assert_snapshot!(say(&latin), @r#"
    cannot read `DIR/latin.yaml`: line 2 is not valid UTF-8
      help: save the file as UTF-8
    "#);
    let good = dir.path().join("good.yaml");
    std::fs::write(&good, "name: n\n").unwrap();
    assert_eq!(crate::load(&good, &[]).unwrap().suite.name, "n");
}
