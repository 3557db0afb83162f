//! How mistakes are shown, apart from what they are.

use std::ops::Range;

use super::{ConfigError, Mistake, visible};

#[test]
fn fields_speak_of_the_first_mistake_in_the_text() {
    let mistakes = vec![Mistake::new("second").at(9..10), Mistake::new("first").at(7..8).with_help("try")];
    let error = ConfigError::check("f.toml", "a\né = 1\nb", mistakes).unwrap_err();
    assert_eq!((error.file(), error.line(), error.column()), ("f.toml", Some(2), Some(5)));
    assert_eq!((error.message(), error.help()), ("first", Some("try")));
    assert_eq!(error.mistakes().count(), 2);
    assert_eq!(error.to_string(), "f.toml:2:5: first (try), and 1 more");
    assert_eq!(ConfigError::check("f.toml", "", Vec::new()), Ok(()));
}

#[test]
fn pointers_stand_right_behind_what_was_made_visible() {
    let text = "\u{1b}\u{9b}\u{202e} = bad\r\n";
    let start = text.find("bad").unwrap();
    let mistake = Mistake::new("\u{7}").at(start..start + 3).label("\u{1b}[1m");
    let error = ConfigError::new("f\u{1b}\ng", text, mistake);
    let expected = "\
error: ␇
 --> f␛␊g:1:7
  |
1 | ␛�� = bad␍
  |       ^^^ ␛[1m";
    assert_eq!(error.render(false), expected);
}

#[test]
fn places_outside_of_the_text_are_shown_at_its_end() {
    for text in ["", "é", "a\n", "a\r\n\r\n"] {
        for span in [0..0, 0..1, 1..2, Range { start: 5, end: 3 }, 100..200] {
            let mistake = Mistake::new("wrong").at(span.clone()).also(0..100, "there");
            let error = ConfigError::new("f", text, mistake);
            assert!(error.render(true).contains("wrong"), "{text:?} {span:?}");
            assert!(error.line().is_some());
        }
    }
}

#[test]
fn a_mistake_without_a_place_is_shown_without_text() {
    let error = ConfigError::new("f.toml", "", Mistake::new("too large").with_help("cut it"));
    assert_eq!(error.render(false), "error: too large\n--> f.toml\n = help: cut it");
    assert_eq!(error.to_string(), "f.toml: too large (cut it)");
    assert_eq!((error.line(), error.column()), (None, None));
}

#[test]
fn hundreds_of_mistakes_are_not_all_shown() {
    let mistakes: Vec<Mistake> = (0..300).map(|number| Mistake::new(format!("no {number}")).at(0..1)).collect();
    let shown = ConfigError::check("f", "text", mistakes).unwrap_err().render(false);
    assert!(shown.ends_with("… and 280 more"), "{shown}");
}

#[test]
fn colours_are_asked_for() {
    let error = ConfigError::new("f", "text", Mistake::new("wrong").at(0..1));
    assert!(error.render(true).contains('\x1b'));
    assert!(!error.render(false).contains('\x1b'));
}

#[test]
fn whatever_controls_a_terminal_gets_a_picture() {
    assert_eq!(visible("a\tb ü\u{200f}"), "a\tb ü\u{fffd}");
    assert_eq!(visible("\0\n\r\x1b\x7f\u{85}\u{2066}"), "␀␊␍␛␡\u{fffd}\u{fffd}");
}
