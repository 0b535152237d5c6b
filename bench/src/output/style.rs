//! Colours as roles. Nothing else writes an escape sequence.

use std::str::FromStr;

/// `--color`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Color {
    /// On a terminal, unless `NO_COLOR` is set.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

impl FromStr for Color {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "auto" => Ok(Self::Auto),
            "always" => Ok(Self::Always),
            "never" => Ok(Self::Never),
            _ => Err(format!("`{text}` is not auto, always or never")),
        }
    }
}

impl Color {
    /// Decides. `no_color` is the value of the environment's `NO_COLOR`; an empty one does not count (no-color.org).
    pub fn paint(self, is_terminal: bool, no_color: Option<&str>) -> Paint {
        Paint(match self {
            Self::Auto => is_terminal && no_color.is_none_or(str::is_empty),
            Self::Always => true,
            Self::Never => false,
        })
    }
}

/// What a piece of text is, not how it looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// A heading.
    Title,
    /// Good.
    Good,
    /// To be looked at.
    Warn,
    /// Bad.
    Bad,
    /// Less important than the rest.
    Dim,
    /// Says nothing by its looks.
    Plain,
}

impl Role {
    const fn sgr(self) -> &'static str {
        match self {
            Self::Title => "1",
            Self::Good => "32",
            Self::Warn => "33",
            Self::Bad => "31",
            Self::Dim => "2",
            Self::Plain => "",
        }
    }
}

/// Whether to colour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Paint(bool);

impl Paint {
    /// No colours.
    pub const PLAIN: Self = Self(false);

    /// Gives `text` the looks of its role.
    pub fn role(self, role: Role, text: &str) -> String {
        if self.0 && role != Role::Plain && !text.is_empty() {
            format!("\x1b[{}m{text}\x1b[0m", role.sgr())
        } else {
            text.to_owned()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_color_and_pipes_turn_auto_off_and_leave_always_alone() {
        assert_eq!(Color::Auto.paint(true, None), Paint(true));
        assert_eq!(Color::Auto.paint(true, Some("")), Paint(true));
        assert_eq!(Color::Auto.paint(true, Some("1")), Paint(false));
        assert_eq!(Color::Auto.paint(false, None), Paint(false));
        assert_eq!(Color::Always.paint(false, Some("1")), Paint(true));
        assert_eq!(Color::Never.paint(true, None), Paint(false));
        assert!("maybe".parse::<Color>().is_err());
    }

    #[test]
    fn plain_paint_adds_nothing() {
        assert_eq!(Paint::PLAIN.role(Role::Bad, "x"), "x");
        assert_eq!(Paint(true).role(Role::Bad, "x"), "\x1b[31mx\x1b[0m");
    }
}
