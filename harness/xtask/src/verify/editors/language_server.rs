//! Asks a language server over its standard input and output, as an editor does.

use anyhow::{Context, Result, anyhow, bail};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

/// How long an answer may take; the first one loads the schema.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running server.
pub(super) struct LanguageServer {
    child: Child,
    input: ChildStdin,
    messages: Receiver<Result<Value>>,
    /// The directory of its documents, as an address.
    root: String,
    asked: u64,
    /// The last diagnostics of each document.
    diagnostics: HashMap<String, Value>,
}

impl LanguageServer {
    /// Starts a server for the documents of a directory.
    pub(super) fn start(program: &Path, directory: &Path) -> Result<Self> {
        let shown = program.display();
        let mut command = Command::new(program);
        command.arg("--stdio").stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().with_context(|| format!("cannot start `{shown}`"))?;
        let input = child.stdin.take().context("a child without stdin")?;
        let mut output = BufReader::new(child.stdout.take().context("a child without stdout")?);
        let (sender, messages) = channel();
        std::thread::spawn(move || {
            loop {
                let message = message(&mut output);
                let is_end = message.is_err();
                if sender.send(message).is_err() || is_end {
                    break;
                }
            }
        });
        let root = format!("file://{}", directory.canonicalize()?.display());
        let mut server = LanguageServer { child, input, messages, root, asked: 0, diagnostics: HashMap::new() };
        let text = json!({ "publishDiagnostics": {}, "completion": {}, "hover": { "contentFormat": ["markdown"] } });
        let capabilities = json!({ "textDocument": text, "workspace": { "configuration": true } });
        server.ask(
            "initialize",
            &json!({ "processId": std::process::id(), "rootUri": server.root, "capabilities": capabilities }),
        )?;
        server.tell("initialized", &json!({}))?;
        Ok(server)
    }

    /// What is offered at the end of the text.
    pub(super) fn completions(&mut self, name: &str, text: &str) -> Result<Value> {
        let uri = self.open(name, text)?;
        let line = text.lines().count() - 1;
        let character = text.lines().last().map_or(0, str::len);
        let position = json!({ "line": line, "character": character });
        self.ask("textDocument/completion", &json!({ "textDocument": { "uri": uri }, "position": position }))
    }

    /// What is said of the first place with this word.
    pub(super) fn hover(&mut self, name: &str, text: &str, word: &str) -> Result<Value> {
        let uri = self.open(name, text)?;
        let found = text.lines().enumerate().find_map(|(line, text)| Some((line, text.find(word)?)));
        let (line, character) = found.with_context(|| format!("`{word}` is not in the text"))?;
        let position = json!({ "line": line, "character": character + 1 });
        self.ask("textDocument/hover", &json!({ "textDocument": { "uri": uri }, "position": position }))
    }

    /// What is wrong with the text.
    pub(super) fn diagnostics(&mut self, name: &str, text: &str) -> Result<Value> {
        let uri = self.open(name, text)?;
        let until = Instant::now() + PATIENCE;
        loop {
            if let Some(found) = self.diagnostics.remove(&uri) {
                return Ok(found);
            }
            self.receive(until)?;
        }
    }

    pub(super) fn stop(mut self) -> Result<()> {
        self.ask("shutdown", &Value::Null)?;
        self.tell("exit", &Value::Null)?;
        self.child.wait()?;
        Ok(())
    }

    /// Opens a document of its own, whose address is returned.
    fn open(&mut self, name: &str, text: &str) -> Result<String> {
        let uri = format!("{}/{name}", self.root);
        let document = json!({ "uri": uri, "languageId": "yaml", "version": 1, "text": text });
        self.tell("textDocument/didOpen", &json!({ "textDocument": document }))?;
        Ok(uri)
    }

    fn tell(&mut self, method: &str, parameters: &Value) -> Result<()> {
        self.write(&json!({ "jsonrpc": "2.0", "method": method, "params": parameters }))
    }

    fn ask(&mut self, method: &str, parameters: &Value) -> Result<Value> {
        self.asked += 1;
        let id = self.asked;
        self.write(&json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": parameters }))?;
        let until = Instant::now() + PATIENCE;
        loop {
            let Some(answer) = self.receive(until).with_context(|| format!("`{method}` was not answered"))? else {
                continue;
            };
            if answer["id"] == id {
                return match answer.get("error") {
                    Some(error) => Err(anyhow!("`{method}`: {error}")),
                    None => Ok(answer["result"].clone()),
                };
            }
        }
    }

    /// Takes the next message. What the server asks is answered; an answer of its own is returned.
    fn receive(&mut self, until: Instant) -> Result<Option<Value>> {
        let left = until.saturating_duration_since(Instant::now());
        let message = self.messages.recv_timeout(left).context("the language server says nothing")??;
        match (message["method"].as_str(), message.get("id")) {
            (None, _) => return Ok(Some(message)),
            (Some("textDocument/publishDiagnostics"), _) => {
                let uri = message["params"]["uri"].as_str().unwrap_or_default().to_owned();
                self.diagnostics.insert(uri, message["params"]["diagnostics"].clone());
            }
            (Some("workspace/configuration"), Some(id)) => {
                let setting = |item: &Value| match item["section"].as_str() {
                    Some("yaml") => {
                        json!({ "validate": true, "completion": true, "hover": true, "schemaStore": { "enable": false } })
                    }
                    _ => Value::Null,
                };
                let settings: Vec<Value> =
                    message["params"]["items"].as_array().into_iter().flatten().map(setting).collect();
                self.write(&json!({ "jsonrpc": "2.0", "id": id, "result": settings }))?;
            }
            (Some(_), Some(id)) => self.write(&json!({ "jsonrpc": "2.0", "id": id, "result": null }))?,
            (Some(_), None) => {}
        }
        Ok(None)
    }

    fn write(&mut self, message: &Value) -> Result<()> {
        let text = message.to_string();
        write!(self.input, "Content-Length: {}\r\n\r\n{text}", text.len())?;
        Ok(self.input.flush()?)
    }
}

impl Drop for LanguageServer {
    /// Ends a server that was not stopped.
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Reads one message: headers, an empty line, and as many bytes as they say.
fn message(input: &mut impl BufRead) -> Result<Value> {
    let mut length = None;
    loop {
        let mut line = String::new();
        if input.read_line(&mut line)? == 0 {
            bail!("the language server has ended");
        }
        match line.trim_end() {
            "" => break,
            header => {
                if let Some(digits) = header.strip_prefix("Content-Length: ") {
                    length = Some(digits.parse::<usize>()?);
                }
            }
        }
    }
    let mut bytes = vec![0; length.context("a message without a length")?];
    input.read_exact(&mut bytes)?;
    Ok(serde_json::from_slice(&bytes)?)
}
