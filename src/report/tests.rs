//! Golden reports of synthetic snapshots.

use super::{
    samples::{clean, empty, failed, following, hostile},
    write_report,
};
use crate::metrics::{Snapshot, snapshot::RunState};

/// The report without colours, as a pipe gets it.
fn plain(snapshot: &Snapshot, width: usize) -> String {
    let mut out = Vec::new();
    write_report(snapshot, width, &mut out).expect("memory can be written to");
    let coloured = String::from_utf8(out).expect("a report is text");
    let text = anstream::adapter::strip_str(&coloured).to_string();
    assert!(text.lines().all(|line| line == line.trim_end()), "no line ends in spaces");
    text
}

#[test]
fn a_clean_run() {
    insta::assert_snapshot!(plain(&clean(), 100), @r"
    logweir run finished in 166 ms
      1 source, 1.07 GB, 9,876,543 lines · 6.47 GB/s, 59.5 M lines/s · 2 workers

                                                                 one line alone
      processor               lines share faults   time  each    p50   p99 p99.9   max  probes  spread
      start               9,876,543  100%      0  51.2%  17ns  210ns 1.5µs 8.4µs 1.9ms   12.8k  █▇▆▅▄▃▂▂
      ├─ error              123,456  1.2%      0   0.5%  12ns   30ns 210ns 1.2µs 270µs   12.8k  █▇▆▅▄▃▂▂
      ├─ warn             1,234,567 12.5%      0   0.5% 1.2ns   31ns 217ns 1.2µs 279µs   12.8k  █▇▆▅▄▃▂▂
      └─ general (other)  8,518,520 86.3%      0   0.6% 0.2ns   28ns     -     -     -       5
      read                                        18.7% 6.3ns
      split                                       21.4% 7.2ns
      route                                        2.7% 0.9ns
      gather                                         0%   0ns
      observe                                      0.9% 0.3ns
      sink wait                                      0%   0ns
      idle                                         3.6% 1.2ns
      together                                     100%  34ns

      time is a share of all workers' time; each is that time for one line among many.
      One line alone is a probe: a line that was run as a batch of one, which costs more. Spread is from
      64 ns to 4.2 ms, logarithmic both ways.

      source                bytes      lines
      /var/log/mixed.log  1.07 GB  9,876,543  mapped

      watching took 0.4 % of the workers' time (budget 1.0 %): probes 1.2 ms, hand-over 300 µs
      no faults
      balanced: 9,876,543 lines in, every one accounted for; 1 source, 1.07 GB, covered without gap
    ");
}

#[test]
fn strangers_cannot_control_the_terminal() {
    let report = plain(&hostile(), 100);
    assert!(!report.contains(|c: char| c.is_control() && c != '\n'));
    assert!(!report.contains('\u{202e}'));
    insta::assert_snapshot!(report, @r"
    logweir run finished in 166 ms
      1 of 2 sources, 1.07 GB, 10,000 lines · 6.47 GB/s, 59.5 M lines/s · 1 worker

                                                                           one line alone
      processor                lines share  dropped faults   time  each    p50   p99 p99.9   max  probes
      pa\x1b[31mrse           10,000  100%    9,000      0  <0.1%  30ns   90ns 630ns 3.6µs 810µs   12.8k
      ├─ \u{202e}evil (matc…   1,000 10.0%        0  1,000  31.2% 100µs      -     -     -     -       0
      └─ a-name-that-goes-o…   1,000 10.0%        0      0  <0.1% 9.0ns  9.0ns  63ns 360ns  81µs   12.8k
      read                                                  19.4% 6.2µs
      split                                                 22.2% 7.1µs
      route                                                  2.8% 900ns
      gather                                                   0%   0ns
      observe                                                0.9% 300ns
      other                                                 17.1% 5.5µs
      sink wait                                              6.2% 2.0µs
      idle                                                     0%   0ns
      together                                               100%  32µs

      time is a share of all workers' time; each is that time for one line among many.
      One line alone is a probe: a line that was run as a batch of one, which costs more.
      pa\x1b[31mrse dropped 9,000 as no_match.
      a-name-that-goes-on-and-on-and-never-ends: 1,000 second arrivals met here and went on once.
      a-name-that-goes-on-and-on-and-never-ends: 2 probes took longer than can be told apart.

      sink     from                                       lines  written  to
      out      pa\x1b[31mrse.match                        1,000   100 kB  stdout
      all\x07  a-name-that-goes-on-and-on-and-never-ends  1,000  65.5 kB  /tmp/\x1b]0;title\x07.log

      source                              bytes   lines
      …g/path/that/does/not/end/befor…  1.00 MB  10,000  mapped  3 over the limit, no newline at the end
      secret.log                            0 B       0  mapped  Permission denied \x1b[1m
      not read: 12 hidden, 1,234 the same file again

      1,001 faults
      \u{202e}evil  failed  990×
        …path/that/does/not/end/before/the/line/does.log:0  no
          │ \x1b[2J\x1b]0;owned\x07 hello \xff\x9b31m
        …th/that/does/not/end/before/the/line/does.log:100  no
          │ second
        …th/that/does/not/end/before/the/line/does.log:300  new\nline
          │ xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…
      \u{202e}evil  panicked  10×
        …th/that/does/not/end/before/the/line/does.log:400  index out of bounds
          │ 日本語 \u{202e}
      (source)  unreadable  1×
        …g/path/that/does/not/end/before/the/line/does.log  Permission denied (os error 13)

      watching took 0.4 % of the workers' time (budget 1.0 %): probes 1.2 ms, hand-over 300 µs
      balanced: 9,876,543 lines in, every one accounted for; 1 source, 1.07 GB, covered without gap
    ");
}

#[test]
fn nothing_at_all() {
    insta::assert_snapshot!(plain(&empty(), 100), @r"
    logweir run finished in 0 ns
      0 sources, 0 B, 0 lines · 1 worker

                                                         one line alone
      processor           lines share faults  time each  p50 p99 p99.9 max  probes
      start                   0     -      0     -    -    -   -     -   -       0
      ├─ error                0     -      0     -    -    -   -     -   -       0
      ├─ warn                 0     -      0     -    -    -   -     -   -       0
      └─ general (other)      0     -      0     -    -    -   -     -   -       0
      read                                       -    -
      split                                      -    -
      route                                      -    -
      gather                                     -    -
      observe                                    -    -
      sink wait                                  -    -
      idle                                       -    -
      together                                   -    -

      time is a share of all workers' time; each is that time for one line among many.

      watching took - of the workers' time (budget 0 %): probes 0 ns, hand-over 0 ns
      no faults
      balanced: 0 lines in, every one accounted for; 0 sources, 0 B, covered without gap
    ");
}

#[test]
fn a_run_that_failed() {
    insta::assert_snapshot!(plain(&failed(), 160), @r"
    logweir run failed in 5,124,095,576,030,431 h 00 min
      1 source, 6.15 EB, 18,446,744,073,709,551,615 lines · 6.47 GB/s, 59.5 M lines/s · 256 workers
      /mnt/full/out.log: offset 1,073,741: No space left on device (os error 28)
      ended after 33.3 % of the input; the numbers are exact for what was read

                                                                                                                                 one line alone
      processor                                lines share                     dropped                     faults   time  each   p50   p99 p99.9   max  probes
      start               18,446,744,073,709,551,615  100%  18,446,744,073,709,551,615 18,446,744,073,709,551,615   100% 1.0ns  313h >999h >999h >999h   18.4E
      ├─ error            18,446,744,073,709,551,615  100%  18,446,744,073,709,551,615 18,446,744,073,709,551,615   100% 1.0ns  313h >999h >999h >999h   18.4E
      ├─ warn             18,446,744,073,709,551,615  100%  18,446,744,073,709,551,615 18,446,744,073,709,551,615   100% 1.0ns  313h >999h >999h >999h   18.4E
      └─ general (other)  18,446,744,073,709,551,615  100%  18,446,744,073,709,551,615 18,446,744,073,709,551,615   100% 1.0ns  313h >999h >999h >999h   18.4E
      read                                                                                                         <0.1% 0.0ns
      split                                                                                                        <0.1% 0.0ns
      route                                                                                                        <0.1% 0.0ns
      gather                                                                                                          0%   0ns
      observe                                                                                                      <0.1% 0.0ns
      sink wait                                                                                                     100% 1.0ns
      idle                                                                                                          100% 1.0ns
      together                                                                                                      100% 1.0ns

      time is a share of all workers' time; each is that time for one line among many.
      One line alone is a probe: a line that was run as a batch of one, which costs more.

      source    bytes  lines
      1.log   18.4 EB      0  mapped  1 over the limit
      2.log   18.4 EB      0  mapped  2 over the limit
      3.log   18.4 EB      0  mapped  3 over the limit
      4.log   18.4 EB      0  mapped  4 over the limit
      5.log   18.4 EB      0  mapped  5 over the limit
      6.log   18.4 EB      0  mapped  6 over the limit
      7.log   18.4 EB      0  mapped  7 over the limit
      8.log   18.4 EB      0  mapped  8 over the limit
      9.log   18.4 EB      0  mapped  9 over the limit
      10.log  18.4 EB      0  mapped  10 over the limit
      and 39 more like these

      18,446,744,073,709,551,615 faults
      start  failed  18,446,744,073,709,551,615×
      start  panicked  18,446,744,073,709,551,615×
      start  unreadable  18,446,744,073,709,551,615×
      start  truncated_while_reading  18,446,744,073,709,551,615×
      start  oversized  18,446,744,073,709,551,615×
      and 23 more kinds more

      watching took 0.4 % of the workers' time (budget 1.0 %): probes 1.2 ms, hand-over 300 µs
      the ledger does not balance; do not trust these numbers:
      - start: 0 in, but 3 out + 1 dropped + 0 failed
      - start: 1 in, but 3 out + 1 dropped + 0 failed
      - start: 2 in, but 3 out + 1 dropped + 0 failed
      - start: 3 in, but 3 out + 1 dropped + 0 failed
      - start: 4 in, but 3 out + 1 dropped + 0 failed
      - start: 5 in, but 3 out + 1 dropped + 0 failed
      - start: 6 in, but 3 out + 1 dropped + 0 failed
      - start: 7 in, but 3 out + 1 dropped + 0 failed
      - start: 8 in, but 3 out + 1 dropped + 0 failed
      - start: 9 in, but 3 out + 1 dropped + 0 failed
      - and 2 more problems
    ");
}

#[test]
fn an_interrupted_stream() {
    let mut snapshot = clean();
    snapshot.run.state = RunState::Interrupted;
    snapshot.run.bytes_total = None;
    let report = plain(&snapshot, 100);
    assert!(report.starts_with("logweir run interrupted in 166 ms"), "{report}");
    assert!(report.contains("ended after 1.07 GB; the numbers are exact for what was read"), "{report}");
}

#[test]
fn a_reader_that_has_gone() {
    let mut snapshot = clean();
    (snapshot.run.state, snapshot.run.bytes_total) = (RunState::Closed, None);
    let report = plain(&snapshot, 100);
    assert!(report.starts_with("logweir run closed in 166 ms"), "{report}");
    assert!(report.contains("ended after 1.07 GB: nobody reads the output any more; the numbers"), "{report}");
}

#[test]
fn a_run_that_follows() {
    let report = plain(&following(), 120);
    let from = report.find("  keeping up").expect("it says whether it keeps up");
    let to = report.find("  watching took").expect("it goes on");
    insta::assert_snapshot!(&report[from..to], @r"
    keeping up
    3 sources followed, 1.20 MB behind for 3.2 s
    3 rotations · 1 truncation · 1 source without a file · 1 source that cannot be read · 4.10 kB held by removed files
    at least 512 B lost: a file was cut or removed between two looks
    disk full: out.log: make room; it goes on by itself
    counts went back to the last checkpoint 2 times: what came after it was read again
    counts go back to 1969-12-31T23:00:00Z, over restarts; times are of this process

    source                bytes  lines
    /var/log/quiet.log  1.00 MB      0  followed  3 rotations
    /var/log/busy.log   1.00 MB      0  followed  1.20 MB behind for 3.2 s, 1 truncation, at least 512 B lost
    /var/log/gone.log   1.00 MB      0  followed  its file is gone, Permission denied
    ");
    assert!(
        report.starts_with("logweir follow stopped after 166 ms\n  3 sources, 1.07 GB, 9,876,543 lines"),
        "{report}"
    );
    assert!(!plain(&clean(), 100).contains("keeping up"));
}

#[test]
fn ordinary_reports_fit() {
    for snapshot in [clean(), hostile(), empty(), following()] {
        for width in [80, 90, 100, 120, 160] {
            let report = plain(&snapshot, width);
            let widest = report.lines().map(crate::escape::columns).max();
            assert!(widest <= Some(width), "{width}: {widest:?}\n{report}");
        }
    }
}

#[test]
fn colours_are_closed_where_they_open() {
    let mut out = Vec::new();
    write_report(&hostile(), 100, &mut out).expect("memory can be written to");
    for line in String::from_utf8(out).expect("a report is text").lines() {
        assert!(line.matches("\x1b[0m").count() * 3 >= line.matches("\x1b[").count(), "{line:?}");
        assert!(!line.contains('\x1b') || line.contains("\x1b[0m"), "{line:?}");
    }
}
