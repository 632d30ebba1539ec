//! Builds that begin with the last snapshot, where it would be easy to believe it too much.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::Duration;

use vwfb_engine::workspace::Evaluate;

use crate::lost::lose;
use crate::scene::{Scene, Seen};

/// Builds until the snapshot has a stamp for everything and is believed.
fn settled(scene: &Scene, pattern: &str) -> Seen {
    for _ in 0..2 {
        sleep(Duration::from_millis(40));
        scene.build(pattern);
    }
    sleep(Duration::from_millis(40));
    scene.build(pattern)
}

#[test]
fn who_asks_quietly_is_told_that_nothing_changed_and_only_then() {
    let scene = Scene::new(
        r#"
        task "a" { srcs "a.txt"; out "a"; script "join {out}" }
        task "b" { srcs ":a"; out "b"; script "join {out}" }
        "#,
    );
    scene.write("a.txt", "1");
    scene.build("//...").expect("ran a b");
    settled(&scene, "//...").expect("unchanged a b");
    assert!(scene.is_unchanged("//..."));
    let changes: [&dyn Fn(); 4] = [
        &|| {
            scene.write("a.txt", "2");
        },
        &|| fs::write(scene.root().join("vwfb-out/b"), "by hand").unwrap(),
        &|| fs::remove_file(scene.root().join("vwfb-out/a")).unwrap(),
        &|| fs::write(scene.root().join("BUILD.kdl"), "// nothing").unwrap(),
    ];
    for (number, change) in changes.iter().enumerate() {
        let rules = fs::read(scene.root().join("BUILD.kdl")).unwrap();
        change();
        assert!(!scene.is_unchanged("//..."), "{number}");
        fs::write(scene.root().join("BUILD.kdl"), rules).unwrap();
        settled(&scene, "//...").expect("unchanged a b");
        assert!(scene.is_unchanged("//..."), "{number}");
    }
    // Nobody reads what is not needed then.
    let path = snapshot(&scene);
    let whole = fs::read(&path).unwrap();
    let mut damaged = whole.clone();
    *damaged.last_mut().unwrap() ^= 1;
    fs::write(&path, damaged).unwrap();
    assert!(scene.is_unchanged("//..."));
    // Where it is needed, it is found to be damaged.
    scene.write("a.txt", "3");
    scene.build("//...").expect("ran a b");
    assert_eq!(scene.output("b"), "3");
}

#[test]
fn a_source_that_changes_during_a_build_is_seen_by_all_who_read_it() {
    let scene = Scene::new(
        r#"
        task "y" { srcs "s.txt"; out "y"; script "join {out}" }
        task "z" { srcs "z.txt"; out "z"; script "clobber s.txt two" }
        task "x" { srcs "s.txt" ":z"; out "x"; script "join {out}" }
        "#,
    );
    scene.write("s.txt", "one").write("z.txt", "1");
    settled(&scene, "//...");
    scene.write("s.txt", "one");
    settled(&scene, "//...");
    scene.write("z.txt", "2");
    scene.build("//...");
    sleep(Duration::from_millis(40));
    scene.build("//...");
    assert_eq!([scene.output("y"), scene.output("x")], ["two", "two2"].map(str::to_owned));
    // Where the store has lost its bytes, the change is found in the build itself.
    for (number, evaluated) in [("3", false), ("4", true)] {
        scene.write("s.txt", "one");
        settled(&scene, "//...").expect("unchanged x y z");
        lose(&scene, "one");
        if evaluated {
            fs::remove_dir_all(scene.root().join(".vwfb/snapshots")).unwrap();
        }
        scene.write("z.txt", number);
        scene.build("//...").expect("unchanged y; ran z x");
        assert_eq!([scene.output("y"), scene.output("x")], ["one".into(), format!("two{number}")]);
        sleep(Duration::from_millis(40));
        scene.build("//...").expect("cached y; unchanged z x");
        assert_eq!(scene.output("y"), "two");
    }
}

