//! What the JSON Schemas of suites see of the rows: what an editor shows before the program is asked.

use super::World;
use serde_json::Value;
use std::sync::LazyLock;

/// Which schemas refuse a suite that the program refuses.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Seen {
    /// Both, or whatever reads YAML.
    ByForm,
    /// The one that has the options of the plugins.
    WithPlugins,
    /// None, for this reason.
    Unseen(&'static str),
}

/// Checks that the schemas see as much of a suite as they should.
pub(super) fn compare(content: &[u8], seen: Seen) {
    static SCHEMAS: LazyLock<[jsonschema::Validator; 2]> = LazyLock::new(|| {
        let printed = |arguments: &[&str]| {
            let output = World::new().start(arguments);
            let schema: Value = serde_json::from_slice(&output.stdout).unwrap();
            jsonschema::validator_for(&schema).unwrap()
        };
        [printed(&["schema"]), printed(&["schema", "--generic"])]
    });
    let text = std::str::from_utf8(content).unwrap_or_default();
    let read = serde_yaml::from_str::<serde_yaml::Value>(text).ok().and_then(|mut suite| {
        suite.apply_merge().ok()?;
        serde_json::to_value(suite).ok()
    });
    // What is no text or no YAML is shown by whatever reads it.
    let refused = match &read {
        Some(suite) => SCHEMAS.each_ref().map(|schema| !schema.is_valid(suite)),
        None => [true; 2],
    };
    let expected = match seen {
        Seen::ByForm => [true; 2],
        Seen::WithPlugins => [true, false],
        Seen::Unseen(_) => [false; 2],
    };
    assert_eq!(refused, expected, "with plugins and without; {seen:?}: {text:.300}");
}
