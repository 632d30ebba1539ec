//! The nodes `each` and `matrix`: targets that there are once for each of several items.

use std::sync::Arc;

use crate::block::Block;
use crate::codes::{BAD_NODE, DUPLICATE_NAME, NOT_IN_ENUM, RESERVED_NAME, UNKNOWN_PROPERTY};
use crate::diagnostic::{Anchor, Diagnostic};
use crate::label::is_name;
use crate::read::{self, Problems};
use crate::schema;
use crate::suggest::did_you_mean;
use crate::syntax::{Node, Value};

/// How many items a fan-out has at most unless it says otherwise.
const MAX_ITEMS: u32 = 100_000;

/// A fan-out: items, and what is made of each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FanOut {
    /// Where its items come from.
    pub over: Over,
    /// What is made of each.
    pub block: Arc<Block>,
    /// Only items that fit one of these, if there are any.
    pub wanted: Vec<Condition>,
    /// No item that fits one of these.
    pub unwanted: Vec<Condition>,
    /// Whether it is there at all.
    pub when: Option<Value>,
    /// How many items there may be.
    pub max_items: u32,
}

/// Where items come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Over {
    /// Files, lines or JSON values.
    Each(Box<Each>),
    /// Combinations of values.
    Matrix {
        /// The axes, of which the last runs fastest.
        axes: Vec<Axis>,
        /// Whether the first values of all axes make up the first item, and so on.
        zip: bool,
    },
}

/// What `each` says of its items.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Each {
    /// The files, or the file or directory that the items are in.
    pub over: Value,
    /// What an item is called in braces.
    pub item: String,
    /// How a file is taken apart; by its extension if nothing is said.
    pub split: Option<Split>,
    /// The field of a JSON item that is its id.
    pub key: Option<Vec<String>>,
    /// What `{prev}` is for the first item.
    pub first: Option<Value>,
}

/// How the items of one file are told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Split {
    /// Each line that is not blank.
    Lines,
    /// Each element of a JSON array, or each line of JSON.
    Json,
}

/// One axis of a `matrix`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Axis {
    /// What its value is called in braces.
    pub name: String,
    /// Its values.
    pub values: Vec<Value>,
    /// Where it is.
    pub anchor: Anchor,
}

/// Values that fields of an item have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    /// Field, and the value it has.
    pub fields: Vec<(Vec<String>, Value)>,
    /// Where it is.
    pub anchor: Anchor,
}

/// The fan-out that an `each` node declares.
pub(crate) fn each(node: &Node, problems: &mut Problems) -> Option<FanOut> {
    let props = ["over", "as", "split", "key", "first", "when", "max-items"];
    only_props(node, &props, &["over", "first"], problems);
    let item = name_prop(node, "as", problems).unwrap_or_else(|| "item".to_owned());
    let split = read::prop(node, "split").and_then(|value| split(value, problems));
    let key = read::text_prop(node, "key", problems).map(path);
    let Some(over) = read::prop(node, "over").cloned() else {
        let problem = Diagnostic::error(BAD_NODE, "`each` needs `over`").at(&node.anchor);
        let hint = "write `over=\":target\"`, a file, a directory or a `(glob)\"*.txt\"`";
        problems.push(problem.hint(hint));
        return None;
    };
    let first = read::prop(node, "first").cloned();
    let over = Over::Each(Box::new(Each { over, item, split, key, first }));
    let mut fan_out = fan_out(node, over, problems);
    for child in &node.children {
        match child.name.as_str() {
            "where" => fan_out.wanted.extend(condition(child, problems)),
            "exclude" => fan_out.unwanted.extend(condition(child, problems)),
            "axis" => read::unknown_child("`each`", child, &["where", "exclude"], problems),
            _ => Arc::make_mut(&mut fan_out.block).read(child.clone(), problems),
        }
    }
    whole(node, fan_out, problems)
}

