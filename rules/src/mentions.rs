//! Whether a text interpolates a name, which is not worked out where nobody asks for it.

use crate::interpolate::Template;
use crate::syntax::{Node, Value};

/// Whether something in `node` interpolates what begins with `path`.
pub(crate) fn mentions(node: &Node, path: &[&str]) -> bool {
    any(node, &|field| field.iter().map(String::as_str).take(path.len()).eq(path.iter().copied()))
}

/// Whether something in `node` interpolates any field of `name`.
pub(crate) fn mentions_fields(node: &Node, name: &str) -> bool {
    any(node, &|field| field.len() > 1 && field[0] == name)
}

fn any(node: &Node, is: &dyn Fn(&[String]) -> bool) -> bool {
    let values = node.args.iter().chain(node.props.iter().map(|(_, value)| value));
    values.into_iter().any(|value| in_value(value, is))
        || node.children.iter().any(|child| any(child, is))
}

fn in_value(value: &Value, is: &dyn Fn(&[String]) -> bool) -> bool {
    let Some(text) = value.text().filter(|text| text.contains('{')) else { return false };
    let Ok(template) = Template::parse(text, &value.anchor) else { return false };
    template.fields().any(is)
}
