//! `vwfb new`: makes a package of a template. It opens no store and starts nothing.

mod draft;
mod list;
mod place;
mod shelf;
mod values;

use vwfb_engine::workspace::WORKSPACE_FILE;
use vwfb_rules::label::Label;
use vwfb_rules::nearest;
use vwfb_rules::package_template::PackageTemplate;

use crate::again::quoted;
use crate::args::NewArgs;
use crate::error::{CommandError, Exit};
use crate::session::{Context, read_vars};
use crate::sources::Sources;
use draft::Draft;
use place::Place;
use shelf::{Shelf, Template};
use values::Asking;

/// Makes a package, or lists what it can be made of.
pub(crate) fn run(ctx: &Context, args: &NewArgs) -> Result<Exit, CommandError> {
    let place = Place::around(ctx)?;
    let shelf = Shelf::of(&place)?;
    let named = args.template.as_deref().map(|name| found(&shelf, name)).transpose()?;
    let (Some(template), Some(word)) = (named, &args.package) else {
        if !args.list {
            let template = named.map(|template| template.name.clone());
            return Err(CommandError::NoPackage { template });
        }
        return list::run(ctx, &shelf, named, args.json);
    };
    let package = place.package(word)?;
    let Some(definition) = definition(ctx, template)? else { return Ok(Exit::INPUT) };
    let mut sets = Vec::new();
    for path in &args.files {
        sets.extend(read_vars(path)?);
    }
    sets.extend(args.vars.iter().cloned());
    let asking = Asking { ctx, template, definition: &definition, root: &place.root, word };
    let values = asking.values(&sets)?;
    let Some(draft) = Draft::of(ctx, template, &definition, &values, (&place, &package))? else {
        return Ok(Exit::INPUT);
    };
    let made = place.put(&package, &draft)?;
    ctx.ui.out(made.iter().map(|path| format!("{path}\n")).collect::<String>())?;
    let target = Label::new(package, draft.main_target());
    ctx.ui.status(format_args!("made //{} of the template {}", target.package, template.name));
    for (named, path) in &values.later {
        let package = &target.package;
        ctx.ui.hint(format_args!("there is no file `{named}` yet; put it at `{package}/{path}`"));
    }
    let label = quoted(&target.to_string());
    ctx.ui.hint(format_args!(
        "look at it with `vwfb preview {label}`, make it with `vwfb build {label}`"
    ));
    if let Some(lines) = place.lacking(&draft)? {
        ctx.ui.hint(format_args!(
            "the template needs more in `{WORKSPACE_FILE}`: put these lines into the braces of its node \
             `workspace`, and those of a block that is there into that block:\n{lines}"
        ));
    }
    Ok(Exit::SUCCESS)
}

fn found<'s>(shelf: &'s Shelf, name: &str) -> Result<&'s Template, CommandError> {
    let names = shelf.templates.iter().map(|template| template.name.as_str());
    shelf.templates.iter().find(|template| template.name == name).ok_or_else(|| {
        let near = nearest(name, names.clone()).map(str::to_owned);
        CommandError::NoTemplate { name: name.to_owned(), near }
    })
}

/// What a template's `template.kdl` says; none, with what is wrong shown, if it is not understood.
fn definition(ctx: &Context, template: &Template) -> Result<Option<PackageTemplate>, CommandError> {
    let (file, text, checked) = template.definition()?;
    ctx.ui.diagnostics(&checked.problems, &Sources::of_one(file, &text));
    Ok((!checked.has_errors()).then_some(checked.value))
}
