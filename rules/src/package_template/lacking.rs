//! What a workspace lacks of that which a template would have written into it.

use std::fmt::Write as _;

use super::fields::kdl;
use crate::syntax::{Scalar, Value, quoted};
use crate::workspace::WorkspaceDef;

/// The lines that `wanted` has and `there` has not, as they are written in a `WORKSPACE.kdl`: empty
/// if there are none. What both have may differ.
pub fn lacking(wanted: &WorkspaceDef, there: &WorkspaceDef) -> String {
    let vars = wanted.vars.iter().filter(|var| there.vars.iter().all(|it| it.name != var.name));
    let vars = vars.map(|var| line(&var.name, &var.values)).collect();
    let mut text = block("vars", vars);
    for profile in &wanted.profiles {
        let same = there.profiles.iter().find(|it| it.name == profile.name);
        let is_there = |name: &str| same.is_some_and(|it| it.vars.iter().any(|v| v.name == name));
        let vars = profile.vars.iter().filter(|var| !is_there(&var.name));
        let vars = vars.map(|var| line(&var.name, &var.values)).collect();
        text += &block(&format!("profile {}", quoted(&profile.name)), vars);
    }
    let resources =
        wanted.resources.iter().filter(|(name, _)| !there.resources.contains_key(*name));
    text += &block("resources", resources.map(|(name, count)| format!("{name} {count}")).collect());
    text
}

fn line(name: &str, values: &[Value]) -> String {
    let scalars: Vec<&Scalar> = values.iter().map(|value| &value.scalar).collect();
    let written: Vec<String> = scalars.into_iter().map(kdl).collect();
    format!("{name} {}", written.join(" "))
}

fn block(head: &str, lines: Vec<String>) -> String {
    if lines.is_empty() {
        return String::new();
    }
    let mut text = format!("    {head} {{\n");
    for line in lines {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "        {line}");
    }
    text + "    }\n"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::label::WsPath;
    use crate::workspace::workspace;

    #[test]
    fn what_is_lacking_can_be_added() {
        let def = |text: &str| workspace(&WsPath::new("WORKSPACE.kdl").unwrap(), text).value;
        let wanted = def("workspace \"a\" { vars { w 1; p \"m\"; }
            profile \"draft\" { w 2; p \"u\"; }; resources { tts 1; } }");
        let some = def("workspace \"b\" { vars { w 3; }; profile \"draft\" { w 4; } }");
        assert_eq!(lacking(&wanted, &wanted), "");
        let text = "    vars {\n        p \"m\"\n    }\n    profile \"draft\" {\n        p \"u\"\n    }\n    \
                    resources {\n        tts 1\n    }\n";
        assert_eq!(lacking(&wanted, &some), text);
        let none = def("workspace \"b\"");
        let whole = def(&format!("workspace \"b\" {{\n{}}}", lacking(&wanted, &none)));
        assert_eq!(lacking(&wanted, &whole), "");
    }
}
