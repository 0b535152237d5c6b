//! Colours by role. Renderers name roles; which colour a role has, or none, is decided here alone.

use ratatui::style::{Color, Modifier, Style};

/// What something on the screen is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Plain text.
    Text,
    /// What is there but matters less.
    Dim,
    /// A panel's title.
    Title,
    /// A panel's frame.
    Frame,
    /// As it should be.
    Ok,
    /// To be looked at.
    Warn,
    /// Broken.
    Bad,
    /// A figure that stands for its panel.
    Strong,
    /// The line that keys act on.
    Selected,
    /// The incident banner.
    Banner,
    /// The first to fourth curve of a chart.
    Series(u8),
}

/// A set of colours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Theme {
    /// For a dark background, 24 bit.
    #[default]
    Dark,
    /// For a light background, 24 bit.
    Light,
    /// Told apart with any colour vision (the palette of Okabe and Ito), for a dark background.
    ColourBlind,
    /// The terminal's own 16 colours.
    Sixteen,
    /// No colour: bold, reverse and words.
    None,
}

impl Theme {
    /// All, in the order in which a key goes through them.
    pub const ALL: [Self; 5] = [
        Self::Dark,
        Self::Light,
        Self::ColourBlind,
        Self::Sixteen,
        Self::None,
    ];

    /// Its name on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Dark => "dark",
            Self::Light => "light",
            Self::ColourBlind => "colour-blind",
            Self::Sixteen => "16",
            Self::None => "none",
        }
    }

    /// The next one.
    #[must_use]
    pub fn next(self) -> Self {
        let at = Self::ALL.iter().position(|t| *t == self).unwrap_or(0);
        Self::ALL[(at + 1) % Self::ALL.len()]
    }

    /// What a terminal can show, where nothing was asked for: `NO_COLOR` rules, then what `COLORTERM` and `TERM` say.
    pub fn of_terminal(no_color: bool, colorterm: Option<&str>, term: Option<&str>) -> Self {
        if no_color || term == Some("dumb") {
            Self::None
        } else if colorterm.is_some_and(|c| c == "truecolor" || c == "24bit")
            || term.is_some_and(|t| t.ends_with("-direct"))
        {
            Self::Dark
        } else {
            Self::Sixteen
        }
    }

    /// How a role looks.
    pub fn style(self, role: Role) -> Style {
        let plain = Style::new();
        let weight = match role {
            Role::Title | Role::Strong | Role::Bad => plain.add_modifier(Modifier::BOLD),
            Role::Selected | Role::Banner => plain.add_modifier(Modifier::REVERSED | Modifier::BOLD),
            _ => plain,
        };
        let colour = match self {
            Self::None => {
                return if matches!(role, Role::Dim | Role::Frame) {
                    weight.add_modifier(Modifier::DIM)
                } else {
                    weight
                };
            }
            Self::Sixteen => sixteen(role),
            Self::Dark => pick(role, &DARK),
            Self::Light => pick(role, &LIGHT),
            Self::ColourBlind => pick(role, &OKABE_ITO),
        };
        match colour {
            Some(colour) => weight.fg(colour),
            None => weight,
        }
    }
}

/// dim, title, frame, ok, warn, bad, strong, series.
struct Palette {
    dim: u32,
    title: u32,
    frame: u32,
    ok: u32,
    warn: u32,
    bad: u32,
    series: [u32; 4],
}

const DARK: Palette = Palette {
    dim: 0x9a_a5b1,
    title: 0x7f_c7ff,
    frame: 0x4a_5568,
    ok: 0x6f_d08c,
    warn: 0xf2_c14e,
    bad: 0xff_6b6b,
    series: [0x6f_d08c, 0x7f_c7ff, 0xf2_c14e, 0xff_6b6b],
};

const LIGHT: Palette = Palette {
    dim: 0x5b_6470,
    title: 0x0b_4f9c,
    frame: 0xa0_aab5,
    ok: 0x1a_7f37,
    warn: 0x8a_5a00,
    bad: 0xb4_2318,
    series: [0x1a_7f37, 0x0b_4f9c, 0x8a_5a00, 0xb4_2318],
};

const OKABE_ITO: Palette = Palette {
    dim: 0xa0_a8b0,
    title: 0x56_b4e9,
    frame: 0x50_5a66,
    ok: 0x56_b4e9,
    warn: 0xf0_e442,
    bad: 0xd5_5e00,
    series: [0x56_b4e9, 0x00_9e73, 0xf0_e442, 0xd5_5e00],
};

fn pick(role: Role, palette: &Palette) -> Option<Color> {
    let colour = match role {
        Role::Text | Role::Strong | Role::Selected => return None,
        Role::Dim => palette.dim,
        Role::Title => palette.title,
        Role::Frame => palette.frame,
        Role::Ok => palette.ok,
        Role::Warn => palette.warn,
        Role::Bad | Role::Banner => palette.bad,
        Role::Series(n) => palette.series[usize::from(n) % palette.series.len()],
    };
    Some(Color::from_u32(colour))
}

fn sixteen(role: Role) -> Option<Color> {
    Some(match role {
        // No dark grey: on many terminals it cannot be told from the background.
        Role::Text | Role::Strong | Role::Selected | Role::Dim | Role::Frame => return None,
        Role::Ok | Role::Series(0) => Color::Green,
        Role::Warn | Role::Series(2) => Color::Yellow,
        Role::Bad | Role::Banner | Role::Series(3) => Color::Red,
        Role::Title | Role::Series(_) => Color::Cyan,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_decides_where_nothing_was_asked() {
        let of = Theme::of_terminal;
        assert_eq!(of(true, Some("truecolor"), Some("xterm")), Theme::None);
        assert_eq!(of(false, Some("truecolor"), Some("xterm")), Theme::Dark);
        assert_eq!(of(false, None, Some("xterm-256color")), Theme::Sixteen);
        assert_eq!(of(false, None, Some("dumb")), Theme::None);
    }

    #[test]
    fn without_colour_there_is_none() {
        for role in [Role::Bad, Role::Banner, Role::Series(3), Role::Dim, Role::Title] {
            let style = Theme::None.style(role);
            assert_eq!((style.fg, style.bg), (None, None), "{role:?}");
        }
    }

    #[test]
    fn a_key_goes_through_all_themes() {
        let mut theme = Theme::Dark;
        for _ in Theme::ALL {
            theme = theme.next();
        }
        assert_eq!(theme, Theme::Dark);
    }
}
