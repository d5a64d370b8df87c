//! Writes SVG, with the elements that the figures use.

use super::palette::{Colour, Shape};
use std::fmt::Write;

/// The font that is part of the program, and alternatives for viewers without it.
const FONTS: &str = "Noto Sans, DejaVu Sans, Helvetica, Arial, sans-serif";

/// A figure under construction. Lengths are pixels from the upper left.
#[derive(Debug, Clone)]
pub(super) struct Svg {
    /// Its width.
    pub(super) width: f64,
    /// Its height, which may be set last.
    pub(super) height: f64,
    title: String,
    body: String,
}

/// How a text is aligned at its position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

/// The style of a line.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stroke<'a> {
    pub(super) colour: &'a str,
    pub(super) width: f64,
    /// Lengths of dashes and gaps, `""` for none.
    pub(super) dashes: &'a str,
    pub(super) opacity: f64,
}

impl<'a> Stroke<'a> {
    pub(super) fn new(colour: &'a str, width: f64) -> Self {
        Stroke { colour, width, dashes: "", opacity: 1.0 }
    }

    fn attributes(self) -> String {
        let mut text = format!(" stroke=\"{}\" stroke-width=\"{}\"", self.colour, number(self.width));
        if !self.dashes.is_empty() {
            let _ = write!(text, " stroke-dasharray=\"{}\"", self.dashes);
        }
        if self.opacity < 1.0 {
            let _ = write!(text, " stroke-opacity=\"{}\"", number(self.opacity));
        }
        text
    }
}

/// The style of a text.
#[derive(Debug, Clone, Copy)]
pub(super) struct Style<'a> {
    pub(super) size: f64,
    pub(super) colour: &'a str,
    pub(super) bold: bool,
    pub(super) anchor: Anchor,
}

impl<'a> Style<'a> {
    pub(super) fn new(size: f64, colour: &'a str) -> Self {
        Style { size, colour, bold: false, anchor: Anchor::Start }
    }

    pub(super) fn bold(self) -> Self {
        Style { bold: true, ..self }
    }

    pub(super) fn anchored(self, anchor: Anchor) -> Self {
        Style { anchor, ..self }
    }
}

impl Svg {
    /// An empty figure. `title` is for screen readers.
    pub(super) fn new(width: f64, title: &str) -> Self {
        Svg { width, height: 0.0, title: title.to_owned(), body: String::new() }
    }

