//! Ctrl-C and SIGTERM in the middle of a build.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Stdio};

use rustix::fs::{CWD, FileType, Mode, mknodat};
use rustix::process::{Pid, Signal, kill_process};

use crate::world::World;

const WAITING: &str = "task \"wait\" { out \"w\"; script \"sleep 60; echo > {out}\" }\n";
const STUBBORN: &str = "task \"wait\" { out \"w\"; script \"trap '' TERM; sleep 60; sleep 60\" }\n";

/// A build whose task has begun.
struct Building {
    child: Child,
    events: BufReader<File>,
}

impl Building {
    fn begin(world: &World) -> Self {
        let pipe = world.path("events.fifo");
        mknodat(CWD, &pipe, FileType::Fifo, Mode::RWXU, 0).unwrap();
        let mut command = world.command(&["build", "//p:wait", "--events", "events.fifo"]);
        let child = command.stderr(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        let mut building = Self { child, events: BufReader::new(File::open(pipe).unwrap()) };
        building.wait_for("task-started");
        building
    }

    fn wait_for(&mut self, event: &str) {
        let mut line = String::new();
        while !line.contains(event) {
            line.clear();
            assert!(self.events.read_line(&mut line).unwrap() > 0, "no {event}");
        }
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// The exit code, and the last line of standard error that holds something.
    fn end(mut self) -> (Option<i32>, String) {
        let mut events = String::new();
        self.events.read_to_string(&mut events).unwrap();
        let ended = self.child.wait_with_output().unwrap();
        (ended.status.code(), String::from_utf8(ended.stderr).unwrap())
    }
}

#[test]
fn ctrl_c_cancels_with_130() {
    let world = World::with(WAITING);
    let building = Building::begin(&world);
    building.signal(Signal::INT);
    let (code, stderr) = building.end();
    assert_eq!(code, Some(130), "{stderr}");
    assert!(stderr.contains("stopping"), "{stderr}");
    assert!(stderr.contains("cancelled 1 in "), "{stderr}");
}

#[test]
fn a_request_to_end_cancels_with_143() {
    let world = World::with(WAITING);
    let building = Building::begin(&world);
    building.signal(Signal::TERM);
    let (code, stderr) = building.end();
    assert_eq!(code, Some(143), "{stderr}");
}

#[test]
fn a_second_signal_does_not_wait_for_stubborn_tasks() {
    let world = World::with(STUBBORN);
    let mut building = Building::begin(&world);
    building.signal(Signal::INT);
    let mut stderr = BufReader::new(building.child.stderr.take().unwrap());
    let mut line = String::new();
    while !line.starts_with("stopping") {
        line.clear();
        assert!(stderr.read_line(&mut line).unwrap() > 0);
    }
    building.signal(Signal::INT);
    let (code, _) = building.end();
    assert_eq!(code, Some(130));
    let mut rest = String::new();
    stderr.read_to_string(&mut rest).unwrap();
    assert!(!rest.contains(" in "), "no summary follows: {rest}");
}

#[test]
fn a_cancelled_task_runs_again() {
    let world = World::with(WAITING);
    let building = Building::begin(&world);
    building.signal(Signal::INT);
    assert_eq!(building.end().0, Some(130));
    let _planned = world.ok(&["plan", "//p:wait"]).prints("runs      //p:wait\n");
}
