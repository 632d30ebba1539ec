//! Verifying all that the store holds.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use crate::digest::{ActionKey, BlobId};
use crate::error::IoError;
use crate::index::{IndexError, Object, Outlive};
use crate::pack::{Frame, Kind};
use crate::packs::Found;
use crate::read::{Located, Opened, ReadError};
use crate::rebuild;
use crate::record;
use crate::store::Store;

/// How `verify` goes about it.
#[derive(Debug, Clone, Copy, Default)]
pub struct VerifyOptions {
    /// Also take up blobs and results that lie in the store but are not in its index.
    pub rebuild: bool,
}

/// What `verify` found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct VerifyReport {
    /// How many files and trees were read.
    pub objects: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Blobs that were damaged; they are set aside.
    pub damaged: Vec<BlobId>,
    /// Blobs that something needs and that are not there.
    pub missing: Vec<BlobId>,
    /// Results that need one of these: they are misses until it is made again.
    pub broken_results: Vec<ActionKey>,
    /// Records that were lost or damaged and are written again.
    pub records_mended: u64,
    /// Blobs taken up that were not in the index.
    pub adopted_objects: u64,
    /// Results taken up that were not in the index.
    pub adopted_results: u64,
    /// What SQLite finds wrong with the index; `Store::rebuild` makes it again.
    pub index_faults: Vec<String>,
}

impl VerifyReport {
    /// Whether nothing was wrong.
    pub fn is_sound(&self) -> bool {
        self.damaged.is_empty()
            && self.missing.is_empty()
            && self.broken_results.is_empty()
            && self.index_faults.is_empty()
            && self.records_mended == 0
    }
}

/// The store cannot be verified.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// The index failed.
    #[error(transparent)]
    Index(#[from] IndexError),
    /// A file operation failed.
    #[error(transparent)]
    Io(#[from] IoError),
}

/// What one object turned out to be.
enum Finding {
    Good,
    Moved,
    Gone,
    Damaged,
}

impl Store {
    /// Reads every blob and every record and sets aside what is damaged.
    pub fn verify(&self, options: VerifyOptions) -> Result<VerifyReport, VerifyError> {
        let mut report = VerifyReport::default();
        self.settle();
        if options.rebuild {
            let adopted = self
                .index
                .write(Outlive::PowerCut, |rows| rebuild::adopt(&self.layout, rows, self.now()))?;
            report.adopted_objects = adopted.objects;
            report.adopted_results = adopted.results;
        }
        report.index_faults = self.index.read(|rows| rows.faults())?;
        self.verify_objects(&mut report)?;
        self.verify_records(&mut report)?;
        report.missing.extend(self.index.read(|rows| rows.needed_missing())?);
        report.broken_results.extend(self.index.read(|rows| rows.broken_keys())?);
        Ok(report)
    }

    fn verify_objects(&self, report: &mut VerifyReport) -> Result<(), VerifyError> {
        let objects = self.index.read(|rows| rows.objects())?;
        for (place, finding) in self.findings(&objects)? {
            let object = &objects[place];
            match finding {
                Finding::Good => {
                    report.objects += 1;
                    report.bytes += object.size;
                }
                Finding::Moved | Finding::Gone => {}
                Finding::Damaged => report.damaged.push(object.blob),
            }
        }
        self.settle();
        Ok(())
    }

    /// Reads all objects, on all cores.
    fn findings(&self, objects: &[Object]) -> Result<Vec<(usize, Finding)>, VerifyError> {
        let next = AtomicUsize::new(0);
        let work = || -> Result<Vec<(usize, Finding)>, VerifyError> {
            let mut found = Vec::new();
            loop {
                let place = next.fetch_add(1, Ordering::Relaxed);
                let Some(object) = objects.get(place) else { return Ok(found) };
                found.push((place, self.examine(object)?));
            }
        };
        let found = thread::scope(|scope| {
            let threads = thread::available_parallelism().map_or(1, usize::from);
            let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
            let joined = workers.into_iter().map(|worker| {
                worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            });
            joined.collect::<Result<Vec<_>, _>>()
        })?;
        let mut found: Vec<_> = found.into_iter().flatten().collect();
        found.sort_by_key(|(place, _)| *place);
        Ok(found)
    }

    /// Reads an object; what is damaged is set aside.
    fn examine(&self, object: &Object) -> Result<Finding, VerifyError> {
        if object.missing {
            return Ok(Finding::Gone);
        }
        let located = Located { is_suspect: true, ..self.located(object) };
        match self.open_located(&located) {
            Ok(Opened::Blob(_)) => Ok(Finding::Good),
            Ok(Opened::Moved) => Ok(Finding::Moved),
            Ok(Opened::Lost(ReadError::Damaged { .. })) => Ok(Finding::Damaged),
            Ok(Opened::Lost(_)) => Ok(Finding::Gone),
            Err(ReadError::Io(error)) => Err(error.into()),
            Err(ReadError::Index(error)) => Err(error.into()),
            Err(ReadError::Missing { .. } | ReadError::Damaged { .. }) => Ok(Finding::Gone),
        }
    }

    /// Compares the record of every result in its pack with the index and writes it again where it
    /// differs.
    fn verify_records(&self, report: &mut VerifyReport) -> Result<(), VerifyError> {
        for info in self.index.read(|rows| rows.results())? {
            let Some((record, slot)) = self.index.read(|rows| rows.record(info.key))? else {
                continue;
            };
            if record::decode(&record).is_err() {
                self.index.write(Outlive::Process, |rows| rows.remove_result(info.key))?;
                report.broken_results.push(info.key);
                continue;
            }
            let frame = Frame::of(Kind::Record, info.key.digest(), &record);
            if matches!(self.packs.read(slot, &frame)?, Found::Whole(bytes) if bytes == record) {
                continue;
            }
            let gate = self.gate()?;
            let again = self.packs.append(&self.index, Kind::Record, info.key.digest(), &record)?;
            self.index.write(Outlive::Process, |rows| rows.move_record(info.row, again))?;
            drop(gate);
            report.records_mended += 1;
        }
        Ok(())
    }
}
