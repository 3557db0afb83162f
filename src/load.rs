//! Reads a pipeline from a file.

use std::{
    error::Error,
    io::{self, Read},
    path::Path,
};

use logweir::{Access, Input, Pipeline, Registry, limits, open_stream};

/// The pipeline that the file at `path` describes, or what is wrong with it.
pub fn load(path: &Path) -> Result<Pipeline, Box<dyn Error>> {
    let text =
        head(path, limits::CONFIG_BYTES as u64).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
    Ok(Pipeline::from_toml(text, &path.display().to_string(), &Registry::standard())?)
}

/// The file, or of one that has more than `most` bytes just so much that this is seen. It may be a pipe; one that nobody
/// writes to is not waited for.
pub fn head(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    let file = open_stream(&Input { path: path.to_owned(), access: Access::Stream })?;
    file.take(most + 1).read_to_end(&mut text)?;
    Ok(text)
}
