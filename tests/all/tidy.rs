//! The repository checks itself: what a reviewer would have to look for in every change is looked for here.
//!
//! Source is read as text, line by line, and not parsed: the rules are simple enough, and what `cargo fmt` and clippy
//! check already is not checked again. Code of tests is left out, except where a rule says otherwise.

use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// The modules of `src`, from the bottom up: each may import those that stand before it, and no others.
const ORDER: [&str; 36] = [
    // What all share.
    "limits",
    "fault",
    "record",
    "place",
    "graph",
    "escape",
    "human",
    "waiters",
    // Where records are. Pure.
    "simd",
    "split",
    "batch",
    // What is known, and what is done.
    "metrics",
    "pipeline",
    "generate",
    // Where bytes come from and go to.
    "letter",
    "input",
    "sink",
    "store",
    "engine",
    // Those who show what is known.
    "wire",
    "serve",
    "report",
    "progress",
    // Those who measure.
    "bench",
    "internals",
    // The program.
    "signals",
    "bus",
    "cli",
    "load",
    "check",
    "state",
    "run",
    "follow",
    "replay",
    "generate_mode",
    "bench_mode",
];

/// Modules that look at snapshots and know nothing behind them, and what else they may know.
const SHOWING: [(&str, &[&str]); 4] = [
    ("wire", &["graph", "limits"]),
    ("serve", &["wire", "limits"]),
    ("report", &["graph", "escape", "human", "limits"]),
    ("progress", &["human", "limits"]),
];
/// What those may know of `metrics`.
const SHOWN: [&str; 5] = ["Snapshot", "Published", "snapshot", "History", "history"];

/// Modules that do no input or output, and use nothing of the system.
const PURE: [&str; 15] = [
    "limits", "fault", "record", "graph", "escape", "human", "simd", "split", "batch", "metrics", "pipeline", "letter",
    "wire", "generate", "place",
];
/// Files that are, in modules that are not.
const PURE_FILES: [&str; 1] = ["store/shown.rs"];
const SYSTEM: [&str; 5] = ["std::fs", "std::net", "std::process", "std::env", "std::os"];

/// The files that may have `unsafe`, each of which is about little else.
const UNSAFE: [&str; 9] = [
    "simd.rs",
    "simd/tests.rs",
    "pipeline/level.rs",
    "metrics/mailbox.rs",
    "input/map.rs",
    "input/blocks.rs",
    "input/follow/identity.rs",
    "bench/cache.rs",
    "bus.rs",
];

/// The reasons for which a test may wait to be asked for.
const IGNORED: [&str; 2] = ["serves until killed", "a child of another test"];

const FILE_LINES_MAX: usize = 500;
const FUNCTION_LINES_MAX: usize = 70;

/// A file of `src`.
struct Source {
    /// Below `src`.
    path: String,
    /// The module below the root that it belongs to.
    module: String,
    text: String,
    is_test: bool,
}

impl Source {
    /// Its lines without those of its tests, numbered from 1.
    fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        (1..).zip(self.text.lines()).take(self.code_lines())
    }

    /// How many lines come before an inline module of tests, which stands last.
    fn code_lines(&self) -> usize {
        let lines: Vec<&str> = self.text.lines().collect();
        let tests = lines.windows(2).position(|pair| pair == ["#[cfg(test)]", "mod tests {"]);
        if let Some(tests) = tests {
            let end = lines[tests..].iter().position(|line| *line == "}").map(|end| tests + end + 1);
            assert_eq!(end, Some(lines.len()), "{}: tests stand last", self.path);
        }
        tests.unwrap_or(lines.len())
    }

    /// Its code without comments.
    fn code(&self) -> String {
        let code = self.lines().map(|(_, line)| line.split("//").next().unwrap_or(line));
        code.collect::<Vec<_>>().join("\n")
    }
}

