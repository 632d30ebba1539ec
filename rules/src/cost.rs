//! What asking services costs: prices, estimates and budgets, in millionths of one currency.

use std::collections::BTreeMap;
use std::fmt;
use std::iter::Sum;
use std::time::Duration;

use crate::codes::{DUPLICATE_NAME, OUT_OF_RANGE, UNKNOWN_PROPERTY};
use crate::diagnostic::Diagnostic;
use crate::interpolate::Template;
use crate::read::{self, Problems};
use crate::rule_reader;
use crate::suggest::did_you_mean;
use crate::syntax::{Node, Scalar, Value};

/// An amount of money in millionths of the currency that prices are written in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Money(pub u64);

impl Money {
    /// None.
    pub const ZERO: Self = Self(0);

    /// The amount `number`, to a millionth; `None` if it is negative or beyond all sense.
    pub fn of(number: f64) -> Option<Self> {
        let micros = (number * 1e6).round();
        (0.0..1e15).contains(&micros).then_some(Self(micros as u64))
    }

    /// The amount that `text` writes: `2.50`.
    pub fn parse(text: &str) -> Option<Self> {
        Self::of(text.parse().ok()?)
    }

    /// What is left of it without `other`; nothing if that is more.
    #[must_use]
    pub const fn less(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }

    /// So much of it as `count` of `per` are.
    const fn times(self, count: u64, per: u64) -> Self {
        let exact = (self.0 as u128 * count as u128).div_ceil(per as u128);
        Self(if exact > u64::MAX as u128 { u64::MAX } else { exact as u64 })
    }
}

/// With two digits, and as many more as tell small amounts apart: `2.50`, `0.0004`.
impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = format!("{}.{:06}", self.0 / 1_000_000, self.0 % 1_000_000);
        let least = text.len() - 4;
        let kept = text.trim_end_matches('0').len().max(least);
        f.write_str(&text[..kept])
    }
}

impl Sum for Money {
    fn sum<I: Iterator<Item = Self>>(amounts: I) -> Self {
        Self(amounts.fold(0, |sum, amount| sum.saturating_add(amount.0)))
    }
}

/// How much is asked for or was given.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Quantities {
    /// Tokens that a model reads.
    pub input_tokens: u64,
    /// Tokens that it writes.
    pub output_tokens: u64,
    /// Characters that it speaks.
    pub characters: u64,
    /// How long it works.
    pub time: Duration,
}

/// A `price` node of a service.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Price {
    /// The model that it is for; any that has no other, if there is none.
    pub model: Option<String>,
    /// For a million tokens that it reads.
    pub input: Money,
    /// For a million tokens that it writes.
    pub output: Money,
    /// For a million characters that it speaks.
    pub characters: Money,
    /// For each question.
    pub request: Money,
    /// For a second of its work.
    pub second: Money,
}

impl Price {
    /// What one question of these quantities costs.
    pub fn of(&self, asked: &Quantities) -> Money {
        const MILLION: u64 = 1_000_000;
        let ms = u64::try_from(asked.time.as_millis()).unwrap_or(u64::MAX);
        [
            self.request,
            self.input.times(asked.input_tokens, MILLION),
            self.output.times(asked.output_tokens, MILLION),
            self.characters.times(asked.characters, MILLION),
            self.second.times(ms, 1_000),
        ]
        .into_iter()
        .sum()
    }

    /// The price of `model` among `prices`.
    pub fn find<'p>(prices: &'p [Self], model: Option<&str>) -> Option<&'p Self> {
        let named =
            prices.iter().find(|price| price.model.is_some() && price.model.as_deref() == model);
        named.or_else(|| prices.iter().find(|price| price.model.is_none()))
    }

    /// The price that a node declares.
    pub(crate) fn read(node: &Node, problems: &mut Problems) -> Self {
        const KNOWN: [&str; 6] = ["model", "input", "output", "characters", "request", "second"];
        read::no_args(node, problems);
        read::no_children(node, problems);
        read::only_props(node, &KNOWN, problems);
        let mut price = Self::default();
        for (name, value) in &node.props {
            let place = match name.as_str() {
                "model" => {
                    price.model = read::text(value, "a model's name", problems).map(str::to_owned);
                    continue;
                }
                "input" => &mut price.input,
                "output" => &mut price.output,
                "characters" => &mut price.characters,
                "request" => &mut price.request,
                "second" => &mut price.second,
                _ => continue,
            };
            *place = money(value, problems).unwrap_or_default();
        }
        price
    }
}

