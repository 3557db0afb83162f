//! Reads a configuration: TOML text to drafts of processors and sinks, each mistake tied to its place in the text.
//!
//! What stands here looks at one table at a time. How the drafts belong together is `resolve`'s business.

use std::{ops::Range, sync::Arc};

use toml::de::DeTable;

use super::{
    ConfigError, Definition, Delivery, Existing, Mistake, Options, Pipeline, Registry, SinkTarget, Value,
    delivery::delivery,
    diagnostic::line_of,
    draft::{Draft, Named, ProcessorDraft, SinkDraft, To},
    http,
    names::{is_id, suggestion},
    path::path,
    resolve,
};
use crate::limits;

/// What an id looks like, as the help for a bad one says it.
const ID_HELP: &str = "an id is 1 to 64 letters, digits, `_` or `-`";

/// Keys that processors of every kind have.
const COMMON_KEYS: [&str; 4] = ["id", "kind", "to", "on_error"];

/// Keys that stand at the head of the file; further down they belong to the table above them.
const HEAD_KEYS: [&str; 1] = ["dead_letters"];

/// Compiles `bytes`, which messages call `file`.
pub(super) fn parse(bytes: &[u8], file: &str, registry: &Registry) -> Result<Pipeline, ConfigError> {
    let text = readable(bytes, file)?;
    let document = DeTable::parse(text).map_err(|error| ConfigError::new(file, text, syntax(text, &error)))?;
    let mut reader = Reader { text, registry, mistakes: Vec::new() };
    let draft = reader.document(document.get_ref());
    let mut mistakes = reader.mistakes;
    let pipeline = resolve::resolve(draft, &mut mistakes);
    ConfigError::check(file, text, mistakes)?;
    Ok(pipeline.expect("a draft without mistakes is a pipeline"))
}

/// The text behind `bytes`, if there is some and not too much.
fn readable<'a>(bytes: &'a [u8], file: &str) -> Result<&'a str, ConfigError> {
    if bytes.len() > limits::CONFIG_BYTES {
        let mistake = Mistake::new(format!("the file is larger than {} bytes", limits::CONFIG_BYTES));
        return Err(ConfigError::new(file, "", mistake.with_help("is it a configuration?")));
    }
    std::str::from_utf8(bytes).map_err(|error| {
        let valid = error.valid_up_to();
        let text = String::from_utf8_lossy(bytes);
        let mistake = Mistake::new("the file is not UTF-8").at(valid..valid + 1).label("this byte is not text");
        ConfigError::new(file, &text, mistake)
    })
}

fn syntax(text: &str, error: &toml::de::Error) -> Mistake {
    let mut message = error.message().lines();
    let mistake = Mistake::new(format!("this is not TOML: {}", message.next().unwrap_or("syntax error")));
    let mistake = mistake.at(error.span().unwrap_or(text.len()..text.len())).label("here");
    match error.message() {
        message if message.starts_with("string values must be quoted") => mistake.with_help("put it in quotes"),
        message if message.starts_with("duplicate key") => mistake.with_help(
            "a key can stand once in a table, and processors start with `[[processor]]`, in double brackets",
        ),
        _ => mistake,
    }
}

/// Goes through a document and collects what is wrong with it.
struct Reader<'a> {
    text: &'a str,
    registry: &'a Registry,
    mistakes: Vec<Mistake>,
}

impl<'a> Reader<'a> {
    fn document(&mut self, document: &'a DeTable<'a>) -> Draft {
        let mut options = Options::new(self.text, document, 0..0, "the file");
        let processors = self.tables(&mut options, "processor");
        let sinks = self.tables(&mut options, "sink");
        let dead_letters = self.keep(options.get("dead_letters").map(|value| path(&value)).transpose()).flatten();
        let unknown = options.unknown();
        if processors.is_empty() && unknown.is_empty() && self.mistakes.is_empty() {
            self.mistakes.push(
                Mistake::new("the pipeline has no processor")
                    .at(0..0)
                    .label("nothing to run here")
                    .with_help("begin with `[[processor]]`, `id` and `kind`"),
            );
        }
        self.mistakes.extend(unknown);
        Draft {
            processors: processors.into_iter().map(|table| self.processor(table)).collect(),
            sinks: sinks.into_iter().map(|table| self.sink(table)).collect(),
            dead_letters,
        }
    }

