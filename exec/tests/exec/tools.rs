//! Closures of real programs and of small ones made for the purpose.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;
use vwfb_exec::{Closure, ProgramSpec, ToolError, ToolSpec, Toolchains};

use crate::scene::{Declare, Reading, Scene};

fn closure(tool: &ToolSpec) -> Result<Closure, ToolError> {
    Toolchains::new(&[]).closure(tool, &Reading)
}

fn tool(programs: Vec<ProgramSpec>) -> ToolSpec {
    ToolSpec { name: "tool".to_owned(), programs, data: Vec::new() }
}

pub(crate) fn executable(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

/// The names of the files in the closure.
fn files(closure: &Closure) -> Vec<&str> {
    closure.components.keys().map(|path| path.rsplit('/').next().unwrap()).collect()
}

#[test]
fn the_shell_consists_of_its_file_its_loader_and_the_c_library() {
    let shell = closure(&tool(vec![ProgramSpec::named("sh")])).unwrap();
    let files = files(&shell);
    assert!(files.contains(&"libc.so.6"), "{files:?}");
    assert!(files.iter().any(|name| name.starts_with("ld-linux")), "{files:?}");
    let real = fs::canonicalize("/bin/sh").unwrap();
    assert!(shell.executable.contains(&real));
    assert!(Path::new("/usr/bin/sh") == shell.programs["sh"]);
}

#[test]
fn a_script_needs_its_interpreter() {
    let temp = TempDir::new().unwrap();
    let script = temp.path().join("gen.sh");
    executable(&script, "#!/bin/sh -eu\necho made\n");
    let tool = tool(vec![ProgramSpec::at("//tools/gen.sh", &script)]);
    let closure = closure(&tool).unwrap();
    assert!(files(&closure).contains(&"libc.so.6"));
    assert_eq!(closure.programs["//tools/gen.sh"], script);
    assert_eq!(closure.programs["gen.sh"], script);
}

#[test]
fn a_script_that_names_no_interpreter_is_a_fault_of_the_task() {
    let temp = TempDir::new().unwrap();
    let script = temp.path().join("gen.sh");
    executable(&script, "echo made > out/a\n");
    let mut scene = Scene::new();
    let closure = closure(&tool(vec![ProgramSpec::at("//gen.sh", &script)])).unwrap();
    scene.closures.insert("tool".to_owned(), closure.into());
    let failure = scene.run(&scene.program("//gen.sh", &[]).out("out/a")).unwrap_err();
    assert_eq!(
        failure.to_string(),
        "`//gen.sh` cannot be started: it is no program of this machine; if it is a script, begin \
         it with `#!/bin/sh`"
    );
    assert!(!failure.cause.is_environment());
    scene.run(&scene.script("true")).unwrap();
}

#[test]
fn a_script_runs_with_the_interpreter_that_env_looks_up() {
    let temp = TempDir::new().unwrap();
    let script = temp.path().join("gen");
    executable(&script, "#!/usr/bin/env sh\necho made > out/a\n");
    let mut scene = Scene::new();
    let closure = closure(&tool(vec![ProgramSpec::at("//gen", &script)])).unwrap();
    assert!(closure.programs.contains_key("sh"));
    scene.closures = [("tool".to_owned(), closure.into())].into();
    let executed = scene.run(&scene.program("//gen", &[]).out("out/a")).unwrap();
    assert_eq!(scene.output(&executed, "out/a"), "made\n");
}

#[test]
fn a_missing_program_is_named_with_where_it_was_looked_for() {
    let error = closure(&tool(vec![ProgramSpec::named("no-such")])).unwrap_err();
    let message = "no program `no-such` in `/usr/local/bin:/usr/bin:/bin`; if it is elsewhere, declare its \
                   absolute path as the `program` of a `toolchain`";
    assert_eq!(error.to_string(), message);
    let error = closure(&tool(vec![ProgramSpec::named("/opt/no-such")])).unwrap_err();
    assert_eq!(error.to_string(), "no program `/opt/no-such` in `/opt/no-such`");
}

#[test]
fn a_missing_interpreter_is_named() {
    let temp = TempDir::new().unwrap();
    let script = temp.path().join("gen");
    executable(&script, "#!/usr/bin/env no-such\n");
    let error = closure(&tool(vec![ProgramSpec::at("gen", &script)])).unwrap_err();
    assert!(error.to_string().ends_with("needs `no-such`, which is not installed"), "{error}");
}

#[test]
fn the_fingerprint_changes_with_a_script_and_not_with_its_folder() {
    let temp = TempDir::new().unwrap();
    let script = |workspace: &str, text: &str| {
        let path = temp.path().join(workspace).join("gen.sh");
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        executable(&path, text);
        closure(&tool(vec![ProgramSpec::at("//gen.sh", &path)])).unwrap()
    };
    let (first, moved) = (script("a", "#!/bin/sh\n"), script("b", "#!/bin/sh\n"));
    assert_eq!(first.fingerprint, moved.fingerprint);
    assert_ne!(first.components, moved.components);
    assert_ne!(first.fingerprint, script("c", "#!/bin/sh\n:\n").fingerprint);
}

#[test]
fn data_files_that_swap_places_change_the_fingerprint() {
    let temp = TempDir::new().unwrap();
    let data = ["a/m", "b/m"].map(|folder| temp.path().join(folder));
    let fingerprint = |texts: [&str; 2]| {
        for (folder, text) in data.iter().zip(texts) {
            fs::create_dir_all(folder).unwrap();
            fs::write(folder.join("x"), text).unwrap();
        }
        closure(&ToolSpec { data: data.to_vec(), ..tool(Vec::new()) }).unwrap().fingerprint
    };
    let before = fingerprint(["1", "2"]);
    assert_ne!(before, fingerprint(["2", "1"]));
    assert_eq!(before, fingerprint(["1", "2"]));
}

#[test]
fn data_files_whose_names_are_no_text_are_told_apart() {
    let temp = TempDir::new().unwrap();
    let fingerprint = |texts: [&str; 2]| {
        for (name, text) in [b"\xfe", b"\xff"].into_iter().zip(texts) {
            fs::write(temp.path().join(OsStr::from_bytes(name)), text).unwrap();
        }
        let data = vec![temp.path().to_owned()];
        closure(&ToolSpec { data, ..tool(Vec::new()) }).unwrap().fingerprint
    };
    assert_ne!(fingerprint(["1", "2"]), fingerprint(["2", "1"]));
}

/// Two scripts of one file name in different folders.
fn twins(temp: &Path, texts: [&str; 2]) -> Vec<ProgramSpec> {
    let twin = |(folder, text): (&str, &str)| {
        let path = temp.join(folder).join("g.sh");
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        executable(&path, text);
        ProgramSpec::at(&format!("//{folder}/g.sh"), &path)
    };
    ["a", "b"].into_iter().zip(texts).map(twin).collect()
}

#[test]
fn programs_that_swap_places_change_the_fingerprint() {
    let temp = TempDir::new().unwrap();
    let fingerprint = |texts| closure(&tool(twins(temp.path(), texts))).unwrap().fingerprint;
    assert_ne!(fingerprint(["#!/bin/sh\n", "#!/bin/sh\n:\n"]), {
        fingerprint(["#!/bin/sh\n:\n", "#!/bin/sh\n"])
    });
}

#[test]
fn which_program_a_shared_file_name_means_is_part_of_the_fingerprint() {
    let temp = TempDir::new().unwrap();
    let mut programs = twins(temp.path(), ["#!/bin/sh\n", "#!/bin/sh\n:\n"]);
    let first = closure(&tool(programs.clone())).unwrap();
    programs.reverse();
    let second = closure(&tool(programs)).unwrap();
    assert_ne!(first.programs["g.sh"], second.programs["g.sh"]);
    assert_ne!(first.fingerprint, second.fingerprint);
}

#[test]
fn interpreters_of_one_name_that_swap_places_change_the_fingerprint() {
    let temp = TempDir::new().unwrap();
    let fingerprint = |texts| {
        let interpreters = twins(temp.path(), texts).into_iter().map(|spec| spec.path.unwrap());
        let scripts = interpreters.enumerate().map(|(number, interpreter)| {
            let path = temp.path().join(format!("script{number}"));
            executable(&path, &format!("#!{}\n", interpreter.display()));
            ProgramSpec::at(&format!("//script{number}"), &path)
        });
        closure(&tool(scripts.collect())).unwrap().fingerprint
    };
    assert_ne!(fingerprint(["#!/bin/sh\n", "#!/bin/sh\n:\n"]), {
        fingerprint(["#!/bin/sh\n:\n", "#!/bin/sh\n"])
    });
}

/// Runs the linker that Rust itself needs.
pub(crate) fn link(folder: &Path, args: &[&str]) {
    let mut command = Command::new("cc");
    let status = command.current_dir(folder).args(args).arg("-nostdlib").status().unwrap();
    assert!(status.success());
}

#[test]
fn libraries_that_swap_places_change_the_fingerprint() {
    let temp = TempDir::new().unwrap();
    let programs = ["a", "b"].map(|name| {
        let folder = temp.path().join(name);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("main.c"), "void _start(void) { for (;;); }").unwrap();
        fs::write(folder.join("x.c"), format!("int {name};")).unwrap();
        link(&folder, &["-shared", "-o", "libx.so", "x.c", "-Wl,-soname,libx.so"]);
        let needed = ["-Wl,--no-as-needed", "./libx.so", "-Wl,-rpath,$ORIGIN"];
        link(&folder, &[&["-o", "program", "main.c"][..], &needed].concat());
        ProgramSpec::at(&format!("//{name}/program"), &folder.join("program"))
    });
    let [a, b] = ["a", "b"].map(|folder| temp.path().join(folder).join("libx.so"));
    let before = closure(&tool(programs.to_vec())).unwrap();
    assert!(before.readable.contains(&a) && before.readable.contains(&b), "{before:?}");
    let spare = temp.path().join("spare");
    for (from, to) in [(&a, &spare), (&b, &a), (&spare, &b)] {
        fs::rename(from, to).unwrap();
    }
    let after = closure(&tool(programs.to_vec())).unwrap();
    assert_eq!(before.components[&*a.to_string_lossy()], after.components[&*b.to_string_lossy()]);
    assert_ne!(before.fingerprint, after.fingerprint);
}

