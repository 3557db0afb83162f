//! Which files are followed, and what is never opened.

use std::{
    fs::{self, File},
    os::unix::fs::symlink,
};

use super::{
    super::{
        FollowError, Follower, From,
        catalog::{Found, FoundFile},
    },
    support::Bench,
};
use crate::metrics::SourceNews;

#[test]
fn what_a_directory_turns_up_is_followed_as_it_comes() {
    let mut bench = Bench::of(&["."]).with(|options| {
        options.from = From::End;
        options.exclude = vec!["*.tmp".into(), "**/old/*".into()];
    });
    bench.append("a.log", "before\n");
    bench.append(".hidden", "no\n");
    fs::write(bench.path("binary"), b"\0\0\0\n").unwrap();
    bench.start();
    fs::create_dir_all(bench.path("deep/er")).unwrap();
    fs::create_dir(bench.path("old")).unwrap();
    bench.append("deep/er/b.log", "b\n");
    bench.append("c.tmp", "no\n");
    bench.append("old/d.log", "no\n");
    bench.append("a.log", "a\n");
    bench.poll();
    let mut lines: Vec<String> = bench.text().lines().map(str::to_owned).collect();
    lines.sort();
    assert_eq!(lines, ["a", "b"]);
}

#[test]
fn a_glob_grows() {
    let mut bench = Bench::of(&["*.log"]);
    bench.start();
    assert_eq!(bench.failures().len(), 1, "somebody may have mistyped it");
    assert_eq!(bench.count(|news| matches!(news, SourceNews::Absent { .. })), 1, "and it is no fault");
    bench.append("a.log", "a\n");
    bench.append("a.txt", "no\n");
    bench.poll();
    bench.append("b.log", "b\n");
    bench.poll();
    assert_eq!(bench.text(), "a\nb\n");
}

#[test]
fn what_vanishes_between_listing_and_opening_is_no_source() {
    let mut bench = Bench::of(&["."]);
    bench.append("a.log", "a\n");
    bench.start();
    let gone = FoundFile { path: bench.path("gone.log"), identity: (1, 1), seen: None };
    let follower = bench.follower();
    follower.admit_all(&Found { files: vec![gone.clone()], unreadable: vec![] });
    assert_eq!(follower.sources.get(&gone.path), None);
}

#[test]
fn a_bad_pattern_is_refused_with_the_pattern() {
    let bench = Bench::new().with(|options| options.exclude = vec!["[a".into()]);
    let error = Follower::new(bench.options.clone(), &[], bench.now).unwrap_err();
    assert!(matches!(&error, FollowError::Exclude { pattern, .. } if pattern == "[a"));
    assert!(error.to_string().contains("[a"));
}

#[test]
fn the_same_file_by_two_names_is_read_once() {
    let mut bench = Bench::of(&["a.log", "b.log", "."]).with(|options| options.discover.follow_links = true);
    bench.append("a.log", "1\n");
    fs::hard_link(bench.path("a.log"), bench.path("b.log")).unwrap();
    symlink(bench.path("a.log"), bench.path("c.log")).unwrap();
    symlink(".", bench.path("loop")).unwrap();
    bench.start();
    bench.append("b.log", "2\n");
    bench.poll_times(2);
    assert_eq!(bench.text(), "1\n2\n");
}

#[test]
fn two_files_that_begin_alike_are_two_files() {
    let mut bench = Bench::of(&["a.log", "b.log"]);
    let head = "the same\n".repeat(500);
    bench.append("a.log", &head);
    bench.append("b.log", &head);
    bench.start();
    bench.poll();
    assert_eq!(bench.text().len(), 2 * head.len());
}

#[test]
fn what_is_no_file_is_never_opened() {
    let mut bench = Bench::of(&["fifo", "zero", "socket", "*"]);
    let fifo = rustix::fs::CWD;
    rustix::fs::mkfifoat(fifo, bench.path("fifo"), rustix::fs::Mode::RUSR).unwrap();
    symlink("/dev/zero", bench.path("zero")).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(bench.path("socket")).unwrap();
    bench.append("a.log", "a\n");
    let begin = std::time::Instant::now();
    bench.start();
    bench.poll();
    assert!(begin.elapsed().as_secs() < 1);
    assert_eq!((bench.text(), bench.failures().len()), ("a\n".to_owned(), 3));
}

#[test]
fn of_too_many_files_those_that_changed_last_are_followed_and_it_is_said_once() {
    let mut bench = Bench::of(&["*.log"]).with(|options| options.max_files = 2);
    for (number, name) in ["a.log", "b.log", "c.log"].iter().enumerate() {
        let time = std::time::SystemTime::now() - std::time::Duration::from_secs(number as u64 * 100);
        bench.append(name, format!("{name}\n")).set_modified(time).unwrap();
    }
    bench.start();
    bench.poll_times(3);
    assert_eq!(bench.text(), "a.log\nb.log\n");
    assert_eq!(bench.count(|news| matches!(news, SourceNews::Limited { .. })), 1);
}

