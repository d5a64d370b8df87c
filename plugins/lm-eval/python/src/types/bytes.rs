//! Methods of bytes.

use std::sync::Arc;

use crate::error::{Error, Outcome};
use crate::natives::Arguments;
use crate::value::{Str, Value};

pub(super) const METHODS: &[&str] = &["decode", "hex"];

pub(super) fn call(own: &Arc<[u8]>, name: &str, args: Arguments) -> Outcome<Value> {
    match name {
        "decode" => {
            let [encoding, errors] = args.bind(name, ["encoding", "errors"], 0)?;
            let encoding = encoding.as_ref().and_then(Value::as_str).unwrap_or("utf-8").to_lowercase();
            let utf8 = matches!(encoding.as_str(), "utf-8" | "utf8");
            if !(utf8 || encoding == "ascii" && own.is_ascii()) {
                return Err(Error::unsupported(format!("the encoding `{encoding}`")));
            }
            match (std::str::from_utf8(own), errors.as_ref().and_then(Value::as_str)) {
                (Ok(text), _) => Ok(Value::Str(Str::from(text))),
                (Err(_), None | Some("strict")) => {
                    Err(Error::raise_inexact("UnicodeDecodeError", "the bytes are not UTF-8"))
                }
                (Err(_), Some(_)) => Err(Error::unsupported("decoding what is not UTF-8")),
            }
        }
        "hex" => {
            args.exactly::<0>(name)?;
            Ok(Value::Str(Str::from(own.iter().map(|byte| format!("{byte:02x}")).collect::<String>())))
        }
        _ => Err(Error::unsupported(format!("`{name}` of bytes"))),
    }
}
