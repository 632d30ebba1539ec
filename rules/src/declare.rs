//! From a target's text to its typed attributes and outputs, without a look at any other target.

mod given;
mod said;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use given::{Given, GivenAttr, GivenValue, nodes_of, noted};
pub(crate) use said::Reading;
use said::Said;

use crate::binding::Bindings;
use crate::block::TargetDef;
use crate::codes::{
    FILE_IN_TEXT, MISSING_ATTRIBUTE, OUTPUT_OUTSIDE, SECRET_MISUSE, UNKNOWN_RULE, WRONG_TYPE,
    WRONG_UNIT,
};
use crate::core_rules::common_attrs;
use crate::diagnostic::{Anchor, Checked, Diagnostic, Spot};
use crate::evaluate::Names;
use crate::frame::{Place, Placed, output_folder};
use crate::interpolate::{Bound, Part, Template};
use crate::label::{Label, WsPath};
use crate::library;
use crate::media::Media;
use crate::placeholder::{self, Placeholder};
use crate::read::Problems;
use crate::rule::{AttrDef, AttrType, Body, Limits, NameUse, OutDef, RuleDef, Shape};
use crate::rule_reader::{empty_rule, no_time};
use crate::suggest::did_you_mean;
use crate::syntax::Value;
use crate::table::RuleTable;
use crate::task::{OutputDef, ToolDef};
use crate::template::{GivenAttrs, TemplateDef};
use crate::tools;
use crate::typed::{check_count, typed};
use crate::value::{AttrValue, FileName};
use crate::vars::Vars;

/// A target with its rule, typed attributes and outputs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Declared {
    /// Its label.
    pub label: Label,
    /// Its rule; for a `task` the rule that its own nodes make up.
    pub rule: Arc<RuleDef>,
    /// Where it is.
    pub anchor: Anchor,
    /// Its attributes by name, defaults included, unset ones left out.
    pub attrs: BTreeMap<String, AttrValue>,
    /// Its outputs.
    pub outputs: Arc<[OutputDef]>,
    /// The tools it may start.
    pub tools: Vec<DeclaredTool>,
    /// The shell functions that its script begins with.
    pub prelude: Arc<str>,
    /// Targets that must have succeeded before it starts.
    pub after: Vec<(Label, Anchor)>,
    /// What its own texts stand for that mean something outside.
    pub bound: Bound,
    /// Environment it adds to its rule's.
    pub env: BTreeMap<String, Template>,
    /// Its rule's limits with its own over them.
    pub limits: Limits,
    /// Free words for queries.
    pub tags: BTreeSet<String>,
    /// The uses of templates and instances that it is in, outermost first.
    pub uses: Vec<Anchor>,
}

/// A tool of a target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeclaredTool {
    /// The tool.
    pub tool: Arc<ToolDef>,
    /// Whether only `run` names it, so that a toolchain that has the program stands for it.
    pub implied: bool,
    /// Where it is named.
    pub anchor: Anchor,
    /// Whether it needs no leave of the workspace.
    pub trusted: bool,
}

impl Declared {
    /// Whether it runs a task; a `filegroup` or `alias` only passes on what others made.
    pub fn runs(&self) -> bool {
        self.rule.runs()
    }
}

/// What the target `placed` declares; nothing, without a problem, if `when` switches it
/// off, and nothing if it has errors.
pub fn declare(
    placed: &Placed,
    rules: &RuleTable,
    vars: Option<&Vars>,
) -> Checked<Option<Arc<Declared>>> {
    let Placed { def: target, frame, .. } = placed;
    let Some(rule) = rules.rule(&target.rule) else {
        let problems = vec![frame.traced(unknown_rule(target, rules))];
        return Checked { value: None, problems };
    };
    let names = Names { target: &target.name, vars, bindings: &frame.bindings };
    let folder = output_folder(&placed.label);
    let problems = Problems::default();
    let mut declaring = Declaring { placed, target, folder, rules, names, problems };
    let declared = declaring.declared(rule);
    let problems = declaring.problems.0;
    let problems: Vec<_> = problems.into_iter().map(|problem| frame.traced(problem)).collect();
    let value = declared.filter(|_| problems.is_empty()).map(Arc::new);
    Checked { value, problems }
}

