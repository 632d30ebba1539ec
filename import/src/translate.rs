//! From steps to targets.

mod commands;
mod media;
mod models;
mod still;
mod texts;

use std::collections::{BTreeMap, BTreeSet};

use vwfb_rules::codes::BAD_PATH;
use vwfb_rules::diagnostic::{Anchor, Diagnostic};
use vwfb_rules::label::WsPath;

use crate::Engines;
use crate::flow::Flow;
use crate::ground::{Ground, Spot};
use crate::names::{Names, target};
use crate::note::{Missing, Notes};
use crate::target::{Id, Piece, Target, TextFile, Value, media_of, text};
use crate::text::{Part, Text};
use crate::workflow::{Step, Work, Workflow};

/// Everything that the package is made of.
#[derive(Debug, Default)]
pub(crate) struct Parts {
    /// Its targets.
    pub(crate) targets: Vec<Target>,
    /// Its text files.
    pub(crate) files: Vec<TextFile>,
    /// Recorded answers of language models, by name.
    pub(crate) answers: BTreeMap<String, String>,
    /// Whether anything asks for them.
    pub(crate) has_answers: bool,
    /// Programs with a path: their names, and where they are.
    pub(crate) toolchains: BTreeMap<String, String>,
    /// The programs that the workspace must allow.
    pub(crate) tools: BTreeSet<String>,
    /// Steps that have no target, with what is said of each at its place.
    pub(crate) left: Vec<(usize, String)>,
    /// Files that are not there, by their absolute paths.
    pub(crate) missing: BTreeMap<String, Missing>,
    /// What else there is to know.
    pub(crate) notes: Notes,
    /// The names of targets.
    pub(crate) names: Names,
}

/// The file with recorded answers.
pub(crate) const ANSWERS: &str = "answers.json";

/// The parts of the package that `workflow` becomes.
pub(crate) fn parts(
    workflow: &Workflow,
    ground: &Ground<'_>,
    flow: &Flow,
    engines: Engines,
    file: &WsPath,
) -> Result<Parts, Vec<Diagnostic>> {
    let mut parts = Parts::default();
    let labels: Vec<String> =
        workflow.steps.iter().map(|step| parts.names.unique(&target(&step.id))).collect();
    let mut making = Making {
        workflow,
        ground,
        flow,
        engines,
        file,
        labels,
        parts,
        file_names: Names::default(),
        assets: BTreeMap::new(),
        outputs: BTreeMap::new(),
        ends: vec![Vec::new(); workflow.steps.len()],
        scaled: Vec::new(),
        problems: Vec::new(),
    };
    for var in workflow.vars.iter().filter(|var| var.name != var.label) {
        let text = format!("the variable `{}` is called `{}`", var.name, var.label);
        making.parts.notes.add(var.line, text);
    }
    for at in &flow.order {
        making.step(*at);
    }
    for at in 0..workflow.steps.len() {
        making.order(at);
    }
    making.told();
    making.segments();
    if making.problems.is_empty() { Ok(making.parts) } else { Err(making.problems) }
}

struct Making<'a> {
    workflow: &'a Workflow,
    ground: &'a Ground<'a>,
    flow: &'a Flow,
    engines: Engines,
    file: &'a WsPath,
    /// The names of the steps' targets.
    labels: Vec<String>,
    parts: Parts,
    file_names: Names,
    /// Where files from outside the workspace go in the package, by their absolute paths.
    assets: BTreeMap<String, String>,
    /// What a step writes to a path.
    outputs: BTreeMap<(usize, String), Value>,
    /// The targets of each step, of which the last is what it is for.
    ends: Vec<Vec<Id>>,
    /// Clips that were brought into the form that films are joined from.
    scaled: Vec<(Value, media::Form, Id)>,
    problems: Vec<Diagnostic>,
}

