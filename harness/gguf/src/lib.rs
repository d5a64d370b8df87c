//! GGUF files: configuration, tokenizer and weights in one file, or in several parts of which the first has all but weights.
//!
//! What a file says of its model becomes what other checkpoints have: a `config.json` ([`config`]), a plan of `examiner_families`
//! ([`plan`]) and the description of a tokenizer. What becomes of the weights is a plugin's business: it gets the blocks as they are
//! stored, or their numbers.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

mod config;
mod header;
mod numbers;
mod parts;
mod plan;
mod tokenizer;

pub use self::config::config;
pub use self::numbers::{NumberType, Stored};
pub use self::plan::plan;

pub(crate) use self::header::Item;

use self::header::{Header, TensorInfo};
use self::numbers::SUPPORTED;
use examiner_api::{Host, PluginError, Result};
use parking_lot::Mutex;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

/// Tensors that belong to the configuration, and are read with it: the factors of rotations.
const CONFIGURATION: [&str; 3] = ["rope_freqs.weight", "rope_factors_short.weight", "rope_factors_long.weight"];

/// A model's GGUF file, open, or its parts.
#[derive(Debug)]
pub struct Gguf {
    parts: Vec<Part>,
    items: BTreeMap<String, Item>,
    /// By name, the part that a tensor is in, and where there.
    tensors: BTreeMap<String, (usize, TensorInfo, NumberType)>,
}

#[derive(Debug)]
struct Part {
    path: PathBuf,
    file: Mutex<File>,
}

impl Gguf {
    /// Whether an address is that of a GGUF file.
    pub fn is_address(address: &str) -> bool {
        address.ends_with(".gguf")
    }

    /// Finds and opens a file, and those of its other parts. All but the weights is read.
    ///
    /// # Errors
    /// `NotFound` for a file or part that does not exist, `BadInput` for one that is cut off, no GGUF file, or another part
    /// than its name says, `Unsupported` for a number type that is not read.
    pub fn open(address: &str, host: &Host) -> Result<Self> {
        let (first, header) = Part::open(host.fetch(address)?)?;
        let whole = |key: &str| match header.items.get(key) {
            Some(Item::Whole(whole)) => Some(*whole),
            _ => None,
        };
        let count = whole("split.count").unwrap_or(1);
        let addresses = parts::addresses(address, whole("split.no").unwrap_or(0), count)?;
        let expected = whole("split.tensors.count");
        let mut gguf = Gguf { parts: Vec::new(), items: header.items, tensors: BTreeMap::new() };
        gguf.add(first, header.tensors)?;
        for (number, address) in addresses.iter().enumerate().skip(1) {
            let found = host.fetch(address).map_err(|mut error| {
                error.message = format!("part {} of {count} is missing: {}", number + 1, error.message);
                error
            })?;
            let (part, header) = Part::open(found)?;
            let says = |key: &str| header.items.get(key).cloned();
            let expected = [Some(Item::Whole(number as i128)), Some(Item::Whole(count))];
            if [says("split.no"), says("split.count")] != expected {
                return Err(part.wrong(format!("is not part {} of {count} by what it says itself", number + 1)));
            }
            gguf.add(part, header.tensors)?;
        }
        match expected {
            Some(expected) if expected != gguf.tensors.len() as i128 => Err(gguf
                .wrong(format!(
                    "`split.tensors.count` is {expected}, but the parts have {} tensors",
                    gguf.tensors.len()
                ))
                .with_help("the parts may be of different models")),
            _ => Ok(gguf),
        }
    }

    /// Takes the tensors of a part for those of the model.
    fn add(&mut self, part: Part, tensors: BTreeMap<String, TensorInfo>) -> Result<()> {
        for (name, info) in tensors {
            let number_type = NumberType::numbered(info.kind).map_err(|kind| {
                let path = part.path.display();
                PluginError::unsupported(format!(
                    "tensor `{name}` of `{path}` is of the type {kind}, which is not read"
                ))
                .with_help(format!("use a file with these types alone: {SUPPORTED}"))
            })?;
            if let Some((other, ..)) = self.tensors.get(&name) {
                return Err(
                    part.wrong(format!("has the tensor `{name}` of `{}` again", self.path_of(*other).display()))
                );
            }
            self.tensors.insert(name, (self.parts.len(), info, number_type));
        }
        self.parts.push(part);
        Ok(())
    }

