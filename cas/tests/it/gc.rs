//! What is removed and what stays.

use std::time::Duration;

use vwfb_cas::{ActionResult, Artifact, BlobId, Digest, FileRef, GcOptions, Roots, Store, Take};

use crate::common::{Place, key, result};

/// A store in which `names` were made one second apart, by a process that is gone.
fn filled(names: &[&str]) -> Place {
    filled_in(Place::new(), names)
}

fn filled_in(place: Place, names: &[&str]) -> Place {
    for (second, name) in names.iter().enumerate() {
        place.clock.set(second as i64 * 1000);
        make(&place.open(), name);
    }
    place.clock.set(names.len() as i64 * 1000);
    place
}

fn make(store: &Store, name: &str) -> FileRef {
    let file = store.put_bytes(name.as_bytes()).unwrap();
    store.commit(key(name), &result(Artifact::File(file))).unwrap();
    file
}

fn left<'a>(store: &Store, names: &[&'a str]) -> Vec<&'a str> {
    let is_there = |name: &&&str| store.lookup(&[key(name)]).unwrap()[0].is_some();
    names.iter().filter(is_there).copied().collect()
}

const NAMES: [&str; 4] = ["aaaa", "bbbb", "cccc", "dddd"];

fn up_to(max_bytes: u64) -> GcOptions {
    GcOptions { max_bytes: Some(max_bytes), ..GcOptions::default() }
}

#[test]
fn without_limits_nothing_goes() {
    let place = filled(&NAMES);
    let store = place.open();
    let report = store.gc(&GcOptions::default()).unwrap();
    assert_eq!((report.objects, report.strays), (0, 0));
    assert_eq!(left(&store, &NAMES), NAMES);
}

#[test]
fn what_was_not_used_for_longest_goes_until_the_rest_fits() {
    let place = filled(&NAMES);
    let store = place.open();
    let report = store.gc(&up_to(8)).unwrap();
    assert_eq!((report.objects, report.bytes, report.kept_bytes), (2, 8, 8));
    let removed: Vec<_> = report.results.iter().map(|result| (result.key, result.bytes)).collect();
    assert_eq!(removed, [(key("aaaa"), 4), (key("bbbb"), 4)]);
    assert_eq!(left(&store, &NAMES), ["cccc", "dddd"]);
    assert!(store.verify(Default::default()).unwrap().is_sound());
}

#[test]
fn a_clip_that_took_ten_minutes_outlives_one_that_took_a_second() {
    let place = Place::new();
    for (second, (name, seconds)) in [("slow", 600), ("fast", 1)].into_iter().enumerate() {
        place.clock.set(second as i64 * 1000);
        let store = place.open();
        let tree = place.write(&format!("{name}/clip"), &name.repeat(4 << 20));
        let tree = store.put_tree(tree.parent().unwrap(), Take::Copy).unwrap();
        let made = ActionResult { duration_ms: seconds * 1000, ..result(Artifact::Tree(tree)) };
        store.commit(key(name), &made).unwrap();
    }
    place.clock.set(20_000);
    let store = place.open();
    store.gc(&up_to(20 << 20)).unwrap();
    assert_eq!(left(&store, &["slow", "fast"]), ["slow"]);
    drop(store);
    place.clock.set(100_000);
    let store = place.open();
    let max_age = Some(Duration::from_secs(60));
    store.gc(&GcOptions { max_age, ..GcOptions::default() }).unwrap();
    assert!(left(&store, &["slow"]).is_empty());
}

#[test]
fn a_hit_counts_as_a_use() {
    let place = filled(&NAMES);
    assert!(place.open().lookup(&[key("aaaa")]).unwrap()[0].is_some());
    let store = place.open();
    store.gc(&up_to(8)).unwrap();
    assert_eq!(left(&store, &NAMES), ["aaaa", "dddd"]);
}

#[test]
fn what_is_older_than_the_limit_goes() {
    let place = filled(&NAMES);
    let store = place.open();
    let max_age = Some(Duration::from_millis(2500));
    store.gc(&GcOptions { max_age, ..GcOptions::default() }).unwrap();
    assert_eq!(left(&store, &NAMES), ["cccc", "dddd"]);
}

#[test]
fn a_dry_run_reports_the_same_and_removes_nothing() {
    let place = filled(&NAMES);
    let store = place.open();
    let planned = store.gc(&GcOptions { dry_run: true, ..up_to(4) }).unwrap();
    assert_eq!(planned.results.len(), 3);
    assert_eq!(store.stats().unwrap().results, 4);
    assert_eq!(store.gc(&up_to(4)).unwrap(), planned);
}

