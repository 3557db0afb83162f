//! What traces are made of, so that a thousand of them cost a few pieces of memory and not some thousand.

use std::{ops::Range, sync::Arc};

use bytes::Bytes;

use crate::snapshot::Hop;

/// Heads of records in one piece of memory, however many there are.
#[derive(Default)]
pub(super) struct Heads {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Heads {
    /// Adds one.
    pub(super) fn push(&mut self, head: &[u8]) {
        self.bytes.extend_from_slice(head);
        self.ends.push(self.bytes.len());
    }

    /// Each by itself.
    pub(super) fn cut(self) -> Vec<Bytes> {
        let mut rest = Bytes::from(self.bytes);
        let mut start = 0;
        let lengths = self.ends.into_iter().map(|end| end - std::mem::replace(&mut start, end));
        lengths.map(|length| rest.split_to(length)).collect()
    }
}

/// The paths of some records. Each record's hops are counted first and then put down, all in one piece of memory.
pub(super) struct Paths {
    hops: Vec<Hop>,
    /// Where those of each record end so far.
    ends: Vec<usize>,
    /// Paths that were asked for, each once: most records took the same few.
    known: Vec<Arc<[Hop]>>,
}

/// Paths that are looked through for one that is the same. Those of probes differ from all others, and are not kept.
const KNOWN_PATHS: usize = 8;

impl Paths {
    /// Of `records` records, without hops.
    pub(super) fn new(records: usize) -> Self {
        Self { hops: Vec::new(), ends: vec![0; records], known: Vec::new() }
    }

    /// Makes room for one more hop of a record.
    pub(super) fn make_room(&mut self, record: usize) {
        self.ends[record] += 1;
    }

    /// All room was made: hops can be put down.
    pub(super) fn settle(&mut self) {
        let mut start = 0;
        for end in &mut self.ends {
            let room = std::mem::replace(end, start);
            start += room;
        }
        self.hops = vec![Hop { node: 0, ns: None }; start];
    }

    /// Puts a record's next hop down.
    pub(super) fn push(&mut self, record: usize, node: u32) {
        self.hops[self.ends[record]].node = node;
        self.ends[record] += 1;
    }

    /// Notes what a record took at `node`, where it came by there.
    pub(super) fn set_time(&mut self, record: usize, node: u32, ns: u64) {
        let hops = self.range(record);
        if let Some(hop) = self.hops[hops].iter_mut().find(|hop| hop.node == node) {
            hop.ns = Some(ns);
        }
    }

    /// A record's path, shared with others that are the same.
    pub(super) fn shared(&mut self, record: usize) -> Arc<[Hop]> {
        let hops = &self.hops[self.range(record)];
        if let Some(known) = self.known.iter().find(|known| ***known == *hops) {
            return Arc::clone(known);
        }
        let new = Arc::from(hops);
        if self.known.len() < KNOWN_PATHS && hops.iter().all(|hop| hop.ns.is_none()) {
            self.known.push(Arc::clone(&new));
        }
        new
    }

    fn range(&self, record: usize) -> Range<usize> {
        record.checked_sub(1).map_or(0, |before| self.ends[before])..self.ends[record]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_come_back_as_they_were_put_in() {
        let mut heads = Heads::default();
        let all: [&[u8]; 4] = [b"one", b"", b"two\xff", b""];
        all.into_iter().for_each(|head| heads.push(head));
        assert_eq!(heads.cut(), all);
    }

    #[test]
    fn a_path_is_there_once_unless_it_was_timed() {
        let taken: [&[u32]; 4] = [&[0, 2], &[], &[0, 2], &[0, 1]];
        let mut paths = Paths::new(taken.len());
        let visits =
            || (0..3).flat_map(|node| (0..4).filter(move |&at| taken[at].contains(&node)).map(move |at| (at, node)));
        visits().for_each(|(record, _)| paths.make_room(record));
        paths.settle();
        visits().for_each(|(record, node)| paths.push(record, node));
        paths.set_time(3, 1, 70);
        paths.set_time(3, 2, 80);
        let all: Vec<_> = (0..4).map(|record| paths.shared(record)).collect();
        let plain = |path: &[Hop]| path.iter().map(|hop| (hop.node, hop.ns)).collect::<Vec<_>>();
        assert_eq!(plain(&all[0]), [(0, None), (2, None)]);
        assert_eq!(plain(&all[1]), []);
        assert_eq!(plain(&all[3]), [(0, None), (1, Some(70))]);
        assert!(Arc::ptr_eq(&all[0], &all[2]));
        assert_eq!(paths.known.len(), 2);
    }
}
