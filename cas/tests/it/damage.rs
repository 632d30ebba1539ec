//! Blobs that are lost or damaged, and stops at any instant.

use std::fs;

use vwfb_cas::{
    ActionResult, Artifact, BlobId, Digest, FileRef, GcOptions, MaterialiseError, Placement,
    ReadError, Store, Take, VerifyOptions,
};

use crate::common::{Place, damage, key, replace, result};
use crate::other::Other;

/// A store in which a process that was killed left the results `film` and `good`.
fn killed() -> Place {
    let place = Place::unpacked();
    let mut other = Other::start(&place);
    other.order("commit film");
    other.order("commit good");
    other.kill();
    place
}

fn output(store: &Store, name: &str) -> FileRef {
    let found = store.lookup(&[key(name)]).unwrap().remove(0).unwrap();
    let Artifact::File(file) = found.outputs["out"] else { panic!("a tree") };
    file
}

fn film(store: &Store) -> FileRef {
    let film = store.put_bytes(b"film").unwrap();
    store.commit(key("film"), &result(Artifact::File(film))).unwrap();
    film
}

#[test]
fn a_blob_of_the_wrong_size_is_set_aside_and_its_results_are_misses() {
    let place = Place::unpacked();
    let store = place.open();
    let film = film(&store);
    replace(&place.blob(&film), b"fil");
    assert!(matches!(store.read(film.blob), Err(ReadError::Damaged { blob }) if blob == film.blob));
    assert!(!place.blob(&film).exists());
    assert_eq!(store.stats().unwrap().quarantined, 1);
    assert_eq!(store.lookup(&[key("film")]).unwrap(), [None]);
    assert!(!store.has(&Artifact::File(film)).unwrap());
}

#[test]
fn putting_the_same_bytes_again_mends_every_result_that_needs_them() {
    let place = Place::unpacked();
    let store = place.open();
    let film = film(&store);
    store.commit(key("copy"), &result(Artifact::File(film))).unwrap();
    fs::remove_file(place.blob(&film)).unwrap();
    assert!(matches!(store.read(film.blob), Err(ReadError::Missing { .. })));
    assert_eq!(store.lookup(&[key("film"), key("copy")]).unwrap(), [None, None]);
    store.put_bytes(b"film").unwrap();
    let whole = Some(result(Artifact::File(film)));
    assert_eq!(store.lookup(&[key("film"), key("copy")]).unwrap(), [whole.clone(), whole]);
}

#[test]
fn a_result_that_lost_a_blob_is_replaced_by_what_its_producer_makes_next() {
    let place = Place::unpacked();
    let store = place.open();
    let film = film(&store);
    replace(&place.blob(&film), b"");
    assert_eq!(store.read(film.blob).unwrap_err().lost(), Some(film.blob));
    let other = result(Artifact::File(store.put_bytes(b"other film").unwrap()));
    assert_eq!(store.commit(key("film"), &other).unwrap(), other);
    assert_eq!(store.lookup(&[key("film")]).unwrap(), [Some(other)]);
}

/// A result whose log is lost; the log.
fn without_log(place: &Place, store: &Store) -> FileRef {
    let film = store.put_bytes(b"film").unwrap();
    let log = store.put_bytes(b"ten minutes of frames").unwrap();
    let made = ActionResult { log: Some(log), ..result(Artifact::File(film)) };
    assert_eq!(store.commit(key("film"), &made).unwrap(), made);
    fs::remove_file(place.blob(&log)).unwrap();
    assert!(matches!(store.read(log.blob), Err(ReadError::Missing { .. })));
    log
}

#[test]
fn a_result_outlives_its_log() {
    let place = Place::unpacked();
    let store = place.open();
    let log = without_log(&place, &store);
    let found = store.lookup(&[key("film")]).unwrap().remove(0).unwrap();
    assert_eq!(found.log, Some(log));
    let other = result(Artifact::File(store.put_bytes(b"other film").unwrap()));
    assert_eq!(store.commit(key("film"), &other).unwrap(), found);
    assert!(store.verify(VerifyOptions::default()).unwrap().is_sound());
}

