//! What the loader reads of a program or library: interpreter, needed libraries, search paths.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use object::Endianness;
use object::elf::{
    DT_NEEDED, DT_RPATH, DT_RUNPATH, DT_SONAME, DT_STRSZ, DT_STRTAB, DynamicTag, FileHeader32,
    FileHeader64, PT_LOAD,
};
use object::read::elf::{Dyn, FileHeader, ProgramHeader};
use object::read::{ReadCache, ReadRef, StringTable};

/// The first bytes of every ELF file.
const MAGIC: &[u8] = b"\x7fELF";

/// Which machine code a file holds; a library only serves a program of its own kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Machine {
    wide: bool,
    machine: u16,
}

impl Machine {
    /// What `$LIB` stands for in a search path.
    pub(crate) fn lib(self) -> &'static str {
        if self.wide { "lib64" } else { "lib" }
    }
}

/// What matters of one ELF file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ElfFacts {
    /// Its machine code.
    pub(crate) machine: Machine,
    /// The loader that runs it.
    pub(crate) interpreter: Option<PathBuf>,
    /// The name under which it counts as loaded.
    pub(crate) soname: Option<String>,
    /// The libraries it asks for, in order.
    pub(crate) needed: Vec<String>,
    /// Folders to search for them and for what they ask for in turn.
    pub(crate) rpath: Vec<String>,
    /// Folders to search for them alone, which make `rpath` void.
    pub(crate) runpath: Vec<String>,
}

/// The facts of the file at `path`, or `None` where it is no ELF file.
pub(crate) fn facts(path: &Path) -> io::Result<Option<ElfFacts>> {
    let mut file = File::open(path)?;
    let mut ident = [0; 5];
    if let Err(error) = file.read_exact(&mut ident) {
        let short = error.kind() == io::ErrorKind::UnexpectedEof;
        return if short { Ok(None) } else { Err(error) };
    }
    if !ident.starts_with(MAGIC) {
        return Ok(None);
    }
    let data = ReadCache::new(file);
    let facts = match ident[4] {
        1 => parse::<FileHeader32<Endianness>, _>(&data, false),
        _ => parse::<FileHeader64<Endianness>, _>(&data, true),
    };
    facts.map(Some).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}

fn parse<'data, Elf, R>(data: R, wide: bool) -> object::read::Result<ElfFacts>
where
    Elf: FileHeader<Endian = Endianness>,
    R: ReadRef<'data>,
{
    let header = Elf::parse(data)?;
    let endian = header.endian()?;
    let machine = Machine { wide, machine: header.e_machine(endian).0 };
    let segments = header.program_headers(endian, data)?;
    let mut interpreter = None;
    let mut dynamic: &[Elf::Dyn] = &[];
    for segment in segments {
        if let Some(path) = segment.interpreter(endian, data)? {
            interpreter = Some(PathBuf::from(OsString::from_vec(path.to_vec())));
        }
        if let Some(entries) = segment.dynamic(endian, data)? {
            dynamic = entries;
        }
    }
    let entries = Entries::<Elf> { endian, dynamic };
    let strings = entries.strings(segments, data);
    let texts = |tag| entries.values(tag).filter_map(|at| text(&strings, at)).collect::<Vec<_>>();
    let folders =
        |tag| texts(tag).iter().flat_map(|list| list.split(':')).map(str::to_owned).collect();
    Ok(ElfFacts {
        machine,
        interpreter,
        soname: texts(DT_SONAME).pop(),
        needed: texts(DT_NEEDED),
        rpath: folders(DT_RPATH),
        runpath: folders(DT_RUNPATH),
    })
}

/// The dynamic section, found as the loader finds it: section headers may be stripped.
struct Entries<'data, Elf: FileHeader> {
    endian: Elf::Endian,
    dynamic: &'data [Elf::Dyn],
}

impl<Elf: FileHeader> Entries<'_, Elf> {
    fn values(&self, tag: DynamicTag) -> impl Iterator<Item = u64> {
        self.dynamic
            .iter()
            .filter(move |entry| entry.tag(self.endian) == tag)
            .map(|entry| entry.val(self.endian))
    }

    fn strings<'data, R: ReadRef<'data>>(
        &self,
        segments: &[Elf::ProgramHeader],
        data: R,
    ) -> StringTable<'data, R> {
        let (Some(address), Some(size)) =
            (self.values(DT_STRTAB).next(), self.values(DT_STRSZ).next())
        else {
            return StringTable::default();
        };
        segments
            .iter()
            .filter(|segment| segment.p_type(self.endian) == PT_LOAD)
            .find_map(|segment| {
                let inside = address.checked_sub(segment.p_vaddr(self.endian).into())?;
                let (offset, length) = segment.file_range(self.endian);
                (inside < length).then_some(offset + inside)
            })
            .map_or_else(StringTable::default, |start| StringTable::new(data, start, start + size))
    }
}

fn text<'data, R: ReadRef<'data>>(strings: &StringTable<'data, R>, at: u64) -> Option<String> {
    let bytes = strings.get(at.try_into().ok()?).ok()?;
    Some(String::from_utf8_lossy(bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shell_asks_for_a_loader_and_the_c_library() {
        let shell = facts(&std::fs::canonicalize("/bin/sh").unwrap()).unwrap().unwrap();
        assert!(shell.interpreter.unwrap().to_string_lossy().contains("ld-linux"));
        assert!(shell.needed.iter().any(|name| name == "libc.so.6"), "{:?}", shell.needed);
    }

    #[test]
    fn a_text_is_no_program() {
        assert_eq!(facts(Path::new("/etc/passwd")).unwrap(), None);
    }
}
