//! CSV and TSV, with the types that pandas finds: ten thousand rows at a time.

use super::super::features::{Columns, Feature};
use super::{Batch, Batches, Refusal};
use csv::{ByteRecord, ReaderBuilder};
use serde_json::{Map, Number, Value};
use std::cell::Cell;
use std::io::Read;
use std::rc::Rc;

/// Rows of a batch.
const ROWS: usize = 10_000;
/// More columns than that are read in smaller batches by pandas.
const COLUMNS: usize = 63;
/// Rows that pandas reads at once of any number of columns below a thousand.
const ROWS_OF_MANY: usize = 512;

/// What stands for no value.
const MISSING: [&str; 19] = [
    "", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "<NA>", "N/A", "NA",
    "NULL", "NaN", "None", "n/a", "nan", "null",
];

/// The batches of a file.
pub(super) fn batches(content: Box<dyn Read>, delimiter: u8) -> Result<Batches, Refusal> {
    let is_open = Rc::new(Cell::new(false));
    let watched = Quotes { content, delimiter, state: State::Begin, is_open: is_open.clone() };
    let mut reader = ReaderBuilder::new().has_headers(false).flexible(true).delimiter(delimiter).from_reader(watched);
    let mut record = ByteRecord::new();
    if !reader.read_byte_record(&mut record).map_err(wrong)? {
        return Err(Refusal::Broken("it is empty, expected a line with the names of its columns".to_owned()));
    }
    let names = header(&record)?;
    let mut line = 1;
    let mut has_ended = false;
    Ok(Box::new(std::iter::from_fn(move || {
        if has_ended {
            return None;
        }
        let mut rows: Vec<Vec<String>> = Vec::new();
        while rows.len() < ROWS {
            match reader.read_byte_record(&mut record).map_err(wrong) {
                Ok(true) => line += 1,
                Ok(false) => {
                    has_ended = true;
                    break;
                }
                Err(refusal) => {
                    has_ended = true;
                    return Some(Err(refusal));
                }
            }
            // Lines without anything are passed over by the reader; two quotes alone are a value.
            let is_blank = |byte: &u8| *byte == b' ' || *byte == b'\t';
            if record.len() == 1 && !record[0].is_empty() && record[0].iter().all(is_blank) {
                continue;
            }
            match values(&record, names.len(), line) {
                Ok(row) => rows.push(row),
                Err(refusal) => {
                    has_ended = true;
                    return Some(Err(refusal));
                }
            }
        }
        if has_ended && is_open.get() {
            return Some(Err(Refusal::Broken("a value begins with a double quote that nothing closes".to_owned())));
        }
        if names.len() > COLUMNS && rows.len() > ROWS_OF_MANY {
            has_ended = true;
            let why = format!("it has {} columns; pandas takes more than {COLUMNS} in parts", names.len());
            return Some(Err(Refusal::Broken(why)));
        }
        (!rows.is_empty()).then(|| Ok(typed(&names, rows)))
    })))
}

fn wrong(error: csv::Error) -> Refusal {
    Refusal::Broken(format!("it cannot be read: {error}"))
}

fn text(bytes: &[u8], line: u64) -> Result<String, Refusal> {
    String::from_utf8(bytes.to_vec()).map_err(|_| Refusal::Broken(format!("row {line} is not UTF-8")))
}

fn header(record: &ByteRecord) -> Result<Vec<String>, Refusal> {
    let mut names: Vec<String> = Vec::new();
    for (index, name) in record.iter().enumerate() {
        let name = match text(name, 1)? {
            name if name.is_empty() => format!("Unnamed: {index}"),
            name => name,
        };
        if names.contains(&name) {
            return Err(Refusal::Broken(format!("its first line has the name `{name}` twice")));
        }
        names.push(name);
    }
    Ok(names)
}

fn values(record: &ByteRecord, columns: usize, line: u64) -> Result<Vec<String>, Refusal> {
    if record.len() > columns {
        return Err(Refusal::Broken(format!(
            "row {line} has {} values, and the first line {columns} names of columns",
            record.len()
        )));
    }
    let mut row = record.iter().map(|value| text(value, line)).collect::<Result<Vec<_>, _>>()?;
    row.resize(columns, String::new());
    Ok(row)
}