fn sources() -> Vec<Source> {
    let root = Path::new(ROOT).join("src");
    let mut paths = Vec::new();
    rust_files(&root, &mut paths);
    let mut sources: Vec<Source> = paths.iter().map(|path| source(&root, path)).collect();
    assert!(sources.len() > 50, "the source is here");
    let tests: Vec<String> = sources.iter().flat_map(test_modules).collect();
    for source in &mut sources {
        let stem = source.path.trim_end_matches(".rs");
        source.is_test = tests.iter().any(|test| stem == test || stem.starts_with(&format!("{test}/")));
    }
    sources
}

fn rust_files(folder: &Path, paths: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder of ours") {
        let path = entry.expect("a name").path();
        if path.is_dir() {
            rust_files(&path, paths);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            paths.push(path);
        }
    }
    paths.sort();
}

fn source(root: &Path, path: &Path) -> Source {
    let short = path.strip_prefix(root).expect("below it").to_str().expect("our names are text").to_owned();
    let module = short.split(['/', '.']).next().unwrap_or_default().to_owned();
    Source { path: short, module, text: fs::read_to_string(path).expect("our files are text"), is_test: false }
}

/// The modules that `source` declares for tests only, as paths without extension.
fn test_modules(source: &Source) -> Vec<String> {
    let folder = source.path.trim_end_matches("/mod.rs").trim_end_matches(".rs");
    let lines: Vec<&str> = source.text.lines().collect();
    let pairs = lines.windows(2).filter(|pair| pair[0] == "#[cfg(test)]");
    let names = pairs.filter_map(|pair| pair[1].strip_prefix("mod ")?.strip_suffix(';'));
    names.map(|name| format!("{folder}/{name}")).collect()
}

/// All paths in `code` that begin with `root`, such as `crate`, with braces taken apart.
fn paths(code: &str, root: &str) -> Vec<String> {
    let mut found = Vec::new();
    let start = format!("{root}::");
    for (at, _) in code.match_indices(&start) {
        let is_word = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
        if !code[..at].ends_with(is_word) {
            tree(&code[at + start.len()..], root, &mut found);
        }
    }
    found
}

/// Appends the paths of the tree that `text` begins with, and returns what follows it.
fn tree<'a>(text: &'a str, prefix: &str, found: &mut Vec<String>) -> &'a str {
    let text = text.trim_start();
    if let Some(mut rest) = text.strip_prefix('{') {
        loop {
            rest = rest.trim_start().trim_start_matches(',').trim_start();
            match rest.strip_prefix('}') {
                Some(rest) => return rest,
                None if rest.is_empty() => return rest,
                None => rest = tree(rest, prefix, found),
            }
        }
    }
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_' && c != '*').unwrap_or(text.len()).max(1);
    let (name, rest) = text.split_at(end.min(text.len()));
    let path = format!("{prefix}::{name}");
    match rest.strip_prefix("::") {
        Some(rest) => tree(rest, &path, found),
        None => {
            found.push(path);
            rest.trim_start_matches(|c| c != ',' && c != '}' && c != ';')
        }
    }
}

/// What the root of the library calls by other names: from the name to the path.
fn reexports(sources: &[Source]) -> HashMap<String, String> {
    let library = sources.iter().find(|source| source.path == "lib.rs").expect("the library has a root");
    let mut names = HashMap::new();
    for (at, _) in library.text.match_indices("\npub use ") {
        let mut found = Vec::new();
        tree(&library.text[at + "\npub use ".len()..], "crate", &mut found);
        for path in found {
            names.insert(path.rsplit("::").next().unwrap_or_default().to_owned(), path);
        }
    }
    assert!(names.contains_key("Snapshot") && names.contains_key("snapshot"), "{names:?}");
    names
}

/// What each file imports of the others: its own path, its module, and the whole path of what it imports.
fn imports() -> Vec<(String, String, String)> {
    let sources = sources();
    let names = reexports(&sources);
    let mut imports = Vec::new();
    for source in sources.iter().filter(|source| !source.is_test && !matches!(&*source.path, "lib.rs" | "main.rs")) {
        for path in paths(&source.code(), "crate") {
            let name = path.split("::").nth(1).unwrap_or_default();
            let whole = match names.get(name) {
                Some(real) if !ORDER.contains(&name) => path.replacen(&format!("crate::{name}"), real, 1),
                _ => path.clone(),
            };
            imports.push((source.path.clone(), source.module.clone(), whole));
        }
    }
    assert!(imports.len() > 100, "imports are found");
    imports
}

