//! A Parquet file with a column of every kind that rows have.

use parquet::data_type::{ByteArray, ByteArrayType, DoubleType, Int64Type};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use std::sync::Arc;

const SCHEMA: &str = "message rows {
    required int64 number;
    optional binary text (STRING);
    required double share;
    required group names (LIST) { repeated group list { required binary element (STRING); } }
}";

/// Two row groups of two rows each.
pub fn parquet(properties: WriterProperties) -> Vec<u8> {
    let schema = Arc::new(parse_message_type(SCHEMA).expect("a schema"));
    let mut file = Vec::new();
    let mut writer = SerializedFileWriter::new(&mut file, schema, Arc::new(properties)).expect("a writer");
    for group in 0..2 {
        let mut columns = writer.next_row_group().expect("a row group");
        let mut column = columns.next_column().expect("columns").expect("numbers");
        column.typed::<Int64Type>().write_batch(&[2 * group, 2 * group + 1], None, None).expect("numbers");
        column.close().expect("numbers");
        let mut column = columns.next_column().expect("columns").expect("texts");
        column.typed::<ByteArrayType>().write_batch(&[ByteArray::from("é")], Some(&[1, 0]), None).expect("texts");
        column.close().expect("texts");
        let mut column = columns.next_column().expect("columns").expect("shares");
        column.typed::<DoubleType>().write_batch(&[0.5, 0.25], None, None).expect("shares");
        column.close().expect("shares");
        let mut column = columns.next_column().expect("columns").expect("names");
        let names = [ByteArray::from("a"), ByteArray::from("b")];
        column.typed::<ByteArrayType>().write_batch(&names, Some(&[1, 1, 0]), Some(&[0, 1, 0])).expect("names");
        column.close().expect("names");
        columns.close().expect("a row group");
    }
    writer.close().expect("a footer");
    file
}
