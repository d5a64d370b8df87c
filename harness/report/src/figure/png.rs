//! SVG to PNG, with fonts that are part of the program: machines that run examinations rarely have any.

use resvg::tiny_skia::{Pixmap, Transform};
use resvg::usvg::{Options, Tree, fontdb};
use std::sync::Arc;

/// Pixels of the PNG for one unit of the SVG, so that it is sharp in print and on high-resolution screens.
const SCALE: f32 = 2.0;
/// A long picture gets fewer pixels for a unit, so that it has no more than so many, which take 128 MB,
const PIXELS_MAX: f32 = 32e6;
/// down to this: beyond it no letter could be read.
const SCALE_MIN: f32 = 0.5;

/// The picture as the bytes of a PNG file.
pub(super) fn render(svg: &str) -> Result<Vec<u8>, String> {
    let mut fonts = fontdb::Database::new();
    fonts.load_font_data(notosans::REGULAR_TTF.to_vec());
    fonts.load_font_data(notosans::BOLD_TTF.to_vec());
    let options = Options { fontdb: Arc::new(fonts), ..Options::default() };
    let tree = Tree::from_str(svg, &options).map_err(|error| error.to_string())?;
    let size = tree.size();
    let scale = scale(size.width(), size.height()).ok_or_else(|| {
        format!("{} x {} units are too many for a PNG; the SVG shows them", size.width(), size.height())
    })?;
    let size = size.to_int_size().scale_by(scale).ok_or("the picture has no size")?;
    let mut pixels = Pixmap::new(size.width(), size.height()).ok_or("the picture is too large")?;
    resvg::render(&tree, Transform::from_scale(scale, scale), &mut pixels.as_mut());
    pixels.encode_png().map_err(|error| error.to_string())
}

/// Pixels for one unit of a picture of so many units; none where it would be too large.
fn scale(width: f32, height: f32) -> Option<f32> {
    let scale = SCALE.min((PIXELS_MAX / (width * height)).sqrt());
    (scale >= SCALE_MIN).then_some(scale)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_picture_gets_fewer_pixels_and_none_beyond_reading() {
        assert_eq!(scale(900.0, 600.0), Some(SCALE));
        let long = scale(900.0, 81_186.0).unwrap();
        assert!((0.5..1.0).contains(&long) && 900.0 * 81_186.0 * long * long <= 1.001 * PIXELS_MAX, "{long}");
        assert_eq!(scale(900.0, 1e6), None);
        let long = r#"<svg xmlns="http://www.w3.org/2000/svg" width="900" height="1000000"/>"#;
        assert_eq!(render(long).unwrap_err(), "900 x 1000000 units are too many for a PNG; the SVG shows them");
    }
}
