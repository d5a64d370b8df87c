//! Follows a recipe; the product is a file of training rows.

use super::{Made, absolute, described, go_on, make_directory};
use crate::host::Shared;
use examiner_api::{PluginError, RecipeEvent, RecipeJob, Result, RoleKind};
use examiner_store::provenance::Inputs;
use examiner_store::storage::failure;
use examiner_suite::TeachSpec;
use std::path::PathBuf;
use std::sync::Arc;

/// Where recipes publish data files.
const DATA: &str = "data";

/// What a recipe's product depends on: the recipe's own fingerprint, too, where it has one before it is followed.
pub(in crate::run) fn teach_inputs(shared: &Arc<Shared>, spec: &TeachSpec, limit: Option<u64>) -> Result<Inputs> {
    let teacher = shared.roles.suite.models.get(&spec.teacher);
    let teacher = teacher
        .map(|teacher| Ok::<_, PluginError>(format!("{} {}", teacher.plugin, described(shared, &teacher.options)?)));
    let recipe = shared.roles.open_recipe(&spec.recipe, &spec.options, shared.host("plan"))?;
    let mut inputs = Inputs::from([
        ("recipe".to_owned(), spec.recipe.clone()),
        ("plugin".to_owned(), shared.roles.build(RoleKind::Recipe, &spec.recipe)?),
        ("options".to_owned(), described(shared, &spec.options)?),
        ("teacher".to_owned(), teacher.transpose()?.unwrap_or_default()),
        ("limit".to_owned(), format!("{limit:?}")),
        ("seed".to_owned(), shared.roles.suite.seed.to_string()),
    ]);
    inputs.extend(recipe.info()?.fingerprint.map(|fingerprint| ("fingerprint".to_owned(), fingerprint)));
    Ok(inputs)
}

/// Follows the recipe. It is followed in a run that is gone on from, too: only the recipe knows whether its questions
/// and its teacher are still the same, and it asks nothing twice.
pub(in crate::run) fn teach(shared: &Arc<Shared>, stage: &str, spec: &TeachSpec, limit: Option<u64>) -> Result<Made> {
    let mut recipe = shared.roles.open_recipe(&spec.recipe, &spec.options, shared.host(stage))?;
    let out = PathBuf::from(DATA);
    make_directory(&out)?;
    let task = shared.progress.task(stage, None, "questions");
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
    Ok(Made { product: absolute(&made.rows), details })
}
