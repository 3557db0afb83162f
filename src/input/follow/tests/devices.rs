//! Devices whose numbers have changed since the state was saved: `known` is forged for that.

use std::fs;

use super::{super::From, support::Bench};
use crate::{metrics::SourceNews, place::KnownFile};

/// The known file that was last seen as `name`, as if it had been on another device.
fn renumber(bench: &mut Bench, name: &str) {
    let path = bench.path(name);
    let known = bench.known.iter_mut().find(|known| known.path == path).expect("it is known");
    known.mark.id.device ^= 0x1000;
}

fn of<'b>(bench: &'b Bench, name: &str) -> Vec<&'b KnownFile> {
    let path = bench.path(name);
    bench.known.iter().filter(|known| known.path == path).collect()
}

#[test]
fn a_file_on_a_renumbered_device_goes_on_at_its_mark() {
    for from in [From::Start, From::End] {
        let mut bench = Bench::new().with(|options| options.from = from);
        bench.append("app.log", "1\n");
        bench.start();
        bench.append("app.log", "2\n");
        bench.poll();
        bench.end();
        let (device, before) = (bench.known[0].mark.id.device, bench.text());
        renumber(&mut bench, "app.log");
        bench.append("app.log", "3\n");
        bench.start();
        assert_eq!(bench.text(), before + "3\n", "{from:?}");
        assert!(bench.truncations().is_empty());
        assert_eq!(bench.known.len(), 1, "the old number is forgotten: {:?}", bench.known);
        assert_eq!(bench.known[0].mark.id.device, device);
        // A session that failed before the state could be told.
        let mut known = bench.known.clone();
        known[0].mark.id.device ^= 0x1000;
        bench.acknowledges = false;
        bench.append("app.log", "4\n");
        bench.rewind(known);
        bench.poll();
        assert_eq!(bench.text(), "4\n");
    }
}

#[test]
fn a_file_that_was_rotated_meanwhile_is_found_on_it_too() {
    let mut bench = Bench::new();
    bench.append("app.log", "1\n");
    bench.start();
    bench.end();
    renumber(&mut bench, "app.log");
    bench.append("app.log", "2\n");
    bench.rename("app.log", "app.log.1");
    bench.append("app.log", "3\n");
    bench.start();
    bench.poll();
    assert_eq!(bench.text(), "1\n2\n3\n");
    bench.poll_times(4);
    assert_eq!(bench.known.len(), 1, "{:?}", bench.known);
}

#[test]
fn another_device_with_other_bytes_is_another_file() {
    let mut bench = Bench::new();
    bench.append("app.log", "1\n");
    bench.start();
    bench.end();
    renumber(&mut bench, "app.log");
    fs::write(bench.path("app.log"), "2\n3\n").unwrap();
    bench.start();
    bench.poll();
    assert_eq!(bench.text(), "1\n2\n3\n");
}

/// What is known under the present number is what was saved last.
#[test]
fn of_two_places_in_one_file_that_with_the_present_number_counts() {
    let mut bench = Bench::new();
    bench.append("app.log", "1\n");
    bench.start();
    let old = bench.known.clone();
    bench.append("app.log", "2\n");
    bench.poll();
    bench.end();
    bench.known.extend(old);
    bench.known[1].mark.id.device ^= 0x1000;
    bench.append("app.log", "3\n");
    bench.start();
    bench.poll();
    assert_eq!(bench.text(), "1\n2\n3\n");
}

#[test]
fn devices_may_have_each_others_numbers() {
    let mut bench = Bench::of(&["a.log", "b.log"]);
    bench.append("a.log", "a\n");
    bench.append("b.log", "b\n");
    bench.start();
    bench.end();
    // Of two files with one inode each on its own device, only the numbers of the devices differ.
    renumber(&mut bench, "a.log");
    renumber(&mut bench, "b.log");
    bench.start();
    bench.poll();
    assert_eq!(bench.text(), "a\nb\n");
    assert!(of(&bench, "a.log").len() == 1 && of(&bench, "b.log").len() == 1, "{:?}", bench.known);
    assert_eq!(bench.count(|news| matches!(news, SourceNews::Rotated { .. })), 0);
}
