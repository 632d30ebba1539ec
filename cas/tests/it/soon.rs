//! Results that are committed together: who sees them when, and what a kill leaves.

use std::sync::Arc;
use std::thread;

use vwfb_cas::{
    ActionResult, Artifact, BlobId, CommitError, Digest, FileRef, Store, VerifyOptions,
};

use crate::common::{Place, key, result};
use crate::other::Other;

fn put(store: &Store, text: &str) -> ActionResult {
    result(Artifact::File(store.put_bytes(text.as_bytes()).unwrap()))
}

fn commit_soon(store: &Store, name: &str) -> ActionResult {
    let lock = store.lock_key(key(name)).unwrap();
    assert_eq!(store.lookup_locked(&lock).unwrap(), None);
    store.commit_soon(lock, &put(store, name)).unwrap()
}

#[test]
fn this_process_finds_a_result_at_once_and_others_once_it_is_flushed() {
    let place = Place::new();
    let (store, other) = (place.open(), place.open());
    let film = commit_soon(&store, "film");
    assert_eq!(store.lookup(&[key("film")]).unwrap(), [Some(film.clone())]);
    store.flush().unwrap();
    assert_eq!(other.lookup(&[key("film")]).unwrap(), [Some(film)]);
}

#[test]
fn a_key_stays_locked_until_others_can_see_its_result() {
    let place = Place::new();
    let (store, other) = (Arc::new(place.open()), place.open());
    for round in 0..20 {
        let name = format!("film {round}");
        let made = commit_soon(&store, &name);
        // Who gets the lock finds the result.
        let lock = other.lock_key(key(&name)).unwrap();
        assert_eq!(other.lookup_locked(&lock).unwrap(), Some(made));
    }
}

#[test]
fn who_found_nothing_before_finds_what_another_made_meanwhile() {
    let place = Place::new();
    let (store, other) = (place.open(), place.open());
    let name = |round: usize| format!("film {round}");
    let keys: Vec<_> = (0..40).map(|round| key(&name(round))).collect();
    for round in 0..20 {
        assert!(other.lookup(&keys[round..]).unwrap().iter().all(Option::is_none));
        // One that nobody makes in between, of which the answer before is enough.
        let lock = other.lock_key(keys[39 - round]).unwrap();
        assert_eq!(other.lookup_locked(&lock).unwrap(), None);
        drop(lock);
        let made = commit_soon(&store, &name(round));
        store.flush().unwrap();
        let lock = other.lock_key(keys[round]).unwrap();
        assert_eq!(other.lookup_locked(&lock).unwrap(), Some(made));
    }
}

#[test]
fn who_found_nothing_before_finds_what_it_made_itself() {
    let place = Place::new();
    let store = place.open();
    assert_eq!(store.lookup(&[key("one"), key("two")]).unwrap(), [None, None]);
    let made = put(&store, "one");
    assert_eq!(store.commit(key("one"), &made).unwrap(), made);
    let lock = store.lock_key(key("one")).unwrap();
    assert_eq!(store.lookup_locked(&lock).unwrap(), Some(made));
    let made = commit_soon(&store, "two");
    let lock = store.lock_key(key("two")).unwrap();
    assert_eq!(store.lookup_locked(&lock).unwrap(), Some(made));
}

#[test]
fn what_is_put_by_another_meanwhile_is_had() {
    let place = Place::new();
    let (store, other) = (place.open(), place.open());
    let artifact = |text: &str| Artifact::File(store.put_bytes(text.as_bytes()).unwrap());
    let (film, poster) = (artifact("film"), artifact("poster"));
    // Neither has a row yet.
    assert_eq!(other.claim(&[film, poster]).unwrap(), [false, false]);
    assert!(!other.has(&film).unwrap());
    store.flush().unwrap();
    assert!(other.has(&film).unwrap());
    assert_eq!(other.claim(&[film, poster]).unwrap(), [true, true]);
}

