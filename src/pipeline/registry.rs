//! Which kinds of processors there are: a name and a builder each. Adding one is a file and a line here.

use super::{Definition, Mistake, Options, delay, drop, fail, level, matching, names::suggestion, pass};

/// Reads the settings of a processor and makes it.
pub type Builder = fn(&mut Options<'_>) -> Result<Box<dyn Definition>, Mistake>;

/// The kinds that a configuration may use.
///
/// A program that uses this library can add its own:
///
/// ```
/// use logweir::{Batch, Context, Definition, Engine, Outputs, Pipeline, Processor, Registry, RunOptions, Selection};
///
/// /// Splits records by their length.
/// #[derive(Clone)]
/// struct Longer {
///     than: usize,
/// }
///
/// impl Definition for Longer {
///     fn outputs(&self) -> &[&'static str] {
///         &["long", "short"]
///     }
///     fn build(&self) -> Box<dyn Processor> {
///         Box::new(self.clone())
///     }
/// }
///
/// impl Processor for Longer {
///     fn process(&mut self, batch: &Batch<'_>, input: Selection<'_>, out: &mut Outputs, _: &Context<'_>) {
///         for record in input.iter() {
///             let is_long = batch.record(record).len() > self.than;
///             out.push(if is_long { 0 } else { 1 }, record);
///         }
///     }
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let registry = Registry::standard().with("longer", |options| {
///     let than = options.require("than")?.integer(0..=1 << 20)? as usize;
///     Ok(Box::new(Longer { than }))
/// });
/// let config = r#"
///     [[processor]]
///     id   = "size"
///     kind = "longer"
///     than = 8
///     to   = { long = "slow" }
///
///     [[processor]]
///     id   = "slow"
///     kind = "delay"
///     ms   = 0.5
/// "#;
/// let pipeline = Pipeline::from_toml(config, "pipeline.toml", &registry)?;
///
/// # let folder = std::env::temp_dir().join(format!("logweir-registry-{}", std::process::id()));
/// # std::fs::create_dir_all(&folder)?;
/// let path = folder.join("app.log");
/// std::fs::write(&path, "short\na longer line\nshort\n")?;
/// let inputs = logweir::discover(&[path], logweir::DiscoverOptions::default());
/// let finished = Engine::new(pipeline, inputs, RunOptions::default()).run();
/// # std::fs::remove_dir_all(&folder)?;
///
/// let [size, slow] = &finished.snapshot.nodes[..] else { panic!("there are two processors") };
/// assert_eq!((size.outputs[0].records, size.outputs[1].records), (1, 2));
/// assert_eq!(slow.records_in, 1);
///
/// // A mistake in the new kind's settings is shown like any other.
/// let error = Pipeline::from_toml(config.replace("than", "then"), "pipeline.toml", &registry).err().unwrap();
/// assert_eq!(error.line(), Some(5));
/// assert_eq!(error.help(), Some("did you mean `than`?"));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Registry {
    kinds: Vec<(&'static str, Builder)>,
    /// Kinds that came from outside.
    foreign: Vec<&'static str>,
}

impl Default for Registry {
    fn default() -> Self {
        Self::standard()
    }
}

impl Registry {
    /// The kinds that come with logweir.
    #[must_use]
    pub fn standard() -> Self {
        let kinds: [(_, Builder); 6] = [
            ("level", level::build),
            ("match", matching::build),
            ("pass", pass::build),
            ("delay", delay::build),
            ("fail", fail::build),
            ("drop", drop::build),
        ];
        Self { kinds: kinds.to_vec(), foreign: Vec::new() }
    }

    /// The same with one kind more, or with another builder for a kind that there was.
    #[must_use]
    pub fn with(mut self, name: &'static str, builder: Builder) -> Self {
        self.kinds.retain(|(known, _)| *known != name);
        self.kinds.push((name, builder));
        self.foreign.push(name);
        self
    }

    /// True for kinds that [`Registry::with`] added: whether they account for every record is checked at each call.
    pub(super) fn is_foreign(&self, kind: &str) -> bool {
        self.foreign.contains(&kind)
    }

    /// The names of the kinds.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        self.kinds.iter().map(|(name, _)| *name)
    }

    /// The builder of `kind`, or else what was probably meant.
    pub(super) fn find(&self, kind: &str) -> Result<Builder, String> {
        match self.kinds.iter().find(|(name, _)| *name == kind) {
            Some((_, builder)) => Ok(*builder),
            None => Err(suggestion(kind, "kind", &Vec::from_iter(self.names()))),
        }
    }
}
