//! How large a picture is, and of which kind, from its first bytes.

/// The media type of a picture that models know.
pub(crate) fn media(bytes: &[u8]) -> Option<&'static str> {
    if bytes.starts_with(b"\x89PNG\r\n\x1a\n") {
        Some("image/png")
    } else if bytes.starts_with(b"\xff\xd8\xff") {
        Some("image/jpeg")
    } else if bytes.starts_with(b"GIF8") {
        Some("image/gif")
    } else if bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(b"WEBP") {
        Some("image/webp")
    } else {
        None
    }
}

/// Its width and height, of a PNG or a JPEG.
pub(crate) fn size(bytes: &[u8]) -> Option<(u32, u32)> {
    let big = |at: usize, count: usize| {
        let bytes = bytes.get(at..at + count)?;
        Some(bytes.iter().fold(0_u32, |number, byte| number << 8 | u32::from(*byte)))
    };
    match media(bytes)? {
        "image/png" => Some((big(16, 4)?, big(20, 4)?)),
        "image/jpeg" => {
            let mut at = 2;
            loop {
                let (mark, kind) = (big(at, 1)?, big(at + 1, 1)?);
                if mark != 0xff {
                    return None;
                }
                match kind {
                    0xff => at += 1,
                    // Frames of any coding; 0xc4, 0xc8 and 0xcc are tables.
                    0xc0..=0xcf if ![0xc4, 0xc8, 0xcc].contains(&kind) => {
                        return Some((big(at + 7, 2)?, big(at + 5, 2)?));
                    }
                    0x01 | 0xd0..=0xd7 => at += 2,
                    _ => at += 2 + big(at + 2, 2)? as usize,
                }
            }
        }
        _ => None,
    }
    .filter(|(width, height)| *width > 0 && *height > 0)
}

/// The size scaled down so that no side is longer than `most`, in whole steps of `step`.
pub(crate) fn scaled((width, height): (u32, u32), most: u32, step: u32) -> (u32, u32) {
    let longest = u64::from(width.max(height).max(1));
    let side = |side: u32| {
        let side = u64::from(side);
        let side = if longest > u64::from(most) { side * u64::from(most) / longest } else { side };
        let step = u64::from(step);
        u32::try_from((side / step * step).max(step)).unwrap_or(most)
    };
    (side(width), side(height))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_from_the_first_bytes() {
        let mut png = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".to_vec();
        png.extend(b"\0\0\x05\x00\0\0\x02\xd0\x08\x06\0\0\0");
        assert_eq!(size(&png), Some((1280, 720)));
        let mut jpeg = b"\xff\xd8\xff\xe0\0\x04ab\xff\xff\xc4\0\x02".to_vec();
        jpeg.extend(b"\xff\xc2\0\x11\x08\x01\xe0\x02\x80\x03");
        assert_eq!(size(&jpeg), Some((640, 480)));
        for cut in 0..jpeg.len() - 2 {
            assert_eq!(size(&jpeg[..cut]), None, "{cut}");
        }
        assert_eq!(size(b"RIFF....WEBPVP8 "), None);
        assert_eq!(media(b"RIFF....WEBPVP8 "), Some("image/webp"));
        assert_eq!(media(b"RIFF....WAVE"), None);
    }

    #[test]
    fn pictures_shrink_and_never_grow() {
        assert_eq!(scaled((1920, 1080), 1024, 8), (1024, 576));
        assert_eq!(scaled((1080, 1920), 1024, 8), (576, 1024));
        assert_eq!(scaled((1023, 700), 1024, 8), (1016, 696));
        assert_eq!(scaled((4, 90_000), 1024, 8), (8, 1024));
    }
}
