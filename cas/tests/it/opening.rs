//! Opening the store, and refusing what is none.

use std::error::Error;
use std::fs;
use std::os::unix::fs::MetadataExt;

use vwfb_cas::{OpenError, Store};

use crate::common::Place;

#[test]
fn a_new_store_is_private_and_marked_as_a_cache() {
    let place = Place::new();
    let root = place.path("a/b/store");
    Store::open(&root).unwrap();
    assert_eq!(fs::metadata(&root).unwrap().mode() & 0o777, 0o700);
    assert!(fs::read_to_string(root.join("CACHEDIR.TAG")).unwrap().starts_with("Signature: "));
}

#[test]
fn a_folder_with_other_things_is_refused_and_left_alone() {
    let place = Place::new();
    place.write("store/thesis.txt", "precious");
    let error = Store::open(&place.root()).err().unwrap();
    assert!(matches!(&error, OpenError::Foreign { path } if *path == place.root()));
    assert_eq!(fs::read_dir(place.root()).unwrap().count(), 1);
    assert!(error.to_string().ends_with("is not empty and is no vwfb store"), "{error}");
}

#[test]
fn a_store_of_another_format_is_refused() {
    let place = Place::new();
    drop(place.open());
    fs::write(place.root().join("format"), "vwfb-store 1\n").unwrap();
    let error = Store::open(&place.root()).err().unwrap();
    assert!(matches!(error, OpenError::Format { found: 1, .. }));
    fs::write(place.root().join("format"), "ostree 1\n").unwrap();
    assert!(matches!(Store::open(&place.root()).err().unwrap(), OpenError::Foreign { .. }));
}

#[test]
fn a_store_whose_making_was_interrupted_is_finished() {
    let place = Place::new();
    fs::create_dir_all(place.root().join("blobs")).unwrap();
    fs::write(place.root().join("lock"), "").unwrap();
    place.open().put_bytes(b"film").unwrap();
}

#[test]
fn a_place_that_cannot_be_written_is_named() {
    let place = Place::new();
    let root = place.write("file", "no folder").join("store");
    let error = Store::open(&root).err().unwrap();
    assert_eq!(error.to_string(), format!("cannot create `{}`", root.display()));
    assert!(error.source().is_some());
}

#[test]
fn the_scratch_folder_is_on_the_stores_file_system_and_goes_with_it() {
    let place = Place::new();
    let store = place.open();
    let scratch = store.scratch_dir();
    fs::create_dir_all(scratch.join("task/read-only")).unwrap();
    fs::write(scratch.join("task/read-only/out"), "film").unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o555);
    fs::set_permissions(scratch.join("task/read-only"), mode).unwrap();
    let device = |path: &std::path::Path| fs::metadata(path).unwrap().dev();
    assert_eq!(device(&scratch), device(&place.root().join("blobs")));
    drop(store);
    assert_eq!(fs::read_dir(place.root().join("scratch")).unwrap().count(), 0);
    assert_eq!(fs::read_dir(place.root().join("leases")).unwrap().count(), 0);
}

#[test]
fn what_a_dead_process_left_is_removed_by_the_next() {
    let place = Place::new();
    drop(place.open());
    fs::create_dir_all(place.root().join("scratch/dead/work/task")).unwrap();
    fs::write(place.root().join("leases/dead"), "").unwrap();
    let store = place.open();
    assert!(!place.root().join("scratch/dead").exists());
    assert!(!place.root().join("leases/dead").exists());
    assert!(store.scratch_dir().exists());
}

#[test]
fn many_open_at_once_what_a_dead_process_left() {
    let place = Place::new();
    drop(place.open());
    for round in 0..5 {
        for number in 0..200 {
            let folder = place.root().join(format!("scratch/dead{round}/work/{number}"));
            fs::create_dir_all(&folder).unwrap();
            fs::write(folder.join("file"), "").unwrap();
        }
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| drop(place.open()));
            }
        });
    }
}

#[test]
fn names_that_no_store_gives_are_no_packs() {
    let place = Place::new();
    drop(place.open());
    for name in ["07", "+9", "-3", "0", "9223372036854775807", "notes"] {
        place.write(&format!("store/packs/{name}"), "");
    }
    let pipe = place.root().join("packs/50");
    rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, rustix::fs::Mode::RUSR).unwrap();
    fs::write(place.root().join("leases/undone"), "").unwrap();
    let store = place.open();
    let file = store.put_bytes(b"film").unwrap();
    assert_eq!(store.read(file.blob).unwrap(), b"film");
    assert!(place.root().join("packs/1").exists());
}
