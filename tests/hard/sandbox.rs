//! What a task can and cannot reach, seen from inside it, and what is told when it fails.

use std::fs;
use std::io::ErrorKind;
use std::net::TcpListener;

use rustix::process::Signal;

use crate::family::{Mark, assert_end, signal};
use crate::world::{Ran, World, tell};

/// Whether this kernel confines tasks; says so where it does not.
fn confines() -> bool {
    let info = World::empty().ok(&["info", "--json"]).stdout;
    let confines = info.contains("files, tcp");
    if !confines {
        tell("skipped: this kernel does not confine files and TCP");
    }
    confines
}

/// A package with one task, whose script is `script`.
fn package(script: &str) -> String {
    format!("task \"a\" {{\n    srcs \"given.txt\"\n    out \"a\"\n    script #\"{script}\"#\n}}\n")
}

/// Builds a task that tries `script`; `{hidden}` is the path of a file that it does not declare.
fn attempt(script: &str) -> (World, Ran) {
    let world = World::empty();
    world.write("p/given.txt", "given\n");
    world.write("p/hidden.txt", "hidden\n");
    let hidden = world.path("p/hidden.txt");
    let script = script.replace("HIDDEN", hidden.to_str().unwrap());
    world.write("p/BUILD.kdl", package(&script));
    let ran = world.run(&["build", "//p:a", "--sandbox=auto"]);
    (world, ran)
}

/// What the task wrote.
#[track_caller]
fn output(script: &str) -> String {
    let (world, ran) = attempt(script);
    let _built = ran.exits(0);
    world.read("vwfb-out/p/a")
}

#[test]
fn a_file_of_the_workspace_that_is_not_declared_cannot_be_read() {
    if confines() {
        let ran = attempt("cat HIDDEN > {out}").1.exits(1);
        let _told = ran.says("hidden.txt: Permission denied");
        let _told = attempt("cat in/p/hidden.txt > {out}").1.exits(1).says("No such file");
        let _told = attempt("cd ../../../../..; cat root/p/hidden.txt > {out}").1.exits(1);
        let _told = attempt("ls $(dirname HIDDEN) > {out}").1.exits(1).says("Permission denied");
    }
}

#[test]
fn a_link_out_of_scratch_leads_nowhere() {
    if confines() {
        let ran = attempt("ln -s HIDDEN out/link; cat out/link > {out}").1.exits(1);
        let _told = ran.says("Permission denied");
    }
}

#[test]
fn neither_inputs_nor_the_workspace_can_be_written() {
    if confines() {
        let (world, ran) = attempt(
            "for path in {srcs} HIDDEN $(dirname HIDDEN)/new in/new; do \
             (echo x >> $path) 2> /dev/null && echo written $path; done; \
             (rm -f {srcs} && [ ! -e {srcs} ]) 2> /dev/null && echo removed; \
             (chmod 666 HIDDEN) 2> /dev/null; echo tried > {out}",
        );
        let _built = ran.exits(0);
        assert_eq!(world.read("p/given.txt"), "given\n");
        assert_eq!(world.read("p/hidden.txt"), "hidden\n");
        assert!(!world.path("p/new").exists());
        let log = world.ok(&["log", "//p:a"]).stdout;
        assert!(!log.contains("written") && !log.contains("removed"), "{log}");
    }
}

#[test]
fn a_task_cannot_harm_the_inputs_of_the_next() {
    let (world, ran) = attempt("chmod 777 {srcs} in; echo spoilt > {srcs}; echo > {out}; true");
    drop(ran);
    let next = "task \"b\" { srcs \"given.txt\"; out \"b\"; script \"cat {srcs} > {out}\" }\n";
    world.write("q/BUILD.kdl", next);
    world.write("q/given.txt", "given\n");
    let _built = world.ok(&["build", "//q:b"]);
    assert_eq!(world.read("vwfb-out/q/b"), "given\n");
    let _verified = world.ok(&["cache", "verify"]);
}

#[test]
fn what_the_base_gives_can_be_read_and_no_more_of_the_system() {
    if confines() {
        assert!(output("head -c 4 /etc/passwd > {out}").starts_with("root"));
        for path in ["/etc/hostname", "/etc/shadow", "/etc/hosts", "/root", "/home", "/tmp"] {
            let (_, ran) = attempt(&format!("ls {path} > {{out}} && cat {path} >> {{out}}"));
            let _refused = ran.exits(1).says("Permission denied");
        }
    }
}

