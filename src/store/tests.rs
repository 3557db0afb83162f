//! Checkpoints on disk: what is believed, what is not, and what becomes of the rest.

use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
};

use jiff::Timestamp;
use proptest::prelude::*;

use super::{
    Checkpoint, Loaded, Store, StoreError, Unbelievable,
    generation::{decode, encode},
    lock::{self, Holder},
    slots::{self, SLOTS},
};
use crate::{
    limits,
    metrics::{NodeTotals, Totals},
    place::{Behind, FileId, KnownFile, Mark, Print, SinkMark},
};

/// A checkpoint with something in each part, told apart by `number`.
pub(super) fn checkpoint(number: u64) -> Checkpoint {
    let head = Print::of(b"head");
    let mark = |inode, offset| Mark {
        id: FileId { device: 7, inode, generation: Some(3) },
        head,
        offset,
        tail: Print::of(b"tail"),
        age: None,
        is_over: false,
        epoch: 0,
    };
    let node = NodeTotals { records_in: number, dropped: number, ..NodeTotals::default() };
    Checkpoint {
        saved: Timestamp::from_second(1_800_000_000 + number as i64).unwrap(),
        since: Timestamp::from_second(1_700_000_000).unwrap(),
        files: vec![
            KnownFile { path: PathBuf::from("/var/log/app.log"), mark: mark(1, 1_000 + number) },
            KnownFile { path: bytes_path(b"/var/log/\xff\n.log"), mark: mark(2, u64::from(head.bytes)) },
        ],
        sinks: vec![SinkMark {
            path: PathBuf::from("/srv/out.log"),
            identity: (7, 9),
            generation: Some(11),
            length: 4 + number,
            tail: Print::of(b"tail"),
            behind: Behind::Shared,
        }],
        totals: Totals {
            bytes: number * 100,
            records: number,
            nodes: [("start".to_owned(), node)].into(),
            ..Totals::default()
        },
    }
}

fn bytes_path(bytes: &[u8]) -> PathBuf {
    use std::os::unix::ffi::OsStrExt;
    PathBuf::from(std::ffi::OsStr::from_bytes(bytes))
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a folder")
}

/// Saves checkpoints with these numbers, and lets go of the directory.
fn saved(dir: &Path, numbers: std::ops::RangeInclusive<u64>) {
    let (mut store, _) = Store::open(dir, false).unwrap();
    numbers.for_each(|number| store.save(&checkpoint(number)).unwrap());
}

fn load(dir: &Path) -> Loaded {
    Store::open(dir, false).unwrap().1
}

fn names(dir: &Path) -> Vec<String> {
    slots::names(dir).unwrap()
}

/// The slot that holds the newest, and the one before.
fn newest_and_older(dir: &Path) -> (PathBuf, PathBuf) {
    let number = |name: &str| decode(&fs::read(dir.join(name)).unwrap()).unwrap().number;
    let [a, b] = SLOTS.map(|name| dir.join(name));
    if number(SLOTS[0]) > number(SLOTS[1]) { (a, b) } else { (b, a) }
}

#[test]
fn what_was_saved_last_is_loaded() {
    let folder = folder();
    let dir = folder.path().join("some/where");
    assert_eq!(load(&dir).checkpoint, None);
    for last in 1..6 {
        saved(&dir, last..=last);
        let loaded = load(&dir);
        assert_eq!(loaded.checkpoint, Some(checkpoint(last)));
        assert!(loaded.said.is_empty() && !loaded.is_older, "{loaded:?}");
    }
    assert_eq!(names(&dir), [SLOTS[0], SLOTS[1], "lock"]);
}

#[test]
fn nobody_else_can_read_it() {
    let folder = folder();
    let dir = folder.path().join("above/state");
    saved(&dir, 1..=2);
    let mode = |path: &Path| path.metadata().unwrap().mode() & 0o777;
    assert_eq!((mode(&dir), mode(dir.parent().unwrap())), (0o700, 0o700));
    assert!(names(&dir).iter().all(|name| mode(&dir.join(name)) == 0o600));
    fs::set_permissions(&dir, fs::Permissions::from_mode(0o722)).unwrap();
    let loaded = load(&dir);
    assert_eq!(loaded.checkpoint, Some(checkpoint(2)));
    assert!(loaded.said[0].contains("others may write"), "{loaded:?}");
}

