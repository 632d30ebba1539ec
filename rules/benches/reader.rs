//! How fast the reader takes rule files, beside the `kdl` crate on the same text.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use vwfb_rules::label::WsPath;

/// A package of `count` targets of about 120 bytes each.
fn package(count: usize) -> String {
    let target = |index: usize| {
        format!(
            "task \"t{index}\" {{\n    srcs \"s{index}.txt\" \":t{}\"\n    out \"o{index}.txt\"\n    \
             script \"cat {{srcs}} > {{out}}\"\n}}\n\n",
            index.saturating_sub(1)
        )
    };
    (0..count).map(target).collect()
}

fn reader(criterion: &mut Criterion) {
    let count = 1_000;
    let text = package(count);
    let file = WsPath::new("BUILD.kdl").expect("a plain name is a path");
    let mut group = criterion.benchmark_group("read 1,000 targets");
    group.throughput(Throughput::Elements(count as u64)).sample_size(10);
    group.bench_function("vwfb: text to package", |bench| {
        bench.iter(|| vwfb_rules::package(&file, &text));
    });
    group.bench_function("kdl: text to document", |bench| {
        bench.iter(|| kdl::KdlDocument::parse_v2(&text));
    });
    group.finish();
}

criterion_group!(benches, reader);
criterion_main!(benches);
