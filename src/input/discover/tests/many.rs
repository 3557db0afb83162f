//! Many files at once, against one after the other.

use std::collections::HashSet;

use super::{super::discover_beside, *};

/// More than are looked at together.
const FILES: usize = 2_500;

/// One file of every kind in turn, so that what is refused and what is left out stands between what is taken.
fn put_one(dir: &TempDir, number: usize) {
    let folder = number / 400;
    let name = format!("{folder}/{number:04}");
    let path = match number % 8 {
        0 => return put_link(dir, number),
        1 => put(dir, &name, b"PK\0\x03"),
        2 => put(dir, &name, b"\x1f\x8b\x08\0gz"),
        3 => put(dir, &name, b"\xff\xfew\0i\0d\0e\0"),
        4 => put(dir, &name, b""),
        _ => put(dir, &name, format!("{number} INFO a line\n").as_bytes()),
    };
    if number.is_multiple_of(7) {
        fs::hard_link(path, dir.path().join(format!("{folder}/{:04}-again", number - 5))).unwrap();
    }
    if number % 400 == 399 {
        fifo(dir, &format!("{folder}/fifo"));
        put(dir, &format!("{folder}/.hidden"), b"x\n");
    }
}

/// A symbolic link, to a file, to a directory or to nothing.
fn put_link(dir: &TempDir, number: usize) {
    let folder = dir.path().join((number / 400).to_string());
    fs::create_dir_all(&folder).unwrap();
    let targets = ["../elsewhere", "..", "nowhere"];
    symlink(targets[number % targets.len()], folder.join(format!("{number:04}"))).unwrap();
}

#[test]
fn many_files_are_found_as_one_after_the_other_would_be() {
    let dir = temp();
    put(&dir, "elsewhere", b"a file that links lead to\n");
    (0..FILES).for_each(|number| put_one(&dir, number));
    for follow_links in [false, true] {
        let options = DiscoverOptions { follow_links, ..NOTHING_SPECIAL };
        let paths = [dir.path().to_path_buf()];
        // Where some are known already, each is looked at by itself.
        let nobody = HashSet::from([(u64::MAX, 0)]);
        let (expected, _) = discover_beside(&paths, options, nobody);
        assert!(expected.inputs.len() > 1_000 && expected.unreadable.len() > 300 && expected.skipped.len() >= 4);
        assert_eq!(discover(&paths, options), expected, "{follow_links}");
    }
}
