//! Templates of any text, of a suite's table and of a checkpoint's chat: a text, or an error that says why there is none, within bounds.
//!
//! The first byte says which: `t` a table's, anything else a chat's.
#![no_main]

use examiner_api::testing::FakeHost;
use examiner_api::{Dataset, Flow, Open, Sample, Turn};
use examiner_bounds::TextLimits;
use examiner_fuzz::{file, let_caught_panics_pass, sow, watch};
use examiner_lm::LocalOptions;
use examiner_lm::chat::ChatTemplate;
use examiner_plugin_table::{Options, Table};
use libfuzzer_sys::fuzz_target;
use serde_json::{Map, json};
use std::path::PathBuf;
use std::sync::LazyLock;

const LIMITS: TextLimits = TextLimits { max_mib: 1, max_s: 1 };

static ROWS: LazyLock<PathBuf> = LazyLock::new(|| {
    let path = file("rows.jsonl");
    let row = json!({ "a": 1, "text": "an \u{e9}", "list": ["x", 2.5, null], "map": { "k": [true] } });
    std::fs::write(&path, format!("{row}\n")).expect("a file");
    path
});

fn table(template: &str) {
    let options = json!({ "path": *ROWS, "prompt": template, "gold": "a", "template_max_mib": LIMITS.max_mib,
        "template_max_s": LIMITS.max_s });
    let options: Options = serde_json::from_value(options).expect("options");
    match Table::open(options, FakeHost::new().host()) {
        Ok(mut table) => {
            let _ = table.samples(&|sample: Sample| {
                assert!(sample.prompt.len() < 1 << 20);
                Flow::Continue
            });
        }
        Err(error) => assert!(!error.message.is_empty()),
    }
}

fn chat(template: &str) {
    let tokens = Map::from_iter([("bos_token".to_owned(), "<s>".into())]);
    let date = LocalOptions::default().date().expect("a date");
    let Ok(template) = ChatTemplate::compile("`t`", template, &tokens, date, LIMITS) else { return };
    for turns in [vec![Turn::user("an \u{e9}")], vec![Turn::system("1"), Turn::user("2"), Turn::assistant("3")]] {
        if let Ok(text) = template.render(&turns) {
            assert!(text.len() < 1 << 20);
        }
    }
}

fuzz_target!(
    init: {
        let named = |name: &str, text: &str| (name.to_owned(), text.as_bytes().to_vec());
        sow("template", [
            named("table", "t{{ text | upper }}{% for x in list %}{{ loop.index }}{{ x or 1 }}{% endfor %}{{ map['k'][0] }}"),
            named("filters", "t{{ '%05d' | format(a) }}{{ list | join(',') | replace('x', 'y') | indent(2) }}{{ map | tojson }}"),
            named("chat", "c{%- for m in messages %}<|{{ m['role'] }}|>{{ m.content | trim }}{% endfor %}{{ bos_token }}"),
            named("macro", "c{% macro d(x) %}{{ x }}{% endmacro %}{% set ns = namespace(x='a') %}{{ d(ns.x) }}{{ strftime_now('%d') }}"),
        ]);
        let_caught_panics_pass();
    },
    |data: &[u8]| watch(|| {
        let Some((kind, template)) = data.split_first() else { return };
        let Ok(template) = std::str::from_utf8(template) else { return };
        if *kind == b't' { table(template) } else { chat(template) }
    })
);
