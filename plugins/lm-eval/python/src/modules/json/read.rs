//! `json.loads`: numbers of any size, `NaN` and `Infinity` as Python reads them.

use crate::error::{Error, Outcome};
use crate::types::{float_of_text, int_of_text};
use crate::value::{Dict, Str, Value};

struct Reader<'t> {
    text: &'t str,
    at: usize,
    depth: usize,
}

fn wrong(what: &str) -> Error {
    Error::raise_inexact("JSONDecodeError", what)
}

pub(super) fn read(text: &str) -> Outcome<Value> {
    if text.starts_with('\u{feff}') {
        return Err(wrong("Unexpected UTF-8 BOM (decode using utf-8-sig)"));
    }
    let mut reader = Reader { text, at: 0, depth: 0 };
    reader.space();
    let value = reader.value()?;
    reader.space();
    if reader.at < text.len() {
        return Err(wrong("Extra data"));
    }
    Ok(value)
}

impl Reader<'_> {
    fn rest(&self) -> &str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn takes(&mut self, word: &str) -> bool {
        let found = self.rest().starts_with(word);
        if found {
            self.at += word.len();
        }
        found
    }

    fn value(&mut self) -> Outcome<Value> {
        match self.peek() {
            Some(b'"') => {
                self.at += 1;
                Ok(Value::Str(self.string()?))
            }
            Some(b'{') => self.nested(Self::object),
            Some(b'[') => self.nested(Self::array),
            Some(b'-' | b'0'..=b'9') if !self.rest().starts_with("-Infinity") => self.number(),
            _ if self.takes("null") => Ok(Value::None),
            _ if self.takes("true") => Ok(Value::Bool(true)),
            _ if self.takes("false") => Ok(Value::Bool(false)),
            _ if self.takes("NaN") => Ok(Value::Float(f64::NAN)),
            _ if self.takes("Infinity") => Ok(Value::Float(f64::INFINITY)),
            _ if self.takes("-Infinity") => Ok(Value::Float(f64::NEG_INFINITY)),
            _ => Err(wrong("Expecting value")),
        }
    }

    fn nested(&mut self, read: impl FnOnce(&mut Self) -> Outcome<Value>) -> Outcome<Value> {
        if self.depth >= 400 {
            return Err(Error::limit("JSON is nested too deep, more than 400 levels"));
        }
        self.at += 1;
        self.depth += 1;
        let value = read(self);
        self.depth -= 1;
        value
    }

    fn array(&mut self) -> Outcome<Value> {
        let mut items = Vec::new();
        self.space();
        if self.takes("]") {
            return Ok(Value::list(items));
        }
        loop {
            self.space();
            items.push(self.value()?);
            self.space();
            if self.takes("]") {
                return Ok(Value::list(items));
            }
            if !self.takes(",") {
                return Err(wrong("Expecting ',' delimiter"));
            }
        }
    }

    fn object(&mut self) -> Outcome<Value> {
        let mut entries = Dict::new();
        self.space();
        if !self.takes("}") {
            loop {
                self.space();
                if !self.takes("\"") {
                    return Err(wrong("Expecting property name enclosed in double quotes"));
                }
                let key = self.string()?;
                self.space();
                if !self.takes(":") {
                    return Err(wrong("Expecting ':' delimiter"));
                }
                self.space();
                let value = self.value()?;
                entries.insert_str(key, value);
                self.space();
                if self.takes("}") {
                    break;
                }
                if !self.takes(",") {
                    return Err(wrong("Expecting ',' delimiter"));
                }
            }
        }
        Ok(Value::Dict(std::rc::Rc::new(std::cell::RefCell::new(entries))))
    }

    fn number(&mut self) -> Outcome<Value> {
        let rest = self.rest().to_owned();
        let bytes = rest.as_bytes();
        let digits = |from: usize| bytes.iter().skip(from).take_while(|byte| byte.is_ascii_digit()).count();
        let sign = usize::from(bytes.first() == Some(&b'-'));
        let whole = match bytes.get(sign) {
            Some(b'0') => 1,
            _ => digits(sign),
        };
        if whole == 0 {
            return Err(wrong("Expecting value"));
        }
        let mut end = sign + whole;
        let mut float = false;
        if bytes.get(end) == Some(&b'.') && digits(end + 1) > 0 {
            end += 1 + digits(end + 1);
            float = true;
        }
        if matches!(bytes.get(end), Some(b'e' | b'E')) {
            let signed = usize::from(matches!(bytes.get(end + 1), Some(b'+' | b'-')));
            let exponent = digits(end + 1 + signed);
            if exponent > 0 {
                end += 1 + signed + exponent;
                float = true;
            }
        }
        let text = rest.get(..end).unwrap_or_default();
        self.at += end;
        if float {
            return float_of_text(text).map(Value::Float).ok_or_else(|| wrong("Expecting value"));
        }
        int_of_text(text, 10)
    }

    /// A text, behind its first quote.
    fn string(&mut self) -> Outcome<Str> {
        let mut text = String::new();
        loop {
            let rest = self.rest();
            let Some(end) = rest.find(|c: char| c == '"' || c == '\\' || c < ' ') else {
                return Err(wrong("Unterminated string"));
            };
            text.push_str(rest.get(..end).unwrap_or_default());
            let next = rest.as_bytes().get(end).copied();
            self.at += end + 1;
            match next {
                Some(b'"') => return Ok(Str::from(text)),
                Some(b'\\') => {
                    let c = self.escape()?;
                    text.push(c);
                }
                _ => return Err(wrong("Invalid control character")),
            }
        }
    }

    fn escape(&mut self) -> Outcome<char> {
        let c = self.rest().chars().next().ok_or_else(|| wrong("Unterminated string"))?;
        self.at += c.len_utf8();
        Ok(match c {
            '"' | '\\' | '/' => c,
            'b' => '\u{8}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'u' => {
                let high = self.hex()?;
                let mut code = high;
                if (0xd800..0xdc00).contains(&high) && self.takes("\\u") {
                    let low = self.hex()?;
                    if !(0xdc00..0xe000).contains(&low) {
                        return Err(Error::unsupported("half a surrogate pair in JSON"));
                    }
                    code = 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
                }
                char::from_u32(code).ok_or_else(|| Error::unsupported("half a surrogate pair in JSON"))?
            }
            _ => return Err(wrong("Invalid \\escape")),
        })
    }

    fn hex(&mut self) -> Outcome<u32> {
        let digits = self.rest().get(..4).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
        let code = digits.and_then(|digits| u32::from_str_radix(digits, 16).ok());
        self.at += 4;
        code.ok_or_else(|| wrong("Invalid \\uXXXX escape"))
    }
}
