//! Safetensors files: one, or shards of which each holds the tensors of the index and nothing else.

use super::Source;
use candle_core::safetensors::{Load, MmapedSafetensors};
use candle_core::{DType, Device, Tensor};
use examiner_api::{PluginError, Result};
use examiner_lm::checkpoint::WeightFiles;
use safetensors::Dtype;
use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::path::{Path, PathBuf};

const POINTER: &[u8; 34] = b"version https://git-lfs.github.com";

pub(super) struct Safetensors {
    files: Vec<(PathBuf, MmapedSafetensors)>,
    /// The file of each tensor.
    file_of: BTreeMap<String, usize>,
}

impl Safetensors {
    pub(super) fn open(files: &WeightFiles) -> Result<Self> {
        let mut opened = Vec::with_capacity(files.shards.len());
        let mut file_of = BTreeMap::new();
        for (index, shard) in files.shards.iter().enumerate() {
            let file = map(&shard.path)?;
            let names: BTreeSet<String> = file.tensors().into_iter().map(|(name, _)| name).collect();
            shard.check(&names, &files.path)?;
            file_of.extend(names.into_iter().map(|name| (name, index)));
            opened.push((shard.path.clone(), file));
        }
        Ok(Safetensors { files: opened, file_of })
    }

    fn at(&self, name: &str) -> Option<&(PathBuf, MmapedSafetensors)> {
        self.file_of.get(name).and_then(|index| self.files.get(*index))
    }

    fn view(&self, name: &str) -> candle_core::Result<safetensors::tensor::TensorView<'_>> {
        match self.at(name) {
            Some((_, file)) => file.get(name),
            None => Err(candle_core::Error::CannotFindTensor { path: name.to_owned() }),
        }
    }
}

fn map(path: &Path) -> Result<MmapedSafetensors> {
    // SAFETY: like every program that maps its weights, we rely on nobody changing the file while it is read. All of it
    // is copied before `open` of the model returns.
    unsafe { MmapedSafetensors::new(path) }.map_err(|error| {
        if is_pointer(path) {
            let what = format!("`{}` is a pointer of Git LFS, not the weights themselves", path.display());
            return PluginError::bad_input(what).with_help("fetch them with `git lfs pull` where it was cloned");
        }
        PluginError::bad_input(format!("`{}` is not a complete safetensors file", path.display()))
            .with_cause(&error)
            .with_help("it may have been cut off while it was downloaded or copied: fetch it again")
    })
}

/// Whether the file is a pointer that Git LFS left for a large one.
fn is_pointer(path: &Path) -> bool {
    let mut beginning = [0; POINTER.len()];
    let read = std::fs::File::open(path).and_then(|mut file| file.read_exact(&mut beginning));
    read.is_ok() && beginning == *POINTER
}

/// Releases the memory of a part of a mapped file that has been copied: weights then are in memory once while they are
/// read. A later access reads the file again.
#[cfg(unix)]
fn release(mapped: &[u8]) {
    // SAFETY: asks for a number.
    let page = usize::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }).unwrap_or(4096);
    let begin = mapped.as_ptr().addr().next_multiple_of(page);
    let end = mapped.as_ptr_range().end.addr() / page * page;
    if begin < end {
        let skipped = begin - mapped.as_ptr().addr();
        // SAFETY: whole pages within the mapping. They are of a file and never written to, so that what is dropped can be
        // read again.
        unsafe { libc::madvise(mapped[skipped..].as_ptr().cast_mut().cast(), end - begin, libc::MADV_DONTNEED) };
    }
}

#[cfg(not(unix))]
fn release(_: &[u8]) {}

impl Source for Safetensors {
    fn names(&self) -> BTreeSet<String> {
        self.file_of.keys().cloned().collect()
    }

    fn file(&self, name: &str) -> &Path {
        self.at(name).map_or(Path::new(""), |(path, _)| path)
    }

    fn look(&self, name: &str) -> candle_core::Result<(Vec<usize>, Option<String>)> {
        let view = self.view(name)?;
        let fits = matches!(view.dtype(), Dtype::F32 | Dtype::F16 | Dtype::BF16);
        Ok((view.shape().to_vec(), (!fits).then(|| format!("{:?}", view.dtype()))))
    }

    fn load(&mut self, name: &str, dtype: DType) -> candle_core::Result<Tensor> {
        let view = self.view(name)?;
        let tensor = view.load(&Device::Cpu)?.to_dtype(dtype)?;
        release(view.data());
        Ok(tensor)
    }

    fn same(&self, a: &str, b: &str) -> bool {
        match (self.view(a), self.view(b)) {
            (Ok(a), Ok(b)) => a.dtype() == b.dtype() && a.shape() == b.shape() && a.data() == b.data(),
            _ => false,
        }
    }
}