    /// The file; of several parts the first.
    pub fn path(&self) -> &Path {
        self.path_of(0)
    }

    fn path_of(&self, part: usize) -> &Path {
        self.parts.get(part).map_or(Path::new(""), |part| &part.path)
    }

    /// The files of all parts after the first.
    pub fn further_paths(&self) -> Vec<PathBuf> {
        self.parts.iter().skip(1).map(|part| part.path.clone()).collect()
    }

    /// A value of the metadata.
    pub(crate) fn item(&self, key: &str) -> Option<&Item> {
        self.items.get(key)
    }

    /// A text of the metadata.
    pub(crate) fn text(&self, key: &str) -> Result<Option<&str>> {
        match self.item(key) {
            None => Ok(None),
            Some(Item::Text(text)) => Ok(Some(text)),
            Some(_) => Err(self.unexpected(key, "a text")),
        }
    }

    /// A truth of the metadata.
    pub(crate) fn flag(&self, key: &str) -> Result<Option<bool>> {
        match self.item(key) {
            None => Ok(None),
            Some(Item::Flag(flag)) => Ok(Some(*flag)),
            Some(_) => Err(self.unexpected(key, "true or false")),
        }
    }

    /// A number of the metadata.
    pub(crate) fn number(&self, key: &str) -> Result<Option<f64>> {
        match self.item(key) {
            None => Ok(None),
            Some(Item::Number(number)) => Ok(Some(*number)),
            Some(Item::Whole(whole)) => Ok(Some(*whole as f64)),
            Some(_) => Err(self.unexpected(key, "a number")),
        }
    }

    /// A whole number of the metadata. Where layers may differ, there is a list, which is one number if they do not.
    pub(crate) fn whole(&self, key: &str) -> Result<Option<usize>> {
        let whole = match self.item(key) {
            None => return Ok(None),
            Some(Item::Whole(whole)) => usize::try_from(*whole).ok(),
            Some(Item::Wholes(list)) => match list.split_first() {
                Some((first, rest)) if rest.iter().all(|other| other == first) => usize::try_from(*first).ok(),
                Some(_) => {
                    return Err(PluginError::unsupported(format!(
                        "`{}`: `{key}` differs from layer to layer",
                        self.path().display()
                    )));
                }
                None => None,
            },
            Some(_) => None,
        };
        whole.map(Some).ok_or_else(|| self.unexpected(key, "a whole number"))
    }

    /// An error over a value that is not what it should be.
    pub(crate) fn unexpected(&self, key: &str, expected: &str) -> PluginError {
        let found = match self.item(key) {
            None => "nothing".to_owned(),
            Some(Item::Whole(whole)) => format!("`{whole}`"),
            Some(Item::Number(number)) => format!("`{number}`"),
            Some(Item::Flag(flag)) => format!("`{flag}`"),
            Some(Item::Text(text)) => format!("`{text}`"),
            Some(Item::Other(what)) => (*what).to_owned(),
            Some(Item::Wholes(_) | Item::Numbers(_)) => "a list of numbers".to_owned(),
            Some(Item::Texts(_)) => "a list of texts".to_owned(),
        };
        self.wrong(format!("expected `{key}` to be {expected}, found {found}"))
    }

    /// An error that names the file.
    pub(crate) fn wrong(&self, what: String) -> PluginError {
        PluginError::bad_input(format!("`{}`: {what}", self.path().display()))
    }

    /// The names of all tensors.
    pub fn names(&self) -> BTreeSet<String> {
        self.tensors.keys().cloned().collect()
    }