    /// The tables of an array of tables, each with its settings.
    fn tables(&mut self, options: &mut Options<'a>, key: &'static str) -> Vec<Options<'a>> {
        let Some(value) = options.get(key) else {
            return Vec::new();
        };
        let members = value.list();
        if members.len() > limits::NODES {
            let place = &members[limits::NODES];
            self.mistakes.push(place.mistake(format!("more than {} of `{key}`", limits::NODES)).label("one too many"));
            return Vec::new();
        }
        let is_single = value.table().is_some();
        let tables: Vec<_> = members.iter().filter_map(Value::table).collect();
        if is_single || tables.len() < members.len() {
            let mistake = value.wrong_type("a list of tables");
            self.mistakes.push(mistake.with_help(format!("write `[[{key}]]`, in double brackets")));
        }
        tables
    }

    fn processor(&mut self, mut options: Options<'a>) -> ProcessorDraft {
        options.rename("a processor");
        let id = self.id(&mut options);
        options.get("kind"); // so that it is listed second
        let to = options.get("to").map(|value| self.to(&value));
        let on_error = self.keep(options.get("on_error").map(|value| named(&value)).transpose()).flatten();
        let kind = options.require("kind").and_then(|value| Ok((value, value.text()?)));
        let kind = self.keep(kind);
        let definition = kind.and_then(|(value, kind)| self.definition(&mut options, &value, kind));
        ProcessorDraft {
            id,
            kind: kind.map_or_else(String::new, |(_, kind)| kind.to_owned()),
            definition,
            is_foreign: kind.is_some_and(|(_, kind)| self.registry.is_foreign(kind)),
            to,
            on_error,
            line: line_of(self.text, options.place().start),
            config: one_line(&options),
            place: options.place(),
        }
    }

    /// What the kind makes of its own settings.
    fn definition(&mut self, options: &mut Options<'a>, value: &Value<'_>, kind: &str) -> Option<Arc<dyn Definition>> {
        let builder = self.registry.find(kind).map_err(|help| {
            value.mistake(format!("unknown kind `{kind}`")).label("no such kind of processor").with_help(help)
        });
        let builder = self.keep(builder)?;
        options.rename(format!("kind `{kind}`"));
        let definition = self.keep(builder(options).map_err(|mistake| match mistake.span() {
            Some(_) => mistake,
            None => mistake.at(options.place()),
        }))?;
        self.unknown(options);
        Some(Arc::from(definition))
    }

    fn sink(&mut self, mut options: Options<'a>) -> SinkDraft {
        options.rename("a sink");
        let id = self.id(&mut options);
        let from = options.require("from").and_then(|value| named(&value));
        let from = self.keep(from);
        options.get("kind"); // so that it is listed third
        let delivery = delivery(&mut options);
        let delivery = self.keep(delivery);
        let target = target(&mut options, delivery.unwrap_or_default());
        let target = self.keep(target);
        let existing_given = options.has("existing");
        if target.is_some() {
            self.unknown(&options);
        }
        SinkDraft { id, from, target, existing_given, delivery: delivery.unwrap_or_default() }
    }

    fn id(&mut self, options: &mut Options<'a>) -> Option<Named> {
        let id = options.require("id").and_then(|value| named(&value));
        let id = self.keep(id)?;
        if !is_id(&id.name) {
            let mistake = Mistake::new(format!("`{}` cannot be an id", id.name));
            self.mistakes.push(mistake.at(id.span.clone()).label("not an id").with_help(ID_HELP));
        }
        Some(id)
    }

    fn to(&mut self, value: &Value<'a>) -> To {
        match value.table() {
            Some(table) if !table.entries().is_empty() => {
                let entries = table.entries().into_iter();
                To::PerOutput(
                    entries
                        .map(|(output, span, value)| (Named { name: output.to_owned(), span }, self.names(&value)))
                        .collect(),
                )
            }
            Some(_) => {
                self.mistakes.push(nowhere(value));
                To::PerOutput(Vec::new())
            }
            None => To::Same(self.names(value)),
        }
    }

    /// The names of a name or a list of names.
    fn names(&mut self, value: &Value<'a>) -> Vec<Named> {
        let members = value.list();
        if members.is_empty() {
            self.mistakes.push(nowhere(value));
        }
        let mut names: Vec<Named> = Vec::new();
        for member in members {
            let name = named(&member).map_err(|_| member.wrong_type("a processor's id or a list of them"));
            let Some(name) = self.keep(name) else { continue };
            match names.iter().find(|known| known.name == name.name) {
                Some(first) => self.mistakes.push(
                    member.mistake(format!("`{}` is named twice", name.name)).also(first.span.clone(), "first here"),
                ),
                None => names.push(name),
            }
        }
        names
    }

    /// The keys that nobody knows; those of the head of the file get a better help.
    fn unknown(&mut self, options: &Options<'a>) {
        self.mistakes.extend(options.unknown().into_iter().map(|mistake| {
            let key = mistake.span().and_then(|span| self.text.get(span)).unwrap_or_default();
            match HEAD_KEYS.contains(&key) {
                true => mistake.with_help(format!("`{key}` belongs to the head of the file, before the first table")),
                false => mistake,
            }
        }));
    }

    fn keep<T>(&mut self, result: Result<T, Mistake>) -> Option<T> {
        result.map_err(|mistake| self.mistakes.push(mistake)).ok()
    }
}

