//! What a process gets, and how its end is judged.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use vwfb_exec::action::{Action, Command, OutputSpec};
use vwfb_exec::{CancelToken, Cause, Failure, SOURCE_DATE_EPOCH, Turns, Unstartable, Waiter};

use crate::scene::{Declare, Scene};

#[test]
fn the_environment_holds_only_fixed_and_declared_names() {
    let mut scene = Scene::new();
    let mut action = scene.program("env", &[]).out("out/env");
    action.stdout = Some("out/env".to_owned());
    action.env.insert("OMP_NUM_THREADS".to_owned(), "1".to_owned());
    action.secrets.insert("API_KEY".to_owned(), "speech".to_owned());
    scene.grants.secrets.insert("API_KEY".to_owned(), "hidden".to_owned());

    let executed = scene.run(&action).unwrap();
    let text = scene.output(&executed, "out/env");
    let env: BTreeMap<_, _> = text.lines().map(|line| line.split_once('=').unwrap()).collect();
    let names = env.keys().copied().collect::<Vec<_>>().join(" ");
    assert_eq!(names, "API_KEY HOME LC_CTYPE OMP_NUM_THREADS PATH SOURCE_DATE_EPOCH TMPDIR TZ");
    assert_eq!((env["LC_CTYPE"], env["TZ"]), ("C.UTF-8", "UTC"));
    assert_eq!((env["API_KEY"], env["SOURCE_DATE_EPOCH"]), ("hidden", SOURCE_DATE_EPOCH));
}

#[test]
fn a_declared_language_is_that_of_characters_too() {
    let mut scene = Scene::new();
    let count = |scene: &mut Scene, lang: Option<&str>| {
        let mut action = scene.script("printf 'é' | wc -m");
        action.env.extend(lang.map(|lang| ("LANG".to_owned(), lang.to_owned())));
        let executed = scene.run(&action).unwrap();
        scene.text(executed.result.log)
    };
    assert_eq!(count(&mut scene, None), "1\n");
    assert_eq!(count(&mut scene, Some("C")), "2\n");
}

#[test]
fn a_secret_that_was_not_granted_is_an_error() {
    let mut scene = Scene::new();
    let mut action = scene.program("env", &[]);
    action.secrets.insert("API_KEY".to_owned(), "speech".to_owned());
    let failure = scene.run(&action).unwrap_err();
    assert_eq!(failure.to_string(), "no value for the secret `speech`");
}

#[test]
fn standard_input_is_empty_or_a_declared_input() {
    let mut scene = Scene::new();
    let mut action = scene.program("cat", &[]).out("out/text");
    action.stdout = Some("out/text".to_owned());
    let executed = scene.run(&action).unwrap();
    assert_eq!(scene.output(&executed, "out/text"), "");

    action = action.with_input("in/text", scene.input("hello"));
    action.stdin = Some("in/text".to_owned());
    let executed = scene.run(&action).unwrap();
    assert_eq!(scene.output(&executed, "out/text"), "hello");
}

#[test]
fn what_it_prints_is_kept_in_order() {
    let mut scene = Scene::new();
    let executed = scene.run(&scene.script("echo one; echo two >&2; echo three")).unwrap();
    assert_eq!(scene.text(executed.result.log), "one\ntwo\nthree\n");
}

#[test]
fn it_can_print_to_the_devices_of_its_standard_files() {
    let mut scene = Scene::new();
    let action = scene.script("echo one > /dev/stderr; echo two > /dev/stdout; cat < /dev/stdin");
    let executed = scene.run(&action).unwrap();
    assert_eq!(scene.text(executed.result.log), "one\ntwo\n");
}

#[test]
fn a_process_that_closes_its_output_runs_on() {
    let mut scene = Scene::new();
    let action = scene.script("exec > out/a 2> out/a; echo end").out("out/a");
    let executed = scene.run(&action).unwrap();
    assert_eq!(scene.output(&executed, "out/a"), "end\n");
    assert_eq!(executed.result.log, None);
}

