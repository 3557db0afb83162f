//! Fault 18, power loss: what is left of checkpoints when everything that has not reached the disk is gone.
//!
//! The disk is a file with ext4 in it, mounted through a loop device and with the least careful options there are. A copy
//! of that file holds what the file system had given to its disk at that moment, and nothing of what it still kept in
//! memory. A copy counts only if a second one is the same: else it would mix what was written at different times.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use logweir::Store;

use crate::{
    program::folder,
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
struct Disk {
    image: PathBuf,
    notes: PathBuf,
    saver: Running,
    _mounted: Mounted,
}

impl Disk {
    fn start(folder: &Path, is_careless: bool) -> Result<Self, String> {
        fs::create_dir_all(folder).expect("a directory");
        let (image, notes, at) = (folder.join("image"), folder.join("notes"), folder.join("disk"));
        fs::write(&image, [])
            .and_then(|()| fs::File::options().write(true).open(&image)?.set_len(4 << 20))
            .expect("room");
        said(Command::new("mkfs.ext4").args(["-q", "-b", "1024", "-J", "size=1"]).arg(&image))?;
        let mounted = Mounted::new(&image, &at, "data=writeback,noauto_da_alloc")?;
        // That the disk is there at all is no part of what is tested.
        said(&mut Command::new("sync"))?;
        let saver = Saver { dir: &at.join("state"), notes: &notes, saves: u64::MAX, is_careless }.start();
        Ok(Self { image, notes, saver, _mounted: mounted })
    }

    /// What is on the disk at one moment, and how far the saver was before and after.
    fn snapshot(&self) -> Option<(Notes, Vec<u8>, Notes)> {
        let end = Instant::now() + Duration::from_secs(2);
        while Instant::now() < end {
            let before = notes(&self.notes);
            let copy = fs::read(&self.image).expect("the image");
            if fs::read(&self.image).expect("the image") == copy {
                return Some((before, copy, notes(&self.notes)));
            }
        }
        None
    }

    fn wait_for(&self, saved: u64) {
        let end = Instant::now() + Duration::from_secs(10);
        while notes(&self.notes).saved < saved && Instant::now() < end {
            thread::sleep(Duration::from_millis(1));
        }
        assert!(notes(&self.notes).saved >= saved, "the saver saves: {:?}", self.saver.0.id());
    }
}

/// What is loaded after the power came back: the number of the checkpoint, or what was said instead.
///
/// Each copy is a file of its own: one that is still in use, because another test's child has it open for a moment, would
/// be mounted again as it is in memory, and not as it is in the file.
fn loaded(folder: &Path, copy: &[u8]) -> Result<u64, String> {
    let again = tempfile::tempdir_in(folder).expect("room");
    let image = again.path().join("copy");
    fs::write(&image, copy).expect("room");
    let mounted = Mounted::new(&image, &again.path().join("disk"), "rw")?;
    let state = mounted.0.join("state");
    let (_, loaded) = Store::open(&state, false).map_err(|error| error.to_string())?;
    if !loaded.said.is_empty() {
        return Err(loaded.said.join("\n"));
    }
    Ok(loaded.checkpoint.map_or(0, |found| number_of(&found)))
}

#[test]
fn a_power_cut_leaves_the_last_checkpoint_that_was_acknowledged_or_the_one_in_the_making() {
    let folder = folder();
    let disk = match Disk::start(&folder.path().join("careful"), false) {
        Ok(disk) => disk,
        Err(why) => return skip(&format!("power loss: no ext4 image can be mounted here ({why})")),
    };
    disk.wait_for(3);
    let (start, mut taken, mut halfway) = (Instant::now(), 0, 0);
    while taken < SNAPSHOTS && start.elapsed() < TIME_MAX {
        thread::sleep(Duration::from_micros(fastrand::u64(..5_000)));
        let Some((before, copy, after)) = disk.snapshot() else { continue };
        let number = loaded(folder.path(), &copy).unwrap_or_else(|said| panic!("{before:?} {after:?}: {said}"));
        assert!((before.saved..=after.begun).contains(&number), "{before:?} {number} {after:?}");
        taken += 1;
        halfway += usize::from(before.begun > before.saved);
    }
    println!("{taken} snapshots in {:?}, {halfway} in the middle of a save; {:?}", start.elapsed(), notes(&disk.notes));
    assert!(taken >= SNAPSHOTS / 4 && halfway > 0, "{taken} snapshots, {halfway} in the middle of a save");
    if taken < SNAPSHOTS {
        skip(&format!("power loss: {} of {SNAPSHOTS} snapshots, there was no time for more", SNAPSHOTS - taken));
    }
}

/// The twin that must fail, or the test above would prove nothing.
#[test]
fn a_power_cut_takes_what_was_never_synced() {
    let folder = folder();
    let Ok(disk) = Disk::start(&folder.path().join("careless"), true) else {
        return skip("power loss without sync: no ext4 image can be mounted here");
    };
    disk.wait_for(50);
    let (before, copy, _) = disk.snapshot().expect("a moment without writing");
    let found = loaded(folder.path(), &copy);
    assert!(found.as_ref().map_or(true, |&number| number < before.saved), "{before:?} {found:?}");
}
