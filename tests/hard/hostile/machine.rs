//! A machine that will not let vwfb write: read-only folders, and a disk that fills up.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use crate::world::{Ran, World, tell};

const COPY: &str = "task \"a\" { srcs \"s.txt\"; out \"a\"; script \"cat {srcs} > {out}\" }\n";

fn copy() -> World {
    let world = World::with(COPY);
    world.write("p/s.txt", "source\n");
    world
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// Runs vwfb as somebody who may not write where others own: as `nobody`, where this is root.
fn run_as_other(world: &World, args: &[&str]) -> Option<Ran> {
    if !is_root() {
        return Some(world.run(args));
    }
    // Its own folder may be closed to others.
    let binary = world.beside("vwfb");
    if fs::hard_link(env!("CARGO_BIN_EXE_vwfb"), &binary).is_err() {
        fs::copy(env!("CARGO_BIN_EXE_vwfb"), &binary).unwrap();
    }
    set_mode(world.root().parent().unwrap(), 0o755);
    let mut command = Command::new("setpriv");
    world.prepare(&mut command);
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups", "--"]);
    match command.arg(binary).args(args).output() {
        Ok(output) => Some(Ran::of(output)),
        Err(error) => {
            tell(&format!("skipped: `setpriv` cannot be started: {error}"));
            None
        }
    }
}

#[test]
fn a_workspace_that_cannot_be_written_is_told() {
    let world = copy();
    fs::create_dir(world.store()).unwrap();
    set_mode(world.store(), 0o777);
    set_mode(world.root(), 0o555);
    let ran = run_as_other(&world, &["build", "//p:a"]);
    set_mode(world.root(), 0o755);
    if let Some(ran) = ran {
        let _told = ran.exits(4).says("cannot create `").says(".vwfb`: Permission denied");
    }
    let _built = world.ok(&["build", "//p:a"]);
}

#[test]
fn a_store_that_cannot_be_written_is_told() {
    let world = copy();
    fs::create_dir(world.store()).unwrap();
    set_mode(world.store(), 0o555);
    set_mode(world.root(), 0o777);
    let ran = run_as_other(&world, &["build", "//p:a"]);
    set_mode(world.store(), 0o755);
    set_mode(world.root(), 0o755);
    if let Some(ran) = ran {
        let _told = ran.exits(4).says("Permission denied").says("store");
    }
    let _built = world.ok(&["build", "//p:a"]);
}

#[test]
fn a_source_that_may_not_be_read_is_told() {
    let world = copy();
    set_mode(&world.path("p/s.txt"), 0);
    set_mode(world.root(), 0o777);
    fs::create_dir(world.store()).unwrap();
    set_mode(world.store(), 0o777);
    if let Some(ran) = run_as_other(&world, &["build", "//p:a"]) {
        let _told = ran.says("s.txt").says("Permission denied");
    }
}

/// A small file system of memory, unmounted at the end.
struct Small<'w>(&'w Path);

impl<'w> Small<'w> {
    fn mount(folder: &'w Path) -> Option<Self> {
        fs::create_dir(folder).unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=2m", "tmpfs"]).arg(folder);
        let mounted = is_root() && mount.output().is_ok_and(|ended| ended.status.success());
        if !mounted {
            tell("skipped: no file system can be mounted here");
        }
        mounted.then_some(Self(folder))
    }
}

impl Drop for Small<'_> {
    fn drop(&mut self) {
        let unmounted = Command::new("umount").arg("-l").arg(self.0).status();
        assert!(unmounted.is_ok_and(|status| status.success()) || std::thread::panicking());
    }
}

#[test]
fn a_full_disk_is_told_and_space_is_all_that_it_takes_to_go_on() {
    let world = World::with(
        "task \"a\" { out \"a\"; script \"head -c 300000 /dev/zero > {out}\" }\n\
         task \"b\" { srcs \":a\"; out \"b\"; script \"cat {srcs} {srcs} > {out}\" }\n",
    );
    let store = world.store().to_owned();
    let Some(_small) = Small::mount(&store) else { return };
    let _stored = world.run(&["cache", "stats"]).exits(0);
    let filler = store.join("filler");
    let room = |bytes: usize| {
        let _absent = fs::remove_file(&filler);
        fs::write(&filler, vec![1; 2 * 1024 * 1024]).unwrap_err();
        let full = fs::metadata(&filler).unwrap().len();
        let file = fs::File::options().write(true).open(&filler).unwrap();
        file.set_len(full.saturating_sub(bytes as u64)).unwrap();
    };
    for bytes in [0, 4096, 20_000, 60_000, 200_000, 400_000, 700_000] {
        room(bytes);
        let ran = world.run(&["build", "//p:b"]);
        if ran.code != Some(0) {
            assert!(matches!(ran.code, Some(1 | 4)), "{bytes}: {:?}\n{}", ran.code, ran.stderr);
            assert!(
                ["No space left", "disk I/O error", "is full"]
                    .iter()
                    .any(|words| ran.stderr.contains(words)),
                "{bytes}: {}",
                ran.stderr
            );
        }
    }
    fs::remove_file(&filler).unwrap();
    let _built = world.ok(&["build", "//p:b"]);
    assert_eq!(fs::read(world.path("vwfb-out/p/b")).unwrap(), vec![0; 600_000]);
    let _verified = world.ok(&["cache", "verify"]);
}
