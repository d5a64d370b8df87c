//! The head of a GGUF file: metadata by key, and where each tensor lies. Versions 2 and 3, little-endian.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, Read, Seek};

/// Tensors and data begin at multiples of this, unless the file says otherwise.
const ALIGNMENT: u64 = 32;
/// The format has no more.
const MAX_AXES: u32 = 4;
/// Lists of lists of lists occur in no file.
const MAX_DEPTH: u32 = 4;

/// A value of the metadata.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Item {
    /// A whole number of any width.
    Whole(i128),
    /// Any other number.
    Number(f64),
    /// A truth.
    Flag(bool),
    /// A text.
    Text(String),
    /// A list of whole numbers.
    Wholes(Vec<i64>),
    /// A list of other numbers.
    Numbers(Vec<f32>),
    /// A list of texts.
    Texts(Vec<String>),
    /// What nothing is read from: a list of flags or of lists, a text that is not UTF-8.
    Other(&'static str),
}

/// Where a tensor lies.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct TensorInfo {
    /// The size of each axis, the slowest first.
    pub(super) shape: Vec<usize>,
    /// The number of its type.
    pub(super) kind: u32,
    /// The first of its bytes in the file.
    pub(super) start: u64,
}

/// The head of a file.
#[derive(Debug)]
pub(super) struct Header {
    pub(super) items: BTreeMap<String, Item>,
    pub(super) tensors: BTreeMap<String, TensorInfo>,
}

/// Reads the head of a file.
///
/// # Errors
/// What is wrong, as the end of a sentence.
pub(super) fn read(file: &File) -> Result<Header, String> {
    let size = file.metadata().map_err(|error| error.to_string())?.len();
    let mut reader = Reader { file: BufReader::with_capacity(1 << 20, file), left: size };
    let magic: [u8; 4] = reader.array()?;
    if &magic != b"GGUF" {
        return Err(format!("it begins with `{}` and not with `GGUF`", magic.escape_ascii()));
    }
    match reader.u32()? {
        2 | 3 => {}
        version if matches!(version.swap_bytes(), 2 | 3) => {
            return Err("it is big-endian; only little-endian files are read".to_owned());
        }
        version => return Err(format!("it has version {version} of the format; versions 2 and 3 are read")),
    }
    let (tensors, items) = (reader.u64()?, reader.u64()?);
    // A tensor has a name, axes, a type and an offset; an item a key, a type and a value.
    reader.check_count("tensors", tensors, 24)?;
    reader.check_count("metadata entries", items, 13)?;
    let mut header = Header { items: BTreeMap::new(), tensors: BTreeMap::new() };
    for _ in 0..items {
        let (key, kind) = (reader.name()?, reader.u32()?);
        let value = reader.item(kind, 0).map_err(|error| format!("`{key}`: {error}"))?;
        if header.items.insert(key.clone(), value).is_some() {
            return Err(format!("`{key}` is there twice"));
        }
    }
    for _ in 0..tensors {
        let (name, tensor) = reader.tensor()?;
        if header.tensors.insert(name.clone(), tensor).is_some() {
            return Err(format!("the tensor `{name}` is there twice"));
        }
    }
    let alignment = match header.items.get("general.alignment") {
        None => ALIGNMENT,
        Some(Item::Whole(size)) if *size > 0 && *size < 1 << 31 => *size as u64,
        Some(other) => return Err(format!("`general.alignment` is {other:?}")),
    };
    let end = reader.file.stream_position().map_err(|error| error.to_string())?;
    let data = end.checked_next_multiple_of(alignment).ok_or("its head has no end")?;
    for (name, tensor) in &mut header.tensors {
        tensor.start = data.checked_add(tensor.start).ok_or_else(|| format!("the tensor `{name}` lies nowhere"))?;
    }
    Ok(header)
}

/// A file from which no more is read than it has.
struct Reader<'a> {
    file: BufReader<&'a File>,
    left: u64,
}

