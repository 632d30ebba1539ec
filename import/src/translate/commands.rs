//! Steps that start programs.

use vwfb_rules::tools::BASE_PROGRAMS;

use super::Making;
use super::still::{Still, joined, listed, still};
use crate::command::{Command, Word};
use crate::ground::Spot;
use crate::names::plain;
use crate::target::{Attr, Piece, Target, Value, text};
use crate::text::Text;
use crate::workflow::Work;

impl Making<'_> {
    pub(super) fn command(&mut self, at: usize) {
        let Work::RunCommand { program, args, cwd, capture } = &self.at(at).work else { return };
        let command = self.flow.commands.get(&at).cloned().unwrap_or_default();
        let name = self.workflow.resolved(program);
        let base = name.rsplit('/').next().unwrap_or_default().to_owned();
        let resolved = |text: &Text| self.workflow.resolved(text);
        if base == "ffmpeg" && capture.is_none() {
            if let Some(still) = still(&command, resolved) {
                return self.still_clip(at, &still);
            }
            if let Some((list, output)) = joined(&command, resolved)
                && self.join(at, &list, &output)
            {
                return;
            }
        }
        let line = [program].into_iter().chain(args);
        let line: Vec<String> = line.map(|arg| shell_word(&self.workflow.resolved(arg))).collect();
        if command.unclear {
            let said = line.join(" ");
            self.parts.left.push((
                at,
                format!(
                    "`{}` (line {}) is not carried over, as nothing says which files it writes: {said}",
                    self.at(at).id,
                    self.line(at)
                ),
            ));
            let text = "a command is not carried over: nothing says which files it writes. Write a \
                        `task` with `srcs`, `out` and `run`, where BUILD.kdl has its comment";
            let line = self.line(at);
            return self.parts.notes.lose(line, text);
        }
        if cwd.is_some() {
            let text = "`cwd` is left out: a task runs in a folder of its own, where its sources are \
                        in `in/` and its outputs in `out/`";
            self.note(at, text);
        }
        for path in &command.unknown {
            let text = format!(
                "`{path}` is neither there nor written by a step: if the command reads it, name it \
                 in `srcs`; if it writes it, with `out`"
            );
            self.note(at, text);
        }
        self.note(
            at,
            "a command that fails now stops what needs it: VWF took any exit status for success",
        );
        self.task(at, program, &command, capture.as_ref());
    }

    fn task(&mut self, at: usize, program: &Text, command: &Command, capture: Option<&Text>) {
        let mut target = self.target(at, "task");
        let mut sources: Vec<(String, Value)> = Vec::new();
        for path in &command.reads {
            let value = self.file_at(at, path, None, "any");
            sources.push((path.clone(), value));
        }
        let mut srcs: Vec<Value> = Vec::new();
        for (_, value) in &sources {
            if !srcs.contains(value) {
                srcs.push(value.clone());
            }
        }
        // A list of which all is left out would be an error that hides what is missing.
        let is_skipped = |value: &Value| matches!(value, Value::Source(_, Some("skip")));
        if srcs.iter().all(is_skipped) {
            for value in &mut srcs {
                if let Value::Source(_, stand_in) = value {
                    *stand_in = None;
                }
            }
        }
        if !srcs.is_empty() {
            target = target.list("srcs", srcs.clone());
        }
        let capture = capture.map(|text| self.path(text));
        let mut outs: Vec<(String, String)> = Vec::new();
        let all: Vec<String> = command.writes.iter().cloned().chain(capture.clone()).collect();
        for path in &all {
            let out = self.out_path(path).unwrap_or_else(|| format!("out-{}", outs.len() + 1));
            let stem = out.rsplit('/').next().unwrap_or_default();
            let stem = stem.rsplit_once('.').map_or(stem, |(stem, _)| stem);
            let mut name = plain(stem, "out");
            while outs.iter().any(|(_, other)| *other == name) {
                name.push_str("-2");
            }
            let values = vec![text(&out), Value::Named("name", name.clone())];
            target.attrs.push(Attr { name: "out", values, list: false });
            outs.push((path.clone(), name));
        }
        let out_piece = |path: &str| {
            let (_, name) = outs.iter().find(|(out, _)| out == path)?;
            Some(Piece::Out(if outs.len() == 1 { String::new() } else { name.clone() }))
        };
        let source = |path: &str| sources.iter().find(|(source, _)| source == path);
        let mut values = self.program(at, program, &mut target);
        for words in &command.args {
            let mut pieces: Vec<Piece> = Vec::new();
            for word in words {
                match word {
                    Word::Text(text) => pieces.extend(self.pieces(text)),
                    Word::Path(path) => match (out_piece(path), source(path)) {
                        (Some(piece), _) => pieces.push(piece),
                        (None, Some(_)) if srcs.len() == 1 && words.len() == 1 => {
                            pieces.push(Piece::OnlySource);
                        }
                        (None, Some((_, value))) => pieces.extend(self.role(value, path)),
                        (None, None) => pieces.push(Piece::Plain(path.clone())),
                    },
                }
            }
            values.push(Value::Text(joined_pieces(pieces)));
        }
        if let Some(capture) = &capture {
            target = target.with("stdout", Value::Text(out_piece(capture).into_iter().collect()));
            let text = "`capture_path` has what the command prints to its standard output; its \
                        status is that of the task, and its standard error is in `vwfb log`";
            self.note(at, text);
        }
        target.attrs.push(Attr { name: "run", values, list: false });
        let id = self.add(at, target);
        for (path, name) in &outs {
            let output = if outs.len() == 1 { String::new() } else { format!("#{name}") };
            self.outputs.insert((at, path.clone()), Value::Made(id, output));
        }
    }

    /// The program and the arguments that it comes with.
    fn program(&mut self, at: usize, program: &Text, target: &mut Target) -> Vec<Value> {
        let name = self.workflow.resolved(program);
        if program.has_vars() {
            self.note(at, "variables in `program` are written out: a task names its tool");
        }
        if !name.contains('/') {
            if !BASE_PROGRAMS.contains(&name.as_str()) {
                self.parts.tools.insert(name.clone());
            }
            if name.starts_with("python") {
                let text = format!(
                    "`{name}` reads its modules from a folder: say in WORKSPACE.kdl which one, with a \
                     `toolchain \"{name}\"`"
                );
                self.note(at, text);
            }
            if matches!(name.as_str(), "sh" | "bash" | "dash" | "ksh" | "zsh") {
                let text = "what a shell starts, but for the coreutils, is named with `tool`";
                self.note(at, text);
            }
            // A shell starts what is in the base set, which `env` is of.
            if matches!(name.as_str(), "bash" | "dash" | "ksh" | "zsh") {
                target.attrs.push(Attr { name: "tool", values: vec![text(&name)], list: false });
                return vec![text("env"), text(&name)];
            }
            return vec![text(&name)];
        }
        let path = self.ground.path(&name);
        let path_name = path.rsplit('/').next().unwrap_or_default().to_owned();
        let base = plain(&path_name, "program");
        if let Some(value @ Value::Made(..) | value @ Value::File(_)) =
            self.flow.origins[at].get(&path).and_then(|it| self.outputs.get(&(*it, path.clone())))
        {
            let value = value.clone();
            let has_it = target.attr("srcs").is_some_and(|srcs| srcs.values.contains(&value));
            if !has_it {
                target
                    .attrs
                    .insert(0, Attr { name: "srcs", values: vec![value.clone()], list: true });
            }
            self.note(at, "a script that the workflow writes is run by `sh`");
            let pieces = self.role(&value, &path);
            return vec![text("sh"), Value::Text(joined_pieces(pieces))];
        }
        let place = match self.ground.spot(&path) {
            Spot::Workspace(place) => format!("//{place}"),
            Spot::Outside(_) | Spot::Unnamable => path,
        };
        self.parts.tools.insert(place.clone());
        self.parts.toolchains.insert(base.clone(), place);
        target.attrs.push(Attr { name: "tool", values: vec![text(&base)], list: false });
        let text_of = "a program with a path has a `toolchain` of its own and is started by `env`: the \
                       programs that it starts itself are named with `tool`";
        self.note(at, text_of);
        vec![text("env"), text(&path_name)]
    }

    /// Where a task finds `value`, the source at `path`.
    fn role(&self, value: &Value, path: &str) -> Vec<Piece> {
        match value {
            Value::Made(id, output) => {
                let mut pieces = vec![Piece::Role(*id, output.clone())];
                // What is within a tree.
                if let Some((_, inside)) = output.split_once('/') {
                    pieces =
                        vec![Piece::Role(*id, String::new()), Piece::Plain(format!("/{inside}"))];
                }
                pieces
            }
            Value::File(file) => vec![Piece::FileRole(*file)],
            _ => {
                let place = match (self.ground.spot(path), self.assets.get(path)) {
                    (_, Some(asset)) => return vec![Piece::Plain(format!("in/{asset}"))],
                    (Spot::Workspace(place), None) => place,
                    _ => return vec![Piece::Plain(path.to_owned())],
                };
                vec![Piece::Plain(self.ground.role(&place))]
            }
        }
    }

    fn still_clip(&mut self, at: usize, still: &Still) {
        let image = self.file_at(at, &still.image, None, "image");
        let mut audio = self.file_at(at, &still.audio, None, "audio");
        if self.media(&audio) == Some("video") {
            let name = self.label(at);
            let name = self.parts.names.unique(&format!("{name}-sound"));
            let sound = Target::new(name, "resample", at).with("audio", audio);
            audio = Value::Made(self.add(at, sound), String::new());
        }
        let drawn = self.picture_size(&image);
        let (width, height) = still.size.or(drawn).unwrap_or_else(|| self.film_size());
        let pad = still.pad.as_deref().unwrap_or("0");
        let fps = still.fps.filter(|fps| (1..=300).contains(fps) && 44_100 % fps == 0);
        let mut target = self
            .target(at, "still_clip")
            .with("image", image)
            .with("audio", audio)
            .with("pad-before", text("0s"))
            .with("pad-after", text(&format!("{pad}s")))
            .with("fade", text("0s"))
            .with("width", Value::Int(width))
            .with("height", Value::Int(height));
        target = target.maybe("fps", fps.filter(|fps| *fps != 30).map(Value::Int));
        target = target.maybe("crf", still.crf.map(Value::Int));
        target = target.maybe("preset", still.preset.as_deref().map(text));
        let id = self.add(at, target);
        self.outputs.insert((at, still.output.clone()), Value::Made(id, String::new()));
        let text = "an ffmpeg command that shows a picture over a recording is a `still_clip`, whose \
                    sound stays PCM until the film is finished";
        self.note(at, text);
    }

    /// A film of the clips in a list that the workflow writes; whether it is one.
    fn join(&mut self, at: usize, list: &str, output: &str) -> bool {
        let Some(writer) = self.flow.origins[at].get(list).copied() else { return false };
        let Work::WriteFile { content, .. } = &self.at(writer).work else { return false };
        let Some(files) = listed(&self.workflow.resolved(content)) else { return false };
        let folder = list.rsplit_once('/').map_or("/", |(folder, _)| folder);
        let mut values = Vec::new();
        for file in files {
            let path = self.ground.absolute(folder, &file);
            // Names in a list are relative to it.
            let made = |path: &str| {
                let of = |value: &(&(usize, String), &Value)| value.0.1 == path;
                self.outputs.iter().filter(of).map(|(_, value)| value.clone()).next_back()
            };
            let value = match made(&path).or_else(|| made(&self.ground.path(&file))) {
                Some(value) => value,
                None => self.file_at(at, &path, None, "video"),
            };
            values.push(value);
        }
        let values = self.alike(at, values);
        let id = self.target(at, "concat").list("clips", values);
        let id = self.add(at, id);
        self.outputs.insert((at, output.to_owned()), Value::Made(id, String::new()));
        self.leave_out(at, writer, list);
        self.note(at, "an ffmpeg command that joins the clips of a list is a `concat`");
        true
    }
}

