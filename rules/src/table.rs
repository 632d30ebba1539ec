//! Which rules, toolchains and preludes are in sight of a package.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::codes::{MISSING_RULE_FILE, UNKNOWN_PRELUDE};
use crate::core_rules::core_rules;
use crate::diagnostic::{Checked, Diagnostic};
use crate::label::WsPath;
use crate::read::Problems;
use crate::rule::{PreludeDef, RuleDef, ToolchainDef};
use crate::rule_file::{RuleFile, UseDef, duplicate_rule, duplicate_template};
use crate::scope::Scope;
use crate::suggest::{did_you_mean, nearest};
use crate::template::TemplateDef;

/// The rules in sight of a package, with the toolchains and preludes that each may name.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RuleTable {
    rules: BTreeMap<String, TableEntry>,
    templates: BTreeMap<String, Arc<TemplateDef>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct TableEntry {
    rule: Arc<RuleDef>,
    sight: Arc<Sight>,
    /// What its script begins with, for each of its cases.
    preludes: Vec<Arc<str>>,
}

/// What the rules of one file may name: its own before what the files have that it uses.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Sight {
    toolchains: BTreeMap<String, Arc<ToolchainDef>>,
    preludes: BTreeMap<String, Arc<PreludeDef>>,
}

impl RuleTable {
    /// The core rules, those of the file `own` and those of the files it uses.
    pub fn new(own_file: &RuleFile, scope: &dyn Scope) -> Checked<Self> {
        let mut problems = Problems::default();
        let mut table = Self::default();
        let used = used_files(own_file, scope, Some(&mut problems));
        let own = sight(own_file, used.iter().map(|(_, file)| file));
        for rule in core_rules() {
            table.rules.insert(rule.name.clone(), TableEntry::new(rule, &own, &mut problems));
        }
        for rule in &own_file.rules {
            table.add(rule, &own, None, &mut problems);
        }
        for (place, file) in &used {
            let further = used_files(file, scope, None);
            let sight = sight(file, further.iter().map(|(_, file)| file));
            for rule in &file.rules {
                table.add(rule, &sight, Some(place), &mut problems);
            }
        }
        for template in &own_file.templates {
            table.add_template(template, None, &mut problems);
        }
        for (place, file) in &used {
            for template in &file.templates {
                table.add_template(template, Some(place), &mut problems);
            }
        }
        Checked { value: table, problems: problems.0 }
    }

    /// The rule `name`.
    pub fn rule(&self, name: &str) -> Option<&Arc<RuleDef>> {
        self.rules.get(name).map(|entry| &entry.rule)
    }

    /// The template `name`.
    pub fn template(&self, name: &str) -> Option<&Arc<TemplateDef>> {
        self.templates.get(name)
    }

    /// The templates in sight, by name.
    pub fn templates(&self) -> impl Iterator<Item = &Arc<TemplateDef>> {
        self.templates.values()
    }

    /// The rules in sight, by name.
    pub fn rules(&self) -> impl Iterator<Item = &Arc<RuleDef>> {
        self.rules.values().map(|entry| &entry.rule)
    }

    /// The toolchain that the rule `rule` means by `name`.
    pub fn toolchain(&self, rule: &str, name: &str) -> Option<&Arc<ToolchainDef>> {
        self.rules.get(rule)?.sight.toolchains.get(name)
    }

    /// The shell functions that the script of `rule`, or of one of its cases, begins with.
    pub fn prelude(&self, rule: &RuleDef) -> Arc<str> {
        let Some(entry) = self.rules.get(&rule.name) else { return Arc::default() };
        let variants = entry.rule.variants();
        let index = variants.iter().position(|variant| variant.case == rule.case).unwrap_or(0);
        entry.preludes.get(index).map(Arc::clone).unwrap_or_default()
    }

