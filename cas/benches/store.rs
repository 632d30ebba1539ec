//! How fast the store takes bytes in, makes results durable, and gives both back.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use vwfb_cas::{ActionKey, ActionResult, Artifact, Digest, FileRef, Placement, Store, Take};

/// Small blobs in a batch.
const BATCH: u64 = 100;
/// Bytes of the large file.
const LARGE: usize = 16 << 20;

/// A store in a folder that goes away with it, and a counter for content that it never saw.
struct Bench {
    store: Store,
    folder: tempfile::TempDir,
    unseen: Cell<u64>,
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let store = Store::open(&folder.path().join("store")).expect("a new store opens");
        Self { store, folder, unseen: Cell::new(0) }
    }

    /// A number that was not given before.
    fn fresh(&self) -> u64 {
        self.unseen.set(self.unseen.get() + 1);
        self.unseen.get()
    }

    fn put_unseen(&self) -> FileRef {
        let text = format!("a small output, number {}\n", self.fresh());
        self.store.put_bytes(text.as_bytes()).expect("bytes can be stored")
    }

    /// So many results of one file each, not committed.
    fn results(&self) -> Vec<(ActionKey, ActionResult)> {
        (0..BATCH).map(|_| (self.key(), result(self.put_unseen()))).collect()
    }

    fn key(&self) -> ActionKey {
        ActionKey(Digest::of(&self.fresh().to_le_bytes()))
    }

    /// An empty folder that never was.
    fn place(&self) -> PathBuf {
        let place = self.folder.path().join(format!("place-{}", self.fresh()));
        fs::create_dir(&place).expect("a folder can be made");
        place
    }
}

fn result(file: FileRef) -> ActionResult {
    let outputs = BTreeMap::from([("out".to_owned(), Artifact::File(file))]);
    ActionResult { outputs, log: None, duration_ms: 1, observed_inputs: None }
}

fn small(criterion: &mut Criterion) {
    let bench = Bench::new();
    let mut group = criterion.benchmark_group("100 small blobs");
    group.throughput(Throughput::Elements(BATCH)).sample_size(10);
    group.bench_function("put, unseen", |timer| {
        timer.iter(|| (0..BATCH).map(|_| bench.put_unseen()).collect::<Vec<_>>());
    });
    group.bench_function("commit results, durable", |timer| {
        let make = || bench.results();
        let commit = |results: Vec<_>| bench.store.commit_all(&results).expect("results commit");
        timer.iter_batched(make, commit, BatchSize::PerIteration);
    });
    let results = bench.results();
    bench.store.commit_all(&results).expect("results commit");
    let keys: Vec<ActionKey> = results.iter().map(|(key, _)| *key).collect();
    let artifacts: Vec<&Artifact> =
        results.iter().flat_map(|(_, result)| result.outputs.values()).collect();
    group.bench_function("look up results", |timer| {
        timer.iter(|| bench.store.lookup(&keys).expect("results are found"));
    });
    group.bench_function("read", |timer| {
        timer.iter(|| artifacts.iter().map(|artifact| read(&bench.store, artifact)).sum::<usize>());
    });
    group.bench_function("materialise copies", |timer| {
        let make = || bench.place();
        let put = |to: PathBuf| place_all(&bench.store, &artifacts, &to);
        timer.iter_batched(make, put, BatchSize::PerIteration);
    });
    group.finish();
}

fn read(store: &Store, artifact: &Artifact) -> usize {
    let Artifact::File(file) = artifact else { panic!("the benchmark stores files only") };
    store.read(file.blob).expect("a blob that was put can be read").len()
}

fn place_all(store: &Store, artifacts: &[&Artifact], to: &Path) {
    for (number, artifact) in artifacts.iter().enumerate() {
        let name = to.join(format!("{number}.txt"));
        store.materialise(artifact, &name, Placement::Owned).expect("a blob can be placed");
    }
}

fn large(criterion: &mut Criterion) {
    let bench = Bench::new();
    let file = bench.folder.path().join("large");
    let mut bytes = vec![7; LARGE];
    let mut group = criterion.benchmark_group("a file of 16 MiB");
    group.throughput(Throughput::Bytes(LARGE as u64)).sample_size(10);
    group.bench_function("put, unseen", |timer| {
        let mut write = || {
            bytes[..8].copy_from_slice(&bench.fresh().to_le_bytes());
            fs::write(&file, &bytes).expect("a file can be written");
        };
        let put = |()| bench.store.put_file(&file, Take::Copy).expect("a file can be stored");
        timer.iter_batched(&mut write, put, BatchSize::PerIteration);
    });
    fs::write(&file, &bytes).expect("a file can be written");
    let stored = bench.store.put_file(&file, Take::Copy).expect("a file can be stored");
    group.bench_function("read", |timer| {
        timer.iter(|| bench.store.read(stored.blob).expect("a blob that was put can be read"));
    });
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2));
    targets = small, large
}
criterion_main!(benches);