#[test]
fn only_one_at_a_time_has_it_and_the_other_is_told_who() {
    let folder = folder();
    let dir = folder.path();
    assert_eq!(lock::holder(dir), Holder::Nobody);
    let first = Store::open(dir, false).unwrap();
    let words = Store::open(dir, true).unwrap_err().to_string();
    let expected = format!("{}: in use by another logweir (process {}); end that", dir.display(), std::process::id());
    assert!(words.starts_with(&expected), "{words}");
    assert_eq!(lock::holder(dir), Holder::Process(Some(std::process::id())));
    drop(first);
    assert_eq!(lock::holder(dir), Holder::Nobody);
    Store::open(dir, false).unwrap();
}

#[test]
fn every_flipped_byte_is_noticed_and_the_older_checkpoint_taken() {
    let bytes = encode(7, &checkpoint(7)).unwrap();
    for at in 0..bytes.len() {
        for change in 1..=255 {
            let mut flipped = bytes.clone();
            flipped[at] ^= change;
            let found = decode(&flipped);
            assert!(found.is_err(), "byte {at} as {:#x}", flipped[at]);
        }
    }
}

#[test]
fn every_truncation_and_every_appended_byte_is_noticed() {
    let bytes = encode(7, &checkpoint(7)).unwrap();
    assert_eq!(decode(&bytes).unwrap().checkpoint, checkpoint(7));
    for length in 0..bytes.len() {
        assert!(decode(&bytes[..length]).is_err(), "{length}");
        // What a file system leaves where the length reached the disk, and the rest did not.
        let mut zeroed = bytes.clone();
        zeroed[length..].fill(0);
        assert!(decode(&zeroed).is_err(), "{length}");
    }
    assert!((0..=255).all(|more| decode(&[&bytes[..], &[more]].concat()).is_err()));
}

#[test]
fn damage_on_disk_leads_to_the_checkpoint_before_and_is_said() {
    let folder = folder();
    for (round, step) in [1, 7, 40].into_iter().enumerate() {
        let dir = folder.path().join(round.to_string());
        saved(&dir, 1..=4);
        let (newest, _) = newest_and_older(&dir);
        let good = fs::read(&newest).unwrap();
        for length in (0..good.len()).step_by(step * 20) {
            fs::write(&newest, &good[..length]).unwrap();
            let loaded = load(&dir);
            assert_eq!(loaded.checkpoint, Some(checkpoint(3)), "{length}");
            assert!(loaded.is_older && loaded.said.len() == 2, "{loaded:?}");
            assert!(loaded.said[0].contains("put aside") && loaded.said[1].contains("generation 3"), "{loaded:?}");
            assert!(!newest.exists());
        }
        let aside = names(&dir).iter().filter(|name| slots::is_aside(name)).count();
        assert!((1..=limits::CHECKPOINTS_ASIDE).contains(&aside), "{aside}");
        // The good one is never the one that is written next.
        saved(&dir, 5..=5);
        let (newest, older) = newest_and_older(&dir);
        assert_eq!(decode(&fs::read(newest).unwrap()).unwrap().checkpoint, checkpoint(5));
        assert_eq!(decode(&fs::read(older).unwrap()).unwrap().checkpoint, checkpoint(3));
    }
}

#[test]
fn damage_of_the_older_one_costs_nothing_but_is_said() {
    let folder = folder();
    saved(folder.path(), 1..=2);
    let (_, older) = newest_and_older(folder.path());
    fs::write(older, [0; 300]).unwrap();
    let loaded = load(folder.path());
    assert_eq!(loaded.checkpoint, Some(checkpoint(2)));
    assert!(loaded.said[0].contains("nothing but NUL bytes"), "{loaded:?}");
}

#[test]
fn without_a_good_one_it_refuses_as_often_as_it_is_started_and_touches_nothing() {
    let folder = folder();
    let dir = folder.path();
    saved(dir, 1..=2);
    SLOTS.iter().for_each(|name| fs::write(dir.join(name), "").unwrap());
    for _ in 0..3 {
        let words = Store::open(dir, false).unwrap_err().to_string();
        assert_eq!(
            words,
            format!(
                "{}: no checkpoint here can be believed: checkpoint-a (it is empty), checkpoint-b (it is empty); start \
                 anew with --forget-state (the files will be put aside, not deleted)",
                dir.display()
            )
        );
    }
    let (mut store, loaded) = Store::open(dir, true).unwrap();
    assert_eq!((loaded.checkpoint, loaded.said.len()), (None, 2));
    store.save(&checkpoint(1)).unwrap();
    drop(store);
    assert_eq!(load(dir).checkpoint, Some(checkpoint(1)));
    assert_eq!(names(dir).len(), 4, "{:?}", names(dir));
}