#[test]
fn a_source_that_only_a_lost_task_sees_change_is_seen_by_all_who_read_it() {
    let scene = Scene::new(
        r#"
        task "y" { srcs "s.txt"; out "y"; script "join {out}" }
        task "z" { srcs "z.txt"; out "z"; script "clobber s.txt two" }
        task "a" { srcs "s.txt"; out "a"; script "head 3 {out}" }
        task "x" { srcs ":a" ":z"; out "x"; script "join {out}" }
        "#,
    );
    scene.write("s.txt", "first").write("z.txt", "1");
    scene.build("//...");
    scene.write("s.txt", "first");
    settled(&scene, "//...").expect("unchanged a x y z");
    // What it was when the build began is still in the store,
    lose(&scene, "fir");
    scene.write("z.txt", "2");
    scene.build("//...").expect("unchanged y; ran a x z");
    assert_eq!([scene.output("y"), scene.output("x")], ["first", "fir2"].map(str::to_owned));
    sleep(Duration::from_millis(40));
    scene.build("//...");
    assert_eq!([scene.output("y"), scene.output("x")], ["two", "two2"].map(str::to_owned));
    // or is not.
    scene.write("s.txt", "first");
    settled(&scene, "//...").expect("unchanged a x y z");
    lose(&scene, "fir");
    lose(&scene, "first");
    scene.write("z.txt", "3");
    scene.build("//...").expect("unchanged y; ran a x z");
    assert_eq!([scene.output("y"), scene.output("x")], ["first", "two3"].map(str::to_owned));
    sleep(Duration::from_millis(40));
    scene.build("//...");
    assert_eq!([scene.output("y"), scene.output("x")], ["two", "two3"].map(str::to_owned));
}

#[test]
fn what_was_made_but_never_put_in_place_is_put_there_later() {
    let scene = Scene::new(
        r#"
        task "t" { srcs "s.txt"; out "t"; script "join {out}" }
        task "u" { srcs "u.txt"; out "u"; script "fail-if bad {out}" }
        filegroup "f" { srcs ":t" ":u" }
        "#,
    );
    scene.write("s.txt", "1").write("u.txt", "good");
    settled(&scene, "//:f").expect("unchanged t u");
    scene.write("s.txt", "2").write("u.txt", "bad");
    scene.build("//:f").expect("ran t; failed u");
    sleep(Duration::from_millis(40));
    scene.write("u.txt", "good");
    scene.build("//:f").expect("unchanged t u");
    assert_eq!(scene.output("t"), "2");
}

#[test]
fn a_rule_file_that_is_a_source_too_changes_for_both() {
    let scene = Scene::new("task \"own\" { out \"own\"; script \"join\" }\n");
    let text = "task \"a\" { out \"a\"; script \"join 1\" }\n";
    scene.write("a/BUILD.kdl", text).write(
        "b/BUILD.kdl",
        "task \"b\" { srcs \"//a/BUILD.kdl\"; out \"b\"; script \"join {out}\" }\n",
    );
    settled(&scene, "//...").expect("unchanged own a b");
    let edited = text.replace("join 1", "join 2");
    scene.write("a/BUILD.kdl", &edited);
    scene.build("//...").expect("ran a b; unchanged own");
    assert_eq!(scene.output("b/b"), edited);
}

#[test]
fn rule_files_that_break_during_a_build_break_the_next_one() {
    let scene =
        Scene::new("task \"z\" { srcs \"z.txt\"; out \"z\"; script \"clobber b/BUILD.kdl {{\" }\n");
    let text = "task \"x\" { srcs \"//:z\"; out \"x\"; script \"join {out}\" }\n";
    scene.write("z.txt", "1").write("b/BUILD.kdl", text);
    scene.build("//...");
    scene.write("b/BUILD.kdl", text);
    settled(&scene, "//...").expect("unchanged z x");
    scene.write("z.txt", "2");
    scene.build("//...").expect("ran z x");
    assert_eq!(scene.output("b/x"), "2");
    let mut workspace = scene.open();
    let everything = [vwfb_rules::pattern::Pattern::Below(vwfb_rules::label::WsPath::root())];
    let prepared = workspace.prepare(&everything, vwfb_engine::workspace::Evaluate::Changes);
    assert!(prepared.loaded.has_errors());
}