impl Reader<'_> {
    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), String> {
        self.check_left(bytes.len() as u64)?;
        self.left -= bytes.len() as u64;
        self.file.read_exact(bytes).map_err(|error| error.to_string())
    }

    fn check_left(&self, count: u64) -> Result<(), String> {
        match count.checked_sub(self.left) {
            None | Some(0) => Ok(()),
            Some(missing) => Err(format!("it ends {missing} bytes too early")),
        }
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], String> {
        let mut bytes = [0; N];
        self.fill(&mut bytes)?;
        Ok(bytes)
    }

    fn u32(&mut self) -> Result<u32, String> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    fn u64(&mut self) -> Result<u64, String> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    /// Refuses a count of things of which the file cannot hold so many.
    fn check_count(&self, what: &str, count: u64, least_bytes: u64) -> Result<(), String> {
        match count.checked_mul(least_bytes) {
            Some(bytes) if bytes <= self.left => Ok(()),
            _ => Err(format!("the number of {what} is said to be {count}, and only {} bytes follow", self.left)),
        }
    }

    fn raw_text(&mut self) -> Result<Vec<u8>, String> {
        let length = self.u64()?;
        // No memory is asked for before it is known that the file has so much.
        self.check_left(length)?;
        let mut bytes = vec![0; usize::try_from(length).map_err(|error| error.to_string())?];
        self.fill(&mut bytes)?;
        Ok(bytes)
    }

    fn name(&mut self) -> Result<String, String> {
        String::from_utf8(self.raw_text()?).map_err(|error| format!("a name is not UTF-8: {error}"))
    }

    /// The value of a type by its number.
    fn item(&mut self, kind: u32, depth: u32) -> Result<Item, String> {
        Ok(match kind {
            0 => Item::Whole(u8::from_le_bytes(self.array()?).into()),
            1 => Item::Whole(i8::from_le_bytes(self.array()?).into()),
            2 => Item::Whole(u16::from_le_bytes(self.array()?).into()),
            3 => Item::Whole(i16::from_le_bytes(self.array()?).into()),
            4 => Item::Whole(self.u32()?.into()),
            5 => Item::Whole(i32::from_le_bytes(self.array()?).into()),
            6 => Item::Number(f32::from_le_bytes(self.array()?).into()),
            7 => match u8::from_le_bytes(self.array()?) {
                0 => Item::Flag(false),
                1 => Item::Flag(true),
                other => return Err(format!("{other} is neither true nor false")),
            },
            8 => String::from_utf8(self.raw_text()?).map_or(Item::Other("a text that is not UTF-8"), Item::Text),
            9 => self.list(depth)?,
            10 => Item::Whole(self.u64()?.into()),
            11 => Item::Whole(i64::from_le_bytes(self.array()?).into()),
            12 => Item::Number(f64::from_le_bytes(self.array()?)),
            other => return Err(format!("there is no type with the number {other}")),
        })
    }

    fn list(&mut self, depth: u32) -> Result<Item, String> {
        let (kind, count) = (self.u32()?, self.u64()?);
        let least_bytes = match kind {
            0 | 1 | 7 => 1,
            2 | 3 => 2,
            4..=6 => 4,
            9 => 12,
            _ => 8,
        };
        self.check_count("values", count, least_bytes)?;
        if depth >= MAX_DEPTH {
            return Err("lists within lists within lists are not read".to_owned());
        }
        let mut wholes = Vec::new();
        let mut numbers = Vec::new();
        let mut texts = Vec::new();
        for _ in 0..count {
            match self.item(kind, depth + 1)? {
                Item::Whole(whole) => wholes.push(i64::try_from(whole).map_err(|error| error.to_string())?),
                Item::Number(number) => numbers.push(number as f32),
                Item::Text(text) => texts.push(text),
                _ => {}
            }
        }
        let is_whole_list = |length: usize| length as u64 == count;
        Ok(match kind {
            0..=5 | 10 | 11 => Item::Wholes(wholes),
            6 | 12 => Item::Numbers(numbers),
            8 if is_whole_list(texts.len()) => Item::Texts(texts),
            8 => Item::Other("a list with texts that are not UTF-8"),
            7 => Item::Other("a list of flags"),
            _ => Item::Other("a list of lists"),
        })
    }

    /// A tensor, with its offset from the first of all as its start.
    fn tensor(&mut self) -> Result<(String, TensorInfo), String> {
        let (name, axes) = (self.name()?, self.u32()?);
        if axes > MAX_AXES {
            return Err(format!("the tensor `{name}` has {axes} axes; expected at most {MAX_AXES}"));
        }
        let size = |size: u64| usize::try_from(size).map_err(|error| error.to_string());
        let mut shape = (0..axes).map(|_| self.u64().and_then(size)).collect::<Result<Vec<_>, _>>()?;
        // In the file the fastest axis stands first.
        shape.reverse();
        Ok((name, TensorInfo { shape, kind: self.u32()?, start: self.u64()? }))
    }
}
