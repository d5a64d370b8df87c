//! `hashlib`: hashes of bytes.

use std::any::Any;
use std::rc::Rc;

use sha2::{Digest, Sha256};

use crate::error::{Error, Outcome};
use crate::natives::Arguments;
use crate::run::Session;
use crate::value::{Object, Str, Value};

pub(super) const ATTRIBUTES: &[&str] = &["hexdigest"];

pub(super) fn item(name: &str) -> Option<Value> {
    (name == "sha256").then_some(Value::Native("hashlib.sha256", sha256))
}

fn sha256(_session: &mut Session, args: Arguments) -> Outcome<Value> {
    let [bytes] = args.exactly("sha256")?;
    match &bytes {
        Value::Bytes(bytes) => Ok(Value::Object(Rc::new(Hash(Sha256::digest(bytes).to_vec())))),
        other => Err(Error::type_error(format!("a `{}` cannot be hashed", other.type_name()))),
    }
}

/// A hash that is finished.
#[derive(Debug)]
struct Hash(Vec<u8>);

impl Object for Hash {
    fn type_name(&self) -> &'static str {
        "_hashlib.HASH"
    }
    fn as_any(&self) -> &dyn Any {
        self
    }
    fn methods(&self) -> &'static [&'static str] {
        ATTRIBUTES
    }
    fn call_method(self: Rc<Self>, _session: &mut Session, name: &str, args: Arguments) -> Result<Value, Error> {
        if name != "hexdigest" {
            return Err(Error::unsupported(format!("`{name}` of a hash")));
        }
        args.exactly::<0>(name)?;
        Ok(Value::Str(Str::from(self.0.iter().map(|byte| format!("{byte:02x}")).collect::<String>())))
    }
}
