//! Fault 18, power loss: what is left of checkpoints when everything that has not reached the disk is gone.
//!
//! The disk is a file with ext4 in it, mounted through a loop device and with the least careful options there are. A copy
//! of that file holds what the file system had given to its disk at that moment, and nothing of what it still kept in
//! memory. A copy counts only if a second one is the same: else it would mix what was written at different times.

use std::{
    collections::BTreeSet,
    fs,
    io::Write,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use logweir::{Checkpoint, Store};

use crate::{
    program::{Program, file, folder, follow},
    saver::{Notes, Running, Saver, notes, number_of},
    support::skip,
};

const SNAPSHOTS: usize = 100;
/// No copy is asked for after this.
const TIME_MAX: Duration = Duration::from_secs(25);

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

/// A small disk, and what runs on it.
struct Disk<R> {
    image: PathBuf,
    runs: R,
    _mounted: Mounted,
}

/// What saves checkpoints as fast as it can, and notes how far it is.
struct Saving {
    notes: PathBuf,
    saver: Running,
}

impl<R> Disk<R> {
    /// Makes one of `mib` MiB below `folder`, and starts on it what `start` says.
    fn start(folder: &Path, mib: u64, start: impl FnOnce(&Path) -> R) -> Result<Self, String> {
        fs::create_dir_all(folder).expect("a directory");
        let (image, at) = (folder.join("image"), folder.join("disk"));
        fs::write(&image, [])
            .and_then(|()| fs::File::options().write(true).open(&image)?.set_len(mib << 20))
            .expect("room");
        said(Command::new("mkfs.ext4").args(["-q", "-b", "1024", "-J", "size=1"]).arg(&image))?;
        let mounted = Mounted::new(&image, &at, "data=writeback,noauto_da_alloc")?;
        // That the disk is there at all is no part of what is tested.
        said(&mut Command::new("sync"))?;
        Ok(Self { image, runs: start(&at), _mounted: mounted })
    }

    /// What is on the disk at one moment, and what `look` saw before and after.
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

impl Disk<Saving> {
    fn saving(folder: &Path, is_careless: bool) -> Result<Self, String> {
        let notes = folder.join("notes");
        Self::start(folder, 4, |at| {
            let saver = Saver { dir: &at.join("state"), notes: &notes, saves: u64::MAX, is_careless }.start();
            Saving { notes: notes.clone(), saver }
        })
    }

    fn notes(&self) -> Notes {
        notes(&self.runs.notes)
    }

    fn wait_for(&self, saved: u64) {
        let end = Instant::now() + Duration::from_secs(10);
        while self.notes().saved < saved && Instant::now() < end {
            thread::sleep(Duration::from_millis(1));
        }
        assert!(self.notes().saved >= saved, "the saver saves: {:?}", self.runs.saver.0.id());
    }
}

/// A copy of the disk, as it is after the power came back.
///
/// Each copy is a file of its own: one that is still in use, because another test's child has it open for a moment, would
/// be mounted again as it is in memory, and not as it is in the file.
fn again<T>(folder: &Path, copy: &[u8], look: impl FnOnce(&Path) -> T) -> Result<T, String> {
    let again = tempfile::tempdir_in(folder).expect("room");
    let image = again.path().join("copy");
    fs::write(&image, copy).expect("room");
    let mounted = Mounted::new(&image, &again.path().join("disk"), "rw")?;
    Ok(look(&mounted.0))
}

/// The checkpoint that is loaded from `disk`, or what was said instead.
fn checkpoint(disk: &Path) -> Result<Option<Checkpoint>, String> {
    let (_, loaded) = Store::open(&disk.join("state"), false).map_err(|error| error.to_string())?;
    if loaded.said.is_empty() { Ok(loaded.checkpoint) } else { Err(loaded.said.join("\n")) }
}

/// The number of the checkpoint that is loaded after the power came back, or what was said instead.
fn loaded(folder: &Path, copy: &[u8]) -> Result<u64, String> {
    let found = again(folder, copy, checkpoint)??;
    Ok(found.map_or(0, |found| number_of(&found)))
}

#[test]
fn a_power_cut_leaves_the_last_checkpoint_that_was_acknowledged_or_the_one_in_the_making() {
    let folder = folder();
    let disk = match Disk::saving(&folder.path().join("careful"), false) {
        Ok(disk) => disk,
        Err(why) => return skip(&format!("power loss: no ext4 image can be mounted here ({why})")),
    };
    disk.wait_for(3);
    let (start, mut taken, mut halfway) = (Instant::now(), 0, 0);
    while taken < SNAPSHOTS && start.elapsed() < TIME_MAX {
        thread::sleep(Duration::from_micros(fastrand::u64(..5_000)));
        let Some((before, copy, after)) = disk.snapshot(|| disk.notes()) else { continue };
        let number = loaded(folder.path(), &copy).unwrap_or_else(|said| panic!("{before:?} {after:?}: {said}"));
        assert!((before.saved..=after.begun).contains(&number), "{before:?} {number} {after:?}");
        taken += 1;
        halfway += usize::from(before.begun > before.saved);
    }
    println!("{taken} snapshots in {:?}, {halfway} in the middle of a save; {:?}", start.elapsed(), disk.notes());
    assert!(taken >= SNAPSHOTS / 4 && halfway > 0, "{taken} snapshots, {halfway} in the middle of a save");
    if taken < SNAPSHOTS {
        skip(&format!("power loss: {} of {SNAPSHOTS} snapshots, there was no time for more", SNAPSHOTS - taken));
    }
}

/// The twin that must fail, or the test above would prove nothing.
#[test]
fn a_power_cut_takes_what_was_never_synced() {
    let folder = folder();
    let Ok(disk) = Disk::saving(&folder.path().join("careless"), true) else {
        return skip("power loss without sync: no ext4 image can be mounted here");
    };
    disk.wait_for(50);
    let (before, copy, _) = disk.snapshot(|| disk.notes()).expect("a moment without writing");
    let found = loaded(folder.path(), &copy);
    assert!(found.as_ref().map_or(true, |&number| number < before.saved), "{before:?} {found:?}");
}

/// What a checkpoint says is delivered stands in the file that is written, whenever the power goes.
#[test]
fn a_power_cut_takes_no_line_that_a_checkpoint_has_passed() {
    const CUTS: usize = 30;
    let folder = folder();
    let log = file(folder.path(), "app.log", "");
    let disk = Disk::start(&folder.path().join("followed"), 16, |at| {
        let text = format!(
            "[[processor]]\nid = 'all'\nkind = 'pass'\n\n[[sink]]\nid = 'copy'\nfrom = 'all'\nkind = 'file'\npath = '{}'\n",
            at.join("out").display()
        );
        let config = file(folder.path(), "copying.toml", text);
        let mut command = follow();
        command.args(["--from", "start", "--report", "none", "--state"]).arg(at.join("state"));
        Program::start(command.arg("-c").arg(config).arg(&log))
    });
    let Ok(disk) = disk else { return skip("power loss under a written file: no ext4 image can be mounted here") };
    let (stop, mut taken, mut places) = (AtomicBool::new(false), 0, BTreeSet::new());
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut out = fs::File::options().append(true).open(&log).expect("ours");
            for number in 0.. {
                out.write_all(format!("INFO line {number}\n").as_bytes()).expect("there is room");
                thread::sleep(Duration::from_millis(1));
                if stop.load(Ordering::Relaxed) {
                    return;
                }
            }
        });
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            let start = Instant::now();
            while taken < CUTS && start.elapsed() < TIME_MAX {
                thread::sleep(Duration::from_micros(fastrand::u64(..50_000)));
                let Some((_, copy, _)) = disk.snapshot(|| ()) else { continue };
                let found = again(folder.path(), &copy, |disk| (checkpoint(disk), fs::read(disk.join("out"))));
                let (checkpoint, out) = found.expect("it can be mounted again");
                let Some(checkpoint) = checkpoint.expect("a checkpoint") else { continue };
                let (Some(mark), Some(known)) = (checkpoint.sinks.first(), checkpoint.files.first()) else { continue };
                let (out, length) = (out.expect("it was there before the checkpoint"), mark.length as usize);
                let read = fs::read(&log).expect("ours");
                assert_eq!(mark.length, known.mark.offset, "the same lines, and as many");
                assert!(out.get(..length) == Some(&read[..length]), "{} of {length} bytes are there", out.len());
                taken += 1;
                places.insert(length);
            }
        }));
        stop.store(true, Ordering::Relaxed);
        outcome.unwrap_or_else(|panic| resume_unwind(panic));
    });
    println!("{taken} cuts at {} places", places.len());
    assert!(taken > 0 && places.len() > taken / 4, "{taken} cuts at {places:?}");
    if taken < CUTS {
        skip(&format!("power loss under a written file: {} of {CUTS} cuts, there was no time for more", CUTS - taken));
    }
}
