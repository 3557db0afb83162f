//! The mode `generate`: writes a made-up log to standard output.

use std::{
    fs::File,
    io::{self, Write},
    path::Path,
    process::ExitCode,
};

use logweir::{Generator, LogFormat, Quota};

use crate::{
    Outcome,
    cli::{GenerateArgs, LineFormat},
};

/// Writes as much as was asked for, a part at a time. That nobody reads any more is an error that `main` keeps quiet about.
pub fn generate(args: &GenerateArgs) -> Outcome {
    let quota = Quota { lines: args.lines.unwrap_or(u64::MAX), bytes: args.bytes.unwrap_or(u64::MAX) };
    let mut generator = Generator::new(format(args.format), args.seed, quota);
    let mut labels = args.labels.as_deref().map(Labels::create).transpose()?;
    let mut stdout = io::stdout().lock();
    let mut lines = Vec::new();
    loop {
        lines.clear();
        let is_more = generator.fill(&mut lines, labels.as_mut().map(|labels| &mut labels.text));
        stdout.write_all(&lines)?;
        if let Some(labels) = &mut labels {
            labels.flush(args.labels.as_deref())?;
        }
        if !is_more {
            break;
        }
    }
    stdout.flush()?;
    Ok(ExitCode::SUCCESS)
}

fn format(format: LineFormat) -> LogFormat {
    match format {
        LineFormat::Combined => LogFormat::Combined,
        LineFormat::Json => LogFormat::Json,
        LineFormat::Syslog => LogFormat::Syslog,
        LineFormat::Log4j => LogFormat::Log4j,
    }
}

/// The file of levels.
struct Labels {
    file: File,
    text: Vec<u8>,
}

impl Labels {
    fn create(path: &Path) -> Result<Self, String> {
        let file = File::create(path).map_err(|error| complaint(path, &error))?;
        Ok(Self { file, text: Vec::new() })
    }

    fn flush(&mut self, path: Option<&Path>) -> Result<(), String> {
        let written = self.file.write_all(&self.text);
        self.text.clear();
        written.map_err(|error| complaint(path.unwrap_or(Path::new("-")), &error))
    }
}

fn complaint(path: &Path, error: &io::Error) -> String {
    format!("cannot write {}: {error}", path.display())
}