#[test]
fn what_a_live_process_hit_or_made_stays() {
    let place = filled(&NAMES);
    let build = place.open();
    assert!(build.lookup(&[key("aaaa")]).unwrap()[0].is_some());
    let bare = build.put_bytes(b"no result yet").unwrap();
    let kept = FileRef { size: 4, ..build.put_bytes(b"bbbb").unwrap() };
    let report = place.open().gc(&up_to(0)).unwrap();
    assert_eq!(report.results.len(), 3);
    assert_eq!(left(&build, &NAMES), ["aaaa"]);
    assert_eq!(build.read(bare.blob).unwrap(), b"no result yet");
    assert_eq!(build.read(kept.blob).unwrap(), b"bbbb");
    drop(build);
    let report = place.open().gc(&up_to(0)).unwrap();
    assert_eq!((report.kept_results, report.kept_objects), (0, 0));
}

#[test]
fn what_is_claimed_together_stays() {
    let place = filled_in(Place::unpacked(), &NAMES);
    let file = |name: &str| {
        let blob = BlobId(Digest::of(name.as_bytes()));
        Artifact::File(FileRef { blob, size: 4, executable: false })
    };
    let asked = [file("aaaa"), file("lost"), file("absent"), file("cccc")];
    let build = place.open();
    let lost = build.put_bytes(b"lost").unwrap();
    std::fs::remove_file(place.blob(&lost)).unwrap();
    assert!(build.read(lost.blob).is_err());
    assert_eq!(build.claim(&asked).unwrap(), [true, false, false, true]);
    assert!(!place.writes(|| assert_eq!(build.claim(&asked[..1]).unwrap(), [true])));
    assert_eq!(build.claim(&[]).unwrap(), []);
    place.open().gc(&up_to(0)).unwrap();
    assert_eq!(build.claim(&asked).unwrap(), [true, false, false, true]);
    let Artifact::File(first) = asked[0] else { panic!("a tree") };
    assert_eq!(build.read(first.blob).unwrap(), b"aaaa");
}

#[test]
fn a_forgotten_result_still_holds_its_blobs_for_who_hit_it() {
    let place = filled(&NAMES);
    let build = place.open();
    let hit = build.lookup(&[key("aaaa")]).unwrap().remove(0).unwrap();
    let cleaner = place.open();
    cleaner.forget(&[key("aaaa")]).unwrap();
    cleaner.gc(&up_to(0)).unwrap();
    let Artifact::File(file) = hit.outputs["out"] else { panic!() };
    assert_eq!(build.read(file.blob).unwrap(), b"aaaa");
}

#[test]
fn what_any_workspace_published_stays_until_it_publishes_otherwise() {
    let place = filled(&NAMES);
    let store = place.open();
    let bare = store.put_bytes(b"pinned").unwrap();
    let roots = Roots { keys: vec![key("aaaa")], artifacts: vec![Artifact::File(bare)] };
    store.publish_roots("films", &roots).unwrap();
    let more = Roots { keys: vec![key("cccc")], artifacts: vec![] };
    store.publish_roots("other", &more).unwrap();
    drop(store);
    let store = place.open();
    store.gc(&up_to(0)).unwrap();
    assert_eq!(store.read(bare.blob).unwrap(), b"pinned");
    assert_eq!(store.stats().unwrap().results, 2);
    assert_eq!(store.root_workspaces().unwrap(), ["films", "other"]);
    store.publish_roots("films", &Roots::default()).unwrap();
    store.gc(&up_to(0)).unwrap();
    assert_eq!(left(&store, &NAMES), ["cccc"]);
    assert!(store.read(bare.blob).is_err());
}

#[test]
fn a_log_stays_as_long_as_its_result() {
    let place = Place::new();
    let store = place.open();
    let film = store.put_bytes(b"film").unwrap();
    let log = store.put_bytes(b"log").unwrap();
    let made = ActionResult { log: Some(log), ..result(Artifact::File(film)) };
    store.commit(key("film"), &made).unwrap();
    drop(store);
    let keep = Roots { keys: vec![key("film")], artifacts: vec![] };
    let store = place.open();
    store.gc(&GcOptions { keep, ..up_to(0) }).unwrap();
    assert_eq!(store.read(log.blob).unwrap(), b"log");
}

