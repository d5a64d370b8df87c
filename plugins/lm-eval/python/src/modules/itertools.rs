//! `itertools`.

use crate::error::{Error, Outcome};
use crate::natives::Arguments;
use crate::program::ir::Binary;
use crate::run::{Cursor, Iterate, Session, binary};
use crate::value::Value;

pub(super) fn item(name: &str) -> Option<Value> {
    Some(match name {
        "chain" => Value::Native("itertools.chain", chain),
        "product" => Value::Native("itertools.product", product),
        "combinations" => Value::Native("itertools.combinations", combinations),
        "permutations" => Value::Native("itertools.permutations", permutations),
        "islice" => Value::Native("itertools.islice", islice),
        "zip_longest" => Value::Native("itertools.zip_longest", zip_longest),
        "accumulate" => Value::Native("itertools.accumulate", accumulate),
        "repeat" => Value::Native("itertools.repeat", repeat),
        "count" => Value::Native("itertools.count", count),
        "cycle" => Value::Native("itertools.cycle", cycle),
        _ => return None,
    })
}

fn values(items: Vec<Value>) -> Value {
    Value::iterator(Cursor::Values(items.into_iter()))
}

/// One iterable after the other, each begun when it is its turn.
#[derive(Debug)]
struct Chain {
    iterables: Cursor,
    current: Option<Cursor>,
}

impl Iterate for Chain {
    fn next(&mut self, session: &mut Session) -> Result<Option<Value>, Error> {
        loop {
            if let Some(current) = &mut self.current
                && let Some(item) = current.next(session)?
            {
                return Ok(Some(item));
            }
            session.step()?;
            match self.iterables.next(session)? {
                Some(next) => self.current = Some(session.iterate(&next)?),
                None => {
                    self.current = None;
                    return Ok(None);
                }
            }
        }
    }
}

fn chain(_session: &mut Session, args: Arguments) -> Outcome<Value> {
    let iterables = Cursor::Values(args.positional.into_iter());
    Ok(Value::iterator(Chain { iterables, current: None }))
}

/// `chain.from_iterable`.
pub(crate) fn from_iterable(session: &mut Session, args: Arguments) -> Outcome<Value> {
    let [items] = args.exactly("from_iterable")?;
    let iterables = session.iterate(&items)?;
    Ok(Value::iterator(Chain { iterables, current: None }))
}

fn product(session: &mut Session, args: Arguments) -> Outcome<Value> {
    let mut times = 1;
    for (name, value) in &args.keywords {
        match (&**name, value.as_int()) {
            ("repeat", Some(repeat)) => times = usize::try_from(repeat).unwrap_or_default(),
            _ => return Err(Error::unsupported(format!("the argument `{name}` of `product`"))),
        }
    }
    let mut pools = Vec::new();
    for items in &args.positional {
        pools.push(session.collect(items)?);
    }
    let pools: Vec<Vec<Value>> = std::iter::repeat_n(pools, times).flatten().collect();
    let mut rows: Vec<Vec<Value>> = vec![Vec::new()];
    for pool in pools {
        session.fits(rows.len().saturating_mul(pool.len()))?;
        let longer = |row: &Vec<Value>| {
            pool.iter().map(|item| [&row[..], std::slice::from_ref(item)].concat()).collect::<Vec<_>>()
        };
        rows = rows.iter().flat_map(longer).collect();
    }
    Ok(values(rows.into_iter().map(Value::tuple).collect()))
}

/// Index tuples in the order of `itertools`.
fn choose(length: usize, count: usize, ordered: bool, session: &Session) -> Outcome<Vec<Vec<usize>>> {
    let mut rows: Vec<Vec<usize>> = vec![Vec::new()];
    for _ in 0..count {
        let mut longer = Vec::new();
        for row in &rows {
            let first = if ordered { 0 } else { row.last().map_or(0, |last| last + 1) };
            for index in first..length {
                if !ordered || !row.contains(&index) {
                    longer.push([&row[..], &[index]].concat());
                }
            }
        }
        session.fits(longer.len())?;
        rows = longer;
    }
    Ok(rows)
}

fn selections(session: &mut Session, items: &Value, count: usize, ordered: bool) -> Outcome<Value> {
    let pool = session.collect(items)?;
    let rows = choose(pool.len(), count, ordered, session)?;
    let pick = |row: Vec<usize>| Value::tuple(row.into_iter().map(|index| pool[index].clone()).collect());
    Ok(values(rows.into_iter().map(pick).collect()))
}

fn size(value: &Value) -> Outcome<usize> {
    let number = value.as_int().ok_or_else(|| Error::type_error("the length must be an integer"))?;
    usize::try_from(number).map_err(|_| Error::raise("ValueError", "r must be non-negative"))
}

fn combinations(session: &mut Session, args: Arguments) -> Outcome<Value> {
    let [items, count] = args.bind("combinations", ["iterable", "r"], 2)?;
    let count = size(&count.unwrap_or(Value::None))?;
    selections(session, &items.unwrap_or(Value::None), count, false)
}

fn permutations(session: &mut Session, args: Arguments) -> Outcome<Value> {
    let [items, count] = args.bind("permutations", ["iterable", "r"], 1)?;
    let items = Value::list(session.collect(&items.unwrap_or(Value::None))?);
    let count = match count {
        None | Some(Value::None) => session.collect(&items)?.len(),
        Some(count) => size(&count)?,
    };
    selections(session, &items, count, true)
}

