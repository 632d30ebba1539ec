//! One worker runs many tasks in one folder with rules that it was told before: no task may find
//! anything of another.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use vwfb_exec::action::Action;
use vwfb_exec::{Closure, Level};

use crate::scene::{Declare, Scene, confined};

/// What a task finds in its folder, with modes.
fn found(scene: &mut Scene, change: impl FnOnce(Action) -> Action) -> String {
    let list = "walk() { for f in \"$1\"/* \"$1\"/.[!.]*; do [ ! -L \"$f\" ] || echo \"link $f\"
                [ ! -e \"$f\" ] || stat -c '%a %n' \"$f\"; [ ! -d \"$f\" ] || walk \"$f\"; done; }
                walk .";
    let action = change(scene.script(list));
    let executed = scene.run(&action).unwrap();
    match action.outputs.keys().next() {
        Some(output) => scene.output(&executed, output),
        None => scene.text(executed.result.log),
    }
}

const EMPTY: &str = "755 ./home\n755 ./in\n755 ./out\n755 ./tmp\n";

#[test]
fn what_a_task_did_to_its_folders_is_undone() {
    let mut scene = Scene::new();
    let input = scene.input("x");
    assert_eq!(found(&mut scene, |action| action), EMPTY);
    for script in [
        "mkdir -p out/a/b tmp/c; echo x > out/a/b/file; echo x > home/.hidden; mkfifo tmp/pipe",
        "ln -s /etc out/link; ln -s . tmp/circle; ln in/d/a tmp/second || true",
        "rmdir out/kept; ln -s /etc out/kept",
        "rmdir out/kept; echo > out/kept",
        "mkdir out/kept/more; chmod 1777 out out/kept; chmod 500 in home; chmod 0 in/d tmp out/kept",
    ] {
        let same = |action: Action| action.with_input("in/d/a", input).out("out/kept/x");
        // It fails, since it makes no output; what it leaves is removed all the same.
        scene.run(&same(scene.script(script))).unwrap_err();
        let listed = found(&mut scene, |action| {
            let mut action = same(action);
            action.stdout = Some("out/kept/x".to_owned());
            action
        });
        let kept = "755 ./home\n755 ./in\n755 ./in/d\n444 ./in/d/a\n755 ./out\n755 ./out/kept\n\
                    644 ./out/kept/x\n755 ./tmp\n";
        assert_eq!(listed, kept, "after `{script}`");
        assert_eq!(found(&mut scene, |action| action), EMPTY, "after `{script}`");
    }
}

#[test]
fn the_folders_of_an_earlier_task_are_not_seen() {
    let mut scene = Scene::new();
    let input = scene.input("x");
    let first = scene.script("echo > out/c/d/y").with_input("in/a/b/x", input).out("out/c/d/y");
    scene.run(&first).unwrap();
    let listed = found(&mut scene, |action| action.with_input("in/a/z", input));
    assert_eq!(listed, "755 ./home\n755 ./in\n755 ./in/a\n444 ./in/a/z\n755 ./out\n755 ./tmp\n");
    // A file, where a folder was.
    let listed = found(&mut scene, |action| action.with_input("in/a", input));
    assert_eq!(listed, "755 ./home\n755 ./in\n444 ./in/a\n755 ./out\n755 ./tmp\n");
    assert_eq!(found(&mut scene, |action| action), EMPTY);
}

/// The readable file `name` below the scene's folder.
fn file(scene: &Scene, name: &str) -> PathBuf {
    let path = scene.temp.path().join(name);
    std::fs::write(&path, name).unwrap();
    path
}

/// The base with a further file to read.
fn allowing(base: &Closure, path: &Path) -> Arc<Closure> {
    let mut base = base.clone();
    base.readable.insert(path.to_owned());
    Arc::new(base)
}

#[test]
fn every_task_has_its_own_rules_however_many_there_were() {
    if !confined(Level::confines_files) {
        return;
    }
    let mut scene = Scene::new();
    let base = Arc::clone(&scene.closures["base"]);
    let files: Vec<_> = (0..20).map(|number| file(&scene, &format!("file{number}"))).collect();
    let closures: Vec<_> = files.iter().map(|own| allowing(&base, own)).collect();
    // New ones, some that were there shortly before, and after a turn all of them again.
    for number in (0..24).flat_map(|turn| [turn, turn + 17, turn + 12]).map(|turn| turn % 20) {
        scene.closures.insert("base".to_owned(), Arc::clone(&closures[number]));
        let (own, other) = (&files[number], &files[(number + 19) % 20]);
        let mut action =
            scene.script(&format!("cat {}; cat {} || true", own.display(), other.display()));
        action.network = number % 2 == 0;
        let executed = scene.run(&action).unwrap();
        let log = scene.text(executed.result.log);
        assert!(log.starts_with(&format!("file{number}cat: ")), "{log}");
        assert!(log.contains("Permission denied"), "{log}");
    }
}

#[test]
fn a_toolchain_that_is_found_anew_has_rules_for_the_files_of_now() {
    if !confined(Level::confines_files) {
        return;
    }
    let mut scene = Scene::new();
    let base = Arc::clone(&scene.closures["base"]);
    let path = file(&scene, "data");
    let action = scene.script(&format!("cat {}", path.display()));
    scene.closures.insert("base".to_owned(), allowing(&base, &path));
    scene.run(&action).unwrap();
    let new = file(&scene, "new");
    std::fs::rename(new, &path).unwrap();
    // The rules are bound to the file that was there.
    scene.run(&action).unwrap_err();
    scene.closures.insert("base".to_owned(), allowing(&base, &path));
    scene.run(&action).unwrap();
}
