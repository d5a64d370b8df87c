//! Checks the bytes of a plugin file.

use super::error::LoadProblem;
use examiner_api::ffi::{HEADER_SYMBOL, Header, HeaderFields, ROOT_SYMBOL};
use object::{Architecture, BinaryFormat, Object, ObjectSegment, ObjectSymbol};
use std::path::Path;

/// The version of the plugin interface that a plugin file was built with, by its header. No code of it runs.
///
/// # Errors
/// The file cannot be read, or has no header.
pub fn interface_version(path: &Path) -> Result<String, LoadProblem> {
    let bytes = std::fs::read(path).map_err(|error| LoadProblem::Unreadable(error.to_string()))?;
    let file = object::File::parse(&*bytes).map_err(|error| LoadProblem::NotALibrary(error.to_string()))?;
    read_header(&file).map(|header| header.api_version)
}

/// Checks that the bytes are a complete shared library for this machine, and a plugin of a compatible version. No code of it
/// runs.
pub(super) fn check(bytes: &[u8]) -> Result<HeaderFields, LoadProblem> {
    if bytes.len() < 64 {
        return Err(LoadProblem::NotALibrary(format!("{} bytes", bytes.len())));
    }
    let kind = object::FileKind::parse(bytes).map_err(|_| {
        LoadProblem::NotALibrary(format!("it begins with {:?}", String::from_utf8_lossy(&bytes[..bytes.len().min(8)])))
    })?;
    check_elf_extent(bytes)?;
    let file = object::File::parse(bytes).map_err(|error| LoadProblem::Truncated(format!("{kind:?}: {error}")))?;
    check_machine(&file)?;
    check_segments(&file, bytes.len() as u64)?;
    let header = read_header(&file)?;
    check_version(&header.api_version)?;
    Ok(header)
}

/// The section headers are at the end of an ELF file: if they are there, so is the rest.
fn check_elf_extent(bytes: &[u8]) -> Result<(), LoadProblem> {
    let Ok(elf) = object::elf::FileHeader64::<object::Endianness>::parse(bytes) else { return Ok(()) };
    let Ok(endian) = elf.endian() else { return Ok(()) };
    use object::read::elf::FileHeader;
    let table = u64::from(elf.e_shnum(endian)) * u64::from(elf.e_shentsize(endian));
    let end = elf.e_shoff(endian).saturating_add(table);
    check_end("its section table ends", end, bytes.len() as u64)
}

fn check_machine(file: &object::File<'_>) -> Result<(), LoadProblem> {
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
        target: HeaderFields::current().target,
    })
}

fn check_segments(file: &object::File<'_>, length: u64) -> Result<(), LoadProblem> {
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

fn read_header(file: &object::File<'_>) -> Result<HeaderFields, LoadProblem> {
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
    file.segments()
        .filter_map(|segment| segment.data_range(address, Header::SIZE as u64).ok().flatten())
        .find_map(Header::read)
        .ok_or(LoadProblem::BadHeader(examiner_api::API_VERSION.to_owned()))
}

fn check_version(plugin: &str) -> Result<(), LoadProblem> {
    if compatible(plugin, examiner_api::API_VERSION) {
        return Ok(());
    }
    Err(LoadProblem::WrongApiVersion { plugin: plugin.to_owned(), program: examiner_api::API_VERSION.to_owned() })
}

/// The caret rule: a plugin may be built with the program's version, or with an older one that is compatible with it.
fn compatible(plugin: &str, program: &str) -> bool {
    let parse = |text: &str| -> Option<[u64; 3]> {
        let numbers: Vec<u64> = text.split('.').map(str::parse).collect::<Result<_, _>>().ok()?;
        numbers.try_into().ok()
    };
    let (Some(plugin), Some(program)) = (parse(plugin), parse(program)) else { return false };
    let fixed = match program {
        [0, 0, _] => 3,
        [0, _, _] => 2,
        _ => 1,
    };
    plugin[..fixed] == program[..fixed] && plugin <= program
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_follow_the_caret_rule() {
        for (plugin, program, fits) in [
            ("0.1.0", "0.1.0", true),
            ("0.1.0", "0.1.7", true),
            ("0.1.8", "0.1.7", false),
            ("0.2.0", "0.1.0", false),
            ("0.0.1", "0.0.2", false),
            ("1.2.0", "1.4.0", true),
            ("1.5.0", "1.4.0", false),
            ("2.0.0", "1.4.0", false),
            ("nonsense", "1.4.0", false),
        ] {
            assert_eq!(compatible(plugin, program), fits, "{plugin} in {program}");
        }
    }

    #[test]
    fn text_and_empty_files_are_not_libraries() {
        assert!(matches!(check(b""), Err(LoadProblem::NotALibrary(_))));
        assert!(matches!(check(&b"#!/bin/sh\necho hello\n".repeat(9)), Err(LoadProblem::NotALibrary(_))));
    }

    #[test]
    fn an_executable_is_not_a_plugin() {
        let bytes = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        assert!(matches!(check(&bytes), Err(LoadProblem::NotAPlugin { .. })));
    }
}
