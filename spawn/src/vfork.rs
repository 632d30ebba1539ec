//! The system calls that Rust cannot vouch for: the new process in this one's memory, and what it
//! does there that no safe crate offers.
//!
//! Why this is sound: `clone` gives the new process a stack of its own and stops this thread until
//! the new process has become its program or ended, so of the two never both run; what the new
//! process has of its own, the kernel copies (open files, signal reactions, working directory,
//! credentials). Signals are blocked meanwhile, and whatever handles one is reset before they are
//! let through, so no handler runs in borrowed memory. Other threads go on, and see nothing but
//! what [`Child`] says: its `failed` is written by the one and read by the other after it, as is this
//! thread's `errno`, which nobody reads.

#![expect(unsafe_code, reason = "docs/design/0014-vfork.md")]

use std::ffi::{CStr, c_int, c_long, c_void};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::ptr;

use rustix::io::Errno;
use rustix::process::Pid;

use crate::Started;
use crate::child::Child;
use crate::image::Pointers;

/// How many times 16 bytes the new process has for its stack. It needed 1,440 bytes where nothing is
/// optimised.
const STACK: usize = 4096;
/// The number of the last signal.
const LAST_SIGNAL: c_int = 64;

/// Makes a process in which `child` becomes its program; returns when it has, or has failed and
/// ended, which `child` tells.
pub(crate) fn start(child: &Child<'_>) -> io::Result<Started> {
    let mut stack: Vec<MaybeUninit<u128>> = Vec::with_capacity(STACK);
    let top = stack.spare_capacity_mut().as_mut_ptr_range().end;
    let mut pidfd: c_int = -1;
    let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::CLONE_PIDFD | libc::SIGCHLD;
    let blocked = Blocked::all()?;
    // SAFETY: the stack is aligned, grows down from its end and outlives the new process's use of it,
    // as does `child`: this thread does not go on before that. `CLONE_PIDFD` has the kernel write to
    // `pidfd`.
    let pid = unsafe {
        libc::clone(
            run,
            top.cast(),
            flags,
            ptr::from_ref(child).cast_mut().cast::<c_void>(),
            &raw mut pidfd,
        )
    };
    let made = if pid < 0 { Err(io::Error::last_os_error()) } else { Ok(pid) };
    drop(blocked);
    drop(stack);
    let pid = Pid::from_raw(made?).expect("a process has a number");
    // SAFETY: the kernel has opened it for this process, and nobody else knows it.
    let pidfd = unsafe { OwnedFd::from_raw_fd(pidfd) };
    Ok(Started { pid, pidfd })
}

/// Where the new process begins, on its own stack. Returning ends it.
extern "C" fn run(child: *mut c_void) -> c_int {
    // SAFETY: `start` passes a `Child`, which lives until this process needs it no more.
    let child = unsafe { &*child.cast::<Child<'_>>() };
    let Err(why) = child.become_program();
    child.failed.set(Some(why));
    127
}

/// Holds the calling process, and all it becomes and starts, to a Landlock ruleset.
pub(crate) fn restrict(ruleset: BorrowedFd<'_>) -> Result<(), Errno> {
    let no_flags: c_long = 0;
    // SAFETY: it takes two numbers and touches no memory of ours.
    let result =
        unsafe { libc::syscall(libc::SYS_landlock_restrict_self, ruleset.as_raw_fd(), no_flags) };
    if result == 0 { Ok(()) } else { Err(errno()) }
}

/// Reacts to signals as a program expects that begins, and lets all through. What is ignored stays
/// so, but for what Rust's runtime has its own process ignore.
pub(crate) fn reset_signals() -> Result<(), Errno> {
    for signal in 1..=LAST_SIGNAL {
        let mut now = Reaction::DEFAULT;
        react(signal, None, Some(&mut now))?;
        let is_usual = match now.handler {
            libc::SIG_DFL => true,
            libc::SIG_IGN => signal != libc::SIGPIPE,
            _ => false,
        };
        if !is_usual {
            react(signal, Some(&Reaction::DEFAULT), None)?;
        }
    }
    let mut none = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: it writes the set.
    let _cannot_fail = unsafe { libc::sigemptyset(none.as_mut_ptr()) };
    // SAFETY: the set is written, and the former one is not asked for.
    let result = unsafe { libc::sigprocmask(libc::SIG_SETMASK, none.as_ptr(), ptr::null_mut()) };
    if result == 0 { Ok(()) } else { Err(errno()) }
}

/// What the kernel takes and gives as the reaction to a signal.
#[repr(C)]
struct Reaction {
    handler: libc::sighandler_t,
    /// Flags, where a handler returns to, and what is blocked meanwhile.
    rest: [usize; 3],
}

impl Reaction {
    const DEFAULT: Self = Self { handler: libc::SIG_DFL, rest: [0; 3] };
}

/// Sets the reaction to a signal, or asks for it. Not by the C library, which takes a lock for some
/// signals and says nothing of others.
fn react(signal: c_int, new: Option<&Reaction>, now: Option<&mut Reaction>) -> Result<(), Errno> {
    let new = new.map_or(ptr::null(), ptr::from_ref);
    let now = now.map_or(ptr::null_mut(), ptr::from_mut);
    // SAFETY: both are null or as the kernel has them on 64 bits; a set has 8 bytes there.
    let result = unsafe { libc::syscall(libc::SYS_rt_sigaction, signal, new, now, 8_usize) };
    if result == 0 { Ok(()) } else { Err(errno()) }
}

/// Becomes a program; returns why not.
pub(crate) fn execute(program: &CStr, args: &Pointers<'_>, env: &Pointers<'_>) -> Errno {
    // SAFETY: the path is a C string, and both lists end with a null pointer.
    let _minus_one = unsafe { libc::execve(program.as_ptr(), args.as_ptr(), env.as_ptr()) };
    errno()
}

/// Why the last call failed. Reading it allocates nothing.
fn errno() -> Errno {
    Errno::from_io_error(&io::Error::last_os_error()).unwrap_or(Errno::INVAL)
}

/// All signals of this thread wait while this lives.
struct Blocked {
    before: libc::sigset_t,
}

impl Blocked {
    fn all() -> io::Result<Self> {
        let mut all = MaybeUninit::<libc::sigset_t>::uninit();
        let mut before = MaybeUninit::<libc::sigset_t>::uninit();
        // SAFETY: it writes the set.
        let _cannot_fail = unsafe { libc::sigfillset(all.as_mut_ptr()) };
        // SAFETY: the one set is written, the other is to be.
        let result =
            unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, all.as_ptr(), before.as_mut_ptr()) };
        if result != 0 {
            return Err(io::Error::from_raw_os_error(result));
        }
        // SAFETY: the call has written it.
        Ok(Self { before: unsafe { before.assume_init() } })
    }
}

impl Drop for Blocked {
    fn drop(&mut self) {
        // SAFETY: the set is what the same call once gave, and the present one is not asked for.
        let _cannot_fail = unsafe {
            libc::pthread_sigmask(libc::SIG_SETMASK, &raw const self.before, ptr::null_mut())
        };
    }
}