#[test]
fn many_results_cost_few_transactions() {
    let place = Place::new();
    let store = place.open();
    let index = rusqlite::Connection::open(place.root().join("index.db")).unwrap();
    let version =
        || -> i64 { index.query_row("PRAGMA data_version", [], |row| row.get(0)).unwrap() };
    let (mut last, mut changes) = (version(), 0);
    for number in 0..200 {
        commit_soon(&store, &number.to_string());
        changes += u64::from(std::mem::replace(&mut last, version()) != last);
    }
    store.flush().unwrap();
    assert!(changes < 100, "{changes} of 200");
    let keys: Vec<_> = (0..200).map(|number| key(&number.to_string())).collect();
    assert!(place.open().lookup(&keys).unwrap().iter().all(Option::is_some));
}

#[test]
fn the_first_result_stands_for_who_comes_later() {
    let place = Place::new();
    let store = place.open();
    let first = commit_soon(&store, "film");
    let lock = store.lock_key(key("film")).unwrap();
    assert_eq!(store.commit_soon(lock, &put(&store, "other")).unwrap(), first);
    store.flush().unwrap();
    assert_eq!(store.lookup(&[key("film")]).unwrap(), [Some(first)]);
}

#[test]
fn a_result_that_names_what_is_not_there_is_refused_at_once() {
    let place = Place::new();
    let store = place.open();
    let absent = FileRef { blob: BlobId(Digest::of(b"absent")), size: 6, executable: false };
    let lock = store.lock_key(key("film")).unwrap();
    let error = store.commit_soon(lock, &result(Artifact::File(absent))).unwrap_err();
    assert!(matches!(error, CommitError::Missing { blob, .. } if blob == absent.blob));
    store.flush().unwrap();
    assert!(store.try_lock_key(key("film")).unwrap().is_some());
}

#[test]
fn what_cannot_be_written_is_told_with_its_key() {
    let place = Place::new();
    let store = place.open();
    // Whoever writes to the index finds no table.
    let index = rusqlite::Connection::open(place.root().join("index.db")).unwrap();
    commit_soon(&store, "before");
    store.flush().unwrap();
    index.execute_batch("ALTER TABLE result_object RENAME TO away").unwrap();
    commit_soon(&store, "film");
    assert_eq!(store.flush().unwrap_err().keys, [key("film")]);
    assert_eq!(store.lookup(&[key("film")]).unwrap(), [None]);
    index.execute_batch("ALTER TABLE away RENAME TO result_object").unwrap();
    commit_soon(&store, "film");
    store.flush().unwrap();
    assert!(place.open().lookup(&[key("film")]).unwrap()[0].is_some());
}

#[test]
fn dropping_the_store_writes_what_waits() {
    let place = Place::new();
    let film = commit_soon(&place.open(), "film");
    assert_eq!(place.open().lookup(&[key("film")]).unwrap(), [Some(film)]);
}

#[test]
fn a_kill_with_results_waiting_loses_none_that_was_told_of() {
    let place = Place::new();
    for round in 0..20 {
        let mut other = Other::start(&place);
        other.churn_soon(round * 1000);
        other.expect(&(round * 1000 + round * 7).to_string());
        other.kill();
        let store = place.open();
        assert!(store.verify(VerifyOptions::default()).unwrap().is_sound());
        let told: Vec<_> =
            (round * 1000..=round * 1007).map(|number| key(&number.to_string())).collect();
        assert!(store.lookup(&told).unwrap().iter().all(Option::is_some), "round {round}");
    }
    let store = place.open();
    let keys: Vec<_> = (0..20).map(|round| key(&(round * 1007).to_string())).collect();
    assert!(store.lookup(&keys).unwrap().iter().all(Option::is_some));
    drop(store);
    let store = Store::rebuild(&place.root()).unwrap();
    assert!(store.lookup(&keys).unwrap().iter().all(Option::is_some));
    assert!(store.verify(VerifyOptions::default()).unwrap().is_sound());
}

#[test]
fn threads_that_commit_at_once_lose_nothing() {
    let place = Place::new();
    let store = place.open();
    thread::scope(|scope| {
        for worker in 0..4 {
            let store = &store;
            scope.spawn(move || {
                for number in 0..100 {
                    commit_soon(store, &format!("{worker}-{number}"));
                }
            });
        }
    });
    store.flush().unwrap();
    let names = (0..4).flat_map(|worker| (0..100).map(move |number| (worker, number)));
    let keys: Vec<_> = names.map(|(worker, number)| key(&format!("{worker}-{number}"))).collect();
    assert!(place.open().lookup(&keys).unwrap().iter().all(Option::is_some));
}
