//! The command line's grammar. The texts here are also the command reference in `docs/`.

mod import;
mod new;
mod people;
mod service;

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum, ValueHint};
use vwfb_engine::workspace::Evaluate;
use vwfb_exec::SandboxMode;
use vwfb_rules::cost::Money;
use vwfb_rules::label::Label;
use vwfb_rules::vars::VarOverride;

use crate::units;

pub(crate) use import::{ImportArgs, ImportEngines, ImportFormat, VwfArgs};
pub(crate) use new::NewArgs;
pub(crate) use people::{
    AboutArgs, ApproveArgs, DecisionsArgs, DiffArgs, EditArgs, PreviewArgs, RedoArgs, RejectArgs,
    ReviewArgs, StatusArgs, UndoArgs, VersionArgs, VersionsArgs,
};
pub(crate) use service::{DoctorArgs, SettleArgs};

/// Builds films, pictures, audio and other generated media from rule files.
///
/// Every task runs once for the same inputs: a changed sentence makes one clip again, not the film.
#[derive(Debug, Parser)]
#[command(name = "vwfb", version, disable_help_subcommand = true, max_term_width = 100)]
pub(crate) struct CommandLine {
    /// What holds for every command.
    #[command(flatten)]
    pub(crate) global: GlobalArgs,
    /// The command.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What holds for every command.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Options of every command")]
pub(crate) struct GlobalArgs {
    /// Keep results in DIR; else in $VWFB_STORE, else in vwfb/ of the user's cache folder
    #[arg(long, global = true, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) store: Option<PathBuf>,
    /// Work as if started in DIR
    #[arg(short = 'C', global = true, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) directory: Option<PathBuf>,
    /// When to use colour
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    pub(crate) color: ColorWhen,
    /// Print results and errors only
    #[arg(short, long, global = true)]
    pub(crate) quiet: bool,
}

/// When to use colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ColorWhen {
    /// On a terminal, unless NO_COLOR is set.
    Auto,
    /// Everywhere.
    Always,
    /// Nowhere.
    Never,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make a package of a template: a short film, an explainer, or what you have templates for
    #[command(after_long_help = NEW_HELP)]
    New(NewArgs),
    /// Make a package of a workflow of another system: of VWF
    #[command(after_long_help = IMPORT_HELP)]
    Import(ImportArgs),
    /// Make targets and put their outputs into vwfb-out/
    Build(BuildArgs),
    /// Show what a build would run and what is cached, without running it
    Plan(PlanArgs),
    /// Ask the graph of targets: deps, rdeps, allpaths, somepath, kind, attr, filter, outputs, inputs
    #[command(after_long_help = QUERY_HELP)]
    Query(QueryArgs),
    /// Report everything that is wrong with rule files, without running anything
    Check(CheckArgs),
    /// Say which tools and services targets need, whether each is there, and what to type if not
    Doctor(DoctorArgs),
    /// Say which component of which key changed since a target's last success
    Why(WhyArgs),
    /// Say in one screen what is done, provisional, stale, waiting, failed and chosen, and what is next
    Status(StatusArgs),
    /// Make the best film that there is right now, of what is made, what was, and placeholders
    Preview(PreviewArgs),
    /// Approve what a checkpoint asks about, as it was last shown
    Approve(ApproveArgs),
    /// Reject what a checkpoint asks about, and say what is to be better
    Reject(RejectArgs),
    /// List what waits for people, and on a terminal ask about it one by one
    Review(ReviewArgs),
    /// List every decision that was made
    Decisions(DecisionsArgs),
    /// List the results that a target had: number, time, who or what made it, and which is in use
    Versions(VersionsArgs),
    /// Compare two results of a target: a text diff; for media what ffmpeg can tell
    Diff(DiffArgs),
    /// Take a changed file as a result of a target, which its task never overwrites
    Edit(EditArgs),
    /// Pin a target to its present result, or to a version: LABEL@N
    Pin(VersionArgs),
    /// Let a pinned or edited target be what its task makes again
    Unpin(VersionArgs),
    /// Go back to a version: the same as to pin it
    Restore(VersionArgs),
    /// Make another take of what a seeded or sampled target makes, and use it
    Redo(RedoArgs),
    /// List the takes of a target that were made from what there is now
    Takes(VersionsArgs),
    /// Use one of the takes of a target: LABEL@N
    Pick(VersionArgs),
    /// Take back the last pin, edit or decision
    Undo(UndoArgs),
    /// List what services were asked and did not answer, or say how to go on with it
    Settle(SettleArgs),
    /// Print what a fan-out or the use of a template became
    Expand(ExpandArgs),
    /// Print the page about a diagnostic, or list all codes
    Explain(ExplainArgs),
    /// Print what a target's task wrote when it last ran
    Log(LogArgs),
    /// Remove vwfb-out/, and with --expunge also results
    Clean(CleanArgs),
    /// Look after the store
    Cache(CacheArgs),
    /// Show the workspace, the store, the sandbox and the tools
    Info(InfoArgs),
    /// Rewrite rule files in canonical form, comments kept
    Fmt(FmtArgs),
    /// Print a completion script for a shell
    Completions(CompletionsArgs),
    /// Print the name and version
    Version,
    /// List labels, packages and folders that begin with a text, for completion scripts
    #[command(name = "__complete", hide = true)]
    Complete(CompleteArgs),
    /// Print a page of the reference
    #[command(name = "__docs", hide = true)]
    Docs(DocsArgs),
}