#[test]
fn a_result_without_its_log_is_taken_up_when_the_index_is_made_again() {
    let place = Place::unpacked();
    let log = without_log(&place, &place.open());
    let store = Store::rebuild(&place.root()).unwrap();
    let found = store.lookup(&[key("film")]).unwrap().remove(0).unwrap();
    assert_eq!(found.log, Some(log));
}

#[test]
fn a_log_that_is_an_output_too_is_missed() {
    let place = Place::unpacked();
    let store = place.open();
    let log = store.put_bytes(b"log").unwrap();
    let made = ActionResult { log: Some(log), ..result(Artifact::File(log)) };
    store.commit(key("film"), &made).unwrap();
    fs::remove_file(place.blob(&log)).unwrap();
    assert!(store.read(log.blob).is_err());
    assert_eq!(store.lookup(&[key("film")]).unwrap(), [None]);
    assert_eq!(store.verify(VerifyOptions::default()).unwrap().missing, [log.blob]);
}

#[test]
fn a_file_lost_from_a_tree_makes_the_result_a_miss() {
    let place = Place::unpacked();
    let store = place.open();
    place.write("pages/sub/a.txt", "page");
    let pages = Artifact::Tree(store.put_tree(&place.path("pages"), Take::Copy).unwrap());
    store.commit(key("pages"), &result(pages)).unwrap();
    let page = store.put_bytes(b"page").unwrap();
    fs::remove_file(place.blob(&page)).unwrap();
    let error = store.materialise(&pages, &place.path("to"), Placement::Owned).unwrap_err();
    assert!(error.to_string().contains("no blob"), "{error}");
    assert!(!place.path("to").exists());
    assert_eq!(store.lookup(&[key("pages")]).unwrap(), [None]);
    assert!(!store.has(&pages).unwrap());
}

#[test]
fn after_an_unclean_stop_every_blob_is_verified_when_first_used() {
    let place = killed();
    let store = place.open();
    let film = output(&store, "film");
    damage(&place.blob(&film));
    let error =
        store.materialise(&Artifact::File(film), &place.path("to"), Placement::Shared).unwrap_err();
    assert!(matches!(error, MaterialiseError::Read(ReadError::Damaged { .. })));
    assert_eq!(store.lookup(&[key("film")]).unwrap(), [None]);
    assert_eq!(store.read(output(&store, "good").blob).unwrap(), b"good");
}

#[test]
fn a_lease_whose_row_a_power_cut_undid_is_an_unclean_stop() {
    let place = Place::unpacked();
    let film = film(&place.open());
    damage(&place.blob(&film));
    fs::write(place.root().join("leases/undone"), "").unwrap();
    let store = place.open();
    let error =
        store.materialise(&Artifact::File(film), &place.path("to"), Placement::Shared).unwrap_err();
    assert!(matches!(error, MaterialiseError::Read(ReadError::Damaged { .. })));
}

#[test]
fn an_unclean_stop_is_not_forgotten_by_an_opening_that_fails() {
    let place = killed();
    let undone = place.root().join("leases/undone");
    fs::write(&undone, "").unwrap();
    let (pack, aside) = (place.root().join("packs/1"), place.path("aside"));
    fs::rename(&pack, &aside).unwrap();
    fs::create_dir(&pack).unwrap();
    assert!(Store::open(&place.root()).is_err());
    assert!(undone.exists());
    fs::remove_dir(&pack).unwrap();
    fs::rename(&aside, &pack).unwrap();
    let store = place.open();
    assert!(!undone.exists());
    damage(&place.blob(&output(&store, "film")));
    assert!(matches!(store.read(output(&store, "film").blob), Err(ReadError::Damaged { .. })));
}

#[test]
fn after_an_unclean_stop_a_blob_is_verified_only_once() {
    let place = killed();
    let store = place.open();
    let film = output(&store, "film");
    assert_eq!(store.read(film.blob).unwrap(), b"film");
    damage(&place.blob(&film));
    assert_eq!(store.read(film.blob).unwrap(), b"####");
}

#[test]
fn after_an_unclean_stop_a_damaged_blob_is_mended_by_putting_it() {
    let place = killed();
    let store = place.open();
    let film = output(&store, "film");
    damage(&place.blob(&film));
    store.put_bytes(b"film").unwrap();
    assert_eq!(store.read(film.blob).unwrap(), b"film");
}

