//! What a rule is: a typed schema, named outputs, and how to run it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use crate::cases::{Case, Cases};
use crate::diagnostic::Anchor;
use crate::interpolate::Template;
use crate::label::WsPath;
use crate::media::Media;
use crate::placeholder::{Extent, Placeholder};
use crate::syntax::{Float, Value};
use crate::task::Results;

/// A rule, as its `rule` node (or, for the core rules, the crate's own code) defines it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleDef {
    /// Its name, the node name of its targets.
    pub name: String,
    /// Its declared version, part of every key.
    pub version: u32,
    /// What it does, for people.
    pub doc: Option<String>,
    /// The file that defines it.
    pub file: WsPath,
    /// Where in it.
    pub anchor: Anchor,
    /// Its attributes, in order; without those that every target takes.
    pub attrs: Vec<AttrDef>,
    /// Its outputs, in order.
    pub outs: Vec<OutDef>,
    /// Its groups of outputs; the one named `default` is what a reference without `#` means.
    pub groups: Vec<GroupDef>,
    /// What it runs.
    pub body: Body,
    /// The tools it may start.
    pub tools: Vec<NameUse>,
    /// The preludes that its script begins with, in order.
    pub preludes: Vec<NameUse>,
    /// Its environment: variable -> value.
    pub env: BTreeMap<String, Template>,
    /// Standard input, output and error, and which exit codes mean success.
    pub stdio: Stdio,
    /// What it may use up.
    pub limits: Limits,
    /// What its results have in common.
    pub results: Results,
    /// Whether a preview must not start it.
    pub expensive: bool,
    /// Whether it may use the network.
    pub network: bool,
    /// Whether it gets a terminal of its own.
    pub terminal: bool,
    /// Whether its results depend on the level of the CPU.
    pub cpu_level: bool,
    /// Whether its inputs keep their names in the sandbox.
    pub keep_names: bool,
    /// The service that it asks, whose address and secret its process is given.
    pub service: Option<NameUse>,
    /// What its tasks are expected to take: the name of a quantity -> how much.
    pub estimate: BTreeMap<String, Template>,
    /// What it is for each value of one of its attributes; what stands here is one of them then.
    pub cases: Option<Arc<Cases>>,
    /// Which of the cases it is.
    pub case: Option<Case>,
}

impl RuleDef {
    /// The attribute `name`.
    pub fn attr(&self, name: &str) -> Option<&AttrDef> {
        self.attrs.iter().find(|attr| attr.name == name)
    }

    /// The rule for each of its cases; only itself where it has none.
    pub fn variants(self: &Arc<Self>) -> Vec<&Arc<Self>> {
        self.cases.as_ref().map_or_else(|| vec![self], |cases| cases.rules.iter().collect())
    }

    /// Whether its targets run a task; `filegroup` and `alias` only pass on what others made.
    pub fn runs(&self) -> bool {
        !matches!(self.body, Body::Forward)
    }

    /// The names of the outputs that a reference without `#` means: the group `default`, else the
    /// first output.
    pub fn default_outs(&self) -> Vec<&str> {
        match self.groups.iter().find(|group| group.name == "default") {
            Some(group) => group.outs.iter().map(String::as_str).collect(),
            None => self.outs.first().map(|out| out.name.as_str()).into_iter().collect(),
        }
    }
}

/// An attribute of a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttrDef {
    /// Its name.
    pub name: String,
    /// The type of its values.
    pub ty: AttrType,
    /// One value, a list of them or a map to them.
    pub shape: Shape,
    /// What it is for, for people.
    pub doc: Option<String>,
    /// Whether it may be left unset without a default.
    pub optional: bool,
    /// Its value where a target gives none.
    pub default: Option<Vec<Value>>,
    /// The least number.
    pub min: Option<Float>,
    /// The greatest number.
    pub max: Option<Float>,
    /// The values of an `enum`.
    pub values: Vec<String>,
    /// The media kind of the files it takes.
    pub media: Option<Media>,
    /// The extensions of the files it takes, without dots; any if there are none.
    pub extensions: Vec<String>,
    /// How many values a list has.
    pub count: Option<u32>,
    /// What stands in for a file while it is missing, where its use says nothing else.
    pub placeholder: Option<Arc<Placeholder>>,
    /// How large and how long that is.
    pub extent: Extent,
    /// Where it is declared.
    pub anchor: Anchor,
}

impl AttrDef {
    /// A single value of the type `ty` that must be given, without bounds.
    pub(crate) fn plain(name: &str, ty: AttrType, anchor: &Anchor) -> Self {
        Self {
            name: name.to_owned(),
            ty,
            shape: Shape::Single,
            doc: None,
            optional: false,
            default: None,
            min: None,
            max: None,
            values: Vec::new(),
            media: None,
            extensions: Vec::new(),
            count: None,
            placeholder: None,
            extent: Extent::default(),
            anchor: anchor.clone(),
        }
    }

    /// Whether a target must give it.
    pub const fn required(&self) -> bool {
        !self.optional && self.default.is_none()
    }
}

