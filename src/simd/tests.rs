//! The scans against the plainest loops that mean the same.

use proptest::prelude::*;

use super::*;

fn line_ends_naive(bytes: &[u8]) -> Vec<u32> {
    (0..bytes.len()).filter(|&position| bytes[position] == b'\n').map(|position| position as u32 + 1).collect()
}

const BEGINNINGS: [&str; 12] = ["tra", "deb", "inf", "not", "war", "err", "sev", "fat", "cri", "ale", "eme", "pan"];

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn candidates(bytes: &[u8], at: usize) -> Option<u32> {
    avx2::window(bytes, at).map(|window| avx2::candidates(window, &avx2::Tables::new()))
}

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    let words = prop::sample::select(vec![
        "\n",
        "\n\n\n\n\n\n\n\n",
        "ERROR",
        "error",
        "Warn",
        " ",
        "_",
        "x",
        "m",
        "M",
        "infO",
        "panic",
        "Not",
        "SEVERE",
        "\u{e9}",
        "@",
        "[",
        "`",
        "{",
        "0",
        "9",
        "/",
        ":",
    ]);
    let part = prop_oneof![words.prop_map(|word| word.as_bytes().to_vec()), prop::collection::vec(any::<u8>(), 0..40)];
    prop::collection::vec(part, 0..60).prop_map(|parts| parts.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn line_ends_are_those_of_a_plain_loop(bytes in bytes()) {
        let (mut fast, mut portable) = (vec![7], vec![7]);
        line_ends(&bytes, &mut fast);
        line_ends_portable(&bytes, &mut portable);
        prop_assert_eq!(&fast[1..], &line_ends_naive(&bytes)[..]);
        prop_assert_eq!(fast, portable);
    }

    /// Candidates may be too many, never too few, and each stands behind a byte that is no word byte, or an `m`.
    #[test]
    #[cfg(target_arch = "x86_64")]
    fn candidates_miss_no_level_word(bytes in bytes(), at in 0usize..200) {
        prop_assume!(has_avx2());
        // SAFETY: the processor has AVX2, as was just asked.
        let found = unsafe { candidates(&bytes, at) };
        prop_assert_eq!(found.is_some(), at > 0 && at + 63 <= bytes.len());
        for place in 0..if found.is_some() { 32 } else { 0 } {
            let position = at + place;
            let is_free = !is_word(bytes[position - 1]) || bytes[position - 1] == b'm';
            let word = bytes[position..position + 3].to_ascii_lowercase();
            let is_beginning = BEGINNINGS.iter().any(|beginning| beginning.as_bytes() == word);
            let is_found = found.is_some_and(|bits| bits >> place & 1 == 1);
            prop_assert!(is_found || !(is_free && is_beginning), "missed at {}", position);
            prop_assert!(is_free || !is_found, "inside a word at {}", position);
        }
    }
}
