//! The rule reference, from the rules themselves.

use std::fmt::Write as _;
use std::sync::Arc;

use vwfb_rules::cases::{Case, Cases};
use vwfb_rules::interpolate::{Part, Template};
use vwfb_rules::label::WsPath;
use vwfb_rules::rule::{AttrDef, Body, GroupDef, OutDef, RuleDef, Shape, ToolchainDef};
use vwfb_rules::syntax::Scalar;
use vwfb_rules::task::Results;
use vwfb_rules::template::TemplateDef;
use vwfb_rules::{common_attrs, core_rules, library, rule_file};

const HEAD: &str = "\
# Rules

This page is generated from the rules' own definitions: `vwfb __docs rules` prints it, and a test
compares it with that. `core` rules are always in sight; a file of rules is brought in with
`use \"@std/video\"`, and its text can be read in `rules/std/`.

";

/// The page.
pub(super) fn page() -> String {
    let mut page = HEAD.to_owned();
    page.push_str("## Attributes of every target\n\n");
    attributes(&mut page, common_attrs());
    page.push_str(
        "\nBeside these, `env { NAME \"value\" }` adds to a task's environment, and \
         `resource \"name\" 1` says what it occupies while it runs.\n\n",
    );
    page.push_str("## core\n\n");
    core_rules().iter().for_each(|rule| section(&mut page, rule));
    for name in library::names() {
        file(&mut page, name);
    }
    page.truncate(page.trim_end().len());
    page.push('\n');
    page
}

fn file(page: &mut String, name: &str) {
    let path = WsPath::new(name).expect("a built-in file's name is a path");
    let file = rule_file(&path, library::source(&path).unwrap_or_default()).value;
    let _ = write!(page, "## {name}\n\n```kdl\nuse \"{name}\"\n```\n\n");
    toolchains(page, &file.toolchains);
    for rule in &file.rules {
        match &rule.cases {
            Some(cases) => by_case(page, rule, cases),
            None => section(page, rule),
        }
    }
    file.templates.iter().for_each(|template| expanding(page, template));
}

fn expanding(page: &mut String, template: &TemplateDef) {
    let doc = template.doc.as_deref().unwrap_or_default();
    let _ = write!(page, "### {}\n\n{doc}\n\n", template.name);
    attributes(page, &template.attrs);
    let members = template.block.members().iter();
    let members: Vec<String> =
        members.map(|member| format!("`{}` (`{}`)", member.name, member.rule)).collect();
    let _ = write!(page, "\nA template: it expands to {}.\n\n", members.join(", "));
}

fn toolchains(page: &mut String, toolchains: &[Arc<ToolchainDef>]) {
    for toolchain in toolchains {
        let programs = toolchain.programs.iter().map(|program| format!("`{program}`"));
        let programs = programs.collect::<Vec<_>>().join(", ");
        let doc = toolchain.doc.as_deref().map(|doc| format!(" {doc}")).unwrap_or_default();
        let _ = write!(page, "Toolchain `{}`: {programs}.{doc}\n\n", toolchain.name);
    }
}

/// A rule that is another one for each value of an attribute: first what all of them have.
fn by_case(page: &mut String, rule: &RuleDef, cases: &Cases) {
    let in_all =
        |attr: &AttrDef| cases.rules.iter().all(|case| case.attr(&attr.name) == Some(attr));
    let (common, _): (Vec<_>, Vec<_>) = rule.attrs.iter().cloned().partition(in_all);
    let same_outs = cases.rules.iter().all(|case| case.outs == rule.outs);
    let outs = if same_outs { rule.outs.clone() } else { Vec::new() };
    let base = RuleDef { attrs: common, outs, tools: Vec::new(), body: Body::Free, ..rule.clone() };
    let (network, service, results) = (false, None, Results::Deterministic);
    section(page, &RuleDef { network, service, results, ..base });
    for case in &cases.rules {
        let Some(Case { attr, value, .. }) = &case.case else { continue };
        let _ = write!(page, "With `{attr}=\"{value}\"`:\n\n");
        let own: Vec<AttrDef> = case.attrs.iter().filter(|attr| !in_all(attr)).cloned().collect();
        if !own.is_empty() {
            attributes(page, &own);
            page.push('\n');
        }
        if !same_outs {
            outputs(page, case);
        }
        notes(page, case);
    }
}

fn section(page: &mut String, rule: &RuleDef) {
    let _ = write!(page, "### {}\n\n", rule.name);
    if let Some(doc) = &rule.doc {
        let _ = write!(page, "{doc}\n\n");
    }
    if !rule.attrs.is_empty() {
        attributes(page, &rule.attrs);
        page.push('\n');
    }
    outputs(page, rule);
    notes(page, rule);
}

