//! Odd rule files, names, links and output folders.

use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use crate::world::{Ran, World, contents};

/// A task that copies `s.txt` to `out`.
const COPY: &str = "task \"a\" { srcs \"s.txt\"; out \"a\"; script \"cat {srcs} > {out}\" }\n";

/// The workspace of `COPY`.
fn copy() -> World {
    let world = World::with(COPY);
    world.write("p/s.txt", "source\n");
    world
}

#[test]
fn outside_a_workspace_every_command_says_so() {
    let folder = tempfile::tempdir().unwrap();
    for args in [&["build", "//..."][..], &["check"], &["query", "//..."], &["clean"]] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_vwfb"));
        command.args(args).current_dir(folder.path()).env_clear().env("HOME", folder.path());
        let ran = Ran::of(command.output().unwrap()).exits(3).says("is not in a workspace");
        let _told = ran.says("WORKSPACE.kdl");
    }
}

#[test]
fn a_workspace_without_packages_checks_and_says_what_a_package_is() {
    let world = World::empty();
    let _checked = world.ok(&["check"]);
    let _told = world.run(&["build", "//..."]).exits(3).says("a package is a folder with");
}

#[test]
fn a_rule_file_that_is_no_text_is_a_diagnostic() {
    let world = copy();
    world.write("bad/BUILD.kdl", [0_u8, 159, 146, 150, 255, 254]);
    let _told = world.run(&["check"]).exits(3).says("error[unreadable-file]");
    let _built = world.ok(&["build", "//p:a"]);
    world.write("WORKSPACE.kdl", [0xff_u8, 0xfe, 0]);
    let _told = world.run(&["check"]).exits(3).says("error[unreadable-file]");
}

#[test]
fn a_folder_with_the_name_of_a_rule_file_is_no_package() {
    let world = copy();
    fs::create_dir_all(world.path("odd/BUILD.kdl")).unwrap();
    let ran = world.run(&["check"]);
    assert!(matches!(ran.code, Some(0 | 3)), "{}", ran.stderr);
    let _refused = world.run(&["build", "//odd:x"]).exits(3);
    let _built = world.ok(&["build", "//p:a"]);
}

#[test]
fn ten_megabytes_of_braces_are_refused() {
    for brace in ["{", "a {", "(", "/*", "/-", "a;}"] {
        let world = World::with(&brace.repeat(10_000_000 / brace.len()));
        let ran = world.run(&["check"]).exits(3);
        assert!(ran.stderr.contains("error["), "{brace}: {}", ran.stderr);
        assert!(ran.stderr.len() < 200_000, "{brace}: {} bytes of errors", ran.stderr.len());
    }
}

#[test]
fn line_ends_of_windows_and_a_byte_order_mark_change_nothing() {
    let world = copy();
    world.write(
        "q/BUILD.kdl",
        format!("\u{feff}{}", COPY.replace("; ", "\n").replace('\n', "\r\n")),
    );
    world.write("q/s.txt", "source\r\n");
    let _built = world.ok(&["build", "//..."]);
    assert_eq!(world.read("vwfb-out/q/a"), "source\r\n");
}

#[test]
fn names_of_files_may_hold_what_file_systems_allow() {
    let names =
        ["a b", "\u{fc}ml\u{e4}ut \u{1f3ac}", "-rf", "$(touch x)", "'quo\"te'", "`id`", "{b}"];
    let world = World::with(
        "task \"all\u{5f}\" { srcs (glob)\"in/*\"; out \"sum\"; \
         script \"for file in {srcs}; do cat \\\"./$file\\\"; done > {out}\" }\n",
    );
    for (at, name) in names.iter().enumerate() {
        world.write(&format!("p/in/{name}.txt"), format!("{at}\n"));
    }
    let _built = world.ok(&["build", "//p:all_"]);
    let mut lines: Vec<String> = world.read("vwfb-out/p/sum").lines().map(str::to_owned).collect();
    lines.sort();
    assert_eq!(lines, ["0", "1", "2", "3", "4", "5", "6"]);
    assert!(!world.path("p/x").exists());
}

#[test]
fn a_name_that_is_no_utf8_is_left_alone_or_refused() {
    use std::os::unix::ffi::OsStrExt;
    let world = copy();
    let odd = std::ffi::OsStr::from_bytes(b"p/odd-\xff.txt");
    fs::write(world.root().join(odd), "x").unwrap();
    fs::create_dir(world.root().join(std::ffi::OsStr::from_bytes(b"dir-\xff"))).unwrap();
    world.write("p/BUILD.kdl", format!("{COPY}filegroup \"texts\" {{ srcs (glob)\"*.txt\" }}\n"));
    let _built = world.ok(&["build", "//p:a"]);
    let ran = world.run(&["build", "//p:texts"]);
    assert!(matches!(ran.code, Some(0 | 3)), "{}", ran.stderr);
}

