//! Whether a tool is here: its programs, its data, and all that these need to run.

use std::collections::BTreeSet;
use std::env;
use std::path::{Path, PathBuf};

use serde::Serialize;
use vwfb_engine::needs::{Needs, ToolNeed};
use vwfb_engine::tools::Tools;
use vwfb_exec::{BASE_TOOLCHAIN, Closure, SEARCH_PATH};
use vwfb_rules::task::ToolDef;
use vwfb_rules::tools::allow;

use super::packages::{elsewhere, install, package};
use super::version::versions;
use super::{State, Users};
use crate::locate::{is_program, program};

/// What is found of a tool.
#[derive(Debug, Serialize)]
pub(super) struct Tool {
    pub(super) name: String,
    pub(super) state: State,
    pub(super) version: Option<String>,
    pub(super) programs: Vec<Program>,
    pub(super) data: Vec<Data>,
    #[serde(flatten)]
    pub(super) users: Users,
    /// What is the matter.
    pub(super) why: Vec<String>,
    /// What to type or to write.
    pub(super) fix: Vec<String>,
    /// What of it is in Debian.
    pub(super) packages: BTreeSet<&'static str>,
}

/// A program of it.
#[derive(Debug, Serialize)]
pub(super) struct Program {
    pub(super) name: String,
    pub(super) path: Option<PathBuf>,
    pub(super) version: Option<String>,
    /// Whether it may be asked for its version.
    #[serde(skip)]
    may_run: bool,
}

/// A file or folder that it reads.
#[derive(Debug, Serialize)]
pub(super) struct Data {
    pub(super) path: String,
    pub(super) found: bool,
}

/// Looks for the tools of `needs`; `root` is the folder of the workspace, if there is one.
pub(super) fn look(needs: &Needs, tools: &Tools, root: Option<&Path>) -> Vec<Tool> {
    let mut found: Vec<Tool> =
        needs.tools.iter().map(|(def, need)| tool(def, need, tools, root)).collect();
    let programs = || found.iter().flat_map(|tool| &tool.programs).filter(|it| it.may_run);
    let paths: BTreeSet<PathBuf> = programs().filter_map(|it| it.path.clone()).collect();
    let paths: Vec<PathBuf> = paths.into_iter().collect();
    let told = versions(&paths);
    for tool in &mut found {
        for program in tool.programs.iter_mut().filter(|it| it.may_run) {
            let at = program.path.as_ref().and_then(|path| paths.binary_search(path).ok());
            program.version = at.and_then(|at| told[at].clone());
        }
        tool.version = tool.programs.iter().find_map(|program| program.version.clone());
    }
    found
}

fn tool(def: &ToolDef, need: &ToolNeed, tools: &Tools, root: Option<&Path>) -> Tool {
    let closure = tools.closure(def);
    let is_base = def.name == BASE_TOOLCHAIN && def.programs.is_empty();
    let names =
        if is_base { vec!["sh".to_owned(), "cat".to_owned()] } else { def.programs.clone() };
    let path = |name: &String| match &closure {
        Ok(closure) => closure.programs.get(name).cloned(),
        Err(_) => place(name, root),
    };
    let program = |name: &String| {
        let path = path(name);
        // A workspace's own are a task's work, and may take `--version` for a name.
        let is_own = path.as_deref().zip(root).is_some_and(|(path, root)| path.starts_with(root));
        let may_run = !is_own && !need.refused.contains(name);
        Program { name: name.clone(), path, version: None, may_run }
    };
    let programs: Vec<Program> = names.iter().map(program).collect();
    let is_there = |path: &String| closure.is_ok() || Path::new(path).exists();
    let data: Vec<Data> =
        def.data.iter().map(|path| Data { found: is_there(path), path: path.clone() }).collect();
    let mut found = Tool {
        name: def.name.clone(),
        state: State::Ok,
        version: None,
        programs,
        data,
        users: Users::of(&need.users),
        why: Vec::new(),
        fix: Vec::new(),
        packages: BTreeSet::new(),
    };
    found.judge(need, closure.as_deref().map_err(AsRef::as_ref), root);
    found
}

impl Tool {
    /// Says what is the matter, if anything is, and what to do.
    fn judge(&mut self, need: &ToolNeed, closure: Result<&Closure, &str>, root: Option<&Path>) {
        let mut other = Vec::new();
        let programs = self.programs.iter().filter(|program| program.path.is_none());
        for Program { name, .. } in programs {
            self.why.push(absent(name));
            match package(name) {
                Some(package) => _ = self.packages.insert(package),
                None => other.extend(advice(name, root)),
            }
        }
        for Data { path, .. } in self.data.iter().filter(|data| !data.found) {
            self.why.push(format!("no file or folder `{path}`"));
            match package(path) {
                Some(package) => _ = self.packages.insert(package),
                None => other.extend(elsewhere(path).unwrap_or_else(|| {
                    vec![format!("put it there, or leave it out of the toolchain `{}`", self.name)]
                })),
            }
        }
        if !self.why.is_empty() {
            self.state = State::Missing;
        } else if let Err(why) = closure {
            self.state = State::Broken;
            self.why.push(why.to_owned());
            let known = self.programs.iter().filter_map(|program| package(&program.name));
            let known: BTreeSet<&str> = known.collect();
            if !known.is_empty() {
                other.push(install(known).replace("install", "install --reinstall"));
            }
        } else if !need.refused.is_empty() {
            self.state = State::Refused;
        }
        if !self.packages.is_empty() {
            self.fix.push(install(self.packages.iter().copied()));
        }
        self.fix.extend(other);
        if !need.refused.is_empty() {
            let refused: Vec<String> = need.refused.iter().cloned().collect();
            self.why.push(format!("the workspace does not allow `{}`", refused.join("`, `")));
            self.fix.push(format!("{} in WORKSPACE.kdl", allow(&refused)));
        }
    }
}

fn absent(name: &str) -> String {
    match name.contains('/') {
        true => format!("no program `{name}`"),
        false => format!("no program `{name}` in `{}`", SEARCH_PATH.join(":")),
    }
}

/// What to do for a program that no package brings.
fn advice(name: &str, root: Option<&Path>) -> Vec<String> {
    let declared = |path: &Path| {
        let path = path.display();
        format!("toolchain \"{name}\" {{ program \"{path}\" }} in WORKSPACE.kdl")
    };
    if let Some(path) = name.strip_prefix("//") {
        let path = root.unwrap_or(Path::new("/")).join(path);
        return vec![match path.exists() {
            true => format!("chmod +x {}", path.display()),
            false => format!("write {0}, and chmod +x {0}", path.display()),
        }];
    }
    if let Some(path) = elsewhere_on_path(name) {
        return vec![declared(&path)];
    }
    elsewhere(name).unwrap_or_else(|| {
        let path = Path::new("/path/to").join(name);
        vec![format!("install it there, or say where it is: {}", declared(&path))]
    })
}

/// Where a program is that the person who asks would start by its name.
fn elsewhere_on_path(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").filter(|_| !name.contains('/'))?;
    let folders = env::split_paths(&path).filter(|folder| folder.is_absolute());
    folders.map(|folder| folder.join(name)).find(|path| is_program(path))
}

/// Where a program is, by name or path.
fn place(name: &str, root: Option<&Path>) -> Option<PathBuf> {
    if let Some(path) = name.strip_prefix("//") {
        return root.map(|root| root.join(path)).filter(|path| is_program(path));
    }
    if name.starts_with('/') {
        return Some(PathBuf::from(name)).filter(|path| is_program(path));
    }
    program(name)
}
