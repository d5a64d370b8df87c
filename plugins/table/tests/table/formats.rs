//! The same rows from every format.

use crate::{open, samples};
use parquet::basic::Compression;
use parquet::data_type::{ByteArray, ByteArrayType};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use serde_json::json;
use std::path::Path;
use std::sync::Arc;

fn write_parquet(path: &Path) {
    write_compressed(path, Compression::UNCOMPRESSED, [["one", "two"], ["B", "A"]]);
}

fn write_compressed(path: &Path, compression: Compression, rows: [[&str; 2]; 2]) {
    let schema = "message rows { required binary q (STRING); required binary a (STRING); }";
    let schema = Arc::new(parse_message_type(schema).unwrap());
    let file = std::fs::File::create(path).unwrap();
    let properties = WriterProperties::builder().set_compression(compression).set_dictionary_enabled(false).build();
    let mut writer = SerializedFileWriter::new(file, schema, Arc::new(properties)).unwrap();
    let mut columns = writer.next_row_group().unwrap();
    for values in rows {
        let mut column = columns.next_column().unwrap().unwrap();
        column.typed::<ByteArrayType>().write_batch(&values.map(ByteArray::from), None, None).unwrap();
        column.close().unwrap();
    }
    columns.close().unwrap();
    writer.close().unwrap();
}

#[test]
fn make_the_same_samples() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write("f.jsonl", "{\"q\": \"one\", \"a\": \"B\"}\n{\"q\": \"two\", \"a\": \"A\"}\n");
    write("f.json", r#"{"about": {}, "rows": [{"q": "one", "a": "B"}, {"q": "two", "a": "A"}]}"#);
    write("f.csv", "q,a\none,B\ntwo,A\n");
    write("f.tsv", "q\ta\none\tB\ntwo\tA\n");
    write_parquet(&folder.path().join("f.parquet"));
    let of = |name: &str| {
        let options = json!({"path": name, "prompt": "{{ q }}", "choices": ["no", "yes"], "gold": "a"});
        samples(&mut open(folder.path(), options).unwrap())
    };
    let expected = of("f.jsonl");
    assert_eq!(expected.len(), 2);
    for name in ["f.json", "f.csv", "f.tsv", "f.parquet"] {
        assert_eq!(of(name), expected, "{name}");
    }
}

/// A page is decompressed as a whole, and the crate that does it knows no bound.
#[test]
fn a_small_file_of_large_pages_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("f.parquet");
    let large = "a".repeat(200 << 20);
    write_compressed(&path, Compression::BROTLI(Default::default()), [[&large, "two"], ["B", "A"]]);
    assert!(path.metadata().unwrap().len() < 100_000);
    let refused = open(folder.path(), json!({"path": "f.parquet", "prompt": "{{ q }}"})).err().unwrap();
    assert!(refused.message.contains("reading a row of `") && refused.message.contains(" MiB of memory"), "{refused}");
}