const NEW_HELP: &str = "\
Examples:
  vwfb new --list
  vwfb new shorts my-episode --var episode_number=17 \\
      --var 'concepts=[attention, loss, \"gradients, again\", layers, dropout]'
  vwfb preview //my-episode:final";

const IMPORT_HELP: &str = "\
Examples:
  vwfb import vwf film.yaml
  vwfb import vwf workflows/film.yaml --workdir . -o film --engines embedded";

const QUERY_HELP: &str = "\
Examples:
  vwfb query 'deps(//shorts:final) except kind(tts, //...)'
  vwfb query deps //shorts:final --output tree
  vwfb query rdeps //... //shorts:audio";

/// The values of variables.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct VarArgs {
    /// Set a variable where it is declared, or of one package: //pkg:name=value
    #[arg(long = "var", value_name = "NAME=VALUE", value_parser = VarOverride::parse, value_hint = ValueHint::Other)]
    pub(crate) vars: Vec<VarOverride>,
    /// Set variables from a file, KDL (name value ...) or JSON; --var wins over it
    #[arg(long = "vars", value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) files: Vec<PathBuf>,
    /// Use a set of overrides of WORKSPACE.kdl
    #[arg(long, value_name = "NAME", value_hint = ValueHint::Other)]
    pub(crate) profile: Option<String>,
}

/// Whether to tell where the time went.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct TimingArgs {
    /// Tell where vwfb's own time went, or write it to FILE as JSON
    #[arg(long, value_name = "FILE", num_args = 0..=1, require_equals = true, value_hint = ValueHint::FilePath)]
    pub(crate) timings: Option<Option<PathBuf>>,
}

/// `vwfb build`
#[derive(Debug, Clone, Args)]
pub(crate) struct BuildArgs {
    /// Targets: //package:target, :target, //package, //...
    #[arg(value_name = "TARGET")]
    pub(crate) targets: Vec<String>,
    /// The values of variables.
    #[command(flatten)]
    pub(crate) vars: VarArgs,
    /// How many tasks run at once; the number of cores by default
    #[arg(short, long, value_name = "N", value_parser = units::jobs, value_hint = ValueHint::Other)]
    pub(crate) jobs: Option<NonZeroUsize>,
    /// Start nothing more once a task has failed
    #[arg(long, overrides_with = "keep_going")]
    pub(crate) fail_fast: bool,
    /// Go on with what does not depend on a failed task; this is the default
    #[arg(short, long)]
    pub(crate) keep_going: bool,
    /// Refuse what is provisional: made from placeholders, or from what nobody approved
    #[arg(long = "final")]
    pub(crate) only_final: bool,
    /// How far to confine tasks to their declared files and network
    #[arg(long, value_name = "MODE", default_value = "auto")]
    pub(crate) sandbox: Sandbox,
    /// Spend no more on services than this in this build, whatever WORKSPACE.kdl allows for one
    #[arg(long, value_name = "MONEY", value_parser = units::money, value_hint = ValueHint::Other)]
    pub(crate) budget: Option<Money>,
    /// Write one JSON object a line to FILE for everything that happens
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) events: Option<PathBuf>,
    /// Keep the working folders of failed tasks in .vwfb/failed/
    #[arg(long)]
    pub(crate) keep_failed: bool,
    /// Show what would run, without running it: the same as `vwfb plan`
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Whether to begin with the last snapshot.
    #[command(flatten)]
    pub(crate) snapshot: SnapshotArgs,
    /// Whether to tell where the time went.
    #[command(flatten)]
    pub(crate) timings: TimingArgs,
}

