//! How long a task that does nothing takes: starting its process, confining it, and cleaning up.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command as Process;
use std::sync::Arc;
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use vwfb_cas::{Digest, Store};
use vwfb_exec::action::{Action, Command, Grants};
use vwfb_exec::{
    CancelToken, Closure, ExecOptions, Executor, FileDigests, Level, ToolSpec, Toolchains,
};

/// Digests of paths, for the benchmark does not hash programs.
struct Unread;

impl FileDigests for Unread {
    fn digest(&self, path: &Path) -> io::Result<Digest> {
        Ok(Digest::of(path.as_os_str().as_encoded_bytes()))
    }
}

fn options() -> ExecOptions {
    ExecOptions {
        launcher: PathBuf::from(env!("CARGO_BIN_EXE_vwfb-exec-helper")),
        launcher_argument: "launcher".to_owned(),
        level: Level::detect(),
        grace: Duration::from_secs(60),
        keep_scratch: None,
    }
}

fn action(words: &[&str], base: &Closure) -> Action {
    let args = words[1..].iter().map(|&word| word.to_owned()).collect();
    Action {
        command: Command::Process { program: words[0].to_owned(), args },
        inputs: BTreeMap::new(),
        outputs: BTreeMap::new(),
        env: BTreeMap::new(),
        secrets: BTreeMap::new(),
        stdin: None,
        stdout: None,
        stderr: None,
        success_codes: BTreeSet::from([0]),
        tools: BTreeMap::from([("base".to_owned(), base.fingerprint)]),
        network: false,
        service: None,
        terminal: false,
        seed: None,
        take: 0,
        feedback: None,
        platform: String::new(),
        rule_version: 1,
    }
}

fn spawn(criterion: &mut Criterion) {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let store = Store::open(&folder.path().join("store")).expect("a new store opens");
    let executor = Executor::new(Arc::new(store), options());
    let mut worker = executor.worker().expect("a launcher starts");
    let base = Toolchains::new(&[]).closure(&ToolSpec::base(), &Unread).expect("there is a shell");
    let base = Arc::new(base);
    let cancel = CancelToken::new().expect("there are events");
    let closures = BTreeMap::from([("base".to_owned(), Arc::clone(&base))]);
    let mut group = criterion.benchmark_group("spawn");
    group.sample_size(20);
    for words in [["true"].as_slice(), &["sh", "-euc", ":"]] {
        let action = action(words, &base);
        group.bench_function(format!("a confined task: {}", words[0]), |bench| {
            bench.iter(|| {
                executor
                    .run(&mut worker, &action, &Grants::default(), &closures, &cancel)
                    .expect("a task that does nothing ends well")
            });
        });
    }
    group.bench_function("for comparison, std's spawn and wait: true", |bench| {
        bench.iter(|| Process::new("/bin/true").status().expect("`true` starts"));
    });
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2));
    targets = spawn
}
criterion_main!(benches);