impl<'a> Making<'a> {
    fn step(&mut self, at: usize) {
        let workflow = self.workflow;
        let step = &workflow.steps[at];
        if step.resume.is_some() && !matches!(step.work, Work::RunCommand { .. }) {
            let text =
                "`resume_output` is left out: what was made is known by what it was made from";
            self.note(at, text);
        }
        match &step.work {
            Work::EnsureDirs => {
                let text = "`ensure_dirs` is left out: outputs have their folders made for them";
                self.note(at, text);
            }
            Work::WriteFile { path, content } => self.write_file(at, path, content),
            Work::SplitSections { input, outputs } => self.split_sections(at, input, outputs),
            Work::RunCommand { .. } => self.command(at),
            Work::Llm(llm) => self.llm(at, llm),
            Work::Tts(tts) => self.tts(at, tts),
            Work::TextToImage { prompt, output, frame, seed, service } => {
                self.text_to_image(at, (prompt, output), frame, *seed, service);
            }
            Work::ImageToVideo(motion) => self.image_to_video(at, motion),
            Work::TextToVideo(scene) => self.text_to_video(at, scene),
            Work::Normalize { clip, target } => self.normalize(at, clip, *target),
            Work::Mix(mix) => self.mix(at, mix),
            Work::Concat { clips, output, reencode } => self.concat(at, clips, output, *reencode),
            Work::Slide(slide) => self.slide(at, slide),
            Work::Whisper(whisper) => self.whisper(at, whisper),
            Work::Audit(audit) => self.audit(at, audit),
        }
    }

    fn line(&self, at: usize) -> usize {
        self.workflow.steps[at].line
    }

    fn note(&mut self, at: usize, text: impl Into<String>) {
        self.parts.notes.add(self.line(at), text);
    }

    fn label(&self, at: usize) -> String {
        self.labels[at].clone()
    }

    /// A target of the step's own name.
    fn target(&self, at: usize, rule: &'static str) -> Target {
        Target::new(self.label(at), rule, at)
    }

    /// Adds a target of the step `at`.
    fn add(&mut self, at: usize, target: Target) -> Id {
        let id = self.parts.targets.len();
        self.parts.targets.push(target);
        self.ends[at].push(id);
        id
    }

    /// Adds the target that makes what the step writes to `output`.
    fn made(&mut self, at: usize, target: Target, output: &Text) -> Id {
        let id = self.add(at, target);
        let path = self.path(output);
        self.outputs.insert((at, path), Value::Made(id, String::new()));
        id
    }

    fn path(&self, written: &Text) -> String {
        self.ground.path(&self.workflow.resolved(written))
    }

    /// A text of the workflow as one of the package.
    fn pieces(&self, text: &Text) -> Vec<Piece> {
        let label = |name: &str| {
            let var = self.workflow.vars.iter().find(|var| var.name == name);
            var.map_or_else(|| name.to_owned(), |var| var.label.clone())
        };
        let part = |part: &Part| match part {
            Part::Plain(text) => Piece::Plain(text.clone()),
            Part::Var(name) => Piece::Var(label(name)),
        };
        match text.parts.is_empty() {
            true => vec![Piece::Plain(String::new())],
            false => text.parts.iter().map(part).collect(),
        }
    }

    fn value(&self, text: &Text) -> Value {
        Value::Text(self.pieces(text))
    }

    /// The file that the step `at` reads as `written`, of the media kind `media` if nothing says
    /// another.
    fn file(&mut self, at: usize, written: &Text, media: &'static str) -> Value {
        let path = self.path(written);
        self.file_at(at, &path, Some(written), media)
    }

    fn file_at(
        &mut self,
        at: usize,
        path: &str,
        written: Option<&Text>,
        media: &'static str,
    ) -> Value {
        let origin = self.flow.origins[at].get(path);
        let made = origin.and_then(|origin| self.outputs.get(&(*origin, path.to_owned())));
        match made {
            Some(value) => value.clone(),
            None => self.source(at, path, written, media),
        }
    }

