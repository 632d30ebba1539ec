//! What the new process does in the memory of this one: system calls, and nothing else. It allocates
//! nothing, takes no lock and cannot panic.

use std::cell::Cell;
use std::convert::Infallible;
use std::ffi::CStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{CWD, FileType, Mode, OFlags, ResolveFlags};
use rustix::fs::{fcntl_getfl, fcntl_setfl, fstat, openat2};
use rustix::io::Errno;
use rustix::process::{chdir, setpgid};
use rustix::stdio::{dup2_stderr, dup2_stdin, dup2_stdout};
use rustix::thread::{CapabilitySets, set_capabilities};

use crate::image::{Access, Pointers, Redirection};
use crate::{Step, vfork};

/// All that the new process needs; made before there is one.
pub(crate) struct Child<'a> {
    pub(crate) images: &'a [Prepared<'a>],
    pub(crate) env: &'a Pointers<'a>,
    pub(crate) folder: &'a CStr,
    /// None of them is a standard stream of this process.
    pub(crate) streams: [BorrowedFd<'a>; 3],
    pub(crate) ruleset: Option<BorrowedFd<'a>>,
    pub(crate) capabilities: Option<CapabilitySets>,
    /// Why it did not become its program; nothing if it did.
    pub(crate) failed: Cell<Option<(Step, Errno)>>,
}

/// An image whose arguments are as the system takes them.
pub(crate) struct Prepared<'a> {
    pub(crate) program: &'a CStr,
    pub(crate) args: Pointers<'a>,
    pub(crate) redirections: &'a [Redirection],
}

/// The files that an image's streams are instead.
#[derive(Default)]
struct Redirected {
    stdin: Option<OwnedFd>,
    stdout: Option<OwnedFd>,
}

impl Child<'_> {
    /// Becomes the program; only what kept it from that comes back.
    pub(crate) fn become_program(&self) -> Result<Infallible, (Step, Errno)> {
        let at = |step: Step| move |errno: Errno| (step, errno);
        if let Some(capabilities) = self.capabilities {
            set_capabilities(None, capabilities).map_err(at(Step::Capabilities))?;
        }
        if let Some(ruleset) = self.ruleset {
            vfork::restrict(ruleset).map_err(at(Step::Restrict))?;
        }
        chdir(self.folder).map_err(at(Step::Folder))?;
        let chosen = self.images.iter().find_map(|image| Some((image, image.redirected().ok()?)));
        let (image, redirected) = chosen.ok_or((Step::Streams, Errno::INVAL))?;
        self.set_streams(&redirected).map_err(at(Step::Streams))?;
        setpgid(None, None).map_err(at(Step::Group))?;
        vfork::reset_signals().map_err(at(Step::Signals))?;
        Err((Step::Program, vfork::execute(image.program, &image.args, self.env)))
    }

    fn set_streams(&self, redirected: &Redirected) -> Result<(), Errno> {
        let [stdin, stdout, stderr] = self.streams;
        dup2_stdin(redirected.stdin.as_ref().map_or(stdin, AsFd::as_fd))?;
        dup2_stdout(redirected.stdout.as_ref().map_or(stdout, AsFd::as_fd))?;
        dup2_stderr(stderr)
    }
}

impl Prepared<'_> {
    fn redirected(&self) -> Result<Redirected, Errno> {
        let mut redirected = Redirected::default();
        for redirection in self.redirections {
            let file = open(redirection)?;
            match redirection.access {
                Access::Read => redirected.stdin = Some(file),
                Access::Write | Access::Append => redirected.stdout = Some(file),
            }
        }
        Ok(redirected)
    }
}

/// Opens the file as a shell does, but nothing outside of the working directory, nothing that stands
/// for an open file of whoever asks (`/dev/stdin`), and nothing that is no file.
fn open(redirection: &Redirection) -> Result<OwnedFd, Errno> {
    let made = OFlags::WRONLY | OFlags::CREATE;
    let (flags, mode) = match redirection.access {
        Access::Read => (OFlags::RDONLY, 0),
        Access::Write => (made | OFlags::TRUNC, 0o666),
        Access::Append => (made | OFlags::APPEND, 0o666),
    };
    // A pipe would be waited at, by this process and so by who starts it.
    let flags = flags | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let path = redirection.path.as_c_str();
    let file = openat2(CWD, path, flags, Mode::from_raw_mode(mode), ResolveFlags::BENEATH)?;
    if !FileType::from_raw_mode(fstat(&file)?.st_mode).is_file() {
        return Err(Errno::INVAL);
    }
    fcntl_setfl(&file, fcntl_getfl(&file)? & !OFlags::NONBLOCK)?;
    Ok(file)
}
