//! Durations, sizes and colours: how they are written and how they read in a command.

use std::time::Duration;

const DURATIONS: [(&str, u64); 6] = [
    ("ns", 1),
    ("us", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
];

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

/// The duration written `200ms`, `2.5s`, `5m`, `1h`.
pub(crate) fn duration(text: &str) -> Option<Duration> {
    quantity(text, &DURATIONS).map(Duration::from_nanos)
}

/// The bytes written `64MiB`, `1.5GB`, `100B`.
pub(crate) fn size(text: &str) -> Option<u64> {
    quantity(text, &SIZES)
}

/// The colour written `#rrggbb` or `#rrggbbaa`, in lower case.
pub(crate) fn color(text: &str) -> Option<String> {
    let digits = text.strip_prefix('#')?;
    let good = matches!(digits.len(), 6 | 8) && digits.bytes().all(|b| b.is_ascii_hexdigit());
    good.then(|| text.to_ascii_lowercase())
}

/// A duration in seconds, with no digit too many: `2.5`, `300`.
pub(crate) fn seconds(duration: Duration) -> String {
    let text = format!("{}.{:09}", duration.as_secs(), duration.subsec_nanos());
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// A decimal number with a unit, exactly: digits are never rounded through a float.
fn quantity(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.')?;
    let (number, unit) = text.split_at(end);
    let (_, factor) = units.iter().find(|(name, _)| *name == unit)?;
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    if whole.is_empty() || fraction.is_empty() || fraction.len() > 12 || fraction.contains('.') {
        return None;
    }
    let mut total = whole.parse::<u128>().ok()?.checked_mul(u128::from(*factor))?;
    let scale = 10u128.pow(u32::try_from(fraction.len()).ok()?);
    let part = fraction.parse::<u128>().ok()?.checked_mul(u128::from(*factor))?;
    if part % scale != 0 {
        return None;
    }
    total += part / scale;
    u64::try_from(total).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_exact() {
        assert_eq!(duration("2.5s"), Some(Duration::from_millis(2500)));
        assert_eq!(duration("200ms"), Some(Duration::from_millis(200)));
        assert_eq!(duration("5m"), Some(Duration::from_secs(300)));
        assert_eq!(size("64MiB"), Some(64 << 20));
        assert_eq!(size("1.5kB"), Some(1500));
        for bad in ["5", "s", "5 s", "5min", "-1s", "1..5s", ".5s", "0.5ns", "99999999999h"] {
            assert_eq!(duration(bad), None, "{bad}");
        }
    }

    #[test]
    fn durations_read_as_seconds() {
        assert_eq!(seconds(Duration::from_millis(2500)), "2.5");
        assert_eq!(seconds(Duration::from_secs(300)), "300");
        assert_eq!(seconds(Duration::ZERO), "0");
    }

    #[test]
    fn colours_are_lower_case() {
        assert_eq!(color("#1A1a2E").as_deref(), Some("#1a1a2e"));
        assert_eq!(color("#1a1a2e80").as_deref(), Some("#1a1a2e80"));
        assert_eq!(color("1a1a2e"), None);
        assert_eq!(color("#fff"), None);
    }
}
