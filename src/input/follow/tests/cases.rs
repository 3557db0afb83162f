//! Files that grow, come, go, are renamed and truncated.

use std::{
    fs::{self, File, OpenOptions},
    os::unix::fs::FileExt,
    time::Duration,
};

use super::{
    super::{From, PlaceChange},
    support::Bench,
};
use crate::metrics::SourceNews;

#[test]
fn what_is_appended_is_given_out_once() {
    let mut bench = Bench::new();
    bench.append("app.log", "one\n");
    bench.start();
    assert_eq!(bench.text(), "one\n");
    bench.append("app.log", "two\nthree\n");
    bench.poll();
    bench.poll();
    assert_eq!(bench.text(), "one\ntwo\nthree\n");
    let block = &bench.blocks[0];
    assert!(block.mark.is_some_and(|mark| mark.offset == 4) && !block.is_open);
    assert!(matches!(&block.changes[..], [PlaceChange::Placed(known)] if known.mark.offset == 0));
}

#[test]
fn a_file_starts_where_the_options_say() {
    for (from, expected) in [
        (From::End, "5\n"),
        (From::Start, "1\n2\n3\n4\n5\n"),
        (From::LastLines(2), "3\n4\n5\n"),
        (From::LastLines(9), "1\n2\n3\n4\n5\n"),
    ] {
        let mut bench = Bench::new().with(|options| options.from = from);
        bench.append("app.log", "1\n2\n3\n4\n");
        bench.start();
        assert_eq!(bench.known.len(), 1, "even a file of which nothing was read has a place");
        bench.append("app.log", "5\n");
        bench.poll();
        assert_eq!(bench.text(), expected, "{from:?}");
    }
}

#[test]
fn a_file_that_appears_later_is_read_from_its_beginning() {
    let mut bench = Bench::of(&["logs/app.log"]).with(|options| options.from = From::End);
    bench.start();
    assert_eq!(bench.failures().len(), 1);
    bench.poll();
    assert_eq!(bench.failures().len(), 1, "it is said once");
    fs::create_dir(bench.path("logs")).unwrap();
    bench.append("logs/app.log", "one\n");
    bench.poll();
    assert_eq!(bench.text(), "one\n");
    assert_eq!(bench.count(|news| matches!(news, SourceNews::Restored { .. })), 1);
}

#[test]
fn a_renamed_file_is_drained_before_its_successor_is_begun() {
    let mut bench = Bench::new();
    bench.append("app.log", "1\n");
    bench.start();
    let mut old = bench.append("app.log", "2\n");
    bench.rename("app.log", "app.log.1");
    bench.append("app.log", "3\n");
    bench.poll();
    assert_eq!(bench.text(), "1\n2\n3\n");
    // Its writer has not heard of it yet.
    std::io::Write::write_all(&mut old, b"late\n").unwrap();
    bench.pass(Duration::from_millis(500));
    assert_eq!(bench.text(), "1\n2\n3\nlate\n");
    assert_eq!(bench.count(|news| matches!(news, SourceNews::Rotated { source: 0, .. })), 1);
    assert_eq!(bench.count(|news| matches!(news, SourceNews::Added { .. })), 1);
    bench.poll_times(3);
    assert_eq!(bench.follower().files.len(), 1, "it is closed after a while");
    assert_eq!(bench.known.len(), 1);
}

#[test]
fn a_name_that_is_free_for_a_moment_of_a_rotation_is_no_trouble() {
    let mut bench = Bench::new();
    bench.append("app.log", "1\n");
    bench.start();
    bench.rename("app.log", "app.log.1");
    bench.poll();
    bench.append("app.log", "2\n");
    bench.poll();
    assert_eq!((bench.text(), bench.failures().len()), ("1\n2\n".to_owned(), 0));
    bench.remove("app.log");
    bench.poll_times(4);
    assert_eq!(bench.failures().len(), 1, "but a name that stays free is");
}

