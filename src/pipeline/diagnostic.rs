//! What is wrong in a configuration, and where: one error type that people read and programs can take apart.
//!
//! Configurations and arguments are shown only after their control characters have been made visible, so that a
//! hostile file cannot control the terminal that its mistakes are shown on.

use std::{borrow::Cow, fmt, ops::Range};

use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet, renderer::DecorStyle};

/// Mistakes that are shown of one file; the first ones tend to explain the rest.
const MISTAKES_SHOWN: usize = 20;

/// One thing that is wrong with a setting. Builders of processors return it; the configuration adds file and text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    span: Option<Range<usize>>,
    message: String,
    label: String,
    help: Option<String>,
    others: Vec<(Range<usize>, String)>,
}

impl Mistake {
    /// A mistake that is not (yet) tied to a place in the text.
    #[must_use]
    pub fn new(message: impl Into<String>) -> Self {
        Self { span: None, message: message.into(), label: String::new(), help: None, others: Vec::new() }
    }

    /// Says where it is, as bytes of the text.
    #[must_use]
    pub fn at(mut self, span: Range<usize>) -> Self {
        self.span = Some(span);
        self
    }

    /// Says what stands at the underlined place.
    #[must_use]
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.label = label.into();
        self
    }

    /// Says what was probably meant, or what can be done.
    #[must_use]
    pub fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Points at a second place that belongs to it.
    #[must_use]
    pub fn also(mut self, span: Range<usize>, label: impl Into<String>) -> Self {
        self.others.push((span, label.into()));
        self
    }

    /// What is wrong, in one line.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// What was probably meant.
    #[must_use]
    pub fn help(&self) -> Option<&str> {
        self.help.as_deref()
    }

    /// Where it is, as bytes of the text.
    #[must_use]
    pub fn span(&self) -> Option<Range<usize>> {
        self.span.clone()
    }
}

/// A configuration, or an argument that refers to it, that cannot be used: at least one [`Mistake`] and its text.
///
/// Its [`Display`](fmt::Display) is one line; [`ConfigError::render`] shows the text and points at every mistake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    file: String,
    text: String,
    first: Box<Mistake>,
    rest: Vec<Mistake>,
}

impl std::error::Error for ConfigError {}

impl ConfigError {
    /// An error of `text`, which is called `file`.
    pub(super) fn new(file: &str, text: &str, mistake: Mistake) -> Self {
        Self { file: file.to_owned(), text: text.to_owned(), first: Box::new(mistake), rest: Vec::new() }
    }

    /// An error with all of `mistakes` in the order of the text, if there are any.
    pub(super) fn check(file: &str, text: &str, mut mistakes: Vec<Mistake>) -> Result<(), Self> {
        mistakes.sort_by_key(|mistake| mistake.span.as_ref().map_or(0, |span| span.start));
        mistakes.dedup();
        let mut mistakes = mistakes.into_iter();
        match mistakes.next() {
            None => Ok(()),
            Some(first) => Err(Self { rest: mistakes.collect(), ..Self::new(file, text, first) }),
        }
    }

    /// The name of the file, or of the argument.
    #[must_use]
    pub fn file(&self) -> &str {
        &self.file
    }

    /// Line of the first mistake, from 1.
    #[must_use]
    pub fn line(&self) -> Option<usize> {
        self.position(&self.first).map(|(line, _)| line)
    }

    /// Column of the first mistake in characters, from 1.
    #[must_use]
    pub fn column(&self) -> Option<usize> {
        self.position(&self.first).map(|(_, column)| column)
    }

