//! `vwfb explain`: the page about a diagnostic. The pages are those of `docs/errors/`, compiled in.

use vwfb_rules::{codes, nearest};

use crate::args::ExplainArgs;
use crate::error::{CommandError, Exit};
use crate::session::Context;

/// Every page by its code, sorted; made by `build.rs` from the folder.
const PAGES: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/pages.rs"));

/// Explains one code, or lists all.
pub(crate) fn run(ctx: &Context, args: &ExplainArgs) -> Result<Exit, CommandError> {
    let Some(code) = &args.code else {
        ctx.ui.out(list())?;
        return Ok(Exit::SUCCESS);
    };
    let code = bare(code);
    let Some((_, page)) = PAGES.iter().find(|(name, _)| *name == code) else {
        let near = nearest(code, PAGES.iter().map(|(name, _)| *name));
        return Err(CommandError::NoPage { code: code.to_owned(), near });
    };
    ctx.ui.out(readable(page))?;
    Ok(Exit::SUCCESS)
}

/// A page without what only its tests read: what stands between fences is indented instead, and the
/// comments that say which problems are expected there are left out.
fn readable(page: &str) -> String {
    let mut text = String::new();
    let mut fenced = false;
    for line in page.trim_end().lines() {
        if line.starts_with("```") {
            fenced = !fenced;
        } else if !(fenced && is_expectation(line)) {
            let indent = if fenced && !line.is_empty() { "    " } else { "" };
            text.push_str(&format!("{indent}{line}\n"));
        }
    }
    text
}

fn is_expectation(line: &str) -> bool {
    let line = line.trim_start();
    let comment = line.strip_prefix("// ").or_else(|| line.strip_prefix("# "));
    let expects = ["error[", "warning[", "hint: "];
    comment.is_some_and(|comment| expects.iter().any(|word| comment.starts_with(word)))
}

/// A code as someone may copy it: `error[unknown-rule]`.
fn bare(code: &str) -> &str {
    let inside = code.split_once('[').map_or(code, |(_, inside)| inside);
    inside.trim_end_matches([']', ':'])
}

fn list() -> String {
    let width = codes::ALL.iter().map(|(code, _)| code.as_str().len()).max().unwrap_or(0);
    let lines =
        codes::ALL.iter().map(|(code, title)| format!("{:<width$}  {title}\n", code.as_str()));
    lines.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_may_be_copied_with_its_brackets() {
        assert_eq!(bare("unknown-rule"), "unknown-rule");
        assert_eq!(bare("error[unknown-rule]:"), "unknown-rule");
    }

    #[test]
    fn a_page_is_shown_without_the_words_of_its_tests() {
        let page = "# code\n\n```kdl BUILD.kdl\n// why\ntask \"a\" {\n    \
                    // error[code]: message\n    // hint: do\n\n    x\n}\n```\n\nText.\n";
        let shown = "# code\n\n    // why\n    task \"a\" {\n\n        x\n    }\n\nText.\n";
        assert_eq!(readable(page), shown);
    }

    #[test]
    fn every_code_has_a_page_and_every_page_a_code() {
        let mut codes: Vec<&str> = codes::ALL.iter().map(|(code, _)| code.as_str()).collect();
        codes.sort_unstable();
        let pages: Vec<&str> = PAGES.iter().map(|(code, _)| *code).collect();
        assert_eq!(pages, codes);
    }
}