/// The amount that a value of a rule file writes.
fn money(value: &Value, problems: &mut Problems) -> Option<Money> {
    read::no_annotation(value, problems);
    let number = match &value.scalar {
        Scalar::Int(number) => *number as f64,
        Scalar::Float(number) => number.0,
        _ => {
            problems.push(read::wrong_type(value, "an amount of money, such as `2.50`"));
            return None;
        }
    };
    let money = Money::of(number);
    if money.is_none() {
        let problem = Diagnostic::error(OUT_OF_RANGE, format!("`{number}` is no amount of money"));
        problems.push(problem.at(&value.anchor));
    }
    money
}

/// What may be spent, by `budgets` of WORKSPACE.kdl; a limit that is not there is none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Budgets {
    /// In one build.
    pub run: Option<Money>,
    /// In one day, by UTC.
    pub day: Option<Money>,
    /// For one target in one day.
    pub target: Option<Money>,
}

impl Budgets {
    /// Takes in a `budgets` node.
    pub(crate) fn read(&mut self, node: &Node, problems: &mut Problems) {
        const KNOWN: [&str; 3] = ["run", "day", "target"];
        read::only_props(node, &[], problems);
        read::no_args(node, problems);
        for child in &node.children {
            read::only_props(child, &[], problems);
            read::no_children(child, problems);
            let place = match child.name.as_str() {
                "run" => &mut self.run,
                "day" => &mut self.day,
                "target" => &mut self.target,
                _ => {
                    read::unknown_child("`budgets`", child, &KNOWN, problems);
                    continue;
                }
            };
            let Some(value) = read::one_arg(child, "an amount of money", problems) else {
                continue;
            };
            if place.is_some() {
                let message = format!("`{}` is given twice", child.name);
                problems.push(Diagnostic::error(DUPLICATE_NAME, message).at(&child.anchor));
            }
            *place = money(value, problems);
        }
    }
}

/// What can be estimated, as `estimate` of a rule names it.
pub(crate) const ESTIMATES: [&str; 6] =
    ["cost", "seconds", "input-tokens", "output-tokens", "characters", "times"];

/// Takes in an `estimate` node of a rule.
pub(crate) fn estimate(node: &Node, problems: &mut Problems) -> BTreeMap<String, Template> {
    read::no_args(node, problems);
    read::no_children(node, problems);
    let mut estimate = BTreeMap::new();
    for (name, value) in &node.props {
        if !ESTIMATES.contains(&name.as_str()) {
            let message = format!("`estimate` takes no property `{name}`");
            let problem = Diagnostic::error(UNKNOWN_PROPERTY, message).at(&value.anchor);
            problems.push(problem.maybe_hint(did_you_mean(name, ESTIMATES)));
            continue;
        }
        let text = rule_reader::number_or_template(value, problems);
        estimate.extend(text.map(|text| (name.clone(), text)));
    }
    estimate
}

/// What a task is expected to take, if its rule says so.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Estimate {
    /// What it costs where the service has no price for it.
    pub cost: Option<Money>,
    /// How much it asks for.
    pub asked: Quantities,
    /// How often, of each picture and film that it reads, if it asks more than once.
    pub times: Option<u64>,
}

/// What a task reads, as far as that decides what it costs to have it read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Reading {
    /// The bytes of its texts.
    pub text: u64,
    /// How many pictures and films there are.
    pub media: u64,
}

/// No tokenizer that is in use makes more tokens of a text than one for two bytes of English.
const BYTES_A_TOKEN: u64 = 2;

/// What a picture takes at most with the models of today.
const TOKENS_A_PICTURE: u64 = 1_600;

