//! The workspace's targets as queries see them, each as it stands once its rule has been applied.

use std::collections::{BTreeMap, BTreeSet};

use vwfb_rules::label::{Label, WsPath};
use vwfb_rules::nearest;
use vwfb_rules::pattern::Pattern;
use vwfb_rules::task::InputRef;
use vwfb_rules::value::{AttrValue, FileName};

use super::{Item, PatternError, QueryGraph, QueryNode};
use crate::db::{Database, Db};
use crate::package::{package_file, target_def, target_names};
use crate::target::{declared, provides, references, task};

/// The folder that outputs are placed in.
const OUTPUT_FOLDER: &str = "vwfb-out";

/// Every target of a workspace. One with errors has its label and kind only.
pub struct RealisedGraph {
    nodes: BTreeMap<String, QueryNode>,
    labels: Vec<Label>,
    /// The folder that patterns are relative to.
    current: WsPath,
}

impl RealisedGraph {
    /// The targets of the workspace behind `db`; patterns are relative to the folder `current`.
    pub fn of(db: &Database, current: &WsPath) -> Self {
        let db: &dyn Db = db;
        let labels: Vec<Label> =
            db.system().packages(&WsPath::root()).iter().flat_map(|it| targets(db, it)).collect();
        let nodes = labels.iter().map(|label| (label.to_string(), node(db, label))).collect();
        Self { nodes, labels, current: current.clone() }
    }

    /// The file that `text` names, if a target reads or makes it. What has an extension can be
    /// nothing but a file.
    fn file(&self, text: &str) -> Result<Option<Item>, PatternError> {
        let Ok(path) = self.current.join(text) else { return Ok(None) };
        let files = || self.nodes.values().flat_map(|node| node.inputs.iter().chain(&node.outputs));
        if files().any(|file| file == path.as_str()) {
            return Ok(Some(Item::File(path.to_string())));
        }
        if text.ends_with("...") || path.extension().is_none() {
            return Ok(None);
        }
        let near = nearest(path.as_str(), files().map(String::as_str));
        let hint = match near {
            Some(near) => format!("did you mean `//{near}`?"),
            None => "`vwfb query 'inputs(//...)'` lists the files that targets read".to_owned(),
        };
        let message = format!("no target reads or makes `{path}`");
        Err(PatternError { message, hint: Some(hint) })
    }

    fn nothing(&self, pattern: &Pattern) -> PatternError {
        let known: Vec<String> = match pattern {
            Pattern::Target(_) => self.nodes.keys().cloned().collect(),
            Pattern::Below(_) | Pattern::Package(_) => {
                self.labels.iter().map(|label| format!("//{}", label.package)).collect()
            }
        };
        let shown = pattern.to_string();
        let name = shown.trim_end_matches(":all").trim_end_matches("/...");
        let hint = nearest(name, known.iter().map(String::as_str));
        PatternError {
            message: format!("no target matches `{shown}`"),
            hint: Some(match hint {
                Some(near) => format!("did you mean `{near}`?"),
                None => "`vwfb query //...` lists every target".to_owned(),
            }),
        }
    }
}

impl QueryGraph for RealisedGraph {
    fn nodes(&self) -> &BTreeMap<String, QueryNode> {
        &self.nodes
    }

    fn expand(&self, pattern: &str) -> Result<BTreeSet<Item>, PatternError> {
        let refused = |error: vwfb_rules::label::LabelError| PatternError {
            message: error.to_string(),
            hint: Some("a pattern is written `//...`, `//folder:name` or `:name`".to_owned()),
        };
        let file = if pattern.contains(':') { None } else { self.file(pattern)? };
        if let Some(file) = file {
            return Ok(BTreeSet::from([file]));
        }
        let parsed = Pattern::parse(pattern, &self.current).map_err(refused)?;
        let matching = self.labels.iter().filter(|label| parsed.matches(label));
        let items: BTreeSet<Item> = matching.map(|label| Item::Target(label.to_string())).collect();
        if items.is_empty() { Err(self.nothing(&parsed)) } else { Ok(items) }
    }
}

fn targets(db: &dyn Db, package: &WsPath) -> Vec<Label> {
    let names = target_names(db, package_file(db, package)).unwrap_or_default();
    names.iter().map(|name| Label::new(package.clone(), name.clone())).collect()
}

fn node(db: &dyn Db, label: &Label) -> QueryNode {
    let target = db.target(label);
    let exists = |label: &Label| target_def(db, db.target(label)).is_some();
    let deps = references(db, target).iter().map(|(label, _)| label).filter(|it| exists(it));
    let mut node = QueryNode {
        kind: target_def(db, target).map(|def| def.rule.clone()).unwrap_or_default(),
        attributes: attributes(db, label),
        deps: deps.map(Label::to_string).collect(),
        ..QueryNode::default()
    };
    match &task(db, target).value {
        Some(task) => {
            node.inputs = task.inputs.values().filter_map(source).collect();
            node.outputs = task.outputs.iter().map(|output| placed(&output.path)).collect();
        }
        None => passed_on(db, label, &mut node),
    }
    node
}

/// The files of a target that only passes on what others made.
fn passed_on(db: &dyn Db, label: &Label, node: &mut QueryNode) {
    for provided in provides(db, db.target(label)).unwrap_or_default().iter() {
        match source(&provided.from) {
            Some(path) => node.inputs.insert(path),
            None => node.outputs.insert(placed(&provided.path)),
        };
    }
}

fn source(input: &InputRef) -> Option<String> {
    match input {
        InputRef::Source(path) => Some(path.as_str().to_owned()),
        InputRef::Output { .. } => None,
    }
}

fn placed(path: &WsPath) -> String {
    format!("{OUTPUT_FOLDER}/{path}")
}

/// The attributes by name as text, and `name` and `tags`.
fn attributes(db: &dyn Db, label: &Label) -> BTreeMap<String, Vec<String>> {
    let mut attributes = BTreeMap::from([("name".to_owned(), vec![label.target()])]);
    let Some(declared) = &declared(db, db.target(label)).value else { return attributes };
    for (name, value) in &declared.attrs {
        attributes.insert(name.clone(), texts(value));
    }
    attributes.insert("tags".to_owned(), declared.tags.iter().cloned().collect());
    attributes
}

/// A value as people would write it, one text for each member of a list.
fn texts(value: &AttrValue) -> Vec<String> {
    match value {
        AttrValue::List(values) => values.iter().flat_map(texts).collect(),
        AttrValue::Map(values) => {
            let pairs = values.iter().flat_map(|(name, value)| {
                texts(value).into_iter().map(move |value| format!("{name}={value}"))
            });
            pairs.collect()
        }
        AttrValue::Bool(value) => vec![value.to_string()],
        AttrValue::Int(value) => vec![value.to_string()],
        AttrValue::Float(value) => vec![value.0.to_string()],
        AttrValue::Size(value) => vec![value.to_string()],
        AttrValue::Duration(value) => vec![value.as_secs_f64().to_string()],
        AttrValue::Text(value) | AttrValue::Secret(value) => vec![value.clone()],
        AttrValue::Label(label, _) => vec![label.to_string()],
        AttrValue::File(file) => vec![match &file.what {
            FileName::Path(path) => path.to_string(),
            FileName::Reference(reference) => reference.to_string(),
            FileName::Glob { pattern, .. } => pattern.clone(),
        }],
    }
}
