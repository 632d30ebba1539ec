//! What is spent on services, `.vwfb/spending.db`: reserved before a task asks, settled when its answer
//! says what it took. So tasks beside each other, in several processes too, stay within a budget together.

mod purse;

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior};
use vwfb_cas::{ActionKey, Digest};
use vwfb_rules::cost::{Budgets, Money};

use crate::desk::submission::Usage;

pub(crate) use purse::{Leave, Purse};

/// The name of the database in `.vwfb`.
const FILE: &str = "spending.db";

/// The format.
const VERSION: i64 = 1;

/// Each row is one question: what was put aside for it, and what it cost once that is known.
const SCHEMA: &str = "
CREATE TABLE spending (id INTEGER PRIMARY KEY AUTOINCREMENT, key BLOB NOT NULL, label TEXT NOT NULL,
    service TEXT NOT NULL, at_ms INTEGER NOT NULL, reserved INTEGER NOT NULL, cost INTEGER,
    model TEXT, input_tokens INTEGER, output_tokens INTEGER, characters INTEGER, seconds REAL);
CREATE INDEX spending_of ON spending (key);
CREATE INDEX spending_at ON spending (at_ms);
";

const DAY_MS: i64 = 24 * 60 * 60 * 1_000;

/// Why it is not known what was spent.
#[derive(Debug, thiserror::Error)]
#[error("cannot use what was spent in `{}`; nothing in it was changed", path.display())]
pub struct SpendingError {
    path: PathBuf,
    #[source]
    source: rusqlite::Error,
}

/// One question, before it is asked.
#[derive(Debug, Clone)]
pub(crate) struct Question {
    pub(crate) key: ActionKey,
    pub(crate) label: String,
    pub(crate) service: String,
    /// When, in milliseconds since 1970.
    pub(crate) at_ms: i64,
    /// What it is expected to cost.
    pub(crate) expected: Money,
    /// Whether it has a price at all.
    pub(crate) priced: bool,
    /// Whether it was asked before, so that its answer is only waited for, or taken.
    pub(crate) asked: bool,
}

/// Why there is no money for a question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refused {
    /// Which budget has not enough left: `run`, `day`, `target`.
    pub(crate) budget: &'static str,
    pub(crate) limit: Money,
    pub(crate) left: Money,
}

/// The record of what was spent in a workspace. No file is made before something is.
pub struct Spending {
    path: PathBuf,
    connection: Mutex<Option<Connection>>,
}

impl Spending {
    /// That of the workspace whose own folder is `folder` (`.vwfb`).
    pub(crate) fn new(folder: &Path) -> Self {
        Self { path: folder.join(FILE), connection: Mutex::new(None) }
    }

    /// Puts aside what `question` is expected to cost, if `budgets` for a day and a target allow it.
    /// What was put aside for the same question is taken up if that was asked.
    pub(crate) fn reserve(
        &self,
        question: &Question,
        budgets: &Budgets,
    ) -> Result<Result<(), Refused>, SpendingError> {
        let Question { key, label, at_ms, expected, .. } = question;
        let midnight = at_ms - at_ms.rem_euclid(DAY_MS);
        self.change(|db| {
            let open = "SELECT id FROM spending WHERE key = ?1 AND cost IS NULL";
            let aside = db.query_row(open, [&key.0.as_bytes()[..]], |_| Ok(())).optional()?;
            if aside.is_some() && question.asked {
                return Ok(Ok(()));
            }
            let delete = "DELETE FROM spending WHERE key = ?1 AND cost IS NULL";
            db.execute(delete, [&key.0.as_bytes()[..]])?;
            let spent = |only: Option<&str>| -> rusqlite::Result<Money> {
                let sum = "SELECT total(coalesce(cost, reserved)) FROM spending
                    WHERE at_ms >= ?1 AND (?2 IS NULL OR label = ?2)";
                let sum: f64 = db.query_row(sum, (midnight, only), |row| row.get(0))?;
                Ok(Money(sum as u64))
            };
            for (budget, limit, only) in
                [("day", budgets.day, None), ("target", budgets.target, Some(label.as_str()))]
            {
                let Some(limit) = limit else { continue };
                let left = limit.less(spent(only)?);
                if *expected > left || (left == Money::ZERO && question.priced) {
                    return Ok(Err(Refused { budget, limit, left }));
                }
            }
            put_aside(db, question)?;
            Ok(Ok(()))
        })
    }

