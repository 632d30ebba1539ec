//! The digest of a toolchain: its canonical encoding.
//!
//! Where a program or a library was installed is left out: the same bytes elsewhere, or in a
//! workspace that was moved, make the same results, and a tool that reads what lies beside it
//! must declare that as data. What a file is to the toolchain is kept, since two files that swap
//! places are another tool: the names that programs are called by, whose libraries these are, and
//! where data was declared to be.

use std::collections::BTreeSet;

use vwfb_cas::Digest;

/// Begins every encoding; its number changes with the format.
const VERSION: &[u8] = b"vwfb toolchain 2\n";

/// Why a file belongs to a toolchain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Role {
    /// A program it declares.
    Program,
    /// What runs a program: the loader, or a script's interpreter.
    Interpreter,
    /// A shared library.
    Library,
    /// A file of its data.
    Data,
}

impl Role {
    const fn tag(self) -> u8 {
        match self {
            Self::Program => b'p',
            Self::Interpreter => b'i',
            Self::Library => b'l',
            Self::Data => b'd',
        }
    }
}

/// What a file is to its toolchain.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) role: Role,
    /// Whose it is: of interpreters and libraries the declared program that needs them, of data
    /// the path as declared; empty for programs.
    pub(crate) owner: Vec<u8>,
    /// What its owner knows it by: the name that a program is called by, an interpreter's path, the
    /// name of a library, the path below the declared one of data.
    pub(crate) name: Vec<u8>,
    /// Of several libraries for different processors, which.
    pub(crate) variant: u64,
}

/// One file of a toolchain.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Part {
    pub(crate) place: Place,
    pub(crate) digest: Digest,
}

/// The digest of: version, number of parts, and for each its role's letter, the lengths and bytes
/// of its owner and its name, its variant, and its digest; numbers are 64 bits, little-endian.
pub(crate) fn fingerprint(parts: &BTreeSet<Part>) -> Digest {
    let mut bytes = VERSION.to_vec();
    bytes.extend((parts.len() as u64).to_le_bytes());
    for Part { place, digest } in parts {
        bytes.push(place.role.tag());
        for text in [&place.owner, &place.name] {
            bytes.extend((text.len() as u64).to_le_bytes());
            bytes.extend(text);
        }
        bytes.extend(place.variant.to_le_bytes());
        bytes.extend(digest.as_bytes());
    }
    Digest::of(&bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(role: Role, owner: &str, name: &str) -> Part {
        let place = Place { role, owner: owner.into(), name: name.into(), variant: 0 };
        Part { place, digest: Digest::of(name.as_bytes()) }
    }

    #[test]
    fn the_encoding_is_pinned() {
        let parts =
            BTreeSet::from([part(Role::Library, "sh", "libc.so.6"), part(Role::Program, "", "sh")]);
        assert_eq!(
            fingerprint(&parts).to_hex(),
            "09bb9a0953e5b6f81210efab44b7af6fd8ccf77b9a04255bc5805749125c0aa5"
        );
    }

    #[test]
    fn every_field_is_part_of_it() {
        let of = |part| fingerprint(&BTreeSet::from([part]));
        let shell = part(Role::Program, "", "sh");
        let with = |change: fn(&mut Part)| {
            let mut part = shell.clone();
            change(&mut part);
            of(part)
        };
        let all = [
            of(shell.clone()),
            with(|part| part.place.role = Role::Data),
            with(|part| part.place.owner = b"dash".to_vec()),
            with(|part| part.place.name = b"bash".to_vec()),
            with(|part| part.place.variant = 1),
            with(|part| part.digest = Digest::of(b"bash")),
        ];
        assert_eq!(BTreeSet::from(all).len(), all.len());
    }
}
