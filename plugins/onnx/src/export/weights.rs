//! The tensors of a checkpoint, checked one by one against what the model expects, and converted as they are written.

use super::options::NumberType;
use examiner_api::{ErrorCode, PluginError, Result};
use half::{bf16, f16};
use memmap2::Mmap;
use safetensors::tensor::{Metadata, TensorInfo};
use safetensors::{Dtype, SafeTensors};
use std::collections::BTreeSet;
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
    left: BTreeSet<String>,
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
        let left = metadata.tensors().into_keys().collect();
        Ok(Weights { path: path.to_owned(), file, metadata, start: 8 + header, left })
    }

    /// Whether any tensor's name begins so.
    pub(super) fn has_prefix(&self, prefix: &str) -> bool {
        self.left.iter().any(|name| name.starts_with(prefix))
    }

    /// Whether a tensor is there that was not asked for yet.
    pub(super) fn has(&self, name: &str) -> bool {
        self.left.contains(name)
    }

    /// Whether two tensors hold the same bytes.
    pub(super) fn same(&self, a: &str, b: &str) -> bool {
        match (self.metadata.info(a), self.metadata.info(b)) {
            (Some(a), Some(b)) => a.dtype == b.dtype && a.shape == b.shape && self.bytes(a) == self.bytes(b),
            _ => false,
        }
    }

    /// Asks for a tensor.
    ///
    /// # Errors
    /// `BadInput` if it is not there, has another shape, or is not of floating-point numbers.
    pub(super) fn take(&mut self, name: &str, shape: &[usize]) -> Result<()> {
        let path = self.path.display();
        if !self.left.remove(name) {
            return Err(PluginError::bad_input(format!("`{path}` has no tensor `{name}` {shape:?}"))
                .with_help("`config.json` and `model.safetensors` must come from the same model"));
        }
        let TensorInfo { dtype, shape: found, .. } = self.info(name)?;
        if found != shape {
            return Err(PluginError::bad_input(format!(
                "tensor `{name}` of `{path}` has the shape {found:?}; `config.json` asks for {shape:?}"
            )));
        }
        if !matches!(dtype, Dtype::F32 | Dtype::F16 | Dtype::BF16) {
            return Err(PluginError::bad_input(format!(
                "tensor `{name}` of `{path}` has the number type {dtype:?}; expected F32, F16 or BF16"
            )));
        }
        Ok(())
    }

    /// Refuses a file with tensors that were not asked for, other than those that `known` passes.
    pub(super) fn finish(&self, known: impl Fn(&str) -> bool) -> Result<()> {
        let extra: Vec<&str> = self.left.iter().map(String::as_str).filter(|name| !known(name)).collect();
        let Some(first) = extra.first() else { return Ok(()) };
        Err(PluginError::bad_input(format!(
            "`{}` has {} tensor{} that the model does not use, first `{first}`",
            self.path.display(),
            extra.len(),
            if extra.len() == 1 { "" } else { "s" }
        ))
        .with_help("`config.json` may be of another model, or name too few layers"))
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
