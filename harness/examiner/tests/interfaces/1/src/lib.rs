//! A model, a dataset and a scorer that speak the wire form of the interface 1 as it was in the beginning.
//!
//! Nothing of `examiner-api` is used, so that nothing here changes with it. It is not to be changed either: it stands for the plugins
//! that others have built.

use examiner_interface::abi_stable::library::{__call_root_module_loader, CheckTypeLayout, LibHeader, RootModuleResult};
use examiner_interface::abi_stable::prefix_type::PrefixTypeTrait;
use examiner_interface::abi_stable::std_types::{RErr, ROk, RResult, RSlice, RStr, RVec};
use examiner_interface::abi_stable::{RRef, type_level::downcasting::TD_Opaque};
use examiner_interface::{
    BoxedRole, Header, PluginModule, PluginModuleRef, RawResult, RawRole, RawRole_TO, RawSink_TO, SharedHost,
};
use serde_json::{Value, json};

#[unsafe(no_mangle)]
#[used]
pub static EXAMINER_PLUGIN_HEADER: Header = Header::new("0.3.0");

// SAFETY: `construct` erases a `PluginModuleRef`.
#[unsafe(no_mangle)]
#[used]
pub static EXAMINER_PLUGIN_ROOT: LibHeader =
    unsafe { LibHeader::from_constructor::<PluginModuleRef>(construct, CheckTypeLayout::Yes) };

extern "C" fn construct() -> RootModuleResult {
    __call_root_module_loader(|| PluginModule { describe, open }.leak_into_prefix())
}

fn encoded(value: &Value) -> RVec<u8> {
    rmp_serde::to_vec_named(value).expect("JSON has a wire form").into()
}

fn decoded(bytes: &[u8]) -> Value {
    rmp_serde::from_slice(bytes).expect("the wire form of the interface 1")
}

extern "C" fn describe() -> RawResult {
    let role = |kind: &str, name: &str| {
        json!({ "kind": kind, "name": name, "summary": "As it was.", "options": { "type": "object" } })
    };
    let roles = [role("model", "model-1"), role("dataset", "dataset-1"), role("scorer", "scorer-1")];
    ROk(encoded(&json!({ "name": "interface-1", "version": "0.1.0", "roles": roles })))
}

extern "C" fn open(request: RSlice<'_, u8>, _host: SharedHost) -> RResult<BoxedRole, RVec<u8>> {
    let request = decoded(request.as_slice());
    let role = match request[0].as_str() {
        Some("model") => Role::Model,
        Some("dataset") => Role::Dataset,
        Some("scorer") => Role::Scorer,
        _ => return RErr(encoded(&json!({ "code": "not-found", "message": format!("no role {request}") }))),
    };
    ROk(RawRole_TO::from_value(role, TD_Opaque))
}

enum Role {
    Model,
    Dataset,
    Scorer,
}

impl RawRole for Role {
    fn call(&mut self, name: RStr<'_>, payload: RSlice<'_, u8>, sink: RawSink_TO<'_, RRef<'_, ()>>) -> RawResult {
        let payload = decoded(payload.as_slice());
        let send = |value: &Value| sink.send(encoded(value).as_slice().into());
        let answer = match (self, name.as_str()) {
            (Role::Model, "info") => json!({ "name": "model-1", "fingerprint": "1", "can_generate": true }),
            (Role::Model, "generate") => {
                for request in payload.as_array().expect("a batch") {
                    let sample = request["sample"]["id"].as_str().expect("a sample");
                    assert!(request["prompt"].as_str().is_some_and(|prompt| prompt.contains("2 + ")), "{request}");
                    let result = match sample {
                        "error" => json!({ "Err": { "code": "bad-input", "message": "too hard" } }),
                        _ => json!({ "Ok": { "text": "4", "finish": "end-of-text" } }),
                    };
                    if !send(&json!({ "id": request["id"], "result": result })) {
                        break;
                    }
                }
                Value::Null
            }
            (Role::Dataset, "info") => json!({ "fingerprint": "1", "scorer": "scorer-1" }),
            (Role::Dataset, "few-shot-pool") => json!([]),
            (Role::Dataset, "samples") => {
                for (id, prompt, gold) in [("right", "2 + 2 =", "4"), ("wrong", "2 + 3 =", "5"), ("error", "2 + x =", "?")] {
                    if !send(&json!({ "id": id, "prompt": prompt, "gold": { "text": [gold] } })) {
                        break;
                    }
                }
                Value::Null
            }
            (Role::Scorer, "info") => json!({
                "metrics": [{ "name": "accuracy", "higher_is_better": true, "bounds": [0.0, 1.0] }],
                "fingerprint": "1",
                "asks_generate": true,
            }),
            (Role::Scorer, "requests") => {
                let ask = |question: &Value| {
                    json!([{ "generate": { "prompt": question["context"], "sampling": question["sampling"] } }])
                };
                payload.as_array().expect("questions").iter().map(ask).collect()
            }
            (Role::Scorer, "verdicts") => {
                let verdict = |item: &Value| {
                    let is_right = item["answers"][0]["generate"]["text"] == item["question"]["sample"]["gold"]["text"][0];
                    json!({ "outcome": "scored", "metrics": { "accuracy": if is_right { 1.0 } else { 0.0 } } })
                };
                payload.as_array().expect("answers").iter().map(verdict).collect()
            }
            (_, method) => {
                let message = format!("this role has no method `{method}`");
                return RErr(encoded(&json!({ "code": "unsupported", "message": message })));
            }
        };
        ROk(encoded(&answer))
    }
}