#[test]
fn a_removed_file_is_read_to_its_end_and_closed() {
    let mut bench = Bench::new();
    bench.append("app.log", "1\n");
    bench.start();
    bench.append("app.log", "2\nhalf");
    bench.remove("app.log");
    bench.poll();
    assert_eq!(bench.text(), "1\n2\n");
    assert_eq!(bench.removed_but_open(), 1);
    assert_eq!(bench.count(|news| matches!(news, SourceNews::Held { bytes } if *bytes > 0)), 1);
    assert_eq!(bench.count(|news| matches!(news, SourceNews::Gone { .. })), 1);
    bench.poll_times(3);
    assert_eq!(bench.text(), "1\n2\nhalf");
    assert!(bench.blocks.iter().any(|block| block.is_open && block.bytes == b"half"));
    assert_eq!((bench.removed_but_open(), bench.known.len()), (0, 1), "it is known until another one comes");
    let gone = bench.known[0].mark.id;
    bench.append("app.log", "3\n");
    bench.poll();
    assert_eq!(bench.text(), "1\n2\nhalf3\n");
    assert!(bench.known.len() == 1 && bench.known[0].mark.id != gone);
    assert_eq!(bench.count(|news| matches!(news, SourceNews::Added { .. })), 1);
}

#[test]
fn a_truncated_file_is_read_from_its_beginning() {
    let mut bench = Bench::new();
    bench.append("app.log", "first\nsecond\n");
    bench.start();
    bench.append("app.log", "part");
    bench.poll();
    File::create(bench.path("app.log")).unwrap();
    bench.append("app.log", "new\n");
    bench.poll();
    assert_eq!(bench.text(), "first\nsecond\nnew\n");
    assert_eq!(bench.truncations(), [4]);
}

#[test]
fn what_is_cut_off_a_record_that_had_only_begun_is_said_and_counted_once() {
    let mut bench = Bench::new();
    let file = bench.append("app.log", "first\npart");
    bench.start();
    for is_scanned in [false, true] {
        if is_scanned {
            bench.append("app.log", "ly");
            bench.poll();
        }
        file.set_len(8).unwrap();
        bench.poll_times(2);
        assert_eq!(bench.truncations().last(), Some(&2));
    }
    bench.append("app.log", "th\n");
    bench.poll();
    assert_eq!((bench.text().as_str(), bench.truncations()), ("first\npath\n", vec![2, 2]));
}

#[test]
fn a_file_that_was_truncated_and_has_grown_past_the_old_place_is_read_from_its_beginning() {
    let mut bench = Bench::new();
    bench.append("app.log", "a\nb\nc\n");
    bench.start();
    let lines: String = (0..100).map(|number| format!("line {number}\n")).collect();
    fs::write(bench.path("app.log"), &lines).unwrap();
    bench.poll();
    assert_eq!(bench.text(), format!("a\nb\nc\n{lines}"));
    assert_eq!(bench.truncations(), [0]);
}

#[test]
fn a_file_that_was_written_anew_to_the_same_size_is_read_from_its_beginning() {
    let mut bench = Bench::new();
    bench.append("app.log", "aaa\n");
    bench.start();
    fs::write(bench.path("app.log"), "bbb\n").unwrap();
    bench.poll();
    assert_eq!(bench.text(), "aaa\nbbb\n");
}

#[test]
fn a_partial_line_waits_for_its_newline() {
    let mut bench = Bench::new();
    bench.append("app.log", "one\ntw");
    bench.start();
    bench.poll_times(5);
    bench.append("app.log", "o");
    bench.poll_times(5);
    assert_eq!(bench.text(), "one\n");
    bench.append("app.log", "\nthr");
    bench.poll();
    assert_eq!(bench.text(), "one\ntwo\n");
}

#[test]
fn a_partial_line_waits_no_longer_than_it_is_told_to() {
    let mut bench = Bench::new().with(|options| options.partial_after = Some(Duration::from_secs(3)));
    bench.append("app.log", "one\ntw");
    bench.start();
    bench.pass(Duration::from_millis(10));
    bench.pass(Duration::from_secs(2));
    assert_eq!(bench.text(), "one\n");
    bench.pass(Duration::from_secs(1));
    assert_eq!(bench.text(), "one\ntw");
    assert!(bench.blocks.last().unwrap().is_open);
}