#[test]
fn what_a_workspace_that_is_gone_published_goes() {
    let place = filled(&NAMES);
    let store = place.open();
    let bare = store.put_bytes(b"pinned").unwrap();
    let roots = Roots { keys: vec![key("aaaa")], artifacts: vec![Artifact::File(bare)] };
    store.publish_roots("/gone", &roots).unwrap();
    store.publish_roots("/there", &Roots { keys: vec![key("bbbb")], artifacts: vec![] }).unwrap();
    drop(store);
    let store = place.open();
    let options = GcOptions { gone: vec!["/gone".to_owned()], ..up_to(0) };
    let planned = store.gc(&GcOptions { dry_run: true, ..options.clone() }).unwrap();
    assert_eq!(store.root_workspaces().unwrap(), ["/gone", "/there"]);
    assert_eq!(store.gc(&options).unwrap(), planned);
    assert_eq!(store.root_workspaces().unwrap(), ["/there"]);
    assert_eq!(left(&store, &NAMES), ["bbbb"]);
    assert!(store.read(bare.blob).is_err());
}

#[test]
fn only_what_differs_from_the_published_roots_is_written() {
    let place = filled(&NAMES);
    let store = place.open();
    let roots = |names: &[&str]| {
        let file = |name: &&str| Artifact::File(make(&store, name));
        Roots {
            keys: names.iter().map(|name| key(name)).collect(),
            artifacts: names.iter().map(file).collect(),
        }
    };
    let (first, second) = (roots(&["aaaa", "bbbb", "aaaa"]), roots(&["bbbb", "aaaa"]));
    let third = roots(&["bbbb", "cccc"]);
    store.publish_roots("films", &first).unwrap();
    assert!(!place.writes(|| store.publish_roots("films", &second).unwrap()));
    let index = rusqlite::Connection::open(place.root().join("index.db")).unwrap();
    index.execute("CREATE TABLE change(what)", []).unwrap();
    for (table, name) in [("root_result", "key"), ("root_object", "file")] {
        for (event, sign) in [("INSERT", "+"), ("DELETE", "-")] {
            let note = format!("INSERT INTO change VALUES('{sign}{name}');");
            let trigger = format!("CREATE TRIGGER {event}_{name} AFTER {event} ON {table}");
            index.execute_batch(&format!("{trigger} BEGIN {note} END")).unwrap();
        }
    }
    store.publish_roots("films", &third).unwrap();
    let changes: String = index
        .query_row("SELECT group_concat(what, ' ' ORDER BY what) FROM change", [], |row| row.get(0))
        .unwrap();
    assert_eq!(changes, "+file +key -file -key");
}

#[test]
fn what_the_caller_wants_kept_stays() {
    let place = filled(&NAMES);
    let store = place.open();
    let keep = Roots { keys: vec![key("bbbb")], artifacts: vec![] };
    store.gc(&GcOptions { keep, ..up_to(0) }).unwrap();
    assert_eq!(left(&store, &NAMES), ["bbbb"]);
}

#[test]
fn what_two_trees_share_goes_with_the_last() {
    let place = Place::new();
    let store = place.open();
    for (name, own) in [("a", "1"), ("b", "22")] {
        place.write(&format!("{name}/shared.txt"), "shared");
        place.write(&format!("{name}/sub/own.txt"), own);
        let tree = store.put_tree(&place.path(name), Take::Copy).unwrap();
        store.commit(key(name), &result(Artifact::Tree(tree))).unwrap();
    }
    drop(store);
    let store = place.open();
    let kept = Roots { keys: vec![key("b")], artifacts: vec![] };
    store.gc(&GcOptions { keep: kept, ..up_to(0) }).unwrap();
    let found = store.lookup(&[key("a"), key("b")]).unwrap();
    assert!(found[0].is_none());
    assert_eq!(store.stats().unwrap().objects, 4);
    assert!(store.verify(Default::default()).unwrap().is_sound());
    drop((found, store));
    let store = place.open();
    store.gc(&up_to(0)).unwrap();
    assert_eq!(store.stats().unwrap().objects, 0);
    assert_eq!(std::fs::read_dir(place.root().join("packs")).unwrap().count(), 0);
    let shards = std::fs::read_dir(place.root().join("blobs")).unwrap().flatten();
    let mut files = shards.flat_map(|shard| std::fs::read_dir(shard.path()).unwrap());
    assert!(files.next().is_none());
}

#[test]
fn strays_and_damaged_files_go() {
    let place = filled(&NAMES);
    let store = place.open();
    std::fs::create_dir_all(place.root().join("blobs/00")).unwrap();
    std::fs::write(place.root().join("blobs/00").join("0".repeat(62)), "stray").unwrap();
    std::fs::write(place.root().join("quarantine/bad"), "damaged").unwrap();
    assert_eq!(store.gc(&GcOptions::default()).unwrap().strays, 2);
    assert_eq!(store.stats().unwrap().quarantined, 0);
    assert_eq!(left(&store, &NAMES), NAMES);
}
