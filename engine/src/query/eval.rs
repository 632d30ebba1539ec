//! Answers a query.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use regex_lite::Regex;

use super::function::Function;
use super::index::{Entry, Id, Index, Set};
use super::names::{FILE, known_attribute};
use super::parse::{Argument, Expr, Operator, Query};
use super::{Item, PatternError, QueryError, QueryGraph};

/// A query's answer.
pub struct Answer<'g> {
    pub(super) index: Index<'g>,
    pub(super) set: Set,
}

impl Query {
    /// The set that the query stands for in `graph`.
    pub fn answer<'g>(&self, graph: &'g dyn QueryGraph) -> Result<Answer<'g>, QueryError> {
        let index = Index::new(graph.nodes());
        let set = Evaluation { graph, index: &index }.set(&self.expression)?;
        Ok(Answer { index, set })
    }
}

impl Answer<'_> {
    /// Its members: targets, each before those it needs, else by label; then files by path.
    pub fn items(&self) -> Vec<Item> {
        self.set.iter().map(|id| self.index.item(*id)).collect()
    }
}

struct Evaluation<'e, 'g> {
    graph: &'g dyn QueryGraph,
    index: &'e Index<'g>,
}

/// A direction along the arrows.
type Neighbours<'i> = &'i dyn Fn(Id) -> &'i [Id];

impl Evaluation<'_, '_> {
    fn set(&self, expression: &Expr) -> Result<Set, QueryError> {
        match expression {
            Expr::Pattern { column, pattern } => self.pattern(*column, pattern),
            Expr::Call { function, arguments } => self.call(*function, arguments),
            Expr::Joined(first, rest) => {
                let mut set = self.set(first)?;
                for (operator, operand) in rest {
                    let other = self.set(operand)?;
                    match operator {
                        Operator::Union => set.extend(other),
                        Operator::Intersect => set.retain(|id| other.contains(id)),
                        Operator::Except => set.retain(|id| !other.contains(id)),
                    }
                }
                Ok(set)
            }
        }
    }

    fn pattern(&self, column: usize, pattern: &str) -> Result<Set, QueryError> {
        let items = self.graph.expand(pattern);
        let items = items.map_err(|refusal| QueryError::Pattern { column, refusal })?;
        let id = |item| self.index.id(item).ok_or_else(|| unknown(column, item));
        items.iter().map(id).collect()
    }

    fn call(&self, function: Function, arguments: &[Argument]) -> Result<Set, QueryError> {
        let needs: Neighbours<'_> = &|id| self.index.needs(id);
        let needed_by: Neighbours<'_> = &|id| self.index.needed_by(id);
        match (function, arguments) {
            (Function::Deps, [Argument::Set(x), depth @ ..]) => {
                let mut reached = reach(&self.set(x)?, needs, most(depth), |_| true);
                reached.retain(|id| self.is_target(*id));
                Ok(reached)
            }
            (Function::Rdeps, [Argument::Set(universe), Argument::Set(x), depth @ ..]) => {
                let universe = reach(&self.set(universe)?, needs, usize::MAX, |_| true);
                let mut start = self.set(x)?;
                start.retain(|id| universe.contains(id));
                Ok(reach(&start, needed_by, most(depth), |id| universe.contains(&id)))
            }
            (Function::AllPaths, [Argument::Set(from), Argument::Set(to)]) => {
                let forward = reach(&self.set(from)?, needs, usize::MAX, |_| true);
                let mut ends = self.set(to)?;
                ends.retain(|id| forward.contains(id));
                Ok(reach(&ends, needed_by, usize::MAX, |id| forward.contains(&id)))
            }
            (Function::SomePath, [Argument::Set(from), Argument::Set(to)]) => {
                Ok(shortest_path(&self.set(from)?, &self.set(to)?, needs))
            }
            (Function::Kind, [Argument::Text { column, text }, Argument::Set(x)]) => {
                self.matching(x, *column, text, |entry, regex| regex.is_match(kind(entry)))
            }
            (Function::Filter, [Argument::Text { column, text }, Argument::Set(x)]) => {
                self.matching(x, *column, text, |entry, regex| regex.is_match(name(entry)))
            }
            (
                Function::Attr,
                [
                    Argument::Text { column: at, text: name },
                    Argument::Text { column, text },
                    Argument::Set(x),
                ],
            ) => {
                known_attribute(*at, name, &self.graph.vocabulary())?;
                self.matching(x, *column, text, |entry, regex| has_attribute(entry, name, regex))
            }
            (Function::Outputs, [Argument::Set(x)]) => self.files(x, |entry| match entry {
                Entry::Target(_, node) => Some(&node.outputs),
                Entry::File(_) => None,
            }),
            (Function::Inputs, [Argument::Set(x)]) => self.files(x, |entry| match entry {
                Entry::Target(_, node) => Some(&node.inputs),
                Entry::File(_) => None,
            }),
            (function, arguments) => {
                unreachable!("the parser types arguments: {function:?} of {arguments:?}")
            }
        }
    }

