//! Instances: a whole package as a part of another, with values for its variables.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::binding::{Binding, Plain};
use crate::block::Block;
use crate::codes::{
    BAD_LABEL, BAD_NODE, MISSING_ATTRIBUTE, REPEATED_ATTRIBUTE, UNKNOWN_ATTRIBUTE, WRONG_TYPE,
};
use crate::diagnostic::{Anchor, Checked, Diagnostic};
use crate::evaluate::Names;
use crate::frame::{Frame, Placed};
use crate::label::WsPath;
use crate::package::PackageDef;
use crate::pattern::Pattern;
use crate::read::{self, Problems, list};
use crate::rule::{AttrType, Shape};
use crate::suggest::did_you_mean;
use crate::syntax::{Node, Value};
use crate::typed::typed;
use crate::value::AttrValue;
use crate::vars::{VarValue, Vars, typed_values};

/// The node of an instance.
pub const INSTANCE: &str = "instance";

/// What an instance says: the package, and the values of its variables.
const OF: &str = "of";
const WHEN: &str = "when";

/// The package that the instance `placed` is of.
///
/// # Errors
/// If it does not say which.
pub fn package_of(placed: &Placed) -> Result<WsPath, Diagnostic> {
    let node = &placed.def.node;
    let Some(value) = read::prop(node, OF) else {
        let message = "`instance` needs the package that it is of";
        let problem = Diagnostic::error(MISSING_ATTRIBUTE, message).at(placed.def.anchor());
        return Err(placed.frame.traced(problem.hint("write `of=\"//package\"`")));
    };
    let package = value.text().and_then(|text| Pattern::parse(text, &placed.frame.package).ok());
    match package {
        Some(Pattern::Package(package)) => Ok(package),
        _ => {
            let message = format!("expected a package, found {}", value.scalar.described());
            let problem = Diagnostic::error(BAD_LABEL, message).at(&value.anchor);
            Err(placed.frame.traced(problem.hint("write it as `//folder`")))
        }
    }
}

/// Where the targets of `package` stand in the instance `placed`; nothing, without a problem, if
/// `when` switches it off.
pub fn instantiate(
    placed: &Placed,
    package: &PackageDef,
    vars: Option<&Vars>,
) -> Checked<Option<Frame>> {
    let frame = &placed.frame;
    let Checked { value: given, problems } = given(placed, package, vars);
    if !problems.is_empty() {
        return Checked { value: None, problems };
    }
    if given.get(WHEN).is_some_and(|when| when.value == AttrValue::Bool(false)) {
        return Checked::clean(None);
    }
    let outer = Frame {
        file: package.file.clone(),
        folder: package.package.clone(),
        globs: package.package.clone(),
        instance: Some(placed.label.clone()),
        ..Frame::clone(frame)
    };
    match outer.of_use(placed, &package.block, Arc::default()) {
        Ok(inside) => Checked::clean(Some(inside)),
        Err(problem) => Checked { value: None, problems: vec![problem] },
    }
}

/// The variables of the instance `placed` of `package`, which sees `own` of itself.
pub fn instance_vars(
    placed: &Placed,
    package: &PackageDef,
    (vars, own): (Option<&Vars>, &Vars),
) -> Vars {
    let mut given = given(placed, package, vars).value;
    given.remove(WHEN);
    own.with(given)
}

