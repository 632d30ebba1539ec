//! What a rule's texts may interpolate, checked once and for all its targets.

use crate::codes::{
    FILE_IN_TEXT, LIST_IN_TEXT, SECRET_MISUSE, UNGUARDED_OPTIONAL, UNKNOWN_ATTRIBUTE,
    UNKNOWN_INTERPOLATION, UNKNOWN_OUTPUT, WRONG_TYPE,
};
use crate::diagnostic::Diagnostic;
use crate::interpolate::{Bound, Part, Template, written};
use crate::read::list;
use crate::rule::{AttrDef, AttrType, Body, RuleDef, Shape};
use crate::shell;
use crate::suggest::did_you_mean;
use crate::value::AttrValue;

/// What is wrong with the interpolations of `rule`, those apart that `bound` knows.
pub(crate) fn check(rule: &RuleDef, bound: &Bound) -> Vec<Diagnostic> {
    let mut checker = Checker { rule, bound, problems: Vec::new() };
    for out in &rule.outs {
        let _unknown = checker.text(&out.path, Place::Path);
    }
    for template in rule.env.values() {
        let _unknown = checker.text(template, Place::Env);
    }
    for template in rule.estimate.values() {
        let _unknown = checker.text(template, Place::Path);
    }
    checker.stdio();
    match &rule.body {
        Body::Run { args, .. } => {
            for group in args {
                let condition = group.condition.as_deref();
                if let Some(name) = condition {
                    checker.condition(name, group.args.first());
                }
                for template in &group.args {
                    checker.argument(template, condition);
                }
            }
        }
        Body::Script { text, .. } => checker.script(text),
        Body::WriteFile | Body::Decide | Body::Forward | Body::Free => {}
    }
    checker.problems
}

/// Where a text is used, which decides what may stand in it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// An output's path: neither files nor lists.
    Path,
    /// A variable's value: a secret if it is the whole of it.
    Env,
    /// An argument, which a list repeats.
    Argument,
    /// A script, where a list is several words.
    Script,
}

/// What an interpolation stands for.
enum Meaning<'r> {
    /// One plain text.
    Text,
    /// The paths of outputs.
    Outs(usize),
    /// An attribute.
    Attr(&'r AttrDef),
    /// A part of a file's name.
    FileName,
    /// What a person said is to be better; empty where nobody did.
    Feedback,
}

struct Checker<'r> {
    rule: &'r RuleDef,
    bound: &'r Bound,
    problems: Vec<Diagnostic>,
}

