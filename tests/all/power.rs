//! Fault 18, power loss: what is left of checkpoints, and of what was written, when everything that has not reached the disk
//! is gone.
//!
//! The disk is a file with ext4 in it, mounted through a loop device and with the least careful options there are. A copy
//! of that file holds what the file system had given to its disk at that moment, and nothing of what it still kept in
//! memory. A copy counts only if a second one is the same: else it would mix what was written at different times.

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use logweir::{Checkpoint, Store, examine_state};

use crate::{
    follow::{Strace, copying},
    program::{HANG, Program, file, folder, follow},
    saver::{Notes, Running, Saver, notes, number_of},
    support::skip,
};

/// All of them are taken, or the test fails.
const SNAPSHOTS: usize = 100;
/// What they take for less than a quarter of that: reaching it is a hang.
const TIME_MAX: Duration = Duration::from_secs(100);

/// A file system that is mounted, until this is dropped.
struct Mounted(PathBuf);

impl Mounted {
    fn new(image: &Path, at: &Path, options: &str) -> Result<Self, String> {
        fs::create_dir_all(at).expect("a directory");
        let options = format!("loop,{options}");
        said(Command::new("mount").args(["-t", "ext4", "-o", &options]).args([image, at]))?;
        Ok(Self(at.to_owned()))
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

/// Runs a command; if that does not work, what it says.
fn said(command: &mut Command) -> Result<(), String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.stdin(Stdio::null()).output().map_err(|error| format!("{name}: {error}"))?;
    let words = String::from_utf8_lossy(&output.stderr);
    if output.status.success() { Ok(()) } else { Err(format!("{name}: {}", words.lines().next().unwrap_or_default())) }
}

/// A small disk.
struct Disk {
    image: PathBuf,
    mounted: Mounted,
}

impl Disk {
    fn new(folder: &Path) -> Result<Self, String> {
        fs::create_dir_all(folder).expect("a directory");
        let (image, at) = (folder.join("image"), folder.join("disk"));
        fs::write(&image, [])
            .and_then(|()| fs::File::options().write(true).open(&image)?.set_len(4 << 20))
            .expect("room");
        said(Command::new("mkfs.ext4").args(["-q", "-b", "1024", "-J", "size=1"]).arg(&image))?;
        let mounted = Mounted::new(&image, &at, "data=writeback,noauto_da_alloc")?;
        // That the disk is there at all is no part of what is tested.
        said(&mut Command::new("sync"))?;
        Ok(Self { image, mounted })
    }

    /// What is on the disk at one moment, and what `look` says just before and after.
    fn snapshot<T>(&self, look: impl Fn() -> T) -> Option<(T, Vec<u8>, T)> {
        let end = Instant::now() + Duration::from_secs(2);
        while Instant::now() < end {
            let before = look();
            let copy = fs::read(&self.image).expect("the image");
            if fs::read(&self.image).expect("the image") == copy {
                return Some((before, copy, look()));
            }
        }
        None
    }
}

/// Something that saves checkpoints on a small disk.
struct Saving {
    notes: PathBuf,
    // Ends before its disk is taken away.
    saver: Running,
    disk: Disk,
}

impl Saving {
    fn start(folder: &Path, is_careless: bool) -> Result<Self, String> {
        let (disk, notes) = (Disk::new(folder)?, folder.join("notes"));
        let saver = Saver { dir: &disk.mounted.0.join("state"), notes: &notes, saves: u64::MAX, is_careless }.start();
        Ok(Self { notes, saver, disk })
    }

    fn snapshot(&self) -> Option<(Notes, Vec<u8>, Notes)> {
        self.disk.snapshot(|| notes(&self.notes))
    }

