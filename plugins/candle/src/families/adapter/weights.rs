//! The tensors of a checkpoint as models of the crate ask for them.
//!
//! The crate takes what it finds and never looks at the rest; here what is asked for is marked as used, so that a tensor that
//! nothing reads is an error. Tensors are kept, on the device, and a model that is built once more gets the same ones.

use crate::backend::candle_error;
use crate::tensors::Tensors;
use candle_core::{DType, Device, Error, Shape, Tensor};
use candle_nn::var_builder::SimpleBackend;
use candle_nn::{Init, VarBuilder};
use examiner_api::{PluginError, Result};
use examiner_families::is_constant;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;

/// An output head that is the embedding, by their names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Tied {
    pub(super) head: &'static str,
    pub(super) embedding: &'static str,
}

/// The weights of a model on a device.
pub(super) struct Weights {
    store: Arc<Mutex<Store>>,
    device: Device,
}

struct Store {
    /// None once all are read.
    files: Option<Tensors>,
    loaded: HashMap<String, Tensor>,
    /// Names that the crate has, with those that files have.
    renamed: Vec<(&'static str, &'static str)>,
    device: Device,
    /// What went wrong first. The crate's own errors have no room for it.
    error: Option<PluginError>,
}

impl Weights {
    /// # Errors
    /// `BadInput` if an output head is not the embedding that it should be.
    pub(super) fn new(
        files: Tensors,
        device: &Device,
        tied: Option<Tied>,
        renamed: Option<(&'static str, &'static str)>,
    ) -> Result<Self> {
        if let Some(tied) = tied {
            files.check_tied(tied.head, tied.embedding)?;
        }
        let tied = tied.map(|tied| (tied.head, tied.embedding));
        let store = Store {
            files: Some(files),
            loaded: HashMap::new(),
            renamed: tied.into_iter().chain(renamed).collect(),
            device: device.clone(),
            error: None,
        };
        Ok(Weights { store: Arc::new(Mutex::new(store)), device: device.clone() })
    }

    /// Builds something of the weights.
    ///
    /// # Errors
    /// `BadInput` if a tensor is missing or of another shape.
    pub(super) fn build<T>(&self, make: impl FnOnce(VarBuilder<'static>) -> candle_core::Result<T>) -> Result<T> {
        let backend = Box::new(Shared(Arc::clone(&self.store)));
        let built = make(VarBuilder::from_backend(backend, DType::F32, self.device.clone()));
        match self.store.lock().error.take() {
            Some(error) => Err(error),
            None => built.map_err(candle_error("build the model")),
        }
    }

    /// Refuses files with tensors that were not asked for, and closes them.
    pub(super) fn finish(&self) -> Result<()> {
        let mut store = self.store.lock();
        let Some(files) = store.files.take() else { return Ok(()) };
        // An output head that is the embedding may lie in the file once more.
        files.finish(|name| is_constant(name) || store.renamed.iter().any(|(own, _)| *own == name))
    }
}

impl Store {
    fn get(&mut self, name: &str, shape: &[usize]) -> Result<Tensor> {
        let name = self.renamed.iter().find(|(own, _)| *own == name).map_or(name, |(_, in_files)| in_files);
        if let Some(tensor) = self.loaded.get(name).filter(|tensor| tensor.dims() == shape) {
            return Ok(tensor.clone());
        }
        let Some(files) = &mut self.files else {
            return Err(PluginError::bad_input(format!("tensor `{name}` {shape:?} is asked for too late")));
        };
        let tensor = files.take(name, shape)?.to_device(&self.device).map_err(candle_error("move a tensor"))?;
        self.loaded.insert(name.to_owned(), tensor.clone());
        Ok(tensor)
    }
}

/// What the crate's models are given to ask.
struct Shared(Arc<Mutex<Store>>);

impl SimpleBackend for Shared {
    fn get(&self, shape: Shape, name: &str, _: Init, _: DType, _: &Device) -> candle_core::Result<Tensor> {
        let mut store = self.0.lock();
        store.get(name, shape.dims()).map_err(|error| {
            let message = error.to_string();
            store.error.get_or_insert(error);
            Error::Msg(message)
        })
    }

    fn get_unchecked(&self, name: &str, _: DType, _: &Device) -> candle_core::Result<Tensor> {
        Err(Error::Msg(format!("the shape of tensor `{name}` is not known")))
    }

    fn contains_tensor(&self, name: &str) -> bool {
        let store = self.0.lock();
        store.loaded.contains_key(name) || store.files.as_ref().is_some_and(|files| files.has(name))
    }
}
