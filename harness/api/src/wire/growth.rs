//! What has to hold of the wire form so that a plugin and a program of one interface understand each other, whichever is older.

use super::{decode, encode};
use crate::*;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};
use std::fmt::Debug;

/// Checks that `value` is read where a field is unknown, and returns the fields without which it is not read.
fn required<T: Serialize + DeserializeOwned + PartialEq + Debug>(value: &T) -> Vec<String> {
    let name = std::any::type_name::<T>();
    let Value::Object(fields) = json!(value) else { panic!("`{name}` is no mapping") };
    let read = |fields: &serde_json::Map<String, Value>| decode::<T>(&encode(fields).unwrap());
    assert_eq!(&read(&fields).unwrap(), value, "{name}");
    let mut newer = fields.clone();
    newer.insert("from_the_future".into(), json!({ "a": [1, null] }));
    assert_eq!(&read(&newer).unwrap(), value, "{name} with an unknown field");
    let without = |key: &&String| {
        let mut fewer = fields.clone();
        fewer.remove(key.as_str());
        read(&fewer).is_err()
    };
    fields.keys().filter(without).cloned().collect()
}

/// Older sides do not send what was added later. A field that fails here needs `#[serde(default)]`, with a default by which the
/// older side is understood rightly; where there is none, the interface has to move (CONTRIBUTING.md).
#[test]
fn no_field_was_added_that_older_sides_would_have_to_send() {
    const NONE: [&str; 0] = [];
    let error = PluginError::bad_input("m");
    let metric = MetricInfo { name: "m".into(), higher_is_better: true, ..MetricInfo::default() };
    let role = RoleInfo {
        kind: RoleKind::Model,
        name: "n".into(),
        summary: "s".into(),
        options: json!({}),
        checkpoint_option: None,
    };
    let finding = Finding { subject: "s".into(), state: FindingState::Ok, detail: "d".into(), fix: None };
    let entry = CatalogEntry { name: "n".into(), ..CatalogEntry::default() };
    let progress = Progress { task: "t".into(), done: 1, total: None, unit: "u".into() };
    let address = RoleAddress { kind: RoleKind::Model, name: "n".into(), options: Metadata::new() };

    assert_eq!(required(&SampleRef::default()), NONE);
    assert_eq!(required(&ScoreRequest::default()), ["id", "context", "continuation"]);
    assert_eq!(required(&ScoreResult::default()), ["sum", "is_greedy", "scored_tokens", "total_tokens"]);
    let divergence = Divergence { nats: 0.5, same_top: 1 };
    assert_eq!(required(&divergence), ["nats", "same_top"]);
    let compared = ScoreResult { divergence: Some(divergence), ..ScoreResult::default() };
    assert_eq!(required(&compared), ["sum", "is_greedy", "scored_tokens", "total_tokens"]);
    assert_eq!(required(&GenerateRequest::default()), ["id", "prompt"]);
    assert_eq!(required(&GenerateResult::default()), ["text", "finish"]);
    assert_eq!(required(&TokenCount::default()), ["read", "written"]);
    assert_eq!(required(&Response::ok(1, GenerateResult::default())), ["id", "result"]);
    assert_eq!(required(&error), ["code", "message"]);
    assert_eq!(required(&Turn::user("u")), ["role", "content"]);
    assert_eq!(required(&ModelInfo::default()), NONE);
    assert_eq!(required(&DatasetInfo::default()), NONE);
    assert_eq!(required(&ScorerInfo::default()), NONE);
    assert_eq!(required(&metric), ["name", "higher_is_better"]);
    assert_eq!(required(&Sample::default()), ["id", "prompt"]);
    assert_eq!(required(&Shot::default()), ["prompt", "answer"]);
    assert_eq!(required(&Question::default()), ["sample", "context", "sampling"]);
    assert_eq!(required(&Answered::default()), ["question", "answers"]);
    assert_eq!(required(&Verdict::default()), ["outcome"]);
    assert_eq!(required(&role), ["kind", "name", "summary", "options"]);
    assert_eq!(required(&PluginInfo::default()), ["name", "version", "roles"]);
    assert_eq!(required(&finding), ["subject", "state", "detail"]);
    assert_eq!(required(&entry), ["name"]);
    assert_eq!(required(&progress), ["task", "done", "unit"]);
    assert_eq!(required(&address), ["kind", "name"]);
    assert_eq!(required(&TrainJob::default()), ["rows", "out", "seed"]);
    assert_eq!(required(&TrainEvent::default()), NONE);
    assert_eq!(required(&TrainReport::default()), NONE);
    assert_eq!(required(&ExportJob::default()), ["from", "out"]);
    assert_eq!(required(&ExportReport::default()), NONE);
    assert_eq!(required(&RecipeInfo::default()), NONE);
    assert_eq!(required(&RecipeJob::default()), ["teacher", "out", "seed"]);
    assert_eq!(required(&RecipeEvent::default()), NONE);
    assert_eq!(required(&RecipeReport::default()), NONE);
    assert_eq!(required(&TaskYield::default()), NONE);
    assert_eq!(required(&RowsFile::default()), ["out", "stem", "inputs"]);
    assert_eq!(required(&RowsContent::default()), NONE);
    assert_eq!(required(&AskAll::default()), ["model", "answers", "requests"]);
    assert_eq!(required(&AskReport::default()), NONE);
}

