//! Hashes of what results depend on.

use examiner_api::{PluginError, Result};
use serde::Serialize;

/// The hash of an identity: a struct with a version and all that a result depends on, serialized field by field. So it
/// changes when a value or the meaning of a field does, and not with the name of a type.
///
/// # Errors
/// `BadInput` for what cannot be serialized as JSON.
pub fn fingerprint(identity: &impl Serialize) -> Result<String> {
    let bytes = serde_json::to_vec(identity)
        .map_err(|error| PluginError::bad_input("an identity cannot be serialized").with_cause(&error))?;
    Ok(blake3::hash(&bytes).to_hex().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Serialize)]
    struct Identity {
        version: u32,
        name: Option<&'static str>,
    }

    #[test]
    fn every_field_counts() {
        let of = |version, name| fingerprint(&Identity { version, name }).unwrap();
        assert_eq!(of(1, Some("a")), of(1, Some("a")));
        let all = [of(1, None), of(1, Some("")), of(1, Some("a")), of(2, Some("a"))];
        assert_eq!(all.iter().collect::<std::collections::BTreeSet<_>>().len(), all.len());
    }
}