#[test]
fn after_an_unclean_stop_a_file_is_read_even_if_its_blob_seems_known() {
    let place = killed();
    let store = place.open();
    let film = output(&store, "film");
    damage(&place.blob(&film));
    store.put_known(&place.write("source", "film"), film.blob).unwrap();
    assert_eq!(store.read(film.blob).unwrap(), b"film");
}

#[test]
fn after_a_clean_end_blobs_are_not_read_to_be_verified() {
    let place = Place::unpacked();
    let film = film(&place.open());
    damage(&place.blob(&film));
    assert_eq!(place.open().read(film.blob).unwrap(), b"####");
}

#[test]
fn a_damaged_tree_is_always_noticed() {
    let place = Place::unpacked();
    let store = place.open();
    place.write("pages/a.txt", "page");
    let id = store.put_tree(&place.path("pages"), Take::Copy).unwrap();
    let file = FileRef { blob: id.blob(), size: 0, executable: false };
    damage(&place.blob(&file));
    assert!(matches!(store.tree(id), Err(ReadError::Damaged { .. })));
    assert!(matches!(store.tree(id), Err(ReadError::Missing { .. })));
}

#[test]
fn verify_finds_what_is_damaged_and_what_is_gone() {
    let place = Place::unpacked();
    let store = place.open();
    let (film, other) = (film(&store), store.put_bytes(b"other").unwrap());
    store.commit(key("other"), &result(Artifact::File(other))).unwrap();
    assert!(store.verify(VerifyOptions::default()).unwrap().is_sound());
    damage(&place.blob(&film));
    fs::remove_file(place.blob(&other)).unwrap();
    let report = store.verify(VerifyOptions::default()).unwrap();
    assert_eq!(report.damaged, [film.blob]);
    assert_eq!(report.missing.len(), 2);
    assert_eq!(report.broken_results.len(), 2);
    assert!(!report.is_sound());
    store.put_bytes(b"film").unwrap();
    store.put_bytes(b"other").unwrap();
    assert!(store.verify(VerifyOptions::default()).unwrap().is_sound());
}

#[test]
fn a_kill_between_blob_and_index_leaves_a_stray_that_hurts_nobody() {
    let place = Place::unpacked();
    let store = place.open();
    let film = film(&store);
    let stray = FileRef { blob: BlobId(Digest::of(b"stray")), ..film };
    let path = place.blob(&stray);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, b"str").unwrap();
    assert!(matches!(store.read(stray.blob), Err(ReadError::Missing { .. })));
    assert!(store.verify(VerifyOptions::default()).unwrap().is_sound());
    store.put_bytes(b"stray").unwrap();
    assert_eq!(store.read(stray.blob).unwrap(), b"stray");
}

#[test]
fn rebuilding_takes_up_strays_and_records_that_the_index_lost() {
    let place = Place::unpacked();
    let store = place.open();
    let film = film(&store);
    let pack = place.root().join("packs/1");
    let record = fs::read(&pack).unwrap();
    store.forget(&[key("film")]).unwrap();
    assert_eq!(store.verify(VerifyOptions { rebuild: true }).unwrap().adopted_results, 0);
    fs::write(&pack, record).unwrap();
    let report = store.verify(VerifyOptions { rebuild: true }).unwrap();
    assert_eq!(report.adopted_results, 1);
    assert!(report.is_sound());
    assert_eq!(store.lookup(&[key("film")]).unwrap(), [Some(result(Artifact::File(film)))]);
}

#[test]
fn a_kill_at_any_instant_loses_no_result_that_was_acknowledged() {
    let place = Place::unpacked();
    let mut acknowledged = 0;
    for round in 0..20 {
        let mut other = Other::start(&place);
        other.churn(acknowledged);
        acknowledged += round % 4 + 1;
        other.expect(&(acknowledged - 1).to_string());
        other.kill();
        let store = place.open();
        assert!(store.verify(VerifyOptions::default()).unwrap().is_sound());
        let keys: Vec<_> = (0..acknowledged).map(|number| key(&number.to_string())).collect();
        assert!(store.lookup(&keys).unwrap().iter().all(Option::is_some));
    }
    let strays = place.open().gc(&GcOptions::default()).unwrap();
    assert_eq!(strays.objects, 0);
}
