//! The tensors of a checkpoint, checked one by one against what the model expects, and converted as they are written.

use super::files::Files;
use super::graph::{Source, Weight};
use super::options::NumberType;
use super::rounding::Rounded;
use examiner_api::{ErrorCode, PluginError, Result};
use examiner_families::{Rope, row_of_pair};
use examiner_gguf::Gguf;
use examiner_lm::checkpoint::{UnusedTensors, WeightFiles, check_tensor};
use half::f16;
use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

/// Numbers that are converted at a time.
const CHUNK: usize = 1 << 16;

/// Positions of which angles are computed at a time.
const POSITIONS: u32 = 1 << 10;

/// Files of which every tensor must be asked for.
pub(super) struct Weights {
    files: Files,
    unused: UnusedTensors,
    /// Tensors with the two rows of each rotated pair side by side, and the rows of a head.
    pairs: BTreeMap<String, usize>,
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
    /// Maps safetensors files.
    ///
    /// # Errors
    /// As [`Files::map`].
    pub(super) fn open(files: &WeightFiles) -> Result<Self> {
        Ok(Self::of(Files::map(files)?, &files.path))
    }

    /// The tensors of a GGUF file.
    pub(super) fn gguf(gguf: Gguf) -> Self {
        let path = gguf.path().to_owned();
        Self::of(Files::Gguf(gguf), &path)
    }

    fn of(files: Files, path: &Path) -> Self {
        let unused = UnusedTensors::new(path.to_owned(), files.names());
        Weights { files, unused, pairs: BTreeMap::new() }
    }

    /// Whether any tensor's name begins so.
    pub(super) fn has_prefix(&self, prefix: &str) -> bool {
        self.unused.has_prefix(prefix)
    }

    /// Refuses an output head that should be the embedding and is not.
    pub(super) fn check_tied(&self, head: &str, embedding: &str) -> Result<()> {
        self.unused.check_tied(head, embedding, |a, b| self.files.same(a, b))
    }

    /// Says that rows of a tensor come in rotated pairs, in heads of so many rows; they will be written half a head apart.
    pub(super) fn put_pairs_apart(&mut self, name: &str, head: usize) {
        self.pairs.insert(name.to_owned(), head);
    }

    /// Asks for a tensor.
    ///
    /// # Errors
    /// `BadInput` if it does not exist, has another shape, or is not of floating-point numbers.
    pub(super) fn take(&mut self, name: &str, shape: &[usize]) -> Result<()> {
        self.unused.take(name, shape)?;
        let (path, found, other_type) = self.files.look(name)?;
        check_tensor(name, path, shape, &found, other_type.as_deref())
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
            Source::Tensor(name) => self.copy(name, rows as usize, |number| number, dtype, out, path),
            Source::PlusOne(name) => self.copy(name, rows as usize, |number| number + 1.0, dtype, out, path),
            Source::Cosines(rope) => Target { what: computed(), dtype, out, path }.put(cosines(rope, rows)),
            Source::Sines(rope) => Target { what: computed(), dtype, out, path }.put(sines(rope, rows)),
            Source::Rounded(rounded) => self.round(rounded, dtype, out, path),
        }
    }

    /// Writes a part of a rounded matrix, output by output.
    fn round(&self, rounded: &Rounded, dtype: NumberType, out: &mut impl Write, path: &Path) -> Result<()> {
        let (numbers, file) = self.files.numbers(&rounded.tensor)?;
        let what = format!("tensor `{}` of `{}`", rounded.tensor, file.display());
        let mut target = Target { what, dtype, out, path };
        let row = self.row(&rounded.tensor);
        for output in 0..rounded.outputs {
            let place = |input| rounded.place(row(output), input);
            let row: Vec<f32> = (0..rounded.inputs).map(|input| numbers.at(place(input))).collect();
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
        rows: usize,
        change: impl Fn(f32) -> f32,
        dtype: NumberType,
        out: &mut impl Write,
        path: &Path,
    ) -> Result<()> {
        let (numbers, file) = self.files.numbers(name)?;
        let what = format!("tensor `{name}` of `{}`", file.display());
        let (width, row) = (numbers.len() / rows.max(1), self.row(name));
        let places = (0..rows).flat_map(|place| (0..width).map(move |column| (place, column)));
        let numbers = places.map(|(place, column)| change(numbers.at(row(place) * width + column)));
        Target { what, dtype, out, path }.put(numbers)
    }

    /// Which row of a tensor in its file comes to a place.
    fn row(&self, name: &str) -> impl Fn(usize) -> usize {
        let head = self.pairs.get(name).copied();
        move |place| head.map_or(place, |head| row_of_pair(place, head))
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
