//! Keys, and the bytes that a terminal sends for them.

/// One key without the keys that are held with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Base {
    /// The key of a character.
    Char(char),
    /// One that has a name.
    Named(Named),
}

/// Keys that have a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "their names say what they are")]
pub enum Named {
    Enter,
    Tab,
    Backspace,
    Space,
    Escape,
    Up,
    Down,
    Right,
    Left,
    Home,
    End,
    Insert,
    Delete,
    PageUp,
    PageDown,
}

impl Named {
    /// All of them by their names in tapes.
    pub const ALL: [(&'static str, Self); 15] = [
        ("Enter", Self::Enter),
        ("Tab", Self::Tab),
        ("Backspace", Self::Backspace),
        ("Space", Self::Space),
        ("Escape", Self::Escape),
        ("Up", Self::Up),
        ("Down", Self::Down),
        ("Right", Self::Right),
        ("Left", Self::Left),
        ("Home", Self::Home),
        ("End", Self::End),
        ("Insert", Self::Insert),
        ("Delete", Self::Delete),
        ("PageUp", Self::PageUp),
        ("PageDown", Self::PageDown),
    ];

    /// The key that tapes call `name`.
    pub fn of(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(known, _)| *known == name).map(|(_, key)| *key)
    }
}

/// A key and what is held with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key {
    /// The key itself.
    pub base: Base,
    /// Whether Ctrl is held.
    pub ctrl: bool,
    /// Whether Alt is held.
    pub alt: bool,
    /// Whether Shift is held.
    pub shift: bool,
}

impl From<Named> for Key {
    fn from(named: Named) -> Self {
        Self { base: Base::Named(named), ctrl: false, alt: false, shift: false }
    }
}

impl Key {
    /// What a terminal sends, in the mode for cursor keys that the program asked for. Nothing for
    /// keys that no terminal can tell, such as Ctrl+ä.
    pub fn bytes(self, application_cursor: bool) -> Option<Vec<u8>> {
        let bytes = match self.base {
            Base::Char(char) => self.char_bytes(char)?,
            Base::Named(named) => return Some(self.named_bytes(named, application_cursor)),
        };
        Some(self.with_alt(bytes))
    }

    fn char_bytes(self, char: char) -> Option<Vec<u8>> {
        let char = if self.shift { char.to_uppercase().next().unwrap_or(char) } else { char };
        if !self.ctrl {
            return Some(char.to_string().into_bytes());
        }
        let byte = match char {
            'a'..='z' | 'A'..='Z' | '@' | '[' | '\\' | ']' | '^' | '_' => (char as u8) & 0x1f,
            '?' | '8' => 0x7f,
            '2' | ' ' => 0,
            '3'..='7' => char as u8 - b'3' + 0x1b,
            '/' | '-' => 0x1f,
            _ => return None,
        };
        Some(vec![byte])
    }

    fn with_alt(self, mut bytes: Vec<u8>) -> Vec<u8> {
        if self.alt {
            bytes.insert(0, 0x1b);
        }
        bytes
    }

    fn named_bytes(self, named: Named, application_cursor: bool) -> Vec<u8> {
        // xterm's number for the keys that are held.
        let held = 1 + u8::from(self.shift) + 2 * u8::from(self.alt) + 4 * u8::from(self.ctrl);
        let letter = |letter: char| match (held, application_cursor) {
            (1, true) => format!("\x1bO{letter}"),
            (1, false) => format!("\x1b[{letter}"),
            _ => format!("\x1b[1;{held}{letter}"),
        };
        let number = |number: u8| match held {
            1 => format!("\x1b[{number}~"),
            _ => format!("\x1b[{number};{held}~"),
        };
        let sequence = match named {
            Named::Enter => return self.with_alt(vec![b'\r']),
            Named::Escape => return self.with_alt(vec![0x1b]),
            Named::Backspace => return self.with_alt(vec![if self.ctrl { 0x08 } else { 0x7f }]),
            Named::Space => return self.with_alt(vec![if self.ctrl { 0 } else { b' ' }]),
            Named::Tab if self.shift => "\x1b[Z".to_owned(),
            Named::Tab => return self.with_alt(vec![b'\t']),
            Named::Up => letter('A'),
            Named::Down => letter('B'),
            Named::Right => letter('C'),
            Named::Left => letter('D'),
            Named::Home => letter('H'),
            Named::End => letter('F'),
            Named::Insert => number(2),
            Named::Delete => number(3),
            Named::PageUp => number(5),
            Named::PageDown => number(6),
        };
        sequence.into_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(base: Base, held: &str) -> Vec<u8> {
        let has = |letter| held.contains(letter);
        let key = Key { base, ctrl: has('c'), alt: has('a'), shift: has('s') };
        key.bytes(false).unwrap()
    }

    #[test]
    fn keys_are_what_xterm_sends() {
        assert_eq!(held(Base::Char('c'), "c"), b"\x03");
        assert_eq!(held(Base::Char('['), "c"), b"\x1b");
        assert_eq!(held(Base::Char('x'), "a"), b"\x1bx");
        assert_eq!(held(Base::Char('x'), "ca"), b"\x1b\x18");
        assert_eq!(held(Base::Char('a'), "s"), b"A");
        assert_eq!(held(Base::Named(Named::Tab), "s"), b"\x1b[Z");
        assert_eq!(held(Base::Named(Named::Left), "c"), b"\x1b[1;5D");
        assert_eq!(held(Base::Named(Named::Delete), ""), b"\x1b[3~");
        assert_eq!(Key::from(Named::Up).bytes(true).unwrap(), b"\x1bOA");
        assert_eq!(Key::from(Named::Up).bytes(false).unwrap(), b"\x1b[A");
    }

    #[test]
    fn a_key_that_no_terminal_can_tell_is_none() {
        let key = Key { base: Base::Char('é'), ctrl: true, alt: false, shift: false };
        assert_eq!(key.bytes(false), None);
    }
}