#[test]
fn a_memory_that_was_lost_is_not_taken_for_that_of_the_snapshot() {
    let scene = Scene::new(
        r#"
        task "a" { srcs "s.txt"; out "a"; script "join {out}" }
        task "b" { srcs "s.txt"; out "b"; script "join {out}" }
        "#,
    );
    scene.write("s.txt", "1");
    settled(&scene, "//:a").expect("unchanged a");
    for suffix in ["", "-wal", "-shm"] {
        let _gone = fs::remove_file(scene.root().join(format!(".vwfb/state.db{suffix}")));
    }
    scene.build("//:b");
    scene.build("//:a").expect("cached a");
    assert!(scene.why("//:a").current);
}

#[test]
fn another_request_in_between_does_not_leave_its_output_behind() {
    let scene = Scene::new(
        r#"
        task "x" { srcs "s.txt"; out "x"; script "join {out}" }
        task "y" { srcs ":x"; out "y"; script "join {out}" }
        "#,
    );
    scene.write("s.txt", "1");
    settled(&scene, "//:x").expect("unchanged x");
    scene.write("s.txt", "2");
    scene.build("//:y").expect("ran x y");
    sleep(Duration::from_millis(40));
    scene.build("//:x").expect("unchanged x");
    assert_eq!(scene.output("x"), "2");
    // Nor what the other made of a source that is again as the snapshot has it,
    scene.write("s.txt", "3");
    scene.build("//:y").expect("ran x y");
    scene.write("s.txt", "2");
    scene.build("//:x").expect("cached x");
    assert_eq!(scene.output("x"), "2");
    // or what was made of something that the other made anew.
    scene.build("//:y").expect("unchanged x; cached y");
    assert_eq!(scene.output("y"), "2");
}

#[test]
fn a_damaged_snapshot_is_not_used() {
    let scene = Scene::new("task \"a\" { srcs \"s.txt\"; out \"a\"; script \"join {out}\" }\n");
    scene.write("s.txt", "1");
    settled(&scene, "//...").expect("unchanged a");
    let path = snapshot(&scene);
    let whole = fs::read(&path).unwrap();
    for length in [0, 15, 40, whole.len() / 2, whole.len() - 1] {
        fs::write(&path, &whole[..length]).unwrap();
        scene.build("//...").expect("unchanged a");
    }
    let mut flipped = whole;
    let middle = flipped.len() / 2;
    flipped[middle] ^= 1;
    fs::write(&path, flipped).unwrap();
    scene.write("s.txt", "2");
    scene.build("//...").expect("ran a");
    assert_eq!(scene.output("a"), "2");
    // Each part of it matters to something, which cannot be trusted any more.
    settled(&scene, "//...").expect("unchanged a");
    let whole = fs::read(&path).unwrap();
    for part in 0..24 {
        let mut flipped = whole.clone();
        flipped[whole.len() * part / 24] ^= 1;
        fs::write(&path, flipped).unwrap();
        scene.build("//...").expect("unchanged a");
        assert_eq!(scene.output("a"), "2");
    }
}

#[test]
fn a_snapshot_that_is_stretched_or_a_pipe_or_a_folder_is_not_used() {
    let scene = edited();
    let pipe = |path: &Path| {
        fs::remove_file(path).unwrap();
        rustix::fs::mkfifoat(rustix::fs::CWD, path, rustix::fs::Mode::RWXU).unwrap();
    };
    pipe(&patch(&scene));
    scene.build("//...").expect("unchanged t u");
    let stretched = fs::File::options().write(true).open(snapshot(&scene)).unwrap();
    stretched.set_len(4 << 40).unwrap();
    scene.build("//...").expect("unchanged t u");
    say_long(&snapshot(&scene));
    scene.build("//...").expect("unchanged t u");
    pipe(&snapshot(&scene));
    scene.build("//...").expect("unchanged t u");
    let path = snapshot(&scene);
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    scene.build("//...").expect("unchanged t u");
    assert_eq!(scene.output("u"), "2");
}

