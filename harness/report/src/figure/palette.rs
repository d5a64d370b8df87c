//! Colours and shapes that tell models apart.

/// How one model looks in every picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Colour {
    pub(super) colour: &'static str,
    pub(super) shape: Shape,
}

/// The shape of a marker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    Circle,
    Square,
    Diamond,
    Up,
    Down,
}

/// Colours that people who are blind to some can tell apart (Okabe and Ito, "Color universal design", 2008), without
/// the yellow, which is lost on white. Black comes last.
const COLOURS: [&str; 7] = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000"];
const SHAPES: [Shape; 5] = [Shape::Circle, Shape::Square, Shape::Diamond, Shape::Up, Shape::Down];

/// Texts that matter.
pub(super) const INK: &str = "#222222";
/// Texts that matter less.
pub(super) const GREY: &str = "#666666";
/// Lines to measure by.
pub(super) const GRID: &str = "#dddddd";
/// Behind every other row.
pub(super) const BAND: &str = "#f6f6f6";

/// Names with their colours: a training has the colour of the model of its name.
#[derive(Debug, Clone)]
pub(super) struct Palette {
    names: Vec<String>,
}

impl Palette {
    /// Gives colours in the order of the names; a name that comes twice has one.
    pub(super) fn new<'a>(names: impl Iterator<Item = &'a str>) -> Self {
        let mut palette = Palette { names: Vec::new() };
        names.for_each(|name| palette.add(name));
        palette
    }

    /// Gives a colour to a name that has none yet.
    pub(super) fn add(&mut self, name: &str) {
        if !self.names.iter().any(|known| known == name) {
            self.names.push(name.to_owned());
        }
    }

    /// The name's colour; one that was never given is black.
    pub(super) fn of(&self, name: &str) -> Colour {
        match self.names.iter().position(|known| known == name) {
            // Seven and five have no common factor: 35 models look different.
            Some(place) => Colour { colour: COLOURS[place % COLOURS.len()], shape: SHAPES[place % SHAPES.len()] },
            None => Colour { colour: INK, shape: Shape::Circle },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thirty_five_models_look_different() {
        let names: Vec<String> = (0..35).map(|place| place.to_string()).collect();
        let palette = Palette::new(names.iter().map(String::as_str));
        for (place, name) in names.iter().enumerate() {
            assert!(names[..place].iter().all(|other| palette.of(other) != palette.of(name)), "{name}");
        }
    }
}
