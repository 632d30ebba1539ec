//! `vwfb query`: asks the graph of targets.

use vwfb_engine::query::{Format, Query, QueryError, QueryGraph};

use crate::args::{QueryArgs, QueryOutput};
use crate::error::{CommandError, Exit};
use crate::session::{Context, Session};
use crate::ui::Style;

/// Asks.
///
/// The answer is given also where some package is wrong; the code then says that it may be short
/// of something.
pub(crate) fn run(ctx: &Context, args: &QueryArgs) -> Result<Exit, CommandError> {
    let failed = |error: QueryError| CommandError::Query { query: args.words.join(" "), error };
    let query = Query::from_words(&args.words).map_err(failed)?;
    let mut session = Session::open(ctx, &args.vars)?;
    let everything = session.load_all(ctx);
    session.workspace.expand_made(&everything)?;
    let graph = session.workspace.query_graph(&session.current);
    let answer = query.answer(&graph).map_err(failed)?;
    for doubt in query.doubts(&graph.vocabulary()) {
        ctx.ui.status(format_args!("{}: {doubt}", ctx.ui.styled(Style::Warning, "warning")));
    }
    ctx.ui.out(answer.print(format(ctx, args)))?;
    drop(answer);
    session.close();
    Ok(if everything.has_errors() { Exit::INPUT } else { Exit::SUCCESS })
}

fn format(ctx: &Context, args: &QueryArgs) -> Format {
    match args.output {
        _ if args.json => Format::Json,
        QueryOutput::Label => Format::Label,
        QueryOutput::Tree if ctx.ui.unicode() => Format::Tree,
        QueryOutput::Tree => Format::AsciiTree,
        QueryOutput::Json => Format::Json,
        QueryOutput::Dot => Format::Dot,
        QueryOutput::Mermaid => Format::Mermaid,
    }
}
