//! How long the key of a task takes, from its action to the digest.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use vwfb_cas::{Artifact, BlobId, Digest, FileRef};
use vwfb_engine::key::KeyRecord;
use vwfb_exec::action::{Action, Command, OutputSpec};

/// A task that joins so many files with `sh`.
fn action(inputs: usize) -> Action {
    let digest = |number: usize| Digest::of(&number.to_le_bytes());
    let file = |number: usize| {
        Artifact::File(FileRef { blob: BlobId(digest(number)), size: 64, executable: false })
    };
    let out = OutputSpec { role: "out/o.txt".to_owned(), tree: false };
    Action {
        command: Command::Process {
            program: "sh".to_owned(),
            args: vec!["-euc".to_owned(), "cat in/*.txt > out/o.txt".to_owned()],
        },
        inputs: (0..inputs).map(|number| (format!("in/s{number}.txt"), file(number))).collect(),
        outputs: BTreeMap::from([("o.txt".to_owned(), out)]),
        env: BTreeMap::from([("LANG".to_owned(), "C.UTF-8".to_owned())]),
        secrets: BTreeMap::new(),
        stdin: None,
        stdout: None,
        stderr: None,
        success_codes: BTreeSet::from([0]),
        tools: BTreeMap::from([("base".to_owned(), digest(0))]),
        network: false,
        service: None,
        terminal: false,
        seed: None,
        take: 0,
        feedback: None,
        platform: "x86_64-linux".to_owned(),
        rule_version: 1,
    }
}

fn key(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("key of a task");
    group.throughput(Throughput::Elements(1)).sample_size(20);
    for inputs in [2, 100] {
        let action = action(inputs);
        group.bench_function(format!("{inputs} inputs"), |bench| {
            bench.iter(|| KeyRecord::of(&action).key());
        });
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2));
    targets = key
}
criterion_main!(benches);
