//! The core rules, which need more than a `rule` node can say: `task`, `write_file`, `filegroup`,
//! `alias` and `checkpoint`.

use std::sync::{Arc, LazyLock};

use crate::checkpoint::{OnReject, OnTimeout};
use crate::diagnostic::Anchor;
use crate::interpolate::{Part, Template};
use crate::label::WsPath;
use crate::placeholder::Extent;
use crate::rule::{AttrDef, AttrType, Body, OutDef, RuleDef, Shape};
use crate::rule_reader::empty_rule;
use crate::syntax::{Float, Node, Scalar, Value};

/// The rule that gives another name to something.
pub(crate) const ALIAS: &str = "alias";

/// The rule that asks people.
pub(crate) const CHECKPOINT: &str = "checkpoint";

/// The core rules.
pub fn core_rules() -> [Arc<RuleDef>; 5] {
    [task(), write_file(), filegroup(), alias(), checkpoint()].map(Arc::new)
}

/// Whether `name` is a core rule's.
pub(crate) fn is_core(name: &str) -> bool {
    matches!(name, "task" | "write_file" | "filegroup" | ALIAS | CHECKPOINT)
}

/// The attributes that every target takes, apart from `env` and `resource`.
pub fn common_attrs() -> &'static [AttrDef] {
    static COMMON: LazyLock<[AttrDef; 5]> = LazyLock::new(common);
    &*COMMON
}

fn common() -> [AttrDef; 5] {
    let list = |attr: AttrDef| AttrDef { shape: Shape::List, ..attr };
    [
        list(attr("after", AttrType::Label, "Targets that must have succeeded before it starts.")),
        attr("when", AttrType::Bool, "Whether the target is there at all."),
        list(attr("tags", AttrType::Text, "Free words for queries.")),
        attr("timeout", AttrType::Duration, "How long it may run."),
        AttrDef {
            min: Some(Float(0.0)),
            max: Some(Float(100.0)),
            ..attr("retries", AttrType::Int, "How often a failed run is tried again.")
        },
    ]
}

fn task() -> RuleDef {
    let srcs = attr("srcs", AttrType::Artifact, "The files and directories it reads.");
    RuleDef {
        doc: Some("Runs a command: `srcs` are what it reads, `out` what it makes.".into()),
        attrs: vec![AttrDef { shape: Shape::List, ..srcs }],
        keep_names: true,
        ..rule("task", Body::Free)
    }
}

fn write_file() -> RuleDef {
    let file = place();
    let required = |attr: AttrDef| AttrDef { optional: false, ..attr };
    let default = |attr: AttrDef, scalar| AttrDef {
        optional: false,
        default: Some(vec![Value { scalar, annotation: None, anchor: place() }]),
        ..attr
    };
    RuleDef {
        doc: Some("Writes a text to a file, without a process.".into()),
        attrs: vec![
            required(attr("text", AttrType::Text, "The whole content.")),
            default(
                attr("out", AttrType::Text, "The file's path."),
                Scalar::Text("{name}.txt".into()),
            ),
            default(
                attr("executable", AttrType::Bool, "Whether the file may be executed."),
                Scalar::Bool(false),
            ),
        ],
        outs: vec![OutDef {
            name: "file".into(),
            path: Template { parts: vec![Part::Field(vec!["out".into()])], anchor: file.clone() },
            tree: false,
            media: None,
            doc: Some("The file.".into()),
            extent: Extent::default(),
            anchor: file,
        }],
        ..rule("write_file", Body::WriteFile)
    }
}

fn filegroup() -> RuleDef {
    let srcs = attr("srcs", AttrType::Artifact, "The files and directories.");
    RuleDef {
        doc: Some("Gives several files one name.".into()),
        attrs: vec![AttrDef { shape: Shape::List, optional: false, ..srcs }],
        ..rule("filegroup", Body::Forward)
    }
}

fn alias() -> RuleDef {
    let actual = attr("actual", AttrType::Artifact, "What it stands for.");
    RuleDef {
        doc: Some("Gives a target or file another name.".into()),
        attrs: vec![AttrDef { optional: false, ..actual }],
        ..rule(ALIAS, Body::Forward)
    }
}

fn checkpoint() -> RuleDef {
    let list = |attr: AttrDef| AttrDef { shape: Shape::List, ..attr };
    let choice = |attr: AttrDef, names: Vec<&str>| AttrDef {
        optional: false,
        default: Some(vec![Value {
            scalar: Scalar::Text(names[0].to_owned()),
            annotation: None,
            anchor: place(),
        }]),
        values: names.into_iter().map(str::to_owned).collect(),
        ..attr
    };
    let of = attr("of", AttrType::Artifact, "What people decide on, each by itself.");
    let auto =
        "What must hold of a field of a subject's metrics for it to need nobody: `rate=\"<0.1\"`.";
    RuleDef {
        doc: Some(
            "Asks a person about `of`; what waits for it by `after` is made once all of it is approved."
                .into(),
        ),
        attrs: vec![
            AttrDef { optional: false, ..list(of) },
            attr("message", AttrType::Text, "What people are told."),
            attr("preview", AttrType::Label, "A target to look at before deciding."),
            choice(
                attr("on-reject", AttrType::Enum, "What a rejection does: nothing until the subject changes, another take of what made it, or the end of the build."),
                OnReject::ALL.map(|(_, name)| name).to_vec(),
            ),
            choice(
                attr("on-timeout", AttrType::Enum, "What it comes to where nobody decides within `timeout`."),
                OnTimeout::ALL.map(|(_, name)| name).to_vec(),
            ),
            list(attr("regenerate", AttrType::Label, "The targets to make another take of, if not those nearest to the subject.")),
            list(attr("metrics", AttrType::Artifact, "JSON files, one for all subjects or one for each.")),
            AttrDef { shape: Shape::Map, ..attr("auto-approve", AttrType::Text, auto) },
        ],
        ..rule(CHECKPOINT, Body::Decide)
    }
}

fn place() -> Anchor {
    Anchor::file(WsPath::default())
}

fn rule(name: &str, body: Body) -> RuleDef {
    let node = Node {
        name: "rule".into(),
        args: Vec::new(),
        props: Vec::new(),
        children: Vec::new(),
        anchor: place(),
    };
    RuleDef { body, ..empty_rule(name, &WsPath::default(), &node) }
}

fn attr(name: &str, ty: AttrType, doc: &str) -> AttrDef {
    AttrDef { doc: Some(doc.into()), optional: true, ..AttrDef::plain(name, ty, &place()) }
}
