//! Facts of the disk: stats of files that were read, and the files behind tools' fingerprints.

use std::collections::{BTreeMap, HashMap};

use rusqlite::{OptionalExtension, params};
use vwfb_cas::Digest;
use vwfb_cas::profile::{self, Counter};

use super::{State, StateError, digest};
use crate::stamp::{Stamp, Stamped};
use crate::stamps::Recorded;

impl State {
    /// Every stat record, by absolute path.
    ///
    /// # Errors
    /// See [`State::begin_run`].
    pub fn stamps(&self) -> Result<HashMap<String, Stamped>, StateError> {
        self.with(|db| {
            let mut statement = db.prepare("SELECT path, stamp, digest FROM stamps")?;
            let rows = statement.query_map([], |row| {
                let (stamp, bytes): (Vec<u8>, Vec<u8>) = (row.get(1)?, row.get(2)?);
                Ok((row.get::<_, String>(0)?, Stamp::decode(&stamp), digest(&bytes)))
            })?;
            let mut stamps = HashMap::new();
            for row in rows {
                if let (path, Some(stamp), Some(digest)) = row? {
                    stamps.insert(path, Stamped { stamp, digest });
                }
            }
            profile::count(Counter::StateRows, stamps.len() as u64);
            Ok(stamps)
        })
    }

    /// The stat record of one absolute path.
    ///
    /// # Errors
    /// See [`State::begin_run`].
    pub fn stamp(&self, path: &str) -> Result<Option<Stamped>, StateError> {
        profile::count(Counter::StateRows, 1);
        self.with(|db| {
            let mut select =
                db.prepare_cached("SELECT stamp, digest FROM stamps WHERE path = ?1")?;
            let row = select.query_row([path], |row| {
                let (stamp, bytes): (Vec<u8>, Vec<u8>) = (row.get(0)?, row.get(1)?);
                Ok(Stamp::decode(&stamp).zip(digest(&bytes)))
            });
            let found = row.optional()?.flatten();
            Ok(found.map(|(stamp, digest)| Stamped { stamp, digest }))
        })
    }

    /// Records stats, in one transaction.
    ///
    /// # Errors
    /// See [`State::begin_run`].
    pub fn record_stamps(&self, new: &BTreeMap<String, Stamped>) -> Result<(), StateError> {
        self.change(|db| {
            let transaction = db.transaction()?;
            {
                let mut insert =
                    transaction.prepare("INSERT OR REPLACE INTO stamps VALUES (?1, ?2, ?3)")?;
                for (path, stamped) in new {
                    let digest = stamped.digest.as_bytes().as_slice();
                    insert.execute(params![path, stamped.stamp.encode(), digest])?;
                }
            }
            transaction.commit()
        })
    }

    /// Records what a toolchain's fingerprint stands for.
    ///
    /// # Errors
    /// See [`State::begin_run`].
    pub fn record_closure(
        &self,
        fingerprint: Digest,
        components: &BTreeMap<String, Digest>,
    ) -> Result<(), StateError> {
        profile::count(Counter::StateRows, 1);
        let known: Option<i64> = self.with(|db| {
            db.prepare_cached("SELECT 1 FROM closures WHERE fingerprint = ?1 LIMIT 1")?
                .query_row([fingerprint.as_bytes().as_slice()], |row| row.get(0))
                .optional()
        })?;
        if known.is_some() {
            return Ok(());
        }
        self.change(|db| {
            let transaction = db.transaction()?;
            for (path, digest) in components {
                transaction.execute(
                    "INSERT OR IGNORE INTO closures VALUES (?1, ?2, ?3)",
                    params![fingerprint.as_bytes().as_slice(), path, digest.as_bytes().as_slice()],
                )?;
            }
            transaction.commit()
        })
    }

    /// The files behind a toolchain's fingerprint; empty if it was never recorded here.
    ///
    /// # Errors
    /// See [`State::begin_run`].
    pub fn closure(&self, fingerprint: Digest) -> Result<BTreeMap<String, Digest>, StateError> {
        self.with(|db| {
            let mut statement =
                db.prepare("SELECT path, digest FROM closures WHERE fingerprint = ?1")?;
            let rows = statement.query_map([fingerprint.as_bytes().as_slice()], |row| {
                Ok((row.get::<_, String>(0)?, row.get::<_, Vec<u8>>(1)?))
            })?;
            let mut components = BTreeMap::new();
            for row in rows {
                let (path, bytes) = row?;
                components.extend(digest(&bytes).map(|digest| (path, digest)));
            }
            profile::count(Counter::StateRows, components.len() as u64);
            Ok(components)
        })
    }
}

/// What cannot be read is not known: the files are read again.
impl Recorded for State {
    fn stamp(&self, path: &str) -> Option<Stamped> {
        Self::stamp(self, path).ok().flatten()
    }

    fn stamps(&self) -> HashMap<String, Stamped> {
        Self::stamps(self).unwrap_or_default()
    }
}
