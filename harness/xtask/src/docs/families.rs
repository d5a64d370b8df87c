//! The tables of model families.

use crate::families::{ADAPTED, AdaptedFamily, FAMILIES, Family, FamilySpeed, GROUND_TRUTH, model_types};
use anyhow::{Result, ensure};

/// Every table: the page, the name of its marks, the text.
pub(super) fn tables() -> [(&'static str, &'static str, String); 4] {
    [
        ("README.md", "families", overview()),
        ("docs/models.md", "families", support()),
        ("docs/models.md", "adapted families", adapted()),
        ("docs/models.md", "family speeds", speeds()),
    ]
}

/// Fails unless the tables name exactly the families that the program supports.
pub(super) fn compare(supported: &[String]) -> Result<()> {
    let listed: Vec<&str> = model_types().collect();
    ensure!(
        listed == *supported,
        "expected `harness/xtask/src/families.rs` to list the families of the plugin `candle`, {supported:?}, found {listed:?}"
    );
    Ok(())
}

fn overview() -> String {
    let row = |model_type: &str, by: &str, compared_on: &str, difference: &str, speed: &Option<FamilySpeed>| {
        let speed = speed.as_ref().map_or("not measured".to_owned(), |FamilySpeed { scoring, generation }| {
            format!("{} / {}", scoring[0], generation[0])
        });
        format!("| `{model_type}`{by} | {compared_on} | {difference} nats | {speed} |\n")
    };
    let header = "| family | compared on | log-likelihoods agree with transformers within | tokens/s, scoring / generation |\n|---|---|---|---|\n";
    let described = FAMILIES.iter().map(|family| {
        let Family { model_type, compared_on, difference, speed, .. } = family;
        row(model_type, "", compared_on, difference, speed)
    });
    let adapted = ADAPTED.iter().map(|family| {
        let AdaptedFamily { model_type, difference, speed, .. } = family;
        row(model_type, ", by `candle-transformers`", GROUND_TRUTH, difference, speed)
    });
    header.to_owned() + &described.chain(adapted).collect::<String>()
}

fn support() -> String {
    let row =
        |Family { model_type, models, support, .. }: &Family| format!("| `{model_type}` | {models} | {support} |\n");
    "| `model_type` | models | support |\n|---|---|---|\n".to_owned() + &FAMILIES.iter().map(row).collect::<String>()
}

fn adapted() -> String {
    let row = |family: &AdaptedFamily| {
        let AdaptedFamily { model_type, models, refused, shares_prefixes, scores_together, .. } = family;
        let shares = if *shares_prefixes { "shared, by a copy" } else { "computed again" };
        let scores = if *scores_together { "together" } else { "one by one" };
        format!("| `{model_type}` | {models} | {shares} | {scores} | {refused} |\n")
    };
    let header = "| `model_type` | models | common beginnings | scored tokens | refused |\n|---|---|---|---|---|\n";
    header.to_owned() + &ADAPTED.iter().map(row).collect::<String>()
}

fn speeds() -> String {
    let pair = |[ours, theirs]: [u32; 2]| format!("{ours} | {theirs} | {:.2}", f64::from(ours) / f64::from(theirs));
    let row = |(model_type, speed): (&str, &Option<FamilySpeed>)| {
        let FamilySpeed { scoring, generation } = speed.as_ref()?;
        Some(format!("| `{model_type}` | {} | {} |\n", pair(*scoring), pair(*generation)))
    };
    let described = FAMILIES.iter().map(|family| (family.model_type, &family.speed));
    let adapted = ADAPTED.iter().map(|family| (family.model_type, &family.speed));
    let header = "| family | scoring | transformers | ratio | generation | transformers | ratio |\n|---|---|---|---|---|---|---|\n";
    header.to_owned() + &described.chain(adapted).filter_map(row).collect::<String>()
}
