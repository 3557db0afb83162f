//! `match`: settings and their mistakes as cases, and the searches against the definition, record by record.

use std::{
    sync::atomic::AtomicBool,
    time::{Duration, Instant},
};

use proptest::{prelude::*, sample::select};
use regex::bytes::RegexBuilder;

use super::*;
use crate::{
    pipeline::{ConfigError, Pipeline, Registry},
    record::Origin,
};

fn pipeline(settings: &str) -> Result<Pipeline, ConfigError> {
    let text = format!("[[processor]]\nid = 'm'\nkind = 'match'\n{settings}\n");
    Pipeline::from_toml(text, "test.toml", &Registry::standard())
}

/// Which records of `lines` match, and which are the rest.
fn split(settings: &str, lines: &[u8]) -> [Vec<u32>; 2] {
    let bounds = bounds(lines);
    let batch = Batch::new(lines, &bounds, Origin { source: 0, offset: 0 }, 1 << 20, 0);
    run(&pipeline(settings).expect("valid settings"), &batch, Selection::Range(0, batch.len()))
}

fn bounds(bytes: &[u8]) -> Vec<u32> {
    let mut bounds = Vec::new();
    crate::split::bounds(bytes, &mut bounds);
    bounds
}

fn run(pipeline: &Pipeline, batch: &Batch<'_>, input: Selection<'_>) -> [Vec<u32>; 2] {
    in_parts(pipeline, batch, &[input])
}

/// One call for each part of a selection, as a worker does it: all into the same outputs.
fn in_parts(pipeline: &Pipeline, batch: &Batch<'_>, parts: &[Selection<'_>]) -> [Vec<u32>; 2] {
    let mut out = Outputs::new(2);
    let mut processor = pipeline.nodes[0].definition.build();
    for part in parts {
        processor.process(batch, *part, &mut out, &Context::new(&AtomicBool::new(false)));
    }
    out.ports.try_into().expect("two outputs")
}

#[test]
fn keys_go_together() {
    let lines = b"a\nb\nab\nabc\n\nA";
    for (settings, matching) in [
        ("any = 'a'", &[0, 2, 3][..]),
        ("any = ['a', 'b']", &[0, 1, 2, 3]),
        ("all = ['a', 'b']", &[2, 3]),
        ("not = 'a'", &[1, 4, 5]),
        ("any = ['a', 'b']\nall = 'b'\nnot = 'c'", &[1, 2]),
        ("any = 'a'\nignore_case = true", &[0, 2, 3, 5]),
        ("any = { regex = '^.$' }", &[0, 1, 5]),
        ("any = { regex = '^$' }", &[4]),
        ("any = ['c', { regex = '^b' }]", &[1, 3]),
        ("all = [{ regex = 'B.?$' }, 'C']\nignore_case = true", &[3]),
        ("not = [{ regex = 'b' }, 'A']", &[0, 4]),
    ] {
        let rest: Vec<u32> = (0..6).filter(|number| !matching.contains(number)).collect();
        assert_eq!(split(settings, lines), [matching.to_vec(), rest], "{settings}");
    }
}

#[test]
fn what_a_record_hides_is_not_found() {
    assert_eq!(split("any = \"a\\r\"", b"a\r\na\r\r\na")[0], [1]);
    assert_eq!(split("any = ['b', \"b\\r\"]", b"b\r\nc\r\n")[0], [0]);
    assert_eq!(split("any = '\u{feff}'", "\u{feff}a\n\u{feff}a\n".as_bytes())[0], [1]);
    assert_eq!(split("any = { regex = '^a$' }", "\u{feff}a\r\na\rb\nba\n".as_bytes())[0], [0]);
}

#[test]
fn rest_is_dropped_unless_an_output_is_asked_for() {
    let sequel = "[[processor]]\nid = 'next'\nkind = 'pass'\n";
    let dropped = |to: &str| {
        let pipeline = pipeline(&format!("any = 'a'\n{to}\n{sequel}")).expect("valid settings");
        pipeline.graph().nodes[0].dropped_as.clone()
    };
    let no_match = Some("no_match".to_owned());
    assert_eq!(dropped(""), [None, no_match.clone()]);
    assert_eq!(dropped("to = 'next'"), [None, no_match.clone()]);
    assert_eq!(dropped("to = ['next']"), [None, no_match]);
    assert_eq!(dropped("to = { match = 'next' }"), [None, None]);
    assert_eq!(dropped("to = { rest = 'next' }"), [None, None]);
    assert_eq!(dropped("[[sink]]\nid = 's'\nkind = 'stdout'\nfrom = 'm.rest'"), [None, None]);
}

