//! Texts by number.

use std::collections::BTreeMap;

/// Texts that are stored once, and referred to by index.
#[derive(Debug, Clone, Default)]
pub(crate) struct Names {
    pub(crate) list: Vec<String>,
    indices: BTreeMap<String, u32>,
}

impl Names {
    /// The index of the name, which is added if it is new.
    pub(crate) fn index_of(&mut self, name: &str) -> u32 {
        if let Some(index) = self.indices.get(name) {
            return *index;
        }
        let index = self.list.len() as u32;
        self.list.push(name.to_owned());
        self.indices.insert(name.to_owned(), index);
        index
    }
}
