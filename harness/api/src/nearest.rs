//! The name that was probably meant.

/// The one of `valid` that `name` was probably meant to be.
///
/// Case, and `-` for `_`, are no difference; beyond that one slip (Damerau-Levenshtein) in three characters is taken
/// for a typing mistake.
pub fn nearest<'a>(name: &str, valid: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let plain = |text: &str| text.to_lowercase().replace('-', "_");
    let name = plain(name);
    let slips = (name.chars().count() / 3).max(1);
    let (distance, found) = valid
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(&name, &plain(candidate)), candidate))
        .min_by_key(|(distance, _)| *distance)?;
    (distance <= slips && distance < name.chars().count()).then_some(found)
}
