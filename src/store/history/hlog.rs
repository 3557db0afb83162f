//! Histograms as lines of an HdrHistogram interval log:
//! `Tag=<processor>,<start s>,<length s>,<max ms>,<deflated V2 histogram in base64>`.
//!
//! Times are seconds since 1970, values nanoseconds. The form is that of the HdrHistogram project, whose tools read it.

use std::time::Duration;

use base64::{Engine, prelude::BASE64_STANDARD};
use hdrhistogram::{
    Histogram,
    serialization::{
        Deserializer, V2DeflateSerializer,
        interval_log::{IntervalLogHistogram, IntervalLogIterator, IntervalLogWriterBuilder, LogEntry, Tag},
    },
};
use jiff::Timestamp;

/// By convention the largest value of a line is in milliseconds.
const NS_PER_MS: f64 = 1e6;

/// One line that was read.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) id: String,
    pub(super) start_ms: i64,
    pub(super) histogram: Histogram<u64>,
}

/// What a log begins with.
pub(super) fn header(start: Timestamp) -> Vec<u8> {
    let seconds = since_epoch(start).as_secs_f64();
    format!(
        "#[Histogram log format version 1.3]\n\
         #[Logged by logweir: nanoseconds that a record takes alone, by processor]\n\
         #[StartTime: {seconds:.3} (seconds since epoch), {start}]\n\
         #[BaseTime: 0.000 (seconds since epoch)]\n\
         \"StartTimestamp\",\"Interval_Length\",\"Interval_Max\",\"Interval_Compressed_Histogram\"\n"
    )
    .into_bytes()
}

/// Appends the line of processor `id`.
pub(super) fn write(out: &mut Vec<u8>, id: &str, (start, end): (Timestamp, Timestamp), histogram: &Histogram<u64>) {
    let tag = escaped(id);
    let (start, end) = (since_epoch(start), since_epoch(end));
    let mut serializer = V2DeflateSerializer::new();
    let mut builder = IntervalLogWriterBuilder::new();
    builder.with_max_value_divisor(NS_PER_MS);
    // The builder would write about the divisor each time; the line alone is wanted.
    let mut line = Vec::new();
    let mut log = builder.begin_log_with(&mut line, &mut serializer).expect("memory can be written");
    log.write_histogram(histogram, start, end.saturating_sub(start), Tag::new(&tag)).expect("memory can be written");
    let head = line.split_inclusive(|&byte| byte == b'\n').take_while(|line| line.starts_with(b"#"));
    let head_bytes: usize = head.map(<[u8]>::len).sum();
    out.extend_from_slice(&line[head_bytes..]);
}

/// What `line` says: `Ok(None)` where it is a comment, `Err` where it cannot be read or is not whole.
pub(super) fn read(line: &[u8]) -> Result<Option<Entry>, ()> {
    match IntervalLogIterator::new(line).next() {
        Some(Ok(LogEntry::Interval(interval))) => entry(&interval).map(Some).ok_or(()),
        Some(Ok(_)) | None => Ok(None),
        Some(Err(_)) => Err(()),
    }
}

fn entry(interval: &IntervalLogHistogram<'_>) -> Option<Entry> {
    let bytes = BASE64_STANDARD.decode(interval.encoded_histogram()).ok()?;
    let histogram = Deserializer::new().deserialize(&mut &*bytes).ok()?;
    let start_ms = i64::try_from(interval.start_timestamp().as_millis()).ok()?;
    Some(Entry { id: unescaped(interval.tag()?.as_str())?, start_ms, histogram })
}

fn since_epoch(time: Timestamp) -> Duration {
    Duration::from_millis(u64::try_from(time.as_millisecond()).unwrap_or(0))
}

/// A tag ends at a comma, and a line at its end: what is not a plain word is escaped as in an address. Ids of
/// processors are plain words and stay as they are.
fn escaped(id: &str) -> String {
    let mut tag = String::with_capacity(id.len());
    for byte in id.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.') {
            tag.push(char::from(byte));
        } else {
            tag.push_str(&format!("%{byte:02X}"));
        }
    }
    tag
}

fn unescaped(tag: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(tag.len());
    let mut rest = tag.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => digit(rest.next()?)? << 4 | digit(rest.next()?)?,
            _ => byte,
        });
    }
    String::from_utf8(bytes).ok()
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).map(|digit| digit as u8)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn tags_are_plain_words_and_come_back(id in ".{0,20}") {
            let tag = escaped(&id);
            prop_assert!(tag.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.%".contains(&byte)));
            prop_assert_eq!(unescaped(&tag), Some(id));
        }

        #[test]
        fn any_bytes_are_read_without_a_panic(line in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = read(&line);
        }

        #[test]
        fn a_flipped_byte_is_no_panic(at in any::<prop::sample::Index>(), to in any::<u8>(), values in prop::collection::vec(any::<u64>(), 1..50)) {
            let mut histogram = Histogram::new_with_bounds(1, crate::limits::HISTOGRAM_MAX_NS, 2).expect("bounds");
            values.iter().for_each(|&value| histogram.saturating_record(value));
            let (mut line, time) = (Vec::new(), Timestamp::UNIX_EPOCH);
            write(&mut line, "start", (time, time), &histogram);
            prop_assert_eq!(read(&line).expect("whole").expect("an interval").histogram, histogram);
            let at = at.index(line.len());
            line[at] = to;
            let _ = read(&line);
        }
    }

    #[test]
    fn ids_stay_as_they_are() {
        assert_eq!(escaped("No_match-2"), "No_match-2");
        assert_eq!((unescaped("%"), unescaped("%4"), unescaped("%zz"), unescaped("%FF")), (None, None, None, None));
    }
}
