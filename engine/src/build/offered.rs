//! Which tasks make what is put in place.

use std::sync::Arc;

use crate::graph::TaskGraph;
use crate::plan::TaskId;

/// The tasks whose outputs requested targets offer.
#[derive(Default)]
pub(crate) struct Offered {
    /// Of which graph; it grows while it is built.
    of: Option<Arc<TaskGraph>>,
    tasks: Vec<bool>,
}

impl Offered {
    /// Those of `graph`.
    pub(crate) fn of(&mut self, graph: &Arc<TaskGraph>) -> &Self {
        if self.of.as_ref().is_none_or(|of| !Arc::ptr_eq(of, graph)) {
            self.tasks = vec![false; graph.tasks()];
            for target in graph.requested() {
                graph.offers(target).for_each(|offer| self.tasks[offer.task.0] = true);
            }
            self.of = Some(Arc::clone(graph));
        }
        self
    }

    pub(crate) fn contains(&self, task: TaskId) -> bool {
        self.tasks[task.0]
    }
}
