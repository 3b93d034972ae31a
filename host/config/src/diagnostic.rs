//! What people read when gateway.toml is wrong: every mistake with its place, the text itself and a remedy.
//!
//! Knows nothing of TOML or of the plan, so that later checks (of plugins, say) render the same way.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

/// A text and the name people know it by, `gateway.toml` for one. Debug shows the name only.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Source {
    pub name: String,
    pub text: String,
}

/// A range of bytes of a [`Source`]. The default span means the source as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Span {
    pub start: usize,
    pub end: usize,
}

/// One mistake: where, what, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    pub span: Span,
    /// One line, lower case, without a full stop.
    pub message: String,
    /// What to do next, one line.
    pub hint: Option<String>,
}

/// All mistakes of one source, in the order of the text. `Display` renders them for a terminal or a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    source: Arc<Source>,
    diagnostics: Vec<Diagnostic>,
}

/// Where a span begins, for people: counted from 1, columns in characters.
struct Place<'a> {
    line: usize,
    column: usize,
    /// The line up to the span, the underlined part, and the rest.
    before: &'a str,
    marked: &'a str,
    after: &'a str,
}

// === impl Source ===

impl Source {
    /// `name` stands before every place, as in `gateway.toml:3:1`.
    pub fn new(name: impl Into<String>, text: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            text: text.into(),
        }
    }

    /// The line a span begins on, counted from 1.
    pub fn line(&self, span: Span) -> usize {
        self.place(span).line
    }

    /// Total: a span outside the text, or inside a character, is moved to the nearest place that exists.
    fn place(&self, span: Span) -> Place<'_> {
        let text = self.text.as_str();
        let start = text.floor_char_boundary(span.start);
        let end = text.ceil_char_boundary(span.end).max(start);
        let (start, end) = unquoted(text, start, end);
        let head = text.get(..start).unwrap_or_default();
        let line_start = head.rfind('\n').map_or(0, |at| at + 1);
        let tail = text.get(line_start..).unwrap_or_default();
        let shown = tail
            .split('\n')
            .next()
            .unwrap_or_default()
            .trim_end_matches('\r');
        let (before, rest) = shown
            .split_at_checked(start - line_start)
            .unwrap_or((shown, ""));
        let (marked, after) = rest.split_at_checked(end - start).unwrap_or((rest, ""));
        Place {
            line: head.matches('\n').count() + 1,
            column: before.chars().count() + 1,
            before,
            marked,
            after,
        }
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Source")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// People are pointed at the word, not at its quotes.
fn unquoted(text: &str, start: usize, end: usize) -> (usize, usize) {
    let inner = text.get(start..end).and_then(|word| {
        let quote = word.chars().next().filter(|c| matches!(c, '"' | '\''))?;
        word.strip_prefix(quote)?.strip_suffix(quote)
    });
    match inner {
        Some(inner) if !inner.is_empty() && !inner.starts_with(['"', '\'']) => (start + 1, end - 1),
        _ => (start, end),
    }
}

// === impl Span ===

impl Span {
    /// The source as a whole: rendered without a line.
    fn is_whole(self) -> bool {
        self == Self::default()
    }
}

impl From<Range<usize>> for Span {
    fn from(range: Range<usize>) -> Self {
        Self {
            start: range.start,
            end: range.end,
        }
    }
}

// === impl Diagnostic ===

impl Diagnostic {
    /// A mistake without a hint; see the fields for how a message reads.
    pub fn new(span: Span, message: impl Into<String>) -> Self {
        Self {
            span,
            message: message.into(),
            hint: None,
        }
    }

    /// The same mistake with what to do about it.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    fn render(&self, source: &Source, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let message = printable(&self.message);
        if self.span.is_whole() {
            writeln!(f, "{}: error: {}", source.name, message)?;
        } else {
            let place = source.place(self.span);
            writeln!(
                f,
                "{}:{}:{}: error: {}",
                source.name, place.line, place.column, message
            )?;
            place.render(f)?;
        }
        match &self.hint {
            Some(hint) => writeln!(f, "   hint: {}", printable(hint)),
            None => Ok(()),
        }
    }
}

impl Place<'_> {
    fn render(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            line,
            before,
            marked,
            after,
            ..
        } = self;
        writeln!(
            f,
            "{line:>5} | {}{}{}",
            printable(before),
            printable(marked),
            printable(after)
        )?;
        // Tabs stay tabs, so that the marks stand below the word whatever a tab is worth.
        let indent: String = before
            .chars()
            .map(|c| if c == '\t' { '\t' } else { ' ' })
            .collect();
        writeln!(
            f,
            "      | {indent}{}",
            "^".repeat(marked.chars().count().max(1))
        )
    }
}

/// A terminal must not obey what stands in a file.
fn printable(text: &str) -> String {
    text.chars()
        .map(|c| {
            if c.is_control() && c != '\t' {
                '\u{fffd}'
            } else {
                c
            }
        })
        .collect()
}

// === impl Report ===

impl Report {
    /// Puts the diagnostics in the order of the text.
    pub fn new(source: Arc<Source>, mut diagnostics: Vec<Diagnostic>) -> Self {
        diagnostics.sort_by_key(|diagnostic| diagnostic.span);
        Self {
            source,
            diagnostics,
        }
    }

    /// The text the spans belong to.
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// In the order of the text.
    pub fn diagnostics(&self) -> &[Diagnostic] {
        &self.diagnostics
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for diagnostic in &self.diagnostics {
            diagnostic.render(&self.source, f)?;
        }
        let count = self.diagnostics.len();
        let noun = if count == 1 { "mistake" } else { "mistakes" };
        write!(f, "{count} {noun}; nothing was changed")
    }
}

impl std::error::Error for Report {}

#[cfg(test)]
mod tests {
    use super::*;

    fn rendered(text: &str, span: Range<usize>) -> String {
        let source = Arc::new(Source::new("a.toml", text));
        Report::new(
            source,
            vec![Diagnostic::new(span.into(), "no").with_hint("yes")],
        )
        .to_string()
    }

    #[test]
    fn a_quoted_word_is_marked_without_its_quotes() {
        let seen = rendered("\n\tname = [\"ä\", \"bad\"]\r\n", 16..21);
        let want = "a.toml:2:16: error: no\n    2 | \tname = [\"ä\", \"bad\"]\n      \
                    | \t              ^^^\n   hint: yes\n1 mistake; nothing was changed";
        assert_eq!(seen, want);
    }

    #[test]
    fn a_span_of_several_lines_is_marked_on_the_first() {
        assert!(rendered("a = [\n1\n]", 4..9).contains("    1 | a = [\n      |     ^\n"));
    }

    #[test]
    fn a_default_span_names_the_source_only() {
        assert!(rendered("a = 1", 0..0).starts_with("a.toml: error: no\n   hint: yes\n"));
    }

    #[test]
    fn a_span_outside_the_text_does_not_panic() {
        for (start, end) in [(0, 99), (98, 99), (2, 1), (1, 2), (3, 3)] {
            assert!(
                rendered("ä\nö", start..end).contains("error: no"),
                "{start}..{end}"
            );
        }
    }

    #[test]
    fn control_characters_do_not_reach_the_terminal() {
        assert!(!rendered("a = '\u{1b}[2J'", 4..10).contains('\u{1b}'));
    }
}
