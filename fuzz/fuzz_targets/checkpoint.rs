//! Checkpoints: no bytes make loading panic; what is believed is the same when it is written and loaded again; and bytes
//! that logweir wrote come back as they were.
#![no_main]

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use logweir::internals;

/// What logweir might have written, to be changed here and there.
const CONTENTS: &str = r#"{"saved":"2026-11-25T01:26:23.5Z","since":"2026-11-24T00:00:00Z","files":[{"path":"/var/log/a.log","mark":{"id":{"device":7,"inode":1,"generation":3},"head":{"bytes":4,"hash":5},"offset":1004,"tail":{"bytes":4,"hash":6}}},{"path":[47,255],"mark":{"id":{"device":7,"inode":2,"generation":null},"head":{"bytes":0,"hash":0},"offset":0,"tail":{"bytes":0,"hash":0}}}],"sinks":[{"path":"/srv/out","identity":[7,9],"length":40,"tail":{"bytes":4,"hash":8}}],"totals":{"bytes":10,"records":2,"oversized":1,"nodes":{"start":{"records_in":2,"bytes_in":10,"merged":0,"dropped":1,"failed":0,"panicked":0,"busy_ns":9,"outputs":{"out":{"records":1,"bytes":5}}}},"sinks":{"out":{"records":1,"bytes":5}}}}"#;

#[derive(Debug, Arbitrary)]
enum Input<'a> {
    /// A file.
    File(&'a [u8]),
    /// The contents of a file whose first line is right.
    Contents(u64, &'a [u8]),
    /// Good contents with some parts replaced.
    Changed(u64, Vec<(u16, u8, &'a [u8])>),
}

fuzz_target!(|input: Input<'_>| match input {
    Input::File(file) => check(file),
    Input::Contents(number, contents) => check(&internals::checkpoint_file_of(number, contents.to_vec())),
    Input::Changed(number, changes) => check(&internals::checkpoint_file_of(number, changed(&changes))),
});

fn changed(changes: &[(u16, u8, &[u8])]) -> Vec<u8> {
    changes.iter().fold(CONTENTS.as_bytes().to_vec(), |mut contents, (at, length, new)| {
        let start = usize::from(*at) % (contents.len() + 1);
        let end = (start + usize::from(length % 24)).min(contents.len());
        contents.splice(start..end, new.iter().copied());
        contents
    })
}

fn check(file: &[u8]) {
    let Ok(generation) = internals::load_checkpoint(file) else { return };
    let written = internals::checkpoint_file(&generation);
    let again = internals::load_checkpoint(&written).expect("what is believed can be written, and is believed again");
    assert_eq!(again, generation);
    assert_eq!(internals::checkpoint_file(&again), written);
}
