//! Reads the settings of one table of a configuration: remembers which keys were asked for, so that the others can be
//! refused, and says what is wrong with a value where it stands.

use std::{ops::Range, ops::RangeInclusive, time::Duration};

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::{
    Mistake,
    names::{listed, nearest, suggestion},
};
use crate::limits;

/// The settings of one processor (or sink) as its builder reads them.
///
/// Every key that a builder asks for is known; what the user wrote beyond the known keys is refused.
#[derive(Debug)]
pub struct Options<'a> {
    text: &'a str,
    table: &'a DeTable<'a>,
    /// Where the table begins: what a missing key is shown at.
    place: Range<usize>,
    /// What the table describes, as messages call it.
    name: String,
    known: Vec<&'static str>,
}

impl<'a> Options<'a> {
    pub(super) fn new(text: &'a str, table: &'a DeTable<'a>, place: Range<usize>, name: impl Into<String>) -> Self {
        Self { text, table, place, name: name.into(), known: Vec::new() }
    }

    /// The value of `key`, if the user gave it.
    pub fn get(&mut self, key: &'static str) -> Option<Value<'a>> {
        if !self.known.contains(&key) {
            self.known.push(key);
        }
        let value = self.table.get(key)?;
        Some(Value { text: self.text, key, value })
    }

    /// The value of `key`, which must be there.
    pub fn require(&mut self, key: &'static str) -> Result<Value<'a>, Mistake> {
        self.get(key).ok_or_else(|| self.missing(&[key]))
    }

    /// That at least one of `keys` is there.
    pub fn require_one_of(&mut self, keys: &[&'static str]) -> Result<(), Mistake> {
        let given = keys.iter().filter(|key| self.get(key).is_some()).count();
        if given == 0 { Err(self.missing(keys)) } else { Ok(()) }
    }

    /// True if the user gave `key`, whoever knows it.
    pub(super) fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    /// A mistake of the table as a whole, such as keys that do not go together.
    #[must_use]
    pub fn mistake(&self, message: impl Into<String>) -> Mistake {
        Mistake::new(message).at(self.place.clone())
    }

    /// Changes what messages call the table.
    pub(super) fn rename(&mut self, name: impl Into<String>) {
        self.name = name.into();
    }

    pub(super) fn place(&self) -> Range<usize> {
        self.place.clone()
    }

    /// The keys that nobody asked for, each as a mistake.
    pub(super) fn unknown(&self) -> Vec<Mistake> {
        let unknown = self.table.keys().filter(|key| !self.is_known(key.get_ref()));
        unknown.map(|key| self.unknown_key(key.get_ref(), key.span())).collect()
    }

    /// All entries, by their place in the text.
    pub(super) fn entries(&self) -> Vec<(&'a str, Range<usize>, Value<'a>)> {
        let mut entries: Vec<_> = self
            .table
            .iter()
            .map(|(key, value)| {
                (key.get_ref().as_ref(), key.span(), Value { text: self.text, key: key.get_ref(), value })
            })
            .collect();
        entries.sort_by_key(|(_, span, _)| span.start);
        entries
    }

    fn is_known(&self, key: &str) -> bool {
        self.known.contains(&key)
    }

    fn unknown_key(&self, key: &str, span: Range<usize>) -> Mistake {
        let mistake = Mistake::new(format!("unknown key `{key}` of {}", self.name)).at(span).label("not known here");
        match nearest(key, self.known.iter().copied()) {
            Some(known) => mistake.with_help(format!("did you mean `{known}`?")),
            None => mistake.with_help(suggestion(key, "key", &self.known)),
        }
    }

    /// Where a required key (one of `keys`) is missing, a misspelt one is the better thing to point at.
    fn missing(&self, keys: &[&'static str]) -> Mistake {
        let mut unknown = self.table.keys().filter(|given| !self.is_known(given.get_ref()));
        let meant = |given: &str| nearest(given, keys.iter().copied());
        match unknown.find_map(|given| Some((given, meant(given.get_ref())?))) {
            Some((given, meant)) => Mistake::new(format!("unknown key `{}` of {}", given.get_ref(), self.name))
                .at(given.span())
                .label("not known here")
                .with_help(format!("did you mean `{meant}`?")),
            None => match keys {
                [key] => self.mistake(format!("{} needs the key `{key}`", self.name)).label(format!("no `{key}` here")),
                keys => self
                    .mistake(format!("{} needs at least one of {}", self.name, listed(keys.iter().copied())))
                    .label("none of them here"),
            },
        }
    }
}

/// A value in a configuration, with its place.
#[derive(Debug, Clone, Copy)]
pub struct Value<'a> {
    text: &'a str,
    key: &'a str,
    value: &'a Spanned<DeValue<'a>>,
}

impl<'a> Value<'a> {
    /// Where it stands in the text, in bytes.
    #[must_use]
    pub fn span(&self) -> Range<usize> {
        self.value.span()
    }

    /// A mistake of this value.
    #[must_use]
    pub fn mistake(&self, message: impl Into<String>) -> Mistake {
        Mistake::new(message).at(self.span())
    }

    /// It as text.
    pub fn text(&self) -> Result<&'a str, Mistake> {
        self.value.get_ref().as_str().ok_or_else(|| self.wrong_type("text in quotes"))
    }

    /// It as `true` or `false`.
    pub fn flag(&self) -> Result<bool, Mistake> {
        self.value.get_ref().as_bool().ok_or_else(|| self.wrong_type("`true` or `false`"))
    }

    /// It as a whole number within `range`.
    pub fn integer(&self, range: RangeInclusive<i64>) -> Result<i64, Mistake> {
        let DeValue::Integer(integer) = self.value.get_ref() else {
            return Err(self.wrong_type("a whole number"));
        };
        i64::from_str_radix(integer.as_str(), integer.radix())
            .ok()
            .filter(|number| range.contains(number))
            .ok_or_else(|| self.out_of_range(&range.start().to_string(), &range.end().to_string()))
    }

    /// It as a number of milliseconds up to `max`, whole or with a fraction.
    pub fn milliseconds(&self, max: Duration) -> Result<Duration, Mistake> {
        let number = match self.value.get_ref() {
            DeValue::Integer(integer) => {
                i64::from_str_radix(integer.as_str(), integer.radix()).map_or(f64::INFINITY, |number| number as f64)
            }
            DeValue::Float(float) => float.as_str().parse().unwrap_or(f64::INFINITY),
            _ => return Err(self.wrong_type("a number of milliseconds")),
        };
        Duration::try_from_secs_f64(number / 1_000.0)
            .ok()
            .filter(|time| *time <= max)
            .ok_or_else(|| self.out_of_range("0", &max.as_millis().to_string()))
    }

    /// It as one of `words`.
    pub fn word(&self, words: &[&'static str]) -> Result<&'static str, Mistake> {
        let text = self.text()?;
        words.iter().copied().find(|word| *word == text).ok_or_else(|| {
            self.mistake(format!("`{}` cannot be `{text}`", self.key))
                .label("not one of its words")
                .with_help(suggestion(text, "word", words))
        })
    }

    /// Its members if it is a list, else it alone.
    #[must_use]
    pub fn list(&self) -> Vec<Value<'a>> {
        match self.value.get_ref() {
            DeValue::Array(array) => array.iter().map(|value| Self { value, ..*self }).collect(),
            _ => vec![*self],
        }
    }

    /// It as a table with keys of its own, if it is one.
    #[must_use]
    pub fn table(&self) -> Option<Options<'a>> {
        let table = self.value.get_ref().as_table()?;
        Some(Options::new(self.text, table, self.span(), format!("`{}`", self.key)))
    }

    /// Refuses it because it is not `wanted`.
    #[must_use]
    pub fn wrong_type(&self, wanted: &str) -> Mistake {
        self.mistake(format!("`{}` must be {wanted}", self.key)).label(format!("this is {}", self.type_name()))
    }

    /// Where byte `offset` of its text stands in the configuration; `None` where escapes hide it.
    pub(super) fn position(&self, offset: usize) -> Option<usize> {
        let (inner, written) = (self.text().ok()?, self.text_in_file());
        // One or three quotes stand on either side, and after three a newline may.
        let start = written.find(inner).filter(|start| [1, 3, 4].contains(start))?;
        let quotes = written.len() - inner.len() - start;
        ((start == 1 && quotes == 1) || (start > 1 && quotes == 3)).then_some(self.span().start + start + offset)
    }

    /// It as it is written, on one line.
    pub(super) fn one_line(&self) -> String {
        match self.value.get_ref() {
            DeValue::Array(_) => {
                let members: Vec<String> = self.list().iter().map(Self::one_line).collect();
                format!("[{}]", members.join(", "))
            }
            DeValue::Table(_) => {
                let table = self.table().expect("it is a table");
                let entries: Vec<String> =
                    table.entries().iter().map(|(key, _, value)| format!("{key} = {}", value.one_line())).collect();
                format!("{{ {} }}", entries.join(", "))
            }
            DeValue::String(text) if !text.contains(['\'', '\n']) && text.contains(['\\', '"']) => format!("'{text}'"),
            DeValue::String(text) => format!("{text:?}"),
            _ => self.text_in_file().to_owned(),
        }
    }

    fn text_in_file(&self) -> &'a str {
        self.text.get(self.span()).unwrap_or_default()
    }

    pub(super) fn out_of_range(&self, min: &str, max: &str) -> Mistake {
        self.mistake(format!("`{}` is out of range", self.key)).label(format!("must be from {min} to {max}"))
    }

    fn type_name(&self) -> &'static str {
        match self.value.get_ref() {
            DeValue::String(_) => "text",
            DeValue::Integer(_) => "a whole number",
            DeValue::Float(_) => "a number",
            DeValue::Boolean(_) => "`true` or `false`",
            DeValue::Datetime(_) => "a date or time",
            DeValue::Array(_) => "a list",
            DeValue::Table(_) => "a table",
        }
    }
}

/// A literal to look for: some bytes, not too many, within one record.
pub(super) fn literal<'a>(value: &Value<'a>) -> Result<&'a str, Mistake> {
    let text = value.text()?;
    if text.is_empty() {
        Err(value.mistake("an empty literal is in every record").label("write what to look for"))
    } else if text.contains('\n') {
        Err(value
            .mistake("a record never contains a newline, so this is never found")
            .label("has a newline")
            .with_help("each line is a record: look for what stands on one of them"))
    } else {
        within_limit(text, value)
    }
}

/// `text` if it is not longer than a pattern may be.
pub(super) fn within_limit<'a>(text: &'a str, value: &Value<'_>) -> Result<&'a str, Mistake> {
    if text.len() > limits::PATTERN_BYTES {
        let label = format!("{} bytes, and {} are allowed", text.len(), limits::PATTERN_BYTES);
        return Err(value.mistake("the pattern is too long").label(label));
    }
    Ok(text)
}

#[cfg(test)]
mod tests;
