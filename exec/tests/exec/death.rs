//! Nothing that a task started outlives it, its worker or vwfb.

use std::fs::{self, OpenOptions};
use std::io::{BufRead, BufReader};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use tempfile::TempDir;
use vwfb_exec::action::Action;
use vwfb_exec::{Cause, Turns, Waiter, Worker};

use crate::scene::{Declare, HELPER, Scene, make_pipe};

/// Leaves a process behind in a session of its own, and waits until it has noted its number.
const DAEMON: &str = "(setsid sh -c 'echo $$ > out/daemon; exec sleep 1000' &)
                      while [ ! -s out/daemon ]; do :; done";

#[test]
fn a_daemon_is_killed_when_its_task_ends() {
    let mut scene = Scene::with_tools(&["setsid"]);
    let executed = scene.run(&scene.script(DAEMON).out("out/daemon")).unwrap();
    let daemon = scene.output(&executed, "out/daemon");
    assert_eq!(executed.orphans, 1);
    assert!(!Path::new("/proc").join(daemon.trim()).exists());
}

#[test]
fn children_that_are_not_waited_for_are_killed() {
    let mut scene = Scene::new();
    let action = scene.script("sleep 1000 & sleep 1000 & (sleep 1000 & sleep 1000 &); true");
    assert_eq!(scene.run(&action).unwrap().orphans, 4);
}

#[test]
fn a_task_has_neither_terminal_nor_the_session_of_vwfb() {
    let mut scene = Scene::new();
    let executed = scene.run(&scene.program("cat", &["/proc/self/stat"])).unwrap();
    let task = Stat::parse(&scene.text(executed.result.log));
    let own = Stat::parse(&fs::read_to_string("/proc/self/stat").unwrap());
    assert_eq!(task.terminal, 0);
    assert_ne!(task.session, own.session);
    assert_eq!(task.group, task.pid);
}

#[test]
fn a_launcher_that_was_killed_is_replaced() {
    let mut scene = Scene::new();
    let executed = scene.run(&scene.program("cat", &["/proc/self/stat"])).unwrap();
    let launcher = Stat::parse(&scene.text(executed.result.log)).parent;
    let watch = watch(launcher);
    kill(launcher);
    assert_ends(&[watch]);
    let failure = scene.run(&scene.script("true")).unwrap_err();
    assert_eq!(failure.to_string(), "the task launcher is gone");
    scene.run(&scene.script("true")).unwrap();
}

#[test]
fn the_turn_of_a_launcher_that_was_killed_is_not_lost() {
    let scene = Scene::new();
    let turns = Turns::new(&scene.store.scratch_dir(), 1).unwrap();
    let worker = || scene.executor.worker().unwrap().waiting(Waiter::of(&turns));
    let (mut first, mut second) = (worker(), worker());
    let run = |worker: &mut Worker, action: &Action| {
        scene.executor.run(worker, action, &scene.grants, &scene.closures, &scene.cancel)
    };
    let holds = scene.script("echo $$; exec sleep 1000");
    let log = scene.store.scratch_dir().join("worker-1/log");
    std::thread::scope(|scope| {
        let held = scope.spawn(|| run(&mut first, &holds));
        let main = loop {
            match fs::read_to_string(&log).unwrap_or_default().trim().parse::<i32>() {
                Ok(main) => break main,
                Err(_) => assert!(!held.is_finished(), "{:?}", held.join()),
            }
        };
        let launcher = Stat::of(main).parent;
        let watched = [main, launcher].map(watch);
        kill(launcher);
        // Nobody else ends it then.
        kill(main);
        assert_ends(&watched);
        assert!(matches!(held.join().unwrap().unwrap_err().cause, Cause::Launcher(_)));
    });
    run(&mut second, &scene.script("true")).unwrap();
}

#[test]
fn a_dropped_worker_ends_its_launcher() {
    let mut scene = Scene::new();
    let executed = scene.run(&scene.program("cat", &["/proc/self/stat"])).unwrap();
    let launcher = Stat::parse(&scene.text(executed.result.log)).parent;
    let watch = watch(launcher);
    drop(scene);
    assert_ends(&[watch]);
}

#[test]
fn nothing_survives_a_vwfb_that_was_killed() {
    let temp = TempDir::new().unwrap();
    let pipe = make_pipe(&temp.path().join("pipes"));
    let script = format!(
        "trap '' TERM HUP INT
         (sh -c 'echo $$ > out/daemon; exec sleep 1000' &)
         while [ ! -s out/daemon ]; do :; done
         echo $$ > out/main
         read line < {}",
        pipe.display()
    );
    let (mut vwfb, scratch) = start_vwfb(temp.path(), &script);
    // Opens as soon as the task reads, so both have noted their numbers.
    let _held = OpenOptions::new().write(true).open(&pipe).unwrap();
    let noted = |name: &str| {
        let path = Path::new(&scratch).join("worker-0/root/out").join(name);
        fs::read_to_string(path).unwrap().trim().parse::<i32>().unwrap()
    };
    let (main, daemon) = (noted("main"), noted("daemon"));
    let launcher = Stat::of(main).parent;
    let watched = [main, daemon, launcher].map(watch);
    vwfb.kill().unwrap();
    vwfb.wait().unwrap();
    assert_ends(&watched);
}

/// Starts a process that runs `script` as vwfb would; also the folder it works in.
fn start_vwfb(temp: &Path, script: &str) -> (Child, String) {
    let mut vwfb = Command::new(HELPER)
        .arg("build")
        .args([temp.join("store"), temp.join("pipes")])
        .arg(script)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut scratch = String::new();
    BufReader::new(vwfb.stdout.take().unwrap()).read_line(&mut scratch).unwrap();
    (vwfb, scratch.trim().to_owned())
}

/// A handle that becomes readable when the process ends.
fn watch(pid: i32) -> OwnedFd {
    pidfd_open(Pid::from_raw(pid).unwrap(), PidfdFlags::empty()).unwrap()
}

fn kill(pid: i32) {
    rustix::process::kill_process(Pid::from_raw(pid).unwrap(), rustix::process::Signal::KILL)
        .unwrap();
}

/// Fails unless all end within a time that only a fault can exceed.
fn assert_ends(processes: &[OwnedFd]) {
    for process in processes {
        let deadline = Timespec { tv_sec: 60, tv_nsec: 0 };
        let mut fds = [PollFd::new(process, PollFlags::IN)];
        assert_eq!(poll(&mut fds, Some(&deadline)).unwrap(), 1, "a process survived");
    }
}

/// Some fields of `/proc/PID/stat`.
struct Stat {
    pid: i32,
    parent: i32,
    group: i32,
    session: i32,
    terminal: i32,
}

impl Stat {
    fn of(pid: i32) -> Self {
        Self::parse(&fs::read_to_string(format!("/proc/{pid}/stat")).unwrap())
    }

    fn parse(line: &str) -> Self {
        let (start, rest) = line.rsplit_once(") ").unwrap();
        let pid = start.split(' ').next().unwrap().parse().unwrap();
        let fields: Vec<&str> = rest.split(' ').collect();
        let field = |index: usize| fields[index].parse().unwrap();
        Self { pid, parent: field(1), group: field(2), session: field(3), terminal: field(4) }
    }
}
