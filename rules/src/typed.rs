//! From a plain value to one of an attribute's type.

use crate::codes::{
    BAD_GLOB, BAD_LABEL, BAD_NAME, BAD_PATH, FILE_IN_TEXT, NOT_IN_ENUM, OUT_OF_RANGE,
    UNKNOWN_ANNOTATION, WRONG_MEDIA, WRONG_UNIT,
};
use crate::diagnostic::{Anchor, Diagnostic};
use crate::frame::Place;
use crate::label::{LabelError, WsPath, is_name, is_reference};
use crate::read::{list, wrong_type};
use crate::rule::{AttrDef, AttrType};
use crate::suggest::did_you_mean;
use crate::syntax::{Float, Scalar, Value};
use crate::units;
use crate::value::{AttrValue, FileName, FileUse};

/// The annotation of a value that braces stand for and that is a file. No text can have it.
pub(crate) const FILE: &str = "\0file";
/// The same for one that is a path of the workspace, whatever characters are in it.
pub(crate) const PATH: &str = "\0path";
/// The same for one that is an item of a fan-out and names an output.
pub(crate) const ITEM: &str = "\0item";
/// The same for an item that is a path.
pub(crate) const ITEM_PATH: &str = "\0item-path";

/// `value`, without interpolations, as one value of `attr`; its paths and labels are those of
/// `place`.
pub(crate) fn typed(
    value: &Value,
    attr: &AttrDef,
    place: Place<'_>,
) -> Result<AttrValue, Diagnostic> {
    check_annotation(value, attr.ty)?;
    match (attr.ty, &value.scalar) {
        (AttrType::Bool, Scalar::Bool(flag)) => Ok(AttrValue::Bool(*flag)),
        (AttrType::Int, Scalar::Int(number)) =>
        {
            #[expect(clippy::cast_precision_loss, reason = "bounds beyond 2^53 mean nothing")]
            in_range(*number as f64, value, attr).map(|()| AttrValue::Int(*number))
        }
        (AttrType::Float, Scalar::Int(number)) => {
            #[expect(clippy::cast_precision_loss, reason = "the attribute asks for a float")]
            let number = *number as f64;
            in_range(number, value, attr).map(|()| AttrValue::Float(Float(number)))
        }
        (AttrType::Float, Scalar::Float(number)) if number.0.is_finite() => {
            in_range(number.0, value, attr).map(|()| AttrValue::Float(*number))
        }
        (AttrType::Json, scalar) => Ok(AttrValue::Text(json(scalar, value)?)),
        (AttrType::Duration | AttrType::Size | AttrType::Color, scalar) => {
            unit(attr.ty, scalar).ok_or_else(|| wrong_unit(attr.ty, value))
        }
        (ty, Scalar::Text(text)) => from_text(ty, text, value, attr, place),
        (ty, _) => Err(mismatch(value, ty, attr)),
    }
}

fn from_text(
    ty: AttrType,
    text: &str,
    value: &Value,
    attr: &AttrDef,
    place: Place<'_>,
) -> Result<AttrValue, Diagnostic> {
    match ty {
        AttrType::Text => Ok(AttrValue::Text(text.into())),
        AttrType::Enum => choice(text, value, attr),
        AttrType::File | AttrType::Tree | AttrType::Artifact => {
            let what = file_name(text, value, attr, place)?;
            let item = matches!(value.annotation.as_deref(), Some(ITEM | ITEM_PATH));
            let (anchor, placeholder) = (value.anchor.clone(), attr.placeholder.clone());
            Ok(AttrValue::File(FileUse { what, anchor, item, placeholder }))
        }
        AttrType::Label => {
            let label = place.label(text).map_err(|e| bad_label(&e, &value.anchor))?;
            Ok(AttrValue::Label(label, value.anchor.clone()))
        }
        AttrType::Secret if is_variable(text) => Ok(AttrValue::Secret(text.into())),
        AttrType::Secret => {
            Err(Diagnostic::error(BAD_NAME, format!("`{text}` is no secret's name"))
                .at(&value.anchor)
                .hint("name the environment variable of vwfb that holds it, such as `API_KEY`"))
        }
        _ => Err(mismatch(value, ty, attr)),
    }
}

/// The problem of a text that is no label.
pub(crate) fn bad_label(error: &LabelError, anchor: &Anchor) -> Diagnostic {
    let code = match error {
        LabelError::Absolute { .. }
        | LabelError::Leaves { .. }
        | LabelError::PathCharacter { .. } => BAD_PATH,
        _ => BAD_LABEL,
    };
    let hint = match error {
        LabelError::NoColon { text } if is_name(text) => Some(format!("did you mean `:{text}`?")),
        LabelError::NoColon { .. } | LabelError::NoPackage { .. } => {
            Some("write `:name` for a target of this package, `//package:name` for another".into())
        }
        LabelError::Absolute { text } => {
            Some(format!("write `/{text}` for a path from the workspace's root"))
        }
        LabelError::Leaves { .. } => Some("copy or link the file into the workspace".into()),
        _ => None,
    };
    Diagnostic::error(code, error.to_string()).at(anchor).maybe_hint(hint)
}

