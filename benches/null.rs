//! How long a build takes in which nothing changed, from process start to exit: for the most part
//! the look at 1,000 sources and 1,000 outputs.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};

/// Packages, and targets in each.
const PACKAGES: usize = 10;
const TARGETS: usize = 100;

/// Tasks that each copy a source of their own.
fn write_workspace(root: &Path) {
    fs::write(root.join("WORKSPACE.kdl"), "workspace \"bench\"\n").expect("it can be written");
    for package in 0..PACKAGES {
        let folder = root.join(format!("d{package}"));
        fs::create_dir(&folder).expect("it can be made");
        let mut text = String::new();
        for target in 0..TARGETS {
            let source = folder.join(format!("s{target}.txt"));
            fs::write(source, format!("{package} {target}\n")).expect("it can be written");
            let _infallible = write!(
                text,
                "task \"t{target}\" {{\n    srcs \"s{target}.txt\"\n    \
                 out \"t{target}.txt\"\n    run \"cp\" \"{{srcs}}\" \"{{out}}\"\n}}\n"
            );
        }
        fs::write(folder.join("BUILD.kdl"), text).expect("it can be written");
    }
}

fn vwfb(place: &Path, args: &[&str]) {
    let ended = Command::new(env!("CARGO_BIN_EXE_vwfb"))
        .args(args)
        .current_dir(place.join("root"))
        .env("VWFB_STORE", place.join("store"))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    assert!(ended.is_ok_and(|status| status.success()), "{args:?} fails");
}

fn null_build(criterion: &mut Criterion) {
    let place = tempfile::tempdir().expect("a temporary folder can be made");
    fs::create_dir(place.path().join("root")).expect("it can be made");
    write_workspace(&place.path().join("root"));
    // The second looks again at files that were young at the end of the first.
    for _ in 0..2 {
        vwfb(place.path(), &["build", "//..."]);
    }
    let mut group = criterion.benchmark_group("null build");
    group.throughput(Throughput::Elements((PACKAGES * TARGETS) as u64)).sample_size(20);
    group.bench_function("1,000 tasks", |bencher| {
        bencher.iter(|| vwfb(place.path(), &["build", "//..."]));
    });
    group.bench_function("1,000 tasks, everything evaluated", |bencher| {
        bencher.iter(|| vwfb(place.path(), &["build", "//...", "--no-snapshot"]));
    });
    group.finish();
    criterion.bench_function("no build: `version`", |bencher| {
        bencher.iter(|| vwfb(place.path(), &["version"]));
    });
}

criterion_group!(benches, null_build);
criterion_main!(benches);