/// A way of choosing tokens that a model does not know would give other answers than were asked for.
#[test]
fn an_unknown_way_of_choosing_tokens_is_refused_by_name() {
    let newer = json!({ "id": 1, "prompt": "p", "sampling": { "min_p": 0.1 } });
    let error = decode::<GenerateRequest>(&encode(&newer).unwrap()).unwrap_err();
    assert_eq!(error.code, ErrorCode::Protocol);
    assert!(error.to_string().contains("unknown field `min_p`"), "{error}");
    let older = json!({ "id": 1, "prompt": "p", "sampling": { "temperature": 0.5 } });
    let request: GenerateRequest = decode(&encode(&older).unwrap()).unwrap();
    assert_eq!(request.sampling, Sampling { temperature: 0.5, ..Sampling::default() });
}

/// What an unknown variant becomes: the one for all others, or an error. It is never taken for another.
#[test]
fn an_unknown_variant_is_other_or_an_error() {
    fn read<T: DeserializeOwned>() -> Result<T> {
        decode(&encode("from-the-future").unwrap())
    }
    fn refused<T: DeserializeOwned>() {
        let bare = read::<T>().err();
        let with_content = decode::<T>(&encode(&json!({ "from-the-future": 1 })).unwrap()).err();
        for error in [bare, with_content] {
            let name = std::any::type_name::<T>();
            assert_eq!(error.map(|error| error.code), Some(ErrorCode::Protocol), "{name}");
        }
    }
    assert_eq!(read(), Ok(FinishReason::Other));
    assert_eq!(read(), Ok(ErrorCode::Other));
    refused::<Span>();
    refused::<Gold>();
    refused::<Ask>();
    refused::<Answer>();
    refused::<Outcome>();
    refused::<Aggregation>();
    refused::<Speaker>();
    refused::<Level>();
    refused::<FindingState>();
    refused::<CatalogKind>();
    refused::<CatalogState>();
    refused::<RoleKind>();
}

/// A newer side may call what an older one does not have.
#[test]
fn a_method_that_the_other_side_has_not_is_unsupported_by_name() {
    struct Mute;
    impl Model for Mute {
        fn info(&self) -> Result<ModelInfo> {
            Ok(ModelInfo::default())
        }
    }
    let of_role = super::serve(&mut OpenRole::Model(Box::new(Mute)), "from-the-future", &[], &|_| Flow::Stop);
    let of_host = testing::FakeHost::new().host().serve("from-the-future", &[], &|_| Flow::Stop);
    for error in [of_role.unwrap_err(), of_host.unwrap_err()] {
        assert_eq!(error.code, ErrorCode::Unsupported);
        assert!(error.message.contains("`from-the-future`"), "{error}");
    }
}
