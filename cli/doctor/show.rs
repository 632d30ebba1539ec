//! What was found, as people read it.

use super::{Findings, State, Users};
use crate::ui::{Style, Ui};
use crate::units::counted;

/// One thing: its state, its columns, and what is said below.
struct Row<'f> {
    state: State,
    columns: [String; 3],
    users: &'f Users,
    why: &'f [String],
    fix: &'f [String],
}

/// All of it, in aligned lines.
pub(super) fn text(findings: &Findings, ui: &Ui) -> String {
    let mut text = String::new();
    for (title, rows) in sections(findings) {
        if rows.is_empty() {
            continue;
        }
        text.push_str(&format!("{title}\n"));
        let width = |column: usize| {
            let lengths = rows.iter().map(|row| row.columns[column].chars().count());
            lengths.max().unwrap_or_default()
        };
        let widths = [width(0), width(1), width(2)];
        rows.iter().for_each(|row| text.push_str(&row.lines(widths, ui)));
    }
    for later in &findings.unexpanded {
        let known = match later.known {
            true => "what its targets need is above",
            false => "what its targets need is not all known before",
        };
        text.push_str(&format!("{} expands after {}: {known}\n", later.label, later.after));
    }
    text.push_str(&format!("sandbox  {}\n", findings.sandbox));
    text
}

/// How many things there are, how many are not well, and what installs what is missing.
pub(super) fn summary(findings: &Findings, ui: &Ui) {
    let Findings { tools, services, secrets, .. } = findings;
    let counts = [(tools.len(), "tool"), (services.len(), "service"), (secrets.len(), "secret")];
    let counts = counts.iter().filter(|(count, _)| *count > 0);
    let counts: Vec<String> = counts.map(|(count, noun)| counted(*count as u64, noun)).collect();
    let states: Vec<State> =
        sections(findings).iter().flat_map(|(_, rows)| rows).map(|row| row.state).collect();
    let worse = [State::Missing, State::Down, State::Refused, State::Broken, State::Unknown];
    let worse = worse.iter().map(|state| (states.iter().filter(|it| *it == state).count(), state));
    let worse = worse.filter(|(count, _)| *count > 0);
    let worse: Vec<String> =
        worse.map(|(count, state)| format!("{count} {}", state.as_str())).collect();
    let what = if counts.is_empty() { "nothing is needed".to_owned() } else { counts.join(", ") };
    let (style, told) = match (counts.is_empty(), worse.is_empty()) {
        (true, _) => (Style::Dim, what),
        (false, true) => (Style::Good, format!("{what}: all there")),
        (false, false) if findings.ok => (Style::Dim, format!("{what}: {}", worse.join(", "))),
        (false, false) => (Style::Error, format!("{what}: {}", worse.join(", "))),
    };
    ui.status(ui.styled(style, told));
    if let Some(install) = &findings.install {
        ui.hint(format_args!("what is missing and in Debian: {install}"));
    }
}

fn sections(findings: &Findings) -> [(&'static str, Vec<Row<'_>>); 3] {
    let tools = findings.tools.iter().map(|tool| {
        let path = tool.programs.iter().find_map(|program| program.path.as_ref());
        let path = path.map(|path| path.display().to_string()).unwrap_or_default();
        let columns = [tool.name.clone(), tool.version.clone().unwrap_or_default(), path];
        Row { state: tool.state, columns, users: &tool.users, why: &tool.why, fix: &tool.fix }
    });
    let services = findings.services.iter().map(|service| {
        let url = service.url.clone().unwrap_or_default();
        let version = service.version.clone().unwrap_or_default();
        let columns = [service.name.clone(), version, url];
        let (users, why, fix) = (&service.users, &*service.why, &*service.fix);
        Row { state: service.state, columns, users, why, fix }
    });
    let secrets = findings.secrets.iter().map(|secret| {
        let columns = [secret.name.clone(), String::new(), String::new()];
        Row {
            state: secret.state,
            columns,
            users: &secret.users,
            why: &secret.why,
            fix: &secret.fix,
        }
    });
    let title =
        if findings.workspace.is_some() { "tools" } else { "tools of the built-in library" };
    [(title, tools.collect()), ("services", services.collect()), ("secrets", secrets.collect())]
}

impl Row<'_> {
    fn lines(&self, widths: [usize; 3], ui: &Ui) -> String {
        let style = match self.state {
            State::Ok => Style::Good,
            State::Missing | State::Down | State::Refused | State::Broken => Style::Error,
            State::Unknown => Style::Warning,
        };
        let mut line =
            format!("  {}", ui.styled_result(style, format!("{:<7}", self.state.as_str())));
        for (column, width) in self.columns.iter().zip(widths).filter(|(_, width)| *width > 0) {
            line.push_str(&format!("  {column:<width$}"));
        }
        let mut text = match self.users.shown() {
            Some(users) => format!("{line}  {}\n", ui.styled_result(Style::Dim, users)),
            None => format!("{}\n", line.trim_end()),
        };
        self.why.iter().flat_map(|why| why.lines()).for_each(|why| {
            text.push_str(&format!("           {why}\n"));
        });
        for fix in self.fix {
            text.push_str(&format!("           {} {fix}\n", ui.styled_result(Style::Hint, "->")));
        }
        text
    }
}

impl Users {
    fn shown(&self) -> Option<String> {
        let example = self.example.as_ref()?;
        Some(match self.targets {
            1 => format!("for {example}"),
            count => format!("for {count} targets, as {example}"),
        })
    }
}