#[test]
fn a_snapshot_of_another_request_is_not_used() {
    let scene = Scene::new(
        r#"
        task "a" { srcs "s.txt"; out "a"; script "join {out}" }
        task "b" { srcs "s.txt"; out "b"; script "join {out}" }
        "#,
    );
    scene.write("s.txt", "1");
    settled(&scene, "//:a").expect("unchanged a");
    let folder = scene.root().join(".vwfb/snapshots");
    let of_a = snapshot(&scene);
    let bytes = std::fs::read(&of_a).unwrap();
    settled(&scene, "//:b").expect("unchanged b");
    for path in files(&folder).iter().filter(|path| **path != of_a) {
        std::fs::write(path, &bytes).unwrap();
    }
    scene.build("//:b").expect("unchanged b");
}

/// Makes the length that a snapshot's head tells more than any memory holds.
fn say_long(path: &Path) {
    let mut bytes = fs::read(path).unwrap();
    // After what the file is, whose, and its checksum.
    let at = bytes.iter().position(|byte| *byte == b'\n').unwrap() + 1 + 32 + 32;
    bytes[at..at + 8].copy_from_slice(&(4_u64 << 40).to_le_bytes());
    fs::write(path, bytes).unwrap();
}

/// The snapshots themselves, without what differs from each.
fn files(folder: &Path) -> Vec<PathBuf> {
    let all = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    all.filter(|path| path.extension().is_none()).collect()
}

#[test]
fn a_file_that_begins_to_match_a_glob_during_a_build_is_seen_by_the_next() {
    let scene = Scene::new(
        r#"
        task "g" { srcs (glob)"g/*.txt"; out "g"; script "join {out}" }
        task "z" { srcs "z.txt"; after ":g"; out "z"; script "clobber g/2.txt two" }
        "#,
    );
    scene.write("g/1.txt", "one").write("z.txt", "1");
    // With everything evaluated,
    scene.build("//...").expect("ran g z");
    assert_eq!(scene.output("g"), "one");
    scene.build("//...").expect("ran g; unchanged z");
    assert_eq!(scene.output("g"), "onetwo");
    // and from a snapshot.
    scene.remove("g/2.txt");
    settled(&scene, "//...").expect("unchanged g z");
    scene.write("z.txt", "2");
    scene.build("//...").expect("unchanged g; ran z");
    assert_eq!(scene.output("g"), "one");
    scene.build("//...").expect("cached g; unchanged z");
    assert_eq!(scene.output("g"), "onetwo");
}

#[test]
fn a_file_that_ceases_to_match_a_glob_during_a_build_is_missed_by_the_next() {
    let scene = Scene::new(
        r#"
        task "g" { srcs (glob)"g/*.txt"; out "g"; script "join {out}" }
        task "z" { srcs "z.txt"; after ":g"; out "z"; script "remove g/2.txt" }
        "#,
    );
    scene.write("g/1.txt", "one").write("g/2.txt", "two").write("z.txt", "1");
    scene.build("//...").expect("ran g z");
    assert_eq!(scene.output("g"), "onetwo");
    scene.build("//...").expect("ran g; unchanged z");
    assert_eq!(scene.output("g"), "one");
    scene.write("g/2.txt", "two");
    settled(&scene, "//...").expect("unchanged g z");
    scene.write("z.txt", "2");
    scene.build("//...").expect("unchanged g; ran z");
    assert_eq!(scene.output("g"), "onetwo");
    scene.build("//...").expect("cached g; unchanged z");
    assert_eq!(scene.output("g"), "one");
}

