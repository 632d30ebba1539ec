//! Closures of real programs and of small ones made for the purpose.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use tempfile::TempDir;
use vwfb_exec::{Closure, ProgramSpec, ToolError, ToolSpec, Toolchains};

use crate::scene::{Declare, Reading, Scene};

fn closure(tool: &ToolSpec) -> Result<Closure, ToolError> {
    Toolchains::new(&[]).closure(tool, &Reading)
}

fn tool(programs: Vec<ProgramSpec>) -> ToolSpec {
    ToolSpec { name: "tool".to_owned(), programs, data: Vec::new() }
}

fn executable(path: &Path, text: &str) {
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
fn a_script_runs_with_the_interpreter_that_env_looks_up() {
    let temp = TempDir::new().unwrap();
    let script = temp.path().join("gen");
    executable(&script, "#!/usr/bin/env sh\necho made > out/a\n");
    let mut scene = Scene::new();
    let closure = closure(&tool(vec![ProgramSpec::at("//gen", &script)])).unwrap();
    assert!(closure.programs.contains_key("sh"));
    scene.closures = [("tool".to_owned(), closure)].into();
    let executed = scene.run(&scene.program("//gen", &[]).out("out/a")).unwrap();
    assert_eq!(scene.output(&executed, "out/a"), "made\n");
}

#[test]
fn a_missing_program_is_named_with_where_it_was_looked_for() {
    let error = closure(&tool(vec![ProgramSpec::named("no-such")])).unwrap_err();
    assert_eq!(error.to_string(), "no program `no-such` in `/usr/local/bin:/usr/bin:/bin`");
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
fn the_fingerprint_changes_with_data_and_not_with_its_folder() {
    let temp = TempDir::new().unwrap();
    let voices = |folder: &str, text: &str| {
        let root = temp.path().join(folder).join("voices");
        fs::create_dir_all(root.join("en")).unwrap();
        fs::write(root.join("en/us"), text).unwrap();
        closure(&ToolSpec { data: vec![root], ..tool(Vec::new()) }).unwrap()
    };
    let (first, moved, other) = (voices("a", "1"), voices("b", "1"), voices("c", "2"));
    assert_eq!(first.fingerprint, moved.fingerprint);
    assert_ne!(first.components, moved.components);
    assert_ne!(first.fingerprint, other.fingerprint);
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
