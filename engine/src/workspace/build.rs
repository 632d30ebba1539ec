//! Building what was made ready.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Workspace;
use super::prepare::{Prepared, Resumed, Unchanged, open_folder};
use crate::build::{Build, Hands, Options, Placed};
use crate::event::{Counts, Event, Reporter, TaskFinished, TaskResult, Waiting};
use crate::graph::TaskGraph;
use crate::outputs::{OutputFolder, Rescued};
use crate::plan::TaskId;
use crate::roots::publish_new;
use crate::run::{Ended, EnvironmentError, Known, Run};
use crate::snapshot::World;
use crate::standing::{Provisional, provisional};
use vwfb_rules::label::Label;

use crate::workers::{Inbox, Runner, Shared};

/// What a build came to.
#[derive(Debug, Default)]
pub struct Built {
    /// Where the outputs of each requested target that has them are.
    pub placed: Placed,
    /// What became of the tasks.
    pub counts: Counts,
    /// Whether something of the machine failed, rather than the work.
    pub environment_failed: bool,
    /// Whether a source could not be read.
    pub input_failed: bool,
    /// The signal that stopped it.
    pub interrupted: Option<i32>,
    /// The requested targets that are not final.
    pub provisional: Vec<Provisional>,
    /// Whether these were refused.
    pub refused: bool,
    /// The checkpoints that wait for people.
    pub waiting: Vec<Waiting>,
    /// Whether a rejection ended it.
    pub aborted: bool,
    /// What people had changed in the output folder.
    pub rescued: Vec<Rescued>,
    /// The pinned targets that would be something else now, those that nobody was told of.
    pub conflicts: Vec<Label>,
}

/// How to build, and who runs it.
pub struct Request<'a> {
    /// Jobs, and what a failure stops.
    pub options: &'a Options,
    /// Runs actions.
    pub runner: Arc<dyn Runner>,
    /// What confines them, in words.
    pub sandbox: String,
    /// The options that set the configuration, for later commands.
    pub configuration: String,
    /// Where the build hears from workers and from outside.
    pub inbox: &'a Inbox,
    /// The exit code for what a build came to.
    pub exit_code: fn(Result<&Built, &EnvironmentError>) -> u8,
}

/// How long after they were looked at outputs are taken to be where they were.
const GLANCE: Duration = Duration::from_millis(250);

impl Workspace {
    /// Builds what `prepared` asks for and puts its outputs in place.
    ///
    /// # Errors
    /// If something of the machine keeps it from going on at all.
    pub fn build(
        &mut self,
        prepared: Prepared,
        request: &Request<'_>,
        reporter: &mut dyn Reporter,
    ) -> Result<Built, EnvironmentError> {
        let begun = prepared.begun;
        let targets: Vec<String> = prepared.patterns.iter().map(ToString::to_string).collect();
        let run = self
            .state
            .begin_run(
                self.clock.now().0,
                (&targets.join(" "), &request.configuration),
                &request.sandbox,
            )
            .map_err(|error| EnvironmentError::of(&error))?;
        reporter.event(&Event::RunStarted {
            run,
            targets,
            tasks: prepared.tasks(),
            sandbox: request.sandbox.clone(),
        });
        // What earlier runs made is this workspace's, also if they were killed before they said so.
        self.publish_roots()?;
        let mut counts = Counts::default();
        let provisional = provisional(&prepared.graph);
        let built = match (&prepared.unchanged, &prepared.resumed) {
            (Some(Unchanged { tasks, paths }), _) => {
                debug_assert!(!reporter.wants_unchanged(), "single tasks are not known");
                counts.add_many(TaskResult::Unchanged, *tasks);
                reporter.counted(TaskResult::Unchanged, *tasks);
                let placed = Placed::new(self.output_folder(), paths.clone());
                Ok(Built { placed, counts, ..Built::default() })
            }
            _ if request.options.only_final && !provisional.is_empty() => {
                Ok(Built { provisional, refused: true, ..Built::default() })
            }
            (None, Some(resumed)) if resumed.is_done() => {
                counts = all_unchanged(&prepared.graph, resumed, reporter);
                self.nothing_to_do(prepared, counts)
            }
            (None, _) => self.build_prepared(prepared, request, reporter, run, &mut counts),
        };
        let built = built.and_then(|built| {
            let conflicts = self.conflicts()?;
            Ok(Built { conflicts, ..built })
        });
        for label in built.iter().flat_map(|built| &built.conflicts) {
            reporter.event(&Event::Conflict { label: label.clone() });
        }
        for provisional in built.iter().flat_map(|built| &built.provisional) {
            reporter.event(&Event::Provisional(Box::new(provisional.clone())));
        }
        for waiting in built.iter().flat_map(|built| &built.waiting) {
            reporter.event(&Event::Waiting(Box::new(waiting.clone())));
        }
        // A run that the machine stopped has its record and its last event too.
        let exit_code = (request.exit_code)(built.as_ref());
        let recorded = self
            .state
            .finish_run(run, self.clock.now().0, &counts, exit_code)
            .map_err(|error| EnvironmentError::of(&error))
            .and_then(|()| self.publish_roots());
        reporter.event(&Event::RunFinished { counts, duration: begun.elapsed(), exit_code });
        let built = built?;
        recorded.map(|()| built)
    }

