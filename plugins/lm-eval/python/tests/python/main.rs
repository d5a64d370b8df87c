//! The interpreter held against CPython: the same functions, the same results.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::path::Path;
use std::process::Command;

use examiner_python::{Error, Limits, Program, Session, Value, repr_of};
use examiner_test_support::needs;

/// Calls every function `case_...` of a file, and prints names and results as JSON.
const DRIVER: &str = r#"
import importlib.util, json, sys
spec = importlib.util.spec_from_file_location("snippets", sys.argv[1])
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
results = {}
for name in sorted(vars(module)):
    if name.startswith("case_"):
        try:
            results[name] = repr(getattr(module, name)())
        except Exception as error:
            results[name] = "raised " + type(error).__name__
json.dump(results, sys.stdout)
"#;

fn ours(program: &Program, name: &str) -> String {
    if let Err(refusal) = program.check(name) {
        return format!("refused {refusal}");
    }
    match Session::new(program).call(name, Vec::new(), Vec::new()) {
        Ok(value) => repr_of(&value),
        Err(Error::Exception(raised)) => format!("raised {}", raised.exception.class_name()),
        Err(other) => format!("refused {other}"),
    }
}

#[needs(python)]
#[test]
fn snippets_have_the_results_of_cpython() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python/snippets.py");
    let output =
        Command::new("python3").args(["-c", DRIVER]).arg(&file).env("PYTHONDONTWRITEBYTECODE", "1").output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let expected: std::collections::BTreeMap<String, String> = serde_json::from_slice(&output.stdout).unwrap();
    assert!(expected.len() > 25, "only {} functions ran", expected.len());
    let program = Program::load(&file).unwrap();
    let mut wrong = Vec::new();
    for (name, expected) in &expected {
        let found = ours(&program, name);
        if found != *expected {
            let at = found.chars().zip(expected.chars()).take_while(|(a, b)| a == b).count();
            let part = |text: &str| text.chars().skip(at.saturating_sub(60)).take(160).collect::<String>();
            wrong.push(format!("{name}\n  expected ...{}\n  found    ...{}", part(expected), part(&found)));
        }
    }
    assert!(wrong.is_empty(), "{} of {} differ:\n{}", wrong.len(), expected.len(), wrong.join("\n"));
}

fn program(source: &str) -> (tempfile::TempDir, Program) {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("utils.py");
    std::fs::write(&file, source).unwrap();
    let program = Program::load(&file).unwrap();
    (directory, program)
}

#[test]
fn what_is_not_implemented_is_refused_with_its_place() {
    let cases = [
        ("import torch\n\ndef f():\n    return torch.ones(3)\n", "`utils.py`, line 4: `ones` of the module `torch`"),
        ("def f():\n    with open('x') as g:\n        return g\n", "`utils.py`, line 2: `with`"),
        ("def f(x):\n    return x.frobnicate()\n", "`utils.py`, line 2: the method or attribute `frobnicate`"),
        ("def g():\n    yield 1\n\ndef f():\n    return g()\n", "`utils.py`, line 1: a function with `yield`"),
        ("def f():\n    return eval('1')\n", "`utils.py`, line 2: the function `eval`"),
        ("def f():\n    return '\\ud800'\n", "`utils.py`, line 2: a text with half a surrogate pair"),
        ("def g():\n    pass\n", "`utils.py`: the function `f`, which the file does not have"),
    ];
    for (source, expected) in cases {
        let (_directory, program) = program(source);
        assert_eq!(program.check("f").unwrap_err().to_string(), expected);
    }
}

#[test]
fn what_a_function_does_not_use_does_not_refuse_it() {
    let source = "import evaluate\nimport numpy as np\nrouge = evaluate.load('rouge')\n\nif __name__ == '__main__':\n    main()\n\n\
                  def metric(x):\n    return rouge.compute(x)\n\ndef f(doc):\n    return doc['a'] + 1\n";
    let (_directory, program) = program(source);
    assert!(program.check("f").is_ok());
    assert!(program.check("metric").is_err());
    let doc = Value::dict([("a".into(), Value::Int(2))]);
    let result = Session::new(&program).call("f", vec![doc], Vec::new()).unwrap();
    assert_eq!(repr_of(&result), "3");
    assert_eq!(program.source_of("f").unwrap(), "def f(doc):\n    return doc['a'] + 1");
}

#[test]
fn no_exception_handler_sees_what_is_not_implemented() {
    let source = "import random\n\ndef f():\n    try:\n        return random.choice([1, 2])\n    except Exception:\n        return 0\n    finally:\n        pass\n";
    let (_directory, program) = program(source);
    let result = Session::new(&program).call("f", Vec::new(), Vec::new());
    assert!(matches!(result, Err(Error::Unsupported(_))), "{result:?}");
}

#[test]
fn a_function_that_does_not_end_is_ended() {
    let sources = [
        "def f():\n    while True:\n        pass\n",
        "def f():\n    return f()\n",
        "def f():\n    return 'x' * 10**12\n",
        "def f():\n    return 9 ** 9 ** 9\n",
        "def f():\n    x = [0]\n    for i in x:\n        x.append(i)\n",
    ];
    for source in sources {
        let (_directory, program) = program(source);
        let limits = Limits { steps: 100_000, ..Limits::default() };
        let result = Session::with_limits(&program, limits).call("f", Vec::new(), Vec::new());
        assert!(matches!(result, Err(Error::Limit(_))), "{source}: {result:?}");
    }
}

#[test]
fn a_set_of_rows_goes_through_filter_and_map() {
    let source = "from functools import partial\n\n\
                  def process_docs(dataset, subject):\n    return dataset.filter(lambda x: x['subject'] == subject).map(_add)\n\n\
                  def _add(doc):\n    return {'query': doc['question'].strip(), 'n': (1, 2)}\n\n\
                  process_math = partial(process_docs, subject='math')\n";
    let (_directory, program) = program(source);
    let rows = serde_json::json!([
        {"question": " a ", "subject": "math"}, {"question": "b", "subject": "law"}, {"question": "c", "subject": "math"}
    ]);
    let rows = rows.as_array().unwrap().iter().map(|row| row.as_object().unwrap());
    let dataset = examiner_python::Dataset::from_json(rows);
    let result = Session::new(&program).call("process_math", vec![dataset.into_value()], Vec::new()).unwrap();
    let rows = examiner_python::Dataset::of(&result).unwrap().to_json().unwrap();
    let expected = serde_json::json!([
        {"question": " a ", "subject": "math", "query": "a", "n": [1, 2]},
        {"question": "c", "subject": "math", "query": "c", "n": [1, 2]}
    ]);
    assert_eq!(serde_json::to_value(rows).unwrap(), expected);
}
