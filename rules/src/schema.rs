//! The `attr` node: an attribute's type, default and bounds.

use std::sync::Arc;

use crate::codes::{BAD_NODE, DUPLICATE_NAME, RESERVED_NAME, WRONG_TYPE, WRONG_UNIT};
use crate::diagnostic::Diagnostic;
use crate::frame::Place;
use crate::interpolate::Template;
use crate::label::WsPath;
use crate::media::{KINDS, Media};
use crate::placeholder::{Extent, Placeholder, parse_size};
use crate::read::{self, Problems};
use crate::rule::{AttrDef, AttrType, Shape};
use crate::suggest::did_you_mean;
use crate::syntax::{Float, Node, Scalar, Value};
use crate::typed::{check_count, typed};

/// The attributes that every target takes, whatever its rule.
pub(crate) const COMMON: [&str; 7] =
    ["after", "when", "tags", "resource", "timeout", "retries", "env"];

/// Names that interpolations mean something else by.
pub(crate) const TAKEN: [&str; 5] = ["name", "out", "vars", "item", "feedback"];

const PROPS: [&str; 13] = [
    "type",
    "default",
    "min",
    "max",
    "optional",
    "list",
    "map",
    "media",
    "count",
    "doc",
    "placeholder",
    "size",
    "length",
];
const CHILDREN: [&str; 4] = ["doc", "values", "default", "extensions"];

/// The attribute that an `attr` node declares.
pub(crate) fn attr(node: &Node, folder: &WsPath, problems: &mut Problems) -> Option<AttrDef> {
    let name = read::name_arg(node, "the attribute's name", problems)?;
    if COMMON.contains(&name) || TAKEN.contains(&name) {
        let message = format!("`{name}` cannot be the name of a rule's attribute");
        let hint = if COMMON.contains(&name) {
            format!("every target takes `{name}` already; choose another name")
        } else {
            format!("`{{{name}}}` has a meaning of its own; choose another name")
        };
        let problem = Diagnostic::error(RESERVED_NAME, message).at(&node.args[0].anchor);
        problems.push(problem.hint(hint));
    }
    schema(node, name, folder, problems)
}

/// The attribute `name` with the type that the properties and children of `node` say.
pub(crate) fn schema(
    node: &Node,
    name: &str,
    folder: &WsPath,
    problems: &mut Problems,
) -> Option<AttrDef> {
    read::only_props(node, &PROPS, problems);
    let plain = AttrDef::plain(name, attr_type(node, problems)?, &node.anchor);
    let mut attr = AttrDef {
        shape: shape(node, problems),
        doc: read::text_prop(node, "doc", problems).map(Into::into),
        optional: read::prop(node, "optional")
            .and_then(|value| read::flag(value, problems))
            .unwrap_or(false),
        default: read::prop(node, "default").map(|value| vec![value.clone()]),
        min: bound(node, "min", problems),
        max: bound(node, "max", problems),
        media: media(node, problems),
        count: read::prop(node, "count").and_then(|value| read::count(value, problems)),
        placeholder: placeholder(node, folder, problems),
        extent: extent(node, problems),
        ..plain
    };
    for child in &node.children {
        attr_child(&mut attr, child, problems);
    }
    check(&attr, node, folder, problems);
    Some(attr)
}

/// A media kind or type, from the property `media`.
pub(crate) fn media(node: &Node, problems: &mut Problems) -> Option<Media> {
    let text = read::text_prop(node, "media", problems)?;
    let media = Media::new(text);
    if media.is_none() {
        let message = format!("`{text}` is no media kind");
        let problem = Diagnostic::error(WRONG_TYPE, message).at(&read::prop(node, "media")?.anchor);
        let hint = did_you_mean(text, KINDS).unwrap_or_else(|| {
            format!("a kind ({}) or a type such as `image/png`", read::list(&KINDS))
        });
        problems.push(problem.hint(hint));
    }
    media
}

fn placeholder(node: &Node, folder: &WsPath, problems: &mut Problems) -> Option<Arc<Placeholder>> {
    let value = read::prop(node, "placeholder")?;
    problems.take(Placeholder::read(value, folder)).map(Arc::new)
}

/// How large and how long a placeholder is, from the properties `size` and `length`.
pub(crate) fn extent(node: &Node, problems: &mut Problems) -> Extent {
    let length = read::text_prop(node, "length", problems).map(str::to_owned);
    let Some(value) = read::prop(node, "size") else { return Extent { size: None, length } };
    let text = read::text(value, "a size such as `1080x1920`", problems);
    let size = text.and_then(|text| problems.take(Template::parse(text, &value.anchor)));
    let is_open = |size: &Template| size.fields().next().is_some();
    if let Some(size) = size.as_ref().filter(|size| !is_open(size))
        && parse_size(&size.to_string()).is_none()
    {
        let message = format!("`{size}` is no size in pixels");
        let problem = Diagnostic::error(WRONG_UNIT, message).at(&value.anchor);
        problems.push(problem.hint("write it as `1080x1920` or `{width}x{height}`"));
    }
    Extent { size, length }
}

