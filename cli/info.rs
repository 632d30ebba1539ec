//! `vwfb info`: the workspace, the store, the sandbox and the tools of this machine.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::json;
use vwfb_engine::platform::{cpu_level, platform};
use vwfb_engine::workspace::WORKSPACE_FILE;
use vwfb_exec::{Level, SEARCH_PATH};
use vwfb_rules::label::WsPath;
use vwfb_rules::library;
use vwfb_rules::rule_file::RuleFile;
use vwfb_rules::workspace::WorkspaceDef;

use crate::args::InfoArgs;
use crate::build::cores;
use crate::error::{CommandError, Exit};
use crate::locate::program;
use crate::session::Context;

/// A program with where it is.
type Tool = (String, Option<PathBuf>);

/// Shows it all. It opens neither workspace nor store, so that it works where these do not.
pub(crate) fn run(ctx: &Context, args: &InfoArgs) -> Result<Exit, CommandError> {
    let root = ctx.located().ok().map(|located| located.root);
    let workspace = root.as_deref().map(definition);
    let tools = tools(workspace.as_ref());
    let name = workspace.map(|workspace| workspace.name);
    let store = ctx.store()?;
    let level = Level::detect();
    if args.json {
        let tools: serde_json::Map<_, _> =
            tools.into_iter().map(|(name, path)| (name, json!(path))).collect();
        let info = json!({
            "version": env!("CARGO_PKG_VERSION"),
            "workspace": root,
            "name": name,
            "store": store,
            "platform": platform(),
            "cpu_level": cpu_level(),
            "jobs": cores(),
            "sandbox": level.to_string(),
            "search_path": SEARCH_PATH,
            "tools": tools,
        });
        ctx.ui.out_line(format!("{info:#}"))?;
        return Ok(Exit::SUCCESS);
    }
    let none = || "none (no `WORKSPACE.kdl` here or above)".to_owned();
    let mut lines = vec![
        ("version", env!("CARGO_PKG_VERSION").to_owned()),
        ("workspace", root.map_or_else(none, |root| root.display().to_string())),
    ];
    lines.extend(name.map(|name| ("name", name)));
    lines.extend([
        ("store", store.display().to_string()),
        ("platform", format!("{} {}", platform(), cpu_level()).trim_end().to_owned()),
        ("jobs", cores().to_string()),
        ("sandbox", level.to_string()),
    ]);
    lines.push(("programs", format!("looked for in {}", SEARCH_PATH.join(":"))));
    let mut text: String =
        lines.iter().map(|(name, value)| format!("{name:<10} {value}\n")).collect();
    text.push_str("tools\n");
    for (name, path) in tools {
        let path = path.map_or_else(|| "not found".to_owned(), |path| path.display().to_string());
        text.push_str(&format!("  {name:<14} {path}\n"));
    }
    ctx.ui.out(text)?;
    Ok(Exit::SUCCESS)
}

/// What `WORKSPACE.kdl` says, as far as it can be read.
fn definition(root: &Path) -> WorkspaceDef {
    let text = fs::read_to_string(root.join(WORKSPACE_FILE)).unwrap_or_default();
    let file = WsPath::new(WORKSPACE_FILE).expect("the name of a file is a path");
    vwfb_rules::workspace(&file, &text).value
}

/// The programs of the built-in rules and those that the workspace allows, sorted.
fn tools(workspace: Option<&WorkspaceDef>) -> Vec<Tool> {
    let mut names: BTreeSet<String> =
        workspace.map(|workspace| workspace.tools.clone()).unwrap_or_default();
    let built_in: Vec<RuleFile> = library::names().filter_map(built_in).collect();
    let toolchains: Vec<_> = built_in.iter().flat_map(|file| &file.toolchains).collect();
    names.extend(toolchains.iter().flat_map(|toolchain| toolchain.programs.clone()));
    let rules = built_in.iter().flat_map(|file| &file.rules).flat_map(|rule| rule.variants());
    let used = rules.flat_map(|rule| &rule.tools);
    let programs = used.filter(|tool| toolchains.iter().all(|chain| chain.name != tool.name));
    // What a target names itself is no program.
    let programs = programs.filter(|tool| tool.attribute().is_none());
    names.extend(programs.map(|tool| tool.name.clone()));
    names.into_iter().map(|name| (name.clone(), program(&name))).collect()
}

fn built_in(name: &str) -> Option<RuleFile> {
    let file = WsPath::new(name).ok()?;
    Some(vwfb_rules::rule_file(&file, library::source(&file)?).value)
}
