//! Processes that are started, or not, and what they find.

#![expect(clippy::unwrap_used, reason = "a test ends where what it needs is not there")]

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use landlock::{
    ABI, Access as _, AccessFs, PathBeneath, PathFd, Ruleset, RulesetAttr, RulesetCreatedAttr,
};
use rustix::process::{WaitOptions, WaitStatus, waitpid};
use rustix::thread::{CapabilitySet, CapabilitySets};
use vwfb_spawn::{Access, Image, Redirection, Start, StartError, Started, Step};

/// A folder to start processes in, and what they are started with.
struct Scene {
    temp: tempfile::TempDir,
    env: BTreeMap<String, String>,
    ruleset: Option<OwnedFd>,
}

/// How a process ended, and what it printed.
#[derive(Debug, PartialEq, Eq)]
struct Ran {
    code: Option<i32>,
    signal: Option<i32>,
    printed: String,
}

impl Scene {
    fn new() -> Self {
        let env = BTreeMap::from([("PATH".to_owned(), "/usr/bin:/bin".to_owned())]);
        Self { temp: tempfile::tempdir().unwrap(), env, ruleset: None }
    }

    fn folder(&self) -> &Path {
        self.temp.path()
    }

    fn start(&self, images: &[Image], stdout: BorrowedFd<'_>) -> Result<Started, StartError> {
        let null = File::open("/dev/null").unwrap();
        Start {
            images,
            env: &self.env,
            folder: self.folder(),
            streams: [null.as_fd(), stdout, io::stderr().as_fd()],
            ruleset: self.ruleset.as_ref().map(AsFd::as_fd),
            capabilities: None,
        }
        .start()
    }

    fn run(&self, images: &[Image]) -> Result<Ran, StartError> {
        let (mut printed, into) = io::pipe().unwrap();
        let started = self.start(images, into.as_fd())?;
        drop(into);
        let mut text = String::new();
        let _length = printed.read_to_string(&mut text).unwrap();
        let (_, status) = waitpid(Some(started.pid), WaitOptions::empty()).unwrap().unwrap();
        let (code, signal) = (status.exit_status(), WaitStatus::terminating_signal(status));
        Ok(Ran { code, signal, printed: text })
    }

    fn shell(&self, script: &str) -> Ran {
        self.run(&[shell(script)]).unwrap()
    }

    /// What keeps the only image from being started.
    fn fails(&self, image: Image) -> (Step, Option<i32>) {
        match self.run(&[image]) {
            Err(StartError::System { step, source }) => (step, source.raw_os_error()),
            other => panic!("{other:?}"),
        }
    }
}

fn shell(script: &str) -> Image {
    let args = ["-euc", script].map(str::to_owned);
    Image::new(Path::new("/bin/sh"), "sh".as_ref(), &args).unwrap()
}

fn image(program: &str, args: &[&str]) -> Image {
    let args: Vec<String> = args.iter().map(|&arg| arg.to_owned()).collect();
    Image::new(Path::new(program), program.as_ref(), &args).unwrap()
}

fn ended(code: i32, printed: &str) -> Ran {
    Ran { code: Some(code), signal: None, printed: printed.to_owned() }
}

/// What confines a process to reading what is below these folders.
fn only(folders: &[&Path]) -> Option<OwnedFd> {
    let all = AccessFs::from_all(ABI::V1);
    let mut ruleset = Ruleset::default().handle_access(all).unwrap().create().unwrap();
    let read = AccessFs::ReadFile | AccessFs::ReadDir | AccessFs::Execute;
    for folder in folders {
        let beneath = PathBeneath::new(PathFd::new(folder).unwrap(), read);
        ruleset = ruleset.add_rule(beneath).unwrap();
    }
    ruleset.into()
}