#[test]
fn one_slot_alone_that_is_bad_is_no_fresh_start() {
    let folder = folder();
    fs::write(folder.path().join(SLOTS[1]), "something").unwrap();
    assert!(matches!(Store::open(folder.path(), false), Err(StoreError::NoneGood { .. })));
}

#[test]
fn forgetting_puts_good_ones_aside_whole_and_counts_on() {
    let folder = folder();
    let dir = folder.path();
    saved(dir, 1..=2);
    let (mut store, loaded) = Store::open(dir, true).unwrap();
    assert_eq!(loaded.checkpoint, None);
    assert!(loaded.said.iter().all(|line| line.starts_with("forgotten: generation ")), "{loaded:?}");
    let old: Vec<_> = names(dir).into_iter().filter(|name| name.contains(".old-")).collect();
    assert!(old.len() == 2 && old.iter().all(|name| decode(&fs::read(dir.join(name)).unwrap()).is_ok()));
    store.save(&checkpoint(9)).unwrap();
    assert_eq!(decode(&fs::read(dir.join(SLOTS[0])).unwrap()).unwrap().number, 3);
}

#[test]
fn files_that_were_put_aside_do_not_pile_up() {
    let folder = folder();
    let dir = folder.path();
    for _ in 0..limits::CHECKPOINTS_ASIDE + 5 {
        fs::write(dir.join(SLOTS[0]), "x").unwrap();
        Store::open(dir, true).unwrap();
    }
    assert_eq!(names(dir).iter().filter(|name| slots::is_aside(name)).count(), limits::CHECKPOINTS_ASIDE);
}

#[test]
fn what_is_no_checkpoint_is_called_by_its_name() {
    let header = |text: &str| decode(format!("{text}\n{{}}").as_bytes()).unwrap_err();
    assert_eq!(decode(b"").unwrap_err(), Unbelievable::Empty);
    assert_eq!(decode(&[0; 512]).unwrap_err(), Unbelievable::Nul);
    assert_eq!(header("{\"version\":1}"), Unbelievable::Foreign);
    assert_eq!(header("logweir-checkpoint version=2 whatever comes"), Unbelievable::Newer(2));
    assert_eq!(header("logweir-checkpoint version=0 generation=1 bytes=2 xxh3=0"), Unbelievable::Header);
    assert_eq!(header("logweir-checkpoint"), Unbelievable::Header);
    let good = encode(5, &checkpoint(5)).unwrap();
    let text = String::from_utf8_lossy(&good).into_owned();
    // The same numbers in other words.
    for (from, to) in [("=5", "=05"), ("=5", "=+5"), (" bytes", "  bytes"), ("\n{", " \n{")] {
        assert_eq!(decode(text.replacen(from, to, 1).as_bytes()).unwrap_err(), Unbelievable::Header);
    }
    assert_eq!(decode(text.replacen("=5", "=6", 1).as_bytes()).unwrap_err(), Unbelievable::Hash);
    assert_eq!(decode(text.replacen("=5", "=0", 1).as_bytes()).unwrap_err(), Unbelievable::Header);
}

#[test]
fn what_is_in_the_way_of_a_slot_is_put_aside_and_not_followed() {
    let folder = folder();
    let dir = folder.path().join("state");
    saved(&dir, 1..=2);
    let (newest, _) = newest_and_older(&dir);
    let elsewhere = folder.path().join("elsewhere");
    fs::rename(&newest, &elsewhere).unwrap();
    std::os::unix::fs::symlink(&elsewhere, &newest).unwrap();
    assert_eq!(load(&dir).checkpoint, Some(checkpoint(1)));
    fs::create_dir(&newest).unwrap();
    assert_eq!(load(&dir).checkpoint, Some(checkpoint(1)));
    fs::write(&newest, "").unwrap();
    fs::File::options().write(true).open(&newest).unwrap().set_len(limits::CHECKPOINT_BYTES + 1).unwrap();
    assert_eq!(load(&dir).checkpoint, Some(checkpoint(1)));
    assert!(elsewhere.exists());
}

#[test]
fn what_a_crash_left_half_written_is_removed() {
    let folder = folder();
    saved(folder.path(), 1..=1);
    fs::write(folder.path().join("checkpoint-b.new-2"), "half").unwrap();
    fs::write(folder.path().join("checkpoint-c.new-2"), "not ours").unwrap();
    assert_eq!(load(folder.path()).checkpoint, Some(checkpoint(1)));
    assert_eq!(names(folder.path()), ["checkpoint-a", "checkpoint-c.new-2", "lock"]);
}

