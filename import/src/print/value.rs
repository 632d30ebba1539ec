//! Values as KDL: texts with their interpolations, labels, paths.

use vwfb_rules::syntax::quoted;

use super::Place;
use crate::fold::Fold;
use crate::target::{Attr, Id, Piece, Value, plain_text};
use crate::translate::Parts;

/// Writes the values of a target.
pub(super) struct Values<'a> {
    pub(super) parts: &'a Parts,
    pub(super) folds: &'a [Fold],
    pub(super) places: &'a [Place],
    /// The fan-out that the target is in.
    pub(super) fold: Option<usize>,
}

impl Values<'_> {
    /// The values of an attribute; all items of a fan-out in a row are one.
    pub(super) fn of(&self, attr: &Attr) -> Vec<String> {
        let mut written = Vec::new();
        let mut rest = attr.values.as_slice();
        while let Some((first, others)) = rest.split_first() {
            if attr.list
                && let Some((count, all)) = self.all_of(rest)
            {
                written.push(all);
                rest = &rest[count..];
                continue;
            }
            rest = others;
            written.extend(self.value(first));
        }
        written
    }

    /// How many of `values`, from the first, are one target of every item of a fan-out, and its label.
    fn all_of(&self, values: &[Value]) -> Option<(usize, String)> {
        let Value::Made(first, output) = values.first()? else { return None };
        let Place::In(number, inner, _) = &self.places[*first] else { return None };
        if self.fold == Some(*number) {
            return None;
        }
        let fold = &self.folds[*number];
        let place = fold.block.iter().position(|target| target.name == *inner)?;
        if values.len() < fold.members.len() {
            return None;
        }
        let expected = fold.members.iter().map(|members| members[place]);
        let same =
            expected.zip(values).all(|(id, value)| *value == Value::Made(id, output.clone()));
        let is_last = place + 1 == fold.block.len();
        let of = if is_last { String::new() } else { format!(".{inner}") };
        let output = self.output(*first, output);
        same.then(|| (fold.members.len(), quoted(&format!(":{}{of}{output}", fold.name))))
    }

    fn value(&self, value: &Value) -> Option<String> {
        Some(match value {
            Value::Text(pieces) => text(&self.template(pieces)),
            Value::Int(number) => number.to_string(),
            Value::Float(number) => number.to_string(),
            Value::Flag(flag) => format!("#{flag}"),
            Value::Source(pieces, None) => quoted(&self.template(pieces)),
            Value::Source(pieces, Some(stand_in)) => {
                format!("{} placeholder={}", quoted(&self.template(pieces)), quoted(stand_in))
            }
            Value::File(file) => quoted(&braces(&self.parts.files[*file].path)),
            Value::Made(id, output) => quoted(&self.label(*id, output)),
            Value::Named(..) => return None,
        })
    }

    fn label(&self, id: Id, output: &str) -> String {
        let output = self.output(id, output);
        match &self.places[id] {
            Place::Own(name) => format!(":{name}{output}"),
            Place::In(fold, inner, _) if self.fold == Some(*fold) => format!(":{inner}{output}"),
            Place::In(fold, inner, item) => {
                format!(":{}[{item}].{inner}{output}", self.folds[*fold].name)
            }
        }
    }

    /// An output as a label has it; in a fan-out tasks name theirs anew.
    fn output(&self, id: Id, output: &str) -> String {
        let Place::In(fold, inner, _) = &self.places[id] else { return output.to_owned() };
        let Some(number) = self.out_number(id, output) else { return output.to_owned() };
        let target = self.folds[*fold].block.iter().find(|target| target.name == *inner);
        let out = target.and_then(|it| it.attrs.iter().filter(|it| it.name == "out").nth(number));
        out.map_or_else(|| output.to_owned(), |out| format!("#{}", out_name(out)))
    }

    /// Which output of a task `output` is.
    fn out_number(&self, id: Id, output: &str) -> Option<usize> {
        let name = output.strip_prefix('#')?;
        let outs = self.parts.targets[id].attrs.iter().filter(|attr| attr.name == "out");
        outs.into_iter().position(|out| out_name(out) == name)
    }

    /// Where a task finds an output of `id`.
    fn role(&self, id: Id, output: &str) -> String {
        let number = self.out_number(id, output).unwrap_or_default();
        let (target, name, before) = match &self.places[id] {
            Place::Own(name) => (&self.parts.targets[id], name, String::new()),
            Place::In(fold, inner, item) => {
                let block = &self.folds[*fold];
                let target = block.block.iter().find(|target| target.name == *inner);
                let before = match self.fold == Some(*fold) {
                    true => String::new(),
                    false => format!("{}/{item}/", block.name),
                };
                (target.unwrap_or(&self.parts.targets[id]), inner, before)
            }
        };
        let outs: Vec<&Attr> = target.attrs.iter().filter(|attr| attr.name == "out").collect();
        let path = match outs.get(number).and_then(|out| out.values.first()) {
            Some(Value::Text(pieces)) => plain_text(pieces),
            _ => target.output(name),
        };
        format!("in/{before}{path}")
    }

    /// A text with braces as the language has them.
    fn template(&self, pieces: &[Piece]) -> String {
        let piece = |piece: &Piece| match piece {
            Piece::Plain(text) => braces(text),
            Piece::Var(name) => format!("{{vars.{name}}}"),
            Piece::Role(id, output) => braces(&self.role(*id, output)),
            Piece::FileRole(file) => braces(&format!("in/{}", self.parts.files[*file].path)),
            Piece::OnlySource => "{srcs}".to_owned(),
            Piece::Out(name) if name.is_empty() => "{out}".to_owned(),
            Piece::Out(name) => format!("{{out.{name}}}"),
            Piece::Item(field) => {
                let item = self.fold.map_or("item", |fold| &self.folds[fold].item);
                let dot = if field.is_empty() { "" } else { "." };
                format!("{{{item}{dot}{field}}}")
            }
        };
        pieces.iter().map(piece).collect()
    }
}

