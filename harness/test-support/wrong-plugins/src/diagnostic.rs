//! Diagnostics.

use crate::options::Nothing;
use examiner_api::{Diagnostic, Finding, FindingState, Host, Open, Result};

macro_rules! opens {
    ($role:ident) => {
        pub(crate) struct $role;

        impl Open for $role {
            type Options = Nothing;

            fn open(_: Nothing, _: Host) -> Result<Self> {
                Ok($role)
            }
        }
    };
}

opens!(Mute);
opens!(Careless);

fn found(subject: &str) -> Result<Vec<Finding>> {
    let (subject, detail) = (subject.to_owned(), "it is there".to_owned());
    Ok(vec![Finding { subject, state: FindingState::Ok, detail, fix: None }])
}

/// Finds something without a name.
impl Diagnostic for Mute {
    fn findings(&self) -> Result<Vec<Finding>> {
        found(" ")
    }
}

/// Leaves a file behind.
impl Diagnostic for Careless {
    fn findings(&self) -> Result<Vec<Finding>> {
        std::fs::write("examiner-wrong-plugins.tmp", "left behind")?;
        found("disk")
    }
}