#[test]
fn an_output_that_is_removed_during_a_long_build_is_put_back_by_it() {
    let scene = Scene::new(
        r#"
        task "keep" { srcs "k.txt"; out "keep"; script "join {out}" }
        task "z" { srcs "z.txt"; out "z"; script "remove vwfb-out/keep" }
        "#,
    );
    scene.write("k.txt", "kept").write("z.txt", "1").write("vwfb-out/keep", "");
    scene.build("//...").expect("ran keep z");
    settled(&scene, "//...").expect("unchanged keep z");
    scene.write("z.txt", "2");
    scene.build("//...").expect("unchanged keep; ran z");
    assert_eq!(scene.output("keep"), "kept");
    settled(&scene, "//...").expect("unchanged keep z");
    assert_eq!(scene.output("keep"), "kept");
}

#[test]
fn outputs_stay_out_of_version_control_also_if_nothing_changed() {
    let scene = Scene::new("task \"a\" { srcs \"s.txt\"; out \"a\"; script \"join {out}\" }\n");
    scene.write("s.txt", "1");
    settled(&scene, "//...").expect("unchanged a");
    assert_eq!(scene.output(".gitignore"), "*\n");
    scene.remove("vwfb-out/.gitignore");
    scene.build("//...").expect("unchanged a");
    assert_eq!(scene.output(".gitignore"), "*\n");
    // What somebody wrote there is theirs.
    scene.write("vwfb-out/.gitignore", "!a\n");
    settled(&scene, "//...").expect("unchanged a");
    assert_eq!(scene.output(".gitignore"), "!a\n");
}

/// Two tasks, of which `t` fails on `bad`, with a snapshot and an edit of `u.txt` since.
fn edited() -> Scene {
    let scene = Scene::new(
        r#"
        task "t" { srcs "s.txt"; out "t"; script "fail-if bad {out}" }
        task "u" { srcs "u.txt"; out "u"; script "join {out}" }
        "#,
    );
    scene.write("s.txt", "good").write("u.txt", "1");
    settled(&scene, "//...").expect("unchanged t u");
    let whole = fs::read(snapshot(&scene)).unwrap();
    scene.write("u.txt", "2");
    scene.build("//...").expect("ran u; unchanged t");
    assert_eq!(fs::read(snapshot(&scene)).unwrap(), whole, "an edit writes only what differs");
    scene
}

/// The file with the snapshot; the one beside it has another extension.
fn snapshot(scene: &Scene) -> PathBuf {
    let files = fs::read_dir(scene.root().join(".vwfb/snapshots")).unwrap();
    let mut paths = files.map(|file| file.unwrap().path());
    paths.find(|path| path.extension().is_none()).unwrap()
}

fn patch(scene: &Scene) -> PathBuf {
    snapshot(scene).with_extension("patch")
}

#[test]
fn a_rule_file_that_is_edited_again_is_compared_with_the_last_edit() {
    let scene = Scene::new("task \"a\" { out \"a\"; script \"join 1\" }\n");
    let text = |word: &str| {
        format!(
            "task \"b\" {{ out \"b\"; script \"join {word}\" }}\ntask \"c\" {{ out \"c\"; script \"join\" }}\n"
        )
    };
    scene.write("d/BUILD.kdl", &text("1"));
    settled(&scene, "//...").expect("unchanged a b c");
    let whole = fs::read(snapshot(&scene)).unwrap();
    for (word, expected) in [("2", "ran b; unchanged a c"), ("1", "cached b; unchanged a c")] {
        scene.write("d/BUILD.kdl", &text(word));
        scene.build("//...").expect(expected);
        assert_eq!(fs::read(snapshot(&scene)).unwrap(), whole);
        scene.write("d/BUILD.kdl", &format!("// {word}\n{}", text(word)));
        scene.build("//...").expect("unchanged a b c");
    }
}

