//! What the disk answered, in the few bytes that a snapshot keeps of it, and tools as questions.

use vwfb_rules::label::WsPath;
use vwfb_rules::scope::SourceKind;
use vwfb_rules::task::ToolDef;

use crate::db::{Db, Glob};
use crate::stamp::Stamp;

pub(super) fn list_digest<'a>(items: impl Iterator<Item = &'a str>) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    for item in items {
        hasher.update(item.as_bytes());
        hasher.update(b"\n");
    }
    *hasher.finalize().as_bytes()
}

pub(super) fn glob_digest(db: &dyn Db, glob: Glob) -> [u8; 32] {
    let (files, left_out) = (glob.files(db), glob.left_out(db));
    list_digest(files.iter().map(WsPath::as_str).chain(left_out.iter().map(String::as_str)))
}

pub(super) fn kind_digest(kind: SourceKind) -> [u8; 32] {
    let mut digest = [0; 32];
    digest[0] = match kind {
        SourceKind::Absent => 1,
        SourceKind::File => 2,
        SourceKind::Directory => 3,
    };
    digest
}

/// A folder's stamp as an answer; all unsettled stamps are the same one.
pub(super) fn stamp_digest(stamp: &Stamp) -> [u8; 32] {
    if stamp.is_settled() { folder_digest(stamp) } else { folder_digest(&Stamp::default()) }
}

/// A folder's stamp, settled or not, as the answer that a settled one would be.
pub(super) fn folder_digest(stamp: &Stamp) -> [u8; 32] {
    let fields = stamp.fields();
    let mut digest = [0; 32];
    digest[..8].copy_from_slice(&fields.modified_ns.to_le_bytes());
    digest[8..16].copy_from_slice(&fields.changed_ns.to_le_bytes());
    digest[16..24].copy_from_slice(&fields.inode.to_le_bytes());
    digest[24..].copy_from_slice(&fields.device.to_le_bytes());
    digest
}

/// A tool as one text: its name, programs, data and version, a line each.
pub(super) fn tool_text(tool: &ToolDef) -> String {
    let mut text = tool.name.clone();
    let version: &[String] = tool.version.as_slice();
    for (mark, items) in [("p", tool.programs.as_slice()), ("d", &tool.data), ("v", version)] {
        for item in items {
            text.push_str(&format!("\n{mark}{item}"));
        }
    }
    text
}

pub(super) fn tool(text: &str) -> ToolDef {
    let mut lines = text.split('\n');
    let mut tool =
        ToolDef { name: lines.next().unwrap_or_default().to_owned(), ..ToolDef::default() };
    for line in lines {
        match line.split_at_checked(1) {
            Some(("p", program)) => tool.programs.push(program.to_owned()),
            Some(("v", version)) => tool.version = Some(version.to_owned()),
            Some((_, data)) => tool.data.push(data.to_owned()),
            None => {}
        }
    }
    tool
}
