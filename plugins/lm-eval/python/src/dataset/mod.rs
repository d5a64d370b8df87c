//! `datasets.Dataset`: rows with columns, and what functions do with them.

mod arrow;
mod methods;
mod transform;

use std::any::Any;
use std::cell::RefCell;
use std::rc::Rc;

use serde_json::{Map, Value as Json};

use crate::error::{Error, Outcome};
use crate::json::{from_json, to_json};
use crate::natives::Arguments;
use crate::run::Session;
use crate::value::{Dict, DictKind, Object, Str, Value};

pub(crate) use methods::{ATTRIBUTES, METHODS, item};

/// Rows, each with the same columns. A clone shares them.
#[derive(Debug, Clone)]
pub struct Dataset {
    columns: Rc<[Str]>,
    rows: Rc<Vec<Rc<[Value]>>>,
}

impl Dataset {
    /// A dataset of rows whose values stand in the order of the columns.
    pub fn new(columns: Vec<Str>, rows: Vec<Vec<Value>>) -> Self {
        Dataset { columns: columns.into(), rows: Rc::new(rows.into_iter().map(Rc::from).collect()) }
    }

    /// A dataset of JSON objects; a column that a row does not have is `None` there.
    pub fn from_json<'r>(rows: impl IntoIterator<Item = &'r Map<String, Json>>) -> Self {
        let rows: Vec<&Map<String, Json>> = rows.into_iter().collect();
        let mut columns: indexmap::IndexSet<&str> = indexmap::IndexSet::new();
        for row in &rows {
            if row.len() != columns.len() || row.keys().any(|key| !columns.contains(key.as_str())) {
                columns.extend(row.keys().map(String::as_str));
            }
        }
        let value = |row: &Map<String, Json>, column: &&str| row.get(*column).map_or(Value::None, from_json);
        let values = rows.iter().map(|row| columns.iter().map(|column| value(row, column)).collect()).collect();
        Dataset { columns: columns.iter().map(|column| Str::from(*column)).collect(), rows: Rc::new(values) }
    }

    /// The dataset that a value is, if it is one.
    pub fn of(value: &Value) -> Option<Dataset> {
        match value {
            Value::Object(object) => object.as_any().downcast_ref::<Dataset>().cloned(),
            _ => None,
        }
    }

    /// The dataset as a value, for a function.
    pub fn into_value(self) -> Value {
        Value::Object(Rc::new(self))
    }

    /// The names of its columns.
    pub fn columns(&self) -> &[Str] {
        &self.columns
    }

    /// How many rows it has.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// A row as a dictionary of its own.
    pub fn row(&self, index: usize) -> Option<Value> {
        self.row_of_kind(index, DictKind::Plain)
    }

    /// The rows as JSON objects.
    ///
    /// # Errors
    /// When a row has a value that JSON does not have.
    pub fn to_json(&self) -> Result<Vec<Map<String, Json>>, Error> {
        let row = |row: &Rc<[Value]>| {
            let pairs = self.columns.iter().zip(row.iter());
            pairs.map(|(column, value)| Ok((column.to_string(), to_json(value)?))).collect()
        };
        self.rows.iter().map(row).collect()
    }

    fn row_of_kind(&self, index: usize, kind: DictKind) -> Option<Value> {
        let row = self.rows.get(index)?;
        let mut dict = Dict::of_kind(kind);
        for (column, value) in self.columns.iter().zip(row.iter()) {
            dict.insert_str(column.clone(), arrow::fresh(value));
        }
        Some(Value::Dict(Rc::new(RefCell::new(dict))))
    }

    fn column(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| &**column == name)
    }

    fn with_rows(&self, rows: Vec<Rc<[Value]>>) -> Dataset {
        Dataset { columns: Rc::clone(&self.columns), rows: Rc::new(rows) }
    }
}

impl Object for Dataset {
    fn type_name(&self) -> &'static str {
        "Dataset"
    }
    fn as_any(&self) -> &dyn Any {
        self
    }
    fn attribute(&self, name: &str) -> Option<Value> {
        match name {
            "column_names" => Some(Value::list(self.columns.iter().cloned().map(Value::Str).collect())),
            "num_rows" => Some(Value::count(self.rows.len())),
            "features" => Some(Value::Object(Rc::new(methods::Features(Rc::clone(&self.columns))))),
            _ => None,
        }
    }
    fn methods(&self) -> &'static [&'static str] {
        METHODS
    }
    fn length(&self) -> Option<usize> {
        Some(self.rows.len())
    }
    fn items(&self) -> Option<Vec<Value>> {
        (0..self.rows.len()).map(|index| self.row(index)).collect()
    }
    fn item(self: Rc<Self>, _session: &mut Session, index: &Value) -> Result<Value, Error> {
        methods::subscript(&self, index)
    }
    fn call_method(self: Rc<Self>, session: &mut Session, name: &str, args: Arguments) -> Outcome<Value> {
        methods::call(&self, session, name, args)
    }
}
