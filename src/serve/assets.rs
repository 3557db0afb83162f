//! The page: plain HTML, CSS and a few modules, part of the program.

/// What can be asked for, and what the answers look like (OpenAPI 3.1).
pub(super) const DESCRIPTION: &str = include_str!("assets/openapi.json");

/// One file of the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asset {
    Page,
    Style,
    /// The module that the page loads; it imports the others.
    Script,
    Processors,
    History,
    Tools,
    Icon,
}

impl Asset {
    /// The file at `path`.
    pub(super) fn at(path: &str) -> Option<Self> {
        match path {
            "/" | "/index.html" => Some(Self::Page),
            "/assets/page.css" => Some(Self::Style),
            "/assets/page.js" => Some(Self::Script),
            "/assets/processors.js" => Some(Self::Processors),
            "/assets/history.js" => Some(Self::History),
            "/assets/tools.js" => Some(Self::Tools),
            "/assets/icon.svg" | "/favicon.ico" => Some(Self::Icon),
            _ => None,
        }
    }

    /// Its content type, and its content.
    pub(super) fn content(self) -> (&'static str, &'static str) {
        const SCRIPT: &str = "text/javascript; charset=utf-8";
        match self {
            Self::Page => ("text/html; charset=utf-8", include_str!("assets/index.html")),
            Self::Style => ("text/css; charset=utf-8", include_str!("assets/page.css")),
            Self::Script => (SCRIPT, include_str!("assets/page.js")),
            Self::Processors => (SCRIPT, include_str!("assets/processors.js")),
            Self::History => (SCRIPT, include_str!("assets/history.js")),
            Self::Tools => (SCRIPT, include_str!("assets/tools.js")),
            Self::Icon => ("image/svg+xml", include_str!("assets/icon.svg")),
        }
    }
}
