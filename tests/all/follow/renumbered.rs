//! A state whose devices have other numbers now, as after a start of the system: forged, as no test can start one.

use std::{fs, path::Path, process::Command};

use logweir::{Behind, Store};

use super::{append, copying};
use crate::program::{ended, file, folder, follow};

/// Changes the numbers of all devices in the state, which is left as by a crash: what is behind a mark may be ours.
fn renumber(state: &Path) {
    let (mut store, loaded) = Store::open(state, false).expect("our own state");
    let mut checkpoint = loaded.checkpoint.expect("it was saved");
    assert!(!checkpoint.files.is_empty() && !checkpoint.sinks.is_empty());
    checkpoint.files.iter_mut().for_each(|file| file.mark.id.device ^= 0x1000);
    for sink in &mut checkpoint.sinks {
        (sink.identity.0, sink.behind) = (sink.identity.0 ^ 0x1000, Behind::Ours);
    }
    store.save(&checkpoint).expect("there is room");
}

#[test]
fn what_was_read_and_written_is_known_again_on_a_renumbered_device() {
    let folder = folder();
    let (log, out, state) =
        (file(folder.path(), "app.log", ""), folder.path().join("out"), folder.path().join("state"));
    let config = copying(folder.path(), &out);
    let follow = || {
        let mut command = follow();
        command.args(["--until-eof", "--from", "start", "--report", "none", "--state"]).arg(&state);
        let ended = ended(command.arg("-c").arg(&config).arg(&log));
        assert_eq!(ended.code(), Some(0), "{ended:?}");
        ended
    };
    append(&log, "INFO one\n");
    follow();
    renumber(&state);
    let shown = Command::new(env!("CARGO_BIN_EXE_logweir")).arg("state").arg(&state).output().expect("it starts");
    let text = String::from_utf8_lossy(&shown.stdout).into_owned();
    assert_eq!(text.matches("(proved)").count(), 2, "{text}");
    append(&log, "INFO two\n");
    // What was written behind the last checkpoint is taken back.
    append(&out, "INFO two\n");
    let said = follow().stderr;
    assert_eq!(fs::read_to_string(&out).unwrap(), "INFO one\nINFO two\n", "{said}");
    assert!(!said.contains("twice"), "{said}");
    follow();
    assert_eq!(fs::read_to_string(&out).unwrap(), "INFO one\nINFO two\n");
}
