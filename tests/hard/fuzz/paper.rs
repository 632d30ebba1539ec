//! A workspace with a package and a rule file of the same text, where every other path is a file.

use std::sync::Arc;

use vwfb_cas::{Artifact, BlobId, Digest, FileRef, TreeId};
use vwfb_engine::check::load;
use vwfb_engine::db::{Database, Machine};
use vwfb_engine::graph::TaskGraph;
use vwfb_engine::system::{Content, Lost, System, Text};
use vwfb_rules::diagnostic::Diagnostic;
use vwfb_rules::label::WsPath;
use vwfb_rules::pattern::Pattern;
use vwfb_rules::scope::SourceKind;
use vwfb_rules::task::ToolDef;
use vwfb_rules::vars::Overrides;

/// The workspace's own file, which is always right.
pub(crate) const WORKSPACE: &str = "workspace \"w\" { vars { x \"1\" }; tools { allow \"x\" } }\n";

/// The text of the rule files.
struct Paper(Arc<str>);

impl System for Paper {
    fn text(&self, path: &WsPath) -> Text {
        match path.as_str() {
            "WORKSPACE.kdl" => Text::Present(WORKSPACE.into()),
            "p/BUILD.kdl" | "lib/rules.kdl" => Text::Present(Arc::clone(&self.0)),
            _ => Text::Absent,
        }
    }

    fn kind(&self, _: &WsPath) -> SourceKind {
        SourceKind::File
    }

    fn content(&self, path: &WsPath) -> Content {
        let blob = BlobId(Digest::of(path.as_str().as_bytes()));
        Content::Present(Artifact::File(FileRef { blob, size: 1, executable: false }))
    }

    fn entries(&self, _: &WsPath) -> Arc<[String]> {
        Arc::from(["a.txt".to_owned(), "b/".to_owned()])
    }

    fn glob(&self, package: &WsPath, _: &str) -> Arc<[WsPath]> {
        package.join("a.txt").into_iter().collect()
    }

    fn packages(&self, path: &WsPath) -> Vec<WsPath> {
        vec![path.clone()]
    }

    fn fingerprint(&self, tool: &ToolDef) -> Result<Digest, Arc<str>> {
        Ok(Digest::of(tool.name.as_bytes()))
    }

    fn in_tree(&self, _: TreeId, _: &WsPath) -> Result<Option<Artifact>, Lost> {
        Ok(None)
    }
}

/// What is wrong with a package of `text` and all it needs; its tasks where nothing is.
pub(crate) fn problems(text: &str) -> Vec<Diagnostic> {
    let platform = "linux-x86_64".to_owned();
    let machine =
        Machine { platform, confined: true, cpu_level: "v3".to_owned(), log_queries: false };
    let db = Database::new(Arc::new(Paper(text.into())), Overrides::default(), machine);
    let loaded = load(&db, &[Pattern::Package(WsPath::new("p").unwrap())]);
    if !loaded.has_errors() {
        let graph = TaskGraph::of(&db, &loaded.targets);
        let asked = graph.requested().count();
        assert!(asked <= loaded.targets.len());
        assert!(asked == loaded.targets.len() || !graph.is_expanded());
    }
    loaded.problems
}