/// What the use `placed` of `template` says, typed.
pub(crate) fn given_attrs(
    placed: &Placed,
    template: &TemplateDef,
    vars: Option<&Vars>,
) -> Checked<Option<GivenAttrs>> {
    let Placed { def: target, frame, .. } = placed;
    let names = Names { target: &target.name, vars, bindings: &frame.bindings };
    let (rules, problems) = (RuleTable::default(), Problems::default());
    let folder = output_folder(&placed.label);
    let mut declaring = Declaring { placed, target, folder, rules: &rules, names, problems };
    let rule = RuleDef {
        attrs: template.attrs.clone(),
        anchor: template.anchor.clone(),
        ..empty_rule(&template.name, &template.file, &target.node)
    };
    let common = common_attrs();
    let given = Given::new(&nodes_of(&target.node), &rule, common, &mut declaring.problems);
    let settings = declaring.attrs(common, &given, &frame.folder);
    let attrs = declaring.attrs(&rule.attrs, &given, &rule.file.parent().unwrap_or_default());
    let is_common = |name: &String| common.iter().any(|attr| attr.name == *name);
    let common = given.attrs.iter().filter(|(name, _)| is_common(name));
    let mut common: Vec<_> =
        common.map(|(name, given)| (name.clone(), given.anchor.clone())).collect();
    let own = [("env", !given.env.is_empty()), ("resource", !given.limits.resources.is_empty())];
    let own = own.into_iter().filter(|(_, given)| *given);
    common.extend(own.map(|(name, _)| (name.to_owned(), target.anchor().clone())));
    let problems = declaring.problems.0;
    let problems = problems.into_iter().map(|problem| frame.traced(problem)).collect();
    Checked { value: Some(GivenAttrs { attrs, settings, common }), problems }
}

struct Declaring<'a> {
    placed: &'a Placed,
    target: &'a TargetDef,
    /// Where its outputs are below the folder for all.
    folder: WsPath,
    rules: &'a RuleTable,
    names: Names<'a>,
    problems: Problems,
}

impl<'a> Declaring<'a> {
    fn declared(&mut self, rule: &Arc<RuleDef>) -> Option<Declared> {
        let said = self.target.reading.of(self.target, self.case(rule));
        let (rule, given) = (&said.rule, &said.given);
        self.problems.0.extend(said.problems.iter().cloned());
        let bound = said.bound(self.names, &mut self.problems);
        let faults = said.faults(&bound);
        self.problems.0.extend(faults.rule);
        let mut settings = self.attrs(common_attrs(), given, &self.placed.frame.folder);
        self.check_timeout(&settings, given);
        if settings.get("when") == Some(&AttrValue::Bool(false)) {
            return None;
        }
        let attrs = self.attrs(&rule.attrs, given, &rule.file.parent().unwrap_or_default());
        let mut outputs = Vec::with_capacity(rule.outs.len());
        for out in &rule.outs {
            outputs.extend(self.output(out, (&said, &bound), &attrs));
        }
        if self.problems.count() == 0 {
            self.problems.0.extend(faults.env);
        }
        Some(Declared {
            label: self.placed.label.clone(),
            anchor: self.target.anchor().clone(),
            tools: self.tools(rule, given, &attrs),
            prelude: self.rules.prelude(rule),
            after: labels(settings.remove("after")),
            tags: texts(settings.remove("tags")),
            uses: self.placed.frame.uses.clone(),
            limits: limits(&rule.limits, &given.limits, &settings),
            env: given.env.clone(),
            rule: Arc::clone(rule),
            bound,
            attrs,
            outputs: outputs.into(),
        })
    }

