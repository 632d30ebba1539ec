//! From YAML to a workflow, with everything that is wrong with it.

use std::cell::RefCell;
use std::collections::BTreeMap;

use vwfb_rules::codes::{
    CYCLE, DUPLICATE_TARGET, MISSING_ATTRIBUTE, TOO_MANY_ITEMS, UNKNOWN_LABEL, UNKNOWN_RULE,
    WRONG_TYPE,
};
use vwfb_rules::diagnostic::Diagnostic;
use vwfb_rules::label::WsPath;
use vwfb_rules::nearest;

use crate::fields::{Fields, Notebook};
use crate::kinds;
use crate::names::{Names, plain};
use crate::order::{circle, order};
use crate::workflow::{Segment, Step, Var, Workflow};
use crate::yaml::{Content, Node, tree};

/// The most steps of a workflow.
const MOST_STEPS: usize = 10_000;

/// The workflow that `source` is, and what is wrong with it.
pub(crate) fn workflow(file: &WsPath, source: &str) -> Result<Workflow, Vec<Diagnostic>> {
    let book = Notebook { file, source, vars: Vec::new(), problems: RefCell::default() };
    let node = match tree(file, source) {
        Ok(Some(node)) => node,
        Ok(None) => {
            let start = 0..source.len().min(1);
            let hint = "a workflow begins with `version: 1`, `name: ...` and `steps:`";
            book.hinted(MISSING_ATTRIBUTE, "the workflow is empty", &start, hint);
            return Err(book.problems.into_inner());
        }
        Err(problem) => return Err(vec![problem]),
    };
    let workflow = Reader { book }.workflow(&node);
    workflow.map_err(|mut problems| {
        // In the order of the text, whatever was looked at first.
        problems.sort_by_key(|problem| problem.places.first().map(|place| place.anchor.clone()));
        problems
    })
}

struct Reader<'a> {
    book: Notebook<'a>,
}

