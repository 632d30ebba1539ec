//! The digest of a toolchain: its canonical encoding.
//!
//! Folders are left out: the same bytes installed elsewhere, or a workspace that was moved, make
//! the same results, and a tool that reads what lies beside it must declare that as data. Names
//! are kept, since programs act on the names they are called and found by.

use std::collections::BTreeSet;

use vwfb_cas::Digest;

/// Begins every encoding; its number changes with the format.
const VERSION: &[u8] = b"vwfb toolchain 1\n";

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

/// One file of a toolchain.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Part {
    pub(crate) role: Role,
    /// The name it is called by; for data the path from the declared folder's name on.
    pub(crate) name: String,
    pub(crate) digest: Digest,
}

/// The digest of: version, number of parts, and for each its role's letter, its name's length
/// and bytes, and its digest; numbers are 64 bits, little-endian.
pub(crate) fn fingerprint(parts: &BTreeSet<Part>) -> Digest {
    let mut bytes = VERSION.to_vec();
    bytes.extend((parts.len() as u64).to_le_bytes());
    for part in parts {
        bytes.push(part.role.tag());
        bytes.extend((part.name.len() as u64).to_le_bytes());
        bytes.extend(part.name.as_bytes());
        bytes.extend(part.digest.as_bytes());
    }
    Digest::of(&bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(role: Role, name: &str) -> Part {
        Part { role, name: name.to_owned(), digest: Digest::of(name.as_bytes()) }
    }

    #[test]
    fn the_encoding_is_pinned() {
        let parts = BTreeSet::from([part(Role::Library, "libc.so.6"), part(Role::Program, "sh")]);
        assert_eq!(
            fingerprint(&parts).to_hex(),
            "4d845f2ec4b3e014f88626c68857548f113f6dee66f315343521130adda30221"
        );
    }

    #[test]
    fn a_name_and_a_role_are_part_of_it() {
        let of = |part| fingerprint(&BTreeSet::from([part]));
        let shell = part(Role::Program, "sh");
        assert_ne!(of(shell.clone()), of(Part { name: "bash".to_owned(), ..shell.clone() }));
        assert_ne!(of(shell.clone()), of(Part { role: Role::Data, ..shell }));
    }
}