fn module_of(path: &str) -> &str {
    path.split("::").nth(1).unwrap_or_default()
}

#[test]
fn imports_are_taken_apart() {
    let code = "use crate::{a, b::{self, C as D}, e::f::*};\nlet x = crate::g::h(1); use super::crate_y::z;";
    let expected = ["a", "b::self", "b::C", "e::f::*", "g::h"].map(|path| format!("crate::{path}"));
    assert_eq!(paths(code, "crate"), expected);
}

#[test]
fn imports_point_one_way() {
    let rank = |module: &str| ORDER.iter().position(|known| *known == module);
    for (file, module, path) in imports() {
        let Some(own) = rank(&module) else { panic!("{file}: say in ORDER where {module:?} stands") };
        let imported = module_of(&path);
        match rank(imported) {
            Some(rank) => assert!(rank <= own, "{file} imports {path}, which stands above it"),
            // What the program's root defines for its modes.
            None => assert!(
                ["run", "check", "state", "follow", "replay", "generate_mode", "bench_mode"].contains(&&*module),
                "{file} imports {path}: what is it?"
            ),
        }
    }
}

#[test]
fn who_shows_snapshots_knows_nothing_behind_them() {
    for (file, module, path) in imports() {
        let Some((_, allowed)) = SHOWING.iter().find(|(showing, _)| *showing == module) else { continue };
        let imported = module_of(&path);
        let is_shown = imported == "metrics" && path.split("::").nth(2).is_some_and(|name| SHOWN.contains(&name));
        assert!(is_shown || imported == module || allowed.contains(&imported), "{file} imports {path}");
    }
}

#[test]
fn pure_modules_use_nothing_of_the_system() {
    let is_pure = |source: &&Source| PURE.contains(&&*source.module) || PURE_FILES.contains(&&*source.path);
    for source in sources().iter().filter(|source| !source.is_test).filter(is_pure) {
        for path in paths(&source.code(), "std") {
            // Paths as bytes are a matter of types.
            let is_type = path.starts_with("std::os::unix::ffi");
            let is_system = SYSTEM.iter().any(|system| path.starts_with(system));
            assert!(is_type || !is_system, "{} uses {path}", source.path);
        }
    }
}

#[test]
fn files_say_what_they_are_for_and_are_short() {
    for source in sources() {
        assert!(source.text.starts_with("//! "), "{} does not say what it is for", source.path);
        let lines = source.code_lines();
        assert!(lines <= FILE_LINES_MAX, "{} has {lines} lines", source.path);
    }
}

#[test]
fn functions_are_short() {
    for source in sources().iter().filter(|source| !source.is_test) {
        let lines: Vec<(usize, &str)> = source.lines().collect();
        for (index, (number, line)) in lines.iter().enumerate() {
            let code = line.trim_start();
            let is_function = ["fn ", "pub fn ", "pub(crate) fn ", "pub(super) fn ", "const fn ", "unsafe fn "];
            if !is_function.iter().any(|start| code.starts_with(start)) || line.ends_with(['}', ';']) {
                continue;
            }
            let end = format!("{}}}", &line[..line.len() - code.len()]);
            let length = lines[index..].iter().position(|(_, line)| *line == end).map_or(0, |length| length + 1);
            assert!(length <= FUNCTION_LINES_MAX, "{}:{number}: a function of {length} lines", source.path);
        }
    }
}

