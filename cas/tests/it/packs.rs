//! Small things, many to a file: what is lost with a part of it, and what goes when.

use std::fs;
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::PathBuf;

use vwfb_cas::{
    Artifact, Digest, FileRef, GcOptions, Placement, ReadError, Roots, Store, Take, VerifyOptions,
};

use crate::common::{Place, key, result};
use crate::other::Other;

const HEAD: usize = 45;

fn packs(place: &Place) -> Vec<PathBuf> {
    let entries = fs::read_dir(place.root().join("packs")).unwrap();
    let mut packs: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    packs.sort();
    packs
}

/// Where the entry of these bytes begins in the store's only pack.
fn entry(place: &Place, bytes: &[u8]) -> (PathBuf, usize) {
    let [pack] = packs(place).try_into().unwrap();
    let content = fs::read(&pack).unwrap();
    let digest = Digest::of(bytes);
    let found = content
        .windows(41)
        .position(|head| head[..5] == *b"vwp1\x01" && head[9..] == *digest.as_bytes());
    (pack, found.unwrap())
}

fn flip(place: &Place, bytes: &[u8], at: usize) {
    let (pack, begin) = entry(place, bytes);
    let mut content = fs::read(&pack).unwrap();
    content[begin + at] ^= 1;
    fs::write(pack, content).unwrap();
}

fn film(store: &Store) -> FileRef {
    let film = store.put_bytes(b"film").unwrap();
    store.commit(key("film"), &result(Artifact::File(film))).unwrap();
    film
}

#[test]
fn many_small_things_are_one_file() {
    let place = Place::new();
    let store = place.open();
    for number in 0..300 {
        let text = format!("frame {number}");
        let file = store.put_bytes(text.as_bytes()).unwrap();
        store.commit(key(&text), &result(Artifact::File(file))).unwrap();
    }
    assert_eq!(packs(&place).len(), 1);
    assert_eq!(fs::read_dir(place.root().join("blobs")).unwrap().count(), 0);
    let seventh = store.put_bytes(b"frame 7").unwrap();
    assert_eq!(store.read(seventh.blob).unwrap(), b"frame 7");
}

#[test]
fn the_same_bytes_are_appended_once_whatever_the_form() {
    let place = Place::new();
    let store = place.open();
    let source = place.write("run.sh", "#!/bin/sh\n");
    store.put_file(&source, Take::Copy).unwrap();
    let length = fs::metadata(&packs(&place)[0]).unwrap().len();
    fs::set_permissions(&source, fs::Permissions::from_mode(0o755)).unwrap();
    let executable = store.put_file(&source, Take::Copy).unwrap();
    store.put_bytes(b"#!/bin/sh\n").unwrap();
    assert_eq!(fs::metadata(&packs(&place)[0]).unwrap().len(), length);
    let to = place.path("to");
    store.materialise(&Artifact::File(executable), &to, Placement::Shared).unwrap();
    assert_eq!(fs::metadata(&to).unwrap().permissions().mode() & 0o777, 0o555);
}

#[test]
fn the_next_process_goes_on_with_the_pack() {
    let place = Place::new();
    film(&place.open());
    place.open().put_bytes(b"other").unwrap();
    assert_eq!(packs(&place).len(), 1);
    let store = place.open();
    assert_eq!(store.read(store.put_bytes(b"film").unwrap().blob).unwrap(), b"film");
    assert!(store.verify(VerifyOptions::default()).unwrap().is_sound());
}

#[test]
fn two_processes_append_to_two_packs() {
    let place = Place::new();
    let mut other = Other::start(&place);
    other.order("commit good");
    let store = place.open();
    film(&store);
    assert_eq!(packs(&place).len(), 2);
    other.end();
    assert!(store.lookup(&[key("good")]).unwrap()[0].is_some());
}

#[test]
fn a_pack_whose_writer_was_killed_is_not_appended_to() {
    let place = Place::new();
    let mut other = Other::start(&place);
    other.order("commit good");
    other.kill();
    // As if it had been killed within a write.
    let torn = fs::File::options().append(true).open(&packs(&place)[0]).unwrap();
    let end = torn.metadata().unwrap().len();
    torn.write_all_at(b"vwp1\x01torn", end).unwrap();
    let store = place.open();
    film(&store);
    assert_eq!(packs(&place).len(), 2);
    assert!(store.verify(VerifyOptions::default()).unwrap().is_sound());
    drop(store);
    let store = Store::rebuild(&place.root()).unwrap();
    let found = store.lookup(&[key("good"), key("film")]).unwrap();
    assert!(found.iter().all(Option::is_some));
    assert!(store.verify(VerifyOptions::default()).unwrap().is_sound());
}

#[test]
fn a_pack_that_was_begun_by_who_was_killed_at_once_is_in_nobodys_way() {
    let place = Place::new();
    let mut other = Other::start(&place);
    other.order("commit good");
    let store = place.open();
    // As if a third had been killed before it could commit the row of its pack.
    place.write("store/packs/2", "");
    film(&store);
    assert_eq!(packs(&place).len(), 3);
    other.end();
    drop(store);
    let store = place.open();
    assert!(store.lookup(&[key("film")]).unwrap()[0].is_some());
    assert!(store.verify(VerifyOptions::default()).unwrap().is_sound());
}