    /// What the first mistake is.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.first.message
    }

    /// What was probably meant by the first one.
    #[must_use]
    pub fn help(&self) -> Option<&str> {
        self.first.help()
    }

    /// All mistakes, in the order of the text.
    pub fn mistakes(&self) -> impl Iterator<Item = &Mistake> {
        std::iter::once(&*self.first).chain(&self.rest)
    }

    /// Line and column of `mistake`, both from 1.
    #[must_use]
    pub fn position(&self, mistake: &Mistake) -> Option<(usize, usize)> {
        let start = floor(&self.text, mistake.span.as_ref()?.start);
        let before = &self.text[..start];
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        Some((line_of(&self.text, start), before[line_start..].chars().count() + 1))
    }

    /// The text around each mistake with a pointer at it, with or without colour, without a last newline.
    #[must_use]
    pub fn render(&self, colour: bool) -> String {
        let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
        let renderer = renderer.decor_style(DecorStyle::Ascii);
        let mut shown: Vec<String> =
            self.mistakes().take(MISTAKES_SHOWN).map(|mistake| self.render_one(mistake, &renderer)).collect();
        if let Some(more) = (self.rest.len() + 1).checked_sub(MISTAKES_SHOWN).filter(|&more| more > 0) {
            shown.push(format!("… and {more} more"));
        }
        shown.join("\n\n")
    }

    fn render_one(&self, mistake: &Mistake, renderer: &Renderer) -> String {
        let message = visible(&mistake.message);
        let help = mistake.help.as_deref().map(visible);
        let window = mistake.span.as_ref().map(|span| Window::new(&self.text, span, &mistake.others));
        let mut group = Group::with_title(Level::ERROR.primary_title(message.as_ref()));
        let file = visible(&self.file);
        group = match &window {
            Some(window) => group.element(window.snippet(mistake).path(file.as_ref())),
            None => group.element(Origin::path(file.as_ref())),
        };
        if let Some(help) = &help {
            group = group.element(Level::HELP.message(help.as_ref()));
        }
        renderer.render(&[group])
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", visible(&self.file))?;
        if let Some((line, column)) = self.position(&self.first) {
            write!(formatter, ":{line}:{column}")?;
        }
        write!(formatter, ": {}", visible(&self.first.message))?;
        if let Some(help) = self.help() {
            write!(formatter, " ({})", visible(help))?;
        }
        match self.rest.len() {
            0 => Ok(()),
            more => write!(formatter, ", and {more} more"),
        }
    }
}

/// The lines of a text that a mistake points at, made visible.
struct Window<'a> {
    text: &'a str,
    /// The bytes of `text` that are shown.
    lines: Range<usize>,
    shown: Cow<'a, str>,
    line: usize,
}

impl<'a> Window<'a> {
    fn new(text: &'a str, span: &Range<usize>, others: &[(Range<usize>, String)]) -> Self {
        let spans = || std::iter::once(span).chain(others.iter().map(|(span, _)| span));
        let start = floor(text, spans().map(|span| span.start).min().unwrap_or(0));
        let end = floor(text, spans().map(|span| span.end).max().unwrap_or(0)).max(start);
        let lines = text[..start].rfind('\n').map_or(0, |newline| newline + 1)
            ..text[end..].find('\n').map_or(text.len(), |newline| end + newline);
        Self { text, shown: visible_lines(&text[lines.clone()]), line: line_of(text, lines.start), lines }
    }

    /// Where `span` of the text stands in what is shown.
    fn place(&self, span: &Range<usize>) -> Range<usize> {
        let at = |position: usize| {
            let position = floor(self.text, position).clamp(self.lines.start, self.lines.end);
            visible_lines(&self.text[self.lines.start..position]).len()
        };
        at(span.start)..at(span.end).max(at(span.start))
    }

    fn snippet<'b>(&'b self, mistake: &'b Mistake) -> Snippet<'b, annotate_snippets::Annotation<'b>> {
        let mut snippet = Snippet::source(self.shown.as_ref()).line_start(self.line);
        if let Some(span) = &mistake.span {
            let label = visible(&mistake.label);
            snippet = snippet.annotation(AnnotationKind::Primary.span(self.place(span)).label(label));
        }
        for (span, label) in &mistake.others {
            snippet = snippet.annotation(AnnotationKind::Context.span(self.place(span)).label(visible(label)));
        }
        snippet
    }
}

/// Line of the byte at `position`, from 1.
pub(super) fn line_of(text: &str, position: usize) -> usize {
    memchr::memchr_iter(b'\n', &text.as_bytes()[..position]).count() + 1
}

/// The last character boundary at or before `position`.
fn floor(text: &str, position: usize) -> usize {
    text.floor_char_boundary(position)
}

/// `text` on one line, with every character that could control a terminal made visible.
pub(super) fn visible(text: &str) -> Cow<'_, str> {
    replace(text, |character| character == '\t' || !is_control(character))
}

/// The same for text of several lines, which it stays.
fn visible_lines(text: &str) -> Cow<'_, str> {
    replace(text, |character| matches!(character, '\n' | '\t') || !is_control(character))
}

fn replace(text: &str, keep: impl Fn(char) -> bool) -> Cow<'_, str> {
    if text.chars().all(&keep) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.chars().map(|character| if keep(character) { character } else { picture(character) }).collect())
}

/// Characters that move the cursor, change colours, or turn the direction of writing around.
fn is_control(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// What stands for a control character: its picture where Unicode has one.
fn picture(character: char) -> char {
    match u32::from(character) {
        code @ 0..0x20 => char::from_u32(0x2400 + code).unwrap_or(char::REPLACEMENT_CHARACTER),
        0x7f => '\u{2421}',
        _ => char::REPLACEMENT_CHARACTER,
    }
}

#[cfg(test)]
mod tests;