    /// The case of `rule` that the target is; the rule itself if it has none, or none is meant.
    fn case<'r>(&self, rule: &'r Arc<RuleDef>) -> &'r Arc<RuleDef> {
        let Some(cases) = &rule.cases else { return rule };
        let given = nodes_of(&self.target.node);
        let given = given.iter().find(|(node, _)| node.name == cases.attr);
        let value = given.and_then(|(node, _)| node.args.first()).and_then(|value| {
            // What is wrong with it is said where it is read as an attribute.
            self.names.values(value, &mut Problems::default()).pop()?.text().map(str::to_owned)
        });
        value.and_then(|value| cases.rule(&value)).unwrap_or(rule)
    }

    fn attrs(
        &mut self,
        defs: &[AttrDef],
        given: &Given,
        rule_folder: &WsPath,
    ) -> BTreeMap<String, AttrValue> {
        let mut attrs = BTreeMap::new();
        for def in defs {
            let written = given.attrs.get(&def.name);
            let given = written.filter(|given| !self.is_unset(def, given));
            let value = match (given, &def.default) {
                (Some(given), _) => {
                    let before = self.problems.count();
                    let value = self.given(def, given);
                    match &def.default {
                        _ if value.is_some() || self.problems.count() > before => value,
                        // What is given is a list without values.
                        Some(default) => self.default(def, default, rule_folder),
                        None => {
                            if def.required() {
                                self.missing(def, Some(given));
                            }
                            None
                        }
                    }
                }
                (None, Some(default)) => self.default(def, default, rule_folder),
                (None, None) => {
                    if def.required() {
                        self.missing(def, written);
                    }
                    None
                }
            };
            attrs.extend(value.map(|value| (def.name.clone(), value)));
        }
        attrs
    }

    /// Whether what is given for a single value is wholly what is bound and not set.
    fn is_unset(&self, def: &AttrDef, given: &GivenAttr) -> bool {
        let is_unset = |given: &GivenValue| {
            let text = given.value.text().and_then(|text| text.strip_prefix('{'));
            let path = text.and_then(|text| text.strip_suffix('}')).unwrap_or_default();
            let path: Vec<String> = path.split('.').map(str::to_owned).collect();
            let bound = self.names.bindings.get(&path[0]).and_then(|it| it.field(&path[1..]));
            bound.is_some_and(|bound| bound.values.is_empty() && !bound.list)
        };
        def.shape == Shape::Single && matches!(given.values.as_slice(), [one] if is_unset(one))
    }

    fn given(&mut self, def: &AttrDef, given: &GivenAttr) -> Option<AttrValue> {
        let mut values: Vec<(Option<String>, AttrValue)> = Vec::new();
        let before = self.problems.count();
        for one in &given.values {
            if def.ty == AttrType::Secret && one.value.text().is_some_and(|t| t.contains('{')) {
                self.problems.push(interpolated_secret(def, &one.value));
                continue;
            }
            let placeholder = self.placeholder(one);
            for plain in self.names.values(&one.value, &mut self.problems) {
                let value = typed(&plain, def, self.placed.frame.place())
                    .map_err(|problem| noted(interpolated(problem, &plain, &one.value), def));
                let Some(mut value) = self.problems.take(value) else { continue };
                set_options(&mut value, one.options.allow_empty, placeholder.as_ref());
                if let AttrValue::File(file) = &value {
                    let checked = placeholder::check(def, file);
                    self.problems.take(checked.map_err(|problem| noted(problem, def)));
                }
                values.push((one.key.clone(), value));
            }
        }
        if self.problems.count() > before {
            return None;
        }
        self.shaped(def, values, &given.anchor)
    }

    /// What stands in for the file that `given` is while it is missing: what its node says, else
    /// what that says which its braces stand for.
    fn placeholder(&mut self, given: &GivenValue) -> Option<Arc<Placeholder>> {
        let Some(written) = &given.options.placeholder else {
            return self.names.placeholder(&given.value);
        };
        let value = self.names.values(written, &mut self.problems).pop()?;
        let read = Placeholder::read(&value, &self.placed.frame.folder);
        self.problems.take(read).map(Arc::new)
    }

    fn default(
        &mut self,
        def: &AttrDef,
        default: &[Value],
        rule_folder: &WsPath,
    ) -> Option<AttrValue> {
        let none = Bindings::default();
        let names = Names { vars: None, bindings: &none, target: self.names.target };
        let mut values = Vec::new();
        for value in default {
            for plain in names.values(value, &mut self.problems) {
                let value = self.problems.take(typed(&plain, def, Place::of(rule_folder)))?;
                values.push((None, value));
            }
        }
        self.shaped(def, values, &def.anchor)
    }

    fn shaped(
        &mut self,
        def: &AttrDef,
        mut values: Vec<(Option<String>, AttrValue)>,
        anchor: &Anchor,
    ) -> Option<AttrValue> {
        match def.shape {
            Shape::List => {
                let counted = check_count(def, values.len(), anchor);
                self.problems.take(counted.map_err(|problem| noted(problem, def)))?;
                Some(AttrValue::List(values.into_iter().map(|(_, value)| value).collect()))
            }
            Shape::Map => {
                let pairs = values.into_iter().filter_map(|(key, value)| Some((key?, value)));
                Some(AttrValue::Map(pairs.collect()))
            }
            Shape::Single if values.len() == 1 => values.pop().map(|(_, value)| value),
            Shape::Single => {
                // Another number of arguments is reported where they are read.
                if values.len() > 1 {
                    let message = format!("`{}` takes one value, not {}", def.name, values.len());
                    self.problems.push(Diagnostic::error(WRONG_TYPE, message).at(anchor));
                }
                None
            }
        }
    }

    fn check_timeout(&mut self, settings: &BTreeMap<String, AttrValue>, given: &Given) {
        if settings.get("timeout") == Some(&AttrValue::Duration(Duration::ZERO))
            && let Some(given) = given.attrs.get("timeout")
        {
            self.problems.push(no_time(&given.anchor));
        }
    }

    /// An attribute without a value: it is not `written`, or what that stands for is not set.
    fn missing(&mut self, def: &AttrDef, written: Option<&GivenAttr>) {
        let unset = written.and_then(|written| written.values.first()?.value.text());
        let unset = unset.map(|text| format!(", and `{text}` is not set here")).unwrap_or_default();
        let message = format!("`{}` needs `{}`{unset}", self.target.rule, def.name);
        let anchor = written.map_or(self.target.anchor(), |written| &written.anchor);
        let problem = Diagnostic::error(MISSING_ATTRIBUTE, message).at(anchor);
        let hint = def.doc.as_ref().map(|doc| format!("`{}`: {doc}", def.name));
        self.problems.push(noted(problem, def).maybe_hint(hint));
    }

    fn output(
        &mut self,
        out: &OutDef,
        (said, bound): (&Said, &Bound),
        attrs: &BTreeMap<String, AttrValue>,
    ) -> Option<OutputDef> {
        let Said { rule, given, .. } = said;
        let is_named = out.path.fields().any(|path| path[0] == "name");
        let (folder, name) = match is_named {
            true => self.placed.face(),
            false => (self.folder.clone(), &self.target.name),
        };
        let relative = self.path_text(&out.path, name, (attrs, bound))?;
        // What the target says of the path is what it can mend.
        let part = out.path.fields().find_map(|path| given.attrs.get(path.first()?));
        let own = match (part, &out.anchor.spot) {
            (Some(part), _) => &part.anchor,
            (None, Spot::Node { .. }) => &out.path.anchor,
            (None, _) => self.target.anchor(),
        };
        let path =
            self.problems.take(output_path(&folder, &relative, own, self.target.anchor()))?;
        let extension = path.extension().filter(|_| !out.tree);
        let role = match (rule.keep_names, extension) {
            (true, _) => format!("out/{}", path.below(&folder).unwrap_or_default()),
            (false, Some(extension)) => format!("out/{}.{extension}", out.name),
            (false, None) => format!("out/{}", out.name),
        };
        let media = out.media.clone().or_else(|| Media::of_path(&path).filter(|_| !out.tree));
        let media = media.map(|media| media.to_string());
        Some(OutputDef { name: out.name.clone(), role, path, tree: out.tree, media })
    }

    /// The path of an output of `name`; its interpolations are already known to be plain.
    fn path_text(
        &self,
        template: &Template,
        name: &str,
        (attrs, bound): (&BTreeMap<String, AttrValue>, &Bound),
    ) -> Option<String> {
        let mut text = String::new();
        for part in &template.parts {
            match part {
                Part::Text(plain) => text.push_str(plain),
                Part::Field(path) => match bound.get(path).or_else(|| attrs.get(&path[0])) {
                    Some(value) => text.push_str(&value.text()?),
                    None if path[0] == "name" => text.push_str(name),
                    None => {}
                },
            }
        }
        Some(text)
    }

    fn tools(
        &self,
        rule: &RuleDef,
        given: &Given,
        attrs: &BTreeMap<String, AttrValue>,
    ) -> Vec<DeclaredTool> {
        let built_in = rule.file.is_built_in();
        let mut tools: Vec<DeclaredTool> = Vec::new();
        let mut add = |tool: Arc<ToolDef>, anchor: &Anchor, trusted: bool| {
            if tools.iter().all(|other| other.tool.name != tool.name) {
                let implied = matches!(&rule.body, Body::Run { anchor: run, .. } if run == anchor);
                tools.push(DeclaredTool { tool, anchor: anchor.clone(), trusted, implied });
            }
        };
        // Those that the target names need leave of the workspace, whoever wrote the rule.
        for attr in rule.tools.iter().filter_map(NameUse::attribute) {
            let anchor = given.attrs.get(attr).map_or(self.target.anchor(), |given| &given.anchor);
            for name in attrs.get(attr).into_iter().flat_map(names) {
                let toolchain = self.rules.toolchain("task", &name);
                let base = toolchain.is_none() && tools::is_base(&name);
                add(tools::tool(&name, toolchain.map(Arc::as_ref)), anchor, base);
            }
        }
        for tool in rule.tools.iter().filter(|tool| tool.attribute().is_none()) {
            let toolchain = self.rules.toolchain(&rule.name, &tool.name);
            let base = toolchain.is_none() && tools::is_base(&tool.name);
            let def = tools::tool(&tool.name, toolchain.map(Arc::as_ref));
            add(def, &tool.anchor, built_in || base);
        }
        match &rule.body {
            Body::Script { text, .. } => add(tools::base(), &text.anchor, true),
            Body::Run { program, anchor, .. } if tools::is_base(program) => {
                add(tools::base(), anchor, true);
            }
            _ => {}
        }
        tools.shrink_to_fit();
        tools
    }
}