/// The type of an attribute's values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AttrType {
    /// `#true` or `#false`.
    Bool,
    /// A whole number.
    Int,
    /// A number.
    Float,
    /// Text.
    Text,
    /// One of the declared values.
    Enum,
    /// A time: `200ms`, `2.5s`, `5m`, `1h`.
    Duration,
    /// An amount of bytes: `64MiB`.
    Size,
    /// `#rrggbb` or `#rrggbbaa`.
    Color,
    /// Any JSON value, as text.
    Json,
    /// A file.
    File,
    /// A directory.
    Tree,
    /// A file or a directory.
    Artifact,
    /// A target.
    Label,
    /// The name of a secret.
    Secret,
}

impl AttrType {
    /// Every type with its name in rule files.
    pub const ALL: [(Self, &'static str); 14] = [
        (Self::Bool, "bool"),
        (Self::Int, "int"),
        (Self::Float, "float"),
        (Self::Text, "string"),
        (Self::Enum, "enum"),
        (Self::Duration, "duration"),
        (Self::Size, "size"),
        (Self::Color, "color"),
        (Self::Json, "json"),
        (Self::File, "file"),
        (Self::Tree, "tree"),
        (Self::Artifact, "artifact"),
        (Self::Label, "label"),
        (Self::Secret, "secret"),
    ];

    /// The type that `name` means.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, text)| *text == name).map(|(ty, _)| *ty)
    }

    /// Its name in rule files.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(ty, _)| *ty == self).map_or("", |(_, text)| text)
    }

    /// Whether its values are files or directories.
    pub const fn is_file(self) -> bool {
        matches!(self, Self::File | Self::Tree | Self::Artifact)
    }
}

/// How many values an attribute holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Shape {
    /// One.
    Single,
    /// Any number, in order.
    List,
    /// Any number, by name.
    Map,
}

/// An output of a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutDef {
    /// Its name.
    pub name: String,
    /// Where it is materialised, relative to the package's output folder.
    pub path: Template,
    /// Whether it is a directory.
    pub tree: bool,
    /// Its media kind.
    pub media: Option<Media>,
    /// What it holds, for people.
    pub doc: Option<String>,
    /// How large and how long what stands in for it is.
    pub extent: Extent,
    /// Where it is declared.
    pub anchor: Anchor,
}

/// A named set of outputs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupDef {
    /// Its name.
    pub name: String,
    /// The names of its outputs.
    pub outs: Vec<String>,
}

/// What a rule runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    /// A program with arguments.
    Run {
        /// The program.
        program: String,
        /// Where it is named.
        anchor: Anchor,
        /// Its arguments, in groups that are there or not.
        args: Vec<ArgGroup>,
    },
    /// A text for a shell.
    Script {
        /// The shell.
        shell: String,
        /// The text.
        text: Template,
    },
    /// Writes the attribute `text` to the only output, executable if `executable` says so.
    WriteFile,
    /// Asks a person about the files of its attribute `of` (`checkpoint`).
    Decide,
    /// Nothing: passes on the files of its attribute (`filegroup`, `alias`).
    Forward,
    /// What each target says itself (`task`).
    Free,
}

/// Arguments that stand or fall together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArgGroup {
    /// The attribute that must be set (and not `#false` or empty) for them to be there.
    pub condition: Option<String>,
    /// The arguments.
    pub args: Vec<Template>,
}

/// A tool or prelude that a rule names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NameUse {
    /// The name of a toolchain, program or prelude.
    pub name: String,
    /// Where it is named.
    pub anchor: Anchor,
}

impl NameUse {
    /// The attribute that holds the names, if this is none itself: `{tools}`.
    pub fn attribute(&self) -> Option<&str> {
        self.name.strip_prefix('{')?.strip_suffix('}')
    }
}

/// Where a task's standard streams go and which exit codes it may end with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stdio {
    /// The input that is fed to standard input.
    pub stdin: Option<Template>,
    /// The output that standard output becomes.
    pub stdout: Option<Template>,
    /// The output that standard error becomes.
    pub stderr: Option<Template>,
    /// The exit codes that mean success.
    pub success_codes: Arc<BTreeSet<i32>>,
}

impl Default for Stdio {
    fn default() -> Self {
        Self {
            stdin: None,
            stdout: None,
            stderr: None,
            success_codes: Arc::new(BTreeSet::from([0])),
        }
    }
}

/// What a task may use up; never part of its key.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Limits {
    /// Named capacities it occupies.
    pub resources: BTreeMap<String, u32>,
    /// How long it may run.
    pub timeout: Option<Duration>,
    /// How often a failed run is tried again.
    pub retries: Option<u32>,
}

/// A `toolchain` node: programs and the data they read, under one name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToolchainDef {
    /// Its name.
    pub name: String,
    /// What it is, for people.
    pub doc: Option<String>,
    /// Its programs.
    pub programs: Vec<String>,
    /// Absolute or `//` paths of files and folders it reads.
    pub data: Vec<String>,
    /// What keys know it by instead of its files' bytes.
    pub version: Option<String>,
    /// Where it is declared.
    pub anchor: Anchor,
}

/// A `prelude` node: shell functions, under one name, that scripts may begin with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PreludeDef {
    /// Its name.
    pub name: String,
    /// The shell text, as it is.
    pub text: String,
    /// Where it is declared.
    pub anchor: Anchor,
}
