//! Datasets made from others.

use std::rc::Rc;

use super::Dataset;
use super::arrow::{self, Cast, Type};
use crate::error::{Error, Outcome};
use crate::natives::Arguments;
use crate::run::Session;
use crate::value::{DictKind, DictRef, Str, Value};

/// The first rows decide the types of columns.
const BATCH: usize = 1000;

/// The function of `map` and `filter`, and what it gets.
pub(super) struct Options {
    pub(super) function: Value,
    pub(super) indices: bool,
    pub(super) keywords: Vec<(Str, Value)>,
}

impl Options {
    /// Calls the function with a row, and returns the row as the function leaves it, with the result.
    fn call(&self, dataset: &Dataset, session: &mut Session, index: usize) -> Outcome<(DictRef, Value)> {
        let Some(Value::Dict(row)) = dataset.row_of_kind(index, DictKind::Row) else {
            return Err(Error::unsupported("a row that the dataset does not have"));
        };
        let mut positional = vec![Value::Dict(Rc::clone(&row))];
        if self.indices {
            positional.push(Value::count(index));
        }
        let args = Arguments { positional, keywords: self.keywords.clone() };
        Ok((row, session.invoke(&self.function, args)?))
    }
}

pub(super) fn filter(dataset: &Dataset, session: &mut Session, options: &Options) -> Outcome<Dataset> {
    let mut rows = Vec::new();
    for index in 0..dataset.len() {
        let (_, keep) = options.call(dataset, session, index)?;
        if session.truth(&keep)? {
            rows.push(Rc::clone(&dataset.rows[index]));
        }
    }
    Ok(dataset.with_rows(rows))
}

pub(super) fn map(dataset: &Dataset, session: &mut Session, options: &Options, remove: &[Str]) -> Outcome<Dataset> {
    for name in remove {
        if dataset.column(name).is_none() {
            return Err(Error::raise_inexact("ValueError", format!("the column {name} is not in the dataset")));
        }
    }
    if dataset.is_empty() {
        return keep(dataset, |column| !remove.contains(column), &[]);
    }
    let mut rows: Vec<DictRef> = Vec::new();
    for index in 0..dataset.len() {
        let (row, result) = options.call(dataset, session, index)?;
        let result = match result {
            Value::None => {
                if rows.is_empty() {
                    continue;
                }
                return Err(Error::unsupported("a function for `map` that returns `None` for some rows"));
            }
            Value::Dict(result) => result,
            other => {
                let text = format!("the function of `map` returned a `{}`", other.type_name());
                return Err(Error::type_error(text));
            }
        };
        if rows.len() != index {
            return Err(Error::unsupported("a function for `map` that returns `None` for some rows"));
        }
        for name in remove {
            row.borrow_mut().remove(&Value::Str(name.clone()))?;
        }
        if !Rc::ptr_eq(&row, &result) {
            for (key, value) in result.borrow().iter() {
                row.borrow_mut().insert(key.clone(), value.clone())?;
            }
        }
        rows.push(row);
    }
    // A function that returns nothing changes nothing.
    if rows.is_empty() { Ok(dataset.clone()) } else { collect(dataset, &rows) }
}

/// The rows as columns: those of before in their order, then the new ones.
fn collect(dataset: &Dataset, rows: &[DictRef]) -> Outcome<Dataset> {
    let first = rows[0].borrow();
    let has = |name: &Str| first.get_str(name).is_some();
    let mut columns: Vec<Str> = dataset.columns.iter().filter(|name| has(name)).cloned().collect();
    for (key, _) in first.iter() {
        match key {
            Value::Str(name) if !columns.contains(name) => columns.push(name.clone()),
            Value::Str(_) => {}
            _ => return Err(Error::unsupported("a column whose name is no text")),
        }
    }
    let mut made: Vec<Vec<Value>> = vec![Vec::with_capacity(columns.len()); rows.len()];
    for name in &columns {
        let mut values = Vec::with_capacity(rows.len());
        for row in rows {
            let row = row.borrow();
            if row.len() != columns.len() {
                return Err(Error::unsupported("a function for `map` that returns other columns for other rows"));
            }
            match row.get_str(name) {
                Some(value) => values.push(value.clone()),
                None => return Err(Error::raise_value("KeyError", vec![Value::Str(name.clone())])),
            }
        }
        let before = match dataset.column(name) {
            Some(column) => Some(arrow::infer(dataset.rows.iter().map(|row| &row[column]))?),
            None => None,
        };
        let kind = column_type(&values, before.as_ref(), name)?;
        for (row, value) in made.iter_mut().zip(&values) {
            row.push(arrow::normalize(value, &kind));
        }
    }
    Ok(Dataset { columns: columns.into(), rows: Rc::new(made.into_iter().map(Rc::from).collect()) })
}

