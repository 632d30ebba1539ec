//! The colours of a terminal: themes by name, and those that a tape gives as JSON.

use serde_json::Value;

use crate::near::nearest;

/// A colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rgb(pub u8, pub u8, pub u8);

impl Rgb {
    /// `#rrggbb`.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix('#').filter(|digits| digits.len() == 6)?;
        let number = u32::from_str_radix(digits, 16).ok()?;
        let [_, r, g, b] = number.to_be_bytes();
        Some(Self(r, g, b))
    }

    /// A colour between this one and `other`, of which it has `share` 255ths.
    #[must_use]
    pub fn mixed(self, other: Self, share: u8) -> Self {
        let mix = |a: u8, b: u8| {
            let (a, b, share) = (u32::from(a), u32::from(b), u32::from(share));
            u8::try_from((a * (255 - share) + b * share + 127) / 255).unwrap_or(u8::MAX)
        };
        Self(mix(self.0, other.0), mix(self.1, other.1), mix(self.2, other.2))
    }
}

/// The colours of a terminal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Theme {
    /// What is behind the text.
    pub background: Rgb,
    /// Text without a colour of its own.
    pub foreground: Rgb,
    /// The cursor.
    pub cursor: Rgb,
    /// The eight colours and their bright variants.
    pub colors: [Rgb; 16],
}

impl Theme {
    /// The theme that tapes have unless they say otherwise.
    pub fn dracula() -> Self {
        Self::of(&THEMES[0])
    }

    /// The built-in theme `name`.
    ///
    /// # Errors
    /// With the name that may have been meant, if there is none of that name.
    pub fn named(name: &str) -> Result<Self, Option<&'static str>> {
        let plain = |name: &str| name.replace([' ', '-', '_'], "").to_lowercase();
        let known = THEMES.iter().find(|known| plain(known.name) == plain(name));
        known.map(Self::of).ok_or_else(|| nearest(name, Self::names()))
    }

    /// The names of the built-in themes.
    pub fn names() -> impl Iterator<Item = &'static str> {
        THEMES.iter().map(|theme| theme.name)
    }

    /// A theme as tapes write it: a JSON object of `#rrggbb` by the names of the colours.
    ///
    /// # Errors
    /// In words, if it is none.
    pub fn from_json(text: &str) -> Result<Self, String> {
        let value: Value =
            serde_json::from_str(text).map_err(|error| format!("the theme is no JSON: {error}"))?;
        let color = |name: &str| -> Result<Option<Rgb>, String> {
            match &value[name] {
                Value::Null => Ok(None),
                Value::String(text) => match Rgb::parse(text) {
                    Some(color) => Ok(Some(color)),
                    None => Err(format!("the theme's `{name}` is `{text}`, not `#rrggbb`")),
                },
                other => Err(format!("the theme's `{name}` is `{other}`, not `\"#rrggbb\"`")),
            }
        };
        let needed = |name: &str| color(name)?.ok_or_else(|| format!("the theme has no `{name}`"));
        let mut colors = [Rgb(0, 0, 0); 16];
        for (color, name) in colors.iter_mut().zip(COLORS) {
            let other = match name {
                "purple" => "magenta",
                "brightPurple" => "brightMagenta",
                same => same,
            };
            *color = needed(name).or_else(|problem| needed(other).map_err(|_| problem))?;
        }
        let foreground = needed("foreground")?;
        let cursor = color("cursor")?.or(color("cursorColor")?).unwrap_or(foreground);
        Ok(Self { background: needed("background")?, foreground, cursor, colors })
    }

    /// The colour of the 256 that programs may ask for.
    pub fn indexed(&self, index: u8) -> Rgb {
        match index {
            0..16 => self.colors[usize::from(index)],
            16..232 => {
                let level = |step: u8| if step == 0 { 0 } else { 55 + 40 * step };
                let cube = index - 16;
                Rgb(level(cube / 36), level(cube / 6 % 6), level(cube % 6))
            }
            232.. => {
                let grey = 8 + 10 * (index - 232);
                Rgb(grey, grey, grey)
            }
        }
    }

    fn of(table: &Table) -> Self {
        let color = |number: u32| {
            let [_, r, g, b] = number.to_be_bytes();
            Rgb(r, g, b)
        };
        Self {
            background: color(table.ground[0]),
            foreground: color(table.ground[1]),
            cursor: color(table.ground[2]),
            colors: table.colors.map(color),
        }
    }
}

/// What a theme's JSON calls the sixteen colours.
const COLORS: [&str; 16] = [
    "black",
    "red",
    "green",
    "yellow",
    "blue",
    "purple",
    "cyan",
    "white",
    "brightBlack",
    "brightRed",
    "brightGreen",
    "brightYellow",
    "brightBlue",
    "brightPurple",
    "brightCyan",
    "brightWhite",
];

struct Table {
    name: &'static str,
    /// Background, foreground and cursor.
    ground: [u32; 3],
    colors: [u32; 16],
}