#[test]
fn more_output_than_a_pipe_holds_is_kept_whole() {
    let mut scene = Scene::new();
    let executed = scene.run(&scene.program("seq", &["100000"])).unwrap();
    assert_eq!(scene.text(executed.result.log).lines().count(), 100_000);
}

#[test]
fn a_failed_process_leaves_its_log_and_its_command() {
    let mut scene = Scene::new();
    let failure = scene.run(&scene.script("echo oops; exit 3")).unwrap_err();
    assert_eq!(failure.to_string(), "`sh` failed with exit code 3");
    assert_eq!(scene.text(failure.log), "oops\n");
    let command = failure.command.unwrap();
    assert!(command.starts_with("env -i HOME=") && command.contains("'echo oops; exit 3'"));
}

#[test]
fn declared_exit_codes_mean_success() {
    let mut scene = Scene::new();
    let mut action = scene.script("exit 3");
    action.success_codes = [3].into();
    scene.run(&action).unwrap();
    action.success_codes = [0, 1].into();
    assert!(matches!(scene.run(&action).unwrap_err().cause, Cause::Exit { code: 3, .. }));
}

#[test]
fn a_signal_is_told_from_an_exit_code() {
    let mut scene = Scene::new();
    let failure = scene.run(&scene.script("kill -SEGV $$")).unwrap_err();
    assert_eq!(failure.to_string(), "`sh` was ended by signal 11 (SIGSEGV)");
}

#[test]
fn a_process_is_stopped_at_its_timeout() {
    let mut scene = Scene::new();
    scene.grants.timeout = Some(Duration::from_millis(20));
    let failure = scene.run(&scene.program("sleep", &["1000"])).unwrap_err();
    assert_eq!(failure.to_string(), "`sleep` was stopped after 0.02 s, its timeout");
}

#[test]
fn a_process_that_does_not_heed_its_timeout_is_killed() {
    let mut scene = Scene::with(|options, _| options.grace = Duration::from_millis(20));
    scene.grants.timeout = Some(Duration::from_millis(20));
    let action = scene.script("trap '' TERM; echo started; while true; do sleep 1000; done");
    let failure = scene.run(&action).unwrap_err();
    assert!(matches!(failure.cause, Cause::Timeout { .. }), "{failure}");
}

#[test]
fn a_task_that_prints_without_end_is_stopped_at_its_timeout() {
    let mut scene = Scene::new();
    scene.grants.timeout = Some(Duration::from_millis(100));
    let failure = scene.run(&scene.script("yes & yes & yes & yes & yes")).unwrap_err();
    assert!(matches!(failure.cause, Cause::Timeout { .. }), "{failure}");
}

#[test]
fn a_cancelled_process_ends_and_has_no_result() {
    let mut scene = Scene::new();
    let pipe = scene.pipe();
    let action = scene.script(&format!("read line < {}", pipe.display()));
    let failure = cancelled_once_it_reads(&mut scene, &action, &pipe);
    assert!(matches!(failure.cause, Cause::Cancelled), "{failure}");
}

/// Cancels `action` when it has opened `pipe`, which has no end until it failed.
fn cancelled_once_it_reads(scene: &mut Scene, action: &Action, pipe: &Path) -> Box<Failure> {
    let cancel = scene.cancel.clone();
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            let held = OpenOptions::new().write(true).open(pipe).unwrap();
            cancel.cancel();
            held
        });
        let failure = scene.run(action).unwrap_err();
        writer.join().unwrap();
        failure
    })
}

#[test]
fn a_process_that_left_its_group_is_asked_to_end() {
    let mut scene = Scene::with_tools(&["helper"]);
    let pipe = scene.pipe();
    let action = scene.program("helper", &["leave-group", pipe.to_str().unwrap()]);
    let failure = cancelled_once_it_reads(&mut scene, &action, &pipe);
    assert!(matches!(failure.cause, Cause::Cancelled), "{failure}");
}

