//! `match`: what it finds in whole blocks is what regular expressions find record by record.
#![no_main]

use std::sync::atomic::AtomicBool;

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use logweir::{Batch, Context, Origin, Outputs, Pipeline, Registry, internals};
use logweir_fuzz::{Bounded, LogBytes, portions};
use regex::bytes::{Regex, RegexBuilder};

/// Literals that occur in the content, and their neighbours.
const LITERALS: [&str; 16] = [
    "ERROR", "error", "r", "WARN", "level", "=", "\"", "[", "\r", "x", "xx", "\u{feff}", "12-01 10", "E0612",
    "nowhere", "\0",
];
/// Regular expressions that look at edges of records and words, and at nothing.
const REGEXES: [&str; 20] = [
    r"\d+",
    "^E",
    r"\]$",
    r"\bwarn\b",
    r"\Berr",
    "x{3,}",
    "[^a-z]e",
    "x?",
    ".",
    r"\s$",
    "^$",
    "^.$",
    "a*$",
    "(?i)level",
    "ERROR|WARN|INFO",
    r"^\s*\{",
    r"[\x80-\xff]",
    r"\r",
    r"(^|[^\w])error",
    r".*[^A-Z]|[A-Z]",
];

#[derive(Debug, Arbitrary)]
enum Pattern {
    Literal(Bounded<0, 15>),
    Regex(Bounded<0, 19>),
}

impl Pattern {
    fn to_toml(&self) -> String {
        match self {
            Self::Literal(number) => format!("\"{}\"", escaped(LITERALS[number.0])),
            Self::Regex(number) => format!("{{ regex = '{}' }}", REGEXES[number.0]),
        }
    }

    fn twin(&self, ignore_case: bool) -> Regex {
        let pattern = match self {
            Self::Literal(number) => regex::escape(LITERALS[number.0]),
            Self::Regex(number) => REGEXES[number.0].to_owned(),
        };
        RegexBuilder::new(&pattern).unicode(false).case_insensitive(ignore_case).build().expect("a plain pattern")
    }
}

#[derive(Debug, Arbitrary)]
struct Input {
    any: [Option<Pattern>; 3],
    all: [Option<Pattern>; 2],
    not: [Option<Pattern>; 2],
    ignore_case: bool,
    record_bytes_max: Bounded<1, 400>,
    is_first: bool,
    keep: Option<u32>,
    /// How many of the selected records come in a call of their own, as probes do; outputs are filled further.
    first: Bounded<0, 3>,
    content: LogBytes,
}

fuzz_target!(|input: Input| {
    let lists = [("any", &input.any[..]), ("all", &input.all[..]), ("not", &input.not[..])];
    let lists = lists.map(|(key, list)| (key, list.iter().flatten().collect::<Vec<_>>()));
    if lists.iter().all(|(_, list)| list.is_empty()) {
        return;
    }
    let mut config = format!("[[processor]]\nid = 'm'\nkind = 'match'\nignore_case = {}\n", input.ignore_case);
    for (key, list) in lists.iter().filter(|(_, list)| !list.is_empty()) {
        let list: Vec<String> = list.iter().map(|pattern| pattern.to_toml()).collect();
        config.push_str(&format!("{key} = [{}]\n", list.join(", ")));
    }
    let pipeline = Pipeline::from_toml(&config, "fuzz.toml", &Registry::standard());
    let pipeline = pipeline.unwrap_or_else(|error| panic!("{}", error.render(false)));
    let [any, all, not] = lists.map(|(_, list)| list.iter().map(|pattern| pattern.twin(input.ignore_case)).collect());
    check(&input, &pipeline, &Twin { any, all, not });
});

fn check(input: &Input, pipeline: &Pipeline, twin: &Twin) {
    let mut bounds = Vec::new();
    internals::bounds(&input.content.0, &mut bounds);
    let origin = Origin { source: 0, offset: u64::from(!input.is_first) };
    let batch = Batch::new(&input.content.0, &bounds, origin, input.record_bytes_max.0, 0);
    let is_kept = |&number: &u32| input.keep.is_none_or(|keep| keep >> (number % 32) & 1 == 1);
    let list: Vec<u32> = (0..batch.len()).filter(is_kept).collect();
    let mut out = Outputs::new(2);
    let mut processor = internals::processors(pipeline).remove(0);
    for selection in portions(&list, input.first.0, batch.len()) {
        processor.process(&batch, selection, &mut out, &Context::new(&AtomicBool::new(false)));
    }
    let (matched, rest): (Vec<u32>, Vec<u32>) = list.iter().partition(|&&number| twin.matches(batch.record(number)));
    assert_eq!(out.ports()[0], matched, "match");
    assert_eq!(out.ports()[1], rest, "rest");
}

/// The naive way.
struct Twin {
    any: Vec<Regex>,
    all: Vec<Regex>,
    not: Vec<Regex>,
}

impl Twin {
    fn matches(&self, record: &[u8]) -> bool {
        let is_in = |regex: &Regex| regex.is_match(record);
        (self.any.is_empty() || self.any.iter().any(is_in)) && self.all.iter().all(is_in) && !self.not.iter().any(is_in)
    }
}

/// As a basic string of TOML has it.
fn escaped(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_ascii_alphanumeric() { c.to_string() } else { format!("\\U{:08x}", c as u32) })
        .collect()
}
