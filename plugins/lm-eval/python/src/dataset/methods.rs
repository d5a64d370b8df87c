//! The methods of datasets.

use std::any::Any;
use std::rc::Rc;

use super::{Dataset, arrow, transform};
use crate::error::{Error, Outcome};
use crate::natives::Arguments;
use crate::run::{Session, resolve_index, slice_bounds};
use crate::value::{Object, Str, Value};

pub(crate) const METHODS: &[&str] = &[
    "map",
    "filter",
    "select",
    "rename_column",
    "rename_columns",
    "remove_columns",
    "add_column",
    "to_list",
    "select_columns",
    "flatten_indices",
];

/// Those that are no methods of a dataset.
pub(crate) const ATTRIBUTES: &[&str] = &["column_names", "num_rows", "features", "from_list", "from_dict", "keys"];

/// The names of the module `datasets`.
pub(crate) fn item(name: &str) -> Option<Value> {
    match name {
        "Dataset" => Some(Value::Object(Rc::new(DatasetType))),
        _ => None,
    }
}

/// The class `Dataset` itself.
#[derive(Debug)]
struct DatasetType;

impl Object for DatasetType {
    fn type_name(&self) -> &'static str {
        "type"
    }
    fn as_any(&self) -> &dyn Any {
        self
    }
    fn methods(&self) -> &'static [&'static str] {
        &["from_list", "from_dict"]
    }
    fn call_method(self: Rc<Self>, session: &mut Session, name: &str, args: Arguments) -> Result<Value, Error> {
        match name {
            "from_list" => {
                let [rows] = args.bind(name, ["mapping"], 1)?;
                let rows = session.collect(&rows.unwrap_or(Value::None))?;
                transform::from_list(&rows).map(Dataset::into_value)
            }
            "from_dict" => {
                let [columns] = args.bind(name, ["mapping"], 1)?;
                let columns = session.entries(&columns.unwrap_or(Value::None))?;
                let mut lists = Vec::new();
                for (name, values) in columns {
                    lists.push((text(&name)?, session.collect(&values)?));
                }
                transform::from_columns(lists).map(Dataset::into_value)
            }
            _ => Err(Error::unsupported(format!("`Dataset.{name}`"))),
        }
    }
}

/// The features of a dataset: their names.
#[derive(Debug)]
pub(super) struct Features(pub(super) Rc<[Str]>);

impl Object for Features {
    fn type_name(&self) -> &'static str {
        "Features"
    }
    fn as_any(&self) -> &dyn Any {
        self
    }
    fn methods(&self) -> &'static [&'static str] {
        &["keys"]
    }
    fn length(&self) -> Option<usize> {
        Some(self.0.len())
    }
    fn items(&self) -> Option<Vec<Value>> {
        Some(self.0.iter().cloned().map(Value::Str).collect())
    }
    fn call_method(self: Rc<Self>, _session: &mut Session, name: &str, args: Arguments) -> Result<Value, Error> {
        match name {
            "keys" => {
                args.exactly::<0>(name)?;
                Ok(Value::list(self.items().unwrap_or_default()))
            }
            _ => Err(Error::unsupported(format!("`{name}` of the features of a dataset"))),
        }
    }
}

fn text(value: &Value) -> Outcome<Str> {
    match value {
        Value::Str(text) => Ok(text.clone()),
        other => Err(Error::unsupported(format!("a `{}` as the name of a column", other.type_name()))),
    }
}

/// `dataset[index]`.
pub(super) fn subscript(dataset: &Dataset, index: &Value) -> Outcome<Value> {
    match index {
        Value::Str(name) => {
            let Some(column) = dataset.column(name) else {
                return Err(Error::raise_inexact("KeyError", format!("the column {name} is not in the dataset")));
            };
            Ok(Value::list(dataset.rows.iter().map(|row| arrow::fresh(&row[column])).collect()))
        }
        Value::Int(number) => {
            let index = resolve_index(*number, dataset.len())
                .ok_or_else(|| Error::raise_inexact("IndexError", "the row is not in the dataset"))?;
            Ok(dataset.row(index).unwrap_or(Value::None))
        }
        Value::Slice(parts) => {
            let indices = slice_bounds(parts, dataset.len())?;
            let column = |column: usize| {
                Value::list(indices.iter().map(|row| arrow::fresh(&dataset.rows[*row][column])).collect())
            };
            let columns = dataset.columns.iter().enumerate();
            Ok(Value::dict(columns.map(|(index, name)| (name.clone(), column(index)))))
        }
        other => Err(Error::unsupported(format!("a `{}` as the index of a dataset", other.type_name()))),
    }
}