/// The type of a column that functions have written.
fn column_type(values: &[Value], before: Option<&Type>, name: &Str) -> Outcome<Type> {
    let refuse = |what: &str| Error::unsupported(format!("the column `{name}` of a dataset, {what}"));
    let mut batches = values.chunks(BATCH);
    let first = arrow::infer(batches.next().unwrap_or_default().iter())?;
    let kind = match before.map(|before| (before, arrow::cast(&first, before))) {
        None => first,
        Some((before, Cast::Fits)) => before.clone(),
        Some((_, Cast::Never)) => first,
        Some((Type::Null, Cast::Unknown)) if !matches!(first, Type::Null) => {
            return Err(refuse("which has no values before `map` and some after it"));
        }
        Some((_, Cast::Unknown)) => {
            let known = "whose type `map` changes: whether the values are converted depends on them";
            return Err(refuse(known));
        }
    };
    for batch in batches {
        let more = arrow::infer(batch.iter())?;
        if arrow::cast(&more, &kind) != Cast::Fits {
            return Err(refuse("whose type after the first thousand rows is another"));
        }
    }
    Ok(kind)
}

pub(super) fn from_list(rows: &[Value]) -> Outcome<Dataset> {
    let mut columns: Vec<(Str, Vec<Value>)> = Vec::new();
    for (index, row) in rows.iter().enumerate() {
        let Value::Dict(row) = row else {
            return Err(Error::unsupported("`Dataset.from_list` of what is no list of dictionaries"));
        };
        let row = row.borrow();
        if index == 0 {
            for (key, _) in row.iter() {
                let Value::Str(key) = key else {
                    return Err(Error::unsupported("a column whose name is no text"));
                };
                columns.push((key.clone(), Vec::new()));
            }
        } else if row.iter().any(|(key, _)| !columns.iter().any(|(name, _)| key.as_str() == Some(&**name))) {
            return Err(Error::unsupported("`Dataset.from_list` of rows with different columns"));
        }
        for (name, values) in &mut columns {
            values.push(row.get_str(name).cloned().unwrap_or(Value::None));
        }
    }
    from_columns(columns)
}

pub(super) fn from_columns(columns: Vec<(Str, Vec<Value>)>) -> Outcome<Dataset> {
    let length = columns.first().map_or(0, |(_, values)| values.len());
    if columns.iter().any(|(_, values)| values.len() != length) {
        return Err(Error::raise_inexact("ValueError", "the columns of a dataset have different lengths"));
    }
    let mut rows: Vec<Vec<Value>> = vec![Vec::with_capacity(columns.len()); length];
    let mut names = Vec::new();
    for (name, values) in columns {
        let kind = arrow::infer(values.iter())?;
        for (row, value) in rows.iter_mut().zip(&values) {
            row.push(arrow::normalize(value, &kind));
        }
        names.push(name);
    }
    Ok(Dataset::new(names, rows))
}

pub(super) fn rename(dataset: &Dataset, pairs: &[(Str, Str)]) -> Outcome<Dataset> {
    let mut columns = dataset.columns.to_vec();
    for (from, to) in pairs {
        let missing = || Error::raise_inexact("ValueError", format!("the column {from} is not in the dataset"));
        let index = dataset.column(from).ok_or_else(missing)?;
        if dataset.column(to).is_some() {
            return Err(Error::raise_inexact("ValueError", format!("the column {to} is already in the dataset")));
        }
        columns[index] = to.clone();
    }
    Ok(Dataset { columns: columns.into(), rows: Rc::clone(&dataset.rows) })
}

/// The columns that pass a test. Those that are named must be there.
pub(super) fn keep(dataset: &Dataset, test: impl Fn(&Str) -> bool, named: &[Str]) -> Outcome<Dataset> {
    if let Some(missing) = named.iter().find(|name| dataset.column(name).is_none()) {
        return Err(Error::raise_inexact("ValueError", format!("the column {missing} is not in the dataset")));
    }
    let kept: Vec<usize> = (0..dataset.columns.len()).filter(|index| test(&dataset.columns[*index])).collect();
    Ok(pick(dataset, &kept))
}

pub(super) fn select_columns(dataset: &Dataset, names: &[Str]) -> Outcome<Dataset> {
    let find = |name: &Str| {
        let missing = || Error::raise_inexact("ValueError", format!("the column {name} is not in the dataset"));
        dataset.column(name).ok_or_else(missing)
    };
    Ok(pick(dataset, &names.iter().map(find).collect::<Outcome<Vec<usize>>>()?))
}

fn pick(dataset: &Dataset, columns: &[usize]) -> Dataset {
    let rows = dataset.rows.iter().map(|row| columns.iter().map(|column| row[*column].clone()).collect());
    Dataset {
        columns: columns.iter().map(|column| dataset.columns[*column].clone()).collect(),
        rows: Rc::new(rows.collect()),
    }
}

pub(super) fn add_column(dataset: &Dataset, name: Str, values: &[Value]) -> Outcome<Dataset> {
    if dataset.column(&name).is_some() || values.len() != dataset.len() {
        return Err(Error::raise_inexact("ValueError", format!("the column {name} cannot be added")));
    }
    let kind = arrow::infer(values.iter())?;
    let mut columns = dataset.columns.to_vec();
    columns.push(name);
    let row = |(row, value): (&Rc<[Value]>, &Value)| [&row[..], &[arrow::normalize(value, &kind)]].concat().into();
    let rows = dataset.rows.iter().zip(values).map(row).collect();
    Ok(Dataset { columns: columns.into(), rows: Rc::new(rows) })
}
