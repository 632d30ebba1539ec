//! Moments as people and servers write them, and how long to wait between tries.

use std::time::Duration;

/// The moment, in milliseconds since 1970, as RFC 3339 has it.
pub(crate) fn written(millis: u64) -> String {
    let seconds = millis / 1000;
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = date(days);
    let (hour, minute, second) = (rest / 3600, rest / 60 % 60, rest % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

/// Year, month and day that many days after 1970-01-01.
fn date(days: u64) -> (u64, u64, u64) {
    // Years that begin in March have their leap day at the end.
    let days = days + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let of_year = day - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (year + era * 400 + u64::from(month <= 2), month, day)
}

/// How many days after 1970-01-01 a day is.
fn days(year: u64, month: u64, day: u64) -> Option<u64> {
    let year = if month <= 2 { year.checked_sub(1)? } else { year };
    let (era, of_era) = (year / 400, year % 400);
    let month = if month > 2 { month - 3 } else { month + 9 };
    let of_year = (153 * month + 2) / 5 + day.checked_sub(1)?;
    let of_era = of_era * 365 + of_era / 4 - of_era / 100 + of_year;
    (era * 146_097 + of_era).checked_sub(719_468)
}

/// How long `Retry-After` asks to wait: seconds, or until a date.
pub(crate) fn retry_after(text: &str, now: u64) -> Option<Duration> {
    let text = text.trim();
    if let Ok(seconds) = text.parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    Some(Duration::from_millis(http_date(text)?.saturating_sub(now)))
}

/// A date as HTTP writes it, `Sun, 22 Nov 2026 07:28:00 GMT`, in milliseconds since 1970.
fn http_date(text: &str) -> Option<u64> {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let words: Vec<&str> = text.split_whitespace().collect();
    let [_, day, month, year, clock, "GMT"] = words.as_slice() else { return None };
    let month = (1..).zip(MONTHS).find(|(_, name)| name == month)?.0;
    let (day, year) = (day.parse().ok()?, year.parse().ok()?);
    if !(1..=31).contains(&day) || !(1970..=9999).contains(&year) {
        return None;
    }
    let mut parts = clock.split(':').map(|part| part.parse::<u64>().ok().filter(|n| *n <= 60));
    let (hour, minute, second) = (parts.next()??, parts.next()??, parts.next()??);
    Some((days(year, month, day)? * 86_400 + hour * 3600 + minute * 60 + second) * 1000)
}

/// How long to wait after that many failed tries: anything up to a bound that doubles each time,
/// so that clients who failed together do not come back together.
pub(crate) fn backoff(pace: Duration, failed: u32, seed: &str) -> Duration {
    let most = (pace * 60).min(pace * 2_u32.saturating_pow(failed.saturating_sub(1).min(16)));
    let digest = blake3::hash(format!("{seed} {failed}").as_bytes());
    let part = u16::from_le_bytes([digest.as_bytes()[0], digest.as_bytes()[1]]);
    most * (u32::from(part) + 1) / 65_536
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_written_as_the_calendar_has_them() {
        assert_eq!(written(0), "1970-01-01T00:00:00Z");
        assert_eq!(written(951_782_400_000), "2000-02-29T00:00:00Z");
        assert_eq!(written(1_795_332_480_999), "2026-11-22T07:28:00Z");
        for day in (0..200_000).step_by(17) {
            let (year, month, of_month) = date(day);
            assert_eq!(days(year, month, of_month), Some(day));
        }
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now = 1_795_332_470_000;
        assert_eq!(retry_after("3", now), Some(Duration::from_secs(3)));
        let date = "Sun, 22 Nov 2026 07:28:00 GMT";
        assert_eq!(retry_after(date, now), Some(Duration::from_secs(10)));
        assert_eq!(retry_after(date, now + 60_000), Some(Duration::ZERO));
        for bad in
            ["", "soon", "-1", "Sun, 0 Nov 2026 07:28:00 GMT", "22 Nov 2026", "a b c d e GMT"]
        {
            assert_eq!(retry_after(bad, now), None, "{bad}");
        }
    }

    #[test]
    fn waits_grow_to_a_bound_and_differ() {
        let pace = Duration::from_millis(500);
        for failed in 1..40 {
            let most = pace * 2_u32.pow((failed - 1).min(6));
            let waits: Vec<Duration> =
                (0..50).map(|seed| backoff(pace, failed, &seed.to_string())).collect();
            assert!(waits.iter().all(|wait| *wait <= most.min(pace * 60)), "{failed} {waits:?}");
            assert!(waits.iter().any(|wait| *wait > most / 2), "{failed} {waits:?}");
            assert!(waits.iter().any(|wait| *wait < most / 2), "{failed} {waits:?}");
        }
    }
}
