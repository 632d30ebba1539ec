//! The best that there is right now: what is made where it is, what it last was where it is not, and
//! placeholders elsewhere. Nothing of it is recorded.

use std::collections::BTreeMap;
use std::sync::Arc;

use vwfb_cas::Artifact;
use vwfb_rules::label::Label;
use vwfb_rules::media::Media;
use vwfb_rules::placeholder::missing;
use vwfb_rules::task::{Command, InputRef, TaskDef};

use super::prepare::Prepared;
use super::{EnvironmentError, Request, Workspace};
use crate::build::{Build, Hands, Placed};
use crate::db::Db;
use crate::event::{Counts, Event, Reporter};
use crate::graph::TaskGraph;
use crate::outputs::OutputFolder;
use crate::package::QueryScope;
use crate::plan::TaskId;
use crate::run::{Known, Run};
use crate::standing::{Reason, Standing, Standings};
use crate::target::declared;
use crate::workers::Shared;

/// A part of what is previewed: an element of the list that it is joined from.
#[derive(Debug, Clone)]
pub struct Segment {
    /// The target that makes it, or the file.
    pub name: String,
    /// Why it is not final.
    pub standing: Standing,
    /// Its bytes; none if it is left out.
    pub artifact: Option<Artifact>,
}

/// What a preview came to.
#[derive(Debug, Default)]
pub struct Previewed {
    /// Where its outputs are.
    pub placed: Placed,
    /// What it is joined from, in order.
    pub segments: Vec<Segment>,
    /// What became of the tasks.
    pub counts: Counts,
    /// The signal that stopped it.
    pub interrupted: Option<i32>,
}

/// The folder for previews, beside those of profiles.
const FOLDER: &str = "+preview";

impl Workspace {
    /// Makes the best of what `prepared` asks for that there is right now, in `vwfb-out/+preview/`.
    ///
    /// # Errors
    /// If something of the machine keeps it from going on at all.
    pub fn preview(
        &mut self,
        prepared: &Prepared,
        request: &Request<'_>,
        reporter: &mut dyn Reporter,
    ) -> Result<Previewed, EnvironmentError> {
        let folder = self.relative_output_folder().join(FOLDER);
        let (store, stamps) = (Arc::clone(&self.store), Arc::clone(&self.stamps));
        let placer = OutputFolder::new(&self.place.root, folder, store, stamps);
        let placer = placer.map_err(|error| EnvironmentError::of(&error))?;
        let shared = Arc::new(Shared {
            store: Arc::clone(&self.store),
            sources: Arc::clone(&self.disk) as Arc<dyn crate::workers::Sources>,
            runner: Arc::clone(&request.runner),
        });
        let hands = Hands { shared, placer: &placer, inbox: request.inbox };
        let known = Known::of(&self.state, &prepared.graph)?;
        reporter.event(&Event::RunStarted {
            run: 0,
            targets: prepared.patterns.iter().map(ToString::to_string).collect(),
            tasks: prepared.graph.tasks(),
            sandbox: request.sandbox.clone(),
        });
        let mut run = Run::begin(self.ground(prepared), reporter, known);
        run.preview = request.options.preview;
        let mut build = Build::begin(run, request.options, hands);
        let placed = build.finish(&Vec::new)?;
        let segments = segments(&build.run);
        let (counts, interrupted) = (build.run.counts, build.interrupted);
        drop(build.over());
        self.record_stamps()?;
        Ok(Previewed { placed, segments, counts, interrupted })
    }
}

/// What the requested targets are joined from, one after another, each segment once.
fn segments(run: &Run<'_>) -> Vec<Segment> {
    let graph = Arc::clone(&run.ground.graph);
    let standings = Standings::with(&graph, &run.reasons);
    let mut segments: Vec<Segment> = Vec::new();
    for target in graph.requested() {
        let mut offered: Vec<TaskId> = graph.offers(target).map(|offer| offer.task).collect();
        offered.dedup();
        let found = match offered.as_slice() {
            [only] => segments_of(run, (&graph, &standings), *only),
            several => several.iter().map(|id| of_task(run, &graph, &standings, *id)).collect(),
        };
        for segment in found {
            if segments.iter().all(|known| known.name != segment.name) {
                segments.push(segment);
            }
        }
    }
    segments
}

