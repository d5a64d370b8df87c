//! `random`: generators with a seed.

use std::any::Any;
use std::cell::RefCell;
use std::rc::Rc;

use crate::error::{Error, Outcome};
use crate::natives::Arguments;
use crate::random::Random;
use crate::run::Session;
use crate::value::{Object, Scalar, Value};

pub(super) const ATTRIBUTES: &[&str] = METHODS;

const METHODS: &[&str] =
    &["random", "shuffle", "sample", "choice", "choices", "randint", "randrange", "uniform", "getrandbits", "seed"];

pub(super) fn item(name: &str) -> Option<Value> {
    Some(match name {
        "Random" => Value::Native("random.Random", make),
        "seed" => Value::Native("random.seed", seed),
        "random" => Value::Native("random.random", |session, args| global(session, "random", args)),
        "shuffle" => Value::Native("random.shuffle", |session, args| global(session, "shuffle", args)),
        "sample" => Value::Native("random.sample", |session, args| global(session, "sample", args)),
        "choice" => Value::Native("random.choice", |session, args| global(session, "choice", args)),
        "choices" => Value::Native("random.choices", |session, args| global(session, "choices", args)),
        "randint" => Value::Native("random.randint", |session, args| global(session, "randint", args)),
        _ => return None,
    })
}

/// A generator as a value.
#[derive(Debug)]
struct Generator(RefCell<Random>);

impl Object for Generator {
    fn type_name(&self) -> &'static str {
        "Random"
    }
    fn as_any(&self) -> &dyn Any {
        self
    }
    fn methods(&self) -> &'static [&'static str] {
        METHODS
    }
    fn call_method(self: Rc<Self>, session: &mut Session, name: &str, args: Arguments) -> Result<Value, Error> {
        if name == "seed" {
            let [value] = args.exactly("seed")?;
            *self.0.borrow_mut() = from_seed(&value)?;
            return Ok(Value::None);
        }
        call(session, &self.0, name, args)
    }
}

fn from_seed(seed: &Value) -> Outcome<Random> {
    match seed {
        Value::Int(seed) => Ok(Random::new(*seed)),
        Value::Bool(seed) => Ok(Random::new(i64::from(*seed))),
        Value::Big(seed) => Ok(Random::from_big(seed)),
        Value::Str(seed) => Ok(Random::from_text(seed)),
        Value::None => Err(Error::unsupported("random numbers without a seed")),
        other => Err(Error::unsupported(format!("a seed of type `{}`", other.type_name()))),
    }
}

fn make(_session: &mut Session, args: Arguments) -> Outcome<Value> {
    let [seed] = args.bind("Random", ["x"], 0)?;
    let random = from_seed(&seed.unwrap_or(Value::None))?;
    Ok(Value::Object(Rc::new(Generator(RefCell::new(random)))))
}

/// The generator of the module itself belongs to a call: what other functions take of it in between is not known.
pub(crate) fn forget_seed(session: &mut Session) {
    session.random = None;
}

fn seed(session: &mut Session, args: Arguments) -> Outcome<Value> {
    let [seed] = args.bind("seed", ["a"], 0)?;
    session.random = Some(Rc::new(RefCell::new(from_seed(&seed.unwrap_or(Value::None))?)));
    Ok(Value::None)
}

fn global(session: &mut Session, name: &str, args: Arguments) -> Outcome<Value> {
    let random = session.random.clone();
    let random =
        random.ok_or_else(|| Error::unsupported(format!("`random.{name}` without a seed in the same call")))?;
    call(session, &random, name, args)
}

fn int(value: &Value) -> Outcome<i64> {
    match value {
        Value::Int(_) | Value::Bool(_) | Value::Scalar(Scalar::Int(_)) => Ok(value.as_int().unwrap_or_default()),
        other => Err(Error::unsupported(format!("a `{}` where a whole number is expected", other.type_name()))),
    }
}