impl Estimate {
    /// Takes in what the estimate `name` reads; says whether it is a number that it can be.
    pub(crate) fn set(&mut self, name: &str, text: &str) -> bool {
        let Ok(number) = text.parse::<f64>() else { return false };
        if !(0.0..1e15).contains(&number) {
            return false;
        }
        let count = number.ceil() as u64;
        match name {
            "cost" => self.cost = Money::of(number),
            "seconds" => self.asked.time = Duration::from_secs_f64(number.min(1e9)),
            "input-tokens" => self.asked.input_tokens = count,
            "output-tokens" => self.asked.output_tokens = count,
            "times" => self.times = Some(count.max(1)),
            _ => self.asked.characters = count,
        }
        true
    }

    /// The same of a task that reads this: no less than that says.
    #[must_use]
    pub fn of(&self, reading: Reading) -> Self {
        let pictures = if self.times.is_some() { 0 } else { reading.media * TOKENS_A_PICTURE };
        let tokens = (reading.text / BYTES_A_TOKEN).saturating_add(pictures);
        let asked = Quantities {
            input_tokens: self.asked.input_tokens.max(tokens),
            characters: self.asked.characters.max(reading.text),
            ..self.asked
        };
        let times = self.times.map(|times| times.saturating_mul(reading.media.max(1)));
        Self { asked, times, ..*self }
    }

    /// What it comes to by these prices.
    pub fn money(&self, prices: &[Price], model: Option<&str>) -> Money {
        let of_one = Price::find(prices, model).map(|price| price.of(&self.asked));
        let priced = of_one.map(|one| Money(one.0.saturating_mul(self.times.unwrap_or(1))));
        priced.max(self.cost).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn money_reads_as_people_write_it() {
        let shown = |text: &str| Money::parse(text).unwrap().to_string();
        assert_eq!(
            ["2.5", "0", "0.0004", "12", "0.10"].map(shown),
            ["2.50", "0.00", "0.0004", "12.00", "0.10"]
        );
        assert_eq!(Money::parse("-1"), None);
        assert_eq!(Money::parse("NaN"), None);
    }

    #[test]
    fn a_price_counts_all_that_is_asked_for_and_rounds_up() {
        let price = Price {
            input: Money(2_500_000),
            output: Money(10_000_000),
            request: Money(100),
            second: Money(1_000),
            ..Price::default()
        };
        let asked = Quantities {
            input_tokens: 1_000,
            output_tokens: 201,
            characters: 5,
            time: Duration::from_millis(1_500),
        };
        assert_eq!(price.of(&asked), Money(100 + 2_500 + 2_010 + 1_500));
        let tiny = Quantities { output_tokens: 1, ..Quantities::default() };
        let cheap = Price { output: Money(1), ..Price::default() };
        assert_eq!(cheap.of(&tiny), Money(1));
    }

    #[test]
    fn what_is_read_is_counted_before_it_is_asked() {
        let price =
            [Price { input: Money(1_000_000), characters: Money(2_000_000), ..Price::default() }];
        let estimate = Estimate {
            asked: Quantities { input_tokens: 1_000, characters: 500, ..Quantities::default() },
            ..Estimate::default()
        };
        assert_eq!(estimate.money(&price, None), Money(1_000 + 1_000));
        let long = estimate.of(Reading { text: 50_000, media: 0 });
        assert_eq!(long.money(&price, None), Money(25_000 + 100_000));
        let seen = estimate.of(Reading { text: 0, media: 2 });
        assert_eq!(seen.asked.input_tokens, 3_200);
        // One question for each of five frames of two films.
        let audit = Estimate { times: Some(5), ..estimate }.of(Reading { text: 0, media: 2 });
        assert_eq!(audit.money(&price, None), Money(10 * 2_000));
    }

    #[test]
    fn the_price_of_a_model_goes_before_that_of_all() {
        let named = Price { model: Some("a".into()), request: Money(2), ..Price::default() };
        let any = Price { request: Money(1), ..Price::default() };
        let prices = [any, named];
        assert_eq!(Price::find(&prices, Some("a")).unwrap().request, Money(2));
        assert_eq!(Price::find(&prices, Some("b")).unwrap().request, Money(1));
        assert_eq!(Price::find(&prices[1..], None), None);
    }
}