fn out_name(out: &Attr) -> &str {
    let named = out.values.iter().find_map(|value| match value {
        Value::Named(_, name) => Some(name.as_str()),
        _ => None,
    });
    named.unwrap_or_default()
}

fn braces(text: &str) -> String {
    text.replace('{', "{{").replace('}', "}}")
}

/// A text as KDL: on lines of its own where it has several.
fn text(text: &str) -> String {
    let lines: Vec<&str> = text.split('\n').collect();
    let blank = |line: &&str| !line.is_empty() && line.chars().all(char::is_whitespace);
    let odd = |c: char| c != '\n' && c != '\t' && quoted(&c.to_string()).contains("\\u");
    let plain = lines.len() > 1 && !lines.iter().any(blank) && !text.contains(odd);
    // Of one line with a break after it nothing is gained.
    if !plain || (lines.len() == 2 && lines[1].is_empty()) {
        return quoted(text);
    }
    let mut block = String::from("\"\"\"\n");
    for line in lines {
        let line = line.replace('\\', "\\\\").replace("\"\"\"", "\\\"\\\"\\\"");
        if !line.is_empty() {
            block.push_str("    ");
            block.push_str(&line);
        }
        block.push('\n');
    }
    block.push_str("    \"\"\"");
    block
}

#[cfg(test)]
mod tests {
    use vwfb_rules::label::WsPath;
    use vwfb_rules::syntax::nodes;

    use super::*;

    #[test]
    fn texts_read_as_they_were() {
        for words in [
            "",
            "a",
            "a\n",
            "a\nb",
            "a\n\n  b\n",
            "\n\n",
            "  a\n b",
            "\"\"\"\nx\n\"\"\"",
            "a\\\nb\\n",
            "a\n   \nb",
            "a\r\nb",
            "tab\there\nx\ty",
            "a\u{202e}\nb",
            "\"\"\"\"\"\nq",
            "#\"\n\"#",
            "e\u{301}\n\u{1f600} \u{a0}\n",
        ] {
            let kdl = format!("a {}\n", text(words));
            let formatted = vwfb_rules::format::format(&kdl).unwrap();
            for kdl in [&kdl, &formatted] {
                let read = nodes(&WsPath::root(), kdl);
                assert_eq!(read.problems, [], "{words:?}\n{kdl}");
                assert_eq!(read.value[0].args[0].text(), Some(words), "{kdl}");
            }
        }
    }
}
