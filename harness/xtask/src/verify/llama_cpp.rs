//! llama.cpp's own programs on the same files: tokens, dequantized tensors of every type that it writes, and its server behind
//! the plugin `openai`. `cargo xtask real-models` builds and runs what is compared.

use super::comparison::Comparison;
use super::real::{self, Answer, NEW_TOKENS, STOP, checkpoint, data, reference, texts};
use super::setup::{Setup, pairs};
use crate::program::process::{cargo, root};
use crate::program::{SuiteRun, run_suite};
use crate::real_models::{RealModel, available, directory, quantized};
use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Whether what is compared is there.
pub(super) fn is_available() -> bool {
    quantized("IQ4_XS").with_extension("gguf.sha256").exists()
}

pub(super) fn compare(setup: &Setup) -> Result<Vec<Comparison>> {
    ensure!(is_available(), "there are no results of llama.cpp; `cargo xtask real-models --shared DIR` makes them");
    let mut comparisons = vec![digests()?];
    let models = available()?;
    for model in &models {
        comparisons.push(tokens(setup, model)?);
    }
    let chat = models.iter().find(|model| model.chat).context("no model speaks through a template")?;
    comparisons.extend(server(setup, chat)?);
    Ok(comparisons)
}

/// The tokens of texts, by the file's own tokenizer.
fn tokens(setup: &Setup, model: &RealModel) -> Result<Comparison> {
    let results = setup.examine(&json!({
        "name": format!("llama-cpp-tokens-{}", model.name),
        "models": { "m": checkpoint(&format!("{}.gguf", model.name), false) },
        "datasets": { "texts": texts() },
        "evaluate": [{ "models": "m", "datasets": "texts" }]
    }))?;
    let comparison = Comparison::new(format!("{} gguf: token ids of llama.cpp", model.name));
    real::tokens(&results, &reference(model, "llama-tokens")?, comparison)
}

/// Every element of every tensor: a test of the plugin computes the digests, since no command shows tensors.
fn digests() -> Result<Comparison> {
    let mut comparison = Comparison::new("llama.cpp: tensors of 15 types by their digests");
    let mut command = cargo();
    command.args([
        "test",
        "--release",
        "--quiet",
        "--workspace",
        "--lib",
        "of_llama_cpp",
        "--",
        "--ignored",
        "--nocapture",
    ]);
    let output = command.current_dir(root()).env("EXAMINER_QUANTIZED", directory().join("quantized")).output()?;
    let said = String::from_utf8_lossy(&output.stdout);
    let mut files = said.lines().filter_map(|line| line.strip_prefix("digests: ")).peekable();
    if files.peek().is_none() {
        bail!("the test of digests has not run:\n{said}\n{}", String::from_utf8_lossy(&output.stderr));
    }
    files.for_each(|line| comparison.row(line.ends_with("equal")));
    Ok(comparison)
}

/// A `llama-server` that ends with this value.
struct LlamaServer(Child);