#[test]
fn a_process_that_left_its_group_and_does_not_heed_a_request_is_killed() {
    let mut scene = Scene::with(|options, _| options.grace = Duration::from_millis(20));
    scene.add_tool("helper");
    let pipe = scene.pipe();
    let script = format!("trap '' TERM; exec helper leave-group {}", pipe.display());
    let action = scene.script(&script);
    let failure = cancelled_once_it_reads(&mut scene, &action, &pipe);
    assert!(matches!(failure.cause, Cause::Cancelled), "{failure}");
}

#[test]
fn a_process_that_left_its_group_does_not_escape_its_timeout() {
    let mut scene = Scene::with(|options, _| options.grace = Duration::from_millis(20));
    scene.add_tool("helper");
    let pipe = scene.pipe();
    // Long enough to have left the group, usually; it must end in any case.
    scene.grants.timeout = Some(Duration::from_millis(300));
    let script = format!("trap '' TERM; exec helper leave-group {}", pipe.display());
    let failure = scene.run(&scene.script(&script)).unwrap_err();
    assert!(matches!(failure.cause, Cause::Timeout { .. }), "{failure}");
}

#[test]
fn a_request_to_cancel_is_heard_however_early_it_comes() {
    let mut scene = Scene::new();
    // One that is not heard shows as a timeout.
    scene.grants.timeout = Some(Duration::from_secs(30));
    let action = scene.script("sleep 1000");
    for _ in 0..50 {
        scene.cancel = CancelToken::new().unwrap();
        let cancel = scene.cancel.clone();
        let failure = std::thread::scope(|scope| {
            scope.spawn(|| cancel.cancel());
            scene.run(&action).unwrap_err()
        });
        assert!(matches!(failure.cause, Cause::Cancelled), "{failure}");
    }
}

#[test]
fn a_cancelled_task_is_not_started() {
    let mut scene = Scene::new();
    scene.cancel.cancel();
    let failure = scene.run(&scene.script("exit 3")).unwrap_err();
    assert!(matches!(failure.cause, Cause::Cancelled) && failure.command.is_none());
}

#[test]
fn an_undeclared_program_is_not_found() {
    let mut scene = Scene::new();
    let failure = scene.run(&scene.script("sed --version")).unwrap_err();
    assert!(matches!(failure.cause, Cause::Exit { code: 127, .. }), "{failure}");
    let failure = scene.run(&scene.program("sed", &[])).unwrap_err();
    assert_eq!(failure.to_string(), "no toolchain of the task has a program `sed`");

    let mut scene = Scene::with_tools(&["sed"]);
    scene.run(&scene.script("sed --version")).unwrap();
}

#[test]
fn a_toolchain_that_changed_since_planning_is_refused() {
    let mut scene = Scene::new();
    let mut action = scene.script("true");
    action.tools.insert("base".to_owned(), vwfb_cas::Digest::of(b"older"));
    let failure = scene.run(&action).unwrap_err();
    assert!(matches!(failure.cause, Cause::Toolchain { .. }), "{failure}");
}

#[test]
fn a_text_is_written_without_a_process() {
    let mut scene = Scene::new();
    let mut action = scene.script("");
    action.command = Command::WriteFile { text: "#!/bin/sh\n".to_owned(), executable: true };
    let spec = OutputSpec { role: "out/run".to_owned(), tree: false };
    action.outputs.insert("run".to_owned(), spec);
    let executed = scene.run(&action).unwrap();
    assert_eq!(scene.output(&executed, "run"), "#!/bin/sh\n");
    let vwfb_cas::Artifact::File(file) = executed.result.outputs["run"] else { unreachable!() };
    assert!(file.executable);

    let failure = scene.run(&action.out("out/second")).unwrap_err();
    assert!(matches!(failure.cause, Cause::OneOutput), "{failure}");
}