#[test]
fn data_behind_links_is_read_and_broken_links_are_not_fatal() {
    let temp = TempDir::new().unwrap();
    let (fonts, store) = (temp.path().join("fonts"), temp.path().join("store"));
    fs::create_dir_all(&fonts).unwrap();
    fs::create_dir_all(&store).unwrap();
    fs::write(store.join("sans.ttf"), "glyphs").unwrap();
    symlink(store.join("sans.ttf"), fonts.join("sans.ttf")).unwrap();
    symlink("nowhere", fonts.join("broken")).unwrap();
    symlink(".", fonts.join("circle")).unwrap();
    let tool = ToolSpec { data: vec![fonts.clone()], ..tool(Vec::new()) };
    let before = closure(&tool).unwrap();
    assert!(before.readable.contains(&store.join("sans.ttf").canonicalize().unwrap()));
    fs::write(store.join("sans.ttf"), "other glyphs").unwrap();
    assert_ne!(before.fingerprint, closure(&tool).unwrap().fingerprint);
}

#[test]
fn missing_data_is_named() {
    let tool = ToolSpec { data: vec!["/no/voices".into()], ..tool(Vec::new()) };
    let error = closure(&tool).unwrap_err();
    assert_eq!(
        error.to_string(),
        "no file or folder `/no/voices`, which the toolchain `tool` declares"
    );
}
