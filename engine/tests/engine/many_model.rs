//! Random edits of the items of a fan-out, of a template that is used for each, and of a fan-out in that
//! one, against a model that computes everything: every output has the bytes of the model, and what runs is exactly what
//! was never made before. Each sequence is run with snapshots and without.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;
use vwfb_engine::event::TaskResult;
use vwfb_engine::workspace::{Evaluate, Workspace};

use crate::scene::Scene;

#[derive(Debug, Clone)]
enum Op {
    Insert {
        at: usize,
        name: usize,
        text: usize,
    },
    Remove {
        at: usize,
    },
    Swap {
        at: usize,
        with: usize,
    },
    Edit {
        at: usize,
        text: usize,
    },
    Rename {
        at: usize,
        name: usize,
    },
    Empty,
    /// Which items the inner fan-out of each has beside its own.
    More {
        more: usize,
    },
    /// How many bytes of a part are kept, which the template is given.
    Keep {
        bytes: usize,
    },
    Build,
    WarmBuild,
    RemoveOutputs,
    DeleteStore,
}

const NAMES: [&str; 6] = ["hook", "intro", "a.b", "ümläut", "last one", "x"];
/// Each names one item of the inner fan-out and what it says, or none.
const TEXTS: [&str; 4] = ["x=hello", "x=help", "", "x=a longer text"];
const MORE: [&str; 3] = ["", "y=two\n", "y=two\nz=three\n"];

fn op() -> impl Strategy<Value = Op> {
    let (name, text) = (0..NAMES.len(), 0..TEXTS.len());
    prop_oneof![
        4 => (0..6_usize, name.clone(), text.clone())
            .prop_map(|(at, name, text)| Op::Insert { at, name, text }),
        2 => (0..6_usize).prop_map(|at| Op::Remove { at }),
        2 => (0..6_usize, 0..6_usize).prop_map(|(at, with)| Op::Swap { at, with }),
        3 => (0..6_usize, text).prop_map(|(at, text)| Op::Edit { at, text }),
        1 => (0..6_usize, name).prop_map(|(at, name)| Op::Rename { at, name }),
        1 => Just(Op::Empty),
        2 => (0..MORE.len()).prop_map(|more| Op::More { more }),
        1 => (1..4_usize).prop_map(|bytes| Op::Keep { bytes }),
        6 => Just(Op::Build),
        3 => Just(Op::WarmBuild),
        1 => Just(Op::RemoveOutputs),
        1 => Just(Op::DeleteStore),
    ]
}

/// What should be true.
#[derive(Debug, Default)]
struct Model {
    /// Name and text, in order; each name once.
    items: Vec<(usize, usize)>,
    keep: usize,
    more: usize,
    /// What every success was made from.
    known: BTreeSet<String>,
}

impl Model {
    fn has(&self, name: usize) -> bool {
        self.items.iter().any(|(known, _)| *known == name)
    }

    fn apply(&mut self, op: &Op) {
        let count = self.items.len();
        match *op {
            Op::Insert { at, name, text } if !self.has(name) => {
                self.items.insert(at.min(count), (name, text));
            }
            Op::Remove { at } if at < count => drop(self.items.remove(at)),
            Op::Swap { at, with } if at < count && with < count => self.items.swap(at, with),
            Op::Edit { at, text } if at < count => self.items[at].1 = text,
            Op::Rename { at, name } if at < count && !self.has(name) => self.items[at].0 = name,
            Op::Empty => self.items.clear(),
            Op::Keep { bytes } => self.keep = bytes,
            Op::More { more } => self.more = more,
            _ => {}
        }
    }

    /// The narration: a line for each part, in order.
    fn narration(&self) -> String {
        let line = |(at, (name, text)): (usize, &(usize, usize))| {
            format!("{:02}-{}.txt={}\n", at + 1, NAMES[*name], TEXTS[*text])
        };
        self.items.iter().enumerate().map(line).collect()
    }

    fn build_file(&self) -> String {
        format!(
            r#"
            template "segment" {{
                attr "part" type="file"
                attr "keep" type="int"
                targets {{
                    task "words" {{
                        srcs "{{part}}" "more.txt"
                        out "words" type="tree"
                        script "tree {{out}}"
                    }}
                    each "said" over=":words" as="word" {{
                        task "say" {{ srcs "{{word}}"; out "say"; script "join {{out}}" }}
                    }}
                    task "audio" {{ srcs "{{part}}"; out "audio"; script "join {{out}}" }}
                    task "clip" {{ srcs ":audio"; out "clip"; script "head {{keep}} {{out}}" }}
                }}
            }}
            task "split" {{ srcs "script.txt"; out "parts" type="tree"; script "tree {{out}}" }}
            each "clips" over=":split" as="part" {{
                segment "s" part="{{part}}" keep={}
            }}
            task "film" {{ srcs "end.txt" ":clips"; out "film"; script "join {{out}}" }}
            "#,
            self.keep
        )
    }