/// Connects from `bash`, which knows how to.
fn connecting(network: bool) -> Ran {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    listener.set_nonblocking(true).unwrap();
    let port = listener.local_addr().unwrap().port();
    let world = World::empty();
    world.write("WORKSPACE.kdl", "workspace \"w\" { tools { allow \"bash\" } }\n");
    let script = format!("exec 3<>/dev/tcp/127.0.0.1/{port} && echo through > {{out}}");
    let shell = "shell=\"bash\"";
    world.write(
        "p/BUILD.kdl",
        format!(
            "task \"a\" {{\n out \"a\"\n tool \"bash\"\n network #{network}\n \
             script \"{script}\" {shell}\n}}\n"
        ),
    );
    let ran = world.run(&["build", "//p:a"]);
    let came = listener.accept().map(drop).map_err(|error| error.kind());
    assert_eq!(came, if ran.code == Some(0) { Ok(()) } else { Err(ErrorKind::WouldBlock) });
    ran
}

#[test]
fn tcp_is_refused_unless_the_task_asks_for_the_network() {
    let _built = connecting(true).exits(0);
    if confines() {
        let _refused = connecting(false).exits(1).says("Permission denied");
    }
}

#[test]
fn the_environment_holds_what_is_declared_and_what_is_documented() {
    let world = World::with(
        "task \"a\" { out \"a\"; env { GIVEN \"yes\"; ANOTHER \"a b\" }; \
         script \"env | sort > {out}\" }\n",
    );
    let mut command = world.command(&["build", "//p:a"]);
    let _built = Ran::of(command.env("SECRET", "x").env("LC_ALL", "de_DE").output().unwrap());
    let text = world.read("vwfb-out/p/a");
    let names: Vec<&str> = text.lines().filter_map(|line| Some(line.split_once('=')?.0)).collect();
    // The shell itself adds `PWD` and, as some do, `OLDPWD`, `SHLVL` and `_`.
    let names: Vec<&str> =
        names.into_iter().filter(|name| !["PWD", "OLDPWD", "SHLVL", "_"].contains(name)).collect();
    let documented = ["HOME", "LC_CTYPE", "PATH", "SOURCE_DATE_EPOCH", "TMPDIR", "TZ"];
    let mut wanted = [&["ANOTHER", "GIVEN"], &documented[..]].concat();
    wanted.sort_unstable();
    assert_eq!(names, wanted, "{text}");
    assert!(text.contains("GIVEN=yes\n") && text.contains("ANOTHER=a b\n"), "{text}");
    assert!(text.contains("TZ=UTC") && text.contains("LC_CTYPE=C.UTF-8\n"), "{text}");
}

#[test]
fn home_and_the_temporary_folder_are_in_scratch_and_can_be_written() {
    let script = "for folder in \"$HOME\" \"$TMPDIR\"; do echo x > \"$folder/x\" || exit 1; \
                  done; echo \"$HOME $TMPDIR\" > {out}";
    let text = output(script);
    for folder in text.split_whitespace() {
        assert!(!folder.starts_with("/root") && !folder.starts_with("/home"), "{text}");
        assert!(!fs::exists(folder).unwrap(), "`{folder}` is there after the task");
    }
}

#[test]
fn standard_input_is_empty() {
    assert_eq!(output("cat > {out}; echo end >> {out}"), "end\n");
}

#[test]
fn a_tool_that_is_not_declared_is_not_found() {
    let _refused = attempt("awk 1 {srcs} > {out}").1.exits(1).says("awk: not found");
    if confines() {
        let _refused = attempt("/usr/bin/awk 1 {srcs} > {out}").1.exits(1).says("Permission");
    }
}

#[test]
fn a_daemon_does_not_outlive_its_task() {
    let mark = Mark::new("daemon");
    let world = World::empty();
    world.write("WORKSPACE.kdl", "workspace \"w\" { tools { allow \"setsid\" } }\n");
    let script = "(setsid sh -c 'echo $$ > out/d; exec sleep 1000' < /dev/null > /dev/null 2>&1 &) \
                  & while [ ! -s out/d ]; do :; done; mv out/d {out}";
    let (name, value) = (Mark::NAME, mark.value());
    world.write(
        "p/BUILD.kdl",
        format!(
            "task \"a\" {{\n out \"a\"\n tool \"setsid\"\n env {{ {name} \"{value}\" }}\n \
             script \"{script}\"\n}}\n"
        ),
    );
    let _built = world.ok(&["build", "//p:a"]);
    assert!(world.read("vwfb-out/p/a").trim().parse::<u32>().is_ok());
    assert_eq!(mark.carriers(), []);
}

