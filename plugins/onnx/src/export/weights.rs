//! The tensors of a checkpoint, checked one by one against what the model expects, and converted as they are written.

use super::graph::{Source, Weight};
use super::options::NumberType;
use super::rounding::Rounded;
use examiner_api::{ErrorCode, PluginError, Result};
use examiner_families::Rope;
use examiner_lm::checkpoint::{UnusedTensors, WeightFiles, check_tensor};
use half::{bf16, f16};
use memmap2::Mmap;
use safetensors::tensor::{Metadata, TensorInfo};
use safetensors::{Dtype, SafeTensors};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Numbers that are converted at a time.
const CHUNK: usize = 1 << 16;

/// Positions of which angles are computed at a time.
const POSITIONS: u32 = 1 << 10;

/// Memory-mapped safetensors files of which every tensor must be asked for.
pub(super) struct Weights {
    files: Vec<File>,
    /// The file of each tensor.
    file_of: BTreeMap<String, usize>,
    unused: UnusedTensors,
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

/// Where numbers are written to, and as what.
struct Target<'a, W> {
    /// The tensor's name and the file that it is from, for messages.
    what: String,
    dtype: NumberType,
    out: &'a mut W,
    path: &'a Path,
}

impl Weights {
    /// Maps the files.
    ///
    /// # Errors
    /// `NotFound` or `Io` if one cannot be read, `BadInput` if it is cut off, no safetensors file at all, or holds other
    /// tensors than the index lists.
    pub(super) fn open(files: &WeightFiles) -> Result<Self> {
        let mut opened = Vec::with_capacity(files.shards.len());
        let mut file_of = BTreeMap::new();
        for (index, shard) in files.shards.iter().enumerate() {
            let file = File::open(&shard.path)?;
            let names: BTreeSet<String> = file.metadata.tensors().into_keys().collect();
            shard.check(&names, &files.path)?;
            file_of.extend(names.into_iter().map(|name| (name, index)));
            opened.push(file);
        }
        let unused = UnusedTensors::new(files.path.clone(), file_of.keys().cloned().collect());
        Ok(Weights { files: opened, file_of, unused })
    }

    /// Whether any tensor's name begins so.
    pub(super) fn has_prefix(&self, prefix: &str) -> bool {
        self.unused.has_prefix(prefix)
    }

    /// Refuses an output head that should be the embedding and is not.
    pub(super) fn check_tied(&self, head: &str, embedding: &str) -> Result<()> {
        self.unused.check_tied(head, embedding, |a, b| match (self.find(a), self.find(b)) {
            (Some(a), Some(b)) => a.info.dtype == b.info.dtype && a.info.shape == b.info.shape && a.bytes == b.bytes,
            _ => false,
        })
    }

    /// Asks for a tensor.
    ///
    /// # Errors
    /// `BadInput` if it does not exist, has another shape, or is not of floating-point numbers.
    pub(super) fn take(&mut self, name: &str, shape: &[usize]) -> Result<()> {
        self.unused.take(name, shape)?;
        let Found { info, path, .. } = self.tensor(name)?;
        let fits = matches!(info.dtype, Dtype::F32 | Dtype::F16 | Dtype::BF16);
        let other_type = (!fits).then(|| format!("{:?}", info.dtype));
        check_tensor(name, path, shape, &info.shape, other_type.as_deref())
    }

    /// Refuses files with tensors that were not asked for, other than those that `known` accepts.
    pub(super) fn finish(&self, known: impl Fn(&str) -> bool) -> Result<()> {
        self.unused.finish(known)
    }

    /// Writes the numbers of a weight, little-endian, as `dtype`. `out` is named for messages.
    ///
    /// # Errors
    /// `Numeric` for a number that is not finite, or that `dtype` cannot hold; `Io` if writing fails.
    pub(super) fn write(&self, weight: &Weight, dtype: NumberType, out: &mut impl Write, path: &Path) -> Result<()> {
        let computed = || format!("`{}`, which is computed,", weight.name);
        let rows = weight.shape.first().copied().unwrap_or_default() as u32;
        match &weight.source {
            Source::Tensor(name) => self.copy(name, |number| number, dtype, out, path),
            Source::PlusOne(name) => self.copy(name, |number| number + 1.0, dtype, out, path),
            Source::Cosines(rope) => Target { what: computed(), dtype, out, path }.put(cosines(rope, rows)),
            Source::Sines(rope) => Target { what: computed(), dtype, out, path }.put(sines(rope, rows)),
            Source::Rounded(rounded) => self.round(rounded, dtype, out, path),
        }
    }

