//! Patterns as the user writes them, to what they mean for records.
//!
//! A record never contains a newline, so the newline is taken out of every pattern: what it finds in records stays the
//! same, and a search through many records at once cannot run from one into the next.

use regex_syntax::{
    Error, ParserBuilder,
    ast::Span,
    hir::{
        Class, ClassBytes, ClassBytesRange, ClassUnicode, ClassUnicodeRange, ErrorKind, Hir, HirKind, Look, Repetition,
    },
};

use crate::pipeline::{
    Mistake, Value,
    options::{literal, within_limit},
};

/// Reads one pattern.
pub(super) fn read(value: &Value<'_>, ignore_case: bool) -> Result<Hir, Mistake> {
    let Some(mut table) = value.table() else {
        let wanted = "a literal in quotes, a table like `{ regex = '…' }`, or a list of these";
        let text =
            literal(value).map_err(|mistake| if value.text().is_err() { value.wrong_type(wanted) } else { mistake });
        return Ok(literally(text?.as_bytes(), ignore_case));
    };
    let regex = table.require("regex")?;
    if let Some(unknown) = table.unknown().into_iter().next() {
        return Err(unknown);
    }
    parse(&regex, ignore_case)
}

fn literally(bytes: &[u8], ignore_case: bool) -> Hir {
    if !ignore_case {
        return Hir::literal(bytes);
    }
    let both =
        |byte: u8| [byte.to_ascii_lowercase(), byte.to_ascii_uppercase()].map(|case| ClassBytesRange::new(case, case));
    Hir::concat(bytes.iter().map(|&byte| Hir::class(Class::Bytes(ClassBytes::new(both(byte))))).collect())
}

fn parse(value: &Value<'_>, ignore_case: bool) -> Result<Hir, Mistake> {
    let text = within_limit(value.text()?, value)?;
    if text.is_empty() {
        return Err(value.mistake("an empty pattern is in every record").label("write what to look for"));
    }
    let mut parser = ParserBuilder::new().unicode(false).utf8(false).case_insensitive(ignore_case).build();
    let hir = parser.parse(text).map_err(|error| syntax(value, text, &error))?;
    let hir = rebuild(&hir, &|look| match look {
        // Within one record they are the same, and these are faster.
        Look::StartLF => Look::Start,
        Look::EndLF => Look::End,
        other => other,
    });
    if is_never(&hir) {
        return Err(value
            .mistake("no record can match this pattern")
            .label("never found")
            .with_help("a record is one line, and never contains a newline"));
    }
    Ok(hir)
}

/// What is wrong with a regular expression, and where in it.
fn syntax(value: &Value<'_>, text: &str, error: &Error) -> Mistake {
    let (message, span) = match error {
        Error::Parse(error) => (error.kind().to_string(), Some(*error.span())),
        Error::Translate(error) => (error.kind().to_string(), Some(*error.span())),
        _ => (error.to_string(), None),
    };
    let mistake =
        match span.map(|Span { start, end }| (start, value.position(start.offset), value.position(end.offset))) {
            Some((_, Some(start), Some(end))) => value.mistake(text_of(&message)).at(start..end).label("here"),
            Some((start, ..)) => {
                let number = text.get(..start.offset).map_or(0, |before| before.chars().count()) + 1;
                value.mistake(text_of(&message)).label(format!("at its character {number}"))
            }
            None => value.mistake(text_of(&message)),
        };
    match error {
        Error::Translate(error) if *error.kind() == ErrorKind::UnicodeNotAllowed => {
            mistake.with_help("patterns are on bytes: write `(?u:…)` around what is on characters")
        }
        Error::Parse(error) if is_look_around(error.kind()) => {
            mistake.with_help("put the two conditions into `all` and `not`")
        }
        _ => mistake,
    }
}

fn text_of(message: &str) -> String {
    format!("bad regex: {message}")
}

fn is_look_around(kind: &regex_syntax::ast::ErrorKind) -> bool {
    *kind == regex_syntax::ast::ErrorKind::UnsupportedLookAround
}

/// `hir` without newlines, captures and what can never match, and with every look-around replaced by what `look` makes
/// of it.
pub(super) fn rebuild(hir: &Hir, look: &impl Fn(Look) -> Look) -> Hir {
    let all = |members: &[Hir]| -> Vec<Hir> { members.iter().map(|member| rebuild(member, look)).collect() };
    match hir.kind() {
        HirKind::Empty => Hir::empty(),
        HirKind::Literal(literal) if literal.0.contains(&b'\n') => Hir::fail(),
        HirKind::Literal(literal) => Hir::literal(literal.0.clone()),
        HirKind::Class(class) => Hir::class(without_newline(class.clone())),
        HirKind::Look(given) => Hir::look(look(*given)),
        HirKind::Repetition(repetition) => repeated(repetition, rebuild(&repetition.sub, look)),
        HirKind::Capture(capture) => rebuild(&capture.sub, look),
        HirKind::Concat(members) => sequence(all(members)),
        HirKind::Alternation(members) => {
            Hir::alternation(all(members).into_iter().filter(|hir| !is_never(hir)).collect())
        }
    }
}

fn is_never(hir: &Hir) -> bool {
    matches!(hir.kind(), HirKind::Class(class) if class.is_empty())
}

fn sequence(members: Vec<Hir>) -> Hir {
    if members.iter().any(is_never) { Hir::fail() } else { Hir::concat(members) }
}

fn repeated(&Repetition { min, max, greedy, .. }: &Repetition, sub: Hir) -> Hir {
    match (is_never(&sub), min) {
        (true, 0) => Hir::empty(),
        (true, _) => Hir::fail(),
        _ => Hir::repetition(Repetition { min, max, greedy, sub: Box::new(sub) }),
    }
}

fn without_newline(mut class: Class) -> Class {
    match &mut class {
        Class::Bytes(class) => class.difference(&ClassBytes::new([ClassBytesRange::new(b'\n', b'\n')])),
        Class::Unicode(class) => class.difference(&ClassUnicode::new([ClassUnicodeRange::new('\n', '\n')])),
    }
    class
}
