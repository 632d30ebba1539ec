//! The workspace's targets as queries see them, each as it stands once its rule has been applied.

use std::collections::{BTreeMap, BTreeSet};

use vwfb_rules::diagnostic::{Checked, Diagnostic};
use vwfb_rules::label::{Label, WsPath};
use vwfb_rules::nearest;
use vwfb_rules::pattern::Pattern;
use vwfb_rules::task::InputRef;

use super::attributes::{COMMON, attributes};
use super::{Item, PatternError, QueryGraph, QueryNode, QueryValue, Vocabulary};
use crate::db::{Database, Db};
use crate::graph::missing_of;
use crate::names::{self, Named, named};
use crate::package::{self, package_file, rule_table};
use crate::target::{declared, provides, references, task};
use crate::unknown::unknown;

/// The folder that outputs are placed in.
const OUTPUT_FOLDER: &str = "vwfb-out";

/// Every target of a workspace. One with errors has its label and kind only.
pub struct RealisedGraph<'db> {
    db: &'db dyn Db,
    nodes: BTreeMap<String, QueryNode>,
    labels: Vec<Label>,
    /// The folder that patterns are relative to.
    current: WsPath,
}

impl<'db> RealisedGraph<'db> {
    /// The targets of the workspace behind `db`; patterns are relative to the folder `current`.
    pub fn of(db: &'db Database, current: &WsPath) -> Self {
        let db: &dyn Db = db;
        let labels: Vec<Label> =
            db.system().packages(&WsPath::root()).iter().flat_map(|it| targets(db, it)).collect();
        let nodes = labels.iter().map(|label| (label.to_string(), node(db, label))).collect();
        Self { db, nodes, labels, current: current.clone() }
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
        Err(PatternError { message, hint: Some(hint), code: None, is_pattern: true })
    }
}

impl QueryGraph for RealisedGraph<'_> {
    fn nodes(&self) -> &BTreeMap<String, QueryNode> {
        &self.nodes
    }

    fn vocabulary(&self) -> Vocabulary {
        let packages = self.db.system().packages(&WsPath::root());
        let tables = packages.iter().map(|it| rule_table(self.db, package_file(self.db, it)));
        let mut vocabulary = Vocabulary::default();
        vocabulary.attributes.extend(COMMON.map(str::to_owned));
        vocabulary.attributes.insert("expands-after".to_owned());
        vocabulary.kinds.extend(["each", "matrix"].map(str::to_owned));
        for rule in tables.flat_map(|table| table.value.rules()) {
            vocabulary.kinds.insert(rule.name.clone());
            vocabulary.attributes.extend(rule.attrs.iter().map(|attr| attr.name.clone()));
        }
        vocabulary
    }

    fn expand(&self, pattern: &str) -> Result<BTreeSet<Item>, PatternError> {
        let refused = |error: vwfb_rules::label::LabelError| PatternError {
            message: error.to_string(),
            hint: Some("a pattern is written `//...`, `//folder:name` or `:name`".to_owned()),
            code: None,
            is_pattern: false,
        };
        let file = if pattern.contains(':') { None } else { self.file(pattern)? };
        if let Some(file) = file {
            return Ok(BTreeSet::from([file]));
        }
        let parsed = Pattern::parse(pattern, &self.current).map_err(refused)?;
        // All of a workspace without packages is nothing, and no slip.
        let everything = parsed == Pattern::Below(WsPath::root());
        if let Some(problem) = unknown(self.db, &parsed).filter(|_| !everything) {
            let Diagnostic { message, hint, code, .. } = problem;
            return Err(PatternError {
                message,
                hint,
                code: Some(code.as_str()),
                is_pattern: true,
            });
        }
        let matching = self.labels.iter().filter(|label| parsed.matches(label));
        let several = match &parsed {
            Pattern::Target(label) => names::members_of(self.db, label),
            _ => Vec::new(),
        };
        let several = several.iter().filter(|label| self.nodes.contains_key(&label.to_string()));
        let matching = matching.chain(several);
        Ok(matching.map(|label| Item::Target(label.to_string())).collect())
    }
}

fn targets(db: &dyn Db, package: &WsPath) -> Vec<Label> {
    let targets = package::targets(db, package_file(db, package));
    targets.map(|targets| targets.to_vec()).unwrap_or_default()
}

fn node(db: &dyn Db, label: &Label) -> QueryNode {
    let target = db.target(label);
    let exists = |label: &Label| named(db, db.target(label)).is_some();
    let refs = references(db, target).iter().flat_map(|(label, _)| names::members_of(db, label));
    let deps = refs.filter(exists);
    let mut node = QueryNode {
        kind: names::rule_of(db, label).unwrap_or_default(),
        attributes: BTreeMap::from([("name".to_owned(), QueryValue::text(label.target()))]),
        deps: deps.map(|label| label.to_string()).collect(),
        missing: missing_of(db, label).into_iter().collect(),
        ..QueryNode::default()
    };
    match declared(db, target) {
        Checked { value: Some(declared), .. } => node.attributes.extend(attributes(declared)),
        // Nothing is wrong with it, so `when` switched it off.
        Checked { value: None, problems }
            if problems.is_empty() && names::placed(db, target).is_some() =>
        {
            node.attributes.insert("when".to_owned(), QueryValue::Bool(false));
        }
        Checked { value: None, .. } => {}
    }
    if let Some(Named::Waiting(on)) = named(db, target) {
        let on = QueryValue::text(on.to_string());
        node.attributes.insert("expands-after".to_owned(), on);
    }
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
