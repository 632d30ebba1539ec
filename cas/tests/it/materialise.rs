//! Artifacts in their places.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;

use vwfb_cas::{Artifact, Destination, MaterialiseError, Placement, Store, Take};

use crate::common::Place;

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().mode() & 0o777
}

fn script(place: &Place, store: &Store) -> Artifact {
    let path = place.write("run.sh", "#!/bin/sh\n");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).unwrap();
    Artifact::File(store.put_file(&path, Take::Copy).unwrap())
}

fn pages(place: &Place, store: &Store) -> Artifact {
    place.write("pages/sub/a.txt", "a");
    fs::create_dir_all(place.path("pages/empty")).unwrap();
    let _ = symlink("sub/a.txt", place.path("pages/link"));
    Artifact::Tree(store.put_tree(&place.path("pages"), Take::Copy).unwrap())
}

#[test]
fn shared_files_are_names_of_the_blob_and_copies_are_not() {
    let place = Place::unpacked();
    let store = place.open();
    let script = script(&place, &store);
    let (shared, copied, owned) = (place.path("s"), place.path("c"), place.path("o"));
    store.materialise(&script, &shared, Placement::Shared).unwrap();
    store.materialise(&script, &copied, Placement::Copied).unwrap();
    store.materialise(&script, &owned, Placement::Owned).unwrap();
    assert_eq!([mode(&shared), mode(&copied), mode(&owned)], [0o555, 0o555, 0o755]);
    let Artifact::File(file) = script else { panic!() };
    let inode = |path: &Path| fs::metadata(path).unwrap().ino();
    let blob = inode(&place.blob(&file));
    assert_eq!(
        [inode(&shared) == blob, inode(&copied) == blob, inode(&owned) == blob],
        [true, false, false]
    );
}

#[test]
fn changing_an_owned_file_leaves_the_store_alone() {
    let place = Place::new();
    let store = place.open();
    let file = store.put_bytes(b"film").unwrap();
    let to = place.path("film.mp4");
    store.materialise(&Artifact::File(file), &to, Placement::Owned).unwrap();
    assert_eq!(mode(&to), 0o644);
    fs::write(&to, "edited").unwrap();
    assert_eq!(store.read(file.blob).unwrap(), b"film");
    store.materialise(&Artifact::File(file), &to, Placement::Owned).unwrap();
    assert_eq!(fs::read(&to).unwrap(), b"film");
}

#[test]
fn a_tree_comes_out_as_it_went_in() {
    let place = Place::new();
    let store = place.open();
    let pages = pages(&place, &store);
    for placement in [Placement::Shared, Placement::Copied, Placement::Owned] {
        let to = place.path(&format!("{placement:?}"));
        store.materialise(&pages, &to, placement).unwrap();
        assert_eq!(fs::read_to_string(to.join("link")).unwrap(), "a");
        assert_eq!(Artifact::Tree(store.put_tree(&to, Take::Copy).unwrap()), pages);
    }
}

#[test]
fn a_tree_replaces_the_old_tree_whole() {
    let place = Place::new();
    let store = place.open();
    let pages = pages(&place, &store);
    place.write("out/old.txt", "old");
    place.write("out/sub/old.txt", "old");
    store.materialise(&pages, &place.path("out"), Placement::Owned).unwrap();
    assert!(!place.path("out/old.txt").exists() && !place.path("out/sub/old.txt").exists());
    assert!(place.path("out/sub/a.txt").exists());
    let hidden = fs::read_dir(place.dir.path()).unwrap().flatten();
    let hidden = hidden.filter(|entry| entry.file_name().to_string_lossy().starts_with('.'));
    assert_eq!(hidden.count(), 0);
}

#[test]
fn a_file_and_a_tree_can_take_each_others_place() {
    let place = Place::new();
    let store = place.open();
    let (pages, script) = (pages(&place, &store), script(&place, &store));
    let to = place.path("out");
    for artifact in [&pages, &script, &pages] {
        store.materialise(artifact, &to, Placement::Owned).unwrap();
        assert_eq!(to.is_dir(), artifact == &pages);
    }
}

