//! Tables: first column to the left, numbers to the right.

use super::style::{Paint, Role};
use super::words::{cut, width};

/// Rows of text with a heading.
#[derive(Debug, Default)]
pub(crate) struct Table {
    head: Vec<String>,
    rows: Vec<Vec<String>>,
}

const GAP: usize = 2;
const INDENT: usize = 2;

impl Table {
    /// With these headings.
    pub(crate) fn new<T: Into<String>>(head: impl IntoIterator<Item = T>) -> Self {
        Self {
            head: head.into_iter().map(Into::into).collect(),
            rows: Vec::new(),
        }
    }

    /// Adds a row; missing cells stay empty.
    pub(crate) fn row(&mut self, cells: Vec<String>) {
        self.rows.push(cells);
    }

    /// Whether it has no rows.
    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Its lines, at most `limit` columns wide: the first column is cut where it must be.
    pub(crate) fn lines(&self, limit: usize, paint: Paint) -> Vec<String> {
        let cell = |row: &[String], i: usize| row.get(i).cloned().unwrap_or_default();
        let mut widths: Vec<usize> = (0..self.head.len())
            .map(|i| {
                let rows = self.rows.iter().map(|row| width(&cell(row, i)));
                rows.max().unwrap_or(0).max(width(&self.head[i]))
            })
            .collect();
        let others: usize = widths.iter().skip(1).map(|w| w + GAP).sum();
        if let Some(first) = widths.first_mut() {
            *first = (*first).min(limit.saturating_sub(INDENT + others).max(8));
        }
        let line = |row: &[String]| {
            let mut text = " ".repeat(INDENT);
            for (i, &columns) in widths.iter().enumerate() {
                let shown = cut(&cell(row, i), columns);
                let pad = " ".repeat(columns.saturating_sub(width(&shown)));
                if i == 0 {
                    text.push_str(&shown);
                    text.push_str(&pad);
                } else {
                    text.push_str(&" ".repeat(GAP));
                    text.push_str(&pad);
                    text.push_str(&shown);
                }
            }
            text.trim_end().to_owned()
        };
        let head = paint.role(Role::Dim, &line(&self.head));
        std::iter::once(head)
            .chain(self.rows.iter().map(|row| line(row)))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stand_under_each_other_and_names_give_way() {
        let mut table = Table::new(["name", "p50", "max"]);
        table.row(vec!["short".into(), "1 ms".into(), "10.0 ms".into()]);
        table.row(vec!["a name that is too long".into(), "12 ms".into()]);
        assert_eq!(
            table.lines(30, Paint::PLAIN),
            [
                "  name            p50      max",
                "  short          1 ms  10.0 ms",
                "  a name that…  12 ms"
            ]
        );
    }
}