fn call(session: &mut Session, random: &RefCell<Random>, name: &str, args: Arguments) -> Outcome<Value> {
    match name {
        "random" => {
            args.exactly::<0>(name)?;
            Ok(Value::Float(random.borrow_mut().random()))
        }
        "shuffle" => {
            let [items] = args.exactly(name)?;
            let Value::List(items) = &items else {
                return Err(Error::unsupported(format!("shuffling a `{}`", items.type_name())));
            };
            random.borrow_mut().shuffle(&mut items.borrow_mut());
            Ok(Value::None)
        }
        "sample" => {
            let [population, count] = args.bind(name, ["population", "k"], 2)?;
            let population = population.unwrap_or(Value::None);
            if !matches!(population, Value::List(_) | Value::Tuple(_) | Value::Range(..) | Value::Str(_)) {
                return Err(Error::unsupported(format!("a sample of a `{}`", population.type_name())));
            }
            let items = session.collect(&population)?;
            let too_many = || Error::raise("ValueError", "Sample larger than population or is negative");
            let count = usize::try_from(int(&count.unwrap_or(Value::None))?).map_err(|_| too_many())?;
            let indices = random.borrow_mut().sample(items.len(), count).ok_or_else(too_many)?;
            Ok(Value::list(indices.into_iter().map(|index| items[index].clone()).collect()))
        }
        "choice" => {
            let [items] = args.exactly(name)?;
            if !matches!(items, Value::List(_) | Value::Tuple(_) | Value::Range(..) | Value::Str(_)) {
                return Err(Error::unsupported(format!("a choice from a `{}`", items.type_name())));
            }
            let items = session.collect(&items)?;
            match random.borrow_mut().choice(items.len()) {
                Some(index) => Ok(items[index].clone()),
                None => Err(Error::raise("IndexError", "Cannot choose from an empty sequence")),
            }
        }
        "choices" => {
            let [items, weights, _, count] = args.bind(name, ["population", "weights", "cum_weights", "k"], 1)?;
            if weights.is_some() {
                return Err(Error::unsupported("`choices` with weights"));
            }
            let items = session.collect(&items.unwrap_or(Value::None))?;
            let count = usize::try_from(count.as_ref().map_or(Ok(1), int)?).unwrap_or_default();
            session.fits(count)?;
            if items.is_empty() {
                return Err(Error::raise_inexact("IndexError", "Cannot choose from an empty sequence"));
            }
            let mut random = random.borrow_mut();
            let mut pick = || items[((random.random() * items.len() as f64).floor()) as usize].clone();
            Ok(Value::list((0..count).map(|_| pick()).collect()))
        }
        "randint" => {
            let [low, high] = args.exactly(name)?;
            let number = random.borrow_mut().randint(int(&low)?, int(&high)?);
            number.map(Value::Int).ok_or_else(|| Error::raise_inexact("ValueError", "empty range for randint()"))
        }
        "randrange" => {
            let [a, b] = args.exactly_or_none(name)?;
            let a = int(&a.ok_or_else(|| Error::type_error("randrange() needs an argument"))?)?;
            let (low, high) = match b {
                None => (0, a),
                Some(b) => (a, int(&b)?),
            };
            let number = high.checked_sub(1).and_then(|high| random.borrow_mut().randint(low, high));
            number.map(Value::Int).ok_or_else(|| Error::raise_inexact("ValueError", "empty range for randrange()"))
        }
        "uniform" => {
            let [low, high] = args.exactly(name)?;
            let (Some(low), Some(high)) = (low.as_float(), high.as_float()) else {
                return Err(Error::type_error("uniform() needs numbers"));
            };
            Ok(Value::Float(low + (high - low) * random.borrow_mut().random()))
        }
        "getrandbits" => {
            let [bits] = args.exactly(name)?;
            match u32::try_from(int(&bits)?) {
                Ok(bits) if bits <= 64 => Ok(Value::int(random.borrow_mut().bits(bits).into())),
                _ => Err(Error::unsupported("more than 64 random bits")),
            }
        }
        _ => Err(Error::unsupported(format!("`{name}` of a `Random`"))),
    }
}
