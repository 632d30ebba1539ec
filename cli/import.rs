//! `vwfb import`: makes a package of a workflow of another system. It opens no store and starts
//! nothing.

mod place;
mod told;

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use vwfb_import::{Engines, Ground, import, package_name, workflow_name};
use vwfb_rules::label::WsPath;

use crate::args::{ImportArgs, ImportEngines, ImportFormat, VwfArgs};
use crate::error::{CommandError, Exit};
use crate::session::Context;
use crate::sources::Sources;
use place::Place;

/// What of a file is read: more than a workflow may be, and no more than that.
const MOST_BYTES: u64 = 5 << 20;

/// Imports.
pub(crate) fn run(ctx: &Context, args: &ImportArgs) -> Result<Exit, CommandError> {
    let ImportFormat::Vwf(args) = &args.format;
    let path = ctx.folder.join(&args.workflow);
    let source = read(&path, &args.workflow)?;
    let file = shown(ctx, &path);
    let name = workflow_name(&file, &source).unwrap_or_default();
    let place = place(ctx, args, &path, &package_name(&name, file.name()))?;
    let text = |path: &Path| {
        let text = path.to_str().map(str::to_owned);
        text.ok_or_else(|| CommandError::FolderName { path: path.to_owned() })
    };
    let ground = Ground {
        root: text(&place.root)?,
        workdir: text(&place.workdir)?,
        package: place.package.clone(),
        exists: &|path| Path::new(path).exists(),
    };
    let engines = match args.engines {
        ImportEngines::Services => Engines::Services,
        ImportEngines::Embedded => Engines::Embedded,
    };
    let imported = match import(&file, &source, &ground, engines) {
        Ok(imported) => imported,
        Err(problems) => {
            ctx.ui.diagnostics(&problems, &Sources::of_one(file, &source));
            return Ok(Exit::INPUT);
        }
    };
    let made = place.put(&imported, args.force)?;
    ctx.ui.out(made.iter().map(|path| format!("{path}\n")).collect::<String>())?;
    told::tell(ctx, &file, &place, &imported)?;
    Ok(Exit::SUCCESS)
}

/// The text of the workflow, which the command line calls `named`.
fn read(path: &Path, named: &Path) -> Result<String, CommandError> {
    let failed = |source| CommandError::Read { path: named.to_owned(), source };
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(failed)?;
    if file.metadata().map_err(failed)?.is_dir() {
        return Err(failed(io::ErrorKind::IsADirectory.into()));
    }
    file.take(MOST_BYTES).read_to_end(&mut bytes).map_err(failed)?;
    if u64::try_from(bytes.len()).is_ok_and(|length| length == MOST_BYTES) {
        // It is refused for its size, wherever it was cut.
        return Ok(String::from_utf8_lossy(&bytes).into_owned());
    }
    let text = String::from_utf8(bytes)
        .map_err(|error| failed(io::Error::new(io::ErrorKind::InvalidData, error.utf8_error())))?;
    Ok(text.trim_start_matches('\u{feff}').to_owned())
}

/// What diagnostics call the workflow: its path from the current folder, or its name.
fn shown(ctx: &Context, path: &Path) -> WsPath {
    let relative = path.strip_prefix(&ctx.folder).ok().and_then(Path::to_str);
    let name = || path.file_name().and_then(|name| name.to_str());
    let path = relative.and_then(|path| WsPath::new(path).ok()).filter(|path| !path.is_root());
    path.or_else(|| WsPath::new(name()?).ok())
        .unwrap_or_else(|| WsPath::new("workflow.yaml").unwrap_or_default())
}

/// Where the package is to be.
fn place(
    ctx: &Context,
    args: &VwfArgs,
    workflow: &Path,
    name: &str,
) -> Result<Place, CommandError> {
    let failed = |source| CommandError::Read { path: args.workflow.clone(), source };
    let workflow = workflow.canonicalize().map_err(failed)?;
    let beside = workflow.parent().map_or_else(|| ctx.folder.clone(), Path::to_owned);
    let workdir = match &args.workdir {
        Some(named) => {
            let path = ctx.folder.join(named);
            let fault = |source| CommandError::Folder { path: named.clone(), source };
            let path = path.canonicalize().map_err(fault)?;
            if !path.is_dir() {
                return Err(fault(io::ErrorKind::NotADirectory.into()));
            }
            path
        }
        None => beside.clone(),
    };
    let folder: PathBuf = match &args.output {
        Some(named) => ctx.folder.join(named),
        None => beside.join(name),
    };
    Place::of(&folder, workdir)
}
