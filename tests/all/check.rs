//! `logweir check`, and how mistakes in a configuration are shown.

use std::{
    path::Path,
    process::{Command, Output},
};

use logweir::Pipeline;

use crate::program::{file, folder};

/// Runs the program with `arguments`, in `folder`.
fn logweir(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_logweir"));
    command.args(arguments).current_dir(folder).env_remove("CLICOLOR_FORCE").output().expect("it can be started")
}

/// What it says where all is well: standard output.
#[track_caller]
fn answer(folder: &Path, arguments: &[&str]) -> String {
    let output = logweir(folder, arguments);
    assert_eq!((output.status.code(), text(&output.stderr).as_str()), (Some(0), ""), "{arguments:?}");
    text(&output.stdout)
}

/// What it says where it could not go on: standard error.
#[track_caller]
fn refusal(folder: &Path, arguments: &[&str]) -> String {
    let output = logweir(folder, arguments);
    assert_eq!((output.status.code(), text(&output.stdout).as_str()), (Some(2), ""), "{arguments:?}");
    text(&output.stderr)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("it says text")
}

const GOOD: &str = r#"
[[processor]]
id = "wanted"
kind = "match"
any = ["timeout", { regex = '\bfail\w+' }]

[[sink]]
id = "screen"
from = "wanted"
kind = "stdout"
"#;

const BAD: &str = r#"
[[processor]]
id = "wanted"
kind = "match"
any = { regex = 'user=(\d+' }
"#;

const SHOWN: &str = "\
error: bad regex: unclosed group
 --> bad.toml:5:23
  |
5 | any = { regex = 'user=(\\d+' }
  |                       ^ here
";

#[test]
fn the_default_pipeline_is_drawn() {
    let expected = "\
default pipeline: valid, 4 processors, 0 sinks

start  level
├─ error → error  pass
├─ warn → warn  pass
└─ other → general  pass
";
    assert_eq!(answer(folder().path(), &["check"]), expected);
}

#[test]
fn dead_letters_that_no_file_takes_are_hinted_at() {
    let folder = folder();
    let sink = "[[sink]]\nid = 'out'\nfrom = 'late'\nkind = 'file'\npath = 'out.log'\non_error = 'dead_letter'\n";
    let config = format!("[[processor]]\nid = 'late'\nkind = 'fail'\nmessage = 'no'\non_error = 'dead_letter'\n{sink}");
    file(folder.path(), "lost.toml", &config);
    let output = logweir(folder.path(), &["check", "lost.toml"]);
    let said = text(&output.stderr);
    assert_eq!((output.status.code(), said.lines().count()), (Some(0), 1), "{said}");
    assert!(said.starts_with("logweir: hint: no file takes the dead letters of `late`, `out`"), "{said}");
    assert!(said.contains("`dead_letters = \"FILE\"`") && said.contains("--dead-letters FILE"), "{said}");
    // Where a file is named, or nobody asked for letters, all is well.
    file(folder.path(), "kept.toml", format!("dead_letters = 'dead.ndjson'\n{config}"));
    answer(folder.path(), &["check", "kept.toml"]);
    file(folder.path(), "plain.toml", config.replace("on_error = 'dead_letter'\n", ""));
    answer(folder.path(), &["check", "plain.toml"]);
}

#[test]
fn a_pipeline_is_drawn() {
    let folder = folder();
    file(folder.path(), "good.toml", GOOD);
    let expected = "\
good.toml: valid, 1 processor, 1 sink

wanted  match  any = [\"timeout\", { regex = '\\bfail\\w+' }]
├─ rest ✕ dropped as no_match
└─⇒ sink screen (stdout)
";
    assert_eq!(answer(folder.path(), &["check", "good.toml"]), expected);
    let mermaid = answer(folder.path(), &["check", "good.toml", "--format", "mermaid"]);
    assert!(mermaid.starts_with("flowchart LR\n  n0[\"wanted<br/>match\"]\n"), "{mermaid}");
    let dot = answer(folder.path(), &["check", "good.toml", "--format", "dot"]);
    assert!(dot.starts_with("digraph logweir {\n") && dot.ends_with("}\n"), "{dot}");
}

#[test]
fn the_printed_default_is_what_runs_by_default() {
    let folder = folder();
    let printed = answer(folder.path(), &["check", "--print-default"]);
    assert_eq!(printed, Pipeline::DEFAULT);
    file(folder.path(), "default.toml", printed);
    let drawn = answer(folder.path(), &["check", "default.toml"]);
    assert_eq!(drawn.replace("default.toml:", "default pipeline:"), answer(folder.path(), &["check"]));
}

#[test]
fn mistakes_are_shown_where_they_stand() {
    let folder = folder();
    file(folder.path(), "bad.toml", BAD);
    assert_eq!(refusal(folder.path(), &["check", "bad.toml"]), SHOWN);
    assert_eq!(refusal(folder.path(), &["run", "-c", "bad.toml", "bad.toml"]), SHOWN);
}

#[test]
fn mistakes_in_arguments_are_shown_too() {
    let folder = folder();
    file(folder.path(), "good.toml", GOOD);
    let expected = "\
error: there is no processor `wnted`
 --> --print:1:1
  |
1 | wnted
  | ^^^^^ not the id of a processor
  |
  = help: did you mean `wanted`?
";
    let arguments = ["run", "-c", "good.toml", "--print", "wnted", "good.toml"];
    assert_eq!(refusal(folder.path(), &arguments), expected);
}

#[test]
fn colour_is_for_those_who_want_it() {
    let folder = folder();
    file(folder.path(), "bad.toml", BAD);
    let coloured = refusal(folder.path(), &["--color", "always", "check", "bad.toml"]);
    assert!(coloured.contains("\u{1b}[") && coloured.contains("unclosed group"), "{coloured}");
    assert_eq!(refusal(folder.path(), &["--color", "never", "check", "bad.toml"]), SHOWN);
}

#[test]
fn what_cannot_be_read_is_said_in_a_line() {
    let folder = folder();
    let missing = refusal(folder.path(), &["check", "missing.toml"]);
    assert_eq!(missing, "logweir: cannot read missing.toml: No such file or directory (os error 2)\n");
    let endless = refusal(folder.path(), &["check", "/dev/zero"]);
    assert!(endless.starts_with("error: the file is larger than 1048576 bytes\n--> /dev/zero\n"), "{endless}");
}

#[test]
fn names_cannot_control_the_terminal() {
    let folder = folder();
    file(folder.path(), "\u{1b}[31m.toml", GOOD);
    file(folder.path(), "\u{1b}[32m.toml", "id = \"\u{9b}31m\"\n");
    assert!(!answer(folder.path(), &["check", "\u{1b}[31m.toml"]).contains('\u{1b}'));
    let shown = refusal(folder.path(), &["--color", "never", "check", "\u{1b}[32m.toml"]);
    assert!(!shown.contains(['\u{1b}', '\u{9b}']), "{shown}");
}