impl Making<'_> {
    /// Leaves out the list that `writer` wrote to `list`, if only the step `at` reads it.
    fn leave_out(&mut self, at: usize, writer: usize, list: &str) {
        let reads = |step: &usize| self.flow.origins[*step].get(list) == Some(&writer);
        if (0..self.workflow.steps.len()).any(|step| step != at && reads(&step)) {
            return;
        }
        match self.outputs.remove(&(writer, list.to_owned())) {
            Some(Value::File(file)) => self.parts.files[file].path.clear(),
            Some(Value::Made(id, _)) => {
                self.parts.targets[id].rule = "";
                self.ends[writer].clear();
            }
            _ => {}
        }
    }
}

/// `pieces` without empty ones, and no two plain ones in a row.
fn joined_pieces(pieces: Vec<Piece>) -> Vec<Piece> {
    let mut joined: Vec<Piece> = Vec::new();
    for piece in pieces {
        match (joined.last_mut(), piece) {
            (Some(Piece::Plain(before)), Piece::Plain(more)) => before.push_str(&more),
            (_, piece) => joined.push(piece),
        }
    }
    if joined.len() > 1 {
        joined.retain(|piece| *piece != Piece::Plain(String::new()));
    }
    joined
}

/// A word as a shell would read it, for a comment.
fn shell_word(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./:@%+,=".contains(c);
    match !word.is_empty() && word.chars().all(plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', r"'\''")),
    }
}
