//! What commands begin with: the context they are given, an open workspace, and its targets.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;

use vwfb_cas::SystemClock;
use vwfb_cas::profile::{Phase, Timed};
use vwfb_engine::check::Loaded;
use vwfb_engine::workspace::{Evaluate, Place, Prepared, Workspace};
use vwfb_exec::{Level, SandboxMode};
use vwfb_rules::codes;
use vwfb_rules::label::{Label, WsPath};
use vwfb_rules::pattern::Pattern;
use vwfb_rules::vars::{Overrides, VarOverride};

use crate::again::remembered;
use crate::args::{GlobalArgs, VarArgs};
use crate::error::CommandError;
use crate::labels;
use crate::locate::{self, Located};
use crate::signals::Listener;
use crate::sources::Sources;
use crate::ui::Ui;

/// What every command is given.
pub(crate) struct Context {
    /// Prints.
    pub(crate) ui: Ui,
    /// The current folder.
    pub(crate) folder: PathBuf,
    /// The options of every command.
    pub(crate) global: GlobalArgs,
    /// Hears Ctrl-C.
    pub(crate) signals: Listener,
}

impl Context {
    /// The workspace around the current folder.
    pub(crate) fn located(&self) -> Result<Located, CommandError> {
        locate::workspace(&self.folder)
    }

    /// The store's folder.
    pub(crate) fn store(&self) -> Result<PathBuf, CommandError> {
        locate::store(&self.global, &self.folder)
    }
}

/// An open workspace, seen from a folder in it.
pub(crate) struct Session {
    /// The workspace.
    pub(crate) workspace: Workspace,
    /// The folder in it that patterns are relative to.
    pub(crate) current: WsPath,
    /// Its rule files' texts.
    pub(crate) sources: Sources,
    /// What tasks are confined to.
    pub(crate) level: Level,
}

/// What a workspace is opened for, as far as that is known.
#[derive(Default)]
pub(crate) struct Purpose<'a> {
    /// The targets that are asked for first, from the last finished state; none if that is not known
    /// or not to be used.
    pub(crate) words: &'a [String],
    /// How far tasks are to be confined.
    pub(crate) sandbox: SandboxMode,
}

/// The workspace's file of params.
const PARAMS_FILE: &str = "vwfb.params.kdl";

/// What the command line, the files that it names, and the params of the workspace at `root` set.
fn overrides(args: &VarArgs, root: &Path) -> Result<Overrides, CommandError> {
    let mut vars = Vec::new();
    for path in &args.files {
        vars.extend(read_vars(path)?);
    }
    vars.extend(args.vars.iter().cloned());
    let params = root.join(PARAMS_FILE);
    // What is there and leads nowhere is told.
    let is_there = params.symlink_metadata().is_ok();
    let params = if is_there { read_vars(&params)? } else { Vec::new() };
    Ok(Overrides { profile: args.profile.clone(), vars, params })
}

/// The values in a file of them.
pub(crate) fn read_vars(path: &Path) -> Result<Vec<VarOverride>, CommandError> {
    let failed = |why: String| CommandError::VarsFile { path: path.to_owned(), why };
    let text = std::fs::read_to_string(path).map_err(|error| failed(error.to_string()))?;
    // Only its extension counts, which says how it is written.
    let is_json = path.extension().is_some_and(|extension| extension == "json");
    let name = WsPath::new(if is_json { "vars.json" } else { "vars.kdl" });
    let name = name.map_err(|error| failed(error.to_string()))?;
    let found = VarOverride::read(&name, &text).map_err(failed)?;
    let origin: Arc<str> = path.file_name().unwrap_or_default().to_string_lossy().into();
    Ok(found
        .into_iter()
        .map(|set| VarOverride { origin: Some(Arc::clone(&origin)), ..set })
        .collect())
}

impl Session {
    /// Opens the workspace around the current folder.
    pub(crate) fn open(ctx: &Context, vars: &VarArgs) -> Result<Self, CommandError> {
        Self::open_for(ctx, vars, &Purpose::default())
    }

    /// Opens it to ask for something, which is begun with before all is open.
    pub(crate) fn open_for(
        ctx: &Context,
        vars: &VarArgs,
        purpose: &Purpose<'_>,
    ) -> Result<Self, CommandError> {
        let _opening = Timed::new(Phase::Load);
        // The kernel is asked meanwhile.
        let level = thread::spawn(Level::detect);
        let Located { root, current } = ctx.located()?;
        // What is wrong with them is told when they are asked for.
        let ahead = patterns(purpose.words, &current).unwrap_or_default();
        let sources = Sources::new(root.clone());
        let overrides = overrides(vars, &root)?;
        let (store, settings) = (ctx.store()?, locate::settings());
        let level = vwfb_exec::level(purpose.sandbox, level.join().unwrap_or(Level::NONE))?;
        let confined = level.confines_files();
        let place = Place { root, store, overrides, settings, confined, ahead };
        let workspace = Workspace::open(place, Arc::new(SystemClock))?;
        if let Some(damaged) = workspace.state().set_aside() {
            ctx.ui.status(format_args!(
                "warning: the damaged memory of this workspace is set aside as {}",
                damaged.display()
            ));
        }
        Ok(Self { workspace, current, sources, level })
    }

