//! Damaged memory: the workspace's, the store's index, and the store's bytes.

use std::fs;
use std::path::{Path, PathBuf};

use rusqlite::Connection;

use crate::world::World;

const CHAIN: &str = "\
task \"a\" { srcs \"s.txt\"; out \"a\"; script \"cat {srcs} > {out}; echo a >> {out}\" }
task \"b\" { srcs \":a\"; out \"b\" type=\"tree\"; script \"mkdir {out}; cat {srcs} > {out}/b\" }
task \"c\" { srcs \":b\"; out \"c\"; script \"for t in {srcs}; do cat $t/b; done > {out}\" }
";

fn chain() -> World {
    let world = World::with(CHAIN);
    world.write("p/s.txt", "source\n");
    let _built = world.ok(&["build", "//..."]);
    world
}

/// Builds from the damaged memory, then after an edit; leaves the source as it was.
fn assert_right(world: &World) {
    fs::remove_dir_all(world.path("vwfb-out")).unwrap();
    let _built = world.ok(&["build", "//..."]);
    assert_eq!(world.read("vwfb-out/p/c"), "source\na\n");
    world.write("p/s.txt", "other\n");
    let _built = world.ok(&["build", "//..."]);
    assert_eq!(world.read("vwfb-out/p/c"), "other\na\n");
    world.write("p/s.txt", "source\n");
}

/// Overwrites the middle half of a file, or all of it.
fn spoil(path: &Path, whole: bool) {
    let mut bytes = fs::read(path).unwrap();
    let quarter = bytes.len() / 4;
    let range = if whole { 0..bytes.len() } else { quarter..bytes.len() - quarter };
    bytes[range].fill(0x5a);
    let mut mode = fs::metadata(path).unwrap().permissions();
    #[expect(clippy::permissions_set_readonly_false, reason = "the file is the test's own")]
    mode.set_readonly(false);
    fs::set_permissions(path, mode).unwrap();
    fs::write(path, bytes).unwrap();
}

/// Writes the log of changes into its database, so that all there is to damage is in one file.
fn fold_log(database: &Path) {
    let db = Connection::open(database).unwrap();
    let fold = "PRAGMA wal_checkpoint(TRUNCATE)";
    let busy: i64 = db.query_row(fold, [], |row| row.get(0)).unwrap();
    assert_eq!(busy, 0);
}

#[test]
fn a_damaged_memory_of_the_workspace_is_set_aside() {
    for whole in [true, false] {
        let world = chain();
        let state = world.path(".vwfb/state.db");
        fold_log(&state);
        spoil(&state, whole);
        let ran = world.ok(&["build", "//..."]);
        let _told = ran.says("warning: ").says("state.db");
        assert!(world.path(".vwfb/state.db.damaged").exists());
        assert_right(&world);
    }
}

#[test]
fn a_damaged_memory_with_a_log_beside_it_is_borne() {
    for whole in [true, false] {
        let world = chain();
        let state = world.path(".vwfb/state.db");
        fold_log(&state);
        world.write("p/s.txt", "more\n");
        let _logged = world.ok(&["build", "//..."]);
        world.write("p/s.txt", "source\n");
        spoil(&state, whole);
        let ran = world.run(&["build", "//..."]);
        if ran.code != Some(0) {
            let _told = ran.exits(4).says("state.db.damaged").says("run the command again");
        }
        assert_right(&world);
    }
}

#[test]
fn a_memory_that_is_empty_or_cut_off_is_borne() {
    for length in [0, 1, 100, 5000] {
        let world = chain();
        let state = world.path(".vwfb/state.db");
        fold_log(&state);
        let bytes = fs::read(&state).unwrap();
        fs::write(&state, &bytes[..length]).unwrap();
        let _built = world.ok(&["build", "//..."]);
        assert_right(&world);
    }
}

#[test]
fn a_damaged_index_is_told_and_made_again() {
    let world = chain();
    let index = world.store().join("index.db");
    fold_log(&index);
    spoil(&index, true);
    let ran = world.run(&["build", "//..."]);
    if ran.code != Some(0) {
        let _told = ran.exits(4).says("vwfb cache verify --rebuild");
        let _mended = world.run(&["cache", "verify", "--rebuild"]);
    }
    let _verified = world.ok(&["cache", "verify"]);
    assert_eq!(world.counts(&["//..."]).get("ran"), None, "the records say it all");
    assert_right(&world);
}

/// Every pack of the store.
fn packs(world: &World) -> Vec<PathBuf> {
    let entries = fs::read_dir(world.store().join("packs")).unwrap();
    entries.map(|entry| entry.unwrap().path()).collect()
}

/// Where the entries with blobs begin in a pack.
fn blobs(pack: &Path) -> Vec<usize> {
    let bytes = fs::read(pack).unwrap();
    let heads = bytes.windows(5).enumerate().filter(|(_, head)| head == b"vwp1\x01");
    heads.map(|(at, _)| at).collect()
}

/// Every blob is lost: its entry's head is overwritten, or the pack ends within it or is gone.
#[test]
fn a_blob_that_is_cut_off_or_gone_is_made_again() {
    let losses: [fn(&Path, usize); 3] = [
        |pack, at| {
            let mut bytes = fs::read(pack).unwrap();
            bytes[at] ^= 1;
            fs::write(pack, bytes).unwrap();
        },
        |pack, at| {
            let file = fs::File::options().write(true).open(pack).unwrap();
            file.set_len(at as u64 + 46).unwrap();
        },
        |pack, _| fs::remove_file(pack).unwrap(),
    ];
    let count = blobs(&packs(&chain())[0]).len();
    assert!(count >= 3);
    for lose in losses {
        for nth in 0..count {
            let world = chain();
            let pack = packs(&world).remove(0);
            lose(&pack, blobs(&pack)[nth]);
            assert_right(&world);
            let _found = world.run(&["cache", "verify"]);
            let _sound = world.ok(&["cache", "verify"]);
            assert_right(&world);
        }
    }
}

#[test]
fn a_store_that_was_deleted_is_begun_again() {
    let world = chain();
    fs::remove_dir_all(world.store()).unwrap();
    assert_right(&world);
}

#[test]
fn verify_tells_whose_result_is_damaged() {
    let world = chain();
    for pack in packs(&world) {
        let mut bytes = fs::read(&pack).unwrap();
        blobs(&pack).into_iter().for_each(|at| bytes[at + 45] ^= 1);
        fs::write(&pack, bytes).unwrap();
    }
    let ran = world.run(&["cache", "verify"]).exits(1);
    assert!(ran.stdout.contains("damaged "), "{}", ran.stdout);
    assert!(ran.stdout.contains("//p:a"), "{}", ran.stdout);
    assert_right(&world);
}
