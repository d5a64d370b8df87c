//! Parquet, row group after row group. Lists and structs become arrays and objects.

use super::{Numbered, Origin};
use crate::{PluginError, Result};
use parquet::file::reader::SerializedFileReader;
use parquet::record::reader::RowIter;
use serde_json::Value;
use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// The rows of a file, with their places in it, from 1.
pub(super) fn rows(file: File, origin: Origin) -> Result<impl Iterator<Item = Result<Numbered>> + Send> {
    let not_whole = || {
        PluginError::bad_input(format!("`{}` is not a whole Parquet file", origin.path.display()))
            .with_help("if it was downloaded, remove it and download it again")
    };
    // The `parquet` crate panics over some damage instead of telling it, here and where rows are read.
    let opened = catch_unwind(AssertUnwindSafe(|| {
        SerializedFileReader::new(file).map(|reader| RowIter::from_file_into(Box::new(reader)))
    }));
    let mut rows = match opened {
        Ok(rows) => rows.map_err(|error| not_whole().with_cause(&error))?,
        Err(payload) => return Err(not_whole().with_cause(&PluginError::from_panic("reading its end", &*payload))),
    };
    let mut number = 0;
    Ok(std::iter::from_fn(move || {
        number += 1;
        // No later row is asked for after a panic.
        let row = match catch_unwind(AssertUnwindSafe(|| rows.next())) {
            Ok(row) => row?,
            Err(payload) => {
                let doing = format!("reading {}", origin.place(number));
                return Some(Err(PluginError::from_panic(&doing, &*payload)));
            }
        };
        Some(match row.map(|row| row.to_json_value()) {
            Ok(Value::Object(fields)) => Ok((number, fields)),
            Ok(_) => Err(origin.error(number, "expected named columns")),
            Err(error) => Err(origin.error(number, "the row cannot be decoded").with_cause(&error)),
        })
    }))
}

#[cfg(test)]
mod tests {
    use crate::rows::read;
    use parquet::basic::Compression;
    use parquet::data_type::{ByteArray, ByteArrayType, Int64Type};
    use parquet::file::properties::WriterProperties;
    use parquet::file::writer::SerializedFileWriter;
    use parquet::schema::parser::parse_message_type;
    use serde_json::json;
    use std::path::Path;
    use std::sync::Arc;

    /// Writes `groups` row groups of two rows each, the second of which holds nothing but its number.
    fn write(path: &Path, groups: i64) {
        write_with(path, groups, WriterProperties::default());
    }

    fn write_with(path: &Path, groups: i64, properties: WriterProperties) {
        let schema = "message rows {
            required int64 number;
            optional binary text (STRING);
            required group names (LIST) { repeated group list { required binary element (STRING); } }
        }";
        let schema = Arc::new(parse_message_type(schema).unwrap());
        let file = std::fs::File::create(path).unwrap();
        let mut writer = SerializedFileWriter::new(file, schema, Arc::new(properties)).unwrap();
        for group in 0..groups {
            let mut columns = writer.next_row_group().unwrap();
            let mut column = columns.next_column().unwrap().unwrap();
            column.typed::<Int64Type>().write_batch(&[2 * group, 2 * group + 1], None, None).unwrap();
            column.close().unwrap();
            let mut column = columns.next_column().unwrap().unwrap();
            let text = ByteArray::from(format!("é{group}").as_str());
            column.typed::<ByteArrayType>().write_batch(&[text], Some(&[1, 0]), None).unwrap();
            column.close().unwrap();
            let mut column = columns.next_column().unwrap().unwrap();
            let names = [ByteArray::from("a"), ByteArray::from("b")];
            column.typed::<ByteArrayType>().write_batch(&names, Some(&[1, 1, 0]), Some(&[0, 1, 0])).unwrap();
            column.close().unwrap();
            columns.close().unwrap();
        }
        writer.close().unwrap();
    }

    #[test]
    fn reads_scalars_nulls_and_lists_across_row_groups() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rows.parquet");
        write(&path, 3);
        let rows: Vec<_> = read(&path, None).unwrap().collect::<crate::Result<_>>().unwrap();
        assert_eq!(rows.len(), 6);
        assert_eq!(json!(rows[2].fields), json!({"number": 2, "text": "é1", "names": ["a", "b"]}));
        assert_eq!(json!(rows[5].fields), json!({"number": 5, "text": null, "names": []}));
        assert_eq!(rows[5].place(), format!("row 6 of `{}`", path.display()));
    }

    /// What pandas, Polars and the hub write.
    #[test]
    fn every_codec_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rows.parquet");
        let codecs = [
            Compression::UNCOMPRESSED,
            Compression::SNAPPY,
            Compression::GZIP(Default::default()),
            Compression::BROTLI(Default::default()),
            Compression::ZSTD(Default::default()),
            Compression::LZ4,
            Compression::LZ4_RAW,
        ];
        for codec in codecs {
            write_with(&path, 2, WriterProperties::builder().set_compression(codec).build());
            let rows: Vec<_> = read(&path, None).unwrap().collect::<crate::Result<_>>().unwrap();
            assert_eq!(json!(rows[2].fields), json!({"number": 2, "text": "é1", "names": ["a", "b"]}), "{codec}");
        }
    }

    /// Fuzzing found that the `parquet` crate panics over footers, pages and row groups of which a byte has changed.
    #[test]
    fn a_file_with_any_byte_changed_is_rows_or_an_error_that_names_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rows.parquet");
        write(&path, 2);
        let whole = std::fs::read(&path).unwrap();
        for place in 0..whole.len() {
            for change in [0x01, 0x40, 0xff] {
                let mut bytes = whole.clone();
                bytes[place] ^= change;
                std::fs::write(&path, bytes).unwrap();
                // A count of rows can become any number.
                let rows = read(&path, None).and_then(|rows| rows.take(100).collect::<crate::Result<Vec<_>>>());
                if let Err(error) = rows {
                    assert!(error.to_string().contains(&path.display().to_string()), "byte {place}: {error}");
                }
            }
        }
    }

    #[test]
    fn a_file_cut_off_is_an_error_that_names_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rows.parquet");
        write(&path, 1);
        let content = std::fs::read(&path).unwrap();
        std::fs::write(&path, &content[..content.len() - 9]).unwrap();
        let error = read(&path, None).err().unwrap();
        assert_eq!(error.message, format!("`{}` is not a whole Parquet file", path.display()));
    }
}