#[test]
fn a_link_in_the_place_is_replaced_and_not_followed() {
    let place = Place::new();
    let store = place.open();
    let outside = place.write("outside.txt", "precious");
    let to = place.path("film.mp4");
    symlink(&outside, &to).unwrap();
    let film = Artifact::File(store.put_bytes(b"film").unwrap());
    store.materialise(&film, &to, Placement::Owned).unwrap();
    assert_eq!(fs::read(&outside).unwrap(), b"precious");
    assert!(fs::symlink_metadata(&to).unwrap().is_file());
}

#[test]
fn a_link_on_the_way_is_refused() {
    let place = Place::new();
    let store = place.open();
    let film = Artifact::File(store.put_bytes(b"film").unwrap());
    let base = place.path("vwfb-out");
    fs::create_dir_all(&base).unwrap();
    fs::create_dir(place.path("outside")).unwrap();
    symlink(place.path("outside"), base.join("shorts")).unwrap();
    let below = |to: &str| store.materialise_below(&film, &base, Path::new(to), Placement::Owned);
    let error = below("shorts/film.mp4").unwrap_err();
    assert!(matches!(&error, MaterialiseError::Io(error) if error.path == base.join("shorts")));
    assert!(error.to_string().starts_with("cannot follow `"), "{error}");
    assert!(below("../film.mp4").is_err());
    assert!(below("..").is_err());
    assert_eq!(fs::read_dir(place.path("outside")).unwrap().count(), 0);
    below("real/deep/film.mp4").unwrap();
    assert_eq!(fs::read(base.join("real/deep/film.mp4")).unwrap(), b"film");
}

#[test]
fn what_is_shared_never_replaces() {
    let place = Place::new();
    let store = place.open();
    let film = Artifact::File(store.put_bytes(b"film").unwrap());
    let to = place.write("in", "there");
    for placement in [Placement::Shared, Placement::Copied] {
        assert!(store.materialise(&film, &to, placement).is_err());
    }
    assert_eq!(fs::read(&to).unwrap(), b"there");
}

#[test]
fn a_destination_has_each_result_in_its_place_whatever_was_there() {
    let place = Place::new();
    let store = place.open();
    let base = place.path("out");
    fs::create_dir(&base).unwrap();
    let to = Destination::open(&base, &place.path("staging")).unwrap();
    let (pages, script) = (pages(&place, &store), script(&place, &store));
    let put = |artifact, at: &str| store.materialise_into(artifact, &to, Path::new(at)).unwrap();
    put(&script, "a/run.sh");
    assert_eq!(mode(&base.join("a/run.sh")), 0o755);
    fs::write(base.join("a/run.sh"), "edited, and longer than before").unwrap();
    put(&script, "a/run.sh");
    assert_eq!(fs::read(base.join("a/run.sh")).unwrap(), b"#!/bin/sh\n");
    put(&pages, "a/run.sh");
    assert!(base.join("a/run.sh/empty").is_dir());
    put(&script, "a/run.sh");
    // The folder goes, and what is put next makes it again.
    fs::remove_dir_all(base.join("a")).unwrap();
    put(&script, "a/run.sh");
    let outside = place.write("outside.txt", "precious");
    symlink(&outside, base.join("a/link")).unwrap();
    put(&script, "a/link");
    assert_eq!(fs::read(&outside).unwrap(), b"precious");
    assert_eq!(fs::read(base.join("a/link")).unwrap(), b"#!/bin/sh\n");
    fs::remove_dir_all(base.join("a")).unwrap();
    symlink(place.dir.path(), base.join("a")).unwrap();
    assert!(store.materialise_into(&script, &to, Path::new("a/run.sh")).is_err());
    assert_eq!(fs::read_dir(place.path("staging")).unwrap().count(), 0);
}