impl<'r> Checker<'r> {
    /// Returns the interpolations that mean nothing.
    fn text<'t>(&mut self, template: &'t Template, place: Place) -> Vec<&'t [String]> {
        let whole = template.parts.len() == 1;
        let mut unknown = Vec::new();
        let mut before = "";
        for part in &template.parts {
            match part {
                Part::Text(text) => before = text,
                Part::Field(path) => match (self.bound.get(path), self.meaning(path, template)) {
                    (Some(value), _) => self.value(value, template, place),
                    (None, Some(meaning)) => self.allowed(&meaning, path, template, place, whole),
                    (None, None) => {
                        unknown.push(path.as_slice());
                        if place == Place::Script && before.ends_with('$') {
                            self.shell_variable(path);
                        }
                    }
                },
            }
            if !matches!(part, Part::Text(_)) {
                before = "";
            }
        }
        unknown
    }

    /// Corrects the hint of the last problem, which is about `${path}` in a script.
    fn shell_variable(&mut self, path: &[String]) {
        if let Some(problem) = self.problems.last_mut() {
            let own = path.join(".");
            problem.hint =
                Some(format!("a variable of the shell is written `${{{{{own}}}}}` here"));
        }
    }

    fn argument(&mut self, template: &Template, condition: Option<&str>) {
        let _unknown = self.text(template, Place::Argument);
        let mut lists = 0;
        for part in &template.parts {
            lists += usize::from(self.is_list(part));
            let Part::Field(path) = part else { continue };
            if let Some(attr) = self.rule.attr(&path[0])
                && self.bound.get(path).is_none()
                && attr.optional
                && attr.default.is_none()
                && condition != Some(&attr.name)
                && attr.shape == Shape::Single
            {
                self.unguarded(attr, template);
            }
        }
        if lists > 1 {
            let message = "one argument interpolates two lists";
            self.problems.push(Diagnostic::error(LIST_IN_TEXT, message).at(&template.anchor));
        }
    }

    fn script(&mut self, template: &Template) {
        let unknown = self.text(template, Place::Script);
        for (part, context) in interpolations(template).zip(shell::contexts(template)) {
            if matches!(part, Part::Field(path) if unknown.contains(&path.as_slice())) {
                continue;
            }
            if let Some(problem) = context.problem(self.is_list(part)) {
                self.problems.push(problem.describe(&shown(part), &template.anchor));
            }
        }
    }

    fn stdio(&mut self) {
        let stdio = &self.rule.stdio;
        if let Some(template) = &stdio.stdin {
            let attr = template.whole_field().and_then(|path| match path {
                [name] => self.rule.attr(name),
                _ => None,
            });
            let file = attr.is_some_and(|attr| attr.ty.is_file() && attr.ty != AttrType::Tree);
            if !file {
                let message = "`stdin` is the interpolation of one file attribute";
                self.problems.push(Diagnostic::error(WRONG_TYPE, message).at(&template.anchor));
            }
        }
        for template in [&stdio.stdout, &stdio.stderr].into_iter().flatten() {
            let outs = template.whole_field().and_then(|path| self.meaning(path, template));
            if !matches!(outs, Some(Meaning::Outs(1))) {
                let message = "standard output and error go to one output: write `{out}`";
                self.problems.push(Diagnostic::error(WRONG_TYPE, message).at(&template.anchor));
            }
        }
    }

    fn condition(&mut self, name: &str, template: Option<&Template>) {
        if self.rule.attr(name).is_none() && name != "feedback" {
            let anchor = template.map_or(&self.rule.anchor, |template| &template.anchor);
            let message = format!("`if` names no attribute: `{name}`");
            let names = self.rule.attrs.iter().map(|attr| attr.name.as_str());
            let problem = Diagnostic::error(UNKNOWN_ATTRIBUTE, message).at(anchor);
            self.problems.push(problem.maybe_hint(did_you_mean(name, names)));
        }
    }

    fn meaning(&mut self, path: &[String], template: &Template) -> Option<Meaning<'r>> {
        let rule = self.rule;
        if self.bound.get(path).is_some() {
            return Some(Meaning::Text);
        }
        if let Some(attr) = rule.attr(&path[0]) {
            return match path {
                [_] => Some(Meaning::Attr(attr)),
                [_, part] if attr.ty.is_file() && attr.shape == Shape::Single => {
                    self.file_part(part, path, template)
                }
                _ => self.unknown(
                    path,
                    template,
                    "only a single file has `.name`, `.stem` and `.ext`",
                ),
            };
        }
        match path {
            [name] if name == "name" => Some(Meaning::Text),
            [name] if name == "feedback" => Some(Meaning::Feedback),
            [out] if out == "out" => Some(Meaning::Outs(rule.default_outs().len())),
            [out, name] if out == "out" => self.out(name, path, template),
            [vars, ..] if vars == "vars" => {
                self.unknown(path, template, "a rule sees no variables: give it an attribute")
            }
            _ => self.nothing(path, template),
        }
    }

    fn file_part(
        &mut self,
        part: &str,
        path: &[String],
        template: &Template,
    ) -> Option<Meaning<'r>> {
        if ["name", "stem", "ext"].contains(&part) {
            return Some(Meaning::FileName);
        }
        self.unknown(path, template, "a file has `.name`, `.stem` and `.ext`")
    }

    fn out(&mut self, name: &str, path: &[String], template: &Template) -> Option<Meaning<'r>> {
        if self.rule.outs.iter().any(|out| out.name == name) {
            return Some(Meaning::Outs(1));
        }
        if let Some(group) = self.rule.groups.iter().find(|group| group.name == name) {
            return Some(Meaning::Outs(group.outs.len()));
        }
        let names: Vec<&str> = self.rule.outs.iter().map(|out| out.name.as_str()).collect();
        let message = format!("`{}` names no output", written(path));
        let hint = did_you_mean(name, names.iter().copied())
            .unwrap_or_else(|| format!("the outputs are {}", list(&names)));
        let problem = Diagnostic::error(UNKNOWN_OUTPUT, message).at(&template.anchor);
        self.problems.push(problem.hint(hint));
        None
    }

    fn nothing(&mut self, path: &[String], template: &Template) -> Option<Meaning<'r>> {
        let names = self
            .rule
            .attrs
            .iter()
            .map(|attr| attr.name.as_str())
            .chain(["name", "out", "feedback"]);
        let hint = did_you_mean(&path[0], names)
            .unwrap_or_else(|| "write `{{` and `}}` for braces themselves".into());
        self.unknown(path, template, &hint)
    }

    fn unknown(&mut self, path: &[String], template: &Template, hint: &str) -> Option<Meaning<'r>> {
        let message = format!("`{}` names nothing here", written(path));
        let problem = Diagnostic::error(UNKNOWN_INTERPOLATION, message).at(&template.anchor);
        self.problems.push(problem.hint(hint));
        None
    }

    fn allowed(
        &mut self,
        meaning: &Meaning<'_>,
        path: &[String],
        template: &Template,
        place: Place,
        whole: bool,
    ) {
        let repeats = matches!(place, Place::Argument | Place::Script);
        let fault = match meaning {
            Meaning::Attr(attr) if attr.ty == AttrType::Secret => {
                (place != Place::Env || !whole).then_some(SECRET_MISUSE)
            }
            Meaning::Attr(attr) if attr.shape != Shape::Single => {
                (!repeats).then_some(LIST_IN_TEXT)
            }
            Meaning::Attr(attr) if attr.ty.is_file() => {
                (place == Place::Path).then_some(FILE_IN_TEXT)
            }
            Meaning::FileName => (place == Place::Path).then_some(FILE_IN_TEXT),
            Meaning::Outs(_) | Meaning::Feedback if place == Place::Path => {
                Some(UNKNOWN_INTERPOLATION)
            }
            Meaning::Outs(count) => (*count != 1 && !repeats).then_some(LIST_IN_TEXT),
            Meaning::Attr(_) | Meaning::Text | Meaning::Feedback => None,
        };
        let Some(code) = fault else { return };
        let field = written(path);
        let (message, hint) = match code {
            SECRET_MISUSE => (
                format!("`{field}` is a secret and would be seen here"),
                "a secret goes to the whole of one `env` variable and nowhere else",
            ),
            LIST_IN_TEXT => (
                format!("`{field}` is a list, and this text has room for one value"),
                "pass it as arguments",
            ),
            FILE_IN_TEXT => (
                format!("an output's path cannot depend on the file `{field}`"),
                "use `{name}`, or an attribute that is no file",
            ),
            _ => (format!("an output's path cannot be made of `{field}`"), "use `{name}`"),
        };
        self.problems.push(Diagnostic::error(code, message).at(&template.anchor).hint(hint));
    }

    fn value(&mut self, value: &AttrValue, template: &Template, place: Place) {
        let list = match value {
            AttrValue::List(values) => !values.is_empty(),
            value => matches!(value, AttrValue::Map(_)),
        };
        if list && !matches!(place, Place::Argument | Place::Script) {
            let message = "a variable is a list, and this text has room for one value";
            self.problems.push(Diagnostic::error(LIST_IN_TEXT, message).at(&template.anchor));
        }
    }

    fn unguarded(&mut self, attr: &AttrDef, template: &Template) {
        let message = format!("`{}` may be unset, and then this argument has no value", attr.name);
        let hint = format!("put it into `args ... if=\"{}\"`", attr.name);
        self.problems.push(
            Diagnostic::error(UNGUARDED_OPTIONAL, message)
                .at(&template.anchor)
                .noted(&attr.anchor, "optional, without a default")
                .hint(hint),
        );
    }

    fn is_list(&self, part: &Part) -> bool {
        match part {
            Part::Text(_) => false,
            Part::Field(path) if self.bound.get(path).is_some() => {
                matches!(self.bound.get(path), Some(AttrValue::List(_) | AttrValue::Map(_)))
            }
            Part::Field(path) => match (self.rule.attr(&path[0]), path.as_slice()) {
                (Some(attr), [_]) => attr.shape != Shape::Single,
                (None, [out]) if out == "out" => self.rule.default_outs().len() != 1,
                (None, [out, name]) if out == "out" => {
                    self.rule.groups.iter().any(|group| group.name == *name)
                }
                _ => false,
            },
        }
    }
}

/// The parts of a template that are no plain text.
fn interpolations(template: &Template) -> impl Iterator<Item = &Part> {
    template.parts.iter().filter(|part| !matches!(part, Part::Text(_)))
}

fn shown(part: &Part) -> String {
    match part {
        Part::Field(path) => written(path),
        Part::Text(text) => text.clone(),
    }
}