    fn add_template(
        &mut self,
        template: &Arc<TemplateDef>,
        place: Option<&UseDef>,
        problems: &mut Problems,
    ) {
        let name = &template.name;
        let rule = self.rules.get(name).map(|entry| &entry.rule.anchor);
        let first = rule.or_else(|| self.templates.get(name).map(|first| &first.anchor));
        match first {
            Some(first) => {
                let again = place.map_or(&template.anchor, |place| &place.anchor);
                problems.push(duplicate_template(name, (again, first)));
            }
            None => drop(self.templates.insert(name.clone(), Arc::clone(template))),
        }
    }

    fn add(
        &mut self,
        rule: &Arc<RuleDef>,
        sight: &Arc<Sight>,
        place: Option<&UseDef>,
        problems: &mut Problems,
    ) {
        if let Some(first) = self.rules.get(&rule.name) {
            let anchor = place.map_or(&rule.anchor, |place| &place.anchor);
            return problems.push(duplicate_rule(rule, anchor, &first.rule));
        }
        let entry = TableEntry::new(Arc::clone(rule), sight, problems);
        self.rules.insert(rule.name.clone(), entry);
    }
}

impl TableEntry {
    fn new(rule: Arc<RuleDef>, sight: &Arc<Sight>, problems: &mut Problems) -> Self {
        let preludes = rule.variants().into_iter();
        let preludes = preludes.map(|rule| prelude(rule, sight, problems)).collect();
        Self { rule, sight: Arc::clone(sight), preludes }
    }
}

/// What the script of `rule` begins with.
fn prelude(rule: &RuleDef, sight: &Sight, problems: &mut Problems) -> Arc<str> {
    let mut prelude = String::new();
    for named in &rule.preludes {
        if let Some(known) = sight.preludes.get(&named.name) {
            prelude.push_str(&known.text);
            continue;
        }
        let message = format!("no prelude named `{}`", named.name);
        let hint = did_you_mean(&named.name, sight.preludes.keys().map(String::as_str));
        let problem = Diagnostic::error(UNKNOWN_PRELUDE, message).at(&named.anchor);
        problems.push_once(problem.maybe_hint(hint));
    }
    prelude.into()
}

/// The files that `file` uses, each once; those that do not exist are noted where asked for.
fn used_files<'f>(
    file: &'f RuleFile,
    scope: &dyn Scope,
    mut problems: Option<&mut Problems>,
) -> Vec<(&'f UseDef, Arc<RuleFile>)> {
    let mut files: Vec<(&UseDef, Arc<RuleFile>)> = Vec::new();
    for place in &file.uses {
        if files.iter().any(|(other, _)| other.path == place.path) || place.path == file.file {
            continue;
        }
        match (scope.rule_file(&place.path), &mut problems) {
            (Some(used), _) => files.push((place, used)),
            (None, Some(problems)) => problems.push(missing(place, scope)),
            (None, None) => {}
        }
    }
    files
}

fn missing(place: &UseDef, scope: &dyn Scope) -> Diagnostic {
    let folder = place.path.parent().unwrap_or_default();
    let entries = scope.entries(&folder);
    let near = nearest(place.path.name(), entries.iter().map(String::as_str));
    let message = format!("no rule file `//{}`", place.path);
    let hint = near.and_then(|name| near_path(&folder, name));
    Diagnostic::error(MISSING_RULE_FILE, message).at(&place.anchor).maybe_hint(hint)
}

fn near_path(folder: &WsPath, name: &str) -> Option<String> {
    let path = folder.join(name).ok()?;
    Some(format!("did you mean `//{path}`?"))
}

/// What rules of `file`, which uses the files `used`, may name.
fn sight<'u>(file: &'u RuleFile, used: impl Iterator<Item = &'u Arc<RuleFile>>) -> Arc<Sight> {
    let mut sight = Sight::default();
    for file in std::iter::once(file).chain(used.map(Arc::as_ref)) {
        for toolchain in &file.toolchains {
            let place = sight.toolchains.entry(toolchain.name.clone());
            place.or_insert_with(|| Arc::clone(toolchain));
        }
        for prelude in &file.preludes {
            let place = sight.preludes.entry(prelude.name.clone());
            place.or_insert_with(|| Arc::clone(prelude));
        }
    }
    Arc::new(sight)
}
