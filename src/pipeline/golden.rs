//! Cases in a text file: a title, a configuration, and what is made of it. With `BLESS=1` the file is written anew
//! with what is made of it now, for somebody to read and to commit.

use std::fmt::Write as _;

use super::{ConfigError, Pipeline, Registry};

/// Compiles `text` with the standard kinds.
pub(super) fn compile(text: &str) -> Result<Pipeline, ConfigError> {
    Pipeline::from_toml(text, "pipeline.toml", &Registry::standard())
}

/// Compiles `text`, which must be good.
pub(super) fn good(text: &str) -> Pipeline {
    compile(text).unwrap_or_else(|error| panic!("{}", error.render(false)))
}

/// Compares what `make` makes of each case in `file`, a path below `src/pipeline`, with what is written there.
pub(super) fn check(file: &str, make: impl Fn(Result<Pipeline, ConfigError>) -> String) {
    let path = format!("{}/src/pipeline/{file}", env!("CARGO_MANIFEST_DIR"));
    let cases = std::fs::read_to_string(&path).expect("the cases can be read");
    let mut now = String::new();
    for case in cases.split("=== ").filter(|case| !case.is_empty()) {
        let (title, rest) = case.split_once('\n').expect("a title ends in a newline");
        let (text, _) = rest.split_once("--->\n").expect("an arrow stands between text and answer");
        _ = write!(now, "=== {title}\n{text}--->\n{}\n\n", make(compile(text)).trim_end());
    }
    if std::env::var_os("BLESS").is_some() {
        return std::fs::write(path, &now).expect("the cases can be written");
    }
    for (expected, now) in cases.split("=== ").zip(now.split("=== ")) {
        assert_eq!(expected, now, "\n{expected}\nbecame\n{now}");
    }
    assert_eq!(cases.len(), now.len());
}