pub(super) fn call(dataset: &Dataset, session: &mut Session, name: &str, args: Arguments) -> Outcome<Value> {
    let result = match name {
        "map" => {
            let names = [
                "function",
                "with_indices",
                "remove_columns",
                "fn_kwargs",
                "load_from_cache_file",
                "desc",
                "num_proc",
                "keep_in_memory",
            ];
            if args.positional.len() > 1 {
                return Err(Error::unsupported("`map` of a dataset with more than one argument without a name"));
            }
            let [function, indices, remove, keywords, ..] = args.bind(name, names, 1)?;
            let options = transform::Options {
                function: function.unwrap_or(Value::None),
                indices: indices.is_some_and(|indices| crate::truth(&indices)),
                keywords: named(session, keywords)?,
            };
            let remove = names_of(session, remove)?;
            transform::map(dataset, session, &options, &remove)?
        }
        "filter" => {
            let names =
                ["function", "with_indices", "fn_kwargs", "load_from_cache_file", "desc", "num_proc", "keep_in_memory"];
            if args.positional.len() > 1 {
                return Err(Error::unsupported("`filter` of a dataset with more than one argument without a name"));
            }
            let [function, indices, keywords, ..] = args.bind(name, names, 1)?;
            let options = transform::Options {
                function: function.unwrap_or(Value::None),
                indices: indices.is_some_and(|indices| crate::truth(&indices)),
                keywords: named(session, keywords)?,
            };
            transform::filter(dataset, session, &options)?
        }
        "select" => {
            let [indices] = args.bind(name, ["indices"], 1)?;
            let mut rows = Vec::new();
            for index in session.collect(&indices.unwrap_or(Value::None))? {
                let index = index.as_int().ok_or_else(|| Error::type_error("the indices must be integers"))?;
                let row = usize::try_from(index).ok().and_then(|index| dataset.rows.get(index));
                let text = "a selected row is not in the dataset";
                rows.push(Rc::clone(row.ok_or_else(|| Error::raise_inexact("IndexError", text))?));
            }
            dataset.with_rows(rows)
        }
        "rename_column" => {
            let [from, to] = args.bind(name, ["original_column_name", "new_column_name"], 2)?;
            let pair = (from.unwrap_or(Value::None), to.unwrap_or(Value::None));
            transform::rename(dataset, &[(text(&pair.0)?, text(&pair.1)?)])?
        }
        "rename_columns" => {
            let [mapping] = args.bind(name, ["column_mapping"], 1)?;
            let mut pairs = Vec::new();
            for (from, to) in session.entries(&mapping.unwrap_or(Value::None))? {
                pairs.push((text(&from)?, text(&to)?));
            }
            transform::rename(dataset, &pairs)?
        }
        "remove_columns" => {
            let [columns] = args.bind(name, ["column_names"], 1)?;
            let columns = names_of(session, columns)?;
            transform::keep(dataset, |column| !columns.iter().any(|name| name == column), &columns)?
        }
        "select_columns" => {
            let [columns] = args.bind(name, ["column_names"], 1)?;
            let columns = names_of(session, columns)?;
            transform::select_columns(dataset, &columns)?
        }
        "add_column" => {
            let [column, values] = args.bind(name, ["name", "column"], 2)?;
            let column = text(&column.unwrap_or(Value::None))?;
            let values = session.collect(&values.unwrap_or(Value::None))?;
            transform::add_column(dataset, column, &values)?
        }
        "flatten_indices" => {
            args.exactly::<0>(name)?;
            dataset.clone()
        }
        "to_list" => {
            args.exactly::<0>(name)?;
            return Ok(Value::list(dataset.items().unwrap_or_default()));
        }
        _ => return Err(Error::unsupported(format!("`{name}` of a `Dataset`"))),
    };
    Ok(result.into_value())
}

fn named(session: &mut Session, keywords: Option<Value>) -> Outcome<Vec<(Str, Value)>> {
    match keywords {
        None | Some(Value::None) => Ok(Vec::new()),
        Some(keywords) => {
            session.entries(&keywords)?.into_iter().map(|(name, value)| Ok((text(&name)?, value))).collect()
        }
    }
}

fn names_of(session: &mut Session, names: Option<Value>) -> Outcome<Vec<Str>> {
    match names {
        None | Some(Value::None) => Ok(Vec::new()),
        Some(Value::Str(name)) => Ok(vec![name]),
        Some(names) => session.collect(&names)?.iter().map(text).collect(),
    }
}
