//! Who is read when: turns, batches, events, troubles; standard input.

use std::{
    fs::File,
    io::Write,
    time::{Duration, Instant},
};

use super::{
    super::{FollowOptions, Follower, From},
    support::{Bench, processor_time},
};
use crate::metrics::SourceNews;

#[test]
fn a_flood_into_one_file_does_not_starve_the_others() {
    let mut bench = Bench::of(&["a.log", "b.log"]).with(|options| options.block_bytes = 1_000);
    bench.append("a.log", "flood\n".repeat(10_000));
    bench.append("b.log", "drop\n");
    bench.start();
    let first = bench.blocks.iter().position(|block| block.bytes == b"drop\n").unwrap();
    assert!(first <= 2, "{first}");
}

#[test]
fn a_quiet_file_is_given_out_at_once_and_a_busy_one_in_batches() {
    let mut bench = Bench::new();
    bench.append("app.log", "1\n");
    bench.start();
    bench.poll();
    let before = bench.blocks.len();
    for number in 0..50 {
        bench.append("app.log", format!("{number}\n"));
        let key = *bench.follower().files.keys().next().unwrap();
        bench.follower().queue.push(key);
        bench.pass(Duration::from_millis(1));
        if number == 0 {
            assert_eq!(bench.blocks.len(), before + 1);
        }
    }
    bench.poll();
    let blocks = bench.blocks.len() - before;
    assert!((8..=13).contains(&blocks), "{blocks}");
    bench.append("app.log", "x\n".repeat(40_000));
    let key = *bench.follower().files.keys().next().unwrap();
    bench.follower().queue.push(key);
    bench.pass(Duration::ZERO);
    assert_eq!(bench.text().lines().filter(|line| *line == "x").count(), 40_000, "enough is enough");
}

#[test]
fn events_wake_it_and_without_them_it_is_polled() {
    for poll_only in [false, true] {
        let bench = Bench::new();
        bench.append("app.log", "1\n");
        let options = FollowOptions { poll_only, ..bench.options.clone() };
        let mut follower = Follower::new(options, &[], Instant::now()).unwrap();
        while follower.next(Instant::now(), Vec::new()).is_some() {}
        bench.append("app.log", "2\n");
        let begin = Instant::now();
        while follower.next(Instant::now(), Vec::new()).is_none() {
            assert!(begin.elapsed() < Duration::from_secs(5));
            follower.wait(Duration::from_secs(2));
        }
        assert!(poll_only || begin.elapsed() < Duration::from_millis(800), "{:?}", begin.elapsed());
    }
}

#[test]
fn a_rotation_is_seen_by_its_event() {
    let mut bench = Bench::new().with(|options| options.poll_only = false);
    bench.append("app.log", "1\n");
    bench.start();
    bench.pass(Duration::from_millis(30));
    bench.append("app.log", "2\n");
    bench.rename("app.log", "app.log.1");
    bench.append("app.log", "3\n");
    bench.append("other.log", "no\n");
    bench.pass(Duration::from_millis(30));
    bench.pass(Duration::from_millis(10));
    assert_eq!(bench.text(), "1\n2\n3\n");
}

#[test]
fn lost_events_lead_to_a_look_at_everything() {
    let mut bench = Bench::of(&["a.log", "b.log"]).with(|options| options.poll_only = false);
    bench.append("a.log", "1\n");
    bench.append("b.log", "1\n");
    bench.start();
    bench.pass(Duration::from_millis(30));
    let most: usize =
        std::fs::read_to_string("/proc/sys/fs/inotify/max_queued_events").unwrap().trim().parse().unwrap();
    if most <= 100_000 {
        // Events of two files in turn are not taken together.
        let (mut a, mut b) = (bench.append("a.log", ""), bench.append("b.log", ""));
        for _ in 0..most {
            a.write_all(b"x").unwrap();
            b.write_all(b"x").unwrap();
        }
        a.write_all(b"\n").unwrap();
        b.write_all(b"\n").unwrap();
    }
    // All that was heard is heard by then, and polling has not come to it yet.
    (0..60).for_each(|_| bench.pass(Duration::from_millis(10)));
    assert!(bench.now.elapsed() < Duration::from_secs(5) && bench.text().lines().count() >= 2);
}

