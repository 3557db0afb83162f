//! Where state is kept when nobody says where: one directory for each set of inputs.

use std::{
    ffi::OsString,
    io,
    os::unix::ffi::OsStrExt,
    path::{Component, Path, PathBuf},
};

use xxhash_rust::xxh3::xxh3_64;

use super::error::StoreError;

/// Columns of the part of the name that is for people.
const NAME_BYTES_MAX: usize = 40;

/// The directory for the state of a follower of `paths`: below `$XDG_STATE_HOME`, else below `~/.local/state`. The same
/// paths, in whatever order and way they are written, have the same one.
///
/// # Errors
///
/// There is no home directory, or relative paths are given in a directory that is no more.
pub fn default_dir(paths: &[PathBuf]) -> Result<PathBuf, StoreError> {
    let home = home(std::env::var_os("XDG_STATE_HOME"), std::env::var_os("HOME")).ok_or(StoreError::NoHome)?;
    Ok(home.join("logweir").join(name(paths)?))
}

/// The specification says that what is relative is to be ignored.
fn home(state: Option<OsString>, home: Option<OsString>) -> Option<PathBuf> {
    let absolute = |value: Option<OsString>| value.map(PathBuf::from).filter(|path| path.is_absolute());
    absolute(state).or_else(|| absolute(home).map(|home| home.join(".local/state")))
}

fn name(paths: &[PathBuf]) -> Result<String, StoreError> {
    let normal = |path: &PathBuf| normalised(path).map_err(|error| StoreError::io("find", path, error));
    let mut inputs = paths.iter().map(normal).collect::<Result<Vec<PathBuf>, _>>()?;
    inputs.sort();
    inputs.dedup();
    let mut bytes = Vec::new();
    for input in &inputs {
        bytes.extend_from_slice(input.as_os_str().as_bytes());
        // No path has one.
        bytes.push(0);
    }
    let readable =
        inputs.first().and_then(|path| path.file_name()).map_or_else(String::new, |name| readable(name.as_bytes()));
    Ok(format!("{}-{:016x}", if readable.is_empty() { "logs" } else { &readable }, xxh3_64(&bytes)))
}

/// Absolute, without `.` and `..`. Links are not looked at: they may not be there yet.
fn normalised(path: &Path) -> io::Result<PathBuf> {
    if path.as_os_str() == "-" {
        return Ok(path.to_owned());
    }
    let mut normal = PathBuf::new();
    for component in std::path::absolute(path)?.components() {
        match component {
            Component::ParentDir => _ = normal.pop(),
            Component::CurDir => {}
            other => normal.push(other),
        }
    }
    Ok(normal)
}

/// What of a name can stand in any other, and never hidden.
fn readable(name: &[u8]) -> String {
    let safe = |&byte: &u8| if byte.is_ascii_alphanumeric() || b"._".contains(&byte) { byte as char } else { '-' };
    let text: String = name.iter().take(NAME_BYTES_MAX).map(safe).collect();
    text.trim_matches(['.', '-']).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(paths: &[&str]) -> String {
        name(&paths.iter().map(PathBuf::from).collect::<Vec<_>>()).unwrap()
    }

    #[test]
    fn one_set_of_inputs_has_one_name_however_it_is_written() {
        let name = named(&["/var/log/app", "/srv/*.log"]);
        for same in [
            &["/srv/*.log", "/var/log/app/"][..],
            &["/var//log/./app", "/srv/*.log", "/srv/x/../*.log"],
            &["/../var/log/app", "/srv/*.log"],
        ] {
            assert_eq!(named(same), name);
        }
        assert!(name.starts_with("log-") && name.len() == 4 + 16, "{name}");
        for other in [&["/var/log/app"][..], &["/srv/*.log/var/log/app"], &["/var/log/app", "/srv/*.lo"], &["-"]] {
            assert_ne!(named(other), name);
        }
        let here = std::env::current_dir().unwrap().join("app.log");
        assert_eq!(named(&["app.log"]), named(&[here.to_str().unwrap()]));
    }

    #[test]
    fn names_can_stand_in_a_path_and_be_read() {
        for (path, readable) in [
            ("/var/log/nginx.log", "nginx.log"),
            ("/x/.hidden", "hidden"),
            ("/x/a b\u{1b}[31m\n", "a-b--31m"),
            ("/", "logs"),
            ("-", "logs"),
            ("/x/日本", "logs"),
        ] {
            assert_eq!(named(&[path]).rsplit_once('-').unwrap().0, readable);
        }
        assert!(named(&[&"x".repeat(300)]).len() < 64);
    }

    #[test]
    fn state_belongs_where_the_specification_says() {
        let at = |state: Option<&str>, user: Option<&str>| home(state.map(OsString::from), user.map(OsString::from));
        let expected = |path: &str| Some(PathBuf::from(path));
        assert_eq!(at(Some("/state"), Some("/home/me")), expected("/state"));
        for ignored in [None, Some(""), Some("relative/state")] {
            assert_eq!(at(ignored, Some("/home/me")), expected("/home/me/.local/state"));
            assert_eq!(at(ignored, None), None);
            assert_eq!(at(ignored, Some("")), None);
        }
        assert!(StoreError::NoHome.to_string().ends_with("--state DIR"));
    }
}