fn interpolated_secret(def: &AttrDef, value: &Value) -> Diagnostic {
    let message = format!("`{}` is a secret's name and cannot be interpolated", def.name);
    Diagnostic::error(SECRET_MISUSE, message)
        .at(&value.anchor)
        .hint("write the name itself, so that no variable decides which secret is read")
}

fn unknown_rule(target: &TargetDef, rules: &RuleTable) -> Diagnostic {
    let message = format!("no rule named `{}`", target.rule);
    let defines = format!("rule \"{}\"", target.rule);
    let library = library::names().find(|name| {
        let text = WsPath::new(name).ok().and_then(|path| library::source(&path));
        text.is_some_and(|text| text.contains(&defines))
    });
    let hint = library.map(|name| format!("add `use \"{name}\"` at the top")).or_else(|| {
        let rules_there = rules.rules().map(|rule| rule.name.as_str());
        let templates = rules.templates().map(|template| template.name.as_str());
        did_you_mean(&target.rule, rules_there.chain(templates))
    });
    Diagnostic::error(UNKNOWN_RULE, message).at(target.anchor()).maybe_hint(hint)
}

fn output_path(
    folder: &WsPath,
    relative: &str,
    anchor: &Anchor,
    target: &Anchor,
) -> Result<WsPath, Diagnostic> {
    let path = folder.join(relative).ok().filter(|path| path != folder && path.is_within(folder));
    match path {
        Some(path) if !relative.starts_with("//") && !relative.ends_with('/') => Ok(path),
        _ => {
            let message = format!("`{relative}` is no path below the package's output folder");
            let problem = Diagnostic::error(OUTPUT_OUTSIDE, message).at(anchor);
            let problem = if anchor.file == target.file {
                problem
            } else {
                problem.noted(target, "for this target")
            };
            Err(problem.hint("outputs are written below `vwfb-out/` and their package's folder"))
        }
    }
}