    fn wait_for(&self, saved: u64) {
        let end = Instant::now() + Duration::from_secs(10);
        while notes(&self.notes).saved < saved && Instant::now() < end {
            thread::sleep(Duration::from_millis(1));
        }
        assert!(notes(&self.notes).saved >= saved, "the saver saves: {:?}", self.saver.0.id());
    }
}

/// What `look` finds on a disk after the power came back.
///
/// Each copy is a file of its own: one that is still in use, because another test's child has it open for a moment, would
/// be mounted again as it is in memory, and not as it is in the file.
fn after_power_loss<T>(folder: &Path, copy: &[u8], look: impl FnOnce(&Path) -> Result<T, String>) -> Result<T, String> {
    let again = tempfile::tempdir_in(folder).expect("room");
    let image = again.path().join("copy");
    fs::write(&image, copy).expect("room");
    let mounted = Mounted::new(&image, &again.path().join("disk"), "rw")?;
    look(&mounted.0)
}

/// The checkpoint that is loaded from a disk, or what was said instead.
fn loaded(disk: &Path) -> Result<Option<Checkpoint>, String> {
    let (_, loaded) = Store::open(&disk.join("state"), false).map_err(|error| error.to_string())?;
    if loaded.said.is_empty() { Ok(loaded.checkpoint) } else { Err(loaded.said.join("\n")) }
}

fn loaded_number(disk: &Path) -> Result<u64, String> {
    Ok(loaded(disk)?.map_or(0, |found| number_of(&found)))
}

#[test]
fn a_power_cut_leaves_the_last_checkpoint_that_was_acknowledged_or_the_one_in_the_making() {
    let folder = folder();
    let disk = match Saving::start(&folder.path().join("careful"), false) {
        Ok(disk) => disk,
        Err(why) => return skip(&format!("power loss: no ext4 image can be mounted here ({why})")),
    };
    disk.wait_for(3);
    let (start, mut taken, mut halfway) = (Instant::now(), 0, 0);
    while taken < SNAPSHOTS && start.elapsed() < TIME_MAX {
        thread::sleep(Duration::from_micros(fastrand::u64(..5_000)));
        let Some((before, copy, after)) = disk.snapshot() else { continue };
        let number = after_power_loss(folder.path(), &copy, loaded_number)
            .unwrap_or_else(|said| panic!("{before:?} {after:?}: {said}"));
        assert!((before.saved..=after.begun).contains(&number), "{before:?} {number} {after:?}");
        taken += 1;
        halfway += usize::from(before.begun > before.saved);
    }
    println!("{taken} snapshots in {:?}, {halfway} in the middle of a save; {:?}", start.elapsed(), notes(&disk.notes));
    assert!(taken == SNAPSHOTS && halfway > 0, "{taken} snapshots, {halfway} in the middle of a save");
}

/// A line that is known by its number.
fn line(number: u64) -> String {
    format!("INFO line {number:06}\n")
}

/// The newest checkpoint that can be seen in the state of somebody who runs, by its number.
fn generation(state: &Path) -> u64 {
    examine_state(state).ok().and_then(|report| report.checkpoint).map_or(0, |checkpoint| checkpoint.generation)
}

/// What a power loss leaves of a follower: how many lines its checkpoint says are delivered, and the number of that
/// checkpoint. That many lines stand in the file that it wrote, in order, each once.
fn check_delivered(disk: &Path) -> Result<(u64, u64), String> {
    let number = generation(&disk.join("state"));
    let Some(checkpoint) = loaded(disk)? else { return Ok((0, number)) };
    let (Some(read), Some(sink)) = (checkpoint.files.first(), checkpoint.sinks.first()) else { return Ok((0, number)) };
    let lines = read.mark.offset / line(0).len() as u64;
    let out = fs::read(disk.join("out")).map_err(|error| format!("out: {error}"))?;
    let wanted: String = (0..lines).map(line).collect();
    let found = out.get(..sink.length as usize).ok_or_else(|| format!("{} bytes, not {}", out.len(), sink.length))?;
    if found != wanted.as_bytes() || checkpoint.totals.records != lines {
        return Err(format!("{lines} lines are acknowledged, {} counted, and others found", checkpoint.totals.records));
    }
    Ok((lines, number))
}

/// A follower that writes what it reads to a small disk, and keeps its state there.
struct Following {
    program: Program,
    writer: fs::File,
    written: u64,
    state: PathBuf,
    // Last: it is in use until then.
    disk: Disk,
}

impl Following {
    fn start(folder: &Path, traced: impl FnOnce(Command) -> Command) -> Result<Self, String> {
        let disk = Disk::new(&folder.join("followed"))?;
        let (state, out) = (disk.mounted.0.join("state"), disk.mounted.0.join("out"));
        let log = file(folder, "app.log", "");
        let mut command = follow();
        command.args(["--from", "start", "--report", "none", "--state"]).arg(&state);
        command.arg("-c").arg(copying(folder, &out)).arg(&log);
        let program = Program::start(&mut traced(command));
        let writer = fs::File::options().append(true).open(&log).expect("a file of ours");
        Ok(Self { program, writer, written: 0, state, disk })
    }

