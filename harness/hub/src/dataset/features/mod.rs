//! The types of columns, as the Python library `datasets` knows them.

mod description;
mod yaml;

pub(super) use description::{from_description, to_description};
pub(super) use yaml::from_yaml;

/// The type of a column, or of what stands in it.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Feature {
    /// Nothing but nulls.
    Null,
    Bool,
    /// Whole numbers: bits, and whether there are negative ones.
    Int(u8, bool),
    /// 32 or 64 bits.
    Float(u8),
    /// Text, with the name of its Arrow type, which makes no difference to values.
    Text(&'static str),
    /// Whole numbers that stand for names.
    ClassLabel(Vec<String>),
    /// Any JSON value.
    Json,
    /// Values of one type, and how many where that is fixed.
    List(Box<Feature>, Option<u64>),
    Struct(Columns),
    /// What has no form in JSON, by its name there.
    Other(String),
}

/// Columns in their order.
pub(super) type Columns = Vec<(String, Feature)>;

impl Feature {
    pub(super) const INT: Feature = Feature::Int(64, true);
    pub(super) const FLOAT: Feature = Feature::Float(64);
    pub(super) const TEXT: Feature = Feature::Text("string");

    /// The feature that a name of a type stands for.
    pub(super) fn of_dtype(dtype: &str) -> Feature {
        match dtype {
            "null" => Feature::Null,
            "bool" => Feature::Bool,
            "int8" => Feature::Int(8, true),
            "int16" => Feature::Int(16, true),
            "int32" => Feature::Int(32, true),
            "int64" => Feature::Int(64, true),
            "uint8" => Feature::Int(8, false),
            "uint16" => Feature::Int(16, false),
            "uint32" => Feature::Int(32, false),
            "uint64" => Feature::Int(64, false),
            "float32" | "float" => Feature::Float(32),
            "float64" | "double" => Feature::Float(64),
            "string" => Feature::Text("string"),
            "large_string" => Feature::Text("large_string"),
            "string_view" => Feature::Text("string_view"),
            other => Feature::Other(other.to_owned()),
        }
    }

    /// What is stored for it, without what only gives it a meaning.
    pub(super) fn storage(&self) -> Feature {
        match self {
            Feature::ClassLabel(_) => Feature::INT,
            Feature::Text(_) => Feature::TEXT,
            // A fixed length is stored as any other.
            Feature::List(item, _) => Feature::List(Box::new(item.storage()), None),
            Feature::Struct(fields) => {
                Feature::Struct(fields.iter().map(|(name, field)| (name.clone(), field.storage())).collect())
            }
            other => other.clone(),
        }
    }

    /// Whether any of it is JSON.
    pub(super) fn holds_json(&self) -> bool {
        match self {
            Feature::Json => true,
            Feature::List(item, _) => item.holds_json(),
            Feature::Struct(fields) => fields.iter().any(|(_, field)| field.holds_json()),
            _ => false,
        }
    }

    /// Whether any of it is a float.
    pub(super) fn holds_float(&self) -> bool {
        match self {
            Feature::Float(_) => true,
            Feature::List(item, _) => item.holds_float(),
            Feature::Struct(fields) => fields.iter().any(|(_, field)| field.holds_float()),
            _ => false,
        }
    }

    /// What a sequence of it is in the library: of a struct a struct of lists, of all else a list.
    pub(super) fn sequence(self, length: Option<u64>) -> Feature {
        match self {
            Feature::Struct(fields) => Feature::Struct(
                fields.into_iter().map(|(name, field)| (name, Feature::List(Box::new(field), length))).collect(),
            ),
            item => Feature::List(Box::new(item), length),
        }
    }
}

impl std::fmt::Display for Feature {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Feature::Null => f.write_str("null"),
            Feature::Bool => f.write_str("bool"),
            Feature::Int(bits, true) => write!(f, "int{bits}"),
            Feature::Int(bits, false) => write!(f, "uint{bits}"),
            Feature::Float(bits) => write!(f, "float{bits}"),
            Feature::Text(_) => f.write_str("string"),
            Feature::ClassLabel(names) => write!(f, "one of {} classes", names.len()),
            Feature::Json => f.write_str("JSON"),
            Feature::List(item, _) => write!(f, "a list of {item}"),
            Feature::Struct(fields) => {
                let names: Vec<&str> = fields.iter().map(|(name, _)| name.as_str()).collect();
                write!(f, "a struct of `{}`", names.join("`, `"))
            }
            Feature::Other(name) => f.write_str(name),
        }
    }
}