#[test]
fn a_save_that_fails_leaves_the_last_one_and_the_next_one_works() {
    let folder = folder();
    let dir = folder.path();
    let (mut store, _) = Store::open(dir, false).unwrap();
    (1..=2).for_each(|number| store.save(&checkpoint(number)).unwrap());
    // A directory in the way lets the rename fail, which root is not spared either.
    let next = dir.join(SLOTS[0]);
    fs::remove_file(&next).unwrap();
    fs::create_dir(&next).unwrap();
    (0..3).for_each(|_| assert!(store.save(&checkpoint(3)).is_err()));
    assert_eq!(decode(&fs::read(dir.join(SLOTS[1])).unwrap()).unwrap().checkpoint, checkpoint(2));
    assert_eq!(names(dir), [SLOTS[0], SLOTS[1], "lock"]);
    fs::remove_dir(&next).unwrap();
    store.save(&checkpoint(4)).unwrap();
    drop(store);
    assert_eq!(load(dir).checkpoint, Some(checkpoint(4)));
}

#[test]
fn what_would_not_be_believed_is_not_saved() {
    let folder = folder();
    let (mut store, _) = Store::open(folder.path(), false).unwrap();
    for (absurd, words) in absurdities() {
        let error = store.save(&absurd).unwrap_err();
        assert_eq!((error.kind(), &*error.to_string()), (std::io::ErrorKind::InvalidInput, words));
        let written = encode(1, &absurd).unwrap();
        assert_eq!(decode(&written).unwrap_err(), Unbelievable::Absurd(words.to_owned()));
    }
}

/// Checkpoints that cannot be, and what is said of them.
fn absurdities() -> Vec<(Checkpoint, &'static str)> {
    let changed = |change: &dyn Fn(&mut Checkpoint)| {
        let mut absurd = checkpoint(1);
        change(&mut absurd);
        absurd
    };
    let place = "the place that it knows in /var/log/app.log cannot be";
    let long = Print { bytes: limits::PRINT_BYTES as u32 + 1, hash: 1 };
    vec![
        (changed(&|it| it.files[0].mark.offset = 3), place),
        (changed(&|it| it.files[0].mark.offset = u64::MAX), place),
        (changed(&|it| it.files[0].mark.head = long), place),
        (changed(&|it| it.files[0].mark.tail = long), place),
        (changed(&|it| it.files[1].path = PathBuf::new()), "the place that it knows in  cannot be"),
        (changed(&|it| it.files[1].mark.id = it.files[0].mark.id), "it knows one file twice"),
        (changed(&|it| it.sinks[0].length = 3), "the length that it knows of /srv/out.log cannot be"),
        (changed(&|it| it.sinks.push(it.sinks[0].clone())), "it has two lengths for one sink"),
        (changed(&|it| it.totals.oversized = 2), "it counts more long records than records"),
        (
            changed(&|it| it.totals.nodes.get_mut("start").unwrap().failed = u64::MAX),
            "\"start\" lost more records than it was given",
        ),
    ]
}

#[test]
fn the_clock_may_jump() {
    let folder = folder();
    let (mut store, _) = Store::open(folder.path(), false).unwrap();
    for saved in [Timestamp::MAX, Timestamp::MIN, Timestamp::UNIX_EPOCH] {
        store.save(&Checkpoint { saved, ..checkpoint(1) }).unwrap();
    }
    drop(store);
    assert_eq!(load(folder.path()).checkpoint.unwrap().saved, Timestamp::UNIX_EPOCH);
}

#[test]
fn a_store_goes_on_where_its_directory_was_moved_to() {
    let folder = folder();
    let (here, there) = (folder.path().join("here"), folder.path().join("there"));
    let (mut store, _) = Store::open(&here, false).unwrap();
    fs::rename(&here, &there).unwrap();
    store.save(&checkpoint(1)).unwrap();
    drop(store);
    assert_eq!(load(&there).checkpoint, Some(checkpoint(1)));
}

proptest! {
    #[test]
    fn nothing_panics_and_what_is_believed_comes_back(bytes: Vec<u8>, number in 1_u64..1 << 60) {
        prop_assert!(decode(&bytes).is_err());
        let whole = encode(number, &checkpoint(number % 1_000)).unwrap();
        let generation = decode(&whole).unwrap();
        prop_assert_eq!(generation.number, number);
        prop_assert_eq!(encode(number, &generation.checkpoint).unwrap(), whole);
    }
}