impl Drop for LlamaServer {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl LlamaServer {
    fn start(file: &Path, port: u16) -> Result<Self> {
        let program = directory().join("llama.cpp/build/bin/llama-server");
        let mut command = Command::new(&program);
        command.arg("-m").arg(file).args(["--port", &port.to_string(), "-c", "4096", "--parallel", "2", "--no-webui"]);
        // Keys and values in 32 bits too, and no kernel that sums in fewer.
        command.args(["--cache-type-k", "f32", "--cache-type-v", "f32", "--flash-attn", "off"]);
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let server = LlamaServer(child.with_context(|| format!("cannot start `{}`", program.display()))?);
        let began = Instant::now();
        while !is_ready(port) {
            ensure!(began.elapsed() < Duration::from_secs(120), "`{}` does not answer", program.display());
            std::thread::sleep(Duration::from_millis(100));
        }
        Ok(server)
    }
}

/// Whether the server has loaded its model: it listens before.
fn is_ready(port: u16) -> bool {
    let ask = || -> std::io::Result<String> {
        let mut connection = TcpStream::connect(("127.0.0.1", port))?;
        connection.write_all(b"GET /health HTTP/1.0\r\n\r\n")?;
        let mut answer = String::new();
        connection.read_to_string(&mut answer)?;
        Ok(answer)
    };
    ask().is_ok_and(|answer| answer.lines().next().is_some_and(|status| status.contains(" 200 ")))
}

/// The server with the same file as `candle`, in 32 bits: with other types it rounds what it multiplies.
fn server(setup: &Setup, model: &RealModel) -> Result<Vec<Comparison>> {
    let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let file = quantized("F32");
    let mut running = LlamaServer::start(&file, port)?;
    let mut comparisons = Vec::new();
    for api in ["chat", "completions"] {
        let comparison = Comparison::new(format!("llama-server: {api} answers are candle's, ties left out"));
        let run = ask(setup, &file, port, &format!("llama-server-{api}"), api)?;
        ensure!(run.status == Some(0), "the run ended with {:?}:\n{}", run.status, run.stderr);
        comparisons.push(answers(&run, model, api, comparison)?);
    }
    let mut refused = Comparison::new("llama-server: log-likelihoods are right or refused");
    let scored = run_suite(&setup.program, &setup.work, &likelihoods(&file, port), &[])?;
    match scored.status {
        Some(0) => {
            let (ours, theirs) = (scored.results.samples("candle", "csqa")?, scored.results.samples("server", "csqa")?);
            for (ours, theirs) in pairs(&ours, &theirs)? {
                refused.numbers(&[theirs.score()?.sum], &[ours.score()?.sum], 1e-2);
            }
        }
        _ => refused.row(scored.stderr.contains("log-likelihoods, which model `server` cannot give")),
    }
    comparisons.push(refused);

    // The server is killed in the midst of it, and started again.
    let resumed = Comparison::new("llama-server: killed and started again, the same answers");
    let journal = setup.work.join("llama-server-killed/journal");
    let first = std::thread::scope(|scope| {
        let asking = scope.spawn(|| ask(setup, &file, port, "llama-server-killed", "chat"));
        let began = Instant::now();
        while size(&journal) < 4000 && began.elapsed() < Duration::from_secs(300) && !asking.is_finished() {
            std::thread::sleep(Duration::from_millis(50));
        }
        drop(running);
        asking.join()
    });
    let Ok(first) = first else { bail!("the run panicked") };
    ensure!(first?.status == Some(1), "the server was killed too late");
    running = LlamaServer::start(&file, port)?;
    let second = ask(setup, &file, port, "llama-server-killed", "chat")?;
    drop(running);
    ensure!(second.status == Some(0), "the run ended with {:?}:\n{}", second.status, second.stderr);
    comparisons.push(answers(&second, model, "chat", resumed)?);
    Ok(comparisons)
}

/// The bytes of all files in a directory.
fn size(directory: &Path) -> u64 {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    let of = |path: PathBuf| if path.is_dir() { size(&path) } else { path.metadata().map_or(0, |file| file.len()) };
    entries.map(|entry| of(entry.path())).sum()
}

fn models(file: &Path, port: u16, api: &str) -> Value {
    let chat = api == "chat";
    json!({
        "server": {
            "plugin": "openai", "model": "any", "base_url": format!("http://127.0.0.1:{port}/v1"), "api": api,
            "max_concurrency": 2, "max_attempts": 2, "backoff_s": 0.1
        },
        "candle": { "plugin": "candle", "checkpoint": file, "device": "cpu", "chat": chat }
    })
}

fn ask(setup: &Setup, file: &Path, port: u16, name: &str, api: &str) -> Result<SuiteRun> {
    let suite = json!({
        "name": name,
        "models": models(file, port, api),
        "datasets": {
            "gsm8k": {
                "plugin": "gsm8k", "path": data("gsm8k"), "generation": { "max_new_tokens": NEW_TOKENS, "stop": STOP }
            }
        },
        "evaluate": [{ "models": "server", "datasets": "gsm8k" }, { "models": "candle", "datasets": "gsm8k" }]
    });
    run_suite(&setup.program, &setup.work, &suite, &[])
}

fn likelihoods(file: &Path, port: u16) -> Value {
    json!({
        "name": "llama-server-likelihoods",
        "models": models(file, port, "completions"),
        "datasets": {
            "csqa": {
                "plugin": "table", "path": data("csqa"), "prompt": "Question: {{ question }}\nAnswer:", "choices": "choices",
                "gold": "answer", "gold_is": "index", "limit": 10
            }
        },
        "evaluate": [{ "models": "all", "datasets": "all" }]
    })
}

/// The answers of the server beside those of `candle`. Where the reference knows a tie, either is right.
fn answers(run: &SuiteRun, model: &RealModel, api: &str, mut comparison: Comparison) -> Result<Comparison> {
    let (ours, theirs) = (run.results.samples("candle", "gsm8k")?, run.results.samples("server", "gsm8k")?);
    let references: Vec<Answer> = reference(model, if api == "chat" { "gsm8k" } else { "gsm8k-plain" })?;
    for ((ours, theirs), reference) in pairs(&ours, &theirs)?.zip(&references) {
        comparison.row(reference.is_tie() || ours.generated()?.text == theirs.generated()?.text);
    }
    Ok(comparison)
}