#[rustfmt::skip]
const THEMES: &[Table] = &[
    Table {
        name: "Dracula",
        ground: [0x282a36, 0xf8f8f2, 0xf8f8f2],
        colors: [
            0x21222c, 0xff5555, 0x50fa7b, 0xf1fa8c, 0xbd93f9, 0xff79c6, 0x8be9fd, 0xf8f8f2,
            0x6272a4, 0xff6e6e, 0x69ff94, 0xffffa5, 0xd6acff, 0xff92df, 0xa4ffff, 0xffffff,
        ],
    },
    Table {
        name: "Nord",
        ground: [0x2e3440, 0xd8dee9, 0xd8dee9],
        colors: [
            0x3b4252, 0xbf616a, 0xa3be8c, 0xebcb8b, 0x81a1c1, 0xb48ead, 0x88c0d0, 0xe5e9f0,
            0x4c566a, 0xbf616a, 0xa3be8c, 0xebcb8b, 0x81a1c1, 0xb48ead, 0x8fbcbb, 0xeceff4,
        ],
    },
    Table {
        name: "Gruvbox Dark",
        ground: [0x282828, 0xebdbb2, 0xebdbb2],
        colors: [
            0x282828, 0xcc241d, 0x98971a, 0xd79921, 0x458588, 0xb16286, 0x689d6a, 0xa89984,
            0x928374, 0xfb4934, 0xb8bb26, 0xfabd2f, 0x83a598, 0xd3869b, 0x8ec07c, 0xebdbb2,
        ],
    },
    Table {
        name: "Solarized Dark",
        ground: [0x002b36, 0x839496, 0x839496],
        colors: [
            0x073642, 0xdc322f, 0x859900, 0xb58900, 0x268bd2, 0xd33682, 0x2aa198, 0xeee8d5,
            0x002b36, 0xcb4b16, 0x586e75, 0x657b83, 0x839496, 0x6c71c4, 0x93a1a1, 0xfdf6e3,
        ],
    },
    Table {
        name: "Solarized Light",
        ground: [0xfdf6e3, 0x657b83, 0x657b83],
        colors: [
            0x073642, 0xdc322f, 0x859900, 0xb58900, 0x268bd2, 0xd33682, 0x2aa198, 0xeee8d5,
            0x002b36, 0xcb4b16, 0x586e75, 0x657b83, 0x839496, 0x6c71c4, 0x93a1a1, 0xfdf6e3,
        ],
    },
    Table {
        name: "One Dark",
        ground: [0x282c34, 0xabb2bf, 0x528bff],
        colors: [
            0x3f4451, 0xe06c75, 0x98c379, 0xe5c07b, 0x61afef, 0xc678dd, 0x56b6c2, 0xd7dae0,
            0x4f5666, 0xe06c75, 0x98c379, 0xe5c07b, 0x61afef, 0xc678dd, 0x56b6c2, 0xffffff,
        ],
    },
    Table {
        name: "Tokyo Night",
        ground: [0x1a1b26, 0xc0caf5, 0xc0caf5],
        colors: [
            0x15161e, 0xf7768e, 0x9ece6a, 0xe0af68, 0x7aa2f7, 0xbb9af7, 0x7dcfff, 0xa9b1d6,
            0x414868, 0xf7768e, 0x9ece6a, 0xe0af68, 0x7aa2f7, 0xbb9af7, 0x7dcfff, 0xc0caf5,
        ],
    },
    Table {
        name: "Catppuccin Mocha",
        ground: [0x1e1e2e, 0xcdd6f4, 0xf5e0dc],
        colors: [
            0x45475a, 0xf38ba8, 0xa6e3a1, 0xf9e2af, 0x89b4fa, 0xf5c2e7, 0x94e2d5, 0xbac2de,
            0x585b70, 0xf38ba8, 0xa6e3a1, 0xf9e2af, 0x89b4fa, 0xf5c2e7, 0x94e2d5, 0xa6adc8,
        ],
    },
    Table {
        name: "Catppuccin Latte",
        ground: [0xeff1f5, 0x4c4f69, 0xdc8a78],
        colors: [
            0x5c5f77, 0xd20f39, 0x40a02b, 0xdf8e1d, 0x1e66f5, 0xea76cb, 0x179299, 0xacb0be,
            0x6c6f85, 0xd20f39, 0x40a02b, 0xdf8e1d, 0x1e66f5, 0xea76cb, 0x179299, 0xbcc0cc,
        ],
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_theme_is_known_however_its_name_is_spaced() {
        assert_eq!(Theme::named("dracula"), Ok(Theme::dracula()));
        assert_eq!(Theme::named("TokyoNight"), Theme::named("Tokyo Night"));
        assert_eq!(Theme::named("Dracla"), Err(Some("Dracula")));
    }

    #[test]
    fn a_theme_may_be_json() {
        let colors = COLORS.map(|name| format!("\"{name}\": \"#010203\"")).join(", ");
        let text =
            format!("{{{colors}, \"background\": \"#000000\", \"foreground\": \"#ffffff\"}}");
        let theme = Theme::from_json(&text).unwrap();
        assert_eq!(theme.colors, [Rgb(1, 2, 3); 16]);
        assert_eq!(theme.cursor, Rgb(255, 255, 255));
        let magenta = text.replace("brightPurple", "brightMagenta").replace("purple", "magenta");
        assert_eq!(Theme::from_json(&magenta), Ok(theme));
        let missing = Theme::from_json("{}").unwrap_err();
        assert_eq!(missing, "the theme has no `black`");
        let wrong = Theme::from_json("{\"black\": \"red\"}").unwrap_err();
        assert_eq!(wrong, "the theme's `black` is `red`, not `#rrggbb`");
    }

    #[test]
    fn the_256_colours_are_the_theme_a_cube_and_greys() {
        let theme = Theme::dracula();
        assert_eq!(theme.indexed(1), Rgb(255, 85, 85));
        assert_eq!(theme.indexed(196), Rgb(255, 0, 0));
        assert_eq!(theme.indexed(255), Rgb(238, 238, 238));
    }
}
