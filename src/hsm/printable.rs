//! Text from modules and tokens, as people may see it.

use std::fmt::{self, Write};

/// Shows a value without what would steer a terminal, forge a line of a log or turn the direction of
/// the text: whoever names a key or a token decides what stands there.
pub(super) struct Printable<T>(pub(super) T);

impl<T: fmt::Display> fmt::Display for Printable<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(Escaping(f), "{}", self.0)
    }
}

struct Escaping<'a, 'b>(&'a mut fmt::Formatter<'b>);

impl Write for Escaping<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for character in text.chars() {
            match steers(character) {
                true => write!(self.0, "{}", character.escape_unicode())?,
                false => self.0.write_char(character)?,
            }
        }
        Ok(())
    }
}

/// A control character (C0, DEL, C1), a separator of lines, or one of Unicode's marks, embeddings
/// and isolates of direction (UAX #9, 2).
fn steers(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{061C}' | '\u{200E}' | '\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2066}'..='\u{2069}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_steers_is_escaped() {
        let shown = |text: &str| Printable(text).to_string();
        assert_eq!(shown("bank 国密 ü \\ {x}"), "bank 国密 ü \\ {x}");
        assert_eq!(shown("a\x1b[2Jb\nc"), "a\\u{1b}[2Jb\\u{a}c");
        assert_eq!(shown("\u{9b}\x7f\u{202e}"), "\\u{9b}\\u{7f}\\u{202e}");
        // Once is enough.
        assert_eq!(shown(&shown("\r")), "\\u{d}");
    }
}
