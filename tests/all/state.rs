//! Faults 17 and 18: checkpoints under every failure of the system, and what `logweir state` says about them.

use std::{
    fs,
    os::unix::process::ExitStatusExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use logweir::{Behind, Checkpoint, FileId, KnownFile, Mark, Print, SinkMark, Store, StoreError};

use crate::{
    program::{Ended, ended, folder},
    saver::{Saver, checkpoint, notes, number_of},
    support::skip,
};

const SAVES: u64 = 4;

/// Runs a saver of which one call fails, or kills it, and gives whether that happened.
fn disturb(dir: &Path, notes: &Path, inject: &str) -> bool {
    let log = dir.with_extension("strace");
    let files = (1..=SAVES).flat_map(|number| ["a", "b"].map(|slot| format!("checkpoint-{slot}.new-{number}")));
    let mut words: Vec<String> = ["strace", "-f", "-qq", "-o"].map(str::to_owned).into();
    words.push(log.display().to_string());
    for path in files.map(|name| dir.join(name)).chain([dir.to_owned()]) {
        words.extend(["-P".to_owned(), path.display().to_string()]);
    }
    let call = inject.split(':').next().expect("a call");
    words.extend(["-e".to_owned(), format!("trace={call}"), "-e".to_owned(), format!("inject={inject}")]);
    let saver = Saver { dir, notes, saves: SAVES, is_careless: false };
    let status = saver.command(&words).status().expect("strace runs");
    let log = fs::read_to_string(log).unwrap_or_default();
    status.signal() == Some(9) || log.contains("killed by SIGKILL") || log.contains("(INJECTED)")
}

#[test]
fn whatever_call_of_a_save_fails_or_is_the_last_one_a_checkpoint_is_left() {
    if Command::new("strace").arg("-V").stdout(Stdio::null()).status().is_err() {
        return skip("failing calls of a save: strace is not installed");
    }
    let folder = folder();
    let mut cases = Vec::new();
    for what in ["error=EIO", "error=ENOSPC", "signal=KILL"] {
        // A save: one file, one write, a sync of the file and one of the directory, one rename.
        for (call, calls) in [("write", SAVES), ("fsync", 2 * SAVES), ("renameat", SAVES)] {
            cases.extend((1..=calls).map(|when| format!("{call}:{what}:when={when}")));
        }
    }
    // From then on nothing works any more.
    cases.extend(["write", "fsync", "renameat"].map(|call| format!("{call}:error=EIO:when=3+")));
    for (number, case) in cases.iter().enumerate() {
        let dir = folder.path().join(number.to_string());
        fs::create_dir(&dir).expect("a directory");
        let noted = folder.path().join(format!("{number}.notes"));
        assert!(disturb(&dir, &noted, case), "{case}: it did not happen");
        let come = notes(&noted);
        let (mut store, loaded) = Store::open(&dir, false).unwrap_or_else(|error| panic!("{case}: {error}"));
        assert!(loaded.said.is_empty() && !loaded.is_older, "{case}: {loaded:?}");
        let found = loaded.checkpoint.as_ref().map_or(0, number_of);
        assert!((come.saved..=come.begun).contains(&found), "{case}: {found} of {come:?}");
        let is_killed = case.contains("KILL");
        assert!(is_killed || come.begun == SAVES, "{case}: {come:?}");
        if !is_killed && !case.ends_with('+') {
            // Only one save failed, and the one after it worked.
            assert!(come.saved >= SAVES - 1, "{case}: {come:?}");
        }
        store.save(&checkpoint(9)).expect("the next process saves");
    }
}

#[test]
fn a_second_process_is_told_who_has_it_until_that_one_is_killed() {
    let folder = folder();
    let (dir, noted) = (folder.path().join("state"), folder.path().join("notes"));
    let saver = Saver { dir: &dir, notes: &noted, saves: u64::MAX, is_careless: false }.start();
    let end = Instant::now() + Duration::from_secs(20);
    while notes(&noted).saved < 3 && Instant::now() < end {
        thread::sleep(Duration::from_millis(1));
    }
    let process = saver.0.id();
    match Store::open(&dir, true) {
        Err(StoreError::InUse { process: found, .. }) => assert_eq!(found, Some(process)),
        other => panic!("{other:?}"),
    }
    let shown = ended(&mut state(&dir));
    assert!(shown.text().contains(&format!("in use by process {process}\n")), "{shown:?}");
    drop(saver);
    let come = notes(&noted);
    let (_, loaded) = Store::open(&dir, false).expect("it is free again");
    let found = number_of(&loaded.checkpoint.expect("one was saved"));
    assert!((come.saved..=come.begun).contains(&found), "{found} of {come:?}");
}

#[test]
fn a_full_disk_stops_saving_and_room_lets_it_go_on() {
    let folder = folder();
    let disk = folder.path().join("small");
    fs::create_dir(&disk).expect("a directory");
    let mut mount = Command::new("mount");
    mount.args(["-t", "tmpfs", "-o", "size=1m,nr_inodes=20", "tmpfs"]).arg(&disk).stderr(Stdio::null());
    if !mount.status().is_ok_and(|status| status.success()) {
        return skip("a full disk under checkpoints: no tmpfs can be mounted here");
    }
    let tested = std::panic::catch_unwind(|| fill_and_save(&disk));
    let _ = Command::new("umount").arg("-l").arg(&disk).status();
    tested.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
}

fn fill_and_save(disk: &Path) {
    let dir = disk.join("state");
    let (mut store, _) = Store::open(&dir, false).expect("a store");
    (1..=2).for_each(|number| store.save(&checkpoint(number)).expect("there is room"));
    let filler = disk.join("filler");
    fs::write(&filler, vec![1; 2 << 20]).expect_err("it is full");
    for _ in 0..3 {
        let error = store.save(&checkpoint(3)).expect_err("it is full");
        assert_eq!(error.kind(), std::io::ErrorKind::StorageFull);
    }
    drop(store);
    // It starts on a full disk, too.
    let (mut store, loaded) = Store::open(&dir, false).expect("a store");
    assert_eq!(loaded.checkpoint, Some(checkpoint(2)));
    fs::remove_file(&filler).expect("ours");
    store.save(&checkpoint(4)).expect("there is room again");
    let many = (0..30).map(|number| disk.join(number.to_string())).take_while(|path| fs::write(path, "").is_ok());
    let many: Vec<PathBuf> = many.collect();
    assert!(many.len() < 30, "no inode is left");
    store.save(&checkpoint(5)).expect_err("no inode is left");
    fs::remove_file(&many[0]).expect("ours");
    store.save(&checkpoint(6)).expect("one is free");
    drop(store);
    assert_eq!(Store::open(&dir, false).expect("a store").1.checkpoint, Some(checkpoint(6)));
}

fn state(dir: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_logweir"));
    command.arg("state").arg(dir).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// `logweir state … | true`: whoever has seen enough has not made it fail.
#[test]
fn a_reader_of_state_may_go_away() {
    let folder = folder();
    let (mut store, _) = Store::open(folder.path(), false).expect("a store");
    // What is shown fits into a buffer, so that it fails at its end; then it does not, and fails in between.
    for times in [1, 500] {
        let few = checkpoint(1).files;
        let file = |number: u64| {
            let mut file = few[0].clone();
            (file.mark.id.inode, file.path) = (number, format!("/no/such/{number}.log").into());
            file
        };
        let files = (0..times).map(file).collect();
        store.save(&Checkpoint { files, ..checkpoint(1) }).expect("room");
        for more in [&["--json"][..], &[]] {
            let (reader, writer) = std::io::pipe().expect("a pipe");
            drop(reader);
            let ended = ended(state(folder.path()).args(more).stdout(writer));
            assert_eq!((ended.code(), &*ended.stderr), (Some(0), ""), "{more:?}: {ended:?}");
        }
    }
}

/// Standard output as text.
trait Text {
    fn text(&self) -> String;
}

impl Text for Ended {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }
}

/// A place in a file as it is now.
fn known(path: &Path, offset: usize) -> KnownFile {
    use std::os::unix::fs::MetadataExt;
    let (bytes, metadata) = (fs::read(path).expect("ours"), fs::metadata(path).expect("ours"));
    let id = FileId { device: metadata.dev(), inode: metadata.ino(), generation: None };
    let (head, tail) = (Print::of(&bytes[..4]), Print::of(&bytes[offset - 4..offset]));
    let mark = Mark { id, head, offset: offset as u64, tail, age: None, is_over: false, epoch: 0 };
    KnownFile { path: path.to_owned(), mark }
}

#[test]
fn state_is_held_against_the_files_as_they_are_now() {
    let folder = folder();
    let at = |name: &str| folder.path().join(name);
    let names =
        ["same.log", "rotated.log", "shorter.log", "changed.log", "gone.log", "replaced.log", "bad\u{1b}[31m.log"];
    names.iter().for_each(|name| fs::write(at(name), format!("{name}: a line\nand more\n")).expect("room"));
    let files = names.map(|name| known(&at(name), 12)).to_vec();
    let out = known(&at("same.log"), 8);
    let identity = (out.mark.id.device, out.mark.id.inode);
    let (generation, tail, behind) = (out.mark.id.generation, out.mark.tail, Behind::Ours);
    let sinks = vec![SinkMark { path: out.path, identity, generation, length: 8, tail, behind }];
    let (mut store, _) = Store::open(&at("state"), false).expect("a store");
    store.save(&checkpoint(1)).expect("room");
    store.save(&Checkpoint { files, sinks, ..checkpoint(2) }).expect("room");
    fs::rename(at("rotated.log"), at("rotated.log.1")).expect("ours");
    fs::write(at("shorter.log"), "short").expect("room");
    fs::write(at("changed.log"), "changed.LOG: other bytes and more of them").expect("room");
    // Kept open, so that its inode is not given away.
    let _gone = [fs::File::open(at("gone.log")), fs::File::open(at("replaced.log"))];
    fs::remove_file(at("gone.log")).expect("ours");
    fs::remove_file(at("replaced.log")).expect("ours");
    fs::write(at("replaced.log"), "replaced.log: a line\n").expect("room");

    let shown = ended(&mut state(&at("state")));
    println!("{}", shown.text());
    assert_eq!(shown.code(), Some(0), "{shown:?}");
    let text = shown.text().replace(&folder.path().display().to_string(), "");
    for expected in [
        "/same.log  (proved)",
        "/rotated.log  (proved; it is /rotated.log.1 now)",
        "/shorter.log  CHANGED: it became shorter",
        "/changed.log  CHANGED: other bytes stand before the place",
        "/gone.log  GONE",
        "/replaced.log  REPLACED: another file",
        "/bad\\x1b[31m.log  (proved)",
        "a start goes on from it",
    ] {
        assert!(text.contains(expected), "{expected}: {text}");
    }
    let json = ended(state(&at("state")).arg("--json"));
    let json: serde_json::Value = serde_json::from_slice(&json.stdout).expect("JSON");
    let verdicts = json["checkpoint"]["files"].as_array().expect("a list").iter().map(|file| &file["verdict"]);
    let expected = ["proved", "rotated", "changed", "changed", "gone", "replaced", "proved"];
    assert!(verdicts.eq(expected.iter()), "{json}");
}

#[test]
fn state_that_is_broken_is_shown_and_left_as_it_is() {
    let folder = folder();
    let dir = folder.path().join("state");
    let nothing = ended(&mut state(folder.path()));
    assert_eq!(nothing.code(), Some(2));
    assert!(nothing.said().join("").contains("there is no state of logweir here"), "{nothing:?}");
    let (mut store, _) = Store::open(&dir, false).expect("a store");
    (1..=2).for_each(|number| store.save(&checkpoint(number)).expect("room"));
    drop(store);
    fs::write(dir.join("checkpoint-b"), [0; 100]).expect("room");
    let shown = ended(&mut state(&dir));
    assert_eq!(shown.code(), Some(1));
    assert!(shown.text().contains("checkpoint-b  BAD: it is nothing but NUL bytes"), "{}", shown.text());
    drop(Store::open(&dir, false).expect("the older one"));
    fs::write(dir.join("checkpoint-a"), "").expect("room");
    let shown = ended(&mut state(&dir));
    println!("{}", shown.text());
    assert!(shown.text().contains("no checkpoint can be believed") && shown.text().contains("1 file put aside"));
    assert!(dir.join("checkpoint-a").exists());
}
