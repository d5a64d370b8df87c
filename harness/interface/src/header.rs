//! What the loader reads of a plugin file before anything of it runs.

/// The name of the exported [`Header`].
pub const HEADER_SYMBOL: &str = "EXAMINER_PLUGIN_HEADER";

/// The name of the exported `abi_stable` header behind which the root module stands.
pub const ROOT_SYMBOL: &str = "EXAMINER_PLUGIN_ROOT";

/// The number of the interface: the first one of this crate's version. Program and plugin must have the same.
pub const INTERFACE: u32 = number(env!("CARGO_PKG_VERSION_MAJOR"));

/// The target triple that this crate was compiled for.
pub const TARGET: &str = env!("EXAMINER_TARGET");

const MAGIC: [u8; 16] = *b"examiner plugin\0";
const TEXT: usize = 64;

/// Plain bytes without pointers, so that the loader can read them from the file without opening the library. Its layout
/// is fixed for ever; `length` lets later versions append.
#[repr(C)]
pub struct Header {
    magic: [u8; 16],
    length: [u8; 4],
    api_version: [u8; TEXT],
    target: [u8; TEXT],
    /// Plugins that were built before interfaces had numbers end before it.
    interface: [u8; 4],
}

/// A [`Header`] as read from a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeaderFields {
    /// The version of `examiner-api` that the plugin was built with.
    pub api_version: String,
    /// The target triple that it was built for.
    pub target: String,
    /// The interface that it was built with; none where it was built before interfaces had numbers.
    pub interface: Option<u32>,
}

impl Header {
    /// The size of the first headers, in bytes. Every later one begins with the same fields.
    pub const FIRST_SIZE: usize = 16 + 4 + 2 * TEXT;

    /// The size of a header that has all of today's fields.
    pub const SIZE: usize = size_of::<Header>();

    /// The header of a library built now, with this version of `examiner-api`.
    pub const fn new(api_version: &str) -> Header {
        Header {
            magic: MAGIC,
            length: (Self::SIZE as u32).to_le_bytes(),
            api_version: padded(api_version),
            target: padded(TARGET),
            interface: INTERFACE.to_le_bytes(),
        }
    }

    /// Its bytes, as they stand in a library.
    pub fn to_bytes(&self) -> Vec<u8> {
        [&self.magic[..], &self.length, &self.api_version, &self.target, &self.interface].concat()
    }

    /// What the bytes of a header say; none if they do not begin with the magic, or are fewer than its length says. A header of a
    /// later version is longer; what is behind today's fields is passed over.
    pub fn read(bytes: &[u8]) -> Option<HeaderFields> {
        let rest = bytes.strip_prefix(&MAGIC)?;
        let length = number_at(rest, 0)? as usize;
        let text = |at: usize| {
            let field = rest.get(at..at + TEXT)?;
            let end = field.iter().position(|&byte| byte == 0).unwrap_or(TEXT);
            String::from_utf8(field[..end].to_vec()).ok()
        };
        let interface = match length {
            ..Self::FIRST_SIZE => return None,
            Self::SIZE.. => Some(number_at(rest, Self::FIRST_SIZE - MAGIC.len())?),
            _ => None,
        };
        Some(HeaderFields { api_version: text(4)?, target: text(4 + TEXT)?, interface })
    }
}

fn number_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

const fn padded(text: &str) -> [u8; TEXT] {
    let mut field = [0; TEXT];
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() && at < TEXT {
        field[at] = bytes[at];
        at += 1;
    }
    field
}

const fn number(digits: &str) -> u32 {
    let (bytes, mut value, mut at) = (digits.as_bytes(), 0, 0);
    while at < bytes.len() {
        value = value * 10 + (bytes[at] - b'0') as u32;
        at += 1;
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_writes() {
        let bytes = Header::new("1.2.3").to_bytes();
        assert_eq!(bytes.len(), Header::SIZE);
        let fields = HeaderFields { api_version: "1.2.3".into(), target: TARGET.into(), interface: Some(INTERFACE) };
        assert_eq!(Header::read(&bytes), Some(fields));
        assert_eq!(Header::read(&bytes[..Header::SIZE - 1]), None);
        assert_eq!(Header::read(&bytes[1..]), None);
    }

    /// The layout of the first headers, which every loader knows.
    #[test]
    fn a_header_of_before_interfaces_had_numbers_is_read_without_one() {
        let mut bytes = Header::new("0.2.0").to_bytes();
        bytes.truncate(Header::FIRST_SIZE);
        assert_eq!(Header::read(&bytes), None, "shorter than it says");
        bytes[16..20].copy_from_slice(&148_u32.to_le_bytes());
        let fields = Header::read(&bytes).unwrap();
        assert_eq!((fields.api_version.as_str(), fields.interface), ("0.2.0", None));
    }

    #[test]
    fn what_a_later_header_appends_is_passed_over() {
        let mut bytes = Header::new("9.0.0").to_bytes();
        bytes.extend([7; 12]);
        bytes[16..20].copy_from_slice(&164_u32.to_le_bytes());
        assert_eq!(Header::read(&bytes).unwrap().interface, Some(INTERFACE));
    }

    #[test]
    fn the_interface_is_the_first_number_of_the_version() {
        assert_eq!(number("10"), 10);
        assert!(env!("CARGO_PKG_VERSION").starts_with(&format!("{INTERFACE}.")));
    }
}
