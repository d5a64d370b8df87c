//! Options, and roles whose options are wrong.

use examiner_api::serde::Deserialize;
use examiner_api::{Diagnostic, Finding, Host, Open, Result, schemars, serde, serde_json};

/// What a suite may say.
#[derive(Deserialize, schemars::JsonSchema)]
#[serde(crate = "serde", deny_unknown_fields)]
#[schemars(crate = "schemars")]
pub(crate) struct Flavour {
    /// Other texts for each number.
    #[serde(default)]
    pub(crate) flavour: Option<u32>,
}

/// No option at all.
#[derive(Deserialize, schemars::JsonSchema)]
#[serde(crate = "serde", deny_unknown_fields)]
#[schemars(crate = "schemars")]
pub(crate) struct Nothing {}

macro_rules! finds_nothing {
    ($role:ident, $options:ident, $open:expr) => {
        pub(crate) struct $role;

        impl Open for $role {
            type Options = $options;

            fn open(options: $options, _: Host) -> Result<Self> {
                let open: fn($options) -> Self = $open;
                Ok(open(options))
            }
        }

        impl Diagnostic for $role {
            fn findings(&self) -> Result<Vec<Finding>> {
                Ok(Vec::new())
            }
        }
    };
}

/// A schema that is none.
#[derive(Deserialize, schemars::JsonSchema)]
#[serde(crate = "serde", deny_unknown_fields)]
#[schemars(crate = "schemars", extend("minProperties" = "many"))]
pub(crate) struct NoSchema {}

finds_nothing!(Unreadable, NoSchema, |_| Unreadable);

/// Keys that are not known are passed over.
#[derive(Deserialize, schemars::JsonSchema)]
#[serde(crate = "serde")]
#[schemars(crate = "schemars")]
pub(crate) struct AnyKey {}

finds_nothing!(Misspeller, AnyKey, |_| Misspeller);

/// A number, says the schema.
#[derive(Deserialize, schemars::JsonSchema)]
#[serde(crate = "serde", deny_unknown_fields)]
#[schemars(crate = "schemars")]
pub(crate) struct AnyValue {
    /// How many.
    #[serde(default)]
    #[schemars(with = "Option<u32>")]
    count: serde_json::Value,
}

finds_nothing!(Lenient, AnyValue, |options| {
    drop(options.count);
    Lenient
});

finds_nothing!(Moody, Nothing, |_| panic!("not today"));
