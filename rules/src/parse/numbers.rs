//! Numbers and `#keywords`.

use super::Read;
use super::cursor::Cursor;
use super::strings::is_identifier_char;
use crate::syntax::{Float, Scalar};

/// `#true`, `#false`, `#null`, `#inf`, `#-inf`, `#nan`; nothing if no keyword stands here.
pub(super) fn keyword(cursor: &mut Cursor<'_>) -> Read<Option<Scalar>> {
    let Some(after) = cursor.rest().strip_prefix('#') else { return Ok(None) };
    if after.starts_with(['#', '"']) {
        return Ok(None);
    }
    let start = cursor.offset();
    cursor.advance(1);
    let word = cursor.take_while(is_identifier_char);
    let scalar = match word {
        "true" => Scalar::Bool(true),
        "false" => Scalar::Bool(false),
        "null" => Scalar::Null,
        "inf" => Scalar::Float(Float(f64::INFINITY)),
        "-inf" => Scalar::Float(Float(f64::NEG_INFINITY)),
        "nan" => Scalar::Float(Float(f64::NAN)),
        _ => {
            let mut fault =
                cursor.fault(start..cursor.offset(), &format!("`#{word}` is no keyword"));
            fault.hint =
                Some("the keywords are `#true`, `#false` and `#null`; quote a text".into());
            return Err(fault);
        }
    };
    Ok(Some(scalar))
}

/// A number; nothing if none begins here.
pub(super) fn number(cursor: &mut Cursor<'_>) -> Read<Option<Scalar>> {
    let unsigned = cursor.rest().trim_start_matches(['+', '-']);
    let signs = cursor.rest().len() - unsigned.len();
    if signs > 1 || !unsigned.starts_with(|c: char| c.is_ascii_digit()) {
        return Ok(None);
    }
    let start = cursor.offset();
    let word = cursor.take_while(is_identifier_char);
    match scalar(word) {
        Some(scalar) => Ok(Some(scalar)),
        None => {
            let message = format!("`{word}` is not a number");
            let mut fault = cursor.fault(start..cursor.offset(), &message);
            fault.hint = Some("put a text that begins with a digit into quotes".into());
            Err(fault)
        }
    }
}

fn scalar(word: &str) -> Option<Scalar> {
    let (negative, digits) = match word.as_bytes()[0] {
        b'-' => (true, &word[1..]),
        b'+' => (false, &word[1..]),
        _ => (false, word),
    };
    for (prefix, radix) in [("0x", 16), ("0o", 8), ("0b", 2)] {
        if let Some(digits) = digits.strip_prefix(prefix) {
            return whole(digits, radix, negative);
        }
    }
    if digits.contains(['.', 'e', 'E']) { float(word) } else { whole(digits, 10, negative) }
}

/// A whole number; as a float where it does not fit, so that the type check can say so.
fn whole(digits: &str, radix: u32, negative: bool) -> Option<Scalar> {
    if !digits.starts_with(|c: char| c.is_digit(radix)) {
        return None;
    }
    if !digits.chars().all(|c| c == '_' || c.is_digit(radix)) {
        return None;
    }
    let plain: String = if negative { "-" } else { "" }
        .chars()
        .chain(digits.chars().filter(|c| *c != '_'))
        .collect();
    match i64::from_str_radix(&plain, radix) {
        Ok(number) => Some(Scalar::Int(number)),
        Err(_) if radix == 10 => plain.parse().ok().map(|number| Scalar::Float(Float(number))),
        Err(_) => {
            let value = digits.chars().filter_map(|c| c.to_digit(radix));
            let size = value.fold(0.0, |sum, digit| sum * f64::from(radix) + f64::from(digit));
            Some(Scalar::Float(Float(if negative { -size } else { size })))
        }
    }
}

fn float(word: &str) -> Option<Scalar> {
    let unsigned = word.trim_start_matches(['+', '-']);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (unsigned, None),
    };
    let (before, after) = match mantissa.split_once('.') {
        Some((before, after)) => (before, Some(after)),
        None => (mantissa, None),
    };
    let power = exponent.map(|text| text.strip_prefix(['+', '-']).unwrap_or(text));
    let good = is_integer(before) && after.is_none_or(is_integer) && power.is_none_or(is_integer);
    if !good {
        return None;
    }
    let plain: String = word.chars().filter(|c| *c != '_').collect();
    plain.parse().ok().map(|number| Scalar::Float(Float(number)))
}

fn is_integer(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_digit())
        && text.chars().all(|c| c.is_ascii_digit() || c == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_every_spelling() {
        assert_eq!(scalar("1_000"), Some(Scalar::Int(1000)));
        assert_eq!(scalar("-0x1F"), Some(Scalar::Int(-31)));
        assert_eq!(scalar("0b101"), Some(Scalar::Int(5)));
        assert_eq!(scalar("0o17"), Some(Scalar::Int(15)));
        assert_eq!(scalar("+2.5e-1"), Some(Scalar::Float(Float(0.25))));
        assert_eq!(scalar("1e3"), Some(Scalar::Float(Float(1000.0))));
        assert_eq!(scalar("-9223372036854775808"), Some(Scalar::Int(i64::MIN)));
        assert_eq!(
            scalar("9223372036854775808"),
            Some(Scalar::Float(Float(9_223_372_036_854_775_808.0)))
        );
        for bad in ["1.", "1.e3", "1x", "0x", "0xg", "1._5", "1e", "0x_1"] {
            assert_eq!(scalar(bad), None, "{bad}");
        }
    }
}
