//! Runs jobs as processes on this machine, by `vwfb-exec`.

use std::collections::BTreeMap;
use std::sync::Arc;

use vwfb_cas::{ActionResult, Store};
use vwfb_exec::{CancelToken, Cause, Closure, ExecOptions, Executor, Failure, Waiter};

use crate::tools::Tools;
use crate::workers::{Job, Runner, Worker};

/// This machine.
pub struct Local {
    executor: Arc<Executor>,
    tools: Arc<Tools>,
}

impl Local {
    /// Runs jobs against `store` with the closures of `tools`.
    pub fn new(store: Arc<Store>, tools: Arc<Tools>, options: ExecOptions) -> Self {
        Self { executor: Arc::new(Executor::new(store, options)), tools }
    }
}

impl Runner for Local {
    fn worker(&self, waiter: Waiter) -> Box<dyn Worker> {
        Box::new(LocalWorker {
            executor: Arc::clone(&self.executor),
            tools: Arc::clone(&self.tools),
            worker: None,
            waiter,
        })
    }
}

/// One thread's launcher, started with its first job.
struct LocalWorker {
    executor: Arc<Executor>,
    tools: Arc<Tools>,
    worker: Option<vwfb_exec::Worker>,
    waiter: Waiter,
}

impl LocalWorker {
    fn closures(&self, job: &Job) -> Result<BTreeMap<String, Arc<Closure>>, Box<Failure>> {
        let mut closures = BTreeMap::new();
        for tool in &job.tools {
            let closure = self
                .tools
                .closure(tool)
                .map_err(|_| failure(Cause::Toolchain { toolchain: tool.name.clone() }))?;
            closures.insert(tool.name.clone(), closure);
        }
        Ok(closures)
    }
}

impl Worker for LocalWorker {
    fn run(&mut self, job: &Job, cancel: &CancelToken) -> Result<ActionResult, Box<Failure>> {
        let closures = self.closures(job)?;
        let worker = match self.worker.take() {
            Some(worker) => self.worker.insert(worker),
            None => {
                let worker =
                    self.executor.worker().map_err(|error| failure(Cause::Launcher(error)))?;
                self.worker.insert(worker.waiting(self.waiter.clone()))
            }
        };
        self.executor
            .run(worker, &job.action, &job.grants, &closures, cancel)
            .map(|executed| executed.result)
    }
}

fn failure(cause: Cause) -> Box<Failure> {
    Box::new(Failure {
        cause,
        log: None,
        duration: std::time::Duration::ZERO,
        command: None,
        kept: None,
    })
}
