//! Fault 23: hostile log lines in a real browser; and that the page shows what the endpoints say.
//!
//! The scripts are `tests/browser/*.mjs`. They need node, Chromium (`LOGWEIR_CHROMIUM`, else /usr/bin/chromium) and
//! playwright-core (`LOGWEIR_PLAYWRIGHT`, a node_modules folder, else the one in target/browser).

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use logweir::{Admission, Snapshot, Token};
use rustix::process::Signal;

use crate::{
    history::{age, recorded, rename_error, replay},
    http::get,
    program::{Program, ended, folder},
    sample,
    server::serve,
};

/// What a browser test needs, or what is missing.
fn tools() -> Result<(PathBuf, PathBuf), &'static str> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let path = |name, default: PathBuf| std::env::var_os(name).map_or(default, PathBuf::from);
    let chromium = path("LOGWEIR_CHROMIUM", "/usr/bin/chromium".into());
    let playwright = path("LOGWEIR_PLAYWRIGHT", root.join("target/browser/node_modules"));
    let node = Command::new("node").arg("--version").stdout(Stdio::null()).status();
    if !node.is_ok_and(|status| status.success()) {
        return Err("node is not here");
    }
    if !chromium.exists() {
        return Err("Chromium is not here (LOGWEIR_CHROMIUM)");
    }
    if !playwright.join("playwright-core").exists() {
        return Err("playwright-core is not here (LOGWEIR_PLAYWRIGHT)");
    }
    Ok((chromium, playwright))
}

/// Runs `script` against the server at `url`; its own assertions decide.
fn run(script: &str, url: &str, arguments: &[&str]) {
    let (chromium, playwright) = match tools() {
        Ok(tools) => tools,
        Err(missing) => {
            eprintln!("SKIPPED: {script}: {missing}");
            return;
        }
    };
    let output = Command::new("node")
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/browser").join(script))
        .arg(url)
        .args(arguments)
        .env("LOGWEIR_CHROMIUM", chromium)
        .env("LOGWEIR_PLAYWRIGHT", playwright)
        .output()
        .expect("node starts");
    let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    assert!(output.status.success(), "{script}: {}{}", said[0], said[1]);
}

#[test]
fn hostile_lines_are_only_shown() {
    let server = serve(sample::hostile(1), Admission::default());
    let lines = serde_json::to_string(&sample::HOSTILE).expect("serializes");
    run("hostile.mjs", &server.url(), &[&lines]);
    server.shutdown();
}

#[test]
fn the_page_shows_what_the_endpoints_say() {
    let scenes = [sample::RUNNING, sample::FINISHED, sample::Scene { faults: false, ..sample::FINISHED }];
    // Counts go on over restarts, samples of faults do not.
    let restarted = Snapshot { faults: Vec::new().into(), ..sample::snapshot(1, sample::RUNNING) };
    for snapshot in scenes.map(|scene| sample::snapshot(1, scene)).into_iter().chain([restarted]) {
        let server = serve(snapshot, Admission::default());
        run("page.mjs", &server.url(), &[]);
        server.shutdown();
    }
}

#[test]
fn the_page_of_a_run_that_follows_says_how_far_behind_it_is() {
    let server = serve(sample::following(1), Admission::default());
    run("following.mjs", &server.url(), &[]);
    server.shutdown();
}

#[test]
fn the_page_asks_for_the_token() {
    let token = Token::new("correct horse").expect("not empty");
    let server = serve(sample::snapshot(1, sample::FINISHED), Admission::default().with_token(token));
    run("token.mjs", &server.url(), &["correct horse"]);
    server.shutdown();
}

/// What was recorded is shown: of two runs, by what shows them after they are over and by one that goes on, and with a
/// name that would run if anybody took it for markup.
#[test]
fn the_page_shows_the_past() {
    let state = folder();
    ended(&mut recorded(state.path()));
    age(state.path(), 2);
    let mut live = Program::start(recorded(state.path()).args(["--listen", "127.0.0.1:0"]));
    let address = live.address();
    while get(address, "/api/v1/history").json()["lines"] != 1_220 {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    run("history.mjs", &format!("http://{address}/"), &["15 min"]);
    live.signal(Signal::INT);
    live.end();
    for hostile in [None, Some(sample::HOSTILE[0])] {
        hostile.into_iter().for_each(|name| rename_error(state.path(), name));
        let mut program = replay(state.path());
        let url = format!("http://{}/", program.address());
        run("history.mjs", &url, &["all", hostile.unwrap_or("error")]);
        program.signal(Signal::INT);
        program.end();
    }
}
