//! A file of rows of any bytes, in each format: rows and at most one error, which is the last, and no panic.
//!
//! The first byte says the format: `l` JSON lines, `j` JSON, `c` CSV, `t` TSV, `p` Parquet.
#![no_main]

use examiner_api::rows::{Filter, Format, lookup, read_at};
use examiner_fuzz::{file, let_caught_panics_pass, parquet, sow, watch};
use libfuzzer_sys::fuzz_target;
use parquet_of_the_crate::basic::{Compression, ZstdLevel};
use parquet_of_the_crate::file::properties::WriterProperties;

extern crate parquet as parquet_of_the_crate;

fn seeds() -> Vec<(String, Vec<u8>)> {
    let text = |name: &str, text: &str| (name.to_owned(), text.as_bytes().to_vec());
    let binary = |name: &str, compression| {
        let properties = WriterProperties::builder().set_compression(compression).build();
        (name.to_owned(), [b"p".to_vec(), parquet(properties)].concat())
    };
    let plain = WriterProperties::builder().set_dictionary_enabled(false).build();
    vec![
        text("lines", "l\u{feff}{\"a\": 1, \"b\": [\"\\u00e9\", null]}\r\n\n{\"a\": 2.5e3}\n{\"a\": \"to"),
        text("json", "j{\"canary\": \"x\", \"examples\": [{\"a\": {\"b\": 1}}, {\"a\": 2}]}"),
        text("array", "j[{\"a\": 1}, {\"a\": 2}, 3]"),
        text("csv", "c\u{feff}id,text\r\n007,\"two\nlines, \"\"quoted\"\"\"\r\n8,\n"),
        text("tsv", "ta\tb\n1,5\t2\n3\n"),
        binary("parquet", Compression::UNCOMPRESSED),
        binary("parquet-snappy", Compression::SNAPPY),
        binary("parquet-zstd", Compression::ZSTD(ZstdLevel::default())),
        ("parquet-plain".to_owned(), [b"p".to_vec(), parquet(plain)].concat()),
    ]
}

fuzz_target!(
    init: {
        sow("rows", seeds());
        let_caught_panics_pass();
    },
    |data: &[u8]| {
        let Some((format, bytes)) = data.split_first() else { return };
        let (format, pointer) = match format {
            b'l' => (Format::Jsonl, None),
            b'j' => (Format::Json, None),
            b'J' => (Format::Json, Some("/examples")),
            b'c' => (Format::Csv, None),
            b't' => (Format::Tsv, None),
            b'p' => (Format::Parquet, None),
            _ => return,
        };
        let path = file("rows");
        std::fs::write(&path, bytes).expect("an input");
        watch(|| {
            let Ok(mut rows) = read_at(&path, Some(format), pointer) else { return };
            let filter = Filter::default();
            // A few bytes of Parquet can stand for very many equal rows.
            for row in rows.by_ref().take(10_000) {
                match row {
                    Ok(row) => {
                        assert!(filter.matches(&row.fields) && !row.place().is_empty());
                        let _ = lookup(&row.fields, "a.b.0");
                    }
                    Err(error) => {
                        assert!(!error.message.is_empty());
                        assert!(rows.next().is_none(), "no row after an error");
                        break;
                    }
                }
            }
        });
    }
);
