//! The picture of the text that is being written, or of what can be done with the selected message. Pure.

use ratatui::buffer::Buffer as Cells;
use ratatui::layout::{Position, Rect};
use ratatui::style::Style;

use super::put;
use crate::client::tui::buffer::Entry;
use crate::client::tui::layout::{cut, width};
use crate::client::tui::model::Model;
use crate::client::tui::palette::Palette;
use crate::client::tui::sending::State;

/// The rows of the text being written, and where the cursor is in them.
pub(super) fn editor_rows(model: &Model, columns: usize) -> (Vec<String>, (usize, usize)) {
    let columns = columns.saturating_sub(2).max(4);
    let (text, cursor) = (model.editor.text(), model.editor.cursor());
    let (mut rows, mut place, mut from) = (Vec::new(), (0, 0), 0);
    for line in text.split('\n') {
        let inside = (from..=from + line.len()).contains(&cursor);
        let pieces = cut_rows(line, columns);
        let mut at = from;
        for (n, piece) in pieces.iter().enumerate() {
            let last = n + 1 == pieces.len();
            if inside && cursor >= at && (cursor < at + piece.len() || last) {
                place = (rows.len() + n, width(&text[at..cursor]));
            }
            at += piece.len();
        }
        rows.extend(pieces.into_iter().map(str::to_owned));
        from += line.len() + 1;
    }
    if place.1 >= columns {
        // Behind the last column: on the next row.
        place = (place.0 + 1, 0);
        rows.insert(place.0, String::new());
    }
    (rows, place)
}

pub(super) fn draw_editor(model: &Model, palette: Palette, area: Rect, cells: &mut Cells) -> Option<Position> {
    let (rows, (row, column)) = editor_rows(model, usize::from(area.width));
    let height = usize::from(area.height);
    let skip = if rows.len() > height { row.saturating_sub(height - 1).min(rows.len() - height) } else { 0 };
    let replying = model.reply_to.and_then(|id| model.buffer()?.line(id));
    let sign = if replying.is_some() { "↳" } else { ">" };
    put(cells, area.x, area.y, sign, 1, palette.accent());
    let room = usize::from(area.width.saturating_sub(2));
    if model.editor.is_empty() {
        let text = match (replying.map(|line| &line.entry), model.buffer()) {
            (Some(Entry::Said(words)), _) => format!("answer {} (Esc: not)", words.from),
            _ if model.selected_state() == Some(Selected::Refused) => {
                "not sent: r try again  e edit  d drop  Esc back".to_owned()
            }
            _ if model.selected_state() == Some(Selected::Message) => {
                let walk = if model.found.is_some() { "n p other hits  " } else { "" };
                format!("{walk}r reply  e react  d take back  y copy  o open link  Esc back")
            }
            (_, Some(buffer)) => format!("write to {}", buffer.name),
            (_, None) => String::new(),
        };
        put(cells, area.x + 2, area.y, &cut(&text, room), room, palette.quiet());
    }
    for (y, text) in (area.top()..area.bottom()).zip(rows.iter().skip(skip)) {
        put(cells, area.x + 2, y, text, room, Style::new());
    }
    (area.height > 0).then(|| Position::new(area.x + 2 + column as u16, area.y + row.saturating_sub(skip) as u16))
}

/// A line in rows that together are the line.
fn cut_rows(line: &str, columns: usize) -> Vec<&str> {
    use unicode_segmentation::UnicodeSegmentation;
    let (mut rows, mut from, mut taken) = (Vec::new(), 0, 0);
    for (at, letter) in line.grapheme_indices(true) {
        let wide = width(letter);
        if taken + wide > columns {
            rows.push(&line[from..at]);
            (from, taken) = (at, 0);
        }
        taken += wide;
    }
    rows.push(&line[from..]);
    rows
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Selected {
    Message,
    Refused,
}

impl Model {
    fn selected_state(&self) -> Option<Selected> {
        let id = self.buffer()?.selected?;
        match self.queue.get(id).map(|outgoing| &outgoing.state) {
            Some(State::Refused(_)) => Some(Selected::Refused),
            Some(_) => None,
            None => Some(Selected::Message),
        }
    }
}
