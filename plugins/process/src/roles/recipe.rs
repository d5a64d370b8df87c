//! A recipe.

use super::stream;
use crate::Options;
use crate::connection::Connection;
use crate::handshake::open;
use examiner_api::wire::method;
use examiner_api::{Host, Open, Recipe, RecipeEvent, RecipeInfo, RecipeJob, RecipeReport, Result, RoleKind, Sink};

/// A recipe that is a program.
pub struct ProcessRecipe {
    connection: Connection,
    info: RecipeInfo,
}

impl Open for ProcessRecipe {
    type Options = Options;

    fn open(options: Options, host: Host) -> Result<Self> {
        let opened = open(RoleKind::Recipe, &options, &host)?;
        let said: RecipeInfo = opened.info()?;
        let fingerprint = opened.identity.fingerprint(said.fingerprint.as_deref().unwrap_or_default());
        Ok(ProcessRecipe { connection: opened.connection, info: RecipeInfo { fingerprint: Some(fingerprint) } })
    }
}

impl Recipe for ProcessRecipe {
    fn info(&self) -> Result<RecipeInfo> {
        Ok(self.info.clone())
    }

    fn make(&mut self, job: RecipeJob, sink: &dyn Sink<RecipeEvent>) -> Result<RecipeReport> {
        stream(&mut self.connection, method::MAKE, &job, sink)
    }
}
