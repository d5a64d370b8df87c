//! The files of a model that was split: `NAME-00001-of-00003.gguf` and its like. The first is the one that users name.

use examiner_api::{PluginError, Result};

/// The addresses of all parts, from that of the first; one address for a file of its own. `count` is the number of parts
/// that the file itself speaks of, and `number` which of them it is, from 0 on.
///
/// # Errors
/// `BadInput` for a file that is not the first part, or whose name says otherwise than the file.
pub(super) fn addresses(address: &str, number: i128, count: i128) -> Result<Vec<String>> {
    let said = |found: String| PluginError::bad_input(format!("`{address}` {found}"));
    if count <= 1 {
        return Ok(vec![address.to_owned()]);
    }
    let Some((stem, part, parts)) = named(address) else {
        let expected = format!("NAME-{:05}-of-{count:05}.gguf", number + 1);
        return Err(said(format!("is part {} of {count}, but is not named `{expected}`", number + 1))
            .with_help("give all parts the names that they were published under"));
    };
    if i128::from(part) != number + 1 || i128::from(parts) != count {
        return Err(said(format!("is part {} of {count} by what it says itself", number + 1))
            .with_help("give the parts the names that they were published under"));
    }
    if part != 1 {
        return Err(said(format!("is part {part} of {parts}"))
            .with_help(format!("name the first part: `{stem}-00001-of-{parts:05}.gguf`")));
    }
    Ok((1..=parts).map(|part| format!("{stem}-{part:05}-of-{parts:05}.gguf")).collect())
}

/// What a name says: what stands before the numbers, which part it is, and of how many.
fn named(address: &str) -> Option<(&str, u32, u32)> {
    let (rest, parts) = address.strip_suffix(".gguf")?.rsplit_once("-of-")?;
    let (stem, part) = rest.rsplit_once('-')?;
    let number = |digits: &str| digits.parse().ok().filter(|_| digits.len() == 5);
    Some((stem, number(part)?, number(parts)?))
}

#[cfg(test)]
mod tests {
    use super::addresses;

    #[test]
    fn the_first_part_names_all_of_them() {
        let all = addresses("hf://org/name/q4/m-00001-of-00003.gguf", 0, 3).unwrap();
        assert_eq!(all.len(), 3);
        assert_eq!(all[2], "hf://org/name/q4/m-00003-of-00003.gguf");
        assert_eq!(addresses("m.gguf", 0, 1).unwrap(), ["m.gguf"]);
        assert_eq!(addresses("m-00001-of-00001.gguf", 0, 1).unwrap(), ["m-00001-of-00001.gguf"]);
    }

    #[test]
    fn names_that_do_not_fit_the_file_are_refused() {
        for (address, number, count, said) in [
            ("m-00002-of-00003.gguf", 1, 3, "is part 2 of 3"),
            ("m.gguf", 0, 3, "is not named `NAME-00001-of-00003.gguf`"),
            ("m-1-of-3.gguf", 0, 3, "is not named"),
            ("m-00001-of-00003.gguf", 1, 3, "is part 2 of 3 by what it says itself"),
            ("m-00001-of-00003.gguf", 0, 4, "is part 1 of 4 by what it says itself"),
        ] {
            let error = addresses(address, number, count).unwrap_err();
            assert!(error.message.contains(said), "{error}");
        }
        let help = addresses("m-00002-of-00003.gguf", 1, 3).unwrap_err().help.unwrap();
        assert!(help.contains("`m-00001-of-00003.gguf`"), "{help}");
    }
}