    /// The file.
    pub(super) fn finish(self) -> String {
        let (width, height) = (number(self.width), number(self.height));
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} \
             {height}\" role=\"img\" font-family=\"{FONTS}\">\n<title>{}</title>\n<rect width=\"{width}\" \
             height=\"{height}\" fill=\"#ffffff\"/>\n{}</svg>\n",
            escaped(&self.title),
            self.body
        )
    }

    pub(super) fn rect(&mut self, (x, y): (f64, f64), (width, height): (f64, f64), fill: &str) {
        let (x, y, width, height) = (number(x), number(y), number(width), number(height));
        let _ =
            writeln!(self.body, "<rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" fill=\"{fill}\"/>");
    }

    pub(super) fn line(&mut self, (x1, y1): (f64, f64), (x2, y2): (f64, f64), stroke: Stroke<'_>) {
        let (x1, y1, x2, y2) = (number(x1), number(y1), number(x2), number(y2));
        let stroke = stroke.attributes();
        let _ = writeln!(self.body, "<line x1=\"{x1}\" y1=\"{y1}\" x2=\"{x2}\" y2=\"{y2}\"{stroke}/>");
    }

    /// A line through all the points.
    pub(super) fn polyline(&mut self, points: &[(f64, f64)], stroke: Stroke<'_>) {
        let points: Vec<String> = points.iter().map(|(x, y)| format!("{},{}", number(*x), number(*y))).collect();
        let stroke = stroke.attributes();
        let _ = writeln!(
            self.body,
            "<polyline points=\"{}\" fill=\"none\" stroke-linejoin=\"round\"{stroke}/>",
            points.join(" ")
        );
    }

    /// A text on its base line.
    pub(super) fn text(&mut self, (x, y): (f64, f64), style: Style<'_>, text: &str) {
        let anchor = match style.anchor {
            Anchor::Start => "",
            Anchor::Middle => " text-anchor=\"middle\"",
            Anchor::End => " text-anchor=\"end\"",
        };
        let weight = if style.bold { " font-weight=\"bold\"" } else { "" };
        let (x, y, size, colour) = (number(x), number(y), number(style.size), style.colour);
        let _ = writeln!(
            self.body,
            "<text x=\"{x}\" y=\"{y}\" font-size=\"{size}\" fill=\"{colour}\"{weight}{anchor}>{}</text>",
            escaped(text)
        );
    }

    /// A marker around its middle; a hollow one is white inside.
    pub(super) fn marker(&mut self, (x, y): (f64, f64), size: f64, Colour { colour, shape }: Colour, hollow: bool) {
        let fill = if hollow { "#ffffff" } else { colour };
        let look = format!("fill=\"{fill}\" stroke=\"{colour}\" stroke-width=\"1.5\"");
        let corners: &[(f64, f64)] = match shape {
            Shape::Circle => {
                let _ = writeln!(
                    self.body,
                    "<circle cx=\"{}\" cy=\"{}\" r=\"{}\" {look}/>",
                    number(x),
                    number(y),
                    number(size)
                );
                return;
            }
            Shape::Square => &[(-0.9, -0.9), (0.9, -0.9), (0.9, 0.9), (-0.9, 0.9)],
            Shape::Diamond => &[(0.0, -1.25), (1.25, 0.0), (0.0, 1.25), (-1.25, 0.0)],
            Shape::Up => &[(0.0, -1.15), (1.15, 0.9), (-1.15, 0.9)],
            Shape::Down => &[(0.0, 1.15), (1.15, -0.9), (-1.15, -0.9)],
        };
        let points: Vec<String> =
            corners.iter().map(|(dx, dy)| format!("{},{}", number(x + dx * size), number(y + dy * size))).collect();
        let _ = writeln!(self.body, "<polygon points=\"{}\" {look}/>", points.join(" "));
    }

    /// A cross, for a missing value.
    pub(super) fn cross(&mut self, (x, y): (f64, f64), size: f64, colour: &str) {
        let stroke = Stroke::new(colour, 2.0);
        self.line((x - size, y - size), (x + size, y + size), stroke);
        self.line((x - size, y + size), (x + size, y - size), stroke);
    }
}

/// At most two decimals, so that rounding errors change nothing.
fn number(value: f64) -> String {
    let text = format!("{value:.2}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" { "0".to_owned() } else { text.to_owned() }
}

/// Text escaped for XML; characters that XML does not allow become spaces.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            letter if letter.is_control() || matches!(letter, '\u{fffe}' | '\u{ffff}') => escaped.push(' '),
            letter => escaped.push(letter),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short_and_texts_are_escaped() {
        assert_eq!([number(1.0), number(-0.001), number(2.345), number(100.0)], ["1", "0", "2.35", "100"]);
        assert_eq!(escaped("a<b> & \"c\"\u{1}"), "a&lt;b&gt; &amp; &quot;c&quot; ");
    }

    #[test]
    fn a_small_figure() {
        let mut svg = Svg::new(40.0, "R & D");
        svg.line((0.0, 1.0), (2.5, 1.0), Stroke { dashes: "3 2", ..Stroke::new("#000000", 1.0) });
        svg.text((1.0, 2.0), Style::new(10.0, "#333333").bold().anchored(Anchor::End), "a < b");
        svg.marker((5.0, 5.0), 2.0, Colour { colour: "#0072b2", shape: Shape::Diamond }, true);
        svg.height = 20.0;
        insta::assert_snapshot!(svg.finish(), @r##"
    <svg xmlns="http://www.w3.org/2000/svg" width="40" height="20" viewBox="0 0 40 20" role="img" font-family="Noto Sans, DejaVu Sans, Helvetica, Arial, sans-serif">
    <title>R &amp; D</title>
    <rect width="40" height="20" fill="#ffffff"/>
    <line x1="0" y1="1" x2="2.5" y2="1" stroke="#000000" stroke-width="1" stroke-dasharray="3 2"/>
    <text x="1" y="2" font-size="10" fill="#333333" font-weight="bold" text-anchor="end">a &lt; b</text>
    <polygon points="5,2.5 7.5,5 5,7.5 2.5,5" fill="#ffffff" stroke="#0072b2" stroke-width="1.5"/>
    </svg>
    "##);
    }
}
