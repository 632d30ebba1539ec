//! What Landlock denies, and that it denies no more.

use std::net::TcpListener;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener};

use vwfb_exec::action::Action;
use vwfb_exec::{Level, SandboxMode, level};

use crate::scene::{Declare, Scene, confined};

/// The log of an action that must fail.
fn refusal(action: &Action, scene: &mut Scene) -> String {
    let failure = scene.run(action).unwrap_err();
    scene.text(failure.log)
}

#[test]
fn an_undeclared_file_cannot_be_read() {
    if !confined(Level::confines_files) {
        return;
    }
    let mut scene = Scene::new();
    let secret = scene.temp.path().join("secret");
    std::fs::write(&secret, "x").unwrap();
    for path in [secret.to_str().unwrap(), "/etc/hostname", "/usr/bin/perl"] {
        let log = refusal(&scene.program("cat", &[path]), &mut scene);
        assert!(log.contains("Permission denied"), "{path}: {log}");
    }
}

#[test]
fn another_tasks_scratch_folder_is_closed() {
    if !confined(Level::confines_files) {
        return;
    }
    let mut scene = Scene::new();
    let log = refusal(&scene.program("ls", &["../.."]), &mut scene);
    assert!(log.contains("Permission denied"), "{log}");
}

#[test]
fn nothing_is_written_outside_the_writable_folders() {
    if !confined(Level::protects_inputs) {
        return;
    }
    let mut scene = Scene::new();
    let input = scene.input("input");
    let outside = scene.temp.path().join("outside");
    for target in ["in/a", "in/new", "new", "../log", outside.to_str().unwrap()] {
        let action = scene.script(&format!("echo x > {target}")).with_input("in/a", input);
        let log = refusal(&action, &mut scene);
        assert!(log.contains("Permission denied"), "{target}: {log}");
    }
    let action =
        scene.script("truncate -s 0 in/a; chmod 777 in/a || true").with_input("in/a", input);
    assert!(refusal(&action, &mut scene).contains("Permission denied"));
    assert!(!outside.exists());
    scene.run(&scene.script("echo x > out/a; echo x > tmp/a; echo x > home/a")).unwrap();
}

#[test]
fn a_tasks_chmod_does_not_reach_the_store() {
    let mut scene = Scene::new();
    let (file, tree) = (scene.input("input"), scene.input_tree(&[("b", "b")]));
    let script = "test ! -x in/a && chmod 777 in/a in/tree/b";
    let action = scene.script(script).with_input("in/a", file).with_input("in/tree", tree);
    scene.run(&action).unwrap();
    scene.run(&action).unwrap();
    let listed = scene.script("ls -l in/tree > out/list");
    let listed = listed.with_input("in/tree", tree).out("out/list");
    let executed = scene.run(&listed).unwrap();
    assert!(scene.output(&executed, "out/list").contains("-r--r--r--"));
}

#[test]
fn an_undeclared_program_cannot_be_started_by_its_path() {
    if !confined(Level::confines_files) {
        return;
    }
    let mut scene = Scene::new();
    let log = refusal(&scene.script("/usr/bin/sed --version"), &mut scene);
    assert!(log.contains("Permission denied"), "{log}");
    let made = "printf '#!/bin/sh\\necho ran\\n' > tmp/a; chmod +x tmp/a; tmp/a";
    let log = refusal(&scene.script(made), &mut scene);
    assert!(log.contains("Permission denied") && !log.contains("ran"), "{log}");
}

#[test]
fn tcp_is_closed_unless_the_network_is_allowed() {
    if !confined(Level::confines_tcp) {
        return;
    }
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let mut scene = Scene::with_tools(&["helper"]);
    let mut action = scene.program("helper", &["tcp", &address]);
    let log = refusal(&action, &mut scene);
    assert!(log.contains("Permission denied"), "{log}");
    action.network = true;
    scene.run(&action).unwrap();
}

#[test]
fn abstract_sockets_and_signals_stay_inside() {
    if !confined(Level::confines_signals) {
        return;
    }
    let name = format!("vwfb-test-{}", std::process::id());
    let address = SocketAddr::from_abstract_name(&name).unwrap();
    let _listener = UnixListener::bind_addr(&address).unwrap();
    let mut scene = Scene::with_tools(&["helper"]);
    let log = refusal(&scene.program("helper", &["abstract-socket", &name]), &mut scene);
    assert!(log.contains("not permitted"), "{log}");
    let test = std::process::id();
    let log = refusal(&scene.script(&format!("kill -0 {test}")), &mut scene);
    assert!(log.contains("not permitted"), "{log}");
}

#[test]
fn of_other_processes_only_the_command_line_can_be_read() {
    if !confined(Level::confines_files) {
        return;
    }
    let mut scene = Scene::new();
    let test = std::process::id();
    scene.run(&scene.script(&format!("cat /proc/{test}/cmdline > /dev/null"))).unwrap();
    for closed in ["environ", "maps", "mem", "fd/0", "cwd/Cargo.toml"] {
        let log = refusal(&scene.program("cat", &[&format!("/proc/{test}/{closed}")]), &mut scene);
        assert!(log.contains("Permission denied"), "{closed}: {log}");
    }
}

#[test]
fn without_a_sandbox_inputs_are_copies() {
    let mut scene = Scene::with(|options, _| options.level = Level::NONE);
    let input = scene.input("input");
    let action = scene
        .script("chmod u+w in/a; echo changed > in/a; cat in/a > out/a")
        .with_input("in/a", input)
        .out("out/a");
    let executed = scene.run(&action).unwrap();
    assert_eq!(scene.output(&executed, "out/a"), "changed\n");
    let again = scene.script("cat in/a > out/a").with_input("in/a", input).out("out/a");
    let executed = scene.run(&again).unwrap();
    assert_eq!(scene.output(&executed, "out/a"), "input");
}

#[test]
fn a_required_sandbox_is_had_or_refused() {
    match level(SandboxMode::Require, Level::detect()) {
        Ok(level) => assert!(level.confines_files() && level.confines_tcp()),
        Err(missing) => assert!(!missing.have.confines_tcp()),
    }
    assert_eq!(level(SandboxMode::Auto, Level::detect()), Ok(Level::detect()));
}
