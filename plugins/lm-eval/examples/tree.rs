//! Prints the catalog of a directory of tasks as JSON lines, and how long it took: `cargo run --release --example tree -- DIR [PATTERN]`.

use examiner_api::testing::FakeHost;
use examiner_api::{CatalogEntry, Flow, OpenRole, RoleKind};
use examiner_plugin_lm_eval::tree::Tree;
use std::time::Instant;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let directory = arguments.next().ok_or("expected a directory of tasks")?;
    let pattern = arguments.next().unwrap_or_else(|| "*".to_owned());
    let begin = Instant::now();
    let tree = Tree::open(&[directory.clone().into()])?;
    eprintln!("{} names after {:.3} s", tree.names().len(), begin.elapsed().as_secs_f64());
    for (path, why) in tree.left_out() {
        eprintln!("left out: {}: {why}", path.display());
    }
    let begin = Instant::now();
    let options = serde_json::from_value(serde_json::json!({ "tasks_dir": directory }))?;
    let role = examiner_plugin_lm_eval::plugin().open(RoleKind::Catalog, "lm-eval", options, FakeHost::new().host())?;
    let OpenRole::Catalog(catalog) = role else { return Err("expected a catalog".into()) };
    let print = |entry: CatalogEntry| {
        println!("{}", serde_json::json!(entry));
        Flow::Continue
    };
    catalog.entries(&pattern, &print)?;
    eprintln!("listed after {:.3} s", begin.elapsed().as_secs_f64());
    Ok(())
}
