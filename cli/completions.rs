//! `vwfb completions`: scripts that complete commands, options and labels.

use clap::{Command, CommandFactory};
use clap_complete::{Shell, generate};

use crate::args::{CommandLine, CompleteArgs, CompletionsArgs};
use crate::error::{CommandError, Exit};
use crate::labels;
use crate::session::Context;

/// Bash splits words at colons, so a reply holds only what follows the last one.
const BASH_LABELS: &str = r#"
_vwfb_or_label() {
    local typed="${COMP_LINE:0:COMP_POINT}" head="" label
    typed="${typed##* }"
    case "$typed" in
        :*|//*)
            [[ "$COMP_WORDBREAKS" == *:* && "$typed" == *:* ]] && head="${typed%:*}:"
            COMPREPLY=()
            while IFS= read -r label; do
                COMPREPLY+=("${label#"$head"}")
                [[ "$label" == *[:/] ]] && compopt -o nospace 2>/dev/null
            done < <(vwfb __complete "$typed" 2>/dev/null)
            ;;
        *) _vwfb "$@" ;;
    esac
}
complete -F _vwfb_or_label -o bashdefault -o default vwfb
"#;

const ZSH_LABELS: &str = r#"
_vwfb_labels() {
    local -a labels
    labels=(${(f)"$(vwfb __complete "${words[CURRENT]}" 2>/dev/null)"})
    compadd -S '' -- ${(M)labels:#*[:/]}
    compadd -- ${labels:#*[:/]}
}
"#;

const FISH_LABELS: &str = r#"
complete -c vwfb -n "__fish_seen_subcommand_from build plan query check doctor why expand log clean status preview approve reject review versions takes diff edit pin unpin restore redo pick settle" \
    -a "(vwfb __complete (commandline -ct) 2>/dev/null)"
"#;

/// Prints the script for a shell.
pub(crate) fn run(ctx: &Context, args: &CompletionsArgs) -> Result<Exit, CommandError> {
    ctx.ui.out(script(args.shell))?;
    Ok(Exit::SUCCESS)
}

/// Prints what may follow what is typed of a label; outside a workspace that is nothing.
pub(crate) fn complete(ctx: &Context, args: &CompleteArgs) -> Result<Exit, CommandError> {
    if let Ok(located) = ctx.located() {
        let labels = labels::beginning_with(&located, &args.text);
        ctx.ui.out(labels.iter().map(|label| format!("{label}\n")).collect::<String>())?;
    }
    Ok(Exit::SUCCESS)
}

fn script(shell: Shell) -> String {
    let mut script = Vec::new();
    generate(shell, &mut shown(), "vwfb", &mut script);
    let script = String::from_utf8(script).expect("clap writes UTF-8");
    match shell {
        Shell::Bash => script + BASH_LABELS,
        Shell::Fish => script + FISH_LABELS,
        Shell::Zsh => with_zsh_labels(&script),
        _ => script,
    }
}

/// The grammar without what people do not type.
fn shown() -> Command {
    let whole = CommandLine::command();
    let commands = whole.get_subcommands().filter(|command| !command.is_hide_set()).cloned();
    Command::new("vwfb").args(whole.get_arguments().cloned()).subcommands(commands)
}

/// Completes labels where the script would complete the names of files.
fn with_zsh_labels(script: &str) -> String {
    let (first, rest) = script.split_once('\n').unwrap_or((script, ""));
    let mut text = format!("{first}\n{ZSH_LABELS}");
    for line in rest.lines() {
        let takes_labels =
            ["targets --", "label --", "labels --", "words --"].iter().any(|n| line.contains(n));
        let line =
            if takes_labels { line.replace(":_default", ":_vwfb_labels") } else { line.into() };
        text.push_str(&line);
        text.push('\n');
    }
    text
}
