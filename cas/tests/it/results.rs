//! Results under their keys.

use std::fs;
use std::path::Path;

use vwfb_cas::{
    Artifact, BlobId, CommitError, Digest, FileRef, GcOptions, OpenError, Store, Take,
    VerifyOptions,
};

use crate::common::{Place, key, result};

#[test]
fn a_result_is_found_again_by_another_process() {
    let place = Place::new();
    let store = place.open();
    let film = Artifact::File(store.put_bytes(b"film").unwrap());
    store.commit(key("film"), &result(film)).unwrap();
    drop(store);
    let found = place.open().lookup(&[key("other"), key("film")]).unwrap();
    assert_eq!(found, [None, Some(result(film))]);
}

#[test]
fn the_first_writer_wins() {
    let place = Place::new();
    let store = place.open();
    let first = result(Artifact::File(store.put_bytes(b"first").unwrap()));
    let second = result(Artifact::File(store.put_bytes(b"second").unwrap()));
    assert_eq!(store.commit(key("film"), &first).unwrap(), first);
    assert_eq!(store.commit(key("film"), &second).unwrap(), first);
    assert_eq!(store.lookup(&[key("film")]).unwrap(), [Some(first)]);
}

#[test]
fn a_batch_is_written_whole_or_not_at_all() {
    let place = Place::new();
    let store = place.open();
    let good = result(Artifact::File(store.put_bytes(b"film").unwrap()));
    let absent = FileRef { blob: BlobId(Digest::of(b"absent")), size: 6, executable: false };
    let bad = result(Artifact::File(absent));
    let error = store.commit_all(&[(key("a"), good.clone()), (key("b"), bad)]).unwrap_err();
    assert!(matches!(error, CommitError::Missing { blob, .. } if blob == absent.blob));
    assert_eq!(store.lookup(&[key("a")]).unwrap(), [None]);
    store.commit_all(&[(key("a"), good.clone()), (key("b"), good.clone())]).unwrap();
    assert_eq!(store.lookup(&[key("a"), key("b")]).unwrap(), [Some(good.clone()), Some(good)]);
}

#[test]
fn a_forgotten_result_is_a_miss_and_its_blobs_stay() {
    let place = Place::new();
    let store = place.open();
    let film = store.put_bytes(b"film").unwrap();
    store.commit(key("film"), &result(Artifact::File(film))).unwrap();
    assert_eq!(store.forget(&[key("film"), key("other")]).unwrap(), 1);
    assert_eq!(store.lookup(&[key("film")]).unwrap(), [None]);
    assert_eq!(store.read(film.blob).unwrap(), b"film");
}

#[test]
fn a_lost_index_is_made_again_from_the_files() {
    let place = Place::new();
    let store = place.open();
    place.write("pages/sub/a.txt", "a");
    let pages = Artifact::Tree(store.put_tree(&place.path("pages"), Take::Copy).unwrap());
    store.commit(key("pages"), &result(pages)).unwrap();
    drop(store);
    for name in ["index.db", "index.db-wal", "index.db-shm"] {
        let _ = fs::remove_file(place.root().join(name));
    }
    let store = place.open();
    assert_eq!(store.lookup(&[key("pages")]).unwrap(), [Some(result(pages))]);
    assert!(store.has(&pages).unwrap());
    assert!(store.verify(Default::default()).unwrap().is_sound());
}

#[test]
fn a_damaged_index_is_made_again_from_the_files() {
    let place = Place::new();
    let store = place.open();
    let film = Artifact::File(store.put_bytes(b"film").unwrap());
    store.commit(key("film"), &result(film)).unwrap();
    drop(store);
    remove_log(&place);
    fs::write(place.root().join("index.db"), b"this is no database").unwrap();
    assert_eq!(place.open().lookup(&[key("film")]).unwrap(), [Some(result(film))]);
}

/// Removes the log from which SQLite would mend an index.
fn remove_log(place: &Place) {
    let _a_clean_end_may_leave_none = fs::remove_file(place.root().join("index.db-wal"));
}

