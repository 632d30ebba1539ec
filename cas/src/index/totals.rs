//! Figures and faults of the index as a whole.

use super::{IndexError, Rows};
use crate::stats::Stats;

impl Rows<'_> {
    /// How much there is of everything that has rows.
    pub(crate) fn totals(&self) -> Result<Stats, IndexError> {
        let mut stats = self.run(|sql| {
            sql.query_row(
                "SELECT count(*), coalesce(sum(iif(missing, 0, size)), 0), coalesce(sum(missing), 0)
                 FROM object",
                [],
                |row| {
                    Ok(Stats {
                        objects: row.get::<_, i64>(0)?.cast_unsigned(),
                        bytes: row.get::<_, i64>(1)?.cast_unsigned(),
                        missing: row.get::<_, i64>(2)?.cast_unsigned(),
                        ..Stats::default()
                    })
                },
            )
        })?;
        (stats.results, stats.oldest_use, stats.newest_use) = self.run(|sql| {
            sql.query_row(
                "SELECT (SELECT count(*) FROM result), min(used_at), max(used_at)
                 FROM (SELECT used_at FROM object UNION ALL SELECT used_at FROM result)",
                [],
                |row| Ok((row.get::<_, i64>(0)?.cast_unsigned(), row.get(1)?, row.get(2)?)),
            )
        })?;
        Ok(stats)
    }

    /// What SQLite finds wrong with the index.
    pub(crate) fn faults(&self) -> Result<Vec<String>, IndexError> {
        let mut faults: Vec<String> = self.run(|sql| {
            sql.prepare("PRAGMA quick_check")?.query_map([], |row| row.get(0))?.collect()
        })?;
        faults.retain(|fault| fault != "ok");
        Ok(faults)
    }
}
