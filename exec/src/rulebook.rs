//! Which rules a launcher knows by number, so that each set crosses its pipe once and not with
//! every task.

use std::path::PathBuf;
use std::sync::Arc;

use crate::sandbox::Rules;
use crate::toolbox::Toolset;
use crate::wire::NumberedRules;

/// How many sets of rules a launcher holds, each as an open file.
const MOST: usize = 16;

/// All that the rules of a task follow from.
#[derive(Debug, Clone)]
pub(crate) struct Grounds {
    /// Its tools.
    pub(crate) tools: Arc<Toolset>,
    /// Where it runs.
    pub(crate) root: PathBuf,
    /// The folders that it may write to.
    pub(crate) writable: Vec<PathBuf>,
    /// How often those folders were made: rules are bound to folders, not to their names.
    pub(crate) generation: u64,
    /// Whether it may use the network.
    pub(crate) network: bool,
    /// Whether it gets what is another one each time: a terminal, or a folder for what it asks.
    pub(crate) unique: bool,
}

impl Grounds {
    fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.tools, &other.tools)
            && self.generation == other.generation
            && self.network == other.network
            && self.root == other.root
            && self.writable == other.writable
    }

    fn rules(&self) -> Rules {
        let mut read = self.tools.readable().to_vec();
        read.push(self.root.clone());
        Rules {
            execute: self.tools.executable().to_vec(),
            read,
            write: self.writable.clone(),
            network: self.network,
        }
    }
}

/// What one launcher was told.
#[derive(Debug, Default)]
pub(crate) struct Rulebook {
    known: Vec<Grounds>,
    /// The number that is given away next when none is free.
    next: usize,
}

impl Rulebook {
    /// The rules that follow from `grounds`, in full where the launcher does not know them.
    pub(crate) fn numbered(&mut self, grounds: &Grounds) -> NumberedRules {
        if grounds.unique {
            return NumberedRules { number: MOST, meaning: Some(grounds.rules()) };
        }
        if let Some(number) = self.known.iter().position(|known| known.is(grounds)) {
            return NumberedRules { number, meaning: None };
        }
        let number = if self.known.len() < MOST {
            self.known.push(grounds.clone());
            self.known.len() - 1
        } else {
            let number = self.next;
            self.known[number] = grounds.clone();
            self.next = (number + 1) % MOST;
            number
        };
        NumberedRules { number, meaning: Some(grounds.rules()) }
    }

    /// Forgets all, after an answer that leaves open what the launcher knows.
    pub(crate) fn forget(&mut self) {
        *self = Self::default();
    }
}
