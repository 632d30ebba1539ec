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

    /// One in whose folder large files can be spares; none where none can.
    fn of_spares() -> Option<Self> {
        let place = Place::unpacked();
        (!all_have_attributes(&place)).then(|| Self::new(place))
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

/// Waits until a file that is changed now has another time than one that was changed before, also where
/// the kernel's clock for files is slow.
fn a_tick() {
    std::thread::sleep(Duration::from_millis(20));
}

/// Whether new files here have attributes by themselves, such as a label of SELinux: then none is a
/// spare.
fn all_have_attributes(place: &Place) -> bool {
    let path = place.write("new", "");
    let listed = rustix::fs::listxattr(path, &mut [0_u8; 256]);
    listed.is_ok_and(|length| length > 0)
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn the_file_itself_is_put_in_place_once_as_if_it_were_made_now() {
    let Some(scene) = Scene::of_spares() else { return };
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
    let Some(scene) = Scene::of_spares() else { return };
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
    let Some(scene) = Scene::of_spares() else { return };
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
    let Some(scene) = Scene::of_spares() else { return };
    let spare = |text: &str| {
        let (artifact, _) = scene.spare(text, |_| {});
        let [path] = scene.spares().try_into().unwrap();
        (artifact, path)
    };
    let (one, path) = spare("one");
    a_tick();
    fs::write(&path, "two").unwrap();
    assert_eq!(fs::read(scene.put(&one, "a")).unwrap(), b"one");
    // Nor one that is made to look as it was.
    let (one, path) = spare("one more");
    let modified = fs::metadata(&path).unwrap().modified().unwrap();
    a_tick();
    fs::write(&path, "two more").unwrap();
    fs::File::options().write(true).open(&path).unwrap().set_modified(modified).unwrap();
    assert_eq!(fs::read(scene.put(&one, "a")).unwrap(), b"one more");
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
fn what_has_another_owner_or_more_room_than_it_needs_is_no_spare() {
    let scene = Scene::new(Place::unpacked());
    let (roomy, original) = scene.spare("roomy", |path| {
        let file = fs::File::options().write(true).open(path).unwrap();
        let keep_size = rustix::fs::FallocateFlags::KEEP_SIZE;
        let _where_it_can = rustix::fs::fallocate(&file, keep_size, 0, 4 << 20);
    });
    if original.metadata().unwrap().blocks() > 2048 {
        assert_ne!(inode(&scene.put(&roomy, "roomy")), number(&original));
    }
    // Who may not give it away has no other group, either, as a rule.
    let given = |path: &Path| std::os::unix::fs::chown(path, None, Some(1)).is_ok();
    let mut is_given = false;
    let (other, original) = scene.spare("other", |path| is_given = given(path));
    if is_given {
        let put = scene.put(&other, "other");
        assert_ne!(inode(&put), number(&original));
        assert_ne!(fs::metadata(put).unwrap().gid(), 1);
        assert_eq!(scene.spares(), [] as [PathBuf; 0]);
    }
}

#[test]
fn what_nobody_wants_goes_with_the_store() {
    let Some(scene) = Scene::of_spares() else { return };
    let _spare = scene.spare("film", |_| {});
    assert_eq!(scene.spares().len(), 1);
    let Scene { place, store, to } = scene;
    drop((store, to));
    assert_eq!(fs::read_dir(place.path("store/scratch")).unwrap().count(), 0);
}
