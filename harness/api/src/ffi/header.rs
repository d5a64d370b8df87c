//! What the loader reads of a plugin file before anything of it runs.

/// The name of the exported [`Header`].
pub const HEADER_SYMBOL: &str = "EXAMINER_PLUGIN_HEADER";

/// The name of the exported `abi_stable` header behind which the root module stands.
pub const ROOT_SYMBOL: &str = "EXAMINER_PLUGIN_ROOT";

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
}

/// A [`Header`] as read from a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeaderFields {
    /// The version of `examiner-api` that the plugin was built with.
    pub api_version: String,
    /// The target triple that it was built for.
    pub target: String,
}

impl Header {
    /// The header of a library built now, with this crate.
    pub const CURRENT: Header = Header {
        magic: MAGIC,
        length: (size_of::<Header>() as u32).to_le_bytes(),
        api_version: padded(crate::API_VERSION),
        target: padded(env!("EXAMINER_TARGET")),
    };

    /// Its size in bytes.
    pub const SIZE: usize = size_of::<Header>();

    /// What the bytes of a header say; none if they do not begin with the magic or are too short.
    pub fn read(bytes: &[u8]) -> Option<HeaderFields> {
        let rest = bytes.strip_prefix(&MAGIC)?.get(4..)?;
        let text = |at: usize| {
            let field = rest.get(at..at + TEXT)?;
            let end = field.iter().position(|&byte| byte == 0).unwrap_or(TEXT);
            String::from_utf8(field[..end].to_vec()).ok()
        };
        Some(HeaderFields { api_version: text(0)?, target: text(TEXT)? })
    }
}

impl HeaderFields {
    /// What the program itself was built with.
    pub fn current() -> Self {
        HeaderFields { api_version: crate::API_VERSION.to_owned(), target: env!("EXAMINER_TARGET").to_owned() }
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_writes() {
        let header = Header::CURRENT;
        let mut bytes = Vec::new();
        bytes.extend(header.magic);
        bytes.extend(header.length);
        bytes.extend(header.api_version);
        bytes.extend(header.target);
        assert_eq!(bytes.len(), Header::SIZE);
        assert_eq!(Header::read(&bytes), Some(HeaderFields::current()));
        assert_eq!(Header::read(&bytes[..Header::SIZE - 1]), None);
        assert_eq!(Header::read(&bytes[1..]), None);
    }
}
