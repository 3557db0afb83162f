//! Files that are gone, that cannot be opened, or whose inode another one has, and what came after them.

use std::{
    fs::{self, Permissions},
    os::unix::fs::{MetadataExt, PermissionsExt},
    time::Duration,
};

use super::{super::From, rights::Rights, support::Bench};
use crate::{metrics::SourceNews, place::FileId};

fn unknown_losses(bench: &Bench) -> usize {
    bench.count(|news| matches!(news, SourceNews::Lost { bytes: None, .. }))
}

/// A tick of the clock that files are stamped by.
fn tick() {
    std::thread::sleep(Duration::from_millis(10));
}

/// One file is known, with "1" read; meanwhile two others came after it, and were rotated, and a third stands at the path.
fn rotated_twice() -> Bench {
    let mut bench = Bench::new().with(|options| options.from = From::End);
    bench.append("app.log.3", "long ago\n");
    bench.append("app.log", "");
    bench.start();
    bench.append("app.log", "1\n");
    bench.poll();
    bench.end();
    tick();
    bench.rename("app.log.3", "app.log.5");
    bench.rename("app.log", "app.log.3");
    for (line, name) in [("3\n", "app.log.2"), ("4\n", "app.log.1"), ("5\n", "app.log")] {
        bench.append(name, line);
        tick();
    }
    bench
}

#[test]
fn what_came_after_a_file_that_is_gone_is_read_and_its_loss_is_said_once() {
    for is_compressed in [false, true] {
        let mut bench = rotated_twice();
        bench.append("app.log.3", "2\n");
        bench.remove("app.log.3");
        if is_compressed {
            fs::write(bench.path("app.log.3.gz"), b"\x1f\x8b\x08").unwrap();
        }
        bench.start();
        bench.poll_times(4);
        assert_eq!((bench.text().as_str(), unknown_losses(&bench)), ("1\n3\n4\n5\n", 1), "{is_compressed}");
        assert_eq!(bench.known.len(), 1);
        bench.start();
        bench.poll_times(2);
        assert_eq!((bench.text().as_str(), unknown_losses(&bench)), ("1\n3\n4\n5\n", 1));
    }
}

#[test]
fn a_file_that_was_read_to_its_end_before_it_was_gone_has_lost_nothing() {
    let mut bench = Bench::new();
    bench.append("app.log", "1\n");
    bench.start();
    bench.remove("app.log");
    bench.poll_times(4);
    bench.end();
    tick();
    bench.append("app.log.1", "2\n");
    tick();
    bench.append("app.log", "3\n");
    bench.start();
    bench.poll_times(2);
    assert_eq!((bench.text().as_str(), unknown_losses(&bench)), ("1\n2\n3\n", 0));
}

#[test]
fn of_a_file_that_is_gone_with_no_other_after_it_the_loss_is_said_once() {
    let mut bench = Bench::new();
    bench.append("app.log", "1\n");
    bench.start();
    bench.end();
    bench.remove("app.log");
    bench.start();
    assert_eq!(unknown_losses(&bench), 1);
    bench.start();
    assert_eq!(unknown_losses(&bench), 1);
}

/// A checkpoint of a former version does not say how old its files were.
#[test]
fn of_a_file_that_is_gone_and_of_which_little_is_known_the_loss_is_said() {
    let mut bench = rotated_twice();
    let mut known = serde_json::to_value(&bench.known).unwrap();
    let mark = known[0]["mark"].as_object_mut().unwrap();
    assert!(mark.remove("age").is_some_and(|age| age.is_object()) && mark.remove("is_over").is_some());
    bench.known = serde_json::from_value(known).unwrap();
    bench.remove("app.log.3");
    bench.start();
    bench.poll_times(2);
    assert_eq!((bench.text().as_str(), unknown_losses(&bench)), ("1\n5\n", 1));
}

/// A file that is the last one of its name, and that nobody named: it was deleted for its age.
#[test]
fn nothing_is_said_of_old_files_that_were_read_and_removed_from_a_directory() {
    let mut bench = Bench::of(&["."]);
    bench.append("app-2026-11-20.log", "1\n");
    bench.append("app-2026-11-21.log", "2\n");
    bench.start();
    bench.end();
    bench.remove("app-2026-11-20.log");
    bench.start();
    assert_eq!((unknown_losses(&bench), bench.known.len()), (0, 1));
}

/// The inode was given to the file at the path, or to one that was rotated.
#[test]
fn what_came_after_a_file_whose_inode_another_one_has_is_read() {
    for name in ["app.log", "app.log.1", "app.log.2"] {
        for has_generation in [false, true] {
            let mut bench = rotated_twice();
            bench.remove("app.log.3");
            let metadata = fs::metadata(bench.path(name)).unwrap();
            let mark = &mut bench.known[0].mark;
            let generation = has_generation.then_some(4_711);
            mark.id = FileId { device: metadata.dev(), inode: metadata.ino(), generation };
            bench.start();
            bench.poll_times(4);
            let case = format!("{name} {has_generation}");
            assert_eq!((bench.text().as_str(), unknown_losses(&bench)), ("1\n3\n4\n5\n", 1), "{case}");
            assert_eq!((bench.truncations(), bench.known.len()), (vec![], 1), "{case}");
        }
    }
}