#[test]
fn a_failed_tasks_scratch_folder_is_kept_on_request() {
    let mut scene = Scene::with(|options, temp| options.keep_scratch = Some(temp.join("kept")));
    let action = scene.script("echo half > out/a; exit 1").with_input("in/x", scene.input("x"));
    let failure = scene.run(&action).unwrap_err();
    let kept = failure.kept.unwrap();
    assert_eq!(std::fs::read_to_string(kept.join("root/out/a")).unwrap(), "half\n");
    assert!(failure.command.unwrap().starts_with(&format!("cd {}/root && ", kept.display())));

    scene.run(&scene.script("true")).unwrap();
    let kept = std::fs::read_dir(scene.temp.path().join("kept")).unwrap();
    let names = kept.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let tasks = names.filter(|name| !name.ends_with("-tools"));
    assert_eq!(tasks.count(), 1, "a task that succeeded leaves nothing");
}

#[test]
fn a_program_that_cannot_start_says_why() {
    let mut scene = Scene::new();
    let base = scene.closures.get_mut("base").unwrap();
    Arc::make_mut(base).programs.insert("gone".to_owned(), "/nowhere/gone".into());
    let failure = scene.run(&scene.program("gone", &[])).unwrap_err();
    assert_eq!(failure.to_string(), "cannot start `/nowhere/gone`");
    scene.run(&scene.script("true")).unwrap();
}

#[test]
fn arguments_that_are_too_long_are_a_fault_of_the_task() {
    let mut scene = Scene::new();
    let failure = scene.run(&scene.program("echo", &[&"x".repeat(200 << 10)])).unwrap_err();
    assert_eq!(
        failure.to_string(),
        "`echo` cannot be started: its arguments are too long; write them to a file, and let it \
         read that"
    );
    assert!(!failure.cause.is_environment());
    scene.run(&scene.script("true")).unwrap();
}

#[test]
fn an_argument_with_a_zero_byte_is_a_fault_of_the_task() {
    let mut scene = Scene::new();
    let failure = scene.run(&scene.program("echo", &["a\0b"])).unwrap_err();
    assert!(matches!(failure.cause, Cause::NotStartable { why: Unstartable::ZeroByte, .. }));
    assert!(!failure.cause.is_environment());
}

#[test]
fn a_script_that_is_one_program_starts_no_shell() {
    let mut scene = Scene::new();
    let mut leads_its_group = |script: &str| {
        let action = scene.program("sh", &["-eu", "-c", script]).out("out/stat");
        let executed = scene.run(&action).unwrap();
        let stat = scene.output(&executed, "out/stat");
        let fields: Vec<_> = stat.split(' ').collect();
        assert_eq!(fields[1], "(cat)");
        fields[0] == fields[4]
    };
    assert!(leads_its_group("cat /proc/self/stat > out/stat"));
    assert!(leads_its_group(">>out/stat cat /proc/self/stat"));
    assert!(!leads_its_group("cat /proc/self/stat > out/stat; :"));
    assert!(!leads_its_group("cat \"/proc/self/stat\" > out/stat"));
}

#[test]
fn a_program_without_its_shell_is_called_and_redirected_as_by_it() {
    let mut scene = Scene::new();
    let mut told = |script: &str| {
        let mut action = scene.program("sh", &["-eu", "-c", script]).out("out/x");
        action.inputs.insert("in/a".to_owned(), scene.input("text"));
        let executed = scene.run(&action).unwrap();
        scene.output(&executed, "out/x")
    };
    assert_eq!(told("cat /proc/self/cmdline - < in/a > out/x"), "cat\0/proc/self/cmdline\0-\0text");
    assert_eq!(told("tee -a out/x out/x < in/a >> out/y"), "texttext");
}