#[test]
fn nothing_is_locked_and_the_library_does_not_print() {
    for source in sources().iter().filter(|source| !source.is_test) {
        let code = source.code();
        for lock in ["Mutex", "RwLock", "Condvar"] {
            assert!(!code.contains(lock), "{} has a {lock}", source.path);
        }
        for left in ["todo!(", "dbg!(", "unimplemented!("] {
            assert!(!code.contains(left), "{} has {left}", source.path);
        }
        let is_program = matches!(
            &*source.module,
            "main" | "cli" | "run" | "check" | "bus" | "signals" | "bench_mode" | "generate_mode"
        );
        let prints = ["print!(", "println!(", "eprint!(", "eprintln!("].iter().any(|print| code.contains(print));
        assert!(is_program || !prints, "{} prints", source.path);
    }
}

#[test]
fn unsafe_is_rare_and_says_why_it_is_sound() {
    for source in sources() {
        let lines: Vec<&str> = source.text.lines().collect();
        for (index, line) in lines.iter().enumerate() {
            let code = line.split("//").next().unwrap_or(line);
            let place = format!("{}:{}", source.path, index + 1);
            if code.contains("unsafe fn ") {
                let docs = lines[..index].iter().rev().take_while(|line| line.trim_start().starts_with(['/', '#']));
                assert!(docs.into_iter().any(|line| line.contains("# Safety")), "{place} says no contract");
            } else if code.contains("unsafe {") || code.contains("unsafe impl") {
                assert!(UNSAFE.contains(&&*source.path), "{place}: no unsafe here");
                // Above it, or above the statement that it ends.
                let above = &lines[index.saturating_sub(8)..=index];
                assert!(above.iter().any(|line| line.contains("SAFETY: ")), "{place} does not say why it is sound");
            }
        }
    }
    for path in UNSAFE {
        let text = fs::read_to_string(Path::new(ROOT).join("src").join(path)).unwrap_or_default();
        assert!(text.contains("unsafe"), "{path} needs no leave to be unsafe");
    }
}

#[test]
fn limits_give_their_reasons() {
    let text = fs::read_to_string(Path::new(ROOT).join("src/limits.rs")).expect("it is there");
    let lines: Vec<&str> = text.lines().collect();
    for pair in lines.windows(2).filter(|pair| pair[1].starts_with("pub const ")) {
        assert!(pair[0].starts_with("/// "), "{} has no reason", pair[1]);
    }
}

#[test]
fn every_option_says_what_it_does() {
    let text = fs::read_to_string(Path::new(ROOT).join("src/cli.rs")).expect("it is there");
    let lines: Vec<&str> = text.lines().map(str::trim_start).collect();
    for (index, line) in lines.iter().enumerate().filter(|(_, line)| line.starts_with("#[arg(")) {
        let mut above = lines[..index].iter().rev().skip_while(|line| line.starts_with("#["));
        assert!(above.next().is_some_and(|line| line.starts_with("/// ")), "no help above {line}");
    }
}

#[test]
fn no_test_is_ignored() {
    let mut paths = Vec::new();
    ["src", "tests", "benches", "fuzz/fuzz_targets"]
        .iter()
        .for_each(|folder| rust_files(&Path::new(ROOT).join(folder), &mut paths));
    for path in paths {
        let text = fs::read_to_string(&path).expect("our files are text");
        for line in text.lines().map(str::trim_start).filter(|line| line.starts_with("#[ignore")) {
            let has_reason = IGNORED.iter().any(|reason| line.contains(reason));
            assert!(has_reason, "{}: a test is ignored", path.display());
        }
    }
}

#[test]
fn every_fuzz_target_is_known_to_cargo() {
    let manifest = fs::read_to_string(Path::new(ROOT).join("fuzz/Cargo.toml")).expect("it is there");
    let readme = fs::read_to_string(Path::new(ROOT).join("README.md")).expect("it is there");
    let mut paths = Vec::new();
    rust_files(&Path::new(ROOT).join("fuzz/fuzz_targets"), &mut paths);
    for path in paths {
        let name = path.file_stem().and_then(|name| name.to_str()).expect("our names are text");
        assert!(manifest.contains(&format!("name = \"{name}\"")), "fuzz/Cargo.toml does not know {name}");
        assert!(readme.contains(&format!("`{name}`")), "the README does not know the fuzz target {name}");
    }
}
