//! Which files are followed, and what is never opened.

use std::{
    fs::{self, File},
    os::unix::fs::symlink,
};

use super::{
    super::{FollowError, Follower, From},
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
    bench.append("a.log", "a\n");
    bench.append("a.txt", "no\n");
    bench.poll();
    bench.append("b.log", "b\n");
    bench.poll();
    assert_eq!(bench.text(), "a\nb\n");
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
