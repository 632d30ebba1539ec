//! `vwfb pin`, `unpin`, `restore`, `edit`, `pick`, `redo` and `undo`: which of a target's results is
//! in use.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};

use vwfb_engine::workspace::{ChooseError, Evaluate, Prepared, Undone};
use vwfb_rules::label::Label;
use vwfb_rules::pattern::Pattern;

use crate::again::quoted;
use crate::args::{BuildArgs, EditArgs, RedoArgs, VarArgs, VersionArgs};
use crate::build;
use crate::decide::who;
use crate::error::{CommandError, Exit};
use crate::session::{Context, Session};

/// A label, and the number of a version of it if one is named: `//p:a@3`.
pub(crate) fn numbered(text: &str) -> (&str, Option<u32>) {
    match text.rsplit_once('@') {
        Some((label, number)) => match number.parse() {
            Ok(number) => (label, Some(number)),
            Err(_) => (text, None),
        },
        None => (text, None),
    }
}

/// An open workspace with one label of it.
pub(crate) struct Chosen {
    pub(crate) session: Session,
    pub(crate) label: Label,
    pub(crate) number: Option<u32>,
    /// The configuration that it is open in.
    pub(crate) vars: VarArgs,
    pub(crate) prepared: Prepared,
}

/// The label that `text` names with all it needs; nothing if something is wrong with it, which is
/// shown.
pub(crate) fn chosen(
    ctx: &Context,
    text: &str,
    vars: &VarArgs,
) -> Result<Option<Chosen>, CommandError> {
    let (mut session, vars) = Session::open_last(ctx, vars)?;
    let (label, number) = numbered(text);
    let Some(label) = session.label(ctx, label)? else { return Ok(None) };
    let prepared =
        session.workspace.prepare(&[Pattern::Target(label.clone())], Evaluate::Everything);
    session.show(ctx, &prepared.loaded);
    let is_right = !prepared.loaded.has_errors();
    Ok(is_right.then_some(Chosen { session, label, number, vars, prepared }))
}

/// Pins a target to one of its versions.
pub(crate) fn pin(ctx: &Context, args: &VersionArgs) -> Result<Exit, CommandError> {
    let Some(mut chosen) = chosen(ctx, &args.label, &args.vars)? else { return Ok(Exit::INPUT) };
    let label = chosen.label;
    let number = chosen.session.workspace.pin(&label, chosen.number, &who())?;
    chosen.session.close();
    ctx.ui.status(format_args!("pinned {label} to version {number}, in vwfb.pins.kdl"));
    Ok(Exit::SUCCESS)
}

/// The same, of a version that is named.
pub(crate) fn restore(ctx: &Context, args: &VersionArgs) -> Result<Exit, CommandError> {
    match numbered(&args.label).1 {
        Some(_) => pin(ctx, args),
        None => Err(CommandError::NoNumber { text: args.label.clone() }),
    }
}

/// Lets a target be what its task makes again.
pub(crate) fn unpin(ctx: &Context, args: &VersionArgs) -> Result<Exit, CommandError> {
    // The target may be gone: only its label counts.
    let (mut session, _) = Session::open_last(ctx, &args.vars)?;
    let Some(label) = session.label(ctx, numbered(&args.label).0)? else { return Ok(Exit::INPUT) };
    session.workspace.unpin(&label, &who())?;
    session.close();
    ctx.ui.status(format_args!("{label} is what its task makes again, from the next build on"));
    Ok(Exit::SUCCESS)
}

/// Takes back the last pin, edit or decision.
pub(crate) fn undo(ctx: &Context, args: &VarArgs) -> Result<Exit, CommandError> {
    let mut session = Session::open(ctx, args)?;
    let undone = session.workspace.undo(&who())?;
    session.close();
    match undone {
        Undone::Nothing => {
            ctx.ui.status("there is nothing to take back");
            return Ok(Exit::FAILED);
        }
        Undone::Pin(label) => {
            ctx.ui.status(format_args!("taken back: what {label} was pinned to"));
        }
        Undone::Decisions(decisions) => {
            for it in decisions {
                let verdict = it.verdict.as_str();
                let (checkpoint, subject, who) = (&it.checkpoint, &it.subject, &it.who);
                let told = format!("taken back: {verdict} {subject} at {checkpoint} by {who}");
                ctx.ui.status(told);
            }
        }
    }
    Ok(Exit::SUCCESS)
}

