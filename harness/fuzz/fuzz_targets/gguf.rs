//! GGUF files of any bytes behind their first eight: the model opens and answers, its tokenizer and chat template among it, or an error
//! says why it does not.
#![no_main]

use examiner_api::testing::FakeHost;
use examiner_api::{Flow, GenerateRequest, GenerateResult, Model, Open, Response, Sampling, Turn};
use examiner_fuzz::{file, gguf, let_caught_panics_pass, sow, watch};
use examiner_plugin_candle::{Candle, Options};
use libfuzzer_sys::fuzz_target;
use serde_json::json;
use std::path::Path;
use std::sync::Arc;

/// Magic and version, which would be the first to break.
const HEAD: &[u8] = b"GGUF\x03\0\0\0";

/// Opens the model and asks it something, as a chat. Whether it opened.
fn opens(path: &Path) -> bool {
    let options = json!({ "checkpoint": path, "device": "cpu", "template_max_s": 1, "template_max_mib": 1 });
    let options: Options = serde_json::from_value(options).expect("options");
    let mut model = match Candle::open(options, FakeHost::new().host()) {
        Ok(model) => model,
        Err(error) => {
            assert!(!error.message.is_empty());
            return false;
        }
    };
    let request = GenerateRequest {
        prompt: "an é".to_owned(),
        turns: Arc::new(vec![Turn::user("an é")]),
        sampling: Sampling { max_new_tokens: 2, ..Sampling::default() },
        ..GenerateRequest::default()
    };
    let _ = model.generate(vec![request], &|_: Response<GenerateResult>| Flow::Continue);
    true
}

fuzz_target!(
    init: {
        let seed = gguf();
        assert!(seed.starts_with(HEAD), "the seed has that head");
        sow("gguf", [("gguf".to_owned(), seed[HEAD.len()..].to_vec())]);
        let_caught_panics_pass();
        let path = file("seed.gguf");
        std::fs::write(&path, &seed).expect("an input");
        assert!(opens(&path), "the seed is good");
    },
    |data: &[u8]| watch(|| {
        let path = file("model.gguf");
        std::fs::write(&path, [HEAD, data].concat()).expect("an input");
        opens(&path);
    })
);
