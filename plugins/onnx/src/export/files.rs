//! The files that a checkpoint's tensors are in: memory-mapped safetensors, or GGUF, whose blocks become numbers as they are read.

use examiner_api::{PluginError, Result};
use examiner_gguf::Gguf;
use examiner_lm::checkpoint::WeightFiles;
use half::{bf16, f16};
use memmap2::Mmap;
use safetensors::tensor::{Metadata, TensorInfo};
use safetensors::{Dtype, SafeTensors};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// The files of a checkpoint.
pub(super) enum Files {
    Safetensors(Safetensors),
    Gguf(Gguf),
}

/// Memory-mapped safetensors files.
pub(super) struct Safetensors {
    files: Vec<File>,
    /// The file of each tensor.
    file_of: BTreeMap<String, usize>,
}

struct File {
    path: PathBuf,
    bytes: Mmap,
    metadata: Metadata,
    /// Where the numbers of the first tensor begin.
    start: usize,
}

/// A tensor in its file.
struct Found<'a> {
    info: &'a TensorInfo,
    bytes: &'a [u8],
    path: &'a Path,
}

/// The numbers of a tensor.
pub(super) enum Numbers<'a> {
    /// As they are in the file.
    Words(&'a [[u8; 4]]),
    Halves(&'a [[u8; 2]]),
    Bfloats(&'a [[u8; 2]]),
    /// What blocks stand for.
    Computed(Vec<f32>),
}

impl Numbers<'_> {
    /// How many there are.
    pub(super) fn len(&self) -> usize {
        match self {
            Numbers::Words(words) => words.len(),
            Numbers::Halves(halves) | Numbers::Bfloats(halves) => halves.len(),
            Numbers::Computed(numbers) => numbers.len(),
        }
    }

    /// The number at an index.
    pub(super) fn at(&self, index: usize) -> f32 {
        match self {
            Numbers::Words(words) => f32::from_le_bytes(words[index]),
            Numbers::Halves(halves) => f16::from_le_bytes(halves[index]).to_f32(),
            Numbers::Bfloats(halves) => bf16::from_le_bytes(halves[index]).to_f32(),
            Numbers::Computed(numbers) => numbers[index],
        }
    }
}

impl Files {
    /// Maps safetensors files.
    ///
    /// # Errors
    /// `NotFound` or `Io` if one cannot be read, `BadInput` if it is cut off, no safetensors file at all, or holds other
    /// tensors than the index lists.
    pub(super) fn map(files: &WeightFiles) -> Result<Self> {
        let mut opened = Vec::with_capacity(files.shards.len());
        let mut file_of = BTreeMap::new();
        for (index, shard) in files.shards.iter().enumerate() {
            let file = File::open(&shard.path)?;
            let names: BTreeSet<String> = file.metadata.tensors().into_keys().collect();
            shard.check(&names, &files.path)?;
            file_of.extend(names.into_iter().map(|name| (name, index)));
            opened.push(file);
        }
        Ok(Files::Safetensors(Safetensors { files: opened, file_of }))
    }

    /// The names of all weights.
    pub(super) fn names(&self) -> BTreeSet<String> {
        match self {
            Files::Safetensors(files) => files.file_of.keys().cloned().collect(),
            Files::Gguf(gguf) => gguf.weights(),
        }
    }

    /// The file of a tensor, its shape, and its number type if that is none that weights may have.
    ///
    /// # Errors
    /// `BadInput` if it does not exist.
    pub(super) fn look(&self, name: &str) -> Result<(&Path, Vec<usize>, Option<String>)> {
        match self {
            Files::Safetensors(files) => {
                let Found { info, path, .. } = files.tensor(name)?;
                let fits = matches!(info.dtype, Dtype::F32 | Dtype::F16 | Dtype::BF16);
                Ok((path, info.shape.clone(), (!fits).then(|| format!("{:?}", info.dtype))))
            }
            Files::Gguf(gguf) => {
                let shape = gguf.shape(name).ok_or_else(|| missing(name))?;
                Ok((gguf.file_of(name), shape.to_vec(), None))
            }
        }
    }

    /// The numbers of a tensor, and its file.
    ///
    /// # Errors
    /// `BadInput` if it does not exist or cannot be read.
    pub(super) fn numbers(&self, name: &str) -> Result<(Numbers<'_>, &Path)> {
        match self {
            Files::Safetensors(files) => {
                let Found { info, bytes, path } = files.tensor(name)?;
                let (words, halves) = (bytes.as_chunks::<4>().0, bytes.as_chunks::<2>().0);
                let numbers = match info.dtype {
                    Dtype::F32 => Numbers::Words(words),
                    Dtype::F16 => Numbers::Halves(halves),
                    _ => Numbers::Bfloats(halves),
                };
                Ok((numbers, path))
            }
            Files::Gguf(gguf) => Ok((Numbers::Computed(gguf.numbers(name)?), gguf.file_of(name))),
        }
    }

    /// Whether two tensors are there and hold the same bytes.
    pub(super) fn same(&self, a: &str, b: &str) -> bool {
        match self {
            Files::Safetensors(files) => match (files.find(a), files.find(b)) {
                (Some(a), Some(b)) => {
                    a.info.dtype == b.info.dtype && a.info.shape == b.info.shape && a.bytes == b.bytes
                }
                _ => false,
            },
            Files::Gguf(_) => false,
        }
    }
}

impl Safetensors {
    fn find(&self, name: &str) -> Option<Found<'_>> {
        let file = self.files.get(*self.file_of.get(name)?)?;
        let info = file.metadata.info(name)?;
        let (start, end) = info.data_offsets;
        Some(Found { info, bytes: file.bytes.get(file.start + start..file.start + end)?, path: &file.path })
    }

    fn tensor(&self, name: &str) -> Result<Found<'_>> {
        self.find(name).ok_or_else(|| missing(name))
    }
}

fn missing(name: &str) -> PluginError {
    PluginError::bad_input(format!("no tensor `{name}` in the checkpoint"))
}

impl File {
    fn open(path: &Path) -> Result<Self> {
        let io = |error: std::io::Error| PluginError::io("read", path, &error);
        let file = fs::File::open(path).map_err(io)?;
        let incomplete = || {
            PluginError::bad_input(format!("`{}` is not a complete safetensors file", path.display()))
                .with_help("it may have been cut off while it was downloaded or copied: fetch it again")
        };
        if file.metadata().map_err(io)?.len() == 0 {
            return Err(incomplete());
        }
        // SAFETY: like every program that maps its weights, we rely on nobody changing the file while it is read.
        let bytes = unsafe { Mmap::map(&file) }.map_err(io)?;
        let (header, metadata) = SafeTensors::read_metadata(&bytes).map_err(|error| incomplete().with_cause(&error))?;
        Ok(File { path: path.to_owned(), bytes, metadata, start: 8 + header })
    }
}
