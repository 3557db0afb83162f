//! What was given out in vain: it is given out again, wherever it came from.

use std::{fs::File, io::Write, time::Duration};

use super::{super::Follower, support::Bench};
use crate::{metrics::SourceNews, place::KnownFile};

/// A follower of a stream alone, which was begun.
fn piped() -> (Bench, File) {
    let (reader, writer) = rustix::pipe::pipe().unwrap();
    let mut bench = Bench::of(&[]);
    bench.start();
    bench.follower().follow_stream("-".as_ref(), File::from(reader));
    bench.acknowledges = false;
    (bench, File::from(writer))
}

#[test]
fn a_stream_is_given_out_again_from_what_was_acknowledged() {
    let (mut bench, mut writer) = piped();
    for line in ["one\n", "two\n", "three\nha"] {
        writer.write_all(line.as_bytes()).unwrap();
        bench.pass(Duration::ZERO);
    }
    let second = bench.blocks[1].number;
    bench.follower().acknowledge(second);
    bench.rewind(bench.known.clone());
    writer.write_all(b"lf\n").unwrap();
    drop(writer);
    assert!(!bench.follower().is_over(), "something is to be given out again");
    bench.pass(Duration::ZERO);
    assert_eq!(bench.text(), "two\nthree\nhalf\n");
    assert_eq!((bench.blocks[0].offset, bench.blocks[2].offset), (4, 14));
    bench.assert_tiled();
    bench.acknowledges = true;
    bench.pass(Duration::ZERO);
    bench.rewind(bench.known.clone());
    bench.pass(Duration::ZERO);
    assert_eq!(bench.text(), "", "what is acknowledged is gone");
    assert!(bench.follower().is_over() && !bench.follower().owes_stream());
}

#[test]
fn of_a_long_line_the_same_is_left_out_again() {
    let (mut bench, mut writer) = piped();
    bench.follower().standard.as_mut().unwrap().caps.record_bytes_max = 4;
    writer.write_all(b"0123456789\nab\n").unwrap();
    bench.pass(Duration::ZERO);
    let first: Vec<_> = bench.blocks.iter().map(|block| (block.offset, block.bytes.clone(), block.cut_bytes)).collect();
    assert_eq!(first[0], (0, b"0123".to_vec(), 7));
    bench.rewind(bench.known.clone());
    bench.pass(Duration::ZERO);
    let again: Vec<_> = bench.blocks.iter().map(|block| (block.offset, block.bytes.clone(), block.cut_bytes)).collect();
    assert_eq!(again, first);
}

#[test]
fn a_stream_of_which_too_much_is_not_acknowledged_waits() {
    let (mut bench, mut writer) = piped();
    bench.follower().standard.as_mut().unwrap().kept_bytes_max = 1_000;
    let lines = |from: usize| (from..from + 400).map(|number| format!("line {number}\n")).collect::<String>();
    writer.write_all(lines(0).as_bytes()).unwrap();
    bench.pass(Duration::ZERO);
    assert_eq!(bench.text(), lines(0));
    writer.write_all(lines(400).as_bytes()).unwrap();
    bench.pass(Duration::from_secs(10));
    assert_eq!(bench.text(), lines(0), "nothing more is read");
    let begin = std::time::Instant::now();
    bench.follower().wait(Duration::from_millis(30));
    assert!(begin.elapsed() >= Duration::from_millis(20), "and it is not waited for");
    bench.rewind(bench.known.clone());
    bench.pass(Duration::ZERO);
    assert_eq!(bench.text(), lines(0), "what was given out may come again all the same");
    bench.acknowledges = true;
    bench.pass(Duration::ZERO);
    bench.pass(Duration::ZERO);
    assert_eq!(bench.text(), lines(0) + &lines(400));
}

#[test]
fn what_was_read_of_a_stream_is_given_out_when_it_is_closed() {
    let (mut bench, mut writer) = piped();
    bench.follower().standard.as_mut().unwrap().caps.block_bytes = 4;
    writer.write_all(b"1\n2\n3\n4\n5\nhal").unwrap();
    let now = bench.now;
    let first = bench.follower().next(now, Vec::new()).unwrap();
    assert_eq!(first.bytes, b"1\n2\n");
    writer.write_all(b"f\n").unwrap();
    let mut rest =
        |ends| -> Vec<_> { std::iter::from_fn(|| bench.follower().rest_of_standard(Vec::new(), ends)).collect() };
    // Another session goes on where this one ends; what the pipe holds is never asked for.
    let (whole, open) = (rest(false), rest(true));
    let bytes: Vec<u8> = whole.iter().flat_map(|block| block.bytes.clone()).collect();
    assert_eq!((&bytes[..], whole.iter().any(|block| block.is_open)), (&b"3\n4\n5\n"[..], false));
    assert_eq!(whole.iter().map(|block| block.number).collect::<Vec<_>>(), [1, 2]);
    assert!(matches!(&open[..], [block] if block.bytes == b"hal" && block.is_open && block.number == 3), "{open:?}");
    bench.blocks.push(first);
    bench.blocks.extend(whole);
    bench.blocks.extend(open);
}