#[test]
fn a_failing_program_is_judged_as_its_shell_would_be() {
    let mut scene = Scene::new();
    let cases = [
        ("cat in/none > out/x", 1),
        ("cat in/none > out/x; :", 1),
        // What cannot be opened as a file of the folder is the shell's to speak of.
        ("cat in/a > no/x", 2),
        ("cat in/a > in/a", 2),
        ("cat in/a > /etc/none", 2),
        ("cat < in/none > out/x", 2),
    ];
    for (script, wanted) in cases {
        let mut action = scene.program("sh", &["-eu", "-c", script]).out("out/x");
        action.inputs.insert("in/a".to_owned(), scene.input("a"));
        let failure = scene.run(&action).unwrap_err();
        assert!(matches!(failure.cause, Cause::Exit { code, .. } if code == wanted), "{script}");
        let log = scene.store.read(failure.log.unwrap().blob).unwrap();
        let log = String::from_utf8(log).unwrap();
        let says = if wanted == 1 { "cat: in/none: " } else { "sh: 1: cannot " };
        assert!(log.contains(says), "{log}");
        let command = failure.command.as_deref().unwrap();
        assert!(command.ends_with(&format!("-eu -c '{script}' < /dev/null")), "{command}");
    }
}

#[test]
fn a_program_of_another_tool_is_left_to_the_shell() {
    let mut scene = Scene::new();
    let folder = scene.temp.path().join("own");
    std::fs::create_dir(&folder).unwrap();
    std::fs::copy("/bin/cat", folder.join("cat")).unwrap();
    let tool = vwfb_exec::ToolSpec {
        name: "own".to_owned(),
        programs: vec![vwfb_exec::ProgramSpec::at("cat", &folder.join("cat"))],
        data: Vec::new(),
    };
    let closure = vwfb_exec::Toolchains::new(&[]).closure(&tool, &crate::scene::Reading).unwrap();
    scene.closures.insert("own".to_owned(), Arc::new(closure));
    let action = scene.program("sh", &["-eu", "-c", "cat /proc/self/stat > out/stat"]);
    let executed = scene.run(&action.out("out/stat")).unwrap();
    let stat = scene.output(&executed, "out/stat");
    let fields: Vec<_> = stat.split(' ').collect();
    assert_ne!(fields[0], fields[4]);
}

#[test]
fn a_process_that_is_cancelled_before_its_turn_leaves_launcher_and_turn_free() {
    let scene = Scene::new();
    let turns = Turns::new(&scene.store.scratch_dir(), 1).unwrap();
    let worker = || scene.executor.worker().unwrap().waiting(Waiter::of(&turns));
    let (mut first, mut second) = (worker(), worker());
    let run = |worker: &mut vwfb_exec::Worker, action: &Action, cancel: &CancelToken| {
        scene.executor.run(worker, action, &scene.grants, &scene.closures, cancel)
    };
    let appears = |path: &str| {
        let path = scene.store.scratch_dir().join(path);
        while !path.exists() {
            std::thread::yield_now();
        }
    };
    let holds = scene.script("echo begun; sleep 100");
    let mut waits = scene.script("echo begun; touch out/x").out("out/x");
    waits.inputs.insert("in/a".to_owned(), scene.input("a"));
    let its_own = CancelToken::new().unwrap();
    std::thread::scope(|scope| {
        let held = scope.spawn(|| run(&mut first, &holds, &scene.cancel));
        appears("worker-1/log");
        let waited = scope.spawn(|| run(&mut second, &waits, &its_own));
        appears("worker-2/root/in/a");
        // Were the other cancelled before it, this one might have its turn first.
        its_own.cancel();
        let waited = waited.join().unwrap().unwrap_err();
        assert!(matches!(waited.cause, Cause::Cancelled) && waited.log.is_none());
        scene.cancel.cancel();
        let held = held.join().unwrap().unwrap_err();
        assert!(matches!(held.cause, Cause::Cancelled) && held.log.is_some());
    });
    // Both launchers and the turn are free again.
    for worker in [&mut first, &mut second] {
        let executed = run(worker, &waits, &CancelToken::new().unwrap()).unwrap();
        assert_eq!(scene.output(&executed, "out/x"), "");
    }
}
