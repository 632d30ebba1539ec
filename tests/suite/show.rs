//! A task as text: what it runs, reads and makes, one thing a line, without what is as usual.

use std::collections::BTreeMap;
use std::fmt::Display;

use vwfb_rules::task::{Command, InputRef, Results, TaskDef, ToolDef};

/// `task` as text.
pub(crate) fn task(task: &TaskDef) -> String {
    let mut lines = Lines(String::new());
    lines.command(&task.command);
    for (role, from) in &task.inputs {
        lines.add("input", format!("{role} = {}", source(from)));
    }
    for output in task.outputs.iter() {
        let tree = if output.tree { " (tree)" } else { "" };
        let media = output.media.iter().map(|media| format!(" [{media}]")).collect::<String>();
        let name = &output.name;
        lines.add("output", format!("{name}: {} = {}{tree}{media}", output.role, output.path));
    }
    lines.pairs("env", &task.env, "=");
    lines.pairs("secret", &task.secrets, "=");
    for (word, role) in [("stdin", &task.stdin), ("stdout", &task.stdout), ("stderr", &task.stderr)]
    {
        lines.add_all(word, role);
    }
    if task.success_codes.iter().ne([&0]) {
        lines.add("exit-codes", joined(task.success_codes.iter()));
    }
    lines.add_all("tool", task.tools.iter().map(|it| tool(it)));
    lines.add_all("after", &task.after);
    lines.limits(task);
    lines.0
}

struct Lines(String);

impl Lines {
    fn add(&mut self, word: &str, text: impl Display) {
        self.0.push_str(&format!("{word} {text}\n"));
    }

    fn add_all<T: Display>(&mut self, word: &str, all: impl IntoIterator<Item = T>) {
        for one in all {
            self.add(word, one);
        }
    }

    fn pairs(&mut self, word: &str, pairs: &BTreeMap<String, String>, between: &str) {
        self.add_all(word, pairs.iter().map(|(name, value)| format!("{name}{between}{value}")));
    }

    fn command(&mut self, command: &Command) {
        match command {
            Command::Process { program, args } => {
                self.add("run", program);
                for arg in args {
                    self.block(if arg.is_empty() { "''" } else { arg });
                }
            }
            Command::WriteFile { text, executable } => {
                self.0.push_str(if *executable { "write executable\n" } else { "write\n" });
                self.block(text);
            }
            Command::Decide(checkpoint) => {
                self.0.push_str("ask\n");
                self.block(&checkpoint.message);
                self.add("on-reject", format!("{:?}", checkpoint.on_reject).to_lowercase());
                for condition in &checkpoint.auto_approve {
                    self.add("auto-approve", format!("{}{condition}", condition.field));
                }
            }
        }
    }

    /// A text whose lines after the first stand below it.
    fn block(&mut self, text: &str) {
        for (index, line) in text.split('\n').enumerate() {
            let indent = if index == 0 { "  " } else { "  | " };
            self.0.push_str(format!("{indent}{line}").trim_end());
            self.0.push('\n');
        }
    }

    fn limits(&mut self, task: &TaskDef) {
        self.pairs_of_numbers("resource", &task.resources);
        if let Some(timeout) = task.timeout {
            self.add("timeout", format!("{timeout:?}"));
        }
        if task.retries > 0 {
            self.add("retries", task.retries);
        }
        match task.results {
            Results::Deterministic => {}
            Results::Seeded => self.add("results", "seeded"),
            Results::Sampled => self.add("results", "sampled"),
        }
        self.add_all("seed", task.seed);
        if task.network {
            self.0.push_str("network\n");
        }
        self.add_all("service", task.service.iter().map(|service| service.identity()));
        if task.expensive {
            self.0.push_str("expensive\n");
        }
        if task.cpu_level {
            self.0.push_str("cpu-level\n");
        }
        if task.rule_version != 1 {
            self.add("version", task.rule_version);
        }
        if !task.tags.is_empty() {
            self.add("tags", joined(&task.tags));
        }
    }

    fn pairs_of_numbers(&mut self, word: &str, pairs: &BTreeMap<String, u32>) {
        self.add_all(word, pairs.iter().map(|(name, amount)| format!("{name} {amount}")));
    }
}

fn source(from: &InputRef) -> String {
    match from {
        InputRef::Source(path) => path.to_string(),
        InputRef::Output { label, output, subpath: None } => format!("{label}#{output}"),
        InputRef::Output { label, output, subpath: Some(inside) } => {
            format!("{label}#{output}/{inside}")
        }
    }
}

fn tool(tool: &ToolDef) -> String {
    let usual = tool.programs.is_empty() || tool.programs == [tool.name.clone()];
    let programs = if usual { String::new() } else { format!(": {}", tool.programs.join(" ")) };
    let data = if tool.data.is_empty() {
        String::new()
    } else {
        format!(", data {}", tool.data.join(" "))
    };
    let version = tool.version.as_deref();
    let version = version.map(|version| format!(", version {version}")).unwrap_or_default();
    format!("{}{programs}{data}{version}", tool.name)
}

fn joined<T: Display>(all: impl IntoIterator<Item = T>) -> String {
    all.into_iter().map(|one| one.to_string()).collect::<Vec<_>>().join(" ")
}
