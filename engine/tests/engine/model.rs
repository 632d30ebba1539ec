//! Random workspaces, edits and accidents against a model that simply computes everything.
//!
//! Sound: after every build each output has the bytes that the model computes. Minimal: nothing
//! runs whose inputs and command were seen to succeed before, unless its result was lost. Every
//! sequence is run with the snapshots of former runs and without, and both must say the same. A
//! failing sequence is shrunk and kept in `model.proptest-regressions`, from where it is replayed first.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;
use vwfb_cas::{GcOptions, Store};
use vwfb_engine::event::TaskResult;
use vwfb_engine::workspace::Evaluate;

use crate::scene::Scene;

const SOURCES: usize = 3;
const TASKS: usize = 6;

#[derive(Debug, Clone)]
enum Op {
    Edit {
        source: usize,
        text: usize,
    },
    Delete {
        source: usize,
    },
    Command {
        task: usize,
        command: usize,
    },
    Wire {
        task: usize,
        sources: u8,
        tasks: u8,
    },
    Gate {
        task: usize,
        gate: usize,
    },
    Drop {
        task: usize,
    },
    Rename {
        task: usize,
    },
    Reformat,
    Build,
    WarmBuild,
    Gc,
    LoseBlob {
        nth: usize,
    },
    RemoveOutputs,
    DeleteStore,
    /// Time passes, after which stamps vouch for what they are of.
    Settle,
}

const TEXTS: [&str; 5] = ["one two", "one three", "bad", "", "o\u{e9}"];
const COMMANDS: [&str; 4] = ["join", "head 2", "fail-if bad", "head 0"];

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        6 => (0..SOURCES, 0..TEXTS.len()).prop_map(|(source, text)| Op::Edit { source, text }),
        1 => (0..SOURCES).prop_map(|source| Op::Delete { source }),
        2 => (0..TASKS, 0..COMMANDS.len())
            .prop_map(|(task, command)| Op::Command { task, command }),
        3 => (0..TASKS, any::<u8>(), any::<u8>())
            .prop_map(|(task, sources, tasks)| Op::Wire { task, sources, tasks }),
        1 => (0..TASKS, 0..TASKS).prop_map(|(task, gate)| Op::Gate { task, gate }),
        1 => (0..TASKS).prop_map(|task| Op::Drop { task }),
        1 => (0..TASKS).prop_map(|task| Op::Rename { task }),
        1 => Just(Op::Reformat),
        5 => Just(Op::Build),
        3 => Just(Op::WarmBuild),
        1 => Just(Op::Gc),
        2 => (0..8_usize).prop_map(|nth| Op::LoseBlob { nth }),
        1 => Just(Op::RemoveOutputs),
        1 => Just(Op::DeleteStore),
        2 => Just(Op::Settle),
    ]
}

/// One task of the model. It may read only tasks before it.
#[derive(Debug, Clone)]
struct Task {
    name: String,
    command: usize,
    sources: BTreeSet<usize>,
    tasks: BTreeSet<usize>,
    gate: Option<usize>,
}

#[derive(Debug, Clone, PartialEq)]
enum Value {
    Bytes(Vec<u8>),
    Failed,
    Blocked,
}

/// What should be true.
#[derive(Debug)]
struct Model {
    sources: [Option<usize>; SOURCES],
    tasks: Vec<Option<Task>>,
    renames: usize,
    comment: usize,
    /// Command and inputs of every success whose result nothing took away.
    known: BTreeSet<Vec<u8>>,
    /// What each name last came to.
    answered: BTreeMap<String, Vec<u8>>,
}

impl Model {
    fn new() -> Self {
        let task = |index: usize| Task {
            name: format!("t{index}"),
            command: 0,
            sources: BTreeSet::from([index % SOURCES]),
            tasks: (0..index).skip(index.saturating_sub(1)).collect(),
            gate: None,
        };
        Self {
            sources: [Some(0); SOURCES],
            tasks: (0..TASKS).map(|index| Some(task(index))).collect(),
            renames: 0,
            comment: 0,
            known: BTreeSet::new(),
            answered: BTreeMap::new(),
        }
    }

    fn needs(&self, task: &Task) -> Vec<usize> {
        let present = |index: &usize| self.tasks[*index].is_some();
        task.tasks.iter().copied().filter(present).collect()
    }

    fn gate(&self, task: &Task) -> Option<usize> {
        task.gate.filter(|gate| self.tasks[*gate].is_some())
    }

    /// The text of the package; the order of the targets is the reverse of their needs.
    fn text(&self) -> String {
        let mut text = format!("// {}\n", "comment ".repeat(self.comment));
        for task in self.tasks.iter().rev().flatten() {
            text.push_str(&format!("task \"{}\" {{\n", task.name));
            for source in &task.sources {
                text.push_str(&format!("    srcs \"s{source}.txt\"\n"));
            }
            for need in self.needs(task) {
                let name = &self.tasks[need].as_ref().unwrap().name;
                text.push_str(&format!("    srcs \":{name}\"\n"));
            }
            if let Some(gate) = self.gate(task) {
                let name = &self.tasks[gate].as_ref().unwrap().name;
                text.push_str(&format!("    after \":{name}\"\n"));
            }
            // The output is not called after the task, so that a rename changes no key.
            let out = task.name.split('_').next().unwrap();
            text.push_str(&format!("    out \"{out}.out\"\n"));
            text.push_str(&format!("    script \"{} {{out}}\"\n}}\n", COMMANDS[task.command]));
        }
        text
    }

