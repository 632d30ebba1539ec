//! Completion scripts, and the labels they ask for.

use std::process::Command;

use crate::world::World;

#[test]
fn every_shell_has_a_script() {
    let world = World::empty();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = world.ok(&["completions", shell]).stdout;
        assert!(script.contains("vwfb") && !script.contains("__docs"), "{shell}");
    }
    for shell in ["bash", "zsh", "fish"] {
        let script = world.ok(&["completions", shell]).stdout;
        assert!(script.contains("vwfb __complete"), "{shell}");
    }
    let zsh = world.ok(&["completions", "zsh"]).stdout;
    assert!(zsh.starts_with("#compdef vwfb\n") && zsh.contains(":_vwfb_labels'"), "{zsh}");
}

#[test]
fn labels_are_listed_without_a_store() {
    let world = World::new();
    world.write("p/sub/BUILD.kdl", "write_file \"w\" { text \"x\"; out \"w\" }\n");
    assert_eq!(world.ok(&["__complete", "//p:a"]).stdout, "//p:alone\n");
    assert_eq!(world.ok(&["__complete", "//p/s"]).stdout, "//p/sub:w\n");
    assert_eq!(world.ok(&["__complete", "//"]).stdout.lines().count(), 4);
    assert_eq!(world.ok(&["-C", "p", "__complete", ":g"]).stdout, ":greet\n");
    assert_eq!(world.ok(&["__complete", "//x"]).stdout, "");
    assert!(!world.store().exists());
    std::fs::remove_file(world.path("WORKSPACE.kdl")).unwrap();
    assert_eq!(world.ok(&["__complete", "//"]).stdout, "");
}

#[test]
fn bash_completes_labels_although_it_splits_at_colons() {
    let world = World::new();
    let script = world.ok(&["completions", "bash"]).stdout;
    let ask = "COMP_LINE='vwfb build //p:al'; COMP_POINT=${#COMP_LINE}
        COMP_WORDS=(vwfb build //p : al); COMP_CWORD=4
        _vwfb_or_label vwfb al :; printf '%s\\n' \"${COMPREPLY[@]}\"";
    let folder = std::path::Path::new(env!("CARGO_BIN_EXE_vwfb")).parent().unwrap();
    let mut bash = Command::new("bash");
    bash.args(["-c", &format!("{script}\n{ask}")])
        .current_dir(world.root())
        .env("PATH", format!("{}:/usr/bin:/bin", folder.display()));
    let ended = bash.output().unwrap();
    assert_eq!(String::from_utf8(ended.stdout).unwrap(), "alone\n");
    assert_eq!(String::from_utf8(ended.stderr).unwrap(), "");
}
