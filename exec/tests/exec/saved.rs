//! Closures that are kept hold exactly as long as finding them anew would find the same.

use std::fs;
use std::io;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use tempfile::TempDir;
use vwfb_cas::Digest;
use vwfb_exec::{FileDigests, ProgramSpec, SavedClosure, ToolSpec, Toolchains};

use crate::scene::Reading;
use crate::tools::{executable, link};

/// A toolchain of a temporary folder, and its closure as it was kept.
struct Kept {
    temp: TempDir,
    search: Vec<PathBuf>,
    saved: SavedClosure,
}

impl Kept {
    /// Finds the closure of `programs` and of the folder `data`, after `fill` has filled a
    /// temporary folder, whose `first` and `second` begin the search path.
    fn new(programs: &[&str], data: &[&str], fill: impl FnOnce(&Path)) -> Self {
        let temp = TempDir::new().unwrap();
        let search = ["first", "second"].map(|name| temp.path().join(name)).to_vec();
        search.iter().for_each(|folder| fs::create_dir(folder).unwrap());
        fill(temp.path());
        let program = |name: &&str| match name.strip_prefix("//") {
            Some(path) => ProgramSpec::at(name, &temp.path().join(path)),
            None => ProgramSpec::named(name),
        };
        let tool = ToolSpec {
            name: "tool".to_owned(),
            programs: programs.iter().map(program).collect(),
            data: data.iter().map(|path| temp.path().join(path)).collect(),
        };
        let found = Toolchains::new(&search).find(&tool, &Reading).unwrap();
        let saved = SavedClosure::decode(&found.encode()).unwrap();
        assert_eq!(saved, found);
        let kept = Self { temp, search, saved };
        assert!(kept.holds(), "nothing has changed yet");
        kept
    }

    fn path(&self, name: &str) -> PathBuf {
        self.temp.path().join(name)
    }

    /// Whether it holds, which must be so exactly if the same would be found.
    fn holds(&self) -> bool {
        let toolchains = Toolchains::new(&self.search);
        let holds = toolchains.vouch_for(&self.saved, &Reading);
        let found = toolchains.find(self.saved.tool(), &Reading);
        if let Ok(found) = found {
            assert!(!holds || found == self.saved, "it holds, and another would be found");
        } else {
            assert!(!holds, "it holds, and none would be found");
        }
        holds
    }
}

const SCRIPT: &str = "#!/bin/sh\n";

#[test]
fn a_program_that_appears_earlier_on_the_path_is_seen() {
    let kept = Kept::new(&["gen"], &[], |root| executable(&root.join("second/gen"), SCRIPT));
    fs::write(kept.path("first/gen"), SCRIPT).unwrap();
    assert!(!kept.holds(), "a file that is no program yet may become one");
    executable(&kept.path("first/gen"), SCRIPT);
    assert!(!kept.holds());
    fs::remove_file(kept.path("first/gen")).unwrap();
    assert!(kept.holds());
}

#[test]
fn an_optional_program_that_appears_is_seen() {
    let tool = ToolSpec {
        name: "tool".to_owned(),
        programs: vec![ProgramSpec { optional: true, ..ProgramSpec::named("no-such-program") }],
        data: Vec::new(),
    };
    let temp = TempDir::new().unwrap();
    let toolchains = Toolchains::new(&[temp.path().to_owned()]);
    let saved = toolchains.find(&tool, &Reading).unwrap();
    assert!(toolchains.vouch_for(&saved, &Reading));
    executable(&temp.path().join("no-such-program"), SCRIPT);
    assert!(!toolchains.vouch_for(&saved, &Reading));
}

#[test]
fn a_program_that_changes_or_cannot_be_executed_any_more_is_seen() {
    let kept = Kept::new(&["gen"], &[], |root| executable(&root.join("first/gen"), SCRIPT));
    executable(&kept.path("first/gen"), "#!/bin/sh\n:\n");
    assert!(!kept.holds());
    executable(&kept.path("first/gen"), SCRIPT);
    assert!(kept.holds(), "the same bytes at a later time are the same program");
    let none = fs::Permissions::from_mode(0o644);
    fs::set_permissions(kept.path("first/gen"), none).unwrap();
    assert!(!kept.holds());
}

#[test]
fn a_link_that_leads_elsewhere_is_seen() {
    let kept = Kept::new(&["gen"], &[], |root| {
        for version in ["v1", "v2"] {
            fs::create_dir(root.join(version)).unwrap();
            executable(&root.join(version).join("gen"), SCRIPT);
        }
        symlink("v1", root.join("current")).unwrap();
        symlink("../current/gen", root.join("first/gen")).unwrap();
    });
    fs::remove_file(kept.path("current")).unwrap();
    symlink("v2", kept.path("current")).unwrap();
    assert!(!kept.holds(), "also where the same bytes are");
}

#[test]
fn the_interpreter_that_env_looks_up_is_seen() {
    let kept = Kept::new(&["gen"], &[], |root| {
        executable(&root.join("second/gen"), "#!/usr/bin/env runner\n");
        executable(&root.join("second/runner"), SCRIPT);
    });
    executable(&kept.path("first/runner"), SCRIPT);
    assert!(!kept.holds());
}

