//! Fault 23: hostile log lines in a real browser; and that the page shows what the endpoints say.
//!
//! The scripts are `tests/browser/*.mjs`. They need node, Chromium (`LOGWEIR_CHROMIUM`, else /usr/bin/chromium) and
//! playwright-core (`LOGWEIR_PLAYWRIGHT`, a node_modules folder, else the one in target/browser).

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use logweir::{Admission, Server, Token};

use crate::{sample, server::serve};

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

/// Runs `script` against `server`; its own assertions decide.
fn run(script: &str, server: &Server, arguments: &[&str]) {
    let (chromium, playwright) = match tools() {
        Ok(tools) => tools,
        Err(missing) => {
            eprintln!("SKIPPED: {script}: {missing}");
            return;
        }
    };
    let output = Command::new("node")
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/browser").join(script))
        .arg(server.url())
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
    run("hostile.mjs", &server, &[&lines]);
    server.shutdown();
}

#[test]
fn the_page_shows_what_the_endpoints_say() {
    for scene in [sample::RUNNING, sample::FINISHED, sample::Scene { faults: false, ..sample::FINISHED }] {
        let server = serve(sample::snapshot(1, scene), Admission::default());
        run("page.mjs", &server, &[]);
        server.shutdown();
    }
}

#[test]
fn the_page_of_a_run_that_follows_says_how_far_behind_it_is() {
    let server = serve(sample::following(1), Admission::default());
    run("following.mjs", &server, &[]);
    server.shutdown();
}

#[test]
fn the_page_asks_for_the_token() {
    let token = Token::new("correct horse").expect("not empty");
    let server = serve(sample::snapshot(1, sample::FINISHED), Admission::default().with_token(token));
    run("token.mjs", &server, &["correct horse"]);
    server.shutdown();
}