#[test]
fn a_plain_target_gets_what_matched() {
    let text = "any = 'a'\nto = 'next'\n[[processor]]\nid = 'next'\nkind = 'pass'\n";
    let pipeline = pipeline(text).expect("valid settings");
    let edges = &pipeline.graph().edges;
    assert_eq!(edges.iter().map(|edge| edge.output).collect::<Vec<_>>(), [crate::graph::Port::Output(MATCH)]);
}

#[test]
fn mistakes_are_shown_where_they_are() {
    for (settings, message) in [
        ("", "1:1: kind `match` needs at least one of `any`, `all` and `not`"),
        ("ignore_case = true", "kind `match` needs at least one of"),
        ("anny = 'a'", "4:1: unknown key `anny` of kind `match` (did you mean `any`?)"),
        ("any = 'a'\nnote = 'b'", "5:1: unknown key `note` of kind `match` (did you mean `not`?)"),
        ("any = 7", "4:7: `any` must be a literal in quotes, a table like `{ regex = '…' }`, or a list of these"),
        ("any = []", "4:7: there is nothing to look for"),
        ("any = ['a', '']", "4:13: an empty literal is in every record"),
        ("any = { regex = '' }", "4:17: an empty pattern is in every record"),
        ("all = \"a\\nb\"", "4:7: a record never contains a newline, so this is never found (each line is a record"),
        ("all = { regex = '\\n' }", "4:17: no record can match this pattern (a record is one line"),
        ("any = {}", "`any` needs the key `regex`"),
        ("any = { regexp = 'a' }", "4:9: unknown key `regexp` of `any` (did you mean `regex`?)"),
        ("any = { regex = 'a', flags = 'i' }", "4:22: unknown key `flags` of `any`"),
        ("any = { regex = 'ab(c' }", "4:20: bad regex: unclosed group"),
        ("any = { regex = \"\\ta\\\\p{Foo}\" }", "4:17: bad regex: Unicode not allowed here"),
        ("any = { regex = '(?u)ab\\p{Foo}' }", "4:24: bad regex: Unicode property not found"),
        ("any = { regex = 'a(?!b)' }", "4:19: bad regex: look-around, including look-ahead"),
        ("any = { regex = '[é]' }", "4:19: bad regex: Unicode not allowed here (patterns are"),
        ("any = 'a'\nignore_case = 1", "5:15: `ignore_case` must be `true` or `false`"),
    ] {
        let error = pipeline(settings).err().unwrap_or_else(|| panic!("refused: {settings}")).to_string();
        assert!(error.contains(message), "{settings}: {error}");
    }
}

#[test]
fn patterns_have_limits() {
    let long = "x".repeat(limits::PATTERN_BYTES + 1);
    let many = vec!["'x'"; limits::PATTERNS_ALL + 1].join(", ");
    let start = Instant::now();
    for (settings, message) in [
        (format!("any = '{long}'"), "4:7: the pattern is too long"),
        (format!("any = {{ regex = '{long}' }}"), "4:17: the pattern is too long"),
        (format!("all = [{many}]"), "4:7: too many patterns in `all`"),
        ("any = { regex = '(a{1000}){1000}' }".to_owned(), "4:7: the pattern is too big"),
        ("all = ['a', { regex = '((a{100}){100}){100}' }]".to_owned(), "4:13: the pattern is too big"),
        (format!("any = {{ regex = '{}' }}", "(".repeat(4_000)), "bad regex"),
    ] {
        let error = pipeline(&settings).err().unwrap_or_else(|| panic!("refused: {settings}")).to_string();
        assert!(error.contains(message), "{error}");
    }
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
}

