//! What each query reads: an edit that must not reach it, and one that must.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use vwfb_cas::{Artifact, BlobId, Digest, FileRef, TreeId};
use vwfb_engine::action::keyed;
use vwfb_engine::check::load;
use vwfb_engine::db::{Database, Machine};
use vwfb_engine::graph::TaskGraph;
use vwfb_engine::system::{Content, Lost, System, Text};
use vwfb_rules::label::WsPath;
use vwfb_rules::pattern::Pattern;
use vwfb_rules::scope::SourceKind;
use vwfb_rules::task::ToolDef;
use vwfb_rules::vars::Overrides;

/// A workspace in memory.
#[derive(Default)]
struct Memory(Mutex<BTreeMap<String, String>>);

impl Memory {
    fn write(&self, path: &str, text: &str) {
        self.0.lock().unwrap().insert(path.to_owned(), text.to_owned());
    }

    fn get(&self, path: &WsPath) -> Option<String> {
        self.0.lock().unwrap().get(path.as_str()).cloned()
    }
}

impl System for Memory {
    fn text(&self, path: &WsPath) -> Text {
        self.get(path).map_or(Text::Absent, |text| Text::Present(text.into()))
    }

    fn kind(&self, path: &WsPath) -> SourceKind {
        if self.get(path).is_some() { SourceKind::File } else { SourceKind::Absent }
    }

    fn content(&self, path: &WsPath) -> Content {
        self.get(path).map_or(Content::Absent, |text| {
            let blob = BlobId(Digest::of(text.as_bytes()));
            let size = text.len() as u64;
            Content::Present(Artifact::File(FileRef { blob, size, executable: false }))
        })
    }

    fn entries(&self, _: &WsPath) -> Arc<[String]> {
        self.0.lock().unwrap().keys().cloned().collect()
    }

    fn glob(&self, _: &WsPath, pattern: &str) -> Arc<[WsPath]> {
        let suffix = pattern.trim_start_matches('*').to_owned();
        let files = self.0.lock().unwrap();
        files
            .keys()
            .filter(|name| name.ends_with(&suffix))
            .map(|name| WsPath::new(name).unwrap())
            .collect()
    }

    fn packages(&self, _: &WsPath) -> Vec<WsPath> {
        vec![WsPath::root()]
    }

    fn fingerprint(&self, tool: &ToolDef) -> Result<Digest, Arc<str>> {
        Ok(Digest::of(tool.name.as_bytes()))
    }

    fn in_tree(&self, _: TreeId, _: &WsPath) -> Result<Option<Artifact>, Lost> {
        Ok(None)
    }
}

const BUILD: &str = r#"
task "a" { srcs "a.txt"; out "a.out"; script "join {srcs} > {out}" }
task "b" { srcs ":a" "b.txt"; out "b.out"; script "join {srcs} > {out}" }
"#;

/// The queries that run when everything is asked for again after `edit`.
fn ran_after(edit: impl FnOnce(&Memory)) -> Vec<String> {
    let memory = Arc::new(Memory::default());
    memory.write("WORKSPACE.kdl", "workspace \"memory\"\n");
    memory.write("BUILD.kdl", BUILD);
    memory.write("a.txt", "a");
    memory.write("b.txt", "b");
    let machine = Machine {
        platform: "test".to_owned(),
        confined: true,
        cpu_level: String::new(),
        log_queries: true,
    };
    let mut db =
        Database::new(Arc::clone(&memory) as Arc<dyn System>, Overrides::default(), machine);
    ask(&db);
    db.ran();
    edit(&memory);
    db.refresh();
    ask(&db);
    let mut ran = db.ran();
    ran.sort();
    ran
}

/// Everything that a build asks for before it runs anything.
fn ask(db: &Database) {
    let loaded = load(db, &[Pattern::Below(WsPath::root())]);
    assert!(!loaded.has_errors(), "{:#?}", loaded.problems);
    let graph = TaskGraph::of(db, &loaded.targets);
    for id in graph.shape().tasks() {
        let _key = keyed(db, graph.target(db, id));
    }
}

#[test]
fn nothing_runs_when_nothing_changed() {
    assert!(ran_after(|_| {}).is_empty());
}

