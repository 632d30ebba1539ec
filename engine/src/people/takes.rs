//! Which take of a target's results is in use, and what people chose in all.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::{OptionalExtension, params};
use vwfb_cas::Digest;
use vwfb_rules::label::{Label, Reference, WsPath};

use super::{People, PeopleError};
use crate::db::Choices;

/// The takes of one target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Takes {
    /// The one in use; 0 is the first.
    pub in_use: u32,
    /// The last that was begun.
    pub last: u32,
}

impl People {
    /// Begins another take of what `label` makes, because of `decision` if that is given: who takes
    /// that back goes back to the take before. Returns its number.
    ///
    /// # Errors
    /// If the database cannot be written; so for every method here.
    pub fn begin_take(
        &self,
        (label, config): (&Label, Digest),
        uses: bool,
        decision: Option<i64>,
    ) -> Result<u32, PeopleError> {
        let config = config.as_bytes().as_slice();
        self.change(|db| {
            if let Some(decision) = decision {
                db.execute(
                    "INSERT OR IGNORE INTO retakes VALUES (?1, ?2, ?3, coalesce(
                     (SELECT in_use FROM takes WHERE label = ?2 AND config = ?3), 0))",
                    params![decision, label.to_string(), config],
                )?;
            }
            db.query_row(
                "INSERT INTO takes VALUES (?1, ?3, iif(?2, 1, 0), 1)
                 ON CONFLICT DO UPDATE SET last = last + 1, in_use = iif(?2, last + 1, in_use)
                 RETURNING last",
                params![label.to_string(), uses, config],
                |row| row.get(0),
            )
        })
    }

    /// Puts the take `take` of what `label` makes to use.
    ///
    /// # Errors
    /// See [`People::begin_take`].
    pub fn use_take(
        &self,
        (label, config): (&Label, Digest),
        take: u32,
    ) -> Result<(), PeopleError> {
        self.change(|db| {
            db.execute(
                "INSERT INTO takes VALUES (?1, ?3, ?2, ?2)
                 ON CONFLICT DO UPDATE SET in_use = ?2, last = max(last, ?2)",
                params![label.to_string(), take, config.as_bytes().as_slice()],
            )?;
            Ok(())
        })
    }

    /// The takes of what `label` makes.
    ///
    /// # Errors
    /// See [`People::begin_take`].
    pub fn takes(&self, (label, config): (&Label, Digest)) -> Result<Takes, PeopleError> {
        self.with(Takes::default(), |db| {
            let found = db.query_row(
                "SELECT in_use, last FROM takes WHERE label = ?1 AND config = ?2",
                params![label.to_string(), config.as_bytes().as_slice()],
                |row| Ok(Takes { in_use: row.get(0)?, last: row.get(1)? }),
            );
            Ok(found.optional()?.unwrap_or_default())
        })
    }

    /// What people chose of the results of every target of which they did.
    ///
    /// # Errors
    /// See [`People::begin_take`].
    pub fn choices(&self, config: Digest) -> Result<Choices, PeopleError> {
        let mut choices = Choices::new();
        for (subject, feedback) in self.feedback()? {
            // A source is nobody's result.
            if let Ok(reference) = Reference::parse(&subject, &WsPath::root()) {
                let choice = choices.entry(reference.label.to_string()).or_default();
                choice.feedback = Some(feedback.into());
            }
        }
        let takes = self.with(Vec::new(), |db| {
            let mut statement =
                db.prepare("SELECT label, in_use FROM takes WHERE in_use > 0 AND config = ?1")?;
            let config = config.as_bytes().as_slice();
            let rows = statement.query_map([config], |row| Ok((row.get(0)?, row.get(1)?)))?;
            rows.collect::<rusqlite::Result<Vec<(String, u32)>>>()
        })?;
        for (label, take) in takes {
            choices.entry(label).or_default().take = take;
        }
        Ok(choices)
    }
}

/// What was said of each target, as text: a snapshot compares it.
pub(crate) type Said = BTreeMap<String, String>;

impl People {
    /// What holds of each target of which anybody said anything.
    ///
    /// # Errors
    /// See [`People::begin_take`].
    pub(crate) fn said(&self, choices: &Choices) -> Result<Said, PeopleError> {
        let mut said = Said::new();
        for (label, choice) in choices {
            let feedback = choice.feedback.as_deref().unwrap_or_default();
            said.insert(label.clone(), format!("take {} {feedback}", choice.take));
        }
        let all = self.decisions()?;
        let undone: BTreeSet<i64> = all.iter().filter_map(|it| it.undoes).collect();
        for decision in all.iter().filter(|it| it.undoes.is_none() && !undone.contains(&it.id)) {
            let of_checkpoint = said.entry(decision.checkpoint.clone()).or_default();
            of_checkpoint.push_str(&format!(" {}", decision.id));
        }
        Ok(said)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_take_is_counted_and_used() {
        let folder = tempfile::tempdir().unwrap();
        let people = People::open(folder.path()).unwrap();
        let label = Label::parse("//p:a[x].b", &WsPath::root()).unwrap();
        let (config, other) = (Digest::of(b"config"), Digest::of(b"other"));
        let place = (&label, config);
        assert_eq!(people.takes(place).unwrap(), Takes::default());
        assert_eq!(people.begin_take(place, true, None).unwrap(), 1);
        assert_eq!(people.begin_take(place, false, None).unwrap(), 2);
        assert_eq!(people.takes(place).unwrap(), Takes { in_use: 1, last: 2 });
        assert_eq!(people.choices(config).unwrap()["//p:a[x].b"].take, 1);
        assert_eq!(people.takes((&label, other)).unwrap(), Takes::default());
        people.use_take(place, 0).unwrap();
        assert!(people.choices(config).unwrap().is_empty());
        assert_eq!(people.begin_take(place, true, None).unwrap(), 3);
    }
}
