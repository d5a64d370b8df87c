//! The tensors of a checkpoint, checked one by one against what the model expects, and converted as they are written.

use super::options::NumberType;
use examiner_api::{ErrorCode, PluginError, Result};
use examiner_lm::checkpoint::{UnusedTensors, check_tensor};
use half::{bf16, f16};
use memmap2::Mmap;
use safetensors::tensor::{Metadata, TensorInfo};
use safetensors::{Dtype, SafeTensors};
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Numbers that are converted at a time.
const CHUNK: usize = 1 << 16;

/// A memory-mapped safetensors file of which every tensor must be asked for.
pub(super) struct Weights {
    path: PathBuf,
    file: Mmap,
    metadata: Metadata,
    /// Where the numbers of the first tensor begin.
    start: usize,
    unused: UnusedTensors,
}

impl Weights {
    /// Maps a file.
    ///
    /// # Errors
    /// `NotFound` or `Io` if it cannot be read, `BadInput` if it is cut off or no safetensors file at all.
    pub(super) fn open(path: &Path) -> Result<Self> {
        let io = |error: std::io::Error| PluginError::io("read", path, &error);
        let file = File::open(path).map_err(io)?;
        let incomplete = || {
            PluginError::bad_input(format!("`{}` is not a complete safetensors file", path.display()))
                .with_help("it may have been cut off while it was downloaded or copied: fetch it again")
        };
        if file.metadata().map_err(io)?.len() == 0 {
            return Err(incomplete());
        }
        // SAFETY: like every program that maps its weights, we rely on nobody changing the file while it is read.
        let file = unsafe { Mmap::map(&file) }.map_err(io)?;
        let (header, metadata) = SafeTensors::read_metadata(&file).map_err(|error| incomplete().with_cause(&error))?;
        let unused = UnusedTensors::new(path.to_owned(), metadata.tensors().into_keys().collect());
        Ok(Weights { path: path.to_owned(), file, metadata, start: 8 + header, unused })
    }

    /// Whether any tensor's name begins so.
    pub(super) fn has_prefix(&self, prefix: &str) -> bool {
        self.unused.has_prefix(prefix)
    }

    /// Refuses an output head that should be the embedding and is not.
    pub(super) fn check_tied(&self, head: &str, embedding: &str) -> Result<()> {
        self.unused.check_tied(head, embedding, |a, b| match (self.metadata.info(a), self.metadata.info(b)) {
            (Some(a), Some(b)) => a.dtype == b.dtype && a.shape == b.shape && self.bytes(a) == self.bytes(b),
            _ => false,
        })
    }

    /// Asks for a tensor.
    ///
    /// # Errors
    /// `BadInput` if it does not exist, has another shape, or is not of floating-point numbers.
    pub(super) fn take(&mut self, name: &str, shape: &[usize]) -> Result<()> {
        self.unused.take(name, shape)?;
        let TensorInfo { dtype, shape: found, .. } = self.info(name)?;
        let fits = matches!(dtype, Dtype::F32 | Dtype::F16 | Dtype::BF16);
        let other_type = (!fits).then(|| format!("{dtype:?}"));
        check_tensor(name, &self.path, shape, found, other_type.as_deref())
    }

    /// Refuses a file with tensors that were not asked for, other than those that `known` accepts.
    pub(super) fn finish(&self, known: impl Fn(&str) -> bool) -> Result<()> {
        self.unused.finish(known)
    }

    /// Writes the numbers of a tensor, little-endian, as `dtype`. `out` is named for messages.
    ///
    /// # Errors
    /// `Numeric` for a number that is not finite, or that `dtype` cannot hold; `Io` if writing fails.
    pub(super) fn write(&self, name: &str, dtype: NumberType, out: &mut impl Write, to: &Path) -> Result<()> {
        let info = self.info(name)?;
        let bytes = self.bytes(info);
        match info.dtype {
            Dtype::F32 => self.convert(name, bytes.as_chunks::<4>().0, f32::from_le_bytes, dtype, out, to),
            Dtype::F16 => self.convert(
                name,
                bytes.as_chunks::<2>().0,
                |number| f16::from_le_bytes(number).to_f32(),
                dtype,
                out,
                to,
            ),
            _ => self.convert(
                name,
                bytes.as_chunks::<2>().0,
                |number| bf16::from_le_bytes(number).to_f32(),
                dtype,
                out,
                to,
            ),
        }
    }

    fn convert<const N: usize>(
        &self,
        name: &str,
        numbers: &[[u8; N]],
        read: impl Fn([u8; N]) -> f32,
        dtype: NumberType,
        out: &mut impl Write,
        to: &Path,
    ) -> Result<()> {
        let mut buffer = Vec::with_capacity(CHUNK * dtype.size());
        for numbers in numbers.chunks(CHUNK) {
            buffer.clear();
            for &number in numbers {
                let number = read(number);
                match dtype {
                    NumberType::F32 if number.is_finite() => buffer.extend(number.to_le_bytes()),
                    NumberType::F16 if f16::from_f32(number).is_finite() => {
                        buffer.extend(f16::from_f32(number).to_le_bytes());
                    }
                    _ => return Err(self.unfit(name, number)),
                }
            }
            out.write_all(&buffer).map_err(|error| PluginError::io("write", to, &error))?;
        }
        Ok(())
    }

    fn unfit(&self, name: &str, number: f32) -> PluginError {
        let what = format!("tensor `{name}` of `{}` holds {number}", self.path.display());
        match number.is_finite() {
            true => PluginError::new(ErrorCode::Numeric, format!("{what}, more than `f16` can hold (65504)"))
                .with_help("write `dtype: f32`"),
            false => PluginError::new(ErrorCode::Numeric, format!("{what}, which is no number to compute with"))
                .with_help("the training that wrote the checkpoint went wrong, or the file was damaged"),
        }
    }

    fn info(&self, name: &str) -> Result<&TensorInfo> {
        let missing = || PluginError::bad_input(format!("`{}` has no tensor `{name}`", self.path.display()));
        self.metadata.info(name).ok_or_else(missing)
    }

    fn bytes(&self, info: &TensorInfo) -> &[u8] {
        let (start, end) = info.data_offsets;
        &self.file[self.start + start..self.start + end]
    }
}