#[test]
fn links_in_circles_are_not_followed_for_ever() {
    let world = copy();
    symlink("..", world.path("p/up")).unwrap();
    symlink(".", world.path("p/same")).unwrap();
    symlink("loop-b.txt", world.path("p/loop-a.txt")).unwrap();
    symlink("loop-a.txt", world.path("p/loop-b.txt")).unwrap();
    let group = "filegroup \"texts\" { srcs (glob)\"**/s.txt\" }\n";
    world.write("p/BUILD.kdl", format!("{COPY}{group}"));
    let _built = world.ok(&["build", "//..."]);
    world.write("q/BUILD.kdl", COPY.replace("s.txt", "//p/loop-a.txt"));
    let ran = world.run(&["build", "//q:a"]);
    assert!(matches!(ran.code, Some(3 | 4)), "{:?} {}", ran.code, ran.stderr);
    assert!(ran.stderr.contains("loop-a.txt"), "{}", ran.stderr);
}

#[test]
fn a_source_that_is_a_link_counts_by_what_it_leads_to() {
    let world = copy();
    let outside = world.beside("outside.txt");
    fs::write(&outside, "one\n").unwrap();
    fs::remove_file(world.path("p/s.txt")).unwrap();
    symlink(&outside, world.path("p/s.txt")).unwrap();
    let _built = world.ok(&["build", "//p:a"]);
    assert_eq!(world.read("vwfb-out/p/a"), "one\n");
    fs::write(&outside, "two\n").unwrap();
    let _built = world.ok(&["build", "//p:a"]);
    assert_eq!(world.read("vwfb-out/p/a"), "two\n");
    fs::remove_file(&outside).unwrap();
    let _told = world.run(&["build", "//p:a"]).exits(3).says("s.txt");
}

#[test]
fn nothing_is_written_through_an_output_folder_that_is_a_link() {
    for (link, folder) in [("vwfb-out", ""), ("vwfb-out/p", "vwfb-out")] {
        let world = copy();
        let outside = world.beside("outside");
        fs::create_dir(&outside).unwrap();
        fs::create_dir_all(world.path(folder)).unwrap();
        symlink(&outside, world.path(link)).unwrap();
        let ran = world.run(&["build", "//p:a"]).exits(4).says("symbolic link");
        assert!(ran.stderr.contains(link), "{}", ran.stderr);
        assert!(contents(&outside).is_empty());
        let _cleaned = world.ok(&["clean"]);
        assert!(outside.is_dir() && !world.path(link).exists());
        let _built = world.ok(&["build", "//p:a"]);
    }
}

#[test]
fn what_stands_where_an_output_goes_is_replaced() {
    let world = copy();
    world.write("vwfb-out/p/a/b/c", "a folder of someone\n");
    let _built = world.ok(&["build", "//p:a"]);
    fs::remove_file(world.path("vwfb-out/p/a")).unwrap();
    let victim = world.beside("victim");
    fs::write(&victim, "keep\n").unwrap();
    symlink(&victim, world.path("vwfb-out/p/a")).unwrap();
    let _built = world.ok(&["build", "//p:a"]);
    assert_eq!(fs::read_to_string(victim).unwrap(), "keep\n");
    assert_eq!(world.read("vwfb-out/p/a"), "source\n");
    fs::write(world.path("vwfb-out/p/a"), "edited\n").unwrap();
    let _built = world.ok(&["build", "//p:a"]);
    assert_eq!(world.read("vwfb-out/p/a"), "source\n");
}

#[test]
fn no_output_leaves_its_package() {
    for path in ["../x", "/x", "a/../../x", "", ".", "..", "a//b", "x/../..", "a\\0b"] {
        let script = "script \"echo > {out}\"";
        let world = World::with(&format!("task \"a\" {{ out \"{path}\"; {script} }}\n"));
        let ran = world.run(&["check"]);
        if ran.code == Some(0) {
            let _built = world.ok(&["build", "//p:a"]);
            let made = contents(&world.path("vwfb-out"));
            assert!(
                made.keys().all(|made| made.starts_with("p/") || made == ".gitignore"),
                "{path}"
            );
        } else {
            let _refused = ran.exits(3).says("error[");
        }
        assert!(!world.beside("x").exists() && !world.path("x").exists());
    }
}

#[test]
fn a_source_that_changes_while_it_is_read_is_read_whole() {
    let world = copy();
    let (one, two) = ("1".repeat(300_000), "2".repeat(500_000));
    world.write("p/s.txt", &one);
    let stop = AtomicBool::new(false);
    let mut seen = Vec::new();
    thread::scope(|scope| {
        scope.spawn(|| {
            for text in [&two, &one].into_iter().cycle() {
                world.write("fresh", text);
                fs::rename(world.path("fresh"), world.path("p/s.txt")).unwrap();
                if stop.load(Ordering::Relaxed) {
                    break;
                }
            }
        });
        for _ in 0..10 {
            let ran = world.run(&["build", "//p:a"]);
            seen.push((ran, fs::read_to_string(world.path("vwfb-out/p/a")).unwrap_or_default()));
        }
        stop.store(true, Ordering::Relaxed);
    });
    for (ran, made) in seen {
        if ran.code != Some(0) {
            assert!(ran.stderr.contains("chang"), "{:?} {}", ran.code, ran.stderr);
        }
        assert!(["", &one, &two].contains(&made.as_str()), "{} bytes", made.len());
    }
    let _built = world.ok(&["build", "//p:a"]);
    assert_eq!(world.read("vwfb-out/p/a"), world.read("p/s.txt"));
    let _verified = world.ok(&["cache", "verify"]);
}
