//! Taking bytes, files and trees in.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::process::Command;

use vwfb_cas::{Artifact, BlobId, Digest, Entry, FileRef, PutError, Take, Tree};

use crate::common::Place;

fn make_executable(path: &std::path::Path) {
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn bytes_come_back_as_they_went_in() {
    let place = Place::new();
    let store = place.open();
    let big = vec![7; 300_000];
    for bytes in [&b""[..], b"film", &big] {
        let file = store.put_bytes(bytes).unwrap();
        assert_eq!(file.size, bytes.len() as u64);
        assert_eq!(file.blob, BlobId(Digest::of(bytes)));
        assert_eq!(store.read(file.blob).unwrap(), bytes);
    }
}

#[test]
fn executable_and_plain_forms_are_two_read_only_files() {
    let place = Place::unpacked();
    let store = place.open();
    let source = place.write("run.sh", "#!/bin/sh\n");
    let plain = store.put_file(&source, Take::Copy).unwrap();
    make_executable(&source);
    let executable = store.put_file(&source, Take::Copy).unwrap();
    assert_eq!(plain.blob, executable.blob);
    assert_eq!(fs::metadata(place.blob(&plain)).unwrap().mode() & 0o777, 0o444);
    assert_eq!(fs::metadata(place.blob(&executable)).unwrap().mode() & 0o777, 0o555);
}

#[test]
fn the_same_bytes_are_stored_once() {
    let place = Place::unpacked();
    let store = place.open();
    let first = store.put_bytes(b"film").unwrap();
    let inode = fs::metadata(place.blob(&first)).unwrap().ino();
    store.put_file(&place.write("copy", "film"), Take::Copy).unwrap();
    assert_eq!(fs::metadata(place.blob(&first)).unwrap().ino(), inode);
    assert_eq!(store.stats().unwrap().objects, 1);
}

#[test]
fn a_moved_file_is_gone_and_a_copied_one_stays() {
    let place = Place::new();
    let store = place.open();
    let (copied, moved) = (place.write("copied", "a"), place.write("moved", "b"));
    store.put_file(&copied, Take::Copy).unwrap();
    store.put_file(&moved, Take::Move).unwrap();
    assert!(copied.exists() && !moved.exists());
}

#[test]
fn a_late_writer_cannot_change_a_moved_file() {
    use std::io::Write;
    let place = Place::new();
    let store = place.open();
    let path = place.write("out", "film");
    let mut writer = fs::File::options().append(true).open(&path).unwrap();
    let file = store.put_file(&path, Take::Move).unwrap();
    writer.write_all(b" and more").unwrap();
    assert_eq!(store.read(file.blob).unwrap(), b"film");
}

#[test]
fn a_file_that_changed_since_its_digest_was_taken_is_refused() {
    let place = Place::new();
    let store = place.open();
    let path = place.write("hook.svg", "new");
    let expected = BlobId(Digest::of(b"old"));
    let error = store.put_known(&path, expected).unwrap_err();
    let PutError::Changed { path: named, expected: wanted, found } = error else {
        panic!("{error:?}")
    };
    assert_eq!((named, wanted, found), (path.clone(), expected, BlobId(Digest::of(b"new"))));
    let unseen = FileRef { blob: expected, size: 3, executable: false };
    assert!(!store.has(&Artifact::File(unseen)).unwrap());
}

#[test]
fn a_known_file_is_stored_with_its_mode() {
    let place = Place::new();
    let store = place.open();
    let path = place.write("run.sh", "#!/bin/sh\n");
    make_executable(&path);
    let file = store.put_known(&path, BlobId(Digest::of(b"#!/bin/sh\n"))).unwrap();
    assert!(file.executable);
    assert_eq!(store.put_known(&path, file.blob).unwrap(), file);
}

#[test]
fn a_tree_keeps_names_modes_links_and_empty_folders() {
    let place = Place::new();
    let store = place.open();
    place.write("pages/b.txt", "b");
    make_executable(&place.write("pages/sub/run.sh", "#!/bin/sh\n"));
    fs::create_dir(place.path("pages/empty")).unwrap();
    symlink("../b.txt", place.path("pages/sub/link")).unwrap();
    let id = store.put_tree(&place.path("pages"), Take::Copy).unwrap();
    let tree = store.tree(id).unwrap();
    assert_eq!(tree.entries.keys().collect::<Vec<_>>(), ["b.txt", "empty", "sub"]);
    let Entry::Dir(empty) = tree.entries["empty"] else { panic!() };
    assert_eq!(store.tree(empty).unwrap(), Tree::default());
    let Entry::Dir(sub) = tree.entries["sub"] else { panic!() };
    let sub = store.tree(sub).unwrap();
    assert_eq!(sub.entries["link"], Entry::Symlink("../b.txt".to_owned()));
    assert!(matches!(sub.entries["run.sh"], Entry::File(file) if file.executable));
    assert!(store.has(&Artifact::Tree(id)).unwrap());
}

#[test]
fn a_tree_of_many_files_is_taken_in_whole() {
    let place = Place::new();
    let store = place.open();
    for number in 0..700 {
        place.write(&format!("frames/{number:04}.png"), &format!("frame {number}"));
    }
    let id = store.put_tree(&place.path("frames"), Take::Move).unwrap();
    assert_eq!(store.tree(id).unwrap().entries.len(), 700);
    assert_eq!(store.stats().unwrap().objects, 701);
    assert!(!place.path("frames").exists());
}

#[test]
fn a_link_that_leaves_its_tree_is_refused() {
    let place = Place::new();
    let store = place.open();
    for (name, target) in [("a", "/etc/passwd"), ("b", "../outside"), ("c", "x/../../y")] {
        let folder = place.path(name);
        fs::create_dir(&folder).unwrap();
        symlink(target, folder.join("link")).unwrap();
        let error = store.put_tree(&folder, Take::Copy).unwrap_err();
        let PutError::Symlink { path, target: found, .. } = error else { panic!("{error:?}") };
        assert_eq!((path, found.as_str()), (folder.join("link"), target));
    }
}

#[test]
fn a_pipe_a_socket_and_a_link_are_no_files() {
    let place = Place::new();
    let store = place.open();
    fs::create_dir(place.path("out")).unwrap();
    let pipe = place.path("out/pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let refused = |error| matches!(error, PutError::NotRegular { path } if path == pipe);
    assert!(refused(store.put_file(&pipe, Take::Copy).unwrap_err()));
    assert!(refused(store.put_tree(&place.path("out"), Take::Copy).unwrap_err()));
    let socket = place.path("socket");
    let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    let error = store.put_file(&socket, Take::Copy).unwrap_err();
    assert!(matches!(error, PutError::NotRegular { .. }));
    let link = place.path("link");
    symlink(place.write("real", "text"), &link).unwrap();
    let error = store.put_file(&link, Take::Copy).unwrap_err();
    assert!(matches!(error, PutError::NotRegular { .. }));
}

#[test]
fn a_folder_in_the_place_of_a_file_is_refused() {
    let place = Place::new();
    let store = place.open();
    let error = store.put_file(place.dir.path(), Take::Copy).unwrap_err();
    assert!(matches!(error, PutError::NotRegular { .. }));
}
