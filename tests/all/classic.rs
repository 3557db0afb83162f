//! The classic example: three lines through `start` and `general`, 100 ms each, and what the endpoints say of it.

use std::time::Duration;

use logweir::{DiscoverOptions, Engine, Pipeline, Registry, RunOptions, discover};
use serde_json::{Value, json};

use crate::{
    http::get,
    program::{Program, check_ledger, file, folder, run},
};

/// Ten lines.
const PIPELINE: &str = "\
[[processor]]
id   = \"start\"
kind = \"delay\"
ms   = 100
to   = \"general\"

[[processor]]
id   = \"general\"
kind = \"delay\"
ms   = 100
";

fn check_stats(stats: &Value) {
    let names: Vec<_> = stats.as_object().expect("an object").keys().collect();
    assert_eq!(names, ["general", "start"], "serde_json sorts them");
    for id in ["start", "general"] {
        let of = |name: &str| stats[id][name].as_f64().unwrap_or_else(|| panic!("{name} in {stats}"));
        assert_eq!((&stats[id]["processed"], &stats[id]["errors"]), (&json!(3), &json!(0)), "{stats}");
        assert!((100.0..125.0).contains(&of("avg_time_ms")), "{stats}");
        assert!((100.0..140.0).contains(&of("max_ms")), "{stats}");
        assert_eq!(stats[id]["samples"], 3, "every line of a slow pipeline is timed alone: {stats}");
        assert!(of("lines_per_s") > 0.0, "{stats}");
        ["p50_ms", "p90_ms", "p99_ms", "p999_ms"]
            .iter()
            .for_each(|name| assert!(stats[id].get(name).is_some(), "{name}"));
    }
}

#[test]
fn three_lines_take_two_hops_of_a_tenth_of_a_second() {
    let folder = folder();
    let config = file(folder.path(), "classic.toml", PIPELINE);
    let path = file(folder.path(), "app.log", "first\nsecond\nthird\n");
    let mut command = run();
    command.args(["--listen", "0", "--report", "json", "-c"]).args([&config, &path]);
    let mut program = Program::start(&mut command);
    let address = program.address();
    let mut seen = vec![0];
    // It can be watched while it runs: the count goes up line by line.
    while get(address, "/readyz").status != 200 || get(address, "/api/v1/run").json()["state"] != "finished" {
        seen.push(get(address, "/stats").json()["general"]["processed"].as_u64().expect("a number"));
        std::thread::sleep(Duration::from_millis(20));
        assert!(seen.len() < 500, "it does not end");
    }
    assert!(seen.is_sorted(), "{seen:?}");
    assert!(seen.contains(&1) && seen.contains(&2), "nothing was seen on the way: {seen:?}");
    check_stats(&get(address, "/stats").json());
    assert_eq!(
        get(address, "/trace").json(),
        json!([["start", "general"], ["start", "general"], ["start", "general"]])
    );
    assert_eq!(get(address, "/errors").body.trim_end(), r#"{"start":0,"general":0}"#);
    program.signal(rustix::process::Signal::INT);
    let ended = program.end_within(Duration::from_secs(2));
    let report = ended.report();
    assert_eq!(ended.code(), Some(0));
    check_stats(&report["stats"]);
    check_ledger(&report);
    assert_eq!(report["errors"], json!({"start": 0, "general": 0}));
}

/// Every nanosecond of a worker's day stands in exactly one row.
#[test]
fn the_rows_add_up_to_the_time_that_it_took() {
    let folder = folder();
    let path = file(folder.path(), "app.log", "INFO a line\nWARN another\n".repeat(1_000_000));
    let config = "[[processor]]\nid = 'a'\nkind = 'level'\n[[processor]]\nid = 'b'\nkind = 'fail'\nmatching = 'WARN'\n";
    let pipeline = Pipeline::from_toml(config, "x", &Registry::standard()).unwrap_or_else(|error| panic!("{error}"));
    for access in [None, Some(logweir::Access::Stream)] {
        let mut inputs = discover(std::slice::from_ref(&path), DiscoverOptions::default());
        access.into_iter().for_each(|access| inputs.inputs[0].access = access);
        // One worker: with two, the one that is done first has nothing to book for the rest.
        let finished = Engine::new(pipeline.clone(), inputs, RunOptions { workers: 1, ..RunOptions::default() }).run();
        let snapshot = &finished.snapshot;
        let rows =
            snapshot.nodes.iter().map(|node| node.busy_ns).chain(snapshot.stages.iter().map(|stage| stage.busy_ns));
        let (rows, worker) = (rows.sum::<u64>(), &snapshot.run.workers[0]);
        assert_eq!(rows, worker.busy_ns, "the rows are the worker's busy time");
        let booked = (worker.busy_ns + worker.sink_wait_ns + worker.idle_ns) as f64;
        let share = booked / snapshot.run.elapsed.as_nanos() as f64;
        eprintln!("{share} of {:?} is booked ({access:?})", snapshot.run.elapsed);
        // Starting and ending threads is no worker's time.
        assert!((0.90..=1.001).contains(&share), "{share} of {:?}", snapshot.run.elapsed);
    }
}