/// What the task `id` makes is joined from: the elements of the first list of several made files on the
/// way back from it; itself if there is none.
fn segments_of(
    run: &Run<'_>,
    (graph, standings): (&TaskGraph, &Standings),
    id: TaskId,
) -> Vec<Segment> {
    let mut at = Some(id);
    let mut whole = Vec::new();
    while let Some(id) = at {
        whole = vec![of_task(run, graph, standings, id)];
        // What stands in for it is not joined from anything.
        if run.reasons.contains_key(&id) {
            break;
        }
        let def = run.def(id);
        let elements = elements(run, graph, &def);
        let target = graph.find_target(&def.label);
        let leaves_out = target.is_some_and(|target| !graph.missing.get(target.0).is_empty());
        if elements.len() > 1 || (leaves_out && !elements.is_empty()) {
            return joined(run, (graph, standings), &def, &elements);
        }
        let mut makers: Vec<TaskId> = graph.shape().inputs(id).collect();
        makers.dedup();
        at = match (elements.as_slice(), makers.as_slice()) {
            ([InputRef::Output { label, .. }], _) => graph.find(label),
            (_, [only]) => Some(*only),
            _ => film(run, graph, &def),
        };
    }
    whole
}

/// The first video among what a task reads, such as the film under which it lays music.
fn film(run: &Run<'_>, graph: &TaskGraph, def: &TaskDef) -> Option<TaskId> {
    def.inputs.values().filter(|from| is_video(run, graph, from)).find_map(|from| match from {
        InputRef::Output { label, .. } => graph.find(label),
        InputRef::Source(_) => None,
    })
}

/// Whether a file that a task reads is a video.
fn is_video(run: &Run<'_>, graph: &TaskGraph, from: &InputRef) -> bool {
    let media = match from {
        InputRef::Source(path) => Media::of_path(path).map(|media| media.to_string()),
        InputRef::Output { label, output, .. } => graph.find(label).and_then(|id| {
            let maker = run.def(id);
            maker.outputs.iter().find(|made| made.name == *output)?.media.clone()
        }),
    };
    media.is_some_and(|media| media.starts_with("video"))
}

/// The files that a task reads as elements of one list, in order: those of its longest. A `task` has
/// one list, of which its command says the order. Where a video is among what it reads, other lists
/// than of videos say something about the film (its titles, its texts), which is not joined from them.
fn elements(run: &Run<'_>, graph: &TaskGraph, def: &TaskDef) -> Vec<InputRef> {
    let command = match &def.command {
        Command::Process { args, .. } => args.join(" "),
        Command::WriteFile { .. } | Command::Decide(_) => String::new(),
    };
    let mut roles: Vec<(&String, &InputRef)> = def.inputs.iter().collect();
    roles.sort_by_key(|(role, _)| command.find(role.as_str()).unwrap_or(usize::MAX));
    let mut lists: BTreeMap<&str, Vec<InputRef>> = BTreeMap::new();
    for (role, from) in roles {
        let list = role.strip_prefix("in/").and_then(|role| role.split_once('/'));
        let list = if def.rule == "task" { Some("srcs") } else { list.map(|(list, _)| list) };
        if let Some(list) = list {
            lists.entry(list).or_default().push(from.clone());
        }
    }
    let has_film = def.inputs.values().any(|from| is_video(run, graph, from));
    let is_part = |list: &Vec<InputRef>| {
        !has_film || list.first().is_some_and(|first| is_video(run, graph, first))
    };
    lists.into_values().filter(is_part).max_by_key(Vec::len).unwrap_or_default()
}

fn joined(
    run: &Run<'_>,
    (graph, standings): (&TaskGraph, &Standings),
    def: &TaskDef,
    elements: &[InputRef],
) -> Vec<Segment> {
    let db: &dyn Db = &*run.ground.db;
    let mut segments = Vec::new();
    if let Some(declared) = declared(db, db.target(&def.label)).value.as_deref() {
        let skipped =
            missing(declared, &QueryScope(db)).into_iter().filter(|it| it.label.is_none());
        segments.extend(skipped.map(|it| Segment {
            name: it.path.to_string(),
            standing: Arc::new([Reason::Missing(it.path.to_string())].into()),
            artifact: None,
        }));
    }
    for element in elements {
        segments.push(match element {
            InputRef::Output { label, output, .. } => {
                let id = graph.find(label);
                let standing = id.map(|id| standings.of_task(graph, id)).unwrap_or_default();
                let artifact = id.and_then(|id| run.answers.artifact(id, output));
                Segment { name: label.to_string(), standing, artifact }
            }
            InputRef::Source(path) => {
                Segment { name: path.to_string(), standing: Standing::default(), artifact: None }
            }
        });
    }
    segments
}

fn of_task(run: &Run<'_>, graph: &TaskGraph, standings: &Standings, id: TaskId) -> Segment {
    let label: Label = graph.label(id);
    let outcome = run.answers.outcome(id);
    let artifact = outcome.and_then(|outcome| outcome.values().next().copied());
    Segment { name: label.to_string(), standing: standings.of_task(graph, id), artifact }
}