/// A task with a mark that sleeps, and shrugs off requests to end where `stubborn`.
fn sleeper(mark: &Mark, rest: &str) -> World {
    let (name, value) = (Mark::NAME, mark.value());
    World::with(&format!(
        "task \"a\" {{\n out \"a\"\n env {{ {name} \"{value}\" }}\n {rest}\n}}\n\
         task \"b\" {{ srcs \":a\"; out \"b\"; script \"cat {{srcs}} > {{out}}\" }}\n"
    ))
}

#[test]
fn a_task_that_takes_too_long_is_stopped_with_all_it_started() {
    let mark = Mark::new("timeout");
    let rest = "timeout \"100ms\"\n script \"echo begun; sleep 1000 & sleep 1000\"";
    let world = sleeper(&mark, rest);
    let ran = world.run(&["build", "//p:b"]).exits(1);
    let ran = ran.says("`sh` was stopped after 0.1 s, its timeout");
    let _told = ran.says("blocked //p:b: `//p:a` failed");
    assert_eq!(mark.carriers(), []);
}

/// Sends `sent` to a build whose task runs.
fn stopped(name: &str, sent: Signal, code: i32) {
    let mark = Mark::new(name);
    let world = sleeper(&mark, "script \"(sleep 1000 &); sleep 1000\"");
    let mut building = world.begin("build", &["//p:b"]);
    building.wait_for(&["task-started"]);
    let tasks = mark.met();
    signal(&building.child, sent);
    let (ran, results) = building.end();
    let _ended = ran.exits(code);
    assert_end(&tasks);
    assert_eq!(mark.carriers(), []);
    assert_eq!(results["//p:a"], "cancelled");
    assert_eq!(results["//p:b"], "cancelled");
}

#[test]
fn ctrl_c_ends_every_process_with_130() {
    stopped("interrupt", Signal::INT, 130);
}

#[test]
fn a_request_to_terminate_ends_every_process_with_143() {
    stopped("terminate", Signal::TERM, 143);
}

#[test]
fn a_closed_terminal_leaves_no_process() {
    let mark = Mark::new("hangup");
    let world = sleeper(&mark, "script \"(sleep 1000 &); sleep 1000\"");
    let mut building = world.begin("build", &["//p:a"]);
    building.wait_for(&["task-started"]);
    let tasks = mark.met();
    signal(&building.child, Signal::HUP);
    let (ran, _) = building.end();
    assert_ne!(ran.code, Some(0));
    assert_end(&tasks);
    mark.assert_gone();
}

#[test]
fn what_is_no_regular_file_is_no_output() {
    let _told = attempt("echo other > out/other").1.exits(1).says("was not made");
    let _told = attempt("mkfifo {out}").1.exits(1).says("is a named pipe, not a regular file");
    let _told = attempt("mkdir {out}").1.exits(1).says("is a folder, not a regular file");
    let ran = attempt("ln -s /etc/passwd {out}").1.exits(1);
    let _told = ran.says("is a symbolic link, not a regular file");
    let ran = attempt("ln -s HIDDEN {out}").1.exits(1);
    let _told = ran.says("is a symbolic link, not a regular file");
}

#[test]
fn a_tree_cannot_carry_links_out_or_devices() {
    let attempt = |script: &str| {
        let world = World::with(&format!(
            "task \"a\" {{ out \"a\" type=\"tree\"; script \"mkdir {{out}}; {script}\" }}\n"
        ));
        world.run(&["build", "//p:a"])
    };
    let _built = attempt("echo x > {out}/x; ln -s x {out}/y; mkdir {out}/z").exits(0);
    for bad in ["ln -s /etc {out}/x", "ln -s ../../in {out}/x", "mkfifo {out}/x"] {
        let ran = attempt(bad).exits(1).says("error: `//p:a` failed");
        assert!(ran.stderr.contains("`out/a`"), "{}", ran.stderr);
    }
}

#[test]
fn a_failure_shows_its_last_words_and_where_the_rest_is() {
    let (world, ran) = attempt("seq 1 40; echo 'last words' >&2; exit 9");
    let ran = ran.exits(1).says("`sh` failed with exit code 9");
    let ran = ran.says("  | 40\n  | last words\n").says("/.vwfb/logs/p/a.log");
    let _told = ran.says("reproduce: vwfb build //p:a");
    assert!(world.read(".vwfb/logs/p/a.log").ends_with("40\nlast words\n"));
    assert!(world.ok(&["log", "//p:a"]).stdout.ends_with("40\nlast words\n"));
}

#[test]
fn a_required_sandbox_is_used_or_refused() {
    let world = World::with("task \"a\" { out \"a\"; script \"echo > {out}\" }\n");
    let ran = world.run(&["build", "//p:a", "--sandbox=require"]);
    let _ended = if confines() { ran.exits(0) } else { ran.exits(4).says("cannot confine tasks") };
}