    /// Appends some lines, and takes a copy of the disk before they are acknowledged, meanwhile, or behind that.
    fn snapshot(&mut self) -> Option<(u64, Vec<u8>, u64)> {
        let more = self.written + fastrand::u64(1..100);
        self.writer.write_all((self.written..more).map(line).collect::<String>().as_bytes()).expect("room");
        self.written = more;
        thread::sleep(Duration::from_micros(fastrand::u64(..60_000)));
        self.disk.snapshot(|| generation(&self.state))
    }
}

/// The real follower: its checkpoint is one of the last two, and every line that it says is delivered is there.
#[test]
fn a_power_cut_takes_no_line_that_was_acknowledged() {
    let folder = folder();
    let mut following = match Following::start(folder.path(), |command| command) {
        Ok(following) => following,
        Err(why) => return skip(&format!("power loss of a follower: no ext4 image can be mounted here ({why})")),
    };
    let (start, mut taken, mut most) = (Instant::now(), 0, 0);
    while taken < SNAPSHOTS && start.elapsed() < TIME_MAX {
        let Some((before, copy, after)) = following.snapshot() else { continue };
        let checked = after_power_loss(folder.path(), &copy, check_delivered);
        let (lines, number) = checked.unwrap_or_else(|said| panic!("{before} {after}: {said}"));
        // What can be seen may not be on disk yet, but the one before it is.
        assert!((before.saturating_sub(1)..=after).contains(&number), "{before} {number} {after}");
        assert!((most..=following.written).contains(&lines), "{most} {lines} {}", following.written);
        (taken, most) = (taken + 1, lines);
    }
    println!("{taken} snapshots in {:?}, {most} lines", start.elapsed());
    assert!(taken == SNAPSHOTS && most > 0, "{taken} snapshots, {most} lines");
    following.program.kill();
}

/// Its twin: where the system only says that it has synced, something that was acknowledged is gone.
#[test]
fn a_power_cut_takes_lines_where_nothing_is_synced() {
    let folder = folder();
    let Some(strace) = Strace::new(folder.path(), "power loss of a follower that does not sync") else { return };
    let traced = |command| strace.command(&command, "fsync,fdatasync:retval=0", None);
    let Ok(mut following) = Following::start(folder.path(), traced) else {
        return skip("power loss of a follower that does not sync: no ext4 image can be mounted here");
    };
    let (start, mut is_gone) = (Instant::now(), false);
    while !is_gone && start.elapsed() < HANG {
        let Some((before, copy, _)) = following.snapshot() else { continue };
        let checked = after_power_loss(folder.path(), &copy, check_delivered);
        is_gone = checked.map_or(true, |(_, number)| number + 1 < before);
    }
    assert!(is_gone && strace.injected() > 0);
    following.program.kill();
}

/// The twin that must fail, or the test above would prove nothing.
#[test]
fn a_power_cut_takes_what_was_never_synced() {
    let folder = folder();
    let Ok(disk) = Saving::start(&folder.path().join("careless"), true) else {
        return skip("power loss without sync: no ext4 image can be mounted here");
    };
    disk.wait_for(50);
    let (before, copy, _) = disk.snapshot().expect("a moment without writing");
    let found = after_power_loss(folder.path(), &copy, loaded_number);
    assert!(found.as_ref().map_or(true, |&number| number < before.saved), "{before:?} {found:?}");
}