#[test]
fn an_edited_source_reaches_only_the_action_that_reads_it() {
    assert_eq!(ran_after(|memory| memory.write("a.txt", "changed")), ["keyed"]);
}

#[test]
fn a_comment_reaches_no_target() {
    let edited = format!("// a comment\n\n{BUILD}// another\n");
    assert_eq!(ran_after(|memory| memory.write("BUILD.kdl", &edited)), ["package_def"]);
}

#[test]
fn an_edited_target_reaches_nothing_of_its_neighbour() {
    let edited = BUILD.replace("task \"a\" { srcs \"a.txt\"", "task \"a\" { srcs \"b.txt\"");
    let ran = ran_after(|memory| memory.write("BUILD.kdl", &edited));
    let count = |name: &str| ran.iter().filter(|ran| *ran == name).count();
    assert_eq!(count("package_def"), 1);
    assert_eq!(count("named"), 2, "the projection is asked for both");
    assert_eq!([count("declared"), count("task"), count("keyed")], [1, 1, 1]);
    assert_eq!(count("rule_table"), 1, "the package it reads is another");
}

#[test]
fn a_file_that_appears_beside_the_sources_reaches_nothing() {
    assert!(ran_after(|memory| memory.write("c.txt", "c")).is_empty());
}

/// The keys of a task that depends on the CPU's level and of one that does not.
fn keys_on(level: &str, confined: bool) -> Vec<vwfb_cas::ActionKey> {
    let memory = Arc::new(Memory::default());
    memory.write("WORKSPACE.kdl", "workspace \"memory\"\n");
    memory.write(
        "BUILD.kdl",
        r#"
        task "depends" { out "a"; cpu-level #true; script "echo > {out}" }
        task "does-not" { out "b"; script "echo > {out}" }
        "#,
    );
    let machine = Machine {
        platform: "test".to_owned(),
        confined,
        cpu_level: level.to_owned(),
        log_queries: false,
    };
    let db = Database::new(memory, Overrides::default(), machine);
    let loaded = load(&db, &[Pattern::Below(WsPath::root())]);
    assert!(!loaded.has_errors(), "{:#?}", loaded.problems);
    let graph = TaskGraph::of(&db, &loaded.targets);
    graph.shape().tasks().map(|id| keyed(&db, graph.target(&db, id)).unwrap().key).collect()
}

#[test]
fn the_level_of_the_cpu_is_in_the_keys_of_rules_that_say_so() {
    let (old, new) = (keys_on("v2", true), keys_on("v3", true));
    assert_ne!(old[0], new[0]);
    assert_eq!(old[1], new[1]);
}

#[test]
fn what_is_made_unconfined_never_stands_for_what_is_confined() {
    let (open, held) = (keys_on("v2", false), keys_on("v2", true));
    assert!(open.iter().all(|key| !held.contains(key)));
}

#[test]
fn an_equal_outcome_wakes_nothing_and_another_only_what_reads_it() {
    let memory = Arc::new(Memory::default());
    memory.write("WORKSPACE.kdl", "workspace \"memory\"\n");
    memory.write("BUILD.kdl", BUILD);
    memory.write("a.txt", "a");
    memory.write("b.txt", "b");
    let machine = Machine {
        platform: "test".to_owned(),
        confined: true,
        cpu_level: String::new(),
        log_queries: true,
    };
    let mut db = Database::new(memory, Overrides::default(), machine);
    let loaded = load(&db, &[Pattern::Below(WsPath::root())]);
    let graph = TaskGraph::of(&db, &loaded.targets);
    let a = graph.shape().tasks().find(|id| graph.label(*id).target() == "a").unwrap();
    let (target, def) = (graph.target(&db, a), graph.def(&db, a));
    let mut ran_after_outcome = |text: &str| {
        let blob = BlobId(Digest::of(text.as_bytes()));
        let file = FileRef { blob, size: 1, executable: false };
        let outcome = BTreeMap::from([(def.outputs[0].name.clone(), Artifact::File(file))]);
        let _changed = db.set_outcome(target, Some(Arc::new(outcome)));
        for id in graph.shape().tasks() {
            let _key = keyed(&db, graph.target(&db, id));
        }
        db.ran()
    };
    ran_after_outcome("1");
    assert!(ran_after_outcome("1").is_empty());
    assert_eq!(ran_after_outcome("2"), ["keyed"]);
}
