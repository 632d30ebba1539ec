//! What targets need of this machine and of services, gathered over all they are made from. Asked
//! of rule files alone: a target with errors, or one whose sources are missing, needs the same.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use vwfb_rules::label::{Label, WsPath};
use vwfb_rules::rule_file::RuleFile;
use vwfb_rules::service::ServiceUse;
use vwfb_rules::task::{Command, ToolDef};
use vwfb_rules::{Declared, library, needs as rules};

use crate::db::{Database, Db, Target};
use crate::names::{Named, named, sketched};
use crate::package::workspace;
use crate::target::{declared, references, task};
use crate::tools::KIT;

/// What targets need, each thing once and in order.
#[derive(Debug, Clone, Default)]
pub struct Needs {
    /// Their tools.
    pub tools: BTreeMap<Arc<ToolDef>, ToolNeed>,
    /// The services that they ask, by name.
    pub services: BTreeMap<String, ServiceNeed>,
    /// The secrets that they are given beside those of services, by name.
    pub secrets: BTreeMap<String, Users>,
    /// The fan-outs whose items are not known.
    pub unexpanded: Vec<Unexpanded>,
}

/// The targets that need something.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Users {
    /// How many.
    pub count: usize,
    /// The first of them.
    pub example: Option<Label>,
}

/// A tool that is needed.
#[derive(Debug, Clone, Default)]
pub struct ToolNeed {
    /// By whom.
    pub users: Users,
    /// Those of its programs that the workspace does not allow.
    pub refused: BTreeSet<String>,
}

/// A service that is needed.
#[derive(Debug, Clone)]
pub struct ServiceNeed {
    /// What the workspace says of it.
    pub service: ServiceUse,
    /// By whom.
    pub users: Users,
    /// The models that are asked for.
    pub models: BTreeMap<String, Users>,
    /// How it is spoken to, as far as the tasks say.
    pub protocol: Option<String>,
}

/// A fan-out that expands later.
#[derive(Debug, Clone)]
pub struct Unexpanded {
    /// The fan-out.
    pub label: Label,
    /// What makes its items.
    pub after: Label,
    /// Whether what its targets need depends on the items.
    pub is_partial: bool,
}

impl Needs {
    /// The tools of the built-in library.
    pub fn of_library() -> Self {
        let file = |name| {
            let path = WsPath::new(name).ok()?;
            Some(vwfb_rules::rule_file(&path, library::source(&path)?).value)
        };
        let files: Vec<RuleFile> = library::names().filter_map(file).collect();
        let tools =
            rules::tools_of(&files).into_iter().map(|tool| (tool, ToolNeed::default())).collect();
        Self { tools, ..Self::default() }
    }

    fn add(&mut self, label: &Label, needs: rules::Needs, command: Option<&Command>) {
        for (tool, refused) in needs.tools {
            let need = self.tools.entry(tool).or_default();
            need.users.add(label);
            need.refused.extend(refused);
        }
        for secret in needs.secrets {
            self.secrets.entry(secret).or_default().add(label);
        }
        let Some(service) = needs.service else { return };
        let model = service.model.clone();
        let need = self.services.entry(service.name.clone()).or_insert_with(|| {
            let (users, models) = (Users::default(), BTreeMap::new());
            ServiceNeed { service, users, models, protocol: None }
        });
        need.users.add(label);
        if let Some(model) = model.filter(|model| !model.is_empty()) {
            need.models.entry(model).or_default().add(label);
        }
        if need.protocol.is_none() {
            need.protocol = command.and_then(protocol);
        }
    }
}

impl Users {
    fn add(&mut self, label: &Label) {
        self.count += 1;
        if self.example.as_ref().is_none_or(|example| label < example) {
            self.example = Some(label.clone());
        }
    }
}

/// How the client of the kit that `command` runs, perhaps in a script, is to speak.
fn protocol(command: &Command) -> Option<String> {
    let Command::Process { program, args } = command else { return None };
    let words: Vec<&str> = match program.as_str() {
        KIT => args.iter().map(String::as_str).collect(),
        _ => {
            let lines = args.iter().flat_map(|arg| arg.lines());
            let script = lines.skip_while(|line| !line.contains(KIT));
            script.flat_map(str::split_whitespace).collect()
        }
    };
    let mut after = words.iter().skip_while(|word| !word.starts_with("--protocol"));
    let said = match after.next()?.strip_prefix("--protocol=") {
        Some(said) => said,
        None => after.next()?,
    };
    Some(said.trim_matches(['\'', '"']).to_owned())
}

/// What `targets` and all they need ask for.
pub(crate) fn needs(db: &Database, targets: &[Label]) -> Needs {
    let db: &dyn Db = db;
    let workspace = &workspace(db).value;
    let mut needs = Needs::default();
    let mut next: Vec<Target> = targets.iter().map(|label| db.target(label)).collect();
    let (mut seen, mut fan_outs) = (HashSet::new(), HashSet::new());
    let mut add = |label: &Label, declared: &Declared, command: Option<&Command>| {
        if declared.runs() {
            needs.add(label, rules::needs(declared, workspace), command);
        }
    };
    let mut unexpanded = Vec::new();
    while let Some(target) = next.pop() {
        if !seen.insert(target) {
            continue;
        }
        next.extend(references(db, target).iter().map(|(label, _)| db.target(label)));
        if let Some(declared) = &declared(db, target).value {
            let task = task(db, target).value.as_deref();
            add(&declared.label, declared, task.map(|task| &task.command));
        }
        let Some(Named::Waiting(after)) = named(db, target) else { continue };
        let Some((label, sketch)) = sketched(db, target.label(db)) else { continue };
        if !fan_outs.insert(label.clone()) {
            continue;
        }
        for declared in &sketch.members {
            add(&label, declared, None);
            let references = vwfb_rules::references(declared);
            next.extend(references.iter().map(|(label, _)| db.target(label)));
        }
        unexpanded.push(Unexpanded { label, after, is_partial: sketch.is_partial });
    }
    unexpanded.sort_by(|one, other| one.label.cmp(&other.label));
    Needs { unexpanded, ..needs }
}
