//! Colours as roles, and none where they are not wanted.

use std::io::IsTerminal as _;

/// `--color`.
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

impl From<crate::args::ColorChoice> for Color {
    fn from(choice: crate::args::ColorChoice) -> Self {
        match choice {
            crate::args::ColorChoice::Auto => Self::Auto,
            crate::args::ColorChoice::Always => Self::Always,
            crate::args::ColorChoice::Never => Self::Never,
        }
    }
}

/// What a piece of text means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// A heading.
    Heading,
    /// As it should be.
    Good,
    /// Worth a look.
    Warn,
    /// Wrong.
    Bad,
    /// Less important.
    Dim,
}

/// Paints text by its role, or leaves it as it is.
#[derive(Clone, Copy, Debug)]
pub struct Paint {
    on: bool,
}

impl Paint {
    /// For standard error, which is where the eye looks.
    pub fn for_stderr(color: Color) -> Self {
        Self {
            on: wanted(color, std::io::stderr().is_terminal()),
        }
    }

    /// Whether there is any colour.
    pub const fn is_on(self) -> bool {
        self.on
    }

    /// For standard output.
    pub fn for_stdout(color: Color) -> Self {
        Self {
            on: wanted(color, std::io::stdout().is_terminal()),
        }
    }

    /// Never.
    pub const PLAIN: Self = Self { on: false };

    /// `text` in its role's colour. Pad before painting: escapes have no width.
    pub fn paint(self, role: Role, text: &str) -> String {
        if !self.on {
            return text.to_owned();
        }
        let code = match role {
            Role::Heading => "1",
            Role::Good => "32",
            Role::Warn => "33",
            Role::Bad => "31",
            Role::Dim => "2",
        };
        format!("\x1b[{code}m{text}\x1b[0m")
    }
}

fn wanted(color: Color, terminal: bool) -> bool {
    match color {
        Color::Always => true,
        Color::Never => false,
        Color::Auto => terminal && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty()),
    }
}