impl BuildArgs {
    /// Those of a plain build of one target.
    pub(crate) fn only(label: &Label, vars: &VarArgs) -> Self {
        Self::of(&[label.to_string()], vars)
    }

    /// Those of a plain build of some targets.
    pub(crate) fn of(targets: &[String], vars: &VarArgs) -> Self {
        Self {
            targets: targets.to_vec(),
            vars: vars.clone(),
            jobs: None,
            fail_fast: false,
            keep_going: false,
            only_final: false,
            sandbox: Sandbox::Auto,
            budget: None,
            events: None,
            keep_failed: false,
            dry_run: false,
            snapshot: SnapshotArgs::default(),
            timings: TimingArgs::default(),
        }
    }
}

/// Whether what did not change is evaluated too.
#[derive(Debug, Clone, Copy, Default, Args)]
pub(crate) struct SnapshotArgs {
    /// Evaluate everything, also what is as it was after the last build: the same answer, later
    #[arg(long)]
    pub(crate) no_snapshot: bool,
}

impl SnapshotArgs {
    /// What of `targets` may be begun with from the last finished state.
    pub(crate) const fn ahead(self, targets: &[String]) -> &[String] {
        if self.no_snapshot { &[] } else { targets }
    }

    pub(crate) const fn evaluate(self) -> Evaluate {
        if self.no_snapshot { Evaluate::Everything } else { Evaluate::Changes }
    }
}

/// How far to confine tasks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Sandbox {
    /// As far as the kernel can.
    Auto,
    /// Files and network, or it is an error.
    Require,
    /// Not at all.
    Off,
}

impl Sandbox {
    pub(crate) const fn mode(self) -> SandboxMode {
        match self {
            Self::Auto => SandboxMode::Auto,
            Self::Require => SandboxMode::Require,
            Self::Off => SandboxMode::Off,
        }
    }
}

/// `vwfb plan`
#[derive(Debug, Args)]
pub(crate) struct PlanArgs {
    /// Targets: //package:target, :target, //package, //...
    #[arg(value_name = "TARGET")]
    pub(crate) targets: Vec<String>,
    /// The values of variables.
    #[command(flatten)]
    pub(crate) vars: VarArgs,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
    /// Whether to begin with the last snapshot.
    #[command(flatten)]
    pub(crate) snapshot: SnapshotArgs,
    /// Whether to tell where the time went.
    #[command(flatten)]
    pub(crate) timings: TimingArgs,
}

/// `vwfb query`
#[derive(Debug, Args)]
pub(crate) struct QueryArgs {
    /// An expression, in one word or several
    #[arg(required = true, value_name = "EXPRESSION")]
    pub(crate) words: Vec<String>,
    /// How to print the answer
    #[arg(short, long, value_name = "FORMAT", default_value = "label")]
    pub(crate) output: QueryOutput,
    /// Print JSON: the same as --output json
    #[arg(long, conflicts_with = "output")]
    pub(crate) json: bool,
    /// The values of variables.
    #[command(flatten)]
    pub(crate) vars: VarArgs,
    /// Whether to tell where the time went.
    #[command(flatten)]
    pub(crate) timings: TimingArgs,
}

/// How to print a query's answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum QueryOutput {
    /// One label or file a line.
    Label,
    /// What needs what, by indentation.
    Tree,
    /// An array of objects.
    Json,
    /// A graph for Graphviz.
    Dot,
    /// A flowchart for Mermaid.
    Mermaid,
}

/// `vwfb check`
#[derive(Debug, Args)]
pub(crate) struct CheckArgs {
    /// Targets to check, with all they need; //... by default
    #[arg(value_name = "TARGET")]
    pub(crate) targets: Vec<String>,
    /// The values of variables.
    #[command(flatten)]
    pub(crate) vars: VarArgs,
    /// Whether to tell where the time went.
    #[command(flatten)]
    pub(crate) timings: TimingArgs,
}

/// `vwfb why`
#[derive(Debug, Args)]
pub(crate) struct WhyArgs {
    /// A target: //package:target or :target
    #[arg(value_name = "LABEL")]
    pub(crate) label: String,
    /// The values of variables.
    #[command(flatten)]
    pub(crate) vars: VarArgs,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
    /// Whether to tell where the time went.
    #[command(flatten)]
    pub(crate) timings: TimingArgs,
}

