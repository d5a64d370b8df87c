//! Reads datasets and their scorers.

use super::fields::{Field, Section};
use super::links::EntryName;
use super::problem::Problem;
use super::reading::{Reading, options};
use super::tree::Kind;
use super::types::{Contamination, DatasetSpec, Generation, Options, ScorerSpec, ShotsFrom};

pub(super) fn dataset(name: &str, entry: &mut Section<'_>, reading: &mut Reading) -> Option<DatasetSpec> {
    let plugin = entry.require("plugin", "the name of a dataset plugin", &mut reading.problems);
    let plugin = plugin.and_then(|plugin| plugin.role(&mut reading.problems));
    let scorers = entry.take("scorer").map(|field| scorers(&field, &EntryName::dataset(name), reading));
    let problems = &mut reading.problems;
    let shots = entry.take("shots").and_then(|field| field.whole(0, 10_000, problems));
    let shots_from = entry
        .take("shots_from")
        .and_then(|field| field.one_of([("first", ShotsFrom::First), ("random", ShotsFrom::Random)], problems));
    let contamination = entry.take("contamination").and_then(|field| {
        field.one_of([("leave-out", Contamination::LeaveOut), ("keep", Contamination::Keep)], problems)
    });
    let repeats = entry.take("repeats").and_then(|field| field.whole(1, 1_000_000, problems));
    let limit = entry.take("limit").and_then(|field| field.whole(1, u64::MAX, problems));
    let generation = entry.take("generation").and_then(|field| generation(&field, problems));
    let options = options(entry, EntryName::dataset(name), reading);
    Some(DatasetSpec {
        plugin: plugin?,
        scorers: scorers.unwrap_or_default(),
        shots: shots.map(|shots| shots as usize),
        shots_from: shots_from.unwrap_or_default(),
        contamination: contamination.unwrap_or_default(),
        repeats: repeats.map_or(1, |repeats| repeats as u32),
        limit,
        generation: generation.unwrap_or_default(),
        options,
    })
}

fn generation(field: &Field<'_>, problems: &mut Vec<Problem>) -> Option<Generation> {
    let mut section = field.section(problems)?;
    let most = u64::from(u32::MAX);
    let generation = Generation {
        max_new_tokens: section.take("max_new_tokens").and_then(|f| f.whole(1, most, problems)).map(|x| x as u32),
        temperature: section
            .take("temperature")
            .and_then(|f| f.number("a number of at least 0", |x| (0.0..1e6).contains(&x), problems))
            .map(|x| x as f32),
        top_k: section.take("top_k").and_then(|f| f.whole(0, most, problems)).map(|x| x as u32),
        top_p: section
            .take("top_p")
            .and_then(|f| f.number("a number above 0, at most 1", |x| x > 0.0 && x <= 1.0, problems))
            .map(|x| x as f32),
        repetition_penalty: section
            .take("repetition_penalty")
            .and_then(|f| f.number("a number above 0", |x| x > 0.0 && x < 1e6, problems))
            .map(|x| x as f32),
        stop: section.take("stop").map(|f| f.items().iter().filter_map(|stop| stop.text(problems)).collect()),
    };
    section.finish(problems);
    Some(generation)
}

/// One scorer, by name or with options, or a list of those.
pub(super) fn scorers(field: &Field<'_>, owner: &EntryName, reading: &mut Reading) -> Vec<ScorerSpec> {
    let mut scorers: Vec<ScorerSpec> = Vec::new();
    for item in field.items() {
        let scorer = match &item.node.kind {
            Kind::Map(_) => scorer_with_options(&item, owner, reading),
            _ => item.name(&mut reading.problems).map(|name| ScorerSpec {
                label: name.clone(),
                name,
                options: Options::new(),
            }),
        };
        let Some(scorer) = scorer else { continue };
        if scorers.iter().any(|earlier| earlier.label == scorer.label) {
            let message = format!("a second scorer `{}`", scorer.label);
            reading.problems.push(item.problem(message).with_help("tell them apart with `label: NAME`"));
        }
        scorers.push(scorer);
    }
    scorers
}

fn scorer_with_options(item: &Field<'_>, owner: &EntryName, reading: &mut Reading) -> Option<ScorerSpec> {
    let mut section = item.section(&mut reading.problems)?;
    let name = section.require("name", "the name of a scorer", &mut reading.problems);
    let name = name.and_then(|name| name.role(&mut reading.problems));
    let label = section.take("label").and_then(|label| label.name(&mut reading.problems));
    let options = options(&section, owner.clone(), reading);
    let name = name?;
    let own_label = || name.rsplit('/').next().unwrap_or(&name).to_owned();
    Some(ScorerSpec { label: label.unwrap_or_else(own_label), name, options })
}