#[test]
fn what_a_package_says_of_all_its_targets_reaches_each() {
    let scene = Scene::new("task \"a\" { out \"a\"; script \"join 1\" }\n");
    let text = |word: &str| {
        format!(
            "vars {{ word {word:?} }}\ntask \"b\" {{ out \"b\"; script \"join {{vars.word}}\" }}\n"
        )
    };
    scene.write("d/BUILD.kdl", &text("one"));
    settled(&scene, "//...").expect("unchanged a b");
    scene.write("d/BUILD.kdl", &text("two"));
    scene.build("//...").expect("ran b; unchanged a");
    settled(&scene, "//...").expect("unchanged a b");
    scene.write("d/BUILD.kdl", &text("one"));
    scene.build("//...").expect("cached b; unchanged a");
}

#[test]
fn what_an_edit_changed_is_known_to_later_builds() {
    let scene = edited();
    let first = fs::read(patch(&scene)).unwrap();
    settled(&scene, "//...").expect("unchanged t u");
    scene.write("s.txt", "bad");
    scene.build("//...").expect("failed t; unchanged u");
    scene.build("//...").expect("failed t; unchanged u");
    scene.write("s.txt", "better");
    scene.build("//...").expect("ran t; unchanged u");
    assert_ne!(fs::read(patch(&scene)).unwrap(), first);
    settled(&scene, "//...").expect("unchanged t u");
    assert_eq!([scene.output("t"), scene.output("u")], ["better", "2"].map(str::to_owned));
}

#[test]
fn a_damaged_patch_makes_the_whole_snapshot_useless() {
    let scene = edited();
    let whole = fs::read(snapshot(&scene)).unwrap();
    let good = fs::read(patch(&scene)).unwrap();
    let cut = [0, 21, 40, 60, good.len() / 2, good.len() - 1].map(|length| good[..length].to_vec());
    let flip = |at: usize| {
        let mut bytes = good.clone();
        bytes[at] ^= 1;
        bytes
    };
    let flipped = [0, 30, 60, good.len() / 2, good.len() - 1].map(flip);
    for damaged in cut.into_iter().chain(flipped) {
        fs::write(snapshot(&scene), &whole).unwrap();
        fs::write(patch(&scene), damaged).unwrap();
        scene.build("//...").expect("unchanged t u");
        assert!(!patch(&scene).exists(), "everything was evaluated, and written as a whole");
        assert_eq!(scene.output("u"), "2");
    }
}

#[test]
fn a_patch_of_another_snapshot_is_not_applied() {
    let mut scene = edited();
    let old = fs::read(patch(&scene)).unwrap();
    scene.write("s.txt", "bad");
    scene.evaluate = Evaluate::Everything;
    scene.build("//...").expect("failed t; unchanged u");
    // As if the process had been killed before it removed this.
    fs::write(patch(&scene), old).unwrap();
    scene.evaluate = Evaluate::Changes;
    scene.build("//...").expect("failed t; unchanged u");
}

#[test]
fn a_snapshot_that_lost_its_patch_is_an_older_one() {
    let scene = edited();
    fs::remove_file(patch(&scene)).unwrap();
    scene.build("//...").expect("unchanged t u");
    scene.write("u.txt", "1");
    scene.build("//...").expect("cached u; unchanged t");
    assert_eq!(scene.output("u"), "1");
}

#[test]
fn an_edit_that_a_snapshot_cannot_take_up_removes_it() {
    let scene = Scene::new("task \"a\" { out \"a\"; script \"join 1\" }\n");
    scene.write(
        "lib/q.kdl",
        "rule \"made\" { out \"o\" path=\"o\"; run \"cp\" { args \"{out}\" } }\n",
    );
    let task = "task \"b\" { out \"b\"; script \"join 1\" }\n";
    scene.write("d/BUILD.kdl", task);
    settled(&scene, "//...").expect("unchanged a b");
    scene.write("d/BUILD.kdl", &format!("use \"//lib/q.kdl\"\n{task}"));
    let folder = scene.root().join(".vwfb/snapshots");
    scene.build("//...").expect("unchanged a b");
    assert!(files(&folder).is_empty());
    scene.build("//...").expect("unchanged a b");
    assert_eq!(files(&folder).len(), 1);
}
