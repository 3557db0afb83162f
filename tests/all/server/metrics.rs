//! `/metrics`, read by a parser of our own that forgives nothing, by promtool where it is, and compared to the snapshot.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::Write,
    process::{Command, Stdio},
    sync::Arc,
};

use logweir::{
    Admission, Snapshot,
    snapshot::{RunState, Source},
};

use crate::{
    http::{Answer, ask, get},
    sample,
    server::serve,
};

const OPEN_METRICS: &str = "application/openmetrics-text;version=1.0.0";

type Labels = BTreeMap<String, String>;

/// Series by name and labels.
type Series = BTreeMap<(String, Labels), f64>;

/// One family as it was declared.
#[derive(Debug)]
struct Family {
    name: String,
    kind: String,
}

impl Family {
    /// Whether a sample of this name belongs to it.
    fn owns(&self, sample: &str, is_open: bool) -> bool {
        let suffixes: &[&str] = match self.kind.as_str() {
            "histogram" => &["_bucket", "_sum", "_count"],
            "counter" if is_open => &["_total"],
            "info" => &["_info"],
            _ => &[""],
        };
        sample.strip_prefix(&self.name).is_some_and(|suffix| suffixes.contains(&suffix))
    }
}

fn is_name(name: &str) -> bool {
    let is_first = |c: char| c.is_ascii_alphabetic() || c == '_';
    name.starts_with(is_first) && name.chars().all(|c| is_first(c) || c.is_ascii_digit())
}

/// Reads a whole answer: every line must be understood.
fn read(text: &str, is_open: bool) -> Series {
    assert!(text.ends_with('\n') && !text.contains('\r'), "lines end in newlines");
    assert_eq!(text.ends_with("\n# EOF\n"), is_open);
    let text = if is_open { text.strip_suffix("# EOF\n").expect("an end") } else { text };
    let (mut series, mut seen, mut family) = (Series::new(), BTreeSet::new(), None::<Family>);
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        if let Some(head) = line.strip_prefix("# HELP ") {
            let (name, help) = head.split_once(' ').expect("a name and a text");
            assert!(is_name(name) && !help.is_empty() && seen.insert(name.to_owned()), "{line}");
            let kind = lines.next().and_then(|line| line.strip_prefix(&format!("# TYPE {name} ")));
            let kind = kind.unwrap_or_else(|| panic!("no type after {line}")).to_owned();
            let kinds: &[&str] =
                if is_open { &["counter", "gauge", "histogram", "info"] } else { &["counter", "gauge", "histogram"] };
            assert!(kinds.contains(&&*kind), "{name}: {kind}");
            assert_eq!(kind == "counter" && !is_open, name.ends_with("_total"), "{name}");
            if let Some(unit) = lines.peek().and_then(|line| line.strip_prefix(&format!("# UNIT {name} "))) {
                assert!(is_open && name.ends_with(&format!("_{unit}")), "{name}: {unit}");
                lines.next();
            }
            family = Some(Family { name: name.to_owned(), kind });
            continue;
        }
        assert!(!line.starts_with('#'), "a comment that nobody needs: {line}");
        let (name, labels, value) = sample_of(line);
        let family = family.as_ref().expect("a family before its samples");
        assert!(family.owns(&name, is_open), "{name} in {family:?}");
        assert!(series.insert((name, labels), value).is_none(), "twice: {line}");
    }
    histograms_are_whole(&series);
    series
}

