//! Checks the bytes of a plugin file.

use super::error::LoadProblem;
use examiner_api::INTERFACE;
use examiner_api::ffi::{HEADER_SYMBOL, Header, HeaderFields, ROOT_SYMBOL, TARGET};
use object::{Architecture, BinaryFormat, Object, ObjectSegment, ObjectSymbol, ReadRef};

/// Checks that the bytes are a complete shared library for this machine, and a plugin of the program's interface. No code of it
/// runs.
pub(super) fn check<'a, R: ReadRef<'a>>(bytes: R) -> Result<HeaderFields, LoadProblem> {
    let unreadable = |()| LoadProblem::Unreadable("it cannot be read again".to_owned());
    let length = bytes.len().map_err(unreadable)?;
    if length < 64 {
        return Err(LoadProblem::NotALibrary(format!("{length} bytes")));
    }
    let beginning = bytes.read_bytes_at(0, 8).map_err(unreadable)?;
    let kind = object::FileKind::parse(bytes)
        .map_err(|_| LoadProblem::NotALibrary(format!("it begins with {:?}", String::from_utf8_lossy(beginning))))?;
    check_elf_extent(bytes, length)?;
    let file = object::File::parse(bytes).map_err(|error| LoadProblem::Truncated(format!("{kind:?}: {error}")))?;
    check_machine(&file)?;
    check_segments(&file, length)?;
    let header = read_header(&file, bytes)?;
    check_interface(&header)?;
    Ok(header)
}

/// The section headers are at the end of an ELF file: if they are there, so is the rest.
fn check_elf_extent<'a, R: ReadRef<'a>>(bytes: R, length: u64) -> Result<(), LoadProblem> {
    let Ok(elf) = object::elf::FileHeader64::<object::Endianness>::parse(bytes) else { return Ok(()) };
    let Ok(endian) = elf.endian() else { return Ok(()) };
    use object::read::elf::FileHeader;
    let table = u64::from(elf.e_shnum(endian)) * u64::from(elf.e_shentsize(endian));
    let end = elf.e_shoff(endian).saturating_add(table);
    check_end("its section table ends", end, length)
}

fn check_machine<'a, R: ReadRef<'a>>(file: &object::File<'a, R>) -> Result<(), LoadProblem> {
    let (format, architecture) = (file.format(), file.architecture());
    let format_fits = match std::env::consts::OS {
        "macos" => format == BinaryFormat::MachO,
        "windows" => format == BinaryFormat::Pe || format == BinaryFormat::Coff,
        _ => format == BinaryFormat::Elf,
    };
    let architecture_fits = match std::env::consts::ARCH {
        "x86_64" => architecture == Architecture::X86_64,
        "aarch64" => architecture == Architecture::Aarch64,
        _ => true,
    };
    if format_fits && architecture_fits {
        return Ok(());
    }
    Err(LoadProblem::WrongMachine {
        found: format!("{architecture:?} ({format:?})"),
        expected: format!("{} ({})", std::env::consts::ARCH, std::env::consts::OS),
        target: TARGET.to_owned(),
    })
}

fn check_segments<'a, R: ReadRef<'a>>(file: &object::File<'a, R>, length: u64) -> Result<(), LoadProblem> {
    for segment in file.segments() {
        let (offset, size) = segment.file_range();
        check_end("a segment ends", offset.saturating_add(size), length)?;
    }
    Ok(())
}

fn check_end(what: &str, end: u64, length: u64) -> Result<(), LoadProblem> {
    if end <= length {
        return Ok(());
    }
    Err(LoadProblem::Truncated(format!("{what} at byte {end}, the file has {length}")))
}

fn read_header<'a, R: ReadRef<'a>>(file: &object::File<'a, R>, bytes: R) -> Result<HeaderFields, LoadProblem> {
    let find = |name: &'static str| {
        // Mach-O puts an underscore before every symbol of C.
        file.dynamic_symbols()
            .chain(file.symbols())
            .find(|symbol| {
                symbol.is_definition() && symbol.name().is_ok_and(|found| found.trim_start_matches('_') == name)
            })
            .ok_or(LoadProblem::NotAPlugin { symbol: name.to_owned() })
    };
    find(ROOT_SYMBOL)?;
    let address = find(HEADER_SYMBOL)?.address();
    // An older header ends earlier, perhaps at the end of its segment. Of a segment, which may be most of the file, no more is read.
    let read = |size: u64| {
        let find = |segment: object::Segment<'a, '_, R>| {
            let (offset, length) = segment.file_range();
            let from = address.checked_sub(segment.address())?;
            let is_within = from.checked_add(size).is_some_and(|end| end <= length);
            is_within.then(|| bytes.read_bytes_at(offset + from, size).ok()).flatten()
        };
        file.segments().filter_map(find).find_map(Header::read)
    };
    read(Header::SIZE as u64)
        .or_else(|| read(Header::FIRST_SIZE as u64))
        .ok_or(LoadProblem::BadHeader(examiner_api::API_VERSION.to_owned()))
}

/// A plugin may be older or newer than the program, as long as both have the same interface.
fn check_interface(header: &HeaderFields) -> Result<(), LoadProblem> {
    if header.interface == Some(INTERFACE) {
        return Ok(());
    }
    Err(LoadProblem::WrongInterface {
        plugin: header.api_version.clone(),
        interface: header.interface,
        program: examiner_api::API_VERSION.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interface_decides_and_not_the_version() {
        let header = |api_version: &str, interface| HeaderFields {
            api_version: api_version.to_owned(),
            target: TARGET.to_owned(),
            interface,
        };
        for version in ["0.0.1", examiner_api::API_VERSION, "99.0.0", "nonsense"] {
            assert!(check_interface(&header(version, Some(INTERFACE))).is_ok(), "{version}");
            for other in [None, Some(INTERFACE + 1)] {
                assert!(check_interface(&header(version, other)).is_err(), "{version}");
            }
        }
    }

    #[test]
    fn text_and_empty_files_are_not_libraries() {
        assert!(matches!(check(&b""[..]), Err(LoadProblem::NotALibrary(_))));
        assert!(matches!(check(&*b"#!/bin/sh\necho hello\n".repeat(9)), Err(LoadProblem::NotALibrary(_))));
    }

    #[test]
    fn an_executable_is_not_a_plugin() {
        let bytes = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        assert!(matches!(check(&*bytes), Err(LoadProblem::NotAPlugin { .. })));
    }
}