/// The fan-out that a `matrix` node declares.
pub(crate) fn matrix(node: &Node, problems: &mut Problems) -> Option<FanOut> {
    only_props(node, &["zip", "when", "max-items"], &[], problems);
    let zip = read::prop(node, "zip").and_then(|value| read::flag(value, problems));
    let mut axes: Vec<Axis> = Vec::new();
    let over = Over::Matrix { axes: Vec::new(), zip: zip.unwrap_or(false) };
    let mut fan_out = fan_out(node, over, problems);
    for child in &node.children {
        match child.name.as_str() {
            "axis" => {
                let Some(axis) = axis(child, problems) else { continue };
                match axes.iter().find(|other| other.name == axis.name) {
                    Some(first) => problems.push(twice(&axis, first)),
                    None => axes.push(axis),
                }
            }
            "where" => fan_out.wanted.extend(condition(child, problems)),
            "exclude" => fan_out.unwanted.extend(condition(child, problems)),
            _ => Arc::make_mut(&mut fan_out.block).read(child.clone(), problems),
        }
    }
    if axes.is_empty() {
        // One with something wrong with it was told of.
        if node.children.iter().any(|child| child.name == "axis") {
            return None;
        }
        let problem = Diagnostic::error(BAD_NODE, "`matrix` needs an `axis`").at(&node.anchor);
        problems.push(problem.hint("write `axis \"name\" value value`"));
        return None;
    }
    for condition in fan_out.wanted.iter().chain(&fan_out.unwanted) {
        for (path, value) in &condition.fields {
            if axes.iter().all(|axis| [axis.name.as_str()] != path.as_slice()) {
                let name = path.join(".");
                let hint = did_you_mean(&name, axes.iter().map(|axis| axis.name.as_str()));
                let message =
                    format!("`{}` has no axis `{name}`", node.args[0].text().unwrap_or("matrix"));
                let problem = Diagnostic::error(UNKNOWN_PROPERTY, message).at(&value.anchor);
                problems.push(problem.maybe_hint(hint));
            }
        }
    }
    if let Over::Matrix { axes: empty, .. } = &mut fan_out.over {
        *empty = axes;
    }
    whole(node, fan_out, problems)
}

fn fan_out(node: &Node, over: Over, problems: &mut Problems) -> FanOut {
    let max_items = read::prop(node, "max-items").and_then(|value| read::count(value, problems));
    FanOut {
        over,
        block: Arc::default(),
        wanted: Vec::new(),
        unwanted: Vec::new(),
        when: read::prop(node, "when").cloned(),
        max_items: max_items.unwrap_or(MAX_ITEMS),
    }
}

/// The fan-out, if it makes anything.
fn whole(node: &Node, fan_out: FanOut, problems: &mut Problems) -> Option<FanOut> {
    if fan_out.block.members.is_empty() {
        let message = format!("`{}` makes nothing of its items", node.name);
        let problem = Diagnostic::error(BAD_NODE, message).at(&node.anchor);
        problems.push(problem.hint("put targets in its braces"));
        return None;
    }
    Some(fan_out)
}

/// Notes properties other than `known`, repeated ones, and annotations of those that are no
/// `files`.
fn only_props(node: &Node, known: &[&str], files: &[&str], problems: &mut Problems) {
    let mut plain = Node { args: Vec::new(), children: Vec::new(), ..node.clone() };
    for (name, value) in &mut plain.props {
        if files.contains(&name.as_str()) && value.annotation.as_deref() == Some("glob") {
            value.annotation = None;
        }
    }
    read::only_props(&plain, known, problems);
}

fn name_prop(node: &Node, prop: &str, problems: &mut Problems) -> Option<String> {
    let value = read::prop(node, prop)?;
    let name = read::text(value, "a name", problems)?;
    binding_name(name, value, problems)
}

/// `name` as what braces stand for.
fn binding_name(name: &str, value: &Value, problems: &mut Problems) -> Option<String> {
    if !read::check_name(name, value, problems) {
        return None;
    }
    if name == "prev" || (schema::TAKEN.contains(&name) && name != "item") {
        let message = format!("`{name}` cannot be what an item is called");
        let hint = format!("`{{{name}}}` has a meaning of its own; choose another name");
        problems.push(Diagnostic::error(RESERVED_NAME, message).at(&value.anchor).hint(hint));
        return None;
    }
    Some(name.to_owned())
}

fn split(value: &Value, problems: &mut Problems) -> Option<Split> {
    match read::text(value, "`lines` or `json`", problems)? {
        "lines" => Some(Split::Lines),
        "json" => Some(Split::Json),
        other => {
            let message = format!("`split` cannot be `{other}`");
            let hint = did_you_mean(other, ["lines", "json"]);
            let hint = hint.unwrap_or_else(|| {
                match other {
                    "sections" => {
                        "let `split_sections` of `@std/text` make files of them, and go over those"
                    }
                    _ => "`split` is `lines` or `json`",
                }
                .to_owned()
            });
            problems.push(Diagnostic::error(NOT_IN_ENUM, message).at(&value.anchor).hint(hint));
            None
        }
    }
}