/// Takes a line apart: `name{label="value",…} number`.
fn sample_of(line: &str) -> (String, Labels, f64) {
    let end = line.find(['{', ' ']).unwrap_or_else(|| panic!("no number: {line}"));
    let (name, mut rest) = line.split_at(end);
    assert!(is_name(name), "{line}");
    let mut labels = Labels::new();
    if let Some(inner) = rest.strip_prefix('{') {
        rest = inner;
        loop {
            let (label, after) = rest.split_once("=\"").unwrap_or_else(|| panic!("no label: {line}"));
            let (value, after) = label_value(after);
            assert!(is_name(label) && labels.insert(label.to_owned(), value).is_none(), "{line}");
            match after.split_at(1) {
                (",", after) => rest = after,
                ("}", after) => break rest = after,
                _ => panic!("{line}"),
            }
        }
    }
    let number = rest.strip_prefix(' ').unwrap_or_else(|| panic!("{line}"));
    let value = match number {
        "+Inf" => f64::INFINITY,
        "-Inf" => f64::NEG_INFINITY,
        "NaN" => f64::NAN,
        number => {
            assert!(number.starts_with(|c: char| c.is_ascii_digit() || c == '-'), "{line}");
            number.parse().unwrap_or_else(|_| panic!("not a number: {line}"))
        }
    };
    (name.to_owned(), labels, value)
}

/// A label's value up to its closing quote, and what follows.
fn label_value(text: &str) -> (String, &str) {
    let (mut value, mut characters) = (String::new(), text.char_indices());
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return (value, &text[at + 1..]),
            '\\' => match characters.next().map(|(_, escaped)| escaped) {
                Some(plain @ ('\\' | '"')) => value.push(plain),
                Some('n') => value.push('\n'),
                other => panic!("no such escape: {other:?} in {text}"),
            },
            control if control.is_control() => panic!("a control character in {text:?}"),
            plain => value.push(plain),
        }
    }
    panic!("no end: {text}")
}

/// Buckets grow, and the last one is the count.
fn histograms_are_whole(series: &Series) {
    let mut buckets: BTreeMap<(String, Labels), Vec<(f64, f64)>> = BTreeMap::new();
    for ((name, labels), &count) in series {
        let Some(base) = name.strip_suffix("_bucket") else { continue };
        let mut labels = labels.clone();
        let bound = labels.remove("le").expect("a bound");
        let bound = if bound == "+Inf" { f64::INFINITY } else { bound.parse().expect("a number") };
        buckets.entry((base.to_owned(), labels)).or_default().push((bound, count));
    }
    assert!(!buckets.is_empty());
    for ((base, labels), mut buckets) in buckets {
        buckets.sort_by(|left, right| left.0.total_cmp(&right.0));
        assert!(buckets.is_sorted_by(|left, right| left.0 < right.0 && left.1 <= right.1), "{base} {labels:?}");
        let last = buckets.last().copied().expect("one at least");
        let count = series[&(format!("{base}_count"), labels.clone())];
        assert_eq!(last, (f64::INFINITY, count), "{base} {labels:?}");
        assert!(series.contains_key(&(format!("{base}_sum"), labels)));
    }
}

fn answer(snapshot: Snapshot, accept: &str) -> Answer {
    let server = serve(snapshot, Admission::default());
    let answer = ask(server.address(), "GET", "/metrics", &[("Accept", accept)]);
    server.shutdown();
    assert_eq!(answer.status, 200);
    answer
}

fn series(snapshot: Snapshot) -> Series {
    read(&answer(snapshot, "*/*").body, false)
}

fn value(series: &Series, name: &str, labels: &[(&str, &str)]) -> f64 {
    let labels = labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    *series.get(&(name.to_owned(), labels)).unwrap_or_else(|| panic!("no {name} in {:?}", series.keys()))
}

/// Snapshots of all kinds.
fn scenes() -> Vec<Snapshot> {
    let starting = sample::Scene { done_permille: 0, state: RunState::Starting, faults: false, sized: false };
    vec![
        sample::snapshot(1, starting),
        sample::snapshot(2, sample::RUNNING),
        sample::snapshot(7, sample::FINISHED),
        sample::following(9),
        sample::hostile(3),
    ]
}

