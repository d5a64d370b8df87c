//! Parquet, whose columns have types.

use super::super::features::{Columns, Feature, from_description};
use super::arrow_schema::durations;
use super::{Batch, Batches, Refusal, broken, unsupported};
use parquet::basic::{ConvertedType, LogicalType, Repetition, Type as Physical};
use parquet::file::metadata::FileMetaData;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::reader::RowIter;
use parquet::record::{Field, Row};
use parquet::schema::types::{Type, TypePtr};
use serde_json::{Map, Number, Value};
use std::collections::BTreeMap;
use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

/// Rows of a batch.
const ROWS: usize = 1_000;

fn damaged() -> Refusal {
    Refusal::Broken("it is not a whole Parquet file; if it was downloaded, remove it and download it again".to_owned())
}

/// Does what the `parquet` crate may panic over where a file is damaged.
fn guarded<T>(work: impl FnOnce() -> parquet::errors::Result<T>) -> Result<T, Refusal> {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(error)) => Err(Refusal::Broken(format!("it cannot be read as Parquet: {error}"))),
        Err(_) => Err(damaged()),
    }
}

fn open(path: &Path) -> Result<SerializedFileReader<File>, Refusal> {
    let file = File::open(path).map_err(|error| broken(&error))?;
    match catch_unwind(AssertUnwindSafe(|| SerializedFileReader::new(file))) {
        Ok(Ok(reader)) => Ok(reader),
        _ => Err(damaged()),
    }
}

/// The columns of a file: as its metadata describes them, where it is what is stored, and by the stored types otherwise.
pub(super) fn columns(path: &Path) -> Result<Columns, Refusal> {
    let reader = open(path)?;
    let metadata = reader.metadata().file_metadata();
    let stored = stored(metadata)?;
    let described = metadata.key_value_metadata().into_iter().flatten().find(|entry| entry.key == "huggingface");
    let described = described.and_then(|entry| serde_json::from_str::<Value>(entry.value.as_deref()?).ok());
    let described = match described.as_ref().and_then(|described| described.pointer("/info/features")) {
        Some(features) if !features.is_null() => from_description(features)
            .map_err(|why| Refusal::Broken(format!("the description of its columns cannot be read: {why}")))?,
        _ => Columns::new(),
    };
    let pick = |(name, stored): (String, Feature)| {
        let described = described.iter().find(|(known, _)| *known == name).map(|(_, feature)| feature);
        // What has no form in JSON, such as a picture, is left out by its own name.
        let feature =
            described.filter(|feature| unsupported(feature).is_some() || feature.storage() == stored.storage());
        (name, feature.cloned().unwrap_or(stored))
    };
    Ok(stored.into_iter().map(pick).collect())
}

/// The batches of a file, without the columns that have no form in JSON, or are left out.
pub(super) fn batches(path: &Path, left_out: &BTreeMap<String, String>) -> Result<Batches, Refusal> {
    let reader = open(path)?;
    let types = stored(reader.metadata().file_metadata())?;
    let schema = reader.metadata().file_metadata().schema().clone();
    let is_wanted = |field: &&TypePtr| {
        let has_form = |(name, feature): &(String, Feature)| name == field.name() && unsupported(feature).is_none();
        types.iter().any(has_form) && !left_out.contains_key(field.name())
    };
    let wanted: Vec<TypePtr> = schema.get_fields().iter().filter(is_wanted).cloned().collect();
    let projected = guarded(|| Type::group_type_builder(schema.name()).with_fields(wanted).build())?;
    let mut rows = guarded(|| RowIter::from_file_into(Box::new(reader)).project(Some(projected)))?;
    let mut has_ended = false;
    Ok(Box::new(std::iter::from_fn(move || {
        let mut batch = Vec::new();
        while !has_ended && batch.len() < ROWS {
            let row = match guarded(|| rows.next().transpose()) {
                Ok(Some(row)) => of_row(&row),
                Ok(None) => {
                    has_ended = true;
                    break;
                }
                Err(refusal) => Err(refusal),
            };
            match row {
                Ok(row) => batch.push(row),
                Err(refusal) => {
                    has_ended = true;
                    return Some(Err(refusal));
                }
            }
        }
        (!batch.is_empty()).then(|| Ok(Batch { rows: batch, types: types.clone() }))
    })))
}

fn of_row(row: &Row) -> Result<Map<String, Value>, Refusal> {
    let columns = row.get_column_iter();
    columns
        .map(|(name, field)| {
            let value = value(field).map_err(|why| Refusal::LeftOut { column: name.clone(), why })?;
            Ok((name.clone(), value))
        })
        .collect()
}

fn value(field: &Field) -> Result<Value, String> {
    let float = |float: f64| {
        let number = Number::from_f64(float).map(Value::Number);
        number.ok_or_else(|| "it holds NaN or an infinite number, which have no form in JSON".to_owned())
    };
    Ok(match field {
        Field::Null => Value::Null,
        Field::Bool(truth) => Value::Bool(*truth),
        Field::Byte(number) => Value::from(*number),
        Field::Short(number) => Value::from(*number),
        Field::Int(number) => Value::from(*number),
        Field::Long(number) => Value::from(*number),
        Field::UByte(number) => Value::from(*number),
        Field::UShort(number) => Value::from(*number),
        Field::UInt(number) => Value::from(*number),
        Field::ULong(number) => Value::from(*number),
        Field::Float(number) => float(f64::from(*number))?,
        Field::Double(number) => float(*number)?,
        Field::Str(text) => Value::String(text.clone()),
        Field::Group(row) => {
            let fields = row.get_column_iter().map(|(name, field)| Ok((name.clone(), value(field)?)));
            Value::Object(fields.collect::<Result<_, String>>()?)
        }
        Field::ListInternal(list) => Value::Array(list.elements().iter().map(value).collect::<Result<_, _>>()?),
        other => return Err(format!("`{other}` has no form in JSON")),
    })
}

