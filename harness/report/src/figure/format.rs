//! Formats that figures are asked for, and are not written in.

use super::FORMATS;
use std::path::{Path, PathBuf};

/// Endings of pictures and documents. Any other ending is a part of the name: `gpt-1.5`.
const OTHERS: [&str; 14] =
    ["pdf", "eps", "ps", "jpg", "jpeg", "gif", "webp", "avif", "tif", "tiff", "bmp", "htm", "html", "pgf"];

/// A figure that was asked for in a format in which none is written.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{}`: no figure can be drawn as {format}, expected {}; other programs convert an `.svg` without loss", path.display(), listed())]
pub struct UnknownFormat {
    path: PathBuf,
    format: String,
}

/// Whether figures can be written to a file of this name.
///
/// # Errors
/// They cannot.
pub fn check_format(path: &Path) -> Result<(), UnknownFormat> {
    let ending = path.extension().map(|ending| ending.to_string_lossy().to_lowercase()).unwrap_or_default();
    match OTHERS.contains(&ending.as_str()) || (ending == "png" && !FORMATS.contains(&"png")) {
        true => Err(UnknownFormat { path: path.to_owned(), format: ending.to_uppercase() }),
        false => Ok(()),
    }
}

fn listed() -> String {
    FORMATS.iter().map(|format| format!("`.{format}`")).collect::<Vec<_>>().join(" or ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_format_that_is_not_written_is_refused_by_name() {
        let refused = check_format("figs/p.pdf".as_ref()).unwrap_err().to_string();
        assert!(refused.starts_with("`figs/p.pdf`: no figure can be drawn as PDF, expected `.svg`"), "{refused}");
        for drawn in ["p.svg", "p", "gpt-1.5"] {
            assert_eq!(check_format(drawn.as_ref()), Ok(()), "{drawn}");
        }
        assert!(check_format("p.JPG".as_ref()).is_err());
    }
}
