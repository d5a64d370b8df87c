//! Exports; the product is the exported checkpoint.

use super::option_files;
use super::{StageProduct, absolute, checkpoint_identity, described, make_directory, start};
use crate::host::Shared;
use examiner_api::{ExportJob, Result, RoleKind};
use examiner_store::provenance::Inputs;
use examiner_suite::ExportSpec;
use std::path::Path;
use std::sync::Arc;

/// What an export depends on.
pub(crate) fn export_inputs(shared: &Shared, name: &str, spec: &ExportSpec) -> Result<Inputs> {
    let options = shared.roles.located(&["export", name], &spec.options);
    let files = option_files::input(shared, RoleKind::Exporter, &spec.exporter, &options)?;
    let mut inputs = Inputs::from([
        ("exporter".to_owned(), spec.exporter.clone()),
        ("plugin".to_owned(), shared.roles.build(RoleKind::Exporter, &spec.exporter)?),
        ("options".to_owned(), described(shared, &spec.options)?),
        ("from".to_owned(), checkpoint_identity(shared, &["export", name, "from"], &spec.from)?),
    ]);
    inputs.extend(files);
    Ok(inputs)
}

/// Exports.
pub(crate) fn export(shared: &Arc<Shared>, name: &str, spec: &ExportSpec, out: &Path) -> Result<StageProduct> {
    make_directory(out)?;
    let host = shared.host(&format!("export/{name}"));
    let from = start(shared, &["export", name, "from"], &spec.from)?;
    let options = shared.roles.located(&["export", name], &spec.options);
    let mut exporter = shared.roles.open_exporter(&spec.exporter, &options, host)?;
    let exported = exporter.export(ExportJob { from, out: out.to_owned() })?;
    Ok(StageProduct { product: absolute(&exported.checkpoint), details: exported.details })
}