fn attr_type(node: &Node, problems: &mut Problems) -> Option<AttrType> {
    let Some(value) = read::prop(node, "type") else {
        let message = "an attribute needs a type";
        let problem = Diagnostic::error(BAD_NODE, message).at(&node.anchor);
        problems.push(problem.hint("write `type=\"string\"`"));
        return None;
    };
    let text = read::text(value, "the name of a type", problems)?;
    let ty = AttrType::named(text);
    if ty.is_none() {
        let names = AttrType::ALL.map(|(_, name)| name);
        let problem = Diagnostic::error(WRONG_TYPE, format!("`{text}` is no type"));
        let hint = did_you_mean(text, names)
            .unwrap_or_else(|| format!("the types are {}", read::list(&names)));
        problems.push(problem.at(&value.anchor).hint(hint));
    }
    ty
}

fn shape(node: &Node, problems: &mut Problems) -> Shape {
    let mut flag = |name| {
        read::prop(node, name).and_then(|value| read::flag(value, problems)).unwrap_or(false)
    };
    match (flag("list"), flag("map")) {
        (false, false) => Shape::Single,
        (true, false) => Shape::List,
        (false, true) => Shape::Map,
        (true, true) => {
            let message = "an attribute is a list or a map, not both";
            problems.push(Diagnostic::error(BAD_NODE, message).at(&node.anchor));
            Shape::List
        }
    }
}

fn bound(node: &Node, name: &str, problems: &mut Problems) -> Option<Float> {
    let value = read::prop(node, name)?;
    match value.scalar {
        #[expect(clippy::cast_precision_loss, reason = "bounds beyond 2^53 mean nothing")]
        Scalar::Int(number) => Some(Float(number as f64)),
        Scalar::Float(number) => Some(number),
        _ => {
            problems.push(read::wrong_type(value, "a number"));
            None
        }
    }
}

fn attr_child(attr: &mut AttrDef, child: &Node, problems: &mut Problems) {
    match child.name.as_str() {
        "doc" => attr.doc = read::text_arg(child, "a text", problems).map(Into::into),
        "default" => attr.default = Some(child.args.clone()),
        "extensions" => {
            for value in &child.args {
                let text = read::text(value, "an extension", problems);
                attr.extensions.extend(text.map(|it| it.trim_start_matches('.').to_owned()));
            }
        }
        "values" => {
            for value in &child.args {
                let Some(text) = read::text(value, "a text", problems) else { continue };
                if attr.values.iter().any(|other| other == text) {
                    let message = format!("`{text}` is there twice");
                    problems.push(Diagnostic::error(DUPLICATE_NAME, message).at(&value.anchor));
                }
                attr.values.push(text.into());
            }
        }
        _ => return read::unknown_child("`attr`", child, &CHILDREN, problems),
    }
    read::only_props(child, &[], problems);
    read::no_children(child, problems);
}

fn check(attr: &AttrDef, node: &Node, folder: &WsPath, problems: &mut Problems) {
    let mut fault = |message: &str, hint: &str| {
        let problem = Diagnostic::error(BAD_NODE, message).at(&node.anchor);
        problems.push(problem.hint(hint));
    };
    let numeric = matches!(attr.ty, AttrType::Int | AttrType::Float);
    if (attr.ty == AttrType::Enum) == attr.values.is_empty() {
        fault(
            "an `enum`, and only an enum, has `values`",
            "write `values \"a\" \"b\"` in its braces",
        );
    }
    if !numeric && (attr.min.is_some() || attr.max.is_some()) {
        fault("only an `int` or `float` has `min` and `max`", "leave them out");
    }
    if attr.shape != Shape::List && attr.count.is_some() {
        fault("only a list has a `count`", "write `list=#true`");
    }
    if !attr.ty.is_file() && !attr.extensions.is_empty() {
        fault("only a `file`, `tree` or `artifact` has `extensions`", "leave them out");
    }
    if !attr.ty.is_file() && attr.media.is_some() {
        fault("only a `file`, `tree` or `artifact` has `media`", "leave it out");
    }
    if !attr.ty.is_file() && (attr.placeholder.is_some() || attr.extent != Extent::default()) {
        fault(
            "only a `file`, `tree` or `artifact` has `placeholder`, `size` and `length`",
            "leave them out",
        );
    }
    if attr.shape != Shape::List && attr.placeholder.as_deref() == Some(&Placeholder::Skip) {
        fault("only a list can leave out what is missing", "let something stand in for it");
    }
    if attr.ty == AttrType::Secret && attr.default.is_some() {
        fault("a `secret` has no default", "each target names its secret");
    }
    for value in attr.default.iter().flatten() {
        check_default(attr, value, folder, problems);
    }
    if let Some(default) = &attr.default {
        problems.take(check_count(attr, default.len(), &node.anchor));
    }
}

fn check_default(attr: &AttrDef, value: &Value, folder: &WsPath, problems: &mut Problems) {
    if attr.shape == Shape::Map {
        let message = "a map has no default";
        return problems.push(Diagnostic::error(BAD_NODE, message).at(&value.anchor));
    }
    // A default with `{name}` in it is checked where it is used.
    if value.text().is_none_or(|text| !text.contains('{')) {
        problems.take(typed(value, attr, Place::of(folder)));
    }
}