    fn source(
        &mut self,
        at: usize,
        path: &str,
        written: Option<&Text>,
        media: &'static str,
    ) -> Value {
        let (place, outside) = match self.ground.spot(path) {
            Spot::Workspace(place) => (place, false),
            Spot::Outside(name) => (self.asset(path, &name), true),
            Spot::Unnamable => {
                let step = &self.workflow.steps[at];
                let shown = self.ground.shown(path).escape_debug();
                let message = format!("`{}` reads `{shown}`, which no package can name", step.id);
                let anchor = Anchor::bytes(self.file.clone(), step.span.start, step.span.end);
                let problem = Diagnostic::error(BAD_PATH, message).at(&anchor);
                let hint = "rename the file: no backslashes and control characters";
                self.problems.push(problem.hint(hint));
                return text("");
            }
        };
        let there = match outside {
            true => (self.ground.exists)(&format!("{}/{place}", self.ground.root)),
            false => (self.ground.exists)(path),
        };
        let name = self.ground.written(&place);
        let mut pieces = vec![Piece::Plain(name.clone())];
        if let Some(written) = written.filter(|written| written.has_vars() && !outside) {
            // As the workflow has it, if that is how its path ends.
            let resolved = self.workflow.resolved(written);
            if let Some(before) = name.strip_suffix(&resolved) {
                pieces = vec![Piece::Plain(before.to_owned())];
                pieces.extend(self.pieces(written));
                pieces.retain(|piece| *piece != Piece::Plain(String::new()));
            }
        }
        if there {
            return Value::Source(pieces, None);
        }
        let line = self.line(at);
        let named = self.ground.shown(path).to_owned();
        let missing = || Missing { lines: Vec::new(), named, place: place.to_string(), outside };
        let missing = self.parts.missing.entry(path.to_owned()).or_insert_with(missing);
        if !missing.lines.contains(&line) {
            missing.lines.push(line);
        }
        let stand_in = match media_of(place.as_str()).unwrap_or(media) {
            "image" | "video" => Some("color:#1a1a2e"),
            "audio" => Some("silence"),
            // Nothing can stand in where nothing says for what; from a list it is left out.
            "model" | "file" => None,
            "any" => Some("skip"),
            _ => Some("text:This is still to come."),
        };
        Value::Source(pieces, stand_in)
    }

    /// Where a file from outside the workspace goes.
    fn asset(&mut self, path: &str, name: &str) -> WsPath {
        let known = self.assets.get(path).cloned();
        let asset = known.unwrap_or_else(|| self.file_path("assets", name));
        self.assets.insert(path.to_owned(), asset.clone());
        self.ground.package.join(&asset).unwrap_or_default()
    }

    /// A path in the package that is in no use.
    fn file_path(&mut self, folder: &str, name: &str) -> String {
        let plain = |c: char| if c.is_control() || "\\/:".contains(c) { '-' } else { c };
        let mut name: String = name.chars().map(plain).collect();
        if name.is_empty() || name.ends_with(".kdl") || name.trim_matches('.').is_empty() {
            name.push_str(".txt");
        }
        let (stem, extension) = match name.rsplit_once('.') {
            Some((stem, extension)) if !stem.is_empty() => (stem, format!(".{extension}")),
            _ => (name.as_str(), String::new()),
        };
        // Names are unique without their extensions, so that no number stands behind one.
        let stem = self.file_names.unique(&format!("{folder}/{stem}"));
        format!("{stem}{extension}")
    }

