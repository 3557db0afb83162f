//! A process that saves checkpoints, to be disturbed: told where by its environment, it notes what it has begun and what
//! was acknowledged, where the disturbance does not reach.

use std::{
    fs::{self, File},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use jiff::Timestamp;
use logweir::{Checkpoint, FileId, Generation, KnownFile, Mark, Print, Store, Totals, internals};

const DIR: &str = "LOGWEIR_SAVER_DIR";
const NOTES: &str = "LOGWEIR_SAVER_NOTES";
const SAVES: &str = "LOGWEIR_SAVER_SAVES";
const CARELESS: &str = "LOGWEIR_SAVER_CARELESS";

/// A checkpoint that is known by its number, and not always of the same size.
pub fn checkpoint(number: u64) -> Checkpoint {
    let file = |inode| KnownFile {
        path: PathBuf::from(format!("/var/log/{number}/{inode}.log")),
        mark: Mark {
            id: FileId { device: 1, inode, generation: None },
            head: Print::of(b"head"),
            offset: 4 + number,
            tail: Print::of(b"tail"),
            age: None,
            is_over: false,
            epoch: 0,
        },
    };
    let time = Timestamp::from_second(number as i64).expect("a small number");
    Checkpoint {
        saved: time,
        since: time,
        files: (0..number % 40).map(file).collect(),
        sinks: Vec::new(),
        totals: Totals { records: number, ..Totals::default() },
    }
}

/// The number of a checkpoint that is whole.
pub fn number_of(found: &Checkpoint) -> u64 {
    let number = found.totals.records;
    assert_eq!(*found, checkpoint(number), "exactly what was saved");
    number
}

/// How far a saver has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Notes {
    /// The last save that was begun.
    pub begun: u64,
    /// The last one that worked.
    pub saved: u64,
}

/// What the saver has noted in this file.
pub fn notes(path: &Path) -> Notes {
    let bytes = fs::read(path).unwrap_or_default();
    let number = |at: usize| bytes.get(at..at + 8).map_or(0, |bytes| u64::from_le_bytes(bytes.try_into().expect("8")));
    Notes { begun: number(0), saved: number(8) }
}

/// What a saver is to do.
pub struct Saver<'a> {
    /// Where the state is.
    pub dir: &'a Path,
    /// Where it notes how far it is.
    pub notes: &'a Path,
    /// How often it saves.
    pub saves: u64,
    /// Instead of a store, a file that is written and renamed without any sync.
    pub is_careless: bool,
}

impl Saver<'_> {
    /// This test program again, as a saver, behind other words where it is to be run by another program.
    pub fn command(&self, before: &[String]) -> Command {
        let own = std::env::current_exe().expect("this program").into_os_string();
        let mut words = before.iter().map(Into::into).chain([own]);
        let mut command = Command::new(words.next().expect("this program"));
        command.args(words).args(["--ignored", "--exact", "--nocapture", "saver::saves"]);
        command.env(DIR, self.dir).env(NOTES, self.notes).env(SAVES, self.saves.to_string());
        if self.is_careless {
            command.env(CARELESS, "1");
        }
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command
    }

    /// The same, started, and killed when it is dropped.
    pub fn start(&self) -> Running {
        Running(self.command(&[]).spawn().expect("this program runs"))
    }
}

/// A saver that runs.
pub struct Running(pub Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill().and_then(|()| self.0.wait());
    }
}

#[test]
#[ignore = "a child of another test"]
fn saves() {
    let place = |name| std::env::var_os(name).map(PathBuf::from);
    let (Some(dir), Some(notes)) = (place(DIR), place(NOTES)) else { return };
    let saves = std::env::var(SAVES).expect("how often").parse().expect("a number");
    let notes = File::options().create(true).truncate(false).write(true).open(notes).expect("notes");
    let note = |number: u64, at| notes.write_all_at(&number.to_le_bytes(), at).expect("is noted");
    let mut save = if std::env::var_os(CARELESS).is_some() { careless(dir) } else { careful(&dir) };
    for number in 1..=saves {
        note(number, 0);
        if save(number).is_ok() {
            note(number, 8);
        }
    }
}

type Save = Box<dyn FnMut(u64) -> std::io::Result<()>>;

fn careful(dir: &Path) -> Save {
    let (mut store, _) = Store::open(dir, false).expect("a store");
    Box::new(move |number| store.save(&checkpoint(number)))
}

/// What many programs do: nothing is synced.
fn careless(dir: PathBuf) -> Save {
    fs::create_dir_all(&dir).expect("a directory");
    Box::new(move |number| {
        let new = dir.join("new");
        fs::write(&new, internals::checkpoint_file(&Generation { number, checkpoint: checkpoint(number) }))?;
        fs::rename(new, dir.join(["checkpoint-a", "checkpoint-b"][number as usize % 2]))
    })
}