fn attributes(page: &mut String, attrs: &[AttrDef]) {
    page.push_str("| attribute | type | default | meaning |\n| --- | --- | --- | --- |\n");
    for attr in attrs {
        let doc = attr.doc.as_deref().unwrap_or_default().replace('\n', " ");
        let _ = writeln!(
            page,
            "| `{}` | {} | {} | {} |",
            attr.name,
            cell(&kind(attr)),
            cell(&default(attr)),
            cell(&doc)
        );
    }
}

/// `list of file (image)`, `int, 1 to 16384`, `enum: "a", "b"`
fn kind(attr: &AttrDef) -> String {
    let mut text = match attr.shape {
        Shape::Single => String::new(),
        Shape::List => "list of ".to_owned(),
        Shape::Map => "map to ".to_owned(),
    };
    text.push_str(attr.ty.name());
    if let Some(media) = &attr.media {
        let _ = write!(text, " ({media})");
    }
    let values: Vec<String> = attr.values.iter().map(|value| format!("`{value}`")).collect();
    if !values.is_empty() {
        let _ = write!(text, ": {}", values.join(", "));
    }
    if let Some(count) = attr.count {
        let _ = write!(text, ", {count} of them");
    }
    if !attr.extensions.is_empty() {
        let _ = write!(text, ", .{}", attr.extensions.join(", ."));
    }
    match (attr.min, attr.max) {
        (Some(min), Some(max)) => {
            let _ = write!(text, ", {} to {}", min.0, max.0);
        }
        (Some(min), None) => {
            let _ = write!(text, ", at least {}", min.0);
        }
        (None, Some(max)) => {
            let _ = write!(text, ", at most {}", max.0);
        }
        (None, None) => {}
    }
    text
}

fn default(attr: &AttrDef) -> String {
    match &attr.default {
        Some(values) => {
            let values: Vec<String> =
                values.iter().map(|value| format!("`{}`", scalar(&value.scalar))).collect();
            values.join(" ")
        }
        None if attr.required() => "required".to_owned(),
        None => "unset".to_owned(),
    }
}

fn scalar(scalar: &Scalar) -> String {
    match scalar {
        Scalar::Text(text) => format!("\"{text}\""),
        Scalar::Int(number) => number.to_string(),
        Scalar::Float(number) => number.0.to_string(),
        Scalar::Bool(value) => format!("#{value}"),
        Scalar::Null => "#null".to_owned(),
    }
}

fn outputs(page: &mut String, rule: &RuleDef) {
    if rule.outs.is_empty() {
        return;
    }
    page.push_str("| output | path | meaning |\n| --- | --- | --- |\n");
    for out in &rule.outs {
        let doc = out.doc.as_deref().unwrap_or_default().replace('\n', " ");
        let path = format!("`{}`{}", written(&out.path), output_kind(out));
        let _ = writeln!(page, "| `{}` | {} | {} |", out.name, cell(&path), cell(&doc));
    }
    page.push('\n');
    for GroupDef { name, outs } in &rule.groups {
        let outs: Vec<String> = outs.iter().map(|out| format!("`{out}`")).collect();
        let _ = write!(page, "Group `{name}`: {}.\n\n", outs.join(", "));
    }
}

fn output_kind(out: &OutDef) -> String {
    match (&out.media, out.tree) {
        (Some(media), true) => format!(" (a directory of {media})"),
        (Some(media), false) => format!(" ({media})"),
        (None, true) => " (a directory)".to_owned(),
        (None, false) => String::new(),
    }
}

fn notes(page: &mut String, rule: &RuleDef) {
    let mut notes = Vec::new();
    let tools: Vec<String> = rule.tools.iter().map(|tool| format!("`{}`", tool.name)).collect();
    if !tools.is_empty() {
        notes.push(format!("Runs {}.", tools.join(", ")));
    }
    match rule.results {
        Results::Seeded => notes.push("Its results depend on its seed.".to_owned()),
        Results::Sampled => notes.push("Its results differ from run to run.".to_owned()),
        Results::Deterministic => {}
    }
    match &rule.service {
        Some(_) => notes.push("It asks a service.".to_owned()),
        None if rule.network => notes.push("It may use the network.".to_owned()),
        None => {}
    }
    if rule.terminal {
        notes.push("It gets a terminal of its own.".to_owned());
    }
    if matches!(rule.body, Body::WriteFile | Body::Forward) {
        notes.push("It starts no process.".to_owned());
    }
    if !notes.is_empty() {
        let _ = write!(page, "{}\n\n", notes.join(" "));
    }
}

/// A template as its rule writes it.
fn written(template: &Template) -> String {
    let parts = template.parts.iter().map(|part| match part {
        Part::Text(text) => text.replace('{', "{{").replace('}', "}}"),
        Part::Field(steps) => format!("{{{}}}", steps.join(".")),
    });
    parts.collect()
}

/// Text for a cell of a table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}