#[test]
fn hundreds_of_literals_are_as_right_as_few() {
    let lines: String = (0..1_000).map(|number| format!("line {number} word{number:03} end\n")).collect();
    for count in [20, 300, 999] {
        let words: Vec<String> = (0..count).map(|number| format!("'word{number:03}'")).collect();
        let matching: Vec<u32> = (0..count).collect();
        assert_eq!(split(&format!("any = [{}]", words.join(", ")), lines.as_bytes())[0], matching);
    }
}

/// Patterns that are slow in engines that go back, and searches that would be quadratic if they looked on for the last
/// match: a record of a mebibyte takes milliseconds.
#[test]
fn hostile_records_take_linear_time() {
    let mut lines = b"a".repeat(1 << 20);
    lines.extend(b"\n");
    lines.extend(b"a\n".repeat(1 << 19));
    let start = Instant::now();
    for regex in ["(a*)*b", "(a|a)*b", "(?s).*[^A-Z]|[A-Z]", "a.*b", "(x+x+)+y", "^(a?){30}a{30}$"] {
        split(&format!("any = {{ regex = '{regex}' }}"), &lines);
    }
    assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
}

#[derive(Debug, Clone)]
struct Settings {
    /// For `any`, `all` and `not`.
    keys: [Vec<Pattern>; 3],
    ignore_case: bool,
}

#[derive(Debug, Clone)]
enum Pattern {
    Literal(&'static str),
    Regex(String),
}

impl Pattern {
    fn toml(&self) -> String {
        match self {
            Self::Literal(text) => toml::Value::from(*text).to_string(),
            Self::Regex(text) => format!("{{ regex = '{text}' }}"),
        }
    }

    fn is_in(&self, record: &[u8], ignore_case: bool) -> bool {
        match self {
            Self::Literal(text) if ignore_case => {
                record.windows(text.len()).any(|window| window.eq_ignore_ascii_case(text.as_bytes()))
            }
            Self::Literal(text) => record.windows(text.len()).any(|window| window == text.as_bytes()),
            Self::Regex(text) => {
                let mut regex = RegexBuilder::new(text);
                regex.unicode(false).case_insensitive(ignore_case);
                regex.build().expect("a valid pattern").is_match(record)
            }
        }
    }
}

impl Settings {
    fn toml(&self) -> String {
        let key = |(name, patterns): (&str, &Vec<Pattern>)| {
            let patterns: Vec<String> = patterns.iter().map(Pattern::toml).collect();
            (!patterns.is_empty()).then(|| format!("{name} = [{}]\n", patterns.join(", ")))
        };
        let keys: String = ["any", "all", "not"].into_iter().zip(&self.keys).filter_map(key).collect();
        format!("{keys}ignore_case = {}", self.ignore_case)
    }

    /// The definition.
    fn is_match(&self, record: &[u8]) -> bool {
        let is_in = |pattern: &Pattern| pattern.is_in(record, self.ignore_case);
        let [any, all, not] = &self.keys;
        (any.is_empty() || any.iter().any(is_in)) && all.iter().all(is_in) && !not.iter().any(is_in)
    }
}

const LITERALS: &[&str] =
    &["a", "ab", "foo", "ERR", "err", "\r", "a\r", "b\rc", "\u{feff}", "é", "\0", " ", "abcabc", "_"];
const REGEXES: &[&str] = &[
    "ab",
    "a.b",
    "^a",
    "a$",
    "^$",
    "$",
    "x*",
    "[^b]+c",
    r"\s$",
    r"^\s",
    r"\W",
    r"\bb\b",
    r"\Bb",
    r"\B",
    r"b\r",
    r"(?m)^b",
    "(?m)a$",
    "(?R)a$",
    "(?Rm)^b",
    "(?Rm)a$",
    "(?s).$",
    "(?s)a.b",
    "a|^b$",
    r"(?u)\bé",
    r"(?u:é)$",
    r"\x00",
    r"[\r\n]a",
    "(a|b){2,3}c?$",
    r"\xff",
    "^.{2}c",
    r"^\b",
    r"\A\s*\z",
    ".",
    r"a[\s\S]b",
    r"\b{start}a",
    r"b\b{end}",
    r"\b{end-half}",
    "^[ab].*c$",
    "foo|err",
    "fo+|a$",
    r"\S+ \S+",
    r"a\n|b",
    r"[^a]",
    "(?i)ERR",
    "é",
    r"\b$",
    r"^(?:a|\r)",
];
const PIECES: &[&[u8]] = &[
    b"a",
    b"b",
    b"c",
    b"ab",
    b"abc",
    b"foo",
    b"ERR",
    b"err",
    b"Err",
    b"\r",
    b"\r",
    b"\xef\xbb\xbf",
    b"\0",
    b" ",
    b"_",
    "é".as_bytes(),
    b"\xff",
    b"",
    b"\n",
    b"\n",
    b"\r\n",
    b"\n\n",
    b"x y",
];

fn some_regexes() -> impl Strategy<Value = Vec<&'static str>> {
    prop::collection::vec(select(REGEXES), 2..4)
}

