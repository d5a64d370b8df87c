//! Files of weights of any bytes, safetensors and GGUF: the model opens and answers, or an error says why it does not.
#![no_main]

use examiner_api::testing::FakeHost;
use examiner_api::{Flow, Model, Open, Response, ScoreRequest, ScoreResult};
use examiner_fuzz::{config, file, gguf, let_caught_panics_pass, safetensors, sow, tokenizer, watch};
use examiner_plugin_candle::{Candle, Options};
use libfuzzer_sys::fuzz_target;
use serde_json::json;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

static CHECKPOINT: LazyLock<PathBuf> = LazyLock::new(|| {
    let directory = file("weights");
    std::fs::create_dir_all(&directory).expect("a directory");
    std::fs::write(directory.join("config.json"), config().to_string()).expect("a file");
    std::fs::write(directory.join("tokenizer.json"), tokenizer().to_string()).expect("a file");
    directory
});

/// Opens the model and asks it something. Whether it opened.
fn opens(path: &Path) -> bool {
    let options: Options = serde_json::from_value(json!({ "checkpoint": path, "device": "cpu" })).expect("options");
    let mut model = match Candle::open(options, FakeHost::new().host()) {
        Ok(model) => model,
        Err(error) => {
            assert!(!error.message.is_empty());
            return false;
        }
    };
    let request = ScoreRequest { context: "an".to_owned(), continuation: " é".to_owned(), ..ScoreRequest::default() };
    // Weights can be such that no number comes out; that is then an error of the request.
    let _ = model.score(vec![request], &|_: Response<ScoreResult>| Flow::Continue);
    true
}

fn open_bytes(data: &[u8]) -> bool {
    let quantized = data.starts_with(b"GGUF");
    let path = CHECKPOINT.join(if quantized { "model.gguf" } else { "model.safetensors" });
    std::fs::write(&path, data).expect("an input");
    opens(if quantized { &path } else { &CHECKPOINT })
}

fuzz_target!(
    init: {
        sow("weights", [("safetensors".to_owned(), safetensors()), ("gguf".to_owned(), gguf())]);
        let_caught_panics_pass();
        assert!(open_bytes(&safetensors()) && open_bytes(&gguf()), "the seeds are good");
    },
    |data: &[u8]| watch(|| {
        open_bytes(data);
    })
);