#[test]
fn utf_16_is_refused_and_said_once_and_a_new_file_at_its_place_is_read() {
    let mut bench = Bench::new();
    bench.start();
    let file = bench.append("app.log", b"\xff");
    bench.poll();
    bench.append("app.log", b"\xfea\0\n\0\x0a\x0a");
    bench.poll_times(3);
    assert_eq!(bench.text(), "");
    assert!(bench.failures().last().unwrap().contains("UTF-16"), "{:?}", bench.failures());
    file.set_len(0).unwrap();
    bench.append("app.log", "plain\n");
    bench.poll();
    assert_eq!(bench.text(), "plain\n");
}

#[test]
fn a_file_that_became_a_directory_and_comes_back_is_read() {
    let mut bench = Bench::new();
    bench.append("app.log", "1\n");
    bench.start();
    bench.remove("app.log");
    fs::create_dir(bench.path("app.log")).unwrap();
    bench.poll_times(3);
    fs::remove_dir(bench.path("app.log")).unwrap();
    File::create(bench.path("app.log")).unwrap();
    bench.append("app.log", "2\n");
    bench.poll();
    assert_eq!(bench.text(), "1\n2\n");
}

/// Five files that were read to "old", and then went on.
fn five_known(change: impl Fn(&str) -> String) -> Bench {
    let mut bench = Bench::of(&["*.log"]);
    let names = ["a.log", "b.log", "c.log", "d.log", "e.log"];
    names.iter().for_each(|name| _ = bench.append(name, "old\n"));
    bench.start();
    bench.end();
    assert_eq!(bench.known.len(), 5);
    for name in names {
        bench.append(name, format!("{name}\n"));
        bench.rename(name, &change(name));
    }
    bench.options.max_files = 2;
    bench
}

fn lines_behind_old(bench: &Bench) -> Vec<String> {
    let text = bench.text();
    let mut lines: Vec<String> = text.lines().filter(|line| *line != "old").map(str::to_owned).collect();
    lines.sort();
    lines
}

#[test]
fn known_files_that_are_not_followed_any_more_are_read_in_turn_and_it_is_said_once() {
    for is_until_eof in [false, true] {
        let mut bench = five_known(|name| format!("{name}.gone"));
        bench.options.until_eof = is_until_eof;
        bench.start();
        assert_eq!((bench.follower().files.len(), lines_behind_old(&bench).len()), (2, 2));
        assert_eq!(bench.known.len(), 5, "those that wait are not forgotten");
        assert!(!bench.follower().is_at_end(), "there is more");
        // A crash, and a session that fails, change nothing about that.
        bench.start();
        let known = bench.known.clone();
        bench.follower().rewind(&known);
        bench.take();
        assert_eq!((bench.follower().files.len(), bench.known.len()), (2, 5));
        bench.append("f.log", "f.log\n");
        let mut most = 0;
        for _ in 0..40 {
            bench.poll();
            let followed = bench.follower();
            most = most.max(followed.files.values().filter(|tracked| !tracked.is_wanted).count());
        }
        assert_eq!(most, 2);
        assert_eq!(lines_behind_old(&bench), ["a.log", "b.log", "c.log", "d.log", "e.log", "f.log"]);
        assert_eq!((bench.known.len(), bench.truncations().len()), (1, 0), "{:?}", bench.known);
        // Twice: by the process before the crash, and by the one after it.
        assert_eq!(bench.count(|news| matches!(news, SourceNews::Limited { .. })), 2);
        assert!(bench.follower().is_at_end());
    }
}

#[test]
fn known_files_that_are_too_many_and_were_renamed_go_on_where_they_were_when_there_is_room() {
    let mut bench = five_known(|name| format!("new-{name}"));
    bench.start();
    bench.poll_times(10);
    let mut come = lines_behind_old(&bench);
    assert_eq!((come.len(), bench.follower().files.len(), bench.known.len()), (2, 2, 5), "{come:?}");
    assert_eq!(bench.count(|news| matches!(news, SourceNews::Limited { .. })), 1);
    for _ in 0..3 {
        come.iter().for_each(|name| _ = fs::remove_file(bench.path(&format!("new-{name}"))));
        bench.poll_times(10);
        come = lines_behind_old(&bench);
    }
    assert_eq!(come, ["a.log", "b.log", "c.log", "d.log", "e.log"]);
    assert_eq!(bench.text().matches("old").count(), 5);
}

#[test]
fn what_a_sink_has_put_aside_is_left_out_unless_somebody_names_it() {
    let mine = "mine.suspect-20261127T184501Z";
    let aside = ["out.suspect-20261127T184501Z", "out.suspect-20261127T184501Z-2"];
    let others =
        ["out.suspect-2026", "out.suspect-20261127T184501Z-", "suspect", ".suspect-1.log", "a.suspect-20261127"];
    let mut bench = Bench::of(&[".", mine]);
    for name in aside.iter().chain(&others).chain(&[mine]) {
        bench.append(name, format!("{name}\n"));
    }
    bench.start();
    bench.append("b.suspect-20261127T184501Z", "later\n");
    bench.poll_times(3);
    let text = bench.text();
    let mut lines: Vec<&str> = text.lines().collect();
    lines.sort();
    let mut expected = vec!["out.suspect-2026", "out.suspect-20261127T184501Z-", "suspect", "a.suspect-20261127", mine];
    expected.sort();
    assert_eq!(lines, expected);
}
