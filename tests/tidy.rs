//! The project's own order: headers, file sizes, arrows between crates, and what it depends on.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// A source file longer than this, inline tests not counted, wants to be two.
const MOST_LINES: usize = 800;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The project's files below `folder` whose names end in one of `endings`.
fn files(folder: &Path, endings: &[&str]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a folder of the project can be read") {
        let path = entry.expect("an entry can be read").path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let generated = name.starts_with('.') || ["target", "vwfb-out"].contains(&name.as_str());
        if path.is_dir() && !generated {
            found.extend(files(&path, endings));
        } else if path.is_file() && endings.iter().any(|ending| name.ends_with(ending)) {
            found.push(path);
        }
    }
    found.sort();
    found
}

fn read(path: &Path) -> String {
    let bytes = std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    String::from_utf8_lossy(&bytes).into_owned()
}

/// `path` as people write it.
fn shown(path: &Path) -> String {
    path.strip_prefix(root()).unwrap_or(path).display().to_string()
}

#[test]
fn every_source_file_says_what_it_is_for() {
    let bare = |path: &PathBuf| !read(path).starts_with("//! ");
    let bare: Vec<String> =
        files(root(), &[".rs"]).iter().filter(|path| bare(path)).map(|path| shown(path)).collect();
    assert_eq!(bare, Vec::<String>::new(), "begin each with a `//!` line");
}

#[test]
fn no_source_file_knows_everything() {
    let code =
        |path: &PathBuf| read(path).lines().take_while(|line| *line != "mod tests {").count();
    let long: Vec<(String, usize)> = files(root(), &[".rs"])
        .iter()
        .map(|path| (shown(path), code(path)))
        .filter(|(_, lines)| *lines > MOST_LINES)
        .collect();
    assert_eq!(long, [], "split what is longer than {MOST_LINES} lines");
}

#[test]
fn every_rule_of_the_library_has_an_example() {
    let examples: String =
        files(&root().join("examples"), &["BUILD.kdl"]).iter().map(|path| read(path)).collect();
    let used = |rule: &str| {
        let mut lines = examples.lines().map(str::trim_start);
        lines.any(|line| line.strip_prefix(rule).is_some_and(|rest| rest.starts_with(" \"")))
    };
    let library = files(&root().join("rules/std"), &[".kdl"]).into_iter();
    // vwfb itself writes placeholders.
    let library = library.filter(|path| !path.ends_with("placeholder.kdl"));
    let texts: String = library.map(|path| read(&path)).collect();
    let named = |line: &str| {
        let rest = line.strip_prefix("rule \"").or_else(|| line.strip_prefix("template \""))?;
        rest.split_once('"').map(|(name, _)| name.to_owned())
    };
    let rules: Vec<String> = texts.lines().filter_map(named).collect();
    assert!(rules.len() >= 10, "{rules:?}");
    let without: Vec<&String> = rules.iter().filter(|rule| !used(rule)).collect();
    assert!(without.is_empty(), "no example in examples/ uses {without:?}");
}

/// Two preludes in one script, or two files read side by side, must not mean different things by a name.
#[test]
fn a_function_of_the_library_is_in_one_prelude() {
    let mut places: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for path in files(&root().join("rules/std"), &[".kdl"]) {
        let mut prelude = None;
        for line in read(&path).lines() {
            if let Some(rest) = line.strip_prefix("prelude \"") {
                prelude = rest.split('"').next().map(str::to_owned);
            } else if line.starts_with("rule ") {
                prelude = None;
            }
            let text = line.trim_start();
            let shell = text.strip_suffix("() {").map(|name| format!("{name}()"));
            let awk = text.strip_prefix("function ").and_then(|rest| rest.split('(').next());
            let name = shell.or(awk.map(|name| format!("function {name}")));
            if let (Some(name), Some(prelude)) = (name, &prelude) {
                places.entry(name).or_default().push(prelude.clone());
            }
        }
    }
    assert!(places.len() > 50, "{places:?}");
    places.retain(|_, preludes| preludes.len() > 1);
    assert_eq!(places, BTreeMap::new(), "rename one of them, or share it");
}