    /// The media kind of a file.
    fn media(&self, value: &Value) -> Option<&'static str> {
        match value {
            Value::Made(id, output) if output.is_empty() => self.parts.targets[*id].media(),
            Value::Made(_, output) => media_of(output),
            Value::File(file) => media_of(&self.parts.files[*file].path),
            Value::Source(pieces, _) => media_of(&crate::target::plain_text(pieces)),
            _ => None,
        }
    }

    /// Says which steps come before, where no data does.
    fn order(&mut self, at: usize) {
        let Some(first) = self.ends[at].first().copied() else { return };
        let mut before = BTreeSet::new();
        for need in &self.workflow.steps[at].after {
            self.ends_of(*need, &mut before, &mut BTreeSet::new());
        }
        let direct = self.ends[at].iter().flat_map(|id| self.parts.targets[*id].needs());
        for id in direct {
            before.remove(&id);
        }
        if before.is_empty() {
            return;
        }
        let mut known = BTreeSet::new();
        let mut open = self.ends[at].clone();
        while let Some(id) = open.pop() {
            if known.insert(id) {
                open.extend(self.parts.targets[id].needs());
            }
        }
        let after: Vec<Id> = before.into_iter().filter(|id| !known.contains(id)).collect();
        if after.is_empty() {
            return;
        }
        if self.parts.targets[first].rule == "normalize" {
            let text = "`depends_on` is left out where no data flows: `normalize` is a template \
                        and takes no `after`";
            return self.note(at, text);
        }
        self.parts.targets[first].after = after;
    }

    /// The last targets of the step `at`, or of what it comes after if it has none.
    fn ends_of(&self, at: usize, ends: &mut BTreeSet<Id>, seen: &mut BTreeSet<usize>) {
        if !seen.insert(at) {
            return;
        }
        match self.ends[at].last() {
            Some(last) => drop(ends.insert(*last)),
            None => {
                for need in &self.workflow.steps[at].after {
                    self.ends_of(*need, ends, seen);
                }
            }
        }
    }

    /// Notes what became of the order and of the files.
    fn told(&mut self) {
        let mut unsaid: BTreeMap<usize, Vec<String>> = BTreeMap::new();
        for (reader, writer) in &self.flow.unsaid {
            let id = &self.workflow.steps[*writer].id;
            unsaid.entry(*reader).or_default().push(format!("`{id}`"));
        }
        for (reader, mut ids) in unsaid {
            let more = ids.len().saturating_sub(5);
            ids.truncate(5);
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            let text = format!(
                "it reads what {}{more} write without having said `depends_on`: now it waits for that",
                ids.join(", ")
            );
            self.note(reader, text);
        }
        for (path, steps) in &self.flow.rewritten {
            let ids: Vec<String> =
                steps.iter().map(|at| format!("`{}`", self.workflow.steps[*at].id)).collect();
            let path = self.ground.shown(path);
            let text =
                format!("{} write one path, `{path}`; each keeps its own", ids.join(" and "));
            for at in steps {
                self.note(*at, text.clone());
            }
        }
    }

    fn segments(&mut self) {
        let workflow = self.workflow;
        for segment in &workflow.segments {
            let within: BTreeSet<usize> = segment.steps.iter().copied().collect();
            let mut inner: BTreeSet<(usize, &String)> = BTreeSet::new();
            for at in &within {
                inner.extend(self.flow.origins[*at].iter().map(|(path, of)| (*of, path)));
            }
            let mut srcs: Vec<Value> = Vec::new();
            for ((at, path), value) in &self.outputs {
                if within.contains(at) && !inner.contains(&(*at, path)) && !srcs.contains(value) {
                    srcs.push(value.clone());
                }
            }
            let kind = match segment.kind.as_str() {
                "music_only" => "music only",
                "narration_only" => "narration only",
                _ => "narration and music",
            };
            let said = segment.description.trim();
            let end = if said.is_empty() || said.ends_with(['.', '!', '?']) { "" } else { "." };
            let space = if said.is_empty() { "" } else { " " };
            let comment = format!("{said}{end}{space}A segment with {kind}.");
            if srcs.is_empty() {
                let comment = format!("`{}`: {comment} It makes nothing.", segment.id);
                self.parts.left.push((usize::MAX, comment));
                continue;
            }
            let name = self.parts.names.unique(&target(&segment.id));
            let mut group = Target::new(name, "filegroup", usize::MAX).list("srcs", srcs);
            group.comments.push(comment);
            self.parts.targets.push(group);
        }
    }
}

/// The steps, for what asks about them.
impl<'a> Making<'a> {
    fn at(&self, at: usize) -> &'a Step {
        &self.workflow.steps[at]
    }
}