#[test]
fn a_process_finds_its_arguments_its_variables_its_folder_and_nothing_else() {
    let mut scene = Scene::new();
    let _none = scene.env.insert("NAME".to_owned(), "of ä variable".to_owned());
    let folder = fs::canonicalize(scene.folder()).unwrap();
    let ran = scene.shell(r#"echo "$NAME"; pwd; env | grep -vE '^(PWD|OLDPWD|SHLVL|_)='; exit 3"#);
    let wanted =
        format!("of ä variable\n{}\nNAME=of ä variable\nPATH=/usr/bin:/bin\n", folder.display());
    assert_eq!(ran, ended(3, &wanted));
    let words = scene.run(&[image("/usr/bin/printf", &["<%s>", "a b", "", "ö"])]).unwrap();
    assert_eq!(words, ended(0, "<a b><><ö>"));
}

#[test]
fn a_process_has_its_standard_streams_and_no_file_of_this_one() {
    let scene = Scene::new();
    let open = rustix::io::fcntl_dupfd_cloexec(File::open("/dev/zero").unwrap(), 100).unwrap();
    let listed = scene.run(&[image("/bin/ls", &["/proc/self/fd"])]).unwrap().printed;
    let listed: Vec<i32> = listed.lines().map(|line| line.parse().unwrap()).collect();
    assert!([0, 1, 2].iter().all(|stream| listed.contains(stream)), "{listed:?}");
    assert!(!listed.contains(&open.as_raw_fd()), "{listed:?}");
}

#[test]
fn a_process_leads_a_group_and_has_the_usual_signals() {
    let scene = Scene::new();
    let ran = scene.shell("set -- $(cat /proc/self/stat); test $5 = $$ && echo leads");
    assert_eq!(ran, ended(0, "leads\n"));
    let masks = scene.shell("grep -E 'Sig(Blk|Ign)' /proc/self/status");
    let own = fs::read_to_string("/proc/self/status").unwrap();
    let ignored = own.lines().find_map(|line| line.strip_prefix("SigIgn:\t")).unwrap();
    // All that this process ignores, but for what Rust's runtime has it ignore.
    let ignored = u64::from_str_radix(ignored, 16).unwrap() & !(1 << (13 - 1));
    assert_eq!(masks.printed, format!("SigBlk:\t{:016x}\nSigIgn:\t{ignored:016x}\n", 0));
    let ended = scene.shell("kill -PIPE $$");
    assert_eq!((ended.code, ended.signal), (None, Some(13)));
}

#[test]
fn this_process_is_as_it_was() {
    let scene = Scene::new();
    let of_signals = || {
        let status = fs::read_to_string("/proc/thread-self/status").unwrap();
        status.lines().filter(|line| line.starts_with("Sig")).map(str::to_owned).collect::<Vec<_>>()
    };
    let open = || fs::read_dir("/proc/self/fd").unwrap().count();
    let (signals, files) = (of_signals(), open());
    let folder = std::env::current_dir().unwrap();
    for _ in 0..20 {
        assert_eq!(scene.shell("exit 4"), ended(4, ""));
        assert_eq!(scene.fails(image("/no/such/program", &[])), (Step::Program, Some(2)));
    }
    assert_eq!((of_signals(), std::env::current_dir().unwrap()), (signals, folder));
    // Other tests of this program may have files open.
    assert!(open() < files + 20);
}

#[test]
fn what_cannot_be_started_says_at_what_and_leaves_no_child() {
    let mut scene = Scene::new();
    assert_eq!(scene.fails(image("/no/such/program", &[])), (Step::Program, Some(2)));
    assert_eq!(scene.fails(image("/", &[])), (Step::Program, Some(13)));
    let text = scene.folder().join("text");
    fs::write(&text, "no program").unwrap();
    fs::set_permissions(&text, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let (step, errno) = scene.fails(image(text.to_str().unwrap(), &[]));
    assert_eq!((step, errno), (Step::Program, Some(8)));
    let long = "x".repeat(200_000);
    assert_eq!(scene.fails(image("/bin/true", &[&long])), (Step::Program, Some(7)));
    let zero = Image::new(Path::new("/bin/true"), "true".as_ref(), &["a\0b".to_owned()]);
    assert!(matches!(zero, Err(StartError::ZeroByte)));
    let _none = scene.env.insert("A".to_owned(), "\0".to_owned());
    assert!(matches!(scene.run(&[shell(":")]), Err(StartError::ZeroByte)));
    let _zero = scene.env.remove("A");
    fs::remove_dir_all(scene.folder()).unwrap();
    assert_eq!(scene.fails(shell(":")), (Step::Folder, Some(2)));
    let children =
        format!("/proc/self/task/{}/children", rustix::thread::gettid().as_raw_nonzero());
    assert_eq!(fs::read_to_string(children).unwrap_or_default(), "");
}

#[test]
fn a_process_has_the_capabilities_that_it_is_left_with() {
    let scene = Scene::new();
    let had = rustix::thread::capabilities(None).unwrap();
    // Else root gets them back with its next program.
    rustix::thread::set_no_new_privs(true).unwrap();
    let (mut printed, into) = io::pipe().unwrap();
    let (none, null) = (CapabilitySet::empty(), File::open("/dev/null").unwrap());
    let start = Start {
        images: &[shell("grep -E 'Cap(Prm|Eff)' /proc/self/status")],
        env: &scene.env,
        folder: scene.folder(),
        streams: [null.as_fd(), into.as_fd(), into.as_fd()],
        ruleset: None,
        capabilities: Some(CapabilitySets { effective: none, permitted: none, inheritable: none }),
    };
    let started = start.start().unwrap();
    drop(into);
    let mut text = String::new();
    let _length = printed.read_to_string(&mut text).unwrap();
    let _ended = waitpid(Some(started.pid), WaitOptions::empty()).unwrap();
    assert_eq!(text, format!("CapPrm:\t{0:016x}\nCapEff:\t{0:016x}\n", 0));
    assert_eq!(rustix::thread::capabilities(None).unwrap(), had);
}

#[test]
fn no_reaction_of_this_process_happens_in_a_new_one() {
    let scene = Scene::new();
    let reacted = Arc::new(AtomicBool::new(false));
    let _id = signal_hook::flag::register(rustix::process::Signal::URG.as_raw(), reacted.clone());
    let (parent, over) = (rustix::thread::gettid().as_raw_nonzero(), AtomicBool::new(false));
    let children = format!("/proc/self/task/{parent}/children");
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut sent = 0;
            while !over.load(Ordering::Relaxed) {
                let now = fs::read_to_string(&children).unwrap_or_default();
                for child in now.split_ascii_whitespace().filter_map(|it| it.parse().ok()) {
                    let child = rustix::process::Pid::from_raw(child).unwrap();
                    // It may have ended.
                    let _sent = rustix::process::kill_process(child, rustix::process::Signal::URG);
                    sent += 1;
                }
            }
            assert!(sent > 0, "there are no children in {children}");
        });
        for _ in 0..500 {
            assert_eq!(scene.run(&[image("/bin/true", &[])]).unwrap(), ended(0, ""));
        }
        over.store(true, Ordering::Relaxed);
    });
    assert!(!reacted.load(Ordering::Relaxed));
}