/// A program that finds `libx.so` in the folder `near` beside it, or else in `far`.
fn with_library(root: &Path) {
    fs::write(root.join("main.c"), "void _start(void) { for (;;); }").unwrap();
    fs::write(root.join("x.c"), "int a;").unwrap();
    for folder in ["near", "far"] {
        fs::create_dir(root.join(folder)).unwrap();
    }
    link(root, &["-shared", "-o", "far/libx.so", "x.c", "-Wl,-soname,libx.so"]);
    let runpath = "-Wl,-rpath,$ORIGIN/near:$ORIGIN/far";
    link(root, &["-o", "program", "main.c", "-Wl,--no-as-needed", "far/libx.so", runpath]);
}

#[test]
fn a_library_that_is_replaced_or_found_earlier_is_seen() {
    let kept = Kept::new(&["//program"], &[], with_library);
    assert!(kept.saved.closure().readable.contains(&kept.path("far/libx.so")));
    fs::copy(kept.path("far/libx.so"), kept.path("near/libx.so")).unwrap();
    assert!(!kept.holds(), "it is found earlier");
    fs::remove_file(kept.path("near/libx.so")).unwrap();
    assert!(kept.holds());
    fs::write(kept.path("x.c"), "int a, b;").unwrap();
    link(kept.temp.path(), &["-shared", "-o", "far/libx.so", "x.c", "-Wl,-soname,libx.so"]);
    assert!(!kept.holds(), "it is another");
    fs::remove_file(kept.path("far/libx.so")).unwrap();
    assert!(!kept.holds(), "it is gone");
}

#[test]
fn every_change_in_a_folder_of_data_is_seen() {
    let kept = Kept::new(&[], &["data"], |root| {
        for folder in ["data/fonts/empty", "elsewhere"] {
            fs::create_dir_all(root.join(folder)).unwrap();
        }
        fs::write(root.join("data/fonts/sans"), "glyphs").unwrap();
        fs::write(root.join("elsewhere/serif"), "glyphs").unwrap();
        symlink("../elsewhere", root.join("data/linked")).unwrap();
        symlink("nowhere", root.join("data/broken")).unwrap();
        symlink(".", root.join("data/circle")).unwrap();
    });
    let write = |path: &str, text: &str| fs::write(kept.path(path), text).unwrap();
    for new in ["data/new", "data/fonts/empty/new", "elsewhere/new", "data/nowhere"] {
        write(new, "");
        assert!(!kept.holds(), "{new}");
        fs::remove_file(kept.path(new)).unwrap();
        assert!(kept.holds(), "{new}");
    }
    for changed in ["data/fonts/sans", "elsewhere/serif"] {
        write(changed, "other glyphs");
        assert!(!kept.holds(), "{changed}");
        write(changed, "glyphs");
        assert!(kept.holds(), "{changed}");
    }
    fs::remove_file(kept.path("data/broken")).unwrap();
    assert!(!kept.holds());
    symlink("elsewhere", kept.path("data/broken")).unwrap();
    assert!(!kept.holds());
}

/// Says of one file that it has changed.
struct Changed(PathBuf);

impl FileDigests for Changed {
    fn digest(&self, path: &Path) -> io::Result<Digest> {
        let digest = Reading.digest(path)?;
        Ok(if path == self.0 { Digest::of(digest.as_bytes()) } else { digest })
    }
}

#[test]
fn every_file_of_the_base_and_the_loaders_cache_count() {
    let toolchains = Toolchains::new(&[]);
    let tool = ToolSpec::base();
    let saved = toolchains.find(&tool, &Reading).unwrap();
    assert!(toolchains.vouch_for(&saved, &Reading));
    let cache = fs::canonicalize("/etc/ld.so.cache").into_iter();
    let loader = saved.closure().components.keys().filter(|path| path.contains("/ld-"));
    let shell = fs::canonicalize("/bin/sh").unwrap();
    for path in cache.chain(loader.map(PathBuf::from)).chain([shell]) {
        assert!(!toolchains.vouch_for(&saved, &Changed(path.clone())), "{}", path.display());
    }
}

#[test]
fn another_search_path_finds_something_else() {
    let kept = Kept::new(&["gen"], &[], |root| executable(&root.join("first/gen"), SCRIPT));
    assert!(!Toolchains::new(&kept.search[..1]).vouch_for(&kept.saved, &Reading));
}

#[test]
fn other_bytes_are_no_closure() {
    let kept = Kept::new(&["gen"], &["first"], |root| executable(&root.join("first/gen"), SCRIPT));
    let bytes = kept.saved.encode();
    for end in 0..bytes.len() {
        assert_eq!(SavedClosure::decode(&bytes[..end]), None, "{end}");
    }
    assert_eq!(SavedClosure::decode(&[&bytes[..], b"x"].concat()), None);
    let other = [b"vwfb closure 0\n", &bytes[15..]].concat();
    assert_eq!(SavedClosure::decode(&other), None);
}