#[test]
fn no_file_names_a_place_on_one_machine() {
    let homes = ["root", "work"].map(|folder| format!("/{folder}/"));
    let endings =
        [".rs", ".md", ".toml", ".kdl", ".svg", ".sh", ".yml", "run", "test", "quickstart"];
    let mut found = Vec::new();
    for path in files(root(), &endings) {
        for (number, line) in read(&path).lines().enumerate() {
            if homes.iter().any(|home| names(line, home)) {
                found.push(format!("{}:{}", shown(&path), number + 1));
            }
        }
    }
    assert_eq!(found, Vec::<String>::new());
}

/// Whether `line` names a path that begins with `home`.
fn names(line: &str, home: &str) -> bool {
    line.match_indices(home).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        before.is_none_or(|c| c.is_whitespace() || "\"'`(=:<".contains(c))
    })
}

/// What `cargo metadata` says of the workspace on this platform.
fn metadata() -> Value {
    let platform = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--locked", "--filter-platform", &platform])
        .current_dir(root())
        .output()
        .expect("cargo starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("cargo writes JSON")
}

fn list<'v>(value: &'v Value, field: &str) -> &'v [Value] {
    value[field].as_array().map_or(&[], Vec::as_slice)
}

fn text<'v>(value: &'v Value, field: &str) -> &'v str {
    value[field].as_str().unwrap_or_default()
}

/// The workspace's own packages: those that come from no registry.
fn own(metadata: &Value) -> impl Iterator<Item = &Value> {
    list(metadata, "packages").iter().filter(|package| package["source"].is_null())
}

#[test]
fn arrows_between_crates_point_one_way() {
    let allowed: BTreeMap<&str, &[&str]> = BTreeMap::from([
        ("vwfb-cas", [].as_slice()),
        ("vwfb-rules", &[]),
        ("vwfb-spawn", &[]),
        ("vwfb-exec", &["vwfb-cas", "vwfb-spawn"]),
        ("vwfb-kit", &[]),
        ("vwfb-import", &["vwfb-rules"]),
        ("vwfb-engine", &["vwfb-cas", "vwfb-exec", "vwfb-rules"]),
        (
            "vwfb",
            &["vwfb-cas", "vwfb-engine", "vwfb-exec", "vwfb-import", "vwfb-kit", "vwfb-rules"],
        ),
    ]);
    let metadata = metadata();
    for package in own(&metadata) {
        let name = text(package, "name");
        let Some(allowed) = allowed.get(name) else { panic!("say here what `{name}` may use") };
        for dependency in list(package, "dependencies").iter().map(|dep| text(dep, "name")) {
            let ours = dependency.starts_with("vwfb");
            assert!(!ours || allowed.contains(&dependency), "`{name}` may not use `{dependency}`");
        }
    }
}

#[test]
fn each_direct_dependency_is_argued_for() {
    let metadata = metadata();
    let used: BTreeSet<&str> = own(&metadata)
        .flat_map(|package| list(package, "dependencies"))
        .map(|dependency| text(dependency, "name"))
        .filter(|name| !name.starts_with("vwfb"))
        .collect();
    let note = read(&root().join("docs/design/dependencies.md"));
    let argued: BTreeSet<&str> =
        note.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next()).collect();
    assert_eq!(used, argued, "the table in docs/design/dependencies.md has other crates");
}

#[test]
fn every_dependency_comes_from_crates_io_under_an_allowed_licence() {
    let deny = read(&root().join("deny.toml"));
    let allowed = allowed_licences(&deny);
    assert!(allowed.contains("MIT"), "deny.toml has its list");
    let mut refused = Vec::new();
    for package in
        list(&metadata(), "packages").iter().filter(|package| !package["source"].is_null())
    {
        let (name, licence) = (text(package, "name"), text(package, "license"));
        let source = text(package, "source");
        if source != "registry+https://github.com/rust-lang/crates.io-index" {
            refused.push(format!("{name} from {source}"));
        }
        if !is_allowed(licence, &allowed) {
            refused.push(format!("{name} under `{licence}`"));
        }
    }
    assert_eq!(refused, Vec::<String>::new(), "see deny.toml");
}

