//! What every task may use without declaring it: a fixed list, the same on every machine.
//!
//! None of it is in any key, so an entry should not decide what a tool makes, or must be what the
//! system cannot run programs without. `/proc` and the number of processors are of the latter
//! kind: a task that puts them into its output has a result that its key does not tell of.

use landlock::{AccessFs, BitFlags};

/// The toolchain that scripts have without naming it.
pub const BASE_TOOLCHAIN: &str = "base";

/// The programs of [`BASE_TOOLCHAIN`]: the shell and the coreutils.
pub const BASE_TOOLS: &[&str] = &[
    "sh",
    "[",
    "arch",
    "b2sum",
    "base32",
    "base64",
    "basename",
    "basenc",
    "cat",
    "chmod",
    "cksum",
    "comm",
    "cp",
    "csplit",
    "cut",
    "date",
    "dd",
    "df",
    "dir",
    "dircolors",
    "dirname",
    "du",
    "echo",
    "env",
    "expand",
    "expr",
    "factor",
    "false",
    "fmt",
    "fold",
    "groups",
    "head",
    "hostid",
    "id",
    "install",
    "join",
    "link",
    "ln",
    "logname",
    "ls",
    "md5sum",
    "mkdir",
    "mkfifo",
    "mknod",
    "mktemp",
    "mv",
    "nice",
    "nl",
    "nohup",
    "nproc",
    "numfmt",
    "od",
    "paste",
    "pathchk",
    "pinky",
    "pr",
    "printenv",
    "printf",
    "ptx",
    "pwd",
    "readlink",
    "realpath",
    "rm",
    "rmdir",
    "seq",
    "sha1sum",
    "sha224sum",
    "sha256sum",
    "sha384sum",
    "sha512sum",
    "shred",
    "shuf",
    "sleep",
    "sort",
    "split",
    "stat",
    "stdbuf",
    "stty",
    "sum",
    "sync",
    "tac",
    "tail",
    "tee",
    "test",
    "timeout",
    "touch",
    "tr",
    "true",
    "truncate",
    "tsort",
    "tty",
    "uname",
    "unexpand",
    "uniq",
    "unlink",
    "users",
    "vdir",
    "wc",
    "who",
    "whoami",
    "yes",
];

/// One path of the base.
#[derive(Debug, Clone, Copy)]
pub struct BasePath {
    /// The file or folder.
    pub path: &'static str,
    /// What may be done with it.
    pub access: BaseAccess,
    /// Why every task has it.
    pub reason: &'static str,
}

/// What a task may do with a path of the base.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BaseAccess {
    /// Read it and, in a folder, all below it.
    Read,
    /// Read and write a device.
    Device,
    /// Read it, only where the rule allows the network.
    Network,
}

/// The files and folders of the base.
pub const BASE_PATHS: &[BasePath] = &[
    device("/dev/null", "programs discard output and read nothing"),
    device("/dev/zero", "programs read zeros"),
    device("/dev/full", "programs test write errors"),
    device("/dev/random", "random numbers, also of libraries that never use them"),
    device("/dev/urandom", "random numbers, also of libraries that never use them"),
    // Other processes' environments and memory stay closed; their command lines do not.
    read("/proc", "a program's view of itself, and of the machine"),
    // Not here: `/dev/ptmx`, `/dev/pts` and `/dev/tty`. See `docs/design/execution.md`, Terminals.
    read(
        "/sys/devices/system/cpu",
        "the C library counts processors there; the count is in no key",
    ),
    read("/sys/devices/system/node", "thread pools look up memory nodes there"),
    read("/etc/ld.so.cache", "the loader finds libraries through it; which, is in the key"),
    read("/etc/ld.so.preload", "the loader looks for it at every start"),
    read("/etc/nsswitch.conf", "the C library looks up names by it"),
    read("/etc/passwd", "the C library looks up user names there"),
    read("/etc/group", "the C library looks up group names there"),
    read("/usr/lib/locale", "the C library's locales; tasks run with C.UTF-8"),
    read("/usr/share/zoneinfo", "time zones; tasks run with UTC"),
    read("/usr/lib/x86_64-linux-gnu/gconv", "the C library's character sets"),
    read("/usr/lib/aarch64-linux-gnu/gconv", "the C library's character sets"),
    read("/usr/share/terminfo", "libraries that could draw on a terminal look for it"),
    read("/lib/terminfo", "libraries that could draw on a terminal look for it"),
    network("/etc/resolv.conf", "host names"),
    network("/run/systemd/resolve", "host names, where `/etc/resolv.conf` is a link to there"),
    network("/etc/hosts", "host names"),
    network("/etc/host.conf", "host names"),
    network("/etc/gai.conf", "host names"),
    network("/etc/services", "port names"),
    network("/etc/ssl", "certificates"),
    network("/etc/ca-certificates", "certificates"),
    network("/usr/share/ca-certificates", "certificates"),
];

const fn read(path: &'static str, reason: &'static str) -> BasePath {
    BasePath { path, access: BaseAccess::Read, reason }
}

const fn device(path: &'static str, reason: &'static str) -> BasePath {
    BasePath { path, access: BaseAccess::Device, reason }
}

const fn network(path: &'static str, reason: &'static str) -> BasePath {
    BasePath { path, access: BaseAccess::Network, reason }
}

/// The base as Landlock takes it.
pub(crate) fn paths(network: bool) -> impl Iterator<Item = (&'static str, BitFlags<AccessFs>)> {
    BASE_PATHS
        .iter()
        .filter(move |base| network || base.access != BaseAccess::Network)
        .map(|base| (base.path, access(base.access)))
}

fn access(access: BaseAccess) -> BitFlags<AccessFs> {
    match access {
        BaseAccess::Device => AccessFs::ReadFile | AccessFs::WriteFile | AccessFs::Truncate,
        BaseAccess::Read | BaseAccess::Network => AccessFs::ReadFile | AccessFs::ReadDir,
    }
}
