//! Is it keeping up? What is known about sources that are followed, and about what holds a run up.

use jiff::Timestamp;

/// What is known about a source that is followed.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Live {
    /// The length of its file when that was last looked at.
    pub size: u64,
    /// Bytes of it that are there and were not read yet.
    pub bytes_behind: u64,
    /// For how long the oldest byte that was not read yet has been there; 0 where all was read.
    pub seconds_behind: f64,
    /// How often its file was renamed or removed, and another one stood in its place.
    pub rotations: u64,
    /// How often its file became shorter, or was written anew.
    pub truncations: u64,
    /// Bytes of holes that were passed over.
    pub bytes_skipped: u64,
    /// Bytes that were seen to be there and will never be read.
    pub bytes_lost: u64,
    /// True where something may have been lost that was never seen: `bytes_lost` is then the least.
    pub is_lost_unknown: bool,
    /// Its file is gone, and no other has come yet.
    pub is_gone: bool,
    /// Why it cannot be read now.
    pub trouble: Option<String>,
}

/// What the sources that are followed come to, all together.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Lag {
    /// How many are followed.
    pub sources: u64,
    /// Bytes that are there and were not read yet.
    pub bytes_behind: u64,
    /// For how long the oldest of them has been there.
    pub seconds_behind: f64,
    /// How often files were renamed or removed, and others stood in their places.
    pub rotations: u64,
    /// How often files became shorter, or were written anew.
    pub truncations: u64,
    /// Bytes of holes that were passed over.
    pub bytes_skipped: u64,
    /// Bytes that were seen to be there and will never be read.
    pub bytes_lost: u64,
    /// True where something may have been lost that was never seen: `bytes_lost` is then the least.
    pub is_lost_unknown: bool,
    /// Bytes of files that were removed and are still open: space that others wait for.
    pub held_bytes: u64,
    /// Sources whose file is gone, and no other has come yet.
    pub gone: u64,
    /// Sources that cannot be read now.
    pub in_trouble: u64,
}

impl Lag {
    /// Counts `live` in.
    pub(crate) fn add(&mut self, live: &Live) {
        self.sources += 1;
        self.bytes_behind += live.bytes_behind;
        self.seconds_behind = self.seconds_behind.max(live.seconds_behind);
        self.rotations += live.rotations;
        self.truncations += live.truncations;
        self.bytes_skipped += live.bytes_skipped;
        self.bytes_lost += live.bytes_lost;
        self.is_lost_unknown |= live.is_lost_unknown;
        self.gone += u64::from(live.is_gone);
        self.in_trouble += u64::from(live.trouble.is_some());
    }
}

/// What holds a run up while it goes on: it clears by itself when its cause does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// What is wrong.
    pub cause: String,
    /// What to do about it.
    pub action: String,
    /// Since when.
    pub since: Timestamp,
}
