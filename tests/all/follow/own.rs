//! What it writes itself is not read.

use std::{fs, thread, time::Duration};

use super::{append, copying, finish, wait_for};
use crate::program::{Program, ended, file, folder, follow};

#[test]
fn what_it_writes_into_a_followed_directory_is_not_followed() {
    let folder = folder();
    let logs = folder.path().join("logs");
    fs::create_dir(&logs).unwrap();
    let (log, out) = (file(&logs, "app.log", "INFO 1\n"), logs.join("out"));
    let config = copying(folder.path(), &out);
    // The second time, they are there from the beginning.
    for (more, content) in [("", "INFO 1\n"), ("INFO 2\n", "INFO 1\nINFO 2\n")] {
        append(&log, more);
        let mut command = follow();
        command.args(["--from", "start", "--state"]).arg(logs.join("state")).arg("-c").arg(&config).arg(&logs);
        let program = Program::start(&mut command);
        wait_for(&out, content);
        // Long enough for directories to be looked at again.
        thread::sleep(Duration::from_millis(1_500));
        wait_for(&out, content);
        finish(program);
    }
}

#[test]
fn standard_output_in_a_followed_directory_is_not_followed() {
    let folder = folder();
    let log = file(folder.path(), "app.log", "");
    let out = folder.path().join("out");
    let mut command = follow();
    command.args(["--no-state", "--print", "start"]).arg(folder.path()).stdout(fs::File::create(&out).unwrap());
    let program = Program::start(&mut command);
    thread::sleep(Duration::from_millis(300));
    append(&log, "INFO one\n");
    thread::sleep(Duration::from_millis(1_500));
    wait_for(&out, "INFO one\n");
    finish(program);
}

#[test]
fn following_the_very_file_that_is_written_is_refused() {
    let folder = folder();
    let out = folder.path().join("out");
    let config = copying(folder.path(), &out);
    for content in [None, Some("INFO there\n")] {
        if let Some(content) = content {
            fs::write(&out, content).unwrap();
        }
        let ended = ended(follow().args(["--no-state", "-c"]).arg(&config).arg(&out));
        assert_eq!(ended.code(), Some(2), "{ended:?}");
        assert!(ended.stderr.contains("also written"), "{ended:?}");
    }
}
