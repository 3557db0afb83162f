//! A table that fits: columns as wide as what is in them, the least important left out, the first one cut if it must be.

use std::io::{self, Write};

use anstyle::Style;

use super::style;
use crate::escape::{columns, escape_within};

/// The first column gives way down to this before others leave.
const SHRUNK_COLUMNS: usize = 20;
/// The narrowest that it becomes when none can leave.
const SHRUNK_COLUMNS_MIN: usize = 12;
/// What stands before each row.
const INDENT: &str = "  ";

/// Which side of its column a cell leans to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Align {
    Left,
    Right,
}

/// How a column behaves.
#[derive(Debug, Clone)]
pub(crate) struct Column {
    head: String,
    align: Align,
    /// Columns with a lower rank leave first when the table is too wide; 0 never leaves.
    rank: u8,
    /// Spaces before it, unless it is the first.
    gap: usize,
    /// A word over the heads, which belongs to this column and those right of it.
    group: &'static str,
}

impl Column {
    pub(crate) fn left(head: impl Into<String>) -> Self {
        Self { head: head.into(), align: Align::Left, rank: 0, gap: 2, group: "" }
    }

    pub(crate) fn right(head: impl Into<String>) -> Self {
        Self { align: Align::Right, ..Self::left(head) }
    }

    /// Leaves when the table is too wide, those with lower ranks first.
    pub(crate) fn rank(self, rank: u8) -> Self {
        Self { rank, ..self }
    }

    /// Stands close to the one before it.
    pub(crate) fn near(self) -> Self {
        Self { gap: 1, ..self }
    }

    /// Begins a group.
    pub(crate) fn group(self, group: &'static str) -> Self {
        Self { group, ..self }
    }
}

/// Pieces of text, each with its style. All of it is printable: what came from strangers has been escaped.
#[derive(Debug, Clone, Default)]
pub(crate) struct Cell(Vec<(Style, String)>);

impl Cell {
    pub(crate) fn new(style: Style, text: impl Into<String>) -> Self {
        Self(vec![(style, text.into())])
    }

    pub(crate) fn and(mut self, style: Style, text: impl Into<String>) -> Self {
        self.0.push((style, text.into()));
        self
    }

    fn columns(&self) -> usize {
        self.0.iter().map(|(_, text)| columns(text)).sum()
    }

    /// Nothing.
    pub(crate) const EMPTY: Self = Self(Vec::new());

    /// As much of it as fits.
    fn cut(&self, width: usize) -> Self {
        let mut left = width;
        let cut = self.0.iter().map_while(|(style, text)| {
            let fitting = if left == 0 { return None } else { escape_within(text.as_bytes(), left) };
            left -= columns(&fitting);
            Some((*style, fitting))
        });
        Self(cut.collect())
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self::new(Style::new(), text)
    }
}

/// Rows of cells. The first column gives way when the table is too wide.
#[derive(Debug)]
pub(crate) struct Table {
    columns: Vec<Column>,
    rows: Vec<Vec<Cell>>,
}

impl Table {
    pub(crate) fn new(columns: Vec<Column>) -> Self {
        Self { columns, rows: Vec::new() }
    }

    /// Adds a row, one cell for each column; missing ones are empty.
    pub(crate) fn row(&mut self, mut cells: Vec<Cell>) {
        cells.resize(self.columns.len(), Cell::default());
        self.rows.push(cells);
    }

    /// Whether the column with this head is shown in `width` columns.
    pub(crate) fn shows(&self, head: &str, width: usize) -> bool {
        self.layout(width.saturating_sub(INDENT.len())).iter().any(|&(at, _)| self.columns[at].head == head)
    }

    /// Writes it, in at most `width` columns as far as that is possible.
    pub(crate) fn write(&self, width: usize, out: &mut dyn Write) -> io::Result<()> {
        let shown = self.layout(width.saturating_sub(INDENT.len()));
        if self.columns.iter().any(|column| !column.group.is_empty()) {
            self.write_groups(&shown, out)?;
        }
        let heads = self.columns.iter().map(|column| Cell::new(style::DIM, column.head.as_str())).collect::<Vec<_>>();
        self.write_row(&heads, &shown, out)?;
        self.rows.iter().try_for_each(|row| self.write_row(row, &shown, out))
    }

    /// The columns that are shown, by number, and how wide each is.
    fn layout(&self, width: usize) -> Vec<(usize, usize)> {
        let mut shown: Vec<_> =
            (0..self.columns.len()).map(|at| (at, self.natural(at))).filter(|&(at, _)| self.is_filled(at)).collect();
        while self.total(&shown) > width {
            // The first column gives way if that is enough; else others leave, and it is tried again.
            let shrunk = shown[0].1.saturating_sub(self.total(&shown) - width);
            let leaving = shown.iter().map(|&(at, _)| at).filter(|&at| self.columns[at].rank > 0);
            match leaving.min_by_key(|&at| self.columns[at].rank) {
                Some(leaving) if shrunk < SHRUNK_COLUMNS.min(shown[0].1) => shown.retain(|&(at, _)| at != leaving),
                _ => {
                    shown[0].1 = shrunk.max(SHRUNK_COLUMNS_MIN).min(shown[0].1);
                    break;
                }
            }
        }
        shown
    }

    fn total(&self, shown: &[(usize, usize)]) -> usize {
        let gaps = shown.iter().skip(1).map(|&(at, _)| self.columns[at].gap).sum::<usize>();
        gaps + shown.iter().map(|(_, width)| width).sum::<usize>()
    }

    fn natural(&self, at: usize) -> usize {
        self.rows.iter().map(|row| row[at].columns()).chain([columns(&self.columns[at].head)]).max().unwrap_or(0)
    }

    /// A column that may leave does so when it has nothing to say.
    fn is_filled(&self, at: usize) -> bool {
        self.columns[at].rank == 0 || self.rows.iter().any(|row| row[at].columns() > 0)
    }

    fn write_groups(&self, shown: &[(usize, usize)], out: &mut dyn Write) -> io::Result<()> {
        let (mut at, mut written) = (0, 0);
        let mut line = String::new();
        for (position, &(number, width)) in shown.iter().enumerate() {
            let column = &self.columns[number];
            at += if position > 0 { column.gap } else { 0 };
            if !column.group.is_empty() {
                // Above the head, which leans right.
                let start =
                    at + if column.align == Align::Right { width - columns(&column.head).min(width) } else { 0 };
                line.extend(std::iter::repeat_n(' ', start.saturating_sub(written)));
                line.push_str(column.group);
                written = start.max(written) + columns(column.group);
            }
            at += width;
        }
        writeln!(out, "{INDENT}{}{line}{:#}", style::DIM, style::DIM)
    }

    fn write_row(&self, row: &[Cell], shown: &[(usize, usize)], out: &mut dyn Write) -> io::Result<()> {
        // Spaces are written only when something follows, so that no line ends in them.
        let mut spaces = INDENT.len();
        for (position, &(at, width)) in shown.iter().enumerate() {
            let cell = row[at].cut(width);
            let padding = width - cell.columns().min(width);
            let (before, after) = match self.columns[at].align {
                Align::Left => (0, padding),
                Align::Right => (padding, 0),
            };
            spaces += before + if position > 0 { self.columns[at].gap } else { 0 };
            for (style, text) in cell.0.iter().filter(|(_, text)| !text.is_empty()) {
                write!(out, "{:spaces$}{style}{text}{style:#}", "")?;
                spaces = 0;
            }
            spaces += after;
        }
        writeln!(out)
    }
}
