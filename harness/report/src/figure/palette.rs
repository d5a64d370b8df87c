//! Colours and shapes that distinguish models.

/// The appearance of a model in every figure.
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

/// Colours that people with colour blindness can distinguish (Okabe and Ito, "Color universal design", 2008), without
/// the yellow, which is hard to see on white. Black is the last.
const COLOURS: [&str; 7] = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000"];
const SHAPES: [Shape; 5] = [Shape::Circle, Shape::Square, Shape::Diamond, Shape::Up, Shape::Down];

/// Primary text.
pub(super) const INK: &str = "#222222";
/// Secondary text.
pub(super) const GREY: &str = "#666666";
/// Grid lines.
pub(super) const GRID: &str = "#dddddd";
/// Background of every other row.
pub(super) const BAND: &str = "#f6f6f6";

/// Names with their colours: a training has the colour of the model of its name.
#[derive(Debug, Clone)]
pub(super) struct Palette {
    names: Vec<String>,
}

impl Palette {
    /// Assigns colours in the order of the names.
    pub(super) fn new<'a>(names: impl Iterator<Item = &'a str>) -> Self {
        let mut palette = Palette { names: Vec::new() };
        names.for_each(|name| palette.add(name));
        palette
    }

    /// Assigns a colour to a name that has none yet.
    pub(super) fn add(&mut self, name: &str) {
        if !self.names.iter().any(|known| known == name) {
            self.names.push(name.to_owned());
        }
    }

    /// The name's colour; that of an unknown name is black.
    pub(super) fn of(&self, name: &str) -> Colour {
        match self.names.iter().position(|known| known == name) {
            // Seven and five have no common factor: 35 models look different.
            Some(index) => Colour { colour: COLOURS[index % COLOURS.len()], shape: SHAPES[index % SHAPES.len()] },
            None => Colour { colour: INK, shape: Shape::Circle },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thirty_five_models_look_different() {
        let names: Vec<String> = (0..35).map(|index| index.to_string()).collect();
        let palette = Palette::new(names.iter().map(String::as_str));
        for (index, name) in names.iter().enumerate() {
            assert!(names[..index].iter().all(|other| palette.of(other) != palette.of(name)), "{name}");
        }
    }
}
