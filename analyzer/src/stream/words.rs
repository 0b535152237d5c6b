//! Words for a timeline, made only where one is wanted: most connections have none, and their messages are many.

/// What a message was, in short.
#[derive(Debug)]
pub struct Words {
    text: Option<String>,
}

impl Words {
    /// Words that are wanted, or not.
    pub fn new(wanted: bool) -> Self {
        Self {
            text: wanted.then(String::new),
        }
    }

    /// Whether anybody wants them.
    pub const fn are_wanted(&self) -> bool {
        self.text.is_some()
    }

    /// Says what it was; a later word is a better one.
    pub fn say(&mut self, text: impl FnOnce() -> String) {
        if let Some(words) = &mut self.text {
            *words = text();
        }
    }

    /// What was said.
    pub fn into_text(self) -> String {
        self.text.unwrap_or_default()
    }
}
