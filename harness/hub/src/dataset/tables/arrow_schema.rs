//! The Arrow schema that Arrow's writers put into the metadata of Parquet files: a FlatBuffers message in Base64.
//!
//! Of it one thing is needed: spans of time (`duration`) are stored as whole numbers, and nothing else in a Parquet file tells them
//! from numbers.

use base64::Engine;

/// The number of the type `duration`.
const DURATION: u8 = 18;
/// How deep types may be nested.
const DEPTH: usize = 64;

/// The columns that hold spans of time. None are found where the schema cannot be read.
pub(super) fn durations(encoded: &str) -> Vec<String> {
    let engine = base64::engine::general_purpose::STANDARD;
    engine.decode(encoded).ok().and_then(|message| columns(&message)).unwrap_or_default()
}

fn columns(message: &[u8]) -> Option<Vec<String>> {
    // A mark and a length stand before the message; older writers have the length alone.
    let start = if message.starts_with(&[0xff; 4]) { 8 } else { 4 };
    let buffer = Buffer(message.get(start..)?);
    let root = buffer.follow(0)?;
    let schema = buffer.follow(buffer.field(root, 2)?)?;
    let mut found = Vec::new();
    for field in buffer.tables(buffer.field(schema, 1)?)? {
        if holds_duration(buffer, field, 0) {
            found.push(buffer.text(buffer.field(field, 0)?)?);
        }
    }
    Some(found)
}

fn holds_duration(buffer: Buffer<'_>, field: usize, depth: usize) -> bool {
    let kind = buffer.field(field, 2).and_then(|at| buffer.0.get(at)).copied();
    let children = || buffer.field(field, 5).and_then(|at| buffer.tables(at)).unwrap_or_default();
    kind == Some(DURATION)
        || (depth < DEPTH && children().into_iter().any(|child| holds_duration(buffer, child, depth + 1)))
}

/// A FlatBuffers buffer. Every place is checked before it is read.
#[derive(Clone, Copy)]
struct Buffer<'a>(&'a [u8]);

impl Buffer<'_> {
    fn number(self, at: usize) -> Option<usize> {
        let bytes = self.0.get(at..at.checked_add(4)?)?;
        Some(u32::from_le_bytes(bytes.try_into().ok()?) as usize)
    }

    fn small(self, at: usize) -> Option<usize> {
        let bytes = self.0.get(at..at.checked_add(2)?)?;
        Some(usize::from(u16::from_le_bytes(bytes.try_into().ok()?)))
    }

    /// Where the offset at a place leads.
    fn follow(self, at: usize) -> Option<usize> {
        at.checked_add(self.number(at)?)
    }

    /// The place of a field of a table, if it has one.
    fn field(self, table: usize, index: usize) -> Option<usize> {
        let bytes = self.0.get(table..table.checked_add(4)?)?;
        let back = i32::from_le_bytes(bytes.try_into().ok()?);
        let entries = usize::try_from(i64::try_from(table).ok()? - i64::from(back)).ok()?;
        let entry = 4 + 2 * index;
        let offset = if entry < self.small(entries)? { self.small(entries + entry)? } else { 0 };
        (offset != 0).then_some(table + offset)
    }

    /// The tables of a vector.
    fn tables(self, at: usize) -> Option<Vec<usize>> {
        let vector = self.follow(at)?;
        let count = self.number(vector)?;
        (0..count.min(self.0.len())).map(|index| self.follow(vector + 4 + 4 * index)).collect()
    }

    fn text(self, at: usize) -> Option<String> {
        let text = self.follow(at)?;
        let bytes = self.0.get(text + 4..(text + 4).checked_add(self.number(text)?)?)?;
        String::from_utf8(bytes.to_vec()).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of a table with `duration` columns `a` and, in a list, `b`, beside numbers: what pyarrow 26 writes.
    const SCHEMA: &str = include_str!("arrow_schema.txt");

    #[test]
    fn spans_of_time_are_found_however_deep_they_stand() {
        assert_eq!(durations(SCHEMA.trim()), ["a", "b"]);
    }

    #[test]
    fn damage_is_no_schema() {
        let engine = base64::engine::general_purpose::STANDARD;
        let whole = engine.decode(SCHEMA.trim()).unwrap();
        for end in 0..whole.len() {
            let _ = durations(&engine.encode(&whole[..end]));
        }
        for place in 0..whole.len() {
            let mut bytes = whole.clone();
            bytes[place] ^= 0xff;
            let _ = durations(&engine.encode(bytes));
        }
        assert_eq!(durations("not Base64!"), Vec::<String>::new());
    }
}