#[test]
fn a_process_is_confined_and_this_one_is_not() {
    let mut scene = Scene::new();
    let secret = scene.folder().join("secret");
    fs::write(&secret, "secret").unwrap();
    let read = image("/bin/cat", &[secret.to_str().unwrap()]);
    assert_eq!(scene.run(&[read]).unwrap(), ended(0, "secret"));
    let programs = ["/usr", "/bin", "/lib", "/lib64", "/etc"].map(Path::new);
    let programs: Vec<&Path> = programs.into_iter().filter(|path| path.exists()).collect();
    scene.ruleset = only(&programs);
    if scene.ruleset.is_none() {
        return;
    }
    rustix::thread::set_no_new_privs(true).unwrap();
    let script = format!("cat {} 2>/dev/null || echo denied", secret.display());
    assert_eq!(scene.shell(&script).printed, "denied\n");
    assert_eq!(fs::read(&secret).unwrap(), b"secret");
    // What it may not execute it cannot become.
    scene.ruleset = only(&[scene.folder()]);
    assert_eq!(scene.fails(image("/bin/true", &[])), (Step::Program, Some(13)));
    // A ruleset that is none starts nothing.
    scene.ruleset = Some(File::open(&secret).unwrap().into());
    assert_eq!(scene.fails(image("/bin/true", &[])).0, Step::Restrict);
}

