//! The scripts in `benches`: that they run at all, on a tiny input, with what every machine has.

use std::process::Command;

use crate::{program::folder, support::skip};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

#[test]
fn peers_prints_its_table() {
    if Command::new("python3").arg("--version").output().is_err() {
        return skip("benches/peers: no python3");
    }
    let folder = folder();
    let mut script = Command::new(format!("{ROOT}/benches/peers"));
    script.args(["--no-install", "--peers", "coreutils,logweir", "--mib", "1", "--runs", "2", "--files", "5"]);
    script.args(["--logweir", env!("CARGO_BIN_EXE_logweir"), "--work"]).arg(folder.path());
    let output = script.output().expect("it starts");
    let (table, said) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{table}\n{said}");
    for row in ["| default pipeline", "| print a rare literal", "| 5 files instead of one", "| watching", "| start-up"]
    {
        assert!(table.lines().any(|line| line.starts_with(row)), "no {row}\n{table}\n{said}");
    }
    assert!(table.contains("logweir ") && table.contains("coreutils"), "{table}");
}

#[test]
fn a_peer_that_is_missing_is_said_loudly() {
    let folder = folder();
    let mut script = Command::new(format!("{ROOT}/benches/peers"));
    script.args(["--no-install", "--peers", "clickhouse", "--mib", "1", "--runs", "2"]);
    script.args(["--logweir", env!("CARGO_BIN_EXE_logweir"), "--work"]).arg(folder.path());
    let Ok(output) = script.output() else { return skip("benches/peers: no python3") };
    let (table, said) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("*** NOT MEASURED: chdb"), "{said}");
    assert!(table.contains("Not measured, since not there: clickhouse"), "{table}");
}