    fn build_prepared(
        &mut self,
        mut prepared: Prepared,
        request: &Request<'_>,
        reporter: &mut dyn Reporter,
        run: u64,
        counts: &mut Counts,
    ) -> Result<Built, EnvironmentError> {
        let placer = OutputFolder::new(
            &self.place.root,
            self.relative_output_folder(),
            Arc::clone(&self.store),
            Arc::clone(&self.stamps),
        )
        .map_err(|error| EnvironmentError::of(&error))?;
        let shared = Arc::new(Shared {
            store: Arc::clone(&self.store),
            sources: Arc::clone(&self.disk) as Arc<dyn crate::workers::Sources>,
            runner: Arc::clone(&request.runner),
        });
        let hands = Hands { shared, placer: &placer, inbox: request.inbox };
        let (root, output_folder) = (self.place.root.clone(), self.relative_output_folder());
        let (disk, stamps) = (Arc::clone(&self.disk), Arc::clone(&self.stamps));
        let root_fd = open_folder(&root);
        let known = match prepared.resumed.as_mut() {
            Some(resumed) => std::mem::take(&mut resumed.known),
            None => Known::of(&self.state, &prepared.graph)?,
        };
        let ground = self.ground(&prepared);
        let mut build = Build::begin(Run::begin(ground, reporter, known), request.options, hands);
        build.run.number = run;
        let began = Instant::now();
        let in_place = || match &prepared.resumed {
            // What people remove during a long build is put back by it.
            Some(resumed) if began.elapsed() > GLANCE => {
                let before = &resumed.difference.in_place;
                let world = root_fd.as_ref().zip(output_folder.to_str());
                let world = world.map(|(root_fd, output_folder)| World {
                    root: &root,
                    root_fd,
                    output_folder,
                    disk: &disk,
                    stamps: &stamps,
                });
                world.map_or_else(Vec::new, |it| resumed.facts.still_in_place(before, &it))
            }
            Some(resumed) => resumed.difference.in_place.clone(),
            None => Vec::new(),
        };
        let placed = build.finish(&in_place);
        *counts = build.run.counts;
        let (built, state) = build.over();
        self.record_stamps()?;
        // All was told when the run began, so only this is new. Not of a sampled task, which told
        // of itself, nor where another process recorded something meanwhile.
        if let Some(mark) = state.mark.filter(|_| !state.recorded.is_empty()) {
            publish_new(&self.store, &self.state, &state.recorded, mark)?;
        }
        let provisional = provisional(&state.graph);
        let refused = request.options.only_final && !provisional.is_empty();
        let rescued = placer.rescued();
        let built = Built { placed: placed?, provisional, refused, rescued, ..built };
        let tasks = state.graph.expanded.iter().map(|task| TaskId(*task as usize));
        self.expanded_from.extend(tasks.map(|id| state.graph.label(id)));
        self.save(prepared, state);
        Ok(built)
    }

    /// What a build comes to in which every fact is as it was.
    fn nothing_to_do(
        &mut self,
        mut prepared: Prepared,
        counts: Counts,
    ) -> Result<Built, EnvironmentError> {
        let provisional = provisional(&prepared.graph);
        let graph = &prepared.graph;
        let offers = graph.requested().flat_map(|target| graph.offers.get(target.0)).copied();
        let placed = Placed::of(self.output_folder(), graph, &offers.collect::<Vec<u32>>());
        if let Some(Resumed { known, stale: true, .. }) = &mut prepared.resumed {
            let settled = vec![1; prepared.graph.tasks()];
            let Known { answers, mark, .. } = std::mem::take(known);
            let graph = Arc::clone(&prepared.graph);
            let ended = Ended { graph, answers, settled, mark, recorded: Vec::new() };
            self.record_stamps()?;
            self.save(prepared, ended);
        }
        Ok(Built { placed, counts, provisional, ..Built::default() })
    }
}

/// Tells of every task that it is unchanged.
fn all_unchanged(graph: &TaskGraph, resumed: &Resumed, reporter: &mut dyn Reporter) -> Counts {
    let result = TaskResult::Unchanged;
    let mut counts = Counts::default();
    counts.add_many(result, graph.tasks());
    if reporter.wants_unchanged() {
        for id in graph.shape().tasks() {
            let (label, key) = (graph.label(id), resumed.known.answers.key(id));
            reporter.event(&Event::TaskFinished(Box::new(TaskFinished::quiet(label, key, result))));
        }
    } else {
        reporter.counted(result, graph.tasks());
    }
    counts
}