#[test]
fn a_file_is_read_whose_predecessor_was_written_later() {
    let mut bench = rotated_twice();
    bench.append("app.log.3", "2\n");
    bench.start();
    bench.poll_times(4);
    assert_eq!(bench.text(), "1\n2\n3\n4\n5\n");
}

#[test]
fn a_file_is_read_whose_predecessor_was_written_later_while_it_was_followed() {
    let mut bench = Bench::new();
    bench.append("app.log", "1\n");
    bench.start();
    bench.rename("app.log", "app.log.2");
    tick();
    bench.append("app.log.1", "3\n");
    tick();
    bench.append("app.log", "4\n");
    bench.append("app.log.2", "2\n");
    bench.poll_times(4);
    assert_eq!(bench.text(), "1\n2\n3\n4\n");
}

#[test]
fn a_copy_of_a_file_that_is_gone_is_read_behind_its_place_and_of_one_that_is_there_not_at_all() {
    for is_gone in [true, false] {
        let mut bench = rotated_twice();
        bench.append("app.log.3", "2\n");
        fs::copy(bench.path("app.log.3"), bench.path("app.log.4")).unwrap();
        if is_gone {
            bench.remove("app.log.3");
        }
        bench.start();
        bench.poll_times(4);
        let text = bench.text();
        let mut lines: Vec<&str> = text.lines().collect();
        lines.sort();
        assert_eq!(lines, ["1", "2", "3", "4", "5"], "{is_gone}");
    }
}

#[test]
fn a_file_that_cannot_be_read_and_is_rotated_meanwhile_is_found() {
    for is_removed in [false, true] {
        let mut bench = Bench::new();
        bench.append("app.log", "1\n");
        bench.start();
        let key = *bench.follower().files.keys().next().unwrap();
        bench.follower().cannot_read(key, &std::io::Error::from_raw_os_error(116));
        bench.append("app.log", "2\n");
        bench.rename("app.log", "app.log.1");
        bench.append("app.log", "3\n");
        if is_removed {
            bench.remove("app.log.1");
        }
        bench.poll_times(4);
        let text = bench.text();
        let mut lines: Vec<&str> = text.lines().collect();
        lines.sort();
        let all: &[&str] = if is_removed { &["1", "3"] } else { &["1", "2", "3"] };
        assert_eq!((&lines[..], unknown_losses(&bench)), (all, usize::from(is_removed)));
    }
}

#[test]
fn a_known_file_that_cannot_be_opened_is_said_once_and_when_it_can_be() {
    let _rights = Rights::without_root();
    let mut bench = Bench::new();
    bench.append("app.log", "1\n");
    bench.start();
    bench.end();
    bench.append("app.log", "2\n");
    bench.rename("app.log", "app.log.1");
    bench.append("app.log", "3\n");
    let allow =
        |bench: &Bench, mode| fs::set_permissions(bench.path("app.log.1"), Permissions::from_mode(mode)).unwrap();
    allow(&bench, 0);
    bench.start();
    bench.poll_times(3);
    let said = bench.failures();
    assert!(matches!(&said[..], [said] if said.contains("app.log.1 cannot be opened: ")), "{said:?}");
    assert_eq!(bench.count(|news| matches!(news, SourceNews::Restored { .. })), 0);
    allow(&bench, 0o644);
    bench.poll_times(2);
    assert_eq!(bench.text(), "1\n3\n2\n");
    assert_eq!((bench.failures().len(), bench.count(|news| matches!(news, SourceNews::Restored { .. }))), (1, 1));
}

/// The file at the path came after one that is gone. It may not be opened, and so nothing is known of it, when it is
/// rotated: it is known by then from what came before it.
#[test]
fn what_cannot_be_opened_after_a_file_that_is_gone_and_is_rotated_then_is_read_when_it_can_be() {
    let _rights = Rights::without_root();
    let mut bench = Bench::new().with(|options| options.from = From::End);
    bench.append("app.log", "");
    bench.start();
    bench.append("app.log", "1\n");
    bench.poll();
    bench.end();
    tick();
    // Its inode is nobody else's.
    let _held = fs::File::open(bench.path("app.log")).unwrap();
    bench.remove("app.log");
    bench.append("app.log", "2\n");
    let allow = |bench: &Bench, name, mode| {
        fs::set_permissions(bench.path(name), Permissions::from_mode(mode)).unwrap();
    };
    allow(&bench, "app.log", 0);
    bench.start();
    bench.start();
    tick();
    bench.rename("app.log", "app.log.1");
    bench.append("app.log", "3\n");
    bench.poll_times(2);
    assert_eq!((bench.text().as_str(), bench.known.len()), ("1\n3\n", 2));
    allow(&bench, "app.log.1", 0o644);
    bench.poll_times(2);
    assert_eq!(bench.text(), "1\n3\n2\n");
}
