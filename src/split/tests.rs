//! Blocks against the plainest way to find records.

use proptest::prelude::*;

use super::*;

/// Starts of all records of `bytes`, found byte by byte.
fn starts(bytes: &[u8]) -> Vec<usize> {
    (0..bytes.len()).filter(|&position| position == 0 || bytes[position - 1] == b'\n').collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(5_000))]

    #[test]
    fn blocks_hold_the_records_that_start_in_their_range(
        bytes in prop::collection::vec(prop::sample::select(b"a\n\r\0".to_vec()), 0..60),
        block in 1usize..20,
        tail in 0usize..30,
    ) {
        let starts = starts(&bytes);
        for begin in (0..bytes.len()).step_by(block) {
            let range = begin as u64..(begin + block).min(bytes.len()) as u64;
            let window_start = begin.saturating_sub(1);
            let window_end = (range.end as usize + tail).min(bytes.len());
            let window = &bytes[window_start..window_end];
            let cut = cut(window, window_start as u64, &range, window_end == bytes.len());
            let owned: Vec<usize> = starts.iter().copied().filter(|&start| range.contains(&(start as u64))).collect();
            let end = starts.iter().copied().find(|&start| start as u64 >= range.end).unwrap_or(bytes.len());
            match (owned.first(), cut.end) {
                (None, _) => prop_assert!(cut.bytes.is_empty()),
                (Some(&first), End::Whole) => {
                    prop_assert_eq!(window_start + cut.bytes.start..window_start + cut.bytes.end, first..end);
                }
                (Some(&first), End::Open(record)) => {
                    prop_assert_eq!(window_start + cut.bytes.start, first);
                    prop_assert_eq!(Some(&(window_start + record)), owned.last());
                    prop_assert!(end > window_end || window_end < bytes.len());
                    prop_assert!(!window[record..].contains(&b'\n'));
                }
            }
        }
    }

    #[test]
    fn bounds_are_record_starts(bytes in prop::collection::vec(prop::sample::select(b"ab\n".to_vec()), 0..300)) {
        let mut found = Vec::new();
        let is_open = bounds(&bytes, &mut found);
        let mut expected: Vec<u32> = starts(&bytes).into_iter().map(|start| start as u32).collect();
        prop_assert_eq!(is_open, !bytes.is_empty() && bytes.last() != Some(&b'\n'));
        expected.push(bytes.len() as u32 + u32::from(is_open));
        prop_assert_eq!(found, expected);
    }
}