#[test]
fn both_formats_can_be_read_and_say_the_same() {
    for snapshot in scenes() {
        let (plain, open) = (answer(snapshot.clone(), "*/*"), answer(snapshot, OPEN_METRICS));
        assert_eq!(plain.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
        let open_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
        assert_eq!(open.header("content-type"), Some(open_type));
        assert_eq!((plain.header("vary"), open.header("vary")), (Some("Accept"), Some("Accept")));
        assert_eq!(read(&plain.body, false), read(&open.body, true));
    }
}

#[test]
fn numbers_are_those_of_the_snapshot() {
    let snapshot = sample::following(9);
    let series = series(snapshot.clone());
    let run = &snapshot.run;
    for (shape, node) in snapshot.graph.nodes.iter().zip(&snapshot.nodes) {
        let labels = [("processor", &*shape.id)];
        let count = |name: &str| value(&series, name, &labels) as u64;
        assert_eq!(count("logweir_records_in_total"), node.records_in);
        assert_eq!(count("logweir_in_bytes_total"), node.bytes_in);
        assert_eq!(count("logweir_records_dropped_total"), node.dropped);
        assert!((value(&series, "logweir_busy_seconds_total", &labels) - node.busy_ns as f64 / 1e9).abs() < 1e-6);
        assert_eq!(count("logweir_record_latency_seconds_count"), node.latency.samples);
        let sum_of = |name: &str| -> u64 {
            let own = series.iter().filter(|((known, labels), _)| known == name && labels["processor"] == shape.id);
            own.map(|(_, value)| *value as u64).sum()
        };
        let (out, failed) = (sum_of("logweir_records_out_total"), sum_of("logweir_records_failed_total"));
        assert_eq!(failed, node.failed);
        assert_eq!(node.records_in, out + failed + node.dropped, "{}", shape.id);
    }
    let lag = run.lag.expect("it follows");
    assert_eq!(value(&series, "logweir_records_total", &[]) as u64, run.records_done);
    assert_eq!(value(&series, "logweir_behind_bytes", &[]) as u64, lag.bytes_behind);
    assert_eq!(value(&series, "logweir_behind_seconds", &[]), lag.seconds_behind);
    assert_eq!(value(&series, "logweir_run_state", &[("mode", "follow"), ("state", "running")]), 1.0);
    assert_eq!(value(&series, "logweir_run_state", &[("mode", "follow"), ("state", "failed")]), 0.0);
    assert_eq!(value(&series, "logweir_run_trouble", &[]), 1.0);
    assert_eq!(value(&series, "logweir_snapshot_sequence", &[]), 9.0);
    assert_eq!(value(&series, "logweir_run_start_time_seconds", &[]), 1_790_000_000.0);
    assert_eq!(value(&series, "logweir_totals_since_time_seconds", &[]), 1_789_900_000.0);
    let checkout = [("source", "/var/log/app/checkout.log")];
    for (name, expected) in [
        ("read_bytes_total", 2e9),
        ("behind_bytes", 1_250_000.0),
        ("behind_seconds", 4.25),
        ("rotations_total", 0.0),
        ("truncations_total", 1.0),
        ("lost_bytes_total", 512.0),
        ("lost_unknown", 1.0),
        ("skipped_bytes_total", 4_096.0),
    ] {
        assert_eq!(value(&series, &format!("logweir_source_{name}"), &checkout), expected, "{name}");
    }
    let sink = [("sink", "memory.log")];
    for (name, expected) in [("refused_total", 2.0), ("retries_total", 7.0), ("waiting", 40.0), ("trouble", 1.0)] {
        assert_eq!(value(&series, &format!("logweir_sink_{name}"), &sink), expected, "{name}");
    }
}

#[test]
fn buckets_count_the_probes_below_their_bounds() {
    let snapshot = sample::snapshot(7, sample::FINISHED);
    let series = series(snapshot.clone());
    let counts = &snapshot.nodes[0].latency.log2_counts;
    for power in [5, 12, 13, 36] {
        let bound = format!("{}", (1_u64 << power) as f64 / 1e9);
        let expected: u64 = counts.iter().take(power).sum();
        let labels = [("processor", "start"), ("le", &*bound)];
        assert_eq!(value(&series, "logweir_record_latency_seconds_bucket", &labels) as u64, expected, "{bound}");
    }
}

#[test]
fn names_of_strangers_are_escaped_and_come_back() {
    let mut snapshot = sample::following(1);
    let path = "/var/log/a\"b\\c\nd.log";
    let strange = Source { path: path.to_owned(), bytes_read: 5, ..Source::default() };
    let control = Source { path: "\u{1b}[2J\u{9b}x\r".to_owned(), bytes_read: 6, ..Source::default() };
    snapshot.sources.listed = vec![Arc::new(strange), Arc::new(control)];
    for (accept, is_open) in [("*/*", false), (OPEN_METRICS, true)] {
        let series = read(&answer(snapshot.clone(), accept).body, is_open);
        assert_eq!(value(&series, "logweir_source_read_bytes_total", &[("source", path)]), 5.0);
        assert_eq!(value(&series, "logweir_source_read_bytes_total", &[("source", "\\x1b[2J\\x9bx\\x0d")]), 6.0);
    }
}

#[test]
fn there_are_only_so_many_sources_and_none_is_there_twice() {
    let mut snapshot = sample::following(1);
    let source = |path: String| Arc::new(Source { path, bytes_read: 1, records: 2, ..Source::default() });
    snapshot.sources.listed = (0..5_000).map(|number| source(format!("{}.log", number / 2))).collect();
    snapshot.sources.others = Some(Source { path: "others".to_owned(), bytes_read: 10_000, ..Source::default() });
    let series = series(snapshot);
    let read: Vec<_> = series.iter().filter(|((name, _), _)| name == "logweir_source_read_bytes_total").collect();
    assert_eq!(read.len(), 501, "a thousand of them go by five hundred names, and the rest by one");
    assert_eq!(value(&series, "logweir_source_read_bytes_total", &[("source", "0.log")]), 2.0);
    assert_eq!(value(&series, "logweir_source_read_bytes_total", &[("source", "other")]), 14_000.0);
    assert_eq!(read.into_iter().map(|(_, value)| value).sum::<f64>(), 15_000.0);
}

#[test]
fn promtool_has_nothing_to_complain_of() {
    if !Command::new("promtool").arg("--version").output().is_ok_and(|output| output.status.success()) {
        eprintln!("SKIPPED: promtool is not here (Debian has it in the package prometheus)");
        return;
    }
    for snapshot in scenes() {
        let text = answer(snapshot, "*/*").body;
        let mut promtool = Command::new("promtool");
        promtool.args(["check", "metrics"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = promtool.spawn().expect("it was here a moment ago");
        child.stdin.take().expect("a pipe").write_all(text.as_bytes()).expect("it reads");
        let output = child.wait_with_output().expect("it ends");
        let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        assert!(output.status.success() && said.iter().all(String::is_empty), "{said:?}");
    }
}

#[test]
fn a_parser_that_forgives_would_be_no_test() {
    let read = |text: &str| std::panic::catch_unwind(|| read(text, false)).is_err();
    let head = "# HELP h_seconds H.\n# TYPE h_seconds histogram\nh_seconds_bucket{le=\"+Inf\"} 2\nh_seconds_sum 1.0\n";
    assert!(!read(&format!("{head}h_seconds_count 2\n")));
    for wrong in ["h_seconds_count 3\n", "h_seconds_count 2\nh_seconds_count 2\n", "h_seconds_count two\n", "x 1\n", ""]
    {
        assert!(read(&format!("{head}{wrong}")), "{wrong}");
    }
}

#[test]
fn it_is_there_for_those_with_the_token_only() {
    let token = logweir::Token::new("secret").expect("not empty");
    let server = serve(sample::following(1), Admission::default().with_token(token));
    assert_eq!(get(server.address(), "/metrics").status, 401);
    assert_eq!(ask(server.address(), "GET", "/metrics", &[("Authorization", "Bearer secret")]).status, 200);
    server.shutdown();
}
