//! Whether a text interpolates a name, which is not worked out where nobody asks for it.

use crate::interpolate::Template;
use crate::syntax::{Node, Value};

/// Whether something in `node` interpolates what begins with `path`.
pub(crate) fn mentions(node: &Node, path: &[&str]) -> bool {
    let values = node.args.iter().chain(node.props.iter().map(|(_, value)| value));
    values.into_iter().any(|value| in_value(value, path))
        || node.children.iter().any(|child| mentions(child, path))
}

fn in_value(value: &Value, path: &[&str]) -> bool {
    let Some(text) = value.text().filter(|text| text.contains('{')) else { return false };
    let Ok(template) = Template::parse(text, &value.anchor) else { return false };
    template
        .fields()
        .any(|field| field.iter().map(String::as_str).take(path.len()).eq(path.iter().copied()))
}