#[test]
fn a_pack_that_the_index_lost_is_taken_up_after_an_unclean_stop() {
    let (place, elsewhere) = (Place::new(), Place::new());
    let mut other = Other::start(&place);
    other.order("commit good");
    film(&elsewhere.open());
    // As a power cut leaves it: the pack was synced, its row was not.
    fs::copy(&packs(&elsewhere)[0], place.root().join("packs/2")).unwrap();
    other.kill();
    let found = place.open().lookup(&[key("good"), key("film")]).unwrap();
    assert!(found.iter().all(Option::is_some));
}

#[test]
fn an_entry_that_is_damaged_is_noticed_and_mended_by_putting_it() {
    // Its length, its digest, its checksum: none needs an unclean stop to be seen.
    for at in [0, 4, 6, 20, 42] {
        let place = Place::new();
        let film = film(&place.open());
        flip(&place, b"film", at);
        let store = place.open();
        assert!(matches!(store.read(film.blob), Err(ReadError::Damaged { .. })), "byte {at}");
        assert_eq!(store.stats().unwrap().quarantined, 1);
        assert_eq!(store.lookup(&[key("film")]).unwrap(), [None]);
        store.put_bytes(b"film").unwrap();
        assert!(store.lookup(&[key("film")]).unwrap()[0].is_some());
        assert_eq!(store.read(film.blob).unwrap(), b"film");
    }
}

#[test]
fn damaged_bytes_are_noticed_after_an_unclean_stop_and_by_verify() {
    let place = Place::new();
    let mut other = Other::start(&place);
    other.order("commit film");
    other.order("commit good");
    other.kill();
    flip(&place, b"film", HEAD);
    flip(&place, b"good", HEAD);
    let store = place.open();
    let film = store.lookup(&[key("film")]).unwrap().remove(0).unwrap();
    let Artifact::File(film) = film.outputs["out"] else { panic!("a tree") };
    assert!(matches!(store.read(film.blob), Err(ReadError::Damaged { .. })));
    let report = store.verify(VerifyOptions::default()).unwrap();
    assert_eq!(report.damaged, [vwfb_cas::BlobId(Digest::of(b"good"))]);
    assert_eq!(report.missing.len(), 2);
    store.put_bytes(b"film").unwrap();
    store.put_bytes(b"good").unwrap();
    assert!(store.verify(VerifyOptions::default()).unwrap().is_sound());
}

#[test]
fn an_index_is_made_again_from_packs() {
    let place = Place::new();
    let store = place.open();
    place.write("pages/a.txt", "page");
    let script = place.write("pages/sub/run.sh", "#!/bin/sh\n");
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    let pages = Artifact::Tree(store.put_tree(&place.path("pages"), Take::Copy).unwrap());
    store.commit(key("pages"), &result(pages)).unwrap();
    film(&store);
    store.forget(&[key("film")]).unwrap();
    drop(store);
    let store = Store::rebuild(&place.root()).unwrap();
    assert_eq!(store.lookup(&[key("pages"), key("film")]).unwrap(), [Some(result(pages)), None]);
    store.materialise(&pages, &place.path("to"), Placement::Owned).unwrap();
    assert_eq!(Artifact::Tree(store.put_tree(&place.path("to"), Take::Copy).unwrap()), pages);
    assert!(store.verify(VerifyOptions::default()).unwrap().is_sound());
}

/// A store with one pack of a needed film and of much that is not.
fn wasteful() -> Place {
    let place = Place::new();
    let store = place.open();
    film(&store);
    store.put_bytes(&[7; 5000]).unwrap();
    drop(store);
    place
}

fn keep_film() -> GcOptions {
    let keep = Roots { keys: vec![key("film")], artifacts: vec![] };
    GcOptions { keep, max_bytes: Some(0), ..GcOptions::default() }
}

#[test]
fn gc_writes_a_pack_again_that_is_mostly_waste() {
    let place = wasteful();
    let store = place.open();
    let found = store.lookup(&[key("film")]).unwrap().remove(0).unwrap();
    let Artifact::File(film) = found.outputs["out"] else { panic!("a tree") };
    assert_eq!(store.read(film.blob).unwrap(), b"film");
    assert_eq!(store.gc(&keep_film()).unwrap().objects, 1);
    let [pack] = packs(&place).try_into().unwrap();
    assert!(fs::metadata(pack).unwrap().len() < 1000);
    assert_eq!(store.read(film.blob).unwrap(), b"film");
    assert!(store.verify(VerifyOptions::default()).unwrap().is_sound());
    drop(store);
    let store = Store::rebuild(&place.root()).unwrap();
    assert_eq!(store.lookup(&[key("film")]).unwrap(), [Some(found)]);
}

#[test]
fn gc_moves_nothing_under_another_process() {
    let place = wasteful();
    let other = Other::start(&place);
    place.open().gc(&keep_film()).unwrap();
    let [pack] = packs(&place).try_into().unwrap();
    assert!(fs::metadata(pack).unwrap().len() > 5000);
    other.end();
    place.open().gc(&keep_film()).unwrap();
    let [pack] = packs(&place).try_into().unwrap();
    assert!(fs::metadata(pack).unwrap().len() < 1000);
}

#[test]
fn gc_leaves_alone_what_another_process_put() {
    let place = Place::new();
    let mut other = Other::start(&place);
    other.order("put pending");
    place.open().gc(&GcOptions { max_bytes: Some(0), ..GcOptions::default() }).unwrap();
    other.order("commit pending");
    other.end();
    let store = place.open();
    assert!(store.lookup(&[key("pending")]).unwrap()[0].is_some());
    assert!(store.verify(VerifyOptions::default()).unwrap().is_sound());
}
