//! Going on after an end, whatever happened meanwhile.

use std::fs;

use super::{super::From, support::Bench};
use crate::metrics::SourceNews;

#[test]
fn a_known_file_goes_on_at_its_mark() {
    let mut bench = Bench::new().with(|options| options.from = From::End);
    bench.append("app.log", "1\n2\n");
    bench.start();
    bench.append("app.log", "3\n");
    bench.start();
    assert_eq!(bench.text(), "3\n");
}

#[test]
fn all_that_was_rotated_meanwhile_is_read_oldest_first() {
    for from in [From::End, From::Start] {
        let mut bench = Bench::new().with(|options| options.from = from);
        bench.append("app.log.2", "long ago\n");
        bench.append("app.log", "");
        bench.start();
        bench.append("app.log", "1\n");
        bench.poll();
        bench.end();
        bench.append("app.log", "2\n");
        bench.rename("app.log.2", "app.log.4");
        bench.rename("app.log", "app.log.3");
        bench.append("app.log.2", "3\n");
        // A tick of the clock that files are stamped by.
        std::thread::sleep(std::time::Duration::from_millis(10));
        fs::write(bench.path("app.log.2.gz"), b"\x1f\x8b\x08").unwrap();
        bench.append("app.log.err", "no\n");
        bench.append("app.log.1", "4\n");
        bench.append("app.log", "5\n");
        bench.start();
        bench.poll();
        assert_eq!(bench.text(), "1\n2\n3\n4\n5\n", "{from:?}");
        bench.poll_times(4);
        assert_eq!(bench.known.len(), 1);
        assert_eq!(bench.count(|news| matches!(news, SourceNews::Rotated { .. })), 3);
        bench.start();
        assert_eq!(bench.text(), "1\n2\n3\n4\n5\n");
    }
}

#[test]
fn a_file_that_was_rewritten_meanwhile_is_read_from_its_beginning_and_said() {
    let mut bench = Bench::new();
    bench.append("app.log", "1\n2\n");
    bench.start();
    fs::write(bench.path("app.log"), "3\n4\n5\n").unwrap();
    bench.start();
    assert_eq!((bench.text(), bench.truncations()), ("1\n2\n3\n4\n5\n".to_owned(), vec![0]));
}

/// The same bytes at the same place, and not the same line.
#[test]
fn what_stands_there_after_a_truncation_is_told_from_what_stood_there_before() {
    for is_down in [false, true] {
        let mut bench = Bench::new();
        bench.append("app.log", "1\n2\n");
        bench.start();
        let before = bench.content();
        bench.start();
        assert_eq!(bench.content(), before, "the same after a restart");
        if is_down {
            bench.end();
        }
        fs::write(bench.path("app.log"), "").unwrap();
        if is_down {
            bench.start()
        } else {
            bench.poll()
        }
        bench.append("app.log", "1\n2\n");
        bench.poll();
        assert_eq!(bench.text(), "1\n2\n1\n2\n");
        let after = bench.content();
        assert_ne!(after, before, "down: {is_down}");
        bench.start();
        assert_eq!(bench.content(), after, "the same after a restart");
    }
}

#[test]
fn what_stands_in_another_file_under_the_same_name_is_told_from_what_stood_in_the_first() {
    for is_down in [false, true] {
        let mut bench = Bench::new();
        bench.append("app.log", "1\n2\n");
        bench.start();
        let before = bench.content();
        if is_down {
            bench.end();
        }
        bench.remove("app.log");
        bench.append("app.log", "1\n2\n");
        if is_down {
            bench.start();
        }
        bench.poll_times(4);
        assert_eq!(bench.text(), "1\n2\n1\n2\n");
        assert_ne!(bench.content(), before, "down: {is_down}");
    }
}

/// ext4 gives the inode away again at once; where that does not happen, the file is simply another one.
#[test]
fn another_file_with_the_same_inode_is_another_file() {
    for _ in 0..20 {
        let mut bench = Bench::new().with(|options| options.from = From::End);
        bench.append("app.log", "1\n2\n");
        bench.start();
        bench.end();
        bench.remove("app.log");
        bench.append("app.log", "3\n4\n5\n");
        bench.start();
        assert_eq!(bench.text(), "3\n4\n5\n");
        assert_eq!(bench.known.len(), 1, "{:?}", bench.known);
    }
}

#[test]
fn a_partial_line_is_not_lost_by_a_restart() {
    let mut bench = Bench::new();
    bench.append("app.log", "1\nhal");
    bench.start();
    bench.poll();
    bench.append("app.log", "f\n");
    bench.start();
    assert_eq!(bench.text(), "1\nhalf\n");
}

#[test]
fn what_a_rewind_goes_back_over_is_given_out_again() {
    let mut bench = Bench::new();
    bench.append("app.log", "1\n");
    bench.start();
    let known = bench.known.clone();
    bench.acknowledges = false;
    bench.append("app.log", "2\n");
    bench.poll();
    bench.rename("app.log", "app.log.1");
    bench.append("app.log", "3\n");
    bench.poll_times(4);
    assert_eq!(bench.text(), "1\n2\n3\n");
    bench.follower().rewind(&known);
    bench.known = known;
    bench.poll_times(4);
    assert_eq!(bench.text(), "1\n2\n3\n2\n3\n");
}

#[test]
fn a_file_that_came_after_one_that_is_gone_is_no_file_that_was_always_there() {
    let mut bench = Bench::new().with(|options| options.from = From::End);
    bench.append("app.log", "1\n");
    bench.start();
    bench.remove("app.log");
    bench.poll_times(4);
    bench.end();
    bench.append("app.log", "2\n");
    bench.start();
    assert_eq!(bench.text(), "2\n");
    assert_eq!(bench.known.len(), 1);
}