fn typed(names: &[String], rows: Vec<Vec<String>>) -> Batch {
    let mut types = Columns::new();
    let mut converted: Vec<Map<String, Value>> = rows.iter().map(|_| Map::with_capacity(names.len())).collect();
    for (index, name) in names.iter().enumerate() {
        let column: Vec<&str> = rows.iter().map(|row| row[index].as_str()).collect();
        let (feature, values) = column_of(&column);
        for (row, value) in converted.iter_mut().zip(values) {
            row.insert(name.clone(), value);
        }
        types.push((name.clone(), feature));
    }
    Batch { rows: converted, types }
}

fn is_missing(text: &str) -> bool {
    text.len() <= 8 && MISSING.contains(&text)
}

/// The type of a column and its values.
fn column_of(texts: &[&str]) -> (Feature, Vec<Value>) {
    let missing = texts.iter().filter(|text| is_missing(text)).count();
    let present = || texts.iter().filter(|text| !is_missing(text));
    let convert = |of: &dyn Fn(&str) -> Option<Value>| -> Vec<Value> {
        texts.iter().map(|text| if is_missing(text) { Value::Null } else { of(text).unwrap_or_default() }).collect()
    };
    let as_text = || (Feature::Text("large_string"), convert(&|text| Some(Value::String(text.to_owned()))));
    if missing < texts.len() && present().all(|text| whole(text).is_some()) {
        let all: Vec<i128> = present().filter_map(|text| whole(text)).collect();
        let within = |least: i128, most: i128| all.iter().all(|number| (least..=most).contains(number));
        let (signed, unsigned) = (within(i64::MIN.into(), i64::MAX.into()), within(0, u64::MAX.into()));
        return match (signed, unsigned, missing > 0) {
            // A gap makes a column of floats of whole numbers.
            (true, _, true) => {
                let float = |text: &str| whole(text).and_then(|number| Number::from_f64(number as f64));
                (Feature::FLOAT, convert(&|text| float(text).map(Value::Number)))
            }
            (true, _, false) => {
                let number = |text: &str| whole(text).and_then(|number| i64::try_from(number).ok());
                (Feature::INT, convert(&|text| number(text).map(Value::from)))
            }
            (false, true, false) => {
                let number = |text: &str| whole(text).and_then(|number| u64::try_from(number).ok());
                (Feature::Int(64, false), convert(&|text| number(text).map(Value::from)))
            }
            _ if within(i64::MIN.into(), u64::MAX.into()) => as_text(),
            _ => (Feature::Other("a column of whole numbers that 64 bits do not hold".to_owned()), Vec::new()),
        };
    }
    let floats: Option<Vec<f64>> = present().map(|text| float(text)).collect();
    if let Some(floats) = floats {
        return match floats.iter().all(|float| float.is_finite()) {
            true => (Feature::FLOAT, convert(&|text| float(text).and_then(Number::from_f64).map(Value::Number))),
            false => (Feature::Other("a column of numbers with infinite ones".to_owned()), Vec::new()),
        };
    }
    if present().all(|text| truth(text).is_some()) {
        return (Feature::Bool, convert(&|text| truth(text).map(Value::Bool)));
    }
    as_text()
}

fn truth(text: &str) -> Option<bool> {
    match text {
        "True" | "TRUE" | "true" => Some(true),
        "False" | "FALSE" | "false" => Some(false),
        _ => None,
    }
}

/// A whole number, spaces around it allowed.
fn whole(text: &str) -> Option<i128> {
    let text = text.trim_matches([' ', '\t', '\x0b', '\x0c']);
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    let is_whole = !digits.is_empty() && digits.len() <= 30 && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_whole.then(|| text.parse().ok()).flatten()
}

/// A number as pandas reads it, to the nearest float: digits, maybe with a point and a power of ten, spaces around them allowed.
fn float(text: &str) -> Option<f64> {
    let text = text.trim_matches([' ', '\t', '\x0b', '\x0c']);
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    let infinite = ["inf", "infinity"].iter().any(|word| digits.eq_ignore_ascii_case(word));
    if infinite {
        return Some(if text.starts_with('-') { f64::NEG_INFINITY } else { f64::INFINITY });
    }
    let (number, power) = match digits.split_once(['e', 'E']) {
        Some((number, power)) => (number, Some(power)),
        None => (digits, None),
    };
    let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let (before, after) = number.split_once('.').unwrap_or((number, ""));
    let has_number = is_digits(before) && is_digits(after) && !(before.is_empty() && after.is_empty());
    let has_power = power.is_none_or(|power| {
        let digits = power.strip_prefix(['-', '+']).unwrap_or(power);
        !digits.is_empty() && is_digits(digits)
    });
    (has_number && has_power).then(|| text.parse().ok()).flatten()
}