    fn source_is_missing(&self) -> bool {
        self.tasks
            .iter()
            .flatten()
            .flat_map(|task| &task.sources)
            .any(|s| self.sources[*s].is_none())
    }

    /// What each task should come to, and for those that have inputs, what its key stands for.
    fn values(&self) -> Vec<Option<(Value, Vec<u8>)>> {
        let mut values: Vec<Option<(Value, Vec<u8>)>> = Vec::new();
        for task in &self.tasks {
            let value = task.as_ref().map(|task| self.value(task, &values));
            values.push(value);
        }
        values
    }

    fn value(&self, task: &Task, before: &[Option<(Value, Vec<u8>)>]) -> (Value, Vec<u8>) {
        // Roles sort as `in/s0.txt` before `in/t0.out`, which is the order of this loop.
        let mut inputs: Vec<(String, Vec<u8>)> = Vec::new();
        for source in &task.sources {
            let text = self.sources[*source].map_or("", |text| TEXTS[text]);
            inputs.push((format!("s{source}"), text.as_bytes().to_vec()));
        }
        for need in self.needs(task).into_iter().chain(self.gate(task)) {
            match &before[need] {
                Some((Value::Bytes(bytes), _)) => {
                    if task.tasks.contains(&need) {
                        inputs.push((format!("t{need}"), bytes.clone()));
                    }
                }
                _ => return (Value::Blocked, Vec::new()),
            }
        }
        inputs.sort();
        inputs.dedup();
        let out = task.name.split('_').next().unwrap();
        let key = format!("{} {out} {inputs:?}", COMMANDS[task.command]).into_bytes();
        let joined: Vec<u8> = inputs.into_iter().flat_map(|(_, bytes)| bytes).collect();
        let value = match COMMANDS[task.command] {
            "join" => Value::Bytes(joined),
            "fail-if bad" if String::from_utf8_lossy(&joined).contains("bad") => Value::Failed,
            "fail-if bad" => Value::Bytes(joined),
            head => {
                let length: usize = head.trim_start_matches("head ").parse().unwrap();
                Value::Bytes(joined[..length.min(joined.len())].to_vec())
            }
        };
        (value, key)
    }

    fn apply(&mut self, op: &Op) {
        match *op {
            Op::Edit { source, text } => self.sources[source] = Some(text),
            Op::Delete { source } => self.sources[source] = None,
            Op::Command { task, command } => {
                if let Some(task) = &mut self.tasks[task] {
                    task.command = command;
                }
            }
            Op::Wire { task, sources, tasks } => self.wire(task, sources, tasks),
            Op::Gate { task, gate } => {
                if let Some(found) = &mut self.tasks[task] {
                    found.gate = (gate < task).then_some(gate);
                }
            }
            Op::Drop { task } => self.tasks[task] = None,
            Op::Rename { task } => {
                self.renames += 1;
                if let Some(found) = &mut self.tasks[task] {
                    found.name = format!("t{task}_{}", self.renames);
                }
            }
            Op::Reformat => self.comment += 1,
            _ => {}
        }
    }

    fn wire(&mut self, index: usize, sources: u8, tasks: u8) {
        let name = match &self.tasks[index] {
            Some(task) => task.name.clone(),
            None => format!("t{index}"),
        };
        let command = self.tasks[index].as_ref().map_or(0, |task| task.command);
        let bit = |mask: u8| move |index: &usize| mask & (1 << index) != 0;
        self.tasks[index] = Some(Task {
            name,
            command,
            sources: (0..SOURCES).filter(bit(sources)).collect(),
            tasks: (0..index).filter(bit(tasks)).collect(),
            gate: None,
        });
    }
}

/// The scene beside its model.
struct Pair {
    scene: Scene,
    model: Model,
    session: Option<vwfb_engine::workspace::Workspace>,
    /// Whether blobs were ever taken away behind the workspace's back.
    lossy: bool,
}

impl Pair {
    fn new(evaluate: Evaluate) -> Self {
        let model = Model::new();
        let mut scene = Scene::new(&model.text());
        scene.evaluate = evaluate;
        for source in 0..SOURCES {
            scene.write(&format!("s{source}.txt"), TEXTS[0]);
        }
        Self { scene, model, session: None, lossy: false }
    }

