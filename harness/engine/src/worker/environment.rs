//! The environment of a worker: that of the program, without the secrets of others.

use examiner_api::Metadata;
use examiner_suite::secret_word;
use serde_json::Value;
use std::collections::HashSet;
use std::ffi::OsString;

/// The variables of the program that a role with these options does not get: those whose names look like secrets, unless an
/// option whose name ends in `_env` names them.
pub(super) fn withheld(options: &Metadata) -> Vec<OsString> {
    let mut named = HashSet::new();
    options.iter().for_each(|(name, value)| collect(name, value, &mut named));
    let variables = std::env::vars_os().map(|(name, _)| name);
    variables
        .filter(|name| name.to_str().is_some_and(|name| secret_word(name).is_some() && !named.contains(name)))
        .collect()
}

/// The variables that options name, at any depth.
fn collect<'o>(option: &str, value: &'o Value, named: &mut HashSet<&'o str>) {
    match value {
        Value::String(variable) if option.ends_with("_env") => {
            named.insert(variable);
        }
        Value::Array(items) => items.iter().for_each(|item| collect(option, item, named)),
        Value::Object(fields) => fields.iter().for_each(|(name, value)| collect(name, value, named)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn options_name_the_variables_that_a_role_gets() {
        let options = json!({
            "api_key_env": "A_KEY", "key": "B_KEY", "servers": [{ "token_env": "C_TOKEN" }], "keys_env": ["D_KEY", "E_KEY"]
        });
        let mut named = HashSet::new();
        options.as_object().unwrap().iter().for_each(|(name, value)| collect(name, value, &mut named));
        assert_eq!(named, HashSet::from(["A_KEY", "C_TOKEN", "D_KEY", "E_KEY"]));
    }

    /// What finds a GPU, its driver and the libraries for it must not look like a secret.
    #[test]
    fn variables_that_find_a_gpu_are_passed_on() {
        let names = [
            "VK_ICD_FILENAMES",
            "VK_DRIVER_FILES",
            "LD_LIBRARY_PATH",
            "ORT_DYLIB_PATH",
            "ORT_EP_WEBGPU_PATH",
            "ORT_EP_OPENVINO_PATH",
            "ORT_EP_TENSORRT_RTX_PATH",
            "ORT_WEBGPU_EP_ALLOW_SOFTWARE_ADAPTER",
            "CUDA_VISIBLE_DEVICES",
        ];
        for name in names {
            assert_eq!(secret_word(name), None, "{name}");
        }
    }
}