fn check_annotation(value: &Value, ty: AttrType) -> Result<(), Diagnostic> {
    match value.annotation.as_deref() {
        None => Ok(()),
        Some("glob" | FILE | PATH | ITEM | ITEM_PATH) if ty.is_file() => Ok(()),
        Some(FILE | ITEM) if ty == AttrType::Label => Ok(()),
        Some(FILE | PATH | ITEM | ITEM_PATH) => {
            let message = "this is a file, and a value of another type is needed";
            let hint =
                "give it to an attribute that takes a file, or read its `.content` or `.stem`";
            Err(Diagnostic::error(FILE_IN_TEXT, message).at(&value.anchor).hint(hint))
        }
        Some("glob") => {
            Err(Diagnostic::error(BAD_GLOB, "a `(glob)` stands for files, and this is no file")
                .at(&value.anchor))
        }
        Some(other) => {
            let message = format!("`({other})` means nothing here");
            let hint = did_you_mean(other, ["glob"]);
            Err(Diagnostic::error(UNKNOWN_ANNOTATION, message).at(&value.anchor).maybe_hint(hint))
        }
    }
}

fn file_name(
    text: &str,
    value: &Value,
    attr: &AttrDef,
    place: Place<'_>,
) -> Result<FileName, Diagnostic> {
    let is_path = matches!(value.annotation.as_deref(), Some(PATH | ITEM_PATH));
    if value.annotation.as_deref() == Some("glob") {
        let (package, pattern) = (place.globs.clone(), text.to_owned());
        return check_glob(text, &value.anchor).map(|()| FileName::Glob {
            package,
            pattern,
            allow_empty: false,
        });
    }
    if is_reference(text) && !is_path {
        let reference = place.reference(text);
        return reference.map(FileName::Reference).map_err(|e| bad_label(&e, &value.anchor));
    }
    if text.is_empty() {
        let problem = Diagnostic::error(BAD_PATH, "a path cannot be empty").at(&value.anchor);
        return Err(problem.hint(match attr.ty {
            AttrType::File => {
                "to do without the file, give it no value: leave out the attribute, or write \
                 `default` with nothing behind it for a list among `params`"
            }
            _ => "write `.` for the package's folder",
        }));
    }
    let path = place.folder.join(text).map_err(|error| bad_label(&error, &value.anchor))?;
    check_extension(&path, attr, &value.anchor)?;
    Ok(FileName::Path(path))
}

