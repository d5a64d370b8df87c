//! Follows a recipe; the product is a file of training rows.

use super::{StageProduct, absolute, described, go_on, make_directory};
use crate::declared;
use crate::host::Shared;
use examiner_api::{RecipeEvent, RecipeJob, Result, RoleKind};
use examiner_store::provenance::Inputs;
use examiner_store::storage::failure;
use examiner_suite::TeachSpec;
use std::path::PathBuf;
use std::sync::Arc;

/// Where recipes publish data files.
const DATA: &str = "data";

/// The input by which a recipe says what it would ask. Without it, only following the recipe shows whether its product is
/// current.
pub(crate) const RECIPE_FINGERPRINT: &str = "recipe fingerprint";

/// What a recipe's product depends on: the recipe's own fingerprint, too, where it has one before it is followed.
pub(crate) fn teach_inputs(shared: &Arc<Shared>, name: &str, spec: &TeachSpec, limit: Option<u64>) -> Result<Inputs> {
    let host = shared.host("plan");
    // The model stays open for the recipe.
    let teacher = host.model(&spec.teacher)?.info()?;
    declared::fingerprint(RoleKind::Model, &spec.teacher, &teacher.fingerprint)?;
    let options = shared.roles.located(&["teach", name], &spec.options);
    let recipe = shared.roles.open_recipe(&spec.recipe, &options, host)?;
    let known = recipe.info()?.fingerprint;
    if let Some(known) = &known {
        declared::fingerprint(RoleKind::Recipe, &spec.recipe, known)?;
    }
    let mut inputs = Inputs::from([
        ("recipe".to_owned(), spec.recipe.clone()),
        ("plugin".to_owned(), shared.roles.build(RoleKind::Recipe, &spec.recipe)?),
        ("options".to_owned(), described(shared, &spec.options)?),
        ("teacher".to_owned(), teacher.fingerprint),
        ("limit".to_owned(), limit.map_or_else(|| "none".to_owned(), |limit| limit.to_string())),
        ("seed".to_owned(), shared.roles.suite.seed.to_string()),
    ]);
    inputs.extend(known.map(|fingerprint| (RECIPE_FINGERPRINT.to_owned(), fingerprint)));
    Ok(inputs)
}

/// Follows the recipe. It is followed in a continued run, too, unless it has a fingerprint: only the recipe knows whether its questions
/// and its teacher are still the same, and it asks nothing twice.
pub(crate) fn teach(shared: &Arc<Shared>, name: &str, spec: &TeachSpec, limit: Option<u64>) -> Result<StageProduct> {
    let stage = format!("teach/{name}");
    let options = shared.roles.located(&["teach", name], &spec.options);
    let mut recipe = shared.roles.open_recipe(&spec.recipe, &options, shared.host(&stage))?;
    let out = PathBuf::from(DATA);
    make_directory(&out)?;
    let task = shared.progress.task(&stage, None, "questions");
    let job = RecipeJob { teacher: spec.teacher.clone(), out, limit, seed: shared.roles.suite.seed };
    let made = recipe.make(job, &|event: RecipeEvent| {
        task.set_total(event.total);
        task.note(&format!("{} kept", event.kept));
        task.set(event.done);
        go_on(shared)
    });
    task.finish();
    shared.take_back();
    let made = made?;
    if !made.yields.is_empty() {
        examiner_store::yields::write(&made.rows, &made.yields)
            .map_err(|error| failure("write", &examiner_store::yields::path(&made.rows), &error))?;
    }
    let mut details = made.details;
    details.entry("asked").or_insert_with(|| made.asked.into());
    details.entry("kept").or_insert_with(|| made.kept.into());
    Ok(StageProduct { product: absolute(&made.rows), details })
}