    fn is_target(&self, id: Id) -> bool {
        matches!(self.index.entry(id), Entry::Target(..))
    }

    /// Those of `x` that `keep` keeps.
    fn matching(
        &self,
        x: &Expr,
        column: usize,
        pattern: &str,
        keep: impl Fn(Entry<'_>, &Regex) -> bool,
    ) -> Result<Set, QueryError> {
        let regex = Regex::new(pattern).map_err(|error| QueryError::Regex {
            column,
            pattern: pattern.to_owned(),
            reason: error.to_string(),
        })?;
        let mut set = self.set(x)?;
        set.retain(|id| keep(self.index.entry(*id), &regex));
        Ok(set)
    }

    /// The files that `of` names for the members of `x`.
    fn files<'s>(
        &'s self,
        x: &Expr,
        of: impl Fn(Entry<'s>) -> Option<&'s BTreeSet<String>>,
    ) -> Result<Set, QueryError> {
        let set = self.set(x)?;
        let files = set.iter().filter_map(|id| of(self.index.entry(*id))).flatten();
        Ok(files.filter_map(|file| self.index.file(file)).collect())
    }
}

fn unknown(column: usize, item: &Item) -> QueryError {
    let message = match item {
        Item::Target(label) => format!("no target `{label}`"),
        Item::File(path) => format!("no target reads or makes `{path}`"),
    };
    QueryError::Pattern {
        column,
        refusal: PatternError { message, hint: None, code: None, is_pattern: true },
    }
}

/// How far an optional depth lets a search go.
const fn most(depth: &[Argument]) -> usize {
    match depth {
        [Argument::Depth(depth), ..] => *depth,
        _ => usize::MAX,
    }
}

const fn kind<'g>(entry: Entry<'g>) -> &'g str {
    match entry {
        Entry::Target(_, node) => node.kind.as_str(),
        Entry::File(_) => FILE,
    }
}

const fn name<'g>(entry: Entry<'g>) -> &'g str {
    match entry {
        Entry::Target(name, _) | Entry::File(name) => name,
    }
}

fn has_attribute(entry: Entry<'_>, name: &str, regex: &Regex) -> bool {
    let Entry::Target(_, node) = entry else { return false };
    let value = node.attributes.get(name);
    value.is_some_and(|value| value.members().iter().any(|member| regex.is_match(member)))
}

/// `start` and what is at most `depth` steps away from it, over members that are `allowed`.
fn reach(start: &Set, next: Neighbours<'_>, depth: usize, allowed: impl Fn(Id) -> bool) -> Set {
    let mut reached = start.clone();
    let mut frontier: Vec<Id> = start.iter().copied().collect();
    let mut steps = 0;
    while !frontier.is_empty() && steps < depth {
        let mut further = Vec::new();
        for id in frontier.iter().flat_map(|id| next(*id)).copied() {
            if allowed(id) && reached.insert(id) {
                further.push(id);
            }
        }
        frontier = further;
        steps += 1;
    }
    reached
}

/// One path with the fewest steps, the first in the order of printing; empty if there is none.
fn shortest_path(from: &Set, to: &Set, next: Neighbours<'_>) -> Set {
    let mut came_from: BTreeMap<Id, Option<Id>> = from.iter().map(|id| (*id, None)).collect();
    let mut queue: VecDeque<Id> = from.iter().copied().collect();
    while let Some(id) = queue.pop_front() {
        if to.contains(&id) {
            return std::iter::successors(Some(id), |id| came_from[id]).collect();
        }
        for neighbour in next(id) {
            came_from.entry(*neighbour).or_insert_with(|| {
                queue.push_back(*neighbour);
                Some(id)
            });
        }
    }
    Set::new()
}
