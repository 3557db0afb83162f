//! Reads a pipeline from a file.

use std::{
    error::Error,
    fs,
    io::{self, Read},
    path::Path,
};

use logweir::{Pipeline, Registry, limits};

/// The pipeline that the file at `path` describes, or what is wrong with it.
pub fn load(path: &Path) -> Result<Pipeline, Box<dyn Error>> {
    let text = head(path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
    Ok(Pipeline::from_toml(text, &path.display().to_string(), &Registry::standard())?)
}

/// The file, or of one that is too large just so much that this is seen.
fn head(path: &Path) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    fs::File::open(path)?.take(limits::CONFIG_BYTES as u64 + 1).read_to_end(&mut text)?;
    Ok(text)
}