/// The problem of the value `plain`, which `written` stands for: how else to write the value is no
/// help where it is not written.
fn interpolated(problem: Diagnostic, plain: &Value, written: &Value) -> Diagnostic {
    if problem.code == FILE_IN_TEXT
        && let Some(text) = written.text()
    {
        let message = format!("`{text}` is a file, and a value of another type is needed");
        return Diagnostic { message, ..problem };
    }
    let of_type = matches!(problem.code, WRONG_TYPE | WRONG_UNIT);
    match written.text() {
        Some(text) if of_type && plain.scalar != written.scalar => {
            problem.hint(format!("`{text}` stands for that value"))
        }
        _ => problem,
    }
}

fn set_options(value: &mut AttrValue, may_be_empty: bool, placeholder: Option<&Arc<Placeholder>>) {
    let AttrValue::File(file) = value else { return };
    if let FileName::Glob { allow_empty, .. } = &mut file.what {
        *allow_empty = may_be_empty;
    }
    if let Some(placeholder) = placeholder {
        file.placeholder = Some(Arc::clone(placeholder));
    }
}

fn labels(value: Option<AttrValue>) -> Vec<(Label, Anchor)> {
    let Some(AttrValue::List(values)) = value else { return Vec::new() };
    let label = |value| match value {
        AttrValue::Label(label, anchor) => Some((label, anchor)),
        _ => None,
    };
    values.into_iter().filter_map(label).collect()
}

fn names(value: &AttrValue) -> Vec<String> {
    match value {
        AttrValue::List(values) => values.iter().filter_map(AttrValue::text).collect(),
        one => one.text().into_iter().collect(),
    }
}

fn texts(value: Option<AttrValue>) -> BTreeSet<String> {
    let Some(AttrValue::List(values)) = value else { return BTreeSet::new() };
    values.iter().filter_map(AttrValue::text).collect()
}

fn limits(rule: &Limits, own: &Limits, settings: &BTreeMap<String, AttrValue>) -> Limits {
    let mut limits = rule.clone();
    limits.resources.extend(own.resources.clone());
    if let Some(AttrValue::Duration(timeout)) = settings.get("timeout") {
        limits.timeout = Some(*timeout);
    }
    if let Some(AttrValue::Int(retries)) = settings.get("retries") {
        limits.retries = u32::try_from(*retries).ok();
    }
    limits
}
