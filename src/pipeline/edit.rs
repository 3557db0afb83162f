//! How a pipeline is made, and what the command line may add to it: a printed node, a dead-letter file.

use std::path::{Path, PathBuf};

use super::{
    ConfigError, Delivery, Existing, Mistake, Pipeline, Registry, SinkTarget, config,
    sinks::{add_sink, exclusive, source},
};

impl Pipeline {
    /// The configuration of [`Pipeline::default_pipeline`].
    pub const DEFAULT: &str = include_str!("default.toml");

    /// Compiles the TOML in `text`, which messages call `name`. Text that is not UTF-8 is a mistake like any other.
    ///
    /// ```
    /// use logweir::{Pipeline, Registry};
    ///
    /// let text = "[[processor]]\nid = 'start'\nkind = 'pas'\n";
    /// let error = Pipeline::from_toml(text, "pipeline.toml", &Registry::standard()).err().unwrap();
    /// assert_eq!(error.to_string(), "pipeline.toml:3:8: unknown kind `pas` (did you mean `pass`?)");
    /// println!("{}", error.render(false));
    /// ```
    pub fn from_toml(text: impl AsRef<[u8]>, name: &str, registry: &Registry) -> Result<Self, ConfigError> {
        config::parse(text.as_ref(), name, registry)
    }

    /// The pipeline that runs where the user names none: records by their level.
    ///
    /// # Panics
    ///
    /// Never: a test compiles it.
    #[must_use]
    pub fn default_pipeline() -> Self {
        Self::from_toml(Self::DEFAULT, "default pipeline", &Registry::standard())
            .expect("the default pipeline is tested")
    }

    /// Writes what leaves the node or output `selector` (`id` or `id.output`) to `target` as well.
    pub fn print(&mut self, selector: &str, target: SinkTarget) -> Result<(), ConfigError> {
        let source = source(&self.graph, selector)
            .map_err(|mistake| ConfigError::new("--print", selector, mistake.at(0..selector.len())))?;
        let taken = |id: &String| self.graph.sinks.iter().any(|sink| sink.id == *id);
        let names = std::iter::once("print".to_owned()).chain((2..).map(|number| format!("print-{number}")));
        let id = names.into_iter().find(|id| !taken(id)).unwrap_or_default();
        if let SinkTarget::File { path, .. } = &target {
            self.check_unwritten(path, self.dead_letters.as_ref())?;
        }
        add_sink(self, id, source, target, true, Delivery::default());
        Ok(())
    }

    /// Files that exist are written on where the user did not say otherwise: what never ends is started again and again.
    pub(crate) fn append_unless_said(&mut self) {
        for sink in self.sinks.iter_mut().filter(|sink| !sink.existing_given) {
            if let SinkTarget::File { existing, .. } = &mut sink.target {
                *existing = Existing::Append;
            }
        }
    }

    /// Sets the file that takes records that fail, where their processor does not say otherwise.
    pub fn set_dead_letters(&mut self, path: impl Into<PathBuf>) -> Result<(), ConfigError> {
        let path = path.into();
        self.check_unwritten(&path, None)?;
        self.dead_letters = Some(path);
        self.show_failures();
        Ok(())
    }

    /// Says what becomes of a file that exists, for those sinks whose configuration does not.
    pub fn set_existing_default(&mut self, default: Existing) {
        for sink in self.sinks.iter_mut().filter(|sink| !sink.existing_given) {
            if let SinkTarget::File { existing, .. } = &mut sink.target {
                *existing = default;
            }
        }
    }

    /// Refuses a file that a sink (or `other`) is written to.
    fn check_unwritten(&self, path: &Path, other: Option<&PathBuf>) -> Result<(), ConfigError> {
        let wanted = exclusive(path);
        let written = self.sinks.iter().filter_map(|sink| match &sink.target {
            SinkTarget::File { path, .. } => Some(path),
            SinkTarget::Stdout | SinkTarget::Http(_) => None,
        });
        if wanted.is_some() && written.chain(other).any(|path| exclusive(path) == wanted) {
            let name = path.to_string_lossy();
            let mistake = Mistake::new(format!("two write to the file `{name}`")).at(0..name.len());
            let mistake = mistake.label("already written by another sink or as dead letters");
            return Err(ConfigError::new("argument", &name, mistake));
        }
        Ok(())
    }
}