/// The values that the instance gives to variables of `package`, and `when`.
fn given(
    placed: &Placed,
    package: &PackageDef,
    vars: Option<&Vars>,
) -> Checked<BTreeMap<String, VarValue>> {
    let Placed { def, frame, .. } = placed;
    let names = Names { target: &def.name, vars, bindings: &frame.bindings };
    let mut problems = Problems::default();
    let mut given: BTreeMap<String, VarValue> = BTreeMap::new();
    let mut seen: BTreeMap<&str, &Anchor> = BTreeMap::new();
    for (name, values, anchor) in written(&def.node, &mut problems) {
        if name == OF {
            continue;
        }
        if let Some(first) = seen.insert(name, anchor) {
            let message = format!("`{name}` is given twice");
            let problem = Diagnostic::error(REPEATED_ATTRIBUTE, message);
            problems.push(problem.noted(anchor, "again here").noted(first, "first here"));
            continue;
        }
        let plain: Vec<Value> =
            values.iter().flat_map(|value| names.values(value, &mut problems)).collect();
        if name == WHEN {
            match plain.as_slice() {
                [value] => {
                    let flag = read::flag(value, &mut problems).map(AttrValue::Bool);
                    let value = flag.map(|value| VarValue {
                        scalars: Vec::new(),
                        value,
                        placeholder: None,
                    });
                    given.extend(value.map(|value| (name.to_owned(), value)));
                }
                _ => {
                    let problem = Diagnostic::error(WRONG_TYPE, "`when` takes one flag");
                    problems.push(problem.at(anchor));
                }
            }
            continue;
        }
        let Some(var) = package.vars.iter().find(|var| var.name == name) else {
            problems.push(unknown(name, anchor, package));
            continue;
        };
        if var.schema.shape != Shape::List && plain.len() != 1 {
            let message = format!("`{name}` has one value, not {}", plain.len());
            let problem = Diagnostic::error(WRONG_TYPE, message).at(anchor);
            problems.push(problem.noted(&var.anchor, "declared here"));
            continue;
        }
        // Paths and labels are those of who gives them, in whatever package they are read.
        let is_file = var.schema.ty.is_file() || var.schema.ty == AttrType::Label;
        let settled = plain.iter().map(|value| match is_file {
            false => Ok(value.clone()),
            true => typed(value, &var.schema, frame.place()).map(|typed| {
                let plain = Binding::of_value(&typed).values.into_iter().next();
                plain.map_or_else(|| value.clone(), |plain| plain.at(value))
            }),
        });
        let settled = problems.take(settled.collect::<Result<Vec<Value>, _>>());
        let value =
            settled.map(|settled| typed_values(var, &settled).map(|value| (value, settled)));
        if let Some((value, settled)) = value.and_then(|value| problems.take(value)) {
            let scalars = settled.into_iter().map(Plain::from).collect();
            let placeholder = var.schema.placeholder.clone();
            given.insert(name.to_owned(), VarValue { scalars, value, placeholder });
        }
    }
    let problems = problems.0.into_iter().map(|problem| frame.traced(problem)).collect();
    Checked { value: given, problems }
}

/// What stands in an instance: a name, its values, and where.
fn written<'n>(node: &'n Node, problems: &mut Problems) -> Vec<(&'n str, Vec<Value>, &'n Anchor)> {
    let props = node.props.iter();
    let mut all: Vec<_> =
        props.map(|(name, value)| (name.as_str(), vec![value.clone()], &value.anchor)).collect();
    for child in &node.children {
        read::only_props(child, &[], problems);
        read::no_children(child, problems);
        if child.name == OF {
            let problem = Diagnostic::error(BAD_NODE, "`of` is written beside the name");
            problems.push(problem.at(&child.anchor).hint("write `of=\"//package\"`"));
        }
        all.push((child.name.as_str(), child.args.clone(), &child.anchor));
    }
    all
}

fn unknown(name: &str, anchor: &Anchor, package: &PackageDef) -> Diagnostic {
    let names: Vec<&str> = package.vars.iter().map(|var| var.name.as_str()).collect();
    let message = format!("`//{}` has no variable `{name}`", package.package);
    let hint =
        did_you_mean(name, names.iter().copied()).unwrap_or_else(|| match names.is_empty() {
            true => format!("declare it in `params` of `//{}`", package.file),
            false => format!("it has {}", list(&names)),
        });
    Diagnostic::error(UNKNOWN_ATTRIBUTE, message).at(anchor).hint(hint)
}

/// The problem of an instance of what is no package.
pub fn no_package(placed: &Placed, package: &WsPath) -> Diagnostic {
    let anchor = read::prop(&placed.def.node, OF).map_or(placed.def.anchor(), |of| &of.anchor);
    let message = format!("no package `//{package}`");
    let problem = Diagnostic::error(crate::codes::UNKNOWN_PACKAGE, message).at(anchor);
    placed.frame.traced(problem.hint("a package is a folder with a BUILD.kdl"))
}

/// The packages that the text of `package` has instances of, in its templates too.
pub fn instances_in(package: &PackageDef) -> Vec<WsPath> {
    let mut found = Vec::new();
    let templates = package.own.templates.iter().map(|template| &template.block);
    let mut next: Vec<&Arc<Block>> = templates.chain([&package.block]).collect();
    while let Some(block) = next.pop() {
        for member in &block.members {
            next.extend(member.fan_out.as_ref().map(|fan_out| &fan_out.block));
            let of =
                (member.rule == INSTANCE).then(|| read::prop(&member.node, OF)?.text()).flatten();
            let of = of.and_then(|of| Pattern::parse(of, &package.package).ok());
            if let Some(Pattern::Package(of)) = of {
                found.push(of);
            }
        }
    }
    found
}
