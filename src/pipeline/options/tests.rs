//! What builders get from their settings.

use std::time::Duration;

use toml::de::DeTable;

use super::Options;
use crate::pipeline::Mistake;

/// Reads `text` with `read`.
fn with<T>(text: &str, read: impl FnOnce(&mut Options<'_>) -> Result<T, Mistake>) -> Result<T, String> {
    let document = DeTable::parse(text).unwrap();
    let mut options = Options::new(text, document.get_ref(), 0..0, "the test");
    read(&mut options).map_err(|mistake| mistake.message().to_owned())
}

fn milliseconds(text: &str) -> Result<Duration, String> {
    with(text, |options| options.require("ms")?.milliseconds(Duration::from_secs(1)))
}

#[test]
fn milliseconds_may_have_a_fraction_but_must_be_a_time() {
    assert_eq!(milliseconds("ms = 100"), Ok(Duration::from_millis(100)));
    assert_eq!(milliseconds("ms = 0x10"), Ok(Duration::from_millis(16)));
    assert_eq!(milliseconds("ms = 0.25"), Ok(Duration::from_micros(250)));
    assert_eq!(milliseconds("ms = 1_000.0"), Ok(Duration::from_secs(1)));
    for bad in ["-1", "-0.1", "1001", "inf", "nan", "99999999999999999999", "1e400"] {
        assert_eq!(milliseconds(&format!("ms = {bad}")), Err("`ms` is out of range".to_owned()), "{bad}");
    }
    assert!(milliseconds("ms = '1'").unwrap_err().contains("number of milliseconds"));
}

#[test]
fn integers_keep_to_their_range() {
    let integer = |text| with(text, |options| options.require("n")?.integer(-5..=0xff));
    assert_eq!((integer("n = -5"), integer("n = 0b101"), integer("n = +1_0")), (Ok(-5), Ok(5), Ok(10)));
    for bad in ["n = 256", "n = -6", "n = 1.0", "n = 99999999999999999999"] {
        assert!(integer(bad).is_err(), "{bad}");
    }
}

#[test]
fn words_and_flags_are_what_they_say() {
    let word = |text| with(text, |options| options.require("w")?.word(&["append", "refuse"]));
    assert_eq!(word("w = 'append'"), Ok("append"));
    assert_eq!(word("w = 'apend'"), Err("`w` cannot be `apend`".to_owned()));
    assert_eq!(with("f = true", |options| options.require("f")?.flag()), Ok(true));
    assert!(with("f = 'true'", |options| options.require("f")?.flag()).is_err());
}

#[test]
fn a_value_alone_is_a_list_of_one() {
    let lengths = |text| with(text, |options| Ok(options.require("l")?.list().len()));
    assert_eq!((lengths("l = 1"), lengths("l = []"), lengths("l = [1, 2]")), (Ok(1), Ok(0), Ok(2)));
}

#[test]
fn keys_that_nobody_asked_for_are_unknown() {
    let unknown = with("a = 1\nb = 2", |options| {
        options.get("a");
        Ok(options.unknown().len())
    });
    assert_eq!(unknown, Ok(1));
}

#[test]
fn positions_within_a_text_are_known_where_it_is_written_plainly() {
    let position = |text: &str| with(text, |options| Ok(options.require("p")?.position(1)));
    assert_eq!(position("p = 'abc'"), Ok(Some(6)));
    assert_eq!(position("p = \"abc\""), Ok(Some(6)));
    assert_eq!(position("p = '''abc'''"), Ok(Some(8)));
    assert_eq!(position("p = '''\nabc'''"), Ok(Some(9)));
    assert_eq!(position(r#"p = "a\tc""#), Ok(None));
    assert_eq!(position("p = 3"), Ok(None));
}