#[test]
fn to_the_end_of_all_files_and_no_further() {
    let mut bench = Bench::of(&["a.log", "b.log"]).with(|options| options.until_eof = true);
    bench.append("a.log", "one\ntwo");
    bench.append("b.log", "three\n");
    bench.start();
    assert_eq!(bench.text().len(), "one\nthree\n".len());
    assert!(!bench.follower().is_over(), "a line that is being written may get its newline");
    bench.pass(Duration::from_millis(900));
    bench.append("a.log", " and a half");
    bench.pass(Duration::from_millis(900));
    bench.pass(Duration::from_millis(900));
    assert!(!bench.follower().is_over() && !bench.text().contains("two"));
    bench.append("a.log", "\nfo");
    bench.pass(Duration::from_millis(900));
    assert!(bench.text().contains("two and a half\n") && !bench.follower().is_over());
    bench.pass(Duration::from_millis(900));
    bench.pass(Duration::from_millis(200));
    assert!(bench.text().ends_with("fo") && bench.follower().is_over());
}

#[test]
fn a_partial_line_before_room_that_was_made_in_advance_is_taken_in_time() {
    let mut bench = Bench::new().with(|options| options.until_eof = true);
    bench.append("app.log", "a\npart").set_len(1 << 20).unwrap();
    bench.start();
    assert!(bench.text() == "a\n" && !bench.follower().is_over());
    bench.poll();
    assert!(bench.text() == "a\npart" && bench.follower().is_over(), "{}", bench.text());
}

#[test]
fn of_a_line_over_the_limit_the_head_is_given_out_and_the_rest_counted() {
    let mut bench = Bench::new().with(|options| (options.record_bytes_max, options.block_bytes) = (100, 64));
    let long = "x".repeat(1_000_000);
    bench.append("app.log", format!("before\n{long}"));
    bench.start();
    bench.append("app.log", format!("{long}\nafter\n"));
    bench.poll();
    assert_eq!(bench.text(), format!("before\n{}after\n", "x".repeat(100)));
    let cut = bench.blocks.iter().find(|block| block.cut_bytes > 0).unwrap();
    assert_eq!((cut.offset, cut.cut_bytes), (7, 2_000_001 - 100));
}

#[test]
fn a_line_at_the_limit_is_whole() {
    let mut bench = Bench::new().with(|options| (options.record_bytes_max, options.block_bytes) = (10, 4));
    bench.append("app.log", "0123456789\n0123456789a\nb\n");
    bench.start();
    bench.poll();
    assert_eq!(bench.text(), "0123456789\n0123456789b\n");
    let cuts: Vec<u64> = bench.blocks.iter().map(|block| block.cut_bytes).collect();
    assert_eq!(cuts, [0, 2, 0]);
}

#[test]
fn holes_are_passed_over() {
    let mut bench = Bench::new();
    bench.append("app.log", "old line\n");
    bench.start();
    // What copytruncate leaves to a writer that goes on at its old place; and then once more.
    let file = OpenOptions::new().write(true).open(bench.path("app.log")).unwrap();
    file.set_len(0).unwrap();
    file.write_all_at(b"new\npart", 8 << 30).unwrap();
    let begin = std::time::Instant::now();
    bench.poll();
    assert!(begin.elapsed() < Duration::from_secs(2));
    assert_eq!(bench.text(), "old line\nnew\n");
    assert_eq!((bench.skipped(), bench.truncations().len()), (8 << 30, 1));
    file.write_all_at(b"end\n", (9 << 30) + 5).unwrap();
    bench.poll();
    assert_eq!(bench.text(), "old line\nnew\npartend\n");
    assert_eq!(bench.skipped(), (8 << 30) + (1 << 30) + 5 - 8);
}

#[test]
fn nul_bytes_that_somebody_wrote_are_bytes() {
    let mut bench = Bench::new();
    bench.append("app.log", "a\0b\n\0\0c\n");
    bench.start();
    assert_eq!(bench.text(), "a\0b\n\0\0c\n");
    assert_eq!(bench.skipped(), 0);
}

#[test]
fn room_that_was_made_in_advance_is_waited_in() {
    let mut bench = Bench::new();
    let file = bench.append("app.log", "a\n");
    file.set_len(1 << 20).unwrap();
    bench.start();
    assert_eq!(bench.text(), "a\n");
    OpenOptions::new().write(true).open(bench.path("app.log")).unwrap().write_all_at(b"b\n", 2).unwrap();
    bench.poll();
    assert_eq!((bench.text(), bench.truncations().len()), ("a\nb\n".to_owned(), 0));
    // What was not needed is given back.
    file.set_len(4).unwrap();
    bench.poll();
    assert_eq!(bench.truncations().len(), 0);
}