#[test]
fn a_file_that_cannot_be_read_is_said_once_and_read_again_when_it_can_be() {
    let mut bench = Bench::of(&["app.log", "b.log"]);
    bench.append("app.log", "1\n");
    bench.append("b.log", "b\n");
    bench.start();
    let now = bench.now;
    let key = *bench.follower().files.keys().next().unwrap();
    let error = std::io::Error::from_raw_os_error(116); // ESTALE
    bench.follower().cannot_read(key, &error);
    bench.append("app.log", "2\n");
    bench.append("b.log", "c\n");
    bench.pass(Duration::from_millis(900));
    assert_eq!(bench.now, now + Duration::from_millis(900));
    bench.poll_times(3);
    assert_eq!(bench.text().len(), "1\nb\n2\nc\n".len());
    assert_eq!(bench.failures().len(), 1);
    assert_eq!(bench.count(|news| matches!(news, SourceNews::Restored { .. })), 1);
}

#[test]
fn a_file_that_vanished_while_it_could_not_be_read_is_succeeded() {
    let mut bench = Bench::new();
    bench.append("app.log", "1\n");
    bench.start();
    let key = *bench.follower().files.keys().next().unwrap();
    bench.follower().cannot_read(key, &std::io::Error::from_raw_os_error(5));
    bench.append("app.log.new", "2\n");
    bench.rename("app.log.new", "app.log");
    bench.poll_times(4);
    assert_eq!(bench.text(), "1\n2\n");
}

#[test]
fn removed_files_are_given_up_where_they_take_too_much_room() {
    let mut bench = Bench::of(&["*.log"]).with(|options| options.block_bytes = 10);
    bench.start();
    bench.follower().held_bytes_max = 100 << 10;
    let mut keep = Vec::new();
    for name in ["a.log", "b.log"] {
        keep.push(bench.append(name, "y".repeat(90 << 10)));
    }
    bench.poll();
    bench.remove("a.log");
    bench.remove("b.log");
    bench.poll_times(1);
    let lost: u64 =
        bench.news.iter().map(|news| if let SourceNews::Lost { bytes, .. } = news { bytes.unwrap() } else { 0 }).sum();
    assert_eq!(lost, 90 << 10);
    assert_eq!(bench.follower().files.len(), 1);
    drop(keep);
}

#[test]
fn time_that_goes_back_or_leaps_does_no_harm() {
    let mut bench = Bench::new();
    bench.append("app.log", "1\n");
    bench.start();
    bench.append("app.log", "2\n");
    let now = bench.now;
    let follower = bench.follower();
    follower.look(now.checked_sub(Duration::from_secs(5)).unwrap_or(now));
    assert!(follower.next(now, Vec::new()).is_none_or(|block| block.bytes.is_empty()));
    bench.pass(Duration::from_secs(1 << 32));
    bench.pass(Duration::from_secs(1));
    assert_eq!(bench.text(), "1\n2\n");
}

#[test]
fn standard_input_is_read_as_it_comes_and_its_last_line_at_its_end() {
    let (reader, writer) = rustix::pipe::pipe().unwrap();
    let mut writer = File::from(writer);
    let mut bench = Bench::of(&[]).with(|options| (options.record_bytes_max, options.from) = (10, From::End));
    bench.start();
    bench.follower().follow_stream("-".as_ref(), File::from(reader));
    bench.pass(Duration::ZERO);
    writer.write_all(b"one\ntw").unwrap();
    bench.pass(Duration::from_secs(5));
    assert_eq!(bench.text(), "one\n");
    writer.write_all(b"o\n0123456789abc").unwrap();
    bench.pass(Duration::ZERO);
    writer.write_all(b"de\nx\ny").unwrap();
    bench.pass(Duration::ZERO);
    assert_eq!(bench.text(), "one\ntwo\n0123456789x\n");
    assert!(!bench.follower().is_at_end());
    drop(writer);
    bench.pass(Duration::ZERO);
    assert_eq!(bench.text(), "one\ntwo\n0123456789x\ny");
    assert!(bench.follower().is_at_end() && bench.blocks.last().unwrap().is_open);
    assert!(bench.blocks.iter().all(|block| block.mark.is_none()));
}

#[test]
fn a_thousand_idle_files_cost_little() {
    let mut bench = Bench::of(&["."]);
    for number in 0..1_000 {
        bench.append(&format!("{number}.log"), "1\n");
    }
    bench.start();
    bench.poll_times(2);
    let before = processor_time();
    for _ in 0..5 {
        bench.pass(Duration::from_secs(1));
    }
    let spent = processor_time().saturating_sub(before);
    println!("{spent:?} for 5 s");
    // Twice what a machine that does nothing else needs to stay under 3 %: tests run beside each other.
    assert!(spent < Duration::from_millis(300), "{spent:?} for 5 s");
}
