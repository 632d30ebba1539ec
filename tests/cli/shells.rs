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
    assert_eq!(world.ok(&["__complete", "//p:"]).stdout.lines().count(), 3);
    assert_eq!(world.ok(&["-C", "p", "__complete", ":g"]).stdout, ":greet\n");
    assert_eq!(world.ok(&["__complete", "//x"]).stdout, "");
    assert_eq!(world.ok(&["__complete", "x"]).stdout, "");
    assert!(!world.store().exists());
    assert!(!world.path(".vwfb").exists());
    std::fs::remove_file(world.path("WORKSPACE.kdl")).unwrap();
    assert_eq!(world.ok(&["__complete", "//"]).stdout, "");
}

#[test]
fn packages_and_folders_are_listed_before_labels() {
    let world = World::new();
    let rule = "write_file \"w\" { text \"x\"; out \"w\" }\n";
    for file in ["p/sub/BUILD.kdl", "deep/er/one/BUILD.kdl", "deep/er/two/BUILD.kdl"] {
        world.write(file, rule);
    }
    world.write("empty/er/notes.txt", "");
    world.write("other/WORKSPACE.kdl", "workspace \"other\"\n");
    world.write("other/BUILD.kdl", rule);
    world.write("vwfb-out/p/BUILD.kdl", rule);
    let listed = |text: &str| world.ok(&["__complete", text]).stdout;
    for text in ["", "/", "//"] {
        assert_eq!(listed(text), "//deep/\n//p/\n//p:\n");
    }
    assert_eq!(listed("//d"), "//deep/er/one:\n//deep/er/two:\n");
    assert_eq!(listed("//deep/er/t"), "//deep/er/two:w\n");
    assert_eq!(listed("//p/"), "//p/sub:w\n");
    for text in ["//o", "//other:", "//other:w", "//vwfb-out/", "//vwfb-out/p:", "//../p:"] {
        assert_eq!(listed(text), "");
    }
    world.write("BUILD.kdl", rule);
    assert_eq!(listed("//"), "//:\n//deep/\n//p/\n//p:\n");
    assert_eq!(listed("//:"), "//:w\n");
}

#[test]
fn a_completion_reads_one_rule_file_at_most() {
    let world = World::new();
    for folder in ["q1", "q2"] {
        world.write(&format!("{folder}/BUILD.kdl"), "write_file \"w\" { out \"w\" }\n");
    }
    // What is unreadable has no labels, and is seen to be a package all the same.
    std::fs::write(world.path("q1/BUILD.kdl"), b"\xff").unwrap();
    assert_eq!(world.ok(&["__complete", "//q"]).stdout, "//q1:\n//q2:\n");
    assert_eq!(world.ok(&["__complete", "//q2:"]).stdout, "//q2:w\n");
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