    /// Does `op`, and returns what became of each task if that builds.
    fn step(&mut self, op: &Op) -> BTreeMap<String, TaskResult> {
        self.model.apply(op);
        match *op {
            Op::Edit { source, text } => {
                self.scene.write(&format!("s{source}.txt"), TEXTS[text]);
            }
            Op::Delete { source } => {
                let path = self.scene.root().join(format!("s{source}.txt"));
                let _gone_before = fs::remove_file(path);
            }
            Op::Build => {
                self.session = None;
                return self.build();
            }
            Op::WarmBuild => return self.build(),
            Op::Settle => std::thread::sleep(std::time::Duration::from_millis(25)),
            Op::Gc => self.gc(),
            Op::LoseBlob { nth } => self.lose_blob(nth),
            Op::RemoveOutputs => {
                let _none_yet = fs::remove_dir_all(self.scene.root().join("vwfb-out"));
            }
            Op::DeleteStore => {
                self.session = None;
                self.model.known.clear();
                self.lossy = true;
                let _none_yet = fs::remove_dir_all(self.scene.store_folder());
            }
            _ => {
                self.scene.write("BUILD.kdl", &self.model.text());
            }
        }
        BTreeMap::new()
    }

    fn build(&mut self) -> BTreeMap<String, TaskResult> {
        self.scene.write("BUILD.kdl", &self.model.text());
        let mut session = match self.session.take() {
            Some(mut session) => {
                session.refresh();
                session
            }
            None => self.scene.open(),
        };
        if self.model.tasks.iter().flatten().next().is_none() {
            return BTreeMap::new();
        }
        let mut results = BTreeMap::new();
        if self.model.source_is_missing() {
            let pattern = vwfb_rules::pattern::Pattern::Below(vwfb_rules::label::WsPath::root());
            let loaded = session.load(&[pattern]);
            assert!(loaded.has_errors(), "a missing source is an error");
        } else {
            let seen = self.scene.build_in(&mut session, "//...");
            self.compare(&seen.results);
            results = seen.results;
        }
        self.session = Some(session);
        results
    }

    fn compare(&mut self, results: &BTreeMap<String, TaskResult>) {
        let values = self.model.values();
        let mut lost_before = self.model.known.clone();
        for (task, value) in self.model.tasks.iter().zip(&values) {
            let (Some(task), Some((value, key))) = (task, value) else { continue };
            let result = results[&task.name];
            match value {
                Value::Bytes(bytes) => {
                    assert!(result.succeeded(), "{}: {result:?}", task.name);
                    let out = task.name.split('_').next().unwrap();
                    let output = self.scene.root().join("vwfb-out").join(format!("{out}.out"));
                    assert_eq!(&fs::read(output).unwrap(), bytes, "sound: {}", task.name);
                    assert!(
                        result != TaskResult::Ran || lost_before.insert(key.clone()),
                        "minimal: {} ran again for the same key",
                        task.name
                    );
                    self.model.answered.insert(task.name.clone(), key.clone());
                    // After a loss, only what ran since is sure to be whole.
                    if result == TaskResult::Ran || !self.lossy {
                        self.model.known.insert(key.clone());
                    }
                }
                Value::Failed => assert_eq!(result, TaskResult::Failed, "{}", task.name),
                Value::Blocked => assert_eq!(result, TaskResult::Blocked, "{}", task.name),
            }
        }
    }

    /// Collects all that no root protects; what the last build used must survive.
    fn gc(&mut self) {
        self.session = None;
        let store = Store::open(&self.scene.store_folder()).unwrap();
        let options = GcOptions { max_bytes: Some(0), ..GcOptions::default() };
        store.gc(&options).unwrap();
        // What labels last answered is a root and stays; the rest may run again.
        let kept: BTreeSet<&Vec<u8>> = self.model.answered.values().collect();
        self.model.known.retain(|key| kept.contains(key));
    }

    fn lose_blob(&mut self, nth: usize) {
        let mut blobs = Vec::new();
        for pack in fs::read_dir(self.scene.store_folder().join("packs")).into_iter().flatten() {
            let path = pack.unwrap().path();
            let bytes = fs::read(&path).unwrap();
            let heads = bytes.windows(5).enumerate().filter(|(_, head)| head == b"vwp1\x01");
            blobs.extend(heads.map(|(at, _)| (path.clone(), at)));
        }
        blobs.sort();
        if blobs.is_empty() {
            return;
        }
        let (path, at) = &blobs[nth % blobs.len()];
        let mut bytes = fs::read(path).unwrap();
        bytes[*at] = 0;
        fs::write(path, bytes).unwrap();
        self.lossy = true;
        self.model.known.clear();
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 100,
        max_shrink_iters: 400,
        failure_persistence: Some(Box::new(FileFailurePersistence::Direct(
            "tests/engine/model.proptest-regressions",
        ))),
        ..ProptestConfig::default()
    })]

    #[test]
    fn any_sequence_ends_with_the_bytes_of_a_clean_build(
        ops in proptest::collection::vec(op(), 1..40)
    ) {
        // With the snapshots of former runs and without: each is right, and both say the same.
        let mut resumed = Pair::new(Evaluate::Changes);
        let mut evaluated = Pair::new(Evaluate::Everything);
        for op in ops.iter().chain([&Op::Build, &Op::Build]) {
            let results = (resumed.step(op), evaluated.step(op));
            // What is lost may come back with a source of the same bytes before anyone misses it.
            if !resumed.lossy {
                prop_assert_eq!(results.0, results.1, "{:?}", op);
            }
        }
    }
}