fn nowhere(value: &Value<'_>) -> Mistake {
    value.mistake("`to` leads nowhere").label("is empty").with_help("leave it out where the pipeline ends")
}

fn named(value: &Value<'_>) -> Result<Named, Mistake> {
    Ok(Named { name: value.text()?.to_owned(), span: value.span() })
}

/// Where a sink writes.
fn target(options: &mut Options<'_>, delivery: Delivery) -> Result<(SinkTarget, Range<usize>), Mistake> {
    let kind = options.require("kind")?;
    match kind.text()? {
        "stdout" => {
            options.rename("a sink of kind `stdout`");
            // What was printed cannot be taken back, and so nothing can be tried again.
            for key in ["on_error", "retry"] {
                if let Some(value) = options.get(key) {
                    let mistake = value.mistake(format!("a sink of kind `stdout` has no `{key}`"));
                    return Err(mistake.label("not here").with_help("it is for files and servers; leave it out"));
                }
            }
            Ok((SinkTarget::Stdout, kind.span()))
        }
        "file" => {
            let (path, span) = path(&options.require("path")?)?;
            let word = options.get("existing").map(|value| value.word(&["append", "replace", "refuse"])).transpose()?;
            let existing = match word {
                Some("append") => Existing::Append,
                Some("replace") => Existing::Replace,
                _ => Existing::Refuse,
            };
            Ok((SinkTarget::File { path, existing }, span))
        }
        "http" => {
            options.rename("a sink of kind `http`");
            Ok((SinkTarget::Http(Arc::new(http::plan(options, delivery)?)), kind.span()))
        }
        other => Err(kind
            .mistake(format!("unknown kind `{other}` of a sink"))
            .label("no such kind of sink")
            .with_help(suggestion(other, "kind", &["stdout", "file", "http"]))),
    }
}

/// The settings of a kind as they are written, on one line.
fn one_line(options: &Options<'_>) -> String {
    let entries = options.entries();
    let entries = entries.iter().filter(|(key, ..)| !COMMON_KEYS.contains(key));
    entries.map(|(key, _, value)| format!("{key} = {}", value.one_line())).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests;
