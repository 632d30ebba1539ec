//! Inputs as they are placed, and outputs as they are collected.

use vwfb_cas::{Artifact, Entry};
use vwfb_exec::Cause;

use crate::scene::{Declare, Scene};

#[test]
fn inputs_are_where_they_are_declared_and_nothing_else_is() {
    let mut scene = Scene::new();
    let action = scene
        .script("find() { for f in \"$1\"/*; do echo \"$f\"; [ ! -d \"$f\" ] || find \"$f\"; done; }; find in > out/list")
        .with_input("in/clips/0001.txt", scene.input("one"))
        .with_input("in/tree", scene.input_tree(&[("a/b.txt", "b")]))
        .out("out/list");
    let executed = scene.run(&action).unwrap();
    let list = scene.output(&executed, "out/list");
    assert_eq!(list, "in/clips\nin/clips/0001.txt\nin/tree\nin/tree/a\nin/tree/a/b.txt\n");
}

#[test]
fn nothing_of_a_task_is_left_for_the_next() {
    let mut scene = Scene::new();
    scene.run(&scene.script("touch out/a tmp/b home/c")).unwrap();
    let action = scene.script("echo out/* tmp/* home/* in/*");
    let executed = scene.run(&action).unwrap();
    assert_eq!(scene.text(executed.result.log), "out/* tmp/* home/* in/*\n");
}

#[test]
fn files_and_trees_are_collected_with_their_modes() {
    let mut scene = Scene::new();
    let script = "mkdir -p out/pages/empty; echo 1 > out/pages/1; ln -s 1 out/pages/first
                  echo x > out/deep/run; chmod +x out/deep/run";
    let action = scene.script(script).out_tree("out/pages").out("out/deep/run");
    let executed = scene.run(&action).unwrap();
    let Artifact::File(file) = executed.result.outputs["out/deep/run"] else { unreachable!() };
    let Artifact::Tree(tree) = executed.result.outputs["out/pages"] else { unreachable!() };
    assert!(file.executable);
    let tree = scene.store.tree(tree).unwrap().entries;
    assert_eq!(tree.keys().collect::<Vec<_>>(), ["1", "empty", "first"]);
    assert_eq!(tree["first"], Entry::Symlink("1".to_owned()));
}

#[test]
fn an_output_that_was_not_made_is_an_error_that_says_what_was() {
    let mut scene = Scene::new();
    let action = scene.script("echo > out/b.png").out("out/a.png").out_tree("out/pages");
    let failure = scene.run(&action).unwrap_err();
    assert_eq!(
        failure.to_string(),
        "the outputs `out/a.png`, `out/pages` were not made; the output folder has `out/b.png`"
    );
}

#[test]
fn an_output_of_another_kind_is_an_error_that_names_it() {
    let mut scene = Scene::new();
    let mut found = |script: &str| {
        let failure = scene.run(&scene.script(script).out("out/a")).unwrap_err();
        failure.to_string()
    };
    assert_eq!(found("mkfifo out/a"), "the output `out/a` is a named pipe, not a regular file");
    assert_eq!(
        found("ln -s /etc/passwd out/a"),
        "the output `out/a` is a symbolic link, not a regular file"
    );
    assert_eq!(found("mkdir out/a"), "the output `out/a` is a folder, not a regular file");
}

#[test]
fn a_tree_with_a_pipe_inside_is_refused() {
    let mut scene = Scene::new();
    let action = scene.script("mkdir out/a; mkfifo out/a/pipe").out_tree("out/a");
    let failure = scene.run(&action).unwrap_err();
    assert!(matches!(failure.cause, Cause::Store { .. }), "{failure}");
}

#[test]
fn a_folder_replaced_by_a_link_leads_to_no_foreign_file() {
    let mut scene = Scene::new();
    let script = "rmdir out/sub; ln -s /etc out/sub";
    let failure = scene.run(&scene.script(script).out("out/sub/passwd")).unwrap_err();
    assert_eq!(failure.to_string(), "the output `out/sub` is a symbolic link, not a folder");
}

#[test]
fn an_input_that_the_store_lost_is_named() {
    let mut scene = Scene::new();
    // Large enough for a file of its own in the store.
    let input = scene.input(&"lost ".repeat(1 << 18));
    let Artifact::File(file) = input else { unreachable!() };
    let action = scene.script("cat in/a").with_input("in/a", input);
    scene.run(&action).unwrap();
    remove_blob(scene.store.root(), &file.blob.to_string());
    let failure = scene.run(&action).unwrap_err();
    let Cause::InputLost { role, blob } = failure.cause else { panic!("{failure}") };
    assert_eq!((role.as_str(), blob), ("in/a", file.blob));
}

#[test]
fn a_role_outside_its_place_is_refused() {
    let mut scene = Scene::new();
    for action in [
        scene.script("true").out("in/a"),
        scene.script("true").out("out/../a"),
        scene.script("true").with_input("out/a", scene.input("")),
        scene.script("true").with_input("../a", scene.input("")),
    ] {
        let failure = scene.run(&action).unwrap_err();
        assert!(matches!(failure.cause, Cause::Role { .. }), "{failure}");
    }
}

/// Removes the file whose path below `root` has the digits of `digest` in it.
fn remove_blob(root: &std::path::Path, digest: &str) {
    let is_it = |path: &std::path::Path| {
        let digits: String = path.to_string_lossy().chars().filter(|c| *c != '/').collect();
        digits.contains(digest)
    };
    let found = walkdir::WalkDir::new(root).into_iter().flatten();
    let found: Vec<_> =
        found.map(walkdir::DirEntry::into_path).filter(|path| is_it(path)).collect();
    assert_eq!(found.len(), 1, "{found:?}");
    std::fs::remove_file(&found[0]).unwrap();
}