fn settings() -> impl Strategy<Value = Settings> {
    let pattern = || {
        prop_oneof![
            1 => select(LITERALS).prop_map(Pattern::Literal),
            2 => select(REGEXES).prop_map(|regex| Pattern::Regex(regex.to_owned())),
            1 => some_regexes().prop_map(|all| Pattern::Regex(all.concat())),
            1 => some_regexes().prop_map(|all| Pattern::Regex(all.join("|"))),
        ]
    };
    let key = || prop_oneof![Just(Vec::new()), prop::collection::vec(pattern(), 0..4)];
    ([key(), key(), key()], any::<bool>())
        .prop_map(|(keys, ignore_case)| Settings { keys, ignore_case })
        .prop_filter("needs a pattern", |settings| settings.keys.iter().any(|key| !key.is_empty()))
}

fn block() -> impl Strategy<Value = Vec<u8>> {
    let head = prop_oneof![Just(&b""[..]), Just(&b"\xef\xbb\xbf"[..])];
    (head, prop::collection::vec(select(PIECES), 0..60)).prop_map(|(head, parts)| [head, &parts.concat()].concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3_000))]

    #[test]
    fn searches_agree_with_the_definition(
        settings in settings(),
        bytes in block(),
        record_bytes_max in prop_oneof![1usize..10, Just(1 << 20)],
        at_start in any::<bool>(),
        cut_bytes in prop_oneof![4 => Just(0u64), 1 => Just(7)],
        keep in prop_oneof![any::<u32>(), Just(u32::MAX), Just(0x0101_0101)],
        from in 0u32..8,
    ) {
        let bounds = bounds(&bytes);
        let origin = Origin { source: 0, offset: if at_start { 0 } else { 1_000 } };
        let cut_bytes = if bytes.ends_with(b"\n") { 0 } else { cut_bytes };
        let batch = Batch::new(&bytes, &bounds, origin, record_bytes_max, cut_bytes);
        let pipeline = pipeline(&settings.toml()).expect("valid settings");
        let list: Vec<u32> = (0..batch.len()).filter(|number| keep >> (number % 32) & 1 == 1).collect();
        let from = from.min(batch.len());
        let (head, tail) = list.split_at(list.len() / 3);
        for parts in [
            &[Selection::Range(0, batch.len())][..],
            &[Selection::Range(0, from), Selection::Range(from, batch.len())],
            &[Selection::Range(from, batch.len())],
            &[Selection::List(&list)],
            &[Selection::List(head), Selection::List(tail)],
        ] {
            let [matching, rest]: [Vec<u32>; 2] = [true, false].map(|wanted| {
                let all = parts.iter().flat_map(Selection::iter);
                all.filter(|&number| settings.is_match(batch.record(number)) == wanted).collect()
            });
            prop_assert_eq!(in_parts(&pipeline, &batch, parts), [matching, rest], "{:?}", parts);
        }
    }

    #[test]
    fn galloping_finds_what_counting_finds(starts in prop::collection::btree_set(0u32..1_000, 1..50), hit in 0u32..1_000, low in 0usize..50) {
        let starts: Vec<u32> = starts.into_iter().collect();
        let low = low.min(starts.len() - 1);
        let hit = starts[low] + hit;
        let expected = starts.iter().filter(|&&start| start <= hit).count() - 1;
        prop_assert_eq!(search::gallop(low, starts.len(), |index| starts[index] <= hit), expected);
    }
}
