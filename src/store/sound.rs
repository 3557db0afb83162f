//! Whether a checkpoint can be true at all. What a hash proves is only that it is what was written. Pure.

use std::{collections::HashSet, hash::Hash, os::unix::ffi::OsStrExt, path::Path};

use super::Checkpoint;
use crate::{escape::escape, limits, place::Print};
use crate::{
    metrics::{NodeTotals, Totals},
    place::{KnownFile, SinkMark},
};

/// No file is longer, and no count gets there: the kernel's offsets have a sign.
const NUMBER_MAX: u64 = i64::MAX as u64;

impl Checkpoint {
    /// Says what in it cannot be.
    pub(super) fn check(&self) -> Result<(), String> {
        self.files.iter().try_for_each(check_file)?;
        self.sinks.iter().try_for_each(check_sink)?;
        if !are_distinct(self.files.iter().map(|file| file.mark.id)) {
            return Err("it knows one file twice".to_owned());
        }
        if !are_distinct(self.sinks.iter().map(|sink| &sink.path)) {
            return Err("it has two lengths for one sink".to_owned());
        }
        check_totals(&self.totals)
    }
}

fn are_distinct<T: Eq + Hash>(items: impl Iterator<Item = T>) -> bool {
    let mut seen = HashSet::new();
    items.into_iter().all(|item| seen.insert(item))
}

fn check_file(file: &KnownFile) -> Result<(), String> {
    let KnownFile { path, mark } = file;
    let is_sound = is_path(path)
        && mark.offset <= NUMBER_MAX
        && fits_before(mark.head, mark.offset)
        && fits_before(mark.tail, mark.offset);
    sound_or(is_sound, || format!("the place that it knows in {} cannot be", shown(path)))
}

fn check_sink(sink: &SinkMark) -> Result<(), String> {
    let is_sound = is_path(&sink.path) && sink.length <= NUMBER_MAX && fits_before(sink.tail, sink.length);
    sound_or(is_sound, || format!("the length that it knows of {} cannot be", shown(&sink.path)))
}

fn check_totals(totals: &Totals) -> Result<(), String> {
    sound_or(totals.oversized <= totals.records, || "it counts more long records than records".to_owned())?;
    totals.nodes.iter().try_for_each(|(id, node)| {
        sound_or(is_node(node), || format!("{:?} lost more records than it was given", escape(id.as_bytes())))
    })
}

fn is_node(node: &NodeTotals) -> bool {
    let lost = node.dropped.checked_add(node.failed).and_then(|lost| lost.checked_add(node.panicked));
    lost.is_some_and(|lost| lost <= node.records_in)
}

fn is_path(path: &Path) -> bool {
    let bytes = path.as_os_str().as_bytes();
    !bytes.is_empty() && !bytes.contains(&0)
}

/// A print is of bytes that stand before `end`, and of no more than are ever taken.
fn fits_before(print: Print, end: u64) -> bool {
    print.bytes as usize <= limits::PRINT_BYTES && u64::from(print.bytes) <= end
}

fn shown(path: &Path) -> String {
    escape(path.as_os_str().as_bytes())
}

fn sound_or(is_sound: bool, words: impl FnOnce() -> String) -> Result<(), String> {
    if is_sound { Ok(()) } else { Err(words()) }
}
