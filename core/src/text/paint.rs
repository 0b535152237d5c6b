//! Colours as roles, and none where they are not wanted.

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

impl Color {
    /// Whether to colour, given whether the output is a terminal and the value of `NO_COLOR`.
    pub fn is_wanted(self, is_terminal: bool, no_color: Option<&std::ffi::OsStr>) -> bool {
        match self {
            Self::Always => true,
            Self::Never => false,
            Self::Auto => is_terminal && no_color.is_none_or(std::ffi::OsStr::is_empty),
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
    /// Colours, or none.
    pub const fn new(on: bool) -> Self {
        Self { on }
    }

    /// Whether there is any colour.
    pub const fn is_on(self) -> bool {
        self.on
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
