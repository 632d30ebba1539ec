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
    ctx.ui.out_line(page.trim_end())?;
    Ok(Exit::SUCCESS)
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
    fn every_code_has_a_page_and_every_page_a_code() {
        let mut codes: Vec<&str> = codes::ALL.iter().map(|(code, _)| code.as_str()).collect();
        codes.sort_unstable();
        let pages: Vec<&str> = PAGES.iter().map(|(code, _)| *code).collect();
        assert_eq!(pages, codes);
    }
}