/// Whether a file at `path` is one of those that `attr` takes by their names.
pub(crate) fn check_extension(
    path: &WsPath,
    attr: &AttrDef,
    anchor: &Anchor,
) -> Result<(), Diagnostic> {
    let is_one = |known: &String| path.extension().is_some_and(|it| it.eq_ignore_ascii_case(known));
    if attr.extensions.is_empty() || attr.extensions.iter().any(is_one) {
        return Ok(());
    }
    let names: Vec<String> = attr.extensions.iter().map(|it| format!(".{it}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let message = format!("`{}` cannot be `{path}`", attr.name);
    let hint = format!("it takes files that end in {}", list(&names));
    Err(Diagnostic::error(WRONG_MEDIA, message).at(anchor).hint(hint))
}

/// Whether a list of `length` values is as long as `attr` says.
pub(crate) fn check_count(
    attr: &AttrDef,
    length: usize,
    anchor: &Anchor,
) -> Result<(), Diagnostic> {
    match attr.count {
        Some(count) if count as usize != length => {
            let message = format!("`{}` has {count} values, not {length}", attr.name);
            Err(Diagnostic::error(OUT_OF_RANGE, message).at(anchor))
        }
        _ => Ok(()),
    }
}

fn check_glob(pattern: &str, anchor: &Anchor) -> Result<(), Diagnostic> {
    let fault = |message: &str, hint: &str| {
        let message = format!("`{pattern}` {message}");
        Err(Diagnostic::error(BAD_GLOB, message).at(anchor).hint(hint))
    };
    if pattern.starts_with('/') {
        return fault("does not begin in this package", "give that folder's files a `filegroup`");
    }
    if pattern.split('/').any(|part| matches!(part, "" | "." | "..")) {
        return fault("has a part that is empty, `.` or `..`", "begin at the package's folder");
    }
    if pattern.split('/').any(|part| part.contains("**") && part != "**") {
        return fault("has a `**` beside other characters", "`**` stands for whole folders");
    }
    // Alternatives in braces and a leading `!` may come to mean something.
    if pattern.contains(['\\', '\n', '{', '}'])
        || pattern.starts_with('!')
        || pattern.matches('[').count() != pattern.matches(']').count()
    {
        return fault("is not written as a pattern", "use `*`, `?`, `[a-z]` and `**`");
    }
    Ok(())
}

fn choice(text: &str, value: &Value, attr: &AttrDef) -> Result<AttrValue, Diagnostic> {
    if attr.values.iter().any(|known| known == text) {
        return Ok(AttrValue::Text(text.into()));
    }
    let names: Vec<&str> = attr.values.iter().map(String::as_str).collect();
    let hint = did_you_mean(text, names.iter().copied())
        .unwrap_or_else(|| format!("`{}` is one of {}", attr.name, list(&names)));
    let message = format!("`{}` cannot be `{text}`", attr.name);
    Err(Diagnostic::error(NOT_IN_ENUM, message).at(&value.anchor).hint(hint))
}

fn in_range(number: f64, value: &Value, attr: &AttrDef) -> Result<(), Diagnostic> {
    let low = attr.min.filter(|min| number < min.0);
    let high = attr.max.filter(|max| number > max.0);
    let Some((side, bound)) = low.map(|b| ("at least", b)).or_else(|| high.map(|b| ("at most", b)))
    else {
        return Ok(());
    };
    let message = format!("`{}` is {side} {}, not {number}", attr.name, bound.0);
    Err(Diagnostic::error(OUT_OF_RANGE, message).at(&value.anchor))
}

/// Whether `text` can name an environment variable.
pub(crate) fn is_variable(text: &str) -> bool {
    !text.starts_with(|c: char| c.is_ascii_digit())
        && !text.is_empty()
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

fn unit(ty: AttrType, scalar: &Scalar) -> Option<AttrValue> {
    let Scalar::Text(text) = scalar else { return None };
    match ty {
        AttrType::Duration => units::duration(text).map(AttrValue::Duration),
        AttrType::Size => units::size(text).map(AttrValue::Size),
        _ => units::color(text).map(AttrValue::Text),
    }
}

fn wrong_unit(ty: AttrType, value: &Value) -> Diagnostic {
    let (wanted, example) = match ty {
        AttrType::Duration => ("a duration", "`200ms`, `2.5s`, `5m` or `1h`"),
        AttrType::Size => ("a size", "`100B`, `64MiB` or `1.5GB`"),
        _ => ("a colour", "`#1a1a2e` or, with opacity, `#1a1a2e80`"),
    };
    let message = format!("expected {wanted}, found {}", value.scalar.described());
    let hint = match (&value.scalar, ty) {
        (Scalar::Int(number), AttrType::Duration) => format!("write `\"{number}s\"` for seconds"),
        (Scalar::Int(number), AttrType::Size) => format!("write `\"{number}B\"` for bytes"),
        _ => format!("write it as {example}"),
    };
    Diagnostic::error(WRONG_UNIT, message).at(&value.anchor).hint(hint)
}

fn mismatch(value: &Value, ty: AttrType, attr: &AttrDef) -> Diagnostic {
    let wanted = match ty {
        AttrType::Bool => "`#true` or `#false`",
        AttrType::Int => "a whole number",
        AttrType::Float => "a number",
        AttrType::File => "a file: a path or a label",
        AttrType::Tree => "a directory: a path or a label",
        AttrType::Artifact => "a file or directory: a path or a label",
        AttrType::Label => "a label",
        AttrType::Secret => "a secret's name",
        _ => "a text",
    };
    let problem = wrong_type(value, &format!("{wanted} for `{}`", attr.name));
    match &value.scalar {
        Scalar::Text(text) if matches!(ty, AttrType::Int | AttrType::Float) => {
            let number = text.parse::<f64>().is_ok();
            problem.maybe_hint(number.then(|| format!("write `{text}` without quotes")))
        }
        Scalar::Text(text) if ty == AttrType::Bool && matches!(text.as_str(), "true" | "false") => {
            problem.hint(format!("write `#{text}`"))
        }
        Scalar::Int(number) if ty == AttrType::Text => {
            problem.hint(format!("write `\"{number}\"`"))
        }
        _ => problem,
    }
}

/// A JSON value as canonical text: no spaces, keys sorted.
fn json(scalar: &Scalar, value: &Value) -> Result<String, Diagnostic> {
    let fault = |message| Diagnostic::error(WRONG_UNIT, message).at(&value.anchor);
    match scalar {
        Scalar::Text(text) => serde_json::from_str::<serde_json::Value>(text)
            .map(|json| json.to_string())
            .map_err(|error| fault(format!("this is not JSON: {error}"))),
        Scalar::Int(number) => Ok(number.to_string()),
        Scalar::Float(number) if number.0.is_finite() => Ok(number.0.to_string()),
        Scalar::Float(_) => Err(fault("JSON has no such number".into())),
        Scalar::Bool(flag) => Ok(flag.to_string()),
        Scalar::Null => Ok("null".into()),
    }
}
