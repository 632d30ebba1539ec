//! Ages, sizes, durations and counts as the command line takes and prints them.

use std::num::NonZeroUsize;
use std::time::Duration;

use vwfb_rules::cost::Money;

/// Not an age, size or number of jobs.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum UnitError {
    /// No age.
    #[error("an age is a whole number with a unit: `90m`, `12h`, `30d`, `8w`")]
    Age,
    /// No size.
    #[error("a size is a whole number with a unit: `500MB`, `10GiB`")]
    Size,
    /// No amount of money.
    #[error("an amount of money is a number: `2.50`")]
    Money,
    /// No number of jobs.
    #[error("how many tasks run at once is a whole number, and at least 1")]
    Jobs,
}

const AGES: [(&str, u64); 5] = [("s", 1), ("m", 60), ("h", 3_600), ("d", 86_400), ("w", 604_800)];

const SIZES: [(&str, u64); 9] = [
    ("B", 1),
    ("kB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("TB", 1_000_000_000_000),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
];

/// The age written `30d`.
pub(crate) fn age(text: &str) -> Result<Duration, UnitError> {
    quantity(text, &AGES).map(Duration::from_secs).ok_or(UnitError::Age)
}

/// The bytes written `10GiB`.
pub(crate) fn size(text: &str) -> Result<u64, UnitError> {
    quantity(text, &SIZES).ok_or(UnitError::Size)
}

/// The amount written `2.50`.
pub(crate) fn money(text: &str) -> Result<Money, UnitError> {
    Money::parse(text).ok_or(UnitError::Money)
}

/// The number of tasks written `4`.
pub(crate) fn jobs(text: &str) -> Result<NonZeroUsize, UnitError> {
    text.parse().map_err(|_not_one| UnitError::Jobs)
}

fn quantity(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit())?);
    let (_, factor) = units.iter().find(|(name, _)| *name == unit)?;
    number.parse::<u64>().ok()?.checked_mul(*factor)
}

/// A duration for people: `340 ms`, `42.0 s`, `3 min 20 s`, `2 h 5 min`.
pub(crate) fn told(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0 => format!("{} ms", duration.as_millis()),
        1..60 => format!("{:.1} s", duration.as_secs_f64()),
        60..3_600 => format!("{} min {} s", seconds / 60, seconds % 60),
        _ => format!("{} h {} min", seconds / 3_600, seconds % 3_600 / 60),
    }
}

/// A time as RFC 3339 has it, from milliseconds since 1970: `2026-11-22T01:43:05Z`.
pub(crate) fn time(since_1970_ms: i64) -> String {
    let since = Duration::from_millis(since_1970_ms.max(0).unsigned_abs());
    humantime::format_rfc3339_seconds(std::time::UNIX_EPOCH + since).to_string()
}

/// A number of bytes for people: `512 B`, `1.5 GiB`.
pub(crate) fn bytes(count: u64) -> String {
    const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    if count < 1_024 {
        return format!("{count} B");
    }
    let power = (count.ilog2() / 10).min(5);
    #[expect(clippy::cast_precision_loss, reason = "one digit after the point is shown")]
    let amount = count as f64 / f64::from(2_u32).powi(power.cast_signed() * 10);
    format!("{amount:.1} {}", UNITS[power as usize - 1])
}

/// A number of things: `1 error`, `2 errors`.
pub(crate) fn counted(count: impl Into<u64>, noun: &str) -> String {
    match count.into() {
        1 => format!("1 {noun}"),
        count => format!("{count} {noun}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_and_sizes_have_units() {
        assert_eq!(age("30d"), Ok(Duration::from_secs(30 * 86_400)));
        assert_eq!(size("10GiB"), Ok(10 << 30));
        for bad in ["", "30", "d", "-1d", "1.5d", "30 d"] {
            assert_eq!(age(bad), Err(UnitError::Age), "{bad}");
        }
        assert_eq!(size("99999999TiB"), Err(UnitError::Size));
    }

    #[test]
    fn at_least_one_task_runs_at_once() {
        assert_eq!(jobs("4").map(usize::from), Ok(4));
        for bad in ["0", "x", "-1", "1.5", ""] {
            assert_eq!(jobs(bad), Err(UnitError::Jobs), "{bad}");
        }
    }

    #[test]
    fn people_read_rounded_amounts() {
        assert_eq!(bytes(1_023), "1023 B");
        assert_eq!(bytes(1_536), "1.5 KiB");
        assert_eq!(bytes(3 << 30), "3.0 GiB");
        assert_eq!(told(Duration::from_millis(340)), "340 ms");
        assert_eq!(told(Duration::from_millis(2_340)), "2.3 s");
        assert_eq!(told(Duration::from_secs(200)), "3 min 20 s");
        assert_eq!(told(Duration::from_secs(7_500)), "2 h 5 min");
    }
}
