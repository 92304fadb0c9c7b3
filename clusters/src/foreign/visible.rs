//! Characters that steer a terminal, break a line or hide text are shown as escapes. This is done at the sink: terminal,
//! log, status, event. JSON keeps every character, escaped as JSON does it.

use std::borrow::Cow;
use std::fmt::{self, Write as _};

/// Ranges of characters that are not drawn, or that change how their neighbours are drawn: Unicode 17, general category Cf
/// and property `Default_Ignorable_Code_Point`, without the control characters.
const HIDDEN: [(char, char); 32] = [
    ('\u{ad}', '\u{ad}'),         // soft hyphen
    ('\u{34f}', '\u{34f}'),       // combining grapheme joiner
    ('\u{600}', '\u{605}'),       // Arabic number signs
    ('\u{61c}', '\u{61c}'),       // Arabic letter mark
    ('\u{6dd}', '\u{6dd}'),       // Arabic end of ayah
    ('\u{70f}', '\u{70f}'),       // Syriac abbreviation mark
    ('\u{890}', '\u{891}'),       // Arabic currency marks
    ('\u{8e2}', '\u{8e2}'),       // Arabic disputed end of ayah
    ('\u{115f}', '\u{1160}'),     // Hangul fillers
    ('\u{17b4}', '\u{17b5}'),     // Khmer inherent vowels
    ('\u{180b}', '\u{180f}'),     // Mongolian selectors and separator
    ('\u{200b}', '\u{200f}'),     // zero-width characters, left-to-right and right-to-left marks
    ('\u{2028}', '\u{202e}'),     // line and paragraph separators, embeddings and overrides
    ('\u{2060}', '\u{206f}'),     // word joiner, invisible operators, isolates
    ('\u{3164}', '\u{3164}'),     // Hangul filler
    ('\u{fe00}', '\u{fe0f}'),     // variation selectors
    ('\u{feff}', '\u{feff}'),     // byte order mark
    ('\u{ffa0}', '\u{ffa0}'),     // halfwidth Hangul filler
    ('\u{fff0}', '\u{fffb}'),     // interlinear annotations
    ('\u{110bd}', '\u{110bd}'),   // Kaithi number sign
    ('\u{110cd}', '\u{110cd}'),   // Kaithi number sign above
    ('\u{13430}', '\u{1343f}'),   // Egyptian hieroglyph controls
    ('\u{1bca0}', '\u{1bca3}'),   // shorthand controls
    ('\u{1d173}', '\u{1d17a}'),   // musical controls
    ('\u{e0000}', '\u{e007f}'),   // tags
    ('\u{e0080}', '\u{e00ff}'),   // reserved, ignorable
    ('\u{e0100}', '\u{e01ef}'),   // variation selectors
    ('\u{e01f0}', '\u{e0fff}'),   // reserved, ignorable
    ('\u{f0000}', '\u{ffffd}'),   // private use: drawn as whatever a font says
    ('\u{100000}', '\u{10fffd}'), // private use
    ('\u{e000}', '\u{f8ff}'),     // private use
    ('\u{fffe}', '\u{ffff}'),     // no characters
];

/// Whether a character must not reach a terminal or a text as it is: control characters (C0, DEL, C1), line separators, and
/// whatever is not drawn.
pub fn is_hidden(c: char) -> bool {
    // Most text is ASCII.
    if c.is_ascii() {
        return c.is_ascii_control();
    }
    c.is_control() || HIDDEN.iter().any(|(first, last)| (*first..=*last).contains(&c))
}

/// One line in which every hidden character is written as an escape: `\n`, `\t`, `\u{202e}`.
pub fn visible(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_hidden) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    text.chars().for_each(|c| push(&mut out, c));
    Cow::Owned(out)
}

fn push(out: &mut String, c: char) {
    match c {
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        c if is_hidden(c) => out.extend(c.escape_unicode()),
        c => out.push(c),
    }
}

/// JSON as it was written, with the hidden characters of its texts as `\u202e`: the same document, and fit for a terminal.
/// Line breaks between values stay.
pub fn json(written: String) -> String {
    escaped(written, |out, c| {
        for unit in c.encode_utf16(&mut [0; 2]) {
            let _ = write!(out, "\\u{unit:04x}"); // writing to a String cannot fail
        }
    })
}