fn axis(node: &Node, problems: &mut Problems) -> Option<Axis> {
    read::only_props(node, &[], problems);
    read::no_children(node, problems);
    let Some((name, values)) = node.args.split_first() else {
        let problem = Diagnostic::error(BAD_NODE, "`axis` needs a name").at(&node.anchor);
        problems.push(problem.hint("write `axis \"name\" value value`"));
        return None;
    };
    let text = read::text(name, "the axis's name", problems)?;
    let name = binding_name(text, name, problems)?;
    if values.is_empty() {
        let message = format!("the axis `{name}` has no values");
        let problem = Diagnostic::error(BAD_NODE, message).at(&node.anchor);
        problems.push(problem.hint("write them behind its name; a list variable may have none"));
        return None;
    }
    values.iter().for_each(|value| read::no_annotation(value, problems));
    Some(Axis { name, values: values.to_vec(), anchor: node.anchor.clone() })
}

fn twice(again: &Axis, first: &Axis) -> Diagnostic {
    Diagnostic::error(DUPLICATE_NAME, format!("two axes are named `{}`", again.name))
        .noted(&again.anchor, "again here")
        .noted(&first.anchor, "first here")
}

fn condition(node: &Node, problems: &mut Problems) -> Option<Condition> {
    read::no_args(node, problems);
    read::no_children(node, problems);
    if node.props.is_empty() {
        let message = format!("`{}` says nothing of any field", node.name);
        let problem = Diagnostic::error(BAD_NODE, message).at(&node.anchor);
        problems.push(problem.hint(format!("write `{} field=value`", node.name)));
        return None;
    }
    let mut fields = Vec::new();
    for (name, value) in &node.props {
        read::no_annotation(value, problems);
        if name.split('.').all(is_name) {
            fields.push((path(name), value.clone()));
        } else {
            let message = format!("`{name}` is no field");
            problems.push(Diagnostic::error(BAD_NODE, message).at(&value.anchor));
        }
    }
    Some(Condition { fields, anchor: node.anchor.clone() })
}

fn path(text: &str) -> Vec<String> {
    text.split('.').map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::label::WsPath;
    use crate::package::package;

    fn checked(text: &str) -> (Vec<Arc<FanOut>>, Vec<String>) {
        let checked = package(&WsPath::new("p/BUILD.kdl").unwrap(), text);
        let members = &checked.value.block.members;
        let fan_outs = members.iter().filter_map(|member| member.fan_out.clone()).collect();
        let problems = checked.problems.iter().map(|p| format!("{}: {}", p.code, p.message));
        (fan_outs, problems.collect())
    }

    #[test]
    fn an_each_says_where_its_items_come_from() {
        let (fan_outs, problems) = checked(
            "each \"clips\" over=(glob)\"*.txt\" as=\"script\" key=\"a.b\" {
                where kind=\"x\" \"meta.lang\"=\"en\"
                tts \"audio\" text=\"{script}\"
                slide \"image\"
            }",
        );
        assert_eq!(problems, [""; 0]);
        let Over::Each(each) = &fan_outs[0].over else { panic!() };
        assert_eq!((each.item.as_str(), each.key.as_deref().unwrap().len()), ("script", 2));
        assert_eq!(fan_outs[0].wanted[0].fields[1].0, ["meta", "lang"]);
        assert_eq!(fan_outs[0].block.last().unwrap().name.as_ref(), "image");
    }

    #[test]
    fn a_matrix_has_axes() {
        let (fan_outs, problems) = checked(
            "matrix \"runs\" zip=#true { axis \"lr\" 0.1 0.2; axis \"n\" 1 2; exclude lr=0.1 n=2; task \"t\" }",
        );
        assert_eq!(problems, [""; 0]);
        let Over::Matrix { axes, zip } = &fan_outs[0].over else { panic!() };
        assert!(*zip && axes.len() == 2 && axes[1].values.len() == 2);
    }

    #[test]
    fn what_is_wrong_with_a_fan_out_is_found_at_once() {
        let (_, problems) = checked(
            "each \"a\" { task \"t\" }
            each \"b\" over=\"x\" as=\"name\" splt=\"lines\" { task \"t\" }
            each \"c\" over=\"x\" split=\"words\" { task \"t\"; axis \"x\" 1 }
            each \"d\" over=\"x\"
            matrix \"e\" { task \"t\" }
            matrix \"f\" { axis \"x\" 1; axis \"x\" 2; where; task \"t\"; task \"t\" }",
        );
        assert_eq!(
            problems,
            [
                "bad-node: `each` needs `over`",
                "unknown-property: `each` takes no property `splt`",
                "reserved-name: `name` cannot be what an item is called",
                "not-in-enum: `split` cannot be `words`",
                "unknown-node: `axis` means nothing in `each`",
                "bad-node: `each` makes nothing of its items",
                "bad-node: `matrix` needs an `axis`",
                "duplicate-name: two axes are named `x`",
                "bad-node: `where` says nothing of any field",
                "duplicate-target: two targets are named `t`",
            ]
        );
    }
}
