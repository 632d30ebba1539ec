//! Programs with their arguments, as the system takes them.

use std::ffi::{CString, OsStr, c_char};
use std::marker::PhantomData;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use crate::child::Prepared;
use crate::{StartError, c_string};

/// A program, its arguments, and the files that its standard streams are instead.
#[derive(Debug)]
pub struct Image {
    program: CString,
    args: Vec<CString>,
    redirections: Vec<Redirection>,
}

/// A file that a standard stream is.
#[derive(Debug)]
pub struct Redirection {
    /// Relative to the working directory; one that leads out of it cannot be opened.
    pub path: CString,
    /// How it is opened, and so which stream it is.
    pub access: Access,
}

/// How a file is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// To be read.
    Read,
    /// To be written from its beginning; made, or emptied.
    Write,
    /// To be written at its end; made if it is not there.
    Append,
}

impl Redirection {
    /// The file at `path`.
    ///
    /// # Errors
    /// If the path holds a zero byte.
    pub fn new(path: &str, access: Access) -> Result<Self, StartError> {
        Ok(Self { path: c_string(path)?, access })
    }
}

impl Image {
    /// The file `program`, told that its name is `name` and these are its arguments.
    ///
    /// # Errors
    /// If any of them holds a zero byte.
    pub fn new<'a>(
        program: &Path,
        name: &OsStr,
        args: impl IntoIterator<Item = &'a String>,
    ) -> Result<Self, StartError> {
        let name = c_string(name.as_bytes())?;
        let args = args.into_iter().map(|arg| c_string(arg.as_str()));
        let args: Result<_, _> = std::iter::once(Ok(name)).chain(args).collect();
        let program = c_string(program.as_os_str().as_bytes())?;
        Ok(Self { program, args: args?, redirections: Vec::new() })
    }

    /// The same with redirections, in the order in which they are opened.
    #[must_use]
    pub fn redirected(self, redirections: Vec<Redirection>) -> Self {
        Self { redirections, ..self }
    }

    pub(crate) fn prepared(&self) -> Prepared<'_> {
        let Self { program, args, redirections } = self;
        Prepared { program, args: Pointers::to(args), redirections }
    }
}

/// Strings as `execve` takes them: a pointer to each, and one to nothing.
#[derive(Debug)]
pub(crate) struct Pointers<'a> {
    pointers: Vec<*const c_char>,
    strings: PhantomData<&'a [CString]>,
}

impl<'a> Pointers<'a> {
    pub(crate) fn to(strings: &'a [CString]) -> Self {
        let pointers = strings.iter().map(|string| string.as_ptr());
        let pointers = pointers.chain(std::iter::once(std::ptr::null())).collect();
        Self { pointers, strings: PhantomData }
    }

    pub(crate) fn as_ptr(&self) -> *const *const c_char {
        self.pointers.as_ptr()
    }
}