/// The same for JSON that is read as YAML, which knows no pairs of surrogates.
pub fn yaml(written: String) -> String {
    escaped(written, |out, c| {
        let code = u32::from(c);
        let _ = if code > 0xffff { write!(out, "\\U{code:08x}") } else { write!(out, "\\u{code:04x}") };
    })
}

fn escaped(written: String, escape: impl Fn(&mut String, char)) -> String {
    // A control character of ASCII in a text is escaped already, except DEL, so one that is left is white space.
    let hidden = |c: char| is_hidden(c) && !matches!(c, '\n' | '\r' | '\t');
    if !written.chars().any(hidden) {
        return written;
    }
    let mut out = String::with_capacity(written.len() + 64);
    for c in written.chars() {
        if hidden(c) { escape(&mut out, c) } else { out.push(c) }
    }
    out
}

/// Displays something on one line, as [`visible`] does.
#[derive(Clone, Copy, Debug)]
pub struct Visible<T>(pub T);

impl<T: fmt::Display> fmt::Display for Visible<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        struct Escaping<'a, 'b>(&'a mut fmt::Formatter<'b>);

        impl fmt::Write for Escaping<'_, '_> {
            fn write_str(&mut self, text: &str) -> fmt::Result {
                self.0.write_str(&visible(text))
            }
        }
        write!(Escaping(f), "{}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each kind of character that misleads, by what it does.
    const MISLEADING: [(&str, char); 22] = [
        ("bell", '\u{7}'),
        ("carriage return", '\r'),
        ("escape", '\u{1b}'),
        ("delete", '\u{7f}'),
        ("next line (C1)", '\u{85}'),
        ("control sequence introducer (C1)", '\u{9b}'),
        ("soft hyphen", '\u{ad}'),
        ("Arabic letter mark", '\u{61c}'),
        ("Hangul filler", '\u{3164}'),
        ("zero-width space", '\u{200b}'),
        ("zero-width joiner", '\u{200d}'),
        ("right-to-left mark", '\u{200f}'),
        ("line separator", '\u{2028}'),
        ("paragraph separator", '\u{2029}'),
        ("embedding", '\u{202a}'),
        ("override", '\u{202e}'),
        ("isolate", '\u{2066}'),
        ("end of isolate", '\u{2069}'),
        ("byte order mark", '\u{feff}'),
        ("variation selector", '\u{fe0f}'),
        ("tag", '\u{e0041}'),
        ("variation selector beyond", '\u{e0100}'),
    ];

    #[test]
    fn whatever_misleads_is_shown_as_an_escape() {
        for (what, c) in MISLEADING {
            let text = format!("a{c}b");
            let shown = visible(&text);
            assert!(
                !shown.chars().any(is_hidden) && shown.starts_with("a\\") && shown.ends_with('b'),
                "{what}: {shown}"
            );
            assert_eq!(Visible(&text).to_string(), shown, "{what}");
        }
        assert_eq!(visible("x\n\u{202e}y\t\r"), "x\\n\\u{202e}y\\t\\r");
        assert_eq!(visible("\u{1b}[2J"), "\\u{1b}[2J");
    }

    #[test]
    fn text_that_people_write_stays_as_it_is() {
        for text in ["shop/web: found \"é\"", "日本語", "Ελλάδα עברית العربية", "a → b … \u{a0}€", "back\\slash"]
        {
            assert!(matches!(visible(text), Cow::Borrowed(same) if same == text), "{text}");
        }
    }

    #[test]
    fn json_keeps_what_it_says_and_so_does_yaml() {
        for (what, c) in MISLEADING {
            let document = serde_json::json!({"name": format!("a{c}b"), "list": [1, "c"]});
            let written = json(serde_json::to_string_pretty(&document).unwrap());
            assert!(!written.chars().any(|c| is_hidden(c) && c != '\n'), "{what}: {written:?}");
            assert_eq!(serde_json::from_str::<serde_json::Value>(&written).unwrap(), document, "{what}");
            let written = yaml(serde_json::to_string_pretty(&document).unwrap());
            assert!(!written.chars().any(|c| is_hidden(c) && c != '\n'), "{what}: {written:?}");
            assert_eq!(serde_saphyr::from_str::<serde_json::Value>(&written).unwrap(), document, "{what}");
        }
    }
}