    /// Whether there is a tensor of that name.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.tensors.contains_key(name)
    }

    /// The shape of a tensor, the slowest axis first.
    pub fn shape(&self, name: &str) -> Option<&[usize]> {
        self.tensors.get(name).map(|(_, info, _)| info.shape.as_slice())
    }

    /// The file that a tensor is in.
    pub fn file_of(&self, name: &str) -> &Path {
        self.path_of(self.tensors.get(name).map_or(0, |(part, ..)| *part))
    }

    /// Whether any matrix is quantized.
    pub fn has_blocks(&self) -> bool {
        self.tensors.values().any(|(_, info, number_type)| info.shape.len() == 2 && number_type.block().0 > 1)
    }

    /// Reads a tensor as it is stored.
    ///
    /// # Errors
    /// If it does not exist, is not whole blocks, or reaches beyond the end of the file.
    pub fn read(&self, name: &str) -> candle_core::Result<Stored> {
        let missing = || candle_core::Error::CannotFindTensor { path: name.to_owned() };
        let (part, info, number_type) = self.tensors.get(name).ok_or_else(missing)?;
        let (block, bytes) = number_type.block();
        // Rows are quantized one by one. The limit keeps what candle multiplies a number.
        let elements = info.shape.iter().try_fold(1_usize, |product, size| product.checked_mul(*size));
        let elements = elements.filter(|elements| *elements <= isize::MAX as usize / 16);
        let blocks = elements.filter(|_| info.shape.last().is_some_and(|row| row.is_multiple_of(block)));
        let Some(size) = blocks.map(|elements| elements / block * bytes) else {
            candle_core::bail!("the shape {:?} is not one of blocks of {block} numbers in memory", info.shape);
        };
        let part = self.parts.get(*part).ok_or_else(missing)?;
        Ok(Stored { number_type: *number_type, bytes: part.read(info.start, size)?, shape: info.shape.clone() })
    }

    /// The numbers of a tensor, in 32 bits, the fastest axis last.
    ///
    /// # Errors
    /// `BadInput` if it cannot be read.
    pub fn numbers(&self, name: &str) -> Result<Vec<f32>> {
        let numbers = self.read(name).and_then(|stored| stored.dequantize()?.flatten_all()?.to_vec1());
        numbers.map_err(|error| {
            let file = self.file_of(name).display();
            PluginError::bad_input(format!("cannot read tensor `{name}` of `{file}`")).with_cause(&error)
        })
    }

    /// The same; none where there is no such tensor.
    ///
    /// # Errors
    /// `BadInput` if it cannot be read.
    pub(crate) fn vector(&self, name: &str) -> Result<Option<Vec<f32>>> {
        self.has(name).then(|| self.numbers(name)).transpose()
    }

    /// The names of the tensors that are weights: those that belong to the configuration are left out.
    pub fn weights(&self) -> BTreeSet<String> {
        let mut names = self.names();
        names.retain(|name| !CONFIGURATION.contains(&name.as_str()));
        names
    }
}

impl Part {
    fn open(path: PathBuf) -> Result<(Self, Header)> {
        let file = File::open(&path).map_err(|error| PluginError::io("open", &path, &error))?;
        let header = header::read(&file).map_err(|error| {
            let message = format!("`{}` is not a GGUF file that can be read: {error}", path.display());
            PluginError::bad_input(message).with_help("it may have been cut off: fetch or copy it again")
        })?;
        Ok((Part { path, file: Mutex::new(file) }, header))
    }

    fn read(&self, start: u64, size: usize) -> candle_core::Result<Vec<u8>> {
        let mut file = self.file.lock();
        let left = file.metadata()?.len().saturating_sub(start);
        if size as u64 > left {
            candle_core::bail!("it has {size} bytes from byte {start} on, and the file only {left}");
        }
        let mut bytes = vec![0; size];
        file.seek(SeekFrom::Start(start))?;
        file.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    fn wrong(&self, what: String) -> PluginError {
        PluginError::bad_input(format!("`{}` {what}", self.path.display()))
    }
}