#[test]
fn a_redirection_is_opened_as_confined_as_the_process() {
    let mut scene = Scene::new();
    fs::write(scene.folder().join("a"), "a").unwrap();
    let images = || {
        let from = Redirection::new("a", Access::Read).unwrap();
        [image("/bin/cat", &[]).redirected(vec![from]), shell("echo instead")]
    };
    assert_eq!(scene.run(&images()).unwrap(), ended(0, "a"));
    let programs = ["/usr", "/bin", "/lib", "/lib64", "/etc"].map(Path::new);
    let programs: Vec<&Path> = programs.into_iter().filter(|path| path.exists()).collect();
    scene.ruleset = only(&programs);
    if scene.ruleset.is_some() {
        rustix::thread::set_no_new_privs(true).unwrap();
        assert_eq!(scene.run(&images()).unwrap(), ended(0, "instead\n"));
    }
}

#[test]
fn only_plain_files_of_the_folder_are_redirected_to() {
    let scene = Scene::new();
    let outside = tempfile::tempdir().unwrap();
    let outside = outside.path().join("outside");
    fs::write(&outside, "secret").unwrap();
    fs::write(scene.folder().join("a"), "a").unwrap();
    let link = |to: PathBuf, name: &str| {
        std::os::unix::fs::symlink(to, scene.folder().join(name)).unwrap();
    };
    link("/proc/self/fd/0".into(), "stdin");
    let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
    rustix::fs::mkfifoat(rustix::fs::CWD, scene.folder().join("pipe"), mode).unwrap();
    link(outside.clone(), "link");
    let opens = |path: &str, access| {
        let redirection = Redirection::new(path, access).unwrap();
        let images = [image("/bin/true", &[]).redirected(vec![redirection]), shell("exit 9")];
        scene.run(&images).unwrap().code == Some(0)
    };
    for path in ["/dev/stdin", "../outside", "link", "stdin", "none/b", "pipe", "."] {
        for access in [Access::Read, Access::Write, Access::Append] {
            assert!(!opens(path, access), "{path} {access:?}");
        }
    }
    assert_eq!(fs::read(&outside).unwrap(), b"secret");
    assert!(opens("a", Access::Append));
    assert_eq!(fs::read(scene.folder().join("a")).unwrap(), b"a");
    assert!(opens("a", Access::Read) && opens("a", Access::Write) && opens("new", Access::Write));
    assert_eq!(fs::read(scene.folder().join("a")).unwrap(), b"");
    let both = ["a", "new"].map(|path| Redirection::new(path, Access::Append).unwrap());
    let prints = image("/bin/echo", &["last"]).redirected(both.into());
    assert_eq!(scene.run(&[prints]).unwrap(), ended(0, ""));
    let [a, new] = ["a", "new"].map(|name| fs::read_to_string(scene.folder().join(name)).unwrap());
    assert_eq!((a.as_str(), new.as_str()), ("", "last\n"));
}

#[test]
fn many_threads_start_processes_at_once() {
    let scene = Scene::new();
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let scene = &scene;
            scope.spawn(move || {
                for round in 0..25 {
                    let code = (thread * 25 + round) % 100;
                    // What this thread allocates meanwhile stays its own.
                    let text = "x".repeat(1 + round as usize * 100);
                    let ran = scene.shell(&format!("printf {text}; exit {code}"));
                    assert_eq!(ran, ended(code, &text));
                }
            });
        }
    });
}

#[test]
fn a_standard_stream_may_be_any_of_this_process() {
    let scene = Scene::new();
    let (mut printed, into) = io::pipe().unwrap();
    let start = |streams| {
        Start {
            images: &[shell("echo out; echo err >&2")],
            env: &scene.env,
            folder: scene.folder(),
            streams,
            ruleset: None,
            capabilities: None,
        }
        .start()
    };
    let started = start([io::stdin().as_fd(), into.as_fd(), into.as_fd()]).unwrap();
    drop(into);
    let mut text = String::new();
    let _length = printed.read_to_string(&mut text).unwrap();
    assert_eq!(text, "out\nerr\n");
    let ended = waitpid(Some(started.pid), WaitOptions::empty()).unwrap().unwrap();
    assert_eq!(ended.1.exit_status(), Some(0));
}