/// A removed file, read to its end, of which the second line is not acknowledged.
fn removed() -> (Bench, Vec<KnownFile>) {
    let mut bench = Bench::new();
    bench.append("app.log", "1\n");
    bench.start();
    bench.acknowledges = false;
    bench.append("app.log", "2\n");
    bench.remove("app.log");
    let known = bench.known.clone();
    bench.poll_times(4);
    assert_eq!((bench.text().as_str(), bench.follower().files.len()), ("1\n2\n", 0));
    (bench, known)
}

#[test]
fn a_removed_file_is_held_until_all_of_it_is_acknowledged() {
    let (mut bench, known) = removed();
    assert_eq!(bench.removed_but_open(), 1);
    bench.rewind(known);
    bench.poll_times(4);
    assert_eq!(bench.text(), "2\n");
    assert_eq!(bench.count(|news| matches!(news, SourceNews::Lost { .. } | SourceNews::Rotated { .. })), 0);
    assert_eq!(bench.removed_but_open(), 1, "nor is it acknowledged yet");
    bench.acknowledges = true;
    bench.poll();
    assert_eq!(bench.removed_but_open(), 0);
    bench.append("app.log", "3\n");
    bench.poll_times(2);
    assert_eq!(bench.text(), "2\n3\n");
}

#[test]
fn a_file_that_was_closed_and_then_removed_is_held_as_well() {
    let mut bench = Bench::new();
    bench.start();
    bench.acknowledges = false;
    let known = bench.known.clone();
    bench.append("app.log", "1\n");
    bench.poll();
    bench.rename("app.log", "app.log.1");
    bench.append("app.log", "2\n");
    bench.poll_times(4);
    assert_eq!(bench.follower().files.len(), 1);
    bench.remove("app.log.1");
    bench.rewind(known);
    bench.poll_times(4);
    assert_eq!(bench.text(), "1\n2\n");
}

/// It is open again, and what it holds from before is owed still.
#[test]
fn a_file_that_came_back_is_given_out_again_from_where_it_was_begun() {
    let mut bench = Bench::of(&["*.log"]);
    bench.start();
    bench.acknowledges = false;
    bench.append("a.log", "1\n");
    bench.poll();
    bench.rename("a.log", "elsewhere");
    bench.poll_times(4);
    assert_eq!(bench.follower().files.len(), 0);
    bench.rename("elsewhere", "a.log");
    bench.append("a.log", "2\n");
    bench.poll_times(2);
    assert_eq!(bench.text(), "1\n2\n");
    bench.rewind(Vec::new());
    bench.poll_times(2);
    assert_eq!(bench.text(), "1\n2\n");
}

fn lost(bench: &Bench) -> u64 {
    bench.news.iter().map(|news| if let SourceNews::Lost { bytes, .. } = news { bytes.unwrap() } else { 0 }).sum()
}

#[test]
fn what_could_not_be_held_is_said_to_be_lost_only_when_it_is_asked_for() {
    let bounds: [fn(&mut Follower); 2] =
        [|follower| follower.held_files_max = 0, |follower| follower.held_bytes_max = 0];
    for bound in bounds {
        let mut bench = Bench::new();
        bench.append("app.log", "1\n");
        bench.start();
        bench.acknowledges = false;
        let known = bench.known.clone();
        bench.append("app.log", "2\n3\n");
        bench.poll();
        bench.remove("app.log");
        bench.poll();
        bound(bench.follower());
        bench.poll_times(4);
        assert_eq!((bench.text().as_str(), bench.removed_but_open(), lost(&bench)), ("1\n2\n3\n", 0, 0));
        bench.rewind(known);
        assert_eq!(lost(&bench), 4);
        bench.news.clear();
        bench.poll_times(2);
        assert_eq!((bench.text().as_str(), lost(&bench)), ("", 0));
    }
}

/// All that was there before was delivered.
#[test]
fn what_was_truncated_before_a_session_failed_is_not_said_to_be_lost_twice() {
    let mut bench = Bench::new();
    let file = bench.append("app.log", "1\n2\n");
    bench.start();
    let known = bench.known.clone();
    file.set_len(0).unwrap();
    bench.rewind(known);
    bench.poll();
    assert_eq!(bench.truncations(), [0]);
}