/// `vwfb expand`
#[derive(Debug, Args)]
pub(crate) struct ExpandArgs {
    /// A fan-out, one child of it, the use of a template or instance, or a target
    #[arg(value_name = "LABEL")]
    pub(crate) label: String,
    /// The values of variables.
    #[command(flatten)]
    pub(crate) vars: VarArgs,
}

/// `vwfb explain`
#[derive(Debug, Args)]
pub(crate) struct ExplainArgs {
    /// The code between the brackets of `error[code]`
    #[arg(value_name = "CODE", value_hint = ValueHint::Other)]
    pub(crate) code: Option<String>,
}

/// `vwfb log`
#[derive(Debug, Args)]
pub(crate) struct LogArgs {
    /// A target: //package:target or :target
    #[arg(value_name = "LABEL")]
    pub(crate) label: String,
    /// The values of variables.
    #[command(flatten)]
    pub(crate) vars: VarArgs,
}

/// `vwfb clean`
#[derive(Debug, Args)]
pub(crate) struct CleanArgs {
    /// With --expunge, whose results to forget; all of this workspace by default
    #[arg(value_name = "LABEL")]
    pub(crate) labels: Vec<String>,
    /// Also forget results, so that the next build runs the tasks again
    #[arg(long)]
    pub(crate) expunge: bool,
    /// The values of variables.
    #[command(flatten)]
    pub(crate) vars: VarArgs,
}

/// `vwfb cache`
#[derive(Debug, Args)]
pub(crate) struct CacheArgs {
    /// What to do with it.
    #[command(subcommand)]
    pub(crate) command: CacheCommand,
}

/// What to do with the store.
#[derive(Debug, Subcommand)]
pub(crate) enum CacheCommand {
    /// Show how much the store holds
    Stats {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Read everything in the store and set aside what is damaged
    Verify {
        /// Make the index again from the files
        #[arg(long)]
        rebuild: bool,
    },
    /// Remove what nobody needs, long unused and cheap to make again first
    Gc(GcArgs),
}

/// `vwfb cache gc`
#[derive(Debug, Args)]
pub(crate) struct GcArgs {
    /// Remove what was not used for longer: 12h, 30d, 8w
    #[arg(long, value_name = "AGE", value_parser = units::age, value_hint = ValueHint::Other)]
    pub(crate) max_age: Option<Duration>,
    /// Remove until the rest is no larger, by age and by the work it took: 500MB, 10GiB
    #[arg(long, value_name = "SIZE", value_parser = units::size, value_hint = ValueHint::Other)]
    pub(crate) max_size: Option<u64>,
    /// Only list what would go
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// `vwfb info`
#[derive(Debug, Args)]
pub(crate) struct InfoArgs {
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// `vwfb fmt`
#[derive(Debug, Args)]
pub(crate) struct FmtArgs {
    /// Files and folders; the current folder by default
    #[arg(value_name = "PATH", value_hint = ValueHint::AnyPath)]
    pub(crate) paths: Vec<PathBuf>,
    /// List the files that would change, and fail if there are any
    #[arg(long)]
    pub(crate) check: bool,
    /// Format standard input to standard output
    #[arg(long, conflicts_with_all = ["paths", "check"])]
    pub(crate) stdin: bool,
}

/// `vwfb completions`
#[derive(Debug, Args)]
pub(crate) struct CompletionsArgs {
    /// The shell
    #[arg(value_name = "SHELL")]
    pub(crate) shell: clap_complete::Shell,
}

/// `vwfb __complete`
#[derive(Debug, Args)]
pub(crate) struct CompleteArgs {
    /// What is typed so far
    #[arg(value_name = "TEXT", default_value = "", action = ArgAction::Set)]
    pub(crate) text: String,
}

/// `vwfb __docs`
#[derive(Debug, Args)]
pub(crate) struct DocsArgs {
    /// The page
    #[arg(value_name = "PAGE")]
    pub(crate) page: Page,
}

/// A generated page of the reference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Page {
    /// Every command.
    Commands,
    /// Every built-in rule.
    Rules,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_grammar_contradicts_itself_nowhere() {
        CommandLine::command().debug_assert();
    }

    #[test]
    fn the_last_of_fail_fast_and_keep_going_holds() {
        let parsed = CommandLine::try_parse_from(["vwfb", "build", "--fail-fast", "-k", "//a"]);
        let Command::Build(build) = parsed.unwrap().command else { panic!("it is a build") };
        assert!(!build.fail_fast);
    }
}
