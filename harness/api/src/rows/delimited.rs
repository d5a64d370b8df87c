//! CSV and TSV, quoted as in RFC 4180, with a header. Every value is a string: what `007` means is not for us to say.

use super::{Numbered, Origin};
use crate::{PluginError, Result};
use csv::{ErrorKind, Position, Reader, ReaderBuilder, StringRecord};
use serde_json::Value;
use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};

/// The rows of a file, with the number of the line on which each begins (where blank lines stand before it, of the first
/// of these).
pub(super) fn rows(file: File, delimiter: u8, origin: Origin) -> Result<impl Iterator<Item = Result<Numbered>> + Send> {
    let mut reader = ReaderBuilder::new().delimiter(delimiter).from_reader(file);
    let names = header(&mut reader, &origin)?;
    // Where lines end in CR LF, the `csv` crate ends a record after the CR and counts the line later.
    let header_lines = 1 + names.iter().map(|name| name.matches('\n').count() as u64).sum::<u64>();
    let uncounted = (header_lines + 1).saturating_sub(reader.position().line());
    let mut record = StringRecord::new();
    let mut last = None;
    Ok(std::iter::from_fn(move || match reader.read_record(&mut record) {
        Ok(false) => last.take().and_then(|last| unclosed(&last, uncounted, delimiter, &origin)).map(Err),
        Ok(true) => {
            last = record.position().cloned();
            let number = record.position().map_or(0, Position::line) + uncounted;
            let values = record.iter().map(|value| Value::String(value.to_owned()));
            Some(Ok((number, names.iter().cloned().zip(values).collect())))
        }
        Err(error) => Some(Err(explain(error, uncounted, &origin))),
    }))
}

/// What is wrong with the last record: a quote that nothing closes makes all that follows it one value, which the `csv`
/// crate takes as it is.
fn unclosed(last: &Position, uncounted: u64, delimiter: u8, origin: &Origin) -> Option<PluginError> {
    let mut tail = File::open(&origin.path).ok()?;
    tail.seek(SeekFrom::Start(last.byte())).ok()?;
    let (mut quoted, mut begins) = (false, true);
    let mut bytes = BufReader::new(tail).bytes().map_while(std::io::Result::ok).peekable();
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' if quoted && bytes.peek() == Some(&b'"') => _ = bytes.next(),
            b'"' if quoted => quoted = false,
            b'"' if begins => quoted = true,
            _ => {}
        }
        begins = !quoted && (byte == delimiter || byte == b'\n' || byte == b'\r');
    }
    let error = || {
        origin
            .error(last.line() + uncounted, "a value begins with a double quote that nothing closes")
            .with_help("close it, or write a quote that is part of a value twice, in a value within double quotes")
    };
    quoted.then(error)
}

fn header(reader: &mut Reader<File>, origin: &Origin) -> Result<Vec<String>> {
    let names: Vec<String> =
        reader.headers().map_err(|error| explain(error, 0, origin))?.iter().map(str::to_owned).collect();
    let file = origin.path.display();
    if names.is_empty() {
        return Err(PluginError::bad_input(format!(
            "`{file}` is empty, expected a header with the names of its columns"
        )));
    }
    for (index, name) in names.iter().enumerate() {
        let column = index + 1;
        if name.is_empty() {
            return Err(PluginError::bad_input(format!("the header of `{file}` has no name for column {column}")));
        }
        if let Some(first) = names[..index].iter().position(|other| other == name) {
            return Err(PluginError::bad_input(format!(
                "the header of `{file}` has the name `{name}` twice, in columns {} and {column}",
                first + 1
            )));
        }
    }
    Ok(names)
}

fn explain(error: csv::Error, uncounted: u64, origin: &Origin) -> PluginError {
    match error.kind() {
        ErrorKind::Io(error) => PluginError::io("read", &origin.path, error),
        ErrorKind::UnequalLengths { pos: Some(position), expected_len, len } => origin
            .error(
                position.line() + uncounted,
                format_args!("expected {expected_len} values as in the header, found {len}"),
            )
            .with_help("a value that holds the delimiter, a quote or a line feed must be in double quotes"),
        ErrorKind::Utf8 { pos: Some(position), err } => origin.error(
            position.line() + uncounted,
            format_args!("expected UTF-8, found another byte in value {}", err.field() + 1),
        ),
        _ => PluginError::bad_input(format!("cannot read `{}`", origin.path.display())).with_cause(&error),
    }
}

#[cfg(test)]
mod tests {
    use crate::rows::{Format, Row, read};
    use serde_json::json;

    fn read_all(content: &[u8], format: Format) -> Result<Vec<Row>, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rows");
        std::fs::write(&path, content).unwrap();
        read(&path, Some(format))
            .and_then(|rows| rows.collect())
            .map_err(|error| error.message.replace(&path.display().to_string(), "F"))
    }

    #[test]
    fn keeps_values_as_strings_and_counts_lines() {
        let rows = read_all(b"\xef\xbb\xbfid,text\n007,\"two\nlines, \"\"quoted\"\"\"\n8,\n", Format::Csv).unwrap();
        assert_eq!(json!(rows[0].fields), json!({"id": "007", "text": "two\nlines, \"quoted\""}));
        assert_eq!(json!(rows[1].fields), json!({"id": "8", "text": ""}));
        assert_eq!(rows.iter().map(|row| row.number).collect::<Vec<_>>(), [2, 4]);
        let rows = read_all(b"a\tb\r\n1,5\t2\r\n3\t4\r\n", Format::Tsv).unwrap();
        assert_eq!(json!(rows[0].fields), json!({"a": "1,5", "b": "2"}));
        assert_eq!(rows.iter().map(|row| row.number).collect::<Vec<_>>(), [2, 3]);
    }

    #[test]
    fn says_where_and_what_is_wrong() {
        let wrong = |content: &[u8]| read_all(content, Format::Csv).unwrap_err();
        assert_eq!(wrong(b"a,b\n1,2\n3\n"), "line 3 of `F`: expected 2 values as in the header, found 1");
        assert_eq!(wrong(b"a,b\r\n1,2\r\n3\r\n"), "line 3 of `F`: expected 2 values as in the header, found 1");
        assert_eq!(wrong(b"a,b\n1,\xff\n"), "line 2 of `F`: expected UTF-8, found another byte in value 2");
        assert_eq!(wrong(b"a,b,a\n"), "the header of `F` has the name `a` twice, in columns 1 and 3");
        assert_eq!(wrong(b"a,,b\n"), "the header of `F` has no name for column 2");
        let open = "line 3 of `F`: a value begins with a double quote that nothing closes";
        assert_eq!(wrong(b"a,b\n1,2\n3,\"4\n5,6\n"), open);
        assert_eq!(wrong(b"a,b\r\n1,2\r\n3,\"4\"\"\r\n5,6\r\n"), open);
        for good in [&b"a,b\n1,\"2\"\n3,5\" pipe\n"[..], b"a,b\n1,\"say \"\"so\"\"\"", b"a,b\n1,\"two\nlines\"\n\n"] {
            assert!(read_all(good, Format::Csv).is_ok(), "{}", String::from_utf8_lossy(good));
        }
        assert_eq!(wrong(b""), "`F` is empty, expected a header with the names of its columns");
    }
}
