//! What one build may spend: its own budget, and those of the day and of each target.

use std::collections::{BTreeMap, BTreeSet};

use vwfb_rules::cost::{Budgets, Money, Price, Quantities};
use vwfb_rules::service::ServiceUse;

use super::{Question, Refused, Spending, SpendingError};
use crate::desk::submission::Usage;
use crate::plan::TaskId;

/// Whether a task may ask its service now.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Leave {
    /// What it may cost is put aside.
    Granted,
    /// Not before tasks that run have said what they cost.
    Later,
    /// Not in this build; the words say why.
    Refused(String),
}

/// The money of one build.
pub(crate) struct Purse {
    budgets: Budgets,
    /// What its tasks that ended have cost.
    spent: Money,
    /// What is put aside for those that run.
    aside: BTreeMap<TaskId, Question>,
    /// Those that may ask when another has ended.
    later: BTreeSet<TaskId>,
}

impl Purse {
    pub(crate) fn new(budgets: Budgets) -> Self {
        Self { budgets, spent: Money::ZERO, aside: BTreeMap::new(), later: BTreeSet::new() }
    }

    /// Whether the task is to be left queued for now.
    pub(crate) fn is_later(&self, id: TaskId) -> bool {
        self.later.contains(&id)
    }

    /// Puts aside what `question` of the task may cost.
    pub(crate) fn ask(
        &mut self,
        id: TaskId,
        question: &Question,
        spending: &Spending,
    ) -> Result<Leave, SpendingError> {
        let refused = match self.refusal(question) {
            None => match spending.reserve(question, &self.budgets)? {
                Ok(()) => {
                    self.aside.insert(id, question.clone());
                    return Ok(Leave::Granted);
                }
                Err(refused) => refused,
            },
            Some(refused) => refused,
        };
        if self.aside.values().any(|aside| aside.expected > Money::ZERO) {
            self.later.insert(id);
            return Ok(Leave::Later);
        }
        let Refused { budget, limit, left } = refused;
        let expected = question.expected;
        Ok(Leave::Refused(format!(
            "it may cost {expected}, and of the {limit} {} {left} are left",
            match budget {
                "run" => "for a build",
                "day" => "for a day",
                _ => "for a target and a day",
            }
        )))
    }

    fn refusal(&self, question: &Question) -> Option<Refused> {
        let expected = question.expected;
        // What an earlier build asked is not spent once more by waiting for it.
        if question.asked {
            return None;
        }
        let limit = self.budgets.run?;
        let aside: Money = self.aside.values().map(|aside| aside.expected).sum();
        let left = limit.less(self.spent).less(aside);
        // What has a price and no estimate may not begin where nothing is left.
        let refused = expected > left || (left == Money::ZERO && question.priced);
        refused.then_some(Refused { budget: "run", limit, left })
    }

    /// The task ended, and what it asked is answered: it took this much. What was put aside `stays` for
    /// what is not.
    pub(crate) fn paid(
        &mut self,
        id: TaskId,
        (service, usage): (&ServiceUse, Option<Usage>),
        stays: bool,
        spending: &Spending,
    ) -> Result<(), SpendingError> {
        self.later.clear();
        let Some(aside) = self.aside.remove(&id) else { return Ok(()) };
        let cost = usage.as_ref().and_then(|usage| cost(service, usage));
        let cost = cost.unwrap_or(aside.expected);
        self.spent = Money(self.spent.0.saturating_add(cost.0));
        spending.settle(&aside, cost, &usage.unwrap_or_default())?;
        // Of several questions one may still be open.
        if stays { spending.put_aside(&aside) } else { Ok(()) }
    }

    /// The task ended, and nothing was given for it, or it is not known: then what was put aside
    /// `stays`.
    pub(crate) fn unpaid(
        &mut self,
        id: TaskId,
        stays: bool,
        spending: &Spending,
    ) -> Result<(), SpendingError> {
        self.later.clear();
        let Some(aside) = self.aside.remove(&id) else { return Ok(()) };
        if stays {
            self.spent = Money(self.spent.0.saturating_add(aside.expected.0));
            return Ok(());
        }
        // Another task may ask the very same.
        match self.aside.values().any(|other| other.key == aside.key) {
            true => Ok(()),
            false => spending.release(aside.key),
        }
    }
}

/// What an answer cost, if the service has a price for it.
fn cost(service: &ServiceUse, usage: &Usage) -> Option<Money> {
    let model = usage.model.as_deref().or(service.model.as_deref());
    let prices = &service.def.prices;
    let price =
        Price::find(prices, service.model.as_deref()).or_else(|| Price::find(prices, model))?;
    let seconds = usage.seconds.filter(|seconds| (0.0..1e9).contains(seconds)).unwrap_or_default();
    let more = usage.requests.unwrap_or(1).saturating_sub(1);
    let further = Money(price.request.0.saturating_mul(more));
    let cost = price.of(&Quantities {
        input_tokens: usage.input_tokens.unwrap_or(service.estimate.asked.input_tokens),
        output_tokens: usage.output_tokens.unwrap_or(service.estimate.asked.output_tokens),
        characters: usage.characters.unwrap_or(service.estimate.asked.characters),
        time: std::time::Duration::from_secs_f64(seconds),
    });
    Some([cost, further].into_iter().sum())
}