/// Takes a person's files as a version.
pub(crate) fn edit(ctx: &Context, args: &EditArgs) -> Result<Exit, CommandError> {
    let Some(mut chosen) = chosen(ctx, &args.label, &args.vars)? else { return Ok(Exit::INPUT) };
    let label = chosen.label.clone();
    let places = chosen.session.workspace.output_places(&label)?;
    let files = match &args.from {
        Some(from) => {
            let name = args.output.clone().or_else(|| places.keys().next().cloned());
            BTreeMap::from([(name.unwrap_or_default(), ctx.folder.join(from))])
        }
        None => {
            let mut changed = changed(&chosen, &places)?;
            if changed.is_empty() && io::stdin().is_terminal() {
                open_editor(&places)?;
                changed = self::changed(&chosen, &places)?;
            }
            changed
        }
    };
    if files.is_empty() {
        return Err(CommandError::NothingEdited { label, places: places.into_values().collect() });
    }
    let number = chosen.session.workspace.edit(&label, &files, &who())?;
    chosen.session.close();
    let names: Vec<String> = files.values().map(|path| path.display().to_string()).collect();
    ctx.ui.status(format_args!("version {number} of {label} is {}", names.join(", ")));
    ctx.ui.status("its task leaves that alone; `vwfb unpin` lets it go, `vwfb undo` takes it back");
    Ok(Exit::SUCCESS)
}

/// The outputs of which the file in the output folder is not the version in use.
fn changed(
    chosen: &Chosen,
    places: &BTreeMap<String, PathBuf>,
) -> Result<BTreeMap<String, PathBuf>, CommandError> {
    let workspace = &chosen.session.workspace;
    let history = workspace.history(&chosen.label)?;
    let mut changed = BTreeMap::new();
    for (name, place) in places.iter().filter(|(_, place)| place.exists()) {
        // What is as it ever was made is nobody's change.
        let mut known = history.versions.iter().filter_map(|version| version.outcome.get(name));
        if !known.any(|known| workspace.is_in_place(place, known)) {
            changed.insert(name.clone(), place.clone());
        }
    }
    Ok(changed)
}

/// Lets a person change the files in the editor of their choice.
fn open_editor(places: &BTreeMap<String, PathBuf>) -> Result<(), CommandError> {
    let names = ["VISUAL", "EDITOR"].into_iter().filter_map(std::env::var_os);
    let editor = names.into_iter().find(|name| !name.is_empty()).unwrap_or_else(|| "vi".into());
    let files: Vec<&Path> =
        places.values().filter(|place| place.is_file()).map(AsRef::as_ref).collect();
    let failed = |source| CommandError::Io { deed: "start", path: PathBuf::from(&editor), source };
    let _ended = std::process::Command::new(&editor).args(files).status().map_err(failed)?;
    Ok(())
}

/// Makes further takes.
pub(crate) fn redo(ctx: &Context, args: &RedoArgs) -> Result<Exit, CommandError> {
    let Some(chosen) = chosen(ctx, &args.label, &args.vars)? else { return Ok(Exit::INPUT) };
    let label = chosen.label.clone();
    let vars = chosen.vars;
    let before = chosen.session.workspace.take_in_use(&label)?;
    chosen.session.close();
    let mut exit = Exit::SUCCESS;
    for _ in 0..args.number {
        let mut session = Session::open(ctx, &vars)?;
        let _loaded =
            session.workspace.prepare(&[Pattern::Target(label.clone())], Evaluate::Everything);
        let _take = session.workspace.begin_take(&label)?;
        session.close();
        let built = build::run(ctx, &BuildArgs::only(&label, &vars))?;
        exit = exit.and(built);
        if built != Exit::SUCCESS {
            break;
        }
    }
    if args.keep || exit != Exit::SUCCESS {
        let mut session = Session::open(ctx, &vars)?;
        session.workspace.use_take(&label, before)?;
        session.close();
    }
    let word = quoted(&label.to_string());
    ctx.ui.status(format_args!("vwfb takes {word} lists them, vwfb pick {word}@N chooses one"));
    Ok(exit)
}

/// Puts one of the takes to use.
pub(crate) fn pick(ctx: &Context, args: &VersionArgs) -> Result<Exit, CommandError> {
    let Some(mut chosen) = chosen(ctx, &args.label, &args.vars)? else { return Ok(Exit::INPUT) };
    let Some(number) = chosen.number else {
        return Err(CommandError::NoNumber { text: args.label.clone() });
    };
    let label = chosen.label.clone();
    let workspace = &mut chosen.session.workspace;
    let _met = workspace.questions(&chosen.prepared)?;
    let takes = workspace.takes(&label)?;
    let Some((take, _)) = takes.iter().find(|(_, version)| version.number == number) else {
        return Err(ChooseError::OtherInputs { label, number }.into());
    };
    workspace.use_take(&label, *take)?;
    chosen.session.close();
    ctx.ui.status(format_args!("{label} uses version {number}, from the next build on"));
    Ok(Exit::SUCCESS)
}

/// Removes a folder of copies that are not needed any more.
pub(crate) fn remove(folder: &Path) {
    // What stays is only in the way of nobody.
    let _left = fs::remove_dir_all(folder);
}