impl Reader<'_> {
    fn workflow(mut self, node: &Node) -> Result<Workflow, Vec<Diagnostic>> {
        let mut workflow = Workflow::default();
        if let Content::Map(entries) = &node.content {
            let vars = entries.iter().find(|(key, _)| key.text == "vars");
            if let Some((_, node)) = vars.filter(|(_, node)| !node.is_null()) {
                workflow.vars = self.vars(node);
                self.book.vars = workflow.vars.iter().map(|var| var.name.clone()).collect();
            }
        }
        let start = node.span.start..node.span.start + 1;
        if let Some(fields) = Fields::of(&self.book, "the workflow", node, start.clone()) {
            let _read = fields.find("vars");
            match fields.int("version", i64::MIN, i64::MAX) {
                Some(1) => {}
                Some(other) => {
                    let at = fields.find("version").map_or(start, |node| node.span.clone());
                    let message = format!("the workflow is of version {other}");
                    let hint = "the only version that there is, and that is understood, is 1";
                    self.book.hinted(WRONG_TYPE, message, &at, hint);
                }
                None if fields.find("version").is_none() => {
                    let message = "the workflow needs `version`";
                    self.book.hinted(MISSING_ATTRIBUTE, message, &start, "write `version: 1`");
                }
                None => {}
            }
            workflow.name = fields.string("name", "");
            workflow.description = fields.string("description", "");
            if let Some(steps) = fields.list("steps", true) {
                self.steps(steps, &mut workflow);
            }
            if let Some(segments) = fields.list("segments", false) {
                workflow.segments = self.segments(segments, &workflow);
            }
            fields.finish();
        }
        let problems = self.book.problems.into_inner();
        if problems.is_empty() { Ok(workflow) } else { Err(problems) }
    }

    fn vars(&self, node: &Node) -> Vec<Var> {
        let Content::Map(entries) = &node.content else {
            let message = format!("`vars` is a map, not {}", node.described());
            self.book.error(WRONG_TYPE, message, &node.span);
            return Vec::new();
        };
        let mut names = Names::default();
        let mut vars = Vec::new();
        for (key, node) in entries {
            let Content::Scalar { text, .. } = &node.content else {
                let message =
                    format!("the variable `{}` is a text, not {}", key.text, node.described());
                let hint = "variables of a workflow are texts; write lists into its steps";
                self.book.hinted(WRONG_TYPE, message, &node.span, hint);
                continue;
            };
            let value = if node.is_null() { String::new() } else { text.clone() };
            let label = names.unique(&plain(&key.text, "var"));
            let line = self.book.line(key.span.start);
            vars.push(Var { name: key.text.clone(), label, value, line });
        }
        vars
    }

    fn steps(&self, nodes: &[Node], workflow: &mut Workflow) {
        if nodes.len() > MOST_STEPS {
            let message =
                format!("the workflow has {} steps; the most is {MOST_STEPS}", nodes.len());
            self.book.error(TOO_MANY_ITEMS, message, &nodes[MOST_STEPS].span);
            return;
        }
        let mut places: BTreeMap<String, usize> = BTreeMap::new();
        let mut needs: Vec<(Option<usize>, &[Node])> = Vec::new();
        for node in nodes {
            let start = node.span.start..node.span.start + 1;
            let Some(fields) = Fields::of(&self.book, "a step", node, start.clone()) else {
                continue;
            };
            let named = fields.find("id");
            let span = named.map_or(start, |node| node.span.clone());
            let id = match named.map(|node| self.book.string("id", node)) {
                Some(Some(id)) if !id.trim().is_empty() => id,
                Some(None) => continue,
                _ => {
                    self.book.error(MISSING_ATTRIBUTE, "a step needs an `id`", &span);
                    continue;
                }
            };
            let fields = Fields::of(&self.book, &format!("the step `{id}`"), node, span.clone());
            let Some(fields) = fields else { continue };
            let _read = fields.find("id");
            if let Some(first) = places.get(&id) {
                let message = format!("two steps are called `{id}`");
                let mut problem = Diagnostic::error(DUPLICATE_TARGET, message)
                    .noted(&self.book.at(&span), "again here");
                if let Some(first) = workflow.steps.get(*first) {
                    problem = problem.noted(&self.book.at(&first.span), "first here");
                }
                self.book.push(problem.hint("rename one of them"));
                continue;
            }
            let named = fields.list("depends_on", false).unwrap_or_default();
            let resume = fields.maybe("resume_output");
            let work = self.kind(&fields).and_then(|kind| {
                let work = kinds::work(kind, &fields, &self.book);
                fields.finish();
                work
            });
            let Some(work) = work else {
                needs.push((None, named));
                // Who depends on it is not at fault.
                places.insert(id, usize::MAX);
                continue;
            };
            needs.push((Some(workflow.steps.len()), named));
            places.insert(id.clone(), workflow.steps.len());
            let line = self.book.line(span.start);
            workflow.steps.push(Step { id, span, line, after: Vec::new(), resume, work });
        }
        for (at, needs) in needs {
            let after =
                needs.iter().filter_map(|node| self.named(node, "depends_on", &places)).collect();
            if let Some(at) = at {
                workflow.steps[at].after = after;
            }
        }
        self.circles(workflow);
    }

    /// The kind of a step; nothing, told, if there is none such.
    fn kind(&self, fields: &Fields<'_>) -> Option<&'static str> {
        let name = fields.text("kind")?;
        let span = name.span.clone();
        let name = name.resolved(|_| "");
        let Some(kind) = kinds::ALL.iter().find(|kind| **kind == name) else {
            let hint = match nearest(&name, kinds::ALL.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("the kinds are {}", kinds::ALL.join(", ")),
            };
            let message = format!("there is no kind `{name}`");
            self.book.hinted(UNKNOWN_RULE, message, &span, hint);
            return None;
        };
        Some(kind)
    }

    /// The step that `node` names; nothing, told, if there is none.
    fn named(&self, node: &Node, of: &str, places: &BTreeMap<String, usize>) -> Option<usize> {
        let id = self.book.string(of, node)?;
        let Some(place) = places.get(&id) else {
            let message = format!("there is no step `{id}`");
            let hint = match nearest(&id, places.keys().map(String::as_str)) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("`{of}` has the ids of steps"),
            };
            self.book.hinted(UNKNOWN_LABEL, message, &node.span, hint);
            return None;
        };
        Some(*place).filter(|place| *place != usize::MAX)
    }

    fn circles(&self, workflow: &Workflow) {
        let after: Vec<Vec<usize>> = workflow.steps.iter().map(|it| it.after.clone()).collect();
        let Err(stuck) = order(&after) else { return };
        let circle = circle(&after, &stuck);
        let steps = circle.iter().chain(circle.first());
        let path: Vec<String> = steps.map(|at| format!("`{}`", workflow.steps[*at].id)).collect();
        let message = format!("steps depend on one another in a circle: {}", path.join(" -> "));
        let mut problem = Diagnostic::error(CYCLE, message);
        for at in circle {
            problem = problem.at(&self.book.at(&workflow.steps[at].span));
        }
        self.book.push(problem.hint("remove one of these `depends_on`"));
    }

    fn segments(&self, nodes: &[Node], workflow: &Workflow) -> Vec<Segment> {
        const KINDS: &[&str] = &["mixed", "music_only", "narration_only"];
        let steps = workflow.steps.iter().enumerate();
        let places: BTreeMap<String, usize> =
            steps.map(|(at, step)| (step.id.clone(), at)).collect();
        let mut segments: Vec<Segment> = Vec::new();
        for node in nodes {
            let start = node.span.start..node.span.start + 1;
            let Some(fields) = Fields::of(&self.book, "a segment", node, start.clone()) else {
                continue;
            };
            let named = fields.find("id");
            let span = named.map_or(start, |node| node.span.clone());
            let id = fields.string("id", "");
            if id.trim().is_empty() {
                self.book.error(MISSING_ATTRIBUTE, "a segment needs an `id`", &span);
            } else if segments.iter().any(|segment| segment.id == id) {
                let message = format!("two segments are called `{id}`");
                self.book.hinted(DUPLICATE_TARGET, message, &span, "rename one of them");
            }
            let named = fields.list("steps", false).unwrap_or_default();
            let steps =
                named.iter().filter_map(|node| self.named(node, "steps", &places)).collect();
            let kind = fields.choice("segment_type", KINDS).to_owned();
            let description = fields.string("description", "");
            fields.finish();
            segments.push(Segment { id, kind, description, steps });
        }
        segments
    }
}
