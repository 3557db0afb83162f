//! Globs that no shell has expanded: `*` and `?` within one name, `[…]`, `{a,b}`, and `**` for any number of directories.

use std::{
    fs,
    path::{Path, PathBuf},
};

use globset::{GlobBuilder, GlobMatcher};
use walkdir::{DirEntry, WalkDir};

use super::{Choice, Search, Skip, describe, walk::is_hidden};

/// True when a path that does not exist is meant as a pattern.
pub(in crate::input) fn is_glob(path: &Path) -> bool {
    path.as_os_str().as_encoded_bytes().iter().any(|&byte| is_special(byte))
}

fn is_special(byte: u8) -> bool {
    matches!(byte, b'*' | b'?' | b'[')
}

/// A pattern, and where to look for what it matches.
struct Pattern {
    /// The part without special characters; empty for the working directory.
    base: PathBuf,
    /// Matches paths below `base`.
    matcher: GlobMatcher,
    /// How deep matches can be; `None` where `**` makes it any.
    depth_max: Option<usize>,
    /// Names with a dot in front are asked for.
    takes_hidden: bool,
}

impl Pattern {
    fn parse(path: &Path) -> Result<Self, String> {
        let text = path.to_str().ok_or("No such file, and as a glob it would have to be UTF-8")?.trim_end_matches('/');
        // The base ends at the last slash before the first special character.
        let special = text.bytes().position(is_special).unwrap_or(text.len());
        let (base, rest) = text.split_at(text[..special].rfind('/').map_or(0, |slash| slash + 1));
        let glob = GlobBuilder::new(rest).literal_separator(true).backslash_escape(true).build();
        let matcher = glob.map_err(|error| format!("No such file, and not a glob either: {}", error.kind()))?;
        Ok(Self {
            base: PathBuf::from(base),
            matcher: matcher.compile_matcher(),
            depth_max: (!rest.contains("**")).then(|| rest.split('/').count()),
            takes_hidden: rest.split('/').any(|name| name.starts_with('.')),
        })
    }

    fn root(&self) -> &Path {
        if self.base.as_os_str().is_empty() { Path::new(".") } else { &self.base }
    }

    /// The path to show, if it matches: as the user would have typed it.
    fn matched(&self, path: &Path) -> Option<PathBuf> {
        let below = path.strip_prefix(self.root()).ok()?;
        self.matcher.is_match(below).then(|| self.base.join(below))
    }
}

impl Search {
    /// Takes what `path`, as a pattern, matches.
    pub(super) fn glob(&mut self, path: &Path) {
        let mut pattern = match Pattern::parse(path) {
            Ok(pattern) => pattern,
            Err(message) => return self.refuse(path, message),
        };
        pattern.takes_hidden |= self.options.hidden;
        if self.expand(&pattern) == 0 {
            self.absent(
                path,
                "No file matches this pattern (* and ? stay within one name, **/ enters all directories below, a name \
                 that begins with a dot must be asked for with one)",
            );
        }
    }

    /// Walks below the base, and says how many paths matched.
    fn expand(&mut self, pattern: &Pattern) -> u64 {
        let mut matches = 0;
        let mut entries = WalkDir::new(pattern.root())
            .min_depth(1)
            .max_depth(pattern.depth_max.unwrap_or(usize::MAX))
            // As a shell does: a link is entered where the pattern says how deep, but not by `**`.
            .follow_links(self.options.follow_links || pattern.depth_max.is_some())
            .sort_by_file_name()
            .into_iter();
        while let Some(entry) = entries.next() {
            match entry {
                Ok(entry) => {
                    let path = pattern.matched(entry.path());
                    let is_hidden = is_hidden(&entry) && !pattern.takes_hidden;
                    if entry.file_type().is_dir() && (is_hidden || path.is_some()) {
                        entries.skip_current_dir();
                    }
                    if let Some(path) = path {
                        matches += 1;
                        self.globbed(&entry, &path, is_hidden);
                    }
                }
                Err(error) => matches += self.glob_error(pattern, &error),
            }
        }
        matches
    }

    fn globbed(&mut self, entry: &DirEntry, path: &Path, is_hidden: bool) {
        if is_hidden {
            return self.skip(Skip::Hidden);
        }
        match fs::metadata(path) {
            Ok(metadata) if metadata.is_dir() => self.walk(path),
            Ok(metadata) => self.file(path, &metadata, Choice::Glob),
            Err(_) if entry.path_is_symlink() => self.skip(Skip::Symlink),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => self.absent(path, describe(&error)),
            Err(error) => self.refuse(path, describe(&error)),
        }
    }

    /// A base that does not exist is no match; a dangling link beside what was asked for is nobody's concern.
    fn glob_error(&mut self, pattern: &Pattern, error: &walkdir::Error) -> u64 {
        let Some(path) = error.path() else {
            self.walk_error(pattern.root(), error);
            return 0;
        };
        let is_match = pattern.matched(path).is_some();
        let is_missing = error.io_error().is_some_and(|error| error.kind() == std::io::ErrorKind::NotFound);
        if is_match || !is_missing {
            self.walk_error(pattern.root(), error);
        }
        u64::from(is_match)
    }
}
