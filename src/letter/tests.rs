//! The codec against examples, against arbitrary letters, and against arbitrary bytes.

use proptest::prelude::*;

use super::*;

fn example() -> Letter<'static> {
    Letter {
        time: "2026-11-24T09:00:00.25Z".parse().unwrap(),
        processor: "parse",
        kind: FaultKind::Failed,
        reason: "no \"level\" in it",
        source: Path::new("logs/app.log"),
        offset: 4096,
        length: 12,
        truncated: false,
        line: "\u{feff}a\tb\\\u{1b}\u{7f}é\r".as_bytes(),
    }
}

fn encoded(letter: &Letter<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    letter.encode(&mut out);
    out
}

#[test]
fn a_letter_is_one_line_that_people_can_read() {
    let expected = "{\"time\":\"2026-11-24T09:00:00.25Z\",\"processor\":\"parse\",\"kind\":\"failed\",\"reason\":\"no \
                    \\\"level\\\" in it\",\"source\":\"logs/app.log\",\"offset\":4096,\"length\":12,\"truncated\":false,\
                    \"line\":\"\u{feff}a\\tb\\\\\\u001b\\u007fé\\r\"}\n";
    assert_eq!(String::from_utf8(encoded(&example())).unwrap(), expected);
}

#[test]
fn bytes_that_are_not_utf8_have_fields_of_their_own() {
    let source = Path::new(std::ffi::OsStr::from_bytes(b"caf\xe9.log"));
    let letter = Letter { source, line: b"caf\xe9", truncated: true, ..example() };
    let text = String::from_utf8(encoded(&letter)).unwrap();
    assert!(text.contains("\"source_base64\":\"Y2Fm6S5sb2c=\""), "{text}");
    assert!(text.contains("\"truncated\":true,\"line_base64\":\"Y2Fm6Q==\"}"), "{text}");
    assert_eq!(OwnedLetter::decode(text.as_bytes()).unwrap().as_letter(), letter);
}

#[test]
fn letters_are_appended() {
    let mut out = b"before\n".to_vec();
    example().encode(&mut out);
    example().encode(&mut out);
    assert_eq!(out.iter().filter(|&&byte| byte == b'\n').count(), 3);
    assert!(out.starts_with(b"before\n{"));
}

#[test]
fn what_is_not_a_letter_is_refused_in_words() {
    let good = String::from_utf8(encoded(&example())).unwrap();
    let cases = [
        (String::new(), "not a dead letter"),
        ("[]".into(), "not a dead letter"),
        (good.replace("4096", "-1"), "not a dead letter"),
        (good.replace("\"reason\"", "\"raison\""), "missing field `reason`"),
        (good.replace("2026-11-24", "2026-13-24"), "not a time"),
        (good.replace("\"failed\"", "\"sulked\""), "unknown kind of fault \"sulked\""),
        (good.replace("\"line\"", "\"lime\""), "either line or line_base64"),
        (good.replace("\"source\":", "\"line_base64\":\"\",\"source\":"), "either line or line_base64"),
        (good.replace("\"source\"", "\"source_base64\""), "source_base64 is not Base64"),
    ];
    for (text, words) in cases {
        let message = OwnedLetter::decode(text.as_bytes()).unwrap_err().to_string();
        assert!(message.contains(words), "{message:?} lacks {words:?}");
    }
}

#[test]
fn fields_that_others_added_do_not_matter() {
    let text = String::from_utf8(encoded(&example())).unwrap().replacen('{', "{\"note\":[1,{}],", 1);
    assert_eq!(OwnedLetter::decode(text.as_bytes()).unwrap().as_letter(), example());
}

/// Bytes of any kind, but often text with what must be escaped.
fn bytes() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![proptest::collection::vec(any::<u8>(), 0..200), ".{0,50}".prop_map(String::into_bytes)]
}

prop_compose! {
    fn letters()(
        nanoseconds in Timestamp::MIN.as_nanosecond()..=Timestamp::MAX.as_nanosecond(),
        processor in ".*",
        kind in proptest::sample::select(&FaultKind::ALL[..]),
        reason in any::<String>(),
        source in bytes(),
        offset in any::<u64>(),
        length in any::<u64>(),
        truncated in any::<bool>(),
        line in bytes(),
    ) -> OwnedLetter {
        let time = Timestamp::from_nanosecond(nanoseconds).unwrap();
        let source = OsString::from_vec(source).into();
        OwnedLetter { time, processor, kind, reason, source, offset, length, truncated, line }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn what_is_written_is_read_back(letter in letters()) {
        let line = encoded(&letter.as_letter());
        prop_assert_eq!(line.iter().position(|&byte| byte == b'\n'), Some(line.len() - 1));
        prop_assert_eq!(OwnedLetter::decode(&line).unwrap(), letter);
    }

    /// Its twin is the library that everybody trusts.
    #[test]
    fn serde_json_reads_the_same(letter in letters()) {
        let value: serde_json::Value = serde_json::from_slice(&encoded(&letter.as_letter())).unwrap();
        prop_assert_eq!(&value["processor"], &letter.processor);
        prop_assert_eq!(&value["reason"], &letter.reason);
        prop_assert_eq!(&value["offset"], letter.offset);
        match std::str::from_utf8(&letter.line) {
            Ok(text) => prop_assert_eq!(&value["line"], text),
            Err(_) => prop_assert_eq!(&value["line_base64"], &BASE64_STANDARD.encode(&letter.line)),
        }
    }

    /// Many bytes at once or one by one: the same is found, wherever it stands and whatever is around it.
    #[test]
    fn what_needs_an_escape_is_found_where_it_stands(
        mut text in "[a-zé~ !#]{0,100}",
        odd in proptest::sample::select(vec!['"', '\\', '\u{7f}', '\0', '\t', '\u{1f}']),
        at in any::<proptest::sample::Index>(),
    ) {
        let naive = |text: &str| text.bytes().position(|byte| byte < 32 || byte == 127 || br#""\"#.contains(&byte));
        prop_assert_eq!(first_escape(text.as_bytes()), naive(&text));
        let places: Vec<usize> = text.char_indices().map(|(place, _)| place).chain([text.len()]).collect();
        text.insert(*at.get(&places), odd);
        prop_assert_eq!(first_escape(text.as_bytes()), naive(&text));
        prop_assert!(naive(&text).is_some());
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in bytes()) {
        let _ = OwnedLetter::decode(&bytes);
    }

    #[test]
    fn no_damage_makes_it_panic(letter in letters(), position in any::<usize>(), byte in any::<u8>(), cut in any::<bool>()) {
        let mut line = encoded(&letter.as_letter());
        let position = position % line.len();
        line[position] = byte;
        if cut {
            line.truncate(position);
        }
        let _ = OwnedLetter::decode(&line);
    }
}
