//! The names that users give and misspell: which ones are allowed, and which known one was probably meant.

/// The longest name of a processor or sink.
const ID_BYTES_MAX: usize = 64;

/// Words longer than this are not compared: nobody misspells them into something short.
const COMPARED_BYTES_MAX: usize = 64;

/// True for names that can stand in a path of the server, before a dot and an output, and on any terminal.
pub(super) fn is_id(name: &str) -> bool {
    (1..=ID_BYTES_MAX).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-')
}

/// The candidate that `word` was probably meant to be: one typing mistake in three letters is forgiven.
pub(super) fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if word.len() > COMPARED_BYTES_MAX {
        return None;
    }
    let word = word.to_lowercase();
    candidates
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(&word, &candidate.to_lowercase()), candidate))
        .filter(|&(distance, candidate)| distance <= word.len().max(candidate.len()).div_ceil(3))
        .filter(|&(distance, candidate)| distance < candidate.len())
        .min_by_key(|&(distance, _)| distance)
        .map(|(_, candidate)| candidate)
}

/// The words as a sentence has them: `a`, `b` and `c`, each in backticks.
pub(super) fn listed<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    let words: Vec<String> = words.into_iter().map(|word| format!("`{word}`")).collect();
    match words.split_last() {
        None => "none".to_owned(),
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} and {last}", rest.join(", ")),
    }
}

/// "did you mean `x`?", or else what there is to choose from.
pub(super) fn suggestion(word: &str, what: &str, candidates: &[&str]) -> String {
    match nearest(word, candidates.iter().copied()) {
        Some(found) => format!("did you mean `{found}`?"),
        None if candidates.len() == 1 => format!("the only {what} is `{}`", candidates[0]),
        None => format!("the {what}s are {}", listed(candidates.iter().copied())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_short_printable_words() {
        for good in ["a", "start", "no_match", "a-b", "0", &"x".repeat(64)] {
            assert!(is_id(good), "{good}");
        }
        for bad in ["", "a.b", "a b", "ä", "a\n", "a/b", "\x1b[31m", &"x".repeat(65)] {
            assert!(!is_id(bad), "{bad:?}");
        }
    }

    #[test]
    fn nearest_forgives_typing_mistakes_only() {
        let known = ["error", "warn", "general", "ms"];
        assert_eq!(nearest("genral", known), Some("general"));
        assert_eq!(nearest("ERROR", known), Some("error"));
        assert_eq!(nearest("wran", known), Some("warn"));
        assert_eq!(nearest("mss", known), Some("ms"));
        assert_eq!(nearest("database", known), None);
        assert_eq!(nearest("xy", known), None);
        assert_eq!(nearest(&"e".repeat(1 << 20), known), None);
    }

    #[test]
    fn lists_read_like_sentences() {
        assert_eq!(listed([]), "none");
        assert_eq!(listed(["a"]), "`a`");
        assert_eq!(listed(["a", "b", "c"]), "`a`, `b` and `c`");
    }
}
