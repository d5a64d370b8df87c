//! The tables of model families.

use crate::families::{FAMILIES, Family, FamilySpeed};
use anyhow::{Result, ensure};

/// Every table: the page, the name of its marks, the text.
pub(super) fn tables() -> [(&'static str, &'static str, String); 3] {
    [
        ("README.md", "families", overview()),
        ("docs/models.md", "families", support()),
        ("docs/models.md", "family speeds", speeds()),
    ]
}

/// Fails unless the table names exactly the families that the program supports.
pub(super) fn compare(supported: &[String]) -> Result<()> {
    let listed: Vec<&str> = FAMILIES.iter().map(|family| family.model_type).collect();
    ensure!(
        listed == *supported,
        "expected `harness/xtask/src/families.rs` to list the families of the plugin `candle`, {supported:?}, found {listed:?}"
    );
    Ok(())
}

fn overview() -> String {
    let row = |family: &Family| {
        let Family { model_type, compared_on, difference, speed, .. } = family;
        let speed = speed.as_ref().map_or("not measured".to_owned(), |FamilySpeed { scoring, generation }| {
            format!("{} / {}", scoring[0], generation[0])
        });
        format!("| `{model_type}` | {compared_on} | {difference} nats | {speed} |\n")
    };
    let header = "| family | compared on | log-likelihoods agree with transformers within | tokens/s, scoring / generation |\n|---|---|---|---|\n";
    header.to_owned() + &FAMILIES.iter().map(row).collect::<String>()
}

fn support() -> String {
    let row =
        |Family { model_type, models, support, .. }: &Family| format!("| `{model_type}` | {models} | {support} |\n");
    "| `model_type` | models | support |\n|---|---|---|\n".to_owned() + &FAMILIES.iter().map(row).collect::<String>()
}

fn speeds() -> String {
    let pair = |[ours, theirs]: [u32; 2]| format!("{ours} | {theirs} | {:.2}", f64::from(ours) / f64::from(theirs));
    let row = |family: &Family| {
        let FamilySpeed { scoring, generation } = family.speed.as_ref()?;
        Some(format!("| `{}` | {} | {} |\n", family.model_type, pair(*scoring), pair(*generation)))
    };
    let header = "| family | scoring | transformers | ratio | generation | transformers | ratio |\n|---|---|---|---|---|---|---|\n";
    header.to_owned() + &FAMILIES.iter().filter_map(row).collect::<String>()
}