    /// Notes what `question` took; what was put aside for it is free again.
    pub(crate) fn settle(
        &self,
        question: &Question,
        cost: Money,
        usage: &Usage,
    ) -> Result<(), SpendingError> {
        let Usage { model, input_tokens, output_tokens, characters, seconds, .. } = usage;
        let number = |it: &Option<u64>| it.map(|it| i64::try_from(it).unwrap_or(i64::MAX));
        let key = &question.key;
        self.change(|db| {
            let open = "SELECT id FROM spending WHERE key = ?1 AND cost IS NULL";
            if db.query_row(open, [&key.0.as_bytes()[..]], |_| Ok(())).optional()?.is_none() {
                // A task that asks the same may have freed it.
                put_aside(db, question)?;
            }
            let update = "UPDATE spending SET cost = ?2, model = ?3, input_tokens = ?4,
                output_tokens = ?5, characters = ?6, seconds = ?7
                WHERE key = ?1 AND cost IS NULL";
            let (read, written, spoken) =
                (number(input_tokens), number(output_tokens), number(characters));
            let fields =
                (&key.0.as_bytes()[..], cost.0 as i64, model, read, written, spoken, seconds);
            db.execute(update, fields)
        })?;
        Ok(())
    }

    /// Puts aside what `question` may still cost, whatever budgets say.
    pub(crate) fn put_aside(&self, question: &Question) -> Result<(), SpendingError> {
        self.change(|db| put_aside(db, question))
    }

    /// Counts what was put aside for the action with this key as spent: it may have been, and is asked
    /// again.
    ///
    /// # Errors
    /// If the record cannot be written.
    pub fn give_up(&self, key: ActionKey) -> Result<(), SpendingError> {
        if !self.path.exists() {
            return Ok(());
        }
        let update = "UPDATE spending SET cost = reserved WHERE key = ?1 AND cost IS NULL";
        self.change(|db| db.execute(update, [&key.0.as_bytes()[..]]))?;
        Ok(())
    }

    /// Frees what was put aside for a question that nobody answered and nobody will.
    pub(crate) fn release(&self, key: ActionKey) -> Result<(), SpendingError> {
        let delete = "DELETE FROM spending WHERE key = ?1 AND cost IS NULL";
        self.change(|db| db.execute(delete, [&key.0.as_bytes()[..]]))?;
        Ok(())
    }

    /// What the answers to the actions with these keys cost.
    ///
    /// # Errors
    /// If the record cannot be read.
    pub fn of_keys(&self, keys: &HashSet<ActionKey>) -> Result<Money, SpendingError> {
        if keys.is_empty() || !self.path.exists() {
            return Ok(Money::ZERO);
        }
        self.change(|db| {
            let mut rows = db.prepare("SELECT key, cost FROM spending WHERE cost IS NOT NULL")?;
            let mut rows = rows.query([])?;
            let mut spent: u64 = 0;
            while let Some(row) = rows.next()? {
                let (key, cost): (Vec<u8>, i64) = (row.get(0)?, row.get(1)?);
                let key = <[u8; 32]>::try_from(key).map(Digest::from_bytes).map(ActionKey);
                if key.is_ok_and(|key| keys.contains(&key)) {
                    spent = spent.saturating_add(cost.unsigned_abs());
                }
            }
            Ok(Money(spent))
        })
    }

    /// What was spent, and is put aside, since `since_ms`.
    ///
    /// # Errors
    /// If the record cannot be read.
    pub fn since(&self, since_ms: i64) -> Result<Money, SpendingError> {
        if !self.path.exists() {
            return Ok(Money::ZERO);
        }
        let sum = "SELECT total(coalesce(cost, reserved)) FROM spending WHERE at_ms >= ?1";
        let spent: f64 = self.change(|db| db.query_row(sum, [since_ms], |row| row.get(0)))?;
        Ok(Money(spent as u64))
    }