/// What can become of an index.
const LOSSES: [fn(&Path); 3] = [
    |index| fs::remove_file(index).unwrap(),
    |index| fs::write(index, b"").unwrap(),
    |index| fs::write(index, b"this is no database").unwrap(),
];

#[test]
fn a_rebuild_that_stopped_half_way_begins_anew() {
    for lose in LOSSES {
        let place = Place::new();
        let store = place.open();
        let film = Artifact::File(store.put_bytes(b"film").unwrap());
        store.commit(key("film"), &result(film)).unwrap();
        drop(store);
        remove_log(&place);
        lose(&place.root().join("index.db"));
        // It comes last, cannot be read, and so ends the rebuild where a kill might.
        let obstacle = place.root().join("packs/999");
        fs::create_dir_all(&obstacle).unwrap();
        assert!(Store::open(&place.root()).is_err());
        fs::remove_dir(&obstacle).unwrap();
        let store = place.open();
        store.gc(&GcOptions::default()).unwrap();
        assert_eq!(store.lookup(&[key("film")]).unwrap(), [Some(result(film))]);
    }
}

#[test]
fn an_index_that_was_lost_under_a_process_is_not_replaced_while_it_lives() {
    let place = Place::new();
    let store = place.open();
    fs::remove_file(place.root().join("index.db")).unwrap();
    assert!(matches!(Store::open(&place.root()), Err(OpenError::InUse { .. })));
    drop(store);
}

#[test]
fn a_damaged_record_is_written_again() {
    let place = Place::new();
    let store = place.open();
    let film = Artifact::File(store.put_bytes(b"film").unwrap());
    store.commit(key("film"), &result(film)).unwrap();
    // The record comes last in the pack.
    let pack = place.root().join("packs/1");
    let mut bytes = fs::read(&pack).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&pack, bytes).unwrap();
    let report = store.verify(Default::default()).unwrap();
    assert_eq!(report.records_mended, 1);
    assert!(store.verify(Default::default()).unwrap().is_sound());
    drop(store);
    let store = Store::rebuild(&place.root()).unwrap();
    assert_eq!(store.lookup(&[key("film")]).unwrap(), [Some(result(film))]);
}

#[test]
fn a_damaged_row_is_a_miss_and_is_replaced() {
    let place = Place::new();
    let store = place.open();
    let film = Artifact::File(store.put_bytes(b"film").unwrap());
    store.commit(key("film"), &result(film)).unwrap();
    let index = rusqlite::Connection::open(place.root().join("index.db")).unwrap();
    index.execute("UPDATE result SET record = x'00'", []).unwrap();
    assert_eq!(store.lookup(&[key("film")]).unwrap(), [None]);
    assert_eq!(store.commit(key("film"), &result(film)).unwrap(), result(film));
    assert_eq!(store.lookup(&[key("film")]).unwrap(), [Some(result(film))]);
    index.execute("UPDATE result SET record = x'00'", []).unwrap();
    let report = store.verify(VerifyOptions { rebuild: false }).unwrap();
    assert_eq!(report.broken_results, [key("film")]);
    let report = store.verify(VerifyOptions { rebuild: true }).unwrap();
    assert_eq!(report.adopted_results, 1);
    assert_eq!(store.lookup(&[key("film")]).unwrap(), [Some(result(film))]);
}

#[test]
fn rebuilding_is_refused_while_another_process_uses_the_store() {
    let place = Place::new();
    let store = place.open();
    let film = Artifact::File(store.put_bytes(b"film").unwrap());
    store.commit(key("film"), &result(film)).unwrap();
    assert!(matches!(Store::rebuild(&place.root()), Err(OpenError::InUse { .. })));
    drop(store);
    let store = Store::rebuild(&place.root()).unwrap();
    assert_eq!(store.lookup(&[key("film")]).unwrap(), [Some(result(film))]);
}
