//! `vwfb versions`, `takes` and `diff`: the results that a target had.

use serde::Serialize;
use vwfb_cas::Artifact;
use vwfb_engine::state::Version;
use vwfb_engine::workspace::ChooseError;

use crate::args::{DiffArgs, VersionsArgs};
use crate::choose::{Chosen, chosen, numbered, remove};
use crate::compare::{Names, compare};
use crate::error::{CommandError, Exit};
use crate::session::Context;
use crate::units;

/// Lists versions, the first first.
pub(crate) fn run(ctx: &Context, args: &VersionsArgs) -> Result<Exit, CommandError> {
    let Some(chosen) = chosen(ctx, &args.label, &args.vars)? else { return Ok(Exit::INPUT) };
    let history = chosen.session.workspace.history(&chosen.label)?;
    chosen.session.close();
    let all: Vec<(Version, String)> = history
        .versions
        .into_iter()
        .map(|version| {
            let in_use = history.in_use == Some(version.number);
            let mark = match (in_use, history.pinned) {
                (false, _) => "",
                (true, None) => "in use",
                (true, Some(false)) => "pinned",
                (true, Some(true)) => "edited",
            };
            (version, mark.to_owned())
        })
        .collect();
    print(ctx, &all, args.json)
}

/// Lists the takes that were made from what there is now.
pub(crate) fn takes(ctx: &Context, args: &VersionsArgs) -> Result<Exit, CommandError> {
    let Some(mut chosen) = chosen(ctx, &args.label, &args.vars)? else { return Ok(Exit::INPUT) };
    let workspace = &mut chosen.session.workspace;
    let _met = workspace.questions(&chosen.prepared)?;
    let takes = workspace.takes(&chosen.label)?;
    let in_use = workspace.take_in_use(&chosen.label)?;
    chosen.session.close();
    let mark = |take: u32| if take == in_use { "in use".to_owned() } else { String::new() };
    let all: Vec<_> = takes.into_iter().map(|(take, version)| (version, mark(take))).collect();
    print(ctx, &all, args.json)
}

fn print(ctx: &Context, all: &[(Version, String)], as_json: bool) -> Result<Exit, CommandError> {
    if as_json {
        let all: Vec<JsonVersion> =
            all.iter().map(|(it, mark)| JsonVersion::of(it, mark)).collect();
        let text = serde_json::to_string_pretty(&all);
        ctx.ui.out_line(text.expect("versions have only texts and numbers"))?;
    } else {
        ctx.ui.out(all.iter().map(|(it, mark)| line(it, mark)).collect::<String>())?;
    }
    Ok(Exit::SUCCESS)
}

fn line(version: &Version, mark: &str) -> String {
    let outputs: Vec<String> = version
        .outcome
        .iter()
        .map(|(name, artifact)| {
            let size = match artifact {
                Artifact::File(file) => format!(" {}", units::bytes(file.size)),
                Artifact::Tree(_) => String::new(),
            };
            format!("{name} {}{size}", &artifact.digest().to_hex()[..12])
        })
        .collect();
    let key = version.key.map(|key| format!("key {}", &key.to_string()[..12]));
    let maker = match (&version.who, version.run) {
        (Some(who), _) => format!("by {who}"),
        (None, 0) => String::new(),
        (None, run) => format!("run {run}  {}", key.unwrap_or_default()),
    };
    let (number, time) = (version.number, units::time(version.at_ms));
    let standing = match version.missing.as_slice() {
        [] => String::new(),
        missing => format!("  (provisional: {})", missing.join(", ")),
    };
    let line = format!("@{number:<3} {mark:<6}  {time}  {maker}  {}", outputs.join("  "));
    format!("{}{standing}\n", line.trim_end())
}

#[derive(Serialize)]
struct JsonVersion {
    number: u32,
    #[serde(skip_serializing_if = "String::is_empty")]
    mark: String,
    at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    run: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    who: Option<String>,
    duration_ms: u64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    provisional: Vec<String>,
    outputs: Vec<JsonOutput>,
}

#[derive(Serialize)]
struct JsonOutput {
    name: String,
    digest: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    size: Option<u64>,
}

impl JsonVersion {
    fn of(version: &Version, mark: &str) -> Self {
        let output = |(name, artifact): (&String, &Artifact)| JsonOutput {
            name: name.clone(),
            digest: artifact.digest().to_hex(),
            size: match artifact {
                Artifact::File(file) => Some(file.size),
                Artifact::Tree(_) => None,
            },
        };
        Self {
            number: version.number,
            mark: mark.to_owned(),
            at: units::time(version.at_ms),
            run: (version.run > 0).then_some(version.run),
            key: version.key.map(|key| key.to_string()),
            who: version.who.clone(),
            duration_ms: version.duration_ms,
            provisional: version.missing.clone(),
            outputs: version.outcome.iter().map(output).collect(),
        }
    }
}

/// Compares two versions.
pub(crate) fn diff(ctx: &Context, args: &DiffArgs) -> Result<Exit, CommandError> {
    let (first, before) = numbered(&args.before);
    // `vwfb diff //p:a@1` compares with the one in use.
    let after = args.after.as_deref().unwrap_or(first);
    let Some(one) = chosen(ctx, first, &args.vars)? else { return Ok(Exit::INPUT) };
    let folder = one.session.workspace.root().join(".vwfb/diff");
    remove(&folder);
    let failed = |source| CommandError::Io { deed: "make", path: folder.clone(), source };
    std::fs::create_dir_all(&folder).map_err(failed)?;
    let (before, name_before) = version(&one, before)?;
    let before_places = one.session.workspace.put_version(&one.label, &before, &folder)?;
    one.session.close();
    let Some(other) = chosen(ctx, numbered(after).0, &args.vars)? else { return Ok(Exit::INPUT) };
    let (after, name_after) = version(&other, numbered(after).1)?;
    let after_places = other.session.workspace.put_version(&other.label, &after, &folder)?;
    other.session.close();
    let mut text = String::new();
    for (name, place) in &before_places {
        let Some(other) = after_places.get(name) else { continue };
        let (before, after) = (format!("{name_before}#{name}"), format!("{name_after}#{name}"));
        text.push_str(&compare(place, other, &Names { before: &before, after: &after })?);
    }
    remove(&folder);
    if text.is_empty() {
        ctx.ui.status("there is no difference");
    }
    ctx.ui.out(text)?;
    Ok(Exit::SUCCESS)
}

/// The version of a label that is named, or in use, and what it is called.
fn version(chosen: &Chosen, number: Option<u32>) -> Result<(Version, String), CommandError> {
    let label = &chosen.label;
    let history = chosen.session.workspace.history(label)?;
    let number = number.or(history.in_use);
    let number = number.ok_or_else(|| ChooseError::NoVersion(label.clone()))?;
    let found = history.versions.into_iter().find(|it| it.number == number);
    let found = found.ok_or_else(|| ChooseError::Unknown { label: label.clone(), number })?;
    Ok((found, format!("{label}@{number}")))
}
