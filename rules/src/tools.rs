//! Which programs a task may start: the base set, toolchains, and what the workspace allows.

use std::sync::{Arc, LazyLock};

use crate::codes::TOOL_NOT_ALLOWED;
use crate::declare::DeclaredTool;
use crate::diagnostic::Diagnostic;
use crate::read::list;
use crate::rule::ToolchainDef;
use crate::task::ToolDef;
use crate::workspace::WorkspaceDef;

/// The name of the tool that stands for `sh` and the coreutils; its programs are not listed.
pub const BASE: &str = "base";

/// The programs that every workspace allows: `sh` and the coreutils.
pub const BASE_PROGRAMS: &[&str] = &[
    "sh",
    "[",
    "arch",
    "b2sum",
    "base32",
    "base64",
    "basename",
    "basenc",
    "cat",
    "chmod",
    "cksum",
    "comm",
    "cp",
    "csplit",
    "cut",
    "date",
    "dd",
    "df",
    "dir",
    "dircolors",
    "dirname",
    "du",
    "echo",
    "env",
    "expand",
    "expr",
    "factor",
    "false",
    "fmt",
    "fold",
    "groups",
    "head",
    "hostid",
    "id",
    "install",
    "join",
    "link",
    "ln",
    "logname",
    "ls",
    "md5sum",
    "mkdir",
    "mkfifo",
    "mknod",
    "mktemp",
    "mv",
    "nice",
    "nl",
    "nohup",
    "nproc",
    "numfmt",
    "od",
    "paste",
    "pathchk",
    "pinky",
    "pr",
    "printenv",
    "printf",
    "ptx",
    "pwd",
    "readlink",
    "realpath",
    "rm",
    "rmdir",
    "seq",
    "sha1sum",
    "sha224sum",
    "sha256sum",
    "sha384sum",
    "sha512sum",
    "shred",
    "shuf",
    "sleep",
    "sort",
    "split",
    "stat",
    "stdbuf",
    "stty",
    "sum",
    "sync",
    "tac",
    "tail",
    "tee",
    "test",
    "timeout",
    "touch",
    "tr",
    "true",
    "truncate",
    "tsort",
    "tty",
    "uname",
    "unexpand",
    "uniq",
    "unlink",
    "users",
    "vdir",
    "wc",
    "who",
    "whoami",
    "yes",
];

/// Whether `program` belongs to the base set.
pub fn is_base(program: &str) -> bool {
    BASE_PROGRAMS.contains(&program)
}

/// The base set as a tool.
pub(crate) fn base() -> Arc<ToolDef> {
    static TOOL: LazyLock<Arc<ToolDef>> =
        LazyLock::new(|| Arc::new(ToolDef { name: BASE.into(), ..ToolDef::default() }));
    Arc::clone(&TOOL)
}

/// The tool that `name` means, given the toolchain of that name if there is one.
pub fn tool(name: &str, toolchain: Option<&ToolchainDef>) -> Arc<ToolDef> {
    match toolchain {
        Some(toolchain) => Arc::new(of_toolchain(toolchain)),
        None if is_base(name) => base(),
        None => {
            let programs = vec![name.into()];
            Arc::new(ToolDef { name: name.into(), programs, ..ToolDef::default() })
        }
    }
}

/// `toolchain` as a tool.
pub(crate) fn of_toolchain(toolchain: &ToolchainDef) -> ToolDef {
    ToolDef {
        name: toolchain.name.clone(),
        programs: toolchain.programs.clone(),
        data: toolchain.data.clone(),
        version: toolchain.version.clone(),
    }
}

/// Whether a toolchain's entry `known`, a name or a path, is what a rule calls `program`.
pub(crate) fn is_program(known: &str, program: &str) -> bool {
    known == program || known.rsplit('/').next() == Some(program)
}

/// A tool of a target as a workspace has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsedTool<'d> {
    /// What the target declares.
    pub declared: &'d DeclaredTool,
    /// The tool, which may be the workspace's own of that name.
    pub tool: Arc<ToolDef>,
    /// Those of its programs that the workspace does not allow.
    pub refused: Vec<String>,
}

/// The tools that a target uses, of those that it declares, as `workspace` has them.
pub fn used<'d>(tools: &'d [DeclaredTool], workspace: &WorkspaceDef) -> Vec<UsedTool<'d>> {
    let has_own = |name: &str| workspace.toolchains.iter().find(|own| own.name == name);
    let known: Vec<Arc<ToolDef>> = tools
        .iter()
        .map(|declared| {
            let own = has_own(&declared.tool.name);
            own.map_or_else(|| Arc::clone(&declared.tool), |own| Arc::new(of_toolchain(own)))
        })
        .collect();
    let mut used = Vec::with_capacity(tools.len());
    for (declared, tool) in tools.iter().zip(&known) {
        let provided = |other: &Arc<ToolDef>| {
            other != tool && other.programs.iter().any(|known| is_program(known, &tool.name))
        };
        if declared.implied && known.iter().any(provided) {
            continue;
        }
        let refused = match declared.trusted || has_own(&tool.name).is_some() {
            true => Vec::new(),
            false => refused(tool, workspace),
        };
        used.push(UsedTool { declared, tool: Arc::clone(tool), refused });
    }
    used
}

/// The tools of a target as `workspace` has them, and those it does not allow.
pub(crate) fn allowed(
    tools: &[DeclaredTool],
    workspace: &WorkspaceDef,
    problems: &mut Vec<Diagnostic>,
) -> Vec<Arc<ToolDef>> {
    let used = used(tools, workspace);
    problems.extend(used.iter().filter_map(not_allowed));
    used.into_iter().map(|used| used.tool).collect()
}

fn refused(tool: &ToolDef, workspace: &WorkspaceDef) -> Vec<String> {
    let refused = |name: &&String| !workspace.tools.contains(*name) && !is_base(name);
    tool.programs.iter().filter(refused).cloned().collect()
}

fn not_allowed(used: &UsedTool<'_>) -> Option<Diagnostic> {
    let (tool, refused) = (&used.tool, &used.refused);
    let message = match refused.as_slice() {
        [] => return None,
        [only] if *only == tool.name => format!("the workspace does not allow the tool `{only}`"),
        programs => {
            let programs: Vec<&str> = programs.iter().map(String::as_str).collect();
            let programs = list(&programs);
            format!("the workspace does not allow {programs} of the toolchain `{}`", tool.name)
        }
    };
    let hint = format!("add `{}` to WORKSPACE.kdl", allow(refused));
    Some(Diagnostic::error(TOOL_NOT_ALLOWED, message).at(&used.declared.anchor).hint(hint))
}

/// The line of WORKSPACE.kdl that allows `programs`.
pub fn allow(programs: &[String]) -> String {
    let words: Vec<String> = programs.iter().map(|program| format!("{program:?}")).collect();
    format!("tools {{ allow {} }}", words.join(" "))
}
