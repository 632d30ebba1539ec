//! What the tests of this crate start: a launcher, a vwfb to be killed, and programs that try
//! what a sandbox must deny. It is part of nothing that users get.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};
use std::net::TcpStream;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use rustix::process::Pid;
use vwfb_cas::{Digest, Store};
use vwfb_exec::action::{Action, Command, Grants};
use vwfb_exec::{
    CancelToken, Closure, ExecOptions, Executor, FileDigests, Level, ToolSpec, Toolchains,
};

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args[..] {
        ["launcher"] => vwfb_exec::launcher_main(),
        ["tcp", address] => outcome(TcpStream::connect(address).map(drop)),
        ["abstract-socket", name] => outcome(
            SocketAddr::from_abstract_name(name)
                .and_then(|address| UnixStream::connect_addr(&address))
                .map(drop),
        ),
        ["leave-group", pipe] => outcome(leave_group(Path::new(pipe))),
        ["build", store, readable, script] => build(Path::new(store), Path::new(readable), script),
        _ => ExitCode::from(2),
    }
}

/// Says what became of an attempt, as exit code and on standard error.
fn outcome(tried: io::Result<()>) -> ExitCode {
    match tried {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "{error}");
            ExitCode::FAILURE
        }
    }
}

/// Moves to a child's process group, and then reads `pipe` to its end.
fn leave_group(pipe: &Path) -> io::Result<()> {
    let child = std::process::Command::new("sleep").arg("1000").process_group(0).spawn()?;
    rustix::process::setpgid(None, Some(Pid::from_child(&child)))?;
    std::fs::read(pipe).map(drop)
}

/// Runs one script, as vwfb would, after printing the folder in which it runs.
fn build(store: &Path, readable: &Path, script: &str) -> ExitCode {
    let store = Arc::new(Store::open(store).expect("the store opens"));
    let _ = writeln!(io::stdout(), "{}", store.scratch_dir().display());
    let base = base(readable);
    let action = action(script, &base);
    let options = ExecOptions {
        launcher: std::env::current_exe().expect("this program has a path"),
        launcher_argument: "launcher".to_owned(),
        level: Level::detect(),
        grace: Duration::from_secs(60),
        keep_scratch: None,
    };
    let executor = Executor::new(store, options);
    let mut worker = executor.worker().expect("a launcher starts");
    let cancel = CancelToken::new().expect("there are events");
    let closures = BTreeMap::from([("base".to_owned(), Arc::new(base))]);
    match executor.run(&mut worker, &action, &Grants::default(), &closures, &cancel) {
        Ok(_) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

/// The base toolchain, with a further folder to read.
fn base(readable: &Path) -> Closure {
    struct Unread;
    impl FileDigests for Unread {
        fn digest(&self, path: &Path) -> io::Result<Digest> {
            Ok(Digest::of(path.as_os_str().as_encoded_bytes()))
        }
    }
    let base = Toolchains::new(&[]).closure(&ToolSpec::base(), &Unread);
    let mut base = base.expect("there is a shell");
    base.readable.insert(PathBuf::from(readable));
    base
}

fn action(script: &str, base: &Closure) -> Action {
    Action {
        command: Command::Process {
            program: "sh".to_owned(),
            args: vec!["-euc".to_owned(), script.to_owned()],
        },
        inputs: BTreeMap::new(),
        outputs: BTreeMap::new(),
        env: BTreeMap::new(),
        secrets: BTreeMap::new(),
        stdin: None,
        stdout: None,
        stderr: None,
        success_codes: BTreeSet::from([0]),
        tools: BTreeMap::from([("base".to_owned(), base.fingerprint)]),
        network: false,
        service: None,
        terminal: false,
        seed: None,
        take: 0,
        feedback: None,
        platform: String::new(),
        rule_version: 1,
    }
}
