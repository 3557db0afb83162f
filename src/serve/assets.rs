//! The page: plain HTML, CSS and one module, part of the program.

/// What can be asked for, and what the answers look like (OpenAPI 3.1).
pub(super) const DESCRIPTION: &str = include_str!("assets/openapi.json");

/// One file of the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asset {
    Page,
    Style,
    Script,
    Icon,
}

impl Asset {
    /// The file at `path`.
    pub(super) fn at(path: &str) -> Option<Self> {
        match path {
            "/" | "/index.html" => Some(Self::Page),
            "/assets/page.css" => Some(Self::Style),
            "/assets/page.js" => Some(Self::Script),
            "/assets/icon.svg" | "/favicon.ico" => Some(Self::Icon),
            _ => None,
        }
    }

    /// Its content type, and its content.
    pub(super) fn content(self) -> (&'static str, &'static str) {
        match self {
            Self::Page => ("text/html; charset=utf-8", include_str!("assets/index.html")),
            Self::Style => ("text/css; charset=utf-8", include_str!("assets/page.css")),
            Self::Script => ("text/javascript; charset=utf-8", include_str!("assets/page.js")),
            Self::Icon => ("image/svg+xml", include_str!("assets/icon.svg")),
        }
    }
}