/// The columns by the stored types.
fn stored(metadata: &FileMetaData) -> Result<Columns, Refusal> {
    let arrow = metadata.key_value_metadata().into_iter().flatten().find(|entry| entry.key == "ARROW:schema");
    let durations = arrow.and_then(|entry| entry.value.as_deref()).map(durations).unwrap_or_default();
    let mut columns = Columns::new();
    for field in metadata.schema().get_fields() {
        if columns.iter().any(|(name, _)| name == field.name()) {
            return Err(Refusal::Broken(format!("it has two columns `{}`", field.name())));
        }
        let is_duration = durations.iter().any(|name| name == field.name());
        let feature = if is_duration { Feature::Other("duration".to_owned()) } else { of_type(field) };
        columns.push((field.name().to_owned(), feature));
    }
    Ok(columns)
}

fn of_type(field: &Type) -> Feature {
    let info = field.get_basic_info();
    let other = |name: &str| Feature::Other(name.to_owned());
    if info.repetition() == Repetition::REPEATED {
        return other("an old form of lists");
    }
    let (logical, converted) = (info.logical_type_ref(), info.converted_type());
    if field.is_group() {
        return match (logical, converted) {
            (Some(LogicalType::List), _) | (None, ConvertedType::LIST) => match item(field) {
                Some(item) => Feature::List(Box::new(of_type(item)), None),
                None => other("an old form of lists"),
            },
            (Some(LogicalType::Map), _) | (None, ConvertedType::MAP | ConvertedType::MAP_KEY_VALUE) => other("map"),
            (None, ConvertedType::NONE) => {
                let fields = field.get_fields().iter();
                Feature::Struct(fields.map(|field| (field.name().to_owned(), of_type(field))).collect())
            }
            _ => other("an unknown type of Parquet"),
        };
    }
    match (field.get_physical_type(), logical, converted) {
        (_, Some(LogicalType::Unknown), _) => Feature::Null,
        (Physical::BOOLEAN, _, _) => Feature::Bool,
        (Physical::INT32 | Physical::INT64, Some(LogicalType::Integer(int)), _) => {
            Feature::Int(int.bit_width.unsigned_abs(), int.is_signed)
        }
        (Physical::INT32, None, ConvertedType::NONE | ConvertedType::INT_32) => Feature::Int(32, true),
        (Physical::INT64, None, ConvertedType::NONE | ConvertedType::INT_64) => Feature::Int(64, true),
        (Physical::INT32, None, ConvertedType::INT_8) => Feature::Int(8, true),
        (Physical::INT32, None, ConvertedType::INT_16) => Feature::Int(16, true),
        (Physical::INT32, None, ConvertedType::UINT_8) => Feature::Int(8, false),
        (Physical::INT32, None, ConvertedType::UINT_16) => Feature::Int(16, false),
        (Physical::INT32, None, ConvertedType::UINT_32) => Feature::Int(32, false),
        (Physical::INT64, None, ConvertedType::UINT_64) => Feature::Int(64, false),
        (Physical::FLOAT, _, _) => Feature::Float(32),
        (Physical::DOUBLE, _, _) => Feature::Float(64),
        (Physical::BYTE_ARRAY, Some(LogicalType::String), _) | (Physical::BYTE_ARRAY, None, ConvertedType::UTF8) => {
            Feature::TEXT
        }
        (Physical::BYTE_ARRAY, Some(LogicalType::Json), _) | (Physical::BYTE_ARRAY, None, ConvertedType::JSON) => {
            Feature::Json
        }
        (_, Some(LogicalType::Date), _) | (_, None, ConvertedType::DATE) => other("date32"),
        (_, Some(LogicalType::Timestamp(_)), _) | (Physical::INT96, _, _) => other("timestamp"),
        (_, Some(LogicalType::Time(_)), _) => other("time"),
        (_, Some(LogicalType::Decimal(_)), _) | (_, None, ConvertedType::DECIMAL) => other("decimal"),
        (_, Some(LogicalType::Float16), _) => other("float16"),
        (Physical::BYTE_ARRAY | Physical::FIXED_LEN_BYTE_ARRAY, None, ConvertedType::NONE) => other("binary"),
        _ => other("an unknown type of Parquet"),
    }
}

/// The type of a list's values, where it is written in the usual way: a repeated group of one field.
fn item(list: &Type) -> Option<&Type> {
    let [repeated] = list.get_fields() else { return None };
    let is_usual = repeated.is_group()
        && repeated.get_basic_info().repetition() == Repetition::REPEATED
        && repeated.get_basic_info().converted_type() == ConvertedType::NONE
        && repeated.name() != "array"
        && !repeated.name().ends_with("_tuple");
    match repeated.get_fields() {
        [item] if is_usual && item.get_basic_info().repetition() != Repetition::REPEATED => Some(item),
        _ => None,
    }
}