#[derive(Debug)]
struct Slice {
    cursor: Cursor,
    skip: usize,
    left: Option<usize>,
    step: usize,
}

impl Iterate for Slice {
    fn next(&mut self, session: &mut Session) -> Result<Option<Value>, Error> {
        if self.left == Some(0) {
            return Ok(None);
        }
        for _ in 0..self.skip {
            session.step()?;
            if self.left == Some(0) || self.cursor.next(session)?.is_none() {
                self.left = Some(0);
                return Ok(None);
            }
            self.left = self.left.map(|left| left - 1);
        }
        if self.left == Some(0) {
            return Ok(None);
        }
        self.left = self.left.map(|left| left - 1);
        self.skip = self.step - 1;
        self.cursor.next(session)
    }
}

fn islice(session: &mut Session, args: Arguments) -> Outcome<Value> {
    let [items, a, b, c] = args.exactly_or_none("islice")?;
    let bound = |value: &Option<Value>| match value {
        None | Some(Value::None) => Ok(None),
        Some(value) => value
            .as_int()
            .and_then(|number| usize::try_from(number).ok())
            .map(Some)
            .ok_or_else(|| Error::raise_inexact("ValueError", "the bounds of islice() must be None or integers")),
    };
    let (start, stop) = if b.is_none() && c.is_none() { (None, bound(&a)?) } else { (bound(&a)?, bound(&b)?) };
    let step = bound(&c)?.unwrap_or(1);
    if step == 0 {
        return Err(Error::raise_inexact("ValueError", "the step of islice() must be positive"));
    }
    let cursor = session.iterate(&items.unwrap_or(Value::None))?;
    Ok(Value::iterator(Slice { cursor, skip: start.unwrap_or_default(), left: stop, step }))
}

fn zip_longest(session: &mut Session, args: Arguments) -> Outcome<Value> {
    let mut fill = Value::None;
    for (name, value) in args.keywords {
        match &*name {
            "fillvalue" => fill = value,
            _ => return Err(Error::unsupported(format!("the argument `{name}` of `zip_longest`"))),
        }
    }
    let mut columns = Vec::new();
    for items in &args.positional {
        columns.push(session.collect(items)?);
    }
    let length = columns.iter().map(Vec::len).max().unwrap_or_default();
    let row = |index: usize| columns.iter().map(|column| column.get(index).unwrap_or(&fill).clone()).collect();
    Ok(values((0..length).map(|index| Value::tuple(row(index))).collect()))
}

fn accumulate(session: &mut Session, args: Arguments) -> Outcome<Value> {
    let [items, function] = args.bind("accumulate", ["iterable", "func"], 1)?;
    let mut sums: Vec<Value> = Vec::new();
    for item in session.collect(&items.unwrap_or(Value::None))? {
        let next = match (sums.last().cloned(), &function) {
            (None, _) => item,
            (Some(last), None | Some(Value::None)) => binary(session, Binary::Add, &last, &item)?,
            (Some(last), Some(function)) => session.invoke(function, Arguments::of(vec![last, item]))?,
        };
        sums.push(next);
    }
    Ok(values(sums))
}

#[derive(Debug)]
enum Endless {
    Repeat(Value),
    Count(i64, i64),
    Cycle(Vec<Value>, usize),
}

impl Iterate for Endless {
    fn next(&mut self, session: &mut Session) -> Result<Option<Value>, Error> {
        session.step()?;
        Ok(match self {
            Endless::Repeat(value) => Some(value.clone()),
            Endless::Count(next, step) => {
                let value = *next;
                *next = value.checked_add(*step).ok_or_else(|| session.too_large())?;
                Some(Value::Int(value))
            }
            Endless::Cycle(items, index) => {
                let item = items.get(*index).cloned();
                *index = (*index + 1) % items.len().max(1);
                item
            }
        })
    }
}

fn repeat(session: &mut Session, args: Arguments) -> Outcome<Value> {
    let [value, times] = args.bind("repeat", ["object", "times"], 1)?;
    let value = value.unwrap_or(Value::None);
    match times {
        None => Ok(Value::iterator(Endless::Repeat(value))),
        Some(times) => {
            let times = times.as_int().ok_or_else(|| Error::type_error("the times must be an integer"))?;
            let times = usize::try_from(times).unwrap_or_default();
            session.fits(times)?;
            Ok(values(vec![value; times]))
        }
    }
}

fn count(_session: &mut Session, args: Arguments) -> Outcome<Value> {
    let [start, step] = args.bind("count", ["start", "step"], 0)?;
    let int = |value: Option<Value>, default: i64| match value {
        None => Ok(default),
        Some(Value::Int(number)) => Ok(number),
        Some(_) => Err(Error::unsupported("`count` with this kind of number")),
    };
    Ok(Value::iterator(Endless::Count(int(start, 0)?, int(step, 1)?)))
}

fn cycle(session: &mut Session, args: Arguments) -> Outcome<Value> {
    let [items] = args.exactly("cycle")?;
    Ok(Value::iterator(Endless::Cycle(session.collect(&items)?, 0)))
}
