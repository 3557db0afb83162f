//! The mode `check`: validates a pipeline and draws it.

use std::{
    io::{self, Write},
    process::ExitCode,
};

use logweir::{Graph, Pipeline, escape};

use crate::{
    Outcome,
    cli::{CheckArgs, GraphFormat},
    load, say,
};

/// Validates a pipeline and draws it. What is wrong with it is the error.
pub fn check(args: &CheckArgs) -> Outcome {
    let text = if args.print_default { Pipeline::DEFAULT.to_owned() } else { checked(args)? };
    io::stdout().lock().write_all(text.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

fn checked(args: &CheckArgs) -> Result<String, Box<dyn std::error::Error>> {
    let (name, pipeline) = match &args.config {
        Some(path) => (path.display().to_string(), load::load(path)?),
        None => ("default pipeline".to_owned(), Pipeline::default_pipeline()),
    };
    hint(&pipeline);
    let graph = pipeline.graph();
    Ok(match args.format {
        GraphFormat::Text => format!("{}\n\n{}", verdict(&name, graph), graph.text()),
        // Another program reads these.
        GraphFormat::Mermaid => graph.mermaid(),
        GraphFormat::Dot => graph.dot(),
    })
}

/// What is no mistake, since arguments of a run may make it good. Beside the drawing: another program may read that.
fn hint(pipeline: &Pipeline) {
    let ids = pipeline.without_dead_letters();
    if !ids.is_empty() {
        say(format_args!(
            "hint: no file takes the dead letters of `{}`, so they are dropped; name one with `dead_letters = \"FILE\"` at \
             the top, or start with --dead-letters FILE",
            ids.join("`, `")
        ));
    }
}

fn verdict(name: &str, graph: &Graph) -> String {
    let (processors, sinks) = (counted(graph.nodes.len(), "processor"), counted(graph.sinks.len(), "sink"));
    format!("{}: valid, {processors}, {sinks}", escape(name.as_bytes()))
}

fn counted(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}
