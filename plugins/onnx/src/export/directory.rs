//! The directory of an export: all files are written under temporary names, and renamed when all are there.

use examiner_api::{PluginError, Result};
use examiner_families::Plan;
use examiner_lm::checkpoint::Checkpoint;
use serde_json::{Map, Value, json};
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

/// The graph, with its weights where they have room. It is renamed last: where it is, all else is.
pub(super) const MODEL: &str = "model.onnx";
/// The weights, where they have a file of their own.
pub(super) const DATA: &str = "model.onnx_data";

/// Files that are carried over as they are, where the checkpoint has them.
const CARRIED: [&str; 9] = [
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "merges.txt",
    "generation_config.json",
    "chat_template.jinja",
    "chat_template.json",
];

/// Files that are not there yet under their own names. What is not published is removed.
pub(super) struct Directory {
    path: PathBuf,
    names: Vec<String>,
}

impl Directory {
    /// # Errors
    /// `Io` if the directory cannot be made.
    pub(super) fn new(path: &Path) -> Result<Self> {
        std::fs::create_dir_all(path).map_err(|error| PluginError::io("make", path, &error))?;
        Ok(Directory { path: path.to_owned(), names: Vec::new() })
    }

    /// Begins a file.
    pub(super) fn create(&mut self, name: &str) -> Result<Pending> {
        let path = self.part(name);
        let file = File::create(&path).map_err(|error| PluginError::io("write", &path, &error))?;
        self.names.push(name.to_owned());
        Ok(Pending { file: BufWriter::new(file), path, position: 0 })
    }

    /// Writes `config.json` with the number type of the export and what of its shape a reader would take for something else,
    /// and all that belongs to the tokenizer.
    pub(super) fn carry(&mut self, checkpoint: &Checkpoint, plan: &Plan, dtype: &str) -> Result<()> {
        let mut config = checkpoint.config.clone();
        if let Some(config) = config.as_object_mut() {
            // The older of two names for the same.
            config.shift_remove("torch_dtype");
            config.insert("dtype".to_owned(), json!(dtype));
            describe(config, plan);
        }
        self.file("config.json", pretty(&config).as_bytes())?;
        for name in CARRIED {
            if let Some(path) = checkpoint.fetch_optional(name)? {
                let bytes = std::fs::read(&path).map_err(|error| PluginError::io("read", &path, &error))?;
                self.file(name, &bytes)?;
            }
        }
        Ok(())
    }

    /// Writes a whole file.
    pub(super) fn file(&mut self, name: &str, bytes: &[u8]) -> Result<()> {
        let mut file = self.create(name)?;
        file.put(bytes)?;
        file.finish().map(drop)
    }

    /// Gives all files their names.
    ///
    /// # Errors
    /// `Io` if a file cannot be renamed.
    pub(super) fn publish(mut self) -> Result<()> {
        // What an earlier export left would be read beside the new graph, or be mistaken for a part of it.
        for name in [MODEL, DATA] {
            let path = self.path.join(name);
            match std::fs::remove_file(&path) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(PluginError::io("remove", &path, &error));
                }
                _ => (),
            }
        }
        self.names.sort_by_key(|name| name == MODEL);
        while let Some(name) = self.names.first() {
            let part = self.part(name);
            std::fs::rename(&part, self.path.join(name)).map_err(|error| PluginError::io("rename", &part, &error))?;
            self.names.remove(0);
        }
        File::open(&self.path)
            .and_then(|directory| directory.sync_all())
            .map_err(|error| PluginError::io("sync", &self.path, &error))
    }

    fn part(&self, name: &str) -> PathBuf {
        self.path.join(format!(".{name}.part"))
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        for name in &self.names {
            // Nothing more can be done about a file that cannot be removed.
            let _ = std::fs::remove_file(self.part(name));
        }
    }
}

/// A file that is being written.
pub(super) struct Pending {
    file: BufWriter<File>,
    path: PathBuf,
    position: u64,
}

impl Pending {
    /// Where it lies, for messages.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Bytes written.
    pub(super) fn position(&self) -> u64 {
        self.position
    }

    /// Writes bytes.
    pub(super) fn put(&mut self, bytes: &[u8]) -> Result<()> {
        self.write_all(bytes).map_err(|error| PluginError::io("write", &self.path, &error))
    }

    /// Writes zeros up to a multiple of `alignment`, and says where that is.
    pub(super) fn pad(&mut self, alignment: u64) -> Result<u64> {
        let missing = self.position.next_multiple_of(alignment) - self.position;
        self.put(&vec![0; missing as usize])?;
        Ok(self.position)
    }

    /// Makes sure that the file is on the disk, and gives its length.
    pub(super) fn finish(mut self) -> Result<u64> {
        let done = self.file.flush().and_then(|()| self.file.get_ref().sync_all());
        done.map_err(|error| PluginError::io("write", &self.path, &error))?;
        Ok(self.position)
    }
}

impl Write for Pending {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.position += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.file.flush()
    }
}

/// Adds sizes of the graph's inputs that do not follow from a configuration without its family: readers of ONNX models know
/// names of sizes, and no families.
fn describe(config: &mut Map<String, Value>, plan: &Plan) {
    let first = |config: &Map<String, Value>, names: &[&str]| {
        names.iter().find_map(|name| config.get(*name)).and_then(Value::as_u64).map(|size| size as usize)
    };
    let heads = first(config, &["num_attention_heads", "n_head"]).unwrap_or(plan.heads);
    let width = first(config, &["hidden_size", "n_embd"]).unwrap_or(plan.width);
    if first(config, &["head_dim"]).unwrap_or(width / heads) != plan.head_width {
        config.insert("head_dim".to_owned(), json!(plan.head_width));
    }
    if first(config, &["num_key_value_heads"]).unwrap_or(heads) != plan.kv_heads {
        config.insert("num_key_value_heads".to_owned(), json!(plan.kv_heads));
    }
    let longest = ["n_positions", "max_position_embeddings"];
    // The graph has the rotations of so many positions and no more. The other name stays: rotations are computed from it.
    if first(config, &longest) != Some(plan.context) {
        config.insert("n_positions".to_owned(), json!(plan.context));
    }
}

fn pretty(value: &Value) -> String {
    format!("{value:#}\n")
}