#[derive(Clone, Copy, PartialEq)]
enum State {
    Begin,
    Plain,
    Quoted,
    /// After a quote within quotes, which ends the value or stands for one.
    Ended,
}

/// Watches whether a double quote is open where the content ends.
struct Quotes {
    content: Box<dyn Read>,
    delimiter: u8,
    state: State,
    is_open: Rc<Cell<bool>>,
}

impl Read for Quotes {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = self.content.read(buffer)?;
        for byte in &buffer[..count] {
            let ends = *byte == self.delimiter || *byte == b'\n' || *byte == b'\r';
            self.state = match (self.state, *byte) {
                (State::Quoted, b'"') => State::Ended,
                (State::Quoted, _) => State::Quoted,
                (State::Begin | State::Ended, b'"') => State::Quoted,
                _ if ends => State::Begin,
                _ => State::Plain,
            };
        }
        self.is_open.set(self.state == State::Quoted);
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn of(content: &'static str) -> Result<Vec<Batch>, Refusal> {
        batches(Box::new(content.as_bytes()), b',')?.collect()
    }

    #[test]
    fn types_are_those_of_pandas() {
        let batches = of("i,f,n,b,c,t,m\n1,1,1,True,true,x,\n 2 ,.5,,FALSE,NA,NA,nan\n").unwrap();
        let types: Vec<String> = batches[0].types.iter().map(|(_, feature)| feature.to_string()).collect();
        assert_eq!(types, ["int64", "float64", "float64", "bool", "bool", "string", "float64"]);
        let expected = [
            r#"{"i":1,"f":1.0,"n":1.0,"b":true,"c":true,"t":"x","m":null}"#,
            r#"{"i":2,"f":0.5,"n":null,"b":false,"c":null,"t":null,"m":null}"#,
        ];
        assert_eq!(batches[0].rows.iter().map(|row| json!(row).to_string()).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn quotes_blank_lines_and_short_rows_are_read() {
        let rows = json!(of("a,b,\n\"x\n\"\"y\"\"\",1,2\n\n   \n\"\"\r\nz\n").unwrap()[0].rows);
        assert_eq!(
            rows,
            json!([
                { "a": "x\n\"y\"", "b": 1.0, "Unnamed: 2": 2.0 },
                { "a": null, "b": null, "Unnamed: 2": null },
                { "a": "z", "b": null, "Unnamed: 2": null },
            ])
        );
        for bad in ["", "a,a\n", "a,b\n1,2,3\n", "a,b\n1,\"2\n"] {
            assert!(matches!(of(bad), Err(Refusal::Broken(_))), "{bad:?}");
        }
    }

    #[test]
    fn large_whole_numbers_are_what_pandas_makes_of_them() {
        let of = |texts: &[&str]| column_of(texts);
        assert_eq!(
            of(&["4611686018427387905", "", "-0"]),
            (Feature::FLOAT, vec![json!(4.611686018427388e18), json!(null), json!(0.0)])
        );
        assert_eq!(of(&["9223372036854775808"]).0, Feature::Int(64, false));
        for texts in [["9223372036854775808", ""], ["9223372036854775808", "-1"]] {
            assert_eq!(of(&texts).0, Feature::Text("large_string"), "{texts:?}");
        }
        assert!(matches!(of(&["10000000000000000000000000", "1"]).0, Feature::Other(_)));
        assert_eq!(of(&["9223372036854775808", "1.5"]).0, Feature::FLOAT);
    }

    #[test]
    fn numbers_are_read_as_by_pandas() {
        for (text, expected) in
            [("1.5", 1.5), ("1e5", 1e5), ("-.5", -0.5), ("1.", 1.0), (" 2 ", 2.0), ("0.1", 0.1), ("1e-400", 0.0)]
        {
            assert_eq!(float(text), Some(expected), "{text}");
        }
        for text in ["", "1,000", "1_000", "0x10", "1e", "- 5", "e5", ".", "1.5x", "--1"] {
            assert_eq!(float(text), None, "{text}");
        }
        assert_eq!(float("-Infinity"), Some(f64::NEG_INFINITY));
        assert_eq!((whole("007"), whole("+5"), whole("1.0"), whole("")), (Some(7), Some(5), None, None));
    }
}
