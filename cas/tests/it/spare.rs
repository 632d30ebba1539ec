//! Spare files, for the first who wants their bytes as his own.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use vwfb_cas::{Artifact, Destination, Store, Take};

use crate::common::Place;

/// A store, and a folder to put results into.
struct Scene {
    place: Place,
    store: Store,
    to: Destination,
}

impl Scene {
    fn new(place: Place) -> Self {
        let store = place.open();
        fs::create_dir(place.path("out")).unwrap();
        let to = Destination::open(&place.path("out"), &place.path("staging")).unwrap();
        assert!(to.is_beside(&store));
        Self { place, store, to }
    }

    /// Writes a file, has `change` make it what it is not usually, and makes it a spare. While it is
    /// open its number is given to no other.
    fn spare(&self, text: &str, change: impl FnOnce(&Path)) -> (Artifact, fs::File) {
        let path = self.place.write("made", text);
        change(&path);
        let open = fs::File::open(&path).unwrap();
        let file = self.store.put_file(&path, Take::Spare).unwrap();
        assert!(!path.exists(), "it is not left where it was");
        (Artifact::File(file), open)
    }

    fn put(&self, artifact: &Artifact, at: &str) -> PathBuf {
        self.store.materialise_into(artifact, &self.to, Path::new(at)).unwrap();
        self.place.path("out").join(at)
    }

    /// The spare files.
    fn spares(&self) -> Vec<PathBuf> {
        let all = walkdir::WalkDir::new(self.place.path("store/scratch"));
        let all = all.into_iter().map(|entry| entry.unwrap().into_path());
        all.filter(|path| path.parent().is_some_and(|it| it.ends_with("spare"))).collect()
    }
}

fn inode(path: &Path) -> u64 {
    fs::metadata(path).unwrap().ino()
}

fn number(open: &fs::File) -> u64 {
    open.metadata().unwrap().ino()
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn the_file_itself_is_put_in_place_once_as_if_it_were_made_now() {
    let scene = Scene::new(Place::unpacked());
    let old = SystemTime::UNIX_EPOCH + Duration::from_secs(300_000_000);
    let (film, original) = scene.spare("film", |path| {
        fs::File::options().write(true).open(path).unwrap().set_modified(old).unwrap();
        set_mode(path, 0o440);
    });
    let first = scene.put(&film, "a/film.mp4");
    let found = fs::metadata(&first).unwrap();
    assert_eq!((found.ino(), found.mode() & 0o7777, found.nlink()), (number(&original), 0o644, 1));
    assert!(found.modified().unwrap().elapsed().unwrap() < Duration::from_secs(600));
    let second = scene.put(&film, "second.mp4");
    assert_ne!(inode(&second), number(&original));
    fs::write(&first, "edited").unwrap();
    let Artifact::File(file) = film else { panic!() };
    assert_eq!(scene.store.read(file.blob).unwrap(), b"film");
    assert_eq!(fs::read(second).unwrap(), b"film");
    assert_eq!(fs::read(scene.put(&film, "a/film.mp4")).unwrap(), b"film");
}

#[test]
fn a_spare_program_can_be_executed_and_takes_the_place_of_what_was_there() {
    let scene = Scene::new(Place::unpacked());
    let (script, original) = scene.spare("#!/bin/sh\n", |path| set_mode(path, 0o4700));
    fs::create_dir_all(scene.place.path("out/a/b")).unwrap();
    fs::write(scene.place.path("out/a/b/c"), "c").unwrap();
    let put = scene.put(&script, "a");
    assert_eq!(
        (inode(&put), fs::metadata(&put).unwrap().mode() & 0o7777),
        (number(&original), 0o755)
    );
    assert_eq!(scene.spares(), [] as [PathBuf; 0]);
}

#[test]
fn few_bytes_are_written_anew() {
    let scene = Scene::new(Place::new());
    let (film, original) = scene.spare("film", |_| {});
    assert_eq!(scene.spares(), [] as [PathBuf; 0]);
    assert_ne!(inode(&scene.put(&film, "film.mp4")), number(&original));
}

#[test]
fn equal_files_are_each_put_in_place() {
    let scene = Scene::new(Place::unpacked());
    let (one, first) = scene.spare("same", |_| {});
    let (other, second) = scene.spare("same", |_| {});
    assert_eq!(one, other);
    let mut inodes = ["a", "b", "c"].map(|at| inode(&scene.put(&one, at)));
    inodes[..2].sort_unstable();
    let mut originals = [first, second].map(|open| number(&open));
    originals.sort_unstable();
    assert_eq!(inodes[..2], originals);
    assert!(!originals.contains(&inodes[2]));
}

#[test]
fn what_is_more_than_bytes_with_a_name_is_no_spare() {
    let scene = Scene::new(Place::unpacked());
    let linked = scene.place.path("linked");
    let (one, original) = scene.spare("linked", |path| fs::hard_link(path, &linked).unwrap());
    assert_ne!(inode(&scene.put(&one, "one")), number(&original));
    assert_eq!(fs::read(&linked).unwrap(), b"linked");
    let none = rustix::fs::XattrFlags::empty();
    let note = |path: &Path| rustix::fs::setxattr(path, "user.note", b"x", none);
    if note(&linked) != Err(rustix::io::Errno::OPNOTSUPP) {
        let (noted, original) = scene.spare("noted", |path| note(path).unwrap());
        assert_ne!(inode(&scene.put(&noted, "noted")), number(&original));
    }
    assert_eq!(scene.spares(), [] as [PathBuf; 0]);
}

#[test]
fn a_spare_file_that_is_written_to_or_linked_is_not_put_in_place() {
    let scene = Scene::new(Place::unpacked());
    let spare = |text: &str| {
        let (artifact, _) = scene.spare(text, |_| {});
        let [path] = scene.spares().try_into().unwrap();
        (artifact, path)
    };
    let (one, path) = spare("one");
    fs::write(&path, "two").unwrap();
    assert_eq!(fs::read(scene.put(&one, "a")).unwrap(), b"one");
    let (three, path) = spare("three");
    fs::hard_link(&path, scene.place.path("link")).unwrap();
    let put = scene.put(&three, "a");
    assert_eq!(fs::read(&put).unwrap(), b"three");
    assert_ne!(inode(&put), inode(&scene.place.path("link")));
    let (four, path) = spare("four");
    fs::remove_file(path).unwrap();
    assert_eq!(fs::read(scene.put(&four, "a")).unwrap(), b"four");
    assert_eq!(scene.spares(), [] as [PathBuf; 0]);
}

#[test]
fn a_folder_that_gives_its_group_gets_new_files() {
    let scene = Scene::new(Place::unpacked());
    set_mode(&scene.place.path("out"), 0o2775);
    let (film, original) = scene.spare("film", |_| {});
    assert_ne!(inode(&scene.put(&film, "film.mp4")), number(&original));
    assert_eq!(scene.spares(), [] as [PathBuf; 0]);
}

#[test]
fn what_nobody_wants_goes_with_the_store() {
    let scene = Scene::new(Place::unpacked());
    let _spare = scene.spare("film", |_| {});
    assert_eq!(scene.spares().len(), 1);
    let Scene { place, store, to } = scene;
    drop((store, to));
    assert_eq!(fs::read_dir(place.path("store/scratch")).unwrap().count(), 0);
}