    /// Opens it in the configuration of the last run, unless `vars` say another.
    pub(crate) fn open_last(
        ctx: &Context,
        vars: &VarArgs,
    ) -> Result<(Self, VarArgs), CommandError> {
        let session = Self::open(ctx, vars)?;
        let is_said = vars.profile.is_some() || !vars.vars.is_empty() || !vars.files.is_empty();
        let last = if is_said { None } else { session.workspace.state().last_run()? };
        let last = last.and_then(|run| remembered(&run.options));
        match last.filter(|last| {
            last.profile.is_some() || !last.vars.is_empty() || !last.files.is_empty()
        }) {
            Some(last) => {
                drop(session);
                Ok((Self::open(ctx, &last)?, last))
            }
            None => Ok((session, vars.clone())),
        }
    }

    /// Ends, and the process with it soon.
    pub(crate) fn close(self) {
        self.workspace.close();
    }

    /// The targets that `words` mean, with what is wrong with them shown.
    pub(crate) fn load(&self, ctx: &Context, words: &[String]) -> Result<Loaded, CommandError> {
        if words.is_empty() {
            return Err(no_target(ctx));
        }
        Ok(self.load_patterns(ctx, &patterns(words, &self.current)?))
    }

    /// The one target that `word` names with all it needs, ready; nothing if something is wrong with
    /// it, which is shown.
    pub(crate) fn prepare_label(
        &mut self,
        ctx: &Context,
        word: &str,
    ) -> Result<Option<(Label, Prepared)>, CommandError> {
        let Some(label) = self.label(ctx, word)? else { return Ok(None) };
        let prepared = self.workspace.prepare_label(&label);
        self.show(ctx, &prepared.loaded);
        Ok((!prepared.loaded.has_errors()).then_some((label, prepared)))
    }

    /// What `words` mean, ready to be built, with what is wrong with it shown.
    pub(crate) fn prepare(
        &mut self,
        ctx: &Context,
        words: &[String],
        evaluate: Evaluate,
    ) -> Result<Prepared, CommandError> {
        if words.is_empty() {
            return Err(no_target(ctx));
        }
        let patterns = patterns(words, &self.current)?;
        let asking = Timed::new(Phase::Queries);
        let prepared = self.workspace.prepare(&patterns, evaluate);
        drop(asking);
        self.show(ctx, &prepared.loaded);
        Ok(prepared)
    }

    /// Every target of the workspace, which may have none, with what is wrong with them shown.
    pub(crate) fn load_all(&self, ctx: &Context) -> Loaded {
        let located = Located { root: self.sources.root().to_owned(), current: WsPath::root() };
        let has_packages = labels::has_packages(&located);
        let all = [Pattern::Below(WsPath::root())];
        self.load_patterns(ctx, if has_packages { &all } else { &[] })
    }

    fn load_patterns(&self, ctx: &Context, patterns: &[Pattern]) -> Loaded {
        let _asking = Timed::new(Phase::Queries);
        let loaded = self.workspace.load(patterns);
        self.show(ctx, &loaded);
        loaded
    }

    /// Shows what is wrong.
    pub(crate) fn show(&self, ctx: &Context, loaded: &Loaded) {
        ctx.ui.diagnostics(&loaded.problems, &self.sources);
        if loaded.left_out > 0 {
            ctx.ui.say(format_args!("and {} more problems", loaded.left_out));
        }
    }

    /// The label written `text`, seen from the current folder; `None`, with what is wrong shown, if
    /// it stands for nothing.
    pub(crate) fn label(&self, ctx: &Context, text: &str) -> Result<Option<Label>, CommandError> {
        let text = text.to_owned();
        match Pattern::parse(&text, &self.current) {
            Ok(Pattern::Target(label)) => Ok(Some(label)),
            Ok(pattern) => {
                let problems = self.workspace.load(&[pattern]).problems;
                let mut unknown = problems.iter().filter(|it| it.code == codes::UNKNOWN_PACKAGE);
                match unknown.next() {
                    Some(unknown) => {
                        ctx.ui.say(ctx.ui.rendered(unknown, &self.sources).trim_end());
                        Ok(None)
                    }
                    None => Err(CommandError::ManyTargets { text }),
                }
            }
            Err(source) => Err(CommandError::Label { text, source }),
        }
    }
}

/// The patterns of a command line.
pub(crate) fn patterns(words: &[String], current: &WsPath) -> Result<Vec<Pattern>, CommandError> {
    let parsed = words.iter().map(|word| {
        Pattern::parse(word, current)
            .map_err(|source| CommandError::Pattern { text: word.clone(), source })
    });
    parsed.collect()
}

/// How many packages are named to someone who names none.
const NAMED_PACKAGES: usize = 5;

/// The error of naming no target, with the packages nearest to the current folder; in no workspace
/// that is the error.
pub(crate) fn no_target(ctx: &Context) -> CommandError {
    let packages = match ctx.located() {
        Ok(located) => labels::packages_near(&located),
        Err(nowhere) => return nowhere,
    };
    let named = packages.iter().take(NAMED_PACKAGES).map(|package| format!("//{package}"));
    CommandError::NoTarget { packages: named.collect() }
}