    /// Task -> what it is made from, and the bytes that it comes to, but for the tree.
    fn tasks(&self) -> BTreeMap<String, (String, String)> {
        let mut tasks = BTreeMap::new();
        let narration = self.narration();
        tasks.insert("split".to_owned(), (format!("split {narration:?}"), String::new()));
        let mut clips = BTreeMap::new();
        for (name, text) in &self.items {
            let (name, text) = (NAMES[*name], TEXTS[*text]);
            let part = format!("clips[{name}].s");
            let audio = (format!("audio {name} {text:?}"), text.to_owned());
            tasks.insert(format!("{part}.audio"), audio);
            let words = format!("words {name} {text:?} {}", self.more);
            tasks.insert(format!("{part}.words"), (words, String::new()));
            for (word, said) in
                MORE[self.more].lines().chain([text]).filter_map(|it| it.split_once('='))
            {
                let say = (format!("say {name} {word} {said:?}"), said.to_owned());
                tasks.insert(format!("{part}.said[{word}].say"), say);
            }
            let clip: String = text.chars().take(self.keep).collect();
            let key = format!("clip {} {text:?}", self.keep);
            tasks.insert(format!("{part}.clip"), (key, clip.clone()));
            clips.insert(name, clip);
        }
        let film: String = clips.values().map(String::as_str).collect::<String>() + "end";
        tasks.insert("film".to_owned(), (format!("film {clips:?}"), film));
        tasks
    }
}

/// A scene beside its model.
struct Pair {
    scene: Scene,
    model: Model,
    session: Option<Workspace>,
}

impl Pair {
    fn new(evaluate: Evaluate) -> Self {
        let model = Model { keep: 2, ..Model::default() };
        let mut scene = Scene::new(&model.build_file());
        scene.evaluate = evaluate;
        scene.write("end.txt", "end");
        Self { scene, model, session: None }
    }

    /// Does `op`, and returns which tasks ran if that builds.
    fn step(&mut self, op: &Op) -> BTreeSet<String> {
        self.model.apply(op);
        self.scene.write("script.txt", &self.model.narration());
        self.scene.write("more.txt", MORE[self.model.more]);
        self.scene.write("BUILD.kdl", &self.model.build_file());
        match op {
            Op::Build => {
                self.session = None;
                return self.build();
            }
            Op::WarmBuild => return self.build(),
            Op::RemoveOutputs => {
                let _none_yet = fs::remove_dir_all(self.scene.root().join("vwfb-out"));
            }
            Op::DeleteStore => {
                self.session = None;
                self.model.known.clear();
                let _none_yet = fs::remove_dir_all(self.scene.store_folder());
                let _none_yet = fs::remove_dir_all(self.scene.root().join(".vwfb"));
            }
            _ => {}
        }
        BTreeSet::new()
    }

    fn build(&mut self) -> BTreeSet<String> {
        let mut session = match self.session.take() {
            Some(mut session) => {
                session.refresh();
                session
            }
            None => self.scene.open(),
        };
        let seen = self.scene.build_in(&mut session, "//...");
        self.session = Some(session);
        let tasks = self.model.tasks();
        let labels: BTreeSet<&String> = tasks.keys().collect();
        assert_eq!(seen.results.keys().collect::<BTreeSet<_>>(), labels);
        let is = |wanted: TaskResult| {
            let those = seen.results.iter().filter(move |(_, result)| **result == wanted);
            those.map(|(name, _)| name.clone()).collect::<BTreeSet<String>>()
        };
        let ran = is(TaskResult::Ran);
        // Of two that come to the same one runs.
        let new: BTreeSet<&String> = tasks
            .values()
            .map(|(key, _)| key)
            .filter(|key| !self.model.known.contains(*key))
            .collect();
        let made: Vec<&String> = ran.iter().map(|name| &tasks[name].0).collect();
        assert_eq!(made.len(), new.len(), "{ran:?} ran for {new:?}");
        assert_eq!(made.into_iter().collect::<BTreeSet<_>>(), new);
        for (name, (key, bytes)) in tasks {
            self.model.known.insert(key);
            if name != "split" && !name.ends_with(".words") {
                assert_eq!(self.scene.output(&path(&name)), bytes, "{name}");
            }
        }
        ran
    }
}

/// Where the output of a target is.
fn path(name: &str) -> String {
    match name.strip_prefix("clips[").and_then(|rest| rest.split_once("].s.")) {
        Some((item, task)) => {
            let inner = task.strip_prefix("said[").and_then(|rest| rest.split_once("]."));
            let inner = inner.map(|(word, task)| format!("said/{word}/{task}"));
            format!("clips/{item}/s/{}", inner.unwrap_or_else(|| task.to_owned()))
        }
        None => name.to_owned(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 24,
        failure_persistence: Some(Box::new(FileFailurePersistence::WithSource("proptest-regressions"))),
        ..ProptestConfig::default()
    })]

    #[test]
    fn any_edit_of_items_runs_what_was_never_made(ops in prop::collection::vec(op(), 1..24)) {
        let mut pairs = [Evaluate::Changes, Evaluate::Everything].map(Pair::new);
        for op in ops.iter().chain([&Op::Build, &Op::Build]) {
            let ran = pairs.each_mut().map(|pair| pair.step(op));
            prop_assert_eq!(ran[0].len(), ran[1].len(), "with snapshots and without");
        }
    }
}