    /// Works in one transaction that is durable when this returns.
    fn change<T>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>,
    ) -> Result<T, SpendingError> {
        let failed = |source| SpendingError { path: self.path.clone(), source };
        let mut connection = self.connection();
        if connection.is_none() {
            *connection = Some(connect(&self.path).map_err(failed)?);
        }
        let open = connection.as_mut().expect("it was just opened");
        let changed = || {
            let transaction = open.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let value = work(&transaction)?;
            transaction.commit()?;
            Ok(value)
        };
        changed().map_err(failed)
    }

    fn connection(&self) -> MutexGuard<'_, Option<Connection>> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn put_aside(db: &Transaction<'_>, question: &Question) -> rusqlite::Result<()> {
    let Question { key, label, service, at_ms, expected, .. } = question;
    let insert = "INSERT INTO spending (key, label, service, at_ms, reserved)
        VALUES (?1, ?2, ?3, ?4, ?5)";
    db.execute(insert, (&key.0.as_bytes()[..], label, service, at_ms, expected.0 as i64))?;
    Ok(())
}

fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let mut db = Connection::open(path)?;
    vwfb_cas::wal::begin(&db)?;
    // Money that was put aside is put aside after a power cut, too.
    db.pragma_update(None, "synchronous", "FULL")?;
    let transaction = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let found: i64 = transaction.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    match found {
        0 => {
            transaction.execute_batch(SCHEMA)?;
            transaction.pragma_update(None, "user_version", VERSION)?;
        }
        VERSION => {}
        // A newer vwfb wrote it.
        _ => return Err(rusqlite::Error::IntegralValueOutOfRange(0, found)),
    }
    transaction.commit()?;
    Ok(db)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn question(number: u8, at_ms: i64, micros: u64) -> Question {
        Question {
            key: ActionKey(Digest::of(&[number])),
            label: format!("//p:{}", number % 2),
            service: "s".to_owned(),
            at_ms,
            expected: Money(micros),
            priced: false,
            asked: false,
        }
    }

    #[test]
    fn a_day_has_what_was_not_spent_or_put_aside() {
        let folder = tempfile::tempdir().unwrap();
        let spending = Spending::new(folder.path());
        let budgets = Budgets { day: Some(Money(100)), ..Budgets::default() };
        let reserve = |question: &Question| spending.reserve(question, &budgets).unwrap();
        let (first, second) = (question(1, DAY_MS, 60), question(2, DAY_MS + 1, 50));
        assert_eq!(reserve(&first), Ok(()));
        assert_eq!(reserve(&first), Ok(()), "it takes the place of what was put aside");
        let dearer = Question { expected: Money(110), asked: true, ..first.clone() };
        assert_eq!(reserve(&dearer), Ok(()), "it is only waited for");
        let refused = Refused { budget: "day", limit: Money(100), left: Money(40) };
        assert_eq!(reserve(&second), Err(refused));
        spending.settle(&first, Money(30), &Usage::default()).unwrap();
        assert_eq!(reserve(&second), Ok(()));
        assert_eq!(spending.since(DAY_MS).unwrap(), Money(80));
        spending.release(second.key).unwrap();
        assert_eq!(spending.since(DAY_MS).unwrap(), Money(30));
        assert_eq!(spending.of_keys(&HashSet::from([first.key, second.key])).unwrap(), Money(30));
        // The next day begins with all of it.
        assert_eq!(reserve(&question(3, 2 * DAY_MS, 100)), Ok(()));
    }

    #[test]
    fn a_target_has_a_budget_of_its_own() {
        let folder = tempfile::tempdir().unwrap();
        let spending = Spending::new(folder.path());
        let budgets = Budgets { target: Some(Money(100)), ..Budgets::default() };
        assert_eq!(spending.reserve(&question(1, 0, 90), &budgets).unwrap(), Ok(()));
        assert_eq!(spending.reserve(&question(2, 0, 90), &budgets).unwrap(), Ok(()));
        let refused = spending.reserve(&question(3, 0, 11), &budgets).unwrap().unwrap_err();
        assert_eq!((refused.budget, refused.left), ("target", Money(10)));
    }
}
