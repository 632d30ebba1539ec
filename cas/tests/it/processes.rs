//! Several threads and several processes in one store.

use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use vwfb_cas::{Artifact, GcOptions};

use crate::common::{Place, key, result};
use crate::other::Other;

#[test]
fn a_result_of_another_process_is_found_while_it_lives() {
    let place = Place::new();
    let store = place.open();
    let mut other = Other::start(&place);
    other.order("commit film");
    let found = store.lookup(&[key("film")]).unwrap().remove(0).unwrap();
    let Artifact::File(file) = found.outputs["out"] else { panic!() };
    assert_eq!(store.read(file.blob).unwrap(), b"film");
    assert_eq!(store.stats().unwrap().leases, 2);
    other.end();
    assert_eq!(store.stats().unwrap().leases, 1);
}

#[test]
fn a_key_is_held_by_one_process_at_a_time_and_freed_by_its_death() {
    let place = Place::new();
    let store = place.open();
    let mut other = Other::start(&place);
    other.order("lock film");
    assert!(store.try_lock_key(key("film")).unwrap().is_none());
    assert!(store.try_lock_key(key("other")).unwrap().is_some());
    other.order("unlock film");
    assert!(store.try_lock_key(key("film")).unwrap().is_some());
    other.order("lock film");
    let waiter = thread::scope(|scope| {
        let waiter = scope.spawn(|| store.lock_key(key("film")).map(drop));
        other.kill();
        waiter.join().unwrap()
    });
    waiter.unwrap();
}

#[test]
fn a_key_is_held_by_one_thread_at_a_time() {
    let place = Place::new();
    let store = place.open();
    let inside = AtomicU32::new(0);
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..50 {
                    let _lock = store.lock_key(key("film")).unwrap();
                    assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0);
                    inside.fetch_sub(1, Ordering::SeqCst);
                }
            });
        }
    });
}

#[test]
fn what_a_live_process_uses_survives_gc_and_what_a_dead_one_used_does_not() {
    let place = Place::new();
    {
        let store = place.open();
        let film = Artifact::File(store.put_bytes(b"film").unwrap());
        store.commit(key("film"), &result(film)).unwrap();
    }
    let all = GcOptions { max_bytes: Some(0), ..GcOptions::default() };
    let mut other = Other::start(&place);
    other.order("lookup film");
    other.order("put log");
    assert_eq!(place.open().gc(&all).unwrap().objects, 0);
    other.order("lookup film");
    other.kill();
    let store = place.open();
    let report = store.gc(&all).unwrap();
    assert_eq!((report.objects, report.results.len()), (2, 1));
}

#[test]
fn gc_finds_the_dead_itself() {
    // Bytes that go to a pack need no folder of the process's own.
    let place = Place::unpacked();
    let store = place.open();
    let mut other = Other::start(&place);
    other.order("put log");
    other.kill();
    let report = store.gc(&GcOptions::default()).unwrap();
    assert_eq!(report.scratch, 1);
    assert_eq!(store.stats().unwrap().leases, 1);
}

#[test]
fn many_threads_and_gc_at_once_lose_nothing() {
    let place = Place::new();
    let store = place.open();
    thread::scope(|scope| {
        for worker in 0..4 {
            let store = &store;
            scope.spawn(move || {
                for number in 0..20 {
                    let text = format!("{}", (worker + number) % 30);
                    let file = store.put_bytes(text.as_bytes()).unwrap();
                    store.commit(key(&text), &result(Artifact::File(file))).unwrap();
                    assert_eq!(store.read(file.blob).unwrap(), text.as_bytes());
                }
            });
        }
        scope.spawn(|| {
            for _ in 0..10 {
                let other = place.open();
                other.gc(&GcOptions { max_bytes: Some(0), ..GcOptions::default() }).unwrap();
            }
        });
    });
    assert!(store.verify(Default::default()).unwrap().is_sound());
}