#[test]
fn no_crate_is_built_in_two_versions_without_a_reason() {
    let deny = read(&root().join("deny.toml"));
    let skipped = skipped_crates(&deny);
    let metadata = metadata();
    let mut versions: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for package in list(&metadata, "packages") {
        let (name, version) = (text(package, "name"), text(package, "version"));
        let skip = |(skipped, start): &(&str, &str)| {
            *skipped == name
                && version.strip_prefix(start).is_some_and(|rest| rest.starts_with('.'))
        };
        if !skipped.iter().any(skip) {
            versions.entry(name).or_default().push(version);
        }
    }
    versions.retain(|_, versions| versions.len() > 1);
    assert_eq!(versions, BTreeMap::new(), "argue for it in deny.toml, or choose another crate");
}

/// The strings of the `allow` list under `[licenses]`.
fn allowed_licences(deny: &str) -> BTreeSet<&str> {
    let section = deny.split("[licenses]").nth(1).expect("deny.toml has `[licenses]`");
    let list = section.split("allow = [").nth(1).expect("`[licenses]` has `allow`");
    let lines = list.lines().take_while(|line| !line.starts_with(']'));
    lines.filter_map(|line| line.split('"').nth(1)).collect()
}

/// Name and leading version of each crate that deny.toml lets stand in two versions.
fn skipped_crates(deny: &str) -> Vec<(&str, &str)> {
    let entries = deny.lines().filter_map(|line| line.split("{ crate = \"").nth(1));
    entries.filter_map(|entry| entry.split('"').next()?.split_once('@')).collect()
}

/// Whether an SPDX expression can be met with the licences allowed.
fn is_allowed(expression: &str, allowed: &BTreeSet<&str>) -> bool {
    let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let mut words: Vec<&str> = spaced.split_whitespace().rev().collect();
    let met = any_of(&mut words, allowed);
    met && words.is_empty()
}

fn any_of(words: &mut Vec<&str>, allowed: &BTreeSet<&str>) -> bool {
    let mut met = all_of(words, allowed);
    while words.last() == Some(&"OR") {
        words.pop();
        met |= all_of(words, allowed);
    }
    met
}

fn all_of(words: &mut Vec<&str>, allowed: &BTreeSet<&str>) -> bool {
    let mut met = licence(words, allowed);
    while words.last() == Some(&"AND") {
        words.pop();
        met &= licence(words, allowed);
    }
    met
}

fn licence(words: &mut Vec<&str>, allowed: &BTreeSet<&str>) -> bool {
    let Some(first) = words.pop() else { return false };
    if first == "(" {
        let met = any_of(words, allowed);
        return words.pop() == Some(")") && met;
    }
    if words.last() == Some(&"WITH") {
        words.pop();
        let exception = words.pop().unwrap_or_default();
        return allowed.contains(format!("{first} WITH {exception}").as_str());
    }
    allowed.contains(first)
}

#[test]
fn licence_expressions_are_read_as_spdx_means_them() {
    let allowed = BTreeSet::from(["MIT", "Apache-2.0", "Unicode-3.0"]);
    for met in ["MIT", "MIT/GPL-3.0", "GPL-3.0 OR MIT", "(MIT OR GPL-3.0) AND Unicode-3.0"] {
        assert!(is_allowed(met, &allowed), "{met}");
    }
    for unmet in ["", "GPL-3.0", "MIT AND GPL-3.0", "Apache-2.0 WITH X", "(MIT", "MIT GPL-3.0"] {
        assert!(!is_allowed(unmet, &allowed), "{unmet}");
    }
}