    /// Writes a part of a rounded matrix, output by output.
    fn round(&self, rounded: &Rounded, dtype: NumberType, out: &mut impl Write, path: &Path) -> Result<()> {
        let found = self.tensor(&rounded.tensor)?;
        let what = format!("tensor `{}` of `{}`", rounded.tensor, found.path.display());
        let mut target = Target { what, dtype, out, path };
        for output in 0..rounded.outputs {
            let row: Vec<f32> = (0..rounded.inputs).map(|input| found.number(rounded.place(output, input))).collect();
            if let Some(number) = row.iter().find(|number| !number.is_finite()) {
                return Err(target.unfit(*number));
            }
            target.flush(&mut rounded.bytes(&row))?;
        }
        Ok(())
    }

    /// Writes a tensor of the checkpoint, each number changed.
    fn copy(
        &self,
        name: &str,
        change: impl Fn(f32) -> f32,
        dtype: NumberType,
        out: &mut impl Write,
        path: &Path,
    ) -> Result<()> {
        let found = self.tensor(name)?;
        let what = format!("tensor `{name}` of `{}`", found.path.display());
        let mut target = Target { what, dtype, out, path };
        let (words, halves) = (found.bytes.as_chunks::<4>().0, found.bytes.as_chunks::<2>().0);
        match found.info.dtype {
            Dtype::F32 => target.put(words.iter().map(|&number| change(f32::from_le_bytes(number)))),
            Dtype::F16 => target.put(halves.iter().map(|&number| change(f16::from_le_bytes(number).to_f32()))),
            _ => target.put(halves.iter().map(|&number| change(bf16::from_le_bytes(number).to_f32()))),
        }
    }

    fn find(&self, name: &str) -> Option<Found<'_>> {
        let file = self.files.get(*self.file_of.get(name)?)?;
        let info = file.metadata.info(name)?;
        let (start, end) = info.data_offsets;
        Some(Found { info, bytes: file.bytes.get(file.start + start..file.start + end)?, path: &file.path })
    }

    fn tensor(&self, name: &str) -> Result<Found<'_>> {
        self.find(name).ok_or_else(|| PluginError::bad_input(format!("no tensor `{name}` in the checkpoint")))
    }
}

impl Found<'_> {
    /// The number at an index.
    fn number(&self, index: usize) -> f32 {
        let (words, halves) = (self.bytes.as_chunks::<4>().0, self.bytes.as_chunks::<2>().0);
        match self.info.dtype {
            Dtype::F32 => f32::from_le_bytes(words[index]),
            Dtype::F16 => f16::from_le_bytes(halves[index]).to_f32(),
            _ => bf16::from_le_bytes(halves[index]).to_f32(),
        }
    }
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

impl<W: Write> Target<'_, W> {
    fn put(&mut self, numbers: impl Iterator<Item = f32>) -> Result<()> {
        let size = CHUNK * self.dtype.size();
        let mut buffer = Vec::with_capacity(size);
        for number in numbers {
            match self.dtype {
                NumberType::F32 if number.is_finite() => buffer.extend(number.to_le_bytes()),
                NumberType::F16 if f16::from_f32(number).is_finite() => {
                    buffer.extend(f16::from_f32(number).to_le_bytes());
                }
                _ => return Err(self.unfit(number)),
            }
            if buffer.len() == size {
                self.flush(&mut buffer)?;
            }
        }
        self.flush(&mut buffer)
    }

    fn flush(&mut self, buffer: &mut Vec<u8>) -> Result<()> {
        self.out.write_all(buffer).map_err(|error| PluginError::io("write", self.path, &error))?;
        buffer.clear();
        Ok(())
    }

    fn unfit(&self, number: f32) -> PluginError {
        let what = format!("{} holds {number}", self.what);
        match number.is_finite() {
            true => PluginError::new(ErrorCode::Numeric, format!("{what}, more than `f16` can hold (65504)"))
                .with_help("write `dtype: f32`"),
            false => PluginError::new(ErrorCode::Numeric, format!("{what}, which is no number to compute with"))
                .with_help("the training that wrote the checkpoint went wrong, or the file was damaged"),
        }
    }
}

/// The cosines of all positions below `count`, row by row.
fn cosines(rope: &Rope, count: u32) -> impl Iterator<Item = f32> {
    angles(rope, count).flat_map(|(row, pairs)| row.into_iter().take(pairs))
}

/// The sines likewise.
fn sines(rope: &Rope, count: u32) -> impl Iterator<Item = f32> {
    angles(rope, count).flat_map(|(row, pairs)| row.into_iter().skip(pairs))
}

/// Of each position below `count`, cosines and then sines, and how many there are of each.
fn angles(rope: &Rope, count: u32) -> impl Iterator<Item = (Vec<f32>, usize)> {
    let pairs = rope.rotated() / 2;
    (0..count).step_by(POSITIONS as usize).flat_map(move |first| {
        let positions: Vec<u32> = (first..count.min(first + POSITIONS)).collect();
        let all = rope.angles(&positions);
        let rows: Vec<Vec<f32>> = all.chunks(2 * pairs).map(<[f32]>::to_vec).collect();
        rows.into_iter().map(move |row| (row, pairs))
    })
}
