//! What fan-outs and uses of templates became, as text.

use vwfb_rules::label::Label;

use super::{Named, named, opened, vars_of};
use crate::db::Db;

/// What a label stands for.
#[derive(Debug, Clone, Default)]
pub struct Expansion {
    /// The targets, each with its text.
    pub targets: Vec<(Label, String)>,
    /// What makes the items of a fan-out in it that are not known.
    pub waits: Option<Label>,
}

/// What `label` stands for: all targets of a fan-out's children or of the use of a template.
pub(crate) fn expansion(db: &dyn Db, label: &Label) -> Expansion {
    let mut expansion = Expansion::default();
    let mut next = vec![label.clone()];
    while let Some(label) = next.pop() {
        let target = db.target(&label);
        // A child or a use of a template stands for its last member; here it is all of them.
        if let Some(opened) = &opened(db, target).value {
            let members = opened.block.members.iter().rev();
            next.extend(members.map(|member| opened.frame.member(&member.name, None)));
            continue;
        }
        match named(db, target) {
            Some(Named::Target(placed)) => {
                let text = vwfb_rules::expanded(&placed, vars_of(db, &placed.frame));
                expansion.targets.push((label, text));
            }
            Some(Named::Family(members)) => {
                let is_whole = label.steps.last().is_some_and(|last| last.item.is_none())
                    && members.iter().all(|it| it.steps.len() == label.steps.len() + 1);
                let shorter = |member: &Label| match is_whole {
                    true => member.prefix(label.steps.len()),
                    false => member.clone(),
                };
                next.extend(members.iter().rev().map(shorter));
            }
            Some(Named::Waiting(on)) => expansion.waits = Some(on),
            Some(Named::Broken) | None => {}
        }
    }
    expansion
}
